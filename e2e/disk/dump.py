"""Apache Kafka's DumpLogSegments over a data folder, and what it must and must not say."""

import glob
import os
import re

from harness.jvm import TOOLS
from harness.report import check, equal

# What it calls non-consecutive starts a file without its predecessor; offsets are checked below instead.
COMPLAINTS = re.compile(r"mismatch|Index offset|isvalid: false|corrupt|Exception|invalid|Found \d+ errors",
                        re.IGNORECASE)


def partition_folder(data, topic, partition):
    """The folder of a partition, wherever it lies below the data folder."""
    found = glob.glob(os.path.join(data, "**", f"{topic}-{partition}"), recursive=True)
    equal(len(found), 1, f"folders of {topic}-{partition}")
    return found[0]


def files(folder, suffix):
    """The files of one kind in a folder, by offset."""
    return sorted(glob.glob(os.path.join(folder, f"*{suffix}")))


def dump(jvm, paths, *options):
    """Runs the tool over files; anything it complains of is a failure."""
    result = jvm.run(TOOLS["dump-log"], "--files", ",".join(paths), *options)
    complaints = [line for line in (result.out + result.err).splitlines() if COMPLAINTS.search(line)]
    check(not complaints, f"DumpLogSegments {' '.join(options)}: {complaints[:5]}")
    return result.out


def verify_partition(jvm, folder, expected_offsets=None):
    """All files of a partition; the offsets of its records must be dense. Gives how many records there are."""
    logs = files(folder, ".log")
    check(logs, f"no segments in {folder}")
    text = dump(jvm, logs, "--deep-iteration", "--print-data-log")
    offsets = [int(offset) for offset in re.findall(r"^\| offset: (\d+) ", text, re.MULTILINE)]
    first = int(os.path.basename(logs[0])[:-4])
    equal(offsets, list(range(first, first + len(offsets))), f"offsets that the tool sees in {folder}")
    if expected_offsets is not None:
        equal(len(offsets), expected_offsets, f"records that the tool sees in {folder}")
    batches = re.findall(r"^baseOffset: \d+ .* isvalid: (\w+)$", text, re.MULTILINE)
    check(all(valid == "true" for valid in batches), "a batch that is not valid")
    dump(jvm, files(folder, ".index"), "--index-sanity-check")
    dump(jvm, files(folder, ".index"), "--verify-index-only")
    dump(jvm, files(folder, ".timeindex"), "--index-sanity-check")
    dump(jvm, files(folder, ".timeindex"), "--verify-index-only")
    return len(offsets)


def index_entries(jvm, folder):
    """How many entries all offset indexes of a partition have together."""
    text = dump(jvm, files(folder, ".index"))
    return len(re.findall(r"^offset: \d+ position: \d+$", text, re.MULTILINE))

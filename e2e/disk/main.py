"""Runs e2e/parts/disk: what lies on disk, and what of it survives."""

import argparse
import os
import sys
import tempfile

sys.path.insert(0, os.path.dirname(__file__))

import broken  # noqa: E402  (its folder is named above)
import damage  # noqa: E402
import folders  # noqa: E402
import full  # noqa: E402
import kills  # noqa: E402

from harness import brokers  # noqa: E402
from harness.jvm import Jvm  # noqa: E402
from harness.report import Report  # noqa: E402
from harness.topics import create  # noqa: E402

# Every scenario, one a line; a run with UPDATE=1 writes it anew.
NAMES = os.path.join(os.path.dirname(__file__), "scenarios.txt")
SHORT_ROUNDS = 6
LONG_ROUNDS = 50


def healthy(report, against, broker, jvm):
    """Folders after ordinary work and a clean stop."""
    if against != "kafka":
        report.scenario("disk: DumpLogSegments reads what the storage crate writes", folders.storage_crate, broker, jvm)
    report.scenario("disk: writing topics of every codec", folders.write, broker, jvm)
    report.scenario("disk: groups that commit, leave and are deleted", folders.groups, broker, jvm)
    broker.stop()
    for name, action in [
        ("DumpLogSegments reads every segment and index", folders.segments),
        ("batches lie as the producer compressed them", folders.codecs_on_disk),
        ("producer snapshots are Kafka's", folders.producer_snapshots),
        ("the metadata log holds Kafka's records", folders.metadata_log),
        ("small files are Kafka's", folders.small_files),
        ("DumpLogSegments decodes the records of groups", folders.group_records),
    ]:
        report.scenario(f"disk: {name}", action, broker, jvm)
    broker.start()
    report.scenario("disk: a restart has everything", folders.reopened, broker, jvm)


def damaged(report, against, broker, jvm, directory):
    """Folders that were harmed."""
    create(broker, jvm, "disk-second")
    second = brokers.make(against, os.path.join(directory, "second"))
    ours = against != "kafka"
    name = "disk: a second broker on the same folder is refused"
    if ours:
        report.scenario(name, damage.second_broker, broker, second)
    else:
        report.skip(name, "the quorum of the second process writes before the folder's lock is asked for")
    for kind in damage.TORN:
        name = f"disk: a torn tail: {kind}"
        if ours or kind in damage.TORN_AS_KAFKA_MENDS:
            report.scenario(name, damage.torn_tail, broker, jvm, kind)
        else:
            report.skip(name, "Apache Kafka 4.3.1 begins its log anew, without a record")
    report.scenario("disk: a file that ends within its last batch", damage.lost_tail, broker, jvm)
    for stop in [brokers.Broker.stop, brokers.Broker.kill]:
        name = f"disk: a flipped byte in a closed segment, after a {stop.__name__}"
        if ours:
            report.scenario(name, damage.flipped_byte, broker, jvm, stop)
        else:
            report.skip(name, "Apache Kafka 4.3.1 serves the damaged batch and leaves it to clients to notice")
    report.scenario("disk: DumpLogSegments finds the mended folders whole", damage.after_all, broker, jvm)


def killed(report, broker, jvm, rounds):
    """kill -9 under load."""
    counts = {}
    report.scenario("disk: kill -9 again and again under idempotent and plain load",
                    lambda: counts.update(kills.rounds(broker, jvm, rounds)))
    report.scenario("disk: DumpLogSegments reads what the kills left", kills.stop_and_dump, broker, jvm, counts)


def main():
    """Parses the command line and runs."""
    parser = argparse.ArgumentParser(prog="e2e/parts/disk")
    parser.add_argument("--against", choices=["gregor", "kafka"], default="gregor")
    parser.add_argument("--only", help="only scenarios whose name contains this text")
    parser.add_argument("--long", action="store_true", help=f"{LONG_ROUNDS} rounds of kill -9")
    parser.add_argument("--rounds", type=int, default=None, help=f"rounds of kill -9 (default {SHORT_ROUNDS})")
    options = parser.parse_args()
    rounds = options.rounds or (LONG_ROUNDS if options.long else SHORT_ROUNDS)
    report = Report(NAMES, options.only, may_skip=options.against != "gregor" or bool(os.environ.get("BROKER")))
    with tempfile.TemporaryDirectory(prefix="gregor-disk-") as directory:
        jvm = Jvm()
        broker = None
        try:
            for name, run in [("healthy", lambda: healthy(report, options.against, broker, jvm)),
                              ("damaged", lambda: damaged(report, options.against, broker, jvm, directory)),
                              ("killed", lambda: killed(report, broker, jvm, rounds))]:
                broker = brokers.make(options.against, os.path.join(directory, name)).start()
                run()
                broker.stop()
            if options.against == "gregor" and not os.environ.get("BROKER"):
                full.run(report, options.against, directory, jvm)
                broken.run(report, options.against, directory, jvm)
        finally:
            jvm.close()
            if broker is not None:
                broker.stop()
    report.finish()


if __name__ == "__main__":
    main()

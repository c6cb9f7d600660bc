"""Folders of every shape that a healthy broker writes, read by Kafka's DumpLogSegments."""

import glob
import json
import os
import re
import subprocess
import time

from confluent_kafka import Consumer, TopicPartition
from confluent_kafka.admin import AdminClient

from dump import dump, files, index_entries, partition_folder, verify_partition
from harness import librdkafka, records
from harness.report import check, equal
from harness.topics import admin, create, served

CODECS = ["none", "gzip", "snappy", "lz4", "zstd"]


def write(broker, jvm):
    """Topics with every codec, with idempotent and plain producers, with many segments, with old ones deleted."""
    for codec in CODECS:
        create(broker, jvm, f"disk-{codec}", 1, segment_bytes=1 << 20, index_interval_bytes=500)
        for turn in range(4):
            sent = records.make(f"{codec} {turn}", 400, 1)
            if turn % 2:
                librdkafka.write(broker.address, f"disk-{codec}", sent, compression_type=codec, batch_size=3000,
                                 enable_idempotence=turn == 1)
            else:
                jvm.run("Exchange", "write", broker.address, f"disk-{codec}", f"compression.type={codec}",
                        "batch.size=3000", "linger.ms=2", stdin=records.to_lines(sent))
    create(broker, jvm, "disk-segments", 1, segment_bytes=1 << 20, index_interval_bytes=1000)
    large = [records.Record(0, records.BASE_TIMESTAMP + n, b"%d" % n, os.urandom(2000)) for n in range(2500)]
    librdkafka.write(broker.address, "disk-segments", large, enable_idempotence=True, batch_size=10000)
    create(broker, jvm, "disk-empty", 2)
    create(broker, jvm, "disk-deleted", 1)
    librdkafka.write(broker.address, "disk-deleted", records.make("deleted", 50, 1))
    equal(admin(broker, jvm, "delete", "disk-deleted"), ["done"], "delete")


def segments(broker, jvm):
    """Every partition's files."""
    for codec in CODECS:
        verify_partition(jvm, partition_folder(broker.data, f"disk-{codec}", 0), 1600)
    folder = partition_folder(broker.data, "disk-segments", 0)
    verify_partition(jvm, folder, 2500)
    check(len(files(folder, ".log")) >= 4, f"only {len(files(folder, '.log'))} segments")
    check(index_entries(jvm, folder) > 100, "hardly any index entries")


def codecs_on_disk(broker, jvm):
    """Batches lie on disk as the producer compressed them."""
    for codec in CODECS:
        text = dump(jvm, files(partition_folder(broker.data, f"disk-{codec}", 0), ".log"))
        found = set(re.findall(r"compresscodec: (\w+)", text))
        # A client sends a batch as it is when compression makes it larger.
        check(codec in found and found <= {codec, "none"}, f"codecs of disk-{codec}: {found}")


def producer_snapshots(broker, jvm):
    """The state of idempotent producers, written at a clean stop."""
    folder = partition_folder(broker.data, "disk-segments", 0)
    snapshots = files(folder, ".snapshot")
    check(snapshots, "no producer snapshot")
    text = dump(jvm, snapshots[-1:])
    check(re.search(r"producerId: \d+ producerEpoch: 0 .*lastSequence: 2499\b", text), f"the last snapshot: {text}")
    # Gregor writes an entry for each batch that it remembers of a producer; Kafka's broker takes the newest of them.
    before = {path: os.path.getsize(path) for path in snapshots}
    loaded = jvm.run("Snapshot", folder, 2500).lines
    equal([line.split()[1:] for line in loaded], [["0", "2499", "2499", "-1"]], "what Kafka's broker takes from it")
    equal({path: os.path.getsize(path) for path in files(folder, ".snapshot")}, before, "the snapshots that it keeps")


def storage_crate(_broker, _jvm):
    """Folders with transactions and several producers, written by the storage crate's own test."""
    libs = os.path.join(os.environ["KAFKA_HOME"], "libs")
    command = ["cargo", "test", "--quiet", "--package", "storage", "--test", "kafka", "--", "--ignored", "--exact",
               "dump_log_segments_finds_nothing_wrong"]
    done = subprocess.run(command, env={**os.environ, "KAFKA_LIBS": libs}, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, check=False)
    check(done.returncode == 0 and "1 passed" in done.stdout, done.stdout[-3000:])


def metadata_log(broker, jvm):
    """The metadata log holds Kafka's records."""
    folder = partition_folder(broker.data, "__cluster_metadata", 0)
    text = dump(jvm, files(folder, ".log"), "--cluster-metadata-decoder")
    kinds = re.findall(r'"type":"(\w+)"', text)
    for kind in ["TOPIC_RECORD", "PARTITION_RECORD", "CONFIG_RECORD", "REGISTER_BROKER_RECORD", "REMOVE_TOPIC_RECORD",
                 "PRODUCER_IDS_RECORD"]:
        check(kind in kinds, f"no {kind} among {sorted(set(kinds))}")
    check('"name":"disk-segments"' in text, "the topic's name is not in its record")
    # One of them is __consumer_offsets.
    equal(kinds.count("TOPIC_RECORD"), len(CODECS) + 4, "topics created")


def small_files(broker, _jvm):
    """meta.properties, partition.metadata and the checkpoints, as Kafka writes them."""
    topic_id = None
    with open(os.path.join(partition_folder(broker.data, "disk-none", 0), "partition.metadata"), encoding="ascii") as file:
        lines = file.read().split("\n")
    equal(lines[0], "version: 0", "first line of partition.metadata")
    topic_id = re.fullmatch(r"topic_id: ([\w-]{22})", lines[1])
    check(topic_id, lines[1])
    with open(os.path.join(partition_folder(broker.data, "disk-none", 0), "leader-epoch-checkpoint"), encoding="ascii") as file:
        equal(file.read().split("\n"), ["0", "1", "0 0", ""], "leader-epoch-checkpoint")
    root = os.path.dirname(partition_folder(broker.data, "disk-none", 0))
    with open(os.path.join(root, "meta.properties"), encoding="ascii") as file:
        values = dict(line.strip().split("=", 1) for line in file if "=" in line)
    check({"version", "cluster.id", "node.id", "directory.id"} <= set(values), f"meta.properties: {values}")
    with open(os.path.join(root, "recovery-point-offset-checkpoint"), encoding="ascii") as file:
        lines = file.read().split("\n")
    equal((lines[0], int(lines[1])), ("0", len(lines) - 3), "head of recovery-point-offset-checkpoint")
    check("disk-segments 0 2500" in lines, "the recovery point of disk-segments after a clean stop")


def reopened(broker, jvm):
    """A restart on the same folder has everything."""
    for codec in CODECS:
        served(broker, jvm, f"disk-{codec}")
        sent = [record for turn in range(4) for record in records.make(f"{codec} {turn}", 400, 1)]
        records.verify(sent, librdkafka.read(broker.address, f"disk-{codec}"))


def groups(broker, _jvm):
    """A group with a static member that read and committed, and one that was deleted."""
    settings = {"bootstrap.servers": broker.address, "enable.auto.commit": False, "auto.offset.reset": "earliest"}
    member = Consumer({**settings, "group.id": "disk-group", "group.instance.id": "disk-member", "client.id": "disk"})
    member.subscribe(["disk-none"])
    taken, deadline = 0, time.monotonic() + 60
    while taken < 1600 and time.monotonic() < deadline:
        taken += len(member.consume(500, timeout=1))
    equal(taken, 1600, "records that the member got")
    member.commit(asynchronous=False)
    member.close()
    gone = Consumer({**settings, "group.id": "disk-gone"})
    gone.commit(offsets=[TopicPartition("disk-none", 0, 7)], asynchronous=False)
    gone.close()
    client = AdminClient({"bootstrap.servers": broker.address})
    for future in client.delete_consumer_groups(["disk-gone"]).values():
        future.result(30)


def group_records(broker, jvm):
    """What Kafka's decoder makes of `__consumer_offsets`: by key, all that was written, oldest first."""
    found = {}
    pattern = os.path.join(broker.data, "**", "__consumer_offsets-*", "*.log")
    logs = [path for path in glob.glob(pattern, recursive=True) if os.path.getsize(path)]
    check(logs, "nothing in __consumer_offsets")
    text = "".join(dump(jvm, [path], "--offsets-decoder", "--print-data-log") for path in logs)
    for key, payload in re.findall(r"^\| offset: .* key: (\{.*?\}) payload: (.*)$", text, re.MULTILINE):
        key = json.loads(key)
        name = (key["type"], key["data"]["group"], key["data"].get("topic"), key["data"].get("partition"))
        found.setdefault(name, []).append(json.loads(payload)["data"] if payload.startswith("{") else None)
    committed = found["1", "disk-group", "disk-none", 0]
    equal([one["offset"] for one in committed], [1600], "offsets committed")
    generations = [one for one in found["2", "disk-group", None, None] if one["members"]]
    check(generations, f"no generation with members: {found}")
    (last,) = generations[-1]["members"]
    equal((generations[-1]["protocolType"], generations[-1]["protocol"], last["groupInstanceId"], last["clientId"]),
          ("consumer", "range", "disk-member", "disk"), "the group and its member")
    equal(last["assignment"]["assignedPartitions"], [{"topic": "disk-none", "partitions": [0]}], "its assignment")
    offsets = found["1", "disk-gone", "disk-none", 0]
    equal([one and one["offset"] for one in offsets], [7, None], "the offset of the group that was deleted, and its end")
    equal(found["2", "disk-gone", None, None][-1], None, "the last record of the group that was deleted")

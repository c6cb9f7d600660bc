"""Folders that somebody else uses, tails that are torn, and bytes that flip where nobody writes any more."""

import os
import random
import struct
import subprocess

from dump import files, partition_folder, verify_partition
from harness import librdkafka, records
from harness.report import check, equal, until
from harness.topics import admin, create, served
from raw.batch import batch, crc32c
from raw.requests import fetch_answer, fetch_body, produce
from raw.wire import FETCH, Closed, Connection, Silence

SEGMENT_BYTES = 1 << 20
TORN = {
    "a third of a batch": lambda good: good[:len(good) // 3],
    "a batch without its last byte": lambda good: good[:-1],
    "random bytes": lambda _: random.Random(1).randbytes(500),
    "zeros, as a crash of the machine leaves them": lambda _: bytes(4096),
    "a batch with a wrong checksum": lambda good: good[:-1] + bytes([good[-1] ^ 0x55]),
    "a batch of an offset long gone": lambda _: batch(base_offset=0),
}
TORN_AS_KAFKA_MENDS = list(TORN)[:-1]


def second_broker(broker, second):
    """A second process over the same folder ends by itself, says why, and the first goes on."""
    second.data = broker.data
    process = second.spawn()
    try:
        code = process.wait(30)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
        check(False, "a second server runs on the folder of the first")
    check(code != 0, "the second server ended with code 0")
    check("lock" in second.log_tail().lower() or "in use" in second.log_tail().lower(),
          f"it does not say why: {second.log_tail()}")
    connection = Connection(broker.address)
    try:
        check(produce(connection, "disk-second", batch()).startswith("offset"), "the first does not serve any more")
    finally:
        connection.close()


def torn_tail(broker, jvm, name):
    """What a crash left half written is cut; what was whole before it is served, and the log goes on there."""
    topic = "disk-torn-" + "".join(letter if letter.isalnum() else "-" for letter in name)
    create(broker, jvm, topic, 1)
    sent = records.make(topic, 200, 1)
    for part in range(0, 200, 50):
        librdkafka.write(broker.address, topic, sent[part:part + 50], linger_ms=50)
    broker.kill()
    log = files(partition_folder(broker.data, topic, 0), ".log")[-1]
    with open(log, "ab") as file:
        file.write(TORN[name](batch(base_offset=200, epoch=0)))
    broker.start()
    served(broker, jvm, topic)
    records.verify(sent, librdkafka.read(broker.address, topic))
    connection = Connection(broker.address)
    try:
        equal(produce(connection, topic, batch()), "offset 200", "the next record")
    finally:
        connection.close()


def lost_tail(broker, jvm):
    """A file that ends within its last batch: the log ends before that batch."""
    create(broker, jvm, "disk-lost", 1)
    sent = records.make("lost", 60, 1)
    for record in sent:
        librdkafka.write(broker.address, "disk-lost", [record])
    broker.kill()
    log = files(partition_folder(broker.data, "disk-lost", 0), ".log")[-1]
    os.truncate(log, os.path.getsize(log) - 10)
    broker.start()
    served(broker, jvm, "disk-lost")
    records.verify(sent[:59], librdkafka.read(broker.address, "disk-lost"))


def flipped_byte(broker, jvm, stop):
    """A byte changes inside a closed segment while the broker is down: what it belongs to is not served as good.

    Every batch that any fetch brings must have its right checksum; a fetch at the damage is an error that says so,
    the log tells of it, and what lies before and behind it is served."""
    topic = f"disk-flipped-{stop.__name__}"
    create(broker, jvm, topic, 1, segment_bytes=SEGMENT_BYTES)
    connection = Connection(broker.address)
    value_batches = [produce(connection, topic, batch(payload=_payload(number), count=1, last_offset_delta=0))
                     for number in range(45)]
    connection.close()
    check(all(answer.startswith("offset") for answer in value_batches), "produce")
    # What is not synced may be cut by a recovery; this is about what is.
    until(lambda: _recovery_point(broker.data, topic) >= 45, "the log is synced")
    stop(broker)
    log = files(partition_folder(broker.data, topic, 0), ".log")[0]
    with open(log, "r+b") as file:
        file.seek(SEGMENT_BYTES // 2)
        old = file.read(1)
        file.seek(SEGMENT_BYTES // 2)
        file.write(bytes([old[0] ^ 0x10]))
    broker.start()
    served(broker, jvm, topic)
    damaged = _offset_at(log, SEGMENT_BYTES // 2)
    outcomes = {offset: _fetch_outcome(broker.address, topic, offset) for offset in range(45)}
    bad = {offset: outcome for offset, outcome in outcomes.items() if outcome == "served damaged"}
    check(not bad, f"damaged bytes were served from the offsets {sorted(bad)}")
    check(outcomes[damaged] in ("error 2", "error 56"), f"a fetch at the damage: {outcomes[damaged]}")
    unharmed = [offset for offset in range(45) if offset != damaged and outcomes[offset] != "good"]
    check(not unharmed, f"offsets that are whole and do not come: {[(at, outcomes[at]) for at in unharmed[:5]]}")
    text = broker.log_tail(100_000)
    check(topic in text and ("corrupt" in text.lower() or "damage" in text.lower()), "the log does not tell of it")


def _recovery_point(data, topic):
    """The offset up to which the checkpoint says that the log is synced."""
    root = os.path.dirname(partition_folder(data, topic, 0))
    try:
        with open(os.path.join(root, "recovery-point-offset-checkpoint"), encoding="ascii") as file:
            points = [int(line.split()[2]) for line in file if line.startswith(f"{topic} 0 ")]
    except FileNotFoundError:
        points = []
    return points[0] if points else -1


def _payload(number):
    from raw.batch import record
    return record(value=bytes([number]) * 50_000, key=b"%d" % number)


def _offset_at(log, position):
    """The base offset of the batch that covers a position."""
    with open(log, "rb") as file:
        at = 0
        while True:
            file.seek(at)
            base, size = struct.unpack(">qi", file.read(12))
            if at + 12 + size > position:
                return base
            at += 12 + size


def _fetch_outcome(address, topic, offset):
    """A fetch that asks for little: "good", "served damaged", "error CODE", or how the connection ended."""
    connection = Connection(address)
    try:
        code, partition_code, _, content = fetch_answer(
            connection.request(FETCH, 11, fetch_body(topic, offset, partition_bytes=60_000)))
        if code or partition_code:
            return f"error {code or partition_code}"
        at = 0
        while at + 61 <= len(content):
            (size,) = struct.unpack(">i", content[at + 8:at + 12])
            whole = content[at:at + 12 + size]
            if len(whole) < 12 + size:
                break
            if struct.unpack(">I", whole[17:21])[0] != crc32c(whole[21:]):
                return "served damaged"
            at += 12 + size
        return "good" if at else "no whole batch"
    except Closed:
        return "closed"
    except Silence:
        return "silence"
    finally:
        connection.close()


def after_all(broker, jvm):
    """Kafka's tool finds nothing wrong with the folders that were torn and mended."""
    topics = [topic for topic in jvm.tool("topics", broker.address, "--list").lines
              if topic.startswith("disk-torn") or topic == "disk-lost"]
    ends = [int(admin(broker, jvm, "offset", topic, 0, "latest")[0].split()[0]) for topic in topics]
    broker.stop()
    for topic, end in zip(topics, ends, strict=True):
        verify_partition(jvm, partition_folder(broker.data, topic, 0), end)

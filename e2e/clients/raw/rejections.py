"""Well-formed requests that must be refused: each case is (name, function of a connection that gives the outcome)."""

import gzip

from raw import lz4, requests
from raw.batch import batch, now, old_message, record
from raw.wire import PRODUCE, Closed, varint

BAD_NAMES = ["", ".", "..", "a/b", "a b", "x" * 250, "\u00fc", "a\0b", b"\xff\xfe"]
HOUR_MS = 3_600_000


def _write(name, content, topic="bad-input-target", **fields):
    def outcome(connection):
        answer = requests.produce(connection, topic, content, **fields)
        return "accepted" if answer.startswith("offset") else answer
    return name, outcome


def batches(_suite):
    """Record sets that are no good."""
    good = batch()
    yield _write("a checksum of 0", batch(crc=0))
    yield _write("a changed byte", good[:-1] + bytes([good[-1] ^ 1]))
    for magic in [0, 1]:
        yield _write(f"a message of format {magic}", old_message(magic))
    for magic in [-1, 0, 1, 3, 127]:
        yield _write(f"a batch of magic {magic}", batch(magic=magic))
    for length in [-1, 0, 13, 48, len(good) - 13, len(good) - 11, 0x7FFFFFFF, -2**31]:
        yield _write(f"a batch that says {length} bytes", batch(length=length))
    for size in [0, 1, 11, 12, 60]:
        yield _write(f"the first {size} bytes of a batch", good[:size])
    yield _write("no records", None)
    yield _write("a batch and a half", good + good[:40])
    yield _write("two batches", good + good)
    yield _write("a batch behind zeros", bytes(61) + good)
    yield _write("a batch with base offset -1", batch(base_offset=-1))
    yield _write("a batch that is too large for its topic", batch([record(b"x" * 2000)]), topic="bad-input-small")
    yield _write("a batch that is larger than its topic's segments", batch([record(b"x" * 1_100_000)]),
                 topic="bad-input-segments")


def counts(_suite):
    """Counts and offsets inside a batch that do not fit."""
    three = [record(offset_delta=delta) for delta in range(3)]
    for count in [-1, 0, 2, 4, 0x7FFFFFFF]:
        yield _write(f"three records that say they are {count}", batch(three, count=count))
    for last in [-1, 0, 1, 3, 0x7FFFFFFF]:
        yield _write(f"three records with the last offset delta {last}", batch(three, last_offset_delta=last))
    yield _write("no record, count 0", batch([], count=0, last_offset_delta=0))
    yield _write("no record, count 0, last offset delta -1", batch([], count=0))
    yield _write("offset deltas 0, 2, 1", batch([record(offset_delta=delta) for delta in [0, 2, 1]]))
    yield _write("offset deltas 0, 0, 0", batch([record()] * 3))
    yield _write("count 2, last offset delta 2", batch(three, count=2, last_offset_delta=1))
    yield _write("bytes behind the last record", batch(payload=record() + b"junk", count=1))


def inner(_suite):
    """Records that are wrong inside an uncompressed batch with a right checksum."""
    whole = record()
    for name, payload in [
        ("a record longer than its batch", varint(200) + whole[1:]),
        ("a record of negative length", varint(-5) + whole[1:]),
        ("a record of length 0", varint(0)),
        ("a key longer than its record", varint(12) + b"\0\0\0" + varint(900) + bytes(8)),
        ("a key of -2 bytes", varint(7) + b"\0\0\0" + varint(-2) + varint(1) + b"v" + varint(0)),
        ("a value longer than its record", varint(9) + b"\0\0\0" + varint(1) + b"k" + varint(900) + bytes(2)),
        ("1,000 headers that are not there", record(count_headers=1000)),
        ("-1 headers", record(count_headers=-1)),
        ("a header without a name", record(headers=[(None, b"x")])),
        ("a varint of six bytes", varint(12) + b"\0\0" + b"\xff\xff\xff\xff\xff\x01" + bytes(4)),
        ("a record with bytes behind its headers", varint(len(whole[1:]) + 3) + whole[1:] + b"abc"),
    ]:
        yield _write(name, batch(payload=payload, count=1, last_offset_delta=0))


def attributes(_suite):
    """What a client may not set."""
    yield _write("a control batch", batch(attributes=0x20))
    yield _write("a control batch of a transaction", batch(attributes=0x30, producer_id=1, producer_epoch=0, sequence=0))
    yield _write("a transactional batch without a transaction",
                 batch(attributes=0x10, producer_id=1, producer_epoch=0, sequence=0))
    yield _write("a transactional batch without a producer", batch(attributes=0x10))
    for codec in [5, 6, 7]:
        yield _write(f"codec {codec}", batch(attributes=codec))
    yield _write("zstd in Produce 6", batch(attributes=4), version=6)
    yield _write("a delete horizon", batch(attributes=0x40))
    for topic in ["bad-input-stamped", "bad-input-target"]:
        yield _write(f"the broker's kind of time, set by the client, to {topic}", batch(attributes=0x08), topic=topic)
    for sequence in [-1, -5]:
        yield _write(f"a producer with sequence {sequence}",
                     batch(producer_id=4_000_000, producer_epoch=0, sequence=sequence))
    yield _write("a producer with epoch -1", batch(producer_id=4_000_000, producer_epoch=-1, sequence=0))
    yield _write("a null key on a compacted topic", batch([record(key=None)]), topic="bad-input-compact")


def compressed(_suite):
    """Batches whose compressed part is damaged: refused on a compacted topic, where all is checked."""
    for name, codec in [("gzip", 1), ("snappy", 2), ("lz4", 3), ("zstd", 4)]:
        yield _write(f"garbage that says {name}", batch(attributes=codec, payload=b"garbage" * 5, count=1,
                                                        last_offset_delta=0), topic="bad-input-compact")
    for linked in [False, True]:
        yield _write(f"lz4 with {'linked' if linked else 'independent'} blocks",
                     batch(attributes=3, payload=lz4.frame(record(), linked), count=1, last_offset_delta=0),
                     topic="bad-input-packed")
    packed = gzip.compress(record())
    yield _write("gzip of one record that says it is two", batch(attributes=1, payload=packed, count=2,
                                                                 last_offset_delta=1), topic="bad-input-compact")
    yield _write("gzip of a record without a key", batch(attributes=1, payload=gzip.compress(record(key=None)), count=1,
                                                         last_offset_delta=0), topic="bad-input-compact")


def timestamps(_suite):
    """Times outside the window."""
    topic = "bad-input-window"
    yield _write("a time 2 hours ago where 1 is allowed", batch(first_timestamp=now() - 2 * HOUR_MS), topic=topic)
    yield _write("a time 2 hours ahead", batch(first_timestamp=now() + 2 * HOUR_MS), topic=topic)
    yield _write("a negative time", batch(first_timestamp=-5), topic=topic)


def produce_requests(_suite):
    """Produce requests that are wrong around the records."""
    for acks in [2, -2, 100]:
        yield _write(f"acks={acks}", batch(), acks=acks)
    yield _write("an unknown topic", batch(), topic="bad-input-absent")
    for partition in [1, 99, -1, 0x7FFFFFFF]:
        yield _write(f"partition {partition}", batch(), partition=partition)
    for name in BAD_NAMES:
        yield _write(f"Produce to the topic {shown(name)}", batch(), topic=name)

    def without_acks(connection):
        body = requests.produce_body("bad-input-absent", batch(), acks=0)
        return connection.request(PRODUCE, 7, body)
    yield "acks=0 to an unknown topic", lambda connection: _until_closed(connection, without_acks)


def _until_closed(connection, send):
    try:
        send(connection)
    except Closed:
        return "closed"
    return "answered"


def shown(name):
    """A name for a case's title."""
    return repr(name[:8])


def sequences(_suite):
    """Idempotent producers out of step."""
    def first(connection, sequence=0, epoch_offset=0):
        producer_id, epoch = requests.producer_id(connection)
        content = batch(producer_id=producer_id, producer_epoch=epoch + epoch_offset, sequence=sequence)
        return requests.produce(connection, "bad-input-writes", content)
    # A broker that knows nothing of a producer takes any first sequence: its records may have expired.
    yield "a first batch with sequence 7", lambda connection: first(connection, 7).split()[0]

    def gap(connection):
        producer_id, epoch = requests.producer_id(connection)
        fields = {"producer_id": producer_id, "producer_epoch": epoch}
        requests.produce(connection, "bad-input-writes", batch(sequence=0, **fields))
        return requests.produce(connection, "bad-input-writes", batch(sequence=5, **fields))
    yield "a gap in sequences", gap

    def duplicate(connection):
        producer_id, epoch = requests.producer_id(connection)
        content = batch(producer_id=producer_id, producer_epoch=epoch, sequence=0)
        answers = [requests.produce(connection, "bad-input-writes", content) for _ in range(2)]
        return "the same offset" if answers[0] == answers[1] and "offset" in answers[0] else str(answers)
    yield "a duplicate", duplicate

    def old_duplicate(connection):
        producer_id, epoch = requests.producer_id(connection)
        fields = {"producer_id": producer_id, "producer_epoch": epoch}
        for sequence in range(8):
            requests.produce(connection, "bad-input-writes", batch(sequence=sequence, **fields))
        return requests.produce(connection, "bad-input-writes", batch(sequence=0, **fields))
    yield "a duplicate that is eight batches old", old_duplicate

    def stale_epoch(connection):
        producer_id, epoch = requests.producer_id(connection)
        requests.produce(connection, "bad-input-writes", batch(producer_id=producer_id, producer_epoch=epoch + 1, sequence=0))
        return requests.produce(connection, "bad-input-writes", batch(producer_id=producer_id, producer_epoch=epoch, sequence=1))
    yield "a stale producer epoch", stale_epoch

    def new_epoch_gap(connection):
        producer_id, epoch = requests.producer_id(connection)
        requests.produce(connection, "bad-input-writes", batch(producer_id=producer_id, producer_epoch=epoch, sequence=0))
        return requests.produce(connection, "bad-input-writes", batch(producer_id=producer_id, producer_epoch=epoch + 1, sequence=3))
    yield "a new producer epoch that does not start at 0", new_epoch_gap


def fetch_requests(_suite):
    """Fetch from where there is nothing, with stale epochs and sessions."""
    for offset in [-5, -1, 6, 1000, 2**62]:
        yield f"Fetch at offset {offset}", lambda connection, at=offset: requests.fetch(connection, "bad-input", at)
    yield "Fetch at the end", lambda connection: requests.fetch(connection, "bad-input", 5)
    yield "Fetch from an unknown topic", lambda connection: requests.fetch(connection, "bad-input-absent", 0)
    for partition in [1, -1]:
        yield (f"Fetch from partition {partition}",
               lambda connection, number=partition: requests.fetch(connection, "bad-input", 0, partition=number))
    for epoch in [-2, 7, 2**31 - 1]:
        yield (f"Fetch with leader epoch {epoch}",
               lambda connection, epoch=epoch: requests.fetch(connection, "bad-input", 0, epoch=epoch))
    for session, epoch in [(12345, 1), (12345, 0), (0, 5), (-1, 3), (12345, -1)]:
        yield (f"Fetch in session {session} with epoch {epoch}", lambda connection, session=session, epoch=epoch:
               requests.fetch(connection, "bad-input", 0, session=session, session_epoch=epoch))
    for size in [0, -1, 1]:
        yield (f"Fetch of {size} bytes of a partition",
               lambda connection, size=size: requests.fetch(connection, "bad-input", 0, partition_bytes=size))
    yield "Fetch by an unknown topic id", lambda connection: requests.fetch_by_id(connection, bytes([9] * 16), 0)
    yield "Fetch by the topic id 0", lambda connection: requests.fetch_by_id(connection, bytes(16), 0)
    for name in BAD_NAMES:
        yield f"Fetch from the topic {shown(name)}", lambda connection, name=name: requests.fetch(connection, name, 0)


def offset_requests(_suite):
    """ListOffsets and OffsetForLeaderEpoch."""
    for timestamp in [-7, -99, -2**63]:
        yield (f"ListOffsets at {timestamp}",
               lambda connection, at=timestamp: requests.list_offsets(connection, "bad-input", at))
    yield "ListOffsets of the same partition twice", lambda connection: requests.list_offsets_twice(connection, "bad-input")
    yield "ListOffsets of an unknown topic", lambda connection: requests.list_offsets(connection, "bad-input-absent", -1)
    yield "ListOffsets of partition 7", lambda connection: requests.list_offsets(connection, "bad-input", -1, partition=7)
    yield "ListOffsets with leader epoch 9", lambda connection: requests.list_offsets(connection, "bad-input", -1, epoch=9)
    yield "ListOffsets with isolation 9", lambda connection: requests.list_offsets(connection, "bad-input", -1, isolation=9)
    yield "OffsetForLeaderEpoch of an unknown topic", lambda connection: requests.leader_epoch(connection, "bad-input-absent", 0)
    yield "OffsetForLeaderEpoch of partition 7", lambda connection: requests.leader_epoch(connection, "bad-input", 0, partition=7)
    for epoch in [-1, 0, 99]:
        yield f"OffsetForLeaderEpoch {epoch}", lambda connection, epoch=epoch: requests.leader_epoch(connection, "bad-input", epoch)
    yield "OffsetForLeaderEpoch with current epoch 9", lambda connection: requests.leader_epoch(connection, "bad-input", 0, current=9)


def metadata_requests(_suite):
    """Metadata for names that cannot be."""
    for name in BAD_NAMES:
        for create in [False, True]:
            yield (f"Metadata{' with creation' if create else ''} of {shown(name)}",
                   lambda connection, name=name, create=create: requests.metadata(connection, name, create=create))
    yield "Metadata of an unknown topic", lambda connection: requests.metadata(connection, "bad-input-absent")
    yield "Metadata of the same topic twice", lambda connection: requests.metadata(connection, "bad-input", "bad-input")


def topic_requests(_suite):
    """Topics that cannot be made, grown or deleted."""
    new = requests.new_topic
    for name in BAD_NAMES:
        yield f"CreateTopics {shown(name)}", lambda connection, name=name: requests.create_topics(connection, new(name))
    for title, topics in [
        ("0 partitions", [new("bad-new", partitions=0)]), ("-5 partitions", [new("bad-new", partitions=-5)]),
        ("0 replicas", [new("bad-new", replicas=0)]), ("5 replicas", [new("bad-new", replicas=5)]),
        ("a topic that is there", [new("bad-input")]), ("the same topic twice", [new("bad-new"), new("bad-new")]),
        ("names that collide", [new("bad.collides"), new("bad_collides")]),
        ("a name that collides with one that is there", [new("bad-input_target.one")]),
        ("an unknown config", [new("bad-new", configs=[("no.such.key", "1")])]),
        ("a wrong config", [new("bad-new", configs=[("retention.ms", "soon")])]),
        ("a null config", [new("bad-new", configs=[("retention.ms", None)])]),
        ("a config out of range", [new("bad-new", configs=[("segment.bytes", "1")])]),
        ("an assignment to no broker", [new("bad-new", -1, -1, [(0, [77])])]),
        ("an assignment and a count", [new("bad-new", 2, -1, [(0, [1])])]),
        ("an assignment with a gap", [new("bad-new", -1, -1, [(0, [1]), (2, [1])])]),
        ("an assignment of no replicas", [new("bad-new", -1, -1, [(0, [])])]),
        ("an assignment of one broker twice", [new("bad-new", -1, -1, [(0, [1, 1])])]),
    ]:
        yield f"CreateTopics with {title}", lambda connection, topics=topics: requests.create_topics(connection, *topics)
    yield "CreateTopics of nothing", lambda connection: requests.create_topics(connection)
    yield "DeleteTopics of an unknown topic", lambda connection: requests.delete_topics(connection, "bad-input-absent")
    yield "DeleteTopics of a bad name", lambda connection: requests.delete_topics(connection, "a/b")
    yield "DeleteTopics by an unknown id", lambda connection: requests.delete_topic_by_id(connection, bytes([9] * 16))
    for count in [-1, 0, 1]:
        yield (f"CreatePartitions to {count}",
               lambda connection, count=count: requests.create_partitions(connection, "bad-input", count))
    yield "CreatePartitions of an unknown topic", lambda connection: requests.create_partitions(connection, "bad-input-absent", 5)
    yield ("CreatePartitions with an assignment to no broker",
           lambda connection: requests.create_partitions(connection, "bad-input", 2, [[77]]))
    yield ("CreatePartitions with more assignments than partitions",
           lambda connection: requests.create_partitions(connection, "bad-input", 2, [[1], [1]]))


def config_requests(_suite):
    """Configs that are wrong."""
    alter = requests.alter_config
    for title, arguments in [
        ("an unknown key", ("bad-input", "no.such.key", "1")), ("a wrong value", ("bad-input", "retention.ms", "soon")),
        ("a value out of range", ("bad-input", "segment.bytes", "1")), ("a null value", ("bad-input", "retention.ms", None)),
        ("an empty key", ("bad-input", "", "1")), ("operation 9", ("bad-input", "retention.ms", "1", 9)),
        ("append to a number", ("bad-input", "retention.ms", "1", 2)), ("a bad list", ("bad-input", "cleanup.policy", "x", 2)),
        ("an unknown topic", ("bad-input-absent", "retention.ms", "1")), ("a bad name", ("a/b", "retention.ms", "1")),
        ("an unknown kind of resource", ("bad-input", "retention.ms", "1", 0, 99)),
        ("the same key twice", ("bad-input", "retention.ms", "100", 0, 2, 2)),
    ]:
        yield (f"IncrementalAlterConfigs with {title}",
               lambda connection, arguments=arguments: alter(connection, *arguments))
    for title, arguments in [("an unknown topic", ("bad-input-absent",)), ("a bad name", ("a/b",)),
                             ("an unknown kind of resource", ("x", 99))]:
        yield (f"DescribeConfigs of {title}",
               lambda connection, arguments=arguments: requests.describe_configs(connection, *arguments))
    yield "InitProducerId with an empty transactional id", lambda connection: requests.init_producer_id(connection, "")


GROUPS = [batches, counts, inner, attributes, compressed, timestamps, produce_requests, sequences, fetch_requests,
          offset_requests, metadata_requests, topic_requests, config_requests]

"""Records that every client writes and reads back, and the comparison of what came back."""

import random
from dataclasses import dataclass, field

from harness.report import Failure, check, equal, shorten

BASE_TIMESTAMP = 1_700_000_000_000


@dataclass(frozen=True)
class Record:
    """One record as a client sees it; None is null."""

    partition: int
    timestamp: int
    key: bytes | None
    value: bytes | None
    headers: tuple = field(default=())


@dataclass(frozen=True)
class Stored:
    """A record at its offset."""

    offset: int
    record: Record


def make(seed, count, partitions=3):
    """Records of every shape: null, empty and binary keys and values, repeated header names, rising times."""
    source = random.Random(seed)
    made = []
    for index in range(count):
        key = [None, b"", b"key-%d" % index, source.randbytes(source.randint(1, 40))][index % 4]
        value = [b"value %d " % index * source.randint(1, 30), source.randbytes(source.randint(1, 900)), b"", None][
            0 if index % 10 < 6 else index % 10 - 6]
        made.append(Record(index % partitions, BASE_TIMESTAMP + index * 1000, key, value, _headers(source, index)))
    return made


def _headers(source, index):
    return [
        (),
        (("trace", b"%d" % index),),
        (("same", b"one"), ("same", b"two"), ("same", None)),
        (("empty", b""), ("\u00fcnicode \u2713", source.randbytes(20))),
    ][index % 4]


def to_lines(records):
    """The text that java/Lines.java parses."""
    return "".join(f"{r.partition}\t{r.timestamp}\t{_hex(r.key)}\t{_hex(r.value)}\t{_headers_text(r)}\n"
                   for r in records).encode()


def from_lines(lines):
    """The stored records that java/Exchange.java printed."""
    stored = []
    for line in lines:
        offset, partition, timestamp, key, value, headers = line.split("\t")
        pairs = (pair.split("=") for pair in headers.split(",") if pair)
        headers = tuple((_bytes(name).decode(), _bytes(content)) for name, content in pairs)
        stored.append(Stored(int(offset), Record(int(partition), int(timestamp), _bytes(key), _bytes(value), headers)))
    return stored


def _hex(data):
    return "~" if data is None else data.hex()


def _bytes(text):
    return None if text == "~" else bytes.fromhex(text)


def _headers_text(record):
    return ",".join(f"{name.encode().hex()}={_hex(content)}" for name, content in record.headers)


def by_partition(items, of=lambda item: item.partition):
    """Items in their order, for each partition."""
    parted = {}
    for item in items:
        parted.setdefault(of(item), []).append(item)
    return parted


def verify(sent, stored, first_offset=0):
    """Demands every sent record exactly once, in order, at dense offsets, each field intact."""
    want = by_partition(sent)
    have = by_partition(stored, lambda item: item.record.partition)
    equal(sorted(have), sorted(want), "partitions with records")
    for partition, expected in want.items():
        got = have[partition]
        equal(len(got), len(expected), f"records in partition {partition}")
        equal([item.offset for item in got], list(range(first_offset, first_offset + len(got))),
              f"offsets of partition {partition}")
        for item, record in zip(got, expected, strict=True):
            if item.record != record:
                raise Failure(f"partition {partition} offset {item.offset}: "
                              f"got {shorten(item.record)}, expected {shorten(record)}")


def verify_acknowledged(acknowledged, stored):
    """Demands that each acknowledged (partition, offset), in the order sent, is where the record was read."""
    places = [(item.record.partition, item.offset) for item in stored]
    check(sorted(acknowledged) == sorted(places), "acknowledged places differ from those read: "
          f"{shorten(sorted(set(acknowledged) ^ set(places))[:10])}")
    for partition, offsets in by_partition(acknowledged, lambda place: place[0]).items():
        check(offsets == sorted(offsets), f"acknowledged offsets of partition {partition} are out of order")

"""Every client writes with each codec, and every client reads it: whole, and from a time on."""

import contextlib

from harness import records
from harness.programs import CLIENTS, Programs
from harness.report import Failure, equal
from harness.topics import create

CODECS = ["none", "gzip", "snappy", "lz4", "zstd"]
PARTITIONS = 3
COUNT = 240


def run(report, broker, jvm):
    """Writes with each client and reads with all."""
    with Programs() as programs:
        suite = Matrix(broker, jvm, programs)
        for codec in CODECS:
            for writer in CLIENTS:
                report.scenario(f"matrix: {writer} writes {codec}, all read it", suite.round_trip, writer, codec)
        report.scenario("matrix: all write in turns into one topic, all read it", suite.turns)
        for reader in CLIENTS:
            report.scenario(f"matrix: {reader} reads from a time on", suite.from_time, reader)


class Matrix:
    """The scenarios; each has a topic of its own."""

    def __init__(self, broker, jvm, programs):
        self.broker = broker
        self.jvm = jvm
        self.programs = programs

    def create(self, topic):
        """Makes a topic that can be used at once."""
        create(self.broker, self.jvm, topic, PARTITIONS)

    def write(self, writer, topic, codec, sent):
        """Writes, and returns where each record was stored."""
        return self.programs.of(writer).write(self.broker.address, topic, codec, sent)

    def read(self, reader, topic, since=None):
        """Reads a topic."""
        return self.programs.of(reader).read(self.broker.address, topic, since)

    def round_trip(self, writer, codec):
        topic = f"matrix-{writer}-{codec}"
        self.create(topic)
        sent = made(writer, topic, COUNT)
        acknowledged = self.write(writer, topic, codec, sent)
        for reader in CLIENTS:
            with told_by(reader):
                stored = self.read(reader, topic)
                records.verify(sent, stored)
                records.verify_acknowledged(acknowledged, stored)

    def turns(self):
        topic = "matrix-turns"
        self.create(topic)
        sent = []
        for turn, codec in enumerate(CODECS * 2):
            writer = CLIENTS[(turn + turn // len(CODECS)) % len(CLIENTS)]
            part = made(writer, f"turn {turn}", 60)
            self.write(writer, topic, codec, part)
            sent += part
        for reader in CLIENTS:
            with told_by(reader):
                records.verify(sent, self.read(reader, topic))

    def from_time(self, reader):
        topic = f"matrix-time-{reader}"
        self.create(topic)
        sent = made("java", topic, 300)
        for writer, codec, start in [("librdkafka", "gzip", 0), ("java", "none", 100), ("franz-go", "zstd", 200)]:
            self.write(writer, topic, codec, sent[start:start + 100])
        # Exactly a record's time, just before it, inside the first and the last batch, and after everything.
        for since in [sent[0].timestamp, sent[57].timestamp, sent[57].timestamp - 1, sent[150].timestamp - 400,
                      sent[299].timestamp, sent[299].timestamp + 1]:
            wanted = [record for record in sent if record.timestamp >= since]
            stored = self.read(reader, topic, since)
            equal(sorted((item.record.partition, item.record.timestamp) for item in stored),
                  sorted((record.partition, record.timestamp) for record in wanted), f"records since {since}")


@contextlib.contextmanager
def told_by(reader):
    """Names the client whose reading failed."""
    try:
        yield
    except Failure as failure:
        raise Failure(f"{reader} reads: {failure}") from None


def made(writer, seed, count):
    """Records of every shape that the writer has: kafkajs cannot write a null in a header."""
    sent = records.make(seed, count, PARTITIONS)
    if writer != "kafkajs":
        return sent
    return [records.Record(record.partition, record.timestamp, record.key, record.value,
                           tuple((name, value or b"") for name, value in record.headers)) for record in sent]

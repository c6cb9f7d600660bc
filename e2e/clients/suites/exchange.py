"""The Java client and librdkafka beyond what matrix.py asks of all: acks, idempotence, offsets, large records."""

from harness import librdkafka, records
from harness.report import check, equal, until
from harness.topics import create

CODECS = ["none", "gzip", "snappy", "lz4", "zstd"]
PARTITIONS = 3
READERS = ["java", "librdkafka"]


def run(report, broker, jvm):
    """Writes with both clients, then reads all with both."""
    suite = Exchange(broker, jvm)
    report.scenario("exchange: java and librdkafka take turns in one topic of mixed codecs", suite.mixed)
    for acks in ["0", "1", "all"]:
        for writer in READERS:
            report.scenario(f"exchange: {writer} writes with acks={acks}", suite.acks, writer, acks)
    for writer in READERS:
        report.scenario(f"exchange: {writer} writes idempotently, 5 requests in flight", suite.idempotent, writer)
        report.scenario(f"exchange: {writer} makes a topic by writing to it", suite.automatic, writer)
        report.scenario(f"exchange: {writer} reads from a time on", suite.from_time, writer)
    report.scenario("exchange: java finds offsets by time", suite.java_times)
    report.scenario("exchange: librdkafka finds offsets by time", suite.librdkafka_times)
    report.scenario("exchange: librdkafka lists all topics", suite.librdkafka_list)
    report.scenario("exchange: java at an offset out of range follows its reset policy", suite.java_reset)
    report.scenario("exchange: librdkafka at an offset out of range follows its reset policy", suite.librdkafka_reset)
    report.scenario("exchange: java starts in the middle of a compressed batch", suite.middle, "java")
    report.scenario("exchange: librdkafka starts in the middle of a compressed batch", suite.middle, "librdkafka")
    report.scenario("exchange: java validates a position by its leader epoch", suite.epoch)
    report.scenario("exchange: records of 900 KB, one of them alone larger than what a fetch asks for", suite.large)
    report.scenario("exchange: read_committed sees what plain producers wrote", suite.committed)


class Exchange:
    """The scenarios; each uses topics of its own."""

    def __init__(self, broker, jvm):
        self.broker = broker
        self.address = broker.address
        self.jvm = jvm

    def create(self, topic, partitions=PARTITIONS, **configs):
        """Makes a topic that can be used at once."""
        create(self.broker, self.jvm, topic, partitions, **configs)

    def write(self, writer, topic, sent, **settings):
        """Writes with one of the clients and returns the acknowledged places."""
        settings = {name.replace("_", "."): value for name, value in settings.items()}
        if writer == "librdkafka":
            return librdkafka.write(self.address, topic, sent, **settings)
        pairs = [f"{name}={value}" for name, value in settings.items()]
        lines = self.jvm.run("Exchange", "write", self.address, topic, *pairs, stdin=records.to_lines(sent)).lines
        return [tuple(map(int, line.split("\t"))) for line in lines]

    def read(self, reader, topic, start_time=None, **settings):
        """Reads a whole topic, or what follows a time, with one of the clients."""
        settings = {name.replace("_", "."): value for name, value in settings.items()}
        if reader == "librdkafka":
            return librdkafka.read(self.address, topic, start_time, **settings)
        start = "beginning" if start_time is None else f"time:{start_time}"
        pairs = [f"{name}={value}" for name, value in settings.items()]
        return records.from_lines(self.jvm.run("Exchange", "read", self.address, topic, start, *pairs).lines)

    def mixed(self):
        self.create("exchange-mixed")
        sent = []
        for turn, codec in enumerate(CODECS):
            part = records.make(f"mixed {turn}", 90, PARTITIONS)
            self.write(READERS[turn % 2], "exchange-mixed", part, **{"compression.type": codec, "linger.ms": 5})
            sent += part
        for reader in READERS:
            records.verify(sent, self.read(reader, "exchange-mixed"))

    def acks(self, writer, acks):
        topic = f"exchange-acks-{acks}-{writer}"
        self.create(topic)
        sent = records.make(topic, 200, PARTITIONS)
        self.write(writer, topic, sent, **{"acks": acks, "enable.idempotence": "false", "linger.ms": 5})
        # Without acknowledgements the client is done before the broker is.
        until(lambda: len(self.read("java", topic)) == len(sent), "all records of acks=0 stored")
        records.verify(sent, self.read("librdkafka", topic))

    def idempotent(self, writer):
        topic = f"exchange-idempotent-{writer}"
        self.create(topic)
        sent = records.make(topic, 3000, PARTITIONS)
        settings = {"acks": "all", "enable.idempotence": "true", "max.in.flight.requests.per.connection": 5}
        settings |= {"batch.size": 2000, "linger.ms": 1}
        acknowledged = self.write(writer, topic, sent, **settings)
        stored = self.read("java", topic)
        records.verify(sent, stored)
        records.verify_acknowledged(acknowledged, stored)

    def automatic(self, writer):
        topic = f"exchange-automatic-{writer}"
        sent = records.make(topic, 50, 1)
        self.write(writer, topic, sent)
        records.verify(sent, self.read("java", topic))

    def from_time(self, reader):
        topic = f"exchange-from-time-{reader}"
        self.create(topic)
        sent = records.make(topic, 900, PARTITIONS)
        self.write("java", topic, sent, **{"compression.type": "zstd", "linger.ms": 20})
        since = sent[700].timestamp - 500
        stored = self.read(reader, topic, start_time=since)
        wanted = [record for record in sent if record.timestamp >= since]
        parted = records.by_partition(wanted)
        have = records.by_partition(stored, lambda item: item.record.partition)
        for partition in range(PARTITIONS):
            equal([item.record for item in have[partition]], parted[partition], f"partition {partition} since {since}")
        equal(self.read(reader, topic, start_time=sent[-1].timestamp + 1), [], "records after the last")

    def _timed_topic(self, topic):
        self.create(topic, 1)
        sent = records.make(topic, 300, 1)
        self.write("librdkafka", topic, sent, **{"compression.type": "lz4", "linger.ms": 20})
        return sent

    def java_times(self):
        sent = self._timed_topic("exchange-times-java")
        asked = [0, sent[0].timestamp, sent[7].timestamp - 1, sent[150].timestamp, sent[299].timestamp,
                 sent[299].timestamp + 1]
        lines = self.jvm.run("Exchange", "times", self.address, "exchange-times-java", 0, *asked).lines
        places = [0, 0, 7, 150, 299]
        equal(lines, [f"{at} {sent[at].timestamp}" for at in places] + ["none"], "offsets for times")

    def librdkafka_times(self):
        from confluent_kafka import OFFSET_END, TopicPartition
        sent = self._timed_topic("exchange-times-librdkafka")
        client = librdkafka.consumer(self.address)
        try:
            for time, offset in [(0, 0), (sent[7].timestamp - 1, 7), (sent[299].timestamp, 299),
                                 (sent[299].timestamp + 1, OFFSET_END)]:
                asked = [TopicPartition("exchange-times-librdkafka", 0, time)]
                equal(client.offsets_for_times(asked, timeout=30)[0].offset, offset, f"offset for {time}")
        finally:
            client.close()

    def librdkafka_list(self):
        """librdkafka asks for all topics in a request with bytes behind its end, which Kafka overlooks."""
        self.create("exchange-listed", 2)
        client = librdkafka.consumer(self.address)
        try:
            topics = client.list_topics(timeout=30).topics
        finally:
            client.close()
        equal(len(topics["exchange-listed"].partitions), 2, "partitions of a listed topic")

    def java_reset(self):
        self.create("exchange-reset-java", 1)
        self.write("java", "exchange-reset-java", records.make("reset", 40, 1))
        for policy, answer in [("earliest", "position 40"), ("latest", "position 40"), ("none", "out-of-range 1000")]:
            result = self.jvm.run("Exchange", "position", self.address, "exchange-reset-java", 0, 1000, "none",
                                  f"auto.offset.reset={policy}")
            equal(result.out.strip(), answer, f"auto.offset.reset={policy} beyond the end")
        result = self.jvm.run("Exchange", "position", self.address, "exchange-reset-java", 0, 1000, "none",
                              "auto.offset.reset=earliest", "max.poll.records=1")
        equal(result.out.strip(), "position 1", "auto.offset.reset=earliest after one record")

    def librdkafka_reset(self):
        from confluent_kafka import KafkaError, TopicPartition
        self.create("exchange-reset-librdkafka", 1)
        self.write("java", "exchange-reset-librdkafka", records.make("reset", 40, 1))
        for policy in ["earliest", "error"]:
            client = librdkafka.consumer(self.address, auto_offset_reset=policy)
            try:
                client.assign([TopicPartition("exchange-reset-librdkafka", 0, 1000)])
                message = client.poll(30)
                check(message is not None, f"nothing came with auto.offset.reset={policy}")
                if policy == "earliest":
                    equal(message.offset(), 0, "first record after the reset")
                else:
                    equal(message.error().code(), KafkaError._AUTO_OFFSET_RESET, "error without a policy")
            finally:
                client.close()

    def middle(self, reader):
        from confluent_kafka import TopicPartition
        topic = f"exchange-middle-{reader}"
        self.create(topic, 1)
        sent = records.make(topic, 100, 1)
        self.write("librdkafka", topic, sent, **{"compression.type": "gzip", "linger.ms": 100})
        if reader == "java":
            result = self.jvm.run("Exchange", "position", self.address, topic, 0, 57, "none", "max.poll.records=1")
            equal(result.out.strip(), "position 58", "position after one record")
            return
        client = librdkafka.consumer(self.address)
        try:
            client.assign([TopicPartition(topic, 0, 57)])
            message = client.poll(30)
            equal((message.offset(), message.value()), (57, sent[57].value), "first record")
        finally:
            client.close()

    def epoch(self):
        self.create("exchange-epoch", 1)
        self.write("java", "exchange-epoch", records.make("epoch", 30, 1))
        result = self.jvm.run("Exchange", "position", self.address, "exchange-epoch", 0, 20, 0, "max.poll.records=1")
        equal(result.out.strip(), "position 21", "position after one record")

    def large(self):
        self.create("exchange-large", 1)
        sent = [records.Record(0, records.BASE_TIMESTAMP + size, b"large", bytes([size % 251]) * size)
                for size in [900_000, 10, 900_001, 400_000, 20]]
        self.write("java", "exchange-large", sent, **{"max.request.size": 1048576})
        records.verify(sent, self.read("java", "exchange-large", **{"max.partition.fetch.bytes": 1000}))
        records.verify(sent, self.read("librdkafka", "exchange-large",
                                       **{"fetch.message.max.bytes": 1000, "fetch.max.bytes": 1_100_000,
                                          "message.max.bytes": 1_000_000}))

    def committed(self):
        self.create("exchange-committed")
        sent = records.make("committed", 120, PARTITIONS)
        self.write("java", "exchange-committed", sent)
        for reader in READERS:
            for level in ["read_committed", "read_uncommitted"]:
                records.verify(sent, self.read(reader, "exchange-committed", **{"isolation.level": level}))

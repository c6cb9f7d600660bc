"""Producers that go on while the broker is killed, a reader beside them, and the verdict on what was stored."""

import subprocess
import threading
import time

from confluent_kafka import Consumer, Producer, TopicPartition

from harness.jvm import classpath
from harness.report import check, equal, shorten, until

PARTITIONS = 3
RECORDS_PER_SECOND = 1500
# Longer than any stay of the broker: a producer that gives up would hide what this looks for.
DELIVERY_TIMEOUT_MS = 300_000

JAVA_LOADS = {
    "java-idempotent": "enable.idempotence=true,acks=all,linger.ms=3,compression.type=lz4",
    "java-plain": "enable.idempotence=false,acks=all,linger.ms=3,max.in.flight.requests.per.connection=1",
}
LIBRDKAFKA_LOADS = {
    "librdkafka-idempotent": {"enable.idempotence": True, "linger.ms": 3},
    "librdkafka-plain": {"enable.idempotence": False, "acks": "all", "linger.ms": 3, "compression.type": "zstd"},
}


class Acknowledged:
    """What producers were told: (name, number) to (partition, offset), and how many each has sent."""

    def __init__(self):
        self.places = {}
        self.sent = {}
        self.failed = []

    def read_java(self, text):
        """Takes over the lines of java/Load.java."""
        for line in text.splitlines():
            kind, name, number, *rest = line.split(" ", 4)
            if kind == "ack":
                self.places[name, int(number)] = (int(rest[0]), int(rest[1]))
            elif kind == "sent":
                self.sent[name] = int(number)
            else:
                self.failed.append(line)


class Loads:
    """All four producers."""

    def __init__(self, address, topic):
        self.address = address
        self.topic = topic
        self.acknowledged = Acknowledged()
        self.stopping = threading.Event()
        timeouts = f"delivery.timeout.ms={DELIVERY_TIMEOUT_MS},request.timeout.ms=5000,reconnect.backoff.max.ms=200"
        producers = [f"{name}:{settings},{timeouts}" for name, settings in JAVA_LOADS.items()]
        command = ["setpriv", "--pdeathsig", "KILL", "java", "-Xmx256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1",
                   "-cp", classpath("off"), "Load", address, topic, str(PARTITIONS), str(RECORDS_PER_SECOND)]
        self.java = subprocess.Popen(command + producers, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.java_output = []
        self.java_reader = threading.Thread(target=lambda: self.java_output.append(self.java.stdout.read()), daemon=True)
        self.java_reader.start()
        self.threads = [threading.Thread(target=self._librdkafka, args=item, daemon=True)
                        for item in LIBRDKAFKA_LOADS.items()]
        for thread in self.threads:
            thread.start()

    def _librdkafka(self, name, settings):
        producer = Producer({"bootstrap.servers": self.address, "delivery.timeout.ms": DELIVERY_TIMEOUT_MS,
                             "request.timeout.ms": 5000, "reconnect.backoff.max.ms": 200, "log_level": 0, **settings})
        number = 0

        def delivered(sent, error, message):
            if error:
                self.acknowledged.failed.append(f"{name} {sent} {error}")
            else:
                self.acknowledged.places[name, sent] = (message.partition(), message.offset())

        while not self.stopping.is_set():
            for _ in range(RECORDS_PER_SECOND // 100):
                producer.produce(self.topic, partition=number % PARTITIONS, key=name,
                                 value=f"{number} " + "y" * (number % 200),
                                 on_delivery=lambda error, message, sent=number: delivered(sent, error, message))
                number += 1
            producer.poll(0)
            time.sleep(0.01)
        producer.flush(DELIVERY_TIMEOUT_MS / 1000)
        self.acknowledged.sent[name] = number

    def count(self):
        """How many records librdkafka's producers know to be stored: a sign that the broker works."""
        return len(self.acknowledged.places)

    def stop(self):
        """Lets all producers finish and returns what they were told."""
        self.stopping.set()
        self.java.stdin.close()
        for thread in [*self.threads, self.java_reader]:
            thread.join(DELIVERY_TIMEOUT_MS / 1000)
        equal(self.java.wait(60), 0, "exit code of the Java producers")
        self.acknowledged.read_java(self.java_output[0])
        return self.acknowledged


class Witness:
    """Reads all the while and remembers what it saw at each offset: what was served once must stay."""

    def __init__(self, address, topic):
        self.seen = {}
        self.errors = []
        self.stopping = threading.Event()
        self.consumer = Consumer({"bootstrap.servers": address, "group.id": "unused", "enable.auto.commit": False,
                                  "auto.offset.reset": "error", "reconnect.backoff.max.ms": 200, "log_level": 0,
                                  "check.crcs": True, "fetch.wait.max.ms": 50})
        self.consumer.assign([TopicPartition(topic, partition, 0) for partition in range(PARTITIONS)])
        self.thread = threading.Thread(target=self._work, daemon=True)
        self.thread.start()

    def _work(self):
        while not self.stopping.is_set():
            for message in self.consumer.consume(500, timeout=0.1):
                if message.error():
                    if not message.error().retriable() and "transport" not in str(message.error()).lower():
                        self.errors.append(str(message.error()))
                    continue
                place = (message.partition(), message.offset())
                content = (message.key().decode(), int(message.value().split(b" ")[0]))
                if self.seen.setdefault(place, content) != content:
                    self.errors.append(f"{place} held {self.seen[place]} and then {content}")
        self.consumer.close()

    def stop(self):
        """Ends reading and returns what was seen."""
        self.stopping.set()
        self.thread.join(30)
        equal(self.errors[:5], [], "errors of the reader")
        return self.seen


def verify(acknowledged, stored, seen):
    """The verdict: nothing acknowledged lost or elsewhere, idempotent exactly once and in order, offsets dense.

    `stored` maps partition to the list of (offset, name, number) in the order read."""
    equal(acknowledged.failed[:5], [], "sends that failed")
    at = {(partition, offset): (name, number) for partition, items in stored.items() for offset, name, number in items}
    for partition, items in stored.items():
        equal([offset for offset, _, _ in items], list(range(len(items))), f"offsets of partition {partition}")
    lost = [(who, place) for who, place in acknowledged.places.items() if at.get(place) != who]
    check(not lost, f"{len(lost)} acknowledged records are not where their acknowledgement says: {shorten(lost[:5])}")
    changed = [(place, who) for place, who in seen.items() if at.get(place) != who]
    check(not changed, f"{len(changed)} records were served and are not there now: {shorten(changed[:5])}")
    for name, sent in acknowledged.sent.items():
        for partition in range(PARTITIONS):
            numbers = [number for _, who, number in stored.get(partition, []) if who == name]
            expected = list(range(partition, sent, PARTITIONS))
            if "idempotent" in name:
                equal(numbers, expected, f"{name} in partition {partition}")
            else:
                equal(sorted(set(numbers)), expected, f"{name} in partition {partition}, at least once")
    total = sum(acknowledged.sent.values())
    check(len(acknowledged.places) == total, f"{len(acknowledged.places)} of {total} sends were acknowledged")
    return total


def wait_for_progress(loads, seconds=60):
    """Waits until something new is acknowledged."""
    before = loads.count()
    until(lambda: loads.count() > before + 100, "a producer goes on", seconds)

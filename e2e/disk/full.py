"""A disk that fills up under load: appends are refused in time, all else goes on, and nobody has to start anything."""

import os

from confluent_kafka import OFFSET_END, TopicPartition
from confluent_kafka.admin import AdminClient

from harness import brokers, librdkafka
from harness.report import check, equal, until
from harness.topics import admin, create, served
from kills import read
from loads import PARTITIONS, Loads, Witness, verify, wait_for_progress
from mounts import Tmpfs
from raw.batch import batch, record
from raw.requests import list_offsets, produce
from raw.wire import Closed, Connection

SIZE = 300 << 20
# The broker's default.
FLOOR = 128 << 20
BALLAST_BYTES = 500_000
LOAD = "full-load"
REFUSED = "error 56"
SETTINGS = {"log.retention.check.interval.ms": 300}
# Small segments that go at once.
TOPIC = {"segment_bytes": 4 << 20, "file_delete_delay_ms": 100}


class Full:
    """One broker on one small disk, and the clients that are not told what happens to it."""

    def __init__(self, against, directory, jvm):
        self.jvm = jvm
        self.tmpfs = Tmpfs(os.path.join(directory, "small"), SIZE)
        self.broker = brokers.make(against, os.path.join(directory, "full"), SETTINGS)
        self.broker.data = os.path.join(self.tmpfs.path, "data")
        self.broker.start()
        create(self.broker, jvm, LOAD, PARTITIONS, segment_bytes=1 << 20)
        self.loads = Loads(self.broker.address, LOAD)
        self.witness = Witness(self.broker.address, LOAD)
        self.ballast = batch([record(value=os.urandom(BALLAST_BYTES))])

    def by_deleting_a_topic(self):
        """The client deletes a topic."""
        self._fill_up("full-dropped", lambda topic: admin(self.broker, self.jvm, "delete", topic))

    def by_retention(self):
        """A topic's retention is made shorter."""
        self._fill_up("full-retained", lambda topic: admin(self.broker, self.jvm, "alter", topic, "SET",
                                                           "retention.bytes", 1 << 20))

    def by_deleting_records(self):
        """The client deletes records."""
        def delete(topic):
            client = AdminClient({"bootstrap.servers": self.broker.address, "log_level": 0})
            futures = client.delete_records([TopicPartition(topic, 0, OFFSET_END)])
            return [future.result(30) for future in futures.values()]
        self._fill_up("full-cut", delete)

    def by_somebody_else(self):
        """Others write until no byte is left: also then names are made and removed, and all is read."""
        create(self.broker, self.jvm, "full-before", 1)
        self.tmpfs.fill()
        self._refused()
        self._others_go_on("full-at-zero")
        equal(admin(self.broker, self.jvm, "delete", "full-before"), ["done"], "DeleteTopics without a free byte")
        self.tmpfs.relieve()
        wait_for_progress(self.loads)

    def killed_at_zero(self):
        """A broker that is killed when no byte is left starts, serves what there is, and goes on when there is room."""
        self.tmpfs.fill()
        self._refused()
        self.broker.kill()
        self.broker.start()
        served(self.broker, self.jvm, LOAD, PARTITIONS)
        self._refused()
        self.tmpfs.relieve()
        wait_for_progress(self.loads)

    def verdict(self):
        """What was acknowledged is there, once."""
        acknowledged = self.loads.stop()
        stored = read(self.broker.address, LOAD)
        until(lambda: len(self.witness.seen) >= sum(map(len, stored.values())), "the reader reaches the end", 60)
        total = verify(acknowledged, stored, self.witness.stop())
        text = self._log()
        for line in ["appends are refused until", "appends are taken again"]:
            print(f"       {text.count(line)} times: {line}")
        print(f"       {total} records", flush=True)
        check("offline" not in text, "a full disk took the directory offline")
        equal(self.broker.stop(), 0, "exit code of a stop")

    def close(self):
        """Ends what is left."""
        if self.broker.process.poll() is None:
            self.broker.kill()
        self.tmpfs.close()

    def _fill_up(self, topic, make_room):
        create(self.broker, self.jvm, topic, 1, **TOPIC)
        told = self._log().count("appends are refused until")
        taken = self._fill(topic)
        check(self.tmpfs.free() > 0, "nothing was left when the broker refused")
        self._refused()
        until(lambda: self._log().count("appends are refused until") == told + 1, "one line tells of it")
        self._others_go_on(f"{topic}-meanwhile")
        equal(len(librdkafka.read(self.broker.address, topic, check_crcs=True)), taken, "records read on a full disk")
        try:
            make_room(topic)
            wait_for_progress(self.loads)
        finally:
            # What comes next has its room, whatever came of this.
            admin(self.broker, self.jvm, "delete", topic)

    def _fill(self, topic):
        """Appends until the broker refuses; how many records it took."""
        connection = Connection(self.broker.address, 30)
        try:
            for taken in range(SIZE // BALLAST_BYTES):
                answer = produce(connection, topic, self.ballast)
                if not answer.startswith("offset"):
                    equal(answer, REFUSED, "what a producer is told")
                    return taken
        finally:
            connection.close()
        return check(False, "more was taken than there is room for")

    def _refused(self):
        """An append is refused, in a topic that needs a new page for it."""
        def is_refused():
            connection = Connection(self.broker.address, 30)
            try:
                return produce(connection, LOAD, batch([record(value=b"0 " + bytes(0), key=b"probe")])) == REFUSED
            except Closed:
                return False
            finally:
                connection.close()
        until(is_refused, "an append is refused")

    def _others_go_on(self, name):
        """Decisions are made, and positions are looked up."""
        equal(admin(self.broker, self.jvm, "create", name, 1), ["partitions 1"], "CreateTopics on a full disk")
        connection = Connection(self.broker.address)
        try:
            check(list_offsets(connection, LOAD, -1).startswith("offset"), "ListOffsets on a full disk")
        finally:
            connection.close()

    def _log(self):
        return self.broker.log_tail(1 << 20)


def run(report, against, directory, jvm):
    """All scenarios, on one disk and under one load."""
    full = Full(against, directory, jvm)
    try:
        for name, action in [
            ("disk: full: appends are refused in time, and deleting a topic makes room", full.by_deleting_a_topic),
            ("disk: full: shorter retention makes room", full.by_retention),
            ("disk: full: deleting records makes room", full.by_deleting_records),
            ("disk: full: somebody else takes the last byte", full.by_somebody_else),
            ("disk: full: kill -9 without a free byte", full.killed_at_zero),
            ("disk: full: producers outlive it all without loss or repetition", full.verdict),
        ]:
            report.scenario(name, action)
    finally:
        full.close()

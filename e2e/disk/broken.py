"""Disks that refuse calls: the directory goes offline at once, the broker says so, and a start when the disk works again
has all that was acknowledged."""

import os
import re
import subprocess
import threading

from harness import brokers, librdkafka, records
from harness.report import check, equal, until
from harness.topics import create, served
from kills import read
from loads import PARTITIONS, Loads, Witness, verify, wait_for_progress
from mounts import FaultyDisk
from raw.batch import batch, record
from raw.requests import fetch, produce
from raw.wire import Closed, Connection, Silence

# Each: what fails, with which error, on which paths; `{topic}` is the topic of the load.
WRITES = ("write", "EIO", "{topic}-1/")
ALL_WRITES = ("write", "EIO", "")
SYNCS = ("sync", "EIO", "")
SYNCS_OF_BATCHES = ("sync", "EIO", ".log")
METADATA = ("write", "EIO", "__cluster_metadata-0/")
READ_ONLY = ("write,sync,change", "EROFS", "")
# Every record counts only once it is synced.
FLUSHED = {"flush_messages": 1}
# What a broker may take to end in order when its only directory is gone.
ENDS_WITHIN_SECONDS = 5


class Broken:
    """Brokers on one disk that breaks, one broker a scenario."""

    def __init__(self, against, directory, jvm):
        self.against = against
        self.directory = directory
        self.jvm = jvm
        self.disk = FaultyDisk(os.path.join(directory, "breaking"))
        self.broker = None
        self.topic = None

    def start(self, name, settings=None):
        """A broker with a folder of its own."""
        # What failed before leaves nothing behind.
        if self.broker and self.broker.process.poll() is None:
            self.broker.kill()
        self.disk.heal()
        self.broker = brokers.make(self.against, os.path.join(self.directory, name), settings)
        self.broker.data = os.path.join(self.disk.path, name)
        return self.broker.start()

    def under_load(self, name, fault, configs=None, meanwhile=None, restarted=None):
        """A fault under load; `meanwhile` runs when the broker has ended and before the disk works again, `restarted`
        when the broker was started again."""
        topic = self.topic = f"broken-{name}"
        broker = self.start(name)
        create(broker, self.jvm, topic, PARTITIONS, segment_bytes=1 << 20, **(configs or {}))
        loads, witness = Loads(broker.address, topic), Witness(broker.address, topic)
        wait_for_progress(loads)
        operations, errno, text = fault
        self.disk.fail(operations, errno, text.format(topic=topic))
        if fault is METADATA:
            self._decide(topic)
        self._offline()
        check(self.disk.hits() > 0, "nothing failed")
        if meanwhile:
            meanwhile()
        self.disk.heal()
        broker.start()
        wait_for_progress(loads)
        if restarted:
            restarted()
            wait_for_progress(loads)
        acknowledged = loads.stop()
        stored = read(broker.address, topic)
        until(lambda: len(witness.seen) >= sum(map(len, stored.values())), "the reader reaches the end", 60)
        total = verify(acknowledged, stored, witness.stop())
        print(f"       {total} records", flush=True)
        equal(broker.stop(), 0, "exit code of a stop")

    def lose_power(self):
        """What the device was not told to keep is gone."""
        print(f"       {self.disk.lose_power()} unsynced pages lost", flush=True)

    def kill_and_lose_power(self):
        """The machine stops after the restart."""
        self.broker.kill()
        self.lose_power()
        self.broker.start()

    def refused_start(self):
        """On a disk that is still read-only a start is refused, and says why."""
        process = self.broker.spawn()
        try:
            code = process.wait(60)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            check(False, "a broker runs on a read-only disk")
        check(code != 0, "a start on a read-only disk ended with code 0")
        check("Read-only file system" in self.broker.log_tail(), f"it does not say why: {self.broker.log_tail()}")

    def unreadable_segment(self):
        """One segment cannot be read: fetches of it fail, and nothing else does; without a restart."""
        topic, other = "broken-segment", "broken-other"
        broker = self.start("segment")
        for name in (topic, other):
            create(broker, self.jvm, name, 1, segment_bytes=1 << 20)
            librdkafka.write(broker.address, name, records.make(name, 50, 1))
        connection = Connection(broker.address, 30)
        for number in range(30):
            value = bytes([number]) * 100_000
            check(produce(connection, topic, batch([record(value=value, key=b"%d" % number)])).startswith("offset"), "produce")
        connection.close()
        equal(broker.stop(), 0, "exit code of a stop")
        # Nothing of what an earlier process read is in memory: opening a file anew drops it.
        broker.start()
        served(broker, self.jvm, topic)
        folder = os.path.join(self.disk.folder, "segment", f"{topic}-0")
        damaged = sorted(name for name in os.listdir(folder) if name.endswith(".log"))[1]
        self.disk.fail("read", "EIO", f"{topic}-0/{damaged}")
        at = int(damaged[:-4])
        equal(self._fetch(topic, at), "error 56", "a fetch of what cannot be read")
        equal(self._fetch(other, 0), "some records", "a fetch of another topic")
        equal(self._fetch(topic, 0), "some records", "a fetch of another segment")
        check(self.disk.hits() > 0, "nothing failed")
        reader = Reader(broker.address, topic)
        connection = Connection(broker.address, 30)
        check(produce(connection, topic, batch()).startswith("offset"), "a produce to the topic that cannot be read")
        connection.close()
        told = [line for line in broker.log_tail(1 << 20).splitlines() if f"{topic}-0" in line and "Input/output error" in line]
        equal(len(told), 1, f"lines that tell of it: {told}")
        self.disk.heal()
        equal(reader.result(), 81, "records that a consumer gets when the disk works again")
        equal(broker.stop(), 0, "exit code of a stop")

    def close(self):
        """Ends what is left."""
        if self.broker and self.broker.process and self.broker.process.poll() is None:
            self.broker.kill()
        self.disk.close()

    def _offline(self):
        """One line says what happened, where, and what is to be done; then nothing is taken any more, and the broker ends
        or is ended."""
        def told():
            return [line for line in self.broker.log_tail(1 << 20).splitlines() if "is offline: " in line]
        until(told, "the log tells of it")
        if self.broker.process.poll() is None:
            until(lambda: not self._takes_appends(), "appends cease")
        try:
            code = self.broker.process.wait(ENDS_WITHIN_SECONDS)
            check(code != 0, "the broker ended with code 0")
        except subprocess.TimeoutExpired:
            self.broker.kill()
        lines = told()
        equal(len(lines), 1, f"lines that tell of it: {lines}")
        check(re.search(r"log directory /\S+ is offline: [a-z ]+ /\S+: .+\(os error \d+\); .*start", lines[0]), lines[0])

    def _takes_appends(self):
        try:
            connection = Connection(self.broker.address, 10)
        except OSError:
            return False
        try:
            return produce(connection, self.topic, batch([record(value=b"0 ", key=b"probe")])).startswith("offset")
        except (Closed, Silence):
            return False
        finally:
            connection.close()

    def _decide(self, topic):
        """Asks for a decision whose answer need not come."""
        from raw.requests import create_topics, new_topic
        connection = Connection(self.broker.address, 2)
        try:
            create_topics(connection, new_topic(f"{topic}-decided"))
        except (Closed, Silence):
            pass
        finally:
            connection.close()

    def _fetch(self, topic, offset):
        connection = Connection(self.broker.address, 30)
        try:
            return fetch(connection, topic, offset, partition_bytes=300_000)
        finally:
            connection.close()


class Reader:
    """A consumer that reads a topic from its beginning to the end that it has, however long that takes."""

    def __init__(self, address, topic):
        self.count = None
        self.failure = None

        def work():
            try:
                self.count = len(librdkafka.read(address, topic, check_crcs=True))
            except Exception as error:  # told by result()
                self.failure = error
        self.thread = threading.Thread(target=work, daemon=True)
        self.thread.start()

    def result(self):
        """How many records came."""
        self.thread.join(60)
        if self.failure:
            raise self.failure
        return self.count


def run(report, against, directory, jvm):
    """All scenarios, on one disk."""
    broken = Broken(against, directory, jvm)
    under_load = broken.under_load
    try:
        report.scenario("disk: failing: EIO on writes of one partition", lambda: under_load("one", WRITES))
        report.scenario("disk: failing: EIO on all writes", lambda: under_load("all", ALL_WRITES))
        report.scenario("disk: failing: EIO on writes of the metadata log", lambda: under_load("metadata", METADATA))
        report.scenario("disk: failing: EIO on syncs", lambda: under_load("syncs", SYNCS))
        report.scenario("disk: failing: EIO on syncs that are waited for, and then no power",
                        lambda: under_load("lost", SYNCS_OF_BATCHES, FLUSHED, meanwhile=broken.lose_power))
        report.scenario("disk: failing: EIO on syncs that are waited for, and no power after the restart",
                        lambda: under_load("lost-later", SYNCS_OF_BATCHES, FLUSHED, restarted=broken.kill_and_lose_power))
        report.scenario("disk: failing: the disk becomes read-only",
                        lambda: under_load("read-only", READ_ONLY, meanwhile=broken.refused_start))
        report.scenario("disk: failing: a segment that cannot be read", broken.unreadable_segment)
    finally:
        broken.close()

"""Bad input over sockets: the code that Apache Kafka gives or a closed connection, others served meanwhile.

bad_input.json holds what Apache Kafka 4.3.1 does in each case (recorded by --against kafka with RECORD=1), and
DIFFERS names the cases where another answer is right for us, with the reason."""

import json
import os
import random
import struct
import threading
import time

from harness.report import Skipped, check, equal
from harness.topics import admin, create
from raw import frames, rejections
from raw.batch import batch
from raw.requests import fetch, produce
from raw.wire import Closed, Connection, Silence, header, i32

EXPECTED = os.path.join(os.path.dirname(__file__), "bad_input.json")
# Anonymous memory that all cases together may leave behind, and that open bad connections may hold.
MEMORY_BYTES_MAX = 64 << 20
# A healthy client beside the bad ones waits at most this long for a record to be stored and read.
SERVED_SECONDS_MAX = 2.0

_CLOSED = {
    "a negative count or length other than null's -1, is no request": [
        "a client id of -2 bytes", "a header with huge tagged fields", "Metadata for -2 topics",
        "Metadata for -2147483648 topics",
        "Produce with -2147483648 bytes of records", "Metadata, flexible, for 4 billion topics",
        "Metadata, flexible, a name of 4 billion bytes", "Metadata, flexible, 4 billion tagged fields"],
    "a string that is not UTF-8 is no request; Kafka puts other letters in the place of such bytes": [
        "Produce to the topic b'\\xff\\xfe'", "Fetch from the topic b'\\xff\\xfe'", "Metadata of b'\\xff\\xfe'",
        "Metadata with creation of b'\\xff\\xfe'", "CreateTopics b'\\xff\\xfe'"],
}
_INVALID_RECORD = {
    "what follows the one batch is refused before its checksum is computed": [
        "a batch that says 63 bytes", "a batch that says 2147483647 bytes", "a batch and a half", "a batch behind zeros"],
    "Kafka does not answer at all": ["no records"],
    "offsets inside a batch are dense; Kafka trusts the header": ["offset deltas 0, 2, 1", "offset deltas 0, 0, 0"],
    "a client's control batch is refused before anything else is asked": ["a control batch of a transaction"],
    "what cannot be decompressed is an invalid record; Kafka has an unknown error": [
        "garbage that says gzip", "garbage that says snappy", "garbage that says lz4", "garbage that says zstd",
        "lz4 with linked blocks"],
}
DIFFERS = {
    **{name: ("closed", why) for why, names in _CLOSED.items() for name in names},
    **{name: ("error 87", why) for why, names in _INVALID_RECORD.items() for name in names},
    **{f"codec {codec}": ("error 76", "there is a code for it; Kafka has an unknown error") for codec in [5, 6, 7]},
    "Fetch with leader epoch -2": ("error 74", "only -1 stands for no epoch"),
    "Fetch of -1 bytes of a partition": ("some records", "as 0 bytes: one whole batch; Kafka has an unknown error"),
    "ListOffsets with isolation 9": ("offset 5", "as read_uncommitted; Kafka has an unknown error"),
    "CreateTopics with names that collide": ("errors [0, 17]", "also names of one request may not collide"),
    "IncrementalAlterConfigs with operation 9": ("error 42", "there is a code for it; Kafka has an unknown error"),
}


def run(report, broker, jvm):
    """Prepares topics, runs all cases beside a healthy client, and looks at the server afterwards."""
    suite = BadInput(broker, jvm)
    suite.prepare()
    with Healthy(broker.address) as healthy:
        for group in [frames.wrong_sizes, frames.wrong_headers, frames.truncated_and_trailing, frames.wrong_counts,
                      frames.unknown_tags, frames.api_versions]:
            report.scenario(f"bad input: {group.__name__.replace('_', ' ')}", suite.compare,
                            ((name, lambda raw=raw: suite.frame(raw)) for name, raw in group()))
        for group in rejections.GROUPS:
            report.scenario(f"bad input: {group.__name__.replace('_', ' ')}", suite.compare,
                            ((name, lambda call=call: suite.call(call)) for name, call in group(suite)))
        report.scenario("bad input: 2,000 random frames", suite.random_frames)
        report.scenario("bad input: 300 connections that announce 100 MB and send little", suite.slow_senders)
        report.scenario("bad input: 1,000 connections that open and say nothing", suite.idle_connections)
        report.scenario("bad input: pipelined requests in front of a bad one are answered", suite.pipelined)
        report.scenario("bad input: others were served meanwhile", healthy.verify)
    report.scenario("bad input: the server's memory is bounded", suite.memory)
    report.scenario("bad input: what was refused left no trace, what was taken can be read", suite.untouched)
    report.scenario("bad input: every recorded case was tried", suite.complete)
    report.scenario("bad input: the server's log has at most a line for each closed connection", suite.log)
    if os.environ.get("RECORD"):
        with open(EXPECTED, "w", encoding="utf-8") as file:
            json.dump(suite.seen, file, indent=1, sort_keys=True)
            file.write("\n")


class BadInput:
    """The cases' world: topics, expectations, and what was seen."""

    def __init__(self, broker, jvm):
        self.broker = broker
        self.address = broker.address
        self.jvm = jvm
        self.seen = {}
        self.connections = 0
        self.expected = {}
        if os.path.exists(EXPECTED):
            with open(EXPECTED, encoding="utf-8") as file:
                self.expected = json.load(file)

    def prepare(self):
        """Topics with a few records, and a round of everything, so that memory is measured warm."""
        create(self.broker, self.jvm, "bad-input", 1)
        create(self.broker, self.jvm, "bad-input-small", 1, max_message_bytes=1000)
        create(self.broker, self.jvm, "bad-input-compact", 1, cleanup_policy="compact")
        # Where all of a compressed batch is looked at, and some are taken.
        create(self.broker, self.jvm, "bad-input-packed", 1, cleanup_policy="compact")
        create(self.broker, self.jvm, "bad-input-segments", 1, segment_bytes=1 << 20, max_message_bytes=2_000_000)
        create(self.broker, self.jvm, "bad-input-stamped", 1, message_timestamp_type="LogAppendTime")
        create(self.broker, self.jvm, "bad-input-window", 1, message_timestamp_before_max_ms=3600000)
        for topic in ["bad-input-target", "bad-input-writes", "bad-input.target_one"]:
            create(self.broker, self.jvm, topic, 1)
        self.call(lambda connection: [produce(connection, "bad-input", batch()) for _ in range(5)])
        if self.broker.name == "gregor":
            self.memory_before = self.broker.anonymous_bytes()
            with open(self.broker.log_path, encoding="utf-8", errors="replace") as log:
                self.lines_before = len(log.readlines())

    def call(self, action):
        """Runs an exchange on a connection of its own."""
        self.connections += 1
        connection = Connection(self.address)
        try:
            return action(connection)
        except Closed:
            return "closed"
        except Silence:
            return "silence"
        finally:
            connection.close()

    def frame(self, raw):
        """Sends raw bytes; the outcome is "closed", "silence", or the answer's size and first code."""
        def exchange(connection):
            connection.send(raw)
            answer = connection.answer()
            key = struct.unpack(">h", raw[4:6])[0]
            return f"error {answer.i16()}" if key == 18 else "answered"
        return self.call(exchange)

    def compare(self, cases):
        """Runs cases and compares each outcome with Kafka's."""
        wrong = []
        for name, case in cases:
            outcome = case()
            self.seen[name] = outcome
            expected = self.expected.get(name)
            if self.broker.name != "kafka":
                expected = DIFFERS.get(name, (expected, ""))[0]
            if outcome != expected and not os.environ.get("RECORD"):
                wrong.append(f"{name}: got {outcome!r}, expected {expected!r}")
        check(not wrong, f"{len(wrong)} cases:\n  " + "\n  ".join(wrong))

    def random_frames(self):
        """Nothing is expected of random bytes but an answer or an end, and a server that lives."""
        source = random.Random(4)
        for raw in frames.random_frames(source, 2000):
            connection = Connection(self.address, timeout=0.005)
            self.connections += 1
            connection.send(raw)
            try:
                connection.answer()
            except (Closed, Silence):
                pass
            connection.close()
        equal(self.call(lambda connection: fetch(connection, "bad-input", 0)), "some records", "a fetch afterwards")

    def slow_senders(self):
        """Announced bytes cost nothing until they come."""
        if self.broker.name != "gregor":
            raise Skipped("Apache Kafka 4.3.1 runs out of its heap here")
        before = self.broker.anonymous_bytes()
        open_connections = [Connection(self.address) for _ in range(300)]
        self.connections += len(open_connections)
        for connection in open_connections:
            connection.send(i32(100 * 1024 * 1024) + header(0, 7) + bytes(20000))
        time.sleep(0.3)
        equal(self.call(lambda connection: fetch(connection, "bad-input", 0)), "some records", "a fetch meanwhile")
        grown = self.broker.anonymous_bytes() - before
        check(grown < MEMORY_BYTES_MAX, f"300 slow senders cost {grown >> 20} MiB")
        for connection in open_connections:
            connection.close()

    def idle_connections(self):
        """Connections without a word are cheap."""
        open_connections = [Connection(self.address) for _ in range(1000)]
        self.connections += len(open_connections)
        equal(self.call(lambda connection: fetch(connection, "bad-input", 0)), "some records", "a fetch meanwhile")
        for connection in open_connections:
            connection.close()

    def pipelined(self):
        """Requests that were right are answered in order before the bad one closes the connection."""
        def exchange(connection):
            body = struct.pack(">i", -1) + b"\0"
            good = b"".join(i32(len(request)) + request for request in
                            (header(3, 4, correlation=number) + body for number in range(1, 4)))
            connection.send(good)
            for _ in range(3):
                check(connection.answer().i32() == 0, "a throttle time came instead of an answer")
            connection.send(good + i32(-5))
            with_bad = 0
            try:
                while True:
                    connection.answer()
                    with_bad += 1
            except Closed:
                return with_bad
        # Those that share a read with the bad one may be lost with it; none may come after.
        check(self.call(exchange) in range(4), "the bad frame was answered")

    def memory(self):
        """What all this left behind in anonymous memory."""
        if self.broker.name != "gregor":
            raise Skipped("the bound is Gregor's own")
        grown = self.broker.anonymous_bytes() - self.memory_before
        check(grown < MEMORY_BYTES_MAX, f"anonymous memory grew by {grown >> 20} MiB")

    def untouched(self):
        """Topics that only refused writes went to are empty; the other holds what was acknowledged."""
        lines = admin(self.broker, self.jvm, "offset", "bad-input", 0, "latest", "--",
                      "offset", "bad-input-small", 0, "latest", "--", "offset", "bad-input-compact", 0, "latest")
        equal([line.split()[0] for line in lines], ["5", "0", "0"], "end offsets")
        for topic in ["bad-input-target", "bad-input-writes"] if self.broker.name == "gregor" else []:
            (end,) = admin(self.broker, self.jvm, "offset", topic, 0, "latest")
            stored = self.jvm.run("Exchange", "read", self.address, topic, "beginning").lines
            equal([int(line.split("\t")[0]) for line in stored], list(range(int(end.split()[0]))), f"offsets in {topic}")

    def complete(self):
        """No case that Kafka's answer is recorded of was left out."""
        if os.environ.get("RECORD"):
            raise Skipped("the record is being made")
        equal(sorted(set(self.expected) - set(self.seen)), [], "cases that were not tried")
        equal(sorted(set(DIFFERS) - set(self.seen)), [], "cases of DIFFERS that were not tried")

    def log(self):
        """No panic, and no flood."""
        if self.broker.name != "gregor":
            raise Skipped("what is looked for is in Gregor's log")
        with open(self.broker.log_path, encoding="utf-8", errors="replace") as log:
            lines = log.readlines()[self.lines_before:]
        check(not any("panicked" in line for line in lines), "a panic in the log")
        check(len(lines) <= self.connections + 50, f"{len(lines)} lines for {self.connections} connections")


class Healthy:
    """A client that writes and reads all the while, and remembers how long it had to wait."""

    def __init__(self, address):
        self.address = address
        self.stopping = threading.Event()
        self.rounds = 0
        self.slowest = 0.0
        self.failure = None
        self.thread = threading.Thread(target=self._work, daemon=True)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.stopping.set()
        self.thread.join()

    def _work(self):
        connection = Connection(self.address)
        try:
            while not self.stopping.is_set():
                started = time.monotonic()
                stored = produce(connection, "bad-input-writes", batch())
                if not stored.startswith("offset "):
                    self.failure = stored
                if fetch(connection, "bad-input-writes", int(stored.split()[1])) != "some records":
                    self.failure = "a fetch brought no records"
                self.slowest = max(self.slowest, time.monotonic() - started)
                self.rounds += 1
                self.stopping.wait(0.01)
        except (Closed, Silence) as error:
            self.failure = repr(error)
        finally:
            connection.close()

    def verify(self):
        """What the client saw."""
        equal(self.failure, None, "the healthy client")
        check(self.rounds > 100, f"only {self.rounds} rounds")
        check(self.slowest < SERVED_SECONDS_MAX, f"it waited {self.slowest:.1f} s")

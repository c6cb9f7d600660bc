"""Programs of real clients, one for each client, that do what a suite tells them.

A program reads requests from its standard input and writes answers and events to its standard output, each a line
of JSON. Bytes are hexadecimal, null is null; a record is [partition, timestamp, key, value, [[name, value], ...]].

    {"id": 1, "call": "write", "broker", "topic", "codec", "records"}    answer: [[partition, offset], ...]
    {"id": 2, "call": "read", "broker", "topic", "since"}                answer: [[offset, record ...], ...]
    {"id": 3, "call": "join", "member", "broker", "group", "topic", "assignor", "instance", "commits",
     "session_ms"}
    {"id": 4, "call": "commit", "member", "offsets": [[partition, offset, metadata], ...]}
    {"id": 5, "call": "committed", "broker", "group", "topic"}           answer: [[partition, offset, metadata], ...]
    {"id": 6, "call": "leave", "member"}

An answer is {"id", "answer"} or {"id", "error"}. `read` reads every partition from its beginning, or from the first
record that is not before `since`, to the end that it has at the start. A member's events are
{"member", "event": "assigned", "partitions", "generation"} with everything that it has from now on,
{"member", "event": "revoked", "partitions"}, {"member", "event": "records", "records": [[partition, offset], ...]}
and {"member", "event": "error", "text"}. A member that `commits` does so with all it told of before it gives a
partition away or leaves."""

import itertools
import json
import os
import subprocess
import sys
import threading

from harness.jvm import classpath
from harness.records import Record, Stored
from harness.report import Failure, until

CALL_SECONDS = 60
# The least that a broker accepts by default.
SESSION_MS = 6000
HERE = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


def _commands():
    """How each client's program is started."""
    python = os.path.join(HERE, "python")
    return {
        "java": ["java", "-Xmx256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-cp", classpath("error"),
                 "Client"],
        "librdkafka": [sys.executable, os.path.join(python, "librdkafka.py")],
        "aiokafka": [sys.executable, os.path.join(python, "aiokafka_client.py")],
        "franz-go": [os.path.join(os.environ["GO_PROGRAMS"], "client")],
        "kafkajs": ["node", "--no-deprecation", os.path.join(os.environ["JS_PROGRAMS"], "client.js")],
    }


CLIENTS = ["java", "librdkafka", "aiokafka", "franz-go", "kafkajs"]


class Program:
    """One running program."""

    def __init__(self, client):
        self.client = client
        # The kernel ends the program when this process ends, however it ends.
        command = ["setpriv", "--pdeathsig", "KILL", *_commands()[client]]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.numbers = itertools.count(1)
        self.lock = threading.Lock()
        # Apart from the other: who writes may have to wait until somebody reads.
        self.writing = threading.Lock()
        self.answers = {}
        self.arrived = threading.Condition(self.lock)
        self.members = {}
        self.said = []
        for target in (self._read_lines, self._read_errors):
            threading.Thread(target=target, daemon=True).start()

    def call(self, call, **arguments):
        """Makes a call and returns its answer."""
        with self.writing:
            number = next(self.numbers)
            self.process.stdin.write(json.dumps({"id": number, "call": call, **arguments}).encode() + b"\n")
            self.process.stdin.flush()
        with self.lock:
            done = self.arrived.wait_for(lambda: number in self.answers or self.answers.get("ended"), CALL_SECONDS)
            if number not in self.answers:
                why = "the program ended" if done else f"no answer in {CALL_SECONDS} s"
                raise Failure(f"{self.client}: {call}: {why}: {self.last_words()}")
            answer = self.answers.pop(number)
        if "error" in answer:
            raise Failure(f"{self.client}: {call}: {answer['error']}")
        return answer["answer"]

    def write(self, broker, topic, codec, sent):
        """Writes records and returns where each was stored, (partition, offset), in the order sent."""
        return [tuple(place) for place in self.call("write", broker=broker, topic=topic, codec=codec,
                                                    records=[_to_json(record) for record in sent])]

    def read(self, broker, topic, since=None):
        """Reads a topic to its end, whole or from a time on."""
        return [_from_json(item) for item in self.call("read", broker=broker, topic=topic, since=since)]

    def join(self, broker, group, topic, assignor="range", instance=None, commits=True, session_ms=SESSION_MS):
        """Starts a member of a group."""
        joined = Member(self, f"{self.client}-{len(self.members)}")
        with self.lock:
            self.members[joined.name] = joined
        self.call("join", member=joined.name, broker=broker, group=group, topic=topic, assignor=assignor,
                  instance=instance, commits=commits, session_ms=session_ms)
        return joined

    def committed(self, broker, group, topic):
        """What a group has committed: partition to (offset, metadata), which librdkafka does not tell."""
        found = self.call("committed", broker=broker, group=group, topic=topic)
        # confluent-kafka sends the byte that ends a string in C along with it.
        return {partition: (offset, metadata and metadata.rstrip("\0")) for partition, offset, metadata in found}

    def kill(self):
        """Ends the program at once, as a crash would."""
        self.process.kill()
        self.process.wait()

    def close(self):
        """Ends the program, which ends when its standard input does."""
        try:
            self.process.stdin.close()
            self.process.wait(10)
        except (OSError, subprocess.TimeoutExpired):
            self.kill()

    def last_words(self):
        """The end of what it said to nobody."""
        return "\n".join(self.said[-10:])

    def _read_lines(self):
        for line in self.process.stdout:
            said = json.loads(line)
            with self.lock:
                if "id" in said:
                    self.answers[said["id"]] = said
                    self.arrived.notify_all()
                else:
                    self.members[said["member"]].hear(said)
        with self.lock:
            self.answers["ended"] = True
            self.arrived.notify_all()

    def _read_errors(self):
        for line in self.process.stderr:
            self.said = [*self.said[-50:], line.decode(errors="replace").rstrip()]


class Member:
    """A member of a group, as its program tells of it."""

    def __init__(self, program, name):
        self.program = program
        self.name = name
        self.owned = set()
        self.generation = None
        self.assignments = []
        self.revoked = []
        self.records = []
        self.errors = []

    def hear(self, said):
        """Takes an event; called by the thread that reads."""
        event = said["event"]
        if event == "assigned":
            self.owned = set(said["partitions"])
            self.generation = said.get("generation", self.generation)
            self.assignments.append(sorted(self.owned))
        elif event == "revoked":
            self.owned = self.owned - set(said["partitions"])
            self.revoked.append(sorted(said["partitions"]))
        elif event == "records":
            self.records = self.records + [tuple(place) for place in said["records"]]
        else:
            self.errors.append(said["text"])

    def commit(self, offsets):
        """Commits partition to (offset, metadata)."""
        self.program.call("commit", member=self.name,
                          offsets=[[partition, offset, metadata] for partition, (offset, metadata) in offsets.items()])

    def leave(self):
        """Ends the member in order; a static one only goes away."""
        self.program.call("leave", member=self.name)
        self.owned = set()


class Programs:
    """The programs of a suite, started when first asked for."""

    def __init__(self):
        self.shared = {}
        self.all = []

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for program in self.all:
            program.close()

    def of(self, client):
        """The one program of a client."""
        if client not in self.shared:
            self.shared[client] = self.another(client)
        return self.shared[client]

    def another(self, client):
        """A program of its own, which can be killed."""
        self.all.append(Program(client))
        return self.all[-1]


def assigned(members, partitions, what, seconds=40):
    """Waits until the members together own all partitions, each of them one time."""
    def settled():
        owned = sorted(number for member in members for number in member.owned)
        return owned == list(range(partitions)) and all(member.owned for member in members)
    try:
        until(settled, what, seconds)
    except Failure as failure:
        state = {member.name: (sorted(member.owned), member.errors[-2:]) for member in members}
        raise Failure(f"{failure}: {state}") from None


def _to_json(record):
    headers = [[name, _hex(value)] for name, value in record.headers]
    return [record.partition, record.timestamp, _hex(record.key), _hex(record.value), headers]


def _from_json(item):
    offset, partition, timestamp, key, value, headers = item
    pairs = tuple((name, _bytes(content)) for name, content in headers)
    return Stored(offset, Record(partition, timestamp, _bytes(key), _bytes(value), pairs))


def _hex(data):
    return None if data is None else data.hex()


def _bytes(text):
    return None if text is None else bytes.fromhex(text)

"""kcat: metadata, produce and consume with each codec, keys, headers, offsets by number and by time."""

import json
import subprocess

from harness.report import check, equal
from harness.topics import create

CODECS = ["none", "gzip", "snappy", "lz4", "zstd"]


def run(report, broker, jvm):
    """Runs kcat as a process for each step."""
    suite = Kcat(broker, jvm)
    report.scenario("kcat: -L lists broker, topics and partitions", suite.metadata)
    for codec in CODECS:
        report.scenario(f"kcat: 5,000 lines with {codec}, back once and in order", suite.lines, codec)
    for name, action in [
        ("keys, headers, empty and null values", suite.shapes),
        ("-o: beginning, a number, the last n, end", suite.offsets),
        ("-o s@TIME and -o e@TIME", suite.from_time),
        ("-Q: offsets by time, first and last", suite.query),
        ("-p: a partition that is not there", suite.absent_partition),
        ("a topic that is not there is made by a producer only", suite.automatic),
        ("-X acks=0, 1, all", suite.acks),
        ("-G: a group goes on where it stopped", suite.group),
    ]:
        report.scenario(f"kcat: {name}", action)


class Kcat:
    """The scenarios; each uses topics of its own."""

    def __init__(self, broker, jvm):
        self.broker = broker
        self.jvm = jvm

    def kcat(self, *arguments, stdin=b"", code=0):
        command = ["kcat", "-b", self.broker.address, "-q", *map(str, arguments)]
        done = subprocess.run(command, input=stdin, capture_output=True, timeout=60, check=False)
        if code is not None:
            equal(done.returncode, code, f"{' '.join(command)}: {done.stderr.decode()[-500:]}: exit code")
        return done.stdout.decode()

    def create(self, topic, partitions=1):
        create(self.broker, self.jvm, topic, partitions)

    def metadata(self):
        self.create("kcat-metadata", 5)
        shown = json.loads(self.kcat("-L", "-J"))
        equal(len(shown["brokers"]), 1, "brokers")
        if self.broker.name != "running":
            equal(shown["brokers"][0]["name"], self.broker.advertised, "the broker's address")
        topic = next(topic for topic in shown["topics"] if topic["topic"] == "kcat-metadata")
        leader = shown["brokers"][0]["id"]
        equal([(part["partition"], part["leader"]) for part in topic["partitions"]],
              [(number, leader) for number in range(5)], "partitions and leaders")
        one = json.loads(self.kcat("-L", "-J", "-t", "kcat-metadata"))
        equal([topic["topic"] for topic in one["topics"]], ["kcat-metadata"], "topics asked for by name")

    def lines(self, codec):
        topic = f"kcat-{codec}"
        self.create(topic, 2)
        sent = [f"line {number} {'x' * (number % 97)}" for number in range(5000)]
        for partition in range(2):
            text = "\n".join(sent[partition::2]) + "\n"
            self.kcat("-P", "-t", topic, "-p", partition, "-z", codec, stdin=text.encode())
        for partition in range(2):
            got = self.kcat("-C", "-t", topic, "-p", partition, "-e", "-f", "%o %s\n").splitlines()
            equal(got, [f"{offset} {line}" for offset, line in enumerate(sent[partition::2])], f"partition {partition}")

    def shapes(self):
        self.create("kcat-shapes")
        self.kcat("-P", "-t", "kcat-shapes", "-K", ":", "-H", "a=1", "-H", "a=2", "-H", "b=", stdin=b"k1:v1\n:empty key\n")
        self.kcat("-P", "-t", "kcat-shapes", "-Z", "-K", ":", stdin=b"k2:\nk3:v3\n")
        rows = [json.loads(line) for line in self.kcat("-C", "-t", "kcat-shapes", "-e", "-J").splitlines()]
        equal([row["offset"] for row in rows], [0, 1, 2, 3], "offsets")
        equal([(row.get("key"), row.get("payload")) for row in rows[:1] + rows[2:]],
              [("k1", "v1"), ("k2", None), ("k3", "v3")], "keys and values")
        check(rows[1]["key"] in (None, "") and rows[1]["payload"] == "empty key", f"empty key: {rows[1]}")
        equal(rows[0]["headers"], ["a", "1", "a", "2", "b", ""], "headers")
        check(all(row["tstype"] == "create" and row["ts"] > 1_600_000_000_000 for row in rows), "timestamps")

    def offsets(self):
        self.create("kcat-offsets")
        self.kcat("-P", "-t", "kcat-offsets", "-z", "lz4", stdin=b"".join(b"%d\n" % number for number in range(200)))
        for start, first, count in [("beginning", 0, 200), (77, 77, 123), (-5, 195, 5), (199, 199, 1), ("end", 0, 0)]:
            got = self.kcat("-C", "-t", "kcat-offsets", "-p", 0, "-o", start, "-e").split()
            equal(got, [str(number) for number in range(first, first + count)], f"-o {start}")
        equal(self.kcat("-C", "-t", "kcat-offsets", "-p", 0, "-o", 50, "-c", 3).split(), ["50", "51", "52"], "-c 3")

    def _timed(self, topic):
        """30 records at 1,000, 2,000, ... milliseconds, written by the Java client."""
        self.create(topic)
        lines = "".join(f"0\t{1000 * (number + 1)}\t~\t{str(number).encode().hex()}\t\n" for number in range(30))
        self.jvm.run("Exchange", "write", self.broker.address, topic, stdin=lines.encode())

    def from_time(self):
        self._timed("kcat-from-time")
        got = self.kcat("-C", "-t", "kcat-from-time", "-o", "s@20500", "-e").split()
        equal(got, [str(number) for number in range(20, 30)], "from 20,500 ms on")
        got = self.kcat("-C", "-t", "kcat-from-time", "-o", "s@5000", "-o", "e@8000", "-e").split()
        equal(got, ["4", "5", "6"], "from 5,000 to 8,000 ms")

    def query(self):
        self._timed("kcat-query")
        for time, offset in [(0, 0), (1000, 0), (1001, 1), (30000, 29), (30001, -1), (-1, 30), (-2, 0)]:
            got = self.kcat("-Q", "-t", f"kcat-query:0:{time}")
            equal(got.strip(), f"kcat-query [0] offset {offset}", f"-Q at {time}")

    def absent_partition(self):
        self.create("kcat-absent")
        self.kcat("-P", "-t", "kcat-absent", "-p", 9, stdin=b"x\n", code=1)
        self.kcat("-C", "-t", "kcat-absent", "-p", 9, "-e", code=1)

    def automatic(self):
        self.kcat("-C", "-t", "kcat-never", "-e", "-X", "allow.auto.create.topics=false", code=1)
        self.kcat("-P", "-t", "kcat-automatic", stdin=b"first\n")
        equal(self.kcat("-C", "-t", "kcat-automatic", "-e").split(), ["first"], "records")
        names = [topic["topic"] for topic in json.loads(self.kcat("-L", "-J"))["topics"]]
        check("kcat-automatic" in names and "kcat-never" not in names, f"topics: {names}")

    def acks(self):
        self.create("kcat-acks")
        for acks in ["0", "1", "all"]:
            self.kcat("-P", "-t", "kcat-acks", "-X", f"acks={acks}", stdin=f"acks {acks}\n".encode())
        got = self.kcat("-C", "-t", "kcat-acks", "-c", 3).splitlines()
        equal(got, ["acks 0", "acks 1", "acks all"], "records")

    def group(self):
        self.create("kcat-group", 3)
        lines = [f"line {number}" for number in range(60)]
        self.kcat("-P", "-t", "kcat-group", stdin="".join(f"{line}\n" for line in lines).encode())
        member = ["-X", "auto.offset.reset=earliest", "-G", "kcat-group"]
        first = self.kcat("-c", 25, *member, "kcat-group").splitlines()
        equal(len(first), 25, "records of the first member")
        second = self.kcat("-e", *member, "kcat-group").splitlines()
        equal(sorted(first + second), sorted(lines), "records of both, one after the other")
        equal(self.kcat("-e", *member, "kcat-group"), "", "records of a third")

"""Kafka's command-line tools and our Java programs, all in one JVM (java/ToolServer.java)."""

import os
import struct
import subprocess
from dataclasses import dataclass

from harness.report import check


def classpath(log_level="warn"):
    """Kafka's jars, our classes, and the setting that keeps the log out of tools' output."""
    home = os.environ["KAFKA_HOME"]
    settings = os.path.join(home, f"log-{log_level}")
    os.makedirs(settings, exist_ok=True)
    path = os.path.join(settings, "simplelogger.properties")
    if not os.path.exists(path):
        with open(path, "w", encoding="ascii") as file:
            file.write(f"org.slf4j.simpleLogger.defaultLogLevel={log_level}\n")
    return f"{settings}:{os.environ['JAVA_CLASSES']}:{home}/libs/*"


@dataclass
class Result:
    """What a tool did."""

    code: int
    out: str
    err: str

    @property
    def lines(self):
        """The lines of its output that are not empty."""
        return [line for line in self.out.splitlines() if line.strip()]


class ToolFailed(Exception):
    """A tool that had to succeed did not."""


class Jvm:
    """A JVM that runs one program at a time."""

    def __init__(self):
        command = ["java", "-Xmx512m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Xshare:auto", "-cp", classpath()]
        self.process = subprocess.Popen(command + ["ToolServer"], stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def call(self, class_name, *arguments, stdin=b""):
        """Runs `class_name` to its end and returns its result, whatever its exit code is."""
        pipe = self.process.stdin
        pipe.write(framed(class_name.encode()) + struct.pack(">i", len(arguments)))
        for argument in arguments:
            pipe.write(framed(str(argument).encode()))
        pipe.write(framed(stdin))
        pipe.flush()
        (code,) = struct.unpack(">i", self._read(4))
        out, err = (self._read(struct.unpack(">i", self._read(4))[0]) for _ in range(2))
        return Result(code, out.decode(errors="replace"), err.decode(errors="replace"))

    def run(self, class_name, *arguments, stdin=b""):
        """As `call`, but a code other than 0 is an error."""
        result = self.call(class_name, *arguments, stdin=stdin)
        if result.code:
            raise ToolFailed(f"{class_name} {' '.join(map(str, arguments))}: exit {result.code}: "
                             f"{(result.err or result.out).strip()[:3000]}")
        return result

    def tool(self, name, broker, *arguments, stdin=b""):
        """Runs one of Kafka's tools against `broker`."""
        return self.run(TOOLS[name], "--bootstrap-server", broker, *arguments, stdin=stdin)

    def refused(self, name, broker, text, *arguments):
        """Runs one of Kafka's tools that must fail or complain, and demands `text` in what it says."""
        result = self.call(TOOLS[name], "--bootstrap-server", broker, *arguments)
        check(text in result.out + result.err,
              f"{name} {' '.join(map(str, arguments))}: {text!r} is not in {result.out + result.err!r}")

    def alone(self, class_name, *arguments, seconds=90):
        """Runs a program in a JVM of its own: some tell their last words when theirs ends."""
        command = ["java", "-Xmx256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-cp", classpath("error")]
        done = subprocess.run([*command, class_name, *map(str, arguments)], stdin=subprocess.DEVNULL,
                              capture_output=True, text=True, timeout=seconds, check=False)
        if done.returncode:
            raise ToolFailed(f"{class_name}: exit {done.returncode}: {(done.stderr or done.stdout)[-3000:]}")
        return Result(done.returncode, done.stdout, done.stderr)

    def close(self):
        """Ends the JVM."""
        self.process.stdin.close()
        self.process.wait(timeout=20)

    def _read(self, size):
        data = self.process.stdout.read(size)
        if len(data) != size:
            raise ToolFailed("the JVM of the tools has ended")
        return data


TOOLS = {
    "topics": "org.apache.kafka.tools.TopicCommand",
    "configs": "kafka.admin.ConfigCommand",
    "get-offsets": "org.apache.kafka.tools.GetOffsetShell",
    "console-producer": "org.apache.kafka.tools.ConsoleProducer",
    "console-consumer": "org.apache.kafka.tools.consumer.ConsoleConsumer",
    "producer-perf-test": "org.apache.kafka.tools.ProducerPerformance",
    "broker-api-versions": "org.apache.kafka.tools.BrokerApiVersionsCommand",
    "dump-log": "org.apache.kafka.tools.DumpLogSegments",
    "consumer-groups": "org.apache.kafka.tools.consumer.group.ConsumerGroupCommand",
    "groups": "org.apache.kafka.tools.GroupsCommand",
    "delete-records": "org.apache.kafka.tools.DeleteRecordsCommand",
    "log-dirs": "org.apache.kafka.tools.LogDirsCommand",
    "features": "org.apache.kafka.tools.FeatureCommand",
    "metadata-quorum": "org.apache.kafka.tools.MetadataQuorumCommand",
    "cluster": "org.apache.kafka.tools.ClusterTool",
    "leader-election": "org.apache.kafka.tools.LeaderElectionCommand",
    "reassign-partitions": "org.apache.kafka.tools.reassign.ReassignPartitionsCommand",
    "transactions": "org.apache.kafka.tools.TransactionsCommand",
    "consumer-perf-test": "org.apache.kafka.tools.ConsumerPerformance",
}


def framed(data):
    """Bytes behind their length."""
    return struct.pack(">i", len(data)) + data

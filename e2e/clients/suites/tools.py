"""Kafka's own command-line tools: topics, configs, get-offsets, console producer and consumer, perf test."""

import re
import time

from harness.jvm import ToolFailed
from harness.report import check, equal, until
from harness.topics import admin, create


def run(report, broker, jvm):
    """Runs the tools in one JVM."""
    suite = Tools(broker, jvm)
    for name, action in [
        ("topics: create, list, describe", suite.topics),
        ("topics: create refuses bad names, counts, twice the same, unknown and wrong configs", suite.topic_refusals),
        ("topics: alter grows partitions, never shrinks them", suite.grow),
        ("topics: delete, and a new topic of that name is another one", suite.recreate),
        ("configs: describe lists every key with its default", suite.config_defaults),
        ("configs: add, change, delete and list operations on topics", suite.configs),
        ("configs: wrong values and unknown keys are refused and change nothing", suite.config_refusals),
        ("configs: max.message.bytes of a topic takes effect", suite.config_effect),
        ("get-offsets: -1, -2, by time, by max timestamp", suite.offsets),
        ("console: keys, headers, partition and offset", suite.console),
        ("console: a consumer that starts first sees what comes", suite.console_live),
        ("producer-perf-test: 20,000 records arrive", suite.performance),
        ("broker-api-versions: every API that is advertised is one that Kafka has", suite.api_versions),
        ("admin: describe cluster and topics, validate only", suite.describe),
    ]:
        report.scenario(f"tools: {name}", action)


class Tools:
    """The scenarios; each uses topics of its own."""

    def __init__(self, broker, jvm):
        self.broker = broker
        self.address = broker.address
        self.jvm = jvm

    def tool(self, name, *arguments, stdin=b""):
        return self.jvm.tool(name, self.address, *arguments, stdin=stdin)

    def refused(self, name, text, *arguments):
        """Runs a tool that must fail, and demands `text` in what it says."""
        try:
            self.tool(name, *arguments)
        except ToolFailed as failed:
            check(text in str(failed), f"{name} {' '.join(map(str, arguments))}: {text!r} is not in {failed}")
            return
        check(False, f"{name} {' '.join(map(str, arguments))} was not refused")

    def topics(self):
        self.tool("topics", "--create", "--topic", "tools-one", "--partitions", 4, "--replication-factor", 1,
                  "--config", "retention.ms=7200000", "--config", "cleanup.policy=compact")
        self.tool("topics", "--create", "--topic", "tools.two_2")
        until(lambda: {"tools-one", "tools.two_2"} <= set(self.tool("topics", "--list").lines), "both are listed")
        lines = self.tool("topics", "--describe", "--topic", "tools-one").lines
        check(re.match(r"Topic: tools-one\tTopicId: [\w-]{22}\tPartitionCount: 4\tReplicationFactor: 1\tConfigs: ",
                       lines[0]), lines[0])
        check("retention.ms=7200000" in lines[0] and "cleanup.policy=compact" in lines[0], lines[0])
        for number, line in enumerate(lines[1:]):
            match = re.search(r"Partition: (\d+)\tLeader: (\d+)\tReplicas: (\d+)\tIsr: (\d+)", line)
            check(match, line)
            equal(int(match[1]), number, "partition")
            equal((match[3], match[4]), (match[2], match[2]), "replicas and isr")
        equal(len(lines), 5, "lines of describe")
        equal(self.tool("topics", "--describe", "--under-replicated-partitions").lines, [], "under-replicated")
        self.refused("topics", "does not exist as expected", "--describe", "--topic", "tools-absent")

    def topic_refusals(self):
        create(self.broker, self.jvm, "tools-taken")
        for text, arguments in [
            ("TopicExistsException", ["--topic", "tools-taken"]),
            ("InvalidTopicException", ["--topic", "bad/name"]),
            ("InvalidTopicException", ["--topic", "x" * 250]),
            ("greater than 0", ["--topic", "tools-none", "--partitions", 0]),
            ("InvalidReplicationFactorException", ["--topic", "tools-many", "--replication-factor", 3]),
            ("ConfigException", ["--topic", "tools-config", "--config", "retention.ms=soon"]),
        ]:
            self.refused("topics", text, "--create", *arguments)
        # The tool itself knows all keys, so an unknown one is asked for by the admin client.
        equal(admin(self.broker, self.jvm, "create", "tools-key", 1, "no.such.key=1", "--", "create", "..", 1, "--",
                    "create", "tools-taken", 1),
              ["error InvalidConfigurationException", "error InvalidTopicException", "error TopicExistsException"],
              "refusals")
        equal(self.tool("topics", "--create", "--topic", "tools-taken", "--if-not-exists").code, 0, "if-not-exists")
        listed = self.tool("topics", "--list").lines
        check(not {"tools-none", "tools-many", "tools-config", "tools-key"} & set(listed), f"refused but there: {listed}")

    def grow(self):
        create(self.broker, self.jvm, "tools-grow", 2)
        self.tool("topics", "--alter", "--topic", "tools-grow", "--partitions", 5)
        until(lambda: len(self.tool("topics", "--describe", "--topic", "tools-grow").lines) == 6, "five partitions")
        self.refused("topics", "InvalidPartitionsException", "--alter", "--topic", "tools-grow", "--partitions", 3)
        until(lambda: self.tool("get-offsets", "--topic", "tools-grow").lines ==
              [f"tools-grow:{number}:0" for number in range(5)], "each partition answers")

    def recreate(self):
        create(self.broker, self.jvm, "tools-recreate", 2)
        self.produce("tools-recreate", b"old\n" * 10)
        (first,) = admin(self.broker, self.jvm, "id", "tools-recreate")
        self.tool("topics", "--delete", "--topic", "tools-recreate")
        until(lambda: "tools-recreate" not in self.tool("topics", "--list").lines, "it is gone from the list")
        self.refused("topics", "does not exist as expected", "--delete", "--topic", "tools-recreate")
        create(self.broker, self.jvm, "tools-recreate", 1)
        (second,) = admin(self.broker, self.jvm, "id", "tools-recreate")
        check(first != second, f"the id is {first} before and after")
        equal(self.tool("get-offsets", "--topic", "tools-recreate").lines, ["tools-recreate:0:0"], "offsets of the new")
        self.produce("tools-recreate", b"new\n")
        equal(self.consume("tools-recreate", 0, 0, 1).out, "new\n", "records of the new")

    def produce(self, topic, lines, *arguments):
        self.tool("console-producer", "--topic", topic, *arguments, stdin=lines)

    def consume(self, topic, partition, offset, count, *arguments):
        return self.tool("console-consumer", "--topic", topic, "--partition", partition, "--offset", offset,
                         "--max-messages", count, "--timeout-ms", 15000, *arguments)

    def config_defaults(self):
        create(self.broker, self.jvm, "tools-defaults")
        text = self.tool("configs", "--describe", "--all", "--topic", "tools-defaults").out
        found = dict(re.findall(r"^  ([\w.]+)=(\S*) ", text, re.M))
        expected = {"cleanup.policy": "delete", "retention.ms": "604800000", "segment.bytes": "1073741824",
                    "max.message.bytes": "1048588", "compression.type": "producer", "min.insync.replicas": "1",
                    "message.timestamp.type": "CreateTime", "retention.bytes": "-1", "flush.messages": str(2**63 - 1),
                    "unclean.leader.election.enable": "false", "index.interval.bytes": "4096"}
        equal({key: found.get(key) for key in expected}, expected, "defaults")
        check(len(found) >= 30, f"only {len(found)} keys")

    def configs(self):
        create(self.broker, self.jvm, "tools-configs")
        what = ["--entity-type", "topics", "--entity-name", "tools-configs"]
        self.tool("configs", "--alter", *what, "--add-config", "retention.ms=1000000,segment.bytes=2097152")
        self.tool("configs", "--alter", *what, "--add-config", "retention.ms=2000000")
        self.config_is("retention.ms", "2000000 DYNAMIC_TOPIC_CONFIG")
        text = self.tool("configs", "--describe", *what).out
        check("retention.ms=2000000" in text and "segment.bytes=2097152" in text, text)
        self.tool("configs", "--alter", *what, "--delete-config", "retention.ms")
        self.config_is("retention.ms", "604800000 DEFAULT_CONFIG")
        self.config_is("segment.bytes", "2097152 DYNAMIC_TOPIC_CONFIG")
        lines = admin(self.broker, self.jvm, "alter", "tools-configs", "APPEND", "cleanup.policy", "compact", "--",
                      "alter", "tools-configs", "SUBTRACT", "cleanup.policy", "delete", "--",
                      "alter", "tools-configs", "SET", "min.compaction.lag.ms", "5000")
        equal(lines, ["done"] * 3, "list operations")
        self.config_is("cleanup.policy", "compact DYNAMIC_TOPIC_CONFIG")

    def config_is(self, key, expected):
        """Waits until a key of tools-configs has a value and a source: Kafka's answer comes before its effect."""
        until(lambda: admin(self.broker, self.jvm, "config", "tools-configs", key) == [expected], f"{key} {expected}")

    def config_refusals(self):
        create(self.broker, self.jvm, "tools-refusals", 1, retention_ms=5000000)
        for key, value in [("retention.ms", "x"), ("segment.bytes", "1"), ("cleanup.policy", "burn"),
                           ("no.such.key", "1"), ("message.timestamp.type", "Never"), ("segment.bytes", "3000000000")]:
            equal(admin(self.broker, self.jvm, "alter", "tools-refusals", "SET", key, value),
                  ["error InvalidConfigurationException"], f"{key}={value}")
        equal(admin(self.broker, self.jvm, "alter", "tools-refusals", "APPEND", "retention.ms", "5"),
              ["error InvalidConfigurationException"], "append to what is no list")
        equal(admin(self.broker, self.jvm, "alter", "tools-absent", "SET", "retention.ms", "5"),
              ["error UnknownTopicOrPartitionException"], "a topic that is not there")
        text = self.tool("configs", "--describe", "--topic", "tools-refusals").out
        equal(re.findall(r"^  ([\w.]+=\S*) ", text, re.M), ["retention.ms=5000000"], "configs after refusals")

    def config_effect(self):
        create(self.broker, self.jvm, "tools-effect", 1, max_message_bytes=2000)
        self.produce("tools-effect", b"small\n")
        result = self.jvm.call("org.apache.kafka.tools.ConsoleProducer", "--bootstrap-server", self.address, "--topic",
                               "tools-effect", stdin=b"x" * 3000 + b"\n")
        check("RecordTooLargeException" in result.err + result.out, f"a record of 3,000 bytes: {result}")
        equal(admin(self.broker, self.jvm, "alter", "tools-effect", "SET", "max.message.bytes", "9000"), ["done"], "alter")
        until(lambda: admin(self.broker, self.jvm, "config", "tools-effect", "max.message.bytes")[0].startswith("9000 "),
              "the new limit")
        self.produce("tools-effect", b"x" * 3000 + b"\n")
        until(lambda: self.tool("get-offsets", "--topic", "tools-effect").lines == ["tools-effect:0:2"], "both stored")

    def offsets(self):
        create(self.broker, self.jvm, "tools-offsets", 2)
        lines = "".join(f"0\t{1000 + n * 10}\t~\t{n:02x}\t\n" for n in [0, 1, 9, 3, 4]).encode()
        self.jvm.run("Exchange", "write", self.address, "tools-offsets", stdin=lines)
        for when, expected in [("-1", ["0:5", "1:0"]), ("-2", ["0:0", "1:0"]), ("latest", ["0:5", "1:0"]),
                               ("earliest", ["0:0", "1:0"]), ("max-timestamp", ["0:2", "1:-1"]), ("-3", ["0:2", "1:-1"]),
                               ("1005", ["0:1", "1:-1"]), ("1010", ["0:1", "1:-1"]), ("1025", ["0:2", "1:-1"]),
                               ("1091", ["0:-1", "1:-1"])]:
            # The tool leaves partitions without an offset out, or prints none behind the colon.
            lines = self.tool("get-offsets", "--topic", "tools-offsets", "--time", when).lines
            shown = {line.rsplit(":", 2)[1]: line.rsplit(":", 2)[2] or "-1" for line in lines}
            equal([f"{number}:{shown.get(number, '-1')}" for number in "01"], expected, f"--time {when}")
        equal(admin(self.broker, self.jvm, "offset", "tools-offsets", 0, "max-timestamp", "--",
                    "offset", "tools-offsets", 0, 1005), ["2 1090", "1 1010"], "offsets with timestamps")

    def console(self):
        create(self.broker, self.jvm, "tools-console", 3)
        sent = "".join(f"h1:v{n},h2:w\tkey{n}\tvalue{n}\n" for n in range(60)).encode()
        self.produce("tools-console", sent, "--reader-property", "parse.key=true", "--reader-property",
                     "parse.headers=true", "--compression-codec", "lz4")
        lines = self.tool("get-offsets", "--topic", "tools-console").lines
        counts = [int(line.rsplit(":", 1)[1]) for line in lines]
        equal(sum(counts), 60, "records stored")
        seen = []
        show = [word for name in ["print.key", "print.headers", "print.offset", "print.partition"]
                for word in ("--formatter-property", f"{name}=true")]
        for number, count in enumerate(counts):
            got = self.consume("tools-console", number, "earliest", count, *show).lines
            for offset, line in enumerate(got):
                match = re.fullmatch(r"Partition:(\d+)\tOffset:(\d+)\th1:v(\d+),h2:w\tkey(\d+)\tvalue(\d+)", line)
                check(match, line)
                equal((int(match[1]), int(match[2])), (number, offset), "place")
                check(match[3] == match[4] == match[5], line)
                seen.append(int(match[5]))
            if count > 2:
                tail = self.consume("tools-console", number, count - 2, 2).lines
                equal(tail, [line.rsplit("\t", 1)[1] for line in got[-2:]], "the last two by offset")
        equal(sorted(seen), list(range(60)), "records read")

    def console_live(self):
        create(self.broker, self.jvm, "tools-live")
        self.produce("tools-live", b"before\n")
        lines = self.consume("tools-live", 0, "earliest", 1).lines
        equal(lines, ["before"], "records before")
        result = self.jvm.call("org.apache.kafka.tools.consumer.ConsoleConsumer", "--bootstrap-server", self.address,
                               "--topic", "tools-live", "--partition", 0, "--offset", "latest", "--timeout-ms", 1500)
        equal(result.lines, [], "records after the end")

    def performance(self):
        create(self.broker, self.jvm, "tools-perf", 3)
        started = time.monotonic()
        properties = [f"bootstrap.servers={self.address}", "acks=all", "compression.type=lz4"]
        result = self.jvm.run("org.apache.kafka.tools.ProducerPerformance", "--topic", "tools-perf", "--num-records",
                              20000, "--record-size", 200, "--throughput", -1, "--producer-props", *properties)
        check(re.search(r"^20000 records sent, ", result.out, re.M), result.out + result.err)
        check(time.monotonic() - started < 60, "it took a minute")
        counts = [int(line.rsplit(":", 1)[1]) for line in self.tool("get-offsets", "--topic", "tools-perf").lines]
        equal(sum(counts), 20000, "records stored")

    def api_versions(self):
        text = self.tool("broker-api-versions").out
        shown = dict(re.findall(r"^\s+(\w+)\(\d+\): (\S+)", text, re.M))
        expected = {"Produce": "0", "Fetch": "4", "ListOffsets": "1", "Metadata": "0", "ApiVersions": "0",
                    "CreateTopics": "2", "DeleteTopics": "1", "InitProducerId": "0", "OffsetForLeaderEpoch": "2",
                    "DescribeConfigs": "1", "CreatePartitions": "0", "IncrementalAlterConfigs": "0",
                    "DescribeCluster": "0", "DescribeTopicPartitions": "0"}
        equal({name: shown.get(name, "").split("-")[0].split(",")[0] for name in expected}, expected, "least versions")
        check("UNKNOWN" not in text, text)

    def describe(self):
        create(self.broker, self.jvm, "tools-describe", 7)
        lines = admin(self.broker, self.jvm, "cluster", "--", "describe", "tools-describe", "--",
                      "validate", "tools-valid", 2, "--", "describe", "tools-valid", "--", "describe", "tools-absent")
        check(re.fullmatch(r"brokers 1 id \S+", lines[0]), lines[0])
        equal(lines[1:], ["tools-describe partitions 7 leaders 7", "partitions 2",
                          "error UnknownTopicOrPartitionException", "error UnknownTopicOrPartitionException"], "answers")

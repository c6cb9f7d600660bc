"""Kafka's tools for brokers and disks, and those that measure and verify: what operators and monitoring run."""

import json
import os
import re
import tempfile

from harness.report import check, equal, until
from harness.topics import admin, create


def run(report, broker, jvm):
    """Each scenario has topics of its own."""
    with tempfile.TemporaryDirectory() as folder:
        suite = BrokerTools(broker, jvm, folder)
        for name, action in [
            ("delete-records: up to an offset, up to the end, never beyond", suite.delete_records),
            ("log-dirs: sizes of the partitions in each directory", suite.log_dirs),
            ("cluster: id, endpoints, a broker that is not there", suite.cluster),
            ("features: what is supported and what is finalized", suite.features),
            ("features: levels that are not supported are refused", suite.feature_refusals),
            ("metadata-quorum: status and replication", suite.quorum),
            ("configs: a broker's own and the default of all, by their precedence", suite.broker_configs),
            ("configs: a broker's default takes effect on topics without their own", suite.broker_effect),
            ("configs: a broker's wrong, unknown and read-only keys are refused", suite.broker_refusals),
            ("configs: every key of a broker with its source", suite.broker_all),
            ("transactions: describe-producers tells of an idempotent producer", suite.producers),
            ("consumer-perf-test: 20,000 records as a group", suite.consumer_performance),
            ("verifiable producer and consumer: every record acknowledged and consumed", suite.verifiable),
            ("verifiable consumer: goes on where the group stopped", suite.verifiable_again),
            ("e2e latency: 300 records there and back", suite.latency),
        ]:
            report.scenario(f"broker tools: {name}", action)


class BrokerTools:
    """The scenarios."""

    def __init__(self, broker, jvm, folder):
        self.broker = broker
        self.address = broker.address
        self.jvm = jvm
        self.folder = folder
        self.id = None

    def tool(self, name, *arguments, stdin=b""):
        """Runs a tool."""
        return self.jvm.tool(name, self.address, *arguments, stdin=stdin)

    def refused(self, name, text, *arguments):
        """Runs a tool that must fail."""
        self.jvm.refused(name, self.address, text, *arguments)

    def produce(self, topic, count):
        """Writes numbered lines."""
        self.tool("console-producer", "--topic", topic, stdin=b"".join(b"%d\n" % number for number in range(count)))

    def offsets(self, topic, when):
        """The offsets of a topic's partitions."""
        lines = self.tool("get-offsets", "--topic", topic, "--time", when).lines
        return [int(line.rsplit(":", 1)[1]) for line in lines]

    def broker_id(self):
        """The id of the one broker."""
        if self.id is None:
            out = self.tool("broker-api-versions").out
            self.id = re.search(r"\(id: (\d+) ", out)[1]
        return self.id

    def delete_records(self):
        topic = "broker-tools-delete"
        create(self.broker, self.jvm, topic)
        self.produce(topic, 50)
        path = os.path.join(self.folder, "delete.json")

        def delete(offset):
            with open(path, "w", encoding="ascii") as file:
                json.dump({"partitions": [{"topic": topic, "partition": 0, "offset": offset}], "version": 1}, file)
            return self.tool("delete-records", "--offset-json-file", path).out
        for offset, mark in [(20, 20), (10, 20)]:
            check(f"low_watermark: {mark}" in delete(offset), f"delete up to {offset}")
            equal((self.offsets(topic, "earliest"), self.offsets(topic, "latest")), ([20], [50]), "offsets")
        lines = self.tool("console-consumer", "--topic", topic, "--partition", 0, "--offset", "earliest",
                          "--max-messages", 3, "--timeout-ms", 15000).lines
        equal(lines, ["20", "21", "22"], "the first records that are left")
        out = delete(51)
        check("error:" in out and "range" in out, f"beyond the end: {out}")
        check("low_watermark: 50" in delete(-1), "delete up to the end")
        equal((self.offsets(topic, "earliest"), self.offsets(topic, "latest")), ([50], [50]), "an empty log's offsets")
        self.produce(topic, 1)
        equal(self.offsets(topic, "latest"), [51], "the next offset")

    def log_dirs(self):
        create(self.broker, self.jvm, "broker-tools-dirs", 3)
        create(self.broker, self.jvm, "broker-tools-empty", 1)
        self.produce("broker-tools-dirs", 1000)

        def described(*arguments):
            (line,) = [line for line in self.tool("log-dirs", "--describe", *arguments).lines if line.startswith("{")]
            return json.loads(line)["brokers"]
        (found,) = described("--topic-list", "broker-tools-dirs,broker-tools-empty", "--broker-list", self.broker_id())
        equal(str(found["broker"]), self.broker_id(), "broker")
        (directory,) = found["logDirs"]
        if self.broker.name != "running":
            equal(directory["logDir"], self.broker.data, "folder")
        check(not directory["error"], f"error {directory['error']}")
        sizes = {part["partition"]: part["size"] for part in directory["partitions"]}
        equal(sorted(sizes), [*(f"broker-tools-dirs-{number}" for number in range(3)), "broker-tools-empty-0"],
              "partitions")
        written = sum(sizes.values())
        check(2000 < written < 100_000, f"{written} bytes of 1,000 records")
        equal(sizes["broker-tools-empty-0"], 0, "size of an empty partition")
        for part in directory["partitions"]:
            equal((part["offsetLag"], part["isFuture"]), (0, False), part["partition"])
        (found,) = described()
        check(len(found["logDirs"][0]["partitions"]) > 4, f"all partitions: {found}")

    def cluster(self):
        def run(command, *arguments):
            return self.jvm.call("org.apache.kafka.tools.ClusterTool", command, "--bootstrap-server", self.address,
                                 *arguments)
        told = run("cluster-id").out.strip()
        (known,) = admin(self.broker, self.jvm, "cluster")
        equal(told, f"Cluster ID: {known.rsplit(' ', 1)[1]}", "cluster id")
        rows = [line.split() for line in run("list-endpoints").lines]
        equal([row[0] for row in rows], ["ID", self.broker_id()], "endpoints")
        if self.broker.name != "running":
            equal(rows[1][1:3], self.broker.advertised.split(":"), "host and port")
        result = run("unregister", "--id", "77")
        check(result.code != 0 and "registered" in result.out + result.err, f"a broker that is not there: {result}")

    def features(self):
        out = self.tool("features", "describe").out
        rows = {row[0]: row[1:] for row in re.findall(
            r"Feature: (\S+)\s+SupportedMinVersion: (\S+)\s+SupportedMaxVersion: (\S+)\s+"
            r"FinalizedVersionLevel: (\S+)\s", out)}
        check("metadata.version" in rows, out)
        least, most, level = rows["metadata.version"]
        check(re.fullmatch(r"\d\.\d-IV\d+", level) and least <= level <= most, f"metadata.version {rows}")
        for name, (least, most, level) in rows.items():
            check("metadata" in name or int(least) <= int(level) <= int(most), f"{name}: {least} {level} {most}")

    def feature_refusals(self):
        for feature, text in [("metadata.version=900", "metadata.version"), ("no.such.feature=1", "no.such.feature"),
                              ("group.version=77", "group.version")]:
            result = self.jvm.call("org.apache.kafka.tools.FeatureCommand", "--bootstrap-server", self.address,
                                   "upgrade", "--feature", feature)
            said = result.out + result.err
            check(result.code != 0 and text in said and "Exception" not in said, f"{feature}: {result}")
        before = self.tool("features", "describe").out
        result = self.jvm.call("org.apache.kafka.tools.FeatureCommand", "--bootstrap-server", self.address, "downgrade",
                               "--feature", "metadata.version=1")
        check(result.code != 0, f"a downgrade below what is supported: {result}")
        equal(re.sub(r"Epoch: \d+", "", self.tool("features", "describe").out), re.sub(r"Epoch: \d+", "", before),
              "features after refusals")

    def quorum(self):
        status = dict(re.findall(r"^(\w+):\s+(.+)$", self.tool("metadata-quorum", "describe", "--status").out, re.M))
        (known,) = admin(self.broker, self.jvm, "cluster")
        equal(status["ClusterId"], known.rsplit(" ", 1)[1], "cluster id")
        equal(status["LeaderId"], self.broker_id(), "leader")
        check(int(status["LeaderEpoch"]) > 0 and int(status["HighWatermark"]) > 0, f"status {status}")
        equal(int(status["MaxFollowerLag"]), 0, "lag of a quorum of one")
        check(re.search(rf"\b{self.broker_id()}\b", status["CurrentVoters"]), f"voters {status['CurrentVoters']}")
        lines = self.tool("metadata-quorum", "describe", "--replication").lines
        rows = [dict(zip(lines[0].split(), line.split())) for line in lines[1:]]
        equal([(row["NodeId"], row["Lag"], row["Status"]) for row in rows], [(self.broker_id(), "0", "Leader")],
              "replication")
        check(int(rows[0]["LogEndOffset"]) >= int(status["HighWatermark"]), f"log end offset {rows[0]}")

    def configs(self, *arguments, entity=None):
        """Runs configs for a broker, or for the default of all with the entity "default"."""
        which = ["--entity-default"] if entity == "default" else ["--entity-name", entity or self.broker_id()]
        return self.tool("configs", "--entity-type", "brokers", *which, *arguments)

    def key(self, name, *arguments):
        """A key of the broker: its value and its synonyms in their order."""
        def shown():
            return re.search(rf"^  {re.escape(name)}=(\S*) sensitive=\w+ synonyms={{(.*)}}",
                             self.configs("--describe", "--all", *arguments).out, re.M)
        found = shown()
        check(found, f"{name} is not described")
        return found[1], [synonym.split(":")[0] for synonym in found[2].split(", ")]

    def broker_configs(self):
        name = "log.retention.ms"
        before = self.key(name)
        check("DYNAMIC" not in before[1][0], f"before: {before}")
        try:
            self.configs("--alter", "--add-config", f"{name}=111000000", entity="default")
            until(lambda: self.key(name)[0] == "111000000", "the default of all brokers")
            equal(self.key(name)[1][0], "DYNAMIC_DEFAULT_BROKER_CONFIG", "source")
            self.configs("--alter", "--add-config", f"{name}=222000000")
            until(lambda: self.key(name)[0] == "222000000", "the broker's own before the default of all")
            equal(self.key(name)[1][:2], ["DYNAMIC_BROKER_CONFIG", "DYNAMIC_DEFAULT_BROKER_CONFIG"], "synonyms")
            text = self.configs("--describe").out
            check(f"{name}=222000000" in text, f"the broker's own: {text}")
            text = self.configs("--describe", entity="default").out
            check(f"{name}=111000000" in text, f"the default's own: {text}")
        finally:
            self.configs("--alter", "--delete-config", name)
            until(lambda: self.key(name)[0] != "222000000", "the broker's own is gone")
            self.configs("--alter", "--delete-config", name, entity="default")
        until(lambda: self.key(name) == before, f"{before} again")

    def broker_effect(self):
        topic = "broker-tools-effect"
        create(self.broker, self.jvm, topic)

        def value():
            return admin(self.broker, self.jvm, "config", topic, "max.message.bytes")
        try:
            self.configs("--alter", "--add-config", "message.max.bytes=3000", entity="default")
            until(lambda: value() == ["3000 DYNAMIC_DEFAULT_BROKER_CONFIG"], "the topic has the brokers' value")
            result = self.jvm.call("org.apache.kafka.tools.ConsoleProducer", "--bootstrap-server", self.address,
                                   "--topic", topic, stdin=b"x" * 4000 + b"\n")
            check("RecordTooLargeException" in result.err + result.out, f"a record of 4,000 bytes: {result}")
            equal(admin(self.broker, self.jvm, "alter", topic, "SET", "max.message.bytes", "9000"), ["done"], "alter")
            until(lambda: value() == ["9000 DYNAMIC_TOPIC_CONFIG"], "the topic's own comes first")
            self.tool("console-producer", "--topic", topic, stdin=b"x" * 4000 + b"\n")
            equal(self.offsets(topic, "latest"), [1], "records stored")
        finally:
            self.configs("--alter", "--delete-config", "message.max.bytes", entity="default")
        equal(admin(self.broker, self.jvm, "alter", topic, "DELETE", "max.message.bytes", ""), ["done"], "alter")
        until(lambda: value() == ["1048588 DEFAULT_CONFIG"], "the default again")

    def broker_refusals(self):
        for pair, text in [("log.retention.ms=soon", "ConfigException"), ("node.id=7", "InvalidRequestException"),
                           ("num.io.threads=0", "at least 1"), ("log.cleaner.backoff.ms=-5", "at least 0")]:
            result = self.jvm.call("kafka.admin.ConfigCommand", "--bootstrap-server", self.address, "--entity-type",
                                   "brokers", "--entity-name", self.broker_id(), "--alter", "--add-config", pair)
            said = result.out + result.err
            check(result.code != 0 and re.search("Invalid|Exception|at least", said), f"{pair} ({text}): {result}")
        text = self.configs("--describe").out
        equal(re.findall(r"^  ([\w.]+=\S*) ", text, re.M), [], "configs after refusals")

    def broker_all(self):
        found = {match[1]: match[2] for match in re.finditer(r"^  ([\w.]+)=(.*?) sensitive=",
                                                             self.configs("--describe", "--all").out, re.M)}
        expected = {"node.id": self.broker_id(), "log.segment.bytes": "1073741824", "num.partitions": "1",
                    "auto.create.topics.enable": "true", "offsets.topic.num.partitions": "50",
                    "group.max.session.timeout.ms": "1800000", "message.max.bytes": "1048588",
                    "log.retention.hours": "168"}
        equal({key: found.get(key) for key in expected}, expected, "values")
        check(len(found) >= 100, f"only {len(found)} keys")

    def producers(self):
        topic = "broker-tools-producers"
        create(self.broker, self.jvm, topic)
        self.produce(topic, 25)
        lines = self.tool("transactions", "describe-producers", "--topic", topic, "--partition", 0).lines
        rows = [dict(zip(lines[0].split(), line.split())) for line in lines[1:]]
        equal([(row["ProducerEpoch"], row["LastSequence"], row["CurrentTransactionStartOffset"]) for row in rows],
              [("0", "24", "None")], "producers")
        check(int(rows[0]["ProducerId"]) >= 0 and int(rows[0]["LastTimestamp"]) > 0, f"{rows}")

    def consumer_performance(self):
        topic = "broker-tools-perf"
        create(self.broker, self.jvm, topic, 3)
        properties = [f"bootstrap.servers={self.address}", "compression.type=zstd"]
        self.jvm.run("org.apache.kafka.tools.ProducerPerformance", "--topic", topic, "--num-records", 20000,
                     "--record-size", 200, "--throughput", -1, "--producer-props", *properties)
        result = self.tool("consumer-perf-test", "--topic", topic, "--messages", 20000, "--group", "broker-tools-perf",
                           "--timeout", 30000)
        line = next(line for line in result.lines if re.match(r"\d{4}-", line))
        fields = [field.strip() for field in line.split(",")]
        equal(int(fields[4]), 20000, f"records consumed: {line}")
        equal(float(fields[2]), 3.8147, "megabytes consumed")

    def verifiable(self):
        topic = "broker-tools-verifiable"
        create(self.broker, self.jvm, topic, 3)
        self.write_verifiable(topic, 1500)
        events = self.read_verifiable(topic, topic, 1500)
        equal(sum(event["count"] for event in events if event["name"] == "records_consumed"), 1500, "records consumed")
        (given,) = [event["partitions"] for event in events if event["name"] == "partitions_assigned"]
        equal(sorted(part["partition"] for part in given), [0, 1, 2], "partitions")
        check(all(event["success"] for event in events if event["name"] == "offsets_committed"), f"{events}")
        last = {offset["partition"]: offset["offset"] for event in events if event["name"] == "offsets_committed"
                for offset in event["offsets"]}
        check(all(last.values()), f"partitions without records: {last}")
        equal(last, dict(enumerate(self.offsets(topic, "latest"))), "committed")

    def write_verifiable(self, topic, count):
        """Runs the verifiable producer and demands an acknowledgement of each record."""
        result = self.jvm.alone("org.apache.kafka.tools.VerifiableProducer", "--bootstrap-server", self.address,
                                "--topic", topic, "--max-messages", count, "--throughput", -1, "--acks", -1,
                                "--repeating-keys", 50)
        events = [json.loads(line) for line in result.lines]
        values = {event["value"] for event in events if event["name"] == "producer_send_success"}
        equal(values, {str(number) for number in range(count)}, "acknowledged")
        (told,) = [event for event in events if event["name"] == "tool_data"]
        equal((told["sent"], told["acked"]), (count, count), "sent and acknowledged")

    def read_verifiable(self, topic, group, count):
        """Runs the verifiable consumer and returns its events."""
        result = self.jvm.alone("org.apache.kafka.tools.VerifiableConsumer", "--bootstrap-server", self.address,
                                "--topic", topic, "--group-id", group, "--max-messages", count, "--reset-policy",
                                "earliest")
        return [json.loads(line) for line in result.lines]

    def verifiable_again(self):
        topic = "broker-tools-again"
        create(self.broker, self.jvm, topic, 2)
        self.write_verifiable(topic, 900)
        seen = []
        for count in [350, 550]:
            for event in self.read_verifiable(topic, topic, count):
                if event["name"] == "records_consumed":
                    seen += [(part["partition"], offset) for part in event["partitions"]
                             for offset in range(part["minOffset"], part["maxOffset"] + 1)]
        ends = self.offsets(topic, "latest")
        equal(sorted(seen), [(number, offset) for number, end in enumerate(ends) for offset in range(end)],
              "every record once")

    def latency(self):
        create(self.broker, self.jvm, "broker-tools-latency")
        result = self.jvm.run("org.apache.kafka.tools.EndToEndLatency", "--bootstrap-server", self.address, "--topic",
                              "broker-tools-latency", "--num-records", 300, "--producer-acks", "all",
                              "--record-size", 100)
        found = re.search(r"Percentiles: 50th = (\d+), 99th = (\d+)", result.out)
        check(found, result.out)
        check(int(found[1]) < 50, f"median of {found[1]} ms")

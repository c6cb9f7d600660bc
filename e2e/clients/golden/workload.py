"""What the clients do while their bytes are recorded: each API that a broker serves, small.

A step that a lowered version does not allow is skipped by its client; that is printed and not an error."""

import json
import tempfile
import time

from confluent_kafka import ConsumerGroupTopicPartitions, ElectionType, TopicPartition
from confluent_kafka.admin import (AdminClient, AlterConfigOpType, ConfigEntry, ConfigResource, NewPartitions, NewTopic,
                                   OffsetSpec, ResourceType)

from harness import librdkafka as client
from harness import records
from harness.jvm import TOOLS

# Tools that take the broker's address behind what they do.
SUBCOMMANDS = {"cluster"}
CODECS = ["none", "gzip", "snappy", "lz4", "zstd"]


def java(address, jvm, step):
    """The Java producer, consumer and admin client; gives what failed."""
    topic = f"java-{step}"
    sent = records.to_lines(records.make(topic, 6, 1))
    hurry = ["delivery.timeout.ms=6000", "request.timeout.ms=3000"]
    calls = [
        ("Topics", [address, "create", topic, 1, "retention.ms=3600000"]),
        ("Topics", [address, "validate", f"{topic}-validated", 2]),
        ("Topics", [address, "create", topic, 1]),
        ("Exchange", ["write", address, topic, f"compression.type={CODECS[step % 5]}", "linger.ms=20", *hurry]),
        ("Exchange", ["write", address, topic, "enable.idempotence=false", "acks=1", "linger.ms=20", *hurry]),
        ("Topics", [address, "partitions", topic, 2]),
        ("Topics", [address, "describe", topic, "--", "cluster", "--", "config", topic, "retention.ms"]),
        ("Topics", [address, "alter", topic, "SET", "retention.ms", "100000", "--",
                    "alter", topic, "DELETE", "retention.ms", "", "--", "alter", topic, "SET", "retention.ms", "x"]),
        ("Topics", [address, "offset", topic, 0, "earliest"]),
        ("Topics", [address, "offset", topic, 0, "max-timestamp"]),
        ("Exchange", ["read", address, topic, "beginning"]),
        ("Exchange", ["read", address, topic, "beginning", "isolation.level=read_committed"]),
        ("Exchange", ["times", address, topic, 0, records.BASE_TIMESTAMP + 1500]),
        ("Exchange", ["position", address, topic, 0, 3, 0, "max.poll.records=1"]),
        *administration(address, topic),
        *group(address, topic),
        ("Topics", [address, "delete", topic, "--", "delete", f"{topic}-absent"]),
    ]
    for class_name, arguments in calls:
        result = jvm.call(class_name, *arguments, stdin=sent)
        if result.code or "error Unsupported" in result.out:
            yield " ".join(map(str, arguments)), (result.out + result.err).strip().splitlines()[-1:]


def administration(address, topic):
    """Kafka's tools, as operators use them."""
    server = ["--bootstrap-server", address]
    return [(TOOLS[name], [*(arguments[:1] if name in SUBCOMMANDS else []), *server,
                           *(arguments[1:] if name in SUBCOMMANDS else arguments)]) for name, arguments in [
        ("topics", ["--describe", "--topic", topic]),
        ("configs", ["--describe", "--entity-type", "topics"]),
        ("log-dirs", ["--describe"]),
        ("delete-records", ["--offset-json-file", file_with({"version": 1, "partitions": [
            {"topic": topic, "partition": 0, "offset": 1}, {"topic": topic, "partition": 9, "offset": 1}]})]),
        ("features", ["upgrade", "--feature", "eligible.leader.replicas.version=1"]),
        ("metadata-quorum", ["describe", "--status"]),
        ("cluster", ["unregister", "--id", 99]),
        ("transactions", ["describe-producers", "--topic", topic, "--partition", 0]),
        ("leader-election", ["--election-type", "preferred", "--topic", topic, "--partition", 0]),
        ("reassign-partitions", ["--execute", "--reassignment-json-file", file_with({"version": 1, "partitions": [
            {"topic": topic, "partition": 0, "replicas": [1], "log_dirs": ["/nowhere"]}]})]),
    ]]


def group(address, topic):
    """A consumer group, from its first member to its end."""
    server = ["--bootstrap-server", address]
    of_group = [*server, "--group", topic]
    return [
        (TOOLS["console-consumer"], [*of_group, "--topic", topic, "--from-beginning", "--max-messages", 4,
                                     "--timeout-ms", 15000, "--command-property", "group.instance.id=static",
                                     "--command-property", "heartbeat.interval.ms=50"]),
        *[(TOOLS["consumer-groups"], arguments) for arguments in [
            [*server, "--list", "--state"],
            [*of_group, "--describe"],
            [*of_group, "--describe", "--members", "--verbose"],
            [*of_group, "--reset-offsets", "--to-offset", 2, "--topic", topic, "--execute"],
            [*of_group, "--delete-offsets", "--topic", topic],
            [*of_group, "--delete"]]],
    ]


def file_with(content):
    """The name of a new file with this as JSON; the run's folder of temporary files goes with the run."""
    with tempfile.NamedTemporaryFile("w", suffix=".json", delete=False) as file:
        json.dump(content, file)
    return file.name


def librdkafka(address, _jvm, step):
    """confluent-kafka's producer, consumer and admin client; gives what failed."""
    topic = f"librdkafka-{step}"
    admin = AdminClient({"bootstrap.servers": address})
    sent = records.make(topic, 6, 1)
    resource = ConfigResource(ResourceType.TOPIC, topic, incremental_configs=[
        ConfigEntry("retention.ms", "100000", incremental_operation=AlterConfigOpType.SET)])
    calls = [
        ("create", lambda: futures(admin.create_topics([NewTopic(topic, 1, 1, config={"retention.ms": "3600000"})]))),
        ("write", lambda: client.write(address, topic, sent, compression_type=CODECS[step % 5], linger_ms=20)),
        ("write idempotently", lambda: client.write(address, topic, sent, enable_idempotence=True, linger_ms=20)),
        ("partitions", lambda: futures(admin.create_partitions([NewPartitions(topic, 2)]))),
        ("describe configs", lambda: futures(admin.describe_configs([ConfigResource(ResourceType.TOPIC, topic)]))),
        ("alter configs", lambda: futures(admin.incremental_alter_configs([resource]))),
        ("describe cluster", lambda: admin.describe_cluster().result(20)),
        ("offsets", lambda: futures(admin.list_offsets({TopicPartition(topic, 0): OffsetSpec.max_timestamp()}))),
        ("read", lambda: client.read(address, topic)),
        ("read committed", lambda: client.read(address, topic, isolation_level="read_committed")),
        ("read from a time", lambda: client.read(address, topic, start_time=records.BASE_TIMESTAMP + 1500)),
        ("validate an epoch", lambda: read_with_epoch(address, topic)),
        ("replace configs", lambda: futures(admin.alter_configs([ConfigResource(
            ResourceType.TOPIC, topic, set_config={"retention.ms": "200000"})]))),
        ("consume as a group", lambda: consume_as_group(address, topic)),
        ("list groups", lambda: admin.list_consumer_groups().result(20)),
        ("describe groups", lambda: futures(admin.describe_consumer_groups([topic]))),
        ("offsets of a group", lambda: futures(admin.list_consumer_group_offsets(
            [ConsumerGroupTopicPartitions(topic, [TopicPartition(topic, 0)])]))),
        ("set offsets of a group", lambda: futures(admin.alter_consumer_group_offsets(
            [ConsumerGroupTopicPartitions(topic, [TopicPartition(topic, 0, 2)])]))),
        ("elect", lambda: admin.elect_leaders(ElectionType.PREFERRED, [TopicPartition(topic, 0)]).result(20)),
        ("delete a group", lambda: futures(admin.delete_consumer_groups([topic]))),
        ("delete records", lambda: futures(admin.delete_records([TopicPartition(topic, 0, 1)]))),
        ("delete", lambda: futures(admin.delete_topics([topic]))),
    ]
    for name, call in calls:
        try:
            call()
        except Exception as error:  # a step that fails is a line, the others are recorded all the same
            yield name, error


def futures(pending):
    """Waits for the answers of an admin call."""
    for future in pending.values():
        future.result(20)


def consume_as_group(address, topic):
    """A member that joins, reads, commits and leaves."""
    consumer = client.consumer(address, group_id=topic, auto_offset_reset="earliest", heartbeat_interval_ms=50)
    try:
        consumer.subscribe([topic])
        deadline = time.monotonic() + 15
        while not consumer.poll(0.2) and time.monotonic() < deadline:
            pass
        time.sleep(0.2)
        consumer.commit(offsets=[TopicPartition(topic, 0, 1, metadata="noted")], asynchronous=False)
        consumer.committed([TopicPartition(topic, 0)], timeout=10)
    finally:
        consumer.close()


def read_with_epoch(address, topic):
    """A position with a leader epoch, which the client validates with OffsetForLeaderEpoch."""
    consumer = client.consumer(address)
    try:
        consumer.assign([TopicPartition(topic, 0, 2, leader_epoch=0)])
        consumer.poll(5)
    finally:
        consumer.close()

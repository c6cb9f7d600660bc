"""What the clients do while their bytes are recorded: each API that a broker serves, small.

A step that a lowered version does not allow is skipped by its client; that is printed and not an error."""

from confluent_kafka import TopicPartition
from confluent_kafka.admin import (AdminClient, AlterConfigOpType, ConfigEntry, ConfigResource, NewPartitions, NewTopic,
                                   OffsetSpec, ResourceType)

from harness import librdkafka as client
from harness import records

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
        ("Topics", [address, "delete", topic, "--", "delete", f"{topic}-absent"]),
    ]
    for class_name, arguments in calls:
        result = jvm.call(class_name, *arguments, stdin=sent)
        if result.code or "error Unsupported" in result.out:
            yield " ".join(map(str, arguments)), (result.out + result.err).strip().splitlines()[-1:]


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


def read_with_epoch(address, topic):
    """A position with a leader epoch, which the client validates with OffsetForLeaderEpoch."""
    consumer = client.consumer(address)
    try:
        consumer.assign([TopicPartition(topic, 0, 2, leader_epoch=0)])
        consumer.poll(5)
    finally:
        consumer.close()

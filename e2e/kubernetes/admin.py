"""admin.py BOOTSTRAP COMMAND...: what a broker says of its topics, by a client of Kafka's protocol.

partitions TOPIC | ends TOPIC | produce TOPIC COUNT | create TOPIC PARTITIONS | delete TOPIC | config TOPIC KEY | alter TOPIC KEY VALUE | broker KEY
"""

import sys

from confluent_kafka import Producer, TopicPartition
from confluent_kafka.admin import (
    AdminClient, AlterConfigOpType, ConfigEntry, ConfigResource, NewTopic, OffsetSpec, ResourceType)

SECONDS = 20


def main():
    """Runs one command and prints its answer."""
    bootstrap, command, *rest = sys.argv[1:]
    # Nobody answers at the address of a pod that is gone: the next attempt asks for the name anew.
    admin = AdminClient({
        "bootstrap.servers": bootstrap, "socket.timeout.ms": 10000, "socket.connection.setup.timeout.ms": 2000})
    print(produce(bootstrap, *rest) if command == "produce" else COMMANDS[command](admin, *rest))


def partitions(admin, topic):
    topics = admin.list_topics(timeout=SECONDS).topics
    return len(topics[topic].partitions) if topic in topics else "none"


def ends(admin, topic):
    places = {TopicPartition(topic, number): OffsetSpec.latest() for number in range(int(partitions(admin, topic)))}
    return sum(future.result(SECONDS).offset for future in admin.list_offsets(places).values())


def produce(bootstrap, topic, count):
    """Gives how many records were acknowledged."""
    acked = []
    producer = Producer({"bootstrap.servers": bootstrap, "enable.idempotence": True})
    for number in range(int(count)):
        producer.produce(topic, str(number).encode(), on_delivery=lambda error, _: error or acked.append(1))
    producer.flush(SECONDS)
    return len(acked)


def create(admin, topic, count):
    admin.create_topics([NewTopic(topic, int(count), 1)])[topic].result(SECONDS)
    return "created"


def delete(admin, topic):
    admin.delete_topics([topic])[topic].result(SECONDS)
    return "deleted"


def config(admin, topic, key):
    return described(admin, ConfigResource(ResourceType.TOPIC, topic), key)


def broker(admin, key):
    return described(admin, ConfigResource(ResourceType.BROKER, "0"), key)


def described(admin, resource, key):
    return admin.describe_configs([resource])[resource].result(SECONDS)[key].value


def alter(admin, topic, key, value):
    entry = ConfigEntry(key, value, incremental_operation=AlterConfigOpType.SET)
    resource = ConfigResource(ResourceType.TOPIC, topic, incremental_configs=[entry])
    admin.incremental_alter_configs([resource])[resource].result(SECONDS)
    return "altered"


COMMANDS = {name.__name__: name for name in [partitions, ends, create, delete, config, broker, alter]}
main()

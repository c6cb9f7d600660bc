"""librdkafka through confluent-kafka: the same programs as java/Exchange.java."""

import time

from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, KafkaException, Producer, TopicPartition

from harness.records import Record, Stored
from harness.report import Failure

DEADLINE_SECONDS = 60


def write(broker, topic, records, **settings):
    """Writes records and returns where each was stored, (partition, offset), in the order sent."""
    producer = Producer({"bootstrap.servers": broker, **_dotted(settings)})
    places = [None] * len(records)

    def delivered(index, error, message):
        places[index] = error or (message.partition(), message.offset())

    for index, record in enumerate(records):
        producer.produce(topic, partition=record.partition, key=record.key, value=record.value,
                         timestamp=record.timestamp, headers=list(record.headers),
                         on_delivery=lambda error, message, at=index: delivered(at, error, message))
        producer.poll(0)
    left = producer.flush(DEADLINE_SECONDS)
    if left:
        raise Failure(f"{left} of {len(records)} records were not delivered")
    for place in places:
        if isinstance(place, KafkaError):
            raise Failure(f"delivery failed: {place}")
    return places


def consumer(broker, **settings):
    """A consumer that only assigns; the group's name is never used with a coordinator."""
    return Consumer({"bootstrap.servers": broker, "group.id": "unused", "enable.auto.commit": False,
                     "auto.offset.reset": "error", **_dotted(settings)})


def partitions(client, topic):
    """The partitions of a topic by its metadata."""
    found = client.list_topics(topic, timeout=DEADLINE_SECONDS).topics[topic]
    if found.error:
        raise KafkaException(found.error)
    return sorted(found.partitions)


def read(broker, topic, start_time=None, **settings):
    """Reads every partition to the end that it had at the start; from its beginning, or from a time."""
    client = consumer(broker, **settings)
    try:
        numbers = partitions(client, topic)
        ends = {number: client.get_watermark_offsets(TopicPartition(topic, number), timeout=DEADLINE_SECONDS)
                for number in numbers}
        starts = [TopicPartition(topic, number, OFFSET_BEGINNING) for number in numbers]
        if start_time is not None:
            starts = client.offsets_for_times([TopicPartition(topic, number, start_time) for number in numbers],
                                              timeout=DEADLINE_SECONDS)
        missing = sum(ends[at.partition][1] - (at.offset if at.offset >= 0 else
                                              ends[at.partition][1] if start_time is not None else
                                              ends[at.partition][0]) for at in starts)
        client.assign([at for at in starts if at.offset >= 0 or start_time is None])
        return _take(client, missing)
    finally:
        client.close()


def _take(client, count):
    stored = []
    deadline = time.monotonic() + DEADLINE_SECONDS
    while len(stored) < count:
        if time.monotonic() > deadline:
            raise Failure(f"only {len(stored)} of {count} records came")
        for message in client.consume(min(500, count - len(stored)), timeout=1):
            if message.error():
                raise Failure(f"consume: {message.error()}")
            headers = tuple((name, value) for name, value in message.headers() or ())
            stored.append(Stored(message.offset(), Record(message.partition(), message.timestamp()[1], message.key(),
                                                          message.value(), headers)))
    return stored


def _dotted(settings):
    return {name.replace("_", "."): value for name, value in settings.items()}

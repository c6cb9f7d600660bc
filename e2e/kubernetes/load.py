"""load.py BOOTSTRAP TOPIC: produces numbered records until standard input ends, then reads all of them back.

Prints one JSON object: how many were acknowledged, missing, and doubled, the longest time without an
acknowledgement, and when that ended. Runs by itself, beside the pods.
"""

import json
import sys
import threading
import time

from confluent_kafka import Consumer, Producer, TopicPartition


def main():
    """Produces while whoever started this plays, and counts what is there when told to stop."""
    bootstrap, topic = sys.argv[1:3]
    stop = threading.Event()
    threading.Thread(target=lambda: (sys.stdin.read(), stop.set()), daemon=True).start()
    acked, gap, last, resumed = [], 0.0, None, None

    def delivered(error, message):
        nonlocal gap, last, resumed
        if error is None:
            now = time.monotonic()
            if now - (last or now) > gap:
                gap, resumed = now - last, time.time()
            last = now
            acked.append(int(message.value()))

    starts = ends(bootstrap, topic)
    # A new pod has a new address, and nobody answers at the old one: without the setup timeout librdkafka waits 30 s.
    # When all brokers that it knows are gone it starts from the bootstrap address, and asks for metadata at the
    # refresh interval alone.
    producer = Producer({
        "socket.connection.setup.timeout.ms": 2000,
        "bootstrap.servers": bootstrap, "enable.idempotence": True, "linger.ms": 2, "message.timeout.ms": 120000,
        "reconnect.backoff.max.ms": 200, "retry.backoff.ms": 50, "topic.metadata.refresh.interval.ms": 250})
    number = 0
    print("started", flush=True)
    while not stop.is_set():
        producer.produce(topic, str(number).encode(), on_delivery=delivered)
        number += 1
        producer.poll(0.005)
    unsent = producer.flush(60)
    seen = read(bootstrap, topic, starts)
    print(json.dumps({
        "produced": number, "acknowledged": len(acked), "unsent": unsent,
        "missing": len(set(acked) - seen.keys()), "doubled": sum(1 for count in seen.values() if count > 1),
        "longest_gap": round(gap, 3), "resumed_at": resumed}), flush=True)


def consume(bootstrap):
    return Consumer({"bootstrap.servers": bootstrap, "group.id": "none", "enable.auto.commit": False})


def ends(bootstrap, topic):
    """The next offset of each partition: what others produced before is not looked at."""
    consumer = consume(bootstrap)
    partitions = consumer.list_topics(topic, 30).topics[topic].partitions
    found = {number: consumer.get_watermark_offsets(TopicPartition(topic, number), 30)[1] for number in partitions}
    consumer.close()
    return found


def read(bootstrap, topic, starts):
    """Every record's number with how often it is there, from the offsets `starts` on."""
    consumer = consume(bootstrap)
    seen = {}
    for partition, low in starts.items():
        high = consumer.get_watermark_offsets(TopicPartition(topic, partition), 30)[1]
        consumer.assign([TopicPartition(topic, partition, low)])
        deadline = time.monotonic() + 60
        while low < high and time.monotonic() < deadline:
            message = consumer.poll(1)
            if message is not None and not message.error():
                low = message.offset() + 1
                value = int(message.value())
                seen[value] = seen.get(value, 0) + 1
        consumer.unassign()
    consumer.close()
    return seen


main()

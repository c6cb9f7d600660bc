"""kill -9 under load, again and again."""

import random
import time

from dump import partition_folder, verify_partition
from harness import librdkafka
from harness.report import check, equal, until
from harness.topics import create
from loads import PARTITIONS, Loads, Witness, verify, wait_for_progress


def rounds(broker, jvm, count):
    """Kills the broker `count` times while four producers write and a reader reads; then looks at everything."""
    topic = "disk-kills"
    create(broker, jvm, topic, PARTITIONS, segment_bytes=1 << 20)
    source = random.Random(count)
    loads = Loads(broker.address, topic)
    witness = Witness(broker.address, topic)
    downtimes = []
    for number in range(count):
        wait_for_progress(loads)
        time.sleep(source.uniform(0.1, 0.9))
        broker.kill()
        time.sleep(source.choice([0, 0, 0.3]))
        started = time.monotonic()
        broker.start()
        wait_for_progress(loads)
        downtimes.append(time.monotonic() - started)
        if count > 10 and number % 10 == 9:
            print(f"       {number + 1} rounds, {loads.count()} acknowledged to librdkafka", flush=True)
    acknowledged = loads.stop()
    stored = read(broker.address, topic)
    until(lambda: len(witness.seen) >= sum(map(len, stored.values())), "the reader reaches the end", 60)
    total = verify(acknowledged, stored, witness.stop())
    print(f"       {count} kills, {total} records, {sum(map(len, stored.values())) - total} repeated by plain producers, "
          f"{max(downtimes):.2f} s at most from start to service")
    check(total > 300 * count, f"only {total} records in {count} rounds")
    return {partition: len(items) for partition, items in stored.items()}


def read(address, topic):
    """Everything stored: partition to (offset, name, number)."""
    stored = {partition: [] for partition in range(PARTITIONS)}
    for item in librdkafka.read(address, topic, check_crcs=True):
        record = item.record
        stored[record.partition].append((item.offset, record.key.decode(), int(record.value.split(b" ")[0])))
    return stored


def stop_and_dump(broker, jvm, counts):
    """The folders after a clean stop, by Kafka's own tool."""
    equal(broker.stop(), 143 if broker.name == "kafka" else 0, "exit code of a stop")
    for partition, count in counts.items():
        verify_partition(jvm, partition_folder(broker.data, "disk-kills", partition), count)

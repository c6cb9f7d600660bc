"""librdkafka through confluent-kafka, as a program of harness/programs.py."""

import queue
import threading
import time

from confluent_kafka import (OFFSET_BEGINNING, Consumer, ConsumerGroupTopicPartitions, KafkaError, KafkaException,
                             Producer, TopicPartition)
from confluent_kafka.admin import AdminClient
from serve import event, failed, hexed, requests, say, unhexed

SECONDS = 50
MEMBERS = {}


def write(request):
    """Writes records, each to its partition."""
    producer = Producer({"bootstrap.servers": request["broker"], "compression.type": request["codec"],
                         "linger.ms": 20})
    places = [None] * len(request["records"])

    def delivered(index, error, message):
        places[index] = error or [message.partition(), message.offset()]

    for index, (partition, timestamp, key, value, headers) in enumerate(request["records"]):
        producer.produce(request["topic"], partition=partition, timestamp=timestamp, key=unhexed(key),
                         value=unhexed(value), headers=[(name, unhexed(content)) for name, content in headers],
                         on_delivery=lambda error, message, at=index: delivered(at, error, message))
        producer.poll(0)
    left = producer.flush(SECONDS)
    wrong = [place for place in places if not isinstance(place, list)]
    if left or wrong:
        raise RuntimeError(f"{left} records are left, {wrong[:3]}")
    return places


def read(request):
    """Reads to the end, from the beginning or a time."""
    topic, since = request["topic"], request["since"]
    client = Consumer({"bootstrap.servers": request["broker"], "group.id": "unused", "enable.auto.commit": False,
                       "auto.offset.reset": "error"})
    try:
        numbers = sorted(client.list_topics(topic, timeout=SECONDS).topics[topic].partitions)
        bounds = {number: client.get_watermark_offsets(TopicPartition(topic, number), timeout=SECONDS)
                  for number in numbers}
        starts = [TopicPartition(topic, number, OFFSET_BEGINNING) for number in numbers]
        first = {number: bounds[number][0] for number in numbers}
        if since is not None:
            starts = client.offsets_for_times([TopicPartition(topic, number, since) for number in numbers],
                                              timeout=SECONDS)
            # librdkafka says "end" where no record is as late.
            starts = [start for start in starts if start.offset >= 0]
            first = {start.partition: start.offset for start in starts}
        missing = sum(bounds[number][1] - offset for number, offset in first.items())
        client.assign(starts)
        return take(client, missing)
    finally:
        client.close()


def take(client, count):
    """The next records of a consumer."""
    stored, deadline = [], time.monotonic() + SECONDS
    while len(stored) < count:
        if time.monotonic() > deadline:
            raise RuntimeError(f"only {len(stored)} of {count} records came")
        for message in client.consume(min(500, count - len(stored)), timeout=1):
            if message.error():
                raise KafkaException(message.error())
            headers = [[name, hexed(value)] for name, value in message.headers() or ()]
            stored.append([message.offset(), message.partition(), message.timestamp()[1], hexed(message.key()),
                           hexed(message.value()), headers])
    return stored


class Member:
    """A consumer of a group and the thread that polls it."""

    def __init__(self, request):
        self.name = request["member"]
        self.topic = request["topic"]
        self.commits = request["commits"]
        self.cooperative = request["assignor"] == "cooperative-sticky"
        self.owned = set()
        self.handled = {}
        self.tasks = queue.Queue()
        settings = {"bootstrap.servers": request["broker"], "group.id": request["group"],
                    "client.id": self.name, "enable.auto.commit": False, "auto.offset.reset": "earliest",
                    "partition.assignment.strategy": request["assignor"], "session.timeout.ms": request["session_ms"],
                    "heartbeat.interval.ms": 300, "topic.metadata.refresh.interval.ms": 2000}
        if request["instance"] is not None:
            settings["group.instance.id"] = request["instance"]
        self.client = Consumer(settings)
        self.client.subscribe([self.topic], on_assign=self.assigned, on_revoke=self.revoked, on_lost=self.lost)
        threading.Thread(target=self.run, daemon=True).start()

    def assigned(self, client, partitions):
        """Takes what the group gives: all of it, or with a cooperative assignor what is added."""
        added = {partition.partition for partition in partitions}
        if self.cooperative:
            client.incremental_assign(partitions)
            self.owned |= added
        else:
            client.assign(partitions)
            self.owned = added
        event(self.name, "assigned", partitions=sorted(self.owned))

    def revoked(self, client, partitions):
        """Commits, then gives away."""
        gone = {partition.partition for partition in partitions}
        self.commit_handled(gone)
        self.give(client, partitions, gone)

    def lost(self, client, partitions):
        """Gives away what belongs to others already."""
        self.give(client, partitions, {partition.partition for partition in partitions})

    def give(self, client, partitions, gone):
        """Forgets partitions and tells of it."""
        self.owned -= gone
        self.handled = {number: offset for number, offset in self.handled.items() if number not in gone}
        if self.cooperative:
            client.incremental_unassign(partitions)
        else:
            client.unassign()
        event(self.name, "revoked", partitions=sorted(gone))

    def commit_handled(self, numbers):
        """Commits what was told of and not committed before."""
        offsets = [TopicPartition(self.topic, number, self.handled.pop(number)) for number in numbers
                   if number in self.handled]
        if offsets and self.commits:
            self.client.commit(offsets=offsets, asynchronous=False)

    def run(self):
        """Polls until the task comes that leaves."""
        going = True
        while going:
            try:
                messages = self.client.consume(500, timeout=0.1)
            except KafkaException as error:
                event(self.name, "error", text=str(error))
                messages = []
                time.sleep(0.2)
            places = []
            for message in messages:
                if not message.error():
                    places.append([message.partition(), message.offset()])
                    self.handled[message.partition()] = message.offset() + 1
                elif message.error().code() != KafkaError._PARTITION_EOF:
                    event(self.name, "error", text=str(message.error()))
            if places:
                event(self.name, "records", records=places)
            try:
                while going:
                    going = self.tasks.get_nowait()()
            except queue.Empty:
                pass

    def do(self, number, task, last=False):
        """Runs a task on the polling thread and answers with what it returns."""
        def run():
            try:
                say({"id": number, "answer": task()})
            except Exception as error:
                failed(number, error)
            return not last
        self.tasks.put(run)


def commit(member, offsets):
    """Commits as told."""
    answers = member.client.commit(offsets=[TopicPartition(member.topic, number, offset, metadata)
                                            for number, offset, metadata in offsets], asynchronous=False)
    wrong = [str(answer.error) for answer in answers if answer.error]
    if wrong:
        raise RuntimeError(", ".join(wrong))


def committed(request):
    """What a group has committed, without the metadata: confluent-kafka reads that beyond its end."""
    admin = AdminClient({"bootstrap.servers": request["broker"]})
    asked = [ConsumerGroupTopicPartitions(request["group"])]
    (future,) = admin.list_consumer_group_offsets(asked, request_timeout=SECONDS).values()
    return [[at.partition, at.offset, None] for at in future.result().topic_partitions
            if at.topic == request["topic"] and at.offset >= 0]


def leave(member):
    """Commits and closes."""
    member.commit_handled(set(member.handled))
    member.client.close()


def join(request):
    """Starts a member."""
    MEMBERS[request["member"]] = Member(request)


def main():
    """Serves requests; those of members on the members' threads."""
    for request in requests():
        number, call = request["id"], request["call"]
        try:
            if call == "commit":
                member = MEMBERS[request["member"]]
                member.do(number, lambda member=member, request=request: commit(member, request["offsets"]))
            elif call == "leave":
                member = MEMBERS.pop(request["member"])
                member.do(number, lambda member=member: leave(member), last=True)
            else:
                action = {"write": write, "read": read, "committed": committed, "join": join}[call]
                say({"id": number, "answer": action(request)})
        except Exception as error:
            failed(number, error)


if __name__ == "__main__":
    main()

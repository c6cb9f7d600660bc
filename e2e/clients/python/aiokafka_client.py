"""aiokafka, as a program of harness/programs.py. All calls and members share one event loop."""

import asyncio
import json
import sys
import threading

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, ConsumerRebalanceListener, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.coordinator.assignors.range import RangePartitionAssignor
from aiokafka.coordinator.assignors.roundrobin import RoundRobinPartitionAssignor
from aiokafka.structs import OffsetAndMetadata
from serve import event, failed, hexed, say, unhexed

ASSIGNORS = {"range": RangePartitionAssignor, "roundrobin": RoundRobinPartitionAssignor}
MEMBERS = {}


async def write(request):
    """Writes records, each to its partition."""
    codec = None if request["codec"] == "none" else request["codec"]
    async with AIOKafkaProducer(bootstrap_servers=request["broker"], compression_type=codec, linger_ms=20,
                                max_batch_size=1 << 18) as producer:
        sent = [await producer.send(request["topic"], partition=partition, timestamp_ms=timestamp, key=unhexed(key),
                                    value=unhexed(value),
                                    headers=[(name, unhexed(content)) for name, content in headers])
                for partition, timestamp, key, value, headers in request["records"]]
        await producer.flush()
        stored = [await future for future in sent]
    return [[place.partition, place.offset] for place in stored]


async def read(request):
    """Reads to the end, from the beginning or a time."""
    topic, since = request["topic"], request["since"]
    admin = AIOKafkaAdminClient(bootstrap_servers=request["broker"])
    await admin.start()
    (described,) = await admin.describe_topics([topic])
    await admin.close()
    partitions = sorted(TopicPartition(topic, found["partition"]) for found in described["partitions"])
    client = AIOKafkaConsumer(bootstrap_servers=request["broker"], auto_offset_reset="none", check_crcs=True)
    await client.start()
    try:
        client.assign(partitions)
        starts, ends = await client.beginning_offsets(partitions), await client.end_offsets(partitions)
        if since is not None:
            found = await client.offsets_for_times(dict.fromkeys(partitions, since))
            starts = {at: found[at].offset if found[at] else ends[at] for at in partitions}
        for at in partitions:
            client.seek(at, starts[at])
        missing, stored = sum(ends[at] - starts[at] for at in partitions), []
        while len(stored) < missing:
            for records in (await client.getmany(timeout_ms=500)).values():
                stored += [[record.offset, record.partition, record.timestamp, hexed(record.key), hexed(record.value),
                            [[name, hexed(content)] for name, content in record.headers]] for record in records]
        return stored
    finally:
        await client.stop()


class Member(ConsumerRebalanceListener):
    """A consumer of a group and the task that polls it."""

    def __init__(self, request):
        self.name = request["member"]
        self.topic = request["topic"]
        self.commits = request["commits"]
        self.handled = {}
        self.leaving = False
        self.client = AIOKafkaConsumer(
            bootstrap_servers=request["broker"], group_id=request["group"], client_id=self.name,
            group_instance_id=request["instance"], enable_auto_commit=False, auto_offset_reset="earliest",
            partition_assignment_strategy=[ASSIGNORS[request["assignor"]]], session_timeout_ms=request["session_ms"],
            heartbeat_interval_ms=300, metadata_max_age_ms=2000)

    async def start(self):
        """Joins and begins to poll."""
        self.client.subscribe([self.topic], listener=self)
        await self.client.start()
        self.task = asyncio.create_task(self.run())

    async def on_partitions_revoked(self, revoked):
        """Commits, then gives away."""
        await self.commit_handled()
        if revoked:
            event(self.name, "revoked", partitions=sorted(at.partition for at in revoked))

    async def on_partitions_assigned(self, assigned):
        """Tells of all that it has."""
        event(self.name, "assigned", partitions=sorted(at.partition for at in assigned),
              generation=self.client._coordinator.generation)

    async def commit_handled(self):
        """Commits what was told of and not committed before."""
        handled, self.handled = self.handled, {}
        if handled and self.commits:
            await self.client.commit(handled)

    async def run(self):
        """Polls until it leaves."""
        while not self.leaving:
            try:
                batches = await self.client.getmany(timeout_ms=100)
            except Exception as error:
                event(self.name, "error", text=f"{type(error).__name__}: {error}")
                await asyncio.sleep(0.1)
                continue
            places = [[record.partition, record.offset] for records in batches.values() for record in records]
            for at, records in batches.items():
                self.handled[at] = records[-1].offset + 1
            if places:
                event(self.name, "records", records=places)

    async def leave(self):
        """Commits and closes."""
        self.leaving = True
        await self.task
        await self.commit_handled()
        await self.client.stop()


async def join(request):
    """Starts a member."""
    MEMBERS[request["member"]] = Member(request)
    await MEMBERS[request["member"]].start()


async def commit(request):
    """Commits as told."""
    member = MEMBERS[request["member"]]
    await member.client.commit({TopicPartition(member.topic, number): OffsetAndMetadata(offset, metadata)
                                for number, offset, metadata in request["offsets"]})


async def committed(request):
    """What a group has committed."""
    admin = AIOKafkaAdminClient(bootstrap_servers=request["broker"])
    await admin.start()
    try:
        found = await admin.list_consumer_group_offsets(request["group"])
        return [[at.partition, offset.offset, offset.metadata] for at, offset in found.items()
                if at.topic == request["topic"] and offset.offset >= 0]
    finally:
        await admin.close()


async def leave(request):
    """Ends a member."""
    await MEMBERS.pop(request["member"]).leave()


CALLS = {"write": write, "read": read, "join": join, "commit": commit, "committed": committed, "leave": leave}


async def serve(request):
    """Answers one request."""
    try:
        say({"id": request["id"], "answer": await CALLS[request["call"]](request)})
    except Exception as error:
        failed(request["id"], error)


async def main():
    """Serves requests side by side, until standard input ends."""
    loop, ended, running = asyncio.get_running_loop(), asyncio.Event(), set()

    def begin(line):
        task = loop.create_task(serve(json.loads(line)))
        running.add(task)
        task.add_done_callback(running.discard)

    def listen():
        for line in sys.stdin:
            loop.call_soon_threadsafe(begin, line)
        loop.call_soon_threadsafe(ended.set)

    threading.Thread(target=listen, daemon=True).start()
    await ended.wait()


if __name__ == "__main__":
    asyncio.run(main())

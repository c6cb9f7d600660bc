"""Requests in one version each, and the outcome of their answers as one short text."""

import struct
import time

from raw.wire import (CREATE_PARTITIONS, CREATE_TOPICS, DELETE_TOPICS, DESCRIBE_CONFIGS, FETCH, INCREMENTAL_ALTER_CONFIGS,
                      INIT_PRODUCER_ID, LIST_OFFSETS, METADATA, OFFSET_FOR_LEADER_EPOCH, PRODUCE, array, data, i8, i16,
                      i32, i64, string)


def produce_body(topic, batches, partition=0, acks=-1, transactional=None):
    """Produce 3 to 8."""
    partitions = array([i32(partition) + data(batches)])
    return string(transactional) + i16(acks) + i32(5000) + array([string(topic) + partitions])


def produce(connection, topic, batches, partition=0, acks=-1, version=7, **fields):
    """Produces to one partition; "error CODE" or "offset N"."""
    answer = connection.request(PRODUCE, version, produce_body(topic, batches, partition, acks, **fields))
    answer.i32(), answer.string(), answer.i32(), answer.i32()
    code, offset = answer.i16(), answer.i64()
    return f"error {code}" if code else f"offset {offset}"


def fetch_body(topic, offset, partition=0, epoch=-1, session=0, session_epoch=-1, partition_bytes=1 << 20, wait=0, least=0):
    """Fetch 11."""
    partitions = array([i32(partition) + i32(epoch) + i64(offset) + i64(-1) + i32(partition_bytes)])
    return (i32(-1) + i32(wait) + i32(least) + i32(1 << 22) + i8(0) + i32(session) + i32(session_epoch)
            + array([string(topic) + partitions]) + array([]) + string(""))


def fetch_answer(answer):
    """(code of the request, code of the partition, high watermark, records)."""
    answer.i32()
    code = answer.i16()
    answer.i32()
    if code or not answer.i32():
        return code, None, None, None
    answer.string(), answer.i32(), answer.i32()
    partition_code, watermark = answer.i16(), answer.i64()
    answer.i64(), answer.i64()
    answer.array(lambda: (answer.i64(), answer.i64()))
    answer.i32()
    return code, partition_code, watermark, answer.data()


def fetch(connection, topic, offset, **fields):
    """Fetches from one partition; the codes and how many bytes."""
    code, partition_code, _, records = fetch_answer(connection.request(FETCH, 11, fetch_body(topic, offset, **fields)))
    if code:
        return f"request error {code}"
    return f"error {partition_code}" if partition_code else f"{'some' if records else 'no'} records"


def fetch_by_id(connection, topic_id, offset):
    """Fetch 13, flexible, by topic id."""
    body = i32(0) + i32(0) + i32(1 << 22) + i8(0) + i32(0) + i32(-1)
    body += b"\2" + topic_id + b"\2" + i32(0) + i32(-1) + i64(offset) + i32(-1) + i64(-1) + i32(1 << 20) + b"\0\0"
    answer = connection.request(FETCH, 13, i32(-1) + body + b"\1\1\0", flexible=True)
    answer.i32()
    code = answer.i16()
    answer.i32()
    if code or answer.i8() < 2:
        return f"request error {code}"
    answer.take(16), answer.i8(), answer.i32()
    return f"error {answer.i16()}"


def list_offsets(connection, topic, timestamp, partition=0, version=5, epoch=-1, isolation=0):
    """ListOffsets 5; "error CODE" or "offset N"."""
    body = i32(-1) + i8(isolation) + array([string(topic) + array([i32(partition) + i32(epoch) + i64(timestamp)])])
    answer = connection.request(LIST_OFFSETS, version, body)
    answer.i32(), answer.i32(), answer.string(), answer.i32(), answer.i32()
    code = answer.i16()
    answer.i64()
    return f"error {code}" if code else f"offset {answer.i64()}"


def list_offsets_twice(connection, topic, version=5):
    """ListOffsets 5 for one partition two times; the partitions and codes of the answer."""
    wanted = i32(0) + i32(-1) + i64(-1)
    body = i32(-1) + i8(0) + array([string(topic) + array([wanted, wanted])])
    answer = connection.request(LIST_OFFSETS, version, body)
    answer.i32()

    def partition():
        number, code = answer.i32(), answer.i16()
        answer.i64(), answer.i64(), answer.i32()
        return [number, code]

    def of_topic():
        answer.string()
        return answer.array(partition)
    return f"answers {answer.array(of_topic)}"


def metadata(connection, *topics, version=4, create=False):
    """Metadata 4; the code of each topic."""
    body = array([string(topic) for topic in topics]) + i8(create)
    answer = connection.request(METADATA, version, body)
    answer.i32()
    answer.array(lambda: (answer.i32(), answer.string(), answer.i32(), answer.string()))
    answer.string(), answer.i32()

    def topic():
        code = answer.i16()
        answer.string(), answer.i8()
        answer.array(lambda: (answer.i16(), answer.i32(), answer.i32(), answer.array(answer.i32), answer.array(answer.i32)))
        return code
    return f"errors {answer.array(topic)}"


def create_topics(connection, *topics, timeout=10000, validate=False):
    """CreateTopics 4 of encoded topics; the code of each."""
    answer = connection.request(CREATE_TOPICS, 4, array(list(topics)) + i32(timeout) + i8(validate))
    answer.i32()
    return f"errors {sorted(answer.array(lambda: (answer.string(), answer.i16(), answer.string())[1]))}"


def new_topic(name, partitions=1, replicas=1, assignments=(), configs=()):
    """One topic of CreateTopics."""
    assigned = array([i32(index) + array([i32(broker) for broker in brokers]) for index, brokers in assignments])
    return string(name) + i32(partitions) + i16(replicas) + assigned + array(
        [string(key) + string(value) for key, value in configs])


def delete_topics(connection, *names):
    """DeleteTopics 3; the code of each."""
    answer = connection.request(DELETE_TOPICS, 3, array([string(name) for name in names]) + i32(10000))
    answer.i32()
    return f"errors {answer.array(lambda: (answer.string(), answer.i16())[1])}"


def delete_topic_by_id(connection, topic_id):
    """DeleteTopics 6, flexible."""
    answer = connection.request(DELETE_TOPICS, 6, b"\2" + b"\0" + topic_id + b"\0" + i32(10000) + b"\0", flexible=True)
    answer.i32(), answer.i8()
    name = answer.i8()
    answer.take(max(0, name - 1) + 16)
    return f"error {answer.i16()}"


def create_partitions(connection, name, count, assignments=None):
    """CreatePartitions 1; the code."""
    assigned = array(None if assignments is None else [array([i32(broker) for broker in one]) for one in assignments])
    answer = connection.request(CREATE_PARTITIONS, 1, array([string(name) + i32(count) + assigned]) + i32(10000) + i8(0))
    answer.i32(), answer.i32(), answer.string()
    return f"error {answer.i16()}"


def alter_config(connection, name, key, value, operation=0, kind=2, repeat=1):
    """IncrementalAlterConfigs 0; the code."""
    changes = array([string(key) + i8(operation) + string(value)] * repeat)
    answer = connection.request(INCREMENTAL_ALTER_CONFIGS, 0, array([i8(kind) + string(name) + changes]) + i8(0))
    answer.i32(), answer.i32()
    return f"error {answer.i16()}"


def describe_configs(connection, name, kind=2):
    """DescribeConfigs 1; the code."""
    answer = connection.request(DESCRIBE_CONFIGS, 1, array([i8(kind) + string(name) + array(None)]) + i8(0))
    answer.i32(), answer.i32()
    return f"error {answer.i16()}"


def init_producer_id(connection, transactional=None, timeout=60000):
    """InitProducerId 1; "error CODE" or "given"."""
    answer = connection.request(INIT_PRODUCER_ID, 1, string(transactional) + i32(timeout))
    answer.i32()
    code = answer.i16()
    return f"error {code}" if code else "given"


def producer_id(connection):
    """A fresh producer id and its epoch. Kafka refuses the first ones until its controller has given a block."""
    for _ in range(100):
        answer = connection.request(INIT_PRODUCER_ID, 1, string(None) + i32(60000))
        answer.i32()
        if answer.i16() == 0:
            return answer.i64(), answer.i16()
        time.sleep(0.05)
    raise ValueError("no producer id")


def leader_epoch(connection, topic, epoch, partition=0, current=-1):
    """OffsetForLeaderEpoch 3; "error CODE" or "epoch E end N"."""
    body = i32(-2) + array([string(topic) + array([i32(partition) + i32(current) + i32(epoch)])])
    answer = connection.request(OFFSET_FOR_LEADER_EPOCH, 3, body)
    answer.i32(), answer.i32(), answer.string(), answer.i32()
    code = answer.i16()
    answer.i32()
    return f"error {code}" if code else f"epoch {answer.i32()} end {answer.i64()}"


def offsets_in(records):
    """The base offsets of the batches in a fetched record set."""
    offsets, at = [], 0
    while at + 12 <= len(records):
        base, size = struct.unpack(">qi", records[at:at + 12])
        offsets.append(base)
        at += 12 + size
    return offsets

"""Record batches with any field wrong, and a right checksum unless asked otherwise."""

import struct
import time

from raw.wire import i8, i16, i32, i64, varint


def _table():
    table = []
    for value in range(256):
        for _ in range(8):
            value = value >> 1 ^ (0x82F63B78 if value & 1 else 0)
        table.append(value)
    return table


TABLE = _table()


def crc32c(content):
    """The Castagnoli checksum."""
    value = 0xFFFFFFFF
    for byte in content:
        value = value >> 8 ^ TABLE[(value ^ byte) & 0xFF]
    return value ^ 0xFFFFFFFF


def record(value=b"value", key=b"key", offset_delta=0, timestamp_delta=0, headers=(), attributes=0, count_headers=None):
    """One record with its length."""
    body = i8(attributes) + varint(timestamp_delta) + varint(offset_delta) + _bytes(key) + _bytes(value)
    body += varint(len(headers) if count_headers is None else count_headers)
    for name, content in headers:
        body += _bytes(name) + _bytes(content)
    return varint(len(body)) + body


def _bytes(content):
    return varint(-1) if content is None else varint(len(content)) + content


def now():
    """The time in milliseconds."""
    return int(time.time() * 1000)


def batch(records=None, *, payload=None, base_offset=0, length=None, epoch=-1, magic=2, crc=None, attributes=0,
          last_offset_delta=None, first_timestamp=None, max_timestamp=None, producer_id=-1, producer_epoch=-1,
          sequence=-1, count=None):
    """A batch of `records` (encoded), or around `payload` where that is given."""
    records = [record()] if records is None else records
    count = len(records) if count is None else count
    first_timestamp = now() if first_timestamp is None else first_timestamp
    tail = i16(attributes) + i32(len(records) - 1 if last_offset_delta is None else last_offset_delta)
    tail += i64(first_timestamp) + i64(first_timestamp if max_timestamp is None else max_timestamp)
    tail += i64(producer_id) + i16(producer_epoch) + i32(sequence) + i32(count)
    tail += b"".join(records) if payload is None else payload
    checksum = struct.pack(">I", crc32c(tail) if crc is None else crc)
    body = i32(epoch) + i8(magic) + checksum + tail
    return i64(base_offset) + i32(len(body) if length is None else length) + body


def old_message(magic):
    """A message of format 0 or 1 with its right checksum."""
    import zlib
    body = i8(magic) + i8(0) + (i64(now()) if magic else b"") + i32(3) + b"key" + i32(5) + b"value"
    body = struct.pack(">I", zlib.crc32(body)) + body
    return i64(0) + i32(len(body)) + body

"""Just enough of the wire format to say wrong things on purpose. Rigid (not flexible) versions where possible."""

import socket
import struct

PRODUCE, FETCH, LIST_OFFSETS, METADATA, API_VERSIONS = 0, 1, 2, 3, 18
CREATE_TOPICS, DELETE_TOPICS, INIT_PRODUCER_ID, OFFSET_FOR_LEADER_EPOCH = 19, 20, 22, 23
DESCRIBE_CONFIGS, CREATE_PARTITIONS, INCREMENTAL_ALTER_CONFIGS = 32, 37, 44


def i8(value):
    return struct.pack(">b", value)


def i16(value):
    return struct.pack(">h", value)


def i32(value):
    return struct.pack(">i", value)


def i64(value):
    return struct.pack(">q", value)


def string(text):
    """A string behind its length; None is null."""
    if text is None:
        return i16(-1)
    data = text if isinstance(text, bytes) else text.encode()
    return i16(len(data)) + data


def data(content):
    """Bytes behind their length; None is null."""
    return i32(-1) if content is None else i32(len(content)) + content


def array(items):
    """An array of encoded items; None is null."""
    return i32(-1) if items is None else i32(len(items)) + b"".join(items)


def unsigned_varint(value):
    """As lengths and tags are written in flexible versions."""
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def varint(value):
    """Zigzag, as inside records."""
    return unsigned_varint(((value << 1) ^ (value >> 63)) & (2**64 - 1))


def compact(text):
    """A compact string."""
    encoded = text.encode()
    return unsigned_varint(len(encoded) + 1) + encoded


def header(key, version, correlation=1, client="bad-input"):
    """A request header 1; flexible requests add their tagged fields themselves."""
    return i16(key) + i16(version) + i32(correlation) + string(client)


class Closed(Exception):
    """The other side ended the connection."""


class Silence(Exception):
    """Nothing came within the time."""


class Connection:
    """A TCP connection that sends what it is told."""

    def __init__(self, address, timeout=4.0):
        host, port = address.rsplit(":", 1)
        self.socket = socket.create_connection((host, int(port)), timeout)

    def send(self, raw):
        """Sends bytes as they are; a connection that is closed already shows when it is read."""
        try:
            self.socket.sendall(raw)
        except OSError:
            pass

    def request(self, key, version, body, flexible=False, **fields):
        """Sends one framed request and returns the answer's reader behind its header."""
        frame = header(key, version, **fields) + (b"\0" if flexible else b"") + body
        self.send(i32(len(frame)) + frame)
        return self.answer(flexible and key != API_VERSIONS)

    def answer(self, flexible=False):
        """The next answer, behind its header."""
        reader = Answer(self._exactly(struct.unpack(">i", self._exactly(4))[0]))
        reader.i32()
        if flexible:
            reader.take(1)
        return reader

    def _exactly(self, size):
        received = b""
        while len(received) < size:
            try:
                part = self.socket.recv(min(size - len(received), 1 << 16))
            except TimeoutError:
                raise Silence from None
            except OSError:
                raise Closed from None
            if not part:
                raise Closed
            received += part
        return received

    def close(self):
        """Closes the socket."""
        self.socket.close()


class Answer:
    """Reads an answer's fields one after another."""

    def __init__(self, content):
        self.content = content
        self.at = 0

    def take(self, size):
        part = self.content[self.at:self.at + size]
        if len(part) != size:
            raise ValueError(f"the answer ends at {len(self.content)}: {self.content.hex()}")
        self.at += size
        return part

    def i8(self):
        return self.take(1)[0]

    def i16(self):
        return struct.unpack(">h", self.take(2))[0]

    def i32(self):
        return struct.unpack(">i", self.take(4))[0]

    def i64(self):
        return struct.unpack(">q", self.take(8))[0]

    def string(self):
        size = self.i16()
        return None if size < 0 else self.take(size).decode()

    def data(self):
        size = self.i32()
        return None if size < 0 else self.take(size)

    def array(self, item):
        """The items of an array, each read by `item`."""
        return [item() for _ in range(self.i32())]

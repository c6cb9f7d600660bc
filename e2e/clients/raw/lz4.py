"""LZ4 frames whose blocks are stored as they are, with flags that a compressor would not set for Kafka."""

import struct

_PRIMES = (2654435761, 2246822519, 3266489917, 668265263, 374761393)


def _rotate(value, bits):
    value &= 0xFFFFFFFF
    return (value << bits | value >> 32 - bits) & 0xFFFFFFFF


def xxh32(content):
    """The frame's checksum, of fewer than 16 bytes."""
    one, two, three, four, five = _PRIMES
    value = five + len(content)
    words = len(content) // 4
    for word in struct.unpack(f"<{words}I", content[:words * 4]):
        value = _rotate(value + word * three, 17) * four & 0xFFFFFFFF
    for byte in content[words * 4:]:
        value = _rotate(value + byte * five, 11) * one & 0xFFFFFFFF
    value = (value ^ value >> 15) * two & 0xFFFFFFFF
    value = (value ^ value >> 13) * three & 0xFFFFFFFF
    return value ^ value >> 16


def frame(content, linked=False):
    """One frame with one stored block; `linked` says that blocks may refer to those before."""
    descriptor = bytes([0x40 if linked else 0x60, 0x40])
    checksum = bytes([xxh32(descriptor) >> 8 & 0xFF])
    block = struct.pack("<I", len(content) | 0x80000000) + content
    return b"\x04\x22\x4d\x18" + descriptor + checksum + block + bytes(4)

"""Frames that are wrong as such: sizes, headers, counts, lengths. Each case is (name, what to send)."""

from raw.wire import (API_VERSIONS, CREATE_TOPICS, FETCH, METADATA, PRODUCE, array, compact, header, i8, i16, i32, i64,
                      string, unsigned_varint)


def framed(content):
    """A frame with its true size."""
    return i32(len(content)) + content


HUGE_COUNT = i32(0x7FFFFFFF)
HUGE_VARINT = b"\xff\xff\xff\xff\x0f"
METADATA_4 = header(METADATA, 4) + array([string("bad-input")]) + i8(0)
METADATA_12 = header(METADATA, 12) + b"\0"


def wrong_sizes():
    """Sizes that no frame has."""
    for size in [-1, -2**31, 0x7FFFFFFF, 100 * 1024 * 1024 + 1]:
        yield f"size {size}", i32(size) + METADATA_4
    for size in [0, 1, 4, 7]:
        yield f"size {size}, too small for a header", i32(size) + METADATA_4[:size]
    yield "an HTTP request", b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"
    yield "a TLS hello", bytes.fromhex("1603010200010001fc0303") + bytes(500)


def wrong_headers():
    """APIs and versions that nobody has, and headers that end early."""
    for key in [-1, 4, 7, 93, 999, 32767]:
        yield f"API {key}", framed(header(key, 0) + bytes(20))
    for key, versions in [(PRODUCE, [-1, 0, 2, 14]), (FETCH, [3, 19]), (METADATA, [-1, 14, 999]), (CREATE_TOPICS, [1, 8])]:
        for version in versions:
            yield f"API {key} version {version}", framed(header(key, version) + bytes(40))
    yield "a client id of -2 bytes", framed(i16(METADATA) + i16(4) + i32(1) + i16(-2) + METADATA_4[19:])
    yield "a client id that is not UTF-8", framed(i16(METADATA) + i16(4) + i32(1) + i16(4) + b"l\xfftt" + METADATA_4[19:])
    yield "a client id longer than the frame", framed(i16(METADATA) + i16(4) + i32(1) + i16(30000) + b"x")
    yield "no client id where one must be", framed(i16(METADATA) + i16(4) + i32(1))
    yield "a header with huge tagged fields", framed(header(METADATA, 12) + HUGE_VARINT + bytes(20))
    yield "a tagged field larger than the frame", framed(header(METADATA, 12) + b"\1\5" + HUGE_VARINT + bytes(9))
    yield "tagged fields out of order", framed(header(METADATA, 12) + b"\2\5\0\3\0" + b"\1\0\0\0")


def truncated_and_trailing():
    """Bodies that end early or late."""
    for cut in [1, 2, 5, 12]:
        yield f"Metadata without its last {cut} bytes", framed(METADATA_4[:-cut])
    yield "Metadata with a byte more", framed(METADATA_4 + b"\0")
    yield "Metadata with 1,000 bytes more", framed(METADATA_4 + bytes(1000))
    yield "ListOffsets without a body", framed(header(2, 5))
    yield "CreateTopics without a body", framed(header(CREATE_TOPICS, 4))
    yield "Produce without a body", framed(header(PRODUCE, 7))
    yield "Fetch without a body", framed(header(FETCH, 11))
    yield "Fetch, flexible, without a body", framed(header(FETCH, 13) + b"\0")


def wrong_counts():
    """Counts and lengths that announce more than there is, and negative ones."""
    produce = header(PRODUCE, 7) + string(None) + i16(-1) + i32(1000)
    fetch = header(FETCH, 11) + i32(-1) + i32(0) + i32(0) + i32(1 << 20) + i8(0) + i32(0) + i32(-1)
    for count in [0x7FFFFFFF, 1_000_000, -2, -2**31]:
        yield f"Metadata for {count} topics", framed(header(METADATA, 4) + i32(count) + string("x") + i8(0))
        yield f"Produce for {count} topics", framed(produce + i32(count) + string("x"))
        yield f"Fetch for {count} topics", framed(fetch + i32(count) + string("x"))
        yield f"CreateTopics for {count} topics", framed(header(CREATE_TOPICS, 4) + i32(count) + string("x"))
        yield f"Produce for {count} partitions", framed(produce + i32(1) + string("bad-input") + i32(count) + i32(0))
        records = produce + i32(1) + string("bad-input") + i32(1) + i32(0) + i32(count) + bytes(30)
        if count != -2:
            yield f"Produce with {count} bytes of records", framed(records)
    yield "Metadata, flexible, for 4 billion topics", framed(METADATA_12 + HUGE_VARINT + bytes(20))
    yield "Metadata, flexible, a varint of six bytes", framed(METADATA_12 + b"\xff\xff\xff\xff\xff\x01" + bytes(20))
    yield "Metadata, flexible, a name of 4 billion bytes", framed(METADATA_12 + b"\2" + bytes(16) + HUGE_VARINT + bytes(9))
    yield "Metadata, flexible, 4 billion tagged fields", framed(METADATA_12 + b"\1\0\0" + HUGE_VARINT)
    yield "Metadata with a name of -2 bytes", framed(header(METADATA, 4) + i32(1) + i16(-2) + i8(0))
    yield "Metadata with a name longer than the frame", framed(header(METADATA, 4) + i32(1) + i16(30000) + b"abc")
    yield "Fetch, flexible, for 4 billion topics", framed(
        header(FETCH, 12) + b"\0" + i32(-1) + i32(0) + i32(0) + i32(1) + i8(0) + i32(0) + i32(-1) + HUGE_VARINT)
    yield "Produce, flexible, with 4 billion bytes of records", framed(
        header(PRODUCE, 9) + b"\0" + b"\0" + i16(-1) + i32(1000) + b"\2" + compact("bad-input") + b"\2" + i32(0) + HUGE_VARINT)
    # 20,000 times 20 bytes: structures in memory are larger than on the wire, so that this tests the budget.
    yield "ListOffsets for 20,000 empty topics", framed(
        header(2, 5) + i32(-1) + i8(0) + array([string("x") + i32(0)] * 20000))


def unknown_tags():
    """Tagged fields that nobody knows are skipped: a request that is right."""
    yield "ApiVersions with an unknown tagged field", framed(
        header(API_VERSIONS, 3) + b"\0" + compact("test") + compact("1") + b"\1" + unsigned_varint(77) + b"\3abc")
    yield "ApiVersions with an unknown tagged field in the header", framed(
        header(API_VERSIONS, 3) + b"\1" + unsigned_varint(5) + b"\2xy" + compact("test") + compact("1") + b"\0")


def api_versions():
    """ApiVersions, which answers more than others do."""
    for version in [5, 99, -1]:
        yield f"ApiVersions {version}", framed(header(API_VERSIONS, version) + bytes(12))
    for name, release in [("a b", "1"), ("", "1"), ("ok", "!"), ("x" * 500, "1"), ("\u00fc", "1")]:
        shown = name[:10]
        yield f"ApiVersions of the software {shown!r} {release!r}", framed(
            header(API_VERSIONS, 3) + b"\0" + compact(name) + compact(release) + b"\0")
    yield "ApiVersions 3 without a body", framed(header(API_VERSIONS, 3) + b"\0")
    yield "ApiVersions 0 with a byte more", framed(header(API_VERSIONS, 0) + b"\0")
    yield "ApiVersions without a client id", framed(i16(API_VERSIONS) + i16(0) + i32(1) + i16(-1))


def random_frames(source, count):
    """Frames of a right header and a random body, and known frames with a few bytes changed."""
    seeds = [METADATA_4, header(PRODUCE, 7) + string(None) + i16(1) + i32(1000) + array([string("bad-input") + array([])]),
             header(FETCH, 11) + i32(-1) + i32(0) + i32(0) + i32(1 << 20) + i8(0) + i32(0) + i32(-1) + array([])
             + array([]) + string(""), header(2, 5) + i32(-1) + i8(0) + array([string("x") + array([i32(0) + i32(0) + i64(0)])])]
    for index in range(count):
        if index % 2:
            yield framed(header(source.randrange(-1, 100), source.randrange(-1, 20)) + source.randbytes(source.randrange(200)))
        else:
            changed = bytearray(source.choice(seeds))
            for _ in range(source.randint(1, 4)):
                changed[source.randrange(8, len(changed))] = source.randrange(256)
            yield framed(bytes(changed))

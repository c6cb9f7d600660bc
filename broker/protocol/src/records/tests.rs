//! Batches built, checked and read back; and everything that a hostile or broken client may send instead.

use proptest::prelude::*;

use super::*;
use crate::ErrorCode;
use crate::id::{LeaderEpoch, Offset, ProducerEpoch, ProducerId, Timestamp};

const NOW: Timestamp = Timestamp(1_700_000_000_000);

type Sample = (i64, Option<Vec<u8>>, Option<Vec<u8>>, Vec<(String, Option<Vec<u8>>)>);

fn rules() -> CheckRules {
    CheckRules { now: NOW, ..CheckRules::default() }
}

fn strict() -> CheckRules {
    CheckRules { validation: Validation::Strict, ..rules() }
}

fn samples() -> impl Strategy<Value = Vec<Sample>> {
    let bytes = || proptest::option::of(proptest::collection::vec(any::<u8>(), 0..200));
    let headers = proptest::collection::vec(("[a-z]{0,8}", bytes()), 0..4);
    let timestamp = NOW.0 - 100_000..NOW.0 + 100_000;
    proptest::collection::vec((timestamp, bytes(), bytes(), headers), 1..40)
}

fn build(samples: &[Sample], builder: BatchBuilder) -> Vec<u8> {
    let mut builder = builder;
    for (timestamp, key, value, headers) in samples {
        let headers: Vec<_> = headers.iter().map(|(k, v)| (k.as_str(), v.as_deref())).collect();
        builder.push(Timestamp(*timestamp), key.as_deref(), value.as_deref(), &headers);
    }
    builder.build().unwrap()
}

fn read(batch: &[u8]) -> Vec<(i64, Sample)> {
    let mut buffer = Vec::new();
    let records = Records::new(batch, &mut buffer, 1 << 24).unwrap();
    records
        .map(|record| {
            let record = record.unwrap();
            let headers = record
                .headers
                .map(|(k, v)| (String::from_utf8(k.to_vec()).unwrap(), v.map(<[u8]>::to_vec)))
                .collect();
            let (key, value) = (record.key.map(<[u8]>::to_vec), record.value.map(<[u8]>::to_vec));
            (record.offset.0, (record.timestamp.0, key, value, headers))
        })
        .collect()
}

fn refused(mut bytes: Vec<u8>, rules: &CheckRules) -> BatchError {
    let before = bytes.clone();
    let mut out = Vec::new();
    let error = check(&mut bytes, rules, &mut out).expect_err("a batch that must be refused");
    assert!(out.is_empty());
    assert_eq!(bytes, before, "a refused batch was changed");
    error
}

fn code(bytes: Vec<u8>, rules: &CheckRules) -> ErrorCode {
    refused(bytes, rules).code
}

fn accepted(bytes: &mut [u8], rules: &CheckRules) -> BatchHeader {
    let mut out = Vec::new();
    check(bytes, rules, &mut out).unwrap();
    assert_eq!(out.len(), 1);
    let header = out[0].header;
    assert_eq!(BatchHeader::parse(out[0].bytes).unwrap(), header);
    assert!(crc_matches(out[0].bytes));
    header
}

/// A batch of `count` records with keys `k0`, `k1`, ... and some text as values.
fn plain(count: usize, compression: Compression) -> Vec<u8> {
    let mut builder = BatchBuilder::new().compression(compression, None);
    for n in 0..count {
        let (key, value) = (format!("k{n}"), format!("value number {n} of a batch of {count}"));
        builder.push(NOW, Some(key.as_bytes()), Some(value.as_bytes()), &[("trace", Some(b"1"))]);
    }
    builder.build().unwrap()
}

/// Changes the header and makes the CRC right again, as a client that means it would.
fn with_header(mut bytes: Vec<u8>, change: impl FnOnce(&mut BatchHeader)) -> Vec<u8> {
    let mut header = BatchHeader::parse(&bytes).unwrap();
    change(&mut header);
    let _ = header::write(&mut bytes, &header);
    bytes
}

/// A batch around bytes that need not be records.
fn around(records: &[u8], count: i32, compression: Compression) -> Vec<u8> {
    let mut bytes = vec![0; BATCH_OVERHEAD];
    bytes.extend_from_slice(records);
    let header = BatchHeader {
        batch_length: i32::try_from(bytes.len() - 12).unwrap(),
        attributes: Attributes(0).with_compression(compression),
        last_offset_delta: count - 1,
        records_count: count,
        base_timestamp: NOW,
        max_timestamp: NOW,
        ..BatchHeader::parse(&plain(1, Compression::None)).unwrap()
    };
    let _ = header::write(&mut bytes, &header);
    bytes
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn what_is_built_passes_and_is_read_back(samples in samples(), base in 0..1_i64 << 40) {
        for compression in Compression::ALL {
            let mut bytes = build(&samples, BatchBuilder::new().compression(compression, None));
            let header = accepted(&mut bytes, &strict());
            prop_assert_eq!(header.max_timestamp.0, samples.iter().map(|s| s.0).max().unwrap());
            patch(&mut bytes, Offset(base), LeaderEpoch(7));
            prop_assert!(crc_matches(&bytes), "the CRC covers what a leader patches");
            let header = BatchHeader::parse(&bytes).unwrap();
            prop_assert_eq!(header.partition_leader_epoch, LeaderEpoch(7));
            let back = read(&bytes);
            prop_assert_eq!(back.len(), samples.len());
            for (n, (offset, sample)) in back.iter().enumerate() {
                prop_assert_eq!(*offset, base + i64::try_from(n).unwrap());
                prop_assert_eq!(sample, &samples[n]);
            }
            prop_assert_eq!(header.last_offset().0, back.last().unwrap().0);
        }
    }

    #[test]
    fn random_bytes_never_panic(
        bytes in proptest::collection::vec(any::<u8>(), 0..300),
        count in 1..2_000_i32,
    ) {
        for compression in Compression::ALL {
            let batch = around(&bytes, count, compression);
            let mut copy = batch.clone();
            let _ = check(&mut copy, &strict(), &mut Vec::new());
            let mut buffer = Vec::new();
            if let Ok(records) = Records::new(&batch, &mut buffer, 1 << 20) {
                for record in records.flatten() {
                    let _ = record.headers.count();
                }
            }
        }
        let _ = Batches::new(&bytes).count();
    }

    #[test]
    fn damaged_compressed_records_never_panic(at: prop::sample::Index, bit in 0..8_u8, count in 1..60_usize) {
        for compression in Compression::ALL {
            let batch = plain(count, compression);
            let mut records = batch[BATCH_OVERHEAD..].to_vec();
            let at = at.index(records.len());
            records[at] ^= 1 << bit;
            let mut damaged = around(&records, i32::try_from(count).unwrap(), compression);
            // Damage may hit a value; then the batch is sound. What counts is that nothing else happens.
            let _ = check(&mut damaged, &strict(), &mut Vec::new());
        }
    }
}

#[test]
fn every_flipped_bit_is_refused_or_harmless() {
    for compression in [Compression::None, Compression::Zstd] {
        let sound = plain(3, compression);
        for bit in 0..sound.len() * 8 {
            let mut bytes = sound.clone();
            bytes[bit / 8] ^= 1 << (bit % 8);
            let mut out = Vec::new();
            match check(&mut bytes, &strict(), &mut out) {
                // The leader overwrites the epoch; nothing else is outside of the CRC and believed.
                Ok(()) => assert!((12..16).contains(&(bit / 8)), "bit {bit} was not noticed"),
                Err(error) => assert!(
                    matches!(error.code, ErrorCode::CorruptMessage | ErrorCode::InvalidRecord),
                    "bit {bit}: {error}"
                ),
            }
        }
    }
}

#[test]
fn every_truncation_is_refused() {
    let sound = plain(3, Compression::None);
    for length in 0..sound.len() {
        let short = sound[..length].to_vec();
        assert_eq!(code(short.clone(), &rules()), ErrorCode::InvalidRecord, "{length} bytes");
        let last = Batches::new(&short).last();
        match length {
            0 => assert!(last.is_none()),
            _ => {
                assert!(matches!(last, Some(Err(HeaderError::Truncated { .. }))), "{length} bytes: {last:?}")
            }
        }
    }
}

#[test]
fn truncated_codecs_are_refused() {
    for compression in [Compression::Gzip, Compression::Snappy, Compression::Lz4, Compression::Zstd] {
        let sound = plain(50, compression);
        let records = &sound[BATCH_OVERHEAD..];
        for length in 0..records.len() {
            let cut = around(&records[..length], 50, compression);
            assert_eq!(code(cut, &strict()), ErrorCode::InvalidRecord, "{} {length}", compression.name());
        }
    }
}

#[test]
fn lengths_and_formats_have_kafkas_codes() {
    let sound = plain(2, Compression::None);
    assert_eq!(code(Vec::new(), &rules()), ErrorCode::InvalidRecord);
    for (magic, expected) in [
        (0, ErrorCode::InvalidRecord),
        (1, ErrorCode::InvalidRecord),
        (3, ErrorCode::CorruptMessage),
        (0xff, ErrorCode::CorruptMessage),
    ] {
        let mut bytes = sound.clone();
        bytes[16] = magic;
        assert_eq!(code(bytes, &rules()), expected, "magic {magic}");
    }
    for (length, expected) in [
        (-1, ErrorCode::CorruptMessage),
        (48, ErrorCode::CorruptMessage),
        (i32::MIN, ErrorCode::CorruptMessage),
        (i32::MAX, ErrorCode::InvalidRecord),
    ] {
        let mut bytes = sound.clone();
        bytes[8..12].copy_from_slice(&i32::to_be_bytes(length));
        assert_eq!(code(bytes, &rules()), expected, "length {length}");
    }
    let mut two = sound.clone();
    two.extend_from_slice(&sound);
    assert_eq!(code(two, &rules()), ErrorCode::InvalidRecord, "two batches");
    let small = CheckRules { max_message_bytes: u32::try_from(sound.len()).unwrap() - 1, ..rules() };
    assert_eq!(code(sound.clone(), &small), ErrorCode::MessageTooLarge);
    let exact = CheckRules { max_message_bytes: u32::try_from(sound.len()).unwrap(), ..rules() };
    accepted(&mut sound.clone(), &exact);
}

#[test]
fn claims_of_the_header_are_checked() {
    let refuse = |change: fn(&mut BatchHeader)| {
        for compression in [Compression::None, Compression::Lz4] {
            let bytes = with_header(plain(2, compression), change);
            assert_eq!(code(bytes, &rules()), ErrorCode::InvalidRecord);
        }
    };
    refuse(|h| h.base_offset = Offset(5));
    refuse(|h| h.records_count = 0);
    refuse(|h| h.records_count = -1);
    refuse(|h| h.records_count = 3);
    refuse(|h| h.last_offset_delta = 2);
    refuse(|h| (h.records_count, h.last_offset_delta) = (i32::MIN, i32::MAX));
    refuse(|h| (h.records_count, h.last_offset_delta) = (i32::MAX, i32::MAX - 1));
    refuse(|h| (h.records_count, h.last_offset_delta) = (0, -1));
    refuse(|h| h.attributes = h.attributes.with_control(true));
    refuse(|h| (h.producer_id, h.base_sequence) = (ProducerId(1), -1));
    for codec in 5..8 {
        let bytes = with_header(plain(2, Compression::None), |h| h.attributes = Attributes(codec));
        assert_eq!(code(bytes, &rules()), ErrorCode::UnsupportedCompressionType);
    }
    let old = CheckRules { zstd_allowed: false, ..rules() };
    assert_eq!(code(plain(1, Compression::Zstd), &old), ErrorCode::UnsupportedCompressionType);
    accepted(&mut plain(1, Compression::Lz4), &old);
}

#[test]
fn counts_beside_the_records_are_refused() {
    for compression in Compression::ALL {
        for count in [4, 6] {
            let bytes = with_header(plain(5, compression), |h| {
                (h.records_count, h.last_offset_delta) = (count, count - 1);
            });
            assert_eq!(code(bytes, &strict()), ErrorCode::InvalidRecord, "{} {count}", compression.name());
        }
    }
}

#[test]
fn producer_fields_survive() {
    let builder = BatchBuilder::new().producer(ProducerId(9), ProducerEpoch(3), i32::MAX - 1).transactional();
    let mut bytes = build(&[(NOW.0, None, None, vec![]), (NOW.0, None, None, vec![])], builder);
    let header = accepted(&mut bytes, &rules());
    assert_eq!((header.producer_id, header.producer_epoch), (ProducerId(9), ProducerEpoch(3)));
    assert!(header.attributes.is_transactional() && !header.attributes.is_control());
    assert_eq!(header.last_sequence(), i32::MAX);
    assert_eq!(BatchHeader { last_offset_delta: 2, ..header }.last_sequence(), 0);
}

#[test]
fn nested_lengths_are_refused() {
    // Length, attributes, timestamp delta, offset delta, key length, value length, headers count.
    let cases: &[(&str, &[u8])] = &[
        ("negative record length", &[1]),
        ("record longer than the batch", &[0x7e, 0, 0, 0, 1, 1, 0]),
        ("key longer than the record", &[12, 0, 0, 0, 0x7e, 1, 0]),
        ("value longer than the record", &[12, 0, 0, 0, 1, 0x7e, 0]),
        ("announced 2^31 - 1 headers", &[20, 0, 0, 0, 1, 1, 0xfe, 0xff, 0xff, 0xff, 0x0f]),
        ("negative headers", &[12, 0, 0, 0, 1, 1, 1]),
        ("header key null", &[16, 0, 0, 0, 1, 1, 2, 1, 1]),
        ("header value longer than the record", &[16, 0, 0, 0, 1, 1, 2, 0, 0x7e]),
        ("bytes left in the record", &[14, 0, 0, 0, 1, 1, 0, 0]),
        ("offset delta off", &[12, 0, 0, 2, 1, 1, 0]),
        ("length varint of six bytes", &[0x8c, 0x80, 0x80, 0x80, 0x80, 0x00, 0, 0, 0, 1, 1, 0]),
        ("bytes behind the record", &[12, 0, 0, 0, 1, 1, 0, 0]),
    ];
    for (name, records) in cases {
        let error = refused(around(records, 1, Compression::None), &rules());
        assert_eq!(error.code, ErrorCode::InvalidRecord, "{name}");
        for compression in [Compression::Gzip, Compression::Snappy, Compression::Lz4, Compression::Zstd] {
            let mut compressed = Vec::new();
            codec::compress(compression, None, records, &mut compressed).unwrap();
            let error = refused(around(&compressed, 1, compression), &strict());
            assert_eq!(error.code, ErrorCode::InvalidRecord, "{name} in {}", compression.name());
        }
    }
    accepted(&mut around(&[12, 0, 0, 0, 1, 1, 0], 1, Compression::None), &rules());
}

#[test]
fn timestamps_outside_the_window_name_their_records() {
    let late = NOW.0 + 3_600_001;
    let sample = |timestamp| (timestamp, None, None, vec![]);
    let samples = [sample(NOW.0), sample(late), sample(-1), sample(late + 1)];
    for compression in [Compression::None, Compression::Zstd] {
        let bytes = build(&samples, BatchBuilder::new().compression(compression, None));
        let error = refused(bytes.clone(), &strict());
        assert_eq!(error.code, ErrorCode::InvalidTimestamp);
        assert_eq!(error.record_errors.iter().map(|e| e.index).collect::<Vec<_>>(), [1, 3]);
        let error = refused(bytes.clone(), &rules());
        assert_eq!(error.code, ErrorCode::InvalidTimestamp, "the header's max timestamp is checked");
        let open = CheckRules { after_max_ms: i64::MAX, ..strict() };
        accepted(&mut bytes.clone(), &open);
        let append_time = CheckRules { timestamp_type: TimestampType::LogAppendTime, ..strict() };
        accepted(&mut bytes.clone(), &append_time);
    }
    let old = build(&[sample(NOW.0 - 1_001)], BatchBuilder::new());
    assert_eq!(code(old, &CheckRules { before_max_ms: 1_000, ..rules() }), ErrorCode::InvalidTimestamp);
}

#[test]
fn record_errors_are_bounded() {
    let samples = vec![(0, None, None, vec![]); RECORD_ERRORS_MAX + 50];
    let error = refused(build(&samples, BatchBuilder::new()), &CheckRules { compacted: true, ..rules() });
    assert_eq!(error.record_errors.len(), RECORD_ERRORS_MAX);
    assert!(error.message.starts_with(&format!("{} records", RECORD_ERRORS_MAX + 50)), "{error}");
}

#[test]
fn compacted_topics_need_keys_whatever_the_validation() {
    let samples = [(NOW.0, Some(vec![]), None, vec![]), (NOW.0, None, Some(vec![1]), vec![])];
    for compression in Compression::ALL {
        let bytes = build(&samples, BatchBuilder::new().compression(compression, None));
        let error = refused(bytes.clone(), &CheckRules { compacted: true, ..rules() });
        assert_eq!(error.code, ErrorCode::InvalidRecord);
        assert_eq!(error.record_errors.len(), 1);
        assert_eq!(error.record_errors[0].index, 1);
        accepted(&mut bytes.clone(), &rules());
    }
}

#[test]
fn a_wrong_max_timestamp_is_corrected_where_records_are_walked() {
    for compression in Compression::ALL {
        let bytes = with_header(plain(3, compression), |h| h.max_timestamp = Timestamp(NOW.0 + 5));
        let header = accepted(&mut bytes.clone(), &strict());
        assert_eq!(header.max_timestamp, NOW, "{}", compression.name());
    }
    let believed = with_header(plain(3, Compression::Lz4), |h| h.max_timestamp = Timestamp(NOW.0 + 5));
    assert_eq!(accepted(&mut believed.clone(), &rules()).max_timestamp, Timestamp(NOW.0 + 5));
}

#[test]
fn log_append_time_is_written_into_the_batch() {
    let append_time = CheckRules { timestamp_type: TimestampType::LogAppendTime, ..rules() };
    for compression in Compression::ALL {
        let mut bytes = build(
            &[(1, None, Some(vec![1]), vec![]), (2, None, Some(vec![2]), vec![])],
            BatchBuilder::new().compression(compression, None),
        );
        let header = accepted(&mut bytes, &append_time);
        assert_eq!(header.attributes.timestamp_type(), TimestampType::LogAppendTime);
        assert_eq!(header.max_timestamp, NOW);
        assert!(read(&bytes).iter().all(|(_, sample)| sample.0 == NOW.0));
    }
    // And a client that sets the bit itself does not get it on a topic of create time.
    let header = accepted(&mut claiming_append_time(plain(1, Compression::None)), &rules());
    assert_eq!(header.attributes.timestamp_type(), TimestampType::CreateTime);
}

fn claiming_append_time(batch: Vec<u8>) -> Vec<u8> {
    with_header(batch, |h| h.attributes = h.attributes.with_timestamp_type(TimestampType::LogAppendTime))
}

#[test]
fn a_client_may_not_claim_the_brokers_time() {
    let append_time = CheckRules { timestamp_type: TimestampType::LogAppendTime, ..rules() };
    for compression in Compression::ALL {
        let bytes = claiming_append_time(plain(3, compression));
        let error = refused(bytes.clone(), &append_time);
        assert_eq!((error.code, error.record_errors.len()), (ErrorCode::InvalidTimestamp, 3));
        accepted(&mut bytes.clone(), &CheckRules { origin: Origin::Coordinator, ..append_time });
    }
    // Where the topic keeps the producer's time there is none to keep.
    let timeless = build(&[(-1, None, Some(vec![1]), vec![])], BatchBuilder::new());
    accepted(&mut timeless.clone(), &rules());
    assert_eq!(code(claiming_append_time(timeless), &rules()), ErrorCode::InvalidTimestamp);
    let many = claiming_append_time(plain(RECORD_ERRORS_MAX + 50, Compression::None));
    assert_eq!(refused(many, &append_time).record_errors.len(), RECORD_ERRORS_MAX);
}

#[test]
fn bombs_are_refused_by_every_codec() {
    // One record whose value is 16 MiB of zeros.
    let mut builder = BatchBuilder::new();
    builder.push(NOW, None, Some(&vec![0; 16 << 20]), &[]);
    let huge = builder.build().unwrap();
    let limited = CheckRules { decompressed_bytes_max: 1 << 20, ..strict() };
    for compression in [Compression::Gzip, Compression::Snappy, Compression::Lz4, Compression::Zstd] {
        let mut compressed = Vec::new();
        codec::compress(compression, None, &huge[BATCH_OVERHEAD..], &mut compressed).unwrap();
        let bytes = around(&compressed, 1, compression);
        let open = CheckRules { max_message_bytes: u32::MAX, ..limited };
        let error = refused(bytes.clone(), &open);
        assert_eq!(error.code, ErrorCode::MessageTooLarge, "{}: {error}", compression.name());
        let mut buffer = Vec::new();
        assert!(matches!(
            Records::new(&bytes, &mut buffer, 1 << 20),
            Err(ReadError::Decompress(codec::DecompressError::TooLarge(_)))
        ));
        assert!(
            buffer.capacity() < 8 << 20,
            "{}: {} bytes were taken",
            compression.name(),
            buffer.capacity()
        );
        let wide = CheckRules { decompressed_bytes_max: 17 << 20, ..open };
        accepted(&mut bytes.clone(), &wide);
    }
}

#[test]
fn announced_sizes_are_not_believed() {
    // A snappy block of 4 GiB, bare and framed.
    let bare = [0xff, 0xff, 0xff, 0xff, 0x0f, 0];
    assert_eq!(code(around(&bare, 1, Compression::Snappy), &strict()), ErrorCode::InvalidRecord);
    let mut framed = b"\x82SNAPPY\0\0\0\0\x01\0\0\0\x01\xff\xff\xff\xff".to_vec();
    framed.extend_from_slice(&bare);
    assert_eq!(code(around(&framed, 1, Compression::Snappy), &strict()), ErrorCode::InvalidRecord);
    // A zstd frame that announces 2^60 bytes of content in a window of 2 GiB.
    let mut zstd = vec![0x28, 0xb5, 0x2f, 0xfd, 0xc0, 0xa8];
    zstd.extend_from_slice(&(1_u64 << 60).to_le_bytes());
    zstd.extend_from_slice(&[1, 0, 0]);
    assert_eq!(code(around(&zstd, 1, Compression::Zstd), &strict()), ErrorCode::InvalidRecord);
}

#[test]
fn snappy_without_a_frame_is_read() {
    let sound = plain(20, Compression::None);
    let block = snap::raw::Encoder::new().compress_vec(&sound[BATCH_OVERHEAD..]).unwrap();
    let mut bytes = around(&block, 20, Compression::Snappy);
    accepted(&mut bytes, &strict());
    assert_eq!(read(&bytes), read(&sound));
}

#[test]
fn lz4_frames_of_every_kind_are_read() {
    use lz4_flex::frame::{BlockMode, BlockSize, FrameEncoder, FrameInfo};
    use std::io::Write;
    let count = 6_000;
    let sound = plain(count, Compression::None);
    let records = &sound[BATCH_OVERHEAD..];
    for mode in [BlockMode::Independent, BlockMode::Linked] {
        for size in [BlockSize::Max64KB, BlockSize::Max4MB] {
            for checksums in [false, true] {
                let info = FrameInfo::new()
                    .block_mode(mode)
                    .block_size(size)
                    .block_checksums(checksums)
                    .content_checksum(checksums)
                    .content_size(checksums.then_some(records.len() as u64));
                let mut encoder = FrameEncoder::with_frame_info(info, Vec::new());
                encoder.write_all(records).unwrap();
                let frame = encoder.finish().unwrap();
                let mut bytes = around(&frame, i32::try_from(count).unwrap(), Compression::Lz4);
                assert_eq!(read(&bytes).len(), count);
                accepted(&mut bytes.clone(), &rules());
                if mode == BlockMode::Independent {
                    accepted(&mut bytes, &strict());
                } else {
                    let error = refused(bytes, &strict());
                    assert_eq!(error.code, ErrorCode::InvalidRecord, "no Kafka client could read it");
                }
            }
        }
    }
}

/// Bytes that do not repeat, each under a mask.
fn noise(length: usize, mask: u8) -> Vec<u8> {
    let mut seed = 1_u32;
    let mut next = || {
        seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        seed.to_be_bytes()[0] & mask
    };
    (0..length).map(|_| next()).collect()
}

#[test]
fn lz4_blocks_refer_past_stored_ones() {
    use lz4_flex::frame::{BlockMode, FrameEncoder, FrameInfo};
    use std::io::Write;
    // A block for each of three records: the first two are stored, the third is the first again.
    let mut long = noise(60_100, 0xff);
    let short = long.split_off(60_000);
    let info = FrameInfo::new().block_mode(BlockMode::Linked);
    let mut encoder = FrameEncoder::with_frame_info(info, Vec::new());
    let mut builder = BatchBuilder::new();
    for value in [&long, &short, &long] {
        let before = builder.size_in_bytes();
        builder.push(NOW, None, Some(value), &[]);
        let sound = builder.clone().build().unwrap();
        encoder.write_all(&sound[before..]).unwrap();
        encoder.flush().unwrap();
    }
    let frame = encoder.finish().unwrap();
    assert!(frame.len() < 61_000, "the third block refers to the first");
    let bytes = around(&frame, 3, Compression::Lz4);
    assert_eq!(read(&bytes)[2].1.2, Some(long));
}

#[test]
fn gzip_members_and_names_are_read() {
    use std::io::Write;
    let sound = plain(20, Compression::None);
    let (first, second) = sound[BATCH_OVERHEAD..].split_at(300);
    let mut frame = Vec::new();
    for part in [first, second] {
        let mut encoder = flate2::GzBuilder::new()
            .filename("name")
            .comment("comment")
            .extra(vec![1, 2, 3])
            .write(&mut frame, flate2::Compression::fast());
        encoder.write_all(part).unwrap();
        encoder.finish().unwrap();
    }
    let mut bytes = around(&frame, 20, Compression::Gzip);
    accepted(&mut bytes, &strict());
    assert_eq!(read(&bytes), read(&sound));
}

#[test]
fn records_larger_than_every_buffer_are_walked() {
    let large = noise(3 << 20, 0x3f);
    for compression in Compression::ALL {
        let mut builder = BatchBuilder::new().compression(compression, None);
        builder.push(NOW, Some(b"a"), Some(b"small"), &[]);
        builder.push(NOW, Some(b"b"), Some(&large), &[]);
        builder.push(NOW, Some(b"c"), Some(b"small"), &[("h", None)]);
        let mut bytes = builder.build().unwrap();
        accepted(&mut bytes, &CheckRules { max_message_bytes: u32::MAX, ..strict() });
        let back = read(&bytes);
        assert_eq!(back[1].1.2.as_deref(), Some(large.as_slice()), "{}", compression.name());
        assert_eq!(back[2].0, 2);
    }
}

#[test]
fn a_topics_codec_replaces_the_producers() {
    for from in Compression::ALL {
        for to in Compression::ALL {
            let mut bytes = plain(30, from);
            let mut out = Vec::new();
            check(&mut bytes, &strict(), &mut out).unwrap();
            let mut buffer = vec![1, 2, 3];
            let again = recompress(&out[0], to, None, &rules(), &mut buffer).unwrap();
            assert_eq!(again.header.attributes.compression(), Ok(to));
            assert_eq!(BatchHeader::parse(again.bytes).unwrap(), again.header);
            assert_eq!(accepted(again.bytes, &strict()), again.header);
            assert_eq!(read(&buffer), read(&plain(30, Compression::None)));
        }
    }
    let mut bytes = plain(30, Compression::Zstd);
    let small = CheckRules { max_message_bytes: u32::try_from(bytes.len()).unwrap(), ..rules() };
    let mut out = Vec::new();
    check(&mut bytes, &small, &mut out).unwrap();
    let error = recompress(&out[0], Compression::None, None, &small, &mut Vec::new()).unwrap_err();
    assert_eq!(error.code, ErrorCode::MessageTooLarge);
}

#[test]
fn batches_follow_each_other() {
    let mut bytes = plain(2, Compression::None);
    let mut second = plain(3, Compression::Zstd);
    patch(&mut second, Offset(2), LeaderEpoch(1));
    bytes.extend_from_slice(&second);
    let end = bytes.len();
    bytes.extend_from_slice(&second[..70]);
    let mut batches = Batches::new(&bytes);
    assert_eq!(batches.next().unwrap().unwrap().0.next_offset(), Offset(2));
    let (header, batch) = batches.next().unwrap().unwrap();
    assert_eq!((header.base_offset, header.next_offset()), (Offset(2), Offset(5)));
    assert_eq!(batch, second);
    assert!(matches!(batches.next(), Some(Err(HeaderError::Truncated { available: 70, .. }))));
    assert!(batches.next().is_none());
    assert_eq!(batches.rest(), &bytes[end..]);
}

#[test]
fn control_batches_are_for_coordinators() {
    let marker = ControlRecord { control_type: ControlType::Commit, coordinator_epoch: 4 };
    let mut builder =
        BatchBuilder::new().producer(ProducerId(1), ProducerEpoch(0), -1).transactional().control();
    builder.push(NOW, Some(&marker.control_type.key()), Some(&marker.value()), &[]);
    let mut bytes = builder.build().unwrap();
    assert_eq!(code(bytes.clone(), &rules()), ErrorCode::InvalidRecord);
    let coordinator = CheckRules { origin: Origin::Coordinator, compacted: true, ..rules() };
    assert!(accepted(&mut bytes, &coordinator).attributes.is_control());
    let back = read(&bytes);
    let (_, (_, key, value, _)) = &back[0];
    assert_eq!(ControlRecord::read(key.as_deref(), value.as_deref()), Some(marker));
    assert_eq!(ControlType::from_key(&[0, 0, 0, 9]), None);
    assert_eq!(ControlRecord::read(Some(&[0, 0, 0, 2]), value.as_deref()), None);
}

#[test]
fn the_cleaners_batches_keep_offsets_and_headers() {
    let mut bytes = build(
        &[
            (NOW.0, Some(vec![1]), Some(vec![1]), vec![("a".into(), None), ("a".into(), Some(vec![2]))]),
            (NOW.0 + 1, Some(vec![2]), Some(vec![1]), vec![]),
            (NOW.0 + 2, Some(vec![1]), Some(vec![1]), vec![("a".into(), Some(vec![])), ("a".into(), None)]),
            (NOW.0 + 3, Some(vec![3]), None, vec![]),
        ],
        BatchBuilder::new().producer(ProducerId(5), ProducerEpoch(1), 10),
    );
    patch(&mut bytes, Offset(100), LeaderEpoch(2));
    let header = BatchHeader::parse(&bytes).unwrap();
    let mut buffer = Vec::new();
    let mut builder = BatchBuilder::like(&header).delete_horizon(Timestamp(77));
    for record in Records::new(&bytes, &mut buffer, 1 << 20).unwrap() {
        let record = record.unwrap();
        if record.offset.0 == 102 {
            assert_eq!(record.headers.last("a"), Some(None));
            builder.push_record(&record);
        }
    }
    let cleaned = builder.build().unwrap();
    let after = BatchHeader::parse(&cleaned).unwrap();
    assert_eq!((after.base_offset, after.last_offset(), after.records_count), (Offset(100), Offset(103), 1));
    assert_eq!((after.producer_id, after.base_sequence, after.last_sequence()), (ProducerId(5), 10, 13));
    assert_eq!(after.base_timestamp, Timestamp(77));
    assert_eq!(after.partition_leader_epoch, LeaderEpoch(2));
    assert_eq!(read(&cleaned), vec![read(&bytes)[2].clone()]);
    let empty = BatchBuilder::like(&header).build().unwrap();
    assert_eq!(BatchHeader::parse(&empty).unwrap().next_offset(), Offset(104));
    assert!(read(&empty).is_empty());
    assert!(matches!(BatchBuilder::new().build(), Err(BuildError::Empty)));
}

/// A batch as the Java client 4.3.1 sends it: keys `a` and null, values `1` and `2`, one header, sequence 0.
#[test]
fn bytes_are_those_of_the_java_client() {
    let golden = include_str!("testdata/java_4_3_1.hex");
    for line in golden.lines().filter(|line| !line.starts_with('#')) {
        let (name, hex) = line.split_once(' ').unwrap();
        let mut bytes: Vec<u8> =
            (0..hex.len()).step_by(2).map(|i| u8::from_str_radix(&hex[i..i + 2], 16).unwrap()).collect();
        let wide = CheckRules { after_max_ms: i64::MAX, ..strict() };
        let header = accepted(&mut bytes, &wide);
        assert_eq!(header.attributes.compression().unwrap().name(), name);
        assert_eq!((header.producer_id, header.producer_epoch), (ProducerId(7), ProducerEpoch(1)));
        let headers = vec![("h".to_owned(), Some(b"x".to_vec())), ("h".to_owned(), None)];
        let expected = [
            (0, (1_000, Some(b"a".to_vec()), Some(b"1".to_vec()), headers)),
            (1, (1_005, None, Some(b"2".to_vec()), vec![])),
        ];
        assert_eq!(read(&bytes), expected, "{name}");
        if name == "none" {
            let mut builder = BatchBuilder::new().producer(ProducerId(7), ProducerEpoch(1), 0);
            builder.push(Timestamp(1_000), Some(b"a"), Some(b"1"), &[("h", Some(b"x")), ("h", None)]);
            builder.push(Timestamp(1_005), None, Some(b"2"), &[]);
            assert_eq!(builder.build().unwrap(), bytes, "our own batch has the same bytes");
        }
    }
}

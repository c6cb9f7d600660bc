//! What a batch claims of itself, held against its records and against the rules.

use super::*;

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

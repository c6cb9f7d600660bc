//! What becomes of a batch that is taken: codec, order, control records, bytes as the Java client sends them.

use super::*;

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
    let golden = include_str!("../testdata/java_4_3_1.hex");
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

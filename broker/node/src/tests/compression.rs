//! Topics that demand a codec (`compression.type`).

use protocol::ErrorCode;
use protocol::id::{Offset, ProducerEpoch, ProducerId};
use protocol::records::{BatchBuilder, BatchHeader, Compression, Records, crc_matches};
use storage::disk::VirtualDisk;

use super::{batch, fetch, filled};
use crate::testing::Bench;

const CODECS: [(&str, Compression); 5] = [
    ("uncompressed", Compression::None),
    ("gzip", Compression::Gzip),
    ("snappy", Compression::Snappy),
    ("lz4", Compression::Lz4),
    ("zstd", Compression::Zstd),
];

fn compressed(codec: Compression, values: &[&[u8]]) -> Vec<u8> {
    filled(BatchBuilder::new().compression(codec, None), values)
}

/// The batch at an offset, and the values in it.
fn read(bench: &mut Bench, from: i64) -> (BatchHeader, Vec<Vec<u8>>) {
    let found = bench.fetch("t", from);
    assert_eq!(found.error_code, ErrorCode::None);
    let bytes = found.records.unwrap();
    let header = BatchHeader::parse(&bytes).unwrap();
    let bytes = &bytes[..header.size_in_bytes()];
    assert!(crc_matches(bytes));
    let mut buffer = Vec::new();
    let records = Records::new(bytes, &mut buffer, 1 << 20).unwrap();
    (header, records.map(|record| record.unwrap().value.unwrap().to_vec()).collect())
}

#[test]
fn every_batch_is_written_with_the_codec_of_its_topic() {
    let value = [b'v'; 300];
    for (name, wanted) in CODECS {
        let mut bench = Bench::ready(&VirtualDisk::new());
        bench.create_with("t", &[("compression.type", name)]);
        for (number, (_, sent)) in (0..).zip(CODECS) {
            let answer = bench.produce("t", compressed(sent, &[b"first", &value]));
            assert_eq!((answer.error_code, answer.base_offset), (ErrorCode::None, Offset(2 * number)));
            let (header, values) = read(&mut bench, 2 * number);
            assert_eq!(header.attributes.compression(), Ok(wanted), "{sent:?} to {name}");
            assert_eq!(header.base_offset, Offset(2 * number));
            assert_eq!(values, [b"first".to_vec(), value.to_vec()]);
        }
    }
}

#[test]
fn what_has_the_codec_already_stays_as_it_was_sent() {
    let mut bench = Bench::ready(&VirtualDisk::new());
    bench.create_with("t", &[("compression.type", "gzip")]);
    let sent = filled(BatchBuilder::new().compression(Compression::Gzip, Some(1)), &[&[b'v'; 3_000]]);
    bench.produce("t", sent.clone());
    let found = bench.fetch("t", 0).records.unwrap();
    // All but base offset and leader epoch, which the broker gives.
    assert_eq!((&found[16..], &found[8..12]), (&sent[16..], &sent[8..12]));
}

#[test]
fn the_level_is_that_of_the_topic() {
    let text: Vec<u8> = (0..60_000_u32).flat_map(|number| (number % 977).to_string().into_bytes()).collect();
    let sizes = ["1", "9"].map(|level| {
        let mut bench = Bench::ready(&VirtualDisk::new());
        bench.create_with("t", &[("compression.type", "gzip"), ("compression.gzip.level", level)]);
        assert_eq!(bench.produce("t", batch(&[&text])).error_code, ErrorCode::None);
        read(&mut bench, 0).0.size_in_bytes()
    });
    assert!(sizes[0] > sizes[1], "{sizes:?}");
}

#[test]
fn a_batch_is_read_whole_before_it_is_written_anew() {
    let mut bench = Bench::ready(&VirtualDisk::new());
    bench.create_with("t", &[("compression.type", "uncompressed")]);
    bench.create("plain");
    // One byte of the compressed records is wrong, and the CRC is right.
    let mut damaged = compressed(Compression::Gzip, &[&[b'v'; 3_000]]);
    let at = damaged.len() - 10;
    damaged[at] ^= 0xff;
    let crc = protocol::records::compute_crc(&damaged).unwrap();
    damaged[17..21].copy_from_slice(&crc.to_be_bytes());
    assert_eq!(bench.produce("t", damaged.clone()).error_code, ErrorCode::InvalidRecord);
    assert_eq!(bench.produce("plain", damaged).error_code, ErrorCode::None, "by header and CRC alone");
}

#[test]
fn limits_hold_for_what_is_written_too() {
    let mut bench = Bench::ready(&VirtualDisk::new());
    let sent = compressed(Compression::Gzip, &[&[b'v'; 3_000]]);
    assert!(sent.len() < 1_000);
    bench.create_with("t", &[("compression.type", "uncompressed"), ("max.message.bytes", "1000")]);
    let refused = bench.produce("t", sent.clone());
    assert_eq!(refused.error_code, ErrorCode::MessageTooLarge);
    assert!(refused.error_message.unwrap().contains("max.message.bytes is 1000"));
    bench.create_with("u", &[("compression.type", "uncompressed"), ("internal.segment.bytes", "2000")]);
    assert_eq!(bench.produce("u", sent).error_code, ErrorCode::RecordListTooLarge);
    assert_eq!(bench.fetch("u", 0).high_watermark, Offset(0));
}

#[test]
fn a_producers_sequences_go_on() {
    let mut bench = Bench::ready(&VirtualDisk::new());
    bench.create_with("t", &[("compression.type", "lz4")]);
    let sent = |sequence| {
        let builder = BatchBuilder::new().producer(ProducerId(7), ProducerEpoch(0), sequence);
        filled(builder.compression(Compression::Zstd, None), &[b"a", b"b"])
    };
    assert_eq!(bench.produce("t", sent(0)).base_offset, Offset(0));
    assert_eq!(bench.produce("t", sent(2)).base_offset, Offset(2));
    assert_eq!(bench.produce("t", sent(0)).base_offset, Offset(0), "a duplicate");
    assert_eq!(bench.produce("t", sent(9)).error_code, ErrorCode::OutOfOrderSequenceNumber);
}

#[test]
fn a_topic_of_zstd_is_not_for_clients_that_cannot_read_it() {
    let mut bench = Bench::ready(&VirtualDisk::new());
    bench.create_with("t", &[("compression.type", "zstd")]);
    bench.create("plain");
    bench.produce("t", batch(&[b"a"]));
    let mut code =
        |topic, version| bench.call(&fetch(topic, 0), version).responses[0].partitions[0].error_code;
    assert_eq!(code("t", 9), ErrorCode::UnsupportedCompressionType);
    assert_eq!(code("t", 10), ErrorCode::None);
    assert_eq!(code("plain", 9), ErrorCode::None);
}

//! Batches built, checked and read back; and everything that a hostile or broken client may send instead.

mod claims;
mod codecs;
mod content;
mod damage;

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

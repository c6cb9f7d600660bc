//! Whatever bytes come in, decoding ends in a value or an error, and takes no more memory than its budget.
//!
//! One test in this file: its allocator counts for the whole process.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod generator;

use generator::Source;
use peak_alloc::PeakAlloc;
use protocol::hot::produce;
use protocol::metadata_record::MetadataRecord;
use protocol::wire::{DecodeError, HEAP_BUDGET_MIN, HEAP_BUDGET_PER_BYTE, Message, Reader};

#[global_allocator]
static HEAP: PeakAlloc = PeakAlloc;

/// What `run` gives, and how far the heap grew meanwhile.
fn peak_during<T>(run: impl FnOnce() -> T) -> (T, usize) {
    HEAP.reset_peak_usage();
    let before = HEAP.current_usage();
    let result = run();
    (result, HEAP.peak_usage() - before)
}

/// The budget, and half of it again for an array that is being moved to a place twice its size.
fn budget(bytes: &[u8]) -> usize {
    (bytes.len() * HEAP_BUDGET_PER_BYTE).max(HEAP_BUDGET_MIN) * 3 / 2
}

/// Decodes within the budget; whether that succeeds is for the caller to judge.
fn decode<M: Message>(name: &str, version: i16, bytes: &[u8]) -> Result<M, DecodeError> {
    let (result, peak) = peak_during(|| {
        let mut reader = Reader::new(bytes);
        let message = M::decode(&mut reader, version)?;
        reader.finish().map(|()| message)
    });
    assert!(peak <= budget(bytes), "{name} {version} took {peak} bytes for {} on the wire", bytes.len());
    result
}

/// Each version, cut at every byte, with a byte too many, and with bytes replaced by hostile ones.
fn check<M: Message + PartialEq + std::fmt::Debug>(name: &str, rounds: u64) {
    for version in M::VERSIONS {
        for seed in 0..rounds {
            let mut source = Source::new(seed);
            let bytes = generator::message::<M>(&mut source, version);
            let message: M = decode(name, version, &bytes).unwrap();
            for end in 0..bytes.len() {
                assert!(decode::<M>(name, version, &bytes[..end]).is_err(), "{name} {version} cut at {end}");
            }
            let longer = [bytes.as_slice(), &[0]].concat();
            assert_eq!(
                decode::<M>(name, version, &longer),
                Err(DecodeError::Trailing(1)),
                "{name} {version}"
            );
            announce_gigabytes::<M>(name, version, &bytes);
            for _ in 0..20 {
                let mut broken = bytes.clone();
                for _ in 0..=source.below(3) {
                    if !broken.is_empty() {
                        let place = source.below(broken.len());
                        broken[place] = [0, 1, 0x7f, 0x80, 0xfe, 0xff][source.below(6)];
                    }
                }
                let _ = decode::<M>(name, version, &broken);
            }
            unknown_tags(name, version, &bytes, &message);
        }
    }
}

/// The largest lengths of each kind, and the least, at every place of the message.
fn announce_gigabytes<M: Message>(name: &str, version: i16, bytes: &[u8]) {
    const LENGTHS: [&[u8]; 5] = [
        b"\x7f\xff\xff\xff",
        b"\xff\xff\xff\xff\x07",
        b"\xff\xff\xff\xff",
        b"\xff\xff\xff\xff\x0f",
        b"\x80\0\0\0",
    ];
    for place in 0..bytes.len() {
        for length in LENGTHS {
            let hostile = [&bytes[..place], length].concat();
            let _ = decode::<M>(name, version, &hostile);
        }
    }
}

/// The last tagged section of a flexible message ends it; one more field there changes nothing.
fn unknown_tags<M: Message + PartialEq + std::fmt::Debug>(
    name: &str,
    version: i16,
    bytes: &[u8],
    message: &M,
) {
    if version >= M::FLEXIBLE_FROM && bytes.last() == Some(&0) {
        let mut extended = bytes[..bytes.len() - 1].to_vec();
        extended.extend(b"\x02\xe8\x07\x03abc\xff\xff\xff\xff\x0f\0");
        // Without tagged fields the section is that last byte; else the bytes above land in a field's value.
        if let Ok(extended) = decode::<M>(name, version, &extended) {
            assert_eq!(&extended, message, "{name} {version}");
        }
    }
}

fn many_elements_stay_in_the_budget() {
    // A frame of 3 MB in which every byte is an element of something.
    for fill in [0u8, 1, 2, 3] {
        let mut frame = vec![fill; 3 << 20];
        for version in [0u8, 8, 9, 12, 13] {
            for lengths in [b"\0\x0f\x42\x40".as_slice(), b"\xc1\x84\x3d"] {
                frame[..lengths.len()].copy_from_slice(lengths);
                let version = i16::from(version);
                let _ = decode::<protocol::message::MetadataRequest>("MetadataRequest", version, &frame);
                let _ = decode::<protocol::message::MetadataResponse>("MetadataResponse", version, &frame);
            }
        }
        let mut parts = Vec::new();
        for version in 3..=13 {
            frame[..12].copy_from_slice(&[0, 0, 0, version, 0, 0, 0, 0, 0xff, 0xff, 0, 0]);
            let (_, peak) = peak_during(|| produce::walk(&frame, &mut parts).map(|_| ()));
            assert!(peak <= 2 * budget(&frame), "the walk took {peak} bytes");
        }
    }
}

/// A walk into a vector that was used before takes no memory at all.
fn a_second_walk_allocates_nothing() {
    let frame = b"\0\0\0\x09\0\0\0\x01\0\x01c\0\0\xff\xff\0\0\0\x01\x02\x02t\x02\0\0\0\0\x03ab\0\0\0";
    let mut parts = Vec::new();
    produce::walk(frame, &mut parts).unwrap();
    let (parts_found, peak) = peak_during(|| produce::walk(frame, &mut parts).map(|_| parts.len()));
    assert_eq!((parts_found, peak), (Ok(1), 0));
}

fn metadata_records_with_unknown_frames() {
    assert_eq!(MetadataRecord::decode(b"\0\x02\0"), Err(DecodeError::Type(0)));
    assert_eq!(MetadataRecord::decode(b"\x01\xff\x01\0"), Err(DecodeError::Type(255)));
    assert_eq!(MetadataRecord::decode(b"\x01\x02\xff\xff\xff\xff\x0f"), Err(DecodeError::Version(i16::MAX)));
    assert_eq!(MetadataRecord::decode(b"\x01\x14\0\0\0"), Err(DecodeError::Trailing(1)));
    assert!(MetadataRecord::decode(b"\x01").is_err());
}

#[test]
fn decoding_is_bounded() {
    every_message!(check(3));
    many_elements_stay_in_the_budget();
    a_second_walk_allocates_nothing();
    metadata_records_with_unknown_frames();
}

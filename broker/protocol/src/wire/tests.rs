use super::*;
use crate::id::BrokerId;
use protocol_derive::{Fields, Message};

#[derive(Debug, Clone, PartialEq, Message)]
#[message(versions = "1-4", flexible = "3+")]
struct Sample {
    #[field(nullable = "2+")]
    name: Option<String>,
    #[field(versions = "2-3", default = BrokerId(7))]
    leader: BrokerId,
    parts: Vec<Part>,
    #[field(versions = "3+", tag = 5, default = 9)]
    late: i32,
    #[field(versions = "4+", nullable = "0+", tag = 1)]
    extra: Option<Part>,
}

#[derive(Debug, Clone, PartialEq, Fields)]
struct Part {
    ids: Vec<i32>,
}

fn encoded(message: &impl Message, version: i16) -> Vec<u8> {
    let mut writer = Writer::new();
    message.encode(&mut writer, version);
    writer.into_bytes()
}

fn decoded<M: Message>(bytes: &[u8], version: i16) -> Result<M, DecodeError> {
    let mut reader = Reader::new(bytes);
    let message = M::decode(&mut reader, version)?;
    reader.finish().map(|()| message)
}

fn sample() -> Sample {
    Sample {
        name: Some("a".to_owned()),
        leader: BrokerId(1),
        parts: vec![Part { ids: vec![2] }],
        late: 3,
        extra: Some(Part { ids: vec![] }),
    }
}

#[test]
fn each_version_has_its_own_form() {
    assert_eq!(encoded(&sample(), 1), b"\0\x01a\0\0\0\x01\0\0\0\x01\0\0\0\x02");
    assert_eq!(encoded(&sample(), 2), b"\0\x01a\0\0\0\x01\0\0\0\x01\0\0\0\x01\0\0\0\x02");
    assert_eq!(encoded(&sample(), 3), b"\x02a\0\0\0\x01\x02\x02\0\0\0\x02\0\x01\x05\x04\0\0\0\x03");
    assert_eq!(encoded(&sample(), 4), b"\x02a\x02\x02\0\0\0\x02\0\x02\x01\x03\x01\x01\0\x05\x04\0\0\0\x03");
}

#[test]
fn a_field_that_the_version_lacks_gets_its_default() {
    for version in Sample::VERSIONS {
        let mut expected = sample();
        if !(2..=3).contains(&version) {
            expected.leader = BrokerId(7);
        }
        if version < 3 {
            expected.late = 9;
        }
        if version < 4 {
            expected.extra = None;
        }
        assert_eq!(decoded::<Sample>(&encoded(&sample(), version), version), Ok(expected));
    }
}

#[test]
fn null_is_empty_where_the_version_has_no_null() {
    let message = Sample { name: None, ..Sample::default() };
    assert_eq!(decoded::<Sample>(&encoded(&message, 1), 1).unwrap().name, Some(String::new()));
    assert_eq!(decoded::<Sample>(&encoded(&message, 2), 2).unwrap().name, None);
    assert_eq!(decoded::<Sample>(b"\xff\xff\0\0\0\0", 1), Err(DecodeError::Length(-1)));
}

#[test]
fn fields_with_their_default_are_left_out_of_the_tagged_section() {
    assert_eq!(encoded(&Sample::default(), 4), b"\0\x01\0");
}

#[test]
fn unknown_tags_are_skipped() {
    // Tag 1 is not known to version 3, tag 9 to none; the nested struct has one too.
    let bytes = b"\x02a\0\0\0\x01\x02\x01\x01\x02\x01x\x03\x01\x01x\x05\x04\0\0\0\x03\x09\0";
    let message: Sample = decoded(bytes, 3).unwrap();
    assert_eq!(message, Sample { parts: vec![Part { ids: vec![] }], extra: None, ..sample() });
}

#[test]
fn a_tagged_field_fills_its_size() {
    assert_eq!(decoded::<Sample>(b"\0\x01\x01\x05\x05\0\0\0\x03\0", 4), Err(DecodeError::Trailing(1)));
    assert!(matches!(
        decoded::<Sample>(b"\0\x01\x01\x05\x03\0\0\0\x03", 4),
        Err(DecodeError::Truncated { .. })
    ));
    assert!(matches!(
        decoded::<Sample>(b"\0\x01\x01\x05\x7f\0\0\0\x03", 4),
        Err(DecodeError::Truncated { .. })
    ));
    assert_eq!(decoded::<Sample>(b"\0\x01\xff\xff\x03", 4), Err(DecodeError::TaggedFields(0xffff)));
}

#[test]
fn every_truncation_is_an_error() {
    for version in Sample::VERSIONS {
        let bytes = encoded(&sample(), version);
        for end in 0..bytes.len() {
            assert!(decoded::<Sample>(&bytes[..end], version).is_err(), "version {version} cut at {end}");
        }
    }
}

#[test]
fn lengths_are_checked_against_what_is_there() {
    assert_eq!(
        decoded::<Sample>(b"\0\0\x7f\xff\xff\xff", 1),
        Err(DecodeError::Elements { count: 0x7fff_ffff, most: 0 })
    );
    assert_eq!(decoded::<Sample>(b"\0\0\xff\xff\xff\xfe", 1), Err(DecodeError::Length(-2)));
    assert_eq!(decoded::<Sample>(b"\xff\xfe", 1), Err(DecodeError::Length(-2)));
    assert_eq!(decoded::<Sample>(b"\xff\xff\xff\xff\x0f", 4), Err(DecodeError::Length(0xffff_fffe)));
    assert_eq!(decoded::<Sample>(b"\xff\xff\xff\xff\x10", 4), Err(DecodeError::Varint));
    assert_eq!(decoded::<Sample>(b"\0\x01\xff", 1), Err(DecodeError::Utf8));
    assert_eq!(decoded::<Sample>(b"", 5), Err(DecodeError::Version(5)));
}

#[test]
fn an_array_has_at_most_a_million_elements() {
    let mut bytes = 1_000_001i32.to_be_bytes().to_vec();
    bytes.resize(5_000_000, 0);
    let at = At { version: 0, flexible: false, nullable: false };
    assert_eq!(
        Vec::<i8>::decode(&mut Reader::new(&bytes), at),
        Err(DecodeError::Elements { count: 1_000_001, most: ELEMENTS_MAX })
    );
}

#[test]
fn memory_is_bounded_by_the_budget() {
    // A million empty strings: 24 bytes each here, one on the wire.
    let mut bytes = vec![];
    let mut writer = Writer::new();
    writer.unsigned_varint(1_000_001);
    bytes.extend_from_slice(writer.as_slice());
    bytes.resize(bytes.len() + 1_000_000, 1);
    let at = At { version: 0, flexible: true, nullable: false };
    assert_eq!(Vec::<String>::decode(&mut Reader::new(&bytes), at), Err(DecodeError::HeapBudget));
}

#[test]
fn a_string_too_long_for_the_wire_is_cut_at_a_character() {
    let mut writer = Writer::new();
    writer.str(Some(&"\u{e9}".repeat(20_000)), true);
    let bytes = writer.into_bytes();
    let text = Reader::new(&bytes).str(true).unwrap().unwrap();
    assert_eq!(text, "\u{e9}".repeat(STRING_MAX / 2));
}

#[test]
fn frames_carry_their_size() {
    let mut writer = Writer::new();
    let start = writer.begin_frame();
    writer.put(b"abc");
    writer.end_frame(start);
    assert_eq!(writer.into_bytes(), b"\0\0\0\x03abc");
}

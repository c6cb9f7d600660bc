//! The walk over the records of a batch: that every length fits and every offset delta is in its place.
//!
//! One function reads one record's fields and is used for checking, for reading and for the cleaner alike.
//! Nothing is allocated; about 5 ns a record.

use crate::records::varint::Cursor;

/// What makes bytes no record: a sentence for the client.
pub(super) type Defect = &'static str;

const STRUCTURE: Defect = "the record's fields do not fit its length";
const SHORTER: Defect = "the record is shorter than its length";

/// The fields of a record as they stand in its bytes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Fields<'a> {
    pub(super) timestamp_delta: i64,
    pub(super) offset_delta: i32,
    pub(super) key: Option<&'a [u8]>,
    pub(super) value: Option<&'a [u8]>,
    pub(super) headers_count: i32,
    /// The bytes of the headers, already walked.
    pub(super) headers: &'a [u8],
}

/// A length of -1 or less is null, as in Kafka's `Utils.readBytes`; more bytes than are left is a defect.
#[inline(always)]
fn nullable<'a>(cursor: &mut Cursor<'a>) -> Option<Option<&'a [u8]>> {
    match usize::try_from(cursor.varint()?) {
        Ok(length) => cursor.take(length).map(Some),
        Err(_) => Some(None),
    }
}

/// One header: its key, which may not be null, and its value.
#[inline]
pub(super) fn header<'a>(cursor: &mut Cursor<'a>) -> Option<(&'a [u8], Option<&'a [u8]>)> {
    let length = usize::try_from(cursor.varint()?).ok()?;
    let key = cursor.take(length)?;
    Some((key, nullable(cursor)?))
}

/// Reads one record from `body`, the bytes that its length field counts, and walks its headers.
#[inline(always)]
pub(super) fn fields(body: &[u8]) -> Result<Fields<'_>, Defect> {
    let Some((mut fields, mut cursor)) = short_fields(body) else { return any_fields(body) };
    if cursor.rest() != [0] {
        fields.headers_count = cursor.varint().ok_or(STRUCTURE)?;
        fields.headers = cursor.rest();
        walk_headers(&mut cursor, fields.headers_count)?;
        if !cursor.is_empty() {
            return Err(SHORTER);
        }
    }
    Ok(fields)
}

/// Reads a record as nearly all are, up to its headers: deltas and key length in at most two bytes each.
/// Bounds are known to the compiler up to the key, which saves a fifth of a walk.
#[inline(always)]
fn short_fields(body: &[u8]) -> Option<(Fields<'_>, Cursor<'_>)> {
    let start = body.first_chunk::<8>()?;
    let (timestamp_delta, at) = short_varint(start, 1)?;
    let (offset_delta, at) = short_varint(start, at)?;
    let (key_length, at) = short_varint(start, at)?;
    let mut cursor = Cursor::new(body.get(at..)?);
    let key = match usize::try_from(key_length) {
        Ok(length) => Some(cursor.take(length)?),
        Err(_) => None,
    };
    let value = nullable(&mut cursor)?;
    let timestamp_delta = i64::from(timestamp_delta);
    Some((Fields { timestamp_delta, offset_delta, key, value, headers_count: 0, headers: &[] }, cursor))
}

/// A varint of at most two bytes, and where the next field is.
#[inline(always)]
fn short_varint(start: &[u8; 8], at: usize) -> Option<(i32, usize)> {
    let first = *start.get(at)?;
    let (raw, next) = if first < 0x80 {
        (u32::from(first), at + 1)
    } else {
        let second = *start.get(at + 1).filter(|second| **second < 0x80)?;
        (u32::from(first & 0x7f) | u32::from(second) << 7, at + 2)
    };
    Some(((raw >> 1) as i32 ^ -((raw & 1) as i32), next))
}

/// Reads any record, and says what is wrong with one that is none.
#[inline(never)]
fn any_fields(body: &[u8]) -> Result<Fields<'_>, Defect> {
    let mut cursor = Cursor::new(body);
    let fields = fields_before_headers(&mut cursor).ok_or(STRUCTURE)?;
    if fields.headers_count != 0 {
        walk_headers(&mut cursor, fields.headers_count)?;
    }
    if !cursor.is_empty() {
        return Err(SHORTER);
    }
    Ok(fields)
}

#[inline(always)]
fn fields_before_headers<'a>(cursor: &mut Cursor<'a>) -> Option<Fields<'a>> {
    // The attributes of a single record have no meaning and are not looked at, as in Kafka.
    cursor.byte()?;
    Some(Fields {
        timestamp_delta: cursor.varlong()?,
        offset_delta: cursor.varint()?,
        key: nullable(cursor)?,
        value: nullable(cursor)?,
        headers_count: cursor.varint()?,
        headers: cursor.rest(),
    })
}

fn walk_headers(cursor: &mut Cursor<'_>, count: i32) -> Result<(), Defect> {
    if count < 0 {
        return Err("the number of record headers is negative");
    }
    for _ in 0..count {
        header(cursor).ok_or("a record header does not fit the record")?;
    }
    Ok(())
}

/// The next record's body, behind its length.
#[inline(always)]
pub(super) fn next_body<'a>(cursor: &mut Cursor<'a>) -> Result<&'a [u8], Defect> {
    let length = cursor.varint().ok_or("the batch ends where a record's length should be")?;
    let length = usize::try_from(length).map_err(|_| "a record's length is negative")?;
    cursor.take(length).ok_or("a record is longer than the rest of its batch")
}

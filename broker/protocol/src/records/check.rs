//! What a broker proves of a producer's batch before it appends it (Kafka's `LogValidator`).
//!
//! The header and the CRC are checked always, uncompressed records are walked always. Compressed records are
//! walked under [`Validation::Strict`] and on compacted topics; otherwise they pass as they are, and whoever
//! reads them later decompresses with a cap and expects damage.

use crate::ErrorCode;
use crate::id::{Offset, Timestamp};
use crate::records::codec::{Compression, DecompressError, Stream, check_consumable, with_scratch};
use crate::records::header::{
    BATCH_OVERHEAD, BatchHeader, HeaderError, LENGTH_END, TimestampType, crc_matches, rewrite,
};
use crate::records::varint::Cursor;
use crate::records::walk::{Defect, Fields, fields, next_body};

/// Record errors kept of one batch; further ones are only counted, so that an answer stays small.
pub const RECORD_ERRORS_MAX: usize = 100;

/// How deeply compressed records are checked (`record.validation`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Validation {
    /// By their header and CRC: the header's count and timestamps are believed.
    #[default]
    Header,
    /// Whole, as Kafka does.
    Strict,
}

/// Who writes the batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Origin {
    /// A producer.
    #[default]
    Client,
    /// A coordinator of this broker, which may write control batches.
    Coordinator,
}

/// What a topic and a request demand of a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CheckRules {
    /// `max.message.bytes`: largest size of a batch, header included.
    pub max_message_bytes: u32,
    /// `record.validation`.
    pub validation: Validation,
    /// `cleanup.policy` contains `compact`: every record needs a key.
    pub compacted: bool,
    /// `message.timestamp.type`.
    pub timestamp_type: TimestampType,
    /// `message.timestamp.before.max.ms`: how far a record may lie in the past.
    pub before_max_ms: i64,
    /// `message.timestamp.after.max.ms`: how far a record may lie in the future.
    pub after_max_ms: i64,
    /// The time of the append.
    pub now: Timestamp,
    /// Largest size of a batch's records after decompression, where they are decompressed.
    pub decompressed_bytes_max: usize,
    /// The request may carry zstd: Produce 7 on (KIP-110).
    pub zstd_allowed: bool,
    /// Who writes.
    pub origin: Origin,
}

impl Default for CheckRules {
    /// Kafka's defaults for a topic, for a client at the time 0.
    fn default() -> Self {
        Self {
            max_message_bytes: 1_048_588,
            validation: Validation::Header,
            compacted: false,
            timestamp_type: TimestampType::CreateTime,
            before_max_ms: i64::MAX,
            after_max_ms: 3_600_000,
            now: Timestamp(0),
            decompressed_bytes_max: 100 << 20,
            zstd_allowed: true,
            origin: Origin::Client,
        }
    }
}

/// A batch that passed [`check()`] and may be appended.
#[derive(Debug)]
pub struct CheckedBatch<'a> {
    /// What `bytes` start with.
    pub header: BatchHeader,
    /// The whole batch, where a leader writes base offset and epoch.
    pub bytes: &'a mut [u8],
}

/// What is wrong with one record (KIP-467).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordError {
    /// The record's place in its batch, from 0.
    pub index: i32,
    /// A sentence for the producer.
    pub message: String,
}

/// Why a batch is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{code}: {message}")]
pub struct BatchError {
    /// What the producer is told.
    pub code: ErrorCode,
    /// A sentence for the producer, which Produce 8 on carries.
    pub message: String,
    /// The records at fault, at most [`RECORD_ERRORS_MAX`]; empty when the whole batch is at fault.
    pub record_errors: Vec<RecordError>,
}

impl BatchError {
    fn new(code: ErrorCode, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), record_errors: Vec::new() }
    }

    fn record(index: i32, defect: Defect) -> Self {
        let message = format!("record {index}: {defect}");
        Self {
            code: ErrorCode::InvalidRecord,
            message,
            record_errors: vec![RecordError { index, message: defect.into() }],
        }
    }
}

impl From<DecompressError> for BatchError {
    fn from(error: DecompressError) -> Self {
        let code = match error {
            DecompressError::Corrupt(_) => ErrorCode::InvalidRecord,
            DecompressError::TooLarge(_) => ErrorCode::MessageTooLarge,
        };
        Self::new(code, error.to_string())
    }
}

/// Checks the records of one partition of a Produce request, which are exactly one batch, and pushes the
/// batch.
///
/// A max timestamp that does not match the walked records is corrected, and a topic's timestamp type is
/// written into the batch, each with a new CRC.
///
/// # Errors
/// [`BatchError`] with Kafka's code; nothing is pushed then, and `record_set` is as it was.
pub fn check<'a>(
    record_set: &'a mut [u8],
    rules: &CheckRules,
    out: &mut Vec<CheckedBatch<'a>>,
) -> Result<(), BatchError> {
    let header = check_header(record_set, rules)?;
    let compression = header.attributes.compression().map_err(unknown_codec)?;
    let records = record_set.get(BATCH_OVERHEAD..).unwrap_or_default();
    let max_timestamp = if compression == Compression::None {
        walk_plain(records, &header, rules)?
    } else if rules.validation == Validation::Strict || rules.compacted {
        walk_compressed(records, compression, &header, rules)?
    } else {
        check_claimed_timestamp(&header, rules)?;
        header.max_timestamp
    };
    let max_timestamp = match rules.timestamp_type {
        TimestampType::CreateTime => max_timestamp,
        TimestampType::LogAppendTime => rules.now,
    };
    let attributes = header.attributes.with_timestamp_type(rules.timestamp_type);
    let header = if attributes == header.attributes && max_timestamp == header.max_timestamp {
        header
    } else {
        rewrite(record_set, header, attributes, max_timestamp)
    };
    out.push(CheckedBatch { header, bytes: record_set });
    Ok(())
}

fn check_header(record_set: &[u8], rules: &CheckRules) -> Result<BatchHeader, BatchError> {
    let header = parse_only_batch(record_set)?;
    if header.attributes.compression() == Ok(Compression::Zstd) && !rules.zstd_allowed {
        let message = "zstd needs version 7 or later of the Produce request";
        return Err(BatchError::new(ErrorCode::UnsupportedCompressionType, message));
    }
    if rules.origin == Origin::Client && header.base_offset != Offset(0) {
        let message = format!("the base offset of a producer's batch is 0, not {}", header.base_offset);
        return Err(BatchError::new(ErrorCode::InvalidRecord, message));
    }
    if u32::try_from(record_set.len()).unwrap_or(u32::MAX) > rules.max_message_bytes {
        let message = format!(
            "the batch has {} bytes and max.message.bytes is {}",
            record_set.len(),
            rules.max_message_bytes
        );
        return Err(BatchError::new(ErrorCode::MessageTooLarge, message));
    }
    if !crc_matches(record_set) {
        let message = format!("the batch does not match its CRC {:#010x}", header.crc);
        return Err(BatchError::new(ErrorCode::CorruptMessage, message));
    }
    check_counts(&header, rules)?;
    if rules.origin == Origin::Client {
        check_claims_of_client(&header)?;
        check_claimed_append_time(&header, rules)?;
    }
    Ok(header)
}

/// Only a broker may say that a batch has the time of its append. Kafka refuses the claim where the topic has that
/// time, or where the batch has none of its own, and elsewhere takes it off.
fn check_claimed_append_time(header: &BatchHeader, rules: &CheckRules) -> Result<(), BatchError> {
    let claimed = header.attributes.timestamp_type() == TimestampType::LogAppendTime;
    let refused =
        rules.timestamp_type == TimestampType::LogAppendTime || header.max_timestamp == Timestamp::NONE;
    if !(claimed && refused) {
        return Ok(());
    }
    let message = "a producer may not set the timestamp type LogAppendTime";
    let records = usize::try_from(header.records_count).unwrap_or(0).min(RECORD_ERRORS_MAX);
    let record_errors = (0..).take(records).map(|index| RecordError { index, message: message.into() });
    Err(BatchError {
        code: ErrorCode::InvalidTimestamp,
        message: message.into(),
        record_errors: record_errors.collect(),
    })
}

/// The header of a record set that is exactly one batch.
///
/// The codes are those of Kafka 4: a length or magic that no batch ever had is corruption, which a client
/// retries; an old format, a batch cut short and a second batch are the client's own doing.
fn parse_only_batch(record_set: &[u8]) -> Result<BatchHeader, BatchError> {
    let code = |error: &HeaderError| match error {
        HeaderError::Truncated { .. } | HeaderError::Magic(0 | 1) => ErrorCode::InvalidRecord,
        HeaderError::Length(_) | HeaderError::Magic(_) => ErrorCode::CorruptMessage,
    };
    let refuse = |error: HeaderError| BatchError::new(code(&error), error.to_string());
    if record_set.is_empty() {
        return Err(BatchError::new(ErrorCode::InvalidRecord, "a partition of the request has no batch"));
    }
    let header = BatchHeader::parse(record_set).map_err(refuse)?;
    let (needed, available) = (header.size_in_bytes(), record_set.len());
    if needed > available {
        return Err(refuse(HeaderError::Truncated { needed, available }));
    }
    if needed < available {
        let more = available - needed;
        let message = format!("a partition takes exactly one batch a request; {more} bytes follow the first");
        return Err(BatchError::new(ErrorCode::InvalidRecord, message));
    }
    Ok(header)
}

fn check_counts(header: &BatchHeader, rules: &CheckRules) -> Result<(), BatchError> {
    let (count, delta) = (header.records_count, header.last_offset_delta);
    if count <= 0 || i64::from(count) != i64::from(delta) + 1 {
        let message = format!("the batch announces {count} records and a last offset delta of {delta}");
        return Err(BatchError::new(ErrorCode::InvalidRecord, message));
    }
    // Offsets are given by this count, also where the records behind it are not walked.
    let records_bytes_max = match header.attributes.compression() {
        Ok(Compression::None) => header.size_in_bytes(),
        _ => rules.decompressed_bytes_max,
    };
    if usize::try_from(count).unwrap_or(usize::MAX) > records_bytes_max / RECORD_BYTES_MIN {
        let message = format!("{count} records do not fit in {records_bytes_max} bytes");
        return Err(BatchError::new(ErrorCode::InvalidRecord, message));
    }
    Ok(())
}

/// Length, attributes, timestamp delta, offset delta, key length, value length, headers count.
const RECORD_BYTES_MIN: usize = 7;

fn check_claims_of_client(header: &BatchHeader) -> Result<(), BatchError> {
    if header.attributes.is_control() {
        let message = "producers may not write control batches";
        return Err(BatchError::new(ErrorCode::InvalidRecord, message));
    }
    if header.producer_id.0 > -1 && header.base_sequence < 0 {
        let message =
            format!("producer {} sends the base sequence {}", header.producer_id, header.base_sequence);
        return Err(BatchError::new(ErrorCode::InvalidRecord, message));
    }
    Ok(())
}

/// Kafka answers `UNKNOWN_SERVER_ERROR` to codecs 5 to 7, because an exception of its own slips through. This
/// code says what is wrong, and clients do not retry it either.
fn unknown_codec(number: i16) -> BatchError {
    let message = format!("codec {number} is none of none, gzip, snappy, lz4 and zstd");
    BatchError::new(ErrorCode::UnsupportedCompressionType, message)
}

/// The window of timestamps that a topic accepts, both ends included.
#[derive(Clone, Copy)]
struct TimestampWindow {
    from: i64,
    to: i64,
}

impl TimestampWindow {
    fn new(rules: &CheckRules) -> Self {
        match rules.timestamp_type {
            // The broker's own time replaces the producer's: there is nothing to hold against a window.
            TimestampType::LogAppendTime => Self { from: i64::MIN, to: i64::MAX },
            TimestampType::CreateTime => Self {
                from: rules.now.0.saturating_sub(rules.before_max_ms),
                to: rules.now.0.saturating_add(rules.after_max_ms),
            },
        }
    }

    fn holds(self, timestamp: i64) -> bool {
        (self.from <= timestamp && timestamp <= self.to) || timestamp == Timestamp::NONE.0
    }

    fn refusal(self, timestamp: i64) -> String {
        format!("timestamp {timestamp} is outside of {} to {}", self.from, self.to)
    }
}

/// Under [`Validation::Header`] the largest timestamp is all that is known. If it is too old, all are.
fn check_claimed_timestamp(header: &BatchHeader, rules: &CheckRules) -> Result<(), BatchError> {
    let window = TimestampWindow::new(rules);
    if window.holds(header.max_timestamp.0) {
        return Ok(());
    }
    Err(BatchError::new(ErrorCode::InvalidTimestamp, window.refusal(header.max_timestamp.0)))
}

/// What a walk over the records of one batch finds.
struct Walk {
    base_timestamp: i64,
    key_needed: bool,
    window: TimestampWindow,
    next_delta: i32,
    max_timestamp: i64,
    errors: Vec<RecordError>,
    errors_count: usize,
    code: ErrorCode,
}

impl Walk {
    fn new(header: &BatchHeader, rules: &CheckRules) -> Self {
        Self {
            base_timestamp: header.base_timestamp.0,
            key_needed: rules.compacted && !header.attributes.is_control(),
            window: TimestampWindow::new(rules),
            next_delta: 0,
            max_timestamp: Timestamp::NONE.0,
            errors: Vec::new(),
            errors_count: 0,
            code: ErrorCode::InvalidRecord,
        }
    }

    #[inline(always)]
    fn record(&mut self, record: &Fields<'_>) -> Result<(), BatchError> {
        let index = self.next_delta;
        if record.offset_delta != index {
            return Err(BatchError::record(index, "its offset delta is not its place in the batch"));
        }
        self.next_delta = index.wrapping_add(1);
        // Wraps as Java does, so that a consumer sees the same timestamp.
        let timestamp = self.base_timestamp.wrapping_add(record.timestamp_delta);
        self.max_timestamp = self.max_timestamp.max(timestamp);
        if self.key_needed && record.key.is_none() {
            self.refuse(index, "a record of a compacted topic needs a key".into());
        } else if !self.window.holds(timestamp) {
            self.code = ErrorCode::InvalidTimestamp;
            self.refuse(index, self.window.refusal(timestamp));
        }
        Ok(())
    }

    #[cold]
    fn refuse(&mut self, index: i32, message: String) {
        self.errors_count += 1;
        if self.errors.len() < RECORD_ERRORS_MAX {
            self.errors.push(RecordError { index, message });
        }
    }

    /// The largest timestamp, when no record was refused.
    fn finish(self) -> Result<Timestamp, BatchError> {
        let Some(first) = self.errors.first() else { return Ok(Timestamp(self.max_timestamp)) };
        let message =
            format!("{} records are refused; record {}: {}", self.errors_count, first.index, first.message);
        Err(BatchError { code: self.code, message, record_errors: self.errors })
    }
}

fn walk_plain(records: &[u8], header: &BatchHeader, rules: &CheckRules) -> Result<Timestamp, BatchError> {
    let mut walk = Walk::new(header, rules);
    let mut cursor = Cursor::new(records);
    for index in 0..header.records_count {
        let body = next_body(&mut cursor).map_err(|defect| BatchError::record(index, defect))?;
        let record = fields(body).map_err(|defect| BatchError::record(index, defect))?;
        walk.record(&record)?;
    }
    if !cursor.is_empty() {
        return Err(bytes_left());
    }
    walk.finish()
}

fn walk_compressed(
    records: &[u8],
    compression: Compression,
    header: &BatchHeader,
    rules: &CheckRules,
) -> Result<Timestamp, BatchError> {
    check_consumable(compression, records)?;
    with_scratch(|scratch| {
        let mut stream = scratch.start(compression, records, rules.decompressed_bytes_max)?;
        let mut walk = Walk::new(header, rules);
        while walk.next_delta < header.records_count {
            walk_window(&mut stream, &mut walk, header.records_count)?;
            if walk.next_delta < header.records_count && !stream.more()? {
                return Err(BatchError::record(walk.next_delta, "the records end before it does"));
            }
        }
        // The end is read too: a codec proves its checksum there, and nothing may follow the last record.
        while stream.window.unread().is_empty() && stream.more()? {}
        if !stream.window.unread().is_empty() {
            return Err(bytes_left());
        }
        walk.finish()
    })
}

/// Walks the whole records in the window; one that is only partly there stays in it.
fn walk_window(stream: &mut Stream<'_>, walk: &mut Walk, count: i32) -> Result<(), BatchError> {
    let unread = stream.window.unread();
    let mut cursor = Cursor::new(unread);
    let mut consumed = 0;
    while walk.next_delta < count {
        let Some(body) = whole_body(&mut cursor, walk.next_delta)? else { break };
        let record = fields(body).map_err(|defect| BatchError::record(walk.next_delta, defect))?;
        walk.record(&record)?;
        consumed = unread.len() - cursor.rest().len();
    }
    stream.window.consume(consumed);
    Ok(())
}

/// The next record's body, or `None` when its end is not decompressed yet.
fn whole_body<'a>(cursor: &mut Cursor<'a>, index: i32) -> Result<Option<&'a [u8]>, BatchError> {
    let room = cursor.rest().len();
    match cursor.varint().map(usize::try_from) {
        Some(Ok(length)) => Ok(cursor.take(length)),
        Some(Err(_)) => Err(BatchError::record(index, "a record's length is negative")),
        // Five bytes hold every length.
        None if room >= 5 => Err(BatchError::record(index, "a record's length is no varint")),
        None => Ok(None),
    }
}

fn bytes_left() -> BatchError {
    BatchError::new(ErrorCode::InvalidRecord, "bytes follow the last record of the batch")
}

// The header's own length field counts from here on; a batch is never smaller than both together.
const _: () = assert!(LENGTH_END < BATCH_OVERHEAD);

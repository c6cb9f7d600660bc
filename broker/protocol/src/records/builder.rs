//! Building a batch: what a producer, a coordinator and the cleaner write.

use crate::id::{LeaderEpoch, Offset, ProducerEpoch, ProducerId, Timestamp};
use crate::records::codec::{self, CompressError, Compression};
use crate::records::header::{
    self, Attributes, BATCH_OVERHEAD, BatchHeader, LENGTH_END, MAGIC, TimestampType,
};
use crate::records::read::Record;
use crate::records::varint::{put_varint, put_varlong, varlong_len};

/// Why there is no batch.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// No record was pushed and no last offset was set.
    #[error("a batch without records covers no offset")]
    Empty,
    /// A length passes 2^31 - 1, or an offset is not above the one before it.
    #[error("a record does not fit the batch format")]
    Unfit,
    /// The codec refused.
    #[error(transparent)]
    Compress(#[from] CompressError),
}

/// Collects records into one batch.
///
/// Records get the offsets behind each other unless [`BatchBuilder::push_record`] says otherwise. The base
/// timestamp is the first record's.
#[derive(Debug, Clone)]
pub struct BatchBuilder {
    header: BatchHeader,
    compression: Compression,
    level: Option<i32>,
    records: Vec<u8>,
    append_time: Option<Timestamp>,
    delete_horizon: Option<Timestamp>,
    unfit: bool,
}

impl Default for BatchBuilder {
    fn default() -> Self {
        Self::new()
    }
}

impl BatchBuilder {
    /// A batch at offset 0, of no producer, uncompressed.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            header: BatchHeader {
                base_offset: Offset(0),
                batch_length: 0,
                partition_leader_epoch: LeaderEpoch::UNKNOWN,
                magic: MAGIC,
                crc: 0,
                attributes: Attributes(0),
                last_offset_delta: -1,
                base_timestamp: Timestamp::NONE,
                max_timestamp: Timestamp::NONE,
                producer_id: ProducerId::NONE,
                producer_epoch: ProducerEpoch::NONE,
                base_sequence: -1,
                records_count: 0,
            },
            compression: Compression::None,
            level: None,
            records: Vec::new(),
            append_time: None,
            delete_horizon: None,
            unfit: false,
        }
    }

    /// A batch with the fields of another one and none of its records: what the cleaner starts from. Offsets
    /// up to the other's last one stay covered, whichever records are pushed.
    #[must_use]
    pub fn like(header: &BatchHeader) -> Self {
        let attributes = header.attributes.with_compression(Compression::None);
        let append_time = match attributes.timestamp_type() {
            TimestampType::CreateTime => None,
            TimestampType::LogAppendTime => Some(header.max_timestamp),
        };
        Self {
            header: BatchHeader {
                attributes,
                base_timestamp: Timestamp::NONE,
                max_timestamp: Timestamp::NONE,
                records_count: 0,
                ..*header
            },
            compression: header.attributes.compression().unwrap_or_default(),
            append_time,
            delete_horizon: attributes.has_delete_horizon().then_some(header.base_timestamp),
            ..Self::new()
        }
    }

    /// Compresses the records; `level` as in [`codec::compress`].
    #[must_use]
    pub const fn compression(mut self, compression: Compression, level: Option<i32>) -> Self {
        self.compression = compression;
        self.level = level;
        self
    }

    /// Sets the first record's offset.
    #[must_use]
    pub const fn base_offset(mut self, base_offset: Offset) -> Self {
        self.header.base_offset = base_offset;
        self
    }

    /// Sets the leader epoch.
    #[must_use]
    pub const fn leader_epoch(mut self, epoch: LeaderEpoch) -> Self {
        self.header.partition_leader_epoch = epoch;
        self
    }

    /// Sets the idempotent producer and the first record's sequence.
    #[must_use]
    pub const fn producer(mut self, id: ProducerId, epoch: ProducerEpoch, base_sequence: i32) -> Self {
        self.header.producer_id = id;
        self.header.producer_epoch = epoch;
        self.header.base_sequence = base_sequence;
        self
    }

    /// Puts the batch into its producer's transaction.
    #[must_use]
    pub const fn transactional(mut self) -> Self {
        self.header.attributes = self.header.attributes.with_transactional(true);
        self
    }

    /// Makes it a control batch.
    #[must_use]
    pub const fn control(mut self) -> Self {
        self.header.attributes = self.header.attributes.with_control(true);
        self
    }

    /// Gives every record the time of the append.
    #[must_use]
    pub const fn log_append_time(mut self, now: Timestamp) -> Self {
        self.header.attributes = self.header.attributes.with_timestamp_type(TimestampType::LogAppendTime);
        self.append_time = Some(now);
        self
    }

    /// Sets the time from which the cleaner may drop the batch's tombstones (KIP-534).
    #[must_use]
    pub const fn delete_horizon(mut self, horizon: Timestamp) -> Self {
        self.header.attributes = self.header.attributes.with_delete_horizon(true);
        self.delete_horizon = Some(horizon);
        self
    }

    /// Records pushed.
    #[must_use]
    pub const fn records_count(&self) -> i32 {
        self.header.records_count
    }

    /// Bytes that the batch takes before compression.
    #[must_use]
    pub const fn size_in_bytes(&self) -> usize {
        BATCH_OVERHEAD + self.records.len()
    }

    /// Appends a record at the next offset.
    pub fn push(
        &mut self,
        timestamp: Timestamp,
        key: Option<&[u8]>,
        value: Option<&[u8]>,
        headers: &[(&str, Option<&[u8]>)],
    ) {
        let mut bytes = Vec::new();
        for (name, value) in headers {
            put_bytes(&mut bytes, Some(name.as_bytes()));
            put_bytes(&mut bytes, *value);
        }
        let delta = self.header.last_offset_delta.saturating_add(1);
        self.push_raw(delta, timestamp, key, value, (headers.len(), &bytes));
    }

    /// Appends a record of another batch, headers as they are, at its own offset, which is above the last
    /// one's.
    pub fn push_record(&mut self, record: &Record<'_>) {
        let Ok(delta) = i32::try_from(record.offset.0.saturating_sub(self.header.base_offset.0)) else {
            self.unfit = true;
            return;
        };
        let headers = (record.headers.len(), record.headers.bytes);
        self.push_raw(delta, record.timestamp, record.key, record.value, headers);
    }

    fn push_raw(
        &mut self,
        offset_delta: i32,
        timestamp: Timestamp,
        key: Option<&[u8]>,
        value: Option<&[u8]>,
        (headers_count, headers): (usize, &[u8]),
    ) {
        if self.header.records_count == 0 {
            self.header.base_timestamp = self.delete_horizon.unwrap_or(timestamp);
        }
        let timestamp_delta = timestamp.0.wrapping_sub(self.header.base_timestamp.0);
        let length = 1
            + varlong_len(timestamp_delta)
            + varlong_len(i64::from(offset_delta))
            + self.bytes_len(key)
            + self.bytes_len(value)
            + varlong_len(i64::from(self.fit(headers_count)))
            + headers.len();
        let length = self.fit(length);
        let out = &mut self.records;
        put_varint(out, length);
        out.push(0);
        put_varlong(out, timestamp_delta);
        put_varint(out, offset_delta);
        put_bytes(out, key);
        put_bytes(out, value);
        put_varint(out, i32::try_from(headers_count).unwrap_or(0));
        out.extend_from_slice(headers);
        self.header.max_timestamp = self.header.max_timestamp.max(timestamp);
        self.header.last_offset_delta = self.header.last_offset_delta.max(offset_delta);
        self.header.records_count = self.header.records_count.saturating_add(1);
        self.unfit |= offset_delta < 0;
    }

    fn bytes_len(&mut self, bytes: Option<&[u8]>) -> usize {
        match bytes {
            None => 1,
            Some(bytes) => varlong_len(i64::from(self.fit(bytes.len()))) + bytes.len(),
        }
    }

    fn fit(&mut self, length: usize) -> i32 {
        i32::try_from(length).unwrap_or_else(|_| {
            self.unfit = true;
            0
        })
    }

    /// The batch's bytes.
    ///
    /// # Errors
    /// [`BuildError`]: nothing to build, lengths beyond the format, or a codec that refuses.
    pub fn build(mut self) -> Result<Vec<u8>, BuildError> {
        if self.unfit {
            return Err(BuildError::Unfit);
        }
        if self.header.last_offset_delta < 0 {
            return Err(BuildError::Empty);
        }
        let mut bytes = Vec::with_capacity(self.size_in_bytes());
        bytes.resize(BATCH_OVERHEAD, 0);
        if self.header.records_count == 0 {
            // Nothing to compress: Kafka's cleaner leaves such batches to keep a producer's last sequence.
            self.compression = Compression::None;
        }
        codec::compress(self.compression, self.level, &self.records, &mut bytes)?;
        self.header.attributes = self.header.attributes.with_compression(self.compression);
        if let Some(now) = self.append_time {
            self.header.max_timestamp = now;
        }
        if let Some(horizon) = self.delete_horizon {
            self.header.base_timestamp = horizon;
        }
        self.header.batch_length = i32::try_from(bytes.len() - LENGTH_END).map_err(|_| BuildError::Unfit)?;
        let _ = header::write(&mut bytes, &self.header);
        Ok(bytes)
    }
}

/// Appends a length and what it counts. A length beyond the format was found before, by `bytes_len`.
fn put_bytes(out: &mut Vec<u8>, bytes: Option<&[u8]>) {
    match bytes {
        None => put_varint(out, -1),
        Some(bytes) => {
            put_varint(out, i32::try_from(bytes.len()).unwrap_or(0));
            out.extend_from_slice(bytes);
        }
    }
}

//! Reading the records of a batch that is in a log or came from a broker.
//!
//! A batch may have been appended without its records being looked at, so this expects damage anywhere.

use std::iter::FusedIterator;

use crate::id::{Offset, Timestamp};
use crate::records::codec::{Compression, DecompressError, decompress};
use crate::records::header::{BATCH_OVERHEAD, BatchHeader, HeaderError, TimestampType};
use crate::records::varint::Cursor;
use crate::records::walk::{self, fields, next_body};

/// Why a batch's records cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ReadError {
    /// The bytes do not start with a whole batch.
    #[error(transparent)]
    Header(#[from] HeaderError),
    /// The codec's number is none of Kafka's.
    #[error("codec {0} is unknown")]
    Codec(i16),
    /// The records do not come out of their codec.
    #[error(transparent)]
    Decompress(#[from] DecompressError),
    /// A record does not fit the bytes that are there.
    #[error("record {index}: {defect}")]
    Record {
        /// The record's place in its batch, from 0.
        index: i32,
        /// What is wrong with it.
        defect: &'static str,
    },
}

/// One record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Record<'a> {
    /// Its place in the partition.
    pub offset: Offset,
    /// Its producer's time, or the time of the append.
    pub timestamp: Timestamp,
    /// Its key; null and empty are two things.
    pub key: Option<&'a [u8]>,
    /// Its value; null is a tombstone on a compacted topic.
    pub value: Option<&'a [u8]>,
    /// Its headers.
    pub headers: Headers<'a>,
}

/// A record's headers, in the order and with the repetitions that the producer gave them: an iterator of
/// keys, which are UTF-8 by convention only, and nullable values.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Headers<'a> {
    pub(super) bytes: &'a [u8],
    pub(super) left: i32,
}

impl<'a> Headers<'a> {
    /// Headers that are still to come.
    #[must_use]
    pub fn len(&self) -> usize {
        usize::try_from(self.left).unwrap_or(0)
    }

    /// Whether none is to come.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.left <= 0
    }

    /// The value of the last header with this key, as Kafka's `lastHeader`; the outer `None` when there is
    /// none.
    #[must_use]
    pub fn last(self, key: &str) -> Option<Option<&'a [u8]>> {
        self.filter(|(name, _)| *name == key.as_bytes()).map(|(_, value)| value).last()
    }
}

impl<'a> Iterator for Headers<'a> {
    type Item = (&'a [u8], Option<&'a [u8]>);

    fn next(&mut self) -> Option<Self::Item> {
        if self.left <= 0 {
            return None;
        }
        let mut cursor = Cursor::new(self.bytes);
        // The walk over the record has seen every header already, so this yields all that are left.
        let header = walk::header(&mut cursor)?;
        self.bytes = cursor.rest();
        self.left -= 1;
        Some(header)
    }
}

impl FusedIterator for Headers<'_> {}

/// The records of one batch.
#[derive(Debug, Clone)]
pub struct Records<'a> {
    header: BatchHeader,
    cursor: Cursor<'a>,
    index: i32,
}

impl<'a> Records<'a> {
    /// Reads the batch at the start of `batch`. Compressed records are decompressed into `buffer`, which
    /// loses what it held; at most `decompressed_bytes_max` bytes of them.
    ///
    /// # Errors
    /// [`ReadError`] when the header is none, the batch is cut, or the codec refuses. The CRC is not looked
    /// at.
    pub fn new(
        batch: &'a [u8],
        buffer: &'a mut Vec<u8>,
        decompressed_bytes_max: usize,
    ) -> Result<Self, ReadError> {
        let header = BatchHeader::parse(batch)?;
        let needed = header.size_in_bytes();
        let records = batch
            .get(BATCH_OVERHEAD..needed)
            .ok_or(HeaderError::Truncated { needed, available: batch.len() })?;
        let records = match header.attributes.compression().map_err(ReadError::Codec)? {
            Compression::None => records,
            compression => {
                buffer.clear();
                decompress(compression, records, decompressed_bytes_max, buffer)?;
                buffer
            }
        };
        Ok(Self { header, cursor: Cursor::new(records), index: 0 })
    }

    /// The batch's header.
    #[must_use]
    pub const fn header(&self) -> &BatchHeader {
        &self.header
    }

    fn read(&mut self) -> Result<Record<'a>, &'static str> {
        let record = fields(next_body(&mut self.cursor)?)?;
        let timestamp = match self.header.attributes.timestamp_type() {
            TimestampType::CreateTime => {
                Timestamp(self.header.base_timestamp.0.wrapping_add(record.timestamp_delta))
            }
            TimestampType::LogAppendTime => self.header.max_timestamp,
        };
        Ok(Record {
            offset: Offset(self.header.base_offset.0.wrapping_add(i64::from(record.offset_delta))),
            timestamp,
            key: record.key,
            value: record.value,
            headers: Headers { bytes: record.headers, left: record.headers_count },
        })
    }
}

impl<'a> Iterator for Records<'a> {
    type Item = Result<Record<'a>, ReadError>;

    /// The next record. After an error there are no more.
    fn next(&mut self) -> Option<Self::Item> {
        if self.index >= self.header.records_count {
            return None;
        }
        let index = self.index;
        self.index += 1;
        Some(self.read().map_err(|defect| {
            self.index = i32::MAX;
            ReadError::Record { index, defect }
        }))
    }
}

impl FusedIterator for Records<'_> {}

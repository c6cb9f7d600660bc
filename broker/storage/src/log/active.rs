//! The segment that takes appends: its size, its newest index entries, and what decides when it is closed.

use std::sync::Arc;

use protocol::id::{Offset, Timestamp};
use protocol::records::BatchHeader;

use super::MaxTimestamp;
use super::recent::Recent;
use crate::config::LogConfig;
use crate::index::{OFFSET_ENTRY_BYTES, OffsetEntry, TIME_ENTRY_BYTES, Tail, TimeEntry};
use crate::segment::Segment;

/// The segment at the log's end.
#[derive(Debug)]
pub(crate) struct Active {
    pub(crate) segment: Arc<Segment>,
    /// Whether the files are there: they come with the first append.
    pub(crate) exists: bool,
    /// Bytes of whole batches.
    pub(crate) size: u32,
    /// The offset behind the last batch, or the segment's base.
    pub(crate) next_offset: Offset,
    pub(crate) offsets: Tail<OffsetEntry>,
    pub(crate) times: Tail<TimeEntry>,
    /// The newest time entry's timestamp, wherever that entry is.
    pub(crate) newest_time_entry: i64,
    pub(crate) recent: Recent,
    /// Bytes appended since the last index entry.
    pub(crate) since_entry: u32,
    pub(crate) max_timestamp: MaxTimestamp,
    /// The first batch's greatest timestamp, from which `segment.ms` counts.
    pub(crate) first_timestamp: Timestamp,
    /// By which share of `segment.jitter.ms` it is closed early, of 2^32: the same in every run.
    jitter: u32,
    /// When the segment began, which counts instead when the first batch has no timestamp.
    pub(crate) created: Timestamp,
    /// The two newest eras in which bytes were written and where each began: what was written in a recent era
    /// is in the page cache.
    warm: [(u64, u32); 2],
}

impl Active {
    pub(crate) fn new(segment: Arc<Segment>, now: Timestamp) -> Self {
        Self {
            next_offset: segment.base_offset(),
            jitter: jitter(&segment),
            segment,
            exists: false,
            size: 0,
            offsets: Tail::default(),
            times: Tail::default(),
            newest_time_entry: -1,
            recent: Recent::new(),
            since_entry: 0,
            max_timestamp: MaxTimestamp::NONE,
            first_timestamp: Timestamp::NONE,
            created: now,
            warm: [(u64::MAX, 0); 2],
        }
    }

    /// An offset as index entries hold it.
    pub(crate) fn relative(&self, offset: Offset) -> u32 {
        u32::try_from(offset.0.saturating_sub(self.segment.base_offset().0)).unwrap_or(u32::MAX)
    }

    /// Whether a batch must go into a new segment, with `staged_bytes` already on their way into this one.
    pub(crate) fn must_roll(
        &self,
        config: &LogConfig,
        now: Timestamp,
        staged_bytes: u32,
        header: &BatchHeader,
        base_offset: Offset,
    ) -> bool {
        let size = u64::from(self.size) + u64::from(staged_bytes);
        if size == 0 {
            return false;
        }
        let last_relative =
            base_offset.0 - self.segment.base_offset().0 + i64::from(header.last_offset_delta);
        size + header.size_in_bytes() as u64 > u64::from(config.segment_bytes)
            || last_relative > i64::from(i32::MAX)
            || self.is_index_full(config)
            || self.is_over_time(config, now, header.max_timestamp)
    }

    fn is_index_full(&self, config: &LogConfig) -> bool {
        let room = config.segment_index_bytes as usize;
        // One entry is kept free for the time index, which gets a last one when the segment is closed.
        self.offsets.len() >= room / OFFSET_ENTRY_BYTES || self.times.len() + 1 >= room / TIME_ENTRY_BYTES
    }

    /// Kafka measures a segment's age by records: from its first batch's timestamp to the new batch's.
    pub(crate) fn is_over_time(&self, config: &LogConfig, now: Timestamp, newest: Timestamp) -> bool {
        let age = if self.first_timestamp.0 >= 0 {
            newest.millis_since(self.first_timestamp)
        } else {
            now.millis_since(self.created)
        };
        // As in Kafka, a jitter longer than the time counts as that time.
        let early = config.segment_jitter_ms.min(config.segment_ms);
        let early = u64::try_from((u128::from(early) * u128::from(self.jitter)) >> 32).unwrap_or(u64::MAX);
        self.size > 0 && age > config.segment_ms - early
    }

    /// Notes a batch that was written at the segment's end.
    pub(crate) fn note_batch(&mut self, config: &LogConfig, header: &BatchHeader, base_offset: Offset) {
        let size = u32::try_from(header.size_in_bytes()).unwrap_or(u32::MAX);
        let last_offset = base_offset.plus(i64::from(header.last_offset_delta));
        if base_offset != self.next_offset {
            // Compaction left a gap, and the ring only knows batches that follow each other.
            self.recent.clear();
        }
        if self.first_timestamp == Timestamp::NONE {
            self.first_timestamp = header.max_timestamp;
        }
        if header.max_timestamp > self.max_timestamp.timestamp {
            self.max_timestamp = MaxTimestamp { timestamp: header.max_timestamp, offset: last_offset };
        }
        if self.since_entry > config.index_interval_bytes {
            let (base, last) = (self.relative(base_offset), self.relative(last_offset));
            self.offsets.push(OffsetEntry { base, last, position: self.size });
            self.push_time_entry();
            self.since_entry = 0;
        }
        self.recent.push(base_offset, self.size);
        self.since_entry = self.since_entry.saturating_add(size);
        self.size += size;
        self.next_offset = last_offset.plus(1);
    }

    /// Adds the greatest timestamp so far to the time index, if it is greater than the last one there.
    pub(crate) fn push_time_entry(&mut self) {
        let timestamp = self.max_timestamp.timestamp.0;
        if timestamp > self.newest_time_entry {
            self.newest_time_entry = timestamp;
            self.times.push(TimeEntry { timestamp, last: self.relative(self.max_timestamp.offset) });
        }
    }

    /// Notes that bytes from `position` on were written in `era`.
    pub(crate) const fn note_era(&mut self, era: u64, position: u32) {
        if self.warm[1].0 != era {
            self.warm[0] = self.warm[1];
            self.warm[1] = (era, position);
        }
    }

    /// From which position on the bytes were written lately enough to be in the page cache for sure.
    pub(crate) fn warm_from(&self, era: u64) -> u32 {
        // The warm window has four eras, of which the one that runs and the oldest may be partly over.
        let is_recent = |written: u64| written <= era && era - written <= 2;
        self.warm.iter().find(|mark| is_recent(mark.0)).map_or(u32::MAX, |mark| mark.1)
    }

    /// Forgets what the ring and the eras say, after the segment was cut.
    pub(crate) fn forget_recent(&mut self) {
        self.recent.clear();
        self.warm = [(u64::MAX, 0); 2];
    }
}

/// A number that differs from log to log and from segment to segment, spread over all of its range.
fn jitter(segment: &Segment) -> u32 {
    let folder = segment.folder().path();
    let name = crc32c::crc32c(folder.as_os_str().as_encoded_bytes());
    crc32c::crc32c_append(name, &segment.base_offset().0.to_be_bytes())
}

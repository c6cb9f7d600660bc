//! Reading: planned from memory under the log's lock, run outside it.
//!
//! A plan finds the batch with the asked offset and the end at a batch boundary. The ring of recent batches and
//! the index entries in memory mostly know both; else [`ReadPlan::run`] reads a few headers. The result is a
//! range of whole batches for sendfile: nothing is copied, and CRCs are computed only where `proof` asks for it.

mod run;

use std::sync::Arc;

use protocol::id::Offset;

use super::{Log, MaxTimestamp};
use crate::disk::{File, FileRange};
use crate::index::Known;
use crate::segment::Segment;

pub(super) use run::{next_position, readable};

/// The asked offset is below the log's start or above its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("offset is outside the log")]
pub struct OffsetOutOfRange;

/// Where the batch with the asked offset begins, as far as memory knows.
#[derive(Debug, Clone, Copy)]
enum From {
    At(u32),
    After(u32),
    /// The index's file has to be looked at.
    InFile,
}

/// A read that was planned. Holds the segment, so that rolls, truncations and deletions do not harm it.
#[derive(Debug, Clone)]
pub struct ReadPlan {
    /// `None` when there is nothing to read.
    segment: Option<Arc<Segment>>,
    file: Option<Arc<dyn File>>,
    from: Offset,
    start: From,
    /// Bytes of whole batches in the segment.
    size: u32,
    /// No batch that reaches this offset is read.
    before: Offset,
    log_end: Offset,
    /// A batch boundary below which all batches end before `before`.
    safe_end: u32,
    /// Whether `safe_end` is the greatest such boundary.
    exact_end: bool,
    /// The greatest boundary in memory that keeps the range within `bytes_max`.
    boundary: u32,
    bytes_max: u32,
    /// Bytes from here on are in the page cache for sure.
    warm_from: u32,
    /// Where the next segment begins, for a read behind the last batch that compaction left in this one.
    next_segment: Option<Offset>,
    sealed: Option<MaxTimestamp>,
}

/// What a read found.
#[derive(Debug, Clone, Default)]
pub struct FetchedRange {
    /// Whole batches, the first of which holds the asked offset; `None` when there are none.
    pub range: Option<FileRange>,
    /// Compaction left no batch at or behind the asked offset in its segment: plan again from here.
    pub skip_to: Option<Offset>,
    /// What follows the range in its segment and is not in memory: for a job thread to
    /// [read ahead](FileRange::read_ahead), so that a reader that goes on finds it there.
    pub ahead: Option<FileRange>,
}

impl Log {
    /// Plans a read of whole batches from the one with `from` on, all of which end before `before` (high
    /// watermark, last stable offset or log end). At most `bytes_max` bytes, but at least one batch (KIP-74).
    ///
    /// # Errors
    /// When `from` is outside the log.
    pub fn plan_read(
        &self,
        from: Offset,
        before: Offset,
        bytes_max: u32,
    ) -> Result<ReadPlan, OffsetOutOfRange> {
        if from < self.log_start_offset || from > self.log_end_offset() {
            return Err(OffsetOutOfRange);
        }
        let before = before.min(self.log_end_offset());
        if from >= before {
            return Ok(ReadPlan::empty(from));
        }
        Ok(match self.segment_at(from) {
            Some(index) => self.plan_sealed(index, from, before, bytes_max),
            None => self.plan_active(from, before, bytes_max),
        })
    }

    fn plan_sealed(&self, index: usize, from: Offset, before: Offset, bytes_max: u32) -> ReadPlan {
        let Some(sealed) = self.sealed.get(index) else { return ReadPlan::empty(from) };
        let end = self.end_of_sealed(index);
        let whole = before >= end;
        ReadPlan {
            segment: Some(Arc::clone(&sealed.segment)),
            file: sealed.segment.opened(),
            start: if from == sealed.segment.base_offset() { From::After(0) } else { From::InFile },
            size: sealed.size,
            before,
            log_end: self.log_end_offset(),
            safe_end: if whole { sealed.size } else { 0 },
            exact_end: whole,
            boundary: 0,
            bytes_max,
            warm_from: u32::MAX,
            next_segment: Some(end),
            sealed: Some(sealed.max_timestamp),
            from,
        }
    }

    fn plan_active(&self, from: Offset, before: Offset, bytes_max: u32) -> ReadPlan {
        let active = &self.active;
        let start = match active.recent.lookup(from) {
            Some((_, position)) => From::At(position),
            None => match active.offsets.lookup(active.relative(from)) {
                Known::At(position) => From::At(position),
                Known::After(position) => From::After(position),
                Known::InFile => From::InFile,
            },
        };
        let (safe_end, exact_end) = self.end_in_active(before);
        let boundary = match start {
            From::At(position) | From::After(position) => {
                let limit = u64::from(position) + u64::from(bytes_max);
                active.recent.boundary(limit).or_else(|| active.offsets.boundary(limit)).unwrap_or(0)
            }
            From::InFile => 0,
        };
        ReadPlan {
            segment: Some(Arc::clone(&active.segment)),
            file: active.segment.opened(),
            from,
            start,
            size: active.size,
            before,
            log_end: self.log_end_offset(),
            safe_end,
            exact_end,
            boundary,
            bytes_max,
            warm_from: active.warm_from(self.files.era()),
            next_segment: None,
            sealed: None,
        }
    }

    /// A boundary in the active segment below which all batches end before `before`, and whether it is the
    /// greatest one.
    fn end_in_active(&self, before: Offset) -> (u32, bool) {
        let active = &self.active;
        if before == active.next_offset {
            return (active.size, true);
        }
        if let Some((_, position)) = active.recent.lookup(before) {
            return (position, true);
        }
        match active.offsets.lookup(active.relative(before)) {
            Known::At(position) => (position, true),
            Known::After(position) => (position, false),
            Known::InFile => (0, false),
        }
    }
}

impl ReadPlan {
    const fn empty(from: Offset) -> Self {
        Self {
            segment: None,
            file: None,
            from,
            start: From::At(0),
            size: 0,
            before: from,
            log_end: from,
            safe_end: 0,
            exact_end: true,
            boundary: 0,
            bytes_max: 0,
            warm_from: 0,
            next_segment: None,
            sealed: None,
        }
    }

    /// Whether records that may be read lie in later segments too, to which no range of this plan reaches.
    #[must_use]
    pub fn is_followed(&self) -> bool {
        self.next_segment.is_some_and(|next| next < self.before)
    }

    /// Whether there is nothing to read, so that running the plan is not needed.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.segment.is_none()
    }
}

//! Reading: planned from memory under the log's lock, run outside it.
//!
//! A plan finds the batch with the asked offset and the end at a batch boundary. The ring of recent batches and
//! the index entries in memory mostly know both; else [`ReadPlan::run`] reads a few headers. The result is a
//! range of whole batches for sendfile: nothing is copied, and CRCs are computed only where `proof` asks for it.

use std::io;
use std::sync::Arc;

use protocol::id::Offset;
use protocol::records::BatchHeader;

use super::{Log, MaxTimestamp, proof};
use crate::disk::{File, FileRange, Wait};
use crate::headers::Headers;
use crate::index::Known;
use crate::names::{self, LOG};
use crate::segment::Segment;

/// How often a read begins anew behind damage that it met.
const DAMAGE_TRIES: usize = 4;

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

    /// Whether there is nothing to read, so that running the plan is not needed.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.segment.is_none()
    }

    /// Finds the range. With [`Wait::Never`] `WouldBlock` says that something is not in memory: let a job thread
    /// call [`ReadPlan::warm`] and run it again. `InvalidData` says that the asked offset is among damaged bytes,
    /// which a client is told as `CORRUPT_MESSAGE`; a range that begins before damage ends there. `NotFound` says
    /// that the segment was removed meanwhile.
    ///
    /// # Errors
    /// As above, and what the disk says.
    pub fn run(&self, wait: Wait) -> io::Result<FetchedRange> {
        let Some(segment) = &self.segment else { return Ok(FetchedRange::default()) };
        let file = match &self.file {
            Some(file) => Arc::clone(file),
            None if wait == Wait::Never && !segment.is_checked() => {
                return Err(io::ErrorKind::WouldBlock.into());
            }
            None => segment.open()?,
        };
        if self.sealed.is_some() && !segment.is_checked() {
            proof::check_sealed(segment, &*file, self.size, wait)?;
        }
        segment.note_checked();
        // Damage that is met makes the next try begin behind it, if the asked offset is there.
        for _ in 0..DAMAGE_TRIES {
            let Some(start) = self.find_start(segment, &*file, wait)? else {
                return Ok(FetchedRange { range: None, skip_to: self.next_segment });
            };
            let Some(end) = self.find_end(segment, &*file, start, wait)? else { continue };
            if end <= start {
                return Ok(FetchedRange::default());
            }
            let sound_to = segment.proof().damage_from(start).map_or(end, |damage| end.min(damage.0));
            let end = if sound_to > start && segment.proof().is_unproven(start, sound_to) {
                let bounds = (self.size, self.next_segment.unwrap_or(self.log_end));
                proof::prove(segment, &*file, bounds, (start, sound_to), wait)?
            } else {
                sound_to
            };
            if end <= start {
                continue;
            }
            let range = FileRange { file, position: u64::from(start), len: end - start };
            if wait == Wait::Never && start < self.warm_from && !range.is_warm()? {
                return Err(io::ErrorKind::WouldBlock.into());
            }
            return Ok(FetchedRange { range: Some(range), skip_to: None });
        }
        Err(self.damaged_at(segment, None))
    }

    /// The error of a read among damaged bytes.
    fn damaged_at(&self, segment: &Segment, range: Option<(u32, u32)>) -> io::Error {
        let name = names::file_name(segment.base_offset(), LOG);
        let reason = match range {
            Some((from, to)) => format!("bytes {from} to {to} of {name} are not what was written"),
            None => format!("{name} is not what was written"),
        };
        io::Error::new(io::ErrorKind::InvalidData, reason)
    }

    /// Brings everything that the plan needs into memory. Waits for the device: for a job thread.
    ///
    /// # Errors
    /// As [`ReadPlan::run`], never `WouldBlock`.
    pub fn warm(&self) -> io::Result<()> {
        match self.run(Wait::Long)?.range {
            Some(range) => range.warm(),
            None => Ok(()),
        }
    }

    /// The position of the first batch that ends at or behind the asked offset; `None` when the segment has none.
    fn find_start(&self, segment: &Arc<Segment>, file: &dyn File, wait: Wait) -> io::Result<Option<u32>> {
        let mut headers = Headers::new(file, self.size, wait);
        let mut position = match self.start {
            From::At(position) => return Ok(Some(position)),
            From::After(position) => position,
            From::InFile => {
                let index = segment.index(self.size, wait)?;
                let relative = self.from.0 - segment.base_offset().0;
                let position = index.lookup(u32::try_from(relative).unwrap_or(u32::MAX));
                // An entry that points too far, or at no batch, is damage of the index alone: the log leads on.
                let fits = |header: &BatchHeader| header.base_offset <= self.from;
                if position == 0 || is_batch(&mut headers, position, fits)? { position } else { 0 }
            }
        };
        let mut before = segment.base_offset();
        while position < self.size {
            let damage = segment.proof().damage_from(position).filter(|damage| damage.0 <= position);
            if let Some(damage) = damage {
                let behind = if damage.1 < self.size { readable(headers.at(damage.1))? } else { None };
                // What is asked for is among the damaged bytes, unless a batch behind them has it.
                if behind.is_none_or(|header| header.base_offset > self.from) {
                    return Err(self.damaged_at(segment, Some(damage)));
                }
                position = damage.1;
                continue;
            }
            let header = readable(headers.at(position))?;
            if header.is_some_and(|header| header.last_offset() >= self.from) {
                return Ok(Some(position));
            }
            match header.and_then(|header| next_position(position, &header, self.size).ok()) {
                Some(next) => {
                    before = header.map_or(before, |header| header.next_offset());
                    position = next;
                }
                None => proof::note_damage(segment, file, self.size, (position, before), wait)?,
            }
        }
        Ok(None)
    }

    /// The end of the range that begins at `start`: a batch boundary. `None` when what is at `start` is no batch,
    /// which is noted as damage.
    fn find_end(
        &self,
        segment: &Arc<Segment>,
        file: &dyn File,
        start: u32,
        wait: Wait,
    ) -> io::Result<Option<u32>> {
        let limit = u64::from(start) + u64::from(self.bytes_max);
        if self.exact_end && u64::from(self.safe_end) <= limit {
            return Ok(Some(self.safe_end));
        }
        let (mut known, mut safe_end) = (self.boundary, self.safe_end);
        let mut headers = Headers::new(file, self.size, wait);
        if known <= start && (self.sealed.is_some() || matches!(self.start, From::InFile)) {
            let index = segment.index(self.size, wait)?;
            known = index.boundary(limit);
            if known > start && !is_batch(&mut headers, known, |header| header.base_offset > self.from)? {
                known = start;
            }
            if !self.exact_end {
                let before = u32::try_from(self.before.0 - segment.base_offset().0).unwrap_or(u32::MAX);
                safe_end = safe_end.max(index.lookup(before));
            }
        }
        let known = known.min(safe_end).max(start);
        if known > start && (self.exact_end || known < safe_end) {
            return Ok(Some(known));
        }
        let mut end = known;
        while end < self.size {
            let header = readable(headers.at(end))?;
            let next = header.and_then(|header| Some((header, next_position(end, &header, self.size).ok()?)));
            let Some((header, next)) = next else {
                if end > start {
                    break;
                }
                proof::note_damage(segment, file, self.size, (start, segment.base_offset()), wait)?;
                return Ok(None);
            };
            if header.next_offset() > self.before || (end > start && u64::from(next) > limit) {
                break;
            }
            end = next;
        }
        Ok(Some(end))
    }
}

/// Whether a batch that `fits` begins at a position that an index named.
fn is_batch(
    headers: &mut Headers<'_>,
    position: u32,
    fits: impl Fn(&BatchHeader) -> bool,
) -> io::Result<bool> {
    Ok(readable(headers.at(position))?.is_some_and(|header| fits(&header)))
}

/// What was read; `None` when it is no batch.
pub(super) fn readable<T>(read: io::Result<T>) -> io::Result<Option<T>> {
    match read {
        Ok(read) => Ok(Some(read)),
        Err(error) if matches!(error.kind(), io::ErrorKind::InvalidData | io::ErrorKind::UnexpectedEof) => {
            Ok(None)
        }
        Err(error) => Err(error),
    }
}

pub(super) fn damaged(reason: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, reason)
}

/// Where the batch behind this one begins; `InvalidData` when the batch reaches beyond the segment.
pub(super) fn next_position(position: u32, header: &BatchHeader, size: u32) -> io::Result<u32> {
    u32::try_from(header.size_in_bytes())
        .ok()
        .and_then(|bytes| position.checked_add(bytes))
        .filter(|next| *next <= size)
        .ok_or_else(|| damaged("a batch reaches beyond the segment"))
}

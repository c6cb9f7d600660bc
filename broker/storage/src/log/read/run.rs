//! Running a planned read: the start and the end of its range are found, and what lies between is sound.

use std::io;
use std::sync::Arc;

use protocol::id::Offset;
use protocol::records::BatchHeader;

use super::super::proof;
use super::{FetchedRange, From, ReadPlan};
use crate::disk::{File, FileRange, Wait};
use crate::headers::Headers;
use crate::names::{self, LOG};
use crate::segment::Segment;

/// How often a read begins anew behind damage that it met.
const DAMAGE_TRIES: usize = 4;

impl ReadPlan {
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
                return Ok(FetchedRange { skip_to: self.next_segment, ..FetchedRange::default() });
            };
            let Some(end) = self.find_end(segment, &*file, start, wait)? else { continue };
            if end <= start {
                return Ok(FetchedRange::default());
            }
            let sound_to = segment.proof().damage_from(start).map_or(end, |damage| end.min(damage.0));
            let end = if sound_to > start && segment.proof().is_unproven(start, sound_to) {
                let bounds = (self.size, self.offset_end());
                proof::prove(segment, &*file, bounds, (start, sound_to), wait)?
            } else {
                sound_to
            };
            if end <= start {
                continue;
            }
            let range = FileRange { file, position: u64::from(start), len: end - start };
            let mut ahead = None;
            if wait == Wait::Never && start < self.warm_from {
                if !range.is_warm()? {
                    return Err(io::ErrorKind::WouldBlock.into());
                }
                ahead = range.ahead(u64::from(self.size.min(self.warm_from)))?;
            }
            return Ok(FetchedRange { range: Some(range), skip_to: None, ahead });
        }
        Err(self.damaged_at(segment, None))
    }

    /// The segment has no offset here or behind.
    fn offset_end(&self) -> Offset {
        self.next_segment.unwrap_or(self.log_end)
    }

    /// Whether a batch's offsets may be the segment's.
    fn may_hold(&self, header: &BatchHeader) -> bool {
        header.next_offset() <= self.offset_end()
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
            let header = readable(headers.at(position))?.filter(|header| self.may_hold(header));
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
            let header = readable(headers.at(end))?.filter(|header| self.may_hold(header));
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
pub(in crate::log) fn readable<T>(read: io::Result<T>) -> io::Result<Option<T>> {
    match read {
        Ok(read) => Ok(Some(read)),
        Err(error) if matches!(error.kind(), io::ErrorKind::InvalidData | io::ErrorKind::UnexpectedEof) => {
            Ok(None)
        }
        Err(error) => Err(error),
    }
}

/// Where the batch behind this one begins; `InvalidData` when the batch reaches beyond the segment.
pub(in crate::log) fn next_position(position: u32, header: &BatchHeader, size: u32) -> io::Result<u32> {
    u32::try_from(header.size_in_bytes())
        .ok()
        .and_then(|bytes| position.checked_add(bytes))
        .filter(|next| *next <= size)
        .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "a batch reaches beyond the segment"))
}

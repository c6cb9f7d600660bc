//! Whether what is on disk is what was written, looked at before it is served.
//!
//! Sendfile does not look at what it sends, and files change while no broker runs. So a sealed segment is compared
//! with what is known of it when it is first used, and each range that an earlier run wrote is compared with its
//! CRCs when it is first read. What is damaged is refused from then on, up to the next batch that is whole: what lies
//! before and behind is served. What rots later is found by [`super::VerifyPlan`] and by the client.

use std::io;
use std::sync::Arc;

use protocol::id::Offset;
use protocol::records::{BATCH_OVERHEAD, BatchHeader, crc_matches};

use super::read::{next_position, readable};
use super::scan::{self, Step};
use crate::disk::{File, Wait, read_exact_at};
use crate::headers::Headers;
use crate::index::{FileEntry, OffsetEntry};
use crate::names::INDEX;
use crate::segment::Segment;

/// Distance of entries in an index that is written anew: Kafka's default for `index.interval.bytes`.
const INDEX_INTERVAL_BYTES: usize = 4096;

/// Bytes that are proven at once; a larger batch is read whole.
const PROVE_BYTES: usize = 1 << 20;

/// Places behind damage at which a whole batch is looked for.
const RESUME_TRIES: usize = 64;

/// Compares a sealed segment with what is known of it, when it is first used after a start: the file's
/// length, its first batch, and that the index's last entry points at the batch that it names. Cheap, and it
/// catches what happens to files while no broker runs: a cut file, one file put in another's place, an index
/// of another log. A segment whose batches are whole gets a new index instead; flipped bits inside a batch
/// are left to the batch's CRC.
pub(super) fn check_sealed(segment: &Arc<Segment>, file: &dyn File, size: u32, wait: Wait) -> io::Result<()> {
    let len = file.len()?;
    if len < u64::from(size) {
        // Batches before the end are served, if the file is the right one.
        segment.note_damage(u32::try_from(len).unwrap_or(size), size);
    }
    let fits = compare_sealed(segment, file, size, wait)?;
    if fits || size == 0 {
        return Ok(());
    }
    if wait == Wait::Never {
        return Err(io::ErrorKind::WouldBlock.into());
    }
    if rebuild_index(segment, size)? {
        return Ok(());
    }
    let first = whole_batch(file, size, 0, wait)?;
    if first.is_none_or(|first| first.base_offset < segment.base_offset()) {
        // Neither its beginning nor its index is this segment's.
        segment.note_damage(0, size);
    }
    Ok(())
}

/// Whether the first batch may be the segment's, and the index points where it says.
fn compare_sealed(segment: &Arc<Segment>, file: &dyn File, size: u32, wait: Wait) -> io::Result<bool> {
    let mut headers = Headers::new(file, size, wait);
    let index = segment.index(size, wait)?;
    let (offset, position) = match index.entries().last() {
        Some((last, position)) => (segment.base_offset().plus(i64::from(*last)), *position),
        None if size == 0 => return Ok(true),
        None => return Ok(readable(headers.at(0))?.is_some_and(|h| h.base_offset >= segment.base_offset())),
    };
    Ok(readable(headers.at(position))?.is_some_and(|header| header.last_offset() == offset))
}

/// The header of the batch at a position, if it is whole.
fn whole_batch(file: &dyn File, size: u32, position: u32, wait: Wait) -> io::Result<Option<BatchHeader>> {
    let Some(header) = readable(Headers::new(file, size, wait).at(position))? else { return Ok(None) };
    if next_position(position, &header, size).is_err() {
        return Ok(None);
    }
    let mut batch = vec![0; header.size_in_bytes()];
    let read = readable(read_exact_at(file, &mut batch, u64::from(position), wait))?;
    Ok((read.is_some() && crc_matches(&batch)).then_some(header))
}

/// Notes that the batch at a position is damaged, up to the next one that is whole as far as the batch itself and the
/// index tell of places where one may begin. `before` is the offset behind the batches before.
pub(super) fn note_damage(
    segment: &Arc<Segment>,
    file: &dyn File,
    size: u32,
    (position, before): (u32, Offset),
    wait: Wait,
) -> io::Result<()> {
    let header = readable(Headers::new(file, size, wait).at(position))?;
    let behind = header.and_then(|header| next_position(position, &header, size).ok());
    let index = segment.index(size, wait)?;
    let indexed = index.entries().iter().map(|entry| entry.1).filter(|at| *at > position);
    for at in behind.into_iter().chain(indexed.take(RESUME_TRIES)).filter(|at| *at < size) {
        if whole_batch(file, size, at, wait)?.is_some_and(|header| header.base_offset >= before) {
            segment.note_damage(position, at);
            return Ok(());
        }
    }
    segment.note_damage(position, size);
    Ok(())
}

/// Reads a whole segment and, when every batch is sound, writes its offset index anew. Whether it was sound.
fn rebuild_index(segment: &Arc<Segment>, size: u32) -> io::Result<bool> {
    let base = segment.base_offset();
    let (mut entries, mut since_entry, mut next) = (Vec::new(), 0, base);
    let scanned = scan::batches(segment, 0, u64::from(size), |header, batch, position| {
        if header.base_offset < next || !crc_matches(batch) {
            return Step::Stop;
        }
        next = header.next_offset();
        if since_entry > INDEX_INTERVAL_BYTES {
            let relative = |offset: Offset| u32::try_from(offset.0 - base.0).unwrap_or(u32::MAX);
            let position = u32::try_from(position).unwrap_or(u32::MAX);
            let (base, last) = (relative(header.base_offset), relative(header.last_offset()));
            OffsetEntry { base, last, position }.put(&mut entries);
            since_entry = 0;
        }
        since_entry += batch.len();
        Step::Next
    });
    if scanned.map_err(|error| io::Error::other(error.to_string()))? < u64::from(size) {
        return Ok(false);
    }
    segment.cut_file(INDEX, 0)?;
    segment.write_index(INDEX, &(0, entries))?;
    segment.unload_index();
    Ok(true)
}

/// Compares the batches of a range with their CRCs, and gives the end of those that match: less than `end` where
/// damage begins, which is noted. Files change while no broker runs, and sendfile does not look at what it sends: so
/// what an earlier run wrote is looked at once before it is served, and then never again.
pub(super) fn prove(
    segment: &Arc<Segment>,
    file: &dyn File,
    (size, offset_end): (u32, Offset),
    (start, end): (u32, u32),
    wait: Wait,
) -> io::Result<u32> {
    let whole = usize::try_from(end - start).unwrap_or(usize::MAX);
    let mut buffer = vec![0; PROVE_BYTES.min(whole)];
    let mut run = Run::new(segment.base_offset(), offset_end);
    let mut filled = 0_usize;
    while run.proven < whole && !run.is_broken {
        let want = buffer.len().min(whole - run.proven);
        let into = buffer.get_mut(filled..want).unwrap_or_default();
        let at = u64::from(start) + run.proven as u64 + filled as u64;
        let count = file.read_at(into, at, wait)?;
        filled += count;
        let done = run.go_on(buffer.get(..filled).unwrap_or_default());
        filled -= done.min(filled);
        // The file ends, or a batch reaches beyond the range.
        run.is_broken |= (count == 0 && filled < want) || (done == 0 && filled == whole - run.proven);
        if done == 0 && filled == buffer.len() && !run.is_broken {
            buffer.resize(buffer.len() * 2, 0);
        }
        buffer.copy_within(done..done + filled, 0);
    }
    if !run.is_broken && end < size && segment.proof().damage_from(end).is_none_or(|damage| damage.0 > end) {
        let behind = readable(Headers::new(file, size, wait).at(end))?;
        run.is_followed_by(behind);
    }
    let proven = start.saturating_add(u32::try_from(run.proven).unwrap_or(u32::MAX));
    if proven > start {
        segment.proof().prove(start, proven);
    }
    if run.is_broken {
        note_damage(segment, file, size, (proven, run.next), wait)?;
    }
    Ok(proven)
}

/// Batches that match their CRCs and follow each other. The CRC does not cover the offset, so that of a batch is
/// believed only if the one behind it goes on from there.
struct Run {
    proven: usize,
    next: Offset,
    /// No offset of the segment lies at or behind this one.
    offset_end: Offset,
    /// Bytes of the last batch, and its place in the order.
    last: (usize, Offset),
    is_broken: bool,
}

impl Run {
    const fn new(next: Offset, offset_end: Offset) -> Self {
        Self { proven: 0, next, offset_end, last: (0, next), is_broken: false }
    }

    /// Takes whole batches that go on from the front of `bytes`; how many bytes they have.
    fn go_on(&mut self, bytes: &[u8]) -> usize {
        let mut done = 0;
        while let Some(rest) = bytes.get(done..).filter(|rest| rest.len() >= BATCH_OVERHEAD) {
            let Ok(header) = BatchHeader::parse(rest) else {
                self.is_broken = true;
                break;
            };
            let Some(batch) = rest.get(..header.size_in_bytes()) else { break };
            if !crc_matches(batch) || header.next_offset() > self.offset_end {
                self.is_broken = true;
                break;
            }
            self.is_followed_by(Some(header));
            if self.is_broken {
                break;
            }
            self.last = (batch.len(), self.next);
            self.next = header.next_offset();
            self.proven += batch.len();
            done += batch.len();
        }
        done
    }

    /// Takes back the last batch when the next one's offset contradicts its own: either may be wrong.
    fn is_followed_by(&mut self, next: Option<BatchHeader>) {
        if next.is_some_and(|next| next.base_offset < self.next) {
            self.is_broken = true;
            self.proven -= self.last.0;
            self.next = self.last.1;
        }
    }
}

//! Whether what is on disk is what was written, looked at before it is served.
//!
//! Sendfile does not look at what it sends, and files change while no broker runs. So a sealed segment is compared
//! with what is known of it when it is first used, and each range that an earlier run wrote is compared with its
//! CRCs when it is first read. What rots later is found by [`super::VerifyPlan`] and by the client.

use std::io;
use std::sync::Arc;

use protocol::id::Offset;
use protocol::records::{BATCH_OVERHEAD, BatchHeader, crc_matches};

use super::read::damaged;
use super::scan::{self, Step};
use crate::disk::{File, Wait};
use crate::headers::Headers;
use crate::index::{FileEntry, OffsetEntry};
use crate::names::INDEX;
use crate::segment::Segment;

/// Distance of entries in an index that is written anew: Kafka's default for `index.interval.bytes`.
const INDEX_INTERVAL_BYTES: usize = 4096;

/// Bytes that are proven at once; a larger batch is read whole.
const PROVE_BYTES: usize = 1 << 20;

/// Compares a sealed segment with what is known of it, when it is first used after a start: the file's
/// length, its first batch, and that the index's last entry points at the batch that it names. Cheap, and it
/// catches what happens to files while no broker runs: a cut file, one file put in another's place, an index
/// of another log. A segment whose batches are whole gets a new index instead; flipped bits inside a batch
/// are left to the batch's CRC.
pub(super) fn check_sealed(segment: &Arc<Segment>, file: &dyn File, size: u32, wait: Wait) -> io::Result<()> {
    let result = compare_sealed(segment, file, size, wait);
    let differs = result.as_ref().is_err_and(|error| error.kind() == io::ErrorKind::InvalidData);
    if !differs {
        return result;
    }
    if wait == Wait::Never {
        return Err(io::ErrorKind::WouldBlock.into());
    }
    if rebuild_index(segment, size)? {
        return Ok(());
    }
    segment.mark_damaged();
    result
}

fn compare_sealed(segment: &Arc<Segment>, file: &dyn File, size: u32, wait: Wait) -> io::Result<()> {
    if file.len()? < u64::from(size) {
        return Err(damaged("the file is shorter than it was"));
    }
    if size == 0 {
        return Ok(());
    }
    let mut headers = Headers::new(file, size, wait);
    if headers.at(0)?.base_offset < segment.base_offset() {
        return Err(damaged("the first batch belongs to another segment"));
    }
    let index = segment.index(size, wait)?;
    let Some((last, position)) = index.entries().last().copied() else { return Ok(()) };
    if headers.at(position)?.last_offset() != segment.base_offset().plus(i64::from(last)) {
        return Err(damaged("an index entry does not point at its batch"));
    }
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

/// Compares the batches of a range with their CRCs. Files change while no broker runs, and sendfile does not look at
/// what it sends: so what an earlier run wrote is looked at once before it is served, and then never again.
pub(super) fn prove(
    segment: &Segment,
    file: &dyn File,
    (start, end): (u32, u32),
    wait: Wait,
) -> io::Result<()> {
    let whole = usize::try_from(end - start).unwrap_or(usize::MAX);
    let mut buffer = vec![0; PROVE_BYTES.min(whole)];
    let (mut done, mut filled) = (0_usize, 0_usize);
    while done < whole {
        let want = buffer.len().min(whole - done);
        let into = buffer.get_mut(filled..want).unwrap_or_default();
        let at = u64::from(start) + done as u64 + filled as u64;
        let count = file.read_at(into, at, wait)?;
        if count == 0 && filled < want {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        filled += count;
        let proven =
            proven_bytes(buffer.get(..filled).unwrap_or_default()).inspect_err(|_| segment.mark_damaged())?;
        if proven == 0 && filled == whole - done {
            segment.mark_damaged();
            return Err(damaged("a batch reaches beyond its range"));
        }
        if proven == 0 && filled == buffer.len() {
            buffer.resize(buffer.len() * 2, 0);
        }
        buffer.copy_within(proven..filled, 0);
        (done, filled) = (done + proven, filled - proven);
    }
    segment.proven(start, end);
    Ok(())
}

/// Bytes of whole batches at the front, each of which matches its CRC.
fn proven_bytes(bytes: &[u8]) -> io::Result<usize> {
    let mut proven = 0;
    while let Some(rest) = bytes.get(proven..).filter(|rest| rest.len() >= BATCH_OVERHEAD) {
        let header = BatchHeader::parse(rest).map_err(|_| damaged("a batch header cannot be read"))?;
        let Some(batch) = rest.get(..header.size_in_bytes()) else { break };
        if !crc_matches(batch) {
            return Err(damaged("a batch does not match its CRC"));
        }
        proven += batch.len();
    }
    Ok(proven)
}

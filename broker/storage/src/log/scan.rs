//! Reading a log file batch by batch, in large pieces.

use std::io::{self, IoSlice};
use std::sync::Arc;

use protocol::records::{BATCH_OVERHEAD, BatchHeader};

use crate::disk::{Wait, read_exact_at};
use crate::error::Error;
use crate::segment::Segment;

/// Bytes read at once.
const CHUNK_BYTES: usize = 1 << 20;

/// Whether a scan goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Step {
    Next,
    /// The batch does not count.
    Stop,
}

/// Writes what lies between two positions once more. The run before may have ended because a sync failed: its bytes
/// are then in the page cache, where they are read, and no sync would ever bring them to the device.
pub(crate) fn rewrite(segment: &Arc<Segment>, from: u32, end: u64) -> Result<(), Error> {
    let failed = |error| Error::io("rewrite", &segment.log_path(), error);
    let mut position = u64::from(from);
    if position >= end {
        return Ok(());
    }
    let file = segment.open().map_err(failed)?;
    let mut chunk = Vec::new();
    while position < end {
        chunk.resize(CHUNK_BYTES.min(usize::try_from(end - position).unwrap_or(usize::MAX)), 0);
        read_exact_at(&*file, &mut chunk, position, Wait::Long).map_err(failed)?;
        file.write_at(&mut [IoSlice::new(&chunk)], position).map_err(failed)?;
        position += chunk.len() as u64;
    }
    Ok(())
}

/// Calls `each` with every batch between two positions: its header, its bytes, its position. Stops before the
/// first bytes that are no whole batch. Where it stopped.
pub(crate) fn batches(
    segment: &Arc<Segment>,
    from: u32,
    end: u64,
    mut each: impl FnMut(&BatchHeader, &[u8], u64) -> Step,
) -> Result<u64, Error> {
    let failed = |error| Error::io("read", &segment.log_path(), error);
    let file = match segment.open() {
        Ok(file) => file,
        Err(error) => return Err(failed(error)),
    };
    let mut position = u64::from(from);
    let mut chunk = Vec::new();
    let mut wanted = CHUNK_BYTES;
    while position < end {
        let len = wanted.min(usize::try_from(end - position).unwrap_or(usize::MAX));
        chunk.resize(len, 0);
        let mut filled = 0;
        while filled < len {
            match file.read_at(&mut chunk[filled..], position + filled as u64, Wait::Long) {
                Ok(0) => break,
                Ok(read) => filled += read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(failed(error)),
            }
        }
        let mut rest = &chunk[..filled];
        wanted = CHUNK_BYTES;
        while let Ok(header) = BatchHeader::parse(rest) {
            let size = header.size_in_bytes();
            let Some((batch, behind)) = rest.split_at_checked(size) else {
                wanted = wanted.max(size);
                break;
            };
            if each(&header, batch, position) == Step::Stop {
                return Ok(position);
            }
            position += size as u64;
            rest = behind;
        }
        let consumed = filled - rest.len();
        let needed = BatchHeader::parse(rest).map_or(BATCH_OVERHEAD, |header| header.size_in_bytes());
        // No whole batch although all its bytes, or all there are, were read: the end of what is readable.
        if consumed == 0 && (filled < len || needed <= filled || needed as u64 > end - position) {
            return Ok(position);
        }
    }
    Ok(position)
}

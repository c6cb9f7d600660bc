//! Batch headers read from a log file, a few at a time.

use std::io;

use protocol::records::{BATCH_OVERHEAD, BatchHeader};

use crate::disk::{File, Wait};

/// Bytes read at once: an index interval, so that a look-up mostly takes one read.
const CHUNK_BYTES: usize = 4096;

/// Reads headers at positions that mostly grow.
pub(crate) struct Headers<'a> {
    file: &'a dyn File,
    size: u32,
    wait: Wait,
    chunk: [u8; CHUNK_BYTES],
    position: u32,
    len: usize,
}

impl<'a> Headers<'a> {
    /// Headers of a log file of which `size` bytes are batches.
    pub(crate) const fn new(file: &'a dyn File, size: u32, wait: Wait) -> Self {
        Self { file, size, wait, chunk: [0; CHUNK_BYTES], position: 0, len: 0 }
    }

    /// The header at `position`; `InvalidData` when there is none.
    pub(crate) fn at(&mut self, position: u32) -> io::Result<BatchHeader> {
        let at = self.in_chunk(position);
        let header = match at {
            Some(at) => BatchHeader::parse(&self.chunk[at..self.len]),
            None => {
                self.fill(position)?;
                BatchHeader::parse(&self.chunk[..self.len])
            }
        };
        header.map_err(|error| io::Error::new(io::ErrorKind::InvalidData, format!("at {position}: {error}")))
    }

    fn in_chunk(&self, position: u32) -> Option<usize> {
        let at = usize::try_from(position.checked_sub(self.position)?).ok()?;
        (at + BATCH_OVERHEAD <= self.len).then_some(at)
    }

    fn fill(&mut self, position: u32) -> io::Result<()> {
        self.position = position;
        self.len = 0;
        let left = usize::try_from(self.size.saturating_sub(position)).unwrap_or(usize::MAX);
        let want = CHUNK_BYTES.min(left);
        while self.len < want.min(BATCH_OVERHEAD) || self.len == 0 {
            let into = &mut self.chunk[self.len..want];
            match self.file.read_at(into, u64::from(position) + self.len as u64, self.wait)? {
                0 => {
                    return Err(io::Error::new(
                        io::ErrorKind::InvalidData,
                        "the file ends before its batches do",
                    ));
                }
                read => self.len += read,
            }
        }
        Ok(())
    }
}

//! Aborted transactions: `.txnindex`, from which a Fetch at read_committed tells its consumer what to skip.
//!
//! Kafka's format: entries of 34 bytes in the order of the markers, in the file of the segment that holds the
//! marker. Written when the marker is appended; most logs never have such a file.

use std::io;
use std::sync::Arc;

use protocol::id::{Offset, ProducerId};

use super::Log;
use super::producer_state::stable_offset_after;
use crate::disk::{OpenMode, Wait, read_file};
use crate::error::Error;
use crate::names::TXN_INDEX;
use crate::producers::CompletedTransaction;
use crate::segment::Segment;

const VERSION: i16 = 0;
const ENTRY_BYTES: usize = 34;
/// An entry stands for a marker of 78 bytes, so a segment of 2 GiB has fewer.
const FILE_BYTES_MAX: u64 = 1 << 30;

/// A transaction that did not happen; its records up to the marker are to be skipped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AbortedTransaction {
    /// Whose transaction.
    pub producer_id: ProducerId,
    /// Its first record.
    pub first_offset: Offset,
    /// The marker that ended it.
    pub last_offset: Offset,
    /// The last stable offset when it ended.
    pub last_stable_offset: Offset,
}

impl AbortedTransaction {
    fn encode(&self) -> [u8; ENTRY_BYTES] {
        let mut bytes = [0; ENTRY_BYTES];
        bytes[..2].copy_from_slice(&VERSION.to_be_bytes());
        bytes[2..10].copy_from_slice(&self.producer_id.0.to_be_bytes());
        bytes[10..18].copy_from_slice(&self.first_offset.0.to_be_bytes());
        bytes[18..26].copy_from_slice(&self.last_offset.0.to_be_bytes());
        bytes[26..34].copy_from_slice(&self.last_stable_offset.0.to_be_bytes());
        bytes
    }

    fn decode(entry: &[u8]) -> Self {
        let field = |at: usize| entry[at..at + 8].try_into().map_or(-1, i64::from_be_bytes);
        Self {
            producer_id: ProducerId(field(2)),
            first_offset: Offset(field(10)),
            last_offset: Offset(field(18)),
            last_stable_offset: Offset(field(26)),
        }
    }
}

/// A look-up of aborted transactions that was planned. Holds its segments.
#[derive(Debug, Clone)]
pub struct AbortedPlan {
    from: Offset,
    before: Offset,
    segments: Vec<Arc<Segment>>,
}

impl AbortedPlan {
    /// The transactions that were aborted and have records in the range, in the order of their markers. Reads
    /// small files that are mostly in memory.
    ///
    /// # Errors
    /// What the disk says.
    pub fn run(&self) -> io::Result<Vec<AbortedTransaction>> {
        let mut found = Vec::new();
        for segment in &self.segments {
            for aborted in read(segment)? {
                if aborted.last_offset >= self.from && aborted.first_offset < self.before {
                    found.push(aborted);
                }
                // All transactions that end later began at or behind this offset.
                if aborted.last_stable_offset >= self.before {
                    return Ok(found);
                }
            }
        }
        Ok(found)
    }
}

fn read(segment: &Segment) -> io::Result<Vec<AbortedTransaction>> {
    match read_file(segment.disk(), &segment.path(TXN_INDEX), FILE_BYTES_MAX) {
        Ok(bytes) => Ok(bytes.chunks_exact(ENTRY_BYTES).map(AbortedTransaction::decode).collect()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(error) => Err(error),
    }
}

impl Log {
    /// Plans the search for aborted transactions with records between two offsets.
    #[must_use]
    pub fn plan_aborted(&self, from: Offset, before: Offset) -> AbortedPlan {
        let first = self.segment_at(from).unwrap_or(self.sealed.len());
        let sealed = self.sealed.iter().skip(first).map(|sealed| Arc::clone(&sealed.segment));
        let segments = sealed.chain([Arc::clone(&self.active.segment)]).collect();
        AbortedPlan { from, before, segments }
    }

    /// Writes an aborted transaction into the active segment's index.
    pub(super) fn note_aborted(&mut self, completed: &CompletedTransaction) -> Result<(), Error> {
        let segment = Arc::clone(&self.active.segment);
        let last_stable_offset = stable_offset_after(&self.producers, completed);
        let result = self.restore_aborted(&segment, completed, last_stable_offset);
        self.names_changes.note(true);
        self.note(result)
    }

    /// Writes an aborted transaction into a segment's index, unless it is there.
    pub(super) fn restore_aborted(
        &self,
        segment: &Segment,
        completed: &CompletedTransaction,
        last_stable_offset: Offset,
    ) -> Result<(), Error> {
        let path = segment.path(TXN_INDEX);
        let failed = |error| Error::io("append to", &path, error);
        let file = segment.disk().open(&path, OpenMode::Write).map_err(failed)?;
        let len = file.len().map_err(failed)?;
        let whole = len - len % ENTRY_BYTES as u64;
        if let Some(at) = whole.checked_sub(ENTRY_BYTES as u64) {
            let mut entry = [0; ENTRY_BYTES];
            crate::disk::read_exact_at(&*file, &mut entry, at, Wait::Long).map_err(failed)?;
            if AbortedTransaction::decode(&entry).last_offset >= completed.last_offset {
                return Ok(());
            }
        }
        let aborted = AbortedTransaction {
            producer_id: completed.producer_id,
            first_offset: completed.first_offset,
            last_offset: completed.last_offset,
            last_stable_offset,
        };
        file.write_at(&mut [io::IoSlice::new(&aborted.encode())], whole).map_err(failed)
    }

    /// Cuts the entries of markers at or behind `end`.
    pub(super) fn cut_aborted(&self, segment: &Segment, end: Offset) -> io::Result<()> {
        let kept = read(segment)?.iter().take_while(|aborted| aborted.last_offset < end).count();
        segment.cut_file(TXN_INDEX, (kept * ENTRY_BYTES) as u64)
    }
}

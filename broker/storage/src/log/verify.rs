//! Looking for damage in sealed segments: every header and every CRC, as a scrubber's job.
//!
//! Fetches go by sendfile and look at no CRC, and recovery looks only behind the recovery point. What rots below is
//! found by the client, whose error is the first sign, and then by this: the bytes are marked, so that no reader
//! and no follower is given them again, and the replica can be made anew from another one.

use std::path::PathBuf;
use std::sync::Arc;

use protocol::id::Offset;
use protocol::records::crc_matches;

use super::scan::{self, Step};
use super::{Log, proof};
use crate::disk::Wait;
use crate::error::Error;
use crate::segment::Segment;

/// A check of sealed segments that was planned. Holds its segments.
#[derive(Debug)]
pub struct VerifyPlan {
    segments: Vec<(Arc<Segment>, u32)>,
}

/// A part of a segment that does not hold what was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Damage {
    /// Its log file.
    pub path: PathBuf,
    /// The segment's first offset.
    pub base_offset: Offset,
    /// Where the first bad batch begins in the file.
    pub position: u64,
    /// Where the next whole batch begins, or the file's end.
    pub end: u64,
}

impl Log {
    /// Plans a check of the sealed segments that hold offsets from `from` on.
    #[must_use]
    pub fn plan_verify(&self, from: Offset) -> VerifyPlan {
        let first = self.segment_at(from).unwrap_or(self.sealed.len());
        let sealed = self.sealed.iter().skip(first);
        VerifyPlan { segments: sealed.map(|sealed| (Arc::clone(&sealed.segment), sealed.size)).collect() }
    }
}

impl VerifyPlan {
    /// Reads all of it and marks what is damaged: reads of it fail from now on with `InvalidData`. For a job thread.
    ///
    /// # Errors
    /// What the disk says.
    pub fn run(&self) -> Result<Vec<Damage>, Error> {
        let mut found = Vec::new();
        for (segment, size) in &self.segments {
            if !segment.is_deleted() {
                verify(segment, *size, &mut found)?;
            }
        }
        Ok(found)
    }
}

fn verify(segment: &Arc<Segment>, size: u32, found: &mut Vec<Damage>) -> Result<(), Error> {
    let failed = |error| Error::io("read", &segment.log_path(), error);
    let mut from = 0;
    let mut before = segment.base_offset();
    while from < size {
        let position = scan::batches(segment, from, u64::from(size), |header, batch, _| {
            if header.base_offset < before || !crc_matches(batch) {
                return Step::Stop;
            }
            before = header.next_offset();
            Step::Next
        })?;
        let position = u32::try_from(position).unwrap_or(size);
        if position >= size {
            break;
        }
        let file = segment.open().map_err(failed)?;
        proof::note_damage(segment, &*file, size, (position, before), Wait::Long).map_err(failed)?;
        let end = segment.proof().damage_from(position).map_or(size, |damage| damage.1);
        let (path, base_offset) = (segment.log_path(), segment.base_offset());
        found.push(Damage { path, base_offset, position: position.into(), end: end.into() });
        from = end;
    }
    Ok(())
}

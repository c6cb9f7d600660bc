//! Looking for damage in sealed segments: every header and every CRC, as a scrubber's job.
//!
//! Fetches go by sendfile and look at no CRC, and recovery looks only behind the recovery point. What rots below is
//! found by the client, whose error is the first sign, and then by this: the segment is marked, so that no reader
//! and no follower is given its bytes again, and the replica can be made anew from another one.

use std::path::PathBuf;
use std::sync::Arc;

use protocol::id::Offset;
use protocol::records::crc_matches;

use super::Log;
use super::scan::{self, Step};
use crate::error::Error;
use crate::segment::Segment;

/// A check of sealed segments that was planned. Holds its segments.
#[derive(Debug)]
pub struct VerifyPlan {
    segments: Vec<(Arc<Segment>, u32)>,
}

/// A segment that does not hold what was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Damage {
    /// Its log file.
    pub path: PathBuf,
    /// The segment's first offset.
    pub base_offset: Offset,
    /// Where the first bad batch begins in the file.
    pub position: u64,
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
    /// Reads all of it and marks what is damaged: reads of such a segment fail from now on with `InvalidData`.
    /// For a job thread.
    ///
    /// # Errors
    /// What the disk says.
    pub fn run(&self) -> Result<Vec<Damage>, Error> {
        let mut found = Vec::new();
        for (segment, size) in &self.segments {
            if segment.is_deleted() {
                continue;
            }
            let end = u64::from(*size);
            let position =
                scan::batches(
                    segment,
                    0,
                    end,
                    |_, batch, _| {
                        if crc_matches(batch) { Step::Next } else { Step::Stop }
                    },
                )?;
            if position < end {
                segment.mark_damaged();
                let (path, base_offset) = (segment.log_path(), segment.base_offset());
                found.push(Damage { path, base_offset, position });
            }
        }
        Ok(found)
    }
}

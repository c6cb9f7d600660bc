//! Up to where the metadata log is known to be on the device: what tells damage from an end that was torn when the
//! machine stopped.
//!
//! An append is synced before the next one is written, so whatever lies in front of a whole batch was on the device
//! once, unless both came in one append. The file says of how much that is known besides: it is written now and then,
//! not with each append, which would double the syncs.

use std::io;
use std::path::Path;

use protocol::id::{LeaderEpoch, Offset};
use protocol::records::{BatchHeader, crc_matches};

use crate::disk::{Disk, Entry, read_file, replace_file};
use crate::error::Error;
use crate::names::{self, DURABLE_END_CHECKPOINT, LOG};

/// Three short lines.
const FILE_BYTES_MAX: u64 = 4096;
/// A segment holds one batch more than it may at most.
const SEGMENT_BYTES_MAX: u64 = 2 << 30;

/// What `durable-end-checkpoint` says.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Durable {
    /// Everything below was synced.
    pub(super) end: Offset,
    /// From `end` up to here anything may be missing, whatever lies behind it: several batches are appended at once
    /// there, or the log is cut. Not above `end` when neither is under way.
    pub(super) loose_end: Offset,
}

impl Durable {
    pub(super) const fn up_to(end: Offset) -> Self {
        Self { end, loose_end: end }
    }

    /// Reads the file. One that is not there, or that says nothing, vouches for nothing.
    pub(super) fn read(disk: &dyn Disk, folder: &Path) -> Result<Self, Error> {
        let path = folder.join(DURABLE_END_CHECKPOINT);
        let bytes = match read_file(disk, &path, FILE_BYTES_MAX) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Self::default()),
            Err(error) => return Err(Error::io("read", &path, error)),
        };
        let text = String::from_utf8_lossy(&bytes);
        let numbers: Option<Vec<i64>> = text.lines().map(|line| line.parse().ok()).collect();
        match numbers.as_deref() {
            Some([0, end, loose_end]) => Ok(Self { end: Offset(*end), loose_end: Offset(*loose_end) }),
            _ => Ok(Self::default()),
        }
    }

    /// Writes the file and makes it durable.
    pub(super) fn write(self, disk: &dyn Disk, folder: &Path) -> Result<(), Error> {
        let path = folder.join(DURABLE_END_CHECKPOINT);
        let text = format!("0\n{}\n{}\n", self.end, self.loose_end);
        replace_file(disk, &path, text.as_bytes()).map_err(|e| Error::io("write", &path, e))
    }

    /// Refuses a log of which something is damaged or missing that was on the device. `snapshot_end` is the end of
    /// what the newest snapshot covers. Changes nothing.
    pub(super) fn check(
        self,
        disk: &dyn Disk,
        folder: &Path,
        entries: &[Entry],
        snapshot_end: Offset,
    ) -> Result<(), Error> {
        let mut segments: Vec<Offset> =
            entries.iter().filter_map(|entry| names::parse_file_name(&entry.name, LOG)).collect();
        segments.sort_unstable();
        let mut whole = Whole { end: segments.first().copied().unwrap_or_default(), ..Whole::default() };
        let mut bad = None;
        for base_offset in segments {
            let path = folder.join(names::file_name(base_offset, LOG));
            let bytes = read_file(disk, &path, SEGMENT_BYTES_MAX).map_err(|e| Error::io("read", &path, e))?;
            let rest = if bad.is_some() { &bytes[..] } else { whole.pass_over(&bytes) };
            if bad.is_none() && (!rest.is_empty() || base_offset > whole.end) {
                bad = Some((path, bytes.len() - rest.len()));
            }
            if let Some((path, position)) = &bad
                && let Some(later) = self.first_synced_behind(rest, whole.end)
            {
                let reason = format!("damaged at byte {position}, before the records from offset {later} on");
                return Err(refusal(path, &reason));
            }
        }
        if whole.end.max(snapshot_end) >= self.end {
            return Ok(());
        }
        let (path, position) = bad.unwrap_or((folder.to_owned(), 0));
        let (end, synced) = (whole.end, self.end);
        Err(refusal(
            &path,
            &format!("damaged at byte {position}: offsets {end} to {synced} were there and are not"),
        ))
    }

    /// The first whole batch in bytes behind the log's end that proves that what is in front of it was synced.
    fn first_synced_behind(self, bytes: &[u8], end: Offset) -> Option<Offset> {
        let is_loose = end >= self.end && end < self.loose_end;
        let sure_from = if is_loose { self.loose_end } else { end };
        (0..bytes.len()).find_map(|position| {
            let rest = bytes.get(position..)?;
            let header = BatchHeader::parse(rest).ok()?;
            let batch = rest.get(..header.size_in_bytes())?;
            let behind = header.base_offset > end && header.base_offset >= sure_from;
            (behind && crc_matches(batch)).then_some(header.base_offset)
        })
    }
}

/// The batches that go on from one another, from the log's beginning.
#[derive(Default)]
struct Whole {
    end: Offset,
    epoch: LeaderEpoch,
}

impl Whole {
    /// Passes over those at the front of a segment. The rest.
    fn pass_over<'a>(&mut self, mut bytes: &'a [u8]) -> &'a [u8] {
        while let Ok(header) = BatchHeader::parse(bytes) {
            let Some((batch, rest)) = bytes.split_at_checked(header.size_in_bytes()) else { break };
            let goes_on = header.base_offset == self.end && header.partition_leader_epoch >= self.epoch;
            if !goes_on || header.last_offset_delta < 0 || !crc_matches(batch) {
                break;
            }
            (self.end, self.epoch, bytes) = (header.next_offset(), header.partition_leader_epoch, rest);
        }
        bytes
    }
}

fn refusal(path: &Path, what: &str) -> Error {
    let advice = "put a copy back, because without these records the broker would forget topics";
    Error::corrupt(path, format!("{what}; {advice}"))
}

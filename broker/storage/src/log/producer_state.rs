//! Keeping the producers in step with the batches: at append, after a truncation, in recovery.

use std::collections::VecDeque;
use std::io;
use std::sync::Arc;

use protocol::id::{Offset, ProducerId};
use protocol::records::{BatchHeader, ControlRecord, ControlType, Records};

use super::Log;
use super::scan::{self, Step};
use crate::disk::{Entry, Wait, read_file};
use crate::error::Error;
use crate::names::{self, INDEX, SNAPSHOT};
use crate::producers::{CompletedTransaction, Producers, decode_snapshot};
use crate::segment::Segment;

/// Room for 5,000,000 producers.
const SNAPSHOT_BYTES_MAX: u64 = 256 << 20;
/// A control batch has one record of a few bytes, and is not compressed.
const CONTROL_BYTES_MAX: usize = 64 << 10;

impl Log {
    /// Sets the producers to what they were at the log's end: from the newest whole snapshot up to there and the
    /// batches behind it. Snapshots behind the end are removed, because they tell of batches that are gone, and
    /// so are those that no segment needs. Removals are durable when this returns.
    pub(super) fn restore_producers(&mut self) -> Result<(), Error> {
        let path = self.path();
        let entries = self.files.disk().list(&path).map_err(|e| Error::io("list", &path, e))?;
        let snapshots = snapshots_among(&entries);
        self.producers = Producers::default();
        self.snapshot_offset = None;
        let from = self.load_snapshot(&snapshots, self.log_end_offset())?.unwrap_or(Offset(0));
        self.keep_snapshots(&snapshots)?;
        self.replay_producers(from)
    }

    /// Sets the producers to those of the newest whole snapshot at or before an offset; where it was taken.
    pub(super) fn load_snapshot(
        &mut self,
        snapshots: &[Offset],
        up_to: Offset,
    ) -> Result<Option<Offset>, Error> {
        for offset in snapshots.iter().rev().copied() {
            // One from before the first batch misses what was removed in between.
            if offset < self.first_offset() || offset > up_to {
                continue;
            }
            if let Some(producers) = self.read_snapshot(offset)? {
                self.producers = producers;
                self.snapshot_offset = Some(offset);
                return Ok(Some(offset));
            }
        }
        Ok(None)
    }

    /// The producers of a snapshot; `None` when it is torn. A device that fails says nothing of the file, which must
    /// not be taken for a torn one.
    fn read_snapshot(&self, offset: Offset) -> Result<Option<Producers>, Error> {
        let path = self.folder.join(&names::file_name(offset, SNAPSHOT));
        match read_file(self.files.disk(), &path, SNAPSHOT_BYTES_MAX) {
            Ok(bytes) => Ok(decode_snapshot(&bytes).ok()),
            Err(error) if error.kind() == io::ErrorKind::InvalidData => Ok(None),
            Err(error) => Err(Error::io("read", &path, error)),
        }
    }

    /// Keeps the newest whole snapshot of the log, and those before it with which a segment begins; removes the
    /// others, durably.
    pub(super) fn keep_snapshots(&mut self, snapshots: &[Offset]) -> Result<(), Error> {
        let path = self.path();
        let (loaded, end) = (self.snapshot_offset, self.log_end_offset());
        let newer =
            |offset: &&Offset| Some(**offset) > loaded && **offset <= end && self.begins_segment(**offset);
        let mut newest = loaded;
        for offset in snapshots.iter().rev().filter(newer) {
            if self.read_snapshot(*offset)?.is_some() {
                newest = Some(*offset);
                break;
            }
        }
        let mut removed = false;
        for offset in snapshots {
            let is_kept = Some(*offset) == newest || (Some(*offset) < newest && self.begins_segment(*offset));
            if !is_kept {
                let path = self.folder.join(&names::file_name(*offset, SNAPSHOT));
                self.files.disk().remove_file(&path).map_err(|e| Error::io("remove", &path, e))?;
                removed = true;
            }
        }
        if removed {
            self.files.disk().sync_directory(&path).map_err(|e| Error::sync("sync folder", &path, e))?;
        }
        self.snapshot_offset = newest;
        Ok(())
    }

    /// Records the producers of all batches from `from` on.
    pub(super) fn replay_producers(&mut self, from: Offset) -> Result<(), Error> {
        let mut parts: VecDeque<(Arc<Segment>, u32)> =
            self.sealed.iter().map(|sealed| (Arc::clone(&sealed.segment), sealed.size)).collect();
        parts.push_back((Arc::clone(&self.active.segment), self.active.size));
        let ends: Vec<Offset> = parts.iter().skip(1).map(|part| part.0.base_offset()).collect();
        for (i, (segment, size)) in parts.into_iter().enumerate() {
            let end = ends.get(i).copied().unwrap_or_else(|| self.log_end_offset());
            if end <= from || size == 0 {
                continue;
            }
            let position = if segment.base_offset() >= from { 0 } else { position_of(&segment, size, from)? };
            let mut aborted = Vec::new();
            scan::batches(&segment, position, u64::from(size), |header, batch, _| {
                if header.base_offset >= from {
                    let completed = record_producer(&mut self.producers, header, header.base_offset, batch);
                    if let Some((completed, true)) = completed {
                        aborted.push((completed, stable_offset_after(&self.producers, &completed)));
                    }
                }
                Step::Next
            })?;
            for (completed, last_stable_offset) in aborted {
                self.restore_aborted(&segment, &completed, last_stable_offset)?;
            }
        }
        Ok(())
    }
}

/// The offsets of the snapshots in a folder, in order.
pub(super) fn snapshots_among(entries: &[Entry]) -> Vec<Offset> {
    let mut snapshots: Vec<Offset> =
        entries.iter().filter_map(|entry| names::parse_file_name(&entry.name, SNAPSHOT)).collect();
    snapshots.sort_unstable();
    snapshots
}

/// Brings producers up to date with a batch; the transaction that it ended and whether that was aborted.
pub(super) fn record_producer(
    producers: &mut Producers,
    header: &BatchHeader,
    base_offset: Offset,
    bytes: &[u8],
) -> Option<(CompletedTransaction, bool)> {
    if header.producer_id == ProducerId::NONE {
        return None;
    }
    if !header.attributes.is_control() {
        producers.record(header, base_offset);
        return None;
    }
    let marker = marker(bytes)?;
    let completed = producers.record_marker(header, base_offset, marker.coordinator_epoch)?;
    Some((completed, marker.control_type == ControlType::Abort))
}

/// The last stable offset right behind the marker of a transaction.
pub(super) fn stable_offset_after(producers: &Producers, completed: &CompletedTransaction) -> Offset {
    producers.first_open_offset().unwrap_or(completed.last_offset.plus(1))
}

/// The end of a transaction in a control batch.
fn marker(batch: &[u8]) -> Option<ControlRecord> {
    let mut buffer = Vec::new();
    let record = Records::new(batch, &mut buffer, CONTROL_BYTES_MAX).ok()?.next()?.ok()?;
    ControlRecord::read(record.key, record.value)
}

fn position_of(segment: &Arc<Segment>, size: u32, offset: Offset) -> Result<u32, Error> {
    let relative = u32::try_from(offset.0 - segment.base_offset().0).unwrap_or(u32::MAX);
    match segment.index(size, Wait::Long) {
        Ok(index) => Ok(index.lookup(relative)),
        Err(error) if error.kind() == io::ErrorKind::InvalidData => Ok(0),
        Err(error) => Err(Error::io("read", &segment.path(INDEX), error)),
    }
}

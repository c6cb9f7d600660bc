//! Cutting the end of a log: what a follower does when its leader has other batches there.
//!
//! Durable before it returns: a batch that was cut must never come back behind a batch that is appended next,
//! whatever of both reaches the device. The order is: the recovery point goes down, syncs under way become void,
//! then files are cut and the folder is synced.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use protocol::id::{Offset, Timestamp};

use super::active::Active;
use super::scan::{self, Step};
use super::{CHECKPOINTS_AFTER_TRUNCATION, Log, MaxTimestamp, Sealed};
use crate::checkpoint;
use crate::disk::{Disk, Wait};
use crate::error::Error;
use crate::index::{self, Tail};
use crate::names::{self, INDEX, LOG, TIME_INDEX, TXN_INDEX};
use crate::segment::Segment;

impl Log {
    /// Cuts the log so that it ends at `end`, or at the start of the batch that holds `end`. The renamed files,
    /// to be removed when reads under way are over.
    ///
    /// # Errors
    /// What the disk says; the log is offline then.
    pub fn truncate_to(&mut self, end: Offset, now: Timestamp) -> Result<Vec<PathBuf>, Error> {
        self.check_online()?;
        if end >= self.log_end_offset() {
            return Ok(Vec::new());
        }
        if end < self.first_offset() {
            return self.truncate_fully(end.max(Offset(0)), now);
        }
        let begun = self.begin_cut(end);
        self.note(begun)?;
        let result = self.cut(end, now);
        // Half a truncation is no state to go on from, also when only the disk is full.
        self.failed |= result.is_err();
        result
    }

    /// Empties the log: the next record gets `start`.
    ///
    /// # Errors
    /// What the disk says; the log is offline then.
    pub fn truncate_fully(&mut self, start: Offset, now: Timestamp) -> Result<Vec<PathBuf>, Error> {
        self.check_online()?;
        // Nothing that is there now is believed after a crash in here, so that files whose removal was lost are
        // checked for what lies between them.
        let begun = self.begin_cut(start.min(self.first_offset()));
        self.note(begun)?;
        let result = self.cut_all(start, now);
        self.failed |= result.is_err();
        result
    }

    /// Where the oldest segment begins.
    pub(crate) fn first_offset(&self) -> Offset {
        self.sealed.front().map_or_else(|| self.active.segment.base_offset(), |f| f.segment.base_offset())
    }

    fn cut(&mut self, end: Offset, now: Timestamp) -> Result<Vec<PathBuf>, Error> {
        let mut removed = Vec::new();
        while end <= self.active.segment.base_offset() {
            let Some(sealed) = self.sealed.pop_back() else { break };
            let next = self.activate(sealed, now)?;
            let old = std::mem::replace(&mut self.active, next);
            if old.exists {
                removed.extend(mark_deleted(&old.segment)?);
            }
        }
        self.cut_active(end)?;
        self.end_cut()?;
        Ok(removed)
    }

    fn cut_all(&mut self, start: Offset, now: Timestamp) -> Result<Vec<PathBuf>, Error> {
        let next = Active::new(Segment::new(start, &self.folder, &self.files), now);
        let is_above = start > self.log_end_offset();
        // The file makes the start known to whoever opens the log next. Where no old file bears its name it comes
        // first, so that a crash never leaves a log without any segment.
        if is_above {
            create_segment(self.files.disk(), &next.segment)?;
        }
        let mut removed = Vec::new();
        for sealed in std::mem::take(&mut self.sealed) {
            removed.extend(mark_deleted(&sealed.segment)?);
        }
        if self.active.exists {
            removed.extend(mark_deleted(&self.active.segment)?);
        }
        self.active = next;
        if !is_above {
            create_segment(self.files.disk(), &self.active.segment)?;
        }
        self.active.exists = true;
        self.log_start_offset = start;
        self.epochs.clear();
        self.end_cut()?;
        self.recovery_point = start;
        self.synced_offset = start;
        Ok(removed)
    }

    fn begin_cut(&mut self, end: Offset) -> Result<(), Error> {
        self.recovery_point = self.recovery_point.min(end);
        self.synced_offset = self.synced_offset.min(end);
        // A plan from before is void.
        self.sync_planned = self.synced_offset;
        self.folder.begin_generation();
        let path = self.folder.join(names::TRUNCATION_CHECKPOINT);
        checkpoint::write_one(self.files.disk(), &path, self.recovery_point)?;
        self.truncation_noted = CHECKPOINTS_AFTER_TRUNCATION;
        Ok(())
    }

    /// Sets everything beside the segments to the new end and makes the names durable.
    fn end_cut(&mut self) -> Result<(), Error> {
        let end = self.log_end_offset();
        self.epochs.truncate_end(end);
        self.epochs_changes.note(true);
        self.log_start_offset = self.log_start_offset.min(end);
        self.recovery_point = self.recovery_point.min(end);
        self.synced_offset = self.synced_offset.min(end);
        self.restore_producers()?;
        let path = self.path();
        self.files.disk().sync_directory(&path).map_err(|e| Error::sync("sync folder", &path, e))?;
        self.names_changes.saved(self.names_changes.version());
        Ok(())
    }

    /// Makes a sealed segment the active one again.
    fn activate(&self, sealed: Sealed, now: Timestamp) -> Result<Active, Error> {
        let segment = sealed.segment;
        let mut active = Active::new(Arc::clone(&segment), now);
        active.exists = true;
        active.size = sealed.size;
        active.max_timestamp = sealed.max_timestamp;
        active.newest_time_entry = sealed.max_timestamp.timestamp.0;
        active.next_offset = self.active.segment.base_offset();
        let entries = |suffix, bytes| {
            let path = segment.path(suffix);
            match segment.disk().open(&path, crate::disk::OpenMode::Read).and_then(|file| file.len()) {
                Ok(len) => Ok(usize::try_from(len).unwrap_or(0) / bytes),
                Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(0),
                Err(error) => Err(Error::io("open", &path, error)),
            }
        };
        active.offsets = Tail::in_file(entries(INDEX, index::OFFSET_ENTRY_BYTES)?);
        active.times = Tail::in_file(entries(TIME_INDEX, index::TIME_ENTRY_BYTES)?);
        Ok(active)
    }

    /// Cuts the active segment at the batch that holds `end`, and its indexes with it.
    fn cut_active(&mut self, end: Offset) -> Result<(), Error> {
        if end >= self.log_end_offset() {
            return Ok(());
        }
        // What only memory knows of the index goes to the file first, so that there is one place to cut.
        self.write_indexes()?;
        let segment = Arc::clone(&self.active.segment);
        let base = segment.base_offset();
        let failed = |suffix: &str, error| Error::io("cut", &segment.path(suffix), error);
        let index = segment.index(self.active.size, Wait::Long).unwrap_or_default();
        let below = u32::try_from(end.0 - base.0).unwrap_or(0);
        let kept = index.entries().partition_point(|entry| entry.0 < below);
        let (last, position) = match kept.checked_sub(1).and_then(|i| index.entries().get(i)) {
            Some((last, position)) => (Some(*last), *position),
            None => (None, 0),
        };
        let times = crate::disk::read_file(segment.disk(), &segment.path(TIME_INDEX), u64::from(u32::MAX));
        let mut times = index::parse_times(&times.unwrap_or_default());
        times.retain(|entry| last.is_some_and(|last| entry.last <= last));
        let old = &self.active;
        let mut active = Active::new(Arc::clone(&segment), old.created);
        active.exists = true;
        active.first_timestamp = old.first_timestamp;
        active.size = position;
        active.offsets = Tail::in_file(kept);
        active.times = Tail::in_file(times.len());
        if let Some(newest) = times.last() {
            let timestamp = Timestamp(newest.timestamp);
            active.max_timestamp = MaxTimestamp { timestamp, offset: base.plus(i64::from(newest.last)) };
            active.newest_time_entry = newest.timestamp;
        }
        let config = &self.config;
        let cut = scan::batches(&segment, position, u64::from(old.size), |header, _, _| {
            if header.last_offset() >= end {
                return Step::Stop;
            }
            active.note_batch(config, header, header.base_offset);
            Step::Next
        })?;
        active.forget_recent();
        segment.proof().cut(active.size);
        self.active = active;
        let file = segment.open().map_err(|e| failed(LOG, e))?;
        file.set_len(cut).and_then(|()| file.sync_data()).map_err(|e| failed(LOG, e))?;
        segment.cut_file(INDEX, (kept * index::OFFSET_ENTRY_BYTES) as u64).map_err(|e| failed(INDEX, e))?;
        let times_len = (times.len() * index::TIME_ENTRY_BYTES) as u64;
        segment.cut_file(TIME_INDEX, times_len).map_err(|e| failed(TIME_INDEX, e))?;
        segment.unload_index();
        self.cut_aborted(&segment, end).map_err(|e| failed(TXN_INDEX, e))
    }
}

fn mark_deleted(segment: &Segment) -> Result<Vec<PathBuf>, Error> {
    segment.mark_deleted().map_err(|e| Error::io("rename", &segment.log_path(), e))
}

/// Makes the files of an empty segment and their names durable.
pub(super) fn create_segment(disk: &dyn Disk, segment: &Arc<Segment>) -> Result<(), Error> {
    segment.create().map_err(|e| Error::io("create", &segment.log_path(), e))?;
    Log::create_index_files(segment)?;
    let path = segment.folder().path();
    disk.sync_directory(&path).map_err(|e| Error::sync("sync folder", &path, e))
}

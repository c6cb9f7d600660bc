//! Making appends durable, off the hot path: planned under the lock, run on a sync thread, noted under the lock.
//!
//! One plan syncs each dirty file once, whatever was appended meanwhile joins the next plan (group commit). The
//! recovery point moves only with a checkpoint, in which the indexes, the producers and the epochs up to the
//! offset are written and synced first.

use std::io;
use std::path::Path;
use std::sync::Arc;

use protocol::id::Offset;

use super::Log;
use crate::disk::{Disk, File, OpenMode, replace_file};
use crate::error::Error;
use crate::names::{self, INDEX, LEADER_EPOCH_CHECKPOINT, LOG, SNAPSHOT, TIME_INDEX, TXN_INDEX};
use crate::open_files::OpenFiles;
use crate::producers::encode_snapshot;
use crate::segment::{Folder, Segment};

/// A snapshot without producers. It is not worth a sync: when it is lost, an older one and the batches behind it
/// say the same.
const EMPTY_SNAPSHOT_BYTES: usize = 10;

/// How much a sync covers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Depth {
    /// Record batches only: what `flush.messages` and a metadata log wait for.
    Batches,
    /// Also indexes, producer state and leader epochs, so that recovery may begin behind them.
    Checkpoint,
}

/// What one sync has to do. Holds no lock; may run on any thread, once.
#[derive(Debug)]
pub struct SyncPlan {
    /// Everything below is durable when the plan has run.
    up_to: Offset,
    depth: Depth,
    generation: u64,
    files: Arc<OpenFiles>,
    folder: Arc<Folder>,
    sync_names: bool,
    names_version: u64,
    segments: Vec<SegmentSync>,
    snapshot: Option<Vec<u8>>,
    epochs: Option<String>,
    epochs_version: u64,
    /// Index entries that the files hold afterwards, for the segment with this base offset.
    written: (Offset, usize, usize),
}

#[derive(Debug)]
struct SegmentSync {
    segment: Arc<Segment>,
    /// Entries that the index files lack, and where they go.
    offsets: Option<(u64, Vec<u8>)>,
    times: Option<(u64, Vec<u8>)>,
    indexes: bool,
}

impl SyncPlan {
    /// The offset below which everything is durable when the plan has run.
    #[must_use]
    pub const fn up_to(&self) -> Offset {
        self.up_to
    }

    /// Writes and syncs. Waits for the device.
    ///
    /// # Errors
    /// What the disk said: the log directory must go offline, because a failed sync may have lost bytes that a
    /// later one would not report.
    pub fn run(&self) -> Result<(), Error> {
        match self.run_all() {
            // The partition was deleted meanwhile: nothing is left to make durable.
            Err(Error::Io { source, .. })
                if source.kind() == io::ErrorKind::NotFound && self.folder.is_deleted() =>
            {
                Ok(())
            }
            other => other,
        }
    }

    fn run_all(&self) -> Result<(), Error> {
        for part in &self.segments {
            part.run(self.generation)?;
        }
        let (disk, folder) = (self.files.disk(), self.folder.path());
        if let Some(bytes) = &self.snapshot {
            let path = folder.join(names::file_name(self.up_to, SNAPSHOT));
            let written = self.folder.in_generation(self.generation, || write(disk, &path, bytes));
            let file = written.map_err(|e| Error::io("write", &path, e))?;
            if bytes.len() > EMPTY_SNAPSHOT_BYTES {
                file.map_or(Ok(()), |file| file.sync_data()).map_err(|e| Error::sync("sync", &path, e))?;
            }
        }
        if let Some(text) = &self.epochs {
            let path = folder.join(LEADER_EPOCH_CHECKPOINT);
            let replace = || replace_file(disk, &path, text.as_bytes());
            self.folder.in_generation(self.generation, replace).map_err(|e| Error::io("write", &path, e))?;
        }
        if self.sync_names || self.snapshot.as_ref().is_some_and(|bytes| bytes.len() > EMPTY_SNAPSHOT_BYTES) {
            disk.sync_directory(&folder).map_err(|e| Error::sync("sync folder", &folder, e))?;
        }
        Ok(())
    }
}

fn write(disk: &dyn Disk, path: &Path, bytes: &[u8]) -> io::Result<Arc<dyn File>> {
    let file = disk.open(path, OpenMode::Replace)?;
    file.write_at(&mut [io::IoSlice::new(bytes)], 0)?;
    Ok(file)
}

impl SegmentSync {
    fn run(&self, generation: u64) -> Result<(), Error> {
        match self.run_all(generation) {
            // Retention removed the segment meanwhile: nothing is left to make durable.
            Err(Error::Io { source, .. })
                if source.kind() == io::ErrorKind::NotFound && self.segment.is_deleted() =>
            {
                Ok(())
            }
            other => other,
        }
    }

    fn run_all(&self, generation: u64) -> Result<(), Error> {
        let failed = |suffix: &str, error| Error::sync("sync", &self.segment.path(suffix), error);
        let synced = self.segment.open().and_then(|file| file.sync_data());
        synced.map_err(|e| failed(LOG, e))?;
        if !self.indexes {
            return Ok(());
        }
        for (suffix, entries) in [(INDEX, &self.offsets), (TIME_INDEX, &self.times), (TXN_INDEX, &None)] {
            if let Some(entries) = entries {
                let write = || self.segment.write_index(suffix, entries);
                let written = self.segment.folder().in_generation(generation, write);
                written.map_err(|e| Error::io("write", &self.segment.path(suffix), e))?;
            }
            // Outside the generation's lock, so that a roll does not wait for the device.
            self.segment.sync_file(suffix).map_err(|e| failed(suffix, e))?;
        }
        Ok(())
    }
}

impl Log {
    /// What has to be synced now; `None` when nothing has. Run it outside the lock, then give it to
    /// [`Log::synced`]. A failure must go to [`Log::set_offline`] of every log in the directory, unless a write found
    /// the disk full: then nothing is noted, and the next plan has all of it to do again.
    pub fn unsynced(&mut self, depth: Depth) -> Option<SyncPlan> {
        let up_to = self.log_end_offset();
        let done = match depth {
            Depth::Batches => self.synced_offset,
            Depth::Checkpoint => self.recovery_point,
        };
        let nothing = done >= up_to
            && !(depth == Depth::Checkpoint
                && (self.epochs_changes.pending() || self.names_changes.pending()));
        if self.failed || nothing {
            return None;
        }
        let checkpoint = depth == Depth::Checkpoint;
        if checkpoint {
            // A roll right after this checkpoint must find nothing to add: what it writes into the indexes of a
            // segment that lies below the recovery point is synced by nobody.
            self.active.push_time_entry();
        }
        let mut segments: Vec<SegmentSync> = Vec::new();
        for (index, sealed) in self.sealed.iter().enumerate().rev() {
            if self.end_of_sealed(index) <= done {
                break;
            }
            segments.push(SegmentSync {
                segment: Arc::clone(&sealed.segment),
                offsets: None,
                times: None,
                indexes: checkpoint,
            });
        }
        if self.active.exists {
            segments.push(self.sync_active(checkpoint));
        }
        let write_snapshot = checkpoint && self.snapshot_offset != Some(up_to) && done < up_to;
        self.dirty_bytes = 0;
        self.sync_planned = up_to;
        Some(SyncPlan {
            up_to,
            depth,
            generation: self.folder.generation(),
            files: Arc::clone(&self.files),
            folder: Arc::clone(&self.folder),
            sync_names: self.names_changes.pending(),
            names_version: self.names_changes.version(),
            segments,
            snapshot: write_snapshot.then(|| encode_snapshot(&self.producers)),
            epochs: (checkpoint && self.epochs_changes.pending()).then(|| self.epochs.encode()),
            epochs_version: self.epochs_changes.version(),
            written: (self.active.segment.base_offset(), self.active.offsets.len(), self.active.times.len()),
        })
    }

    fn sync_active(&self, checkpoint: bool) -> SegmentSync {
        let active = &self.active;
        let unwritten = |has: bool, entries: (u64, Vec<u8>)| (checkpoint && has).then_some(entries);
        SegmentSync {
            segment: Arc::clone(&active.segment),
            offsets: unwritten(active.offsets.len() > active.offsets.written(), active.offsets.unwritten()),
            times: unwritten(active.times.len() > active.times.written(), active.times.unwritten()),
            indexes: checkpoint,
        }
    }

    /// Notes that a plan ran without an error: moves the synced offset and, for a checkpoint, the recovery
    /// point. A plan from before a truncation moves nothing.
    ///
    /// # Errors
    /// When an outdated snapshot cannot be removed.
    pub fn synced(&mut self, plan: &SyncPlan) -> Result<(), Error> {
        if plan.generation != self.folder.generation() {
            return Ok(());
        }
        self.synced_offset = self.synced_offset.max(plan.up_to);
        self.names_changes.saved(plan.names_version);
        if plan.depth == Depth::Batches {
            return Ok(());
        }
        self.recovery_point = self.recovery_point.max(plan.up_to);
        self.epochs_changes.saved(plan.epochs_version);
        let (base_offset, offsets, times) = plan.written;
        if base_offset == self.active.segment.base_offset() && offsets > self.active.offsets.written() {
            self.active.offsets.note_written(offsets);
            self.active.segment.unload_index();
        }
        if base_offset == self.active.segment.base_offset() {
            self.active.times.note_written(times);
        }
        if plan.snapshot.is_none() || self.snapshot_offset.is_some_and(|newest| newest >= plan.up_to) {
            return Ok(());
        }
        let old = self.snapshot_offset.replace(plan.up_to);
        let result = self.drop_snapshot(old);
        self.note(result)
    }

    /// The directory's checkpoint was stored with this log's recovery point. Checkpoints must be stored one at a
    /// time: after the second one the recovery point that a truncation left in the folder has done its work.
    ///
    /// # Errors
    /// When the file cannot be removed.
    pub fn recovery_point_stored(&mut self) -> Result<(), Error> {
        let before = self.truncation_noted;
        self.truncation_noted = before.saturating_sub(1);
        if before != 1 {
            return Ok(());
        }
        let path = self.folder.join(names::TRUNCATION_CHECKPOINT);
        let removed = self.files.disk().remove_file(&path).map_err(|e| Error::io("remove", &path, e));
        self.note(removed)
    }
}

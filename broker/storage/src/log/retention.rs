//! Removing old segments: by age, by size, and because the log's start moved. Planned under the lock, carried out on a
//! job thread, noted under the lock: appends and reads do not wait for the device meanwhile.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use protocol::id::{Offset, Timestamp};

use super::producer_state::snapshots_among;
use super::truncate::create_segment;
use super::{Log, Sealed};
use crate::disk::OpenMode;
use crate::error::Error;
use crate::names::{self, SNAPSHOT};
use crate::open_files::OpenFiles;
use crate::segment::{Folder, Segment};

impl Log {
    /// Moves the log's start up to `start`, which must not lie behind the high watermark (DeleteRecords, or a
    /// leader's start). Nothing happens when the start is there already. Segments below go with the next
    /// [`Log::retention`].
    pub fn set_log_start_offset(&mut self, start: Offset) {
        let start = start.min(self.log_end_offset());
        if start > self.log_start_offset {
            self.log_start_offset = start;
            let changed = self.epochs.truncate_start(start);
            self.epochs_changes.note(changed);
        }
    }

    /// Removes the oldest segments whose newest record is older than `retention.ms`, that the log does not need
    /// to hold `retention.bytes`, or that lie below the log's start; none that reach above `high_watermark`. The
    /// log's start moves with them. Only renames: the returned paths are to be removed after
    /// `file.delete.delay.ms`. Waits for the device; [`Log::plan_retention`] is for those who must not.
    ///
    /// # Errors
    /// What the disk says; the log is offline then.
    pub fn retention(&mut self, now: Timestamp, high_watermark: Offset) -> Result<Vec<PathBuf>, Error> {
        self.check_online()?;
        // First what is closed: it gives room, which closing the active one may need.
        let mut removed = self.retain(now, high_watermark)?;
        if self.roll_expired(now, high_watermark)? {
            removed.extend(self.retain(now, high_watermark)?);
        }
        Ok(removed)
    }

    fn retain(&mut self, now: Timestamp, high_watermark: Offset) -> Result<Vec<PathBuf>, Error> {
        let Some(mut plan) = self.plan_retention(now, high_watermark) else { return Ok(Vec::new()) };
        let ran = plan.run();
        self.retained(&plan);
        self.note(ran)?;
        Ok(plan.removed)
    }

    /// Which segments [`Log::retention`] would remove now; `None` when there are none. Run the plan outside the lock,
    /// and give it to [`Log::retained`], also after it failed. One at a time.
    #[must_use]
    pub fn plan_retention(&self, now: Timestamp, high_watermark: Offset) -> Option<RetentionPlan> {
        self.plan_removal(high_watermark, |oldest, end, size| self.is_removable(now, oldest, end, size))
    }

    /// As [`Log::plan_retention`], for segments that lie below the log's start alone: the start stays where it is.
    #[must_use]
    pub fn plan_below_start(&self, high_watermark: Offset) -> Option<RetentionPlan> {
        self.plan_removal(high_watermark, |_, end, _| end <= self.log_start_offset)
    }

    fn plan_removal(
        &self,
        high_watermark: Offset,
        is_removable: impl Fn(&Sealed, Offset, u64) -> bool,
    ) -> Option<RetentionPlan> {
        if self.failed {
            return None;
        }
        let (mut segments, mut size) = (Vec::new(), self.size_bytes());
        for (index, oldest) in self.sealed.iter().enumerate() {
            let end = self.end_of_sealed(index);
            if end > high_watermark || !is_removable(oldest, end, size) {
                break;
            }
            size -= u64::from(oldest.size);
            segments.push((Arc::clone(&oldest.segment), end));
        }
        if segments.is_empty() {
            return None;
        }
        let none_is_left = !self.active.exists && segments.len() == self.sealed.len();
        Some(RetentionPlan {
            files: Arc::clone(&self.files),
            folder: Arc::clone(&self.folder),
            snapshot: self.snapshot_offset,
            sync_names: self.names_changes.pending(),
            names_version: self.names_changes.version(),
            create: none_is_left.then(|| Arc::clone(&self.active.segment)),
            segments,
            created: false,
            gone: 0,
            removed: Vec::new(),
        })
    }

    /// Notes what a plan did: the segments that it renamed are not read any more, and the log's start moves.
    pub fn retained(&mut self, plan: &RetentionPlan) {
        if plan.created && plan.create.as_ref().is_some_and(|made| Arc::ptr_eq(made, &self.active.segment)) {
            self.active.exists = true;
        }
        if plan.gone > 0 {
            self.names_changes.saved(plan.names_version);
        }
        for (segment, end) in plan.segments.iter().take(plan.gone) {
            // A truncation may have come in between.
            if self.sealed.front().is_some_and(|oldest| Arc::ptr_eq(&oldest.segment, segment)) {
                self.sealed.pop_front();
                self.set_log_start_offset(*end);
            }
        }
    }

    /// Closes the active segment when all of it is old, as in Kafka: then it can be removed like the others. Whether it
    /// was closed.
    ///
    /// # Errors
    /// As [`Log::roll`].
    pub fn roll_expired(&mut self, now: Timestamp, high_watermark: Offset) -> Result<bool, Error> {
        let expired = self.config.cleanup_delete
            && self.active.size > 0
            && self.log_end_offset() <= high_watermark
            && self.is_expired(now, &self.active_as_sealed());
        if expired {
            self.roll(now)?;
        }
        Ok(expired)
    }

    fn active_as_sealed(&self) -> Sealed {
        let active = &self.active;
        let segment = Arc::clone(&active.segment);
        Sealed { segment, size: active.size, max_timestamp: active.max_timestamp }
    }

    /// Whether the oldest of segments that have `size_bytes` together may go.
    fn is_removable(&self, now: Timestamp, oldest: &Sealed, end: Offset, size_bytes: u64) -> bool {
        if end <= self.log_start_offset {
            return true;
        }
        let too_large = self
            .config
            .retention_bytes
            .is_some_and(|keep| size_bytes.saturating_sub(u64::from(oldest.size)) >= keep);
        self.config.cleanup_delete && (too_large || self.is_expired(now, oldest))
    }

    fn is_expired(&self, now: Timestamp, segment: &Sealed) -> bool {
        let newest = segment.max_timestamp.timestamp;
        // Records without timestamps never expire by time.
        newest.0 >= 0 && self.config.retention_ms.is_some_and(|keep| now.millis_since(newest) > keep)
    }
}

/// Segments that are to go. Holds no lock; may run on any thread, once.
#[derive(Debug)]
pub struct RetentionPlan {
    files: Arc<OpenFiles>,
    folder: Arc<Folder>,
    /// Oldest first, each with the offset behind it.
    segments: Vec<(Arc<Segment>, Offset)>,
    /// The newest snapshot of the producers.
    snapshot: Option<Offset>,
    sync_names: bool,
    names_version: u64,
    /// The active segment, when it has no files and no other is left.
    create: Option<Arc<Segment>>,
    created: bool,
    /// So many of the segments are gone, durably.
    gone: usize,
    removed: Vec<PathBuf>,
}

impl RetentionPlan {
    /// Renames. Waits for the device.
    ///
    /// # Errors
    /// What the disk says; what was done before is noted by [`Log::retained`] all the same.
    pub fn run(&mut self) -> Result<(), Error> {
        match self.run_all() {
            // The partition was deleted meanwhile, and its segments with it.
            Err(Error::Io { source, .. })
                if source.kind() == io::ErrorKind::NotFound && self.folder.is_deleted() =>
            {
                Ok(())
            }
            other => other,
        }
    }

    /// The renamed files, to be removed when reads under way are over.
    #[must_use]
    pub fn into_removed(self) -> Vec<PathBuf> {
        self.removed
    }

    fn run_all(&mut self) -> Result<(), Error> {
        if !self.sync_snapshot()? {
            return Ok(());
        }
        if self.sync_names {
            self.sync_folder()?;
        }
        for at in 0..self.segments.len() {
            // A log without any segment would begin anew at an old offset, so the active one's files come first.
            if at + 1 == self.segments.len()
                && let Some(active) = &self.create
            {
                create_segment(self.files.disk(), active)?;
                self.created = true;
            }
            self.remove(at)?;
            // One at a time, so that a crash cannot bring back a segment below one that stays removed.
            self.sync_folder()?;
            self.gone = at + 1;
        }
        Ok(())
    }

    fn remove(&mut self, at: usize) -> Result<(), Error> {
        let Some((segment, _)) = self.segments.get(at) else { return Ok(()) };
        let path = segment.log_path();
        self.removed.extend(segment.mark_deleted().map_err(|e| Error::io("rename", &path, e))?);
        let name = names::file_name(segment.base_offset(), SNAPSHOT);
        let (from, to) = (self.folder.join(&name), self.folder.join(&format!("{name}{}", names::DELETED)));
        match self.files.disk().rename(&from, &to) {
            Ok(()) => self.removed.push(to),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(Error::io("rename", &from, error)),
        }
        Ok(())
    }

    /// Makes the newest snapshot durable: when the batches are gone from which it was made, nothing else knows what
    /// their producers had sent, and what is sent again would be appended twice. `false` when a newer one took its place
    /// meanwhile: what that needs is for another plan.
    fn sync_snapshot(&self) -> Result<bool, Error> {
        let Some(offset) = self.snapshot else { return Ok(true) };
        let path = self.folder.join(&names::file_name(offset, SNAPSHOT));
        match self.files.disk().open(&path, OpenMode::Modify) {
            Ok(file) => file.sync_data().map(|()| true).map_err(|e| Error::sync("sync", &path, e)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                // A log that was closed cleanly may have none at its end.
                let folder = self.folder.path();
                let entries = self.files.disk().list(&folder).map_err(|e| Error::io("list", &folder, e))?;
                Ok(snapshots_among(&entries).last().is_none_or(|newest| *newest < offset))
            }
            Err(error) => Err(Error::io("open", &path, error)),
        }
    }

    fn sync_folder(&self) -> Result<(), Error> {
        let path = self.folder.path();
        self.files.disk().sync_directory(&path).map_err(|e| Error::sync("sync folder", &path, e))
    }
}

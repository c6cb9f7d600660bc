//! Removing old segments: by age, by size, and because the log's start moved.

use std::path::PathBuf;

use protocol::id::{Offset, Timestamp};

use super::{Log, Sealed};
use crate::disk::OpenMode;
use crate::error::Error;
use crate::names::{self, SNAPSHOT};

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
    /// `file.delete.delay.ms`.
    ///
    /// # Errors
    /// What the disk says; the log is offline then.
    pub fn retention(&mut self, now: Timestamp, high_watermark: Offset) -> Result<Vec<PathBuf>, Error> {
        self.check_online()?;
        if self.config.cleanup_delete && self.is_expired(now, &self.active_as_sealed()) {
            // As in Kafka the active segment may expire too, when all of it is old: a new one takes its place.
            if self.active.size > 0 && self.log_end_offset() <= high_watermark {
                self.roll(now)?;
            }
        }
        let mut removed = Vec::new();
        let mut snapshot_synced = false;
        while let Some(oldest) = self.sealed.front() {
            let end = self.end_of_sealed(0);
            if end > high_watermark || !self.is_removable(now, oldest, end) {
                break;
            }
            if !std::mem::replace(&mut snapshot_synced, true) {
                let synced = self.sync_snapshot();
                self.note(synced)?;
            }
            let result = self.remove_oldest(end);
            removed.extend(self.note(result)?);
        }
        Ok(removed)
    }

    /// Makes the newest snapshot durable: when the batches are gone from which it was made, nothing else knows what
    /// their producers had sent, and what is sent again would be appended twice.
    fn sync_snapshot(&self) -> Result<(), Error> {
        let Some(offset) = self.snapshot_offset else { return Ok(()) };
        let path = self.folder.join(&names::file_name(offset, SNAPSHOT));
        match self.files.disk().open(&path, OpenMode::Modify) {
            Ok(file) => file.sync_data().map_err(|e| Error::sync("sync", &path, e)),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
            Err(error) => Err(Error::io("open", &path, error)),
        }
    }

    fn active_as_sealed(&self) -> Sealed {
        let active = &self.active;
        let segment = std::sync::Arc::clone(&active.segment);
        Sealed { segment, size: active.size, max_timestamp: active.max_timestamp }
    }

    fn is_removable(&self, now: Timestamp, oldest: &Sealed, end: Offset) -> bool {
        if end <= self.log_start_offset {
            return true;
        }
        let too_large = self
            .config
            .retention_bytes
            .is_some_and(|keep| self.size_bytes().saturating_sub(u64::from(oldest.size)) >= keep);
        self.config.cleanup_delete && (too_large || self.is_expired(now, oldest))
    }

    fn is_expired(&self, now: Timestamp, segment: &Sealed) -> bool {
        let newest = segment.max_timestamp.timestamp;
        // Records without timestamps never expire by time.
        newest.0 >= 0 && self.config.retention_ms.is_some_and(|keep| now.millis_since(newest) > keep)
    }

    fn remove_oldest(&mut self, end: Offset) -> Result<Vec<PathBuf>, Error> {
        let folder = self.path();
        let sync = |log: &Self| {
            log.files.disk().sync_directory(&folder).map_err(|e| Error::sync("sync folder", &folder, e))
        };
        // A log without any segment would begin anew at an old offset, so the active one's files come first.
        if !self.active.exists {
            self.create_segment(&self.active.segment)?;
            self.active.exists = true;
        } else if self.names_changes.pending() {
            sync(self)?;
        }
        let Some(oldest) = self.sealed.pop_front() else { return Ok(Vec::new()) };
        let base_offset = oldest.segment.base_offset();
        let path = oldest.segment.log_path();
        let mut removed = oldest.segment.mark_deleted().map_err(|e| Error::io("rename", &path, e))?;
        let snapshot = self.folder.join(&names::file_name(base_offset, SNAPSHOT));
        let renamed =
            self.folder.join(&names::file_name(base_offset, &format!("{SNAPSHOT}{}", names::DELETED)));
        match self.files.disk().rename(&snapshot, &renamed) {
            Ok(()) => removed.push(renamed),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            Err(error) => return Err(Error::io("rename", &snapshot, error)),
        }
        self.names_changes.saved(self.names_changes.version());
        // One at a time, so that a crash cannot bring back a segment below one that stays removed.
        sync(self)?;
        self.set_log_start_offset(end);
        Ok(removed)
    }
}

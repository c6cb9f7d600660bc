//! Opening a log that is on the disk: from a clean marker without touching its files, or by recovery.

use std::path::Path;
use std::sync::Arc;

use protocol::id::{LeaderEpoch, Offset, Timestamp, TopicId};

use super::active::Active;
use super::changes::Changes;
use super::recover::recover;
use super::sync::Depth;
use super::{CHECKPOINTS_AFTER_TRUNCATION, Log, MaxTimestamp, Sealed};
use crate::config::LogConfig;
use crate::epochs::Epochs;
use crate::error::Error;
use crate::index::Tail;
use crate::open_files::OpenFiles;
use crate::producers::{decode_snapshot, encode_snapshot};
use crate::segment::{Folder, Segment};

/// How a log was left.
#[derive(Debug, Clone)]
pub enum Start {
    /// By a clean close, whose marker says everything: no file is opened.
    Clean(CleanState),
    /// In any other way: what lies behind the recovery point is read and checked.
    Unclean {
        /// Everything below is on the device with its indexes.
        recovery_point: Offset,
        /// The first offset that may be read.
        log_start_offset: Offset,
    },
}

/// A log at its clean close, as the directory's marker keeps it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CleanState {
    /// The topic of the folder.
    pub topic_id: TopicId,
    /// The first offset that may be read.
    pub log_start_offset: Offset,
    /// The offset that the next record gets.
    pub log_end_offset: Offset,
    /// All segments, oldest first; the last one is the active one.
    pub segments: Vec<SegmentState>,
    /// Whether the active segment has files.
    pub active_exists: bool,
    /// Entries in the active segment's `.index`.
    pub offset_entries: u32,
    /// Entries in the active segment's `.timeindex`.
    pub time_entries: u32,
    /// Greatest timestamp of the active segment's first batch.
    pub first_timestamp: Timestamp,
    /// When the active segment began.
    pub created: Timestamp,
    /// Leader epochs and where they begin.
    pub epochs: Vec<(LeaderEpoch, Offset)>,
    /// The producers, as a snapshot's bytes; empty when there are none.
    pub producers: Vec<u8>,
    /// Whether `truncation-checkpoint` is in the folder.
    pub truncation_noted: bool,
}

/// A segment in a [`CleanState`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SegmentState {
    /// Its first offset.
    pub base_offset: Offset,
    /// Bytes of its log file.
    pub size: u32,
    /// Its greatest timestamp.
    pub max_timestamp: Timestamp,
    /// The last offset of the batch that has it.
    pub max_timestamp_offset: Offset,
}

/// What opening a log found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct RecoveryReport {
    /// Bytes that were read and checked.
    pub checked_bytes: u64,
    /// Bytes that were cut off: a torn end, and everything behind it.
    pub cut_bytes: u64,
    /// Records missing below the recovery point: the device lost what it had promised to keep.
    pub lost_records: u64,
}

impl Log {
    /// Opens a log. After an unclean end this reads and checks everything behind the recovery point, so it is
    /// for a job thread; after a clean one it touches no file.
    ///
    /// # Errors
    /// What the disk says, or that a file cannot be what it should.
    pub fn open(
        files: &Arc<OpenFiles>,
        directory: &Path,
        config: LogConfig,
        start: Start,
        now: Timestamp,
    ) -> Result<(Self, RecoveryReport), Error> {
        match start {
            Start::Clean(state) => {
                let log = Self::open_clean(files, directory, config, &state, now)?;
                Ok((log, RecoveryReport::default()))
            }
            Start::Unclean { recovery_point, log_start_offset } => {
                let (mut log, report) =
                    recover(files, directory, config, recovery_point, log_start_offset, now)?;
                log.sync_tail()?;
                Ok((log, report))
            }
        }
    }

    /// Makes durable what recovery found, where records count from their sync on: they may lie in the page cache
    /// alone, and a producer that sends one again is told that it is there.
    fn sync_tail(&mut self) -> Result<(), Error> {
        if self.config.flush_messages != Some(1) {
            return Ok(());
        }
        let Some(plan) = self.unsynced(Depth::Batches) else { return Ok(()) };
        match plan.run() {
            Ok(()) => self.synced(&plan),
            // They do not count yet.
            Err(Error::NoSpace { .. }) => Ok(()),
            Err(error) => Err(error),
        }
    }

    fn open_clean(
        files: &Arc<OpenFiles>,
        directory: &Path,
        config: LogConfig,
        state: &CleanState,
        now: Timestamp,
    ) -> Result<Self, Error> {
        let folder = Folder::new(directory);
        let Some((last, sealed)) = state.segments.split_last() else {
            return Err(Error::corrupt(directory, "the clean marker names no segment"));
        };
        let segment = |state: &SegmentState| {
            let segment = Segment::new(state.base_offset, &folder, files);
            segment.found(state.size);
            segment
        };
        let maximum = |state: &SegmentState| MaxTimestamp {
            timestamp: state.max_timestamp,
            offset: state.max_timestamp_offset,
        };
        let mut active = Active::new(segment(last), now);
        active.exists = state.active_exists;
        active.size = last.size;
        active.next_offset = state.log_end_offset;
        active.offsets = Tail::in_file(state.offset_entries as usize);
        active.times = Tail::in_file(state.time_entries as usize);
        active.max_timestamp = maximum(last);
        // A clean close writes an entry for the greatest timestamp.
        active.newest_time_entry = last.max_timestamp.0;
        active.first_timestamp = state.first_timestamp;
        active.created = state.created;
        let producers = if state.producers.is_empty() {
            crate::producers::Producers::default()
        } else {
            decode_snapshot(&state.producers).map_err(|reason| Error::corrupt(directory, reason))?
        };
        let end = state.log_end_offset;
        Ok(Self {
            active,
            sealed: sealed
                .iter()
                .map(|state| Sealed {
                    segment: segment(state),
                    size: state.size,
                    max_timestamp: maximum(state),
                })
                .collect(),
            folder,
            files: Arc::clone(files),
            topic_id: state.topic_id,
            config,
            log_start_offset: state.log_start_offset,
            epochs: Epochs::from_entries(state.epochs.iter().copied()),
            epochs_changes: Changes::default(),
            producers,
            snapshot_offset: state.active_exists.then_some(end),
            recovery_point: end,
            synced_offset: end,
            sync_planned: end,
            dirty_bytes: 0,
            names_changes: Changes::default(),
            truncation_noted: if state.truncation_noted { CHECKPOINTS_AFTER_TRUNCATION } else { 0 },
            failed: false,
        })
    }

    /// What [`Start::Clean`] needs, when everything is written and synced: after a checkpoint plan ran and
    /// nothing was appended since; `None` otherwise.
    #[must_use]
    pub fn clean_state(&self) -> Option<CleanState> {
        let settled = self.recovery_point == self.log_end_offset()
            && !self.epochs_changes.pending()
            && !self.names_changes.pending();
        let indexed = self.active.offsets.written() == self.active.offsets.len()
            && self.active.times.written() == self.active.times.len()
            && self.active.newest_time_entry == self.active.max_timestamp.timestamp.0.max(-1);
        if self.failed || !settled || !indexed {
            return None;
        }
        let state = |segment: &Segment, size, maximum: MaxTimestamp| SegmentState {
            base_offset: segment.base_offset(),
            size,
            max_timestamp: maximum.timestamp,
            max_timestamp_offset: maximum.offset,
        };
        let active = &self.active;
        let sealed = self.sealed.iter().map(|s| state(&s.segment, s.size, s.max_timestamp));
        Some(CleanState {
            topic_id: self.topic_id,
            log_start_offset: self.log_start_offset,
            log_end_offset: self.log_end_offset(),
            segments: sealed.chain([state(&active.segment, active.size, active.max_timestamp)]).collect(),
            active_exists: active.exists,
            offset_entries: u32::try_from(active.offsets.len()).unwrap_or(u32::MAX),
            time_entries: u32::try_from(active.times.len()).unwrap_or(u32::MAX),
            first_timestamp: active.first_timestamp,
            created: active.created,
            epochs: self.epochs.entries().to_vec(),
            producers: if self.producers.len() == 0 { Vec::new() } else { encode_snapshot(&self.producers) },
            truncation_noted: self.truncation_noted > 0,
        })
    }

    /// Closes the log cleanly: completes the indexes, writes the producers' snapshot and the epochs, syncs all
    /// of it, and gives the state for the directory's marker. The log may be used on; then the state is void.
    ///
    /// # Errors
    /// What the disk says. The log must then not stand in the marker.
    pub fn close_clean(&mut self) -> Result<CleanState, Error> {
        self.check_online()?;
        self.active.push_time_entry();
        if let Some(plan) = self.unsynced(super::Depth::Checkpoint) {
            let ran = plan.run();
            self.note(ran)?;
            self.synced(&plan)?;
        }
        // A checkpoint that found nothing new leaves a time entry that this call may have added.
        let written = self.write_indexes();
        self.note(written)?;
        self.clean_state().ok_or_else(|| Error::Offline { path: self.path() })
    }
}

//! One partition's log: segments, indexes, producer state and leader epochs, under the lock of its caller.
//!
//! Owner: whoever holds the partition's mutex. Methods of [`Log`] run under it; appends, rolls and truncations
//! write there, everything that reads a file or waits for the device is planned under the lock and run outside
//! ([`ReadPlan`], [`TimePlan`], [`SyncPlan`]). Invariants: offsets never repeat and never go back; a failed write
//! or sync takes the log offline ([`Error::Offline`]) until it is opened again; a full disk does not, because
//! what was half written is cut off. Deliberately absent: leadership, high watermark and waiting readers, which
//! the replica machine has.

mod active;
mod append;
mod changes;
mod open;
mod producer_state;
mod proof;
mod read;
mod recent;
mod recover;
mod retention;
mod roll;
mod scan;
mod sync;
mod time;
mod transactions;
mod truncate;
mod verify;

#[cfg(test)]
mod tests;

pub use append::{AppendOutcome, Appended};
pub use open::{CleanState, RecoveryReport, SegmentState, Start};
pub use read::{FetchedRange, OffsetOutOfRange, ReadPlan};
pub use retention::RetentionPlan;
pub use sync::{Depth, SyncPlan};
pub use time::{TimeFound, TimePlan};
pub use transactions::{AbortedPlan, AbortedTransaction};
pub use verify::{Damage, VerifyPlan};

use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use protocol::id::{LeaderEpoch, Offset, ProducerId, Timestamp, TopicId};

use crate::config::LogConfig;
use crate::epochs::Epochs;
use crate::error::Error;
use crate::open_files::OpenFiles;
use crate::partition_metadata;
use crate::producers::{ActiveProducer, Producers};
use crate::segment::{Folder, Segment};
use active::Active;
use changes::Changes;

/// After a truncation the checkpoint that is on its way may hold the recovery point from before; the one after it
/// cannot, since they are written one at a time.
pub(crate) const CHECKPOINTS_AFTER_TRUNCATION: u8 = 2;

/// The greatest timestamp of a segment and the last offset of the batch that brought it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct MaxTimestamp {
    pub(crate) timestamp: Timestamp,
    pub(crate) offset: Offset,
}

impl MaxTimestamp {
    pub(crate) const NONE: Self = Self { timestamp: Timestamp::NONE, offset: Offset::UNKNOWN };
}

/// A segment that takes no more batches.
#[derive(Debug, Clone)]
pub(crate) struct Sealed {
    pub(crate) segment: Arc<Segment>,
    pub(crate) size: u32,
    pub(crate) max_timestamp: MaxTimestamp,
}

/// One partition's log.
#[derive(Debug)]
pub struct Log {
    folder: Arc<Folder>,
    files: Arc<OpenFiles>,
    topic_id: TopicId,
    config: LogConfig,
    sealed: VecDeque<Sealed>,
    active: Active,
    log_start_offset: Offset,
    epochs: Epochs,
    /// Changes of the epochs that their file may lack.
    epochs_changes: Changes,
    producers: Producers,
    /// The offset of the newest snapshot that was written, and whether a segment begins there.
    snapshot_offset: Option<Offset>,
    /// Everything below is on the device with its indexes and producer state: recovery begins here.
    recovery_point: Offset,
    /// Everything below is on the device.
    synced_offset: Offset,
    /// A sync was planned for everything below, whether or not it ended.
    sync_planned: Offset,
    /// Bytes appended since the last sync was planned.
    dirty_bytes: u64,
    /// Files created, renamed or removed since the folder was last synced.
    names_changes: Changes,
    /// How often the directory's checkpoint must still be stored before `truncation-checkpoint` may go; 0 when
    /// there is no such file.
    truncation_noted: u8,
    failed: bool,
}

impl Log {
    /// Makes the folder of a new log with its `partition.metadata`. Segment files come with the first append, so
    /// that idle partitions cost no descriptors. Names are durable when this returns.
    ///
    /// # Errors
    /// When the folder exists or the disk refuses.
    pub fn create(
        files: &Arc<OpenFiles>,
        directory: &Path,
        topic_id: TopicId,
        config: LogConfig,
        now: Timestamp,
    ) -> Result<Self, Error> {
        let disk = files.disk();
        match disk.create_directory(directory) {
            // A crash came before the folder got its metadata: nothing is lost by going on from there.
            Err(error)
                if error.kind() == std::io::ErrorKind::AlreadyExists
                    && partition_metadata::read(disk, directory)?.is_zero() => {}
            other => other.map_err(|e| Error::io("create folder", directory, e))?,
        }
        // The folder first: what is synced inside of one whose own name is lost is lost with it.
        if let Some(parent) = directory.parent() {
            disk.sync_directory(parent).map_err(|e| Error::sync("sync folder", parent, e))?;
        }
        partition_metadata::write(disk, directory, topic_id)?;
        Ok(Self::empty(files, directory, topic_id, config, Offset(0), now))
    }

    fn empty(
        files: &Arc<OpenFiles>,
        directory: &Path,
        topic_id: TopicId,
        config: LogConfig,
        start: Offset,
        now: Timestamp,
    ) -> Self {
        let folder = Folder::new(directory);
        Self {
            active: Active::new(Segment::new(start, &folder, files), now),
            folder,
            files: Arc::clone(files),
            topic_id,
            config,
            sealed: VecDeque::new(),
            log_start_offset: start,
            epochs: Epochs::default(),
            epochs_changes: Changes::default(),
            producers: Producers::default(),
            snapshot_offset: None,
            recovery_point: start,
            synced_offset: start,
            sync_planned: start,
            dirty_bytes: 0,
            names_changes: Changes::default(),
            truncation_noted: 0,
            failed: false,
        }
    }

    /// The folder, as it is named now.
    #[must_use]
    pub fn path(&self) -> PathBuf {
        self.folder.path()
    }

    /// The topic that the folder belongs to; zero when a Kafka older than topic ids made it.
    #[must_use]
    pub const fn topic_id(&self) -> TopicId {
        self.topic_id
    }

    /// The configuration in force.
    #[must_use]
    pub const fn config(&self) -> &LogConfig {
        &self.config
    }

    /// Puts a changed configuration in force.
    pub fn update_config(&mut self, config: LogConfig) {
        self.config = config;
    }

    /// The first offset that may be read.
    #[must_use]
    pub const fn log_start_offset(&self) -> Offset {
        self.log_start_offset
    }

    /// The offset that the next record gets.
    #[must_use]
    pub const fn log_end_offset(&self) -> Offset {
        self.active.next_offset
    }

    /// First offset of the oldest open transaction; `None` when none is open.
    #[must_use]
    pub fn first_unstable_offset(&self) -> Option<Offset> {
        self.producers.first_open_offset()
    }

    /// Bytes of all segments' log files.
    #[must_use]
    pub fn size_bytes(&self) -> u64 {
        self.sealed.iter().map(|sealed| u64::from(sealed.size)).sum::<u64>() + u64::from(self.active.size)
    }

    /// How many segments there are, the active one included.
    #[must_use]
    pub fn segment_count(&self) -> usize {
        self.sealed.len() + 1
    }

    /// Everything below is on the device with its indexes, so recovery would begin here.
    #[must_use]
    pub const fn recovery_point(&self) -> Offset {
        self.recovery_point
    }

    /// Everything below survives a loss of power.
    #[must_use]
    pub const fn synced_offset(&self) -> Offset {
        self.synced_offset
    }

    /// Bytes appended since a sync was last planned: when they are many, writeback should begin early.
    #[must_use]
    pub const fn dirty_bytes(&self) -> u64 {
        self.dirty_bytes
    }

    /// Whether so many records were appended since a sync was last planned that `flush.messages` asks for the next.
    #[must_use]
    pub fn is_flush_due(&self) -> bool {
        let appended = self.log_end_offset().0.saturating_sub(self.sync_planned.max(self.synced_offset).0);
        self.config.flush_messages.is_some_and(|due| appended.max(0).unsigned_abs() >= due)
    }

    /// Whether an earlier failure ended writing.
    #[must_use]
    pub const fn is_offline(&self) -> bool {
        self.failed
    }

    /// Ends writing, because the directory failed elsewhere.
    pub const fn set_offline(&mut self) {
        self.failed = true;
    }

    /// The newest leader epoch, or none.
    #[must_use]
    pub fn latest_epoch(&self) -> Option<LeaderEpoch> {
        self.epochs.latest()
    }

    /// Where `epoch`, or the greatest older one, ends: the answer to OffsetsForLeaderEpoch (KIP-320).
    #[must_use]
    pub fn epoch_end_offset(&self, epoch: LeaderEpoch) -> (LeaderEpoch, Offset) {
        self.epochs.end_offset(epoch, self.log_end_offset())
    }

    /// The epoch of the leader that appended the record at `offset`.
    #[must_use]
    pub fn epoch_at(&self, offset: Offset) -> Option<LeaderEpoch> {
        self.epochs.epoch_at(offset)
    }

    /// Notes that this broker leads with `epoch` from the log's end on. Must precede the first append of the
    /// epoch (KAFKA-7415).
    pub fn begin_epoch(&mut self, epoch: LeaderEpoch) {
        let changed = self.epochs.assign(epoch, self.log_end_offset());
        self.epochs_changes.note(changed);
    }

    /// Whether the log remembers an idempotent producer, so that it can tell a gap in its sequences.
    #[must_use]
    pub fn knows_producer(&self, id: ProducerId) -> bool {
        self.producers.knows(id)
    }

    /// Idempotent producers that the log remembers.
    #[must_use]
    pub fn producer_count(&self) -> usize {
        self.producers.len()
    }

    /// These producers, ordered by id.
    pub fn active_producers(&self) -> impl Iterator<Item = ActiveProducer> {
        self.producers.iter().map(|(id, producer)| ActiveProducer::new(id, producer))
    }

    #[cfg(test)]
    pub(crate) const fn producers(&self) -> &Producers {
        &self.producers
    }

    /// Forgets producers that were silent for `producer.id.expiration.ms` and have no open transaction.
    pub fn expire_producers(&mut self, now: Timestamp) {
        self.producers.expire(now, self.config.producer_id_expiration_ms);
    }

    /// Renames the folder of a deleted partition and ends writing. Reads under way go on.
    ///
    /// # Errors
    /// What the disk says.
    pub(crate) fn rename_deleted(&mut self, to: &Path) -> Result<(), Error> {
        let from = self.path();
        self.folder.begin_delete();
        self.files.disk().rename(&from, to).map_err(|e| Error::io("rename", &from, e))?;
        self.folder.deleted(to);
        self.failed = true;
        Ok(())
    }

    fn check_online(&self) -> Result<(), Error> {
        if self.failed { Err(Error::Offline { path: self.path() }) } else { Ok(()) }
    }

    /// Passes on a result of the disk; anything but a full disk ends writing.
    fn note<T>(&mut self, result: Result<T, Error>) -> Result<T, Error> {
        if let Err(error) = &result
            && error.is_fatal()
        {
            self.failed = true;
        }
        result
    }

    /// The last segment that begins at or before `offset`: an index into `sealed`, or `None` for the active one.
    fn segment_at(&self, offset: Offset) -> Option<usize> {
        if offset >= self.active.segment.base_offset() {
            return None;
        }
        let after = self.sealed.partition_point(|sealed| sealed.segment.base_offset() <= offset);
        Some(after.saturating_sub(1))
    }

    /// Where the segment behind the sealed one at `index` begins.
    fn end_of_sealed(&self, index: usize) -> Offset {
        self.sealed
            .get(index + 1)
            .map_or_else(|| self.active.segment.base_offset(), |next| next.segment.base_offset())
    }
}

//! The files of the metadata quorum: the log `__cluster_metadata-0`, its snapshots, and the `quorum-state` file.
//!
//! A [`Log`] whose batches bring their offsets and epochs (the raft terms), and which is durable before anything is
//! acknowledged: every method here that changes something returns after the sync. For the thread of the
//! quorum's storage; nobody else may wait for it. Names are Kafka's; what stands in `quorum-state` and in a
//! snapshot is its owner's.

mod durable;
#[cfg(test)]
mod tests;

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use protocol::id::{LeaderEpoch, Offset, Timestamp, Uuid};

use crate::config::LogConfig;
use crate::directory::remove_files;
use crate::disk::{Disk, OpenMode, Wait, read_file, replace_file};
use crate::error::Error;
use crate::log::{Depth, Log, ReadPlan, Start};
use crate::open_files::OpenFiles;
use durable::Durable;

/// The folder of the metadata log.
pub const METADATA_FOLDER: &str = "__cluster_metadata-0";
/// The id that Kafka gives the metadata topic (KIP-516).
const METADATA_TOPIC_ID: Uuid = Uuid([0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]);
const QUORUM_STATE: &str = "quorum-state";
const CHECKPOINT: &str = ".checkpoint";
const PART: &str = ".part";
const QUORUM_STATE_BYTES_MAX: u64 = 1 << 20;
/// A snapshot of a million partitions takes a tenth of it.
const SNAPSHOT_BYTES_MAX: u64 = 4 << 30;
/// `metadata.log.segment.bytes`; smaller than Kafka's, because the log is cut by whole segments.
const SEGMENT_BYTES: u32 = 64 << 20;

/// What a snapshot covers: everything below an offset, and the epoch of the last record below it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct SnapshotId {
    /// Behind the last offset covered.
    pub end_offset: Offset,
    /// The epoch of the last record covered.
    pub epoch: LeaderEpoch,
}

impl SnapshotId {
    /// `00000000000000000005-0000000001.checkpoint`.
    fn file_name(self) -> String {
        format!("{:020}-{:010}{CHECKPOINT}", self.end_offset.0, self.epoch.0)
    }

    fn parse(name: &str) -> Option<Self> {
        let (offset, epoch) = name.strip_suffix(CHECKPOINT)?.split_once('-')?;
        if offset.len() != 20 || epoch.len() != 10 {
            return None;
        }
        Some(Self { end_offset: Offset(offset.parse().ok()?), epoch: LeaderEpoch(epoch.parse().ok()?) })
    }
}

/// The metadata log with what belongs to it.
#[derive(Debug)]
pub struct MetadataLog {
    log: Log,
    folder: PathBuf,
    files: Arc<OpenFiles>,
    snapshots: Vec<SnapshotId>,
    durable: Durable,
    torn_bytes: u64,
}

impl MetadataLog {
    /// Opens the metadata log in a log directory, or makes an empty one. All of it is checked, so that a torn end
    /// is cut; it begins at the newest snapshot, and batches that contradict that snapshot are dropped.
    ///
    /// # Errors
    /// [`Error::Corrupt`] when something is damaged or missing that was on the device: nothing is cut then, because
    /// what is replayed without it would be another cluster's past. Else what the disk says.
    pub fn open(files: &Arc<OpenFiles>, directory: &Path, now: Timestamp) -> Result<Self, Error> {
        let folder = directory.join(METADATA_FOLDER);
        let config = LogConfig {
            segment_bytes: SEGMENT_BYTES,
            segment_ms: u64::MAX,
            retention_ms: None,
            cleanup_delete: false,
            ..LogConfig::default()
        };
        let disk = files.disk();
        let entries = match disk.list(&folder) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let log = Log::create(files, &folder, METADATA_TOPIC_ID, config, now)?;
                let (snapshots, durable) = (Vec::new(), Durable::default());
                return Ok(Self { log, folder, files: Arc::clone(files), snapshots, durable, torn_bytes: 0 });
            }
            Err(error) => return Err(Error::io("list", &folder, error)),
        };
        for entry in entries.iter().filter(|entry| entry.name.ends_with(PART)) {
            let path = folder.join(&entry.name);
            disk.remove_file(&path).map_err(|e| Error::io("remove", &path, e))?;
        }
        let mut snapshots: Vec<_> = entries.iter().filter_map(|e| SnapshotId::parse(&e.name)).collect();
        snapshots.sort_unstable();
        let newest = snapshots.last().copied();
        let durable = Durable::read(disk, &folder)?;
        durable.check(disk, &folder, &entries, newest.map_or(Offset(0), |newest| newest.end_offset))?;
        // Opened from its first batch on, because what lies below the snapshot's end tells its epoch.
        let start = Start::Unclean { recovery_point: Offset(0), log_start_offset: Offset(0) };
        let (log, report) = Log::open(files, &folder, config, start, now)?;
        let torn_bytes = report.cut_bytes;
        let mut opened = Self { log, folder, files: Arc::clone(files), snapshots, durable, torn_bytes };
        if let Some(newest) = newest {
            opened.start_at(newest, now)?;
        }
        Ok(opened)
    }

    /// Drops the log if it contradicts the snapshot: a crash came between writing the snapshot and starting over.
    fn start_at(&mut self, snapshot: SnapshotId, now: Timestamp) -> Result<(), Error> {
        let last = Offset(snapshot.end_offset.0 - 1);
        let reaches = self.log.log_end_offset() >= snapshot.end_offset;
        // The log's first offset may be the snapshot's end, and then nothing below contradicts it.
        let contradicts = self.log.first_offset() < snapshot.end_offset
            && self.log.epoch_at(last).is_some_and(|epoch| epoch != snapshot.epoch);
        if reaches && !contradicts {
            self.log.set_log_start_offset(snapshot.end_offset);
            return Ok(());
        }
        self.loosen(self.log.first_offset().min(snapshot.end_offset), snapshot.end_offset)?;
        let removed = self.log.truncate_fully(snapshot.end_offset, now)?;
        remove_files(self.files.disk(), &removed)
    }

    /// The log, for its offsets and epochs.
    #[must_use]
    pub const fn log(&self) -> &Log {
        &self.log
    }

    /// Appends batches that have their offsets and epochs, and makes them durable. The first must begin at the
    /// log's end.
    ///
    /// # Errors
    /// [`Error::Rejected`] for batches that do not go on from the log's end, else what the disk says.
    pub fn append(&mut self, batches: &[u8], now: Timestamp) -> Result<(), Error> {
        let mut parts = protocol::records::Batches::new(batches).flatten().map(|(header, _)| header);
        if let (Some(_), Some(last)) = (parts.next(), parts.last()) {
            let (end, loose_end) = (self.log.log_end_offset(), last.next_offset());
            self.vouch(Durable { end, loose_end })?;
        }
        let appended = self.log.append_as_follower(now, batches)?;
        if let Some(plan) = self.log.unsynced(Depth::Batches) {
            let ran = plan.run();
            if ran.is_err() {
                self.log.set_offline();
            }
            ran?;
            self.log.synced(&plan)?;
        }
        let end =
            protocol::records::Batches::new(batches).flatten().last().map(|(header, _)| header.next_offset());
        match end {
            Some(end) if end != appended.next_offset => Err(Error::Rejected {
                offset: appended.next_offset,
                code: protocol::ErrorCode::CorruptMessage,
                reason: "not all batches could be appended",
            }),
            _ => Ok(()),
        }
    }

    /// Notes durably how far the log is on the device, when that is more than is noted. For now and then, and for an
    /// ordered stop: damage below is found at the next start also where it is the end of the log.
    ///
    /// # Errors
    /// What the disk says.
    pub fn note_durable_end(&mut self) -> Result<(), Error> {
        let noted = self.durable.end.min(self.log.log_end_offset());
        self.vouch(Durable::up_to(self.log.synced_offset().max(noted)))
    }

    /// What [`MetadataLog::open`] cut off: bytes behind the last whole batch, written when the machine stopped.
    #[must_use]
    pub const fn torn_bytes(&self) -> u64 {
        self.torn_bytes
    }

    /// From `start` on the log is about to be cut, and may begin anew at `end`.
    fn loosen(&mut self, start: Offset, end: Offset) -> Result<(), Error> {
        let loose_end = self.log.log_end_offset().max(end);
        self.vouch(Durable { end: self.durable.end.min(start), loose_end })
    }

    fn vouch(&mut self, durable: Durable) -> Result<(), Error> {
        if self.durable != durable {
            durable.write(self.files.disk(), &self.folder)?;
            self.durable = durable;
        }
        Ok(())
    }

    /// Cuts the log so that it ends at `end`, durably.
    ///
    /// # Errors
    /// What the disk says.
    pub fn truncate_to(&mut self, end: Offset, now: Timestamp) -> Result<(), Error> {
        if end < self.log.log_end_offset() {
            self.loosen(end, end)?;
        }
        let removed = self.log.truncate_to(end, now)?;
        remove_files(self.files.disk(), &removed)
    }

    /// Plans a read, as [`Log::plan_read`]; everything up to the log's end.
    ///
    /// # Errors
    /// When `from` is below the log's start, where only a snapshot helps, or above its end.
    pub fn plan_read(&self, from: Offset, bytes_max: u32) -> Result<ReadPlan, crate::OffsetOutOfRange> {
        self.log.plan_read(from, self.log.log_end_offset(), bytes_max)
    }

    /// All batches from the log's start on.
    ///
    /// # Errors
    /// What the disk says.
    pub fn read_all(&self) -> Result<Vec<u8>, Error> {
        let failed = |error| Error::io("read", &self.folder, error);
        let mut bytes = Vec::new();
        let mut from = self.log.log_start_offset();
        while from < self.log.log_end_offset() {
            let Ok(plan) = self.plan_read(from, SEGMENT_BYTES) else { break };
            let found = plan.run(Wait::Long).map_err(failed)?;
            let Some(range) = found.range else { break };
            let read = range.read(Wait::Long).map_err(failed)?;
            let last = protocol::records::Batches::new(&read).flatten().last();
            from = last.map_or(self.log.log_end_offset(), |(header, _)| header.next_offset());
            bytes.extend_from_slice(&read);
        }
        Ok(bytes)
    }

    /// The newest snapshot.
    #[must_use]
    pub fn newest_snapshot(&self) -> Option<SnapshotId> {
        self.snapshots.last().copied()
    }

    /// Writes a snapshot and makes it durable. Then either [`MetadataLog::compact`] (it was taken from this log) or
    /// [`MetadataLog::start_over`] (it came from the leader).
    ///
    /// # Errors
    /// What the disk says.
    pub fn write_snapshot(&mut self, id: SnapshotId, bytes: &[u8]) -> Result<(), Error> {
        let path = self.folder.join(id.file_name());
        let part = self.folder.join(format!("{}{PART}", id.file_name()));
        let disk = self.files.disk();
        write_synced(disk, &part, bytes)
            .and_then(|()| disk.rename(&part, &path))
            .and_then(|()| disk.sync_directory(&self.folder))
            .map_err(|e| Error::io("write", &path, e))?;
        self.snapshots.retain(|snapshot| *snapshot != id);
        self.snapshots.push(id);
        self.snapshots.sort_unstable();
        Ok(())
    }

    /// The bytes of a snapshot; `None` when there is none with this id.
    ///
    /// # Errors
    /// What the disk says.
    pub fn read_snapshot(&self, id: SnapshotId) -> Result<Option<Vec<u8>>, Error> {
        let path = self.folder.join(id.file_name());
        match read_file(self.files.disk(), &path, SNAPSHOT_BYTES_MAX) {
            Ok(bytes) => Ok(Some(bytes)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(Error::io("read", &path, error)),
        }
    }

    /// The log begins at the newest snapshot's end from now on: segments below and older snapshots are removed.
    ///
    /// # Errors
    /// What the disk says.
    pub fn compact(&mut self, now: Timestamp) -> Result<(), Error> {
        let Some(newest) = self.newest_snapshot() else { return Ok(()) };
        self.log.set_log_start_offset(newest.end_offset);
        if self.log.log_end_offset() == newest.end_offset {
            self.log.roll(now)?;
        }
        let removed = self.log.retention(now, self.log.log_end_offset())?;
        remove_files(self.files.disk(), &removed)?;
        self.drop_old_snapshots()
    }

    /// Empties the log and begins at the newest snapshot's end, durably.
    ///
    /// # Errors
    /// What the disk says.
    pub fn start_over(&mut self, now: Timestamp) -> Result<(), Error> {
        let Some(newest) = self.newest_snapshot() else { return Ok(()) };
        self.loosen(self.log.first_offset().min(newest.end_offset), newest.end_offset)?;
        let removed = self.log.truncate_fully(newest.end_offset, now)?;
        remove_files(self.files.disk(), &removed)?;
        self.drop_old_snapshots()
    }

    fn drop_old_snapshots(&mut self) -> Result<(), Error> {
        let newest = self.newest_snapshot();
        let (kept, old) = self.snapshots.iter().partition(|snapshot| Some(**snapshot) == newest);
        self.snapshots = kept;
        let old: Vec<SnapshotId> = old;
        let paths: Vec<PathBuf> = old.iter().map(|id| self.folder.join(id.file_name())).collect();
        remove_files(self.files.disk(), &paths)
    }

    /// Writes the quorum's hard state and makes it durable.
    ///
    /// # Errors
    /// What the disk says.
    pub fn write_quorum_state(&self, bytes: &[u8]) -> Result<(), Error> {
        let path = self.folder.join(QUORUM_STATE);
        replace_file(self.files.disk(), &path, bytes).map_err(|e| Error::io("write", &path, e))
    }

    /// The quorum's hard state; `None` when none was ever written.
    ///
    /// # Errors
    /// What the disk says.
    pub fn read_quorum_state(&self) -> Result<Option<Vec<u8>>, Error> {
        let path = self.folder.join(QUORUM_STATE);
        match read_file(self.files.disk(), &path, QUORUM_STATE_BYTES_MAX) {
            Ok(bytes) => Ok(Some(bytes)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(Error::io("read", &path, error)),
        }
    }
}

fn write_synced(disk: &dyn Disk, path: &Path, bytes: &[u8]) -> io::Result<()> {
    let file = disk.open(path, OpenMode::Replace)?;
    file.write_at(&mut [io::IoSlice::new(bytes)], 0)?;
    file.sync_data()
}

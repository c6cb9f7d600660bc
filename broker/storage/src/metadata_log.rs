//! The files of the metadata quorum: the log `__cluster_metadata-0`, its snapshots, and the `quorum-state` file.
//!
//! A [`Log`] whose batches bring their offsets and epochs (the raft terms), and which is durable before anything is
//! acknowledged: every method here that changes something returns after the sync. For the thread of the
//! quorum's storage; nobody else may wait for it. Names are Kafka's; what stands in `quorum-state` and in a
//! snapshot is its owner's.

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
}

impl MetadataLog {
    /// Opens the metadata log in a log directory, or makes an empty one. All of it is checked, so that a torn end
    /// is cut; it begins at the newest snapshot, and batches that contradict that snapshot are dropped.
    ///
    /// # Errors
    /// What the disk says.
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
                return Ok(Self { log, folder, files: Arc::clone(files), snapshots: Vec::new() });
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
        // Opened from its first batch on, because what lies below the snapshot's end tells its epoch.
        let start = Start::Unclean { recovery_point: Offset(0), log_start_offset: Offset(0) };
        let (log, _) = Log::open(files, &folder, config, start, now)?;
        let mut opened = Self { log, folder, files: Arc::clone(files), snapshots };
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

    /// Cuts the log so that it ends at `end`, durably.
    ///
    /// # Errors
    /// What the disk says.
    pub fn truncate_to(&mut self, end: Offset, now: Timestamp) -> Result<(), Error> {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::disk::{Keep, Unsynced, VirtualDisk};
    use crate::testing::{NOW, open_files};
    use protocol::records::{BatchBuilder, Batches};

    fn open(disk: &VirtualDisk) -> MetadataLog {
        MetadataLog::open(&open_files(disk), Path::new("/"), NOW).unwrap()
    }

    fn entry(offset: i64, term: i32) -> Vec<u8> {
        let mut builder = BatchBuilder::new().base_offset(Offset(offset)).leader_epoch(LeaderEpoch(term));
        builder.push(NOW, None, Some(b"record"), &[]);
        builder.build().unwrap()
    }

    fn offsets(log: &MetadataLog) -> Vec<(i64, i32)> {
        let bytes = log.read_all().unwrap();
        let batches = Batches::new(&bytes).map(|batch| batch.unwrap().0);
        batches.map(|header| (header.base_offset.0, header.partition_leader_epoch.0)).collect()
    }

    fn lose_all(disk: &VirtualDisk) {
        disk.crash(&mut |_: Unsynced| Keep::Lost);
    }

    #[test]
    fn what_was_appended_survives_a_loss_of_power() {
        let disk = VirtualDisk::new();
        let mut log = open(&disk);
        log.write_quorum_state(b"{}").unwrap();
        for offset in 0..5 {
            log.append(&entry(offset, 1), NOW).unwrap();
        }
        log.truncate_to(Offset(3), NOW).unwrap();
        log.append(&entry(3, 2), NOW).unwrap();
        assert!(log.append(&entry(3, 2), NOW).is_err(), "below the log's end");
        lose_all(&disk);
        let log = open(&disk);
        assert_eq!(offsets(&log), [(0, 1), (1, 1), (2, 1), (3, 2)]);
        assert_eq!(log.read_quorum_state().unwrap(), Some(b"{}".to_vec()));
    }

    #[test]
    fn a_snapshot_replaces_the_log_below_it() {
        let disk = VirtualDisk::new();
        let mut log = open(&disk);
        for offset in 0..5 {
            log.append(&entry(offset, 1), NOW).unwrap();
        }
        let id = SnapshotId { end_offset: Offset(3), epoch: LeaderEpoch(1) };
        log.write_snapshot(id, b"state").unwrap();
        log.compact(NOW).unwrap();
        assert_eq!(offsets(&log)[..], [(3, 1), (4, 1)][..]);
        lose_all(&disk);
        let mut log = open(&disk);
        assert_eq!(log.newest_snapshot(), Some(id));
        assert_eq!(log.read_snapshot(id).unwrap(), Some(b"state".to_vec()));
        assert_eq!(log.log().log_start_offset(), Offset(3));
        let id = SnapshotId { end_offset: Offset(5), epoch: LeaderEpoch(1) };
        log.write_snapshot(id, b"later").unwrap();
        log.compact(NOW).unwrap();
        lose_all(&disk);
        let mut log = open(&disk);
        assert_eq!(offsets(&log), []);
        log.append(&entry(5, 2), NOW).unwrap();
        assert_eq!(offsets(&log), [(5, 2)]);
    }

    #[test]
    fn a_leaders_snapshot_starts_the_log_over() {
        let disk = VirtualDisk::new();
        let mut log = open(&disk);
        for offset in 0..5 {
            log.append(&entry(offset, 1), NOW).unwrap();
        }
        let id = SnapshotId { end_offset: Offset(4), epoch: LeaderEpoch(7) };
        log.write_snapshot(id, b"state").unwrap();
        // The power goes before the log started over: its batches contradict the snapshot.
        lose_all(&disk);
        let mut log = open(&disk);
        assert_eq!((log.log().log_start_offset(), log.log().log_end_offset()), (Offset(4), Offset(4)));
        log.append(&entry(4, 7), NOW).unwrap();
        let id = SnapshotId { end_offset: Offset(100), epoch: LeaderEpoch(8) };
        log.write_snapshot(id, b"state").unwrap();
        log.start_over(NOW).unwrap();
        log.append(&entry(100, 8), NOW).unwrap();
        lose_all(&disk);
        assert_eq!(offsets(&open(&disk)), [(100, 8)]);
    }
}

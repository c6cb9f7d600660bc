//! One log directory (`log.dirs`): who may use it, which partitions it holds, how it was left, and its checkpoints.
//!
//! A lock file refuses a second process. The clean marker is taken away before anything else happens
//! (KAFKA-10471), so that a crash while loading never looks like a clean stop. Methods take `&self` and may be
//! called from any thread; logs themselves belong to their partitions.

mod clean_marker;
mod left;
mod meta_properties;
mod points;
mod removal;
mod reserve;

#[cfg(test)]
mod tests;

pub use left::{Left, read_meta_properties};
pub use meta_properties::{Identity, MetaProperties};
pub use removal::{remove_files, remove_folder};

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use protocol::id::{BrokerEpoch, DirectoryId, Offset, Timestamp, TopicId, TopicPartition, Uuid};

use crate::checkpoint;
use crate::config::LogConfig;
use crate::disk::{Disk, File};
use crate::error::Error;
use crate::log::{CleanState, Log, RecoveryReport, Start};
use crate::names;
use crate::open_files::{Limits, OpenFiles};
use points::{Point, Points};

/// The longest name that file systems take.
const NAME_BYTES_MAX: usize = 255;

/// Whether a log directory can be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DirectoryState {
    /// Reads and writes go on.
    Online,
    /// There is too little room: appends are refused with a retriable error, reads and deletes go on.
    Full,
    /// A call failed, so nothing that was written lately can be relied on.
    Offline,
}

/// One log directory.
#[derive(Debug)]
pub struct Directory {
    path: PathBuf,
    files: Arc<OpenFiles>,
    meta: MetaProperties,
    is_new: bool,
    clean_shutdown: Option<BrokerEpoch>,
    /// How each log was left, until it is opened.
    starts: Mutex<BTreeMap<TopicPartition, Start>>,
    points: Points,
    leftovers: Vec<PathBuf>,
    notices: Vec<String>,
    state: AtomicU8,
    /// Whether the file that keeps room back is there.
    reserved: AtomicBool,
    /// Held for the lock that it stands for.
    _lock: Arc<dyn File>,
}

impl Directory {
    /// Opens a log directory, creating and formatting it with `new_id` when it has no `meta.properties`.
    ///
    /// # Errors
    /// [`Error::Locked`] when another process uses it, [`Error::Foreign`] when it belongs to another cluster or
    /// broker, else what the disk says.
    pub fn open(
        disk: Arc<dyn Disk>,
        path: &Path,
        identity: &Identity,
        new_id: DirectoryId,
        limits: Limits,
    ) -> Result<Self, Error> {
        create_with_parents(&*disk, path).map_err(|e| Error::io("create folder", path, e))?;
        let lock_path = path.join(names::LOCK);
        let lock = disk.lock(&lock_path).map_err(|error| match error.kind() {
            io::ErrorKind::WouldBlock => Error::Locked { path: path.to_owned() },
            _ => Error::io("lock", &lock_path, error),
        })?;
        let (meta, is_new) = match meta_properties::read(&*disk, path)? {
            Some(meta) => (meta, false),
            None => (meta_properties::format(&*disk, path, identity, new_id)?, true),
        };
        meta.check(path, identity)?;
        let marker = clean_marker::take(&*disk, path)?;
        let clean_shutdown = marker.as_ref().map(|marker| marker.broker_epoch);
        let mut clean = marker.map(|marker| marker.logs).unwrap_or_default();
        let mut notices = Vec::new();
        let mut stored = Points::read(&*disk, path, &mut notices)?;
        let mut points = BTreeMap::new();
        let mut starts = BTreeMap::new();
        let mut leftovers = Vec::new();
        let mut reserved = false;
        for entry in disk.list(path).map_err(|e| Error::io("list", path, e))? {
            if !entry.directory {
                reserved |= entry.name == names::RESERVE;
                continue;
            }
            if entry.name.ends_with(names::DELETE_FOLDER) {
                leftovers.push(path.join(&entry.name));
                continue;
            }
            let Some(partition) = names::parse_folder(&entry.name) else { continue };
            let Point { recovery_point, log_start_offset } = stored.remove(&partition).unwrap_or(Point::NONE);
            let unclean = Start::Unclean { recovery_point, log_start_offset };
            let start = clean.remove(&partition).map_or(unclean, Start::Clean);
            let point = Point::of(&start);
            if point != Point::NONE {
                points.insert(partition.clone(), point);
            }
            starts.insert(partition, start);
        }
        let gone: BTreeSet<_> = stored.into_keys().collect();
        Ok(Self {
            path: path.to_owned(),
            files: OpenFiles::new(disk, limits),
            meta,
            is_new,
            clean_shutdown,
            starts: Mutex::new(starts),
            points: Points::new(points, gone),
            leftovers,
            notices,
            state: AtomicU8::new(0),
            reserved: AtomicBool::new(reserved),
            _lock: lock,
        })
    }

    /// Where the directory is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What `meta.properties` says.
    #[must_use]
    pub const fn meta(&self) -> &MetaProperties {
        &self.meta
    }

    /// Whether this call to [`Directory::open`] formatted it.
    #[must_use]
    pub const fn is_new(&self) -> bool {
        self.is_new
    }

    /// The broker epoch of the run that closed the directory cleanly; `None` after any other end (KIP-966).
    #[must_use]
    pub const fn clean_shutdown(&self) -> Option<BrokerEpoch> {
        self.clean_shutdown
    }

    /// The files that are open, shared by all logs of the directory.
    #[must_use]
    pub const fn files(&self) -> &Arc<OpenFiles> {
        &self.files
    }

    /// Partitions that have a folder and were not opened so far.
    #[must_use]
    pub fn partitions(&self) -> Vec<TopicPartition> {
        self.starts.lock().unwrap_or_else(PoisonError::into_inner).keys().cloned().collect()
    }

    /// Folders of deleted partitions whose removal was not done when the last run ended.
    #[must_use]
    pub fn leftovers(&self) -> &[PathBuf] {
        &self.leftovers
    }

    /// What a person should know of how the directory was found.
    #[must_use]
    pub fn notices(&self) -> &[String] {
        &self.notices
    }

    /// The folder of a partition.
    #[must_use]
    pub fn folder(&self, partition: &TopicPartition) -> PathBuf {
        self.path.join(partition.to_string())
    }

    /// Makes the log of a new partition. The folder must not exist, or hold nothing.
    ///
    /// # Errors
    /// When the folder holds another topic's partition or the disk refuses.
    pub fn create_log(
        &self,
        partition: &TopicPartition,
        topic_id: TopicId,
        config: LogConfig,
        now: Timestamp,
    ) -> Result<Log, Error> {
        self.points.make_way(self.disk(), &self.path, partition)?;
        Log::create(&self.files, &self.folder(partition), topic_id, config, now)
    }

    /// Opens the log of a partition that has a folder. After an unclean end this recovers it, so it is for a job
    /// thread; after a clean one it touches no file.
    ///
    /// # Errors
    /// As [`Log::open`].
    pub fn open_log(
        &self,
        partition: &TopicPartition,
        config: LogConfig,
        now: Timestamp,
    ) -> Result<(Log, RecoveryReport), Error> {
        let start = self.starts.lock().unwrap_or_else(PoisonError::into_inner).remove(partition);
        let unclean = Start::Unclean { recovery_point: Offset(0), log_start_offset: Offset(0) };
        let start = start.unwrap_or(unclean);
        let opened = Log::open(&self.files, &self.folder(partition), config, start.clone(), now);
        if opened.is_err() {
            // To be tried again when there is room, or to be put aside.
            self.starts.lock().unwrap_or_else(PoisonError::into_inner).insert(partition.clone(), start);
        }
        opened
    }

    /// Renames a partition's folder so that it may be made anew, and ends writing to the log. The returned folder
    /// is to be removed with [`remove_folder`]; reads under way go on. `unique` tells several deletions apart.
    ///
    /// # Errors
    /// What the disk says.
    pub fn delete_log(
        &self,
        partition: &TopicPartition,
        log: &mut Log,
        unique: Uuid,
    ) -> Result<PathBuf, Error> {
        let to = self.deleted_folder(partition, unique);
        if let Err(error) = log.rename_deleted(&to) {
            // Whoever needs the name puts aside what bears it.
            let left = Start::Unclean {
                recovery_point: log.recovery_point(),
                log_start_offset: log.log_start_offset(),
            };
            self.starts.lock().unwrap_or_else(PoisonError::into_inner).insert(partition.clone(), left);
            return Err(error);
        }
        self.points.forget(partition);
        self.disk().sync_directory(&self.path).map_err(|e| Error::sync("sync folder", &self.path, e))?;
        Ok(to)
    }

    /// Notes what the checkpoints are to say of a log: its [`Log::recovery_point`] and [`Log::log_start_offset`]. Under
    /// the lock that the log is under, so that it is not noted of one that is deleted meanwhile.
    pub fn note_points(&self, partition: &TopicPartition, log: &Log) {
        let point = Point { recovery_point: log.recovery_point(), log_start_offset: log.log_start_offset() };
        self.points.note(partition, point);
    }

    /// Writes `recovery-point-offset-checkpoint` and `log-start-offset-checkpoint`: what was noted, and of every other
    /// log what they said before. Afterwards tell each log that was noted with [`Log::recovery_point_stored`].
    ///
    /// # Errors
    /// What the disk says.
    pub fn write_points(&self) -> Result<(), Error> {
        self.points.write(self.disk(), &self.path)
    }

    /// Writes `replication-offset-checkpoint`, the high watermarks.
    ///
    /// # Errors
    /// What the disk says.
    pub fn write_high_watermarks<'a>(
        &self,
        offsets: impl Iterator<Item = (&'a TopicPartition, Offset)>,
    ) -> Result<(), Error> {
        checkpoint::write(self.disk(), &self.path.join(names::HIGH_WATERMARKS), offsets)
    }

    /// Reads `replication-offset-checkpoint`.
    ///
    /// # Errors
    /// What the disk says, or that the file is none.
    pub fn read_high_watermarks(&self) -> Result<BTreeMap<TopicPartition, Offset>, Error> {
        checkpoint::read(self.disk(), &self.path.join(names::HIGH_WATERMARKS))
    }

    /// Ends a run: writes the checkpoints and the clean marker. `logs` are those that [`Log::close_clean`]
    /// succeeded for; a log left out is recovered at the next start. Logs never opened in this run stay as
    /// they were left.
    ///
    /// # Errors
    /// What the disk says; the next start is then an unclean one.
    pub fn close_clean(
        &self,
        broker_epoch: BrokerEpoch,
        mut logs: BTreeMap<TopicPartition, CleanState>,
    ) -> Result<(), Error> {
        if self.state() == DirectoryState::Offline {
            return Err(Error::Offline { path: self.path.clone() });
        }
        for (partition, start) in self.starts.lock().unwrap_or_else(PoisonError::into_inner).iter() {
            if let Start::Clean(state) = start {
                logs.entry(partition.clone()).or_insert_with(|| state.clone());
            }
        }
        for (partition, state) in &logs {
            self.points.note(partition, Point::of_clean(state));
        }
        self.write_points()?;
        clean_marker::write(self.disk(), &self.path, broker_epoch, &logs)
    }

    /// Whether the directory can be used.
    #[must_use]
    pub fn state(&self) -> DirectoryState {
        match self.state.load(Ordering::Acquire) {
            0 => DirectoryState::Online,
            1 => DirectoryState::Full,
            _ => DirectoryState::Offline,
        }
    }

    /// Notes a failure: takes the directory offline, or says that it is full. The state after it.
    pub fn note_error(&self, error: &Error) -> DirectoryState {
        if error.is_fatal() {
            self.state.store(2, Ordering::Release);
        } else if matches!(error, Error::NoSpace { .. }) {
            // Offline stays offline.
            let _ = self.state.compare_exchange(0, 1, Ordering::AcqRel, Ordering::Acquire);
        }
        self.state()
    }

    /// Measures the room that is left: below `free_bytes_min` the directory is full, and again usable when there
    /// is more. The state after it.
    ///
    /// # Errors
    /// What the disk says.
    pub fn measure_space(&self, free_bytes_min: u64) -> Result<DirectoryState, Error> {
        let space = self.disk().space(&self.path).map_err(|e| Error::io("measure", &self.path, e))?;
        let (from, to) = if space.free_bytes < free_bytes_min { (0, 1) } else { (1, 0) };
        let _ = self.state.compare_exchange(from, to, Ordering::AcqRel, Ordering::Acquire);
        Ok(self.state())
    }

    fn disk(&self) -> &dyn Disk {
        self.files.disk()
    }
}

fn create_with_parents(disk: &dyn Disk, path: &Path) -> io::Result<()> {
    match disk.create_directory(path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let parent = path.parent().ok_or(error)?;
            create_with_parents(disk, parent)?;
            disk.create_directory(path)?;
            disk.sync_directory(containing(path))
        }
        Ok(()) => disk.sync_directory(containing(path)),
        other => other,
    }
}

/// The folder that a path stands in: of a relative name alone, the current one.
fn containing(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if parent.as_os_str().is_empty() => Path::new("."),
        Some(parent) => parent,
        None => Path::new("/"),
    }
}

//! The recovery points and starts of all logs, as the two checkpoint files of a log directory hold them.
//!
//! The files are replaced whole, and so all of it is kept here: a log that waits to be recovered, or that failed, keeps
//! what is known of it, and the next start does not read all of it again. What is known of a partition that is gone
//! leaves the files before another one gets its name: its log would be believed up to a point that it never had.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};

use protocol::id::{Offset, TopicPartition};

use crate::checkpoint;
use crate::disk::Disk;
use crate::error::Error;
use crate::log::{CleanState, Start};
use crate::names::{LOG_STARTS, RECOVERY_POINTS};

/// What the checkpoints say of one log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Point {
    /// Everything below is on the device with its indexes.
    pub(super) recovery_point: Offset,
    /// The first offset that may be read.
    pub(super) log_start_offset: Offset,
}

impl Point {
    /// Nothing is known: the log is recovered from its first record on.
    pub(super) const NONE: Self = Self { recovery_point: Offset(0), log_start_offset: Offset(0) };

    /// What a log was left with.
    pub(super) const fn of(start: &Start) -> Self {
        match start {
            Start::Clean(state) => Self::of_clean(state),
            Start::Unclean { recovery_point, log_start_offset } => {
                Self { recovery_point: *recovery_point, log_start_offset: *log_start_offset }
            }
        }
    }

    /// A clean close leaves nothing to be recovered.
    pub(super) const fn of_clean(state: &CleanState) -> Self {
        Self { recovery_point: state.log_end_offset, log_start_offset: state.log_start_offset }
    }
}

/// The checkpoints of one log directory.
#[derive(Debug, Default)]
pub(super) struct Points {
    /// Taken under a partition's lock; nothing is locked under it.
    known: Mutex<Known>,
    /// Held while the files are written, so that no older state replaces a newer one.
    writing: Mutex<()>,
}

#[derive(Debug, Default)]
struct Known {
    logs: BTreeMap<TopicPartition, Point>,
    /// Partitions that are gone and may stand in the files.
    gone: BTreeSet<TopicPartition>,
}

impl Points {
    /// Reads both files. One that is damaged says nothing, and a sentence tells so: what it held is found in the logs.
    pub(super) fn read(
        disk: &dyn Disk,
        directory: &Path,
        notices: &mut Vec<String>,
    ) -> Result<BTreeMap<TopicPartition, Point>, Error> {
        let mut read = |name: &str| match checkpoint::read(disk, &directory.join(name)) {
            Err(Error::Corrupt { path, reason }) => {
                let advice = "it is taken as empty, and logs that were not closed cleanly are read whole";
                notices.push(format!("{}: {reason}; {advice}", path.display()));
                Ok(BTreeMap::new())
            }
            other => other,
        };
        let (recovery_points, log_starts) = (read(RECOVERY_POINTS)?, read(LOG_STARTS)?);
        let mut points = BTreeMap::new();
        for (partition, recovery_point) in recovery_points {
            points.insert(partition, Point { recovery_point, ..Point::NONE });
        }
        for (partition, start) in log_starts {
            points.entry(partition).or_insert(Point::NONE).log_start_offset = start;
        }
        Ok(points)
    }

    /// `logs` have folders; the files also name those that are `gone`.
    pub(super) fn new(logs: BTreeMap<TopicPartition, Point>, gone: BTreeSet<TopicPartition>) -> Self {
        Self { known: Mutex::new(Known { logs, gone }), writing: Mutex::default() }
    }

    pub(super) fn note(&self, partition: &TopicPartition, point: Point) {
        let mut known = self.lock();
        match known.logs.get_mut(partition) {
            Some(before) => *before = point,
            None => {
                known.logs.insert(partition.clone(), point);
            }
        }
    }

    /// A partition's folder bears another name now.
    pub(super) fn forget(&self, partition: &TopicPartition) {
        let mut known = self.lock();
        if known.logs.remove(partition).is_some() {
            known.gone.insert(partition.clone());
        }
    }

    /// A log of this name is to be made: the files must not speak of another one's.
    pub(super) fn make_way(
        &self,
        disk: &dyn Disk,
        directory: &Path,
        partition: &TopicPartition,
    ) -> Result<(), Error> {
        let writing = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
        if !self.lock().gone.contains(partition) {
            return Ok(());
        }
        self.write_locked(disk, directory, &writing)
    }

    /// Writes both files, durably.
    pub(super) fn write(&self, disk: &dyn Disk, directory: &Path) -> Result<(), Error> {
        let writing = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
        self.write_locked(disk, directory, &writing)
    }

    fn write_locked(
        &self,
        disk: &dyn Disk,
        directory: &Path,
        _writing: &MutexGuard<'_, ()>,
    ) -> Result<(), Error> {
        let (recovery_points, log_starts, gone) = {
            let mut known = self.lock();
            let gone = std::mem::take(&mut known.gone);
            let recovery_points = checkpoint::encode(known.logs.iter().map(|(p, at)| (p, at.recovery_point)));
            let log_starts = checkpoint::encode(known.logs.iter().map(|(p, at)| (p, at.log_start_offset)));
            (recovery_points, log_starts, gone)
        };
        let written = checkpoint::replace(disk, &directory.join(RECOVERY_POINTS), &recovery_points)
            .and_then(|()| checkpoint::replace(disk, &directory.join(LOG_STARTS), &log_starts));
        if written.is_err() {
            self.lock().gone.extend(gone);
        }
        written
    }

    fn lock(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

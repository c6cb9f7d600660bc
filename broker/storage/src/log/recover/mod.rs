//! Recovery after an unclean end: the part of a log behind its recovery point is read, checked and indexed anew.
//!
//! Below the recovery point files are believed, because they were synced with their indexes before it was
//! written. Behind it every header and CRC is checked and offsets and epochs must go on without a gap; the first
//! batch that fails ends the log, and what lies behind it is removed. Producer state comes from the newest whole
//! snapshot at or before the recovery point and the batches behind it. Each byte is read once; what is good is written
//! once more, so that the next sync covers it.

mod check;

use std::io;
use std::path::Path;
use std::sync::Arc;

use protocol::id::{Offset, Timestamp};

use super::active::Active;
use super::producer_state::snapshots_among;
use super::scan::{self, Step};
use super::{CHECKPOINTS_AFTER_TRUNCATION, Log, MaxTimestamp, Sealed};
use crate::checkpoint;
use crate::config::LogConfig;
use crate::disk::{Entry, read_file};
use crate::epochs::Epochs;
use crate::error::Error;
use crate::index;
use crate::log::RecoveryReport;
use crate::names::{self, DELETED, INDEX, LEADER_EPOCH_CHECKPOINT, LOG, TIME_INDEX};
use crate::open_files::OpenFiles;
use crate::partition_metadata;
use crate::segment::Segment;

/// An index of a segment of 2 GiB with an entry for every batch of 61 bytes would be as large; Kafka's are 10 MiB.
const INDEX_BYTES_MAX: u64 = 256 << 20;
const EPOCHS_BYTES_MAX: u64 = 16 << 20;

/// A log that is being recovered.
struct Recovery {
    log: Log,
    report: RecoveryReport,
    recovery_point: Offset,
    /// The log's producers are those of the batches below.
    replayed_to: Offset,
}

/// Opens the log in `directory` after an unclean end.
pub(super) fn recover(
    files: &Arc<OpenFiles>,
    directory: &Path,
    config: LogConfig,
    recovery_point: Offset,
    log_start_offset: Offset,
    now: Timestamp,
) -> Result<(Log, RecoveryReport), Error> {
    let disk = files.disk();
    let entries = disk.list(directory).map_err(|e| Error::io("list", directory, e))?;
    let entries = remove_leftovers(files, directory, entries)?;
    let topic_id = partition_metadata::read(disk, directory)?;
    let noted = checkpoint::read_one(disk, &directory.join(names::TRUNCATION_CHECKPOINT))?;
    let recovery_point = noted.map_or(recovery_point, |noted| noted.min(recovery_point));
    let mut segments: Vec<(Offset, u64)> = entries
        .iter()
        .filter_map(|entry| names::parse_file_name(&entry.name, LOG).map(|base| (base, entry.len)))
        .collect();
    segments.sort_unstable();
    let first = segments.first().map_or(log_start_offset, |first| first.0);
    let mut log = Log::empty(files, directory, topic_id, config, first, now);
    log.log_start_offset = first.max(log_start_offset);
    log.truncation_noted = if noted.is_some() { CHECKPOINTS_AFTER_TRUNCATION } else { 0 };
    let snapshots = snapshots_among(&entries);
    // Retention may have removed all below `first` before a checkpoint came: then only the snapshot from there knows.
    let replayed_to = log.load_snapshot(&snapshots, recovery_point.max(first))?.unwrap_or(Offset(0));
    let mut recovery = Recovery { log, report: RecoveryReport::default(), recovery_point, replayed_to };
    recovery.load_epochs()?;
    recovery.load_segments(&segments, now)?;
    recovery.log.keep_snapshots(&snapshots)?;
    recovery.finish(log_start_offset, now)
}

/// Removes files that a deletion or a write left half done.
fn remove_leftovers(
    files: &Arc<OpenFiles>,
    directory: &Path,
    entries: Vec<Entry>,
) -> Result<Vec<Entry>, Error> {
    let (leftover, kept): (Vec<Entry>, Vec<Entry>) = entries.into_iter().partition(|entry| {
        let name = &entry.name;
        name.ends_with(DELETED) || name.ends_with(".tmp") || name.ends_with(".cleaned")
    });
    if let Some(entry) = kept.iter().find(|entry| entry.name.ends_with(".swap")) {
        let reason =
            "Apache Kafka was stopped while it replaced segments by cleaned ones: start and stop it once";
        return Err(Error::corrupt(&directory.join(&entry.name), reason));
    }
    for entry in leftover {
        let path = directory.join(&entry.name);
        files.disk().remove_file(&path).map_err(|e| Error::io("remove", &path, e))?;
    }
    Ok(kept)
}

impl Recovery {
    fn load_epochs(&mut self) -> Result<(), Error> {
        let path = self.log.folder.join(LEADER_EPOCH_CHECKPOINT);
        let decoded = match read_file(self.log.files.disk(), &path, EPOCHS_BYTES_MAX) {
            Ok(bytes) => Epochs::decode(&String::from_utf8_lossy(&bytes)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Err("missing"),
            Err(error) => return Err(Error::io("read", &path, error)),
        };
        self.log.epochs = decoded.unwrap_or_default();
        // What the file says of offsets behind the recovery point may stem from batches that were cut since.
        self.log.epochs.truncate_end(self.recovery_point);
        Ok(())
    }

    fn load_segments(&mut self, segments: &[(Offset, u64)], now: Timestamp) -> Result<(), Error> {
        for (i, (base_offset, len)) in segments.iter().enumerate() {
            let next = segments.get(i + 1).map(|next| next.0);
            let segment = Segment::new(*base_offset, &self.log.folder, &self.log.files);
            segment.found(u32::try_from(*len).unwrap_or(u32::MAX));
            let end = self.log.log_end_offset();
            if i > 0 && *base_offset > self.recovery_point && !follows(end, *base_offset) {
                return self.drop_segments(&segments[i..]);
            }
            if i > 0 {
                self.seal();
            }
            if let Some(next) = next.filter(|next| *next <= self.recovery_point) {
                self.believe(segment, *len, next, now)?;
                continue;
            }
            let whole = self.check_segment(segment, *len, now)?;
            if !whole {
                return self.drop_segments(&segments[i + 1..]);
            }
            if next.is_some() {
                // Nobody else writes the indexes of a segment that takes no more batches, and its last time entry is
                // what the next start knows its age by.
                self.log.complete_indexes()?;
            }
        }
        Ok(())
    }

    /// The segment that was loaded last is not the log's last.
    fn seal(&mut self) {
        let active = &self.log.active;
        self.log.sealed.push_back(Sealed {
            segment: Arc::clone(&active.segment),
            size: active.size,
            max_timestamp: active.max_timestamp,
        });
    }

    /// Takes a segment below the recovery point as it is, ending at `next`.
    fn believe(
        &mut self,
        segment: Arc<Segment>,
        len: u64,
        next: Offset,
        now: Timestamp,
    ) -> Result<(), Error> {
        let times = read_index(&segment, TIME_INDEX)?.map(|bytes| index::parse_times(&bytes));
        let path = segment.log_path();
        let size = u32::try_from(len).map_err(|_| Error::corrupt(&path, "larger than a segment may be"))?;
        let base = segment.base_offset();
        let mut active = Active::new(Arc::clone(&segment), now);
        active.exists = true;
        match times.as_ref().and_then(|times| times.last()) {
            Some(last) => {
                let timestamp = Timestamp(last.timestamp);
                active.max_timestamp = MaxTimestamp { timestamp, offset: base.plus(i64::from(last.last)) };
            }
            None => self.rebuild_indexes(&mut active, len)?,
        }
        active.size = size;
        active.next_offset = next;
        self.log.active = active;
        Ok(())
    }

    /// Indexes a segment anew: without a time index retention could not tell its age, without an offset index
    /// every read would begin at its start. Cuts nothing.
    fn rebuild_indexes(&self, active: &mut Active, len: u64) -> Result<(), Error> {
        let segment = Arc::clone(&active.segment);
        let config = &self.log.config;
        scan::batches(&segment, 0, len, |header, _, _| {
            active.note_batch(config, header, header.base_offset);
            Step::Next
        })?;
        active.push_time_entry();
        for (suffix, entries) in [(INDEX, active.offsets.unwritten()), (TIME_INDEX, active.times.unwritten())]
        {
            let path = segment.path(suffix);
            segment.cut_file(suffix, 0).map_err(|e| Error::io("cut", &path, e))?;
            segment.write_index(suffix, &entries).map_err(|e| Error::io("write", &path, e))?;
            segment.sync_file(suffix).map_err(|e| Error::sync("sync", &path, e))?;
        }
        Ok(())
    }

    /// Removes segments behind the end of what is whole.
    fn drop_segments(&mut self, segments: &[(Offset, u64)]) -> Result<(), Error> {
        for (base_offset, len) in segments {
            self.report.cut_bytes += len;
            let segment = Segment::new(*base_offset, &self.log.folder, &self.log.files);
            for suffix in names::SEGMENT_FILES {
                remove_if_there(&self.log, &segment.path(suffix))?;
            }
        }
        self.sync_folder()
    }

    fn sync_folder(&self) -> Result<(), Error> {
        let path = self.log.path();
        self.log.files.disk().sync_directory(&path).map_err(|e| Error::sync("sync folder", &path, e))
    }

    /// Learns the epochs of batches that lie before the first known one: the file was written when the log began
    /// later, and a crash took that back.
    fn fill_epochs(&mut self) -> Result<(), Error> {
        let log = &mut self.log;
        let known = log.epochs.entries().first().map_or(log.log_end_offset(), |first| first.1);
        if known <= log.log_start_offset {
            return Ok(());
        }
        let parts = log.sealed.iter().map(|sealed| (&sealed.segment, sealed.size));
        let mut epochs = Epochs::default();
        for (segment, size) in parts.chain([(&log.active.segment, log.active.size)]) {
            if segment.base_offset() >= known || size == 0 {
                break;
            }
            scan::batches(segment, 0, u64::from(size), |header, _, _| {
                if header.base_offset >= known {
                    return Step::Stop;
                }
                epochs.assign(header.partition_leader_epoch, header.base_offset);
                Step::Next
            })?;
        }
        for (epoch, start) in log.epochs.entries() {
            epochs.assign(*epoch, *start);
        }
        log.epochs = epochs;
        Ok(())
    }

    fn finish(mut self, log_start_offset: Offset, now: Timestamp) -> Result<(Log, RecoveryReport), Error> {
        let end = self.log.log_end_offset();
        self.log.epochs.truncate_end(end);
        self.fill_epochs()?;
        let log = &mut self.log;
        log.epochs.truncate_start(log.log_start_offset.min(end));
        log.epochs_changes.note(true);
        log.names_changes.note(true);
        log.recovery_point = self.recovery_point.min(end);
        log.synced_offset = log.recovery_point;
        self.report.lost_records = self.recovery_point.0.saturating_sub(end.0).max(0).unsigned_abs();
        if log_start_offset > end {
            log.truncate_fully(log_start_offset, now)?;
        }
        Ok((self.log, self.report))
    }
}

/// Whether a segment at `base_offset` may follow one that ends at `end` behind the recovery point: without a gap,
/// but for one so wide that a roll had to leave it. Otherwise the end of the earlier one was lost.
fn follows(end: Offset, base_offset: Offset) -> bool {
    base_offset == end || base_offset.0.saturating_sub(end.0) > i64::from(i32::MAX)
}

fn read_index(segment: &Segment, suffix: &str) -> Result<Option<Vec<u8>>, Error> {
    let path = segment.path(suffix);
    match read_file(segment.disk(), &path, INDEX_BYTES_MAX) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::InvalidData) => {
            Ok(None)
        }
        Err(error) => Err(Error::io("read", &path, error)),
    }
}

fn remove_if_there(log: &Log, path: &Path) -> Result<(), Error> {
    match log.files.disk().remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(Error::io("remove", path, error)),
        _ => Ok(()),
    }
}

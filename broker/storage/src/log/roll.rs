//! Closing the active segment and beginning the next.

use protocol::id::{Offset, Timestamp};
use protocol::records::BatchHeader;

use super::active::Active;
use super::{Log, Sealed};
use crate::error::Error;
use crate::names::{self, INDEX, SNAPSHOT, TIME_INDEX};
use crate::producers::encode_snapshot;
use crate::segment::Segment;

impl Log {
    /// Closes the active segment, if it holds anything: its indexes are completed in their files, the producers
    /// go into a snapshot, and the next segment begins at the log's end.
    ///
    /// # Errors
    /// When the disk refuses; [`Error::NoSpace`] leaves the log as it was.
    pub fn roll(&mut self, now: Timestamp) -> Result<(), Error> {
        let end = self.log_end_offset();
        self.roll_at(end, now)
    }

    /// Rolls for a batch that brings its offset. The new segment begins at the log's end, unless compaction left
    /// so wide a gap that index entries could not express it.
    pub(super) fn roll_for(&mut self, header: &BatchHeader, now: Timestamp) -> Result<(), Error> {
        let end = self.log_end_offset();
        let too_far = header.last_offset().0.saturating_sub(end.0) > i64::from(i32::MAX);
        self.roll_at(if too_far { header.base_offset } else { end }, now)
    }

    fn roll_at(&mut self, base_offset: Offset, now: Timestamp) -> Result<(), Error> {
        self.check_online()?;
        if self.active.size == 0 {
            return Ok(());
        }
        let result = self.save_names().and_then(|()| {
            self.complete_indexes()?;
            self.write_snapshot(base_offset)
        });
        self.note(result)?;
        let next = Active::new(Segment::new(base_offset, &self.folder, &self.files), now);
        let old = std::mem::replace(&mut self.active, next);
        self.sealed.push_back(Sealed {
            segment: old.segment,
            size: old.size,
            max_timestamp: old.max_timestamp,
        });
        Ok(())
    }

    /// Makes the names of the segments so far durable before the next one's can be: a power loss must not keep the
    /// later one and take the earlier, which would leave a log without its front. The background sync has mostly done
    /// it already.
    fn save_names(&mut self) -> Result<(), Error> {
        if !self.names_changes.pending() {
            return Ok(());
        }
        let path = self.folder.path();
        let version = self.names_changes.version();
        self.files.disk().sync_directory(&path).map_err(|e| Error::sync("sync folder", &path, e))?;
        self.names_changes.saved(version);
        Ok(())
    }

    /// Brings `.index` and `.timeindex` up to date, with the last time entry that a closed segment has.
    pub(super) fn complete_indexes(&mut self) -> Result<(), Error> {
        self.active.push_time_entry();
        self.write_indexes()
    }

    /// Writes the index entries that the files lack, without a sync.
    pub(super) fn write_indexes(&mut self) -> Result<(), Error> {
        let active = &mut self.active;
        if active.offsets.len() > active.offsets.written() {
            let written = active.segment.write_index(INDEX, &active.offsets.unwritten());
            written.map_err(|e| Error::io("write", &active.segment.path(INDEX), e))?;
            active.offsets.note_written(active.offsets.len());
            // What was loaded before lacks the new entries.
            active.segment.unload_index();
        }
        if active.times.len() > active.times.written() {
            let written = active.segment.write_index(TIME_INDEX, &active.times.unwritten());
            written.map_err(|e| Error::io("write", &active.segment.path(TIME_INDEX), e))?;
            active.times.note_written(active.times.len());
        }
        Ok(())
    }

    /// Makes empty index files, as Kafka expects them beside a log.
    pub(super) fn create_index_files(segment: &Segment) -> Result<(), Error> {
        for suffix in [INDEX, TIME_INDEX] {
            let path = segment.path(suffix);
            let mode = crate::disk::OpenMode::Write;
            segment.disk().open(&path, mode).map_err(|e| Error::io("create", &path, e))?;
        }
        Ok(())
    }

    /// Writes the producers' snapshot at `offset`, the log's end, and drops the one before it unless a segment
    /// begins there. Without a sync: a torn snapshot fails its CRC and the one before, or the log, stands in.
    pub(super) fn write_snapshot(&mut self, offset: Offset) -> Result<(), Error> {
        if self.snapshot_offset == Some(offset) {
            return Ok(());
        }
        let path = self.folder.join(&names::file_name(offset, SNAPSHOT));
        let bytes = encode_snapshot(&self.producers);
        write_new(self.files.disk(), &path, &bytes).map_err(|e| Error::io("write", &path, e))?;
        self.names_changes.note(true);
        let old = self.snapshot_offset.replace(offset);
        self.drop_snapshot(old)
    }

    /// Removes a snapshot that no segment needs.
    pub(super) fn drop_snapshot(&self, offset: Option<Offset>) -> Result<(), Error> {
        let Some(offset) = offset else { return Ok(()) };
        if Some(offset) == self.snapshot_offset || self.begins_segment(offset) {
            return Ok(());
        }
        let path = self.folder.join(&names::file_name(offset, SNAPSHOT));
        match self.files.disk().remove_file(&path) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                Err(Error::io("remove", &path, error))
            }
            _ => Ok(()),
        }
    }

    pub(super) fn begins_segment(&self, offset: Offset) -> bool {
        self.active.segment.base_offset() == offset
            || self.sealed.binary_search_by_key(&offset, |sealed| sealed.segment.base_offset()).is_ok()
    }
}

fn write_new(disk: &dyn crate::disk::Disk, path: &std::path::Path, bytes: &[u8]) -> std::io::Result<()> {
    let file = disk.open(path, crate::disk::OpenMode::Replace)?;
    file.write_at(&mut [std::io::IoSlice::new(bytes)], 0)
}

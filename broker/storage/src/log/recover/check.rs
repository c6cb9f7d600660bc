//! Checking a segment behind the recovery point: batch by batch, up to the first that fails.

use std::sync::Arc;

use protocol::id::{LeaderEpoch, Offset, Timestamp};
use protocol::records::{BatchHeader, crc_matches};

use super::super::active::Active;
use super::super::producer_state::{record_producer, stable_offset_after};
use super::super::scan::{self, Step};
use super::super::{Log, MaxTimestamp};
use super::{Recovery, read_index};
use crate::disk::Wait;
use crate::error::Error;
use crate::headers::Headers;
use crate::index::{self, LoadedIndex, Tail};
use crate::names::{INDEX, TIME_INDEX, TXN_INDEX};
use crate::segment::Segment;

impl Recovery {
    /// Reads a segment from the recovery point on and cuts it at the first batch that fails. Whether it was
    /// whole.
    pub(super) fn check_segment(
        &mut self,
        segment: Arc<Segment>,
        len: u64,
        now: Timestamp,
    ) -> Result<bool, Error> {
        let mut active = Active::new(Arc::clone(&segment), now);
        active.exists = true;
        self.restart_at_index(&mut active, len)?;
        let from = active.size;
        self.log.active = active;
        self.replay_below()?;
        let end = self.check_batches(&segment, from, len)?;
        // The ring saw batches that a reader of the page cache did not bring in.
        self.log.active.forget_recent();
        self.report.checked_bytes += end - u64::from(from);
        scan::rewrite(&segment, from, end)?;
        if end < len {
            self.report.cut_bytes += len - end;
            let file = segment.open().map_err(|e| Error::io("open", &segment.log_path(), e))?;
            // Synced, so that what is appended next can never stand before a rest of what is cut now.
            let cut = file.set_len(end).and_then(|()| file.sync_data());
            cut.map_err(|e| Error::io("cut", &segment.log_path(), e))?;
            self.cut_times()?;
        }
        Ok(end == len)
    }

    /// Brings the producers up to where the check begins, when the snapshot is older than that.
    fn replay_below(&mut self) -> Result<(), Error> {
        let begin = self.log.log_end_offset();
        // What an earlier run noted of batches that are checked may be torn, or of batches that are cut.
        let segment = Arc::clone(&self.log.active.segment);
        let cut = self.log.cut_aborted(&segment, begin.max(self.replayed_to));
        cut.map_err(|e| Error::io("cut", &segment.path(TXN_INDEX), e))?;
        if self.replayed_to < begin {
            self.log.replay_producers(self.replayed_to)?;
            self.replayed_to = begin;
        }
        Ok(())
    }

    /// Notes every batch that goes on from the one before and matches its CRC. Where the first other one begins.
    fn check_batches(&mut self, segment: &Arc<Segment>, from: u32, len: u64) -> Result<u64, Error> {
        let base_offset = segment.base_offset();
        let replayed_to = self.replayed_to;
        let mut aborted = Vec::new();
        let Log { config, epochs, producers, active, .. } = &mut self.log;
        let mut epoch = LeaderEpoch::UNKNOWN;
        let end = scan::batches(segment, from, len, |header, batch, _| {
            // A gap inside a file is compaction's: a lost write would have left no batch at all.
            let goes_on = header.base_offset >= active.next_offset;
            let sane = header.last_offset_delta >= 0
                && header.records_count >= 0
                && header.base_offset.0.saturating_sub(base_offset.0) <= i64::from(i32::MAX)
                && header.partition_leader_epoch >= epoch;
            if !goes_on || !sane || !crc_matches(batch) {
                return Step::Stop;
            }
            epoch = header.partition_leader_epoch;
            epochs.assign(epoch, header.base_offset);
            active.note_batch(config, header, header.base_offset);
            if header.base_offset >= replayed_to
                && let Some((completed, true)) = record_producer(producers, header, header.base_offset, batch)
            {
                aborted.push((completed, stable_offset_after(producers, &completed)));
            }
            Step::Next
        })?;
        self.replayed_to = replayed_to.max(self.log.log_end_offset());
        for (completed, last_stable_offset) in aborted {
            self.log.restore_aborted(segment, &completed, last_stable_offset)?;
        }
        Ok(end)
    }

    /// Sets an active segment to the last batch that the indexes name below the recovery point, if they hold
    /// water; else to the segment's beginning with empty indexes.
    fn restart_at_index(&self, active: &mut Active, len: u64) -> Result<(), Error> {
        let segment = Arc::clone(&active.segment);
        let log_bytes = u32::try_from(len).unwrap_or(u32::MAX);
        let base = segment.base_offset();
        let below = u32::try_from(self.recovery_point.0.saturating_sub(base.0).max(0)).unwrap_or(u32::MAX);
        let mut kept = 0;
        let time_bytes = read_index(&segment, TIME_INDEX)?.unwrap_or_default();
        let mut times = index::parse_times(&time_bytes);
        // A close adds an entry behind the offset index's last one; it was synced like all below the recovery point.
        times.retain(|entry| entry.last < below);
        let offset_bytes = read_index(&segment, INDEX)?.unwrap_or_default();
        // Entries behind the recovery point may be torn and are not needed.
        let entries = offset_bytes.chunks_exact(index::OFFSET_ENTRY_BYTES);
        let sure = entries.take_while(|entry| big_endian(&entry[..4]) < below).count();
        let sure_bytes = &offset_bytes[..sure * index::OFFSET_ENTRY_BYTES];
        let entries = LoadedIndex::parse(sure_bytes, log_bytes).unwrap_or_default();
        let found = match entries.entries().last() {
            Some((last, position)) => batch_at(&segment, log_bytes, *last, *position)?,
            None => None,
        };
        match (found, entries.entries().last()) {
            (Some((header, first)), Some((_, position))) => {
                kept = entries.len();
                active.size = *position;
                active.next_offset = header.base_offset;
                active.first_timestamp = first;
            }
            // An index that is wrong makes its neighbour doubtful.
            _ if sure > 0 => times.clear(),
            _ => {}
        }
        if let Some(newest) = times.last() {
            let timestamp = Timestamp(newest.timestamp);
            active.max_timestamp = MaxTimestamp { timestamp, offset: base.plus(i64::from(newest.last)) };
            active.newest_time_entry = newest.timestamp;
        }
        active.offsets = Tail::in_file(kept);
        active.times = Tail::in_file(times.len());
        let kept_bytes = [kept * index::OFFSET_ENTRY_BYTES, times.len() * index::TIME_ENTRY_BYTES];
        for (suffix, kept, found) in
            [(INDEX, kept_bytes[0], offset_bytes.len()), (TIME_INDEX, kept_bytes[1], time_bytes.len())]
        {
            if kept < found {
                let cut = segment.cut_file(suffix, kept as u64);
                cut.map_err(|e| Error::io("cut", &segment.path(suffix), e))?;
            }
        }
        Ok(())
    }

    /// Removes time entries of batches that were cut: there are some when the device lost what was synced.
    fn cut_times(&mut self) -> Result<(), Error> {
        let active = &mut self.log.active;
        if active.next_offset >= self.recovery_point {
            return Ok(());
        }
        let segment = &active.segment;
        let end = active.relative(active.next_offset);
        let mut times = index::parse_times(&read_index(segment, TIME_INDEX)?.unwrap_or_default());
        times.retain(|entry| entry.last < end);
        let len = (times.len() * index::TIME_ENTRY_BYTES) as u64;
        segment.cut_file(TIME_INDEX, len).map_err(|e| Error::io("cut", &segment.path(TIME_INDEX), e))?;
        if active.times.written() > times.len() {
            active.times = Tail::in_file(times.len());
            active.newest_time_entry = times.last().map_or(-1, |newest| newest.timestamp);
        }
        Ok(())
    }
}

/// The header of the batch that an index entry names, and the greatest timestamp of the segment's first batch;
/// `None` when the entry names no such batch.
fn batch_at(
    segment: &Arc<Segment>,
    log_bytes: u32,
    last: u32,
    position: u32,
) -> Result<Option<(BatchHeader, Timestamp)>, Error> {
    let file = segment.open().map_err(|e| Error::io("open", &segment.log_path(), e))?;
    let mut headers = Headers::new(&*file, log_bytes, Wait::Long);
    let last: Offset = segment.base_offset().plus(i64::from(last));
    let found = headers.at(position).ok().filter(|header| header.last_offset() == last);
    let first = headers.at(0).ok().map_or(Timestamp::NONE, |first| first.max_timestamp);
    Ok(found.map(|header| (header, first)))
}

fn big_endian(bytes: &[u8]) -> u32 {
    bytes.try_into().map_or(0, u32::from_be_bytes)
}

//! Appending: the hot path. Sequence check, offsets, patch, one write, and then the bookkeeping.
//!
//! Nothing is recorded before the write succeeded, so a full disk leaves the log as it was. Batches of one call
//! go out in one write unless the segment ends between them.

use std::io::IoSlice;

use protocol::ErrorCode;
use protocol::id::{LeaderEpoch, Offset, ProducerId, Timestamp};
use protocol::records::{BatchHeader, Batches, CheckedBatch, crc_matches, patch};

use super::Log;
use super::producer_state::record_producer;
use crate::error::Error;
use crate::producers::Verdict;

/// Batches of one write whose slices need no allocation.
const SLICES_ON_STACK: usize = 16;

/// The greatest offset at which a batch may begin, so that sums with record counts do not overflow.
const OFFSET_MAX: i64 = i64::MAX - (1 << 32);

/// What became of one batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AppendOutcome {
    /// It is in the log.
    Appended {
        /// Offset of its first record.
        base_offset: Offset,
    },
    /// The producer had sent it before, and it is in the log.
    Duplicate {
        /// Offset of its first record.
        base_offset: Offset,
        /// Its greatest timestamp.
        timestamp: Timestamp,
    },
    /// It is not in the log.
    Rejected(ErrorCode),
}

/// What a follower's append brought.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Appended {
    /// Offset of the first record.
    pub base_offset: Offset,
    /// The offset behind the last record.
    pub next_offset: Offset,
}

/// Batches that go out in one write.
struct Group {
    /// Index of the first batch.
    from: usize,
    bytes: u32,
    next_offset: Offset,
}

impl Log {
    /// Appends what producers sent, as the leader with `epoch`: gives each batch its offset unless its sequence
    /// forbids it. `outcomes` gets one entry per batch, also when an error ends the call; then the batches that
    /// were not written are rejected with `KAFKA_STORAGE_ERROR`.
    ///
    /// # Errors
    /// [`Error::NoSpace`] and [`Error::Exhausted`] leave the log usable; every other error takes it offline.
    pub fn append_as_leader(
        &mut self,
        now: Timestamp,
        epoch: LeaderEpoch,
        batches: &mut [CheckedBatch<'_>],
        outcomes: &mut Vec<AppendOutcome>,
    ) -> Result<(), Error> {
        let first = outcomes.len();
        let result = self.check_online().and_then(|()| {
            let changed = self.epochs.assign(epoch, self.log_end_offset());
            self.epochs_changes.note(changed);
            self.append_groups(now, epoch, batches, outcomes, first)
        });
        if result.is_err() {
            outcomes.resize(first + batches.len(), AppendOutcome::Rejected(ErrorCode::KafkaStorageError));
        }
        result
    }

    fn append_groups(
        &mut self,
        now: Timestamp,
        epoch: LeaderEpoch,
        batches: &mut [CheckedBatch<'_>],
        outcomes: &mut Vec<AppendOutcome>,
        first: usize,
    ) -> Result<(), Error> {
        let mut group = Group { from: 0, bytes: 0, next_offset: self.log_end_offset() };
        for i in 0..batches.len() {
            let header = batches[i].header;
            let verdict = if header.producer_id == ProducerId::NONE || header.attributes.is_control() {
                Verdict::Append
            } else {
                self.check_sequence(&header, &batches[group.from..i], &outcomes[first + group.from..])
            };
            match verdict {
                Verdict::Append => {}
                Verdict::Duplicate(past) => {
                    let (base_offset, timestamp) = (past.base_offset(), past.timestamp);
                    outcomes.push(AppendOutcome::Duplicate { base_offset, timestamp });
                    continue;
                }
                Verdict::Rejected(code) => {
                    outcomes.push(AppendOutcome::Rejected(code));
                    continue;
                }
            }
            if self.active.must_roll(&self.config, now, group.bytes, &header, group.next_offset) {
                self.write_group(&batches[group.from..i], outcomes, first + group.from, now)?;
                self.roll(now)?;
                group = Group { from: i, bytes: 0, next_offset: self.log_end_offset() };
            }
            let base_offset = group.next_offset;
            patch(batches[i].bytes, base_offset, epoch);
            outcomes.push(AppendOutcome::Appended { base_offset });
            group.bytes =
                group.bytes.saturating_add(u32::try_from(header.size_in_bytes()).unwrap_or(u32::MAX));
            group.next_offset = base_offset.plus(i64::from(header.last_offset_delta) + 1);
        }
        self.write_group(&batches[group.from..], outcomes, first + group.from, now)
    }

    /// Judges a batch by the producer's state and by the batches before it in the same write.
    fn check_sequence(
        &self,
        header: &BatchHeader,
        batches: &[CheckedBatch<'_>],
        outcomes: &[AppendOutcome],
    ) -> Verdict {
        let of_producer = |batch: &CheckedBatch<'_>| batch.header.producer_id == header.producer_id;
        if !batches.iter().any(of_producer) {
            return self.producers.check(header, &[]);
        }
        let staged: Vec<(BatchHeader, Offset)> = batches
            .iter()
            .zip(outcomes)
            .filter_map(|(batch, outcome)| match outcome {
                AppendOutcome::Appended { base_offset } if of_producer(batch) => {
                    Some((batch.header, *base_offset))
                }
                _ => None,
            })
            .collect();
        self.producers.check(header, &staged)
    }

    /// Writes the accepted batches and records them. Outcomes of a group that fails are taken back.
    fn write_group(
        &mut self,
        batches: &[CheckedBatch<'_>],
        outcomes: &mut Vec<AppendOutcome>,
        first: usize,
        now: Timestamp,
    ) -> Result<(), Error> {
        let accepted = |(batch, outcome): (&CheckedBatch<'_>, &AppendOutcome)| match outcome {
            AppendOutcome::Appended { base_offset } => Some((batch.header, *base_offset)),
            _ => None,
        };
        let count = batches.iter().zip(&outcomes[first..]).filter_map(accepted).count();
        if count == 0 {
            return Ok(());
        }
        let slices = batches
            .iter()
            .zip(&outcomes[first..])
            .filter(|(_, outcome)| matches!(outcome, AppendOutcome::Appended { .. }))
            .map(|(batch, _)| IoSlice::new(batch.bytes));
        let written = if count <= SLICES_ON_STACK {
            let mut stack = [IoSlice::new(&[]); SLICES_ON_STACK];
            for (slot, slice) in stack.iter_mut().zip(slices) {
                *slot = slice;
            }
            self.write(&mut stack[..count], now)
        } else {
            self.write(&mut slices.collect::<Vec<_>>(), now)
        };
        if let Err(error) = written {
            outcomes.truncate(first);
            return Err(error);
        }
        for (batch, outcome) in batches.iter().zip(&outcomes[first..]) {
            if let Some((header, base_offset)) = accepted((batch, outcome)) {
                self.record(&header, base_offset, batch.bytes)?;
            }
        }
        Ok(())
    }

    /// Appends what a leader sent, or a metadata log's batches: offsets and epochs are theirs already. Checks
    /// length and CRC of each batch and that offsets go on; the batches before a bad one are appended.
    ///
    /// # Errors
    /// [`Error::Rejected`] for a damaged batch (`CORRUPT_MESSAGE`, KAFKA-8722) or one below the log's end
    /// (`OFFSET_OUT_OF_RANGE`): the log stays usable. Else as [`Log::append_as_leader`].
    pub fn append_as_follower(&mut self, now: Timestamp, batches: &[u8]) -> Result<Appended, Error> {
        self.check_online()?;
        let base_offset = self.log_end_offset();
        let mut rejected = None;
        let mut start = 0;
        let mut end = 0;
        let mut next_offset = base_offset;
        for batch in Batches::new(batches) {
            let (header, bytes) = match Self::check_next(batch, next_offset) {
                Ok(checked) => checked,
                Err(error) => {
                    rejected = Some(error);
                    break;
                }
            };
            let staged = u32::try_from(end - start).unwrap_or(u32::MAX);
            if self.active.must_roll(&self.config, now, staged, &header, header.base_offset) {
                self.write_received(&batches[start..end], now)?;
                start = end;
                self.roll_for(&header, now)?;
            }
            end += bytes.len();
            next_offset = header.next_offset();
        }
        self.write_received(&batches[start..end], now)?;
        match rejected {
            // What was good is kept; the caller hears of the rest when it asks again from the log's end.
            Some(error) if end == 0 => Err(error),
            _ => Ok(Appended { base_offset, next_offset: self.log_end_offset() }),
        }
    }

    fn check_next(
        batch: Result<(BatchHeader, &[u8]), protocol::records::HeaderError>,
        next_offset: Offset,
    ) -> Result<(BatchHeader, &[u8]), Error> {
        let reject = |code, reason| Error::Rejected { offset: next_offset, code, reason };
        let (header, bytes) =
            batch.map_err(|_| reject(ErrorCode::CorruptMessage, "not a whole batch of format 2"))?;
        if !crc_matches(bytes) || header.last_offset_delta < 0 {
            return Err(reject(ErrorCode::CorruptMessage, "the CRC does not match"));
        }
        if header.base_offset.0 > OFFSET_MAX {
            return Err(reject(ErrorCode::CorruptMessage, "the offset leaves no room behind it"));
        }
        if header.base_offset < next_offset {
            return Err(reject(ErrorCode::OffsetOutOfRange, "the batch begins below the log's end"));
        }
        Ok((header, bytes))
    }

    /// Writes batches that bring their offsets, and records them.
    fn write_received(&mut self, bytes: &[u8], now: Timestamp) -> Result<(), Error> {
        if bytes.is_empty() {
            return Ok(());
        }
        self.write(&mut [IoSlice::new(bytes)], now)?;
        for (header, batch) in Batches::new(bytes).flatten() {
            let changed = self.epochs.assign(header.partition_leader_epoch, header.base_offset);
            self.epochs_changes.note(changed);
            self.record(&header, header.base_offset, batch)?;
        }
        Ok(())
    }

    /// Writes at the end of the active segment. After a full disk the segment is as before.
    fn write(&mut self, parts: &mut [IoSlice<'_>], now: Timestamp) -> Result<(), Error> {
        let position = self.active.size;
        let file = if self.active.exists { self.active.segment.opened() } else { None };
        let result = match file {
            Some(file) => Ok(file),
            None => self.open_active(now),
        };
        let file = self.note(result)?;
        let bytes: usize = parts.iter().map(|part| part.len()).sum();
        let result = file.write_at(parts, u64::from(position));
        let result = result.map_err(|e| Error::io("append to", &self.active.segment.log_path(), e));
        // Half a batch may stand behind the end: the next append must not leave it between batches. Where it cannot be cut
        // off, that is the failure to be told.
        let result = match result {
            Err(error) if !error.is_fatal() => match file.set_len(u64::from(position)) {
                Ok(()) => Err(error),
                Err(source) => {
                    Err(Error::Io { operation: "cut", path: self.active.segment.log_path(), source })
                }
            },
            other => other,
        };
        self.note(result)?;
        self.dirty_bytes += bytes as u64;
        let era = self.files.wrote(bytes as u64);
        self.active.note_era(era, position);
        Ok(())
    }

    fn open_active(&mut self, now: Timestamp) -> Result<std::sync::Arc<dyn crate::disk::File>, Error> {
        let segment = &self.active.segment;
        let file = if self.active.exists { segment.open() } else { segment.create() };
        let file = file.map_err(|e| Error::io("open", &segment.log_path(), e))?;
        let (size, path) = (u64::from(self.active.size), segment.log_path());
        let len = file.len().map_err(|e| Error::io("open", &path, e))?;
        if len < size {
            return Err(Error::corrupt(&path, format!("{len} bytes, {size} were written")));
        }
        if len > size {
            file.set_len(size).map_err(|e| Error::io("cut", &path, e))?;
        }
        if !self.active.exists {
            Self::create_index_files(&self.active.segment)?;
            self.active.exists = true;
            self.active.created = now;
            self.names_changes.note(true);
        }
        Ok(file)
    }

    /// Records a batch that was written: index, producers, transactions.
    fn record(&mut self, header: &BatchHeader, base_offset: Offset, bytes: &[u8]) -> Result<(), Error> {
        self.active.note_batch(&self.config, header, base_offset);
        if let Some(completed) = record_producer(&mut self.producers, header, base_offset, bytes)
            && completed.1
        {
            self.note_aborted(&completed.0)?;
        }
        Ok(())
    }
}

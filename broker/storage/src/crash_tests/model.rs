//! What is done to a log, and what the log must hold then.

use protocol::id::{LeaderEpoch, Offset};
use protocol::records::BatchHeader;

use crate::Depth;
use crate::disk::SeededChooser;
use crate::testing::{NOW, batch, produced};

#[derive(Debug, Clone, Copy)]
pub(super) enum Operation {
    Append { producer: i64, count: usize, bytes: usize },
    Sync(Depth),
    Truncate { records: i64 },
    TruncateFully,
    Retention { records: i64 },
    Expire,
    CloseCleanly,
    Kill,
    NewEpoch,
}

/// What the log must hold.
#[derive(Debug, Clone, Default)]
pub(super) struct Model {
    pub(super) batches: Vec<BatchHeader>,
    /// Where the log began after it was last emptied.
    pub(super) base: i64,
    pub(super) start: i64,
    /// Everything below was synced.
    pub(super) durable: i64,
    pub(super) epoch: i32,
}

impl Model {
    pub(super) fn end(&self) -> i64 {
        self.batches.last().map_or(self.base, |last| last.next_offset().0)
    }

    /// The next sequence of a producer, as a replay tells it.
    pub(super) fn sequence(&self, producer: i64) -> i32 {
        let mine = self.batches.iter().rev().find(|batch| batch.producer_id.0 == producer);
        mine.map_or(0, |last| last.last_sequence() + 1)
    }

    /// Where a truncation by so many records ends: not inside the batch with which the log begins.
    pub(super) fn truncation(&self, records: i64) -> i64 {
        let first = self.batches.iter().find(|batch| batch.last_offset().0 >= self.start);
        let floor = first.map_or(self.start, |batch| {
            if batch.base_offset.0 < self.start { batch.next_offset().0 } else { self.start }
        });
        (self.end() - records).max(floor)
    }

    pub(super) fn truncate(&mut self, end: i64) {
        self.batches.retain(|batch| batch.last_offset().0 < end);
        self.durable = self.durable.min(self.end());
        self.start = self.start.min(self.end());
    }

    /// What the operation makes of the log.
    pub(super) fn apply(&mut self, operation: Operation) {
        match operation {
            Operation::Append { .. } => {
                let bytes = self.bytes(operation);
                let mut header = BatchHeader::parse(&bytes).unwrap();
                header.base_offset = Offset(self.end());
                header.partition_leader_epoch = LeaderEpoch(self.epoch);
                self.batches.push(header);
            }
            Operation::Sync(_) | Operation::CloseCleanly => self.durable = self.end(),
            Operation::Truncate { records } => {
                self.truncate(self.truncation(records));
                self.epoch += 1;
            }
            Operation::TruncateFully => {
                let base = self.end() + 100;
                *self = Self { base, start: base, durable: base, epoch: self.epoch + 1, ..Self::default() };
            }
            Operation::Retention { records } => self.start = (self.start + records).min(self.end()),
            Operation::Expire => self.start = self.end(),
            Operation::Kill => {}
            Operation::NewEpoch => self.epoch += 1,
        }
    }

    /// The batch that an append brings.
    pub(super) fn bytes(&self, operation: Operation) -> Vec<u8> {
        match operation {
            Operation::Append { producer: 0, count, bytes } => batch(count, bytes, NOW.0 + self.end()),
            Operation::Append { producer, count, .. } => {
                produced(producer, 0, self.sequence(producer), count)
            }
            _ => Vec::new(),
        }
    }
}

pub(super) fn workload(seed: u64, length: usize) -> Vec<Operation> {
    let mut chooser = SeededChooser::new(seed);
    let mut below = |n: u64| usize::try_from(chooser.below(n)).unwrap();
    (0..length)
        .map(|_| match below(40) {
            0..18 => Operation::Append {
                producer: i64::try_from(below(4)).unwrap(),
                count: 1 + below(4),
                bytes: 10 + below(200),
            },
            18..22 => Operation::Sync(Depth::Batches),
            22..27 => Operation::Sync(Depth::Checkpoint),
            27..30 => Operation::Truncate { records: i64::try_from(1 + below(12)).unwrap() },
            30 => Operation::TruncateFully,
            31..33 => Operation::Retention { records: i64::try_from(1 + below(15)).unwrap() },
            33 => Operation::Expire,
            34..36 => Operation::CloseCleanly,
            36..38 => Operation::Kill,
            _ => Operation::NewEpoch,
        })
        .collect()
}

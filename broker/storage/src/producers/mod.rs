//! What a log knows about idempotent and transactional producers (KIP-98): which sequence comes next, which
//! batches came already, which transactions are open.
//!
//! A pure table under the log's lock: checking and recording are apart, so that a batch is recorded only after
//! it was written. Ordered by producer id, because snapshots and traces must not depend on a hash seed.
//! Snapshots keep all that is remembered, so that after a restart no batch in flight is taken for a gap.

mod snapshot;

pub(crate) use snapshot::{decode as decode_snapshot, encode as encode_snapshot};

use std::collections::BTreeMap;

use protocol::ErrorCode;
use protocol::id::{Offset, ProducerEpoch, ProducerId, Timestamp};
use protocol::records::BatchHeader;

/// Batches remembered per producer: a client has at most 5 requests in flight
/// (`max.in.flight.requests.per.connection`), and Kafka remembers as many.
const BATCHES_MAX: usize = 5;

/// A batch that was appended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct PastBatch {
    pub(crate) last_sequence: i32,
    pub(crate) last_offset: Offset,
    /// Last minus first offset, and so also last minus first sequence.
    pub(crate) offset_delta: i32,
    pub(crate) timestamp: Timestamp,
}

impl PastBatch {
    const fn first_sequence(&self) -> i32 {
        // Sequences go from 2^31 - 1 to 0.
        self.last_sequence.wrapping_sub(self.offset_delta) & i32::MAX
    }

    pub(crate) const fn base_offset(&self) -> Offset {
        Offset(self.last_offset.0 - self.offset_delta as i64)
    }

    fn of(header: &BatchHeader, base_offset: Offset) -> Self {
        Self {
            last_sequence: header.last_sequence(),
            last_offset: base_offset.plus(i64::from(header.last_offset_delta)),
            offset_delta: header.last_offset_delta,
            timestamp: header.max_timestamp,
        }
    }
}

/// What is known about one producer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Producer {
    pub(crate) epoch: ProducerEpoch,
    /// The newest batches of this epoch, oldest first.
    batches: [Option<PastBatch>; BATCHES_MAX],
    /// When the producer was last heard, for expiry.
    pub(crate) last_timestamp: Timestamp,
    /// Epoch of the transaction coordinator that wrote the last marker; -1 before the first.
    pub(crate) coordinator_epoch: i32,
    /// First offset of the open transaction.
    pub(crate) transaction_first_offset: Option<Offset>,
}

impl Producer {
    const fn new(epoch: ProducerEpoch) -> Self {
        Self {
            epoch,
            batches: [None; BATCHES_MAX],
            last_timestamp: Timestamp::NONE,
            coordinator_epoch: -1,
            transaction_first_offset: None,
        }
    }

    /// The newest batch.
    pub(crate) fn last(&self) -> Option<&PastBatch> {
        self.batches.iter().rev().flatten().next()
    }

    /// The remembered batches, oldest first.
    pub(crate) fn batches(&self) -> impl Iterator<Item = &PastBatch> {
        self.batches.iter().flatten()
    }

    fn push(&mut self, batch: PastBatch) {
        self.batches.rotate_left(1);
        if let Some(newest) = self.batches.last_mut() {
            *newest = Some(batch);
        }
        self.last_timestamp = batch.timestamp;
    }

    /// A remembered batch with the very sequences.
    fn duplicate(&self, header: &BatchHeader) -> Option<&PastBatch> {
        self.batches.iter().flatten().find(|batch| {
            batch.last_sequence == header.last_sequence() && batch.first_sequence() == header.base_sequence
        })
    }
}

/// An idempotent or transactional producer as a log knows it (DescribeProducers).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ActiveProducer {
    /// Its id.
    pub id: ProducerId,
    /// Its epoch.
    pub epoch: ProducerEpoch,
    /// The sequence number of its last record of this epoch.
    pub last_sequence: Option<i32>,
    /// When it was last heard, by the timestamps of its batches.
    pub last_timestamp: Timestamp,
    /// Epoch of the transaction coordinator that wrote its last marker; -1 before the first.
    pub coordinator_epoch: i32,
    /// First offset of its open transaction.
    pub transaction_first_offset: Option<Offset>,
}

impl ActiveProducer {
    pub(crate) fn new(id: ProducerId, producer: &Producer) -> Self {
        Self {
            id,
            epoch: producer.epoch,
            last_sequence: producer.last().map(|batch| batch.last_sequence),
            last_timestamp: producer.last_timestamp,
            coordinator_epoch: producer.coordinator_epoch,
            transaction_first_offset: producer.transaction_first_offset,
        }
    }
}

/// What a batch's sequence says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// It is next.
    Append,
    /// It was appended already.
    Duplicate(PastBatch),
    /// It may not be appended.
    Rejected(ErrorCode),
}

/// A transaction that a marker ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct CompletedTransaction {
    pub(crate) producer_id: ProducerId,
    pub(crate) first_offset: Offset,
    /// The marker's offset.
    pub(crate) last_offset: Offset,
}

/// All producers of a log.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Producers {
    table: BTreeMap<ProducerId, Producer>,
    /// First offsets of open transactions.
    open: BTreeMap<Offset, ProducerId>,
}

impl Producers {
    /// Judges a client's batch. `staged` are the batches accepted before it and not recorded yet, with their
    /// offsets, oldest first.
    pub(crate) fn check(&self, header: &BatchHeader, staged: &[(BatchHeader, Offset)]) -> Verdict {
        let mut mine = staged.iter().rev().filter(|(other, _)| other.producer_id == header.producer_id);
        if let Some((last, base_offset)) = mine.next() {
            return Self::check_staged(header, last, *base_offset, mine);
        }
        let Some(producer) = self.table.get(&header.producer_id) else {
            // Its history may have been removed by retention, so any first sequence is right (Kafka does so).
            return Verdict::Append;
        };
        if header.producer_epoch != producer.epoch {
            return Self::check_epoch(header, producer.epoch);
        }
        if let Some(duplicate) = producer.duplicate(header) {
            return Verdict::Duplicate(*duplicate);
        }
        match producer.last() {
            // The epoch is known from a marker alone, so its first batch is still to come: sequence 0.
            None => Self::check_sequence(header, -1),
            Some(last) => Self::check_sequence(header, last.last_sequence),
        }
    }

    fn check_staged<'a>(
        header: &BatchHeader,
        last: &BatchHeader,
        base_offset: Offset,
        earlier: impl Iterator<Item = &'a (BatchHeader, Offset)>,
    ) -> Verdict {
        if header.producer_epoch != last.producer_epoch {
            return Self::check_epoch(header, last.producer_epoch);
        }
        let same = |other: &BatchHeader| {
            other.base_sequence == header.base_sequence
                && other.last_offset_delta == header.last_offset_delta
                && other.producer_epoch == header.producer_epoch
        };
        if same(last) {
            return Verdict::Duplicate(PastBatch::of(last, base_offset));
        }
        if let Some((other, offset)) = earlier.take(BATCHES_MAX - 1).find(|(other, _)| same(other)) {
            return Verdict::Duplicate(PastBatch::of(other, *offset));
        }
        Self::check_sequence(header, last.last_sequence())
    }

    fn check_epoch(header: &BatchHeader, current: ProducerEpoch) -> Verdict {
        if header.producer_epoch < current {
            Verdict::Rejected(ErrorCode::InvalidProducerEpoch)
        } else if header.base_sequence != 0 {
            // A new incarnation begins at 0; anything else lost its beginning.
            Verdict::Rejected(ErrorCode::OutOfOrderSequenceNumber)
        } else {
            Verdict::Append
        }
    }

    const fn check_sequence(header: &BatchHeader, last_sequence: i32) -> Verdict {
        if header.base_sequence == last_sequence.wrapping_add(1) & i32::MAX {
            Verdict::Append
        } else {
            Verdict::Rejected(ErrorCode::OutOfOrderSequenceNumber)
        }
    }

    /// Records a batch of records that was written at `base_offset`, in a leader, a follower or a recovery.
    pub(crate) fn record(&mut self, header: &BatchHeader, base_offset: Offset) {
        if header.producer_id == ProducerId::NONE {
            return;
        }
        let producer =
            self.table.entry(header.producer_id).or_insert_with(|| Producer::new(header.producer_epoch));
        if producer.epoch != header.producer_epoch {
            producer.epoch = header.producer_epoch;
            producer.batches = [None; BATCHES_MAX];
        }
        if header.base_sequence >= 0 {
            producer.push(PastBatch::of(header, base_offset));
        }
        if header.attributes.is_transactional() && producer.transaction_first_offset.is_none() {
            producer.transaction_first_offset = Some(base_offset);
            self.open.insert(base_offset, header.producer_id);
        }
    }

    /// Records a transaction's marker, which ends the producer's open transaction.
    pub(crate) fn record_marker(
        &mut self,
        header: &BatchHeader,
        offset: Offset,
        coordinator_epoch: i32,
    ) -> Option<CompletedTransaction> {
        let producer =
            self.table.entry(header.producer_id).or_insert_with(|| Producer::new(header.producer_epoch));
        if producer.epoch != header.producer_epoch {
            producer.epoch = header.producer_epoch;
            producer.batches = [None; BATCHES_MAX];
        }
        producer.coordinator_epoch = coordinator_epoch;
        producer.last_timestamp = header.max_timestamp;
        let first_offset = producer.transaction_first_offset.take()?;
        self.open.remove(&first_offset);
        Some(CompletedTransaction { producer_id: header.producer_id, first_offset, last_offset: offset })
    }

    /// Puts back a producer from an entry of a snapshot, or adds its next batch to it.
    pub(crate) fn restore(&mut self, id: ProducerId, batch: Option<PastBatch>, mut producer: Producer) {
        if let Some(known) = self.table.get(&id).filter(|known| known.epoch == producer.epoch) {
            producer.batches = known.batches;
        }
        if let Some(batch) = batch {
            let timestamp = producer.last_timestamp;
            producer.push(batch);
            producer.last_timestamp = timestamp;
        }
        if let Some(first) = producer.transaction_first_offset {
            self.open.insert(first, id);
        }
        self.table.insert(id, producer);
    }

    /// First offset of the oldest open transaction: consumers at read_committed see nothing from here on.
    pub(crate) fn first_open_offset(&self) -> Option<Offset> {
        self.open.keys().next().copied()
    }

    /// Producers in order of their ids.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (ProducerId, &Producer)> {
        self.table.iter().map(|(id, producer)| (*id, producer))
    }

    pub(crate) fn knows(&self, id: ProducerId) -> bool {
        self.table.contains_key(&id)
    }

    pub(crate) fn len(&self) -> usize {
        self.table.len()
    }

    #[cfg(test)]
    pub(crate) fn get(&self, id: ProducerId) -> Option<&Producer> {
        self.table.get(&id)
    }

    /// Forgets producers without an open transaction that were silent for `expiration_ms`
    /// (`producer.id.expiration.ms`).
    pub(crate) fn expire(&mut self, now: Timestamp, expiration_ms: i64) {
        self.table.retain(|_, producer| {
            producer.transaction_first_offset.is_some()
                || now.0.saturating_sub(producer.last_timestamp.0) < expiration_ms
        });
    }
}

//! One hosted partition: its replica machine, its log and who waits on them, under one short mutex (D1).
//!
//! Nothing here waits. Under the lock a log is appended to or a read is planned, and waiters are only collected
//! into the effects; they run once every lock is released.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

use crate::topic_settings::TopicSettings;
use machines::image::PartitionRegistration;
use machines::partition::{Acknowledgement, LogOffsets, Partition as Replica, Rules, Transition};
use parking_lot::{Mutex, MutexGuard};
use protocol::ErrorCode;
use protocol::id::{BrokerId, LeaderEpoch, Offset, PartitionIndex, TopicId, TopicPartition};
use protocol::records::CheckedBatch;
use storage::{AppendOutcome, Log, ReadPlan};

use crate::coordinator::Coordinator;
use crate::effects::{Effects, Now, Ticket, TicketKind};
use crate::parked::{ParkedFetch, ParkedProduce};
use crate::recovery::RecoveryQueue;
use crate::refused::Refused;

/// A partition that this broker replicates.
pub struct Partition {
    /// The topic's name.
    pub topic: Arc<str>,
    /// The topic's identity.
    pub topic_id: TopicId,
    /// Which partition of the topic.
    pub index: PartitionIndex,
    /// Whether the partition stands in its directory's list of logs to sync.
    pub(crate) dirty: AtomicBool,
    /// Whether the partition stands in its directory's list of logs that are not to wait for the checkpoint.
    pub(crate) urgent: AtomicBool,
    /// Whether a timer of `flush.ms` is set.
    flush_timer: AtomicBool,
    /// The log could not be opened or made for want of room or of a descriptor, and is to be tried again.
    left_out: AtomicBool,
    /// Where the log waits while it is to be recovered.
    recovery_queue: Arc<RecoveryQueue>,
    /// Damage of the log was told of: once since the start, or a consumer's retries would fill the disk with lines.
    damage_noted: AtomicBool,
    /// As `damage_noted`, of a device that refuses to read.
    failed_read_noted: AtomicBool,
    /// The coordinator of the groups that are kept here; only partitions of `__consumer_offsets` have one. Its lock is
    /// taken before that of `state`.
    coordinator: Option<Box<Coordinator>>,
    state: Mutex<State>,
}

impl std::fmt::Debug for Partition {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}-{}", self.topic, self.index)
    }
}

/// What the mutex guards.
pub(crate) struct State {
    local: BrokerId,
    pub(crate) replica: Replica,
    /// `None` while the log is recovered, and after its directory failed.
    pub(crate) log: Option<Log>,
    pub(crate) settings: Arc<TopicSettings>,
    /// What idempotent producers have to send again before what comes behind it.
    refused: Refused,
    /// Fetches that wait for records; each is run again at the next change and registers anew if it still waits.
    fetches: Vec<Arc<ParkedFetch>>,
    /// Produces that wait for an offset to be acknowledged, in the order of the offsets.
    produces: VecDeque<WaitingProduce>,
    /// This partition, where it has a coordinator, which looks again when something changes.
    coordinated: Weak<Partition>,
}

struct WaitingProduce {
    epoch: LeaderEpoch,
    /// The high watermark that acknowledges it.
    required: Offset,
    place: Place,
    parked: Arc<ParkedProduce>,
}

/// Which partition of a Produce's response is meant: topic and partition, as indexes in the response.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Place {
    pub(crate) topic: usize,
    pub(crate) partition: usize,
}

/// Whose batches are appended.
#[derive(Debug, Clone, Copy)]
enum Writer {
    /// A producer's.
    Client { acks_all: bool },
    /// The coordinator's, whose state was read under this epoch.
    Coordinator { epoch: LeaderEpoch },
}

impl Writer {
    const fn acks_all(self) -> bool {
        match self {
            Self::Client { acks_all } => acks_all,
            Self::Coordinator { .. } => true,
        }
    }
}

/// What became of one batch of an append.
#[derive(Debug)]
pub(crate) struct Appended {
    pub(crate) outcome: AppendOutcome,
    /// Set when the answer has to wait until the high watermark is there.
    pub(crate) waits_for: Option<(LeaderEpoch, Offset)>,
    pub(crate) log_start_offset: Offset,
}

impl Partition {
    /// Whether nobody was told of damage here since the start; the next call says no.
    pub(crate) fn is_damage_new(&self) -> bool {
        !self.damage_noted.swap(true, std::sync::atomic::Ordering::Relaxed)
    }

    /// As [`is_damage_new`](Self::is_damage_new), of a read that the device refuses.
    pub(crate) fn is_failed_read_new(&self) -> bool {
        !self.failed_read_noted.swap(true, std::sync::atomic::Ordering::Relaxed)
    }

    /// A partition whose log is still to be [`opened`](Self::opened).
    pub(crate) fn new(
        (topic, topic_id, index): (Arc<str>, TopicId, PartitionIndex),
        local: BrokerId,
        settings: Arc<TopicSettings>,
        recovery_queue: Arc<RecoveryQueue>,
    ) -> Self {
        let start = Offset(0);
        let offsets = LogOffsets { log_end_offset: start, synced_end_offset: start, high_watermark: start };
        Self {
            topic,
            topic_id,
            index,
            dirty: AtomicBool::new(false),
            urgent: AtomicBool::new(false),
            flush_timer: AtomicBool::new(false),
            left_out: AtomicBool::new(false),
            recovery_queue,
            damage_noted: AtomicBool::new(false),
            failed_read_noted: AtomicBool::new(false),
            coordinator: None,
            state: Mutex::new(State {
                replica: Replica::new(local, settings.rules, offsets),
                local,
                log: None,
                settings,
                refused: Refused::default(),
                fetches: Vec::new(),
                produces: VecDeque::new(),
                coordinated: Weak::new(),
            }),
        }
    }

    /// Gives the partition a coordinator of the groups that are kept in it.
    pub(crate) fn with_coordinator(mut self) -> Arc<Self> {
        self.coordinator = Some(Box::default());
        let partition = Arc::new(self);
        partition.lock().coordinated = Arc::downgrade(&partition);
        partition
    }

    /// The coordinator of the groups that are kept here.
    pub(crate) fn coordinator(&self) -> Option<&Coordinator> {
        self.coordinator.as_deref()
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock()
    }

    /// Whether somebody holds the lock.
    #[cfg(test)]
    pub(crate) fn is_locked(&self) -> bool {
        self.state.is_locked()
    }

    /// Topic and index.
    #[must_use]
    pub fn name(&self) -> TopicPartition {
        TopicPartition { topic: self.topic.to_string(), partition: self.index }
    }

    /// The log could not be opened or made, and may be later.
    pub(crate) fn leave_out(&self) {
        self.left_out.store(true, Ordering::Release);
    }

    /// Whether the log is to be tried again.
    pub(crate) fn is_left_out(&self) -> bool {
        self.left_out.load(Ordering::Acquire)
    }

    /// The log is tried again, or no longer needs to be. Whether it was to be.
    pub(crate) fn take_left_out(&self) -> bool {
        self.left_out.swap(false, Ordering::AcqRel)
    }

    /// The log was made, opened or recovered: the replica starts from its offsets.
    pub(crate) fn opened(&self, mut log: Log) {
        let mut state = self.lock();
        // The configuration may have changed while the log was recovered.
        log.update_config(state.settings.log.clone());
        state.replica =
            Replica::new(state.local, state.settings.rules, log_offsets(&log, state.settings.rules));
        state.log = Some(log);
    }

    /// Takes over a changed configuration.
    pub(crate) fn configure(&self, now: Now, settings: &Arc<TopicSettings>, effects: &mut Effects) {
        let mut state = self.lock();
        if *state.settings == **settings {
            return;
        }
        state.settings = Arc::clone(settings);
        if let Some(log) = &mut state.log {
            log.update_config(settings.log.clone());
        }
        if state.replica.update_rules(now.monotonic, settings.rules).is_some() {
            state.collect(effects);
        }
    }

    /// The topic is gone, or its directory failed: hands the log out, and those who wait are answered.
    pub(crate) fn close(&self, effects: &mut Effects) -> Option<Log> {
        let mut state = self.lock();
        let log = state.log.take();
        state.collect_all(effects);
        log
    }

    /// Takes over what the metadata image says of leadership and replicas; `false` without a log, which has it taken over
    /// when it is there.
    pub(crate) fn apply(
        &self,
        now: Now,
        registration: &PartitionRegistration,
        effects: &mut Effects,
    ) -> bool {
        let mut state = self.lock();
        if state.log.is_none() {
            return false;
        }
        if let Transition::Leader { begins: Some(_) } = state.replica.apply(now.monotonic, registration) {
            let epoch = state.replica.leader_epoch();
            if let Some(log) = &mut state.log {
                log.begin_epoch(epoch);
            }
        }
        state.collect_all(effects);
        true
    }

    /// Appends batches of clients, in one write. One outcome a batch, in order: what was written before a failure of the
    /// disk is in the log, and is answered so. The failure itself goes into the effects.
    ///
    /// # Errors
    /// The code that answers every batch when none could be tried.
    pub(crate) fn append(
        self: &Arc<Self>,
        now: Now,
        acks_all: bool,
        batches: &mut [CheckedBatch<'_>],
        outcomes: &mut Vec<Appended>,
        effects: &mut Effects,
    ) -> Result<(), ErrorCode> {
        self.append_as(now, Writer::Client { acks_all }, batches, outcomes, effects)
    }

    /// Appends a batch of this partition's coordinator, unless leadership changed since its state was read.
    ///
    /// # Errors
    /// The code of the failure; then the batch is not in the log.
    pub(crate) fn append_of_coordinator(
        self: &Arc<Self>,
        now: Now,
        epoch: LeaderEpoch,
        batch: CheckedBatch<'_>,
        effects: &mut Effects,
    ) -> Result<Appended, ErrorCode> {
        let mut outcomes = Vec::with_capacity(1);
        self.append_as(now, Writer::Coordinator { epoch }, &mut [batch], &mut outcomes, effects)?;
        outcomes.pop().ok_or(ErrorCode::UnknownServerError)
    }

    fn append_as(
        self: &Arc<Self>,
        now: Now,
        writer: Writer,
        batches: &mut [CheckedBatch<'_>],
        outcomes: &mut Vec<Appended>,
        effects: &mut Effects,
    ) -> Result<(), ErrorCode> {
        let acks_all = writer.acks_all();
        let mut guard = self.lock();
        let state = &mut *guard;
        let epoch = match state.admit(now, writer, batches) {
            Ok(epoch) => epoch,
            Err(code) => {
                state.refused.note(now.monotonic, batches.iter().map(|batch| &batch.header));
                let is_closed = state.log.is_none();
                drop(guard);
                if is_closed {
                    self.ask_for_recovery();
                }
                return Err(code);
            }
        };
        let log = state.log.as_mut().ok_or(ErrorCode::NotLeaderOrFollower)?;
        let mut raw = Vec::with_capacity(batches.len());
        effects.failures.extend(log.append_as_leader(now.wall, epoch, batches, &mut raw).err());
        let log_end_offset = log.log_end_offset();
        let log_start_offset = log.log_start_offset();
        let (flush_due, flush_ms) = (log.is_flush_due(), log.config().flush_ms);
        let advanced = state.replica.appended(now.monotonic, log_end_offset).is_some();
        let synced_first = state.settings.rules.counts_synced;
        for (outcome, batch) in raw.into_iter().zip(batches.iter()) {
            let waits_for = match outcome {
                // The disk refused it, and its producer sends it again.
                AppendOutcome::Rejected(ErrorCode::KafkaStorageError) => {
                    state.refused.note(now.monotonic, std::iter::once(&batch.header));
                    None
                }
                // What was written before may still wait, and is acknowledged no earlier for being sent again.
                AppendOutcome::Appended { base_offset } | AppendOutcome::Duplicate { base_offset, .. }
                    if acks_all || synced_first =>
                {
                    let required = base_offset.plus(i64::from(batch.header.last_offset_delta) + 1);
                    (state.replica.high_watermark() < required).then_some((epoch, required))
                }
                _ => None,
            };
            outcomes.push(Appended { outcome, waits_for, log_start_offset });
        }
        if advanced {
            state.collect(effects);
        }
        drop(guard);
        self.note_dirty(effects);
        if flush_due {
            self.note_urgent(effects);
        } else if let Some(flush_ms) = flush_ms
            && !self.flush_timer.swap(true, Ordering::AcqRel)
        {
            let ticket = Ticket(TicketKind::Flush(Arc::downgrade(self)));
            effects.timers.push((now.monotonic.plus(Duration::from_millis(flush_ms)), ticket));
        }
        Ok(())
    }

    /// `flush.ms` is over since the first append behind the last sync that it asked for.
    pub(crate) fn flush_time_over(self: &Arc<Self>, effects: &mut Effects) {
        // First, so that what this sync may miss gets a timer of its own.
        self.flush_timer.store(false, Ordering::Release);
        self.note_urgent(effects);
    }

    /// The log has something that the next checkpoint is to cover.
    pub(crate) fn note_dirty(self: &Arc<Self>, effects: &mut Effects) {
        if !self.dirty.swap(true, Ordering::AcqRel) {
            effects.dirty.push(Arc::clone(self));
        }
    }

    /// The log has records that are to be synced without waiting for the checkpoint.
    pub(crate) fn note_urgent(self: &Arc<Self>, effects: &mut Effects) {
        if !self.urgent.swap(true, Ordering::AcqRel) {
            effects.urgent.push(Arc::clone(self));
        }
    }

    /// A request found no log: if it waits to be recovered, it comes next. Not under this partition's lock.
    pub(crate) fn ask_for_recovery(self: &Arc<Self>) {
        self.recovery_queue.ask_for(self);
    }

    /// Lets a Produce wait for the high watermark, unless it is decided already what it is answered.
    pub(crate) fn wait_for(
        &self,
        (epoch, required): (LeaderEpoch, Offset),
        place: Place,
        parked: &Arc<ParkedProduce>,
    ) -> Acknowledgement {
        let mut state = self.lock();
        if state.log.is_none() {
            // Its directory failed, or its topic was deleted: who waited was answered, and nobody would be again.
            return Acknowledgement::Failed(ErrorCode::NotLeaderOrFollower);
        }
        let acknowledgement = state.replica.acknowledgement(epoch, required);
        if acknowledgement == Acknowledgement::Waits {
            state.produces.push_back(WaitingProduce { epoch, required, place, parked: Arc::clone(parked) });
        }
        acknowledgement
    }

    /// A sync ran: what waited for it is collected.
    pub(crate) fn synced(&self, now: Now, plan: &storage::SyncPlan, effects: &mut Effects) {
        let mut state = self.lock();
        let Some(log) = state.log.as_mut() else { return };
        if let Err(error) = log.synced(plan) {
            effects.failures.push(error);
            return;
        }
        let end = log.synced_offset();
        if state.replica.synced(now.monotonic, end).is_some() {
            state.collect(effects);
        }
    }
}

impl State {
    /// The epoch under which these batches may be appended.
    fn admit(
        &mut self,
        now: Now,
        writer: Writer,
        batches: &[CheckedBatch<'_>],
    ) -> Result<LeaderEpoch, ErrorCode> {
        let log = self.log.as_ref().ok_or(ErrorCode::NotLeaderOrFollower)?;
        let epoch = self.replica.check_append(writer.acks_all())?;
        if let Writer::Coordinator { epoch: loaded } = writer
            && loaded != epoch
        {
            return Err(ErrorCode::NotLeaderOrFollower);
        }
        let headers = batches.iter().map(|batch| &batch.header);
        let in_order = self.refused.admit(now.monotonic, headers, |producer| log.knows_producer(producer));
        if in_order { Ok(epoch) } else { Err(ErrorCode::NotLeaderOrFollower) }
    }

    /// The log. While it is recovered, and after it is gone, the client looks for the leader again.
    pub(crate) fn log(&self) -> Result<&Log, ErrorCode> {
        self.log.as_ref().ok_or(ErrorCode::NotLeaderOrFollower)
    }

    /// Up to where a reader may see: consumers the committed records, read_committed ones the decided ones.
    pub(crate) fn read_end(&self, read_committed: bool) -> Offset {
        if read_committed { self.last_stable_offset() } else { self.replica.high_watermark() }
    }

    /// The first offset of the oldest open transaction, or the high watermark when none is open.
    pub(crate) fn last_stable_offset(&self) -> Offset {
        self.replica.high_watermark()
    }

    /// Plans a read of committed records.
    pub(crate) fn plan_read(
        &self,
        from: Offset,
        read_committed: bool,
        max_bytes: u32,
    ) -> Result<ReadPlan, ErrorCode> {
        let end = self.read_end(read_committed);
        let log = self.log()?;
        if from > self.replica.log_end_offset() {
            return Err(ErrorCode::OffsetOutOfRange);
        }
        log.plan_read(from, end, max_bytes).map_err(|_| ErrorCode::OffsetOutOfRange)
    }

    pub(crate) fn wait_for_records(&mut self, fetch: &Arc<ParkedFetch>) {
        if !self.fetches.iter().any(|waiting| Arc::ptr_eq(waiting, fetch)) {
            self.fetches.push(Arc::clone(fetch));
        }
    }

    /// Forgets a Fetch that was answered elsewhere.
    pub(crate) fn forget(&mut self, fetch: &Arc<ParkedFetch>) {
        self.fetches.retain(|waiting| !Arc::ptr_eq(waiting, fetch));
    }

    /// Moves those whose wait may be over into the effects.
    pub(crate) fn collect(&mut self, effects: &mut Effects) {
        effects.fetches.append(&mut self.fetches);
        effects.coordinated.extend(self.coordinated.upgrade());
        while let Some(first) = self.produces.front() {
            let result = match self.replica.acknowledgement(first.epoch, first.required) {
                Acknowledgement::Waits => break,
                Acknowledgement::Done => ErrorCode::None,
                Acknowledgement::Failed(error) => error,
            };
            if let Some(waiting) = self.produces.pop_front() {
                effects.produces.push((waiting.parked, waiting.place, result));
            }
        }
    }

    /// As [`collect`](Self::collect), for a change that may fail the waiting: leadership or the log went.
    pub(crate) fn collect_all(&mut self, effects: &mut Effects) {
        self.collect(effects);
        if self.log.is_none() {
            for waiting in self.produces.drain(..) {
                effects.produces.push((waiting.parked, waiting.place, ErrorCode::NotLeaderOrFollower));
            }
        }
    }
}

/// One replica holds all there is: what was written is committed, or what was synced where only that counts.
fn log_offsets(log: &Log, rules: Rules) -> LogOffsets {
    let (log_end_offset, synced_end_offset) = (log.log_end_offset(), log.synced_offset());
    let high_watermark = if rules.counts_synced { synced_end_offset } else { log_end_offset };
    LogOffsets { log_end_offset, synced_end_offset, high_watermark }
}

/// What a client is told when its records cannot be read: damage is told apart from a disk that fails.
pub(crate) fn read_error_code(error: &std::io::Error) -> ErrorCode {
    match error.kind() {
        std::io::ErrorKind::InvalidData | std::io::ErrorKind::UnexpectedEof => ErrorCode::CorruptMessage,
        _ => ErrorCode::KafkaStorageError,
    }
}

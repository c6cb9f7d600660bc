//! Syncing logs off the hot path: one round in flight for each log directory (group commit, D9).
//!
//! A round takes partitions that were appended to since the last one; what is appended meanwhile joins the next. A
//! topic starts a round as soon as `flush.messages` records are to be synced, or `flush.ms` after the first of them;
//! with `flush.messages=1` its replies wait for the round, else nobody does. All are checkpointed within
//! `background.sync.interval.ms`, in several rounds when they are many: recovery points are stored after each, and
//! those that somebody waits for come in between. When `background.sync.bytes` were appended before, all that is dirty
//! becomes urgent: what is written back early does not stand in the way of later writes (D2).

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::Mutex;
use protocol::ErrorCode;
use protocol::id::BrokerEpoch;
use storage::{Depth, DirectoryState, SyncPlan};

use crate::api::ParkedDeletion;
use crate::effects::{Effects, Job, Now, Ticket, TicketKind};
use crate::node::Node;
use crate::partition::Partition;

/// The partitions of one checkpoint round, unless they are so many that it would take more than
/// [`CHECKPOINT_ROUNDS_MAX`] rounds: to store recovery points costs time in proportion to all partitions.
const CHECKPOINT_PARTITIONS: usize = 128;
/// Rounds into which a checkpoint is divided at most.
const CHECKPOINT_ROUNDS_MAX: usize = 8;

/// The partitions to sync, and what became of each.
#[derive(Debug)]
pub struct SyncRound {
    depth: Depth,
    partitions: Vec<Arc<Partition>>,
    done: Vec<Synced>,
}

#[derive(Debug)]
struct Synced {
    partition: Arc<Partition>,
    /// What had to be synced, and what the device said; `None` when nothing had.
    ran: Option<(SyncPlan, Result<(), storage::Error>)>,
}

/// What waits for the next round of a directory.
#[derive(Debug, Default)]
pub(crate) struct SyncQueue {
    state: Mutex<QueueState>,
    /// Bytes that had been appended to the directory when all that is dirty was last asked to be synced.
    asked_at_bytes: AtomicU64,
}

#[derive(Debug, Default)]
struct QueueState {
    /// For the next checkpoint: all that was appended to, or whose start moved.
    dirty: Vec<Arc<Partition>>,
    /// For the rounds of the checkpoint that is due.
    due: VecDeque<Arc<Partition>>,
    /// Partitions in each of these rounds.
    round_len: usize,
    /// For the next round, which is to begin as soon as none runs: these are not to wait for the checkpoint.
    urgent: Vec<Arc<Partition>>,
    /// The last round was for urgent ones, so that one of the checkpoint is next.
    was_urgent: bool,
    running: bool,
    /// Requests whose new log starts are to be stored with the next checkpoint round: one a connection at most.
    deletions: Vec<Arc<ParkedDeletion>>,
}

impl SyncRound {
    /// Plans under each partition's lock and syncs outside of it. Blocks for as long as the device takes.
    pub(crate) fn run(mut self) -> Self {
        for partition in std::mem::take(&mut self.partitions) {
            let plan = partition.lock().log.as_mut().and_then(|log| log.unsynced(self.depth));
            let ran = plan.map(|plan| {
                let result = plan.run();
                (plan, result)
            });
            self.done.push(Synced { partition, ran });
        }
        self
    }
}

impl SyncQueue {
    /// All dirty partitions are to be checkpointed now.
    fn checkpoint(&self) {
        let mut state = self.state.lock();
        let dirty = std::mem::take(&mut state.dirty);
        state.due.extend(dirty);
        state.round_len = CHECKPOINT_PARTITIONS.max(state.due.len().div_ceil(CHECKPOINT_ROUNDS_MAX));
    }

    /// All dirty partitions are urgent. They stay dirty: their indexes and recovery points are the checkpoint's.
    fn hurry(&self) {
        let mut state = self.state.lock();
        let QueueState { dirty, urgent, .. } = &mut *state;
        let new = dirty.iter().filter(|partition| !partition.urgent.swap(true, Ordering::AcqRel));
        urgent.extend(new.map(Arc::clone));
    }

    /// Takes a round when none runs and there is something to sync.
    fn begin(&self) -> Option<SyncRound> {
        let mut state = self.state.lock();
        if state.running {
            return None;
        }
        let urgent_next = !state.urgent.is_empty() && (state.due.is_empty() || !state.was_urgent);
        // From here on an append makes a partition of the round dirty or urgent again.
        let (depth, partitions) = if urgent_next {
            let urgent = std::mem::take(&mut state.urgent);
            urgent.iter().for_each(|partition| partition.urgent.store(false, Ordering::Release));
            (Depth::Batches, urgent)
        } else {
            let len = state.round_len.min(state.due.len());
            let due: Vec<_> = state.due.drain(..len).collect();
            due.iter().for_each(|partition| partition.dirty.store(false, Ordering::Release));
            (Depth::Checkpoint, due)
        };
        if partitions.is_empty() {
            return None;
        }
        state.was_urgent = urgent_next;
        state.running = true;
        Some(SyncRound { depth, partitions, done: Vec::new() })
    }
}

impl Node {
    /// A partition has something to sync and had nothing before.
    pub(crate) fn note_dirty(&self, partition: Arc<Partition>) {
        self.sync_queue().state.lock().dirty.push(partition);
    }

    /// A partition's records are to be synced without waiting for the checkpoint.
    pub(crate) fn note_urgent(&self, partition: Arc<Partition>, effects: &mut Effects) {
        self.sync_queue().state.lock().urgent.push(partition);
        self.start_sync(effects);
    }

    /// Syncs all records before their time, when `background.sync.bytes` were appended since that was last asked for.
    /// Two loads where that is not so: it is called in every turn that appends.
    pub(crate) fn sync_early(&self, effects: &mut Effects) {
        let written = self.directory().files().written_bytes();
        let asked_at = &self.sync_queue().asked_at_bytes;
        let before = asked_at.load(Ordering::Relaxed);
        if written.saturating_sub(before) < self.config().background_sync_bytes
            || asked_at.compare_exchange(before, written, Ordering::Relaxed, Ordering::Relaxed).is_err()
        {
            return;
        }
        self.sync_queue().hurry();
        self.start_sync(effects);
        // The room on the disk may be gone before the next look at it is due.
        self.measure_space(effects);
    }

    /// Checkpoints every partition that was appended to since the last time.
    pub(crate) fn start_checkpoint(&self, effects: &mut Effects) {
        let written = self.directory().files().written_bytes();
        self.sync_queue().asked_at_bytes.store(written, Ordering::Relaxed);
        self.sync_queue().checkpoint();
        self.start_sync(effects);
    }

    /// Stores the log starts that a request moved, as soon as no round is in the way.
    pub(crate) fn store_starts(&self, parked: Arc<ParkedDeletion>, effects: &mut Effects) {
        for partition in &parked.partitions {
            if !partition.dirty.swap(true, Ordering::AcqRel) {
                self.note_dirty(Arc::clone(partition));
            }
        }
        self.sync_queue().state.lock().deletions.push(parked);
        self.start_checkpoint(effects);
    }

    /// Starts a round unless one runs; then the next begins when that ends.
    fn start_sync(&self, effects: &mut Effects) {
        if let Some(round) = self.sync_queue().begin() {
            effects.jobs.push((Ticket(TicketKind::SyncRound), Job::Sync(round)));
        }
    }

    /// A round ended: what it made durable is acknowledged.
    pub(crate) fn synced(&self, now: Now, round: SyncRound, effects: &mut Effects) {
        let ran = round.done.iter().filter(|synced| synced.ran.is_some()).count();
        self.metrics().shard(0).syncs.add(ran as u64);
        let mut checkpointed = Vec::with_capacity(round.done.len());
        for Synced { partition, ran } in round.done {
            match ran {
                Some((_, Err(error))) => {
                    self.directory_failed(&error, effects);
                    if !error.is_fatal() {
                        // When there is room again, the next checkpoint has all of it to do.
                        partition.note_dirty(effects);
                    }
                }
                Some((plan, Ok(()))) => {
                    partition.synced(now, &plan, effects);
                    checkpointed.push(partition);
                }
                None => checkpointed.push(partition),
            }
        }
        if round.depth == Depth::Checkpoint && !checkpointed.is_empty() {
            // Taken before the starts are read: who comes later may have moved one behind that.
            let deletions = std::mem::take(&mut self.sync_queue().state.lock().deletions);
            let moved: Vec<_> = deletions.iter().flat_map(|deletion| &deletion.partitions).collect();
            let stored = self.store_recovery_points(&checkpointed, &moved, effects);
            let code = if stored { ErrorCode::None } else { ErrorCode::KafkaStorageError };
            for deletion in deletions {
                effects.replies.extend(deletion.finish(code));
                for partition in deletion.partitions.iter().filter(|_| stored) {
                    self.retain_one(now, partition, effects);
                }
            }
        } else if self.directory_state() == DirectoryState::Offline {
            let deletions = std::mem::take(&mut self.sync_queue().state.lock().deletions);
            let failed = |deletion: Arc<ParkedDeletion>| deletion.finish(ErrorCode::KafkaStorageError);
            effects.replies.extend(deletions.into_iter().filter_map(failed));
        }
        self.sync_queue().state.lock().running = false;
        self.start_sync(effects);
    }
}

impl Node {
    /// Writes down from where each log would have to be recovered, and where it starts; on the sync thread, which may
    /// wait for the disk. Whether it was written.
    fn store_recovery_points(
        &self,
        checkpointed: &[Arc<Partition>],
        moved: &[&Arc<Partition>],
        effects: &mut Effects,
    ) -> bool {
        if self.directory_state() == DirectoryState::Offline {
            return false;
        }
        let directory = self.directory();
        // Those whose start was moved may have their turn in another round.
        for partition in checkpointed.iter().chain(moved.iter().copied()) {
            if let Some(log) = &partition.lock().log {
                directory.note_points(&partition.name(), log);
            }
        }
        let stored = directory.write_points().and_then(|()| {
            checkpointed.iter().try_for_each(|partition| match partition.lock().log.as_mut() {
                Some(log) => log.recovery_point_stored(),
                None => Ok(()),
            })
        });
        if let Err(error) = &stored {
            self.directory_failed(error, effects);
        }
        stored.is_ok()
    }

    /// Ends cleanly: writes what is in memory and the marker that lets the next start scan nothing. Nothing else may
    /// run on this node any more. Blocks for as long as the device takes.
    ///
    /// # Errors
    /// What the disk says; the next start is then an unclean one.
    pub fn close(&self) -> Result<(), storage::Error> {
        let own = self.config().node_id;
        let broker_epoch = self.image().broker(own).map_or(BrokerEpoch(-1), |own| own.epoch);
        let mut logs = BTreeMap::new();
        let mut first_error = None;
        for partition in self.table().partitions() {
            let Some(mut log) = partition.close(&mut Effects::default()) else { continue };
            match log.close_clean() {
                Ok(state) => {
                    logs.insert(partition.name(), state);
                }
                // The others are closed all the same (KAFKA-13315); this one is recovered.
                Err(error) => first_error = first_error.or(Some(error)),
            }
        }
        self.remove_renamed();
        self.metadata().close()?;
        self.directory().close_clean(broker_epoch, logs)?;
        first_error.map_or(Ok(()), Err)
    }
}

#[cfg(test)]
mod tests;

//! The state of one partition's groups, and what may happen to it.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use machines::group::{BatchId, Caller, GroupCounts, GroupSettings, GroupShard, Moment, Outcome};
use parking_lot::{Mutex, MutexGuard};
use protocol::id::{LeaderEpoch, Monotonic, Offset};

use super::{Scene, Waiter, moment};
use crate::effects::{Reply, Ticket, TicketKind};
use crate::partition::Partition;

/// Batches of forgotten offsets that are written under one hold of the lock; the rest has a turn of its own.
const EXPIRY_ROUNDS_MAX: usize = 4;

/// The groups of one partition.
pub(crate) struct Coordinator(Mutex<State>);

pub(super) struct State {
    /// Answers with the code that fits while it is not loaded.
    pub(super) shard: GroupShard,
    pub(super) phase: Phase,
    waiters: BTreeMap<Caller, Waiter>,
    callers: u64,
    /// Batches that are in the log and not committed, oldest first.
    pub(super) in_flight: VecDeque<InFlight>,
    /// The earliest timer that is set.
    timer: Option<Monotonic>,
    /// More offsets are to be forgotten than one batch could take.
    pub(super) expiring: bool,
    /// What was counted before the groups were last unloaded.
    past: GroupCounts,
    /// Kept for its memory.
    pub(super) outcome: Outcome,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    /// Another broker leads the partition, or nobody does, or its log cannot be used.
    Away,
    /// A job reads the log.
    Loading { epoch: LeaderEpoch },
    /// The log was read up to here, which has to be committed before anything is told of it.
    Read { epoch: LeaderEpoch, end: Offset },
    /// It serves.
    Serving { epoch: LeaderEpoch },
    /// The log cannot be read; it is tried again.
    Unreadable { epoch: LeaderEpoch, again: Monotonic },
}

pub(super) struct InFlight {
    pub(super) batch: BatchId,
    /// The high watermark that commits it.
    pub(super) required: Offset,
    /// When those who wait for it are told that they waited too long; `None` once they were.
    pub(super) deadline: Option<Monotonic>,
}

impl Default for Coordinator {
    fn default() -> Self {
        Self(Mutex::new(State {
            shard: nothing(),
            phase: Phase::Away,
            waiters: BTreeMap::new(),
            callers: 0,
            in_flight: VecDeque::new(),
            timer: None,
            expiring: false,
            past: GroupCounts::default(),
            outcome: Outcome::default(),
        }))
    }
}

impl Coordinator {
    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock()
    }

    /// Puts a request to the groups; `None` when it is answered later.
    pub(crate) fn ask(
        &self,
        scene: &mut Scene<'_>,
        waiter: Waiter,
        request: impl FnOnce(&mut GroupShard, Moment, Caller, &mut Outcome),
    ) -> Option<Reply> {
        let mut state = self.0.lock();
        let state = &mut *state;
        state.callers += 1;
        let caller = Caller(state.callers);
        state.waiters.insert(caller, waiter);
        request(&mut state.shard, moment(scene.now), caller, &mut state.outcome);
        state.carry_out(scene, Some(caller))
    }

    /// Whether this broker does not lead the partition, or cannot use its log.
    pub(super) fn is_away(&self) -> bool {
        self.lock().phase == Phase::Away
    }

    /// Looks into the groups.
    pub(crate) fn read<R>(&self, read: impl FnOnce(&GroupShard) -> R) -> R {
        read(&self.0.lock().shard)
    }

    /// Puts a request that is answered at once and writes nothing.
    pub(crate) fn tell<R>(
        &self,
        scene: &mut Scene<'_>,
        request: impl FnOnce(&mut GroupShard, Moment) -> R,
    ) -> R {
        let mut state = self.0.lock();
        let answer = request(&mut state.shard, moment(scene.now));
        state.set_timer(scene);
        answer
    }

    /// What its groups come to, with all that was counted since the start.
    pub(super) fn counts(&self) -> GroupCounts {
        let state = self.0.lock();
        let (now, past) = (state.shard.counts(), state.past);
        GroupCounts {
            rebalances: now.rebalances + past.rebalances,
            offset_commits: now.offset_commits + past.offset_commits,
            offset_expirations: now.offset_expirations + past.offset_expirations,
            ..now
        }
    }

    /// The partition changed: leadership, high watermark, or its log.
    pub(super) fn follow(&self, scene: &mut Scene<'_>) {
        let mut state = self.0.lock();
        let state = &mut *state;
        // Under the lock: whoever comes last has seen the latest.
        let (leads, high_watermark) = standing(scene.partition);
        match (state.phase, leads) {
            (Phase::Away, None) => return,
            (_, None) => state.unload(),
            (Phase::Serving { epoch }, Some(now)) if epoch == now => {
                state.commit(moment(scene.now), high_watermark);
            }
            (Phase::Read { epoch, end }, Some(now)) if epoch == now => {
                if high_watermark >= end {
                    state.serve(epoch, scene);
                }
            }
            (Phase::Loading { epoch }, Some(now)) if epoch == now => {}
            (Phase::Unreadable { epoch, again }, Some(now))
                if epoch == now && again > scene.now.monotonic => {}
            (_, Some(epoch)) => {
                state.unload();
                state.load(epoch, scene);
            }
        }
        let _ = state.carry_out(scene, None);
    }

    /// A timer of the groups fired.
    pub(super) fn due(&self, scene: &mut Scene<'_>) {
        let at = moment(scene.now);
        let mut state = self.0.lock();
        let state = &mut *state;
        if state.timer.is_some_and(|timer| timer <= at.monotonic) {
            state.timer = None;
        }
        let late =
            |waiting: &&mut InFlight| waiting.deadline.is_some_and(|deadline| deadline <= at.monotonic);
        let late: Vec<BatchId> = state
            .in_flight
            .iter_mut()
            .filter(late)
            .map(|waiting| {
                waiting.deadline = None;
                waiting.batch
            })
            .collect();
        for batch in late {
            state.shard.timed_out(at, batch, &mut state.outcome);
        }
        state.shard.tick(at, &mut state.outcome);
        let _ = state.carry_out(scene, None);
    }

    /// Lets offsets go that nobody uses: those past their retention, and those of topics that `is_known` does not know.
    pub(super) fn expire(&self, scene: &mut Scene<'_>, is_known: &dyn Fn(&str) -> bool) {
        let mut state = self.0.lock();
        let state = &mut *state;
        let mut unknown: Vec<String> = Vec::new();
        state.shard.for_each_offset(&mut |_, topic, _, _, _| {
            if !is_known(topic) && !unknown.iter().any(|other| other == topic) {
                unknown.push(topic.to_owned());
            }
        });
        let unknown: Vec<&str> = unknown.iter().map(String::as_str).collect();
        if !unknown.is_empty() {
            state.shard.topics_deleted(moment(scene.now), &unknown, &mut state.outcome);
        }
        state.expiring = matches!(state.phase, Phase::Serving { .. });
        let _ = state.carry_out(scene, None);
    }

    /// Topics are gone, and with them what was committed for them.
    pub(super) fn forget(&self, scene: &mut Scene<'_>, topics: &[&str]) {
        let mut state = self.0.lock();
        let state = &mut *state;
        state.shard.topics_deleted(moment(scene.now), topics, &mut state.outcome);
        let _ = state.carry_out(scene, None);
    }
}

impl State {
    /// Appends what the groups wrote, gives the answers that are ready, and sets the timer. Returns `own`'s answer.
    fn carry_out(&mut self, scene: &mut Scene<'_>, own: Option<Caller>) -> Option<Reply> {
        let mut expiry_rounds = 0;
        loop {
            self.append_all(scene);
            if self.may_expire() && self.outcome.batches.is_empty() && expiry_rounds < EXPIRY_ROUNDS_MAX {
                expiry_rounds += 1;
                self.expiring = self.shard.expire_offsets(moment(scene.now), &mut self.outcome);
            }
            if self.outcome.batches.is_empty() {
                break;
            }
        }
        let mut own_reply = None;
        for (caller, reply) in std::mem::take(&mut self.outcome.replies) {
            let Some(waiter) = self.waiters.remove(&caller) else { continue };
            let (session, slot) = (Arc::clone(&waiter.session), waiter.slot);
            match waiter.reply(reply) {
                Some(reply) if own == Some(caller) => own_reply = Some(reply),
                Some(reply) => scene.effects.replies.push((session, slot, reply)),
                None => {}
            }
        }
        self.set_timer(scene);
        own_reply
    }

    /// Whether more offsets are to be forgotten, and all that were are committed.
    fn may_expire(&self) -> bool {
        self.expiring && self.in_flight.is_empty()
    }

    /// Everything below the high watermark is committed.
    fn commit(&mut self, at: Moment, high_watermark: Offset) {
        let mut last = None;
        while let Some(first) = self.in_flight.front()
            && first.required <= high_watermark
        {
            last = Some(first.batch);
            self.in_flight.pop_front();
        }
        if let Some(batch) = last {
            self.shard.committed(at, batch, &mut self.outcome);
        }
    }

    /// Answers those who wait, and forgets everything.
    pub(super) fn unload(&mut self) {
        let counts = self.shard.counts();
        self.past.rebalances += counts.rebalances;
        self.past.offset_commits += counts.offset_commits;
        self.past.offset_expirations += counts.offset_expirations;
        self.shard.unload(&mut self.outcome);
        self.shard = nothing();
        self.outcome.batches.clear();
        self.in_flight.clear();
        self.expiring = false;
        self.phase = Phase::Away;
    }

    /// All that was read is committed.
    pub(super) fn serve(&mut self, epoch: LeaderEpoch, scene: &Scene<'_>) {
        self.phase = Phase::Serving { epoch };
        self.shard.loaded(moment(scene.now), &mut self.outcome);
    }

    /// Sets the timer of what is due first, unless an earlier one is set.
    fn set_timer(&mut self, scene: &mut Scene<'_>) {
        let waits = self.in_flight.iter().find_map(|waiting| waiting.deadline);
        let again = match self.phase {
            Phase::Unreadable { again, .. } => Some(again),
            _ => None,
        };
        let expiry = self.may_expire().then_some(scene.now.monotonic);
        let all = [self.shard.next_deadline(), waits, again, expiry];
        let Some(next) = all.into_iter().flatten().min() else { return };
        if self.timer.is_none_or(|timer| next < timer) {
            self.timer = Some(next);
            let ticket = Ticket(TicketKind::Groups(Arc::downgrade(scene.partition)));
            scene.effects.timers.push((next, ticket));
        }
    }
}

/// No groups at all, as of a partition that another broker leads.
fn nothing() -> GroupShard {
    let mut shard = GroupShard::new(GroupSettings::default());
    // Nobody waits yet.
    shard.unload(&mut Outcome::default());
    shard
}

/// Under which epoch this broker leads a partition whose log it has, and the high watermark.
fn standing(partition: &Partition) -> (Option<LeaderEpoch>, Offset) {
    let state = partition.lock();
    let leads = state.log.is_some() && state.replica.is_leader();
    (leads.then(|| state.replica.leader_epoch()), state.replica.high_watermark())
}

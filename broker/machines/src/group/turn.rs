//! What all groups of a shard share, and one input that runs to completion on it.

use bytes::Bytes;
use protocol::ErrorCode;
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use super::durable::Durable;
use super::member::Member;
use super::membership::{Group, Terms};
use super::record::{Change, GroupMetadata};
use super::reply::{BatchId, GroupBatch, GroupState, JoinReply, Outcome, Reply, SyncReply};
use super::request::{Caller, Moment};
use super::settings::{GroupSettings, TOMBSTONE_BATCH_BYTES_MAX};
use super::timers::{Target, Timers};

/// What becomes of a batch that was given out.
#[derive(Debug)]
pub(super) struct InFlight {
    pub(super) id: BatchId,
    pub(super) changes: Vec<Change>,
    pub(super) then: Then,
    /// Why the answer is an error although this batch is committed: an earlier part of it was not.
    pub(super) part_failed: Option<ErrorCode>,
    /// Groups that are gone unless this fails.
    pub(super) deleted: Vec<Group>,
}

/// What happens when a batch is committed or fails.
#[derive(Debug)]
pub(super) enum Then {
    /// Nobody waits, or nobody any longer.
    Nothing,
    /// A part of what is answered when this later batch is committed.
    Part(BatchId),
    /// The group exists from now on.
    Created { group_id: Arc<str>, incarnation: u64 },
    /// The leader's assignment holds.
    Assigned(Assigned),
    /// A static member has another id.
    Replaced(Box<Replaced>),
    /// An answer leaves.
    Answer(Caller, Reply),
}

/// A leader's assignment that is being written.
#[derive(Debug)]
pub(super) struct Assigned {
    pub(super) group_id: Arc<str>,
    pub(super) incarnation: u64,
    pub(super) generation: i32,
    pub(super) assignment: BTreeMap<Arc<str>, Bytes>,
}

/// A static member's new id that is being written while its group stays stable.
#[derive(Debug)]
pub(super) struct Replaced {
    pub(super) group_id: Arc<str>,
    pub(super) incarnation: u64,
    pub(super) caller: Caller,
    pub(super) old_id: Arc<str>,
    pub(super) new_id: Arc<str>,
    pub(super) old_terms: Terms,
    pub(super) old_leader: Option<Arc<str>>,
    pub(super) supports_skipping_assignment: bool,
}

/// Figures that are kept as things happen.
#[derive(Debug, Default)]
pub(super) struct Tally {
    pub(super) states: [usize; 4],
    pub(super) members: usize,
    pub(super) ignored_records: u64,
    pub(super) rebalances: u64,
    pub(super) offset_commits: u64,
    pub(super) offset_expirations: u64,
}

impl Tally {
    fn state(&mut self, state: GroupState) -> Option<&mut usize> {
        let [empty, preparing, completing, stable] = &mut self.states;
        match state {
            GroupState::Empty => Some(empty),
            GroupState::PreparingRebalance => Some(preparing),
            GroupState::CompletingRebalance => Some(completing),
            GroupState::Stable => Some(stable),
            GroupState::Dead => None,
        }
    }

    /// A group is held from now on.
    pub(super) fn add_group(&mut self, group: &Group) {
        self.members += group.members.len();
        if let Some(count) = self.state(group.state) {
            *count += 1;
        }
    }

    /// A group is held no longer.
    pub(super) fn remove_group(&mut self, group: &Group) {
        self.members -= group.members.len();
        if let Some(count) = self.state(group.state) {
            *count -= 1;
        }
    }
}

/// What all groups of a shard share.
#[derive(Debug, Default)]
pub(super) struct Shared {
    pub(super) settings: GroupSettings,
    pub(super) durable: Durable,
    pub(super) timers: Timers,
    /// Batches that are not committed, in their order.
    pub(super) in_flight: VecDeque<InFlight>,
    pub(super) tally: Tally,
    next_batch: u64,
    next_incarnation: u64,
}

impl Shared {
    /// Nothing is held yet.
    pub(super) fn new(settings: GroupSettings) -> Self {
        Self { settings, ..Self::default() }
    }

    /// Whether no request may add a batch.
    pub(super) fn is_full(&self) -> bool {
        self.in_flight.len() >= self.settings.in_flight_max
    }

    /// A number that no group had before.
    pub(super) fn incarnation(&mut self) -> u64 {
        self.next_incarnation += 1;
        self.next_incarnation
    }

    /// Changes of a group that are being written, in their order.
    pub(super) fn changes_in_flight(&self, group_id: &str) -> impl Iterator<Item = &Change> {
        let changes = self.in_flight.iter().flat_map(|batch| &batch.changes);
        changes.filter(move |change| **change.group_id() == *group_id)
    }

    fn batch_id(&mut self) -> BatchId {
        self.next_batch += 1;
        BatchId(self.next_batch)
    }
}

/// One input: the time, what the groups share, and where answers and batches go.
pub(super) struct Turn<'a> {
    pub(super) at: Moment,
    pub(super) shared: &'a mut Shared,
    pub(super) out: &'a mut Outcome,
}

impl Turn<'_> {
    pub(super) fn reply(&mut self, caller: Caller, reply: Reply) {
        self.out.replies.push((caller, reply));
    }

    pub(super) fn reply_join(&mut self, caller: Option<Caller>, reply: JoinReply) {
        if let Some(caller) = caller {
            self.reply(caller, Reply::Join(reply));
        }
    }

    pub(super) fn reply_sync(&mut self, caller: Option<Caller>, reply: SyncReply) {
        if let Some(caller) = caller {
            self.reply(caller, Reply::Sync(reply));
        }
    }

    /// Gives out one batch.
    pub(super) fn append(&mut self, changes: Vec<Change>, then: Then) -> BatchId {
        let id = self.shared.batch_id();
        self.out.batches.push(GroupBatch { id, records: changes.iter().map(Change::encode).collect() });
        self.shared.in_flight.push_back(InFlight {
            id,
            changes,
            then,
            part_failed: None,
            deleted: Vec::new(),
        });
        id
    }

    /// Gives out tombstones as batches of a bounded size; the answer leaves after the last. `deleted` are the groups
    /// that they end.
    pub(super) fn append_tombstones(&mut self, changes: Vec<Change>, then: Then, deleted: Vec<Group>) {
        let mut parts: Vec<Vec<Change>> = Vec::new();
        let mut bytes = 0;
        for change in changes {
            let size = 64 + change.key_bytes();
            if parts.is_empty() || bytes + size > TOMBSTONE_BATCH_BYTES_MAX {
                parts.push(Vec::new());
                bytes = 0;
            }
            bytes += size;
            if let Some(part) = parts.last_mut() {
                part.push(change);
            }
        }
        let Some(last) = parts.pop() else { return };
        let last_id = BatchId(self.shared.next_batch + u64::try_from(parts.len()).unwrap_or(0) + 1);
        for part in parts {
            self.append(part, Then::Part(last_id));
        }
        let id = self.append(last, then);
        assert!(id == last_id, "parts are numbered in a row");
        if let Some(last) = self.shared.in_flight.back_mut() {
            last.deleted = deleted;
        }
    }

    /// The group's record, as it stands in memory or with another assignment.
    pub(super) fn store(&mut self, group: &Group, assignment: impl Fn(&Member) -> Bytes, then: Then) {
        let metadata = Some(Arc::new(group.to_stored(assignment)));
        self.append(vec![Change::Group { group_id: Arc::clone(&group.id), metadata }], then);
    }

    /// The record of a group that nobody has joined yet.
    pub(super) fn store_new(&mut self, group: &Group) {
        let metadata = GroupMetadata {
            protocol_type: String::new(),
            generation: 0,
            protocol: None,
            leader: None,
            current_state_timestamp: self.at.wall,
            members: Vec::new(),
        };
        let change = Change::Group { group_id: Arc::clone(&group.id), metadata: Some(Arc::new(metadata)) };
        let then = Then::Created { group_id: Arc::clone(&group.id), incarnation: group.incarnation };
        self.append(vec![change], then);
    }

    /// Moves a group on.
    pub(super) fn transition(&mut self, group: &mut Group, to: GroupState) {
        use GroupState::{CompletingRebalance, Empty, PreparingRebalance, Stable};
        let is_valid = match to {
            PreparingRebalance => matches!(group.state, Stable | CompletingRebalance | Empty),
            CompletingRebalance | Empty => group.is(PreparingRebalance),
            Stable => group.is(CompletingRebalance),
            GroupState::Dead => false,
        };
        assert!(is_valid, "a group went from {} to {}", group.state.name(), to.name());
        for (state, more) in [(group.state, false), (to, true)] {
            if let Some(count) = self.shared.tally.state(state) {
                *count = if more { *count + 1 } else { *count - 1 };
            }
        }
        group.previous_state = std::mem::replace(&mut group.state, to);
        group.state_since = Some(self.at.wall);
    }

    /// A member's session begins anew.
    pub(super) fn extend_session(&mut self, group: &mut Group, member_id: &str) {
        let Some(member) = group.members.get_mut(member_id) else { return };
        let due = self.at.monotonic.plus(member.session_timeout());
        let (group_id, member_id) = (&group.id, &member.id);
        let target = || Target::Session { group_id: Arc::clone(group_id), member_id: Arc::clone(member_id) };
        self.shared.timers.set(&mut member.alarm, due, target);
    }

    /// Takes a member out with its alarm. Who waits for it is told `error_code`, so that nobody waits for ever.
    pub(super) fn remove_member(
        &mut self,
        group: &mut Group,
        member_id: &str,
        error_code: ErrorCode,
    ) -> bool {
        let Some(member) = group.remove(member_id) else { return false };
        self.shared.tally.members -= 1;
        self.shared.timers.silence(member.alarm);
        self.reply_join(member.joining, JoinReply::error(error_code, ""));
        self.reply_sync(member.syncing, SyncReply::error(error_code));
        true
    }

    /// Takes out a member that has an id and did not join.
    pub(super) fn remove_pending(&mut self, group: &mut Group, member_id: &str) -> bool {
        let Some(alarm) = group.pending.remove(member_id) else { return false };
        self.shared.timers.silence(alarm);
        true
    }
}

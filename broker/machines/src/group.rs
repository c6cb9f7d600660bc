//! The coordinator of consumer groups in the classic protocol (KIP-62), and of committed offsets.
//!
//! A replicated machine: [`GroupShard`] is all groups of one partition of `__consumer_offsets`. What is stored changes
//! only when a record is replayed or, decided here, committed ([`GroupShard::committed`]); it equals the replay of the
//! partition at every prefix (I20). Beside it stands what members do between two records: who waits, whose session
//! ends when. That is lost with the broker, and members bring it back by joining again, as in Kafka.
//!
//! The caller appends each batch of an [`Outcome`] in order, before it calls anything else, and says what became of
//! it: [`committed`](GroupShard::committed), [`failed`](GroupShard::failed) when it was refused,
//! [`timed_out`](GroupShard::timed_out) when it takes long, [`unload`](GroupShard::unload) when leadership goes.
//! Answers that promise something leave only then.
//!
//! Owner: the coordinator's mutex in the node. Time, ids and the existence of topics are the caller's. What is decided,
//! and the order of checks, is that of Kafka 4.3's `GroupMetadataManager` and `OffsetMetadataManager`. Deliberately
//! absent: offsets that a transaction commits, and the protocols of KIP-848, KIP-932 and KIP-1071.

mod durable;
mod expiry;
mod in_flight;
mod join;
mod leave;
mod list;
mod member;
mod membership;
mod offsets;
mod rebalance;
mod record;
mod reply;
mod request;
mod settings;
mod subscription;
mod sync;
#[cfg(test)]
mod tests;
mod timers;
mod turn;

pub use record::GroupRecord;
pub use reply::{
    BatchId, DeletedGroup, DescribedGroup, DescribedMember, FetchedOffset, FetchedTopic, GroupBatch,
    GroupCounts, GroupState, JoinReply, JoinedMember, LeaveReply, LeftMember, ListedGroup, LoadReport,
    OffsetCommitReply, OffsetDeleteReply, Outcome, Reply, SyncReply, TopicCodes,
};
pub use request::{
    Caller, CommitPartition, CommitTopic, FetchTopic, HeartbeatRequest, JoinRequest, LeaveRequest,
    LeavingMember, Moment, OffsetCommitRequest, OffsetDeleteRequest, SyncRequest,
};
pub use settings::{EXPIRED_PER_CALL_MAX, GroupSettings};

use membership::Group;
use protocol::ErrorCode;
use protocol::id::{Monotonic, PartitionIndex};
use record::Change;
use std::collections::BTreeMap;
use std::sync::Arc;
use timers::Target;
use turn::{Shared, Then, Turn};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    Loading,
    Serving,
    Unloaded,
}

/// All groups of one partition of `__consumer_offsets`.
#[derive(Debug)]
pub struct GroupShard {
    phase: Phase,
    groups: BTreeMap<Arc<str>, Group>,
    shared: Shared,
}

impl GroupShard {
    /// Begins to load.
    #[must_use]
    pub fn new(settings: GroupSettings) -> Self {
        Self { phase: Phase::Loading, groups: BTreeMap::new(), shared: Shared::new(settings) }
    }

    /// Settings that changed hold from the next input on.
    pub fn update_settings(&mut self, settings: GroupSettings) {
        self.shared.settings = settings;
    }

    /// Takes over one record while loading, in the log's order. What cannot be read, or is of a kind that is not known
    /// here, is counted and left. Records of transactional batches are not to be given: whether they hold is not
    /// known here.
    pub fn replay(&mut self, key: Option<&[u8]>, value: Option<&[u8]>) {
        assert!(self.phase == Phase::Loading, "only a shard that loads replays");
        match key.map(|key| Change::decode(key, value)) {
            Some(Ok(change)) => self.shared.durable.apply(&change),
            Some(Err(_)) | None => self.shared.tally.ignored_records += 1,
        }
    }

    /// Everything was replayed: the shard serves, and the sessions of all members that it found begin.
    pub fn loaded(&mut self, at: Moment, out: &mut Outcome) -> LoadReport {
        assert!(self.phase == Phase::Loading, "a shard is loaded once");
        self.phase = Phase::Serving;
        let group_ids: Vec<Arc<str>> = self.shared.durable.groups().map(|(id, _)| Arc::clone(id)).collect();
        for group_id in &group_ids {
            self.install(at, group_id, out);
        }
        LoadReport {
            groups: group_ids.len(),
            offsets: self.shared.durable.offsets_count(),
            ignored: self.shared.tally.ignored_records,
        }
    }

    /// Whether it serves.
    #[must_use]
    pub fn is_loaded(&self) -> bool {
        self.phase == Phase::Serving
    }

    /// The partition is led elsewhere: everybody who waits is told `NOT_COORDINATOR`, everything is forgotten, and
    /// every call from now on gives that code.
    pub fn unload(&mut self, out: &mut Outcome) {
        self.phase = Phase::Unloaded;
        for member in
            std::mem::take(&mut self.groups).into_values().flat_map(|group| group.members.into_values())
        {
            let error_code = ErrorCode::NotCoordinator;
            let join =
                member.joining.map(|caller| (caller, Reply::Join(JoinReply::error(error_code, &member.id))));
            let sync = member.syncing.map(|caller| (caller, Reply::Sync(SyncReply::error(error_code))));
            out.replies.extend(join.into_iter().chain(sync));
        }
        let settings = std::mem::take(&mut self.shared.settings);
        let shared = std::mem::replace(&mut self.shared, Shared::new(settings));
        for batch in shared.in_flight {
            if let Then::Answer(caller, mut reply) = batch.then {
                reply.fail(ErrorCode::NotCoordinator);
                out.replies.push((caller, reply));
            }
        }
    }

    /// When [`tick`](Self::tick) has something to do.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Monotonic> {
        self.shared.timers.next_deadline()
    }

    /// Ends what has run out: sessions, join phases, waits for a sync. Early or late does no harm.
    pub fn tick(&mut self, at: Moment, out: &mut Outcome) {
        // What is queued by this very call has its turn in the next.
        let end = self.shared.timers.end();
        while let Some((armed, target)) = self.shared.timers.pop(at.monotonic, end) {
            let mut turn = Turn { at, shared: &mut self.shared, out };
            match target {
                Target::Join(group_id) => {
                    if let Some(group) = self.groups.get_mut(&group_id) {
                        group.join_timer = None;
                        turn.join_time_over(group);
                    }
                }
                Target::Sync(group_id) => {
                    if let Some(group) = self.groups.get_mut(&group_id) {
                        group.sync_timer = None;
                        turn.sync_time_over(group);
                    }
                }
                Target::Session { group_id, member_id } => {
                    let Some(group) = self.groups.get_mut(&group_id) else { continue };
                    let member = group.members.get_mut(&member_id).map(|member| &mut member.alarm);
                    let Some(alarm) = member.or(group.pending.get_mut(&member_id)) else { continue };
                    let again = Target::Session { group_id, member_id: Arc::clone(&member_id) };
                    if turn.shared.timers.rang(at.monotonic, alarm, armed, again) {
                        turn.session_over(group, &member_id);
                    }
                }
            }
        }
    }

    /// Whether requests are answered here.
    fn check_serving(&self) -> Result<(), ErrorCode> {
        match self.phase {
            Phase::Loading => Err(ErrorCode::CoordinatorLoadInProgress),
            Phase::Serving => Ok(()),
            Phase::Unloaded => Err(ErrorCode::NotCoordinator),
        }
    }

    /// A new group without members.
    fn create(&mut self, group_id: Arc<str>, at: Moment) {
        let group = Group::new(Arc::clone(&group_id), self.shared.incarnation(), Some(at.wall));
        self.shared.tally.add_group(&group);
        self.groups.insert(group_id, group);
    }

    /// Brings a group from what is stored to life.
    fn install(&mut self, at: Moment, group_id: &Arc<str>, out: &mut Outcome) {
        let incarnation = self.shared.incarnation();
        let Some(stored) = self.shared.durable.group(group_id) else { return };
        let mut group = match &stored.metadata {
            Some(metadata) => Group::stored(Arc::clone(group_id), incarnation, metadata),
            None => Group::new(Arc::clone(group_id), incarnation, Some(at.wall)),
        };
        self.shared.tally.add_group(&group);
        let max = self.shared.settings.max_size.min(self.shared.settings.members_max);
        let mut turn = Turn { at, shared: &mut self.shared, out };
        let member_ids: Vec<Arc<str>> = group.members.keys().cloned().collect();
        for member_id in &member_ids {
            turn.extend_session(&mut group, member_id);
        }
        if member_ids.len() > max {
            // The limit was lowered: everybody joins again, and as many as fit are taken.
            let _ = turn.prepare_rebalance(&mut group, Then::Nothing);
        }
        self.groups.insert(Arc::clone(group_id), group);
    }

    /// Lets go of a group and of whoever has an id and did not join it.
    fn forget(&mut self, group_id: &str) -> Option<Group> {
        let mut group = self.groups.remove(group_id)?;
        self.shared.tally.remove_group(&group);
        self.shared.timers.silence_all(&mut group);
        group.pending.clear();
        Some(group)
    }
}

/// Which of `partitions` of `__consumer_offsets` holds a group: Java's `String.hashCode` without its sign, modulo
/// their number (Kafka: `GroupCoordinatorService.partitionFor`).
#[must_use]
pub fn partition_for(group_id: &str, partitions: i32) -> PartitionIndex {
    let hash =
        group_id.encode_utf16().fold(0_i32, |hash, unit| hash.wrapping_mul(31).wrapping_add(unit.into()));
    // Utils.abs: the least integer has no positive one.
    PartitionIndex(hash.checked_abs().unwrap_or(0) % partitions.max(1))
}

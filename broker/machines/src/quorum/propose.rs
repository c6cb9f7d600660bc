//! Proposals, changes of the membership, reads and snapshots: what the caller asks of a replica.

use super::entry::{ChangeKind, MembershipChange, Payload, RaftId, ReplicaKey, SnapshotMeta};
use super::{
    BATCH_BYTES_MAX, Effect, KEPT_ENTRIES, PendingRead, ProposalFate, Quorum, READ_TIMEOUT, READS_MAX,
    SNAPSHOT_RETRY, batch, codec,
};
use bytes::Bytes;
use protocol::id::{Monotonic, Offset};
use raft::eraftpb::{ConfChange, ConfChangeType, EntryType};
use raft::{SnapshotStatus, StateRole};

impl Quorum {
    /// The offset that the next proposal's first record gets, while this replica leads and its only caller proposes.
    #[must_use]
    pub fn next_offset(&self) -> Offset {
        self.node.store().log_end_offset()
    }

    /// What a snapshot of everything below `end_offset` must say of itself; `None` when no entry that is in memory
    /// and applied ends there.
    #[must_use]
    pub fn snapshot_meta(&self, end_offset: Offset) -> Option<SnapshotMeta> {
        let (index, term) = self.node.store().index_ending_at(end_offset)?;
        if index > self.applied {
            return None;
        }
        let membership = self.memberships.iter().rev().find(|(since, _)| *since <= index)?.1.clone();
        Some(SnapshotMeta { index, term, end_offset, membership })
    }

    pub(super) fn propose(&mut self, batch: &Bytes, cookie: u64, effects: &mut Vec<Effect>) {
        let usable = batch.len() <= BATCH_BYTES_MAX && batch::is_records(batch);
        let taken = usable && self.is_leader() && self.node.propose(Vec::new(), batch.to_vec()).is_ok();
        effects.push(Effect::ProposalFate { cookie, fate: self.fate(taken) });
    }

    fn fate(&self, taken: bool) -> ProposalFate {
        if !taken {
            return ProposalFate::Dropped;
        }
        // Nothing else is in the unstable part: every step drains it.
        let raft = &self.node.raft;
        ProposalFate::Appended {
            term: raft.term,
            index: raft.raft_log.last_index(),
            base_offset: self.node.store().log_end_offset(),
        }
    }

    pub(super) fn change_membership(
        &mut self,
        kind: ChangeKind,
        replica: ReplicaKey,
        cookie: u64,
        effects: &mut Vec<Effect>,
    ) {
        let after = self.membership.changed(kind, replica);
        let taken = self.is_leader()
            && !self.node.raft.has_pending_conf()
            && after.is_some_and(|after| {
                let change = MembershipChange { kind, replica, after };
                let context = codec::membership_change_bytes(&change);
                self.node.propose_conf_change(context, conf_change(&change)).is_ok()
                    && self.last_entry_is_conf_change()
            });
        effects.push(Effect::ProposalFate { cookie, fate: self.fate(taken) });
    }

    fn last_entry_is_conf_change(&self) -> bool {
        let last = self.node.raft.raft_log.unstable_entries().last();
        last.is_some_and(|entry| entry.entry_type == EntryType::EntryConfChange)
    }

    pub(super) fn read(&mut self, cookie: u64, effects: &mut Vec<Effect>) {
        if !self.is_leader() || self.reads.len() >= READS_MAX {
            effects.push(Effect::ReadFailed { cookie });
            return;
        }
        self.reads.push_back(PendingRead { cookie, deadline: self.now.plus(READ_TIMEOUT), asked: None });
    }

    /// Asks for all reads that wait, once the leader has committed in its term: before, the library drops them
    /// silently. One round of heartbeats serves them all.
    pub(super) fn ask_reads(&mut self) {
        if !self.is_leader() || !self.node.raft.commit_to_current_term() {
            return;
        }
        let context = self.read_context + 1;
        let mut asks = false;
        for read in self.reads.iter_mut().filter(|read| read.asked.is_none()) {
            read.asked = Some(context);
            asks = true;
        }
        if asks {
            self.read_context = context;
            self.node.read_index(context.to_be_bytes().to_vec());
        }
    }

    pub(super) fn answer_reads(&mut self, context: &[u8], index: u64, effects: &mut Vec<Effect>) {
        let Ok(context) = context.try_into().map(u64::from_be_bytes) else { return };
        let store = self.node.store();
        // What is older than memory has long been applied.
        let end_offset = store.end_offset(index).unwrap_or(store.snapshot_meta().end_offset);
        self.reads.retain(|read| {
            let done = read.asked == Some(context);
            if done {
                effects.push(Effect::ReadReady { cookie: read.cookie, end_offset });
            }
            !done
        });
    }

    pub(super) fn expire_reads(&mut self, effects: &mut Vec<Effect>) {
        while self.reads.front().is_some_and(|read| read.deadline <= self.now) {
            if let Some(read) = self.reads.pop_front() {
                effects.push(Effect::ReadFailed { cookie: read.cookie });
            }
        }
    }

    pub(super) fn fail_reads(&mut self, effects: &mut Vec<Effect>) {
        effects.extend(self.reads.drain(..).map(|read| Effect::ReadFailed { cookie: read.cookie }));
    }

    pub(super) fn snapshot_taken(&mut self, snapshot: SnapshotMeta) {
        self.snapshot_asked = false;
        if snapshot.index <= self.node.store().snapshot_meta().index || snapshot.index > self.applied {
            return;
        }
        let covered = self.memberships.iter().rposition(|(since, _)| *since <= snapshot.index).unwrap_or(0);
        self.memberships.drain(..covered);
        self.node.mut_store().compact(snapshot, KEPT_ENTRIES);
    }

    pub(super) fn snapshot_sent(&mut self, to: RaftId, arrived: bool) {
        self.snapshots_offered.remove(&to);
        let status = if arrived { SnapshotStatus::Finish } else { SnapshotStatus::Failure };
        self.node.report_snapshot(to.0, status);
    }

    pub(super) fn offer_snapshots_again(&mut self) {
        let now = self.now;
        let late = |(to, at): (&RaftId, &Monotonic)| (now.since(*at) >= SNAPSHOT_RETRY).then_some(*to);
        for to in self.snapshots_offered.iter().filter_map(late).collect::<Vec<_>>() {
            self.snapshot_sent(to, false);
        }
    }

    /// A committed change of the membership comes into force.
    pub(super) fn apply_membership(&mut self, index: u64, payload: &Payload) {
        let Payload::Membership(change) = payload else { return };
        // A change that does not lead to what it says changes nothing, on every replica alike.
        let fits = self.membership.changed(change.kind, change.replica).as_ref() == Some(&change.after);
        if !fits || self.node.apply_conf_change(&conf_change(change)).is_err() {
            return;
        }
        self.membership = change.after.clone();
        self.memberships.push((index, self.membership.clone()));
        let is_voter = self.membership.voters.contains(&self.config.replica);
        if !is_voter && self.node.raft.state != StateRole::Follower {
            // The library leaves a removed leader in office, and stops the process when a removed candidate wins.
            let term = self.node.raft.term;
            self.node.raft.become_follower(term, raft::INVALID_ID);
        }
    }
}

fn conf_change(change: &MembershipChange) -> ConfChange {
    let change_type = match change.kind {
        ChangeKind::AddVoter => ConfChangeType::AddNode,
        ChangeKind::AddLearner => ConfChangeType::AddLearnerNode,
        ChangeKind::Remove => ConfChangeType::RemoveNode,
    };
    ConfChange { change_type, node_id: change.replica.raft_id().0, ..ConfChange::default() }
}

//! Turns what the consensus wants into effects.

use super::codec;
use super::entry::{HardState, RaftId};
use super::{Body, Effect, Message, Quorum, Role, SNAPSHOT_BYTES, Unpersisted};
use bytes::Bytes;
use protocol::metadata_record::control::{LeaderChangeMessage, Voter};
use raft::eraftpb::{Entry as RaftEntry, EntryType, MessageType};
use raft::{Ready, StateRole};

impl Quorum {
    pub(super) fn drain(&mut self, effects: &mut Vec<Effect>) {
        loop {
            self.pin_election_timeout();
            self.name_leader_in_its_entry();
            self.announce(effects);
            self.ask_reads();
            if !self.node.has_ready() {
                break;
            }
            let ready = self.node.ready();
            self.take_ready(ready, effects);
            self.release(effects);
        }
        let store = self.node.store();
        let wanted = store.bytes() > SNAPSHOT_BYTES || store.is_newer_snapshot_wanted();
        if wanted && !self.snapshot_asked && self.applied > store.snapshot_meta().index {
            self.snapshot_asked = true;
            effects.push(Effect::NeedSnapshot);
        }
    }

    fn take_ready(&mut self, mut ready: Ready, effects: &mut Vec<Effect>) {
        let ticket = ready.number();
        let snapshot = (!ready.snapshot().is_empty())
            .then(|| self.incoming.take().expect("a snapshot comes with the message that is stepped"));
        if let Some(snapshot) = &snapshot {
            assert_eq!(snapshot.index, ready.snapshot().get_metadata().index, "the snapshot that was sent");
            self.node.mut_store().install(snapshot.clone());
            self.membership = snapshot.membership.clone();
            self.memberships = vec![(snapshot.index, snapshot.membership.clone())];
            self.applied = snapshot.index;
        }
        let (cut, entries) = self.node.mut_store().append(ready.take_entries());
        let hard_state = ready.hs().map(|hs| self.hard_state(hs));
        let hard_state = hard_state.filter(|hard_state| *hard_state != self.node.store().hard_state());
        if let Some(hard_state) = hard_state {
            self.node.mut_store().set_hard_state(hard_state);
        }
        let truncate_from = cut.map(|index| {
            let offset = entries.first().map(|entry| entry.base_offset);
            (index, offset.unwrap_or(self.node.store().log_end_offset()))
        });
        let committed = ready.take_committed_entries();
        let reads = ready.take_read_states();
        let at_once = self.messages(&ready.take_messages());
        let once_persisted = self.messages(&ready.take_persisted_messages());
        for message in at_once.iter().filter(|message| matches!(message.body, Body::Snapshot { .. })) {
            self.snapshots_offered.insert(message.to, self.now);
        }
        self.node.advance_append_async(ready);

        let on_disk = !(hard_state.is_some() || snapshot.is_some() || !entries.is_empty());
        if !on_disk {
            effects.push(Effect::Persist { ticket, hard_state, snapshot, truncate_from, entries });
        }
        self.unpersisted.push_back(Unpersisted { ticket, on_disk, messages: once_persisted });
        effects.extend(at_once.into_iter().map(Effect::Send));
        self.commit(&committed, effects);
        for read in reads {
            self.answer_reads(&read.request_ctx, read.index, effects);
        }
    }

    /// What of the library's hard state is worth a write. The commit index alone is not: the quorum tells it again.
    /// But a change of the membership that is committed must not be forgotten once an entry after it is
    /// acknowledged: the next change builds on it, and a replica that returned to the membership before could elect
    /// a leader of its own. The acknowledgement waits for this write.
    fn hard_state(&self, hs: &raft::eraftpb::HardState) -> HardState {
        let vote = (hs.vote != raft::INVALID_ID).then_some(RaftId(hs.vote));
        let store = self.node.store();
        let before = store.hard_state().committed;
        let changes = store.has_membership_change(before, hs.commit);
        HardState { term: hs.term, vote, committed: if changes { hs.commit } else { before } }
    }

    fn messages(&self, messages: &[raft::eraftpb::Message]) -> Vec<Message> {
        messages.iter().filter_map(|message| codec::message_from_raft(message, self.node.store())).collect()
    }

    fn commit(&mut self, committed: &[RaftEntry], effects: &mut Vec<Effect>) {
        let Some(last) = committed.last() else { return };
        let entries: Vec<_> = committed.iter().map(|entry| self.node.store().describe(entry)).collect();
        for entry in &entries {
            self.apply_membership(entry.index, &entry.payload);
        }
        self.applied = last.index;
        self.node.advance_apply_to(last.index);
        effects.push(Effect::Committed(entries));
    }

    pub(super) fn persisted(&mut self, up_to: u64, effects: &mut Vec<Effect>) {
        for pending in &mut self.unpersisted {
            pending.on_disk |= pending.ticket <= up_to;
        }
        self.release(effects);
    }

    /// Sends what waited for the disk, in order, and lets the consensus count it.
    fn release(&mut self, effects: &mut Vec<Effect>) {
        let mut last = None;
        while self.unpersisted.front().is_some_and(|pending| pending.on_disk) {
            if let Some(pending) = self.unpersisted.pop_front() {
                last = Some(pending.ticket);
                effects.extend(pending.messages.into_iter().map(Effect::Send));
            }
        }
        if let Some(ticket) = last {
            self.node.on_persist_ready(ticket);
            // A snapshot is applied by being stored.
            if self.node.raft.raft_log.applied < self.applied {
                self.node.advance_apply_to(self.applied);
            }
        }
    }

    /// The library's first entry of a leader is empty. It is given the leader's name before it goes anywhere, so that
    /// it becomes the same LeaderChange record on every replica.
    fn name_leader_in_its_entry(&mut self) {
        let raft = &mut self.node.raft;
        let Some(index) = raft.raft_log.unstable.entries.first().map(|entry| entry.index) else { return };
        let term = raft.term;
        // Only the first entry of the term: a refused change of the membership is empty, too.
        let is_first = raft.raft_log.term(index - 1).is_ok_and(|before| before < term);
        let is_unnamed = |entry: &RaftEntry| {
            entry.index == index
                && entry.term == term
                && entry.entry_type == EntryType::EntryNormal
                && entry.data.is_empty()
                && entry.context.is_empty()
        };
        if raft.state != StateRole::Leader || !is_first {
            return;
        }
        let voter = |replica: &super::ReplicaKey| Voter {
            voter_id: replica.id,
            // The directories are in the voters' own records; this form of the record has none.
            voter_directory_id: protocol::id::DirectoryId::ZERO,
        };
        let message = LeaderChangeMessage {
            version: codec::LEADER_CHANGE_VERSION,
            leader_id: self.config.replica.id,
            voters: self.membership.voters.iter().map(voter).collect(),
            granting_voters: Vec::new(),
        };
        let context = Bytes::from(codec::leader_change_bytes(&message));
        let sent = raft.msgs.iter_mut().filter(|message| message.msg_type == MessageType::MsgAppend);
        let entries = sent.flat_map(|message| message.entries.iter_mut());
        for entry in
            raft.r.raft_log.unstable.entries.iter_mut().chain(entries).filter(|entry| is_unnamed(entry))
        {
            entry.context = context.clone();
        }
    }

    fn announce(&mut self, effects: &mut Vec<Effect>) {
        let raft = &self.node.raft;
        let leader = (raft.leader_id != raft::INVALID_ID).then_some(RaftId(raft.leader_id));
        let role = match raft.state {
            StateRole::Leader => Role::Leader { term: raft.term },
            StateRole::Follower => Role::Follower { term: raft.term, leader },
            StateRole::PreCandidate | StateRole::Candidate => {
                Role::Follower { term: raft.term, leader: None }
            }
        };
        if self.announced == role {
            return;
        }
        self.announced = role;
        if !self.is_leader() {
            self.fail_reads(effects);
            self.snapshots_offered.clear();
        }
        effects.push(Effect::Became(role));
    }
}

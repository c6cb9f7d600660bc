//! The metadata quorum: one replica of the replicated log of metadata records.
//!
//! Owner: one thread of the node, beside the metadata log's storage. Inside is the `raft` crate's `RawNode`; around it
//! everything that makes it deterministic and safe to feed: time and election timeouts come from outside and from the
//! seed, messages on which it would stop the process are refused, entries carry record offsets, and nothing that
//! promises durability leaves before the caller has said [`Event::Persisted`].
//!
//! Each entry is one record batch. Term is leader epoch. Reads go through ReadIndex, never through a lease. A learner
//! or a follower never forwards proposals or reads: the caller sends requests to the leader.
//!
//! Deliberately absent: joint consensus (one replica changes at a time), priorities, follower reads.

pub mod batch;
mod codec;
mod entry;
mod message;
mod propose;
mod ready;
mod restore;
pub mod snapshot;
pub mod state_file;
mod status;
mod store;
#[cfg(test)]
mod tests;

pub use entry::{
    ChangeKind, Entry, HardState, MEMBERS_MAX, Membership, MembershipChange, Payload, PersistedState, RaftId,
    ReplicaKey, SnapshotMeta, epoch_of,
};
pub use message::{Body, Message, Refusal};
pub use restore::{RestoreError, Restored, restore};
pub use status::{PeerStatus, Role, Status};

use bytes::Bytes;
use message::LogEnds;
use protocol::id::{Monotonic, Offset};
use protocol::random::SplitMix64;
use raft::{RawNode, StateRole};
use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;
use store::Store;

/// One tick of the consensus. Elections start 8 to 16 ticks (400 to 800 ms) after the leader fell silent.
pub const TICK: Duration = Duration::from_millis(50);
const ELECTION_TICKS: usize = 8;
const HEARTBEAT_TICKS: usize = 2;
/// Ticks made up for after a stall; the rest is forgotten, so that a paused process listens before it campaigns.
const TICKS_AT_ONCE_MAX: usize = 4;
/// The most that one Append carries, besides its last entry.
const APPEND_BYTES_MAX: u64 = 1 << 20;
/// Appends under way to one follower.
const APPENDS_IN_FLIGHT_MAX: usize = 64;
/// Proposals beyond this many uncommitted bytes are dropped.
const UNCOMMITTED_BYTES_MAX: u64 = 16 << 20;
/// The largest batch that can be proposed (Kafka: `KafkaRaftClient.MAX_BATCH_SIZE_BYTES`).
pub const BATCH_BYTES_MAX: usize = 8 << 20;
/// A snapshot is asked for when the log in memory is larger.
pub const SNAPSHOT_BYTES: usize = 32 << 20;
/// Entries that are kept behind a snapshot, so that a slow follower is spared the snapshot.
pub const KEPT_ENTRIES: u64 = 1000;
/// Reads that wait at the same time; more fail at once.
pub const READS_MAX: usize = 1000;
/// A snapshot of which nothing is heard in this time is offered again: the library waits for a lost one for ever.
pub const SNAPSHOT_RETRY: Duration = Duration::from_secs(2);
/// A read that is not confirmed in this time fails.
pub const READ_TIMEOUT: Duration = Duration::from_secs(2);

/// What a replica is told at start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// This replica.
    pub replica: ReplicaKey,
    /// Where its election timeouts come from.
    pub seed: u64,
}

/// What happens to a replica.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// The time of [`Quorum::next_deadline`] has come.
    Timer,
    /// A peer's message, from the connection of that peer.
    Message(Message),
    /// All [`Effect::Persist`] up to this ticket are on stable storage.
    Persisted(u64),
    /// Replicate this record batch; the leader alone can. `cookie` comes back in [`Effect::ProposalFate`].
    Propose {
        /// The batch; its base offset and leader epoch are set when it is written.
        batch: Bytes,
        /// The caller's name for it.
        cookie: u64,
    },
    /// Change one replica's place; one change at a time.
    ChangeMembership {
        /// What happens.
        kind: ChangeKind,
        /// To whom.
        replica: ReplicaKey,
        /// The caller's name for it.
        cookie: u64,
    },
    /// Hand the leadership to a voter. Given up after 400 ms; proposals are dropped meanwhile.
    Transfer(RaftId),
    /// Stand for election now.
    Campaign,
    /// The peer's process is gone: its connection was reset and it refuses another.
    PeerLost(RaftId),
    /// Ask for the offset up to which everything committed before now lies ([`Effect::ReadReady`]).
    Read {
        /// The caller's name for it.
        cookie: u64,
    },
    /// The caller has stored a snapshot made from [`Quorum::snapshot_meta`].
    SnapshotTaken(SnapshotMeta),
    /// The snapshot of a [`Body::Snapshot`] reached that peer, or did not.
    SnapshotSent {
        /// The peer.
        to: RaftId,
        /// Whether it has the bytes.
        arrived: bool,
    },
}

/// What the caller must do, in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Effect {
    /// Bring this to stable storage, in this order: the snapshot, the cut of the log, the entries, the hard state.
    /// Tickets count up; say [`Event::Persisted`] when done. A crash may lose it from any of these points on.
    Persist {
        /// Names this effect.
        ticket: u64,
        /// Term, vote and what must be known as committed, when they changed.
        hard_state: Option<HardState>,
        /// Start over from this snapshot, whose bytes were brought over before the message was stepped.
        snapshot: Option<SnapshotMeta>,
        /// Cut the log from this entry and offset on, included.
        truncate_from: Option<(u64, Offset)>,
        /// Append these.
        entries: Vec<Entry>,
    },
    /// Give this to the peer; it may be lost.
    Send(Message),
    /// These are committed and persisted here: replay them in order.
    Committed(Vec<Entry>),
    /// The role, the leader or the term changed.
    Became(Role),
    /// What came of a proposal.
    ProposalFate {
        /// The proposal.
        cookie: u64,
        /// Its fate.
        fate: ProposalFate,
    },
    /// Everything that was committed when the read was asked for ends at this offset: answer from an image that
    /// reaches it.
    ReadReady {
        /// The read.
        cookie: u64,
        /// The end of what must be seen.
        end_offset: Offset,
    },
    /// The read was not confirmed: this replica does not lead, or reaches no majority.
    ReadFailed {
        /// The read.
        cookie: u64,
    },
    /// The log in memory is large: take a snapshot and say [`Event::SnapshotTaken`].
    NeedSnapshot,
    /// A message was refused; log it.
    Refused {
        /// Who sent it.
        from: RaftId,
        /// Why.
        why: Refusal,
    },
}

/// What came of a proposal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProposalFate {
    /// It is in this replica's log. It is committed when that entry comes in [`Effect::Committed`] with that term;
    /// unknown when the leadership goes before.
    Appended {
        /// Its term.
        term: u64,
        /// Its index.
        index: u64,
        /// The offset of its first record.
        base_offset: Offset,
    },
    /// It is nowhere, and never will be.
    Dropped,
}

/// What was found on disk cannot be a replica's state.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OpenError {
    /// The entries have holes, or terms that go back.
    #[error("the metadata log's entry {0} does not follow on the one before")]
    Entry(u64),
    /// Entries are missing that are known to be committed.
    #[error("the metadata log ends before entry {0}, which is known to be committed")]
    Committed(u64),
    /// The snapshot names no quorum.
    #[error("the metadata snapshot names no voters, or one of them twice")]
    Membership,
    /// The consensus refused it.
    #[error("the metadata quorum cannot start: {0}")]
    Consensus(String),
}

/// Messages that leave once everything before them is on disk.
struct Unpersisted {
    ticket: u64,
    on_disk: bool,
    messages: Vec<Message>,
}

struct PendingRead {
    cookie: u64,
    deadline: Monotonic,
    /// The context under which it was asked; `None` until the consensus takes reads.
    asked: Option<u64>,
}

/// One replica of the metadata quorum.
pub struct Quorum {
    config: Config,
    node: RawNode<Store>,
    now: Monotonic,
    next_tick: Monotonic,
    campaigns: u64,
    unpersisted: VecDeque<Unpersisted>,
    announced: Role,
    membership: Membership,
    /// Memberships by the entry that brought them into force, since the last snapshot.
    memberships: Vec<(u64, Membership)>,
    applied: u64,
    incoming: Option<SnapshotMeta>,
    reads: VecDeque<PendingRead>,
    read_context: u64,
    snapshot_asked: bool,
    snapshots_offered: BTreeMap<RaftId, Monotonic>,
    contacts: BTreeMap<RaftId, Monotonic>,
}

impl Quorum {
    /// A replica as it was when it last persisted: a follower without a leader until [`Effect::Became`] says more. A
    /// sole voter campaigns at the first timer, which is due at once. A replica that joins starts from a copy of its
    /// peers' latest snapshot, which need not have it as a member.
    ///
    /// # Errors
    /// The state on disk is not one that a replica can have left.
    pub fn open(config: Config, persisted: PersistedState, now: Monotonic) -> Result<Self, OpenError> {
        let PersistedState { mut hard_state, snapshot, entries } = persisted;
        if !snapshot.membership.is_valid() {
            return Err(OpenError::Membership);
        }
        let (mut index, mut term, mut end) = (snapshot.index, snapshot.term, snapshot.end_offset);
        for entry in &entries {
            let follows = entry.index == index + 1 && entry.base_offset == end;
            if !follows || entry.term < term {
                return Err(OpenError::Entry(entry.index));
            }
            (index, term, end) = (entry.index, entry.term, entry.end_offset());
        }
        if hard_state.committed > index {
            return Err(OpenError::Committed(hard_state.committed));
        }
        if hard_state.term < term {
            // The crash came between the entries and the hard state: this replica promised nothing in that term.
            hard_state = HardState { term, vote: None, ..hard_state };
        }
        let raft_config = raft::Config {
            id: config.replica.raft_id().0,
            election_tick: ELECTION_TICKS,
            heartbeat_tick: HEARTBEAT_TICKS,
            applied: snapshot.index,
            max_size_per_msg: APPEND_BYTES_MAX,
            max_inflight_msgs: APPENDS_IN_FLIGHT_MAX,
            check_quorum: true,
            pre_vote: true,
            max_uncommitted_size: UNCOMMITTED_BYTES_MAX,
            ..raft::Config::default()
        };
        let (membership, applied) = (snapshot.membership.clone(), snapshot.index);
        let store = Store::new(hard_state, snapshot, &entries);
        let logger = slog::Logger::root(slog::Discard, slog::o!());
        let node =
            RawNode::new(&raft_config, store, &logger).map_err(|e| OpenError::Consensus(e.to_string()))?;
        let mut quorum = Self {
            config,
            node,
            now,
            next_tick: now,
            campaigns: 0,
            unpersisted: VecDeque::new(),
            announced: Role::Follower { term: hard_state.term, leader: None },
            memberships: vec![(applied, membership.clone())],
            membership,
            applied,
            incoming: None,
            reads: VecDeque::new(),
            read_context: 0,
            snapshot_asked: false,
            snapshots_offered: BTreeMap::new(),
            contacts: BTreeMap::new(),
        };
        quorum.pin_election_timeout();
        Ok(quorum)
    }

    /// Takes one event to its end.
    pub fn step(&mut self, now: Monotonic, event: Event, effects: &mut Vec<Effect>) {
        self.now = self.now.max(now);
        match event {
            Event::Timer => self.timer(effects),
            Event::Message(message) => self.message(&message, effects),
            Event::Persisted(ticket) => self.persisted(ticket, effects),
            Event::Propose { batch, cookie } => self.propose(&batch, cookie, effects),
            Event::ChangeMembership { kind, replica, cookie } => {
                self.change_membership(kind, replica, cookie, effects);
            }
            Event::Transfer(to) => {
                if self.is_leader() && to != self.id() {
                    self.node.transfer_leader(to.0);
                }
            }
            Event::Campaign => self.campaign(),
            Event::PeerLost(peer) => self.peer_lost(peer),
            Event::Read { cookie } => self.read(cookie, effects),
            Event::SnapshotTaken(snapshot) => self.snapshot_taken(snapshot),
            Event::SnapshotSent { to, arrived } => self.snapshot_sent(to, arrived),
        }
        self.drain(effects);
    }

    /// When [`Event::Timer`] is due; `None` while nothing waits for time, as in a sole voter that leads.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Monotonic> {
        let idle = self.is_leader() && self.is_sole_member() && self.reads.is_empty();
        (!idle).then_some(self.next_tick)
    }

    fn id(&self) -> RaftId {
        RaftId(self.node.raft.id)
    }

    fn is_leader(&self) -> bool {
        self.node.raft.state == StateRole::Leader
    }

    fn is_sole_voter(&self) -> bool {
        self.membership.voters.as_slice() == [self.config.replica]
    }

    fn is_sole_member(&self) -> bool {
        self.is_sole_voter() && self.membership.learners.is_empty()
    }

    fn timer(&mut self, effects: &mut Vec<Effect>) {
        self.expire_reads(effects);
        self.offer_snapshots_again();
        if self.is_sole_voter() && !self.is_leader() {
            self.campaign();
        }
        for _ in 0..TICKS_AT_ONCE_MAX {
            if self.next_tick > self.now {
                return;
            }
            self.next_tick = self.next_tick.plus(TICK);
            let raft = &self.node.raft;
            if !self.is_leader() && raft.election_elapsed + 1 >= raft.randomized_election_timeout() {
                if self.must_wait_to_campaign() {
                    continue;
                }
                self.campaigns += 1;
            }
            self.node.tick();
            self.drain(effects);
        }
        if self.next_tick <= self.now {
            self.next_tick = self.now.plus(TICK);
        }
    }

    /// A sole voter leads in the same step in which it campaigns: all that it wrote must be on disk by then. And a
    /// snapshot that is not on disk is not applied, so that the library would look for entries before it.
    fn must_wait_to_campaign(&self) -> bool {
        let installs = self.node.raft.raft_log.applied < self.applied;
        installs || (self.is_sole_voter() && !self.unpersisted.is_empty())
    }

    fn campaign(&mut self) {
        // The library would let a replica that is no voter campaign, and stops the process when it wins.
        if self.node.raft.promotable() && !self.must_wait_to_campaign() {
            self.campaigns += 1;
            // It does nothing while a change of the membership is committed and not applied.
            let _ = self.node.campaign();
        }
    }

    /// Drops the lease of a leader that is gone. The first in an order drawn from the term campaigns at once, the
    /// others two ticks apart, so that they do not split the vote.
    fn peer_lost(&mut self, peer: RaftId) {
        self.node.report_unreachable(peer.0);
        if self.is_leader() || self.node.raft.leader_id != peer.0 {
            return;
        }
        let term = self.node.raft.term;
        self.node.raft.become_follower(term, raft::INVALID_ID);
        self.pin_election_timeout();
        let rank_of = |id: u64| mix(id ^ mix(term));
        let own = rank_of(self.id().0);
        let others = self.membership.voters.iter().map(ReplicaKey::raft_id);
        let earlier = others.filter(|id| *id != peer && rank_of(id.0) < own).count();
        if earlier == 0 {
            self.campaign();
        } else {
            let timeout = self.node.raft.randomized_election_timeout();
            self.node.raft.election_elapsed = timeout.saturating_sub(2 * earlier);
        }
    }

    fn message(&mut self, message: &Message, effects: &mut Vec<Effect>) {
        let log = &self.node.raft.raft_log;
        let ends = LogEnds {
            local: self.id(),
            term: self.node.raft.term,
            last_index: log.last_index(),
            committed: log.committed,
            committed_term: log.term(log.committed).unwrap_or(0),
        };
        let checked = message.check(&ends).and_then(|()| self.check_offsets(message));
        if let Err(why) = checked {
            effects.push(Effect::Refused { from: message.from, why });
            return;
        }
        if message.body == Body::TimeoutNow && self.must_wait_to_campaign() {
            return;
        }
        if let Body::Snapshot { snapshot } = &message.body {
            self.incoming = Some(snapshot.clone());
        }
        self.contacts.insert(message.from, self.now);
        self.contacts.retain(|id, _| self.membership.replica(*id).is_some());
        // Refused without harm: a response from a replica that is no member.
        let _ = self.node.step(codec::message_to_raft(message));
    }

    /// Every replica gives an entry the same offset: entries that follow on a known one must agree.
    fn check_offsets(&self, message: &Message) -> Result<(), Refusal> {
        let Body::Append { previous_index, previous_term, entries, .. } = &message.body else {
            return Ok(());
        };
        let Some(first) = entries.first().filter(|_| message.term >= self.node.raft.term) else {
            return Ok(());
        };
        let same = self.node.raft.raft_log.match_term(*previous_index, *previous_term);
        match self.node.store().end_offset(*previous_index) {
            Some(end) if same && end != first.base_offset => Err(Refusal::Offsets),
            _ => Ok(()),
        }
    }

    /// Election timeouts are the library's only randomness; here they are a function of seed, replica, term and the
    /// number of campaigns.
    fn pin_election_timeout(&mut self) {
        let raft = &self.node.raft;
        let drawn = mix(self.config.seed ^ mix(raft.id ^ mix(raft.term ^ mix(self.campaigns))));
        let spread = usize::try_from(drawn % ELECTION_TICKS as u64).unwrap_or(0);
        self.node.raft.set_randomized_election_timeout(ELECTION_TICKS + spread);
    }
}

/// Every bit of the result depends on every bit of the input.
const fn mix(value: u64) -> u64 {
    SplitMix64::new(value).next()
}

//! What a replica can say of itself and, when it leads, of the others (DescribeQuorum).

use super::entry::{Membership, RaftId, ReplicaKey, epoch_of};
use super::{Quorum, TICK};
use protocol::id::{LeaderEpoch, Monotonic, Offset};
use raft::ProgressState;

/// A replica's part in its term.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// It leads. It decides from what is committed only after its first entry is.
    Leader {
        /// The term.
        term: u64,
    },
    /// It follows, or seeks votes.
    Follower {
        /// The term.
        term: u64,
        /// Whom it follows, if it knows a leader.
        leader: Option<RaftId>,
    },
}

/// How a peer stands, as its leader sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PeerStatus {
    /// The peer.
    pub replica: ReplicaKey,
    /// Whether it votes.
    pub is_voter: bool,
    /// One past the last record that it is known to hold; unknown when that lies before what is in memory.
    pub log_end_offset: Offset,
    /// When it was last heard of.
    pub last_contact: Option<Monotonic>,
    /// Whether it waits for a snapshot.
    pub needs_snapshot: bool,
}

/// How a replica stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Status {
    /// Role, leader and term.
    pub role: Role,
    /// The leader, which may be this replica.
    pub leader: Option<ReplicaKey>,
    /// The term as Kafka's leader epoch.
    pub leader_epoch: LeaderEpoch,
    /// One past the last record here.
    pub log_end_offset: Offset,
    /// One past the last record that is known to be committed.
    pub high_watermark: Offset,
    /// The last entry that was given to the caller as committed.
    pub applied: u64,
    /// Who replicates the log.
    pub membership: Membership,
    /// Bytes of the log in memory.
    pub bytes: usize,
    /// Everybody else, when this replica leads.
    pub peers: Vec<PeerStatus>,
}

impl Quorum {
    /// How the replica stands.
    #[must_use]
    pub fn status(&self) -> Status {
        let raft = &self.node.raft;
        let leader = (raft.leader_id != raft::INVALID_ID).then_some(RaftId(raft.leader_id));
        let role = if self.is_leader() {
            Role::Leader { term: raft.term }
        } else {
            Role::Follower { term: raft.term, leader }
        };
        let store = self.node.store();
        Status {
            role,
            leader: leader.and_then(|id| self.membership.replica(id).copied()),
            leader_epoch: epoch_of(raft.term),
            log_end_offset: store.log_end_offset(),
            high_watermark: store.end_offset(raft.raft_log.committed).unwrap_or(Offset::UNKNOWN),
            applied: self.applied,
            membership: self.membership.clone(),
            bytes: store.bytes(),
            peers: if self.is_leader() { self.peers() } else { Vec::new() },
        }
    }

    fn peers(&self) -> Vec<PeerStatus> {
        let voters = self.membership.voters.iter().map(|replica| (replica, true));
        let learners = self.membership.learners.iter().map(|replica| (replica, false));
        let others = voters.chain(learners).filter(|(replica, _)| **replica != self.config.replica);
        others
            .filter_map(|(replica, is_voter)| {
                let progress = self.node.raft.prs().get(replica.raft_id().0)?;
                let end_offset = self.node.store().end_offset(progress.matched);
                Some(PeerStatus {
                    replica: *replica,
                    is_voter,
                    log_end_offset: end_offset.unwrap_or(Offset::UNKNOWN),
                    last_contact: self.contacts.get(&replica.raft_id()).copied(),
                    needs_snapshot: progress.state == ProgressState::Snapshot,
                })
            })
            .collect()
    }

    /// Whether the leader has heard of a majority lately; a follower whether it has heard of its leader.
    #[must_use]
    pub fn is_connected(&self, now: Monotonic) -> bool {
        let recent = |id: &RaftId| self.contacts.get(id).is_some_and(|at| now.since(*at) <= TICK * 16);
        if self.is_leader() {
            let voters = self.membership.voters.iter().map(ReplicaKey::raft_id);
            let alive = voters.filter(|id| *id == self.id() || recent(id)).count();
            return alive > self.membership.voters.len() / 2;
        }
        recent(&RaftId(self.node.raft.leader_id))
    }
}

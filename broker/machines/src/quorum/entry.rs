//! What the quorum's log is made of, and who replicates it.

use bytes::Bytes;
use protocol::id::{BrokerId, DirectoryId, LeaderEpoch, Offset};
use protocol::metadata_record::control::LeaderChangeMessage;
use std::fmt;

/// A replica's name inside the consensus: made from broker and directory, so that a broker with an emptied directory
/// is another replica and never votes as its predecessor. The upper half is the broker's id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RaftId(pub u64);

impl RaftId {
    /// The broker behind the name.
    #[must_use]
    pub fn broker(self) -> BrokerId {
        BrokerId(i32::try_from(self.0 >> 32).unwrap_or(i32::MAX))
    }
}

impl fmt::Display for RaftId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{:08x}", self.broker(), self.0 & 0xffff_ffff)
    }
}

/// A replica of the metadata log: a broker with its metadata directory (Kafka: `ReplicaKey`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ReplicaKey {
    /// The broker; not negative.
    pub id: BrokerId,
    /// The directory that holds its metadata log.
    pub directory_id: DirectoryId,
}

impl ReplicaKey {
    /// The replica's name inside the consensus.
    #[must_use]
    pub fn raft_id(&self) -> RaftId {
        // FNV-1a, kept to 32 bits: two directories of one broker share a name once in 4 billion.
        let hash = self
            .directory_id
            .0
            .iter()
            .fold(0x811c_9dc5_u32, |hash, byte| (hash ^ u32::from(*byte)).wrapping_mul(0x0100_0193));
        // 0 stands for "nobody" in the consensus.
        RaftId((u64::from(self.id.0.unsigned_abs()) << 32) | u64::from(hash.max(1)))
    }
}

impl fmt::Display for ReplicaKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}", self.id, self.directory_id)
    }
}

/// Who replicates the metadata log, each list ordered.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Membership {
    /// Those whose majority commits.
    pub voters: Vec<ReplicaKey>,
    /// Those who only follow.
    pub learners: Vec<ReplicaKey>,
}

impl Membership {
    /// A membership of voters alone.
    #[must_use]
    pub fn of_voters(mut voters: Vec<ReplicaKey>) -> Self {
        voters.sort_unstable();
        voters.dedup();
        Self { voters, learners: Vec::new() }
    }

    /// The replica of that name.
    #[must_use]
    pub fn replica(&self, id: RaftId) -> Option<&ReplicaKey> {
        self.voters.iter().chain(&self.learners).find(|replica| replica.raft_id() == id)
    }

    /// The membership after a change; `None` when the change has nothing to change, or would leave no voter.
    #[must_use]
    pub fn changed(&self, kind: ChangeKind, replica: ReplicaKey) -> Option<Self> {
        let mut after = self.clone();
        after.voters.retain(|member| *member != replica);
        after.learners.retain(|member| *member != replica);
        match kind {
            ChangeKind::AddVoter => after.voters.push(replica),
            ChangeKind::AddLearner => after.learners.push(replica),
            ChangeKind::Remove => {}
        }
        after.voters.sort_unstable();
        after.learners.sort_unstable();
        (after != *self && after.is_valid()).then_some(after)
    }

    /// Whether a quorum can be made of it: a voter, no replica twice, ids of real brokers.
    #[must_use]
    pub fn is_valid(&self) -> bool {
        let mut ids: Vec<RaftId> =
            self.voters.iter().chain(&self.learners).map(ReplicaKey::raft_id).collect();
        let all = ids.len();
        ids.sort_unstable();
        ids.dedup();
        !self.voters.is_empty()
            && ids.len() == all
            && all <= MEMBERS_MAX
            && self.voters.iter().chain(&self.learners).all(|replica| replica.id.0 >= 0)
    }
}

/// The most replicas that a membership may have; brokers beyond follow without being members.
pub const MEMBERS_MAX: usize = 1000;

/// What a change of the membership does with its replica.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChangeKind {
    /// It becomes a voter; a learner is promoted.
    AddVoter,
    /// It becomes a learner; a voter is demoted.
    AddLearner,
    /// It is out.
    Remove,
}

/// One replica's place in the quorum changes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MembershipChange {
    /// What happens.
    pub kind: ChangeKind,
    /// To whom.
    pub replica: ReplicaKey,
    /// Everybody afterwards.
    pub after: Membership,
}

/// What an entry of the log holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Payload {
    /// Nothing: stands where a change of the membership came while another was under way.
    Empty,
    /// The first entry of a leader.
    LeaderChange(LeaderChangeMessage),
    /// One record batch of metadata records: base offset and leader epoch are not set in it.
    Records(Bytes),
    /// A change of the membership, in force once it is committed.
    Membership(MembershipChange),
}

/// One entry of the log: one record batch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The entry's place in the log, without holes, from 1.
    pub index: u64,
    /// The term of the leader that proposed it; the batch's leader epoch.
    pub term: u64,
    /// The offset of its first record; the same on every replica.
    pub base_offset: Offset,
    /// What it holds.
    pub payload: Payload,
}

impl Entry {
    /// One past its last record.
    #[must_use]
    pub fn end_offset(&self) -> Offset {
        self.base_offset.plus(self.payload.records_count())
    }

    /// The batch's leader epoch.
    #[must_use]
    pub fn leader_epoch(&self) -> LeaderEpoch {
        epoch_of(self.term)
    }
}

impl Payload {
    /// How many offsets the entry takes: a control batch has one record.
    #[must_use]
    pub fn records_count(&self) -> i64 {
        match self {
            Self::Records(batch) => super::batch::records_count(batch).unwrap_or(1),
            _ => 1,
        }
    }
}

/// The term as the leader epoch that it is in Kafka's terms. Terms beyond are refused where they come in.
#[must_use]
pub fn epoch_of(term: u64) -> LeaderEpoch {
    LeaderEpoch(i32::try_from(term).unwrap_or(i32::MAX))
}

/// What a replica must remember besides its log: synced after the entries of the same
/// [`Effect::Persist`](super::Effect::Persist), so that it never names one that is not there.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct HardState {
    /// The latest term seen.
    pub term: u64,
    /// Whom this replica voted for in it.
    pub vote: Option<RaftId>,
    /// Entries up to here are known to be committed. Not all that are: only as far as a change of the membership
    /// needs, which must be in force again before the replica takes part in an election.
    pub committed: u64,
}

/// What a snapshot of the metadata log stands for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SnapshotMeta {
    /// The last entry in it; 0 is the state before the first entry.
    pub index: u64,
    /// That entry's term.
    pub term: u64,
    /// One past that entry's last record.
    pub end_offset: Offset,
    /// Who replicates the log as of that entry.
    pub membership: Membership,
}

/// What was found on disk at start.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PersistedState {
    /// The term and vote.
    pub hard_state: HardState,
    /// The latest snapshot; a fresh quorum has one with index 0 that names its voters.
    pub snapshot: SnapshotMeta,
    /// The entries after the snapshot.
    pub entries: Vec<Entry>,
}

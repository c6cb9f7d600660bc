//! What is answered, in one form for all versions.

use bytes::Bytes;
use protocol::ErrorCode;
use protocol::id::{LeaderEpoch, Offset, PartitionIndex, Uuid};

use super::record::GroupRecord;
use super::request::Caller;

/// Names a batch of one shard; they grow by one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BatchId(pub u64);

/// Records that are appended together, as one record batch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupBatch {
    /// Its name.
    pub id: BatchId,
    /// At least one.
    pub records: Vec<GroupRecord>,
}

/// What a call gives: answers that may leave, and batches to append in this order. Calls only add to it.
#[derive(Debug, Default)]
pub struct Outcome {
    /// Who gets which answer.
    pub replies: Vec<(Caller, Reply)>,
    /// What is to be appended.
    pub batches: Vec<GroupBatch>,
}

impl Outcome {
    /// Empties both lists and keeps their memory.
    pub fn clear(&mut self) {
        self.replies.clear();
        self.batches.clear();
    }
}

/// An answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reply {
    /// To JoinGroup.
    Join(JoinReply),
    /// To SyncGroup.
    Sync(SyncReply),
    /// To LeaveGroup.
    Leave(LeaveReply),
    /// To OffsetCommit.
    OffsetCommit(OffsetCommitReply),
    /// To OffsetDelete.
    OffsetDelete(OffsetDeleteReply),
    /// To DeleteGroups.
    DeleteGroups(Vec<DeletedGroup>),
}

/// The answer to JoinGroup.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JoinReply {
    /// Kafka's code.
    pub error_code: ErrorCode,
    /// The generation that the member is now in; -1 with an error.
    pub generation_id: i32,
    /// The group's protocol type.
    pub protocol_type: Option<String>,
    /// The protocol that was chosen.
    pub protocol_name: Option<String>,
    /// The member that assigns.
    pub leader: String,
    /// Whether the leader leaves the assignment as it is (KIP-814).
    pub skip_assignment: bool,
    /// The member's id.
    pub member_id: String,
    /// All members, for the leader alone.
    pub members: Vec<JoinedMember>,
}

impl JoinReply {
    /// Nothing but an error and the member's id.
    pub(super) fn error(error_code: ErrorCode, member_id: &str) -> Self {
        Self {
            error_code,
            generation_id: -1,
            protocol_type: None,
            protocol_name: None,
            leader: String::new(),
            skip_assignment: false,
            member_id: member_id.to_owned(),
            members: Vec::new(),
        }
    }
}

/// A member as the leader sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JoinedMember {
    /// Its id.
    pub member_id: String,
    /// `group.instance.id` of a static member.
    pub group_instance_id: Option<String>,
    /// Its metadata for the protocol that was chosen.
    pub metadata: Bytes,
}

/// The answer to SyncGroup.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SyncReply {
    /// Kafka's code.
    pub error_code: ErrorCode,
    /// The group's protocol type.
    pub protocol_type: Option<String>,
    /// The protocol that was chosen.
    pub protocol_name: Option<String>,
    /// What the leader assigned to the member.
    pub assignment: Bytes,
}

impl SyncReply {
    pub(super) const fn error(error_code: ErrorCode) -> Self {
        Self { error_code, protocol_type: None, protocol_name: None, assignment: Bytes::new() }
    }
}

/// The answer to LeaveGroup.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeaveReply {
    /// Concerns the whole request.
    pub error_code: ErrorCode,
    /// One per member, in the order of the request.
    pub members: Vec<LeftMember>,
}

/// What became of a member that was to leave.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeftMember {
    /// As in the request.
    pub member_id: String,
    /// As in the request.
    pub group_instance_id: Option<String>,
    /// Kafka's code.
    pub error_code: ErrorCode,
}

/// The answer to OffsetCommit: the topics and partitions of the request in their order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OffsetCommitReply {
    /// Each with its code.
    pub topics: Vec<TopicCodes>,
}

/// Codes for partitions of a topic.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TopicCodes {
    /// The topic.
    pub name: String,
    /// Its id as in the request; zero where there is none.
    pub topic_id: Uuid,
    /// The partitions in the order of the request.
    pub partitions: Vec<(PartitionIndex, ErrorCode)>,
}

impl TopicCodes {
    /// Says that what would have been done was not.
    pub(super) fn fail_all(topics: &mut [Self], error_code: ErrorCode) {
        for (_, code) in topics.iter_mut().flat_map(|topic| &mut topic.partitions) {
            if *code == ErrorCode::None {
                *code = error_code;
            }
        }
    }
}

/// A committed offset.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FetchedOffset {
    /// The partition.
    pub index: PartitionIndex,
    /// The offset; -1 when none is committed.
    pub offset: Offset,
    /// The epoch that was committed with it.
    pub leader_epoch: LeaderEpoch,
    /// The metadata that was committed with it.
    pub metadata: String,
}

/// Committed offsets of a topic.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FetchedTopic {
    /// The topic.
    pub name: String,
    /// Its partitions.
    pub partitions: Vec<FetchedOffset>,
}

/// The answer to OffsetDelete.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OffsetDeleteReply {
    /// Concerns the whole request; then there are no topics.
    pub error_code: ErrorCode,
    /// The topics and partitions of the request in their order.
    pub topics: Vec<TopicCodes>,
}

/// What became of a group that was to be deleted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeletedGroup {
    /// The group.
    pub group_id: String,
    /// Kafka's code.
    pub error_code: ErrorCode,
}

/// Where a group stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum GroupState {
    /// No members; offsets may be there.
    Empty,
    /// Members join.
    PreparingRebalance,
    /// Members have joined; the leader's assignment is awaited.
    CompletingRebalance,
    /// Every member has its assignment.
    Stable,
    /// There is no such group.
    Dead,
}

impl GroupState {
    /// Kafka's name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Empty => "Empty",
            Self::PreparingRebalance => "PreparingRebalance",
            Self::CompletingRebalance => "CompletingRebalance",
            Self::Stable => "Stable",
            Self::Dead => "Dead",
        }
    }
}

/// A group in a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedGroup {
    /// The group.
    pub group_id: String,
    /// Its protocol type; empty where it has none.
    pub protocol_type: String,
    /// Its state.
    pub state: GroupState,
}

/// A group with its members.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DescribedGroup {
    /// `GROUP_ID_NOT_FOUND` with the state Dead, or why this broker cannot say.
    pub error_code: ErrorCode,
    /// For people (KIP-1043).
    pub error_message: Option<String>,
    /// The group.
    pub group_id: String,
    /// Its state.
    pub state: GroupState,
    /// Its protocol type; empty where it has none.
    pub protocol_type: String,
    /// The protocol that was chosen; empty unless it is stable.
    pub protocol_data: String,
    /// The members.
    pub members: Vec<DescribedMember>,
}

/// A member of a described group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DescribedMember {
    /// Its id.
    pub member_id: String,
    /// `group.instance.id` of a static member.
    pub group_instance_id: Option<String>,
    /// Its client's id.
    pub client_id: String,
    /// Its client's address.
    pub client_host: String,
    /// Its metadata for the chosen protocol; empty unless the group is stable.
    pub metadata: Bytes,
    /// Its assignment.
    pub assignment: Bytes,
}

/// What loading found.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct LoadReport {
    /// Groups, those that only hold offsets included.
    pub groups: usize,
    /// Committed offsets.
    pub offsets: usize,
    /// Records that could not be read or are of kinds that are not known here.
    pub ignored: u64,
}

/// Figures of one shard.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct GroupCounts {
    /// Groups.
    pub groups: usize,
    /// Groups in the state Empty.
    pub empty: usize,
    /// Groups in the state PreparingRebalance.
    pub preparing_rebalance: usize,
    /// Groups in the state CompletingRebalance.
    pub completing_rebalance: usize,
    /// Groups in the state Stable.
    pub stable: usize,
    /// Members of all groups.
    pub members: usize,
    /// Committed offsets.
    pub offsets: usize,
    /// Records that could not be read or are of kinds that are not known here.
    pub ignored_records: u64,
    /// Rebalances that ended with an assignment.
    pub rebalances: u64,
    /// Offsets that were committed.
    pub offset_commits: u64,
    /// Offsets whose retention ended.
    pub offset_expirations: u64,
}

//! OffsetCommit (8): a group notes how far it has read.

use protocol_derive::{Fields, Message};

use crate::ErrorCode;
use crate::id::{GenerationId, LeaderEpoch, Offset, PartitionIndex, TopicId};

/// Stores offsets of a group.
#[derive(Debug, Clone, PartialEq, Eq, Message)]
#[message(key = OffsetCommit, response = OffsetCommitResponse, versions = "2-10", flexible = "8+")]
pub struct OffsetCommitRequest {
    /// The group.
    pub group_id: String,
    /// The generation, or the epoch of a member of the newer protocol (KIP-848); -1 commits from outside
    /// of the group.
    #[field(default = GenerationId::NONE)]
    pub generation_id_or_member_epoch: GenerationId,
    /// The member; empty when it commits from outside of the group.
    pub member_id: String,
    /// The name that a static member keeps over restarts (`group.instance.id`, KIP-345); null for a
    /// dynamic one.
    #[field(versions = "7+", nullable = "7+")]
    pub group_instance_id: Option<String>,
    /// Milliseconds to keep the offsets; -1 takes `offsets.retention.minutes`.
    #[field(versions = "2-4", default = -1)]
    pub retention_time_ms: i64,
    /// What to store.
    pub topics: Vec<OffsetCommitRequestTopic>,
}

/// One topic.
#[derive(Debug, Clone, PartialEq, Eq, Fields)]
pub struct OffsetCommitRequestTopic {
    /// The topic's name.
    #[field(versions = "0-9")]
    pub name: String,
    /// The topic's id.
    #[field(versions = "10+")]
    pub topic_id: TopicId,
    /// Its partitions.
    pub partitions: Vec<OffsetCommitRequestPartition>,
}

/// One partition.
#[derive(Debug, Clone, PartialEq, Eq, Fields)]
pub struct OffsetCommitRequestPartition {
    /// The partition.
    pub partition_index: PartitionIndex,
    /// The offset of the next record to read.
    pub committed_offset: Offset,
    /// The epoch of the record before it, to notice a truncation (KIP-320); -1 is none.
    #[field(versions = "6+", default = LeaderEpoch::UNKNOWN)]
    pub committed_leader_epoch: LeaderEpoch,
    /// What the client wants to keep with the offset; null is stored as nothing.
    #[field(nullable = "0+")]
    pub committed_metadata: Option<String>,
}

/// What became of it.
#[derive(Debug, Clone, PartialEq, Eq, Message)]
#[message(versions = "2-10", flexible = "8+")]
pub struct OffsetCommitResponse {
    /// Milliseconds for which the client should send nothing, because of a quota; 0 is none.
    #[field(versions = "3+")]
    pub throttle_time_ms: i32,
    /// What was asked for, in the same order.
    pub topics: Vec<OffsetCommitResponseTopic>,
}

/// One topic's outcomes.
#[derive(Debug, Clone, PartialEq, Eq, Fields)]
pub struct OffsetCommitResponseTopic {
    /// The topic's name.
    #[field(versions = "0-9")]
    pub name: String,
    /// The topic's id.
    #[field(versions = "10+")]
    pub topic_id: TopicId,
    /// Its partitions.
    pub partitions: Vec<OffsetCommitResponsePartition>,
}

/// One partition's outcome.
#[derive(Debug, Clone, PartialEq, Eq, Fields)]
pub struct OffsetCommitResponsePartition {
    /// The partition.
    pub partition_index: PartitionIndex,
    /// The outcome for this partition.
    pub error_code: ErrorCode,
}

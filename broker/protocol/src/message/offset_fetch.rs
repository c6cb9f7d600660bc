//! OffsetFetch (9): how far groups have read.

use protocol_derive::{Fields, Message};

use crate::ErrorCode;
use crate::id::{LeaderEpoch, Offset, PartitionIndex, TopicId};

/// Asks for stored offsets, of one group before version 8 (KIP-709).
#[derive(Debug, Clone, PartialEq, Eq, Message)]
#[message(key = OffsetFetch, response = OffsetFetchResponse, versions = "1-10", flexible = "6+")]
pub struct OffsetFetchRequest {
    /// The group.
    #[field(versions = "0-7")]
    pub group_id: String,
    /// What is asked for; null is everything that the group has. Version 1 has no null.
    #[field(versions = "0-7", nullable = "2-7")]
    pub topics: Option<Vec<OffsetFetchRequestTopic>>,
    /// The groups.
    #[field(versions = "8+")]
    pub groups: Vec<OffsetFetchRequestGroup>,
    /// Answer UNSTABLE_OFFSET_COMMIT where a transaction has yet to commit or abort an offset (KIP-447).
    #[field(versions = "7+")]
    pub require_stable: bool,
}

/// One topic, named for one group.
#[derive(Debug, Clone, PartialEq, Eq, Fields)]
pub struct OffsetFetchRequestTopic {
    /// The topic's name.
    pub name: String,
    /// The partitions.
    pub partition_indexes: Vec<PartitionIndex>,
}

/// One group.
#[derive(Debug, Clone, PartialEq, Eq, Fields)]
pub struct OffsetFetchRequestGroup {
    /// The group.
    pub group_id: String,
    /// The member of the newer protocol that asks (KIP-848); null is none.
    #[field(versions = "9+", nullable = "9+")]
    pub member_id: Option<String>,
    /// Its epoch; -1 is none.
    #[field(versions = "9+", default = -1)]
    pub member_epoch: i32,
    /// What is asked for; null is everything that the group has.
    #[field(nullable = "8+")]
    pub topics: Option<Vec<OffsetFetchRequestTopics>>,
}

/// One topic of a group.
#[derive(Debug, Clone, PartialEq, Eq, Fields)]
pub struct OffsetFetchRequestTopics {
    /// The topic's name.
    #[field(versions = "8-9")]
    pub name: String,
    /// The topic's id.
    #[field(versions = "10+")]
    pub topic_id: TopicId,
    /// The partitions.
    pub partition_indexes: Vec<PartitionIndex>,
}

/// The offsets.
#[derive(Debug, Clone, PartialEq, Eq, Message)]
#[message(versions = "1-10", flexible = "6+")]
pub struct OffsetFetchResponse {
    /// Milliseconds for which the client should send nothing, because of a quota; 0 is none.
    #[field(versions = "3+")]
    pub throttle_time_ms: i32,
    /// What was found, for one group.
    #[field(versions = "0-7")]
    pub topics: Vec<OffsetFetchResponseTopic>,
    /// The outcome for the one group.
    #[field(versions = "2-7")]
    pub error_code: ErrorCode,
    /// One result for each group.
    #[field(versions = "8+")]
    pub groups: Vec<OffsetFetchResponseGroup>,
}

/// One topic's offsets, of one group.
#[derive(Debug, Clone, PartialEq, Eq, Fields)]
pub struct OffsetFetchResponseTopic {
    /// The topic's name.
    pub name: String,
    /// Its partitions.
    pub partitions: Vec<OffsetFetchResponsePartition>,
}

/// One partition's offset.
#[derive(Debug, Clone, PartialEq, Eq, Fields)]
pub struct OffsetFetchResponsePartition {
    /// The partition.
    pub partition_index: PartitionIndex,
    /// The offset of the next record to read; -1 when none is stored.
    pub committed_offset: Offset,
    /// The epoch of the record before it, to notice a truncation (KIP-320); -1 is none.
    #[field(versions = "5-7", default = LeaderEpoch::UNKNOWN)]
    pub committed_leader_epoch: LeaderEpoch,
    /// What the client kept with the offset.
    #[field(nullable = "0-7")]
    pub metadata: Option<String>,
    /// The outcome for this partition.
    pub error_code: ErrorCode,
}

/// One group's offsets.
#[derive(Debug, Clone, PartialEq, Eq, Fields)]
pub struct OffsetFetchResponseGroup {
    /// The group.
    pub group_id: String,
    /// What was found.
    pub topics: Vec<OffsetFetchResponseTopics>,
    /// The outcome for this group.
    pub error_code: ErrorCode,
}

/// One topic's offsets.
#[derive(Debug, Clone, PartialEq, Eq, Fields)]
pub struct OffsetFetchResponseTopics {
    /// The topic's name.
    #[field(versions = "8-9")]
    pub name: String,
    /// The topic's id.
    #[field(versions = "10+")]
    pub topic_id: TopicId,
    /// Its partitions.
    pub partitions: Vec<OffsetFetchResponsePartitions>,
}

/// One partition's offset, of one group of several.
#[derive(Debug, Clone, PartialEq, Eq, Fields)]
pub struct OffsetFetchResponsePartitions {
    /// The partition.
    pub partition_index: PartitionIndex,
    /// The offset of the next record to read; -1 when none is stored.
    pub committed_offset: Offset,
    /// The epoch of the record before it, to notice a truncation (KIP-320); -1 is none.
    #[field(default = LeaderEpoch::UNKNOWN)]
    pub committed_leader_epoch: LeaderEpoch,
    /// What the client kept with the offset.
    #[field(nullable = "8+")]
    pub metadata: Option<String>,
    /// The outcome for this partition.
    pub error_code: ErrorCode,
}

//! OffsetDelete (47): a group forgets how far it has read.

use protocol_derive::{Fields, Message};

use crate::ErrorCode;
use crate::id::PartitionIndex;

/// Deletes offsets of a group (KIP-496).
#[derive(Debug, Clone, PartialEq, Eq, Message)]
#[message(key = OffsetDelete, response = OffsetDeleteResponse, versions = "0")]
pub struct OffsetDeleteRequest {
    /// The group.
    pub group_id: String,
    /// Of which partitions.
    pub topics: Vec<OffsetDeleteRequestTopic>,
}

/// One topic.
#[derive(Debug, Clone, PartialEq, Eq, Fields)]
pub struct OffsetDeleteRequestTopic {
    /// The topic's name.
    pub name: String,
    /// Its partitions.
    pub partitions: Vec<OffsetDeleteRequestPartition>,
}

/// One partition.
#[derive(Debug, Clone, PartialEq, Eq, Fields)]
pub struct OffsetDeleteRequestPartition {
    /// The partition.
    pub partition_index: PartitionIndex,
}

/// What became of it.
#[derive(Debug, Clone, PartialEq, Eq, Message)]
#[message(versions = "0")]
pub struct OffsetDeleteResponse {
    /// The outcome of the whole request.
    pub error_code: ErrorCode,
    /// Milliseconds for which the client should send nothing, because of a quota; 0 is none.
    pub throttle_time_ms: i32,
    /// What was asked for, in the same order.
    pub topics: Vec<OffsetDeleteResponseTopic>,
}

/// One topic's outcomes.
#[derive(Debug, Clone, PartialEq, Eq, Fields)]
pub struct OffsetDeleteResponseTopic {
    /// The topic's name.
    pub name: String,
    /// Its partitions.
    pub partitions: Vec<OffsetDeleteResponsePartition>,
}

/// One partition's outcome.
#[derive(Debug, Clone, PartialEq, Eq, Fields)]
pub struct OffsetDeleteResponsePartition {
    /// The partition.
    pub partition_index: PartitionIndex,
    /// The outcome for this partition.
    pub error_code: ErrorCode,
}

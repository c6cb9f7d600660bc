//! DeleteRecords (21): records go from the start of partitions.

use protocol_derive::{Fields, Message};

use crate::ErrorCode;
use crate::id::{Offset, PartitionIndex};

/// Moves the log start offsets of partitions (KIP-107).
#[derive(Debug, Clone, PartialEq, Eq, Message)]
#[message(key = DeleteRecords, response = DeleteRecordsResponse, versions = "0-2", flexible = "2+")]
pub struct DeleteRecordsRequest {
    /// Which partitions.
    pub topics: Vec<DeleteRecordsTopic>,
    /// Milliseconds that the broker may take.
    pub timeout_ms: i32,
}

/// One topic.
#[derive(Debug, Clone, PartialEq, Eq, Fields)]
pub struct DeleteRecordsTopic {
    /// The topic's name.
    pub name: String,
    /// Its partitions.
    pub partitions: Vec<DeleteRecordsPartition>,
}

/// One partition.
#[derive(Debug, Clone, PartialEq, Eq, Fields)]
pub struct DeleteRecordsPartition {
    /// The partition.
    pub partition_index: PartitionIndex,
    /// The first offset that stays; -1 is the high watermark.
    pub offset: Offset,
}

/// What became of it.
#[derive(Debug, Clone, PartialEq, Eq, Message)]
#[message(versions = "0-2", flexible = "2+")]
pub struct DeleteRecordsResponse {
    /// Milliseconds for which the client should send nothing, because of a quota; 0 is none.
    pub throttle_time_ms: i32,
    /// What was asked for, in the same order.
    pub topics: Vec<DeleteRecordsTopicResult>,
}

/// One topic's outcomes.
#[derive(Debug, Clone, PartialEq, Eq, Fields)]
pub struct DeleteRecordsTopicResult {
    /// The topic's name.
    pub name: String,
    /// Its partitions.
    pub partitions: Vec<DeleteRecordsPartitionResult>,
}

/// One partition's outcome.
#[derive(Debug, Clone, PartialEq, Eq, Fields)]
pub struct DeleteRecordsPartitionResult {
    /// The partition.
    pub partition_index: PartitionIndex,
    /// The first offset that is still there on every replica; -1 where there was an error.
    pub low_watermark: Offset,
    /// The outcome for this partition.
    pub error_code: ErrorCode,
}

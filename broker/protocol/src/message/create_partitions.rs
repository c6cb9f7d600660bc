//! CreatePartitions (37).

use protocol_derive::{Fields, Message};

use crate::ErrorCode;
use crate::id::BrokerId;

/// Asks for more partitions of topics (KIP-195).
#[derive(Debug, Clone, PartialEq, Eq, Message)]
#[message(key = CreatePartitions, response = CreatePartitionsResponse, versions = "0-3", flexible = "2+")]
pub struct CreatePartitionsRequest {
    /// The topics that shall grow.
    pub topics: Vec<CreatePartitionsTopic>,
    /// Milliseconds that the broker may wait before it answers that it is not done.
    pub timeout_ms: i32,
    /// Check the request, change nothing.
    pub validate_only: bool,
}

/// One topic that shall grow.
#[derive(Debug, Clone, PartialEq, Eq, Fields)]
pub struct CreatePartitionsTopic {
    /// The topic's name.
    pub name: String,
    /// How many partitions it shall have in all.
    pub count: i32,
    /// Replicas of each new partition; null lets the controller choose.
    #[field(nullable = "0+")]
    pub assignments: Option<Vec<CreatePartitionsAssignment>>,
}

/// One new partition's replicas.
#[derive(Debug, Clone, PartialEq, Eq, Fields)]
pub struct CreatePartitionsAssignment {
    /// The replicas, the preferred leader first.
    pub broker_ids: Vec<BrokerId>,
}

/// What became of it.
#[derive(Debug, Clone, PartialEq, Eq, Message)]
#[message(versions = "0-3", flexible = "2+")]
pub struct CreatePartitionsResponse {
    /// Milliseconds for which the client should send nothing, because of a quota; 0 is none.
    pub throttle_time_ms: i32,
    /// One outcome for each topic.
    pub results: Vec<CreatePartitionsTopicResult>,
}

/// One topic's outcome.
#[derive(Debug, Clone, PartialEq, Eq, Fields)]
pub struct CreatePartitionsTopicResult {
    /// The topic's name.
    pub name: String,
    /// The outcome for this topic.
    pub error_code: ErrorCode,
    /// The outcome in words; null when there was no error.
    #[field(nullable = "0+")]
    pub error_message: Option<String>,
}

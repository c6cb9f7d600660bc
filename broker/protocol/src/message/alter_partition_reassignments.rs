//! AlterPartitionReassignments (45): partitions get other replicas.

use protocol_derive::{Fields, Message};

use crate::ErrorCode;
use crate::id::{BrokerId, PartitionIndex};

/// Begins moves of partitions between brokers, or ends them (KIP-455).
#[derive(Debug, Clone, PartialEq, Eq, Message)]
#[message(key = AlterPartitionReassignments, response = AlterPartitionReassignmentsResponse, versions = "0-1", flexible = "0+")]
pub struct AlterPartitionReassignmentsRequest {
    /// Milliseconds that the broker may take.
    #[field(default = 60000)]
    pub timeout_ms: i32,
    /// Whether a partition may get another number of replicas (KIP-860).
    #[field(versions = "1+", default = true)]
    pub allow_replication_factor_change: bool,
    /// Which partitions.
    pub topics: Vec<ReassignableTopic>,
}

/// One topic.
#[derive(Debug, Clone, PartialEq, Eq, Fields)]
pub struct ReassignableTopic {
    /// The topic's name.
    pub name: String,
    /// Its partitions.
    pub partitions: Vec<ReassignablePartition>,
}

/// One partition.
#[derive(Debug, Clone, PartialEq, Eq, Fields)]
pub struct ReassignablePartition {
    /// The partition.
    pub partition_index: PartitionIndex,
    /// The replicas that it is to have; null takes back what is under way.
    #[field(nullable = "0+")]
    pub replicas: Option<Vec<BrokerId>>,
}

/// What became of it.
#[derive(Debug, Clone, PartialEq, Eq, Message)]
#[message(versions = "0-1", flexible = "0+")]
pub struct AlterPartitionReassignmentsResponse {
    /// Milliseconds for which the client should send nothing, because of a quota; 0 is none.
    pub throttle_time_ms: i32,
    /// As it was asked.
    #[field(versions = "1+", default = true)]
    pub allow_replication_factor_change: bool,
    /// The outcome of the whole request.
    pub error_code: ErrorCode,
    /// The outcome in words; null when there was no error.
    #[field(nullable = "0+")]
    pub error_message: Option<String>,
    /// What was asked for, in the same order.
    pub responses: Vec<ReassignableTopicResponse>,
}

/// One topic's outcomes.
#[derive(Debug, Clone, PartialEq, Eq, Fields)]
pub struct ReassignableTopicResponse {
    /// The topic's name.
    pub name: String,
    /// Its partitions.
    pub partitions: Vec<ReassignablePartitionResponse>,
}

/// One partition's outcome.
#[derive(Debug, Clone, PartialEq, Eq, Fields)]
pub struct ReassignablePartitionResponse {
    /// The partition.
    pub partition_index: PartitionIndex,
    /// The outcome for this partition.
    pub error_code: ErrorCode,
    /// The outcome in words; null when there was no error.
    #[field(nullable = "0+")]
    pub error_message: Option<String>,
}

//! ElectLeaders (43): partitions get their preferred leader, or any.

use protocol_derive::{Fields, Message};

use crate::ErrorCode;
use crate::id::PartitionIndex;

/// Asks for elections (KIP-183, KIP-460).
#[derive(Debug, Clone, PartialEq, Eq, Message)]
#[message(key = ElectLeaders, response = ElectLeadersResponse, versions = "0-2", flexible = "2+")]
pub struct ElectLeadersRequest {
    /// 0 elects the preferred replica, 1 any that lives where none is in sync.
    #[field(versions = "1+")]
    pub election_type: i8,
    /// Which partitions; null is all.
    #[field(nullable = "0+")]
    pub topic_partitions: Option<Vec<TopicPartitions>>,
    /// Milliseconds that the broker may take.
    #[field(default = 60000)]
    pub timeout_ms: i32,
}

/// Partitions of one topic.
#[derive(Debug, Clone, PartialEq, Eq, Fields)]
pub struct TopicPartitions {
    /// The topic's name.
    pub topic: String,
    /// Its partitions.
    pub partitions: Vec<PartitionIndex>,
}

/// What became of it.
#[derive(Debug, Clone, PartialEq, Eq, Message)]
#[message(versions = "0-2", flexible = "2+")]
pub struct ElectLeadersResponse {
    /// Milliseconds for which the client should send nothing, because of a quota; 0 is none.
    pub throttle_time_ms: i32,
    /// The outcome of the whole request.
    #[field(versions = "1+")]
    pub error_code: ErrorCode,
    /// What was asked for; where all were, without those that needed none.
    pub replica_election_results: Vec<ReplicaElectionResult>,
}

/// One topic's outcomes.
#[derive(Debug, Clone, PartialEq, Eq, Fields)]
pub struct ReplicaElectionResult {
    /// The topic's name.
    pub topic: String,
    /// One outcome for each partition.
    pub partition_result: Vec<PartitionResult>,
}

/// One partition's outcome.
#[derive(Debug, Clone, PartialEq, Eq, Fields)]
pub struct PartitionResult {
    /// The partition.
    pub partition_id: PartitionIndex,
    /// The outcome for this partition.
    pub error_code: ErrorCode,
    /// The outcome in words; null when there was no error.
    #[field(nullable = "0+")]
    pub error_message: Option<String>,
}

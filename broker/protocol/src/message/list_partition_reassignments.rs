//! ListPartitionReassignments (46): partitions that get other replicas.

use protocol_derive::{Fields, Message};

use crate::ErrorCode;
use crate::id::{BrokerId, PartitionIndex};

/// Asks which partitions are moving (KIP-455).
#[derive(Debug, Clone, PartialEq, Eq, Message)]
#[message(key = ListPartitionReassignments, response = ListPartitionReassignmentsResponse, versions = "0", flexible = "0+")]
pub struct ListPartitionReassignmentsRequest {
    /// Milliseconds that the broker may take.
    #[field(default = 60000)]
    pub timeout_ms: i32,
    /// Which partitions; null is all.
    #[field(nullable = "0+")]
    pub topics: Option<Vec<ListPartitionReassignmentsTopics>>,
}

/// One topic that is asked for.
#[derive(Debug, Clone, PartialEq, Eq, Fields)]
pub struct ListPartitionReassignmentsTopics {
    /// The topic's name.
    pub name: String,
    /// The partitions.
    pub partition_indexes: Vec<PartitionIndex>,
}

/// The partitions that move.
#[derive(Debug, Clone, PartialEq, Eq, Message)]
#[message(versions = "0", flexible = "0+")]
pub struct ListPartitionReassignmentsResponse {
    /// Milliseconds for which the client should send nothing, because of a quota; 0 is none.
    pub throttle_time_ms: i32,
    /// The outcome of the whole request.
    pub error_code: ErrorCode,
    /// The outcome in words; null when there was no error.
    #[field(nullable = "0+")]
    pub error_message: Option<String>,
    /// Those that move.
    pub topics: Vec<OngoingTopicReassignment>,
}

/// One topic.
#[derive(Debug, Clone, PartialEq, Eq, Fields)]
pub struct OngoingTopicReassignment {
    /// The topic's name.
    pub name: String,
    /// Its partitions.
    pub partitions: Vec<OngoingPartitionReassignment>,
}

/// One partition.
#[derive(Debug, Clone, PartialEq, Eq, Fields)]
pub struct OngoingPartitionReassignment {
    /// The partition.
    pub partition_index: PartitionIndex,
    /// All of its replicas.
    pub replicas: Vec<BrokerId>,
    /// Those that it gets.
    pub adding_replicas: Vec<BrokerId>,
    /// Those that it loses.
    pub removing_replicas: Vec<BrokerId>,
}

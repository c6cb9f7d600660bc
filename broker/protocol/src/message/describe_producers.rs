//! DescribeProducers (61): idempotent and transactional producers of partitions.

use protocol_derive::{Fields, Message};

use crate::ErrorCode;
use crate::id::{Offset, PartitionIndex, ProducerId, Timestamp};

/// Asks for the producers that partitions know (KIP-664).
#[derive(Debug, Clone, PartialEq, Eq, Message)]
#[message(key = DescribeProducers, response = DescribeProducersResponse, versions = "0", flexible = "0+")]
pub struct DescribeProducersRequest {
    /// Which partitions.
    pub topics: Vec<TopicRequest>,
}

/// One topic.
#[derive(Debug, Clone, PartialEq, Eq, Fields)]
pub struct TopicRequest {
    /// The topic's name.
    pub name: String,
    /// The partitions.
    pub partition_indexes: Vec<PartitionIndex>,
}

/// The producers.
#[derive(Debug, Clone, PartialEq, Eq, Message)]
#[message(versions = "0", flexible = "0+")]
pub struct DescribeProducersResponse {
    /// Milliseconds for which the client should send nothing, because of a quota; 0 is none.
    pub throttle_time_ms: i32,
    /// What was asked for, in the same order.
    pub topics: Vec<TopicResponse>,
}

/// One topic's producers.
#[derive(Debug, Clone, PartialEq, Eq, Fields)]
pub struct TopicResponse {
    /// The topic's name.
    pub name: String,
    /// Its partitions.
    pub partitions: Vec<PartitionResponse>,
}

/// One partition's producers.
#[derive(Debug, Clone, PartialEq, Eq, Fields)]
pub struct PartitionResponse {
    /// The partition.
    pub partition_index: PartitionIndex,
    /// The outcome for this partition.
    pub error_code: ErrorCode,
    /// The outcome in words; null when there was no error.
    #[field(nullable = "0+")]
    pub error_message: Option<String>,
    /// The producers.
    pub active_producers: Vec<ProducerState>,
}

/// One producer.
#[derive(Debug, Clone, PartialEq, Eq, Fields)]
pub struct ProducerState {
    /// Its id.
    pub producer_id: ProducerId,
    /// Its epoch.
    pub producer_epoch: i32,
    /// The sequence number of its last record; -1 is none.
    #[field(default = -1)]
    pub last_sequence: i32,
    /// The largest timestamp of its last batch; -1 is none.
    #[field(default = Timestamp::NONE)]
    pub last_timestamp: Timestamp,
    /// The epoch of the coordinator that wrote its last marker; -1 is none.
    pub coordinator_epoch: i32,
    /// Where its open transaction begins; -1 is none.
    #[field(default = Offset::UNKNOWN)]
    pub current_txn_start_offset: Offset,
}

//! Produce (0): appending batches. The broker walks requests in place with [`crate::hot::produce`].

use bytes::Bytes;
use protocol_derive::{Fields, Message};

use crate::ErrorCode;
use crate::id::{Offset, PartitionIndex, Timestamp, TopicId};
use crate::message::leader::{LeaderIdAndEpoch, NodeEndpoint};

/// Asks for batches to be appended.
#[derive(Debug, Clone, PartialEq, Eq, Message)]
#[message(key = Produce, response = ProduceResponse, versions = "3-13", flexible = "9+")]
pub struct ProduceRequest {
    /// The transactional id; null when the producer has none.
    #[field(nullable = "0+")]
    pub transactional_id: Option<String>,
    /// Whose append the producer waits for: 0 nobody's, 1 the leader's, -1 all in-sync replicas'.
    pub acks: i16,
    /// Milliseconds that the broker may wait before it answers that it is not done.
    pub timeout_ms: i32,
    /// What to append.
    pub topic_data: Vec<TopicProduceData>,
}

/// One topic to append to.
#[derive(Debug, Clone, PartialEq, Eq, Fields)]
pub struct TopicProduceData {
    /// The topic's name.
    #[field(versions = "3-12")]
    pub name: String,
    /// The topic's identity.
    #[field(versions = "13+")]
    pub topic_id: TopicId,
    /// Its partitions.
    pub partition_data: Vec<PartitionProduceData>,
}

/// One partition's batch.
#[derive(Debug, Clone, PartialEq, Eq, Fields)]
pub struct PartitionProduceData {
    /// The partition.
    pub index: PartitionIndex,
    /// One batch.
    #[field(nullable = "0+")]
    pub records: Option<Bytes>,
}

/// What became of the batches.
#[derive(Debug, Clone, PartialEq, Eq, Message)]
#[message(versions = "3-13", flexible = "9+")]
pub struct ProduceResponse {
    /// What became of it.
    pub responses: Vec<TopicProduceResponse>,
    /// Milliseconds for which the client should send nothing, because of a quota; 0 is none.
    pub throttle_time_ms: i32,
    /// Where the leaders named in this response listen (KIP-951).
    #[field(versions = "10+", tag = 0)]
    pub node_endpoints: Vec<NodeEndpoint>,
}

/// One topic's outcome.
#[derive(Debug, Clone, PartialEq, Eq, Fields)]
pub struct TopicProduceResponse {
    /// The topic's name.
    #[field(versions = "3-12")]
    pub name: String,
    /// The topic's identity.
    #[field(versions = "13+")]
    pub topic_id: TopicId,
    /// Its partitions.
    pub partition_responses: Vec<PartitionProduceResponse>,
}

/// One partition's outcome.
#[derive(Debug, Clone, PartialEq, Eq, Fields)]
pub struct PartitionProduceResponse {
    /// The partition.
    pub index: PartitionIndex,
    /// The outcome for this partition.
    pub error_code: ErrorCode,
    /// The offset of the first record.
    pub base_offset: Offset,
    /// The broker's time of the append, when the topic uses it; else -1.
    #[field(default = Timestamp::NONE)]
    pub log_append_time_ms: Timestamp,
    /// The first offset of the partition; -1 is unknown.
    #[field(versions = "5+", default = Offset::UNKNOWN)]
    pub log_start_offset: Offset,
    /// Records that made the batch be refused (KIP-467).
    #[field(versions = "8+")]
    pub record_errors: Vec<BatchIndexAndErrorMessage>,
    /// The outcome in words; null when there was no error.
    #[field(versions = "8+", nullable = "0+")]
    pub error_message: Option<String>,
    /// The leader that the client should turn to.
    #[field(versions = "10+", tag = 0)]
    pub current_leader: LeaderIdAndEpoch,
}

/// One record that was refused.
#[derive(Debug, Clone, PartialEq, Eq, Fields)]
pub struct BatchIndexAndErrorMessage {
    /// The record's place in its batch.
    pub batch_index: i32,
    /// Why the record was refused.
    #[field(nullable = "0+")]
    pub batch_index_error_message: Option<String>,
}

//! CreateTopics (19).

use protocol_derive::{Fields, Message};

use crate::ErrorCode;
use crate::id::{BrokerId, PartitionIndex, TopicId};

/// Asks for topics to be created (KIP-4).
#[derive(Debug, Clone, PartialEq, Eq, Message)]
#[message(key = CreateTopics, response = CreateTopicsResponse, versions = "2-7", flexible = "5+")]
pub struct CreateTopicsRequest {
    /// The topics to create.
    pub topics: Vec<CreatableTopic>,
    /// Milliseconds that the broker may wait before it answers that it is not done.
    #[field(default = 60000)]
    pub timeout_ms: i32,
    /// Check the request, change nothing.
    pub validate_only: bool,
}

/// One topic to create.
#[derive(Debug, Clone, PartialEq, Eq, Fields)]
pub struct CreatableTopic {
    /// The topic's name.
    pub name: String,
    /// How many partitions; -1 is the default, or given by the assignments.
    pub num_partitions: i32,
    /// How many replicas of each; -1 is the default, or given by the assignments.
    pub replication_factor: i16,
    /// Replicas chosen by hand; empty lets the controller choose.
    pub assignments: Vec<CreatableReplicaAssignment>,
    /// Settings that differ from the defaults.
    pub configs: Vec<CreatableTopicConfig>,
}

/// One partition's replicas.
#[derive(Debug, Clone, PartialEq, Eq, Fields)]
pub struct CreatableReplicaAssignment {
    /// The partition.
    pub partition_index: PartitionIndex,
    /// The replicas, the preferred leader first.
    pub broker_ids: Vec<BrokerId>,
}

/// One setting.
#[derive(Debug, Clone, PartialEq, Eq, Fields)]
pub struct CreatableTopicConfig {
    /// The key.
    pub name: String,
    /// The value.
    #[field(nullable = "0+")]
    pub value: Option<String>,
}

/// What became of it.
#[derive(Debug, Clone, PartialEq, Eq, Message)]
#[message(versions = "2-7", flexible = "5+")]
pub struct CreateTopicsResponse {
    /// Milliseconds for which the client should send nothing, because of a quota; 0 is none.
    pub throttle_time_ms: i32,
    /// One outcome for each topic.
    pub topics: Vec<CreatableTopicResult>,
}

/// One topic's outcome.
#[derive(Debug, Clone, PartialEq, Eq, Fields)]
pub struct CreatableTopicResult {
    /// The topic's name.
    pub name: String,
    /// The topic's identity.
    #[field(versions = "7+")]
    pub topic_id: TopicId,
    /// The outcome for this topic.
    pub error_code: ErrorCode,
    /// The outcome in words; null when there was no error.
    #[field(nullable = "0+")]
    pub error_message: Option<String>,
    /// Why the settings are not told.
    #[field(versions = "5+", tag = 0)]
    pub topic_config_error_code: ErrorCode,
    /// How many partitions it has; -1 is not told.
    #[field(versions = "5+", default = -1)]
    pub num_partitions: i32,
    /// How many replicas each has; -1 is not told.
    #[field(versions = "5+", default = -1)]
    pub replication_factor: i16,
    /// All settings of the new topic; null when the client may not see them.
    #[field(versions = "5+", nullable = "0+")]
    pub configs: Option<Vec<CreatableTopicConfigs>>,
}

/// One setting of the new topic.
#[derive(Debug, Clone, PartialEq, Eq, Fields)]
pub struct CreatableTopicConfigs {
    /// The key.
    pub name: String,
    /// The value.
    #[field(nullable = "0+")]
    pub value: Option<String>,
    /// Whether the key cannot be changed.
    pub read_only: bool,
    /// Where the value comes from, Kafka's `ConfigSource`: 1 topic, 2 broker, 3 default of all brokers, 4
    /// configuration file, 5 built-in default.
    #[field(default = -1)]
    pub config_source: i8,
    /// Whether the value is secret, and therefore null.
    pub is_sensitive: bool,
}

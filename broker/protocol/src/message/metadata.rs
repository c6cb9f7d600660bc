//! Metadata (3): where topics and partitions are.

use protocol_derive::{Fields, Message};

use crate::ErrorCode;
use crate::id::{BrokerId, LeaderEpoch, PartitionIndex, TopicId};

/// Asks for brokers, topics and partitions.
#[derive(Debug, Clone, PartialEq, Eq, Message)]
#[message(key = Metadata, response = MetadataResponse, versions = "0-13", flexible = "9+")]
pub struct MetadataRequest {
    /// The topics; null is all of them. Version 0 has no null: there, empty is all.
    #[field(nullable = "1+")]
    pub topics: Option<Vec<MetadataRequestTopic>>,
    /// Create topics that do not exist, if `auto.create.topics.enable` allows it.
    #[field(versions = "4+", default = true)]
    pub allow_auto_topic_creation: bool,
    /// Tell what the client may do with the cluster (KIP-430).
    #[field(versions = "8-10")]
    pub include_cluster_authorized_operations: bool,
    /// Tell what the client may do with each topic (KIP-430).
    #[field(versions = "8+")]
    pub include_topic_authorized_operations: bool,
}

/// One topic that is asked for.
#[derive(Debug, Clone, PartialEq, Eq, Fields)]
pub struct MetadataRequestTopic {
    /// The topic's id; zero when it is named by its name.
    #[field(versions = "10+")]
    pub topic_id: TopicId,
    /// The topic's name; null when it is named by its id.
    #[field(nullable = "10+")]
    pub name: Option<String>,
}

/// The brokers, topics and partitions.
#[derive(Debug, Clone, PartialEq, Eq, Message)]
#[message(versions = "0-13", flexible = "9+")]
pub struct MetadataResponse {
    /// Milliseconds for which the client should send nothing, because of a quota; 0 is none.
    #[field(versions = "3+")]
    pub throttle_time_ms: i32,
    /// The brokers that are alive.
    pub brokers: Vec<MetadataResponseBroker>,
    /// The cluster's id.
    #[field(versions = "2+", nullable = "0+")]
    pub cluster_id: Option<String>,
    /// The broker that answers for the controller; -1 is unknown.
    #[field(versions = "1+", default = BrokerId::NONE)]
    pub controller_id: BrokerId,
    /// The topics.
    pub topics: Vec<MetadataResponseTopic>,
    /// Bits of what the client may do with the cluster; the least integer when not asked for.
    #[field(versions = "8-10", default = i32::MIN)]
    pub cluster_authorized_operations: i32,
    /// The outcome of the whole request.
    #[field(versions = "13+")]
    pub error_code: ErrorCode,
}

/// One broker.
#[derive(Debug, Clone, PartialEq, Eq, Fields)]
pub struct MetadataResponseBroker {
    /// The broker.
    pub node_id: BrokerId,
    /// The host to connect to.
    pub host: String,
    /// The TCP port.
    pub port: i32,
    /// The rack (`broker.rack`); null is none.
    #[field(versions = "1+", nullable = "0+")]
    pub rack: Option<String>,
}

/// One topic.
#[derive(Debug, Clone, PartialEq, Eq, Fields)]
pub struct MetadataResponseTopic {
    /// Why the topic cannot be told.
    pub error_code: ErrorCode,
    /// The topic's name; null when an unknown id was asked for.
    #[field(nullable = "12+")]
    pub name: Option<String>,
    /// The topic's identity.
    #[field(versions = "10+")]
    pub topic_id: TopicId,
    /// Whether the cluster keeps it for itself.
    #[field(versions = "1+")]
    pub is_internal: bool,
    /// Its partitions.
    pub partitions: Vec<MetadataResponsePartition>,
    /// Bits of what the client may do with the topic; the least integer when not asked for.
    #[field(versions = "8+", default = i32::MIN)]
    pub topic_authorized_operations: i32,
}

/// One partition.
#[derive(Debug, Clone, PartialEq, Eq, Fields)]
pub struct MetadataResponsePartition {
    /// Why the partition cannot be used.
    pub error_code: ErrorCode,
    /// The partition.
    pub partition_index: PartitionIndex,
    /// The leader; -1 is none.
    pub leader_id: BrokerId,
    /// The leader's epoch; -1 is unknown.
    #[field(versions = "7+", default = LeaderEpoch::UNKNOWN)]
    pub leader_epoch: LeaderEpoch,
    /// All replicas, the preferred leader first.
    pub replica_nodes: Vec<BrokerId>,
    /// The in-sync replicas.
    pub isr_nodes: Vec<BrokerId>,
    /// Replicas whose broker or directory is not online.
    #[field(versions = "5+")]
    pub offline_replicas: Vec<BrokerId>,
}

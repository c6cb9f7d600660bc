//! DescribeTopicPartitions (75): partitions page by page.

use protocol_derive::{Fields, Message};

use crate::ErrorCode;
use crate::id::{BrokerId, LeaderEpoch, PartitionIndex, TopicId};

/// Asks for partitions, page by page (KIP-966).
#[derive(Debug, Clone, PartialEq, Eq, Message)]
#[message(key = DescribeTopicPartitions, response = DescribeTopicPartitionsResponse, versions = "0", flexible = "0+")]
pub struct DescribeTopicPartitionsRequest {
    /// The topics in the order of their names; empty is all.
    pub topics: Vec<TopicRequest>,
    /// Most partitions in one response; the broker has a limit too.
    #[field(default = 2000)]
    pub response_partition_limit: i32,
    /// Where to begin; null is at the first.
    #[field(nullable = "0+")]
    pub cursor: Option<Cursor>,
}

/// One topic that is asked for.
#[derive(Debug, Clone, PartialEq, Eq, Fields)]
pub struct TopicRequest {
    /// The topic's name.
    pub name: String,
}

/// A place in the list of all partitions, by topic name and partition.
#[derive(Debug, Clone, PartialEq, Eq, Fields)]
pub struct Cursor {
    /// The first topic.
    pub topic_name: String,
    /// The first partition of that topic.
    pub partition_index: PartitionIndex,
}

/// One page of partitions.
#[derive(Debug, Clone, PartialEq, Eq, Message)]
#[message(versions = "0", flexible = "0+")]
pub struct DescribeTopicPartitionsResponse {
    /// Milliseconds for which the client should send nothing, because of a quota; 0 is none.
    pub throttle_time_ms: i32,
    /// The topics.
    pub topics: Vec<DescribeTopicPartitionsResponseTopic>,
    /// Where the next request should begin; null when all is told.
    #[field(nullable = "0+")]
    pub next_cursor: Option<Cursor>,
}

/// One topic.
#[derive(Debug, Clone, PartialEq, Eq, Fields)]
pub struct DescribeTopicPartitionsResponseTopic {
    /// Why the topic cannot be told.
    pub error_code: ErrorCode,
    /// The topic's name; null when it is not known.
    #[field(nullable = "0+")]
    pub name: Option<String>,
    /// The topic's identity.
    pub topic_id: TopicId,
    /// Whether the cluster keeps it for itself.
    pub is_internal: bool,
    /// Its partitions.
    pub partitions: Vec<DescribeTopicPartitionsResponsePartition>,
    /// Bits of what the client may do with the topic; the least integer when not asked for.
    #[field(default = i32::MIN)]
    pub topic_authorized_operations: i32,
}

/// One partition.
#[derive(Debug, Clone, PartialEq, Eq, Fields)]
pub struct DescribeTopicPartitionsResponsePartition {
    /// Why the partition cannot be used.
    pub error_code: ErrorCode,
    /// The partition.
    pub partition_index: PartitionIndex,
    /// The leader; -1 is none.
    pub leader_id: BrokerId,
    /// The leader's epoch; -1 is unknown.
    #[field(default = LeaderEpoch::UNKNOWN)]
    pub leader_epoch: LeaderEpoch,
    /// All replicas, the preferred leader first.
    pub replica_nodes: Vec<BrokerId>,
    /// The in-sync replicas.
    pub isr_nodes: Vec<BrokerId>,
    /// Replicas outside the ISR that hold every committed record (KIP-966); null is not told.
    #[field(nullable = "0+")]
    pub eligible_leader_replicas: Option<Vec<BrokerId>>,
    /// Replicas that lost their eligibility by an unclean stop (KIP-966); null is not told.
    #[field(nullable = "0+")]
    pub last_known_elr: Option<Vec<BrokerId>>,
    /// Replicas whose broker or directory is not online.
    pub offline_replicas: Vec<BrokerId>,
}

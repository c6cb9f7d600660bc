//! DescribeQuorum (55): the metadata quorum.

use protocol_derive::{Fields, Message};

use crate::ErrorCode;
use crate::id::{BrokerId, DirectoryId, LeaderEpoch, Offset, PartitionIndex, Timestamp};

/// Asks about the quorum (KIP-595, KIP-853).
#[derive(Debug, Clone, PartialEq, Eq, Message)]
#[message(key = DescribeQuorum, response = DescribeQuorumResponse, versions = "0-2", flexible = "0+")]
pub struct DescribeQuorumRequest {
    /// The metadata topic.
    pub topics: Vec<TopicData>,
}

/// One topic that is asked for.
#[derive(Debug, Clone, PartialEq, Eq, Fields)]
pub struct TopicData {
    /// The topic's name.
    pub topic_name: String,
    /// Its partitions.
    pub partitions: Vec<PartitionData>,
}

/// One partition that is asked for.
#[derive(Debug, Clone, PartialEq, Eq, Fields)]
pub struct PartitionData {
    /// The partition.
    pub partition_index: PartitionIndex,
}

/// The quorum.
#[derive(Debug, Clone, PartialEq, Eq, Message)]
#[message(versions = "0-2", flexible = "0+")]
pub struct DescribeQuorumResponse {
    /// The outcome of the whole request.
    pub error_code: ErrorCode,
    /// The outcome in words; null when there was no error.
    #[field(versions = "2+", nullable = "2+")]
    pub error_message: Option<String>,
    /// What was asked for.
    pub topics: Vec<DescribedTopic>,
    /// Where the nodes are.
    #[field(versions = "2+")]
    pub nodes: Vec<Node>,
}

/// One topic.
#[derive(Debug, Clone, PartialEq, Eq, Fields)]
pub struct DescribedTopic {
    /// The topic's name.
    pub topic_name: String,
    /// Its partitions.
    pub partitions: Vec<DescribedPartition>,
}

/// One partition.
#[derive(Debug, Clone, PartialEq, Eq, Fields)]
pub struct DescribedPartition {
    /// The partition.
    pub partition_index: PartitionIndex,
    /// The outcome for this partition.
    pub error_code: ErrorCode,
    /// The outcome in words; null when there was no error.
    #[field(versions = "2+", nullable = "2+")]
    pub error_message: Option<String>,
    /// The leader; -1 is unknown.
    pub leader_id: BrokerId,
    /// Its epoch.
    pub leader_epoch: LeaderEpoch,
    /// One past the last record that a majority has.
    pub high_watermark: Offset,
    /// The voters.
    pub current_voters: Vec<ReplicaState>,
    /// Those that follow and do not vote.
    pub observers: Vec<ReplicaState>,
}

/// One voter or observer.
#[derive(Debug, Clone, PartialEq, Eq, Fields)]
pub struct ReplicaState {
    /// The node.
    pub replica_id: BrokerId,
    /// Its log directory.
    #[field(versions = "2+")]
    pub replica_directory_id: DirectoryId,
    /// The end of its log as the leader knows it; -1 is unknown.
    pub log_end_offset: Offset,
    /// When it last fetched from the leader, by the clock of the leader; -1 for the leader itself, or
    /// unknown.
    #[field(versions = "1+", default = Timestamp::NONE)]
    pub last_fetch_timestamp: Timestamp,
    /// When it last had everything that the leader had; -1 is unknown.
    #[field(versions = "1+", default = Timestamp::NONE)]
    pub last_caught_up_timestamp: Timestamp,
}

/// One node.
#[derive(Debug, Clone, PartialEq, Eq, Fields)]
pub struct Node {
    /// The node.
    pub node_id: BrokerId,
    /// Its listeners.
    pub listeners: Vec<Listener>,
}

/// One listener.
#[derive(Debug, Clone, PartialEq, Eq, Fields)]
pub struct Listener {
    /// The listener's name.
    pub name: String,
    /// The host to connect to.
    pub host: String,
    /// The TCP port.
    pub port: u16,
}

//! Fetch (1): reading batches. The broker writes responses with [`crate::hot::fetch`].

use bytes::Bytes;
use protocol_derive::{Fields, Message};

use crate::ErrorCode;
use crate::id::{
    BrokerEpoch, BrokerId, DirectoryId, LeaderEpoch, Offset, PartitionIndex, ProducerId, TopicId,
};
use crate::message::leader::{LeaderIdAndEpoch, NodeEndpoint};

/// Asks for records, from a consumer or a follower.
#[derive(Debug, Clone, PartialEq, Eq, Message)]
#[message(key = Fetch, response = FetchResponse, versions = "4-18", flexible = "12+")]
pub struct FetchRequest {
    /// The cluster that the follower belongs to; null is not told.
    #[field(versions = "12+", nullable = "0+", tag = 0)]
    pub cluster_id: Option<String>,
    /// The follower that asks; -1 is a consumer.
    #[field(versions = "4-14", default = BrokerId::NONE)]
    pub replica_id: BrokerId,
    /// The follower that asks, in the later versions.
    #[field(versions = "15+", tag = 1)]
    pub replica_state: ReplicaState,
    /// Milliseconds that the broker may wait for `min_bytes`.
    pub max_wait_ms: i32,
    /// Bytes that make the broker answer at once.
    pub min_bytes: i32,
    /// Most bytes of the whole response; the first batch may be larger (KIP-74).
    #[field(default = i32::MAX)]
    pub max_bytes: i32,
    /// 0 reads all that is committed to the log, 1 leaves out what a transaction has not committed.
    pub isolation_level: i8,
    /// The fetch session; 0 is none (KIP-227).
    #[field(versions = "7+")]
    pub session_id: i32,
    /// The number of the request in its session; 0 begins one, -1 is without.
    #[field(versions = "7+", default = -1)]
    pub session_epoch: i32,
    /// What to read; in a session only what changed.
    pub topics: Vec<FetchTopic>,
    /// Partitions to take out of the fetch session (KIP-227).
    #[field(versions = "7+")]
    pub forgotten_topics_data: Vec<ForgottenTopic>,
    /// The consumer's rack, to be sent to a near replica (KIP-392).
    #[field(versions = "11+")]
    pub rack_id: String,
}

/// The follower that fetches (KIP-903).
#[derive(Debug, Clone, PartialEq, Eq, Fields)]
pub struct ReplicaState {
    /// The follower that asks; -1 is a consumer.
    #[field(default = BrokerId::NONE)]
    pub replica_id: BrokerId,
    /// The follower's broker epoch; -1 is not told.
    #[field(default = BrokerEpoch(-1))]
    pub replica_epoch: BrokerEpoch,
}

/// One topic to read.
#[derive(Debug, Clone, PartialEq, Eq, Fields)]
pub struct FetchTopic {
    /// The topic's name.
    #[field(versions = "4-12")]
    pub topic: String,
    /// The topic's identity.
    #[field(versions = "13+")]
    pub topic_id: TopicId,
    /// Its partitions.
    pub partitions: Vec<FetchPartition>,
}

/// One partition to read.
#[derive(Debug, Clone, PartialEq, Eq, Fields)]
pub struct FetchPartition {
    /// The partition.
    pub partition: PartitionIndex,
    /// The leader epoch that the client knows, to fence either side; -1 is none.
    #[field(versions = "9+", default = LeaderEpoch::UNKNOWN)]
    pub current_leader_epoch: LeaderEpoch,
    /// The first offset wanted.
    pub fetch_offset: Offset,
    /// The epoch of the last record that the follower has (KIP-595); -1 is none.
    #[field(versions = "12+", default = LeaderEpoch::UNKNOWN)]
    pub last_fetched_epoch: LeaderEpoch,
    /// The follower's first offset; -1 from a consumer.
    #[field(versions = "5+", default = Offset::UNKNOWN)]
    pub log_start_offset: Offset,
    /// Most bytes of this partition; one whole batch may be larger (KIP-74).
    pub partition_max_bytes: i32,
    /// The follower's log directory (KIP-853).
    #[field(versions = "17+", tag = 0)]
    pub replica_directory_id: DirectoryId,
    /// The high watermark that the follower knows (KIP-1166); the largest offset when it does not say.
    #[field(versions = "18+", tag = 1, default = Offset(i64::MAX))]
    pub high_watermark: Offset,
}

/// Partitions of one topic to take out of the session.
#[derive(Debug, Clone, PartialEq, Eq, Fields)]
pub struct ForgottenTopic {
    /// The topic's name.
    #[field(versions = "7-12")]
    pub topic: String,
    /// The topic's identity.
    #[field(versions = "13+")]
    pub topic_id: TopicId,
    /// Its partitions.
    pub partitions: Vec<PartitionIndex>,
}

/// Records.
#[derive(Debug, Clone, PartialEq, Eq, Message)]
#[message(versions = "4-18", flexible = "12+")]
pub struct FetchResponse {
    /// Milliseconds for which the client should send nothing, because of a quota; 0 is none.
    pub throttle_time_ms: i32,
    /// The outcome of the whole request.
    #[field(versions = "7+")]
    pub error_code: ErrorCode,
    /// The fetch session; 0 is none (KIP-227).
    #[field(versions = "7+")]
    pub session_id: i32,
    /// What was read; in a session only partitions that have news.
    pub responses: Vec<FetchableTopicResponse>,
    /// Where the leaders named in this response listen (KIP-951).
    #[field(versions = "16+", tag = 0)]
    pub node_endpoints: Vec<NodeEndpoint>,
}

/// One topic that was read.
#[derive(Debug, Clone, PartialEq, Eq, Fields)]
pub struct FetchableTopicResponse {
    /// The topic's name.
    #[field(versions = "4-12")]
    pub topic: String,
    /// The topic's identity.
    #[field(versions = "13+")]
    pub topic_id: TopicId,
    /// Its partitions.
    pub partitions: Vec<PartitionData>,
}

/// One partition that was read.
#[derive(Debug, Clone, PartialEq, Eq, Fields)]
pub struct PartitionData {
    /// The partition.
    pub partition_index: PartitionIndex,
    /// The outcome for this partition.
    pub error_code: ErrorCode,
    /// The offset after the last record that all in-sync replicas have.
    pub high_watermark: Offset,
    /// The offset after the last record whose transaction is decided.
    #[field(default = Offset::UNKNOWN)]
    pub last_stable_offset: Offset,
    /// The first offset.
    #[field(versions = "5+", default = Offset::UNKNOWN)]
    pub log_start_offset: Offset,
    /// Where the follower's log leaves the leader's (KIP-595).
    #[field(versions = "12+", tag = 0)]
    pub diverging_epoch: EpochEndOffset,
    /// The leader that the client should turn to.
    #[field(versions = "12+", tag = 1)]
    pub current_leader: LeaderIdAndEpoch,
    /// The snapshot to fetch because the offset is gone (KIP-630).
    #[field(versions = "12+", tag = 2)]
    pub snapshot_id: SnapshotId,
    /// Transactions whose records the reader must leave out, in the order of their first offsets.
    #[field(nullable = "0+")]
    pub aborted_transactions: Option<Vec<AbortedTransaction>>,
    /// The replica to read from next time (KIP-392); -1 is none.
    #[field(versions = "11+", default = BrokerId::NONE)]
    pub preferred_read_replica: BrokerId,
    /// Whole batches, one after the other.
    #[field(nullable = "0+")]
    pub records: Option<Bytes>,
}

/// Where an epoch ends.
#[derive(Debug, Clone, PartialEq, Eq, Fields)]
pub struct EpochEndOffset {
    /// The largest epoch that both logs may share.
    #[field(default = LeaderEpoch::UNKNOWN)]
    pub epoch: LeaderEpoch,
    /// The offset after the last record of that epoch; -1 is unknown.
    #[field(default = Offset::UNKNOWN)]
    pub end_offset: Offset,
}

/// A snapshot by its end.
#[derive(Debug, Clone, PartialEq, Eq, Fields)]
pub struct SnapshotId {
    /// The offset after the last record in the snapshot.
    #[field(default = Offset::UNKNOWN)]
    pub end_offset: Offset,
    /// The epoch of the last record in the snapshot.
    #[field(default = LeaderEpoch::UNKNOWN)]
    pub epoch: LeaderEpoch,
}

/// A transaction that was aborted.
#[derive(Debug, Clone, PartialEq, Eq, Fields)]
pub struct AbortedTransaction {
    /// Whose transaction.
    pub producer_id: ProducerId,
    /// Where the aborted transaction begins.
    pub first_offset: Offset,
}

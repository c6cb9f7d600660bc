//! OffsetForLeaderEpoch (23).

use protocol_derive::{Fields, Message};

use crate::ErrorCode;
use crate::id::{BrokerId, LeaderEpoch, Offset, PartitionIndex};

/// Asks where leader epochs end, to find where a log diverges (KIP-101, KIP-320).
#[derive(Debug, Clone, PartialEq, Eq, Message)]
#[message(key = OffsetForLeaderEpoch, response = OffsetForLeaderEpochResponse, versions = "2-4", flexible = "4+")]
pub struct OffsetForLeaderEpochRequest {
    /// The follower that asks; -1 is a consumer, -2 is not told.
    #[field(versions = "3+", default = BrokerId(-2))]
    pub replica_id: BrokerId,
    /// What is asked for.
    pub topics: Vec<OffsetForLeaderTopic>,
}

/// One topic that is asked for.
#[derive(Debug, Clone, PartialEq, Eq, Fields)]
pub struct OffsetForLeaderTopic {
    /// The topic's name.
    pub topic: String,
    /// Its partitions.
    pub partitions: Vec<OffsetForLeaderPartition>,
}

/// One partition's epoch.
#[derive(Debug, Clone, PartialEq, Eq, Fields)]
pub struct OffsetForLeaderPartition {
    /// The partition.
    pub partition: PartitionIndex,
    /// The leader epoch that the client knows, to fence either side; -1 is none.
    #[field(default = LeaderEpoch::UNKNOWN)]
    pub current_leader_epoch: LeaderEpoch,
    /// The epoch whose end is asked for.
    pub leader_epoch: LeaderEpoch,
}

/// Where the epochs end.
#[derive(Debug, Clone, PartialEq, Eq, Message)]
#[message(versions = "2-4", flexible = "4+")]
pub struct OffsetForLeaderEpochResponse {
    /// Milliseconds for which the client should send nothing, because of a quota; 0 is none.
    pub throttle_time_ms: i32,
    /// What was found.
    pub topics: Vec<OffsetForLeaderTopicResult>,
}

/// One topic's answers.
#[derive(Debug, Clone, PartialEq, Eq, Fields)]
pub struct OffsetForLeaderTopicResult {
    /// The topic's name.
    pub topic: String,
    /// Its partitions.
    pub partitions: Vec<EpochEndOffset>,
}

/// Where an epoch ends.
#[derive(Debug, Clone, PartialEq, Eq, Fields)]
pub struct EpochEndOffset {
    /// The outcome for this partition.
    pub error_code: ErrorCode,
    /// The partition.
    pub partition: PartitionIndex,
    /// The largest epoch that is not above the one asked for.
    #[field(default = LeaderEpoch::UNKNOWN)]
    pub leader_epoch: LeaderEpoch,
    /// The offset after the last record of that epoch; -1 is unknown.
    #[field(default = Offset::UNKNOWN)]
    pub end_offset: Offset,
}

//! ListOffsets (2): offsets by time.

use protocol_derive::{Fields, Message};

use crate::ErrorCode;
use crate::id::{BrokerId, LeaderEpoch, Offset, PartitionIndex, Timestamp};

/// Asks for offsets by time (KIP-79).
#[derive(Debug, Clone, PartialEq, Eq, Message)]
#[message(key = ListOffsets, response = ListOffsetsResponse, versions = "1-11", flexible = "6+")]
pub struct ListOffsetsRequest {
    /// The follower that asks; -1 is a consumer.
    pub replica_id: BrokerId,
    /// 0 reads all that is committed to the log, 1 leaves out what a transaction has not committed.
    #[field(versions = "2+")]
    pub isolation_level: i8,
    /// What is asked for.
    pub topics: Vec<ListOffsetsTopic>,
    /// Milliseconds that the broker may wait before it answers that it is not done.
    #[field(versions = "10+")]
    pub timeout_ms: i32,
}

/// One topic to look up.
#[derive(Debug, Clone, PartialEq, Eq, Fields)]
pub struct ListOffsetsTopic {
    /// The topic's name.
    pub name: String,
    /// Its partitions.
    pub partitions: Vec<ListOffsetsPartition>,
}

/// One partition to look up.
#[derive(Debug, Clone, PartialEq, Eq, Fields)]
pub struct ListOffsetsPartition {
    /// The partition.
    pub partition_index: PartitionIndex,
    /// The leader epoch that the client knows, to fence either side; -1 is none.
    #[field(versions = "4+", default = LeaderEpoch::UNKNOWN)]
    pub current_leader_epoch: LeaderEpoch,
    /// A time in milliseconds; or -1 latest, -2 earliest, -3 the offset of the largest timestamp, -4 earliest
    /// local, -5 latest tiered, -6 earliest that is not tiered yet.
    pub timestamp: Timestamp,
}

/// The offsets.
#[derive(Debug, Clone, PartialEq, Eq, Message)]
#[message(versions = "1-11", flexible = "6+")]
pub struct ListOffsetsResponse {
    /// Milliseconds for which the client should send nothing, because of a quota; 0 is none.
    #[field(versions = "2+")]
    pub throttle_time_ms: i32,
    /// What was found.
    pub topics: Vec<ListOffsetsTopicResponse>,
}

/// One topic's offsets.
#[derive(Debug, Clone, PartialEq, Eq, Fields)]
pub struct ListOffsetsTopicResponse {
    /// The topic's name.
    pub name: String,
    /// Its partitions.
    pub partitions: Vec<ListOffsetsPartitionResponse>,
}

/// One partition's offset.
#[derive(Debug, Clone, PartialEq, Eq, Fields)]
pub struct ListOffsetsPartitionResponse {
    /// The partition.
    pub partition_index: PartitionIndex,
    /// The outcome for this partition.
    pub error_code: ErrorCode,
    /// The timestamp of the record found; -1 when none was looked up.
    #[field(default = Timestamp::NONE)]
    pub timestamp: Timestamp,
    /// The offset; -1 when no record is so young.
    #[field(default = Offset::UNKNOWN)]
    pub offset: Offset,
    /// The epoch of the record at the offset; -1 is unknown.
    #[field(versions = "4+", default = LeaderEpoch::UNKNOWN)]
    pub leader_epoch: LeaderEpoch,
}

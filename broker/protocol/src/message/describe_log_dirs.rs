//! DescribeLogDirs (35): log directories, and what lies in them.

use protocol_derive::{Fields, Message};

use crate::ErrorCode;
use crate::id::PartitionIndex;

/// Asks about log directories (KIP-113, KIP-827, KIP-1066).
#[derive(Debug, Clone, PartialEq, Eq, Message)]
#[message(key = DescribeLogDirs, response = DescribeLogDirsResponse, versions = "1-5", flexible = "2+")]
pub struct DescribeLogDirsRequest {
    /// The partitions that are asked for; null is all.
    #[field(nullable = "0+")]
    pub topics: Option<Vec<DescribableLogDirTopic>>,
}

/// One topic that is asked for.
#[derive(Debug, Clone, PartialEq, Eq, Fields)]
pub struct DescribableLogDirTopic {
    /// The topic's name.
    pub topic: String,
    /// Its partitions.
    pub partitions: Vec<PartitionIndex>,
}

/// The directories.
#[derive(Debug, Clone, PartialEq, Eq, Message)]
#[message(versions = "1-5", flexible = "2+")]
pub struct DescribeLogDirsResponse {
    /// Milliseconds for which the client should send nothing, because of a quota; 0 is none.
    pub throttle_time_ms: i32,
    /// The outcome of the whole request.
    #[field(versions = "3+")]
    pub error_code: ErrorCode,
    /// One result for each directory.
    pub results: Vec<DescribeLogDirsResult>,
}

/// One directory.
#[derive(Debug, Clone, PartialEq, Eq, Fields)]
pub struct DescribeLogDirsResult {
    /// The outcome for this directory: KAFKA_STORAGE_ERROR when it is offline.
    pub error_code: ErrorCode,
    /// The directory's path.
    pub log_dir: String,
    /// What lies in it.
    pub topics: Vec<DescribeLogDirsTopic>,
    /// Size of the volume in bytes; -1 is unknown.
    #[field(versions = "4+", default = -1)]
    pub total_bytes: i64,
    /// Free bytes of the volume; -1 is unknown.
    #[field(versions = "4+", default = -1)]
    pub usable_bytes: i64,
    /// No new replica is placed here (`cordoned.log.dirs`).
    #[field(versions = "5+")]
    pub is_cordoned: bool,
}

/// One topic.
#[derive(Debug, Clone, PartialEq, Eq, Fields)]
pub struct DescribeLogDirsTopic {
    /// The topic's name.
    pub name: String,
    /// Its partitions.
    pub partitions: Vec<DescribeLogDirsPartition>,
}

/// One partition.
#[derive(Debug, Clone, PartialEq, Eq, Fields)]
pub struct DescribeLogDirsPartition {
    /// The partition.
    pub partition_index: PartitionIndex,
    /// Bytes of its segments.
    pub partition_size: i64,
    /// Offsets that the log's end is behind the high watermark.
    pub offset_lag: i64,
    /// The log is being moved here, and replaces another when it has caught up.
    pub is_future_key: bool,
}

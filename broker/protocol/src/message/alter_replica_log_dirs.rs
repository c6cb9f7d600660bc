//! AlterReplicaLogDirs (34): replicas move between the directories of a broker.

use protocol_derive::{Fields, Message};

use crate::ErrorCode;
use crate::id::PartitionIndex;

/// Moves replicas into directories (KIP-113).
#[derive(Debug, Clone, PartialEq, Eq, Message)]
#[message(key = AlterReplicaLogDirs, response = AlterReplicaLogDirsResponse, versions = "1-2", flexible = "2+")]
pub struct AlterReplicaLogDirsRequest {
    /// Where to.
    pub dirs: Vec<AlterReplicaLogDir>,
}

/// One directory.
#[derive(Debug, Clone, PartialEq, Eq, Fields)]
pub struct AlterReplicaLogDir {
    /// The directory's path.
    pub path: String,
    /// What is to lie there.
    pub topics: Vec<AlterReplicaLogDirTopic>,
}

/// One topic.
#[derive(Debug, Clone, PartialEq, Eq, Fields)]
pub struct AlterReplicaLogDirTopic {
    /// The topic's name.
    pub name: String,
    /// Its partitions.
    pub partitions: Vec<PartitionIndex>,
}

/// What became of it.
#[derive(Debug, Clone, PartialEq, Eq, Message)]
#[message(versions = "1-2", flexible = "2+")]
pub struct AlterReplicaLogDirsResponse {
    /// Milliseconds for which the client should send nothing, because of a quota; 0 is none.
    pub throttle_time_ms: i32,
    /// One result for each topic.
    pub results: Vec<AlterReplicaLogDirTopicResult>,
}

/// One topic's outcomes.
#[derive(Debug, Clone, PartialEq, Eq, Fields)]
pub struct AlterReplicaLogDirTopicResult {
    /// The topic's name.
    pub topic_name: String,
    /// Its partitions.
    pub partitions: Vec<AlterReplicaLogDirPartitionResult>,
}

/// One partition's outcome.
#[derive(Debug, Clone, PartialEq, Eq, Fields)]
pub struct AlterReplicaLogDirPartitionResult {
    /// The partition.
    pub partition_index: PartitionIndex,
    /// The outcome for this partition.
    pub error_code: ErrorCode,
}

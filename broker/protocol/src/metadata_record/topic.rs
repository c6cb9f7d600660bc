//! Records about topics and partitions.

use protocol_derive::Message;

use crate::id::{BrokerId, DirectoryId, LeaderEpoch, PartitionEpoch, PartitionIndex, TopicId};

/// A new topic.
#[derive(Debug, Clone, PartialEq, Eq, Message)]
#[message(versions = "0", flexible = "0+")]
pub struct TopicRecord {
    /// The topic's name.
    pub name: String,
    /// The topic's identity.
    pub topic_id: TopicId,
}

/// A topic is deleted, with its partitions and configuration.
#[derive(Debug, Clone, PartialEq, Eq, Message)]
#[message(versions = "0", flexible = "0+")]
pub struct RemoveTopicRecord {
    /// The topic's identity.
    pub topic_id: TopicId,
}

/// A new partition, or all of one in a snapshot.
#[derive(Debug, Clone, PartialEq, Eq, Message)]
#[message(versions = "0-2", flexible = "0+")]
pub struct PartitionRecord {
    /// The partition.
    #[field(default = PartitionIndex(-1))]
    pub partition_id: PartitionIndex,
    /// The topic's identity.
    pub topic_id: TopicId,
    /// All replicas, the preferred leader first.
    pub replicas: Vec<BrokerId>,
    /// In-sync replicas.
    pub isr: Vec<BrokerId>,
    /// Replicas that a reassignment removes.
    pub removing_replicas: Vec<BrokerId>,
    /// Replicas that a reassignment adds.
    pub adding_replicas: Vec<BrokerId>,
    /// The leader; -1 is none.
    #[field(default = BrokerId::NONE)]
    pub leader: BrokerId,
    /// 1 when the leader was elected uncleanly and still recovers, else 0.
    #[field(tag = 0)]
    pub leader_recovery_state: i8,
    /// The leader's epoch; -1 is unknown.
    #[field(default = LeaderEpoch::UNKNOWN)]
    pub leader_epoch: LeaderEpoch,
    /// Grows with every change of the partition.
    #[field(default = PartitionEpoch(-1))]
    pub partition_epoch: PartitionEpoch,
    /// The directory of each replica, in the order of the replicas.
    #[field(versions = "1+")]
    pub directories: Vec<DirectoryId>,
    /// Eligible leader replicas (KIP-966); null is none.
    #[field(versions = "2+", nullable = "0+", tag = 1)]
    pub eligible_leader_replicas: Option<Vec<BrokerId>>,
    /// The last known eligible leader replicas (KIP-966); null is none.
    #[field(versions = "2+", nullable = "0+", tag = 2)]
    pub last_known_elr: Option<Vec<BrokerId>>,
}

/// A change of a partition.
#[derive(Debug, Clone, PartialEq, Eq, Message)]
#[message(versions = "0-2", flexible = "0+")]
pub struct PartitionChangeRecord {
    /// The partition.
    #[field(default = PartitionIndex(-1))]
    pub partition_id: PartitionIndex,
    /// The topic's identity.
    pub topic_id: TopicId,
    /// In-sync replicas; null is no change.
    #[field(nullable = "0+", tag = 0)]
    pub isr: Option<Vec<BrokerId>>,
    /// The leader; -1 is none, -2 is no change.
    #[field(tag = 1, default = BrokerId(-2))]
    pub leader: BrokerId,
    /// All replicas; null is no change.
    #[field(nullable = "0+", tag = 2)]
    pub replicas: Option<Vec<BrokerId>>,
    /// Replicas that a reassignment removes; null is no change.
    #[field(nullable = "0+", tag = 3)]
    pub removing_replicas: Option<Vec<BrokerId>>,
    /// Replicas that a reassignment adds; null is no change.
    #[field(nullable = "0+", tag = 4)]
    pub adding_replicas: Option<Vec<BrokerId>>,
    /// 1 when the leader was elected uncleanly and still recovers, 0 when not, -1 is no change.
    #[field(tag = 5, default = -1)]
    pub leader_recovery_state: i8,
    /// The directory of each replica; null is no change.
    #[field(versions = "1+", nullable = "0+", tag = 8)]
    pub directories: Option<Vec<DirectoryId>>,
    /// Eligible leader replicas (KIP-966); null is no change.
    #[field(versions = "2+", nullable = "0+", tag = 6)]
    pub eligible_leader_replicas: Option<Vec<BrokerId>>,
    /// The last known eligible leader replicas (KIP-966); null is no change.
    #[field(versions = "2+", nullable = "0+", tag = 7)]
    pub last_known_elr: Option<Vec<BrokerId>>,
}

//! A topic and its partitions as the metadata log has them.

use imbl::Vector;
use protocol::id::{BrokerId, DirectoryId, LeaderEpoch, PartitionEpoch, PartitionIndex, TopicId};
use std::sync::Arc;

/// The directory of a replica whose broker has one directory, or has not said (Kafka: `DirectoryId.MIGRATING`).
pub const DIRECTORY_MIGRATING: DirectoryId = reserved(0);
/// The broker chooses the directory (Kafka: `DirectoryId.UNASSIGNED`).
pub const DIRECTORY_UNASSIGNED: DirectoryId = reserved(1);
/// The directory is offline (Kafka: `DirectoryId.LOST`).
pub const DIRECTORY_LOST: DirectoryId = reserved(2);

const fn reserved(last: u8) -> DirectoryId {
    let mut bytes = [0; 16];
    bytes[15] = last;
    protocol::id::Uuid(bytes)
}

/// Whether a partition's leader was elected without the log of an in-sync replica.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum LeaderRecoveryState {
    /// The leader came from the ISR, or has recovered since.
    #[default]
    Recovered,
    /// Elected uncleanly and still recovering (KIP-704).
    Recovering,
}

impl LeaderRecoveryState {
    /// The number on the wire and in metadata records.
    #[must_use]
    pub const fn wire(self) -> i8 {
        match self {
            Self::Recovered => 0,
            Self::Recovering => 1,
        }
    }

    /// From the number in a record; anything but 1 is recovered.
    #[must_use]
    pub const fn from_wire(value: i8) -> Self {
        if value == 1 { Self::Recovering } else { Self::Recovered }
    }
}

/// What the metadata log says about one partition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PartitionRegistration {
    /// The assigned brokers, the preferred leader first.
    pub replicas: Vec<BrokerId>,
    /// The log directory of each replica, in the order of `replicas` (KIP-858).
    pub directories: Vec<DirectoryId>,
    /// The in-sync replicas.
    pub isr: Vec<BrokerId>,
    /// Replicas that a reassignment takes away.
    pub removing_replicas: Vec<BrokerId>,
    /// Replicas that a reassignment adds.
    pub adding_replicas: Vec<BrokerId>,
    /// Left the ISR while it was below `min.insync.replicas`, so hold all committed records (KIP-966).
    pub elr: Vec<BrokerId>,
    /// The last eligible leader replicas, kept for unclean recovery (KIP-966).
    pub last_known_elr: Vec<BrokerId>,
    /// The leader; [`BrokerId::NONE`] when the partition is offline.
    pub leader: BrokerId,
    /// Whether the leader still recovers from an unclean election.
    pub leader_recovery_state: LeaderRecoveryState,
    /// Grows with each change of the leader.
    pub leader_epoch: LeaderEpoch,
    /// Grows with each change of this registration.
    pub partition_epoch: PartitionEpoch,
}

impl PartitionRegistration {
    /// The first assigned replica, which leads when it can.
    #[must_use]
    pub fn preferred_leader(&self) -> BrokerId {
        self.replicas.first().copied().unwrap_or(BrokerId::NONE)
    }
}

/// A topic: its partitions are numbered from 0 without holes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TopicImage {
    /// The topic's name.
    pub name: Arc<str>,
    /// The topic's identity; a topic of the same name created later has another.
    pub id: TopicId,
    /// The partitions, by index.
    pub partitions: Vector<Arc<PartitionRegistration>>,
}

impl TopicImage {
    /// A partition, if the topic has it.
    #[must_use]
    pub fn partition(&self, index: PartitionIndex) -> Option<&Arc<PartitionRegistration>> {
        self.partitions.get(usize::try_from(index.0).ok()?)
    }

    /// The partitions with their indexes, in order.
    pub fn partitions(&self) -> impl Iterator<Item = (PartitionIndex, &Arc<PartitionRegistration>)> {
        (0..).map(PartitionIndex).zip(&self.partitions)
    }
}

/// The name as metrics write it; `None` when neither `.` nor `_` occurs in it, so that no other name is alike.
pub(super) fn metric_name(name: &str) -> Option<Arc<str>> {
    name.contains(['.', '_']).then(|| name.replace('.', "_").into())
}

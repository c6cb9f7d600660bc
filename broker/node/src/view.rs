//! What can be seen of a node's partitions from outside.

use protocol::id::{LeaderEpoch, Offset, PartitionIndex};

use crate::node::Node;

/// One hosted partition at one moment.
#[derive(Debug, Clone, Copy)]
pub struct PartitionView<'a> {
    /// The topic's name.
    pub topic: &'a str,
    /// Which of its partitions.
    pub partition: PartitionIndex,
    /// The first offset held.
    pub log_start_offset: Offset,
    /// The offset up to which consumers read, exclusive.
    pub high_watermark: Offset,
    /// The offset of the next record.
    pub log_end_offset: Offset,
    /// Bytes of its segments.
    pub size_bytes: u64,
    /// Its leader epoch.
    pub leader_epoch: LeaderEpoch,
    /// Whether this broker leads it.
    pub is_leader: bool,
}

impl Node {
    /// Shows every hosted partition whose log is open, each under its lock for a moment.
    pub fn visit_partitions(&self, mut visit: impl FnMut(PartitionView<'_>)) {
        for partition in self.table().partitions() {
            let state = partition.lock();
            let Ok(log) = state.log() else { continue };
            visit(PartitionView {
                topic: &partition.topic,
                partition: partition.index,
                log_start_offset: log.log_start_offset(),
                high_watermark: state.replica.high_watermark(),
                log_end_offset: log.log_end_offset(),
                size_bytes: log.size_bytes(),
                leader_epoch: state.replica.leader_epoch(),
                is_leader: state.replica.is_leader(),
            });
        }
    }
}

//! What a node does with the coordinators of its partitions.

use std::sync::Arc;

use machines::group::GroupCounts;
use protocol::ErrorCode;
use protocol::id::PartitionIndex;

use super::{Coordinator, OFFSETS_TOPIC, Scene};
use crate::effects::{Effects, Now};
use crate::node::Node;
use crate::partition::Partition;

impl Node {
    /// The partition that keeps a group, where this broker has it and it has a coordinator.
    ///
    /// # Errors
    /// `NOT_COORDINATOR`; `COORDINATOR_LOAD_IN_PROGRESS` while its log is recovered.
    pub(crate) fn partition_of_group(&self, group_id: &str) -> Result<Arc<Partition>, ErrorCode> {
        let table = self.table();
        let topic = table.by_name(OFFSETS_TOPIC).ok_or(ErrorCode::NotCoordinator)?;
        let count = i32::try_from(topic.partitions.len()).unwrap_or(i32::MAX);
        let index =
            if count > 0 { machines::group::partition_for(group_id, count) } else { PartitionIndex(0) };
        let partition = topic.partition(index).ok_or(ErrorCode::NotCoordinator)?;
        let is_away = partition.coordinator().is_some_and(Coordinator::is_away);
        if is_away && self.recovery_queue().has(partition) {
            partition.ask_for_recovery();
            return Err(ErrorCode::CoordinatorLoadInProgress);
        }
        Ok(Arc::clone(partition))
    }

    /// Every partition here that keeps groups.
    pub(crate) fn group_partitions(&self) -> Vec<Arc<Partition>> {
        let table = self.table();
        let topic = table.by_name(OFFSETS_TOPIC);
        topic.iter().flat_map(|topic| topic.partitions.iter().flatten().cloned()).collect()
    }

    /// What the groups come to that this broker coordinates.
    #[must_use]
    pub fn group_counts(&self) -> GroupCounts {
        let mut sum = GroupCounts::default();
        for partition in self.group_partitions() {
            let Some(of) = partition.coordinator().map(Coordinator::counts) else { continue };
            sum.groups += of.groups;
            sum.empty += of.empty;
            sum.preparing_rebalance += of.preparing_rebalance;
            sum.completing_rebalance += of.completing_rebalance;
            sum.stable += of.stable;
            sum.members += of.members;
            sum.offsets += of.offsets;
            sum.ignored_records += of.ignored_records;
            sum.rebalances += of.rebalances;
            sum.offset_commits += of.offset_commits;
            sum.offset_expirations += of.offset_expirations;
        }
        sum
    }

    /// A partition that keeps groups changed.
    pub(crate) fn follow_groups(&self, now: Now, partition: &Arc<Partition>, effects: &mut Effects) {
        if let Some(coordinator) = partition.coordinator() {
            coordinator.follow(&mut Scene { node: self, now, partition, effects });
        }
    }

    /// A timer of a partition's groups fired.
    pub(crate) fn groups_due(&self, now: Now, partition: &Arc<Partition>, effects: &mut Effects) {
        if let Some(coordinator) = partition.coordinator() {
            coordinator.due(&mut Scene { node: self, now, partition, effects });
            coordinator.follow(&mut Scene { node: self, now, partition, effects });
        }
    }

    /// The time to look for offsets that nobody uses has come.
    pub(crate) fn expire_offsets(&self, now: Now, effects: &mut Effects) {
        let image = Arc::clone(&self.image());
        // Before it has caught up this broker does not know all topics.
        let is_caught_up = self.is_ready() && self.is_caught_up();
        let is_known = |topic: &str| !is_caught_up || image.topic(topic).is_some();
        for partition in &self.group_partitions() {
            if let Some(coordinator) = partition.coordinator() {
                coordinator.expire(&mut Scene { node: self, now, partition, effects }, &is_known);
            }
        }
    }

    /// Topics are gone.
    pub(crate) fn forget_offsets(&self, now: Now, topics: &[&str], effects: &mut Effects) {
        for partition in &self.group_partitions() {
            if let Some(coordinator) = partition.coordinator() {
                coordinator.forget(&mut Scene { node: self, now, partition, effects }, topics);
            }
        }
    }
}

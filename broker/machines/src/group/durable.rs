//! What is stored: exactly what replaying the partition's committed records gives (I20).
//!
//! Changed in one place, by one record at a time, whether it is read while loading or was decided here and is now
//! committed. What members do between rebalances is no part of it.

use protocol::id::{Offset, PartitionIndex, Timestamp};
use std::collections::BTreeMap;
use std::sync::Arc;

use super::record::{Change, CommittedOffset, GroupMetadata};

/// Committed offsets of a group: topic, partition.
pub(super) type Offsets = BTreeMap<Arc<str>, BTreeMap<PartitionIndex, Arc<CommittedOffset>>>;

/// What is stored of one group: at least one of the two.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct StoredGroup {
    /// `None` for a group that only holds offsets of consumers that are no members.
    pub(super) metadata: Option<Arc<GroupMetadata>>,
    pub(super) offsets: Offsets,
    offsets_count: usize,
}

impl StoredGroup {
    /// Partitions that have an offset.
    pub(super) fn offsets_count(&self) -> usize {
        self.offsets_count
    }

    fn set_offset(
        &mut self,
        topic: &Arc<str>,
        partition: PartitionIndex,
        offset: Option<Arc<CommittedOffset>>,
    ) {
        match offset {
            Some(offset) => {
                let partitions = match self.offsets.get_mut(topic) {
                    Some(partitions) => partitions,
                    None => self.offsets.entry(Arc::clone(topic)).or_default(),
                };
                if partitions.insert(partition, offset).is_none() {
                    self.offsets_count += 1;
                }
            }
            None => {
                let Some(partitions) = self.offsets.get_mut(topic) else { return };
                if partitions.remove(&partition).is_some() {
                    self.offsets_count -= 1;
                }
                if partitions.is_empty() {
                    self.offsets.remove(topic);
                }
            }
        }
    }
}

/// What is stored of all groups of a shard.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Durable {
    groups: BTreeMap<Arc<str>, StoredGroup>,
    offsets_count: usize,
}

impl Durable {
    /// One record took effect.
    pub(super) fn apply(&mut self, change: &Change) {
        let group_id = change.group_id();
        if !self.groups.contains_key(group_id) {
            if matches!(change, Change::Group { metadata: None, .. } | Change::Offset { offset: None, .. }) {
                return;
            }
            self.groups.insert(Arc::clone(group_id), StoredGroup::default());
        }
        let Some(group) = self.groups.get_mut(group_id) else { return };
        match change {
            Change::Group { metadata, .. } => group.metadata.clone_from(metadata),
            Change::Offset { topic, partition, offset, .. } => {
                let before = group.offsets_count;
                group.set_offset(topic, *partition, offset.clone());
                self.offsets_count = self.offsets_count + group.offsets_count - before;
            }
        }
        if group.metadata.is_none() && group.offsets.is_empty() {
            self.groups.remove(group_id);
        }
    }

    /// What is stored of a group.
    pub(super) fn group(&self, group_id: &str) -> Option<&StoredGroup> {
        self.groups.get(group_id)
    }

    /// An offset.
    pub(super) fn offset(
        &self,
        group_id: &str,
        topic: &str,
        partition: PartitionIndex,
    ) -> Option<&CommittedOffset> {
        self.groups.get(group_id)?.offsets.get(topic)?.get(&partition).map(|offset| &**offset)
    }

    /// All groups, by id.
    pub(super) fn groups(&self) -> impl Iterator<Item = (&Arc<str>, &StoredGroup)> {
        self.groups.iter()
    }

    /// Offsets of all groups.
    pub(super) fn offsets_count(&self) -> usize {
        self.offsets_count
    }

    /// Shows each offset: group, topic, partition, offset, time of the commit.
    pub(super) fn for_each_offset(
        &self,
        visit: &mut dyn FnMut(&str, &str, PartitionIndex, Offset, Timestamp),
    ) {
        for (group_id, group) in &self.groups {
            for (topic, partitions) in &group.offsets {
                for (partition, offset) in partitions {
                    visit(group_id, topic, *partition, offset.offset, offset.commit_timestamp);
                }
            }
        }
    }
}

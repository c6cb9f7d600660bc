//! The partitions that this broker hosts, by topic name and by topic id: swapped whole, read without a lock.

use std::sync::Arc;

use crate::topic_settings::TopicSettings;
use imbl::shared_ptr::DefaultSharedPtr;
use protocol::id::{PartitionIndex, TopicId};

use crate::partition::Partition;

/// Hashes alike in every run, so that a seed replays; names and ids come from the controller, not from strangers.
pub(crate) type FixedHash = std::hash::BuildHasherDefault<std::hash::DefaultHasher>;
type Map<K, V> = imbl::GenericHashMap<K, V, FixedHash, DefaultSharedPtr>;

/// A topic of which this broker hosts partitions.
#[derive(Debug)]
pub(crate) struct HostedTopic {
    pub(crate) name: Arc<str>,
    pub(crate) id: TopicId,
    pub(crate) settings: Arc<TopicSettings>,
    /// By partition index; `None` where another broker hosts it.
    pub(crate) partitions: Vec<Option<Arc<Partition>>>,
}

impl HostedTopic {
    pub(crate) fn partition(&self, index: PartitionIndex) -> Option<&Arc<Partition>> {
        self.partitions.get(usize::try_from(index.0).ok()?)?.as_ref()
    }
}

/// All hosted topics.
#[derive(Debug, Clone, Default)]
pub(crate) struct Table {
    by_name: Map<Arc<str>, Arc<HostedTopic>>,
    by_id: Map<TopicId, Arc<HostedTopic>>,
}

impl Table {
    pub(crate) fn by_name(&self, name: &str) -> Option<&Arc<HostedTopic>> {
        self.by_name.get(name)
    }

    pub(crate) fn by_id(&self, id: TopicId) -> Option<&Arc<HostedTopic>> {
        self.by_id.get(&id)
    }

    pub(crate) fn insert(&mut self, topic: HostedTopic) {
        let topic = Arc::new(topic);
        self.by_name.insert(Arc::clone(&topic.name), Arc::clone(&topic));
        self.by_id.insert(topic.id, topic);
    }

    /// Removes a topic by its identity: one of the same name created since stays.
    pub(crate) fn remove(&mut self, id: TopicId) -> Option<Arc<HostedTopic>> {
        let topic = self.by_id.remove(&id)?;
        if self.by_name.get(&topic.name).is_some_and(|found| found.id == id) {
            self.by_name.remove(&topic.name);
        }
        Some(topic)
    }

    pub(crate) fn topics(&self) -> impl Iterator<Item = &Arc<HostedTopic>> {
        self.by_id.values()
    }

    pub(crate) fn partitions(&self) -> impl Iterator<Item = &Arc<Partition>> {
        self.topics().flat_map(|topic| topic.partitions.iter().flatten())
    }
}

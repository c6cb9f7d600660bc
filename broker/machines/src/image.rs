//! The cluster's metadata as every broker holds it: an immutable image, made by replaying the metadata log.
//!
//! Owner: the node swaps a whole image in after each committed batch; readers hold an `Arc` of one and see no change.
//! The maps are persistent, so that a copy costs nothing and a change costs what it changes. The same records give
//! the same image on every broker, and [`MetadataImage::records`] gives records that replay to an equal image (I14).

mod apply;
mod broker;
mod config;
mod snapshot;
#[cfg(test)]
mod tests;
mod topic;

pub(crate) use apply::LEADER_UNCHANGED;
pub use apply::{ApplyError, Change};
pub use broker::BrokerRegistration;
pub use config::{ConfigResource, ResourceType};
pub use snapshot::METADATA_VERSION;
pub use topic::{
    DIRECTORY_LOST, DIRECTORY_MIGRATING, DIRECTORY_UNASSIGNED, LeaderRecoveryState, PartitionRegistration,
    TopicImage,
};

use imbl::OrdMap;
use protocol::id::{BrokerId, LeaderEpoch, Offset, PartitionIndex, ProducerId, Timestamp, TopicId};
use std::sync::Arc;

/// How far in the metadata log an image reaches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Provenance {
    /// One past the last record that was applied.
    pub end_offset: Offset,
    /// The leader epoch of the last batch that was applied.
    pub epoch: LeaderEpoch,
    /// The timestamp of the last batch that was applied.
    pub timestamp: Timestamp,
}

impl Default for Provenance {
    fn default() -> Self {
        Self { end_offset: Offset(0), epoch: LeaderEpoch(0), timestamp: Timestamp(0) }
    }
}

/// Everything that the metadata log says.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct MetadataImage {
    /// How far the image reaches.
    pub provenance: Provenance,
    topics: OrdMap<Arc<str>, Arc<TopicImage>>,
    topic_names: OrdMap<TopicId, Arc<str>>,
    /// Topics by their name as metrics write it, for those in which `.` or `_` occur.
    metric_names: OrdMap<Arc<str>, Arc<str>>,
    brokers: OrdMap<BrokerId, Arc<BrokerRegistration>>,
    configs: OrdMap<ConfigResource, OrdMap<Arc<str>, Arc<str>>>,
    features: OrdMap<Arc<str>, i16>,
    next_producer_id: ProducerId,
}

impl MetadataImage {
    /// A topic by its name.
    #[must_use]
    pub fn topic(&self, name: &str) -> Option<&Arc<TopicImage>> {
        self.topics.get(name)
    }

    /// A topic by its id.
    #[must_use]
    pub fn topic_by_id(&self, id: TopicId) -> Option<&Arc<TopicImage>> {
        self.topics.get(self.topic_names.get(&id)?)
    }

    /// All topics, ordered by name.
    pub fn topics(&self) -> impl ExactSizeIterator<Item = &Arc<TopicImage>> {
        self.topics.values()
    }

    /// The topics from `name` on, `name` included, ordered by name: for answers in pages.
    pub fn topics_from(&self, name: &str) -> impl Iterator<Item = &Arc<TopicImage>> {
        let from: (std::ops::Bound<&str>, std::ops::Bound<&str>) =
            (std::ops::Bound::Included(name), std::ops::Bound::Unbounded);
        self.topics.range::<_, str>(from).map(|(_, topic)| topic)
    }

    /// The topic, `name` itself included, that metrics cannot tell from `name`: `.` and `_` are one there.
    #[must_use]
    pub fn topic_alike(&self, name: &str) -> Option<&str> {
        self.metric_names.get(&*topic::metric_name(name)?).map(|name| &**name)
    }

    /// One partition, by the topic's name.
    #[must_use]
    pub fn partition(&self, topic: &str, index: PartitionIndex) -> Option<&Arc<PartitionRegistration>> {
        self.topic(topic)?.partition(index)
    }

    /// One partition, by the topic's id.
    #[must_use]
    pub fn partition_by_id(
        &self,
        topic: TopicId,
        index: PartitionIndex,
    ) -> Option<&Arc<PartitionRegistration>> {
        self.topic_by_id(topic)?.partition(index)
    }

    /// A registered broker, fenced or not.
    #[must_use]
    pub fn broker(&self, id: BrokerId) -> Option<&Arc<BrokerRegistration>> {
        self.brokers.get(&id)
    }

    /// All registered brokers, ordered by id.
    pub fn brokers(&self) -> impl ExactSizeIterator<Item = &Arc<BrokerRegistration>> {
        self.brokers.values()
    }

    /// The value set for one key of one resource; defaults are not in the image.
    #[must_use]
    pub fn config(&self, resource: &ConfigResource, key: &str) -> Option<&Arc<str>> {
        self.configs.get(resource)?.get(key)
    }

    /// The keys set for one resource with their values, ordered by key.
    pub fn configs(&self, resource: &ConfigResource) -> impl Iterator<Item = (&Arc<str>, &Arc<str>)> {
        self.configs.get(resource).into_iter().flat_map(OrdMap::iter)
    }

    /// All resources for which anything is set.
    pub fn configured_resources(&self) -> impl ExactSizeIterator<Item = &ConfigResource> {
        self.configs.keys()
    }

    /// The cluster's level of a feature; 0 when it is off.
    #[must_use]
    pub fn feature(&self, name: &str) -> i16 {
        self.features.get(name).copied().unwrap_or(0)
    }

    /// All features that are on, ordered by name.
    pub fn features(&self) -> impl ExactSizeIterator<Item = (&Arc<str>, &i16)> {
        self.features.iter()
    }

    /// The first producer id that no block has.
    #[must_use]
    pub fn next_producer_id(&self) -> ProducerId {
        self.next_producer_id
    }
}

//! An image as records: what a snapshot of the metadata log holds.

use super::{BrokerRegistration, MetadataImage, PartitionRegistration};
use protocol::id::{BrokerEpoch, BrokerId, PartitionIndex, ProducerId, TopicId};
use protocol::metadata_record::{
    ConfigRecord, FeatureLevelRecord, MetadataRecord, PartitionRecord, ProducerIdsRecord,
    RegisterBrokerRecord, TopicRecord,
};

/// The feature whose record leads every log and snapshot, so that a reader knows whether it can read on.
pub const METADATA_VERSION: &str = "metadata.version";

impl MetadataImage {
    /// Records that replay to an image equal to this one, `metadata.version` first.
    pub fn records(&self) -> impl Iterator<Item = MetadataRecord> + '_ {
        let features = self
            .features
            .iter()
            .filter(|(name, _)| &***name == METADATA_VERSION)
            .chain(self.features.iter().filter(|(name, _)| &***name != METADATA_VERSION))
            .map(|(name, level)| FeatureLevelRecord { name: name.to_string(), feature_level: *level }.into());
        let brokers = self.brokers.values().map(|broker| broker.record().into());
        let topics = self.topics.values().flat_map(|topic| {
            let record = TopicRecord { name: topic.name.to_string(), topic_id: topic.id };
            let id = topic.id;
            let partitions = topic.partitions().map(move |(index, p)| p.record(id, index).into());
            std::iter::once(record.into()).chain(partitions)
        });
        let configs = self.configs.iter().flat_map(|(resource, keys)| {
            keys.iter().map(|(key, value)| {
                MetadataRecord::from(ConfigRecord {
                    resource_type: resource.resource_type.wire(),
                    resource_name: resource.name.to_string(),
                    name: key.to_string(),
                    value: Some(value.to_string()),
                })
            })
        });
        let producer_ids = (self.next_producer_id != ProducerId::default()).then(|| {
            MetadataRecord::from(ProducerIdsRecord {
                broker_id: BrokerId::NONE,
                broker_epoch: BrokerEpoch(-1),
                next_producer_id: self.next_producer_id,
            })
        });
        features.chain(brokers).chain(topics).chain(configs).chain(producer_ids)
    }
}

impl BrokerRegistration {
    fn record(&self) -> RegisterBrokerRecord {
        RegisterBrokerRecord {
            broker_id: self.id,
            is_migrating_zk_broker: false,
            incarnation_id: self.incarnation_id,
            broker_epoch: self.epoch,
            end_points: self.listeners.clone(),
            features: self.features.clone(),
            rack: self.rack.clone(),
            fenced: self.fenced,
            in_controlled_shutdown: self.in_controlled_shutdown,
            log_dirs: self.directories.clone(),
            cordoned_log_dirs: self.cordoned_directories.clone(),
        }
    }
}

impl PartitionRegistration {
    /// The whole registration as the record of a new partition.
    #[must_use]
    pub fn record(&self, topic_id: TopicId, partition_id: PartitionIndex) -> PartitionRecord {
        let some = |ids: &Vec<BrokerId>| (!ids.is_empty()).then(|| ids.clone());
        PartitionRecord {
            partition_id,
            topic_id,
            replicas: self.replicas.clone(),
            isr: self.isr.clone(),
            removing_replicas: self.removing_replicas.clone(),
            adding_replicas: self.adding_replicas.clone(),
            leader: self.leader,
            leader_recovery_state: self.leader_recovery_state.wire(),
            leader_epoch: self.leader_epoch,
            partition_epoch: self.partition_epoch,
            directories: self.directories.clone(),
            eligible_leader_replicas: some(&self.elr),
            last_known_elr: some(&self.last_known_elr),
        }
    }
}

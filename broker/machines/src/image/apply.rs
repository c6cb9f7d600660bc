//! Replays records into an image.

use super::topic::metric_name;
use super::{
    BrokerRegistration, ConfigResource, DIRECTORY_MIGRATING, LeaderRecoveryState, MetadataImage,
    PartitionRegistration, ResourceType, TopicImage,
};
use imbl::{OrdMap, Vector};
use protocol::id::{BrokerId, LeaderEpoch, PartitionEpoch, PartitionIndex, TopicId};
use protocol::metadata_record::{
    BrokerRegistrationChangeRecord, ConfigRecord, FeatureLevelRecord, MetadataRecord, PartitionChangeRecord,
    PartitionRecord, RegisterBrokerRecord, TopicRecord,
};
use std::sync::Arc;

/// What a record changed, for whoever acts on changes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// Nothing.
    Nothing,
    /// A topic exists, as yet without partitions.
    TopicCreated(TopicId),
    /// A topic is gone, with its partitions and its configuration.
    TopicDeleted(Arc<TopicImage>),
    /// A partition is new.
    PartitionCreated(TopicId, PartitionIndex),
    /// A partition's registration changed.
    PartitionChanged(TopicId, PartitionIndex),
    /// A broker registered, changed, or is gone.
    Broker(BrokerId),
    /// A configuration key was set or removed.
    Config(ConfigResource, Arc<str>),
    /// A feature's level changed.
    Feature(Arc<str>),
    /// A block of producer ids was given away.
    ProducerIds,
}

/// A record that does not fit the image. A committed record always fits, so whoever replays the log stops.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ApplyError {
    /// The topic is not there.
    #[error("record about topic {0}, which does not exist")]
    UnknownTopic(TopicId),
    /// A topic of this name or id is there.
    #[error("topic {0} is created twice")]
    TopicExists(String),
    /// The partition is not there, or a new one is not the next.
    #[error("partition {1} of topic {0} does not follow on what exists")]
    Partition(TopicId, PartitionIndex),
    /// The broker, or this incarnation of it, is not registered.
    #[error("record about broker {0}, which is not registered with that epoch")]
    UnknownBroker(BrokerId),
    /// The configuration's resource is of a type that is not known.
    #[error("configuration of resource type {0}, which is not known")]
    ResourceType(i8),
}

impl MetadataImage {
    /// Replays one record.
    ///
    /// # Errors
    /// The record does not fit; the image is unchanged.
    pub fn apply(&mut self, record: &MetadataRecord) -> Result<Change, ApplyError> {
        match record {
            MetadataRecord::Topic(record) => self.apply_topic(record),
            MetadataRecord::RemoveTopic(record) => self.apply_remove_topic(record.topic_id),
            MetadataRecord::Partition(record) => self.apply_partition(record),
            MetadataRecord::PartitionChange(record) => self.apply_partition_change(record),
            MetadataRecord::Config(record) => self.apply_config(record),
            MetadataRecord::FeatureLevel(record) => Ok(self.apply_feature(record)),
            MetadataRecord::RegisterBroker(record) => Ok(self.apply_register_broker(record)),
            MetadataRecord::BrokerRegistrationChange(record) => self.apply_broker_change(record),
            MetadataRecord::UnregisterBroker(record) => {
                match self.brokers.get(&record.broker_id) {
                    Some(broker) if broker.epoch == record.broker_epoch => {}
                    _ => return Err(ApplyError::UnknownBroker(record.broker_id)),
                }
                self.brokers.remove(&record.broker_id);
                Ok(Change::Broker(record.broker_id))
            }
            MetadataRecord::ProducerIds(record) => {
                self.next_producer_id = record.next_producer_id;
                Ok(Change::ProducerIds)
            }
            MetadataRecord::NoOp(_) => Ok(Change::Nothing),
        }
    }

    fn apply_topic(&mut self, record: &TopicRecord) -> Result<Change, ApplyError> {
        if self.topics.contains_key(record.name.as_str()) || self.topic_names.contains_key(&record.topic_id) {
            return Err(ApplyError::TopicExists(record.name.clone()));
        }
        let name: Arc<str> = Arc::from(record.name.as_str());
        let topic = TopicImage { name: Arc::clone(&name), id: record.topic_id, partitions: Vector::new() };
        self.topic_names.insert(record.topic_id, Arc::clone(&name));
        if let Some(alike) = metric_name(&name) {
            self.metric_names.insert(alike, Arc::clone(&name));
        }
        self.topics.insert(name, Arc::new(topic));
        Ok(Change::TopicCreated(record.topic_id))
    }

    fn apply_remove_topic(&mut self, id: TopicId) -> Result<Change, ApplyError> {
        let name = self.topic_names.remove(&id).ok_or(ApplyError::UnknownTopic(id))?;
        let topic = self.topics.remove(&name).ok_or(ApplyError::UnknownTopic(id))?;
        if let Some(alike) = metric_name(&name) {
            self.metric_names.remove(&alike);
        }
        self.configs.remove(&ConfigResource { resource_type: ResourceType::Topic, name });
        Ok(Change::TopicDeleted(topic))
    }

    fn apply_partition(&mut self, record: &PartitionRecord) -> Result<Change, ApplyError> {
        let name = self.topic_names.get(&record.topic_id).ok_or(ApplyError::UnknownTopic(record.topic_id))?;
        let topic = self.topics.get_mut(name).ok_or(ApplyError::UnknownTopic(record.topic_id))?;
        if usize::try_from(record.partition_id.0) != Ok(topic.partitions.len()) {
            return Err(ApplyError::Partition(record.topic_id, record.partition_id));
        }
        let mut directories = record.directories.clone();
        directories.resize(record.replicas.len(), DIRECTORY_MIGRATING);
        let partition = PartitionRegistration {
            replicas: record.replicas.clone(),
            directories,
            isr: record.isr.clone(),
            removing_replicas: record.removing_replicas.clone(),
            adding_replicas: record.adding_replicas.clone(),
            elr: record.eligible_leader_replicas.clone().unwrap_or_default(),
            last_known_elr: record.last_known_elr.clone().unwrap_or_default(),
            leader: record.leader,
            leader_recovery_state: LeaderRecoveryState::from_wire(record.leader_recovery_state),
            leader_epoch: record.leader_epoch,
            partition_epoch: record.partition_epoch,
        };
        Arc::make_mut(topic).partitions.push_back(Arc::new(partition));
        Ok(Change::PartitionCreated(record.topic_id, record.partition_id))
    }

    fn apply_partition_change(&mut self, record: &PartitionChangeRecord) -> Result<Change, ApplyError> {
        let unknown = ApplyError::Partition(record.topic_id, record.partition_id);
        let name = self.topic_names.get(&record.topic_id).ok_or(ApplyError::UnknownTopic(record.topic_id))?;
        let topic = self.topics.get_mut(name).ok_or(ApplyError::UnknownTopic(record.topic_id))?;
        let index = usize::try_from(record.partition_id.0).map_err(|_| unknown.clone())?;
        if index >= topic.partitions.len() {
            return Err(unknown);
        }
        if let Some(partition) = Arc::make_mut(topic).partitions.get_mut(index) {
            Arc::make_mut(partition).merge(record);
        }
        Ok(Change::PartitionChanged(record.topic_id, record.partition_id))
    }

    fn apply_config(&mut self, record: &ConfigRecord) -> Result<Change, ApplyError> {
        let resource_type = ResourceType::from_wire(record.resource_type)
            .ok_or(ApplyError::ResourceType(record.resource_type))?;
        let resource = ConfigResource { resource_type, name: Arc::from(record.resource_name.as_str()) };
        let key: Arc<str> = Arc::from(record.name.as_str());
        let mut keys: OrdMap<Arc<str>, Arc<str>> = self.configs.get(&resource).cloned().unwrap_or_default();
        match &record.value {
            Some(value) => keys.insert(Arc::clone(&key), Arc::from(value.as_str())),
            None => keys.remove(&key),
        };
        if keys.is_empty() {
            self.configs.remove(&resource);
        } else {
            self.configs.insert(resource.clone(), keys);
        }
        Ok(Change::Config(resource, key))
    }

    fn apply_feature(&mut self, record: &FeatureLevelRecord) -> Change {
        let name: Arc<str> = Arc::from(record.name.as_str());
        if record.feature_level == 0 {
            self.features.remove(&name);
        } else {
            self.features.insert(Arc::clone(&name), record.feature_level);
        }
        Change::Feature(name)
    }

    fn apply_register_broker(&mut self, record: &RegisterBrokerRecord) -> Change {
        let broker = BrokerRegistration {
            id: record.broker_id,
            epoch: record.broker_epoch,
            incarnation_id: record.incarnation_id,
            listeners: record.end_points.clone(),
            features: record.features.clone(),
            rack: record.rack.clone(),
            fenced: record.fenced,
            in_controlled_shutdown: record.in_controlled_shutdown,
            directories: record.log_dirs.clone(),
            cordoned_directories: record.cordoned_log_dirs.clone(),
        };
        self.brokers.insert(record.broker_id, Arc::new(broker));
        Change::Broker(record.broker_id)
    }

    fn apply_broker_change(&mut self, record: &BrokerRegistrationChangeRecord) -> Result<Change, ApplyError> {
        let unknown = ApplyError::UnknownBroker(record.broker_id);
        let broker = self.brokers.get_mut(&record.broker_id).ok_or_else(|| unknown.clone())?;
        if broker.epoch != record.broker_epoch {
            return Err(unknown);
        }
        let broker = Arc::make_mut(broker);
        match record.fenced {
            1 => broker.fenced = true,
            -1 => broker.fenced = false,
            _ => {}
        }
        if record.in_controlled_shutdown == 1 {
            broker.in_controlled_shutdown = true;
        }
        if !record.log_dirs.is_empty() {
            broker.directories.clone_from(&record.log_dirs);
        }
        if let Some(cordoned) = &record.cordoned_log_dirs {
            broker.cordoned_directories = Some(cordoned.clone());
        }
        Ok(Change::Broker(record.broker_id))
    }
}

/// Stands in a `PartitionChangeRecord` for "the same leader".
pub(crate) const LEADER_UNCHANGED: BrokerId = BrokerId(-2);

impl PartitionRegistration {
    /// Takes over what a change record has, and counts the epochs up (Kafka: `PartitionRegistration.merge`).
    fn merge(&mut self, record: &PartitionChangeRecord) {
        fn set<T: Clone>(field: &mut Vec<T>, value: Option<&Vec<T>>) {
            if let Some(value) = value {
                field.clone_from(value);
            }
        }
        set(&mut self.replicas, record.replicas.as_ref());
        set(&mut self.directories, record.directories.as_ref());
        set(&mut self.isr, record.isr.as_ref());
        set(&mut self.removing_replicas, record.removing_replicas.as_ref());
        set(&mut self.adding_replicas, record.adding_replicas.as_ref());
        set(&mut self.elr, record.eligible_leader_replicas.as_ref());
        set(&mut self.last_known_elr, record.last_known_elr.as_ref());
        self.directories.resize(self.replicas.len(), DIRECTORY_MIGRATING);
        if record.leader != LEADER_UNCHANGED {
            self.leader = record.leader;
            self.leader_epoch = LeaderEpoch(self.leader_epoch.0 + 1);
        }
        if record.leader_recovery_state >= 0 {
            self.leader_recovery_state = LeaderRecoveryState::from_wire(record.leader_recovery_state);
        }
        self.partition_epoch = PartitionEpoch(self.partition_epoch.0 + 1);
    }
}

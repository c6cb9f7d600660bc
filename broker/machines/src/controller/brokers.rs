//! Brokers: registration, heartbeats, fencing, stopping, and blocks of producer ids.

use super::partition_change::PartitionChange;
use super::{ConfigRules, Controller, Decision, Rejection};
use crate::image::{BrokerRegistration, METADATA_VERSION};
use protocol::ErrorCode;
use protocol::id::{BrokerEpoch, BrokerId, DirectoryId, Offset, ProducerId, Uuid};
use protocol::metadata_record::{
    BrokerEndpoint, BrokerFeature, BrokerRegistrationChangeRecord, MetadataRecord, ProducerIdsRecord,
    RegisterBrokerRecord, UnregisterBrokerRecord,
};
use std::sync::Arc;

/// Producer ids in one block, as Kafka's `ProducerIdsBlock`.
pub const PRODUCER_ID_BLOCK_SIZE: i64 = 1000;

/// A broker that starts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Registration {
    /// The broker.
    pub broker_id: BrokerId,
    /// Names this start of its process.
    pub incarnation_id: Uuid,
    /// The epoch that it wrote down when it last stopped cleanly; -1 when it did not.
    pub previous_broker_epoch: BrokerEpoch,
    /// Where it listens.
    pub listeners: Vec<BrokerEndpoint>,
    /// Feature levels that it can run at.
    pub features: Vec<BrokerFeature>,
    /// Its rack.
    pub rack: Option<String>,
    /// Its log directories.
    pub log_dirs: Vec<DirectoryId>,
}

/// What a broker says every half second.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Heartbeat {
    /// The broker.
    pub broker_id: BrokerId,
    /// Its incarnation.
    pub broker_epoch: BrokerEpoch,
    /// The end of the metadata log that it has applied.
    pub current_metadata_offset: Offset,
    /// It wants to be fenced, as while it recovers its logs.
    pub want_fence: bool,
    /// It wants to stop.
    pub want_shut_down: bool,
}

/// What the controller answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HeartbeatAnswer {
    /// Whether it has applied its own registration.
    pub is_caught_up: bool,
    /// Whether it is fenced.
    pub is_fenced: bool,
    /// Whether it may stop now: it leads nothing.
    pub should_shut_down: bool,
}

/// Producer ids that one broker gives out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ProducerIdBlock {
    /// The first.
    pub first: ProducerId,
    /// How many.
    pub size: i64,
}

/// What a broker may do afterwards.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    Active,
    Fenced,
    Stopping,
    /// It registered anew and had not stopped cleanly.
    Unclean,
}

fn invalid(message: impl Into<String>) -> Rejection {
    Rejection::new(ErrorCode::InvalidRegistration, message)
}

impl Controller {
    /// Decides on a broker that starts: a new incarnation is fenced until its heartbeat says that it has applied its
    /// registration. `next_offset` is where the first record of the decision goes; it becomes the broker epoch.
    /// `has_session` is whether the incarnation that is registered is still heard of.
    ///
    /// # Errors
    /// The id is taken by a live broker, or directories or features do not fit the cluster.
    pub fn decide_register_broker(
        &self,
        registration: &Registration,
        next_offset: Offset,
        has_session: bool,
        rules: &dyn ConfigRules,
    ) -> Result<Decision<BrokerEpoch>, Rejection> {
        let existing = self.image.broker(registration.broker_id);
        let same = existing.filter(|existing| existing.incarnation_id == registration.incarnation_id);
        if existing.is_some() && same.is_none() && has_session {
            return Err(Rejection::new(
                ErrorCode::DuplicateBrokerRegistration,
                "Another broker is registered with that broker id. If the broker was recently restarted this should \
                 self-resolve once its session expires.",
            ));
        }
        self.check_directories(registration)?;
        self.check_features(&registration.features)?;
        let broker_epoch = same.map_or(BrokerEpoch(next_offset.0), |same| same.epoch);
        let record = RegisterBrokerRecord {
            broker_id: registration.broker_id,
            is_migrating_zk_broker: false,
            incarnation_id: registration.incarnation_id,
            broker_epoch,
            end_points: registration.listeners.clone(),
            features: registration.features.clone(),
            rack: registration.rack.clone(),
            fenced: same.is_none_or(|same| same.fenced),
            in_controlled_shutdown: same.is_some_and(|same| same.in_controlled_shutdown),
            log_dirs: registration.log_dirs.clone(),
            cordoned_log_dirs: same.and_then(|same| same.cordoned_directories.clone()),
        };
        let mut records = vec![record.into()];
        if let Some(existing) = existing.filter(|_| same.is_none()) {
            let clean = registration.previous_broker_epoch == existing.epoch;
            let place = if clean { Place::Fenced } else { Place::Unclean };
            records.extend(self.partition_changes(existing.id, place, rules));
        }
        Ok(Decision { records, response: broker_epoch })
    }

    fn check_directories(&self, registration: &Registration) -> Result<(), Rejection> {
        let directories = &registration.log_dirs;
        if directories.is_empty() {
            return Err(invalid("No directories specified in request"));
        }
        // Kafka keeps the first 100 ids for itself (`DirectoryId.reserved`).
        let is_reserved = |id: &DirectoryId| u128::from_be_bytes(id.0) < 100;
        if directories.iter().any(is_reserved) {
            return Err(invalid("Reserved directory ID in request"));
        }
        let mut sorted = directories.clone();
        sorted.sort_unstable();
        sorted.dedup();
        if sorted.len() != directories.len() {
            return Err(invalid("Duplicate directory ID in request"));
        }
        for other in self.image.brokers().filter(|other| other.id != registration.broker_id) {
            if let Some(directory) =
                other.directories.iter().find(|directory| directories.contains(directory))
            {
                return Err(invalid(format!(
                    "Broker {} is already registered with directory {directory}",
                    other.id
                )));
            }
        }
        Ok(())
    }

    fn check_features(&self, features: &[BrokerFeature]) -> Result<(), Rejection> {
        if !features.iter().any(|feature| feature.name == METADATA_VERSION) {
            return Err(invalid("Request features do not contain 'metadata.version'"));
        }
        for (name, level) in self.image.features() {
            let supported = features.iter().find(|feature| feature.name == **name);
            let (min, max) = supported.map_or((0, 0), |f| (f.min_supported_version, f.max_supported_version));
            if *level < min || *level > max {
                return Err(Rejection::new(
                    ErrorCode::UnsupportedVersion,
                    format!(
                        "Unable to register because the broker does not support finalized version {level} of {name}. \
                         The broker wants a version between {min} and {max}, inclusive."
                    ),
                ));
            }
        }
        Ok(())
    }

    /// Decides on a heartbeat: fences, unfences, lets a broker stop.
    ///
    /// # Errors
    /// The broker, or this incarnation of it, is not registered.
    pub fn decide_heartbeat(
        &self,
        heartbeat: &Heartbeat,
        rules: &dyn ConfigRules,
    ) -> Result<Decision<HeartbeatAnswer>, Rejection> {
        let broker = self.check_broker_epoch(heartbeat.broker_id, heartbeat.broker_epoch)?;
        let is_caught_up = heartbeat.current_metadata_offset.0 > broker.epoch.0;
        let leads = || {
            self.image
                .topics()
                .any(|topic| topic.partitions().any(|(_, partition)| partition.leader == heartbeat.broker_id))
        };
        let (place, should_shut_down) = if broker.fenced {
            let stays = heartbeat.want_fence || heartbeat.want_shut_down || !is_caught_up;
            (if stays { Place::Fenced } else { Place::Active }, heartbeat.want_shut_down)
        } else if heartbeat.want_shut_down {
            let done = heartbeat.want_fence || (broker.in_controlled_shutdown && !leads());
            (if done { Place::Fenced } else { Place::Stopping }, done)
        } else if heartbeat.want_fence {
            (Place::Fenced, false)
        } else {
            (Place::Active, false)
        };
        let records = self.move_broker(&broker, place, rules);
        let is_fenced = place == Place::Fenced;
        Ok(Decision { records, response: HeartbeatAnswer { is_caught_up, is_fenced, should_shut_down } })
    }

    /// Decides to fence a broker that is not heard of any more.
    #[must_use]
    pub fn decide_fence_broker(&self, id: BrokerId, rules: &dyn ConfigRules) -> Decision<()> {
        let broker = self.image.broker(id);
        let records = broker.map(|broker| self.move_broker(broker, Place::Fenced, rules)).unwrap_or_default();
        Decision { records, response: () }
    }

    /// Decides on the directories of a broker that take no new replicas (KIP-1066).
    ///
    /// # Errors
    /// The broker, or this incarnation of it, is not registered.
    pub fn decide_cordon(
        &self,
        id: BrokerId,
        epoch: BrokerEpoch,
        directories: &[DirectoryId],
    ) -> Result<Decision<()>, Rejection> {
        let broker = self.check_broker_epoch(id, epoch)?;
        let is_same = broker.cordoned_directories.as_deref().unwrap_or_default() == directories;
        let record = BrokerRegistrationChangeRecord {
            broker_id: id,
            broker_epoch: epoch,
            cordoned_log_dirs: Some(directories.to_vec()),
            ..BrokerRegistrationChangeRecord::default()
        };
        let records = if is_same { Vec::new() } else { vec![record.into()] };
        Ok(Decision { records, response: () })
    }

    /// Decides to forget a broker: it leaves every ISR, and what it led is led by others. One that lives registers again
    /// when it sees that it is not registered.
    ///
    /// # Errors
    /// The broker is not registered.
    pub fn decide_unregister_broker(
        &self,
        id: BrokerId,
        rules: &dyn ConfigRules,
    ) -> Result<Decision<()>, Rejection> {
        let Some(broker) = self.image.broker(id) else {
            let message = format!("Broker ID {id} is not currently registered");
            return Err(Rejection::new(ErrorCode::BrokerIdNotRegistered, message));
        };
        let mut records: Vec<MetadataRecord> = self.partition_changes(id, Place::Fenced, rules).collect();
        records.push(UnregisterBrokerRecord { broker_id: id, broker_epoch: broker.epoch }.into());
        Ok(Decision { records, response: () })
    }

    /// Decides on a block of producer ids for a broker.
    ///
    /// # Errors
    /// The broker, or this incarnation of it, is not registered; or all ids are given away.
    pub fn decide_allocate_producer_ids(
        &self,
        broker_id: BrokerId,
        broker_epoch: BrokerEpoch,
    ) -> Result<Decision<ProducerIdBlock>, Rejection> {
        self.check_broker_epoch(broker_id, broker_epoch)?;
        let first = self.image.next_producer_id();
        let next = first.0.checked_add(PRODUCER_ID_BLOCK_SIZE).map(ProducerId).ok_or_else(|| {
            Rejection::new(ErrorCode::UnknownServerError, "All producer ids have been given away.")
        })?;
        let record = ProducerIdsRecord { broker_id, broker_epoch, next_producer_id: next };
        let response = ProducerIdBlock { first, size: PRODUCER_ID_BLOCK_SIZE };
        Ok(Decision { records: vec![record.into()], response })
    }

    pub(super) fn check_broker_epoch(
        &self,
        id: BrokerId,
        epoch: BrokerEpoch,
    ) -> Result<Arc<BrokerRegistration>, Rejection> {
        let Some(broker) = self.image.broker(id) else {
            let message = format!("No broker registration found for broker id {id}");
            return Err(Rejection::new(ErrorCode::BrokerIdNotRegistered, message));
        };
        if broker.epoch != epoch {
            let message = format!("Expected broker epoch {}, but got broker epoch {epoch}", broker.epoch);
            return Err(Rejection::new(ErrorCode::StaleBrokerEpoch, message));
        }
        Ok(Arc::clone(broker))
    }

    fn move_broker(
        &self,
        broker: &BrokerRegistration,
        place: Place,
        rules: &dyn ConfigRules,
    ) -> Vec<MetadataRecord> {
        let (fenced, stopping) = match place {
            Place::Active if broker.fenced => (-1, 0),
            Place::Fenced | Place::Unclean if !broker.fenced => (1, 0),
            Place::Stopping if !broker.in_controlled_shutdown => (0, 1),
            _ => return Vec::new(),
        };
        let record = BrokerRegistrationChangeRecord {
            broker_id: broker.id,
            broker_epoch: broker.epoch,
            fenced,
            in_controlled_shutdown: stopping,
            ..BrokerRegistrationChangeRecord::default()
        };
        let mut records = vec![record.into()];
        records.extend(self.partition_changes(broker.id, place, rules));
        records
    }

    /// What changes in partitions when a broker takes its place: one that is out leaves every ISR and gives up its
    /// leaders; one that comes in leads again what has no leader.
    fn partition_changes(
        &self,
        id: BrokerId,
        place: Place,
        rules: &dyn ConfigRules,
    ) -> impl Iterator<Item = MetadataRecord> {
        let comes_in = place == Place::Active;
        let elr_enabled = self.is_elr_enabled();
        self.image.topics().flat_map(move |topic| {
            let min_insync_replicas = self.min_insync_replicas(&topic.name, rules);
            topic.partitions().filter_map(move |(index, partition)| {
                let is_alive = |other: BrokerId| if other == id { comes_in } else { self.is_active(other) };
                let touched = if comes_in {
                    partition.leader == BrokerId::NONE && partition.replicas.contains(&id)
                } else {
                    partition.leader == id || partition.isr.contains(&id) || partition.elr.contains(&id)
                };
                let mut target_isr = partition.isr.clone();
                if !comes_in {
                    target_isr.retain(|member| *member != id);
                }
                let change = PartitionChange {
                    topic_id: topic.id,
                    index,
                    partition,
                    target_isr,
                    unclean: (place == Place::Unclean).then_some(id),
                    min_insync_replicas,
                    elr_enabled,
                    recovered: false,
                    is_alive: &is_alive,
                };
                touched.then(|| change.record()).flatten().map(MetadataRecord::from)
            })
        })
    }
}

//! The controller: decides what changes in the cluster's metadata.
//!
//! A replicated machine: `decide_*` looks at the state and gives records and a response, and changes nothing; records
//! come back through [`Controller::replay`]. The active controller replays at once what is in its log, so that
//! decisions pipeline on a *speculative* image ahead of the committed one; when its leadership goes it is dropped, and
//! the next one begins with the committed image. A response leaves when its records are committed.
//!
//! Owner: the quorum's thread. Time and random numbers are arguments. What a configuration key is, is asked of
//! [`ConfigRules`]. Error codes and the order of checks are those of Kafka 4.3's controller.

mod alter_configs;
mod alter_partition;
mod brokers;
mod create_partitions;
mod create_topics;
mod delete_topics;
mod features;
mod partition_change;
mod placement;
mod sessions;
#[cfg(test)]
mod tests;
mod topic_name;

pub use alter_configs::{AlterConfig, AlterResource, ConfigOperation};
pub use alter_partition::{AlterPartition, AlteredPartition};
pub use brokers::{Heartbeat, HeartbeatAnswer, PRODUCER_ID_BLOCK_SIZE, ProducerIdBlock, Registration};
pub use create_partitions::CreatePartitions;
pub use create_topics::{CreateTopic, CreatedTopic};
pub use delete_topics::{DeleteTopic, DeletedTopic};
pub use features::{ELR_VERSION, FEATURES, Feature, FeatureUpdate, Upgrade, bootstrap_records};
pub use sessions::Sessions;
pub use topic_name::{TOPIC_NAME_MAX, topic_name_problem};

use crate::image::{ApplyError, Change, ConfigResource, MetadataImage, ResourceType};
use protocol::ErrorCode;
use protocol::id::{BrokerId, Uuid};
use protocol::metadata_record::MetadataRecord;
use std::collections::BTreeMap;

/// The most partitions that one request may create, as in Kafka (`ReplicationControlManager`).
pub const PARTITIONS_PER_REQUEST_MAX: usize = 10_000;

/// The longest configuration value.
pub const CONFIG_VALUE_BYTES_MAX: usize = 32_767;

/// The most keys that are set for one resource: names with a listener in them are without number.
pub const CONFIGS_PER_RESOURCE_MAX: usize = 1_000;

const MIN_INSYNC_REPLICAS: &str = "min.insync.replicas";

/// What the controller asks about configuration keys.
pub trait ConfigRules {
    /// Checks everything that would be set for a resource.
    ///
    /// # Errors
    /// Kafka's code for this kind of resource, and a sentence that names key, value and rule.
    fn validate(&self, resource: &ConfigResource, configs: &BTreeMap<&str, &str>) -> Result<(), Rejection>;

    /// Whether a key's value is a list, which APPEND and SUBTRACT change.
    fn is_list(&self, resource_type: ResourceType, key: &str) -> bool;

    /// The value that a list has while nothing is set.
    fn list_default(&self, resource_type: ResourceType, key: &str) -> Option<String>;

    /// `min.insync.replicas` where neither topic nor cluster sets it.
    fn min_insync_replicas(&self) -> usize;
}

/// What a request that leaves them out gets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Defaults {
    /// `num.partitions`.
    pub num_partitions: i32,
    /// `default.replication.factor`.
    pub replication_factor: i16,
}

/// Records to propose, and what to answer once they are committed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decision<R> {
    /// One batch; empty when nothing changes, then the response may leave as soon as the decisions before it are
    /// committed.
    pub records: Vec<MetadataRecord>,
    /// The answer.
    pub response: R,
}

/// A request, or a part of one, that changes nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rejection {
    /// Kafka's code.
    pub error_code: ErrorCode,
    /// What is wrong, for people.
    pub message: String,
}

impl Rejection {
    /// A refusal with its reason.
    pub fn new(error_code: ErrorCode, message: impl Into<String>) -> Self {
        Self { error_code, message: message.into() }
    }
}

/// One answer per topic name, in the order of the request.
pub type PerTopic<R> = Vec<(String, Result<R, Rejection>)>;

/// Random numbers from the node's seed.
pub type Random<'a> = &'a mut dyn FnMut() -> u64;

/// The controller's state: the image after everything that was decided.
#[derive(Debug, Clone, Default)]
pub struct Controller {
    image: MetadataImage,
}

impl Controller {
    /// A controller that decides on top of `image`.
    #[must_use]
    pub fn new(image: MetadataImage) -> Self {
        Self { image }
    }

    /// The state on which the next decision is made.
    #[must_use]
    pub fn image(&self) -> &MetadataImage {
        &self.image
    }

    /// Takes over one record: decided here, or committed by another controller.
    ///
    /// # Errors
    /// The record does not fit what was replayed before.
    pub fn replay(&mut self, record: &MetadataRecord) -> Result<Change, ApplyError> {
        self.image.apply(record)
    }

    /// An id for something new. Never one whose text begins with a dash: Kafka's tools take that for an option.
    fn new_id(&self, random: Random<'_>) -> Uuid {
        loop {
            let (high, low) = (random().to_be_bytes(), random().to_be_bytes());
            let mut bytes = [0; 16];
            bytes[..8].copy_from_slice(&high);
            bytes[8..].copy_from_slice(&low);
            let id = Uuid::from_random(bytes);
            if !id.to_string().starts_with('-') && self.image.topic_by_id(id).is_none() {
                return id;
            }
        }
    }

    fn is_elr_enabled(&self) -> bool {
        self.image.feature(ELR_VERSION) > 0
    }

    fn is_active(&self, id: BrokerId) -> bool {
        self.image.broker(id).is_some_and(|broker| broker.is_active())
    }

    /// `min.insync.replicas` of a topic: its own, else the cluster's dynamic one, else the default. Never a single
    /// broker's (KAFKA-16540).
    fn min_insync_replicas(&self, topic: &str, rules: &dyn ConfigRules) -> usize {
        let own = self.image.config(&ConfigResource::topic(topic), MIN_INSYNC_REPLICAS);
        let set = own.or_else(|| self.image.config(&ConfigResource::all_brokers(), MIN_INSYNC_REPLICAS));
        set.and_then(|value| value.trim().parse().ok()).unwrap_or_else(|| rules.min_insync_replicas())
    }
}

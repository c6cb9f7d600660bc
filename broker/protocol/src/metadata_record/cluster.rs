//! Records about the cluster: configuration, feature levels, producer ids.

use protocol_derive::Message;

use crate::id::{BrokerEpoch, BrokerId, ProducerId};

/// One key of one resource is set or removed.
#[derive(Debug, Clone, PartialEq, Eq, Message)]
#[message(versions = "0", flexible = "0+")]
pub struct ConfigRecord {
    /// Kafka's `ConfigResource.Type`: 2 is a topic, 4 a broker, 8 a logger, 16 client metrics, 32 a group.
    pub resource_type: i8,
    /// The resource: a topic's name, a broker's id, or empty for the default of all brokers.
    pub resource_name: String,
    /// The key.
    pub name: String,
    /// The value; null removes the key.
    #[field(nullable = "0+")]
    pub value: Option<String>,
}

/// The cluster's level of one feature (KIP-584).
#[derive(Debug, Clone, PartialEq, Eq, Message)]
#[message(versions = "0", flexible = "0+")]
pub struct FeatureLevelRecord {
    /// The feature's name.
    pub name: String,
    /// The level of the cluster; 0 switches the feature off.
    pub feature_level: i16,
}

/// A block of producer ids was given away (KIP-730).
#[derive(Debug, Clone, PartialEq, Eq, Message)]
#[message(versions = "0", flexible = "0+")]
pub struct ProducerIdsRecord {
    /// The broker that got the block before the next id.
    pub broker_id: BrokerId,
    /// The incarnation of the broker.
    #[field(default = BrokerEpoch(-1))]
    pub broker_epoch: BrokerEpoch,
    /// The first id that no block has.
    pub next_producer_id: ProducerId,
}

/// Changes nothing; advances the committed offset (KIP-835).
#[derive(Debug, Clone, PartialEq, Eq, Message)]
#[message(versions = "0", flexible = "0+")]
pub struct NoOpRecord {}

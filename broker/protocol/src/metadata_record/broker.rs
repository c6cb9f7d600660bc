//! Records about brokers.

use protocol_derive::{Fields, Message};

use crate::id::{BrokerEpoch, BrokerId, DirectoryId, Uuid};

/// A broker registered.
#[derive(Debug, Clone, PartialEq, Eq, Message)]
#[message(versions = "0-4", flexible = "0+")]
pub struct RegisterBrokerRecord {
    /// The broker.
    pub broker_id: BrokerId,
    /// Of no meaning without ZooKeeper; always false.
    #[field(versions = "2+")]
    pub is_migrating_zk_broker: bool,
    /// Names one start of the broker's process.
    pub incarnation_id: Uuid,
    /// The incarnation of the broker.
    pub broker_epoch: BrokerEpoch,
    /// Where the broker listens.
    pub end_points: Vec<BrokerEndpoint>,
    /// Feature levels that the broker can run at.
    pub features: Vec<BrokerFeature>,
    /// The rack (`broker.rack`); null is none.
    #[field(nullable = "0+")]
    pub rack: Option<String>,
    /// Whether the broker is fenced.
    #[field(default = true)]
    pub fenced: bool,
    /// Whether the broker has begun to stop.
    #[field(versions = "1+")]
    pub in_controlled_shutdown: bool,
    /// Directories that are online.
    #[field(versions = "3+", tag = 0)]
    pub log_dirs: Vec<DirectoryId>,
    /// Directories that take no new partitions (KIP-1066); null when the broker has not said.
    #[field(versions = "4+", nullable = "0+", tag = 1)]
    pub cordoned_log_dirs: Option<Vec<DirectoryId>>,
}

/// One listener of a broker.
#[derive(Debug, Clone, PartialEq, Eq, Fields)]
pub struct BrokerEndpoint {
    /// The listener's name.
    pub name: String,
    /// The host that clients connect to.
    pub host: String,
    /// The TCP port.
    pub port: u16,
    /// Kafka's `SecurityProtocol`: 0 PLAINTEXT, 1 SSL, 2 SASL_PLAINTEXT, 3 SASL_SSL.
    pub security_protocol: i16,
}

/// One feature of a broker.
#[derive(Debug, Clone, PartialEq, Eq, Fields)]
pub struct BrokerFeature {
    /// The feature's name.
    pub name: String,
    /// The lowest level that the broker can run at.
    pub min_supported_version: i16,
    /// The highest level that the broker can run at.
    pub max_supported_version: i16,
}

/// A broker is taken out of the cluster.
#[derive(Debug, Clone, PartialEq, Eq, Message)]
#[message(versions = "0", flexible = "0+")]
pub struct UnregisterBrokerRecord {
    /// The broker.
    pub broker_id: BrokerId,
    /// The incarnation of the broker.
    pub broker_epoch: BrokerEpoch,
}

/// A change of a broker's registration.
#[derive(Debug, Clone, PartialEq, Eq, Message)]
#[message(versions = "0-3", flexible = "0+")]
pub struct BrokerRegistrationChangeRecord {
    /// The broker.
    pub broker_id: BrokerId,
    /// The incarnation of the broker.
    pub broker_epoch: BrokerEpoch,
    /// 1 fences the broker, -1 unfences it, 0 is no change.
    #[field(tag = 0)]
    pub fenced: i8,
    /// 1 when the broker has begun to stop, 0 is no change.
    #[field(versions = "1+", tag = 1)]
    pub in_controlled_shutdown: i8,
    /// Directories that are online; empty is no change.
    #[field(versions = "2+", tag = 2)]
    pub log_dirs: Vec<DirectoryId>,
    /// Directories that take no new partitions (KIP-1066); null is no change.
    #[field(versions = "3+", nullable = "0+", tag = 3)]
    pub cordoned_log_dirs: Option<Vec<DirectoryId>>,
}

//! A broker as the metadata log has it.

use protocol::id::{BrokerEpoch, BrokerId, DirectoryId, Uuid};
use protocol::metadata_record::{BrokerEndpoint, BrokerFeature};

/// What the metadata log says about one broker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BrokerRegistration {
    /// The broker.
    pub id: BrokerId,
    /// This incarnation: the offset of its registration.
    pub epoch: BrokerEpoch,
    /// Names one start of the broker's process.
    pub incarnation_id: Uuid,
    /// Where it listens.
    pub listeners: Vec<BrokerEndpoint>,
    /// Feature levels that it can run at.
    pub features: Vec<BrokerFeature>,
    /// Its rack, if it has one.
    pub rack: Option<String>,
    /// Fenced brokers lead nothing and are in no ISR.
    pub fenced: bool,
    /// It has asked to stop: it gives up its leaders and is in no ISR (KIP-841).
    pub in_controlled_shutdown: bool,
    /// Its log directories that are online.
    pub directories: Vec<DirectoryId>,
    /// Those that take no new partitions (KIP-1066); `None` until it has said.
    pub cordoned_directories: Option<Vec<DirectoryId>>,
}

impl BrokerRegistration {
    /// The listener of that name.
    #[must_use]
    pub fn listener(&self, name: &str) -> Option<&BrokerEndpoint> {
        self.listeners.iter().find(|listener| listener.name == name)
    }

    /// Whether it may lead and be in sync: neither fenced nor stopping.
    #[must_use]
    pub fn is_active(&self) -> bool {
        !self.fenced && !self.in_controlled_shutdown
    }

    /// Whether every directory is cordoned, so that no new partition may be placed here.
    #[must_use]
    pub fn is_cordoned(&self) -> bool {
        let cordoned = self.cordoned_directories.as_deref().unwrap_or_default();
        !self.directories.is_empty() && self.directories.iter().all(|directory| cordoned.contains(directory))
    }
}

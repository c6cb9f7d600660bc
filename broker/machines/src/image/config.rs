//! What can be configured while the cluster runs.

use protocol::id::BrokerId;
use std::sync::Arc;

/// The kinds of resources that have dynamic configuration; the numbers are Kafka's `ConfigResource.Type`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum ResourceType {
    /// A topic, by name.
    Topic = 2,
    /// A broker, by id; the empty name stands for all brokers.
    Broker = 4,
    /// The log levels of a broker.
    BrokerLogger = 8,
    /// A subscription of client metrics (KIP-714).
    ClientMetrics = 16,
    /// A consumer group (KIP-848).
    Group = 32,
}

impl ResourceType {
    /// The number on the wire and in records.
    #[must_use]
    pub const fn wire(self) -> i8 {
        match self {
            Self::Topic => 2,
            Self::Broker => 4,
            Self::BrokerLogger => 8,
            Self::ClientMetrics => 16,
            Self::Group => 32,
        }
    }

    /// From the number on the wire.
    #[must_use]
    pub const fn from_wire(value: i8) -> Option<Self> {
        match value {
            2 => Some(Self::Topic),
            4 => Some(Self::Broker),
            8 => Some(Self::BrokerLogger),
            16 => Some(Self::ClientMetrics),
            32 => Some(Self::Group),
            _ => None,
        }
    }
}

/// One resource with dynamic configuration.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct ConfigResource {
    /// What kind of resource.
    pub resource_type: ResourceType,
    /// Which one.
    pub name: Arc<str>,
}

impl ConfigResource {
    /// A topic.
    #[must_use]
    pub fn topic(name: impl Into<Arc<str>>) -> Self {
        Self { resource_type: ResourceType::Topic, name: name.into() }
    }

    /// One broker.
    #[must_use]
    pub fn broker(id: BrokerId) -> Self {
        Self { resource_type: ResourceType::Broker, name: id.to_string().into() }
    }

    /// The default of all brokers.
    #[must_use]
    pub fn all_brokers() -> Self {
        Self { resource_type: ResourceType::Broker, name: Arc::from("") }
    }
}

//! AlterConfigs (33): the whole configuration of resources, replaced.

use protocol_derive::{Fields, Message};

use super::incremental_alter_configs::AlterConfigsResourceResponse;

/// Gives resources a configuration; what they had is gone (KIP-133).
#[derive(Debug, Clone, PartialEq, Eq, Message)]
#[message(key = AlterConfigs, response = AlterConfigsResponse, versions = "0-2", flexible = "2+")]
pub struct AlterConfigsRequest {
    /// The resources.
    pub resources: Vec<AlterConfigsResource>,
    /// Check the request, change nothing.
    pub validate_only: bool,
}

/// One resource.
#[derive(Debug, Clone, PartialEq, Eq, Fields)]
pub struct AlterConfigsResource {
    /// Kafka's `ConfigResource.Type`: 2 is a topic, 4 a broker, 8 a logger, 16 client metrics, 32 a
    /// group.
    pub resource_type: i8,
    /// The resource: a topic's name, a broker's id, or empty for the default of all brokers.
    pub resource_name: String,
    /// Everything that is to be set.
    pub configs: Vec<AlterableConfig>,
}

/// One key.
#[derive(Debug, Clone, PartialEq, Eq, Fields)]
pub struct AlterableConfig {
    /// The key.
    pub name: String,
    /// The value.
    #[field(nullable = "0+")]
    pub value: Option<String>,
}

/// What became of it.
#[derive(Debug, Clone, PartialEq, Eq, Message)]
#[message(versions = "0-2", flexible = "2+")]
pub struct AlterConfigsResponse {
    /// Milliseconds for which the client should send nothing, because of a quota; 0 is none.
    pub throttle_time_ms: i32,
    /// One outcome for each resource.
    pub responses: Vec<AlterConfigsResourceResponse>,
}

//! ListConfigResources (74): what has, or could have, a configuration.

use protocol_derive::{Fields, Message};

use crate::ErrorCode;

/// Asks for resources; version 0 for those of client metrics alone (KIP-1142).
#[derive(Debug, Clone, PartialEq, Eq, Message)]
#[message(key = ListConfigResources, response = ListConfigResourcesResponse, versions = "0-1", flexible = "0+")]
pub struct ListConfigResourcesRequest {
    /// Kafka's `ConfigResource.Type` of each kind that is asked for; empty is all.
    #[field(versions = "1+")]
    pub resource_types: Vec<i8>,
}

/// The resources.
#[derive(Debug, Clone, PartialEq, Eq, Message)]
#[message(versions = "0-1", flexible = "0+")]
pub struct ListConfigResourcesResponse {
    /// Milliseconds for which the client should send nothing, because of a quota; 0 is none.
    pub throttle_time_ms: i32,
    /// The outcome of the whole request.
    pub error_code: ErrorCode,
    /// The resources.
    pub config_resources: Vec<ConfigResource>,
}

/// One resource.
#[derive(Debug, Clone, PartialEq, Eq, Fields)]
pub struct ConfigResource {
    /// The resource: a topic's or group's name, a broker's id.
    pub resource_name: String,
    /// Kafka's `ConfigResource.Type`: 2 is a topic, 4 a broker, 8 a logger, 16 client metrics, 32 a
    /// group.
    #[field(versions = "1+", default = 16)]
    pub resource_type: i8,
}

//! IncrementalAlterConfigs (44).

use protocol_derive::{Fields, Message};

use crate::ErrorCode;

/// Asks for single keys of resources to be changed (KIP-339).
#[derive(Debug, Clone, PartialEq, Eq, Message)]
#[message(key = IncrementalAlterConfigs, response = IncrementalAlterConfigsResponse, versions = "0-1", flexible = "1+")]
pub struct IncrementalAlterConfigsRequest {
    /// The resources.
    pub resources: Vec<AlterConfigsResource>,
    /// Check the request, change nothing.
    pub validate_only: bool,
}

/// One resource to change.
#[derive(Debug, Clone, PartialEq, Eq, Fields)]
pub struct AlterConfigsResource {
    /// Kafka's `ConfigResource.Type`: 2 is a topic, 4 a broker, 8 a logger, 16 client metrics, 32 a group.
    pub resource_type: i8,
    /// The resource: a topic's name, a broker's id, or empty for the default of all brokers.
    pub resource_name: String,
    /// What to change.
    pub configs: Vec<AlterableConfig>,
}

/// One change of one key.
#[derive(Debug, Clone, PartialEq, Eq, Fields)]
pub struct AlterableConfig {
    /// The key.
    pub name: String,
    /// 0 sets the key, 1 removes it, 2 appends to a list, 3 takes from a list.
    pub config_operation: i8,
    /// The value, or the elements of a list; null when the key is removed.
    #[field(nullable = "0+")]
    pub value: Option<String>,
}

/// What became of it.
#[derive(Debug, Clone, PartialEq, Eq, Message)]
#[message(versions = "0-1", flexible = "1+")]
pub struct IncrementalAlterConfigsResponse {
    /// Milliseconds for which the client should send nothing, because of a quota; 0 is none.
    pub throttle_time_ms: i32,
    /// One outcome for each resource.
    pub responses: Vec<AlterConfigsResourceResponse>,
}

/// One resource's outcome.
#[derive(Debug, Clone, PartialEq, Eq, Fields)]
pub struct AlterConfigsResourceResponse {
    /// The outcome for this resource.
    pub error_code: ErrorCode,
    /// The outcome in words; null when there was no error.
    #[field(nullable = "0+")]
    pub error_message: Option<String>,
    /// Kafka's `ConfigResource.Type`: 2 is a topic, 4 a broker, 8 a logger, 16 client metrics, 32 a group.
    pub resource_type: i8,
    /// The resource: a topic's name, a broker's id, or empty for the default of all brokers.
    pub resource_name: String,
}

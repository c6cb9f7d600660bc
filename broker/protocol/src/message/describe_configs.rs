//! DescribeConfigs (32).

use protocol_derive::{Fields, Message};

use crate::ErrorCode;

/// Asks for the configuration of resources (KIP-133, KIP-226, KIP-569).
#[derive(Debug, Clone, PartialEq, Eq, Message)]
#[message(key = DescribeConfigs, response = DescribeConfigsResponse, versions = "1-4", flexible = "4+")]
pub struct DescribeConfigsRequest {
    /// The resources.
    pub resources: Vec<DescribeConfigsResource>,
    /// Tell every place that could set a key, in order of precedence.
    pub include_synonyms: bool,
    /// Tell each key's documentation.
    #[field(versions = "3+")]
    pub include_documentation: bool,
}

/// One resource, and which of its keys.
#[derive(Debug, Clone, PartialEq, Eq, Fields)]
pub struct DescribeConfigsResource {
    /// Kafka's `ConfigResource.Type`: 2 is a topic, 4 a broker, 8 a logger, 16 client metrics, 32 a group.
    pub resource_type: i8,
    /// The resource: a topic's name, a broker's id, or empty for the default of all brokers.
    pub resource_name: String,
    /// The keys that are asked for; null is all.
    #[field(nullable = "0+")]
    pub configuration_keys: Option<Vec<String>>,
}

/// The configurations.
#[derive(Debug, Clone, PartialEq, Eq, Message)]
#[message(versions = "1-4", flexible = "4+")]
pub struct DescribeConfigsResponse {
    /// Milliseconds for which the client should send nothing, because of a quota; 0 is none.
    pub throttle_time_ms: i32,
    /// One result for each resource.
    pub results: Vec<DescribeConfigsResult>,
}

/// One resource's configuration.
#[derive(Debug, Clone, PartialEq, Eq, Fields)]
pub struct DescribeConfigsResult {
    /// The outcome for this resource.
    pub error_code: ErrorCode,
    /// The outcome in words; null when there was no error.
    #[field(nullable = "0+")]
    pub error_message: Option<String>,
    /// Kafka's `ConfigResource.Type`: 2 is a topic, 4 a broker, 8 a logger, 16 client metrics, 32 a group.
    pub resource_type: i8,
    /// The resource: a topic's name, a broker's id, or empty for the default of all brokers.
    pub resource_name: String,
    /// Its keys.
    pub configs: Vec<DescribeConfigsResourceResult>,
}

/// One key.
#[derive(Debug, Clone, PartialEq, Eq, Fields)]
pub struct DescribeConfigsResourceResult {
    /// The key.
    pub name: String,
    /// The value in effect; null when unset or sensitive.
    #[field(nullable = "0+")]
    pub value: Option<String>,
    /// Whether the key cannot be changed.
    pub read_only: bool,
    /// Where the value comes from, Kafka's `ConfigSource`: 1 topic, 2 broker, 3 default of all brokers, 4
    /// configuration file, 5 built-in default.
    #[field(default = -1)]
    pub config_source: i8,
    /// Whether the value is secret, and therefore null.
    pub is_sensitive: bool,
    /// Every place that sets it, the strongest first.
    pub synonyms: Vec<DescribeConfigsSynonym>,
    /// Kafka's `ConfigType`: 0 unknown, 1 boolean, 2 string, 3 int, 4 short, 5 long, 6 double, 7 list, 8
    /// class, 9 password.
    #[field(versions = "3+")]
    pub config_type: i8,
    /// What the key does; null when not asked for.
    #[field(versions = "3+", nullable = "0+")]
    pub documentation: Option<String>,
}

/// One place that sets a key.
#[derive(Debug, Clone, PartialEq, Eq, Fields)]
pub struct DescribeConfigsSynonym {
    /// The key in that place, for example `log.retention.ms` for `retention.ms`.
    pub name: String,
    /// The value there.
    #[field(nullable = "0+")]
    pub value: Option<String>,
    /// Which place, as `config_source`.
    pub source: i8,
}

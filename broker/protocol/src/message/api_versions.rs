//! ApiVersions (18): the first request of a connection.

use protocol_derive::{Fields, Message};

use crate::ErrorCode;

/// Asks which APIs and versions are served (KIP-35, KIP-511).
#[derive(Debug, Clone, PartialEq, Eq, Message)]
#[message(key = ApiVersions, response = ApiVersionsResponse, versions = "0-4", flexible = "3+")]
pub struct ApiVersionsRequest {
    /// The client library, for example `apache-kafka-java` (KIP-511).
    #[field(versions = "3+")]
    pub client_software_name: String,
    /// Its version.
    #[field(versions = "3+")]
    pub client_software_version: String,
}

/// The APIs and versions that are served, and the feature levels (KIP-584).
#[derive(Debug, Clone, PartialEq, Eq, Message)]
#[message(versions = "0-4", flexible = "3+")]
pub struct ApiVersionsResponse {
    /// The outcome of the whole request.
    pub error_code: ErrorCode,
    /// Every API that is served, with its versions.
    pub api_keys: Vec<ApiVersion>,
    /// Milliseconds for which the client should send nothing, because of a quota; 0 is none.
    #[field(versions = "1+")]
    pub throttle_time_ms: i32,
    /// Feature levels that this broker can run at.
    #[field(versions = "3+", tag = 0)]
    pub supported_features: Vec<SupportedFeatureKey>,
    /// The metadata offset of the feature levels; -1 is unknown.
    #[field(versions = "3+", tag = 1, default = -1)]
    pub finalized_features_epoch: i64,
    /// Feature levels of the cluster; they hold when the epoch is not -1.
    #[field(versions = "3+", tag = 2)]
    pub finalized_features: Vec<FinalizedFeatureKey>,
    /// Of no meaning without ZooKeeper; always false.
    #[field(versions = "3+", tag = 3)]
    pub zk_migration_ready: bool,
}

/// One API with its versions.
#[derive(Debug, Clone, PartialEq, Eq, Fields)]
pub struct ApiVersion {
    /// The API's number.
    pub api_key: i16,
    /// The lowest version served.
    pub min_version: i16,
    /// The highest version served.
    pub max_version: i16,
}

/// One feature that the broker has.
#[derive(Debug, Clone, PartialEq, Eq, Fields)]
pub struct SupportedFeatureKey {
    /// The feature's name.
    pub name: String,
    /// The lowest level.
    pub min_version: i16,
    /// The highest level.
    pub max_version: i16,
}

/// One feature's level in the cluster.
#[derive(Debug, Clone, PartialEq, Eq, Fields)]
pub struct FinalizedFeatureKey {
    /// The feature's name.
    pub name: String,
    /// The level.
    pub max_version_level: i16,
    /// The level, again.
    pub min_version_level: i16,
}

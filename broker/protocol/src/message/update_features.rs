//! UpdateFeatures (57): the levels at which the cluster runs its features.

use protocol_derive::{Fields, Message};

use crate::ErrorCode;

/// Changes features' levels (KIP-584, KIP-778).
#[derive(Debug, Clone, PartialEq, Eq, Message)]
#[message(key = UpdateFeatures, response = UpdateFeaturesResponse, versions = "0-2", flexible = "0+")]
pub struct UpdateFeaturesRequest {
    /// Milliseconds that the controller may take.
    #[field(default = 60000)]
    pub timeout_ms: i32,
    /// The features.
    pub feature_updates: Vec<FeatureUpdateKey>,
    /// Check the request, change nothing.
    #[field(versions = "1+")]
    pub validate_only: bool,
}

/// One feature.
#[derive(Debug, Clone, PartialEq, Eq, Fields)]
pub struct FeatureUpdateKey {
    /// The feature's name.
    pub feature: String,
    /// The level to go to; below 1 turns the feature off.
    pub max_version_level: i16,
    /// Whether the level may sink.
    #[field(versions = "0")]
    pub allow_downgrade: bool,
    /// 1 only rises, 2 sinks where nothing is lost, 3 sinks whatever is lost.
    #[field(versions = "1+", default = 1)]
    pub upgrade_type: i8,
}

/// What became of it.
#[derive(Debug, Clone, PartialEq, Eq, Message)]
#[message(versions = "0-2", flexible = "0+")]
pub struct UpdateFeaturesResponse {
    /// Milliseconds for which the client should send nothing, because of a quota; 0 is none.
    pub throttle_time_ms: i32,
    /// The outcome of the whole request.
    pub error_code: ErrorCode,
    /// The outcome in words; null when there was no error.
    #[field(nullable = "0+")]
    pub error_message: Option<String>,
    /// One outcome for each feature.
    #[field(versions = "0-1")]
    pub results: Vec<UpdatableFeatureResult>,
}

/// One feature's outcome.
#[derive(Debug, Clone, PartialEq, Eq, Fields)]
pub struct UpdatableFeatureResult {
    /// The feature's name.
    pub feature: String,
    /// The outcome for this feature.
    pub error_code: ErrorCode,
    /// The outcome in words; null when there was no error.
    #[field(nullable = "0+")]
    pub error_message: Option<String>,
}

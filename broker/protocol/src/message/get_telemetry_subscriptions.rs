//! GetTelemetrySubscriptions (71).

use protocol_derive::Message;

use crate::ErrorCode;
use crate::id::Uuid;

/// Asks which metrics the broker wants of the client (KIP-714).
#[derive(Debug, Clone, PartialEq, Eq, Message)]
#[message(key = GetTelemetrySubscriptions, response = GetTelemetrySubscriptionsResponse, versions = "0", flexible = "0+")]
pub struct GetTelemetrySubscriptionsRequest {
    /// The client; zero asks for an id.
    pub client_instance_id: Uuid,
}

/// Which metrics the broker wants.
#[derive(Debug, Clone, PartialEq, Eq, Message)]
#[message(versions = "0", flexible = "0+")]
pub struct GetTelemetrySubscriptionsResponse {
    /// Milliseconds for which the client should send nothing, because of a quota; 0 is none.
    pub throttle_time_ms: i32,
    /// The outcome of the whole request.
    pub error_code: ErrorCode,
    /// The id given to the client; zero when it had one.
    pub client_instance_id: Uuid,
    /// Names the subscription; a push repeats it.
    pub subscription_id: i32,
    /// Codecs that a push may use, in the broker's order.
    pub accepted_compression_types: Vec<i8>,
    /// Milliseconds between two pushes.
    pub push_interval_ms: i32,
    /// Most bytes of one push.
    pub telemetry_max_bytes: i32,
    /// Whether counters are sent as differences.
    pub delta_temporality: bool,
    /// Prefixes of the metrics wanted; empty is none, one empty prefix is all.
    pub requested_metrics: Vec<String>,
}

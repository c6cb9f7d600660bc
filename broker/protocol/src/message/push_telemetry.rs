//! PushTelemetry (72).

use bytes::Bytes;
use protocol_derive::Message;

use crate::ErrorCode;
use crate::id::Uuid;

/// A client's metrics (KIP-714).
#[derive(Debug, Clone, PartialEq, Eq, Message)]
#[message(key = PushTelemetry, response = PushTelemetryResponse, versions = "0", flexible = "0+")]
pub struct PushTelemetryRequest {
    /// The client.
    pub client_instance_id: Uuid,
    /// Names the subscription; a push repeats it.
    pub subscription_id: i32,
    /// Whether the client is closing.
    pub terminating: bool,
    /// The codec of the metrics.
    pub compression_type: i8,
    /// OpenTelemetry `MetricsData` in protobuf.
    pub metrics: Bytes,
}

/// What became of them.
#[derive(Debug, Clone, PartialEq, Eq, Message)]
#[message(versions = "0", flexible = "0+")]
pub struct PushTelemetryResponse {
    /// Milliseconds for which the client should send nothing, because of a quota; 0 is none.
    pub throttle_time_ms: i32,
    /// The outcome of the whole request.
    pub error_code: ErrorCode,
}

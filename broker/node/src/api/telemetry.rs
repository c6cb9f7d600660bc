//! GetTelemetrySubscriptions (71) and PushTelemetry (72): clients are told that nobody wants their metrics
//! (KIP-714), which costs one request for each client's start and then one for each interval.

use protocol::ErrorCode;
use protocol::message::get_telemetry_subscriptions::{
    GetTelemetrySubscriptionsRequest, GetTelemetrySubscriptionsResponse,
};
use protocol::message::push_telemetry::{PushTelemetryRequest, PushTelemetryResponse};
use protocol::wire::Reader;

use super::{Call, Handled, decode};

/// How long a client waits before it asks again: Kafka's default.
const PUSH_INTERVAL_MS: i32 = 300_000;

pub(super) fn handle_subscriptions(call: Call<'_>, reader: Reader<'_>) -> Result<Handled, &'static str> {
    let request: GetTelemetrySubscriptionsRequest = decode(reader, call.header.api_version)?;
    let known = request.client_instance_id;
    let client_instance_id = if known.is_zero() { call.node.random_uuid() } else { known };
    call.reply(&GetTelemetrySubscriptionsResponse {
        client_instance_id,
        // Kafka's order of preference: zstd, lz4, gzip, snappy.
        accepted_compression_types: vec![4, 3, 1, 2],
        push_interval_ms: PUSH_INTERVAL_MS,
        telemetry_max_bytes: call.node.config().telemetry_max_bytes,
        delta_temporality: true,
        ..GetTelemetrySubscriptionsResponse::default()
    })
}

pub(super) fn handle_push(call: Call<'_>, reader: Reader<'_>) -> Result<Handled, &'static str> {
    let request: PushTelemetryRequest = decode(reader, call.header.api_version)?;
    let error_code = if request.client_instance_id.is_zero() {
        ErrorCode::InvalidRequest
    } else {
        // No subscription was given out, so none can be the one that this push is for.
        ErrorCode::UnknownSubscriptionId
    };
    call.reply(&PushTelemetryResponse { error_code, ..PushTelemetryResponse::default() })
}

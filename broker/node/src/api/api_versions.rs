//! ApiVersions (18): what is served, and in which versions.

use protocol::ErrorCode;
use protocol::message::api_versions::{
    ApiVersionsRequest, ApiVersionsResponse, FinalizedFeatureKey, SupportedFeatureKey,
};
use protocol::wire::{Message, Reader};

use super::{Call, Handled, Header, advertised, decode, encode_reply};

pub(super) fn handle(call: Call<'_>, reader: Reader<'_>) -> Result<Handled, &'static str> {
    let version = call.header.api_version;
    if !ApiVersionsRequest::VERSIONS.contains(&version) {
        // Version 0 is what every client can read (KIP-511).
        let header = Header { api_version: 0, ..call.header };
        let response = ApiVersionsResponse {
            error_code: ErrorCode::UnsupportedVersion,
            api_keys: advertised().filter(|api| api.api_key == header.api_key as i16).collect(),
            ..ApiVersionsResponse::default()
        };
        return Ok(Handled::Reply(encode_reply(header, &response)));
    }
    let request: ApiVersionsRequest = decode(reader, version)?;
    if version >= 3 && !(is_name(&request.client_software_name) && is_name(&request.client_software_version))
    {
        let error_code = ErrorCode::InvalidRequest;
        return call.reply(&ApiVersionsResponse { error_code, ..ApiVersionsResponse::default() });
    }
    let image = call.node.image();
    let finalized = |(name, level): (&std::sync::Arc<str>, &i16)| FinalizedFeatureKey {
        name: name.to_string(),
        max_version_level: *level,
        min_version_level: *level,
    };
    let supported = |feature: &machines::controller::Feature| SupportedFeatureKey {
        name: feature.name.to_owned(),
        // Clients read a minimum of 0 as an error before version 4 (KAFKA-17011).
        min_version: if version < 4 { feature.min_level.max(1) } else { feature.min_level },
        max_version: feature.max_level,
    };
    call.reply(&ApiVersionsResponse {
        api_keys: advertised().collect(),
        supported_features: machines::controller::FEATURES.iter().map(supported).collect(),
        finalized_features_epoch: image.provenance.end_offset.0 - 1,
        finalized_features: image.features().map(finalized).collect(),
        ..ApiVersionsResponse::default()
    })
}

/// KIP-511's pattern: letters and digits, with dots and dashes between them.
fn is_name(text: &str) -> bool {
    let inner = |c: char| c.is_ascii_alphanumeric() || c == '.' || c == '-';
    let outer = |c: Option<char>| c.is_some_and(|c| c.is_ascii_alphanumeric());
    text.chars().all(inner) && outer(text.chars().next()) && outer(text.chars().last())
}

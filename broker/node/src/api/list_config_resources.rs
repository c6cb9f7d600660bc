//! ListConfigResources (74): what has a configuration of its own, or could have (KIP-1142).

use machines::image::{MetadataImage, ResourceType};
use protocol::ErrorCode;
use protocol::message::list_config_resources::{
    ConfigResource, ListConfigResourcesRequest, ListConfigResourcesResponse,
};
use protocol::wire::Reader;

use super::{Call, Handled, decode};

/// All kinds, in the order of their numbers.
const TYPES: [ResourceType; 5] = [
    ResourceType::Topic,
    ResourceType::Broker,
    ResourceType::BrokerLogger,
    ResourceType::ClientMetrics,
    ResourceType::Group,
];

pub(super) fn handle(call: Call<'_>, reader: Reader<'_>) -> Result<Handled, &'static str> {
    let version = call.header.api_version;
    let request: ListConfigResourcesRequest = decode(reader, version)?;
    // Version 0 was ListClientMetricsResources (KIP-714).
    let all = if version == 0 { &[ResourceType::ClientMetrics][..] } else { &TYPES[..] };
    let known = |wire: &i8| all.iter().any(|resource_type| resource_type.wire() == *wire);
    if !request.resource_types.iter().all(known) {
        let error_code = ErrorCode::UnsupportedVersion;
        return call
            .reply(&ListConfigResourcesResponse { error_code, ..ListConfigResourcesResponse::default() });
    }
    let is_asked = |resource_type: &&ResourceType| {
        request.resource_types.is_empty() || request.resource_types.contains(&resource_type.wire())
    };
    let image = call.node.image();
    let mut config_resources = Vec::new();
    for resource_type in all.iter().filter(is_asked) {
        let named = |resource_name| ConfigResource { resource_name, resource_type: resource_type.wire() };
        config_resources.extend(names(&image, *resource_type).into_iter().map(named));
    }
    call.reply(&ListConfigResourcesResponse { config_resources, ..ListConfigResourcesResponse::default() })
}

/// Topics and brokers are all there; of the others nothing is known but what was set.
fn names(image: &MetadataImage, resource_type: ResourceType) -> Vec<String> {
    match resource_type {
        ResourceType::Topic => image.topics().map(|topic| topic.name.to_string()).collect(),
        ResourceType::Broker | ResourceType::BrokerLogger => {
            image.brokers().filter(|broker| !broker.fenced).map(|broker| broker.id.to_string()).collect()
        }
        ResourceType::ClientMetrics | ResourceType::Group => image
            .configured_resources()
            .filter(|resource| resource.resource_type == resource_type)
            .map(|resource| resource.name.to_string())
            .collect(),
    }
}

//! What the broker says of topics and of its own dynamic configuration.

use std::collections::BTreeMap;

use node::config::Source;
use protocol::ErrorCode;
use protocol::id::BrokerId;
use protocol::message::describe_configs::{
    DescribeConfigsRequest, DescribeConfigsResource, DescribeConfigsResult,
};
use protocol::message::metadata::{MetadataRequest, MetadataRequestTopic};

use super::in_process::{CallError, Client};
use super::plan::ObservedTopic;

/// Kafka's `ConfigResource.Type`.
pub(super) const TOPIC: i8 = 2;
/// Kafka's `ConfigResource.Type`.
pub(super) const BROKER: i8 = 4;

/// Those of the named topics that are there.
pub(super) fn topics<'a>(
    client: &mut Client,
    names: impl Iterator<Item = &'a str>,
) -> Result<BTreeMap<String, ObservedTopic>, CallError> {
    let asked: Vec<_> = names
        .map(|name| MetadataRequestTopic { name: Some(name.to_owned()), ..MetadataRequestTopic::default() })
        .collect();
    if asked.is_empty() {
        return Ok(BTreeMap::new());
    }
    let request = MetadataRequest {
        topics: Some(asked),
        allow_auto_topic_creation: false,
        ..MetadataRequest::default()
    };
    let mut found = BTreeMap::new();
    for topic in client.call(&request)?.topics {
        if let (ErrorCode::None, Some(name)) = (topic.error_code, topic.name) {
            let partitions = i32::try_from(topic.partitions.len()).unwrap_or(i32::MAX);
            found.insert(name, ObservedTopic { partitions, config: BTreeMap::new() });
        }
    }
    for result in describe(client, TOPIC, found.keys().cloned())? {
        if let Some(topic) = found.get_mut(&result.resource_name) {
            let set = set_in(&result, Source::Topic);
            topic.config = set.into_iter().map(|(key, value)| (key, value.unwrap_or_default())).collect();
        }
    }
    Ok(found)
}

/// What is set on this broker while it runs; secrets have no value.
pub(super) fn broker(
    client: &mut Client,
    broker: BrokerId,
) -> Result<BTreeMap<String, Option<String>>, CallError> {
    let results = describe(client, BROKER, std::iter::once(broker.to_string()))?;
    Ok(results.iter().flat_map(|result| set_in(result, Source::DynamicBroker)).collect())
}

fn set_in(result: &DescribeConfigsResult, source: Source) -> BTreeMap<String, Option<String>> {
    let set = result.configs.iter().filter(|config| config.config_source == source as i8);
    set.map(|config| (config.name.clone(), config.value.clone())).collect()
}

fn describe(
    client: &mut Client,
    resource_type: i8,
    names: impl Iterator<Item = String>,
) -> Result<Vec<DescribeConfigsResult>, CallError> {
    let resources: Vec<_> = names
        .map(|resource_name| DescribeConfigsResource {
            resource_type,
            resource_name,
            configuration_keys: None,
        })
        .collect();
    if resources.is_empty() {
        return Ok(Vec::new());
    }
    Ok(client.call(&DescribeConfigsRequest { resources, ..DescribeConfigsRequest::default() })?.results)
}

//! DescribeConfigs (32): keys of topics and brokers with value, source, synonyms and documentation.

use machines::image::{ConfigResource, MetadataImage, ResourceType};
use machines::topic_config::{self, TopicKey};
use protocol::ErrorCode;
use protocol::message::create_topics::CreatableTopicConfigs;
use protocol::message::describe_configs::{
    DescribeConfigsRequest, DescribeConfigsResource, DescribeConfigsResourceResult, DescribeConfigsResponse,
    DescribeConfigsResult, DescribeConfigsSynonym,
};
use protocol::wire::Reader;

use super::{Call, Handled, decode};
use crate::config::{Config, Source, Synonym, table};

pub(super) fn handle(call: Call<'_>, reader: Reader<'_>) -> Result<Handled, &'static str> {
    let request: DescribeConfigsRequest = decode(reader, call.header.api_version)?;
    let (config, image) = (call.node.config(), call.node.image());
    let describe = Describe {
        config: &config,
        image: &image,
        with_synonyms: request.include_synonyms,
        with_documentation: request.include_documentation,
    };
    call.reply(&DescribeConfigsResponse {
        results: request.resources.iter().map(|resource| describe.resource(resource)).collect(),
        ..DescribeConfigsResponse::default()
    })
}

struct Describe<'a> {
    config: &'a Config,
    image: &'a MetadataImage,
    with_synonyms: bool,
    with_documentation: bool,
}

impl Describe<'_> {
    fn resource(&self, asked: &DescribeConfigsResource) -> DescribeConfigsResult {
        let configs = match ResourceType::from_wire(asked.resource_type) {
            Some(ResourceType::Topic) => self.topic(asked),
            Some(ResourceType::Broker) => self.broker(asked),
            _ => Err((
                ErrorCode::InvalidRequest,
                format!(
                    "resource type {} is not described here; 2 is a topic, 4 is a broker",
                    asked.resource_type
                ),
            )),
        };
        let (error_code, error_message, configs) = match configs {
            Ok(configs) => (ErrorCode::None, None, configs),
            Err((code, message)) => (code, Some(message), Vec::new()),
        };
        DescribeConfigsResult {
            error_code,
            error_message,
            resource_type: asked.resource_type,
            resource_name: asked.resource_name.clone(),
            configs,
        }
    }

    fn topic(
        &self,
        asked: &DescribeConfigsResource,
    ) -> Result<Vec<DescribeConfigsResourceResult>, (ErrorCode, String)> {
        let name = &asked.resource_name;
        if let Some(problem) = machines::controller::topic_name_problem(name) {
            return Err((ErrorCode::InvalidTopicException, problem));
        }
        if self.image.topic(name).is_none() {
            let message = format!("The topic '{name}' does not exist.");
            return Err((ErrorCode::UnknownTopicOrPartition, message));
        }
        let resource = ConfigResource::topic(name.as_str());
        Ok(topic_config::keys()
            .iter()
            .filter(|key| !key.internal && is_asked(asked, key.name))
            .map(|key| self.topic_key(key, self.image.config(&resource, key.name).map(|value| &**value)))
            .collect())
    }

    fn topic_key(&self, key: &'static TopicKey, own: Option<&str>) -> DescribeConfigsResourceResult {
        let layers = topic_layers(self.config, key, own);
        let (value, source) =
            layers.first().map_or((None, Source::Default), |first| (first.value.clone(), first.source));
        DescribeConfigsResourceResult {
            name: key.name.to_owned(),
            value,
            read_only: false,
            config_source: source as i8,
            is_sensitive: false,
            synonyms: self.synonyms(layers),
            config_type: key.config_type.wire(),
            documentation: self.with_documentation.then(|| key.documentation.to_owned()),
        }
    }

    fn broker(
        &self,
        asked: &DescribeConfigsResource,
    ) -> Result<Vec<DescribeConfigsResourceResult>, (ErrorCode, String)> {
        let name = &asked.resource_name;
        if !name.is_empty() && *name != self.config.node_id.to_string() {
            return Err((
                ErrorCode::InvalidRequest,
                format!("broker {name} is asked for and this is broker {}", self.config.node_id),
            ));
        }
        if name.is_empty() {
            return Ok(self.all_brokers(asked));
        }
        Ok(self
            .config
            .describe()
            .filter(|described| is_asked(asked, described.key.name))
            .map(|described| DescribeConfigsResourceResult {
                name: described.key.name.to_owned(),
                value: described.value,
                read_only: described.read_only,
                config_source: described.source as i8,
                is_sensitive: described.key.is_sensitive(),
                synonyms: self.synonyms(described.synonyms),
                config_type: described.key.kind.wire(),
                documentation: self.with_documentation.then(|| described.key.documentation.to_owned()),
            })
            .collect())
    }

    /// Without an id only what is set for all brokers is meant, as in Kafka, whatever this one has set for itself.
    fn all_brokers(&self, asked: &DescribeConfigsResource) -> Vec<DescribeConfigsResourceResult> {
        let resource = ConfigResource::all_brokers();
        let set = self.image.configs(&resource).filter(|(name, _)| is_asked(asked, name));
        set.filter_map(|(name, value)| {
            let key = table::find(name)?;
            let value = Some(value.to_string()).filter(|_| !key.is_sensitive());
            let source = Source::DynamicDefaultBroker;
            let layers = vec![Synonym { name: key.name, value: value.clone(), source }];
            Some(DescribeConfigsResourceResult {
                name: key.name.to_owned(),
                value,
                read_only: false,
                config_source: source as i8,
                is_sensitive: key.is_sensitive(),
                synonyms: self.synonyms(layers),
                config_type: key.kind.wire(),
                documentation: self.with_documentation.then(|| key.documentation.to_owned()),
            })
        })
        .collect()
    }

    fn synonyms(&self, layers: Vec<Synonym>) -> Vec<DescribeConfigsSynonym> {
        if !self.with_synonyms {
            return Vec::new();
        }
        layers
            .into_iter()
            .map(|layer| DescribeConfigsSynonym {
                name: layer.name.to_owned(),
                value: layer.value,
                source: layer.source as i8,
            })
            .collect()
    }
}

fn is_asked(asked: &DescribeConfigsResource, name: &str) -> bool {
    asked.configuration_keys.as_ref().is_none_or(|keys| keys.iter().any(|key| key == name))
}

/// Every layer that gives a topic's key a value, the deciding one first.
fn topic_layers(config: &Config, key: &'static TopicKey, own: Option<&str>) -> Vec<Synonym> {
    let own =
        own.map(|value| Synonym { name: key.name, value: Some(value.to_owned()), source: Source::Topic });
    let default = config.topic_default(key.name);
    let behind = match default {
        // The topic key's unit may be another than the broker key's: the deciding value is in the topic's.
        Some(default) => {
            let mut layers = default.synonyms;
            if let Some(first) = layers.first_mut() {
                first.value = default.value;
            } else {
                layers.push(Synonym { name: key.name, value: default.value, source: default.source });
            }
            layers
        }
        None => {
            let value = key.default.map(str::to_owned);
            vec![Synonym { name: key.name, value, source: Source::Default }]
        }
    };
    own.into_iter().chain(behind).collect()
}

/// The keys of a topic that is just being created, as CreateTopics 5 on answers them (KIP-525).
pub(super) fn of_new_topic(config: &Config, own: &[(String, Option<String>)]) -> Vec<CreatableTopicConfigs> {
    topic_config::keys()
        .iter()
        .filter(|key| !key.internal)
        .map(|key| {
            let set = own.iter().rev().find(|(name, _)| name == key.name);
            let layers = topic_layers(config, key, set.and_then(|(_, value)| value.as_deref()));
            let first = layers.into_iter().next();
            CreatableTopicConfigs {
                name: key.name.to_owned(),
                config_source: first.as_ref().map_or(Source::Default, |first| first.source) as i8,
                value: first.and_then(|first| first.value),
                read_only: false,
                is_sensitive: false,
            }
        })
        .collect()
}

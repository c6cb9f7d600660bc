//! What the controller asks about configuration keys, answered from the tables.

use std::collections::BTreeMap;

use machines::controller::{ConfigRules, Rejection};
use machines::image::{ConfigResource, ResourceType};
use machines::topic_config::{self, ConfigType};
use protocol::ErrorCode;

use crate::config::{Config, Problem, is_list};

/// The tables as the controller sees them.
pub(crate) struct Rules<'a>(pub(crate) &'a Config);

impl ConfigRules for Rules<'_> {
    /// The codes are Kafka's: `INVALID_CONFIG` for topics and groups, `INVALID_REQUEST` for brokers and client metrics.
    fn validate(&self, resource: &ConfigResource, configs: &BTreeMap<&str, &str>) -> Result<(), Rejection> {
        match resource.resource_type {
            ResourceType::Topic => {
                topic_config::validate_all(configs.iter().map(|(key, value)| (*key, *value)))
                    .map_err(|message| Rejection::new(ErrorCode::InvalidConfig, message))
            }
            ResourceType::Broker => self.check_brokers(resource, configs),
            // Without a table nothing tells a key from a mistake, and nobody reads it.
            ResourceType::Group => refuse_all(ErrorCode::InvalidConfig, "groups", configs),
            ResourceType::ClientMetrics => refuse_all(ErrorCode::InvalidRequest, "client metrics", configs),
            ResourceType::BrokerLogger => refuse_all(ErrorCode::InvalidRequest, "loggers", configs),
        }
    }

    fn is_list(&self, resource_type: ResourceType, key: &str) -> bool {
        match resource_type {
            ResourceType::Topic => {
                topic_config::find(key).is_some_and(|row| row.config_type == ConfigType::List)
            }
            ResourceType::Broker => is_list(key),
            _ => false,
        }
    }

    fn list_default(&self, resource_type: ResourceType, key: &str) -> Option<String> {
        match resource_type {
            ResourceType::Topic => {
                let server = self.0.topic_default(key).and_then(|default| default.value);
                server.or_else(|| topic_config::find(key)?.default.map(str::to_owned))
            }
            _ => None,
        }
    }

    fn min_insync_replicas(&self) -> usize {
        usize::try_from(self.0.min_insync_replicas).unwrap_or(1)
    }
}

impl Rules<'_> {
    /// Each key by itself, then all of them with everything else that this broker has: what does not fit together is
    /// refused now, or no later change would have an effect.
    fn check_brokers(
        &self,
        resource: &ConfigResource,
        configs: &BTreeMap<&str, &str>,
    ) -> Result<(), Rejection> {
        let pairs = configs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
        let one_broker = !resource.name.is_empty();
        self.0.check_dynamic(&pairs, one_broker).map_err(|problems| {
            let said: Vec<String> = problems.iter().map(Problem::for_client).collect();
            Rejection::new(ErrorCode::InvalidRequest, said.join("; "))
        })
    }
}

fn refuse_all(code: ErrorCode, of: &str, configs: &BTreeMap<&str, &str>) -> Result<(), Rejection> {
    match configs.iter().next() {
        Some((key, value)) => Err(Rejection::new(
            code,
            format!(
                "Invalid value {value} for configuration {key}: {of} have no configuration in this version"
            ),
        )),
        None => Ok(()),
    }
}

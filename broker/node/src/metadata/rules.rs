//! What the controller asks about configuration keys, answered from the tables.

use std::collections::BTreeMap;

use machines::controller::ConfigRules;
use machines::image::{ConfigResource, ResourceType};
use machines::topic_config::{self, ConfigType};

use crate::config::{Config, check_dynamic, is_list};

/// The tables as the controller sees them.
pub(crate) struct Rules<'a>(pub(crate) &'a Config);

impl ConfigRules for Rules<'_> {
    fn validate(&self, resource: &ConfigResource, configs: &BTreeMap<&str, &str>) -> Result<(), String> {
        match resource.resource_type {
            ResourceType::Topic => {
                topic_config::validate_all(configs.iter().map(|(key, value)| (*key, *value)))
            }
            ResourceType::Broker => configs.iter().try_for_each(|(key, value)| {
                check_dynamic(key, value, !resource.name.is_empty()).map_err(|why| format!("{key}: {why}"))
            }),
            // Without a table nothing tells a key from a mistake, and nobody reads it. The codes are Kafka's for keys
            // that it does not know.
            ResourceType::Group => refuse_all("groups", configs),
            ResourceType::ClientMetrics => refuse_all("client metrics", configs),
            ResourceType::BrokerLogger => refuse_all("loggers", configs),
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

fn refuse_all(of: &str, configs: &BTreeMap<&str, &str>) -> Result<(), String> {
    match configs.keys().next() {
        Some(key) => Err(format!("{key}: {of} have no configuration in this version")),
        None => Ok(()),
    }
}

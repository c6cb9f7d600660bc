//! IncrementalAlterConfigs: keys of topics and brokers, set, deleted, appended to, subtracted from. AlterConfigs: all
//! keys of a resource, replaced.

use super::{
    CONFIG_VALUE_BYTES_MAX, CONFIGS_PER_RESOURCE_MAX, ConfigRules, Controller, Decision, MIN_INSYNC_REPLICAS,
    Rejection,
};
use crate::image::{ConfigResource, LEADER_UNCHANGED, ResourceType};
use protocol::ErrorCode;
use protocol::id::BrokerId;
use protocol::message::alter_configs;
use protocol::message::incremental_alter_configs::AlterConfigsResource;
use protocol::metadata_record::{ConfigRecord, MetadataRecord, PartitionChangeRecord};
use std::collections::BTreeMap;

/// What is done with a key; the numbers are those of the request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ConfigOperation {
    /// Gets the value.
    Set = 0,
    /// Goes back to its default.
    Delete = 1,
    /// Gets the items of the value that it lacks.
    Append = 2,
    /// Loses the items of the value.
    Subtract = 3,
}

impl ConfigOperation {
    /// From the number in a request.
    #[must_use]
    pub const fn from_wire(value: i8) -> Option<Self> {
        match value {
            0 => Some(Self::Set),
            1 => Some(Self::Delete),
            2 => Some(Self::Append),
            3 => Some(Self::Subtract),
            _ => None,
        }
    }

    const fn name(self) -> &'static str {
        match self {
            Self::Set => "SET",
            Self::Delete => "DELETE",
            Self::Append => "APPEND",
            Self::Subtract => "SUBTRACT",
        }
    }
}

/// One key to change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AlterConfig {
    /// The key.
    pub name: String,
    /// What is done, as the request has it; numbers that mean nothing are refused.
    pub operation: i8,
    /// The value; only a deletion has none.
    pub value: Option<String>,
}

/// One resource whose keys change, all or none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AlterResource {
    /// The type's number, as the request has it.
    pub resource_type: i8,
    /// The resource.
    pub name: String,
    /// Its keys.
    pub configs: Vec<AlterConfig>,
}

impl From<alter_configs::AlterConfigsResource> for AlterResource {
    fn from(resource: alter_configs::AlterConfigsResource) -> Self {
        let config = |config: alter_configs::AlterableConfig| AlterConfig {
            name: config.name,
            operation: ConfigOperation::Set as i8,
            value: config.value,
        };
        Self {
            resource_type: resource.resource_type,
            name: resource.resource_name,
            configs: resource.configs.into_iter().map(config).collect(),
        }
    }
}

impl From<AlterConfigsResource> for AlterResource {
    fn from(resource: AlterConfigsResource) -> Self {
        let config = |config: protocol::message::incremental_alter_configs::AlterableConfig| AlterConfig {
            name: config.name,
            operation: config.config_operation,
            value: config.value,
        };
        Self {
            resource_type: resource.resource_type,
            name: resource.resource_name,
            configs: resource.configs.into_iter().map(config).collect(),
        }
    }
}

pub(super) fn config_record(resource: &ConfigResource, key: &str, value: Option<String>) -> MetadataRecord {
    ConfigRecord {
        resource_type: resource.resource_type.wire(),
        resource_name: resource.name.to_string(),
        name: key.to_owned(),
        value,
    }
    .into()
}

impl Controller {
    /// Decides on changed keys: one result per resource, in the order of the request.
    #[must_use]
    pub fn decide_alter_configs(
        &self,
        resources: &[AlterResource],
        validate_only: bool,
        rules: &dyn ConfigRules,
    ) -> Decision<Vec<Result<(), Rejection>>> {
        decide_each(resources, validate_only, |resource| self.alter_resource(resource, rules))
    }

    /// Decides on whole configurations: what a resource has and the request does not name goes back to its default. All
    /// operations are [`ConfigOperation::Set`].
    #[must_use]
    pub fn decide_replace_configs(
        &self,
        resources: &[AlterResource],
        validate_only: bool,
        rules: &dyn ConfigRules,
    ) -> Decision<Vec<Result<(), Rejection>>> {
        decide_each(resources, validate_only, |resource| self.replace_resource(resource, rules))
    }

    fn alter_resource(
        &self,
        request: &AlterResource,
        rules: &dyn ConfigRules,
    ) -> Result<Vec<MetadataRecord>, Rejection> {
        let resource = self.check_resource(request)?;
        check_keys(request)?;
        let changes = self.changes(&resource, request, rules)?;
        self.change_configs(&resource, changes, rules)
    }

    fn replace_resource(
        &self,
        request: &AlterResource,
        rules: &dyn ConfigRules,
    ) -> Result<Vec<MetadataRecord>, Rejection> {
        let resource = self.check_resource(request)?;
        check_keys(request)?;
        let mut changes = self.changes(&resource, request, rules)?;
        let is_named = |key: &str| request.configs.iter().any(|config| config.name == key);
        let gone = self.image.configs(&resource).map(|(key, _)| &**key).filter(|key| !is_named(key));
        changes.extend(gone.map(|key| (key, None)));
        self.change_configs(&resource, changes, rules)
    }

    /// The keys that a request names, with their values afterwards.
    fn changes<'a>(
        &'a self,
        resource: &ConfigResource,
        request: &'a AlterResource,
        rules: &dyn ConfigRules,
    ) -> Result<Vec<(&'a str, Option<String>)>, Rejection> {
        let change = |config: &'a AlterConfig| {
            let before = self.image.config(resource, &config.name).map(|value| &**value);
            Ok((config.name.as_str(), altered(resource, config, before, rules)?))
        };
        request.configs.iter().map(change).collect()
    }

    fn change_configs(
        &self,
        resource: &ConfigResource,
        changes: Vec<(&str, Option<String>)>,
        rules: &dyn ConfigRules,
    ) -> Result<Vec<MetadataRecord>, Rejection> {
        let mut configs: BTreeMap<&str, &str> =
            self.image.configs(resource).map(|(key, value)| (&**key, &**value)).collect();
        let mut records = Vec::new();
        for (key, after) in &changes {
            // A broker's key is recorded again even when it is the same: brokers reload files that it names.
            if configs.get(key).copied() != after.as_deref() || resource.resource_type == ResourceType::Broker
            {
                records.push(config_record(resource, key, after.clone()));
            }
            if *key == MIN_INSYNC_REPLICAS && self.is_elr_enabled() {
                check_min_insync_replicas(resource, after.is_none())?;
                records.extend(self.clear_elr(resource));
            }
            match after {
                Some(value) => configs.insert(key, value),
                None => configs.remove(key),
            };
        }
        if configs.len() > CONFIGS_PER_RESOURCE_MAX {
            let message = format!("A resource may have {CONFIGS_PER_RESOURCE_MAX} keys set at most.");
            return Err(Rejection::new(ErrorCode::PolicyViolation, message));
        }
        rules.validate(resource, &configs)?;
        Ok(records)
    }

    /// A smaller `min.insync.replicas` lets leaders commit without their eligible leader replicas, so these stop being
    /// eligible. Where nobody is in sync nothing is committed, and they are all that can be elected: they stay.
    fn clear_elr(&self, resource: &ConfigResource) -> impl Iterator<Item = MetadataRecord> {
        let all = resource.resource_type == ResourceType::Broker;
        let topics = self.image.topics().filter(move |topic| {
            let has_own =
                || self.image.config(&ConfigResource::topic(&*topic.name), MIN_INSYNC_REPLICAS).is_some();
            if all { !has_own() } else { topic.name == resource.name }
        });
        topics.flat_map(|topic| {
            let stale = topic.partitions().filter(|(_, p)| !p.elr.is_empty() && !p.isr.is_empty());
            stale.map(|(index, _)| {
                PartitionChangeRecord {
                    topic_id: topic.id,
                    partition_id: index,
                    leader: LEADER_UNCHANGED,
                    eligible_leader_replicas: Some(Vec::new()),
                    ..PartitionChangeRecord::default()
                }
                .into()
            })
        })
    }

    fn check_resource(&self, request: &AlterResource) -> Result<ConfigResource, Rejection> {
        let invalid = |message: &str| Err(Rejection::new(ErrorCode::InvalidRequest, message));
        let name = request.name.as_str();
        let Some(resource_type) = ResourceType::from_wire(request.resource_type) else {
            return invalid(&format!("Unknown resource type {}", request.resource_type));
        };
        match resource_type {
            ResourceType::Topic if name.is_empty() => invalid("Default topic resources are not allowed."),
            ResourceType::Topic if super::topic_name_problem(name).is_some() => {
                let message = super::topic_name_problem(name).unwrap_or_default();
                Err(Rejection::new(ErrorCode::InvalidTopicException, message))
            }
            ResourceType::Topic if self.image.topic(name).is_none() => Err(Rejection::new(
                ErrorCode::UnknownTopicOrPartition,
                format!("The topic '{name}' does not exist."),
            )),
            ResourceType::Broker if !name.is_empty() => match name.parse().map(BrokerId) {
                Err(_) => invalid("Unable to parse broker name as a base 10 number."),
                Ok(id) if id.0 < 0 => invalid("Invalid negative broker ID."),
                Ok(id) if self.image.broker(id).is_none() => Err(Rejection::new(
                    ErrorCode::BrokerIdNotRegistered,
                    format!("No broker with id {id} found."),
                )),
                Ok(id) => Ok(ConfigResource::broker(id)),
            },
            ResourceType::Group if name.is_empty() => invalid("Default group resources are not allowed."),
            ResourceType::ClientMetrics if name.is_empty() => {
                invalid("A subscription of client metrics needs a name.")
            }
            ResourceType::BrokerLogger => invalid("Log levels are a broker's own and are not recorded."),
            _ => Ok(ConfigResource { resource_type, name: name.into() }),
        }
    }
}

/// Decides on each resource by itself; one that is named twice is refused both times.
fn decide_each(
    resources: &[AlterResource],
    validate_only: bool,
    decide: impl Fn(&AlterResource) -> Result<Vec<MetadataRecord>, Rejection>,
) -> Decision<Vec<Result<(), Rejection>>> {
    let mut counts: BTreeMap<(i8, &str), usize> = BTreeMap::new();
    for resource in resources {
        *counts.entry((resource.resource_type, &resource.name)).or_default() += 1;
    }
    let mut records = Vec::new();
    let mut alter = |resource: &AlterResource| {
        if counts.get(&(resource.resource_type, resource.name.as_str())).is_some_and(|count| *count > 1) {
            return Err(Rejection::new(ErrorCode::InvalidRequest, "Each resource must appear at most once."));
        }
        records.append(&mut decide(resource)?);
        Ok(())
    };
    let response = resources.iter().map(&mut alter).collect();
    if validate_only {
        records.clear();
    }
    Decision { records, response }
}

/// With eligible leader replicas it is the topics' and the cluster's alone (KIP-966).
fn check_min_insync_replicas(resource: &ConfigResource, is_removed: bool) -> Result<(), Rejection> {
    let message = match (resource.resource_type, &*resource.name) {
        (ResourceType::Broker, "") if is_removed => {
            "Cluster-level min.insync.replicas cannot be removed while ELR is enabled."
        }
        (ResourceType::Broker, "") | (ResourceType::Topic, _) => return Ok(()),
        _ => "Broker-level min.insync.replicas cannot be altered while ELR is enabled.",
    };
    Err(Rejection::new(ErrorCode::InvalidConfig, message))
}

fn check_keys(request: &AlterResource) -> Result<(), Rejection> {
    let mut keys: Vec<&str> = request.configs.iter().map(|config| config.name.as_str()).collect();
    keys.sort_unstable();
    if keys.windows(2).any(|pair| pair[0] == pair[1]) {
        return Err(Rejection::new(ErrorCode::InvalidRequest, "Error due to duplicate config keys"));
    }
    let is_delete = |config: &AlterConfig| config.operation == ConfigOperation::Delete as i8;
    let nulls = request.configs.iter().filter(|config| !is_delete(config) && config.value.is_none());
    let nulls: Vec<&str> = nulls.map(|config| config.name.as_str()).collect();
    if !nulls.is_empty() {
        let message = format!("Null value not supported for : {}", nulls.join(", "));
        return Err(Rejection::new(ErrorCode::InvalidRequest, message));
    }
    Ok(())
}

/// The value of a key afterwards.
fn altered(
    resource: &ConfigResource,
    config: &AlterConfig,
    before: Option<&str>,
    rules: &dyn ConfigRules,
) -> Result<Option<String>, Rejection> {
    let Some(operation) = ConfigOperation::from_wire(config.operation) else {
        return Err(Rejection::new(
            ErrorCode::InvalidRequest,
            format!("Unknown operation type {} for key {}", config.operation, config.name),
        ));
    };
    let invalid = |message: String| Err(Rejection::new(ErrorCode::InvalidConfig, message));
    let value = config.value.as_deref().unwrap_or("");
    let after = match operation {
        ConfigOperation::Set => value.to_owned(),
        ConfigOperation::Delete => return Ok(None),
        ConfigOperation::Append | ConfigOperation::Subtract => {
            if !rules.is_list(resource.resource_type, &config.name) {
                let (operation, key) = (operation.name(), &config.name);
                return invalid(format!("Can't {operation} to key {key} because its type is not LIST."));
            }
            let default = rules.list_default(resource.resource_type, &config.name);
            let before = before.map(str::to_owned).or(default).unwrap_or_default();
            let mut items: Vec<&str> = parts(&before).collect();
            if operation == ConfigOperation::Append {
                for item in parts(value) {
                    if !items.contains(&item) {
                        items.push(item);
                    }
                }
            } else {
                items.retain(|item| !parts(value).any(|gone| gone == *item));
            }
            items.join(",")
        }
    };
    if after.len() > CONFIG_VALUE_BYTES_MAX {
        return invalid(format!(
            "The configuration value cannot be added because it exceeds the maximum value size of \
             {CONFIG_VALUE_BYTES_MAX} bytes."
        ));
    }
    Ok(Some(after))
}

fn parts(value: &str) -> impl Iterator<Item = &str> {
    value.split(',').map(str::trim).filter(|part| !part.is_empty())
}

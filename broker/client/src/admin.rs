//! Admin calls: topics, configuration, the cluster.

use std::collections::BTreeMap;
use std::time::Duration;

use protocol::id::TopicId;
use protocol::message::create_partitions::{CreatePartitionsRequest, CreatePartitionsTopic};
use protocol::message::create_topics::{CreatableTopic, CreatableTopicConfig, CreateTopicsRequest};
use protocol::message::delete_topics::{DeleteTopicState, DeleteTopicsRequest};
use protocol::message::describe_cluster::DescribeClusterRequest;
use protocol::message::describe_configs::{DescribeConfigsRequest, DescribeConfigsResource};
use protocol::message::incremental_alter_configs::{
    AlterConfigsResource, AlterableConfig, IncrementalAlterConfigsRequest,
};
use protocol::message::metadata::{MetadataRequest, MetadataRequestTopic};
use protocol::{ErrorCode, Request};

use crate::connection::Connection;
use crate::error::{Error, Refusal};

/// Kafka's number of topics as the resource that a configuration belongs to (ConfigResource.Type).
pub const TOPIC: i8 = 2;
/// Kafka's number of brokers as the resource that a configuration belongs to.
pub const BROKER: i8 = 4;

/// Where a topic's own setting comes from, against all defaults (DescribeConfigsResponse.ConfigSource).
const DYNAMIC_TOPIC_CONFIG: i8 = 1;
/// IncrementalAlterConfigs' operations.
const SET: i8 = 0;
const DELETE: i8 = 1;

/// Admin calls to a cluster, over one connection at a time that is opened when it is needed.
#[derive(Debug)]
pub struct Admin {
    addresses: Vec<String>,
    client_id: String,
    timeout: Duration,
    connection: Option<Connection>,
}

/// A topic to make.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewTopic {
    /// Its name.
    pub name: String,
    /// How many partitions; `None` is the broker's `num.partitions`.
    pub partitions: Option<i32>,
    /// On how many brokers each is kept; `None` is the broker's `default.replication.factor`.
    pub replication_factor: Option<i16>,
    /// Its settings.
    pub config: BTreeMap<String, String>,
}

/// A topic that is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TopicDescription {
    /// Its id (KIP-516).
    pub id: TopicId,
    /// How many partitions it has.
    pub partitions: i32,
    /// On how many brokers its partitions are kept, at least.
    pub replication_factor: i32,
}

/// A setting as a broker describes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigEntry {
    /// The key.
    pub name: String,
    /// The value in force; `None` where there is none or it is a secret.
    pub value: Option<String>,
    /// Whether only a restart changes it.
    pub read_only: bool,
    /// Where the value comes from: Kafka's ConfigSource.
    pub source: i8,
}

impl ConfigEntry {
    /// Whether a topic has this setting itself, and not from a default.
    #[must_use]
    pub const fn is_of_topic(&self) -> bool {
        self.source == DYNAMIC_TOPIC_CONFIG
    }
}

/// Settings to change, of one topic or broker.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Alteration {
    /// Keys with their new values.
    pub set: BTreeMap<String, String>,
    /// Keys that go back to their defaults.
    pub delete: Vec<String>,
}

impl Alteration {
    /// Whether nothing changes.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.set.is_empty() && self.delete.is_empty()
    }
}

/// The cluster as its brokers see it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClusterDescription {
    /// Its id.
    pub id: String,
    /// The active controller.
    pub controller: i32,
    /// The brokers that are not fenced.
    pub brokers: Vec<i32>,
}

impl Admin {
    /// Calls to the brokers at these addresses, HOST:PORT, the first that answers. No wait is longer than `timeout`.
    #[must_use]
    pub fn new(addresses: Vec<String>, client_id: &str, timeout: Duration) -> Self {
        Self { addresses, client_id: client_id.to_owned(), timeout, connection: None }
    }

    /// The addresses that it calls.
    #[must_use]
    pub fn addresses(&self) -> &[String] {
        &self.addresses
    }

    /// Sends a request, over a new connection when there is none.
    async fn call<R: Request>(&mut self, request: &R) -> Result<R::Response, Error> {
        let mut connection = match self.connection.take() {
            Some(connection) => connection,
            None => self.connect().await?,
        };
        // A call that was broken off leaves no connection behind, as nobody knows what comes on it.
        let response = connection.call(request).await;
        if response.is_ok() || matches!(response, Err(Error::Unsupported(_))) {
            self.connection = Some(connection);
        }
        response
    }

    async fn connect(&self) -> Result<Connection, Error> {
        let mut last = None;
        for address in &self.addresses {
            match Connection::open(address, &self.client_id, self.timeout).await {
                Ok(connection) => return Ok(connection),
                Err(error) => last = Some(format!("{address} ({error})")),
            }
        }
        Err(Error::Unreachable(last.unwrap_or_else(|| "no address".to_owned())))
    }

    fn timeout_ms(&self) -> i32 {
        // The broker shall give up before the caller does.
        i32::try_from(self.timeout.as_millis() * 3 / 4).unwrap_or(i32::MAX)
    }

    /// The cluster.
    ///
    /// # Errors
    /// There is no answer, or it is a refusal.
    pub async fn describe_cluster(&mut self) -> Result<ClusterDescription, Error> {
        let response = self.call(&DescribeClusterRequest::default()).await?;
        Refusal::check(response.error_code, response.error_message.as_deref())?;
        Ok(ClusterDescription {
            id: response.cluster_id,
            controller: response.controller_id.0,
            brokers: response.brokers.iter().map(|broker| broker.broker_id.0).collect(),
        })
    }

    /// A topic; `None` when there is none of that name.
    ///
    /// # Errors
    /// There is no answer, or it is a refusal.
    pub async fn describe_topic(&mut self, name: &str) -> Result<Option<TopicDescription>, Error> {
        let topic = MetadataRequestTopic { name: Some(name.to_owned()), ..MetadataRequestTopic::default() };
        let request = MetadataRequest {
            topics: Some(vec![topic]),
            allow_auto_topic_creation: false,
            ..MetadataRequest::default()
        };
        let response = self.call(&request).await?;
        let topic = response.topics.into_iter().next().ok_or_else(empty)?;
        if topic.error_code == ErrorCode::UnknownTopicOrPartition {
            return Ok(None);
        }
        Refusal::check(topic.error_code, None)?;
        let replicas = topic.partitions.iter().map(|partition| partition.replica_nodes.len()).min();
        Ok(Some(TopicDescription {
            id: topic.topic_id,
            partitions: i32::try_from(topic.partitions.len()).unwrap_or(i32::MAX),
            replication_factor: replicas.and_then(|count| i32::try_from(count).ok()).unwrap_or(0),
        }))
    }

    /// Makes a topic and gives its id.
    ///
    /// # Errors
    /// There is no answer, or it is a refusal, as `TOPIC_ALREADY_EXISTS`.
    pub async fn create_topic(&mut self, topic: &NewTopic) -> Result<TopicId, Error> {
        let configs = topic
            .config
            .iter()
            .map(|(name, value)| CreatableTopicConfig { name: name.clone(), value: Some(value.clone()) });
        let request = CreateTopicsRequest {
            topics: vec![CreatableTopic {
                name: topic.name.clone(),
                num_partitions: topic.partitions.unwrap_or(-1),
                replication_factor: topic.replication_factor.unwrap_or(-1),
                configs: configs.collect(),
                ..CreatableTopic::default()
            }],
            timeout_ms: self.timeout_ms(),
            validate_only: false,
        };
        let response = self.call(&request).await?;
        let result = response.topics.into_iter().next().ok_or_else(empty)?;
        Refusal::check(result.error_code, result.error_message.as_deref())?;
        Ok(result.topic_id)
    }

    /// Deletes the topic of this id with its data; another one of the same name is not meant. Gives false when there
    /// is none.
    ///
    /// # Errors
    /// There is no answer, or it is a refusal, as `TOPIC_DELETION_DISABLED`.
    pub async fn delete_topic(&mut self, id: TopicId) -> Result<bool, Error> {
        let request = DeleteTopicsRequest {
            topics: vec![DeleteTopicState { name: None, topic_id: id }],
            timeout_ms: self.timeout_ms(),
            ..DeleteTopicsRequest::default()
        };
        let response = self.call(&request).await?;
        let result = response.responses.into_iter().next().ok_or_else(empty)?;
        if matches!(result.error_code, ErrorCode::UnknownTopicId | ErrorCode::UnknownTopicOrPartition) {
            return Ok(false);
        }
        Refusal::check(result.error_code, result.error_message.as_deref())?;
        Ok(true)
    }

    /// Lets a topic have `count` partitions in all.
    ///
    /// # Errors
    /// There is no answer, or it is a refusal, as `INVALID_PARTITIONS`.
    pub async fn create_partitions(&mut self, name: &str, count: i32) -> Result<(), Error> {
        let request = CreatePartitionsRequest {
            topics: vec![CreatePartitionsTopic { name: name.to_owned(), count, assignments: None }],
            timeout_ms: self.timeout_ms(),
            validate_only: false,
        };
        let response = self.call(&request).await?;
        let result = response.results.into_iter().next().ok_or_else(empty)?;
        Ok(Refusal::check(result.error_code, result.error_message.as_deref())?)
    }

    /// The settings of a resource: [`TOPIC`] with a topic's name, or [`BROKER`] with a broker's id or, for what holds
    /// for all brokers, the empty name.
    ///
    /// # Errors
    /// There is no answer, or it is a refusal.
    pub async fn describe_config(&mut self, kind: i8, name: &str) -> Result<Vec<ConfigEntry>, Error> {
        let resource = DescribeConfigsResource {
            resource_type: kind,
            resource_name: name.to_owned(),
            configuration_keys: None,
        };
        let request =
            DescribeConfigsRequest { resources: vec![resource], ..DescribeConfigsRequest::default() };
        let response = self.call(&request).await?;
        let result = response.results.into_iter().next().ok_or_else(empty)?;
        Refusal::check(result.error_code, result.error_message.as_deref())?;
        let entries = result.configs.into_iter().map(|config| ConfigEntry {
            name: config.name,
            value: config.value,
            read_only: config.read_only,
            source: config.config_source,
        });
        Ok(entries.collect())
    }

    /// Changes settings of a resource as [`Admin::describe_config`] names it: all of them or none.
    ///
    /// # Errors
    /// There is no answer, or it is a refusal, as `INVALID_CONFIG`.
    pub async fn alter_config(
        &mut self,
        kind: i8,
        name: &str,
        change: &Alteration,
        validate_only: bool,
    ) -> Result<(), Error> {
        let set = change.set.iter().map(|(name, value)| AlterableConfig {
            name: name.clone(),
            config_operation: SET,
            value: Some(value.clone()),
        });
        let delete = change.delete.iter().map(|name| AlterableConfig {
            name: name.clone(),
            config_operation: DELETE,
            value: None,
        });
        let request = IncrementalAlterConfigsRequest {
            resources: vec![AlterConfigsResource {
                resource_type: kind,
                resource_name: name.to_owned(),
                configs: set.chain(delete).collect(),
            }],
            validate_only,
        };
        let response = self.call(&request).await?;
        let result = response.responses.into_iter().next().ok_or_else(empty)?;
        Ok(Refusal::check(result.error_code, result.error_message.as_deref())?)
    }
}

fn empty() -> Error {
    Error::Protocol("an answer without what was asked".to_owned())
}

//! What a running broker says of itself, and what it is told.

use std::collections::BTreeMap;
use std::time::Duration;

use client::{BROKER, Connection, Error, Refusal};
use protocol::message::describe_cluster::DescribeClusterRequest;
use protocol::message::describe_configs::{DescribeConfigsRequest, DescribeConfigsResource};
use protocol::message::incremental_alter_configs::{
    AlterConfigsResource, AlterableConfig, IncrementalAlterConfigsRequest,
};

use super::config::{Alteration, Key, Keys};
use crate::metrics::Metrics;

/// How long a broker may take to answer: longer than any healthy one does, and short for a person who waits.
const TIMEOUT: Duration = Duration::from_secs(5);
const CLIENT_ID: &str = "gregor-operator";
/// Operations of IncrementalAlterConfigs.
const SET: i8 = 0;
const DELETE: i8 = 1;

/// A broker as it describes itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct View {
    pub(super) cluster_id: String,
    /// The active controller; negative when there is none.
    pub(super) controller: i32,
    pub(super) keys: Keys,
}

/// Asks the broker at `address`, which is broker `id`.
///
/// # Errors
/// There is no answer, or it is a refusal.
pub(super) async fn look(address: &str, id: i32, metrics: &Metrics) -> Result<View, Error> {
    let answer = ask(address, id).await;
    let result = if answer.is_ok() { "ok" } else { "error" };
    metrics.admin_requests.with_label_values(&["DescribeConfigs", result]).inc();
    answer
}

async fn ask(address: &str, id: i32) -> Result<View, Error> {
    let mut connection = Connection::open(address, CLIENT_ID, TIMEOUT).await?;
    let cluster = connection.call(&DescribeClusterRequest::default()).await?;
    Refusal::check(cluster.error_code, cluster.error_message.as_deref())?;
    let request = DescribeConfigsRequest {
        resources: vec![DescribeConfigsResource {
            resource_type: BROKER,
            resource_name: id.to_string(),
            configuration_keys: None,
        }],
        include_synonyms: true,
        include_documentation: false,
    };
    let mut keys = Keys::new();
    for result in connection.call(&request).await?.results {
        Refusal::check(result.error_code, result.error_message.as_deref())?;
        for config in result.configs {
            // Other names among the synonyms belong to rows of their own.
            let layers: BTreeMap<i8, Option<String>> = config
                .synonyms
                .into_iter()
                .filter(|synonym| synonym.name == config.name)
                .map(|synonym| (synonym.source, synonym.value))
                .collect();
            let key = Key { read_only: config.read_only, sensitive: config.is_sensitive, layers };
            keys.insert(config.name, key);
        }
    }
    Ok(View { cluster_id: cluster.cluster_id, controller: cluster.controller_id.0, keys })
}

/// Gives the broker at `address`, which is broker `id`, a new dynamic configuration: all of it or nothing.
///
/// # Errors
/// There is no answer, or the broker refuses.
pub(super) async fn alter(
    address: &str,
    id: i32,
    alterations: &[Alteration],
    validate_only: bool,
    metrics: &Metrics,
) -> Result<(), Error> {
    let answer = send(address, id, alterations, validate_only).await;
    let result = if answer.is_ok() { "ok" } else { "error" };
    metrics.admin_requests.with_label_values(&["IncrementalAlterConfigs", result]).inc();
    answer
}

async fn send(address: &str, id: i32, alterations: &[Alteration], validate_only: bool) -> Result<(), Error> {
    let resource = |one_broker: bool| AlterConfigsResource {
        resource_type: BROKER,
        resource_name: if one_broker { id.to_string() } else { String::new() },
        configs: alterations
            .iter()
            .filter(|alteration| alteration.one_broker == one_broker)
            .map(|alteration| AlterableConfig {
                name: alteration.key.clone(),
                config_operation: if alteration.value.is_some() { SET } else { DELETE },
                value: alteration.value.clone(),
            })
            .collect(),
    };
    let resources = [false, true].map(resource).into_iter().filter(|resource| !resource.configs.is_empty());
    let request = IncrementalAlterConfigsRequest { resources: resources.collect(), validate_only };
    let mut connection = Connection::open(address, CLIENT_ID, TIMEOUT).await?;
    for response in connection.call(&request).await?.responses {
        Refusal::check(response.error_code, response.error_message.as_deref())?;
    }
    Ok(())
}

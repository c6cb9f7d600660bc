//! `Cluster`: brokers, their volumes, their listeners and their configuration.
//!
//! Every broker may be a voter of the metadata quorum, so there is one set of brokers and no other.

mod listener;
mod operation;
mod pod;
mod status;
mod storage;
mod tls;

use k8s_openapi::api::core::v1::LocalObjectReference;
use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use listener::{Authentication, Listener, ListenerType, PerBroker};
pub use operation::{Rebalance, RebalanceStrategy, Replacement, Rollout, RolloutStrategy};
pub use pod::Pod;
pub use status::{
    BrokerState, BrokerStatus, ClusterStatus, Controllers as ControllersStatus, FeatureLevel, LastHandled,
    ListenerStatus, Operation,
};
pub use storage::{Retention, RetentionPolicy, Storage, Volume, VolumeKind};
pub use tls::{IssuerRef, Tls, TlsMode};

use crate::common::Config;

/// What a cluster shall be.
#[derive(CustomResource, KubeSchema, Clone, Debug, PartialEq, Deserialize, Serialize)]
#[kube(
    group = "gregor.dev",
    version = "v1alpha1",
    kind = "Cluster",
    namespaced,
    status = "ClusterStatus",
    derive = "PartialEq",
    shortname = "grc",
    category = "gregor",
    doc = "A Gregor cluster: brokers that speak Apache Kafka's protocol.",
    scale(
        spec_replicas_path = ".spec.replicas",
        status_replicas_path = ".status.replicas",
        label_selector_path = ".status.selector"
    ),
    printcolumn(name = "Desired", type_ = "integer", json_path = ".spec.replicas"),
    printcolumn(name = "Brokers", type_ = "integer", json_path = ".status.replicas"),
    printcolumn(name = "Ready", type_ = "integer", json_path = ".status.readyReplicas"),
    printcolumn(name = "Version", type_ = "string", json_path = ".status.version"),
    printcolumn(
        name = "Status",
        type_ = "string",
        json_path = ".status.conditions[?(@.type==\"Ready\")].reason"
    ),
    printcolumn(name = "Operation", type_ = "string", json_path = ".status.operation.kind"),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp"),
    printcolumn(
        name = "Controller",
        type_ = "integer",
        priority = 1,
        json_path = ".status.controllers.leaderId"
    ),
    printcolumn(name = "Level", type_ = "string", priority = 1, json_path = ".status.featureLevel.finalized"),
    printcolumn(
        name = "Message",
        type_ = "string",
        priority = 1,
        json_path = ".status.conditions[?(@.type==\"Ready\")].message"
    ),
    validation = Rule::new("size(self.metadata.name) <= 40")
        .message("a Cluster's name has at most 40 characters: pods, services and volumes are named after it")
)]
#[x_kube(
    validation = Rule::new("self.tls.mode != 'None' || !self.listeners.exists(l, l.tls)")
        .field_path(".tls.mode")
        .message("cannot be None while a listener has tls: true"),
    validation = Rule::new(
        "!has(self.controllers.voters) || !has(self.replicas) || self.controllers.voters <= self.replicas"
    )
    .field_path(".controllers.voters")
    .message("cannot be more than spec.replicas: each voter is a broker")
)]
#[serde(rename_all = "camelCase")]
pub struct ClusterSpec {
    /// How many brokers. Left out, `kubectl scale` and autoscalers have it to themselves. In this version more
    /// than one is answered with reason Unsupported.
    #[serde(default = "three")]
    #[schemars(range(min = 1, max = 1000))]
    pub replicas: i32,

    /// The metadata quorum.
    #[serde(default)]
    pub controllers: Controllers,

    /// The version that brokers run, such as 0.1.0; unset, the operator's own when it first sees the
    /// Cluster. An upgrade of the operator alone never restarts a broker.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 64))]
    #[x_kube(validation = Rule::new(
        "self.matches('^[0-9]+[.][0-9]+[.][0-9]+(-[0-9A-Za-z.-]+)?$')"
    ).message("must be a version of three numbers, as 0.1.0"))]
    pub version: Option<String>,

    /// An image in place of the version's own, never changing the feature level.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 1024))]
    pub image: Option<String>,

    /// When the image is pulled: Always, IfNotPresent or Never. Unset, Kubernetes' own default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image_pull_policy: Option<ImagePullPolicy>,

    /// Secrets in the namespace with which the image is pulled.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16))]
    pub image_pull_secrets: Vec<LocalObjectReference>,

    /// The level of on-disk and between-broker features. Unset, it stays where it is, so that the version
    /// can be taken back; Auto raises it after each upgrade; a number such as 0.1 raises it to that. In this
    /// version, which has one level, it is answered with reason Unsupported.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 32))]
    #[x_kube(validation = Rule::new("self == 'Auto' || self.matches('^[0-9]+[.][0-9]+$')")
        .message("must be Auto or a level of two numbers, as \"0.1\""))]
    pub feature_level: Option<String>,

    /// The brokers' volumes.
    #[serde(default)]
    pub storage: Storage,

    /// Where clients connect. Ports 9090 (HTTP) and 9191 (between brokers) are taken.
    #[serde(default = "plain_listener")]
    #[schemars(length(min = 1, max = 8))]
    #[x_kube(
        merge_strategy = ListMerge::Map(vec!["name".into()]),
        validation = Rule::new("self.all(l, self.exists_one(m, m.port == l.port))")
            .message("two listeners cannot have the same port")
    )]
    pub listeners: Vec<Listener>,

    /// The brokers' configuration by Kafka's `server.properties` keys, such as
    /// `auto.create.topics.enable: false`. Values may be written with or without quotes. A key that can
    /// change at run time is applied without a restart.
    #[serde(default, skip_serializing_if = "Config::is_empty")]
    #[schemars(schema_with = "broker_config::schema")]
    pub config: Config,

    /// How restarts go.
    #[serde(default)]
    pub rollout: Rollout,

    /// How replicas are moved.
    #[serde(default)]
    pub rebalance: Rebalance,

    /// What happens when a broker's volume is lost for good. Manual waits for the annotation
    /// gregor.dev/replace-broker; Auto starts it again empty, once its partitions are safe elsewhere. In this
    /// version Auto is answered with reason Unsupported.
    #[serde(default)]
    pub replacement: Replacement,

    /// Where certificates come from. In this version other modes than None are answered with reason
    /// Unsupported.
    #[serde(default)]
    pub tls: Tls,

    /// Spreads brokers, and the replicas of each partition, over zones. In this version it is answered with
    /// reason Unsupported.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rack: Option<Rack>,

    /// What the brokers' pods are given besides.
    #[serde(default)]
    pub pod: Pod,

    /// Objects of the Prometheus operator, made when their kinds exist in the cluster.
    #[serde(default)]
    pub monitoring: Monitoring,

    /// What happens to the volumes when this resource is deleted. Retain keeps them, and a Cluster of the
    /// same name finds its data again; Delete deletes them.
    #[serde(default)]
    pub deletion_policy: ClusterDeletionPolicy,
}

default_from_fields!(ClusterSpec, Controllers, Monitoring);

fn three() -> i32 {
    3
}

fn plain_listener() -> Vec<Listener> {
    vec![Listener::plain()]
}

/// The metadata quorum: brokers that vote.
#[derive(KubeSchema, Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Controllers {
    /// How many brokers vote in the metadata quorum: 1, 3 or 5. Unset, 3 when there are 3 brokers or more,
    /// else 1. All others follow. In this version more than one is answered with reason Unsupported.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[x_kube(validation = Rule::new("self in [1, 3, 5]").message("must be 1, 3 or 5"))]
    pub voters: Option<i32>,
}

/// When an image is pulled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
pub enum ImagePullPolicy {
    /// Before every start.
    Always,
    /// When the node does not have it.
    IfNotPresent,
    /// Never.
    Never,
}

/// Where a broker is, as far as failures go.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Rack {
    /// The node label that names the zone, such as topology.kubernetes.io/zone. It becomes `broker.rack`.
    #[schemars(length(min = 1, max = 317))]
    pub topology_key: String,
}

/// What is made for the Prometheus operator.
#[derive(KubeSchema, Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Monitoring {
    /// A PodMonitor for the brokers.
    #[serde(default)]
    pub pod_monitor: bool,
    /// A PrometheusRule with alerts. In this version true is answered with reason Unsupported.
    #[serde(default)]
    pub prometheus_rule: bool,
    /// ConfigMaps with Grafana dashboards. In this version true is answered with reason Unsupported.
    #[serde(default)]
    pub dashboards: bool,
}

/// What happens to the volumes when a Cluster is deleted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
pub enum ClusterDeletionPolicy {
    /// They stay.
    #[default]
    Retain,
    /// They are deleted.
    Delete,
}

/// The schema of `config`.
mod broker_config {
    use schemars::{Schema, SchemaGenerator, json_schema};
    use serde_json::{Map, Value, json};

    /// Keys that the operator sets, and `gregor dev` likewise.
    const OWNED: [&str; 17] = [
        "advertised.listeners",
        "broker.id",
        "cluster.id",
        "controller.listener.names",
        "controller.quorum.bootstrap.servers",
        "controller.quorum.voters",
        "cordoned.log.dirs",
        "directory.id",
        "inter.broker.listener.name",
        "listener.security.protocol.map",
        "listeners",
        "log.dir",
        "log.dirs",
        "metadata.log.dir",
        "node.id",
        "process.roles",
        "zookeeper.connect",
    ];

    /// Most keys: a stock `server.properties` has under 40.
    const KEYS_MAX: u32 = 128;

    /// Keys are open. The owned ones are listed with a rule that none of their values keeps.
    pub(super) fn schema(_: &mut SchemaGenerator) -> Schema {
        let refused = json!({
            "description": "Refused: it follows from the other fields.",
            "x-kubernetes-int-or-string": true,
            "anyOf": [{"type": "integer"}, {"type": "string"}],
            "x-kubernetes-validations": [{
                "rule": "false",
                "message": "cannot be set here: it follows from the other fields",
            }],
        });
        let owned: Map<String, Value> =
            OWNED.iter().map(|key| ((*key).to_owned(), refused.clone())).collect();
        json_schema!({
            "type": "object",
            "maxProperties": KEYS_MAX,
            "properties": owned,
            "x-kubernetes-preserve-unknown-fields": true,
        })
    }
}

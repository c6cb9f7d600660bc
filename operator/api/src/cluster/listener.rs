//! Where clients connect.

use std::collections::BTreeMap;

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// One address that clients connect to.
#[derive(KubeSchema, Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[x_kube(
    validation = Rule::new("self.authentication != 'MTLS' || self.tls")
        .field_path(".authentication")
        .message("cannot be MTLS without tls: true"),
    validation = Rule::new(
        "!has(self.perBroker) || !has(self.perBroker.portBase) || self.type == 'NodePort'"
    )
    .field_path(".perBroker.portBase")
    .message("is for type NodePort")
)]
#[serde(rename_all = "camelCase")]
pub struct Listener {
    /// The listener's name: lower-case letters, digits and hyphens, at most 15. Changing it makes another
    /// listener.
    #[schemars(length(min = 1, max = 15))]
    #[x_kube(validation = Rule::new("self.matches('^[a-z]([a-z0-9-]*[a-z0-9])?$')")
        .message("must start with a lower-case letter and hold lower-case letters, digits and hyphens only"))]
    pub name: String,

    /// The port that brokers listen on.
    #[schemars(range(min = 1024, max = 65_535))]
    #[x_kube(validation = Rule::new("!(self in [9090, 9191])")
        .message("cannot be 9090 (HTTP) or 9191 (between brokers)"))]
    pub port: i32,

    /// How clients reach it: ClusterIP from within the cluster, NodePort on every node, LoadBalancer by an
    /// address of its own. In this version the others than ClusterIP are answered with reason Unsupported.
    #[serde(rename = "type", default)]
    pub listener_type: ListenerType,

    /// Whether connections are encrypted; needs `spec.tls`. In this version true is answered with reason
    /// Unsupported.
    #[serde(default)]
    pub tls: bool,

    /// How clients prove who they are: None, SASL (SCRAM) or MTLS (a client certificate). In this version the
    /// others than None are answered with reason Unsupported.
    #[serde(default)]
    pub authentication: Authentication,

    /// What each broker's own address looks like; for listeners that are reached from outside. In this version
    /// it is answered with reason Unsupported.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub per_broker: Option<PerBroker>,
}

impl Listener {
    /// The listener that a Cluster without `listeners` has: `plain`, port 9092, within the cluster.
    #[must_use]
    pub fn plain() -> Self {
        Self {
            name: "plain".into(),
            port: 9092,
            listener_type: ListenerType::default(),
            tls: false,
            authentication: Authentication::default(),
            per_broker: None,
        }
    }
}

/// How clients reach a listener.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
pub enum ListenerType {
    /// From within the cluster.
    #[default]
    #[serde(rename = "ClusterIP")]
    ClusterIp,
    /// By a port of every node.
    NodePort,
    /// By an address for each broker.
    LoadBalancer,
}

/// How clients prove who they are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
pub enum Authentication {
    /// Not at all.
    #[default]
    None,
    /// By user and password.
    #[serde(rename = "SASL")]
    Sasl,
    /// By a certificate.
    #[serde(rename = "MTLS")]
    Mtls,
}

/// How a broker's own address is formed.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PerBroker {
    /// The host that brokers tell clients, with {id} for the broker's id and {nodeIP} for its node's
    /// address: `broker-{id}.example.com`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253))]
    #[x_kube(validation = Rule::new("self.matches('^([a-zA-Z0-9.:-]|[{]id[}]|[{]nodeIP[}])+$')")
        .message("must be a host name that may hold {id} and {nodeIP}"))]
    pub advertised_host_template: Option<String>,

    /// The first node port: broker N has this one plus N.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 65_535))]
    pub port_base: Option<i32>,

    /// Annotations for each broker's Service.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(extend("maxProperties" = 64))]
    pub annotations: BTreeMap<String, String>,
}

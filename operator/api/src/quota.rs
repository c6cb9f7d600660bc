//! `Quota`: what one user, client id or address may use of a cluster.

use kube::{CustomResource, KubeSchema};
use serde::{Deserialize, Serialize};

use crate::common::{ClusterRef, Conditions};

/// What a quota shall be.
#[derive(CustomResource, KubeSchema, Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[kube(
    group = "gregor.dev",
    version = "v1alpha1",
    kind = "Quota",
    namespaced,
    status = "QuotaStatus",
    derive = "PartialEq",
    shortname = "grq",
    category = "gregor",
    selectable = ".spec.clusterRef.name",
    doc = "Limits for a user, a client id or an address of a Gregor cluster. In this version each is answered with reason Unsupported.",
    printcolumn(name = "Cluster", type_ = "string", json_path = ".spec.clusterRef.name"),
    printcolumn(name = "Entity", type_ = "string", json_path = ".status.entity"),
    printcolumn(name = "Produce", type_ = "integer", json_path = ".spec.limits.producerByteRate"),
    printcolumn(name = "Consume", type_ = "integer", json_path = ".spec.limits.consumerByteRate"),
    printcolumn(
        name = "Ready",
        type_ = "string",
        json_path = ".status.conditions[?(@.type==\"Ready\")].status"
    ),
    printcolumn(
        name = "Status",
        type_ = "string",
        json_path = ".status.conditions[?(@.type==\"Ready\")].reason"
    ),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp"),
    printcolumn(
        name = "Message",
        type_ = "string",
        priority = 1,
        json_path = ".status.conditions[?(@.type==\"Ready\")].message"
    )
)]
#[x_kube(
    validation = Rule::new(
        "!has(self.limits.connectionCreationRate) || has(self.entity.ip) || has(self.entity.ipDefault)"
    )
    .field_path(".limits.connectionCreationRate")
    .message("is for an entity with ip or ipDefault"),
    validation = Rule::new(
        "!(has(self.entity.ip) || has(self.entity.ipDefault)) || \
         !(has(self.limits.producerByteRate) || has(self.limits.consumerByteRate) || \
         has(self.limits.requestPercentage) || has(self.limits.controllerMutationRate))"
    )
    .field_path(".limits")
    .message("an entity with ip or ipDefault takes connectionCreationRate only")
)]
#[serde(rename_all = "camelCase")]
pub struct QuotaSpec {
    /// The Cluster that the quota holds in. Cannot change.
    #[x_kube(validation = Rule::new("self == oldSelf").message("cannot change"))]
    pub cluster_ref: ClusterRef,

    /// Whom the quota holds for. Cannot change.
    #[x_kube(validation = Rule::new("self == oldSelf").message("cannot change"))]
    pub entity: Entity,

    /// The limits. Only the ones given here are set and, on deletion, removed.
    pub limits: Limits,
}

/// Whom a quota holds for: a user, a client id, both together, or an address.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Deserialize, Serialize)]
#[x_kube(
    validation = Rule::new(
        "has(self.user) || has(self.userDefault) || has(self.clientId) || has(self.clientIdDefault) || \
         has(self.ip) || has(self.ipDefault)"
    )
    .message("needs one of user, userDefault, clientId, clientIdDefault, ip, ipDefault"),
    validation = Rule::new("!(has(self.user) && has(self.userDefault))")
        .message("takes user or userDefault, not both"),
    validation = Rule::new("!(has(self.clientId) && has(self.clientIdDefault))")
        .message("takes clientId or clientIdDefault, not both"),
    validation = Rule::new("!(has(self.ip) && has(self.ipDefault))")
        .message("takes ip or ipDefault, not both"),
    validation = Rule::new(
        "!(has(self.ip) || has(self.ipDefault)) || !(has(self.user) || has(self.userDefault) || \
         has(self.clientId) || has(self.clientIdDefault))"
    )
    .message("takes an address alone, without user and client id")
)]
#[serde(rename_all = "camelCase")]
pub struct Entity {
    /// The user's name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 256))]
    pub user: Option<String>,
    /// True: every user without a quota of their own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[x_kube(validation = Rule::new("self").message("is true or left out"))]
    pub user_default: Option<bool>,
    /// The client id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 256))]
    pub client_id: Option<String>,
    /// True: every client id without a quota of its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[x_kube(validation = Rule::new("self").message("is true or left out"))]
    pub client_id_default: Option<bool>,
    /// The client's address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 64))]
    #[x_kube(validation = Rule::new("isIP(self)").message("must be an IPv4 or IPv6 address"))]
    pub ip: Option<String>,
    /// True: every address without a quota of its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[x_kube(validation = Rule::new("self").message("is true or left out"))]
    pub ip_default: Option<bool>,
}

/// How much an entity may use, for each broker.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[x_kube(
    validation = Rule::new(
        "has(self.producerByteRate) || has(self.consumerByteRate) || has(self.requestPercentage) || \
         has(self.controllerMutationRate) || has(self.connectionCreationRate)"
    )
    .message("needs at least one limit")
)]
#[serde(rename_all = "camelCase")]
pub struct Limits {
    /// Bytes that may be produced each second, on each broker.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1))]
    pub producer_byte_rate: Option<i64>,
    /// Bytes that may be fetched each second, on each broker.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1))]
    pub consumer_byte_rate: Option<i64>,
    /// Percentage of one request thread's time, on each broker.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[x_kube(validation = Rule::new("self > 0.0").message("must be above 0"))]
    pub request_percentage: Option<f64>,
    /// Partitions created and deleted each second.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[x_kube(validation = Rule::new("self > 0.0").message("must be above 0"))]
    pub controller_mutation_rate: Option<f64>,
    /// Connections opened each second, on each broker; for addresses only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[x_kube(validation = Rule::new("self > 0.0").message("must be above 0"))]
    pub connection_creation_rate: Option<f64>,
}

/// What a quota is, as the operator last saw it.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct QuotaStatus {
    /// The generation of the spec that this status speaks of; -1 before the operator saw the resource.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// Ready, and while they are true, Reconciling and Stalled.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["type".into()]))]
    pub conditions: Conditions,
    /// Whom the quota holds for, in one line.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub entity: Option<String>,
}

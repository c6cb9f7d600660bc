//! The brokers' volumes.

use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::common::quantity;

/// The volumes of each broker.
#[derive(KubeSchema, Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Storage {
    /// Each broker gets one of each. More can be added; none can be removed. In this version more than one, and
    /// the kind Metadata, are answered with reason Unsupported.
    #[serde(default = "ten_gibibytes")]
    #[schemars(length(min = 1, max = 16))]
    #[x_kube(
        merge_strategy = ListMerge::Map(vec!["id".into()]),
        validation = Rule::new("self.exists(v, v.kind == 'Data')")
            .message("needs at least one volume of kind Data"),
        validation = Rule::new("self.filter(v, v.kind == 'Metadata').size() <= 1")
            .message("takes at most one volume of kind Metadata"),
        validation = Rule::new("oldSelf.all(o, self.exists(v, v.id == o.id))")
            .message("a volume cannot be removed, and its id cannot change"),
        validation = Rule::new(
            "self.all(v, !oldSelf.exists(o, o.id == v.id) || oldSelf.exists(o, o.id == v.id && \
             quantity(string(v.size)).compareTo(quantity(string(o.size))) >= 0))"
        )
        .message("a volume's size cannot go down"),
        validation = Rule::new(
            "self.all(v, !oldSelf.exists(o, o.id == v.id) || oldSelf.exists(o, o.id == v.id && \
             has(o.storageClassName) == has(v.storageClassName) && \
             (!has(o.storageClassName) || o.storageClassName == v.storageClassName)))"
        )
        .message("a volume's storageClassName cannot change"),
        validation = Rule::new(
            "self.all(v, !oldSelf.exists(o, o.id == v.id) || \
             oldSelf.exists(o, o.id == v.id && o.kind == v.kind))"
        )
        .message("a volume's kind cannot change")
    )]
    pub volumes: Vec<Volume>,

    /// What happens to volumes that are no longer used.
    #[serde(default)]
    pub retention_policy: RetentionPolicy,
}

/// One volume of each broker.
#[derive(KubeSchema, Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Volume {
    /// The volume's number, in the name of its claim. Cannot change.
    #[schemars(range(min = 0, max = 999))]
    pub id: i32,

    /// The volume's size, such as 100Gi. Can grow, when its storage class can, and never shrinks.
    #[schemars(schema_with = "quantity")]
    #[x_kube(validation = Rule::new(
        "isQuantity(string(self)) && quantity(string(self)).isGreaterThan(quantity('0'))"
    ).message("must be a size above zero, as 10Gi"))]
    pub size: Quantity,

    /// The storage class; unset, the default one of the Kubernetes cluster. Cannot change.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253))]
    pub storage_class_name: Option<String>,

    /// What is kept on it: Data for partitions, Metadata for the metadata log alone. Without a volume of
    /// kind Metadata the metadata log is on the first one of kind Data.
    #[serde(default)]
    pub kind: VolumeKind,
}

default_from_fields!(Storage, RetentionPolicy);

fn ten_gibibytes() -> Vec<Volume> {
    vec![Volume { id: 0, size: Quantity("10Gi".into()), storage_class_name: None, kind: VolumeKind::Data }]
}

/// What a volume is for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
pub enum VolumeKind {
    /// Partitions.
    #[default]
    Data,
    /// The metadata log alone.
    Metadata,
}

/// What happens to volumes that are no longer used.
#[derive(KubeSchema, Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RetentionPolicy {
    /// When the Cluster is deleted, unless `spec.deletionPolicy` says Delete: Retain or Delete.
    #[serde(default = "retain")]
    pub when_deleted: Retention,
    /// When a broker is removed by a lower `spec.replicas`, after it was shown to hold no replica: Retain
    /// or Delete.
    #[serde(default = "delete")]
    pub when_scaled: Retention,
}

fn retain() -> Retention {
    Retention::Retain
}

fn delete() -> Retention {
    Retention::Delete
}

/// Whether a volume outlives its use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
pub enum Retention {
    /// It stays.
    Retain,
    /// It is deleted.
    Delete,
}

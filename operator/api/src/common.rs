//! What several kinds share: the reference to a cluster, configuration maps, and the words used in
//! conditions and annotations.

use std::collections::BTreeMap;
use std::fmt;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::KubeSchema;
use schemars::{Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

/// The `Cluster` that a resource belongs to, in the same namespace.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ClusterRef {
    /// Name of the Cluster, in the same namespace.
    #[schemars(length(min = 1, max = 253))]
    pub name: String,
}

/// One value of a configuration: YAML may write it with or without quotes.
///
/// [`fmt::Display`] gives the text that Kafka's configuration takes.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(untagged)]
pub enum Scalar {
    /// `true` or `false`.
    Boolean(bool),
    /// A whole number.
    Integer(i64),
    /// A number with a fraction.
    Number(f64),
    /// Text.
    Text(String),
    /// A list, a map or nothing, which no key takes. The schemas cannot refuse all of them, and an object that
    /// is stored must be read to be told so.
    Other(serde_json::Value),
}

impl Scalar {
    /// Whether it is a value that a key may have.
    #[must_use]
    pub fn is_scalar(&self) -> bool {
        !matches!(self, Self::Other(_))
    }
}

impl fmt::Display for Scalar {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Boolean(value) => value.fmt(f),
            Self::Integer(value) => value.fmt(f),
            Self::Number(value) => value.fmt(f),
            Self::Text(value) => value.fmt(f),
            Self::Other(value) => value.fmt(f),
        }
    }
}

/// Configuration by Kafka's keys.
pub type Config = BTreeMap<String, Scalar>;

/// Most keys in one `config`.
pub(crate) const CONFIG_KEYS_MAX: u32 = 64;

/// A map of scalars. A structural schema has no "any scalar": the values are left open, and an array or
/// object with content is refused by the two limits of zero.
pub(crate) fn topic_config(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "object",
        "maxProperties": CONFIG_KEYS_MAX,
        "additionalProperties": {
            "x-kubernetes-preserve-unknown-fields": true,
            "maxProperties": 0,
            "maxItems": 0,
        },
    })
}

/// A size in bytes as Kubernetes writes it: `10Gi`, `500M`, `1073741824`.
pub(crate) fn quantity(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "x-kubernetes-int-or-string": true,
        "anyOf": [{"type": "integer"}, {"type": "string"}],
        "maxLength": 32,
    })
}

/// The state that an object has before the operator has seen it. Without it, tools that wait for
/// conditions call a fresh object healthy.
pub(crate) fn not_reconciled() -> serde_json::Value {
    serde_json::json!({
        "observedGeneration": -1,
        "conditions": [{
            "type": condition::READY,
            "status": "Unknown",
            "reason": reason::NOT_RECONCILED,
            "message": "Waiting for controller",
            "lastTransitionTime": "1970-01-01T00:00:00Z",
        }],
    })
}

/// Conditions as every kind has them: one for each type.
pub(crate) type Conditions = Vec<Condition>;

/// Types of conditions.
pub mod condition {
    /// The summary: everything asked for is there and serves.
    pub const READY: &str = "Ready";
    /// Work is going on; absent otherwise.
    pub const RECONCILING: &str = "Reconciling";
    /// Nothing moves until a person acts; absent otherwise.
    pub const STALLED: &str = "Stalled";
    /// The metadata quorum has a leader and a majority.
    pub const QUORUM_HEALTHY: &str = "QuorumHealthy";
    /// Every partition has all its replicas in sync.
    pub const FULLY_REPLICATED: &str = "FullyReplicated";
    /// Every broker runs the asked version and configuration.
    pub const UP_TO_DATE: &str = "UpToDate";
    /// Replicas and leaders are spread evenly.
    pub const BALANCED: &str = "Balanced";
    /// Fewer brokers were asked for than the partitions need.
    pub const SCALE_IN_BLOCKED: &str = "ScaleInBlocked";
    /// The volumes have the asked sizes.
    pub const VOLUMES_RESIZED: &str = "VolumesResized";
    /// The certificates are there and in use.
    pub const CERTIFICATES_READY: &str = "CertificatesReady";
    /// The feature level is the one of the version.
    pub const VERSION_FINALIZED: &str = "VersionFinalized";
}

/// Reasons that conditions of several kinds give.
pub mod reason {
    /// The operator has not looked at the object.
    pub const NOT_RECONCILED: &str = "NotReconciled";
    /// All is as asked.
    pub const RECONCILED: &str = "Reconciled";
    /// The spec cannot be read.
    pub const INVALID_SPEC: &str = "InvalidSpec";
    /// An older object claims the same thing.
    pub const CONFLICT: &str = "Conflict";
    /// `spec.clusterRef` names no Cluster of the namespace.
    pub const CLUSTER_NOT_FOUND: &str = "ClusterNotFound";
    /// The Cluster is there and does not serve.
    pub const CLUSTER_NOT_READY: &str = "ClusterNotReady";
    /// No broker answers.
    pub const BROKER_UNREACHABLE: &str = "BrokerUnreachable";
    /// The broker answered with an error.
    pub const BROKER_REJECTED: &str = "BrokerRejected";
    /// The spec asks for something that this version does not do.
    pub const UNSUPPORTED: &str = "Unsupported";
    /// The annotation `gregor.dev/paused` holds the operator off.
    pub const PAUSED: &str = "Paused";
    /// The object is being deleted.
    pub const DELETING: &str = "Deleting";
}

/// Annotations that the operator reads. Each request is done once: its value is copied to
/// `status.lastHandled`, and the same value is never acted on again.
pub mod annotation {
    /// `"true"`: the operator changes nothing.
    pub const PAUSED: &str = "gregor.dev/paused";
    /// A new time asks for a rolling restart (on a Cluster) or for one restart (on a Pod).
    pub const RESTART_REQUESTED_AT: &str = "gregor.dev/restart-requested-at";
    /// `"true"`: the finalizer is removed although the broker does not answer.
    pub const FORCE_FINALIZE: &str = "gregor.dev/force-finalize";
    /// A broker id: its volume is gone for good, start it empty.
    pub const REPLACE_BROKER: &str = "gregor.dev/replace-broker";
    /// A new time asks for a rebalance.
    pub const REBALANCE_REQUESTED_AT: &str = "gregor.dev/rebalance-requested-at";
    /// A broker id or `any`: the active controller resigns.
    pub const MOVE_CONTROLLER: &str = "gregor.dev/move-controller";
    /// `preferred`: partitions go back to their preferred leaders.
    pub const ELECT_LEADERS: &str = "gregor.dev/elect-leaders";
}

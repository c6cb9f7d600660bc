//! `Topic`: one topic of a cluster, created, altered and deleted with its resource.

use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::common::{ClusterRef, Conditions, Config, topic_config};

/// What a topic shall be.
#[derive(CustomResource, KubeSchema, Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[kube(
    group = "gregor.dev",
    version = "v1alpha1",
    kind = "Topic",
    namespaced,
    status = "TopicStatus",
    derive = "PartialEq",
    shortname = "grt",
    category = "gregor",
    selectable = ".spec.clusterRef.name",
    doc = "A topic of a Gregor cluster.",
    printcolumn(name = "Cluster", type_ = "string", json_path = ".spec.clusterRef.name"),
    printcolumn(name = "Topic", type_ = "string", json_path = ".status.topicName"),
    printcolumn(name = "Partitions", type_ = "integer", json_path = ".status.partitions"),
    printcolumn(name = "RF", type_ = "integer", json_path = ".status.replicationFactor"),
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
    ),
    validation = Rule::new("has(self.spec.topicName) || size(self.metadata.name) <= 249")
        .message("a topic's name has at most 249 characters: give spec.topicName")
)]
#[x_kube(
    validation = Rule::new("!has(oldSelf.partitions) || has(self.partitions)")
        .field_path(".partitions")
        .message("cannot be taken back once it was given: a topic's partitions are never removed"),
    validation = Rule::new(
        "!has(oldSelf.partitions) || !has(self.partitions) || self.partitions >= oldSelf.partitions"
    )
    .field_path(".partitions")
    .message("cannot go down: a topic's partitions are never removed"),
    validation = Rule::new(
        "has(self.topicName) == has(oldSelf.topicName) && \
         (!has(self.topicName) || self.topicName == oldSelf.topicName)"
    )
    .field_path(".topicName")
    .message("cannot change: create another Topic for another name")
)]
#[serde(rename_all = "camelCase")]
pub struct TopicSpec {
    /// The Cluster that the topic lives in. Cannot change.
    #[x_kube(validation = Rule::new("self == oldSelf").message("cannot change"))]
    pub cluster_ref: ClusterRef,

    /// The topic's name in Kafka; unset, it is the resource's name. Letters, digits, dot, underscore and
    /// hyphen, at most 249 of them. Cannot change.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 249))]
    #[x_kube(
        validation = Rule::new("self.matches('^[a-zA-Z0-9._-]+$')")
            .message("may hold letters, digits, dot, underscore and hyphen only"),
        validation = Rule::new("self != '.' && self != '..'").message("cannot be \".\" or \"..\""),
        validation = Rule::new("!self.startsWith('__')")
            .message("cannot start with \"__\": such names belong to internal topics")
    )]
    pub topic_name: Option<String>,

    /// How many partitions; unset, the broker's `num.partitions`. Can grow, and never shrinks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 10_000))]
    pub partitions: Option<i32>,

    /// On how many brokers each partition is kept; unset, the broker's `default.replication.factor`. Can
    /// go up and down; data is moved in the background. In this version, which has one broker, more than one
    /// is answered with reason InvalidReplicationFactor.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 100))]
    pub replication_factor: Option<i32>,

    /// Kafka's topic configuration by key, such as `retention.ms: 604800000`. Values may be written with
    /// or without quotes.
    #[serde(default, skip_serializing_if = "Config::is_empty")]
    #[schemars(schema_with = "topic_config")]
    pub config: Config,

    /// What happens to settings that the topic has and `config` does not name. Strict takes them back to
    /// the broker's default; Merge leaves them. Throttled replicas are always left.
    #[serde(default)]
    pub config_policy: ConfigPolicy,

    /// Whether a topic that exists already is taken over. Adopt takes it as it is and alters it to match;
    /// Never refuses, with condition Ready false and reason AdoptionRefused.
    #[serde(default)]
    pub adoption_policy: AdoptionPolicy,

    /// What happens to the topic when this resource is deleted. Delete deletes the topic with its data;
    /// Retain leaves it.
    #[serde(default)]
    pub deletion_policy: TopicDeletionPolicy,
}

/// What happens to settings that a Topic does not name.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
pub enum ConfigPolicy {
    /// They go back to the broker's default.
    #[default]
    Strict,
    /// They stay.
    Merge,
}

/// Whether a topic that exists already is taken over.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
pub enum AdoptionPolicy {
    /// It is.
    #[default]
    Adopt,
    /// It is not, and the Topic says so.
    Never,
}

/// What happens to the topic when its Topic is deleted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
pub enum TopicDeletionPolicy {
    /// It is deleted with its data.
    #[default]
    Delete,
    /// It stays.
    Retain,
}

/// What a topic is, as the operator last saw it.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct TopicStatus {
    /// The generation of the spec that this status speaks of; -1 before the operator saw the resource.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// Ready, and while they are true, Reconciling and Stalled.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["type".into()]))]
    pub conditions: Conditions,
    /// The topic's name in Kafka.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub topic_name: Option<String>,
    /// The topic's id (KIP-516). Another one than before means that somebody deleted and created it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub topic_id: Option<String>,
    /// How many partitions the topic has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub partitions: Option<i32>,
    /// On how many brokers each partition is kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replication_factor: Option<i32>,
    /// Whether the topic existed before this resource.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub adopted: Option<bool>,
    /// The move to another replication factor that is going on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reassignment: Option<Reassignment>,
}

/// A change of the replication factor under way.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Reassignment {
    /// The replication factor that partitions move to.
    pub target_replication_factor: i32,
    /// How many partitions have still to move.
    pub remaining_partitions: i32,
    /// What it waits for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
}

//! How changes are carried out: restarts, moves of replicas, lost brokers.

use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::common::quantity;

/// How restarts go.
#[derive(KubeSchema, Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Rollout {
    /// When brokers are restarted for a change that needs it: Rolling at once, one after another;
    /// OnRequest when the annotation gregor.dev/restart-requested-at asks for it.
    #[serde(default)]
    pub strategy: RolloutStrategy,
    /// How long a broker may take from its restart to serving and being in sync, before the roll stops
    /// and says so: a number with s, m or h, such as 10m.
    #[serde(default = "ten_minutes")]
    #[schemars(length(min = 1, max = 16))]
    #[x_kube(validation = Rule::new("self.matches('^[1-9][0-9]*(s|m|h)$')")
        .message("must be a whole number with s, m or h, as 10m"))]
    pub pod_timeout: String,
    /// Whether a broker may be restarted while it holds the only replica of a partition, which is away
    /// meanwhile.
    #[serde(default = "yes")]
    pub allow_single_replica_downtime: bool,
    /// How many brokers of one rack may be restarted at a time.
    #[serde(default = "one")]
    #[schemars(range(min = 1, max = 100))]
    pub max_parallel_per_rack: i32,
}

/// How replicas are moved.
#[derive(KubeSchema, Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Rebalance {
    /// Whether new brokers are given replicas of existing partitions.
    #[serde(default = "yes")]
    pub on_scale_out: bool,
    /// How many bytes each broker may send or receive for moves each second, such as 50Mi; at least 1Mi.
    #[serde(default = "fifty_mebibytes")]
    #[schemars(schema_with = "quantity")]
    #[x_kube(validation = Rule::new(
        "isQuantity(string(self)) && quantity(string(self)).compareTo(quantity('1Mi')) >= 0"
    ).message("must be a size of at least 1Mi, as 50Mi"))]
    pub throttle_bytes_per_sec: Quantity,
    /// How many partitions move at a time.
    #[serde(default = "five")]
    #[schemars(range(min = 1, max = 1000))]
    pub max_concurrent_moves: i32,
    /// How the moves are chosen: MinimalMovement evens out the number of replicas and leaders with as few
    /// moves as it takes.
    #[serde(default)]
    pub strategy: RebalanceStrategy,
}

default_from_fields!(Rollout, Rebalance);

fn ten_minutes() -> String {
    "10m".into()
}

fn fifty_mebibytes() -> Quantity {
    Quantity("50Mi".into())
}

fn yes() -> bool {
    true
}

fn one() -> i32 {
    1
}

fn five() -> i32 {
    5
}

/// When brokers are restarted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
pub enum RolloutStrategy {
    /// At once, one after another.
    #[default]
    Rolling,
    /// When asked.
    OnRequest,
}

/// How moves are chosen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
pub enum RebalanceStrategy {
    /// As few as it takes.
    #[default]
    MinimalMovement,
}

/// What happens when a broker's volume is lost.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
pub enum Replacement {
    /// The operator waits for a person.
    #[default]
    Manual,
    /// The broker is started again, empty.
    Auto,
}

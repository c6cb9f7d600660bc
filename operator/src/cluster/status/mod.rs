//! The status of a Cluster: what was seen and what is done, in Kubernetes' conventions.

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use k8s_openapi::jiff::Timestamp;
use kube::{Resource as _, ResourceExt as _};
use operator_api::annotation::REPLACE_BROKER;
use operator_api::cluster::{
    BrokerState, BrokerStatus, ControllersStatus, LastHandled, ListenerStatus, Operation,
};
use operator_api::condition::{QUORUM_HEALTHY, READY, RECONCILING, STALLED, UP_TO_DATE, VOLUMES_RESIZED};
use operator_api::reason::{BROKER_UNREACHABLE, PAUSED, RECONCILED};
use operator_api::{Cluster, ClusterStatus};

use super::broker::View;
use super::names;
use super::observe::Observed;
use super::plan::{Seen, Step};
use super::validate::{Desired, OPERATOR_VERSION, Refusal};
use crate::condition::{Conditions, Truth};

/// Why the cluster is not as it shall be, beyond the words for all kinds.
mod reason {
    pub(super) const STARTING: &str = "Starting";
    pub(super) const RESTARTING: &str = "Restarting";
    pub(super) const ROLLOUT_STUCK: &str = "RolloutStuck";
    pub(super) const UNSCHEDULABLE: &str = "Unschedulable";
    pub(super) const HELD: &str = "Held";
    pub(super) const VOLUME_REPLACED: &str = "VolumeReplaced";
    pub(super) const RESIZING: &str = "Resizing";
}

/// What a running broker said.
#[derive(Debug)]
pub(super) enum Voice {
    /// No broker runs that could be asked.
    None,
    /// One runs, and this is why it did not answer.
    Silent(String),
    /// What it said.
    Said(View),
}

/// Whether volumes have the asked size.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) enum Volumes {
    /// They have, or are not there yet.
    #[default]
    AsAsked,
    /// They grow; what is waited for.
    Growing(String),
    /// They cannot, in the API server's words.
    Refused(String),
}

/// All that a turn found out.
pub(super) struct Findings<'a> {
    pub(super) cluster: &'a Cluster,
    pub(super) observed: &'a Observed,
    /// `None` when the spec was refused whole.
    pub(super) desired: Option<&'a Desired>,
    pub(super) refusal: Option<&'a Refusal>,
    pub(super) voice: &'a Voice,
    /// `None` when the spec was refused whole.
    pub(super) plan: Option<(&'a Seen, &'a Step)>,
    pub(super) volumes: &'a Volumes,
    pub(super) paused: bool,
    /// What is missing although the cluster serves.
    pub(super) notes: &'a [String],
    /// Annotations that were acted on in this turn, or never can be.
    pub(super) handled: LastHandled,
    pub(super) now: Timestamp,
}

/// The status to write.
pub(super) fn status(found: &Findings<'_>) -> ClusterStatus {
    let old = found.cluster.status.clone().unwrap_or_default();
    let pods: Vec<_> = found.observed.pods.iter().map(|(pod, _)| pod).collect();
    let count = |count: usize| Some(i32::try_from(count).unwrap_or(i32::MAX));
    let said = match found.voice {
        Voice::Said(view) => Some(view),
        Voice::None | Voice::Silent(_) => None,
    };
    let mut conditions = Conditions::new(&old.conditions, found.cluster.meta().generation, Time(found.now));
    let name = found.cluster.name_any();
    let namespace = found.cluster.namespace().unwrap_or_default();
    summarise(found, &old, &mut conditions);
    ClusterStatus {
        observed_generation: found.cluster.meta().generation,
        conditions: conditions.finish(),
        replicas: count(pods.len()),
        ready_replicas: count(pods.iter().filter(|pod| pod.ready).count()),
        selector: Some(names::selector_text(&name)),
        cluster_id: identity(found, &old),
        version: found.desired.map(|desired| desired.version.clone()).or(old.version),
        operator_version: Some(OPERATOR_VERSION.to_owned()),
        feature_level: None,
        controllers: said
            .map(|view| ControllersStatus {
                leader_id: Some(view.controller).filter(|id| *id >= 0),
                voters: vec![0],
                observers: Vec::new(),
            })
            .or(old.controllers),
        brokers: pods
            .iter()
            .map(|pod| BrokerStatus {
                id: pod.ordinal,
                pod: Some(pod.name.clone()),
                pod_uid: Some(pod.uid.clone()),
                node: pod.node.clone(),
                rack: None,
                state: BrokerState::Running,
                revision: pod.revision.clone(),
                replica_count: None,
            })
            .collect(),
        listeners: match found.desired {
            Some(desired) => desired
                .listeners
                .iter()
                .map(|listener| ListenerStatus {
                    name: listener.name.clone(),
                    bootstrap: names::bootstrap_address(&namespace, &name, listener),
                })
                .collect(),
            None => old.listeners,
        },
        operation: operation(found, old.operation.as_ref()),
        last_handled: last_handled(
            old.last_handled,
            &found.handled,
            found.cluster.annotations().contains_key(REPLACE_BROKER),
        ),
    }
}

/// The id that the cluster has for good: the first that a broker told, until somebody says that its volume
/// was replaced.
fn identity(found: &Findings<'_>, old: &ClusterStatus) -> Option<String> {
    match (&old.cluster_id, found.voice) {
        (None, Voice::Said(view)) => Some(view.cluster_id.clone()),
        (Some(_), Voice::Said(view)) if found.handled.replace_broker.is_some() => {
            Some(view.cluster_id.clone())
        }
        (old, _) => old.clone(),
    }
}

/// A broker that tells another id than the cluster had: its volume is another one.
fn replaced(found: &Findings<'_>, old: &ClusterStatus) -> Option<String> {
    match (identity(found, old), found.voice) {
        (Some(id), Voice::Said(view)) if id != view.cluster_id => Some(format!(
            "broker 0 has an empty volume or another cluster's: it tells the cluster id {} and the cluster's is \
             {id}; bring the volume back, or annotate the Cluster with gregor.dev/replace-broker=0 to go on \
             without the data",
            view.cluster_id
        )),
        _ => None,
    }
}

fn last_handled(old: Option<LastHandled>, new: &LastHandled, replacing: bool) -> Option<LastHandled> {
    let old = old.unwrap_or_default();
    let handled = LastHandled {
        restart_requested_at: new.restart_requested_at.clone().or(old.restart_requested_at),
        // The same broker may be replaced again, once the annotation was taken away.
        replace_broker: new.replace_broker.clone().or(old.replace_broker.filter(|_| replacing)),
        rebalance_requested_at: new.rebalance_requested_at.clone().or(old.rebalance_requested_at),
        move_controller: new.move_controller.clone().or(old.move_controller),
        elect_leaders: new.elect_leaders.clone().or(old.elect_leaders),
    };
    (handled != LastHandled::default()).then_some(handled)
}

/// The roll, from its first step to its last.
fn operation(found: &Findings<'_>, old: Option<&Operation>) -> Option<Operation> {
    let (seen, step) = found.plan?;
    let (phase, message) = match step {
        Step::Restart { ordinal, why, .. } => ("Restarting", format!("broker {ordinal}: {why}")),
        Step::Wait(what) if old.is_some() => ("Waiting", what.clone()),
        Step::Stuck(ordinal, why) if old.is_some() => ("Stuck", format!("broker {ordinal}: {why}")),
        _ => return None,
    };
    let targets = match step {
        Step::Restart { ordinal, .. } | Step::Stuck(ordinal, _) => vec![*ordinal],
        _ => seen.pods.iter().filter(|pod| !pod.ready).map(|pod| pod.ordinal).collect(),
    };
    Some(Operation {
        kind: "Rollout".to_owned(),
        phase: Some(phase.to_owned()),
        targets,
        started_at: old
            .and_then(|old| old.started_at.clone())
            .or_else(|| Some(found.now.strftime("%FT%TZ").to_string())),
        message: Some(message),
        progress: None,
    })
}

/// Ready, and what explains it.
fn summarise(found: &Findings<'_>, old: &ClusterStatus, conditions: &mut Conditions<'_>) {
    let serving = found.observed.serving().is_some();
    summary(found, old, serving, conditions);
    match found.voice {
        Voice::Said(view) if view.controller >= 0 => {
            conditions.set(QUORUM_HEALTHY, Truth::True, RECONCILED, "the active controller is there");
        }
        Voice::Said(_) => {
            conditions.set(QUORUM_HEALTHY, Truth::False, "QuorumLost", "there is no active controller")
        }
        Voice::Silent(why) => {
            conditions.set(QUORUM_HEALTHY, Truth::Unknown, BROKER_UNREACHABLE, why.as_str())
        }
        Voice::None => conditions.set(QUORUM_HEALTHY, Truth::Unknown, BROKER_UNREACHABLE, "no broker runs"),
    }
    if let Some(refusal) = found.refusal {
        let message = format!("not all of the spec is carried out: {}", refusal.message);
        conditions.set(UP_TO_DATE, Truth::False, refusal.reason, message);
    } else if let Some((seen, step)) = found.plan {
        match step {
            Step::Held(why) => conditions.set(UP_TO_DATE, Truth::False, reason::HELD, why.as_str()),
            _ if seen.up_to_date() => {
                conditions.set(
                    UP_TO_DATE,
                    Truth::True,
                    RECONCILED,
                    "every broker has the newest configuration and image",
                );
            }
            _ => conditions.set(UP_TO_DATE, Truth::False, reason::RESTARTING, "brokers are to be restarted"),
        }
    } else {
        conditions.keep(UP_TO_DATE);
    }
    match found.volumes {
        Volumes::AsAsked => {
            conditions.set(VOLUMES_RESIZED, Truth::True, RECONCILED, "volumes have the asked size")
        }
        Volumes::Growing(what) => {
            conditions.set(VOLUMES_RESIZED, Truth::False, reason::RESIZING, what.as_str())
        }
        Volumes::Refused(why) => {
            conditions.set(VOLUMES_RESIZED, Truth::False, "VolumeResizeUnsupported", why.as_str());
        }
    }
}

/// Ready with Reconciling or Stalled: the first of these that holds.
fn summary(found: &Findings<'_>, old: &ClusterStatus, serving: bool, conditions: &mut Conditions<'_>) {
    let mut stalled = |reason: &str, message: &str| {
        conditions.set(READY, Truth::False, reason, message);
        conditions.abnormal(STALLED, reason, message);
    };
    if found.paused {
        let message = "the annotation gregor.dev/paused holds the operator off";
        conditions.set(READY, Truth::from(serving), PAUSED, message);
        return;
    }
    if let Some(refusal) = found.refusal {
        return stalled(refusal.reason, &refusal.message);
    }
    if let Some((_, Step::Stuck(ordinal, why))) = found.plan {
        let word =
            if why.starts_with("Unschedulable") { reason::UNSCHEDULABLE } else { reason::ROLLOUT_STUCK };
        return stalled(word, &format!("broker {ordinal}, pod {}: {why}", pod_name(found, *ordinal)));
    }
    if let Some(message) = replaced(found, old) {
        return stalled(reason::VOLUME_REPLACED, &message);
    }
    // It serves as before, and the size cannot be taken back: Ready is not about it.
    if let Volumes::Refused(why) = found.volumes {
        conditions.abnormal(STALLED, "VolumeResizeUnsupported", why.as_str());
    }
    let rolling = old.operation.is_some() || matches!(found.plan, Some((_, Step::Restart { .. })));
    let word = if rolling { reason::RESTARTING } else { reason::STARTING };
    let waits = match found.plan {
        Some((_, Step::Restart { ordinal, why, .. })) => {
            Some(format!("broker {ordinal} is restarted: {why}"))
        }
        Some((_, Step::Wait(what))) => Some(what.clone()),
        _ => None,
    };
    if let Some(waits) = &waits {
        conditions.abnormal(RECONCILING, word, waits.as_str());
    }
    if !serving {
        return conditions.set(
            READY,
            Truth::False,
            word,
            waits.unwrap_or_else(|| "no broker serves".to_owned()),
        );
    }
    if let Voice::Silent(why) = found.voice {
        return conditions.set(READY, Truth::Unknown, BROKER_UNREACHABLE, why.as_str());
    }
    let mut message = match found.plan {
        Some((_, Step::Held(why))) => format!("brokers serve; {why}"),
        _ => format!(
            "{} of {} brokers serve",
            found.observed.pods.iter().filter(|(pod, _)| pod.ready).count(),
            found.desired.map_or(0, |desired| desired.replicas)
        ),
    };
    for note in found.notes {
        message.push_str("; ");
        message.push_str(note);
    }
    conditions.set(READY, Truth::True, RECONCILED, message);
}

fn pod_name<'a>(found: &'a Findings<'_>, ordinal: i32) -> &'a str {
    found
        .observed
        .pods
        .iter()
        .find(|(pod, _)| pod.ordinal == ordinal)
        .map_or("", |(pod, _)| pod.name.as_str())
}

/// Annotations of requests that mean nothing to a cluster of one broker, with their values and why, unless
/// that was said already.
pub(super) fn idle_requests(cluster: &Cluster) -> (LastHandled, Vec<String>) {
    use operator_api::annotation::{ELECT_LEADERS, MOVE_CONTROLLER, REBALANCE_REQUESTED_AT};
    let annotations: &BTreeMap<String, String> = cluster.annotations();
    let old = cluster.status.as_ref().and_then(|status| status.last_handled.clone()).unwrap_or_default();
    let mut told = Vec::new();
    let mut new = |key: &str, old: Option<&String>| {
        let value = annotations.get(key).filter(|value| Some(*value) != old)?;
        told.push(format!("{key}={value} is without effect: there is one broker"));
        Some(value.clone())
    };
    let handled = LastHandled {
        rebalance_requested_at: new(REBALANCE_REQUESTED_AT, old.rebalance_requested_at.as_ref()),
        move_controller: new(MOVE_CONTROLLER, old.move_controller.as_ref()),
        elect_leaders: new(ELECT_LEADERS, old.elect_leaders.as_ref()),
        ..LastHandled::default()
    };
    (handled, told)
}

//! What is there: objects of the stores that belong to one Cluster.

use std::collections::BTreeMap;
use std::hash::Hash;
use std::sync::Arc;

use k8s_openapi::api::apps::v1::StatefulSet;
use k8s_openapi::api::core::v1::{ConfigMap, ContainerStatus, PersistentVolumeClaim, Pod, Service};
use k8s_openapi::api::policy::v1::PodDisruptionBudget;
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use k8s_openapi::jiff::Timestamp;
use kube::runtime::reflector::{Lookup, ObjectRef, Store};
use kube::{Resource, ResourceExt as _};
use operator_api::annotation::RESTART_REQUESTED_AT;

use super::build::{OWNED_KEYS, PROPERTIES, annotation, properties};
use super::names::{self, CLUSTER_LABEL};
use super::plan::BrokerPod;

/// The label that a StatefulSet's controller gives each pod.
const REVISION: &str = "controller-revision-hash";

/// A pod that cannot be scheduled is told after this many seconds: claims take a moment to be bound.
const UNSCHEDULABLE_SECONDS: i64 = 20;

/// The last words of a container that are told, in characters.
const LAST_WORDS_MAX: usize = 800;

/// Why a container does not start, as the kubelet says; each needs something to change.
const STUCK: [&str; 8] = [
    "CrashLoopBackOff",
    "ImagePullBackOff",
    "ErrImagePull",
    "ErrImageNeverPull",
    "InvalidImageName",
    "CreateContainerConfigError",
    "CreateContainerError",
    "RunContainerError",
];

/// Those of them that are about the image.
const IMAGE: [&str; 4] = ["ImagePullBackOff", "ErrImagePull", "ErrImageNeverPull", "InvalidImageName"];

/// The stores of the kinds that belong to Clusters.
pub(super) struct Stores {
    pub(super) pods: Store<Pod>,
    pub(super) stateful_sets: Store<StatefulSet>,
    pub(super) services: Store<Service>,
    pub(super) config_maps: Store<ConfigMap>,
    pub(super) budgets: Store<PodDisruptionBudget>,
    pub(super) claims: Store<PersistentVolumeClaim>,
}

/// What of one Cluster is there.
#[derive(Clone, Debug, Default)]
pub(super) struct Observed {
    /// Brokers' pods in the order of their ordinals.
    pub(super) pods: Vec<(BrokerPod, Arc<Pod>)>,
    pub(super) stateful_set: Option<Arc<StatefulSet>>,
    /// What server.properties has of spec.config, and its hash.
    pub(super) file: Option<(BTreeMap<String, String>, String)>,
    /// Brokers' claims.
    pub(super) claims: Vec<Arc<PersistentVolumeClaim>>,
}

impl Observed {
    /// A broker that serves, and its pod.
    pub(super) fn serving(&self) -> Option<&(BrokerPod, Arc<Pod>)> {
        self.pods.iter().find(|(pod, _)| pod.ready)
    }

    /// The image of a pod cannot be had.
    pub(super) fn image_is_broken(&self) -> bool {
        let about_image = |stuck: &String| IMAGE.iter().any(|reason| stuck.starts_with(reason));
        self.pods.iter().any(|(pod, _)| pod.stuck.as_ref().is_some_and(about_image))
    }

    /// The size in the claim template, which cannot change.
    pub(super) fn claim_size(&self) -> Option<Quantity> {
        let claim = self.stateful_set.as_ref()?.spec.volume_claim_templates.as_ref()?.first()?;
        claim.spec.as_ref()?.resources.as_ref()?.requests.as_ref()?.get("storage").cloned()
    }
}

/// Gathers what belongs to the Cluster of this name.
pub(super) fn observe(stores: &Stores, namespace: &str, cluster: &str, now: Timestamp) -> Observed {
    let claims = members(&stores.claims, namespace, cluster);
    let mut pods: Vec<(BrokerPod, Arc<Pod>)> = members(&stores.pods, namespace, cluster)
        .into_iter()
        .filter_map(|pod| Some((broker_pod(cluster, &pod, &claims, now)?, pod)))
        .collect();
    pods.sort_by_key(|(pod, _)| pod.ordinal);
    let brokers = names::brokers(cluster);
    let file = find(&stores.config_maps, namespace, &brokers).and_then(|map| {
        let mut pairs = properties::parse(map.data.as_ref()?.get(PROPERTIES)?);
        pairs.retain(|key, _| !OWNED_KEYS.contains(&key.as_str()));
        Some((pairs, map.annotations().get(annotation::CONFIG_HASH)?.clone()))
    });
    Observed { pods, stateful_set: find(&stores.stateful_sets, namespace, &brokers), file, claims }
}

/// The object of this name.
pub(super) fn find<K>(store: &Store<K>, namespace: &str, name: &str) -> Option<Arc<K>>
where
    K: Lookup + Clone + 'static,
    K::DynamicType: Default + Eq + Hash + Clone,
{
    store.get(&ObjectRef::new_with(name, K::DynamicType::default()).within(namespace))
}

fn members<K>(store: &Store<K>, namespace: &str, cluster: &str) -> Vec<Arc<K>>
where
    K: Resource<DynamicType = ()> + Clone + 'static,
{
    store.state_filter(|object| {
        object.meta().namespace.as_deref() == Some(namespace)
            && object.labels().get(CLUSTER_LABEL).map(String::as_str) == Some(cluster)
    })
}

/// A pod as a broker; none when it is not one of the StatefulSet.
fn broker_pod(
    cluster: &str,
    pod: &Pod,
    claims: &[Arc<PersistentVolumeClaim>],
    now: Timestamp,
) -> Option<BrokerPod> {
    let name = pod.name_any();
    let created = pod.metadata.creation_timestamp.as_ref()?.0;
    Some(BrokerPod {
        ordinal: names::ordinal(cluster, &name)?,
        resize_pending: claims.iter().filter(|claim| is_claim_of(claim, &name)).find_map(|one| growing(one)),
        name,
        uid: pod.metadata.uid.clone()?,
        revision: pod.labels().get(REVISION).cloned(),
        restart_hash: pod.annotations().get(annotation::RESTART_HASH).cloned(),
        created,
        ready: names::is_ready(pod),
        ending: pod.metadata.deletion_timestamp.is_some(),
        stuck: stuck(pod).or_else(|| unschedulable(pod, now)),
        restart_requested: pod.annotations().contains_key(RESTART_REQUESTED_AT),
        node: pod.spec.as_ref().and_then(|spec| spec.node_name.clone()),
    })
}

/// Whether a StatefulSet made the claim for the pod of this name: VOLUME-POD.
fn is_claim_of(claim: &PersistentVolumeClaim, pod: &str) -> bool {
    claim.name_any().strip_suffix(pod).is_some_and(|volume| volume.ends_with('-'))
}

/// Since when the volume has grown and its file system has not.
pub(super) fn growing(claim: &PersistentVolumeClaim) -> Option<Timestamp> {
    let conditions = claim.status.as_ref()?.conditions.as_ref()?;
    let pending = conditions
        .iter()
        .find(|condition| condition.type_ == "FileSystemResizePending" && condition.status == "True")?;
    Some(pending.last_transition_time.as_ref()?.0)
}

/// Why a container of the pod does not start.
fn stuck(pod: &Pod) -> Option<String> {
    let containers = pod.status.as_ref()?.container_statuses.as_ref()?;
    containers.iter().find_map(|container| {
        let waiting = container.state.as_ref()?.waiting.as_ref()?;
        let reason = waiting.reason.as_deref().filter(|reason| STUCK.contains(reason))?;
        let said = last_words(container).or_else(|| waiting.message.clone()).unwrap_or_default();
        let said = said.trim();
        Some(if said.is_empty() { reason.to_owned() } else { format!("{reason}: {said}") })
    })
}

/// The end of what the container wrote before it ended.
fn last_words(container: &ContainerStatus) -> Option<String> {
    let message = container.last_state.as_ref()?.terminated.as_ref()?.message.as_deref()?.trim();
    let start = message.char_indices().rev().nth(LAST_WORDS_MAX).map_or(0, |(at, _)| at);
    message.get(start..).filter(|words| !words.is_empty()).map(str::to_owned)
}

fn unschedulable(pod: &Pod, now: Timestamp) -> Option<String> {
    let conditions = pod.status.as_ref()?.conditions.as_ref()?;
    let condition = conditions.iter().find(|condition| {
        condition.type_ == "PodScheduled" && condition.reason.as_deref() == Some("Unschedulable")
    })?;
    let created = pod.metadata.creation_timestamp.as_ref()?.0;
    let age = now.as_second() - created.as_second();
    (age >= UNSCHEDULABLE_SECONDS)
        .then(|| format!("Unschedulable: {}", condition.message.as_deref().unwrap_or_default()))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn pod(status: &serde_json::Value) -> BrokerPod {
        let pod: Pod = serde_json::from_value(json!({
            "metadata": {"name": "demo-broker-0", "uid": "u", "creationTimestamp": "2026-01-01T00:00:00Z",
                "labels": {"controller-revision-hash": "r1"}},
            "status": status,
        }))
        .unwrap();
        broker_pod("demo", &pod, &[], "2026-01-01T00:01:00Z".parse().unwrap()).unwrap()
    }

    #[test]
    fn a_claim_tells_its_own_pod_that_it_grows() {
        let claim = |name: &str, status: &str| -> PersistentVolumeClaim {
            serde_json::from_value(json!({
                "metadata": {"name": name},
                "status": {"conditions": [{"type": "FileSystemResizePending", "status": status,
                    "lastTransitionTime": "2026-01-01T00:00:30Z"}]},
            }))
            .unwrap()
        };
        let since = |name: &str, status: &str| {
            let claims = [Arc::new(claim(name, status))];
            let pod: Pod = serde_json::from_value(json!({"metadata": {
                "name": "demo-broker-1", "uid": "u", "creationTimestamp": "2026-01-01T00:00:00Z"}}))
            .unwrap();
            broker_pod("demo", &pod, &claims, Timestamp::now()).unwrap().resize_pending
        };
        assert_eq!(since("volume-0-demo-broker-1", "True"), Some("2026-01-01T00:00:30Z".parse().unwrap()));
        assert_eq!(since("volume-0-demo-broker-1", "False"), None);
        assert_eq!(since("volume-0-demo-broker-11", "True"), None);
        assert_eq!(since("volume-0-demo-broker-0", "True"), None);
    }

    #[test]
    fn a_pod_says_why_it_cannot_start() {
        let crash = pod(&json!({"containerStatuses": [{
            "name": "broker", "image": "i", "imageID": "", "ready": false, "restartCount": 3,
            "state": {"waiting": {"reason": "CrashLoopBackOff", "message": "back-off 10s"}},
            "lastState": {"terminated": {"exitCode": 2, "message": "gregor: num.partitions=x: must be a number\n"}},
        }]}));
        assert_eq!(
            crash.stuck.as_deref(),
            Some("CrashLoopBackOff: gregor: num.partitions=x: must be a number")
        );
        let image = pod(&json!({"containerStatuses": [{
            "name": "broker", "image": "i", "imageID": "", "ready": false, "restartCount": 0,
            "state": {"waiting": {"reason": "ErrImagePull", "message": "not found"}},
        }]}));
        assert_eq!(image.stuck.as_deref(), Some("ErrImagePull: not found"));
        let starting = pod(&json!({"containerStatuses": [{
            "name": "broker", "image": "i", "imageID": "", "ready": false, "restartCount": 0,
            "state": {"waiting": {"reason": "ContainerCreating"}},
        }]}));
        assert_eq!((starting.stuck, starting.ready), (None, false));
        let nowhere = pod(&json!({"conditions": [
            {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "0/1 nodes"}]}));
        assert_eq!(nowhere.stuck.as_deref(), Some("Unschedulable: 0/1 nodes"));
        let ready = pod(&json!({"conditions": [{"type": "Ready", "status": "True"}]}));
        assert!(ready.ready && ready.stuck.is_none());
    }

    #[test]
    fn only_the_end_of_long_last_words_is_told() {
        let long = "ä".repeat(5000) + "the end";
        let status: ContainerStatus = serde_json::from_value(json!({
            "name": "b", "image": "i", "imageID": "", "ready": false, "restartCount": 1,
            "lastState": {"terminated": {"exitCode": 1, "message": long}},
        }))
        .unwrap();
        let words = last_words(&status).unwrap();
        assert!(words.ends_with("the end") && words.chars().count() <= LAST_WORDS_MAX + 1);
    }
}

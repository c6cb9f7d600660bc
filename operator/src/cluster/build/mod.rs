//! The objects of a Cluster, made from what shall be: pure, so that files in testdata show them.

pub(super) mod properties;
pub(super) mod restart;
mod stateful_set;

#[cfg(test)]
mod tests;

use k8s_openapi::api::apps::v1::StatefulSet;
use k8s_openapi::api::core::v1::{ConfigMap, Service, ServicePort, ServiceSpec};
use k8s_openapi::api::policy::v1::{PodDisruptionBudget, PodDisruptionBudgetSpec};
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{LabelSelector, ObjectMeta, OwnerReference};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use kube::core::DynamicObject;
use kube::discovery::ApiResource;
use serde_json::json;

use super::names;
use super::validate::{Desired, OPERATOR_VERSION};

pub(super) use properties::OWNED_KEYS;

/// The file's name in the ConfigMap.
pub(super) const PROPERTIES: &str = "server.properties";

/// Annotations of objects that the operator makes, by which it knows later what it did.
pub(super) mod annotation {
    /// On the ConfigMap: of what in spec.config a broker had to be restarted for when it last changed.
    pub(crate) const CONFIG_HASH: &str = "gregor.dev/config-hash";
    /// On the pod template, and so on pods: of all that a broker has to be restarted for.
    pub(crate) const RESTART_HASH: &str = "gregor.dev/restart-hash";
    /// On the StatefulSet: what the image follows from.
    pub(crate) const IMAGE_OF: &str = "gregor.dev/image-of";
}

/// The brokers' image, and what it follows from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Image {
    pub(super) name: String,
    pub(super) origin: String,
}

impl Image {
    /// The image that brokers shall run. One that follows from the version stays while the version does,
    /// whatever image the operator has: its upgrade alone restarts no broker. Only an image that could not be
    /// had goes. Another version than the operator's own is looked for under the tag that is its name.
    pub(super) fn of(desired: &Desired, operators: &str, live: Option<&StatefulSet>, broken: bool) -> Self {
        if let Some(name) = &desired.image {
            return Self { name: name.clone(), origin: "spec.image".to_owned() };
        }
        let origin = format!("version {}", desired.version);
        let kept = live
            .filter(|live| {
                let annotations = live.metadata.annotations.as_ref();
                !broken && annotations.and_then(|all| all.get(annotation::IMAGE_OF)) == Some(&origin)
            })
            .and_then(|live| live.spec.template.spec.as_ref()?.containers.first()?.image.clone());
        let made = || match operators.strip_suffix(OPERATOR_VERSION).filter(|rest| rest.ends_with(':')) {
            Some(repository) => format!("{repository}{}", desired.version),
            None => operators.to_owned(),
        };
        Self { name: kept.unwrap_or_else(made), origin }
    }
}

/// What objects are made of besides what shall be.
#[derive(Clone, Debug)]
pub(super) struct Parts {
    /// The Cluster, as the owner of its objects.
    pub(super) owner: OwnerReference,
    pub(super) image: Image,
    /// The text of server.properties.
    pub(super) config_text: String,
    /// Of what in it a broker has to be restarted for.
    pub(super) config_hash: String,
    /// The size in the StatefulSet's claim template, where that is not the desired one: templates cannot
    /// change.
    pub(super) claim_size: Option<Quantity>,
}

/// The objects of a Cluster.
#[derive(Clone, Debug)]
pub(super) struct Children {
    pub(super) headless: Service,
    pub(super) bootstrap: Service,
    pub(super) config_map: ConfigMap,
    pub(super) budget: PodDisruptionBudget,
    pub(super) stateful_set: StatefulSet,
}

/// All objects.
pub(super) fn children(desired: &Desired, parts: &Parts) -> Children {
    Children {
        headless: headless(desired, parts),
        bootstrap: bootstrap(desired, parts),
        config_map: config_map(desired, parts),
        budget: budget(desired, parts),
        stateful_set: stateful_set::stateful_set(desired, parts),
    }
}

fn metadata(desired: &Desired, parts: &Parts, name: &str) -> ObjectMeta {
    ObjectMeta {
        name: Some(name.to_owned()),
        namespace: Some(desired.namespace.clone()),
        labels: Some(names::labels(&desired.name)),
        owner_references: Some(vec![parts.owner.clone()]),
        ..Default::default()
    }
}

fn listener_ports(desired: &Desired) -> Vec<ServicePort> {
    desired
        .listeners
        .iter()
        .map(|listener| ServicePort {
            name: Some(listener.name.clone()),
            port: listener.port,
            target_port: Some(IntOrString::Int(listener.port)),
            protocol: Some("TCP".to_owned()),
            ..Default::default()
        })
        .collect()
}

/// Gives each broker a name, also one that is not ready: it must be found to become so.
fn headless(desired: &Desired, parts: &Parts) -> Service {
    Service {
        metadata: metadata(desired, parts, &names::headless(&desired.name)),
        spec: Some(ServiceSpec {
            cluster_ip: Some("None".to_owned()),
            publish_not_ready_addresses: Some(true),
            selector: Some(names::selector(&desired.name)),
            ports: Some(listener_ports(desired)),
            ..Default::default()
        }),
        status: None,
    }
}

/// Where clients connect first: any broker that is ready. Of one broker it is that one, ready or not: there is
/// nobody else to send clients to, and one that was killed is found when it listens, and not some seconds later when
/// the kubelet's probes and the proxies have come round.
fn bootstrap(desired: &Desired, parts: &Parts) -> Service {
    Service {
        metadata: metadata(desired, parts, &names::bootstrap(&desired.name)),
        spec: Some(ServiceSpec {
            type_: Some("ClusterIP".to_owned()),
            publish_not_ready_addresses: (desired.replicas == 1).then_some(true),
            selector: Some(names::selector(&desired.name)),
            ports: Some(listener_ports(desired)),
            ..Default::default()
        }),
        status: None,
    }
}

fn config_map(desired: &Desired, parts: &Parts) -> ConfigMap {
    let mut metadata = metadata(desired, parts, &names::brokers(&desired.name));
    metadata.annotations = Some([(annotation::CONFIG_HASH.to_owned(), parts.config_hash.clone())].into());
    ConfigMap {
        metadata,
        data: Some([(PROPERTIES.to_owned(), parts.config_text.clone())].into()),
        ..Default::default()
    }
}

/// How many brokers an eviction may take at a time. The only one is not taken where the Cluster forbids it;
/// one that is broken may always be.
fn budget(desired: &Desired, parts: &Parts) -> PodDisruptionBudget {
    let may_be_away = i32::from(desired.replicas > 1 || desired.allow_single_replica_downtime);
    PodDisruptionBudget {
        metadata: metadata(desired, parts, &names::brokers(&desired.name)),
        spec: Some(PodDisruptionBudgetSpec {
            max_unavailable: Some(IntOrString::Int(may_be_away)),
            selector: Some(LabelSelector {
                match_labels: Some(names::selector(&desired.name)),
                ..Default::default()
            }),
            unhealthy_pod_eviction_policy: Some("AlwaysAllow".to_owned()),
            min_available: None,
        }),
        status: None,
    }
}

/// The kind PodMonitor of the Prometheus operator.
pub(super) fn pod_monitor_kind() -> ApiResource {
    ApiResource {
        group: "monitoring.coreos.com".to_owned(),
        version: "v1".to_owned(),
        api_version: "monitoring.coreos.com/v1".to_owned(),
        kind: "PodMonitor".to_owned(),
        plural: "podmonitors".to_owned(),
    }
}

/// Tells the Prometheus operator to scrape the brokers.
pub(super) fn pod_monitor(desired: &Desired, parts: &Parts) -> DynamicObject {
    let mut object = DynamicObject::new(&names::brokers(&desired.name), &pod_monitor_kind()).data(json!({
        "spec": {
            "selector": {"matchLabels": names::selector(&desired.name)},
            "podMetricsEndpoints": [{"port": "http", "path": "/metrics"}],
        },
    }));
    object.metadata = metadata(desired, parts, &names::brokers(&desired.name));
    object
}

/// A short digest that is the same in every version of the operator (FNV-1a, 64 bits): for noticing change,
/// never for trust.
pub(super) fn digest<'a>(parts: impl IntoIterator<Item = &'a str>) -> String {
    let mut hash: u64 = 0xcbf2_9ce4_8422_2325;
    for part in parts {
        // A separator that no part holds keeps "ab" + "c" apart from "a" + "bc".
        for byte in part.bytes().chain([0xff]) {
            hash = (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }
    format!("{hash:016x}")
}

//! From a Cluster's spec to what shall be: raw specs stop here.
//!
//! What the definition's rules refuse never comes this far. What this version cannot do is refused here with
//! the field's name; a Cluster whose number of brokers alone is refused goes on with the brokers that it has.

use std::collections::BTreeMap;
use std::time::Duration;

use kube::ResourceExt as _;
use operator_api::Cluster;
use operator_api::annotation;
use operator_api::cluster::{
    Authentication, ClusterDeletionPolicy, ClusterSpec, Listener, ListenerType, Pod, Replacement, Retention,
    RolloutStrategy, TlsMode, Volume, VolumeKind,
};
use operator_api::reason::{INVALID_SPEC, UNSUPPORTED};

/// The version of the operator, and of the brokers in its image.
pub(super) const OPERATOR_VERSION: &str = env!("CARGO_PKG_VERSION");

/// Reason of a version that this operator does not run.
const UNSUPPORTED_VERSION: &str = "UnsupportedVersion";

/// Keys of spec.config that follow from other fields, besides those that the definition refuses.
const OWNED_KEYS: [&str; 1] = ["http.listen"];

/// What a Cluster shall be, as far as this version can make it so.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Desired {
    pub(super) namespace: String,
    pub(super) name: String,
    /// How many brokers.
    pub(super) replicas: i32,
    /// The brokers' version.
    pub(super) version: String,
    /// An image in place of the version's own.
    pub(super) image: Option<String>,
    pub(super) image_pull_policy: Option<String>,
    pub(super) image_pull_secrets: Vec<String>,
    pub(super) volume: Volume,
    /// Never empty.
    pub(super) listeners: Vec<Listener>,
    /// server.properties as far as users write it.
    pub(super) config: BTreeMap<String, String>,
    pub(super) pod: Pod,
    /// Restarts wait for the annotation.
    pub(super) restart_on_request: bool,
    /// How long a broker may take to serve.
    pub(super) pod_timeout: Duration,
    pub(super) allow_single_replica_downtime: bool,
    pub(super) pod_monitor: bool,
    /// Claims go with the Cluster.
    pub(super) delete_volumes: bool,
    /// The annotation that asks for a restart.
    pub(super) restart_requested_at: Option<String>,
}

/// Why a spec is not carried out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Refusal {
    /// One word for the condition.
    pub(super) reason: &'static str,
    /// A sentence that names the field.
    pub(super) message: String,
}

fn unsupported(message: impl Into<String>) -> Refusal {
    Refusal { reason: UNSUPPORTED, message: message.into() }
}

/// What the Cluster shall be, and what of it is refused although the rest goes on.
///
/// # Errors
/// Why nothing of it can be carried out.
pub(super) fn validate(cluster: &Cluster) -> Result<(Desired, Option<Refusal>), Refusal> {
    let spec = &cluster.spec;
    version(cluster)?;
    features(spec)?;
    let volume = volume(spec)?;
    listeners(&spec.listeners)?;
    let config = config(spec)?;
    let pod_timeout = duration(&spec.rollout.pod_timeout).ok_or_else(|| Refusal {
        reason: INVALID_SPEC,
        message: format!("spec.rollout.podTimeout: {} is no duration such as 10m", spec.rollout.pod_timeout),
    })?;
    let pinned = cluster.status.as_ref().and_then(|status| status.version.clone());
    let desired = Desired {
        namespace: cluster.namespace().unwrap_or_default(),
        name: cluster.name_any(),
        replicas: 1,
        version: spec.version.clone().or(pinned).unwrap_or_else(|| OPERATOR_VERSION.to_owned()),
        image: spec.image.clone(),
        image_pull_policy: spec.image_pull_policy.map(|policy| format!("{policy:?}")),
        image_pull_secrets: spec.image_pull_secrets.iter().map(|secret| secret.name.clone()).collect(),
        volume,
        listeners: spec.listeners.clone(),
        config,
        pod: spec.pod.clone(),
        restart_on_request: spec.rollout.strategy == RolloutStrategy::OnRequest,
        pod_timeout,
        allow_single_replica_downtime: spec.rollout.allow_single_replica_downtime,
        pod_monitor: spec.monitoring.pod_monitor,
        delete_volumes: spec.deletion_policy == ClusterDeletionPolicy::Delete
            || spec.storage.retention_policy.when_deleted == Retention::Delete,
        restart_requested_at: cluster.annotations().get(annotation::RESTART_REQUESTED_AT).cloned(),
    };
    Ok((desired, replicas(spec)))
}

/// More than one broker.
fn replicas(spec: &ClusterSpec) -> Option<Refusal> {
    let replicas = spec.replicas;
    (replicas != 1).then(|| {
        unsupported(format!(
            "spec.replicas: {replicas} brokers need replication, which comes in a later version; set it to 1"
        ))
    })
}

/// Another version than the operator's own. One that the brokers run already stays, so that an upgrade of the
/// operator alone stalls nothing.
fn version(cluster: &Cluster) -> Result<(), Refusal> {
    let runs = cluster.status.as_ref().and_then(|status| status.version.as_ref());
    match &cluster.spec.version {
        Some(version) if version != OPERATOR_VERSION && Some(version) != runs => Err(Refusal {
            reason: UNSUPPORTED_VERSION,
            message: format!(
                "spec.version: this operator runs version {OPERATOR_VERSION} and not {version}; spec.image names \
                 another build"
            ),
        }),
        _ => Ok(()),
    }
}

/// Fields whose effect comes in a later version.
fn features(spec: &ClusterSpec) -> Result<(), Refusal> {
    let later = [
        (
            spec.controllers.voters.is_some_and(|voters| voters > 1),
            "spec.controllers.voters: more than one voter needs replication",
        ),
        (spec.feature_level.is_some(), "spec.featureLevel: there is one level as yet; leave it out"),
        (
            spec.replacement == Replacement::Auto,
            "spec.replacement: Auto needs replicas to start again from; set it to Manual",
        ),
        (
            spec.tls.mode != TlsMode::None,
            "spec.tls.mode: encryption comes in a later version; set it to None",
        ),
        (
            spec.rack.is_some(),
            "spec.rack: racks matter to replicas, which come in a later version; leave it out",
        ),
        (
            spec.monitoring.prometheus_rule,
            "spec.monitoring.prometheusRule: alerts come in a later version; set it to false",
        ),
        (
            spec.monitoring.dashboards,
            "spec.monitoring.dashboards: dashboards come in a later version; set it to false",
        ),
    ];
    match later.into_iter().find(|(asked, _)| *asked) {
        Some((_, message)) => Err(unsupported(message)),
        None => Ok(()),
    }
}

/// The one volume.
fn volume(spec: &ClusterSpec) -> Result<Volume, Refusal> {
    match spec.storage.volumes.as_slice() {
        [volume] if volume.kind == VolumeKind::Data => Ok(volume.clone()),
        [volume] => Err(unsupported(format!(
            "spec.storage.volumes: volume {} is of kind Metadata; this version has one volume, of kind Data",
            volume.id
        ))),
        volumes => Err(unsupported(format!(
            "spec.storage.volumes: this version has one volume for each broker and not {}",
            volumes.len()
        ))),
    }
}

fn listeners(listeners: &[Listener]) -> Result<(), Refusal> {
    for listener in listeners {
        let name = &listener.name;
        if listener.listener_type != ListenerType::ClusterIp {
            return Err(unsupported(format!(
                "spec.listeners[{name}].type: this version has ClusterIP alone and not {:?}",
                listener.listener_type
            )));
        }
        if listener.per_broker.is_some() {
            return Err(unsupported(format!(
                "spec.listeners[{name}].perBroker: it is for listeners that are reached from outside, which \
                 come in a later version"
            )));
        }
        if listener.authentication != Authentication::None {
            return Err(unsupported(format!(
                "spec.listeners[{name}].authentication: {:?} comes in a later version; set it to None",
                listener.authentication
            )));
        }
        if listener.tls {
            return Err(unsupported(format!(
                "spec.listeners[{name}].tls: encryption comes in a later version; set it to false"
            )));
        }
    }
    Ok(())
}

/// The configuration as text by key.
fn config(spec: &ClusterSpec) -> Result<BTreeMap<String, String>, Refusal> {
    let invalid = |key: &str, what: &str| Refusal {
        reason: INVALID_SPEC,
        message: format!("spec.config.{key}: {what}"),
    };
    let mut config = BTreeMap::new();
    for (key, value) in &spec.config {
        if OWNED_KEYS.contains(&key.as_str()) {
            return Err(invalid(key, "cannot be set here: the operator's probes depend on it"));
        }
        if key.is_empty() || key.chars().any(|c| c.is_whitespace() || c.is_control()) {
            return Err(invalid(key, "is no key: it holds a space or a control character"));
        }
        if !value.is_scalar() {
            return Err(invalid(key, "must be a text, a number, true or false"));
        }
        let value = value.to_string();
        if value.chars().any(char::is_control) {
            return Err(invalid(key, "its value holds a control character"));
        }
        config.insert(key.clone(), value.trim().to_owned());
    }
    Ok(config)
}

/// A whole number with s, m or h.
fn duration(text: &str) -> Option<Duration> {
    let (number, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    let seconds = match unit {
        "s" => 1,
        "m" => 60,
        "h" => 3600,
        _ => return None,
    };
    number.parse::<u64>().ok()?.checked_mul(seconds).map(Duration::from_secs)
}

#[cfg(test)]
pub(super) mod tests {
    use operator_api::reason::UNSUPPORTED;
    use serde_json::{Value, json};

    use super::*;

    /// A Cluster with these fields in its spec, and of one broker unless they say otherwise.
    pub(in crate::cluster) fn cluster(mut spec: Value) -> Cluster {
        spec.as_object_mut().unwrap().entry("replicas").or_insert(json!(1));
        serde_json::from_value(json!({
            "apiVersion": "gregor.dev/v1alpha1",
            "kind": "Cluster",
            "metadata": {"name": "demo", "namespace": "shop", "uid": "1-2-3", "generation": 1},
            "spec": spec,
        }))
        .unwrap()
    }

    #[test]
    fn what_works_is_taken() {
        for spec in [
            json!({}),
            json!({"version": OPERATOR_VERSION, "image": "other:1", "controllers": {"voters": 1}}),
            json!({"listeners": [{"name": "plain", "port": 9092}, {"name": "second-one", "port": 9093}]}),
            json!({"config": {"num.partitions": 3, "auto.create.topics.enable": false, "a": "b c"}}),
            json!({"monitoring": {"podMonitor": true}, "deletionPolicy": "Delete"}),
        ] {
            let (desired, refusal) =
                validate(&cluster(spec.clone())).unwrap_or_else(|why| panic!("{spec}: {why:?}"));
            assert_eq!((desired.replicas, refusal), (1, None), "{spec}");
        }
    }

    /// Whether the description of the field, or of one that it lies in, speaks of the reason.
    fn is_explained(field: &str) -> bool {
        let crd = serde_json::to_value(&operator_api::crds()[0]).unwrap();
        let mut node = &crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"];
        field.split('.').skip(1).any(|part| {
            node = &node["properties"][part.split('[').next().unwrap()];
            let says = node["description"].as_str().unwrap_or_default().contains(UNSUPPORTED);
            if part.contains('[') {
                node = &node["items"];
            }
            says
        })
    }

    #[test]
    fn what_comes_later_is_refused_by_the_name_of_its_field() {
        for (spec, field) in [
            (json!({"controllers": {"voters": 3}}), "spec.controllers.voters"),
            (json!({"featureLevel": "Auto"}), "spec.featureLevel"),
            (json!({"replacement": "Auto"}), "spec.replacement"),
            (json!({"tls": {"mode": "SelfSigned"}}), "spec.tls.mode"),
            (json!({"rack": {"topologyKey": "zone"}}), "spec.rack"),
            (json!({"monitoring": {"prometheusRule": true}}), "spec.monitoring.prometheusRule"),
            (json!({"monitoring": {"dashboards": true}}), "spec.monitoring.dashboards"),
            (
                json!({"storage": {"volumes": [{"id": 0, "size": "1Gi"}, {"id": 1, "size": "1Gi"}]}}),
                "spec.storage.volumes",
            ),
            (
                json!({"storage": {"volumes": [{"id": 0, "size": "1Gi", "kind": "Metadata"}]}}),
                "spec.storage.volumes",
            ),
            (
                json!({"listeners": [{"name": "out", "port": 9094, "type": "NodePort"}]}),
                "spec.listeners[out].type",
            ),
            (
                json!({"listeners": [{"name": "out", "port": 9094, "type": "LoadBalancer"}]}),
                "spec.listeners[out].type",
            ),
            (json!({"listeners": [{"name": "in", "port": 9094, "tls": true}]}), "spec.listeners[in].tls"),
            (
                json!({"listeners": [{"name": "in", "port": 9094, "authentication": "SASL"}]}),
                "spec.listeners[in].authentication",
            ),
            (
                json!({"listeners": [{"name": "in", "port": 9094, "perBroker": {}}]}),
                "spec.listeners[in].perBroker",
            ),
        ] {
            let refusal = validate(&cluster(spec.clone())).expect_err(&spec.to_string());
            assert_eq!(refusal.reason, UNSUPPORTED, "{spec}");
            assert!(refusal.message.starts_with(&format!("{field}: ")), "{spec}: {}", refusal.message);
            assert!(is_explained(field), "kubectl explain does not say that {field} is refused");
        }
        let refusal = validate(&cluster(json!({"version": "9.9.9"}))).unwrap_err();
        assert_eq!(refusal.reason, "UnsupportedVersion");
    }

    #[test]
    fn several_brokers_are_refused_and_the_rest_goes_on() {
        let three = cluster(json!({"replicas": 3, "config": {"num.partitions": 3}}));
        let (desired, refusal) = validate(&three).unwrap();
        assert_eq!((desired.replicas, desired.config.len()), (1, 1));
        let refusal = refusal.unwrap();
        assert_eq!(refusal.reason, UNSUPPORTED);
        assert!(refusal.message.starts_with("spec.replicas: 3 brokers"), "{}", refusal.message);
        assert!(is_explained("spec.replicas"));
    }

    #[test]
    fn a_configuration_that_would_break_the_file_is_refused() {
        for config in [
            json!({"http.listen": "off"}),
            json!({"": "x"}),
            json!({"a b": "x"}),
            json!({"a": "x\ny=z"}),
            json!({"a\u{0}": 1}),
            json!({"a": {"b": 1}}),
            json!({"a": []}),
            json!({"a": null}),
        ] {
            let refusal =
                validate(&cluster(json!({"config": config.clone()}))).expect_err(&config.to_string());
            assert_eq!(refusal.reason, INVALID_SPEC);
            assert!(refusal.message.starts_with("spec.config."), "{}", refusal.message);
        }
    }

    #[test]
    fn the_version_that_was_first_seen_stays() {
        let mut pinned = cluster(json!({}));
        let status = operator_api::ClusterStatus { version: Some("0.0.9".into()), ..Default::default() };
        pinned.status = Some(status);
        assert_eq!(validate(&pinned).unwrap().0.version, "0.0.9");
        // Said by the spec too, it is no refusal at the operator's upgrade.
        pinned.spec.version = Some("0.0.9".into());
        assert_eq!(validate(&pinned).unwrap().0.version, "0.0.9");
        pinned.spec.version = Some("0.0.8".into());
        assert_eq!(validate(&pinned).unwrap_err().reason, "UnsupportedVersion");
        pinned.spec.version = Some(OPERATOR_VERSION.into());
        assert_eq!(validate(&pinned).unwrap().0.version, OPERATOR_VERSION);
    }

    #[test]
    fn durations() {
        assert_eq!(duration("10m"), Some(Duration::from_secs(600)));
        assert_eq!(duration("2h"), Some(Duration::from_secs(7200)));
        for wrong in ["", "s", "10", "1d", "-1s", "ä", "99999999999999999999h"] {
            assert_eq!(duration(wrong), None, "{wrong}");
        }
    }
}

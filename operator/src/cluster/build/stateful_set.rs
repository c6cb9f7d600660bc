//! The StatefulSet: how a broker's pod looks.

use std::collections::BTreeMap;

use k8s_openapi::api::apps::v1::{
    StatefulSet, StatefulSetPersistentVolumeClaimRetentionPolicy, StatefulSetSpec, StatefulSetUpdateStrategy,
};
use k8s_openapi::api::core::v1::{
    Affinity, Capabilities, ConfigMapVolumeSource, Container, ContainerPort, EnvVar, EnvVarSource,
    HTTPGetAction, LocalObjectReference, ObjectFieldSelector, PersistentVolumeClaim,
    PersistentVolumeClaimSpec, PodAffinityTerm, PodAntiAffinity, PodSecurityContext, PodSpec,
    PodTemplateSpec, Probe, SeccompProfile, SecurityContext, TopologySpreadConstraint, Volume, VolumeMount,
    VolumeResourceRequirements, WeightedPodAffinityTerm,
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{LabelSelector, ObjectMeta};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;

use super::super::names;
use super::super::validate::Desired;
use super::{Parts, annotation, metadata, properties, restart};

/// The user and group of the image.
const USER: i64 = 10_001;
/// Where server.properties is mounted.
const CONFIG: &str = "/etc/gregor";
/// How many seconds a broker may take to read its logs before it is started again.
const START_SECONDS: i32 = 600;

pub(super) fn stateful_set(desired: &Desired, parts: &Parts) -> StatefulSet {
    let selector = LabelSelector { match_labels: Some(names::selector(&desired.name)), ..Default::default() };
    let mut metadata = metadata(desired, parts, &names::brokers(&desired.name));
    metadata
        .annotations
        .get_or_insert_default()
        .insert(annotation::IMAGE_OF.to_owned(), parts.image.origin.clone());
    StatefulSet {
        metadata,
        spec: StatefulSetSpec {
            replicas: Some(desired.replicas),
            service_name: Some(names::headless(&desired.name)),
            pod_management_policy: Some("Parallel".to_owned()),
            update_strategy: Some(StatefulSetUpdateStrategy {
                type_: Some("OnDelete".to_owned()),
                rolling_update: None,
            }),
            // Claims never go with the StatefulSet: somebody may delete it by hand, and it is made anew. With
            // the Cluster they go by an owner reference to it.
            persistent_volume_claim_retention_policy: Some(StatefulSetPersistentVolumeClaimRetentionPolicy {
                when_deleted: Some("Retain".to_owned()),
                when_scaled: Some("Retain".to_owned()),
            }),
            revision_history_limit: Some(3),
            selector,
            template: template(desired, parts),
            volume_claim_templates: Some(vec![claim(desired, parts)]),
            ..Default::default()
        },
        status: None,
    }
}

fn claim(desired: &Desired, parts: &Parts) -> PersistentVolumeClaim {
    let volume = &desired.volume;
    let size = parts.claim_size.clone().unwrap_or_else(|| volume.size.clone());
    PersistentVolumeClaim {
        metadata: ObjectMeta {
            name: Some(names::volume(volume.id)),
            labels: Some(names::labels(&desired.name)),
            ..Default::default()
        },
        spec: Some(PersistentVolumeClaimSpec {
            access_modes: Some(vec!["ReadWriteOnce".to_owned()]),
            storage_class_name: volume.storage_class_name.clone(),
            resources: Some(VolumeResourceRequirements {
                requests: Some([("storage".to_owned(), size)].into()),
                limits: None,
            }),
            ..Default::default()
        }),
        status: None,
    }
}

fn template(desired: &Desired, parts: &Parts) -> PodTemplateSpec {
    // The operator's own labels and annotations win, but for those that tell Prometheus where to look.
    let mut labels = desired.pod.labels.clone();
    labels.extend(names::labels(&desired.name));
    let mut annotations: BTreeMap<String, String> = [
        ("prometheus.io/scrape", "true".to_owned()),
        ("prometheus.io/port", names::HTTP_PORT.to_string()),
        ("prometheus.io/path", "/metrics".to_owned()),
    ]
    .map(|(key, value)| (key.to_owned(), value))
    .into();
    annotations.extend(desired.pod.annotations.clone());
    let restart = restart::hash(desired, &parts.image.name, &parts.config_hash);
    annotations.insert(annotation::RESTART_HASH.to_owned(), restart);
    PodTemplateSpec {
        metadata: Some(ObjectMeta {
            labels: Some(labels),
            annotations: Some(annotations),
            ..Default::default()
        }),
        spec: Some(pod(desired, parts)),
    }
}

fn pod(desired: &Desired, parts: &Parts) -> PodSpec {
    let wanted = &desired.pod;
    PodSpec {
        containers: vec![container(desired, parts)],
        volumes: Some(vec![Volume {
            name: "config".to_owned(),
            config_map: Some(ConfigMapVolumeSource {
                name: names::brokers(&desired.name),
                ..Default::default()
            }),
            ..Default::default()
        }]),
        security_context: Some(PodSecurityContext {
            run_as_non_root: Some(true),
            run_as_user: Some(USER),
            run_as_group: Some(USER),
            fs_group: Some(USER),
            fs_group_change_policy: Some("OnRootMismatch".to_owned()),
            seccomp_profile: Some(SeccompProfile {
                type_: "RuntimeDefault".to_owned(),
                localhost_profile: None,
            }),
            ..Default::default()
        }),
        automount_service_account_token: Some(false),
        enable_service_links: Some(false),
        termination_grace_period_seconds: Some(wanted.termination_grace_period_seconds),
        affinity: Some(wanted.affinity.clone().unwrap_or_else(|| apart(&desired.name))),
        topology_spread_constraints: Some(spread(&desired.name)),
        node_selector: some(wanted.node_selector.clone(), BTreeMap::is_empty),
        tolerations: some(wanted.tolerations.clone(), Vec::is_empty),
        priority_class_name: wanted.priority_class_name.clone(),
        image_pull_secrets: some(
            desired
                .image_pull_secrets
                .iter()
                .map(|name| LocalObjectReference { name: name.clone() })
                .collect(),
            Vec::is_empty,
        ),
        ..Default::default()
    }
}

/// Nothing in place of something empty: the API server drops empty lists, and they would be asked for anew.
fn some<T>(value: T, is_empty: impl Fn(&T) -> bool) -> Option<T> {
    (!is_empty(&value)).then_some(value)
}

fn container(desired: &Desired, parts: &Parts) -> Container {
    Container {
        name: names::CONTAINER.to_owned(),
        image: Some(parts.image.name.clone()),
        image_pull_policy: desired.image_pull_policy.clone(),
        command: Some(vec!["gregor".to_owned()]),
        args: Some(arguments(desired)),
        env: Some(vec![
            field("BROKER_ID", "metadata.labels['apps.kubernetes.io/pod-index']"),
            field("POD_NAME", "metadata.name"),
        ]),
        ports: Some(
            desired
                .listeners
                .iter()
                .map(|listener| port(None, listener.port))
                .chain([port(Some("http"), names::HTTP_PORT)])
                .collect(),
        ),
        resources: desired.pod.resources.clone(),
        volume_mounts: Some(vec![
            VolumeMount {
                name: "config".to_owned(),
                mount_path: CONFIG.to_owned(),
                read_only: Some(true),
                ..Default::default()
            },
            VolumeMount {
                name: names::volume(desired.volume.id),
                mount_path: properties::mount_path(desired.volume.id),
                ..Default::default()
            },
        ]),
        startup_probe: Some(probe("/livez", 1, START_SECONDS)),
        liveness_probe: Some(probe("/livez", 10, 3)),
        readiness_probe: Some(probe("/readyz", 2, 2)),
        security_context: Some(SecurityContext {
            allow_privilege_escalation: Some(false),
            read_only_root_filesystem: Some(true),
            capabilities: Some(Capabilities { drop: Some(vec!["ALL".to_owned()]), add: None }),
            ..Default::default()
        }),
        // What the broker said when it refused its configuration is then in the pod's status.
        termination_message_policy: Some("FallbackToLogsOnError".to_owned()),
        ..Default::default()
    }
}

/// What differs between brokers; Kubernetes puts in the variables.
fn arguments(desired: &Desired) -> Vec<String> {
    let headless = names::headless(&desired.name);
    let advertised: Vec<String> = desired
        .listeners
        .iter()
        .map(|listener| {
            let (name, port) = (names::listener(listener), listener.port);
            format!("{name}://$(POD_NAME).{headless}.{}.svc:{port}", desired.namespace)
        })
        .collect();
    [
        "broker",
        "--config",
        &format!("{CONFIG}/{}", super::PROPERTIES),
        "--set",
        "node.id=$(BROKER_ID)",
        "--set",
        &format!("advertised.listeners={}", advertised.join(",")),
    ]
    .map(str::to_owned)
    .into()
}

fn field(name: &str, path: &str) -> EnvVar {
    EnvVar {
        name: name.to_owned(),
        value_from: Some(EnvVarSource {
            // The API version is a default that the API server fills in.
            field_ref: Some(ObjectFieldSelector { field_path: path.to_owned(), ..Default::default() }),
            ..Default::default()
        }),
        ..Default::default()
    }
}

fn port(name: Option<&str>, port: i32) -> ContainerPort {
    ContainerPort { name: name.map(str::to_owned), container_port: port, ..Default::default() }
}

fn probe(path: &str, period_seconds: i32, failures: i32) -> Probe {
    Probe {
        http_get: Some(HTTPGetAction {
            path: Some(path.to_owned()),
            port: IntOrString::String("http".to_owned()),
            ..Default::default()
        }),
        period_seconds: Some(period_seconds),
        failure_threshold: Some(failures),
        timeout_seconds: Some(if period_seconds < 5 { 1 } else { 5 }),
        ..Default::default()
    }
}

/// No two brokers on one node, where that can be had.
fn apart(cluster: &str) -> Affinity {
    Affinity {
        pod_anti_affinity: Some(PodAntiAffinity {
            preferred_during_scheduling_ignored_during_execution: Some(vec![WeightedPodAffinityTerm {
                weight: 100,
                pod_affinity_term: PodAffinityTerm {
                    label_selector: Some(LabelSelector {
                        match_labels: Some(names::selector(cluster)),
                        ..Default::default()
                    }),
                    topology_key: "kubernetes.io/hostname".to_owned(),
                    ..Default::default()
                },
            }]),
            ..Default::default()
        }),
        ..Default::default()
    }
}

/// As many brokers in each zone, where that can be had.
fn spread(cluster: &str) -> Vec<TopologySpreadConstraint> {
    vec![TopologySpreadConstraint {
        max_skew: 1,
        topology_key: "topology.kubernetes.io/zone".to_owned(),
        when_unsatisfiable: "ScheduleAnyway".to_owned(),
        label_selector: Some(LabelSelector {
            match_labels: Some(names::selector(cluster)),
            ..Default::default()
        }),
        ..Default::default()
    }]
}

//! Names, labels and addresses of what belongs to a Cluster.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt as _;
use kube::runtime::reflector::Store;
use operator_api::Cluster;
use operator_api::cluster::Listener;

/// The label that ties each object to its Cluster.
pub(crate) const CLUSTER_LABEL: &str = "gregor.dev/cluster";
/// The port of /metrics, /livez and /readyz.
pub(super) const HTTP_PORT: i32 = 9090;
/// The broker's container.
pub(super) const CONTAINER: &str = "broker";

/// The labels by which brokers' pods are found. They never change, as a StatefulSet's selector cannot.
pub(super) fn selector(cluster: &str) -> BTreeMap<String, String> {
    [
        ("app.kubernetes.io/name", "gregor"),
        ("app.kubernetes.io/instance", cluster),
        ("app.kubernetes.io/component", "broker"),
    ]
    .map(|(key, value)| (key.to_owned(), value.to_owned()))
    .into()
}

/// The selector as text, for `kubectl get pods -l` and autoscalers.
pub(super) fn selector_text(cluster: &str) -> String {
    selector(cluster).iter().map(|(key, value)| format!("{key}={value}")).collect::<Vec<_>>().join(",")
}

/// The labels of every object of a Cluster.
pub(super) fn labels(cluster: &str) -> BTreeMap<String, String> {
    let mut labels = selector(cluster);
    labels.insert("app.kubernetes.io/managed-by".to_owned(), "gregor-operator".to_owned());
    labels.insert("app.kubernetes.io/part-of".to_owned(), "gregor".to_owned());
    labels.insert(CLUSTER_LABEL.to_owned(), cluster.to_owned());
    labels
}

/// The StatefulSet, and the ConfigMap with server.properties.
pub(super) fn brokers(cluster: &str) -> String {
    format!("{cluster}-broker")
}

/// The headless Service, which gives each broker a name.
pub(super) fn headless(cluster: &str) -> String {
    format!("{cluster}-brokers")
}

/// The Service that clients connect to first.
pub(super) fn bootstrap(cluster: &str) -> String {
    format!("{cluster}-bootstrap")
}

/// The template of the claims of one volume, and the volume's name in the pod.
pub(super) fn volume(id: i32) -> String {
    format!("volume-{id}")
}

/// A listener's name as Kafka has them.
pub(super) fn listener(listener: &Listener) -> String {
    listener.name.to_ascii_uppercase()
}

/// What clients within Kubernetes give as `bootstrap.servers`.
pub(super) fn bootstrap_address(namespace: &str, cluster: &str, listener: &Listener) -> String {
    format!("{}.{namespace}.svc:{}", bootstrap(cluster), listener.port)
}

/// The broker that a pod of the StatefulSet is: its ordinal.
pub(super) fn ordinal(cluster: &str, pod: &str) -> Option<i32> {
    let digits = pod.strip_prefix(&brokers(cluster))?.strip_prefix('-')?;
    let ordinal = digits.parse().ok().filter(|ordinal: &i32| *ordinal >= 0)?;
    // "+1" and "01" are numbers, and not names that a StatefulSet gives.
    (digits == ordinal.to_string()).then_some(ordinal)
}

/// Where the Cluster's brokers answer, ready ones first.
pub(crate) fn addresses(pods: &Store<Pod>, cluster: &Cluster) -> Vec<String> {
    let Some(listener) = cluster.spec.listeners.first() else {
        return Vec::new();
    };
    let name = cluster.name_any();
    let mut found: Vec<(bool, String, String)> = pods
        .state()
        .iter()
        .filter(|pod| {
            pod.namespace() == cluster.namespace() && pod.labels().get(CLUSTER_LABEL) == Some(&name)
        })
        // One that ends may be gone before it is connected to, and nobody would answer for seconds.
        .filter(|pod| pod.metadata.deletion_timestamp.is_none())
        .filter_map(|pod| {
            let address = pod_address(pod, listener.port)?;
            Some((!is_ready(pod), pod.name_any(), address))
        })
        .collect();
    found.sort();
    found.into_iter().map(|(.., address)| address).collect()
}

/// Where a broker's pod answers on a port, as HOST:PORT; none before it has an address.
pub(super) fn pod_address(pod: &Pod, port: i32) -> Option<String> {
    let address = pod.status.as_ref()?.pod_ip.as_deref().filter(|address| !address.is_empty())?;
    Some(if address.contains(':') { format!("[{address}]:{port}") } else { format!("{address}:{port}") })
}

/// Whether the pod's containers are all ready and it is not about to end.
pub(super) fn is_ready(pod: &Pod) -> bool {
    let conditions = pod.status.as_ref().and_then(|status| status.conditions.as_deref()).unwrap_or_default();
    pod.metadata.deletion_timestamp.is_none()
        && conditions.iter().any(|condition| condition.type_ == "Ready" && condition.status == "True")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ordinals_are_those_of_a_stateful_set() {
        assert_eq!(ordinal("a", "a-broker-0"), Some(0));
        assert_eq!(ordinal("a-1", "a-1-broker-12"), Some(12));
        for other in ["a", "a-broker", "a-broker-", "a-broker--1", "a-broker-+1", "a-broker-01", "b-broker-0"]
        {
            assert_eq!(ordinal("a", other), None, "{other}");
        }
    }
}

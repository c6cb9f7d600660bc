//! Names, labels and addresses of what belongs to a Cluster.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt as _;
use kube::runtime::reflector::Store;
use operator_api::Cluster;

/// The label that ties an object to its Cluster.
pub(crate) const CLUSTER_LABEL: &str = "gregor.dev/cluster";
/// What the objects are part of.
pub(crate) const APP: &str = "gregor";
/// The port of /metrics, /livez and /readyz.
pub(crate) const HTTP_PORT: i32 = 9090;
/// The port between brokers.
pub(crate) const PEER_PORT: i32 = 9191;
/// The broker's container.
pub(crate) const CONTAINER: &str = "broker";

/// The labels by which pods and claims are found. They never change, as selectors cannot.
pub(crate) fn selector(cluster: &str) -> BTreeMap<String, String> {
    [("app.kubernetes.io/name", APP), ("app.kubernetes.io/component", "broker"), (CLUSTER_LABEL, cluster)]
        .map(|(key, value)| (key.to_owned(), value.to_owned()))
        .into()
}

/// The selector as text, for `kubectl get pods -l` and autoscalers.
pub(crate) fn selector_text(cluster: &str) -> String {
    selector(cluster).iter().map(|(key, value)| format!("{key}={value}")).collect::<Vec<_>>().join(",")
}

/// The headless Service, which gives each broker a name.
pub(crate) fn headless(cluster: &str) -> String {
    format!("{cluster}-brokers")
}

/// The Service that clients connect to first.
pub(crate) fn bootstrap(cluster: &str) -> String {
    format!("{cluster}-bootstrap")
}

/// The ConfigMap with server.properties.
pub(crate) fn config_map(cluster: &str) -> String {
    format!("{cluster}-config")
}

/// The broker that a pod of the StatefulSet is: its ordinal.
pub(crate) fn ordinal(cluster: &str, pod: &str) -> Option<i32> {
    let digits = pod.strip_prefix(cluster)?.strip_prefix('-')?;
    let ordinal = digits.parse().ok().filter(|ordinal| *ordinal >= 0)?;
    // "+1" and "01" are numbers, and not names that a StatefulSet gives.
    (digits == format!("{ordinal}")).then_some(ordinal)
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
        .filter_map(|pod| {
            let address = pod.status.as_ref()?.pod_ip.clone().filter(|address| !address.is_empty())?;
            let host = if address.contains(':') { format!("[{address}]") } else { address };
            Some((!is_ready(pod), pod.name_any(), format!("{host}:{}", listener.port)))
        })
        .collect();
    found.sort();
    found.into_iter().map(|(.., address)| address).collect()
}

/// Whether the pod's containers are all ready and it is not about to end.
pub(crate) fn is_ready(pod: &Pod) -> bool {
    let conditions = pod.status.as_ref().and_then(|status| status.conditions.as_deref()).unwrap_or_default();
    pod.metadata.deletion_timestamp.is_none()
        && conditions.iter().any(|condition| condition.type_ == "Ready" && condition.status == "True")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ordinals_are_those_of_a_stateful_set() {
        assert_eq!(ordinal("a", "a-0"), Some(0));
        assert_eq!(ordinal("a-1", "a-1-12"), Some(12));
        for other in ["a", "a-", "a--1", "a-+1", "a-01", "b-0", "a-0-0", "aa-0"] {
            assert_eq!(ordinal("a", other), None, "{other}");
        }
    }
}

//! What a broker has to be restarted for: a digest of what the Cluster's owner chose, and of nothing else.
//!
//! The form in which the operator writes a pod template is not part of it. A later version may add a probe, an
//! annotation or an argument; were pods compared by their template, its upgrade would restart every broker
//! everywhere. They are compared by this digest, and get the new form with their next restart, whatever brings it:
//! a change of the spec, a request by annotation, a drained node. The StatefulSet has strategy OnDelete, so that
//! nobody else restarts them either.
//!
//! The digest of a Cluster never changes from one version of the operator to the next: whatever comes to it later is
//! left out where the user has not set it. A test holds two digests by their values.

use super::super::validate::Desired;
use super::digest;

/// The digest that goes on pods. Pull policy and pull secrets are not in it: they matter when a pod starts.
pub(in crate::cluster) fn hash(desired: &Desired, image: &str, config_hash: &str) -> String {
    let mut parts = vec![
        format!("image={image}"),
        format!("config={config_hash}"),
        format!("volume={}", desired.volume.id),
    ];
    parts.extend(desired.listeners.iter().map(|one| format!("listener={}:{}", one.name, one.port)));
    // Fields that are not set are left out of it by their types.
    parts.extend(serde_json::to_string(&desired.pod).map(|pod| format!("pod={pod}")));
    digest(parts.iter().map(String::as_str))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::super::super::validate::{tests::cluster, validate};
    use super::*;

    fn of(spec: Value) -> String {
        let (desired, _) = validate(&cluster(spec)).unwrap();
        hash(&desired, "gregor:1", "0123456789abcdef")
    }

    /// Another value here restarts every broker at the upgrade of an operator.
    #[test]
    fn digests_stay_from_version_to_version() {
        assert_eq!(of(json!({})), "b9a1e34b4009e97f");
        let most = json!({
            "listeners": [{"name": "plain", "port": 9092}, {"name": "second", "port": 9093}],
            "storage": {"volumes": [{"id": 3, "size": "1Gi"}]},
            "pod": {
                "labels": {"team": "a"},
                "annotations": {"note": "b"},
                "resources": {"limits": {"memory": "1Gi"}},
                "nodeSelector": {"disk": "fast"},
                "tolerations": [{"key": "dedicated", "operator": "Exists"}],
                "priorityClassName": "high",
                "terminationGracePeriodSeconds": 60,
            },
        });
        assert_eq!(of(most), "6ed6b39f31c7a5ed");
    }

    #[test]
    fn what_is_chosen_changes_it_and_what_is_not_for_pods_does_not() {
        let plain = of(json!({}));
        for spec in [
            json!({"listeners": [{"name": "plain", "port": 9095}]}),
            json!({"listeners": [{"name": "other", "port": 9092}]}),
            json!({"storage": {"volumes": [{"id": 1, "size": "10Gi"}]}}),
            json!({"pod": {"resources": {"requests": {"cpu": "1"}}}}),
            json!({"pod": {"terminationGracePeriodSeconds": 30}}),
        ] {
            assert_ne!(of(spec.clone()), plain, "{spec}");
        }
        for spec in [
            json!({"storage": {"volumes": [{"id": 0, "size": "20Gi"}]}}),
            json!({"deletionPolicy": "Delete"}),
            json!({"rollout": {"podTimeout": "1m"}}),
            json!({"imagePullPolicy": "Always", "imagePullSecrets": [{"name": "pull"}]}),
            json!({"monitoring": {"podMonitor": true}}),
        ] {
            assert_eq!(of(spec.clone()), plain, "{spec}");
        }
        let (desired, _) = validate(&cluster(json!({}))).unwrap();
        assert_ne!(hash(&desired, "gregor:2", "0123456789abcdef"), plain);
        assert_ne!(hash(&desired, "gregor:1", "another"), plain);
    }
}

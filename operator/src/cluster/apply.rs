//! Making a Cluster's objects: written when they differ from what was last written, and never another's.

use std::collections::HashMap;
use std::sync::Arc;

use kube::core::DynamicObject;
use kube::{Api, Resource};
use operator_api::Cluster;
use parking_lot::Mutex;

use super::build::{digest, pod_monitor_kind};
use crate::apply::{self, Kind};
use crate::context::Context;

/// Why an object was not made.
#[derive(Debug, thiserror::Error)]
pub(super) enum Error {
    /// The API server did not answer, or refused.
    #[error(transparent)]
    Api(#[from] kube::Error),
    /// Somebody else's object has the name.
    #[error("{0} is there and belongs to no Cluster; remove it, or give this Cluster another name")]
    Foreign(String),
    /// A former Cluster's object is about to go.
    #[error("{0} of a former Cluster is about to go")]
    Leftover(String),
}

impl Error {
    /// The namespace is about to go, and nothing can be made in it.
    pub(super) fn is_ending(&self) -> bool {
        let causes = match self {
            Self::Api(kube::Error::Api(status)) if status.code == 403 => status.details.as_ref(),
            _ => None,
        };
        causes
            .is_some_and(|details| details.causes.iter().any(|cause| cause.reason == "NamespaceTerminating"))
    }

    /// What the API server says of an object that can never be, as the end of a sentence.
    pub(super) fn refusal(&self) -> Option<String> {
        match self {
            Self::Api(kube::Error::Api(status)) if matches!(status.code, 400 | 422) => {
                Some(status.message.clone())
            }
            _ => None,
        }
    }
}

/// What was written last, of each object.
///
/// Comparing with the live object instead would need to know every default and every normal form of the API
/// server, and write for ever where one was missed. What changed on the other side shows in the object's
/// version. Bounded by the objects that there are, as those of a Cluster that is gone are forgotten.
#[derive(Debug, Default)]
pub(super) struct Written(Mutex<HashMap<String, Mark>>);

#[derive(Clone, Debug, PartialEq, Eq)]
struct Mark {
    digest: String,
    uid: Option<String>,
    version: Option<String>,
}

/// What came of one object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// It was not there.
    Created,
    /// It was another one, or was not compared before.
    Written,
    /// Nothing was written.
    Same,
}

impl Written {
    /// Makes the object as it is given. `live` is what a watch has of it. Gives what the API server now has,
    /// which is nothing where nothing was written.
    ///
    /// # Errors
    /// Why not.
    pub(super) async fn ensure<K: Kind>(
        &self,
        context: &Context,
        cluster: &Cluster,
        object: &K,
        live: Option<Arc<K>>,
    ) -> Result<(Outcome, Option<K>), Error> {
        let key = key(cluster, object);
        let text = serde_json::to_string(object).map_err(kube::Error::SerdeError)?;
        let digest = digest([text.as_str()]);
        match live {
            Some(live) => {
                is_ours(cluster, live.as_ref(), &key)?;
                let mark = Mark { digest: digest.clone(), ..mark(live.as_ref()) };
                if self.0.lock().get(&key) == Some(&mark) || live.meta().deletion_timestamp.is_some() {
                    return Ok((Outcome::Same, None));
                }
                let now = apply::apply(context, object).await?;
                self.0.lock().insert(key, Mark { digest, ..self::mark(&now) });
                Ok((Outcome::Written, Some(now)))
            }
            None => {
                // The watch sees only what has the Cluster's label, and may be late: somebody else's object
                // is not taken over.
                let api: Api<K> = Api::namespaced(context.kube.clone(), namespace(object));
                let there = api.get_opt(name(object)).await?;
                if let Some(there) = &there {
                    is_ours(cluster, there, &key)?;
                }
                let now = apply::apply(context, object).await?;
                self.0.lock().insert(key, Mark { digest, ..self::mark(&now) });
                let outcome = if there.is_some() { Outcome::Written } else { Outcome::Created };
                Ok((outcome, Some(now)))
            }
        }
    }

    /// Makes the PodMonitor, or removes it. Gives false when its kind is not installed.
    ///
    /// # Errors
    /// What the API server said.
    pub(super) async fn pod_monitor(
        &self,
        context: &Context,
        cluster: &Cluster,
        object: &DynamicObject,
        wanted: bool,
    ) -> Result<bool, Error> {
        let (namespace, name) = (
            object.metadata.namespace.as_deref().unwrap_or_default(),
            object.metadata.name.as_deref().unwrap_or_default(),
        );
        let key = format!("{}/{namespace}/{name}", pod_monitor_kind().kind);
        let text = serde_json::to_string(object).map_err(kube::Error::SerdeError)?;
        let digest = if wanted { digest([text.as_str()]) } else { "absent".to_owned() };
        let mark = Mark { digest, uid: cluster.meta().uid.clone(), version: None };
        if self.0.lock().get(&key) == Some(&mark) {
            return Ok(true);
        }
        let there = apply::pod_monitor(context, object, wanted).await?;
        if there {
            self.0.lock().insert(key, mark);
        }
        Ok(there || !wanted)
    }

    /// Forgets the objects of a Cluster that is gone.
    pub(super) fn forget(&self, namespace: &str, cluster: &str) {
        let prefix = format!("{namespace}/{cluster}-");
        self.0.lock().retain(|key, _| key.split_once('/').is_none_or(|(_, rest)| !rest.starts_with(&prefix)));
    }
}

fn key<K: Kind>(cluster: &Cluster, object: &K) -> String {
    let namespace = cluster.meta().namespace.as_deref().unwrap_or_default();
    format!("{}/{namespace}/{}", K::kind(&()), name(object))
}

fn name<K: Kind>(object: &K) -> &str {
    object.meta().name.as_deref().unwrap_or_default()
}

fn namespace<K: Kind>(object: &K) -> &str {
    object.meta().namespace.as_deref().unwrap_or_default()
}

/// Which state of an object this is: its generation, which a change of its status leaves alone, where it has
/// one.
fn mark<K: Kind>(object: &K) -> Mark {
    let meta = object.meta();
    let version =
        meta.generation.map(|generation| generation.to_string()).or_else(|| meta.resource_version.clone());
    Mark { digest: String::new(), uid: meta.uid.clone(), version }
}

/// Whether an object may be written: it is this Cluster's, or was left behind by one of its name.
fn is_ours<K: Kind>(cluster: &Cluster, object: &K, key: &str) -> Result<(), Error> {
    let meta = object.meta();
    let mut owners = meta.owner_references.iter().flatten().filter(|owner| owner.controller == Some(true));
    match owners.next() {
        Some(owner) if Some(&owner.uid) == cluster.meta().uid.as_ref() => Ok(()),
        // It goes with its owner. Written now, it would have two.
        Some(owner) if owner.kind == "Cluster" => Err(Error::Leftover(key.to_owned())),
        Some(_) => Err(Error::Foreign(key.to_owned())),
        None => {
            let label = meta.labels.iter().flatten().find(|(key, _)| *key == super::names::CLUSTER_LABEL);
            match label {
                Some((_, value)) if Some(value) == cluster.meta().name.as_ref() => Ok(()),
                _ => Err(Error::Foreign(key.to_owned())),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use k8s_openapi::api::core::v1::Service;
    use serde_json::json;

    use super::super::validate::tests::cluster;
    use super::*;

    fn service(metadata: serde_json::Value) -> Service {
        serde_json::from_value(json!({"metadata": metadata})).unwrap()
    }

    #[test]
    fn only_what_is_a_clusters_own_is_written() {
        let cluster = cluster(json!({}));
        let ours = |metadata: serde_json::Value| {
            is_ours(&cluster, &service(metadata), "Service/shop/demo-bootstrap")
        };
        let owner = |kind: &str, uid: &str| json!({"ownerReferences": [{"apiVersion": "v1", "kind": kind, "name": "x", "uid": uid, "controller": true}]});
        assert!(ours(owner("Cluster", "1-2-3")).is_ok());
        assert!(matches!(ours(owner("Cluster", "4-5-6")), Err(Error::Leftover(_))));
        assert!(matches!(ours(owner("Deployment", "4-5-6")), Err(Error::Foreign(_))));
        assert!(ours(json!({"labels": {"gregor.dev/cluster": "demo"}})).is_ok());
        assert!(matches!(ours(json!({"labels": {"gregor.dev/cluster": "other"}})), Err(Error::Foreign(_))));
        assert!(matches!(ours(json!({})), Err(Error::Foreign(_))));
    }
}

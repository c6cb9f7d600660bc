//! The end of a Topic: its topic goes or stays, and nothing ever hangs on it.

use k8s_openapi::api::core::v1::Namespace;
use kube::runtime::controller::Action;
use kube::runtime::reflector::ObjectRef;
use kube::{Api, ResourceExt as _};
use operator_api::topic::{AdoptionPolicy, TopicDeletionPolicy};
use operator_api::{Cluster, Topic, annotation, reason};
use protocol::id::Uuid;

use super::act::counted;
use super::observe;
use super::status::{self, Verdict};
use super::{Error, SOON, Topics};
use crate::{apply, backoff};

/// Holds a Topic until its topic is deleted; only where the policy is Delete.
pub(crate) const FINALIZER: &str = "gregor.dev/cleanup";

/// Adds the finalizer before there is anything to clean up, and removes it where the policy became Retain.
pub(super) async fn prepare(topic: &Topic, state: &Topics) -> Result<(), Error> {
    let wanted = topic.spec.deletion_policy == TopicDeletionPolicy::Delete;
    Ok(apply::set_finalizer(&state.context, topic, FINALIZER, wanted).await?)
}

/// One turn of a Topic that is being deleted.
pub(super) async fn finalize(topic: &Topic, state: &Topics) -> Result<Action, Error> {
    if !apply::has_finalizer(topic, FINALIZER) {
        state.context.failures.forget(&backoff::key(topic));
        return Ok(Action::await_change());
    }
    if topic.finalizers().len() > 1 {
        // Somebody else still has to look at it: the data is the last thing that goes.
        return Ok(Action::requeue(SOON));
    }
    let namespace = topic.namespace().unwrap_or_default();
    let reference = ObjectRef::<Cluster>::new(&topic.spec.cluster_ref.name).within(&namespace);
    let cluster = state.clusters.get(&reference);
    let Some(cluster) = cluster.filter(|_| !is_forced(topic)) else { return release(topic, state).await };
    let nothing_to_delete = cluster.metadata.deletion_timestamp.is_some()
        || topic.spec.deletion_policy == TopicDeletionPolicy::Retain
        || observe::rival(&state.topics, topic).is_some()
        || is_ending(state, &namespace).await?;
    if nothing_to_delete {
        return release(topic, state).await;
    }
    let addresses = state.context.addresses(&cluster);
    if addresses.is_empty() {
        let message =
            format!("Cluster {} has no broker that runs, so the topic cannot be deleted", cluster.name_any());
        return hold(topic, state, Verdict::not_ready(reason::BROKER_UNREACHABLE, message)).await;
    }
    match delete(topic, state, &cluster, addresses).await {
        Ok(deleted) => {
            if deleted {
                let note = format!("deleted topic {} with its data", observe::name(topic));
                state.context.events.normal(topic, "Deleted", "Delete", note).await;
            }
            release(topic, state).await
        }
        Err(client::Error::Refused(refusal)) => {
            let code = refusal.code == protocol::ErrorCode::TopicDeletionDisabled;
            let why = if code { "TopicDeletionDisabled" } else { reason::BROKER_REJECTED };
            hold(topic, state, Verdict::not_ready(why, refusal.to_string())).await
        }
        Err(error) => {
            hold(topic, state, Verdict::not_ready(reason::BROKER_UNREACHABLE, error.to_string())).await
        }
    }
}

fn is_forced(topic: &Topic) -> bool {
    topic.annotations().get(annotation::FORCE_FINALIZE).is_some_and(|value| value == "true")
}

/// Whether the namespace is going: with it goes everything that could answer.
async fn is_ending(state: &Topics, name: &str) -> Result<bool, Error> {
    let api: Api<Namespace> = Api::all(state.context.kube.clone());
    let namespace = api.get_opt(name).await?;
    Ok(namespace.is_none_or(|namespace| namespace.metadata.deletion_timestamp.is_some()))
}

/// Deletes the topic that this Topic made or adopted, by its id: another one of the name is not meant.
async fn delete(
    topic: &Topic,
    state: &Topics,
    cluster: &Cluster,
    addresses: Vec<String>,
) -> Result<bool, client::Error> {
    let mut admin = state.brokers.admin(cluster, addresses).await;
    let known = topic.status.as_ref().and_then(|status| status.topic_id.as_deref()).and_then(Uuid::parse);
    let id = match known {
        Some(id) => id,
        // Never looked at, or the operator ended before it wrote the id down.
        None if topic.spec.adoption_policy == AdoptionPolicy::Adopt || status::is_claimed(topic) => {
            match counted(state, "Metadata", admin.describe_topic(&observe::name(topic)).await)? {
                Some(found) => found.id,
                None => return Ok(false),
            }
        }
        None => return Ok(false),
    };
    counted(state, "DeleteTopics", admin.delete_topic(id).await)
}

async fn release(topic: &Topic, state: &Topics) -> Result<Action, Error> {
    apply::set_finalizer(&state.context, topic, FINALIZER, false).await?;
    state.context.failures.forget(&backoff::key(topic));
    Ok(Action::await_change())
}

async fn hold(topic: &Topic, state: &Topics, verdict: Verdict) -> Result<Action, Error> {
    let status = verdict.status(topic);
    apply::apply_status(&state.context, topic, topic.status.as_ref(), &status).await?;
    Ok(Action::requeue(state.context.failures.failed(&backoff::key(topic))))
}

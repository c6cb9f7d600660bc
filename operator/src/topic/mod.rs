//! The reconciler of Topics: one topic for each, made, changed and deleted with it.
//!
//! [`observe`] looks, [`plan`] decides, [`act`] does it at the broker, [`status`] says what came of it, and
//! [`finalize`] ends it.

mod act;
mod brokers;
mod finalize;
mod observe;
mod plan;
mod status;

pub(crate) use finalize::FINALIZER;

use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt as _;
use kube::ResourceExt as _;
use kube::runtime::controller::{Action, Config, Controller};
use kube::runtime::reflector::{ObjectRef, Store};
use operator_api::{Cluster, Topic, annotation, condition, reason};

use crate::backoff;
use crate::context::Context;
use crate::watch::Complete;
use brokers::Brokers;
use status::Verdict;

/// How often a Topic is looked at without a cause, so that what other tools changed is put right. Spread by up to a
/// half, so that they do not all come at once.
const RESYNC: Duration = Duration::from_secs(120);
/// How soon again when only time is needed: a Cluster that starts, a Topic that waits for another one to go.
const SOON: Duration = Duration::from_secs(2);
/// Topics that are worked on at a time.
const CONCURRENCY: u16 = 16;

/// What the reconciler of one scope has.
struct Topics {
    context: Arc<Context>,
    clusters: Store<Cluster>,
    /// The store of Clusters has all that there are.
    all_clusters: Complete,
    topics: Store<Topic>,
    brokers: Brokers,
}

/// Why a turn failed.
#[derive(Debug, thiserror::Error)]
enum Error {
    /// The API server refused or did not answer.
    #[error("{0}")]
    Kube(#[from] kube::Error),
}

/// Runs the controller of Topics of one scope until the operator stops.
pub(crate) async fn run(context: Arc<Context>) {
    let (health, metrics) = (&context.health, &context.metrics);
    let (topics, _, touched) = crate::watch::ours(&context.kube, &context.scope, "Topic", health, metrics);
    let (clusters, all_clusters, cluster_touched) =
        crate::watch::ours(&context.kube, &context.scope, "Cluster of Topics", health, metrics);
    let state = Arc::new(Topics {
        context: Arc::clone(&context),
        clusters: clusters.clone(),
        all_clusters,
        topics: topics.clone(),
        brokers: Brokers::default(),
    });
    metrics.count("Topic", topics.clone(), |topic| {
        topic.status.as_ref().map(|status| status.conditions.as_slice())
    });
    let of_cluster = {
        let topics = topics.clone();
        let clusters = clusters.clone();
        let seen = status::Changes::default();
        move |cluster: Cluster| {
            // Only what Topics see of a Cluster: that it serves, goes, or is gone.
            let is_there = clusters.get(&ObjectRef::from_obj(&cluster)).is_some();
            let changed = seen.changed(&cluster, is_there);
            let all = if changed { topics.state() } else { Vec::new() };
            let mine = move |topic: &Arc<Topic>| {
                topic.namespace() == cluster.namespace() && topic.spec.cluster_ref.name == cluster.name_any()
            };
            all.into_iter().filter(mine).map(|topic| ObjectRef::from_obj(&*topic))
        }
    };
    Controller::for_stream(status::own_changes(touched), topics)
        .watches_stream(cluster_touched, of_cluster)
        .with_config(Config::default().concurrency(CONCURRENCY))
        .graceful_shutdown_on(context.stopped())
        .run(reconcile, failed, state)
        .for_each(|_| std::future::ready(()))
        .await;
}

async fn reconcile(topic: Arc<Topic>, state: Arc<Topics>) -> Result<Action, Error> {
    let timer = state.context.metrics.reconcile_seconds.with_label_values(&["Topic"]).start_timer();
    let result = turn(&topic, &state).await;
    timer.observe_duration();
    let word = if result.is_ok() { "ok" } else { "error" };
    state.context.metrics.reconciles.with_label_values(&["Topic", word]).inc();
    result
}

fn failed(topic: Arc<Topic>, error: &Error, state: Arc<Topics>) -> Action {
    let wait = state.context.failures.failed(&backoff::key(&*topic));
    tracing::warn!(
        namespace = topic.namespace(),
        name = topic.name_any(),
        "reconcile a Topic, again in {} s: {error}",
        wait.as_secs()
    );
    Action::requeue(wait)
}

/// One turn: look, decide, do, tell.
async fn turn(topic: &Topic, state: &Topics) -> Result<Action, Error> {
    // A Cluster that was not heard of yet is not one that is gone, with which a Topic's data would be let go.
    if !state.all_clusters.wait().await {
        return Ok(Action::await_change());
    }
    if topic.metadata.deletion_timestamp.is_some() {
        return finalize::finalize(topic, state).await;
    }
    if topic.annotations().get(annotation::PAUSED).is_some_and(|value| value == "true") {
        let message = "the annotation gregor.dev/paused holds the operator off";
        return tell(topic, state, Verdict::not_ready(reason::PAUSED, message), None).await;
    }
    let namespace = topic.namespace().unwrap_or_default();
    let wanted = &topic.spec.cluster_ref.name;
    let Some(cluster) = state.clusters.get(&ObjectRef::new(wanted).within(&namespace)) else {
        let message = format!("there is no Cluster {wanted} in namespace {namespace}");
        return tell(topic, state, Verdict::not_ready(reason::CLUSTER_NOT_FOUND, message), None).await;
    };
    if let Some(rival) = observe::rival(&state.topics, topic) {
        let message = format!("topic {} is managed by {rival}, which is older", observe::name(topic));
        return tell(topic, state, Verdict::not_ready(reason::CONFLICT, message), Some(SOON)).await;
    }
    if let Some((key, _)) = topic.spec.config.iter().find(|(_, value)| !value.is_scalar()) {
        let message = format!("spec.config.{key}: must be a text, a number, true or false");
        return tell(topic, state, Verdict::not_ready(reason::INVALID_SPEC, message), None).await;
    }
    finalize::prepare(topic, state).await?;
    let addresses = state.context.addresses(&cluster);
    if addresses.is_empty() {
        let message = format!("Cluster {wanted} has no broker that runs");
        let verdict = Verdict::not_ready(reason::CLUSTER_NOT_READY, message);
        return tell(topic, state, verdict, Some(SOON)).await;
    }
    let verdict = act::act(topic, state, &cluster, addresses).await?;
    let again = verdict.again(&state.context, topic);
    tell(topic, state, verdict, Some(again)).await
}

/// Writes the status, and says when the next turn is.
async fn tell(
    topic: &Topic,
    state: &Topics,
    verdict: Verdict,
    again: Option<Duration>,
) -> Result<Action, Error> {
    let new = verdict.status(topic);
    let old = topic.status.as_ref();
    let word = verdict.event(old);
    if let Some(message) = word {
        state.context.events.warning(topic, verdict.reason(), "Reconcile", message).await;
    }
    crate::apply::apply_status(&state.context, topic, old, &new).await?;
    Ok(Action::requeue(again.unwrap_or_else(|| spread(topic))))
}

/// [`RESYNC`] and up to half of it more, by the object's name: no randomness is needed to spread them.
fn spread(topic: &Topic) -> Duration {
    let sum =
        topic.uid().unwrap_or_default().bytes().fold(0_u32, |sum, byte| sum * 31 % 1009 + u32::from(byte));
    RESYNC + RESYNC.mul_f64(f64::from(sum % 1000) / 2000.0)
}

/// Whether a Topic's cluster serves: what its conditions say last.
fn is_ready(cluster: &Cluster) -> bool {
    let conditions = cluster.status.as_ref().map(|status| status.conditions.as_slice()).unwrap_or_default();
    crate::condition::is_true(conditions, condition::READY)
}

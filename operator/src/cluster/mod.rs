//! The reconciler of Clusters: the objects that brokers need, one careful step at a time.
//!
//! `observe` gathers what is there, `validate` makes of a spec what shall be, `config` and `plan` decide,
//! `build` makes objects, `apply` and `volumes` write them, `status` tells; `turn` holds them together. All
//! but `apply`, `volumes`, `broker` and `turn` are pure.
//!
//! A Cluster has no finalizer: its objects go by their owner references, with an operator or without.

mod apply;
mod broker;
mod build;
mod config;
mod names;
mod observe;
mod plan;
mod status;
mod turn;
mod validate;
mod volumes;

use std::hash::Hash;
use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::{Stream, StreamExt as _};
use k8s_openapi::NamespaceResourceScope;
use k8s_openapi::api::core::v1::Pod;
use kube::runtime::controller::{Action, Config, Controller};
use kube::runtime::reflector::{ObjectRef, Store};
use kube::runtime::{Predicate as _, PredicateConfig, WatchStreamExt as _, predicates, watcher};
use kube::{Resource, ResourceExt as _};
use operator_api::Cluster;
use serde::de::DeserializeOwned;
use tokio::sync::mpsc;

use crate::backoff;
use crate::context::{Context, Scope};
use crate::health::Health;
use crate::metrics::Metrics;
use crate::watch::Complete;
use apply::{Error, Written};
use observe::Stores;
use turn::Turns;

pub(crate) use names::addresses;

/// How many Clusters have their turn at a time.
const CONCURRENCY: u16 = 8;
/// Events that come together make one turn.
const DEBOUNCE: Duration = Duration::from_millis(100);
/// How many events of objects may wait to become turns; then their watches wait.
const TRIGGERS_MAX: usize = 1024;

type Objects<K> = Pin<Box<dyn Stream<Item = Result<K, watcher::Error>> + Send>>;

/// The watches that fill the stores of a [`Context`].
pub(crate) struct Watches {
    clusters: (Store<Cluster>, Objects<Cluster>),
    pods: (Store<Pod>, Objects<Pod>),
    complete: [Complete; 2],
}

impl Watches {
    /// The store of Clusters.
    pub(crate) fn clusters(&self) -> Store<Cluster> {
        self.clusters.0.clone()
    }

    /// Whether both stores have all that there is.
    pub(crate) fn complete(&self) -> [Complete; 2] {
        self.complete.clone()
    }

    /// The store of brokers' pods.
    pub(crate) fn pods(&self) -> Store<Pod> {
        self.pods.0.clone()
    }
}

/// Begins to watch Clusters and brokers' pods.
pub(crate) fn watches(
    kube: &kube::Client,
    scope: &Scope,
    health: &Arc<Health>,
    metrics: &Arc<Metrics>,
) -> Watches {
    let (clusters, all_clusters, clusters_stream) =
        crate::watch::ours(kube, scope, "Cluster", health, metrics);
    let (pods, all_pods, pods_stream) =
        crate::watch::begin(scope.api(kube), of_clusters(), "Pod", health, metrics);
    Watches {
        clusters: (clusters, Box::pin(clusters_stream)),
        pods: (pods, Box::pin(pods_stream)),
        complete: [all_clusters, all_pods],
    }
}

/// Only objects that belong to a Cluster.
fn of_clusters() -> watcher::Config {
    watcher::Config::default().labels(names::CLUSTER_LABEL)
}

/// Runs the controller of Clusters of one scope until the operator stops.
pub(crate) async fn run(context: Arc<Context>, watches: Watches) {
    let (sender, mut triggers) = mpsc::channel(TRIGGERS_MAX);
    let Watches { clusters: (clusters, clusters_stream), pods: (pods, pods_stream), complete: [_, all_pods] } =
        watches;
    let mut complete = vec![all_pods];
    forward(pods_stream, sender.clone());
    let stores = Stores {
        pods,
        stateful_sets: watch(&context, &sender, &mut complete),
        services: watch(&context, &sender, &mut complete),
        config_maps: watch(&context, &sender, &mut complete),
        budgets: watch(&context, &sender, &mut complete),
        claims: watch(&context, &sender, &mut complete),
    };
    // A half-filled store would look like loss.
    for one in &complete {
        if !one.wait().await {
            return;
        }
    }
    let turns = Arc::new(Turns { context: Arc::clone(&context), stores, written: Written::default() });
    // A change of the status is this operator's own.
    let interesting = predicates::generation.combine(predicates::annotations);
    let clusters_stream = clusters_stream.predicate_filter(interesting, PredicateConfig::default());
    let triggers = futures::stream::poll_fn(move |task| triggers.poll_recv(task));
    let controller = Controller::for_stream(clusters_stream, clusters)
        .with_config(Config::default().debounce(DEBOUNCE).concurrency(CONCURRENCY))
        .reconcile_on(triggers)
        .run(reconcile, failed, turns)
        .for_each(async |result| {
            if let Err(error) = result {
                tracing::debug!("controller of Clusters: {error}");
            }
        });
    tokio::select! {
        () = controller => {}
        () = context.drained() => {}
    }
}

/// Watches a kind whose objects belong to Clusters; each event is a trigger for its Cluster.
fn watch<K>(
    context: &Context,
    sender: &mpsc::Sender<ObjectRef<Cluster>>,
    complete: &mut Vec<Complete>,
) -> Store<K>
where
    K: Resource<Scope = NamespaceResourceScope, DynamicType = ()>,
    K: Clone + DeserializeOwned + std::fmt::Debug + Send + Sync + 'static,
    K::DynamicType: Eq + Hash,
{
    let (store, all, stream) = crate::watch::begin(
        context.scope.api(&context.kube),
        of_clusters(),
        K::kind(&()).as_ref(),
        &context.health,
        &context.metrics,
    );
    complete.push(all);
    forward(stream, sender.clone());
    store
}

/// Polls a watch by itself, so that a busy controller does not keep its store from being filled.
fn forward<K>(
    stream: impl Stream<Item = Result<K, watcher::Error>> + Send + 'static,
    sender: mpsc::Sender<ObjectRef<Cluster>>,
) where
    K: Resource<DynamicType = ()> + Send + 'static,
{
    tokio::spawn(async move {
        let mut stream = std::pin::pin!(stream);
        while let Some(event) = stream.next().await {
            let Ok(object) = event else { continue };
            let (Some(cluster), Some(namespace)) =
                (object.labels().get(names::CLUSTER_LABEL), object.namespace())
            else {
                continue;
            };
            // The controller ended, and so does this.
            if sender.send(ObjectRef::new(cluster).within(&namespace)).await.is_err() {
                return;
            }
        }
    });
}

async fn reconcile(cluster: Arc<Cluster>, turns: Arc<Turns>) -> Result<Action, Error> {
    let Some(_turn) = turns.context.begin_turn() else {
        return Ok(Action::await_change());
    };
    let started = Instant::now();
    let result = turns.take(&cluster).await;
    let metrics = &turns.context.metrics;
    metrics.reconcile_seconds.with_label_values(&["Cluster"]).observe(started.elapsed().as_secs_f64());
    let word = if result.is_ok() { "ok" } else { "error" };
    metrics.reconciles.with_label_values(&["Cluster", word]).inc();
    if result.is_ok() {
        turns.context.failures.forget(&backoff::key(cluster.as_ref()));
    }
    result
}

fn failed(cluster: Arc<Cluster>, error: &Error, turns: Arc<Turns>) -> Action {
    let wait = turns.context.failures.failed(&backoff::key(cluster.as_ref()));
    tracing::warn!(
        namespace = cluster.namespace(),
        name = cluster.name_any(),
        "reconcile Cluster: {error}; again in {} s",
        wait.as_secs()
    );
    Action::requeue(wait)
}

//! The reconciler of Clusters: the objects that brokers need, one careful step at a time.

mod names;

use std::pin::Pin;
use std::sync::Arc;

use futures::Stream;
use k8s_openapi::api::core::v1::Pod;
use kube::runtime::reflector::Store;
use kube::runtime::watcher;
use operator_api::Cluster;

use crate::context::{Context, Scope};
use crate::health::Health;
use crate::metrics::Metrics;

pub(crate) use names::addresses;

type Objects<K> = Pin<Box<dyn Stream<Item = Result<K, watcher::Error>> + Send>>;

/// The watches that fill the stores of a [`Context`].
pub(crate) struct Watches {
    clusters: (Store<Cluster>, Objects<Cluster>),
    pods: (Store<Pod>, Objects<Pod>),
}

impl Watches {
    /// The store of Clusters.
    pub(crate) fn clusters(&self) -> Store<Cluster> {
        self.clusters.0.clone()
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
    let label = names::CLUSTER_LABEL;
    let (clusters, clusters_stream) =
        crate::watch::watch(scope.api(kube), watcher::Config::default(), "Cluster", health, metrics);
    let (pods, pods_stream) = crate::watch::watch(
        scope.api(kube),
        watcher::Config::default().labels(label),
        "Pod",
        health,
        metrics,
    );
    Watches { clusters: (clusters, Box::pin(clusters_stream)), pods: (pods, Box::pin(pods_stream)) }
}

/// Runs the controller of Clusters of one scope until the operator stops.
pub(crate) async fn run(context: Arc<Context>, watches: Watches) {
    drop(watches);
    context.stopped().await;
}

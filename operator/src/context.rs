//! What every reconciler is given: one [`Context`] for each scope of namespaces.

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;

use k8s_openapi::NamespaceResourceScope;
use k8s_openapi::api::core::v1::Pod;
use kube::runtime::reflector::Store;
use kube::{Api, Resource};
use operator_api::Cluster;
use tokio::sync::watch::Receiver;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::backoff::Failures;
use crate::events::Events;
use crate::health::Health;
use crate::lease::Claim;
use crate::metrics::Metrics;

/// The name under which the operator owns fields of objects (server-side apply).
pub(crate) const FIELD_MANAGER: &str = "gregor.dev/operator";

/// What flags say.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    /// What is watched, each by controllers of its own.
    pub(crate) scopes: Vec<Scope>,
    /// The image of brokers whose Cluster names none.
    pub(crate) image: String,
    /// Where HTTP is served.
    pub(crate) http: SocketAddr,
    /// The Lease that is striven for, and this process' name.
    pub(crate) lease: Claim,
}

/// Which namespaces one set of controllers watches.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Scope {
    /// Every one.
    All,
    /// This one.
    Namespace(String),
}

impl Scope {
    /// Those of a list of namespaces, of which an empty one is all.
    pub(crate) fn of(namespaces: &[String]) -> Vec<Self> {
        let mut names: Vec<_> = namespaces.iter().filter(|name| !name.is_empty()).cloned().collect();
        if names.is_empty() {
            return vec![Self::All];
        }
        names.sort();
        names.dedup();
        names.into_iter().map(Self::Namespace).collect()
    }

    /// The API to watch a kind in this scope.
    pub(crate) fn api<K>(&self, kube: &kube::Client) -> Api<K>
    where
        K: Resource<Scope = NamespaceResourceScope, DynamicType = ()>,
    {
        match self {
            Self::All => Api::all(kube.clone()),
            Self::Namespace(name) => Api::namespaced(kube.clone(), name),
        }
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::All => f.write_str("all namespaces"),
            Self::Namespace(name) => write!(f, "namespace {name}"),
        }
    }
}

/// What every reconciler of one scope is given.
pub(crate) struct Context {
    /// The API server.
    pub(crate) kube: kube::Client,
    /// What flags say.
    pub(crate) settings: Settings,
    /// The namespaces that this scope's controllers watch.
    pub(crate) scope: Scope,
    /// Where acts are told.
    pub(crate) events: Events,
    /// Counters for Prometheus.
    pub(crate) metrics: Arc<Metrics>,
    /// Signs of life of the watches.
    pub(crate) health: Arc<Health>,
    /// How often in a row each object failed.
    pub(crate) failures: Failures,
    /// The brokers' pods of this scope. Complete before any reconciler runs.
    pub(crate) pods: Store<Pod>,
    /// Becomes true when the operator shall end.
    pub(crate) stopping: Receiver<bool>,
    /// A permit for each turn that goes on.
    pub(crate) turns: Arc<Semaphore>,
}

/// How many turns of reconcilers may go on at a time: above what all controllers together ask for.
pub(crate) const TURNS_MAX: u32 = 1024;

impl Context {
    /// Where the Cluster's brokers answer, as HOST:PORT, ready ones first; empty when none runs. Pods are
    /// named by their address: no name has to be resolved, and a Service that somebody deleted is no
    /// hindrance.
    pub(crate) fn addresses(&self, cluster: &Cluster) -> Vec<String> {
        crate::cluster::addresses(&self.pods, cluster)
    }

    /// A turn of a reconciler, held until it ends; none when the operator stops, and then nothing may be
    /// begun.
    pub(crate) fn begin_turn(&self) -> Option<OwnedSemaphorePermit> {
        if *self.stopping.borrow() { None } else { Arc::clone(&self.turns).try_acquire_owned().ok() }
    }

    /// Ends when the operator shall, and every turn that began has ended. A controller runs beside it, and is
    /// dropped when this ends.
    pub(crate) async fn drained(&self) {
        self.stopped().await;
        // A closed semaphore has nobody who waits.
        let _ = self.turns.acquire_many(TURNS_MAX).await;
    }

    /// Ends when the operator shall.
    pub(crate) fn stopped(&self) -> impl Future<Output = ()> + Send + Sync + 'static {
        let mut stopping = self.stopping.clone();
        async move {
            // The sender is gone only when the process ends.
            let _ = stopping.wait_for(|stopping| *stopping).await;
        }
    }
}

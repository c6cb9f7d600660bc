//! `gregor-operator run`: strives for the Lease, runs the controllers while holding it, and stops in order.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, bail};
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::{Api, CustomResourceExt as _};
use operator_api::{Cluster, Quota, Topic};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;

use crate::backoff::Failures;
use crate::context::{Context, Scope, Settings, TURNS_MAX};
use crate::events::Events;
use crate::health::Health;
use crate::lease::Lease;
use crate::metrics::Metrics;

/// How long controllers may take to end what they are at, when the process is told to stop.
const STOP_MAX: Duration = Duration::from_secs(20);

/// How often it is looked whether a missing definition has come.
const CRD_EVERY: Duration = Duration::from_secs(5);

/// Runs the operator until SIGTERM or SIGINT.
///
/// # Errors
/// What kept it from starting, or a lost Lease: the process must then end, as another one may act.
pub(crate) fn run(settings: Settings) -> anyhow::Result<()> {
    block_on(operate(settings))
}

/// Runs a future to its end on threads of its own.
///
/// # Errors
/// The future's, or there are no threads.
pub(crate) fn block_on(future: impl Future<Output = anyhow::Result<()>>) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .context("start the worker threads")?;
    let result = runtime.block_on(future);
    runtime.shutdown_timeout(Duration::from_secs(1));
    result
}

async fn operate(settings: Settings) -> anyhow::Result<()> {
    let mut stop = stop_signal()?;
    let metrics = Arc::new(Metrics::new().context("register metrics")?);
    let health = Arc::new(Health::default());
    crate::http::start(settings.http, Arc::clone(&health), Arc::clone(&metrics)).await?;
    let kube = kube::Client::try_default().await.context("find the API server")?;
    tokio::select! {
        ready = definitions(&kube) => ready?,
        _ = stop.wait_for(|stop| *stop) => return Ok(()),
    }
    health.ready_as("standby");
    let mut lease = Lease::start(kube.clone(), &settings.lease).await?;
    tracing::info!(identity = settings.lease.identity, "waiting for the Lease {}", settings.lease.name);
    tokio::select! {
        acquired = lease.acquired() => acquired?,
        _ = stop.wait_for(|stop| *stop) => {
            lease.release().await;
            return Ok(());
        }
    }
    health.ready_as("leader");
    metrics.leader.set(1);
    tracing::info!("holding the Lease; controllers start");
    let mut controllers = JoinSet::new();
    for scope in &settings.scopes {
        start(&mut controllers, &kube, &settings, scope.clone(), &health, &metrics, &stop);
    }
    let stopped = stop.clone();
    tokio::select! {
        () = lease.lost() => bail!("lost the Lease {}: another operator may act", settings.lease.name),
        Some(ended) = controllers.join_next() => {
            match ended.context("run a controller") {
                Err(error) => return Err(error),
                Ok(()) if !*stopped.borrow() => bail!("a controller ended by itself"),
                Ok(()) => {}
            }
        }
        _ = stop.wait_for(|stop| *stop) => {}
    }
    tracing::info!("stopping");
    let ended = async { while controllers.join_next().await.is_some() {} };
    if tokio::time::timeout(STOP_MAX, ended).await.is_err() {
        tracing::warn!("controllers did not end within {} s", STOP_MAX.as_secs());
        controllers.shutdown().await;
    }
    lease.release().await;
    tracing::info!("stopped");
    Ok(())
}

/// Starts the controllers of one scope.
fn start(
    controllers: &mut JoinSet<()>,
    kube: &kube::Client,
    settings: &Settings,
    scope: Scope,
    health: &Arc<Health>,
    metrics: &Arc<Metrics>,
    stopping: &watch::Receiver<bool>,
) {
    let watches = crate::cluster::watches(kube, &scope, health, metrics);
    let complete = watches.complete();
    let context = Arc::new(Context {
        kube: kube.clone(),
        settings: settings.clone(),
        scope,
        events: Events::new(kube.clone(), &settings.lease.identity),
        metrics: Arc::clone(metrics),
        health: Arc::clone(health),
        failures: Failures::default(),
        pods: watches.pods(),
        stopping: stopping.clone(),
        turns: Arc::new(Semaphore::new(TURNS_MAX as usize)),
    });
    metrics.count("Cluster", watches.clusters(), |cluster| {
        cluster.status.as_ref().map(|status| status.conditions.as_slice())
    });
    controllers.spawn(crate::cluster::run(Arc::clone(&context), watches));
    controllers.spawn(crate::quota::run(Arc::clone(&context)));
    controllers.spawn(async move {
        // The controller of Clusters polls these watches; they end with it.
        let [clusters, pods] = complete;
        if clusters.wait().await && pods.wait().await {
            crate::topic::run(context).await;
        }
    });
}

/// Waits until the definitions are there and hold what this operator writes.
async fn definitions(kube: &kube::Client) -> anyhow::Result<()> {
    let api: Api<CustomResourceDefinition> = Api::all(kube.clone());
    for name in [Cluster::crd_name(), Topic::crd_name(), Quota::crd_name()] {
        let mut told = false;
        loop {
            match api.get_opt(name).await {
                Ok(Some(_)) => break,
                Ok(None) if told => {}
                Ok(None) => {
                    tracing::warn!("the definition {name} is missing; install it: gregor-operator crds")
                }
                Err(error) => tracing::warn!("look at the definition {name}: {error}"),
            }
            told = true;
            tokio::time::sleep(CRD_EVERY).await;
        }
    }
    Ok(())
}

/// Becomes true at SIGTERM or SIGINT.
fn stop_signal() -> anyhow::Result<watch::Receiver<bool>> {
    let mut terminate = signal(SignalKind::terminate()).context("listen for SIGTERM")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("listen for SIGINT")?;
    let (sender, receiver) = watch::channel(false);
    tokio::spawn(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        // Nobody listens only when the process ends anyway.
        let _ = sender.send(true);
        std::future::pending::<()>().await;
    });
    Ok(receiver)
}

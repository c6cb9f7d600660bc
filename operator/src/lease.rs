//! Which of several operators acts: the one that holds the Lease.
//!
//! The library strives for the Lease and renews it. It does not say when renewing fails, so that is looked at
//! from here: who cannot confirm within the Lease's time that he holds it has lost it.

use std::time::{Duration, Instant};

use anyhow::Context as _;
use k8s_openapi::api::coordination::v1::Lease as LeaseObject;
use kube::Api;
use kube_lease_manager::{LeaseManager, LeaseManagerBuilder};
use tokio::sync::watch::Receiver;
use tokio::task::JoinHandle;

/// How long a Lease holds without being renewed: the longest time without an acting operator after its
/// machine died. Kubernetes' own controllers have the same.
const DURATION: Duration = Duration::from_secs(15);
/// How long before its end it is renewed; clocks may differ by as much.
const GRACE: Duration = Duration::from_secs(5);
/// How often the holder looks whether it is one. A read, no write.
const CONFIRM_EVERY: Duration = Duration::from_secs(4);
/// How long one such look may take.
const CONFIRM_MAX: Duration = Duration::from_secs(3);

/// Who strives for which Lease.
#[derive(Clone, Debug)]
pub(crate) struct Claim {
    /// The Lease's name.
    pub(crate) name: String,
    /// The Lease's namespace.
    pub(crate) namespace: String,
    /// This process' name.
    pub(crate) identity: String,
}

/// The contest for the Lease.
pub(crate) struct Lease {
    api: Api<LeaseObject>,
    claim: Claim,
    held: Receiver<bool>,
    task: JoinHandle<kube_lease_manager::Result<LeaseManager>>,
}

impl Lease {
    /// Begins to strive for the Lease.
    ///
    /// # Errors
    /// The Lease cannot be read or made.
    pub(crate) async fn start(kube: kube::Client, claim: &Claim) -> anyhow::Result<Self> {
        let Claim { name, namespace, identity } = claim;
        let api = Api::namespaced(kube.clone(), namespace);
        let manager = LeaseManagerBuilder::new(kube, name)
            .with_namespace(namespace)
            .with_identity(identity)
            .with_field_manager(format!("gregor.dev/operator-{identity}"))
            .with_duration(DURATION.as_secs())
            .with_grace(GRACE.as_secs())
            .build()
            .await
            .with_context(|| format!("hold the Lease {namespace}/{name}"))?;
        let (held, task) = manager.watch().await;
        Ok(Self { api, claim: claim.clone(), held, task })
    }

    /// Ends when this process holds the Lease.
    ///
    /// # Errors
    /// The contest ended.
    pub(crate) async fn acquired(&mut self) -> anyhow::Result<()> {
        self.held.wait_for(|held| *held).await.context("strive for the Lease")?;
        Ok(())
    }

    /// Ends when this process no longer holds it, or cannot tell.
    pub(crate) async fn lost(&self) {
        let mut held = self.held.clone();
        tokio::select! {
            // An ended contest is a lost one.
            _ = held.wait_for(|held| !*held) => {}
            () = self.unconfirmed() => {}
        }
    }

    async fn unconfirmed(&self) {
        let mut confirmed = Instant::now();
        while confirmed.elapsed() < DURATION {
            tokio::time::sleep(CONFIRM_EVERY).await;
            let asked = Instant::now();
            let answer = tokio::time::timeout(CONFIRM_MAX, self.api.get(&self.claim.name)).await;
            let holder = match answer {
                Ok(Ok(lease)) => lease.spec.and_then(|spec| spec.holder_identity),
                Ok(Err(error)) => {
                    tracing::warn!("look at the Lease: {error}");
                    continue;
                }
                Err(_) => {
                    tracing::warn!("look at the Lease: no answer within {} s", CONFIRM_MAX.as_secs());
                    continue;
                }
            };
            if holder.as_deref() != Some(&*self.claim.identity) {
                return;
            }
            confirmed = asked;
        }
    }

    /// Gives the Lease back, so that another operator need not wait for its end.
    pub(crate) async fn release(self) {
        // The task sees that nobody listens, gives the Lease back and ends.
        drop(self.held);
        match self.task.await {
            Ok(Ok(_)) => {}
            Ok(Err(error)) => tracing::warn!("release the Lease: {error}"),
            Err(error) => tracing::warn!("release the Lease: {error}"),
        }
    }
}

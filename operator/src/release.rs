//! `gregor-operator release`: what is done when an operator goes for good.
//!
//! A Topic with deletionPolicy Delete has a finalizer, by which an operator deletes the topic before its resource
//! goes. Without an operator such a Topic, and with it its namespace, would wait for ever. So the finalizers are
//! taken away; topics, data and brokers stay, and a later operator puts the finalizers back. Helm runs this once
//! the operator's own objects are deleted.

use std::time::Duration;

use anyhow::{Context as _, bail};
use k8s_openapi::api::coordination::v1::Lease as LeaseObject;
use kube::Api;
use kube::api::{DeleteParams, ListParams};
use operator_api::Topic;

use crate::apply;
use crate::context::Scope;
use crate::lease::{Claim, Lease};
use crate::topic::FINALIZER;

/// How long an operator that is told to end may take, its killed container's Lease included.
const HELD_MAX: Duration = Duration::from_secs(90);
/// Topics that are looked at in one request.
const PAGE: u32 = 500;
/// How often the list is gone through, when others change Topics meanwhile.
const PASSES_MAX: u32 = 10;

/// Takes the operator's finalizer from every Topic of the scopes. The Lease is held meanwhile: an operator that
/// still runs would put them back.
///
/// # Errors
/// An operator still acts, or the API server refuses.
pub(crate) fn release(scopes: &[Scope], claim: &Claim) -> anyhow::Result<()> {
    crate::run::block_on(async {
        let kube = kube::Client::try_default().await.context("find the API server")?;
        let mut lease = Lease::start(kube.clone(), claim).await?;
        tokio::time::timeout(HELD_MAX, lease.acquired())
            .await
            .with_context(|| format!("an operator holds the Lease {}/{}", claim.namespace, claim.name))??;
        let mut result = Ok(());
        for scope in scopes {
            result = result.and(let_go(&kube, scope).await);
        }
        lease.release().await;
        if result.is_ok() {
            // Nobody needs it any more. One that stays is no harm.
            let leases: Api<LeaseObject> = Api::namespaced(kube, &claim.namespace);
            if let Err(error) = leases.delete(&claim.name, &DeleteParams::default()).await {
                tracing::warn!("delete the Lease {}: {error}", claim.name);
            }
        }
        result
    })
}

async fn let_go(kube: &kube::Client, scope: &Scope) -> anyhow::Result<()> {
    let mut released = 0_u32;
    for _ in 0..PASSES_MAX {
        let held = held(kube, scope).await.with_context(|| format!("list the Topics of {scope}"))?;
        if held.is_empty() {
            tracing::info!("{released} Topics of {scope} wait for no operator any more");
            return Ok(());
        }
        for topic in held {
            match apply::write_finalizer(kube, &topic, FINALIZER, false).await {
                Ok(()) => released += 1,
                // Somebody changed it meanwhile: the next pass has it anew.
                Err(kube::Error::Api(status)) if status.is_conflict() => {}
                Err(error) => return Err(error).context("take a finalizer away"),
            }
        }
    }
    bail!("Topics of {scope} are changed again and again")
}

/// The Topics that have the finalizer. Without the kind there are none.
async fn held(kube: &kube::Client, scope: &Scope) -> kube::Result<Vec<Topic>> {
    let api: Api<Topic> = scope.api(kube);
    let mut found = Vec::new();
    let mut page = ListParams::default().limit(PAGE);
    loop {
        let list = match api.list(&page).await {
            Ok(list) => list,
            Err(kube::Error::Api(status)) if status.code == 404 => return Ok(found),
            Err(error) => return Err(error),
        };
        found.extend(list.items.into_iter().filter(|topic| apply::has_finalizer(topic, FINALIZER)));
        match list.metadata.continue_.filter(|token| !token.is_empty()) {
            Some(token) => page = page.continue_token(&token),
            None => return Ok(found),
        }
    }
}

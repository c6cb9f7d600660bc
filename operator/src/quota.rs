//! Quotas: this version enforces none, and says so of each instead of being silent.

use std::sync::Arc;

use futures::StreamExt as _;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use k8s_openapi::jiff::Timestamp;
use kube::ResourceExt as _;
use kube::runtime::controller::{Action, Config, Controller};
use kube::runtime::{Predicate as _, PredicateConfig, WatchStreamExt as _, predicates};
use operator_api::quota::Entity;
use operator_api::{Quota, QuotaStatus, condition, reason};

use crate::backoff;
use crate::condition::{Conditions, Truth};
use crate::context::Context;

/// Quotas that are answered at a time.
const CONCURRENCY: u16 = 4;

/// Answers the Quotas of one scope until the operator stops.
pub(crate) async fn run(context: Arc<Context>) {
    let (quotas, _, touched) =
        crate::watch::ours(&context.kube, &context.scope, "Quota", &context.health, &context.metrics);
    context.metrics.count("Quota", quotas.clone(), |quota: &Quota| {
        quota.status.as_ref().map(|status| status.conditions.as_slice())
    });
    // A change of the status is this operator's own.
    let changed = touched.predicate_filter(
        predicates::generation.combine(predicates::annotations),
        PredicateConfig::default(),
    );
    Controller::for_stream(changed, quotas)
        .with_config(Config::default().concurrency(CONCURRENCY))
        .graceful_shutdown_on(context.stopped())
        .run(reconcile, failed, context)
        .for_each(|_| std::future::ready(()))
        .await;
}

async fn reconcile(quota: Arc<Quota>, context: Arc<Context>) -> Result<Action, kube::Error> {
    let old = quota.status.as_ref();
    crate::apply::apply_status(&context, &*quota, old, &answer(&quota, Timestamp::now())).await?;
    context.failures.forget(&backoff::key(&*quota));
    Ok(Action::await_change())
}

fn failed(quota: Arc<Quota>, error: &kube::Error, context: Arc<Context>) -> Action {
    let wait = context.failures.failed(&backoff::key(&*quota));
    tracing::warn!(
        namespace = quota.namespace(),
        name = quota.name_any(),
        "answer a Quota, again in {} s: {error}",
        wait.as_secs()
    );
    Action::requeue(wait)
}

/// What is said of a Quota.
fn answer(quota: &Quota, now: Timestamp) -> QuotaStatus {
    let old = quota.status.clone().unwrap_or_default();
    let generation = quota.metadata.generation;
    let message = "quotas come in a later version: this one has no effect";
    let mut conditions = Conditions::new(&old.conditions, generation, Time(now));
    conditions.set(condition::READY, Truth::False, reason::UNSUPPORTED, message);
    conditions.abnormal(condition::STALLED, reason::UNSUPPORTED, message);
    QuotaStatus {
        observed_generation: generation,
        conditions: conditions.finish(),
        entity: Some(entity(&quota.spec.entity)),
    }
}

/// `user=billing,clientId=*`, where a star stands for everybody without a quota of their own.
fn entity(entity: &Entity) -> String {
    let part = |key: &str, name: Option<&String>, default: Option<bool>| match (name, default) {
        (Some(name), _) => Some(format!("{key}={name}")),
        (None, Some(true)) => Some(format!("{key}=*")),
        (None, _) => None,
    };
    let parts = [
        part("user", entity.user.as_ref(), entity.user_default),
        part("clientId", entity.client_id.as_ref(), entity.client_id_default),
        part("ip", entity.ip.as_ref(), entity.ip_default),
    ];
    parts.into_iter().flatten().collect::<Vec<_>>().join(",")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quota_is_answered_once() {
        let mut quota = Quota::new("billing", operator_api::QuotaSpec::default());
        quota.metadata.generation = Some(2);
        quota.spec.entity =
            Entity { user: Some("billing".into()), client_id_default: Some(true), ..Entity::default() };
        let first = answer(&quota, Timestamp::UNIX_EPOCH);
        assert_eq!(first.entity.as_deref(), Some("user=billing,clientId=*"));
        let ready = crate::condition::find(&first.conditions, condition::READY);
        assert!(ready.is_some_and(|ready| ready.reason == "Unsupported" && ready.status == "False"));
        quota.status = Some(first.clone());
        assert_eq!(answer(&quota, Timestamp::now()), first, "an unchanged one is not written again");
    }
}

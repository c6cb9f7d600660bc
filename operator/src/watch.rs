//! Watches: each with a backoff of its own, so that one that fails delays no other, and with signs of life.

use std::collections::HashMap;
use std::fmt::Debug;
use std::hash::Hash;
use std::sync::Arc;

use futures::{Stream, StreamExt as _, future, stream};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::core::DeserializeGuard;
use kube::core::error_boundary::InvalidObject;
use kube::runtime::WatchStreamExt as _;
use kube::runtime::reflector::{self, Store};
use kube::runtime::watcher::{self, Event, watcher};
use kube::{Api, Resource};
use operator_api::{Cluster, Quota, Topic};
use serde::de::DeserializeOwned;

use crate::apply::{self, Kind};
use crate::context::Scope;
use crate::health::Health;
use crate::metrics::Metrics;

/// Becomes true when a store has all that there is.
#[derive(Clone, Debug)]
pub(crate) struct Complete(tokio::sync::watch::Receiver<bool>);

impl Complete {
    /// Waits for it. False when the watch ended before.
    pub(crate) async fn wait(&self) -> bool {
        self.0.clone().wait_for(|complete| *complete).await.is_ok()
    }
}

/// Watches all objects of `api` that `config` selects. Gives the store of what there is, a flag that becomes true
/// when it has all, and a stream of what was applied or deleted; the stream drives the store, so it must be polled.
/// Errors are logged, counted and backed off (0.8 to 30 s) within it: the stream gives none, and a controller's own,
/// common backoff never begins.
///
/// `managedFields` are dropped: nobody reads them, and they are most of an object's bytes.
/// `Store::wait_until_ready` is not for several who wait: it wakes the last that asked, and a controller asks too.
pub(crate) fn begin<K>(
    api: Api<K>,
    config: watcher::Config,
    name: &str,
    health: &Arc<Health>,
    metrics: &Arc<Metrics>,
) -> (Store<K>, Complete, impl Stream<Item = Result<K, watcher::Error>> + Send + 'static)
where
    K: Resource + Clone + DeserializeOwned + Debug + Send + Sync + 'static,
    K::DynamicType: Default + Eq + Hash + Clone,
{
    reflect(events(api, config, name, health), name, metrics)
}

/// As [`begin`], for a kind of ours. An object that cannot be read, as one that a later version stored, is told so
/// in its status and is none until it can be; the others are not kept from being watched.
pub(crate) fn ours<K: Ours>(
    kube: &kube::Client,
    scope: &Scope,
    name: &str,
    health: &Arc<Health>,
    metrics: &Arc<Metrics>,
) -> (Store<K>, Complete, impl Stream<Item = Result<K, watcher::Error>> + Send + 'static) {
    let events = events(scope.api::<DeserializeGuard<K>>(kube), watcher::Config::default(), name, health);
    let kube = kube.clone();
    let counted = Arc::clone(metrics);
    // Which ones were told, by UID and generation. Bounded by the objects that cannot be read.
    let mut told: HashMap<String, Option<i64>> = HashMap::new();
    let events = events.filter_map(move |event| {
        let (event, unreadable) = match event {
            Ok(event) => read(event),
            Err(error) => (Some(Err(error)), None),
        };
        let news = unreadable.filter(|object| {
            let uid = object.metadata.uid.clone().unwrap_or_default();
            told.insert(uid, object.metadata.generation) != Some(object.metadata.generation)
        });
        if let Some(Ok(Event::Apply(object) | Event::InitApply(object) | Event::Delete(object))) = &event
            && news.is_none()
        {
            told.remove(object.meta().uid.as_deref().unwrap_or_default());
        }
        let (kube, metrics) = (kube.clone(), Arc::clone(&counted));
        async move {
            if let Some(object) = news {
                tell::<K>(&kube, &metrics, &object).await;
            }
            event
        }
    });
    reflect(events, name, metrics)
}

/// A kind of ours.
pub(crate) trait Ours: Kind + Send + Sync + 'static {
    /// An object that is known by its metadata alone.
    fn bare(metadata: ObjectMeta) -> Self;
}

macro_rules! ours {
    ($($kind:ident),+) => {$(
        impl Ours for $kind {
            fn bare(metadata: ObjectMeta) -> Self {
                Self { metadata, spec: Default::default(), status: None }
            }
        }
    )+};
}

ours!(Cluster, Topic, Quota);

/// An event for the store, where it is one, and the object that cannot be read.
fn read<K: Ours>(
    event: Event<DeserializeGuard<K>>,
) -> (Option<Result<Event<K>, watcher::Error>>, Option<InvalidObject>) {
    match event {
        Event::Init => (Some(Ok(Event::Init)), None),
        Event::InitDone => (Some(Ok(Event::InitDone)), None),
        Event::InitApply(DeserializeGuard(Ok(object))) => (Some(Ok(Event::InitApply(object))), None),
        Event::InitApply(DeserializeGuard(Err(invalid))) => (None, Some(invalid)),
        Event::Apply(DeserializeGuard(Ok(object))) => (Some(Ok(Event::Apply(object))), None),
        // What it was before it became unreadable is no longer true.
        Event::Apply(DeserializeGuard(Err(invalid))) => {
            (Some(Ok(Event::Delete(K::bare(invalid.metadata.clone())))), Some(invalid))
        }
        Event::Delete(DeserializeGuard(Ok(object))) => (Some(Ok(Event::Delete(object))), None),
        Event::Delete(DeserializeGuard(Err(invalid))) => {
            (Some(Ok(Event::Delete(K::bare(invalid.metadata)))), None)
        }
    }
}

async fn tell<K: Ours>(kube: &kube::Client, metrics: &Metrics, object: &InvalidObject) {
    let (kind, metadata) = (K::kind(&()), &object.metadata);
    tracing::warn!(
        %kind,
        namespace = metadata.namespace,
        name = metadata.name,
        "an object cannot be read: {}",
        object.error
    );
    if let Err(error) = apply::unreadable::<K>(kube, metrics, metadata, &object.error).await {
        tracing::warn!(%kind, namespace = metadata.namespace, name = metadata.name, "say so in its status: {error}");
    }
}

/// What comes on a watch, with signs of life.
fn events<K>(
    api: Api<K>,
    config: watcher::Config,
    name: &str,
    health: &Arc<Health>,
) -> impl Stream<Item = Result<Event<K>, watcher::Error>> + Send + 'static
where
    K: Resource + Clone + DeserializeOwned + Debug + Send + Sync + 'static,
{
    let (health, name) = (Arc::clone(health), name.to_owned());
    let mut events = Box::pin(watcher(api, config));
    // Bookmarks are no events: that the connection brought something shows in that the watch is polled.
    stream::poll_fn(move |task| {
        health.beat(&name);
        events.as_mut().poll_next(task)
    })
}

fn reflect<K>(
    events: impl Stream<Item = Result<Event<K>, watcher::Error>> + Send + 'static,
    name: &str,
    metrics: &Arc<Metrics>,
) -> (Store<K>, Complete, impl Stream<Item = Result<K, watcher::Error>> + Send + 'static)
where
    K: Resource + Clone + Send + Sync + 'static,
    K::DynamicType: Default + Eq + Hash + Clone,
{
    let (store, writer) = reflector::store();
    let (sender, complete) = tokio::sync::watch::channel(false);
    let (metrics, name) = (Arc::clone(metrics), name.to_owned());
    let stream = events
        .modify(|object: &mut K| object.meta_mut().managed_fields = None)
        .inspect(move |event| {
            if let Err(error) = event {
                metrics.watch_errors.with_label_values(&[name.as_str()]).inc();
                tracing::warn!("watch {name}: {error}");
            }
        })
        .default_backoff()
        .reflect(writer)
        .inspect(move |event| {
            if matches!(event, Ok(Event::InitDone)) {
                sender.send_replace(true);
            }
        })
        .touched_objects()
        .filter(|event| future::ready(event.is_ok()));
    (store, Complete(complete), stream)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn guarded(spec: serde_json::Value) -> DeserializeGuard<Topic> {
        let object = json!({"apiVersion": "gregor.dev/v1alpha1", "kind": "Topic",
            "metadata": {"name": "t", "namespace": "n", "uid": "u", "generation": 1}, "spec": spec});
        serde_json::from_value(object).unwrap()
    }

    #[test]
    fn one_object_that_cannot_be_read_is_none_and_no_error() {
        let good = || guarded(json!({"clusterRef": {"name": "demo"}}));
        // As a later version may store it.
        let bad = || guarded(json!({"clusterRef": {"name": "demo"}, "deletionPolicy": "Archive"}));
        let (event, unreadable) = read(Event::InitApply(good()));
        assert!(matches!(event, Some(Ok(Event::InitApply(_)))) && unreadable.is_none());
        let (event, unreadable) = read(Event::InitApply(bad()));
        assert!(event.is_none());
        assert!(unreadable.is_some_and(|one| one.error.contains("Archive")), "the reason is told");
        let (event, unreadable) = read(Event::Apply(bad()));
        let Some(Ok(Event::Delete(bare))) = event else { panic!("{event:?}") };
        assert_eq!((bare.metadata.name.as_deref(), unreadable.is_some()), (Some("t"), true));
        let (event, unreadable) = read(Event::Delete(bad()));
        assert!(matches!(event, Some(Ok(Event::Delete(_)))) && unreadable.is_none());
    }
}

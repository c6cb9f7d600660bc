//! Watches: each with a backoff of its own, so that one that fails delays no other, and with signs of life.

use std::fmt::Debug;
use std::hash::Hash;
use std::sync::Arc;

use futures::{Stream, StreamExt as _, future, stream};
use kube::runtime::WatchStreamExt as _;
use kube::runtime::reflector::{self, Store};
use kube::runtime::watcher::{self, watcher};
use kube::{Api, Resource};
use serde::de::DeserializeOwned;

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

/// Watches all objects of `api` that `config` selects. Gives the store of what there is, and a stream of what
/// was applied or deleted; the stream drives the store, so it must be polled. Errors are logged, counted and
/// backed off (0.8 to 30 s) within it: the stream gives none, and a controller's own, common backoff never
/// begins.
///
/// `managedFields` are dropped: nobody reads them, and they are most of an object's bytes.
pub(crate) fn watch<K>(
    api: Api<K>,
    config: watcher::Config,
    name: &str,
    health: &Arc<Health>,
    metrics: &Arc<Metrics>,
) -> (Store<K>, impl Stream<Item = Result<K, watcher::Error>> + Send + 'static)
where
    K: Resource + Clone + DeserializeOwned + Debug + Send + Sync + 'static,
    K::DynamicType: Default + Eq + Hash + Clone,
{
    let (store, _, stream) = begin(api, config, name, health, metrics);
    (store, stream)
}

/// As [`watch`], with a flag that becomes true when the store has all that there is.
///
/// `Store::wait_until_ready` is not for several who wait: it wakes the last that asked, and a controller asks
/// too.
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
    let (store, writer) = reflector::store();
    let (sender, complete) = tokio::sync::watch::channel(false);
    let (health, metrics, name) = (Arc::clone(health), Arc::clone(metrics), name.to_owned());
    let mut events = Box::pin(watcher(api, config));
    let beats = name.clone();
    // Bookmarks are no events: that the connection brought something shows in that the watch is polled.
    let events = stream::poll_fn(move |task| {
        health.beat(&beats);
        events.as_mut().poll_next(task)
    });
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
            if matches!(event, Ok(watcher::Event::InitDone)) {
                sender.send_replace(true);
            }
        })
        .touched_objects()
        .filter(|event| future::ready(event.is_ok()));
    (store, Complete(complete), stream)
}

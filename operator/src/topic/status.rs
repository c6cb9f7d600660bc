//! What a Topic's status says, and which changes of objects are worth a turn.

use std::collections::HashMap;
use std::time::Duration;

use client::TopicDescription;
use futures::{Stream, StreamExt as _};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use k8s_openapi::jiff::Timestamp;
use kube::ResourceExt as _;
use kube::runtime::watcher;
use operator_api::{Cluster, Topic, TopicStatus, condition, reason};
use parking_lot::Mutex;

use super::{SOON, is_ready, spread};
use crate::backoff;
use crate::condition::{Conditions, Truth, find};
use crate::context::Context;

/// The reason of condition Reconciling while a topic is being made.
const CREATING: &str = "Creating";

/// How a Topic is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Verdict {
    ready: bool,
    reason: &'static str,
    message: String,
    found: Option<(TopicDescription, bool)>,
}

impl Verdict {
    /// All is as asked.
    pub(super) fn ready() -> Self {
        let message = "the topic is as asked".to_owned();
        Self { ready: true, reason: reason::RECONCILED, message, found: None }
    }

    /// Something is not as asked.
    pub(super) fn not_ready(reason: &'static str, message: impl Into<String>) -> Self {
        Self { ready: false, reason, message: message.into(), found: None }
    }

    /// With the topic as it is at the broker.
    pub(super) fn of(mut self, found: &TopicDescription, adopted: bool) -> Self {
        self.found = Some((found.clone(), adopted));
        self
    }

    /// The reason, one word.
    pub(super) fn reason(&self) -> &'static str {
        self.reason
    }

    /// When to look again: what only time mends soon, what a person has to mend more and more seldom.
    pub(super) fn again(&self, context: &Context, topic: &Topic) -> Duration {
        let key = backoff::key(topic);
        if self.ready {
            context.failures.forget(&key);
            return spread(topic);
        }
        if self.reason == reason::CLUSTER_NOT_READY { SOON } else { context.failures.failed(&key) }
    }

    /// What a person should be told: a new reason or a new message of what is wrong.
    pub(super) fn event(&self, old: Option<&TopicStatus>) -> Option<String> {
        let waits = matches!(self.reason, reason::CLUSTER_NOT_READY | reason::PAUSED);
        if self.ready || waits {
            return None;
        }
        let old = old.and_then(|status| find(&status.conditions, condition::READY));
        let same = old.is_some_and(|old| old.reason == self.reason && old.message == self.message);
        (!same).then(|| self.message.clone())
    }

    /// The whole status.
    pub(super) fn status(&self, topic: &Topic) -> TopicStatus {
        let old = topic.status.clone().unwrap_or_default();
        let generation = topic.metadata.generation;
        let mut conditions = Conditions::new(&old.conditions, generation, Time(Timestamp::now()));
        conditions.set(condition::READY, Truth::from(self.ready), self.reason, self.message.clone());
        let waits = self.reason == reason::CLUSTER_NOT_READY || self.reason == reason::BROKER_UNREACHABLE;
        if waits {
            conditions.abnormal(condition::RECONCILING, self.reason, self.message.clone());
        } else if !self.ready && self.reason != reason::PAUSED {
            conditions.abnormal(condition::STALLED, self.reason, self.message.clone());
        }
        let mut status = TopicStatus {
            observed_generation: generation,
            conditions: conditions.finish(),
            topic_name: Some(super::observe::name(topic)),
            ..old
        };
        if let Some((found, adopted)) = &self.found {
            status.topic_id = Some(found.id.to_string());
            status.partitions = Some(found.partitions);
            status.replication_factor = Some(found.replication_factor);
            status.adopted = Some(*adopted);
        }
        status
    }
}

/// The status that says: the topic is about to be made, what is there from now on is this Topic's.
pub(super) fn claim(topic: &Topic) -> TopicStatus {
    let mut status = Verdict::not_ready(CREATING, "the topic is being made").status(topic);
    let old = topic.status.as_ref().map(|status| status.conditions.clone()).unwrap_or_default();
    let mut conditions = Conditions::new(&old, topic.metadata.generation, Time(Timestamp::now()));
    conditions.set(condition::READY, Truth::False, CREATING, "the topic is being made");
    conditions.abnormal(condition::RECONCILING, CREATING, "the topic is being made");
    status.conditions = conditions.finish();
    status
}

/// Whether an operator said [`claim`] and not yet what came of it.
pub(super) fn is_claimed(topic: &Topic) -> bool {
    let conditions = topic.status.as_ref().map(|status| status.conditions.as_slice()).unwrap_or_default();
    find(conditions, condition::RECONCILING).is_some_and(|condition| condition.reason == CREATING)
}

/// Topics whose spec, annotations, finalizers or deletion changed; a change of the status alone is our own.
pub(super) fn own_changes(
    touched: impl Stream<Item = Result<Topic, watcher::Error>> + Send + 'static,
) -> impl Stream<Item = Result<Topic, watcher::Error>> + Send + 'static {
    let mut seen: HashMap<String, u64> = HashMap::new();
    // A Topic without finalizers goes without a word; when there are many of those, all are looked at once more.
    const SEEN_MAX: usize = 100_000;
    touched.filter(move |topic| {
        let news = topic.as_ref().is_ok_and(|topic| {
            let key = topic.uid().unwrap_or_default();
            let mark = mark(&(
                topic.metadata.generation,
                topic.annotations(),
                topic.finalizers(),
                topic.metadata.deletion_timestamp.is_some(),
            ));
            if seen.len() >= SEEN_MAX {
                seen.clear();
            }
            let gone = topic.metadata.deletion_timestamp.is_some() && topic.finalizers().is_empty();
            let old = if gone { seen.remove(&key) } else { seen.insert(key, mark) };
            old != Some(mark)
        });
        std::future::ready(news)
    })
}

/// What Topics have seen of Clusters. Bounded by the Clusters that there are.
#[derive(Default)]
pub(super) struct Changes(Mutex<HashMap<String, u64>>);

impl Changes {
    /// Whether a Cluster is other than it was the last time, as far as Topics see it. One that is no longer
    /// there always is: the last that was heard of it may look as it did before.
    pub(super) fn changed(&self, cluster: &Cluster, is_there: bool) -> bool {
        let key = format!("{}/{}", cluster.namespace().unwrap_or_default(), cluster.name_any());
        if !is_there {
            self.0.lock().remove(&key);
            return true;
        }
        let mark = mark(&(cluster.uid(), is_ready(cluster), cluster.metadata.deletion_timestamp.is_some()));
        self.0.lock().insert(key, mark) != Some(mark)
    }
}

fn mark(value: &impl std::hash::Hash) -> u64 {
    use std::hash::Hasher as _;
    let mut hasher = std::collections::hash_map::DefaultHasher::new();
    value.hash(&mut hasher);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn topic() -> Topic {
        let mut topic = Topic::new("orders", operator_api::TopicSpec::default());
        topic.metadata.generation = Some(3);
        topic
    }

    #[test]
    fn a_second_turn_writes_the_same_status() {
        let mut topic = topic();
        let found =
            TopicDescription { id: protocol::id::Uuid([3; 16]), partitions: 2, replication_factor: 1 };
        let verdict = Verdict::ready().of(&found, true);
        let first = verdict.status(&topic);
        assert_eq!((first.partitions, first.adopted), (Some(2), Some(true)));
        topic.status = Some(first.clone());
        assert_eq!(verdict.status(&topic), first);
    }

    #[test]
    fn a_wrong_spec_is_stalled_and_told_once() {
        let mut topic = topic();
        let verdict = Verdict::not_ready(reason::BROKER_REJECTED, "INVALID_CONFIG: retention.ms");
        assert!(verdict.event(None).is_some());
        topic.status = Some(verdict.status(&topic));
        assert_eq!(verdict.event(topic.status.as_ref()), None);
        let conditions = &topic.status.as_ref().map(|status| status.conditions.clone()).unwrap_or_default();
        assert!(crate::condition::is_true(conditions, condition::STALLED));
    }

    #[test]
    fn topics_hear_of_a_cluster_that_comes_serves_or_goes() {
        let changes = Changes::default();
        let mut cluster = Cluster::new("demo", operator_api::ClusterSpec::default());
        assert!(changes.changed(&cluster, true));
        assert!(!changes.changed(&cluster, true));
        let mut conditions = Conditions::new(&[], None, Time(Timestamp::UNIX_EPOCH));
        conditions.set(condition::READY, Truth::True, reason::RECONCILED, "");
        let conditions = conditions.finish();
        cluster.status = Some(operator_api::ClusterStatus { conditions, ..Default::default() });
        assert!(changes.changed(&cluster, true));
        // Deleted without a finalizer, it is last seen as it was.
        assert!(changes.changed(&cluster, false));
        assert!(changes.changed(&cluster, true), "another one of its name");
        assert!(!changes.changed(&cluster, true));
    }

    #[test]
    fn a_claim_is_seen_until_the_next_word() {
        let mut topic = topic();
        assert!(!is_claimed(&topic));
        topic.status = Some(claim(&topic));
        assert!(is_claimed(&topic));
        topic.status = Some(Verdict::ready().status(&topic));
        assert!(!is_claimed(&topic));
    }
}

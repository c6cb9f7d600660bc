//! From what is declared and what is there to what has to be done. Pure.

use std::collections::{BTreeMap, BTreeSet};

use node::config::{UpdateMode, Values, table};

/// A topic as it shall be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct DesiredTopic {
    pub(super) name: String,
    /// Where it is declared, as `file:line`.
    pub(super) place: String,
    /// `None` leaves it to the broker, and whatever there is.
    pub(super) partitions: Option<i32>,
    pub(super) replication_factor: Option<i32>,
    pub(super) config: BTreeMap<String, String>,
    /// Settings that are not declared go back to their defaults.
    pub(super) strict: bool,
    /// A topic that was there before is taken over.
    pub(super) adopt: bool,
    /// It is deleted when its manifest is taken out.
    pub(super) delete: bool,
}

/// A topic as it is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct ObservedTopic {
    pub(super) partitions: i32,
    /// Settings of the topic's own, without defaults.
    pub(super) config: BTreeMap<String, String>,
}

/// A key and its value; `None` takes the setting back.
pub(super) type Change = (String, Option<String>);

/// One thing to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Action {
    Create(DesiredTopic),
    Grow {
        topic: String,
        from: i32,
        to: i32,
    },
    Configure {
        topic: String,
        changes: Vec<Change>,
        before: BTreeMap<String, String>,
    },
    Delete {
        topic: String,
    },
    /// Nothing has to be done for the topic.
    Keep {
        topic: String,
    },
    /// Nothing can or may be done: the sentence says why.
    Leave(String),
}

/// Settings of which a reassignment under way is the owner (KIP-73).
const OWNED_BY_REASSIGNMENT: [&str; 2] =
    ["leader.replication.throttled.replicas", "follower.replication.throttled.replicas"];

/// What has to be done for topics. `managed` holds the topics that manifests of this run declared, with
/// whether they are deleted when their manifest is gone.
pub(super) fn topics(
    desired: &[DesiredTopic],
    observed: &BTreeMap<String, ObservedTopic>,
    managed: &BTreeMap<String, bool>,
) -> Vec<Action> {
    let mut actions = Vec::new();
    for topic in desired {
        match observed.get(&topic.name) {
            None => actions.push(Action::Create(topic.clone())),
            Some(_) if !topic.adopt && !managed.contains_key(&topic.name) => {
                actions.push(Action::Leave(format!(
                    "{}: topic {} was there before, and its adoptionPolicy is Never: it stays as it is",
                    topic.place, topic.name
                )))
            }
            Some(there) => alter(topic, there, &mut actions),
        }
    }
    let names: BTreeSet<_> = desired.iter().map(|topic| &topic.name).collect();
    for (topic, delete) in managed.iter().filter(|(topic, _)| !names.contains(topic)) {
        actions.push(match (observed.contains_key(topic), delete) {
            (false, _) => Action::Leave(format!("topic {topic} is no longer declared, and was gone already")),
            (true, true) => Action::Delete { topic: topic.clone() },
            (true, false) => Action::Leave(format!(
                "topic {topic} is no longer declared; its deletionPolicy is Retain, so it stays with its data"
            )),
        });
    }
    actions
}

fn alter(topic: &DesiredTopic, there: &ObservedTopic, actions: &mut Vec<Action>) {
    let before = actions.len();
    match topic.partitions {
        Some(to) if to > there.partitions => {
            actions.push(Action::Grow { topic: topic.name.clone(), from: there.partitions, to });
        }
        Some(to) if to < there.partitions => actions.push(Action::Leave(format!(
            "{}: topic {} keeps its {} partitions: {to} are declared, and a topic's partitions are never removed",
            topic.place, topic.name, there.partitions
        ))),
        _ => {}
    }
    let set = topic
        .config
        .iter()
        .filter(|(key, value)| there.config.get(*key) != Some(value))
        .map(|(key, value)| (key.clone(), Some(value.clone())));
    let foreign = there.config.keys().filter(|key| {
        topic.strict && !topic.config.contains_key(*key) && !OWNED_BY_REASSIGNMENT.contains(&key.as_str())
    });
    let changes: Vec<Change> = set.chain(foreign.map(|key| (key.clone(), None))).collect();
    if !changes.is_empty() {
        let before = there.config.clone();
        actions.push(Action::Configure { topic: topic.name.clone(), changes, before });
    }
    if actions.len() == before {
        actions.push(Action::Keep { topic: topic.name.clone() });
    }
}

/// What has to be done for the broker's configuration.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct BrokerChanges {
    /// Dynamic settings of this broker.
    pub(super) changes: Vec<Change>,
    /// Keys that another value is declared for and that only a start takes, with that value unless it is none or
    /// a secret.
    pub(super) at_restart: Vec<Change>,
}

/// Compares the configuration that the broker started with and the one that is declared now. `dynamic` is what
/// is set on this broker beyond the former: the declaration is whole, so nothing else stays there.
pub(super) fn broker(
    started: &Values,
    declared: &Values,
    dynamic: &BTreeMap<String, Option<String>>,
) -> BrokerChanges {
    let mut plan = BrokerChanges::default();
    for row in table::all() {
        let (was, shall) = (started.own(row).0, declared.own(row).0);
        let set = dynamic.get(row.name);
        match shall {
            _ if was == shall => {
                if set.is_some() {
                    plan.changes.push((row.name.to_owned(), None));
                }
            }
            Some(value) if row.update != UpdateMode::ReadOnly => {
                if set.and_then(Option::as_deref) != Some(value) {
                    plan.changes.push((row.name.to_owned(), Some(value.to_owned())));
                }
            }
            _ => {
                let shown = shall.filter(|_| !row.is_sensitive()).map(str::to_owned);
                plan.at_restart.push((row.name.to_owned(), shown));
            }
        }
    }
    plan
}

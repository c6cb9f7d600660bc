//! What has to be done for a Topic, from what is asked and what is there; nothing here talks to anybody.

use std::collections::BTreeMap;

use client::{Alteration, NewTopic};
use operator_api::topic::{AdoptionPolicy, ConfigPolicy};
use operator_api::{TopicSpec, TopicStatus};

use super::observe::Found;

/// Settings that belong to whoever moves replicas, whatever `configPolicy` says.
const THROTTLED: [&str; 2] =
    ["leader.replication.throttled.replicas", "follower.replication.throttled.replicas"];

/// What is to be done, in this order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Plan {
    /// Make the topic.
    Create(NewTopic),
    /// The topic is there: change it, and then say what cannot be changed.
    Change {
        /// Settings.
        config: Alteration,
        /// More partitions, this many in all.
        partitions: Option<i32>,
        /// Whether it was there before its resource.
        adopted: bool,
        /// Whether another topic of the name was here before.
        recreated: bool,
        /// What the spec asks for and cannot have.
        refused: Option<Refused>,
    },
    /// The topic belongs to somebody else.
    RefuseAdoption,
}

/// What a topic cannot become.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Refused {
    /// It has this many partitions, which is more than asked.
    Partitions(i32),
    /// It has this replication factor, which is another than asked.
    ReplicationFactor(i32),
}

/// Decides. `claimed` says that an operator was about to make the topic before, so that what is there is its own.
pub(super) fn plan(
    name: &str,
    spec: &TopicSpec,
    status: Option<&TopicStatus>,
    claimed: bool,
    found: Option<&Found>,
) -> Plan {
    let wanted = config(spec);
    let Some(found) = found else {
        return Plan::Create(NewTopic {
            name: name.to_owned(),
            partitions: spec.partitions,
            replication_factor: spec.replication_factor.and_then(|factor| i16::try_from(factor).ok()),
            config: wanted,
        });
    };
    let known = status.and_then(|status| status.topic_id.as_deref());
    let id = found.description.id.to_string();
    let is_new = known.is_none() && !claimed;
    if is_new && spec.adoption_policy == AdoptionPolicy::Never {
        return Plan::RefuseAdoption;
    }
    let has = &found.description;
    Plan::Change {
        config: difference(&wanted, &found.config, spec.config_policy),
        partitions: spec.partitions.filter(|wanted| *wanted > has.partitions),
        adopted: is_new || status.and_then(|status| status.adopted).unwrap_or(false),
        recreated: known.is_some_and(|known| known != id),
        refused: refused(spec, has.partitions, has.replication_factor),
    }
}

fn refused(spec: &TopicSpec, partitions: i32, replication_factor: i32) -> Option<Refused> {
    if spec.partitions.is_some_and(|wanted| wanted < partitions) {
        return Some(Refused::Partitions(partitions));
    }
    spec.replication_factor
        .filter(|wanted| *wanted != replication_factor)
        .map(|_| Refused::ReplicationFactor(replication_factor))
}

/// The settings that the spec names, as text.
fn config(spec: &TopicSpec) -> BTreeMap<String, String> {
    spec.config.iter().map(|(key, value)| (key.clone(), value.to_string())).collect()
}

fn difference(
    wanted: &BTreeMap<String, String>,
    has: &BTreeMap<String, String>,
    policy: ConfigPolicy,
) -> Alteration {
    let set = wanted.iter().filter(|(key, value)| has.get(*key) != Some(value));
    let delete = has.keys().filter(|key| {
        policy == ConfigPolicy::Strict && !wanted.contains_key(*key) && !THROTTLED.contains(&key.as_str())
    });
    Alteration {
        set: set.map(|(key, value)| (key.clone(), value.clone())).collect(),
        delete: delete.cloned().collect(),
    }
}

#[cfg(test)]
mod tests {
    use client::TopicDescription;
    use operator_api::Scalar;
    use proptest::prelude::*;
    use protocol::id::Uuid;

    use super::*;

    fn found(partitions: i32, config: &BTreeMap<String, String>) -> Found {
        let description = TopicDescription { id: Uuid([7; 16]), partitions, replication_factor: 1 };
        Found { description, config: config.clone() }
    }

    fn known(found: &Found) -> TopicStatus {
        TopicStatus { topic_id: Some(found.description.id.to_string()), ..TopicStatus::default() }
    }

    fn spec(partitions: Option<i32>, config: &BTreeMap<String, String>, policy: ConfigPolicy) -> TopicSpec {
        TopicSpec {
            partitions,
            config: config.iter().map(|(key, value)| (key.clone(), Scalar::Text(value.clone()))).collect(),
            config_policy: policy,
            ..TopicSpec::default()
        }
    }

    fn settings() -> impl Strategy<Value = BTreeMap<String, String>> {
        const KEYS: &[&str] = &["retention.ms", "segment.ms", "cleanup.policy", THROTTLED[0]];
        let keys = proptest::sample::select(KEYS).prop_map(str::to_owned);
        proptest::collection::btree_map(keys, "[0-3]", 0..4)
    }

    proptest! {
        /// Carried out once, a plan leaves nothing to do: no other turn ever writes.
        #[test]
        fn a_plan_reaches_its_end(
            wanted in settings(), has in settings(), asked in proptest::option::of(1..6), there in 1..6,
            strict in any::<bool>(),
        ) {
            let policy = if strict { ConfigPolicy::Strict } else { ConfigPolicy::Merge };
            let spec = spec(asked, &wanted, policy);
            let mut topic = found(there, &has);
            let status = known(&topic);
            let first = plan("t", &spec, Some(&status), false, Some(&topic));
            let Plan::Change { config, partitions, .. } = first else { panic!("{first:?}") };
            topic.config.extend(config.set);
            topic.config.retain(|key, _| !config.delete.contains(key));
            topic.description.partitions = partitions.unwrap_or(there);
            prop_assert!(topic.description.partitions >= there, "partitions never shrink");
            let second = plan("t", &spec, Some(&status), false, Some(&topic));
            let Plan::Change { config, partitions, refused, .. } = second else { panic!("{second:?}") };
            prop_assert!(config.is_empty() && partitions.is_none());
            prop_assert_eq!(refused.is_some(), asked.is_some_and(|asked| asked < there));
            for (key, value) in &wanted {
                prop_assert_eq!(topic.config.get(key), Some(value));
            }
            if has.contains_key(THROTTLED[0]) {
                prop_assert!(topic.config.contains_key(THROTTLED[0]), "who moves replicas has its setting");
            }
            if strict {
                let others = topic.config.keys().filter(|key| !wanted.contains_key(*key));
                prop_assert!(others.into_iter().all(|key| THROTTLED.contains(&key.as_str())));
            }
        }
    }

    #[test]
    fn a_foreign_topic_is_taken_over_only_where_the_policy_says_so() {
        let topic = found(1, &BTreeMap::new());
        let mut spec = TopicSpec::default();
        let adopts = |plan| matches!(plan, Plan::Change { adopted: true, .. });
        assert!(adopts(plan("t", &spec, None, false, Some(&topic))));
        spec.adoption_policy = AdoptionPolicy::Never;
        assert_eq!(plan("t", &spec, None, false, Some(&topic)), Plan::RefuseAdoption);
        let own = plan("t", &spec, None, true, Some(&topic));
        assert!(
            matches!(own, Plan::Change { adopted: false, .. }),
            "an operator died while it made the topic"
        );
        let own = plan("t", &spec, Some(&known(&topic)), false, Some(&topic));
        assert!(matches!(own, Plan::Change { adopted: false, .. }));
    }

    #[test]
    fn another_id_is_another_topic() {
        let topic = found(1, &BTreeMap::new());
        let status = TopicStatus { topic_id: Some(Uuid([1; 16]).to_string()), ..TopicStatus::default() };
        let plan = plan("t", &TopicSpec::default(), Some(&status), false, Some(&topic));
        assert!(matches!(plan, Plan::Change { recreated: true, adopted: false, .. }));
    }
}

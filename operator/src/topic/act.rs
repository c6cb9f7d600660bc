//! Carries a plan out at the broker.

use client::{Admin, Alteration, Error as Answer, Refusal, TOPIC};
use kube::ResourceExt as _;
use operator_api::topic::AdoptionPolicy;
use operator_api::{Cluster, Topic, reason};
use protocol::ErrorCode;

use super::observe::{self, Found};
use super::plan::{Plan, Refused, plan};
use super::status::{self, Verdict};
use super::{Error, Topics, is_ready};

/// Makes the topic what it shall be, and says how it is then.
pub(super) async fn act(
    topic: &Topic,
    state: &Topics,
    cluster: &Cluster,
    addresses: Vec<String>,
) -> Result<Verdict, Error> {
    let uids: Vec<String> = state.clusters.state().iter().filter_map(|cluster| cluster.uid()).collect();
    state.brokers.keep(&uids);
    // Other Topics wait for the connection: what was done is told when it is free again.
    let mut told = Vec::new();
    let mut admin = state.brokers.admin(cluster, addresses).await;
    let verdict = with(topic, state, cluster, &mut admin, &mut told).await;
    drop(admin);
    let events = &state.context.events;
    for Told { is_normal, reason, action, note } in told {
        if is_normal {
            events.normal(topic, reason, action, note).await;
        } else {
            events.warning(topic, reason, action, note).await;
        }
    }
    verdict
}

/// An Event to come.
struct Told {
    is_normal: bool,
    reason: &'static str,
    action: &'static str,
    note: String,
}

impl Told {
    fn normal(reason: &'static str, action: &'static str, note: String) -> Self {
        Self { is_normal: true, reason, action, note }
    }
}

async fn with(
    topic: &Topic,
    state: &Topics,
    cluster: &Cluster,
    admin: &mut Admin,
    told: &mut Vec<Told>,
) -> Result<Verdict, Error> {
    let name = observe::name(topic);
    let found = match counted(state, "Metadata", observe::find(admin, &name).await) {
        Ok(found) => found,
        Err(answer) => return Ok(meaning(&answer, cluster)),
    };
    let claimed = status::is_claimed(topic);
    let plan = plan(&name, &topic.spec, topic.status.as_ref(), claimed, found.as_ref());
    if matches!(plan, Plan::Create(_)) && topic.spec.adoption_policy == AdoptionPolicy::Never && !claimed {
        // Should this process end before the status knows the topic's id, the next one knows whose it is.
        let status = status::claim(topic);
        crate::apply::apply_status(&state.context, topic, topic.status.as_ref(), &status).await?;
    }
    let done = carry_out(topic, state, admin, &name, plan, told).await;
    match done {
        Err(answer) => Ok(meaning(&answer, cluster)),
        Ok(Done::Refused(verdict)) => Ok(verdict),
        Ok(Done::There { adopted, refused }) => {
            match counted(state, "Metadata", observe::find(admin, &name).await) {
                Ok(Some(found)) => Ok(verdict(&found, adopted, refused)),
                Ok(None) => Ok(Verdict::not_ready(
                    reason::BROKER_REJECTED,
                    format!("topic {name} was made and is gone: another tool deletes it"),
                )),
                Err(answer) => Ok(meaning(&answer, cluster)),
            }
        }
    }
}

/// What a plan led to.
enum Done {
    /// The topic is there.
    There { adopted: bool, refused: Option<Refused> },
    /// It is not for this Topic.
    Refused(Verdict),
}

async fn carry_out(
    topic: &Topic,
    state: &Topics,
    admin: &mut Admin,
    name: &str,
    plan: Plan,
    told: &mut Vec<Told>,
) -> Result<Done, Answer> {
    match plan {
        Plan::Create(new) => {
            let id = counted(state, "CreateTopics", admin.create_topic(&new).await)?;
            told.push(Told::normal("Created", "Create", format!("made topic {name} with id {id}")));
            Ok(Done::There { adopted: false, refused: None })
        }
        Plan::RefuseAdoption => Ok(Done::Refused(Verdict::not_ready(
            "AdoptionRefused",
            format!("topic {name} was there before this resource, whose adoptionPolicy is Never"),
        ))),
        Plan::Change { config, partitions, adopted, recreated, refused } => {
            if adopted && topic.status.as_ref().and_then(|status| status.topic_id.as_ref()).is_none() {
                told.push(Told::normal("Adopted", "Adopt", format!("topic {name} was there before")));
            }
            if recreated {
                let note = format!("another tool deleted topic {name} and made it again");
                told.push(Told { is_normal: false, ..Told::normal("TopicRecreated", "Adopt", note) });
            }
            if !config.is_empty() {
                let change = admin.alter_config(TOPIC, name, &config, false).await;
                counted(state, "IncrementalAlterConfigs", change)?;
                told.push(Told::normal("ConfigChanged", "Alter", describe(&config)));
            }
            if let Some(count) = partitions {
                counted(state, "CreatePartitions", admin.create_partitions(name, count).await)?;
                let note = format!("topic {name} has {count} partitions now");
                told.push(Told::normal("PartitionsAdded", "Grow", note));
            }
            Ok(Done::There { adopted, refused })
        }
    }
}

fn verdict(found: &Found, adopted: bool, refused: Option<Refused>) -> Verdict {
    let verdict = match refused {
        None => Verdict::ready(),
        Some(Refused::Partitions(has)) => Verdict::not_ready(
            "PartitionDecreaseUnsupported",
            format!("the topic has {has} partitions, more than spec.partitions: they are never removed"),
        ),
        Some(Refused::ReplicationFactor(has)) => Verdict::not_ready(
            reason::UNSUPPORTED,
            format!("the topic has replication factor {has}: this version does not change it"),
        ),
    };
    verdict.of(&found.description, adopted)
}

/// What an error of the broker means for the Topic.
fn meaning(answer: &Answer, cluster: &Cluster) -> Verdict {
    match answer {
        Answer::Refused(refusal) => Verdict::not_ready(reason_of(refusal), refusal.to_string()),
        other if is_ready(cluster) => Verdict::not_ready(reason::BROKER_UNREACHABLE, other.to_string()),
        other => {
            let name = cluster.name_any();
            let message = format!("Cluster {name} is not ready: {other}");
            Verdict::not_ready(reason::CLUSTER_NOT_READY, message)
        }
    }
}

fn reason_of(refusal: &Refusal) -> &'static str {
    match refusal.code {
        ErrorCode::InvalidReplicationFactor => "InvalidReplicationFactor",
        ErrorCode::TopicDeletionDisabled => "TopicDeletionDisabled",
        _ => reason::BROKER_REJECTED,
    }
}

fn describe(change: &Alteration) -> String {
    let set = change.set.iter().map(|(key, value)| format!("{key}={value}"));
    let reset = change.delete.iter().map(|key| format!("{key} to its default"));
    set.chain(reset).collect::<Vec<_>>().join(", ")
}

/// Counts a request to a broker by how it went.
pub(super) fn counted<T>(state: &Topics, api: &str, answer: Result<T, Answer>) -> Result<T, Answer> {
    let result = match &answer {
        Ok(_) => "ok",
        Err(Answer::Refused(_)) => "refused",
        Err(_) => "failed",
    };
    state.context.metrics.admin_requests.with_label_values(&[api, result]).inc();
    answer
}

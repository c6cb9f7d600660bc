//! What there is: the Cluster, other Topics of the same name, and the topic at the broker.

use std::collections::BTreeMap;

use client::{Admin, TOPIC, TopicDescription};
use kube::ResourceExt as _;
use kube::runtime::reflector::Store;
use operator_api::Topic;

/// A topic at the broker.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Found {
    /// Its id, partitions and replicas.
    pub(super) description: TopicDescription,
    /// The settings that it has itself.
    pub(super) config: BTreeMap<String, String>,
}

/// The topic's name in Kafka.
pub(super) fn name(topic: &Topic) -> String {
    topic.spec.topic_name.clone().unwrap_or_else(|| topic.name_any())
}

/// Asks the broker for a topic; `None` when there is none.
pub(super) async fn find(admin: &mut Admin, name: &str) -> Result<Option<Found>, client::Error> {
    let Some(description) = admin.describe_topic(name).await? else { return Ok(None) };
    let entries = admin.describe_config(TOPIC, name).await?;
    let own = entries.into_iter().filter(client::ConfigEntry::is_of_topic);
    let config = own.map(|entry| (entry.name, entry.value.unwrap_or_default())).collect();
    Ok(Some(Found { description, config }))
}

/// The Topic that has the name: the oldest of those that claim it, by UID among those of one second. `None` when
/// `topic` itself does.
pub(super) fn rival(topics: &Store<Topic>, topic: &Topic) -> Option<String> {
    let claims = |other: &Topic| {
        other.namespace() == topic.namespace()
            && other.spec.cluster_ref == topic.spec.cluster_ref
            && name(other) == name(topic)
            && other.uid() != topic.uid()
    };
    let state = topics.state();
    let first = state.iter().filter(|other| claims(other)).min_by_key(|other| age(other))?;
    (age(first) < age(topic))
        .then(|| format!("{}/{}", first.namespace().unwrap_or_default(), first.name_any()))
}

fn age(topic: &Topic) -> (Option<String>, Option<String>) {
    // Times of the API server have one form, so that their text sorts as they do.
    (topic.creation_timestamp().map(|time| time.0.to_string()), topic.uid())
}

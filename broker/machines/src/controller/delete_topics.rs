//! DeleteTopics: by name or by id.

use super::{Controller, Decision, Rejection};
use protocol::ErrorCode;
use protocol::id::TopicId;
use protocol::message::delete_topics::DeleteTopicState;
use protocol::metadata_record::RemoveTopicRecord;
use std::collections::{BTreeMap, BTreeSet};

/// A topic to delete: its name, or its id.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DeleteTopic {
    /// The name.
    pub name: Option<String>,
    /// The id; zero when the name is given.
    pub topic_id: TopicId,
}

impl From<DeleteTopicState> for DeleteTopic {
    fn from(topic: DeleteTopicState) -> Self {
        Self { name: topic.name, topic_id: topic.topic_id }
    }
}

/// What became of one topic.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeletedTopic {
    /// Its name, when it is known.
    pub name: Option<String>,
    /// Its id; zero when it is not known.
    pub topic_id: TopicId,
    /// Deleted or not.
    pub result: Result<(), Rejection>,
}

impl Controller {
    /// Decides on topics to delete; topics that are named twice are answered once and stay.
    #[must_use]
    pub fn decide_delete_topics(&self, topics: &[DeleteTopic]) -> Decision<Vec<DeletedTopic>> {
        let mut response = Vec::with_capacity(topics.len());
        let mut records = Vec::new();
        let refuse = |topic: &DeleteTopic, error_code, message: &str| DeletedTopic {
            name: topic.name.clone(),
            topic_id: topic.topic_id,
            result: Err(Rejection::new(error_code, message)),
        };
        let mut counts: BTreeMap<(Option<&str>, TopicId), usize> = BTreeMap::new();
        for topic in topics {
            *counts.entry((topic.name.as_deref(), topic.topic_id)).or_default() += 1;
        }
        let ids_given: BTreeSet<TopicId> = topics.iter().map(|topic| topic.topic_id).collect();
        for topic in topics {
            let by_name = topic.name.as_deref();
            let Some(count) = counts.remove(&(by_name, topic.topic_id)) else { continue };
            let is_zero = topic.topic_id.is_zero();
            let found = match by_name {
                Some(name) => self.image.topic(name),
                None => self.image.topic_by_id(topic.topic_id),
            };
            response.push(match (by_name, found) {
                (None, _) if is_zero => {
                    refuse(topic, ErrorCode::InvalidRequest, "Neither topic name nor id were specified.")
                }
                (Some(_), _) if !is_zero => refuse(
                    topic,
                    ErrorCode::InvalidRequest,
                    "You may not specify both topic name and topic id.",
                ),
                (Some(_), _) if count > 1 => {
                    refuse(topic, ErrorCode::InvalidRequest, "Duplicate topic name.")
                }
                (None, _) if count > 1 => refuse(topic, ErrorCode::InvalidRequest, "Duplicate topic id."),
                (Some(_), Some(found)) if ids_given.contains(&found.id) => refuse(
                    topic,
                    ErrorCode::InvalidRequest,
                    "The provided topic name maps to an ID that was already supplied.",
                ),
                (_, Some(found)) => {
                    records.push(RemoveTopicRecord { topic_id: found.id }.into());
                    let name = Some(found.name.to_string());
                    DeletedTopic { name, topic_id: found.id, result: Ok(()) }
                }
                (Some(_), None) => {
                    refuse(topic, ErrorCode::UnknownTopicOrPartition, "This topic does not exist.")
                }
                (None, None) => refuse(topic, ErrorCode::UnknownTopicId, "No topic has this id."),
            });
        }
        Decision { records, response }
    }
}

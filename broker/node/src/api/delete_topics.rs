//! DeleteTopics (20), by name or by id.

use machines::controller::{DeleteTopic, DeletedTopic};
use protocol::ErrorCode;
use protocol::id::TopicId;
use protocol::message::delete_topics::{DeletableTopicResult, DeleteTopicsRequest, DeleteTopicsResponse};
use protocol::wire::Reader;

use super::decide::outcome;
use super::{Call, Handled, decode};
use crate::node::millis;

/// The first version that names topics as pairs of name and id.
const STATES_FROM: i16 = 6;
/// The first version that has a code of its own for a cluster that keeps its topics.
const DISABLED_CODE_FROM: i16 = 3;

pub(super) fn handle(call: Call<'_>, reader: Reader<'_>) -> Result<Handled, &'static str> {
    let version = call.header.api_version;
    let request: DeleteTopicsRequest = decode(reader, version)?;
    let topics: Vec<DeleteTopic> = if version >= STATES_FROM {
        request.topics.into_iter().map(DeleteTopic::from).collect()
    } else {
        let named = |name| DeleteTopic { name: Some(name), topic_id: TopicId::ZERO };
        request.topic_names.into_iter().map(named).collect()
    };
    let refused = |error_code: ErrorCode, message: Option<&str>| DeleteTopicsResponse {
        responses: topics
            .iter()
            .map(|topic| DeletableTopicResult {
                name: topic.name.clone(),
                topic_id: topic.topic_id,
                error_code,
                error_message: message.map(str::to_owned),
            })
            .collect(),
        ..DeleteTopicsResponse::default()
    };
    if !call.node.config().delete_topic_enable {
        let code = if version >= DISABLED_CODE_FROM {
            ErrorCode::TopicDeletionDisabled
        } else {
            ErrorCode::InvalidRequest
        };
        return call.reply(&refused(code, Some("delete.topic.enable is false on this cluster")));
    }
    call.decide(
        millis(request.timeout_ms),
        |controller, _| controller.decide_delete_topics(&topics),
        |decided| match decided {
            Ok(topics) => DeleteTopicsResponse {
                responses: topics.into_iter().map(answer).collect(),
                ..DeleteTopicsResponse::default()
            },
            Err(error) => refused(error, None),
        },
    )
}

fn answer(topic: DeletedTopic) -> DeletableTopicResult {
    let (error_code, error_message) = outcome(&topic.result);
    DeletableTopicResult { name: topic.name, topic_id: topic.topic_id, error_code, error_message }
}

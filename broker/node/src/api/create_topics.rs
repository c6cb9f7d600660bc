//! CreateTopics (19).

use machines::controller::{CreateTopic, CreatedTopic, Rejection};
use protocol::ErrorCode;
use protocol::message::create_topics::{CreatableTopicResult, CreateTopicsRequest, CreateTopicsResponse};
use protocol::wire::Reader;

use super::decide::{defaults, outcome};
use super::{Call, Handled, decode, describe_configs};
use crate::node::millis;

pub(super) fn handle(call: Call<'_>, reader: Reader<'_>) -> Result<Handled, &'static str> {
    let request: CreateTopicsRequest = decode(reader, call.header.api_version)?;
    let names: Vec<String> = request.topics.iter().map(|topic| topic.name.clone()).collect();
    let with_configs = call.header.api_version >= 5;
    let node = call.node;
    let config = node.config();
    let topics: Vec<CreateTopic> = request.topics.into_iter().map(CreateTopic::from).collect();
    let describe = |name: &str| {
        let own = topics.iter().find(|topic| topic.name == name).map_or(&[][..], |topic| &topic.configs);
        with_configs.then(|| describe_configs::of_new_topic(&config, own))
    };
    call.decide(
        millis(request.timeout_ms),
        |controller, inputs| {
            controller.decide_create_topics(
                &topics,
                request.validate_only,
                defaults(&config),
                &inputs.rules,
                inputs.random,
            )
        },
        |decided| CreateTopicsResponse {
            topics: match decided {
                Ok(topics) => topics
                    .into_iter()
                    .map(|(name, result)| {
                        let configs = result.is_ok().then(|| describe(&name)).flatten();
                        CreatableTopicResult { configs, ..answer(name, &result) }
                    })
                    .collect(),
                Err(error_code) => names
                    .iter()
                    .map(|name| CreatableTopicResult {
                        name: name.clone(),
                        error_code,
                        ..CreatableTopicResult::default()
                    })
                    .collect(),
            },
            ..CreateTopicsResponse::default()
        },
    )
}

fn answer(name: String, result: &Result<CreatedTopic, Rejection>) -> CreatableTopicResult {
    let (error_code, error_message) = outcome(result);
    let created = result.as_ref().ok();
    CreatableTopicResult {
        name,
        topic_id: created.map(|topic| topic.topic_id).unwrap_or_default(),
        error_code,
        error_message,
        topic_config_error_code: ErrorCode::None,
        num_partitions: created.map_or(-1, |topic| topic.num_partitions),
        replication_factor: created.map_or(-1, |topic| topic.replication_factor),
        configs: None,
    }
}

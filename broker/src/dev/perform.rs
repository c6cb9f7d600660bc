//! Actions as requests, and what became of each in one line.

use std::collections::BTreeMap;

use protocol::ErrorCode;
use protocol::message::create_partitions::{CreatePartitionsRequest, CreatePartitionsTopic};
use protocol::message::create_topics::{CreatableTopic, CreatableTopicConfig, CreateTopicsRequest};
use protocol::message::delete_topics::{DeleteTopicState, DeleteTopicsRequest};
use protocol::message::incremental_alter_configs::{
    AlterConfigsResource, AlterableConfig, IncrementalAlterConfigsRequest,
};

use super::in_process::{CallError, Client};
use super::observe::TOPIC;
use super::plan::{Action, Change, DesiredTopic};

/// How long the controller may take, in milliseconds.
const TIMEOUT_MS: i32 = 20_000;

/// IncrementalAlterConfigs' operations.
const SET: i8 = 0;
const DELETE: i8 = 1;

/// What became of an action.
#[derive(Debug)]
pub(super) struct Outcome {
    pub(super) line: String,
    /// The broker did it.
    pub(super) done: bool,
}

impl Outcome {
    fn done(line: String) -> Self {
        Self { line, done: true }
    }

    fn refused(line: String) -> Self {
        Self { line, done: false }
    }
}

/// Creates topics, all in one request. One outcome each, in order.
pub(super) fn create(client: &mut Client, topics: &[DesiredTopic]) -> Result<Vec<Outcome>, CallError> {
    if topics.is_empty() {
        return Ok(Vec::new());
    }
    let creatable = |topic: &DesiredTopic| CreatableTopic {
        name: topic.name.clone(),
        num_partitions: topic.partitions.unwrap_or(-1),
        // One broker keeps one replica; a notice says so where more are declared.
        replication_factor: if topic.replication_factor.is_some() { 1 } else { -1 },
        configs: topic
            .config
            .iter()
            .map(|(key, value)| CreatableTopicConfig { name: key.clone(), value: Some(value.clone()) })
            .collect(),
        ..CreatableTopic::default()
    };
    let request = CreateTopicsRequest {
        topics: topics.iter().map(creatable).collect(),
        timeout_ms: TIMEOUT_MS,
        validate_only: false,
    };
    let answers: BTreeMap<_, _> =
        client.call(&request)?.topics.into_iter().map(|topic| (topic.name.clone(), topic)).collect();
    let line = |topic: &DesiredTopic| {
        let Some(answer) = answers.get(&topic.name) else {
            let line = format!("{}: topic {}: the broker gave no answer for it", topic.place, topic.name);
            return Outcome::refused(line);
        };
        if answer.error_code != ErrorCode::None {
            let why = outcome(answer.error_code, answer.error_message.as_deref());
            return Outcome::refused(format!("{}: topic {} is not created: {why}", topic.place, topic.name));
        }
        let config: Vec<_> = topic.config.iter().map(|(key, value)| format!(", {key}={value}")).collect();
        let created = partitions(answer.num_partitions);
        Outcome::done(format!("topic {} created: {created}{}", topic.name, config.concat()))
    };
    Ok(topics.iter().map(line).collect())
}

/// Does one action. `None` is nothing worth a line.
pub(super) fn perform(client: &mut Client, action: Action) -> Result<Option<Outcome>, CallError> {
    Ok(Some(match action {
        // Created together, before.
        Action::Create(_) => return Ok(None),
        Action::Keep { topic } => Outcome::done(format!("topic {topic} is as declared")),
        Action::Leave(sentence) => Outcome::done(sentence),
        Action::Grow { topic, from, to } => {
            let grown =
                CreatePartitionsTopic { name: topic.clone(), count: to, ..CreatePartitionsTopic::default() };
            let request =
                CreatePartitionsRequest { topics: vec![grown], timeout_ms: TIMEOUT_MS, validate_only: false };
            let answer = client.call(&request)?.results.into_iter().next();
            match answer.map(|result| (result.error_code, result.error_message)) {
                Some((ErrorCode::None, _)) => {
                    Outcome::done(format!("topic {topic} has {} now, was {from}", partitions(to)))
                }
                other => {
                    let why = failure(other);
                    Outcome::refused(format!("topic {topic} keeps its {}: {why}", partitions(from)))
                }
            }
        }
        Action::Configure { topic, changes, before } => {
            let told = told(&changes, &before, "back to its default");
            match alter(client, TOPIC, &topic, changes)? {
                Ok(()) => Outcome::done(format!("topic {topic}: {told}")),
                Err(why) => Outcome::refused(format!("topic {topic} keeps its configuration: {why}")),
            }
        }
        Action::Delete { topic } => {
            let state = DeleteTopicState { name: Some(topic.clone()), ..DeleteTopicState::default() };
            let request = DeleteTopicsRequest {
                topics: vec![state],
                timeout_ms: TIMEOUT_MS,
                ..DeleteTopicsRequest::default()
            };
            let answer = client.call(&request)?.responses.into_iter().next();
            match answer.map(|result| (result.error_code, result.error_message)) {
                Some((ErrorCode::None, _)) => Outcome::done(format!(
                    "topic {topic} deleted with its data: it is no longer declared (deletionPolicy Delete)"
                )),
                other => Outcome::refused(format!(
                    "topic {topic} is no longer declared and not deleted: {}",
                    failure(other)
                )),
            }
        }
    }))
}

/// Changes keys of a topic or broker; the inner error is the broker's reason.
pub(super) fn alter(
    client: &mut Client,
    resource_type: i8,
    name: &str,
    changes: Vec<Change>,
) -> Result<Result<(), String>, CallError> {
    let configs = changes
        .into_iter()
        .map(|(name, value)| AlterableConfig {
            name,
            config_operation: if value.is_some() { SET } else { DELETE },
            value,
        })
        .collect();
    let resource = AlterConfigsResource { resource_type, resource_name: name.to_owned(), configs };
    let request = IncrementalAlterConfigsRequest { resources: vec![resource], validate_only: false };
    let answer = client.call(&request)?.responses.into_iter().next();
    Ok(match answer.map(|result| (result.error_code, result.error_message)) {
        Some((ErrorCode::None, _)) => Ok(()),
        other => Err(failure(other)),
    })
}

/// Changes in words: `retention.ms=1 (was 2), segment.ms back to its default (was 3)`; `back` says where a setting
/// goes that is taken back.
pub(super) fn told(changes: &[Change], before: &BTreeMap<String, String>, back: &str) -> String {
    let one = |(key, value): &Change| {
        let was = before.get(key).map_or_else(String::new, |was| format!(" (was {was})"));
        match value {
            Some(value) => format!("{key}={value}{was}"),
            None => format!("{key} {back}{was}"),
        }
    };
    changes.iter().map(one).collect::<Vec<_>>().join(", ")
}

pub(super) fn partitions(count: i32) -> String {
    if count == 1 { "1 partition".to_owned() } else { format!("{count} partitions") }
}

fn failure(answer: Option<(ErrorCode, Option<String>)>) -> String {
    match answer {
        Some((code, message)) => outcome(code, message.as_deref()),
        None => "the broker gave no answer for it".to_owned(),
    }
}

fn outcome(code: ErrorCode, message: Option<&str>) -> String {
    match message {
        Some(message) => format!("{code}: {message}"),
        None => code.to_string(),
    }
}

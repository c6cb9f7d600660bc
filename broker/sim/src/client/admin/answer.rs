//! What the administrator makes of its answers.

use std::collections::BTreeMap;

use protocol::ErrorCode;
use protocol::id::TopicId;
use protocol::message::metadata::MetadataResponse;
use protocol::message::{
    CreatePartitionsRequest, CreateTopicsRequest, DeleteTopicsRequest, DescribeConfigsRequest,
    IncrementalAlterConfigsRequest, ListOffsetsRequest, MetadataRequest,
};

use super::{Admin, NO_CONTROLLER_MAX, What};
use crate::client::{Answered, Context, body};
use crate::oracle::{Creation, Place};

/// The first version of CreateTopics that tells the new id.
const CREATED_ID_FROM: i16 = 7;

impl Admin {
    fn created(
        &mut self,
        (name, creation): (&str, Creation),
        frame: &[u8],
        version: i16,
        context: &mut Context<'_>,
    ) -> Result<(), String> {
        let response = body::<CreateTopicsRequest>(frame, version)?;
        let result = response.topics.first().ok_or("CreateTopics was answered without its topic")?;
        self.note_controller(result.error_code, context)?;
        match result.error_code {
            ErrorCode::None if version >= CREATED_ID_FROM => {
                context.oracle.acknowledged(creation.sent)?;
                context.oracle.created(name, result.topic_id, creation, context.now)
            }
            // A controller that went may have decided, and nobody knows.
            ErrorCode::None | ErrorCode::RequestTimedOut | ErrorCode::NotController => {
                self.uncertain = true;
                Ok(())
            }
            ErrorCode::TopicAlreadyExists => {
                context.oracle.take_creation(name, creation.kind, creation.partitions);
                self.uncertain = true;
                Ok(())
            }
            other => {
                context.oracle.take_creation(name, creation.kind, creation.partitions);
                Err(format!(
                    "CreateTopics of {name} was answered with {}: {:?}",
                    other.name(),
                    result.error_message
                ))
            }
        }
    }

    /// A ready broker has a controller, but for a moment.
    fn note_controller(&mut self, code: ErrorCode, context: &Context<'_>) -> Result<(), String> {
        if code != ErrorCode::NotController {
            self.refused_since = None;
            return Ok(());
        }
        let since = *self.refused_since.get_or_insert(context.now);
        if context.now > since + NO_CONTROLLER_MAX {
            return Err("there is no controller any more".to_owned());
        }
        Ok(())
    }

    fn altered(
        &mut self,
        done: ErrorCode,
        what: &str,
        sent: u64,
        context: &Context<'_>,
    ) -> Result<bool, String> {
        self.note_controller(done, context)?;
        match done {
            ErrorCode::None => context.oracle.acknowledged(sent).map(|()| true),
            ErrorCode::RequestTimedOut
            | ErrorCode::NotController
            | ErrorCode::UnknownTopicOrPartition
            | ErrorCode::UnknownTopicId => {
                self.uncertain = true;
                Ok(false)
            }
            other => Err(format!("{what} was answered with {}", other.name())),
        }
    }

    fn deleted(
        &mut self,
        (name, id, by_name): (&str, TopicId, bool),
        code: ErrorCode,
        sent: u64,
        context: &mut Context<'_>,
    ) -> Result<(), String> {
        if by_name && !matches!(code, ErrorCode::RequestTimedOut | ErrorCode::NotController) {
            context.oracle.deletion_answered(name, context.now);
        }
        if self.altered(code, "DeleteTopics", sent, context)? {
            context.oracle.deleted(id, context.now);
        }
        Ok(())
    }

    fn too_large(&mut self, code: ErrorCode, context: &mut Context<'_>) -> Result<(), String> {
        self.note_controller(code, context)?;
        match code {
            ErrorCode::PolicyViolation => {
                context.oracle.counters.too_large += 1;
                Ok(())
            }
            ErrorCode::NotController | ErrorCode::RequestTimedOut => Ok(()),
            other => Err(format!("a decision that is too large was answered with {}", other.name())),
        }
    }

    pub(super) fn answer(
        &mut self,
        Answered { version, sent, what }: Answered<What>,
        frame: &[u8],
        context: &mut Context<'_>,
    ) -> Result<(), String> {
        match what {
            What::Create(name, creation) => self.created((&name, creation), frame, version, context),
            What::AutoCreate(name, creation) => {
                let response = body::<MetadataRequest>(frame, version)?;
                let topic = response.topics.first().ok_or("Metadata was answered without its topic")?;
                if topic.error_code.is_error() {
                    self.uncertain = true;
                    return Ok(());
                }
                context.oracle.created(&name, topic.topic_id, creation, context.now)
            }
            What::Delete(name, id, by_name) => {
                let response = body::<DeleteTopicsRequest>(frame, version)?;
                let code = response.responses.first().map_or(ErrorCode::UnknownServerError, |r| r.error_code);
                self.deleted((&name, id, by_name), code, sent, context)
            }
            What::TooLarge => {
                let response = body::<IncrementalAlterConfigsRequest>(frame, version)?;
                let code = response.responses.first().map_or(ErrorCode::UnknownServerError, |r| r.error_code);
                self.too_large(code, context)
            }
            What::Grow(name, count) => {
                let response = body::<CreatePartitionsRequest>(frame, version)?;
                let code = response.results.first().map_or(ErrorCode::UnknownServerError, |r| r.error_code);
                if self.altered(code, "CreatePartitions", sent, context)?
                    && let Some(topic) = context.oracle.topic_mut(&name)
                {
                    topic.partitions = count;
                    topic.grown_at = context.now;
                    context.oracle.counters.grown += 1;
                }
                Ok(())
            }
            What::GrowInVain { allowed } => {
                let response = body::<CreatePartitionsRequest>(frame, version)?;
                let code = response.results.first().map_or(ErrorCode::UnknownServerError, |r| r.error_code);
                grown_in_vain(code, allowed)
            }
            What::Alter(name, key, value) => {
                let response = body::<IncrementalAlterConfigsRequest>(frame, version)?;
                let code = response.responses.first().map_or(ErrorCode::UnknownServerError, |r| r.error_code);
                if self.altered(code, "IncrementalAlterConfigs", sent, context)?
                    && let Some(topic) = context.oracle.topic_mut(&name)
                {
                    // What was asked before comes before it, or never.
                    topic.configs_maybe.retain(|(other, _)| *other != key);
                    topic.configs.insert(key, (value, context.now));
                }
                Ok(())
            }
            What::Describe(name) => described(&name, frame, (version, sent), context),
            What::List => {
                let found = listed(&body::<MetadataRequest>(frame, version)?);
                self.uncertain = false;
                context.oracle.listed(&found, sent, context.now)
            }
            What::Latest(place, floor) => latest(place, floor, frame, version, context),
        }
    }
}

fn grown_in_vain(code: ErrorCode, allowed: bool) -> Result<(), String> {
    match code {
        ErrorCode::None if allowed => Ok(()),
        ErrorCode::InvalidPartitions if !allowed => Ok(()),
        ErrorCode::NotController | ErrorCode::UnknownTopicOrPartition | ErrorCode::RequestTimedOut => Ok(()),
        other => Err(format!("CreatePartitions in vain was answered with {}", other.name())),
    }
}

fn described(
    name: &str,
    frame: &[u8],
    (version, sent): (i16, u64),
    context: &mut Context<'_>,
) -> Result<(), String> {
    let response = body::<DescribeConfigsRequest>(frame, version)?;
    let result = response.results.first().ok_or("DescribeConfigs was answered without its resource")?;
    if result.error_code.is_error() {
        let known = context.oracle.topic(name).is_some_and(|topic| !topic.deletion_asked);
        // A broker that was just started does not know its topics yet.
        return if known && result.error_code != ErrorCode::UnknownTopicOrPartition {
            Err(format!("DescribeConfigs of {name}: {}", result.error_code.name()))
        } else {
            Ok(())
        };
    }
    let found: BTreeMap<String, String> =
        result.configs.iter().map(|c| (c.name.clone(), c.value.clone().unwrap_or_default())).collect();
    context.oracle.described(name, &found, sent)
}

fn latest(
    place: Place,
    floor: i64,
    frame: &[u8],
    version: i16,
    context: &mut Context<'_>,
) -> Result<(), String> {
    let response = body::<ListOffsetsRequest>(frame, version)?;
    let answer = response.topics.first().and_then(|topic| topic.partitions.first());
    let answer = answer.ok_or("ListOffsets was answered without its partition")?;
    let topic = context.oracle.by_id(place.0);
    if answer.error_code.is_error() || topic.is_none_or(|topic| topic.deletion_asked) {
        return Ok(());
    }
    context.oracle.log(place).high_watermark(answer.offset.0, floor)
}

/// What Metadata says exists, but for topics that the broker makes for itself.
pub(in crate::client) fn listed(response: &MetadataResponse) -> Vec<(String, TopicId, i32)> {
    let topics = response.topics.iter().filter(|topic| !topic.error_code.is_error() && !topic.is_internal);
    topics
        .map(|topic| {
            let count = i32::try_from(topic.partitions.len()).unwrap_or(i32::MAX);
            (topic.name.clone().unwrap_or_default(), topic.topic_id, count)
        })
        .collect()
}

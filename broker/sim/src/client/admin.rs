//! The administrator: creates, grows, configures and deletes topics, and checks that it stays so.

use std::collections::BTreeMap;

use protocol::ErrorCode;
use protocol::id::Timestamp;
use protocol::message::create_partitions::CreatePartitionsTopic;
use protocol::message::create_topics::{CreatableTopic, CreatableTopicConfig};
use protocol::message::delete_topics::DeleteTopicState;
use protocol::message::describe_configs::DescribeConfigsResource;
use protocol::message::incremental_alter_configs::{AlterConfigsResource, AlterableConfig};
use protocol::message::metadata::{MetadataRequestTopic, MetadataResponse};
use protocol::message::{
    CreatePartitionsRequest, CreateTopicsRequest, DeleteTopicsRequest, DescribeConfigsRequest,
    IncrementalAlterConfigsRequest, ListOffsetsRequest, MetadataRequest,
};
use protocol::wire::Message as _;

use super::consumer::list_offsets;
use super::{Client, Context, Requests, body, everything};
use crate::oracle::{Kind, Place};

/// Kafka's number of a topic among configuration resources.
const TOPIC: i8 = 2;
const LATEST: Timestamp = Timestamp(-1);
/// The first version of Metadata that can ask without creating.
const AUTO_CREATION_FROM: i16 = 4;
/// The first version of Metadata with topic ids, by which topics are told apart here.
const IDS_FROM: i16 = 10;
/// The first version of CreateTopics that tells the new id.
const CREATED_ID_FROM: i16 = 7;
/// Partitions that a topic may grow to.
const PARTITIONS_MAX: i32 = 6;

/// Keys and values.
type Settings = &'static [(&'static str, &'static str)];

/// The topics that every run has.
const LASTING: [(&str, Kind, i32, Settings); 4] = [
    ("kept", Kind::Kept, 3, &[("internal.segment.bytes", "40000")]),
    ("synced", Kind::Synced, 2, &[("flush.messages", "1"), ("internal.segment.bytes", "60000")]),
    (
        "retained",
        Kind::Retained,
        2,
        &[
            ("internal.segment.bytes", "12000"),
            ("retention.bytes", "50000"),
            ("segment.ms", "900"),
            ("file.delete.delay.ms", "700"),
        ],
    ),
    ("growing", Kind::Kept, 1, &[]),
];

enum What {
    Create(String),
    AutoCreate(String),
    Delete(String),
    Grow(String, i32),
    Alter(String, String, String),
    Describe(String),
    List { sent: u64 },
    Latest(Place, i64),
}

/// The administrator.
pub(crate) struct Admin {
    requests: Requests<What>,
    next_name: u32,
    /// Something was asked and not answered: all is listed before anything else.
    uncertain: bool,
}

impl Admin {
    pub(crate) fn new() -> Self {
        Self { requests: Requests::new("admin"), next_name: 0, uncertain: false }
    }

    fn create(
        &mut self,
        name: &str,
        kind: Kind,
        count: i32,
        configs: &[(&str, &str)],
        context: &mut Context<'_>,
    ) {
        let version = context.random.version(CreateTopicsRequest::VERSIONS);
        let config = |(name, value): &(&str, &str)| CreatableTopicConfig {
            name: (*name).to_owned(),
            value: Some((*value).to_owned()),
        };
        let topic = CreatableTopic {
            name: name.to_owned(),
            num_partitions: count,
            replication_factor: 1,
            configs: configs.iter().map(config).collect(),
            ..Default::default()
        };
        let request = CreateTopicsRequest { topics: vec![topic], timeout_ms: 30_000, ..Default::default() };
        context.oracle.creating(name, kind, count);
        self.requests.send(&request, version, What::Create(name.to_owned()), context);
    }

    fn auto_create(&mut self, context: &mut Context<'_>) {
        self.next_name += 1;
        let name = format!("auto-{}", self.next_name);
        let version =
            context.random.version(IDS_FROM.max(AUTO_CREATION_FROM)..=*MetadataRequest::VERSIONS.end());
        let topic = MetadataRequestTopic { name: Some(name.clone()), ..Default::default() };
        let request = MetadataRequest {
            topics: Some(vec![topic]),
            allow_auto_topic_creation: true,
            ..Default::default()
        };
        context.oracle.creating(&name, Kind::Fleeting, 1);
        self.requests.send(&request, version, What::AutoCreate(name), context);
    }

    fn delete(&mut self, name: &str, context: &mut Context<'_>) {
        let Some(topic) = context.oracle.topic_mut(name) else { return };
        topic.deletion_asked = true;
        let id = topic.id;
        let version = context.random.version(DeleteTopicsRequest::VERSIONS);
        let mut request = DeleteTopicsRequest { timeout_ms: 30_000, ..Default::default() };
        if version < 6 {
            request.topic_names = vec![name.to_owned()];
        } else if context.random.chance(50) {
            request.topics = vec![DeleteTopicState { name: None, topic_id: id }];
        } else {
            request.topics = vec![DeleteTopicState { name: Some(name.to_owned()), ..Default::default() }];
        }
        self.requests.send(&request, version, What::Delete(name.to_owned()), context);
    }

    fn grow(&mut self, name: &str, context: &mut Context<'_>) {
        let Some(topic) = context.oracle.topic_mut(name) else { return };
        let count = topic.partitions + 1;
        if count > PARTITIONS_MAX || topic.partitions_maybe != topic.partitions {
            return;
        }
        topic.partitions_maybe = count;
        let version = context.random.version(CreatePartitionsRequest::VERSIONS);
        let topic = CreatePartitionsTopic { name: name.to_owned(), count, assignments: None };
        let request =
            CreatePartitionsRequest { topics: vec![topic], timeout_ms: 30_000, validate_only: false };
        self.requests.send(&request, version, What::Grow(name.to_owned(), count), context);
    }

    fn alter(&mut self, name: &str, context: &mut Context<'_>) {
        let key = *context.random.pick(&["max.message.bytes", "index.interval.bytes", "segment.jitter.ms"]);
        let value = context.random.between(100_000, 200_000).to_string();
        let Some(topic) = context.oracle.topic_mut(name) else { return };
        topic.configs_maybe.push((key.to_owned(), value.clone()));
        let config =
            AlterableConfig { name: key.to_owned(), config_operation: 0, value: Some(value.clone()) };
        let resource = AlterConfigsResource {
            resource_type: TOPIC,
            resource_name: name.to_owned(),
            configs: vec![config],
        };
        let request = IncrementalAlterConfigsRequest { resources: vec![resource], validate_only: false };
        let version = context.random.version(IncrementalAlterConfigsRequest::VERSIONS);
        self.requests.send(&request, version, What::Alter(name.to_owned(), key.to_owned(), value), context);
    }

    fn describe(&mut self, name: &str, context: &mut Context<'_>) {
        let resource = DescribeConfigsResource {
            resource_type: TOPIC,
            resource_name: name.to_owned(),
            configuration_keys: None,
        };
        let request = DescribeConfigsRequest { resources: vec![resource], ..Default::default() };
        let version = context.random.version(DescribeConfigsRequest::VERSIONS);
        self.requests.send(&request, version, What::Describe(name.to_owned()), context);
    }

    fn list(&mut self, context: &mut Context<'_>) {
        let version = context.random.version(IDS_FROM..=*MetadataRequest::VERSIONS.end());
        let what = What::List { sent: context.now };
        self.requests.send(&everything(), version, what, context);
    }

    fn latest(&mut self, place: Place, context: &mut Context<'_>) {
        let version = context.random.version(ListOffsetsRequest::VERSIONS);
        let floor = context.oracle.floor(place);
        let request = list_offsets(context.oracle, place, LATEST);
        self.requests.send(&request, version, What::Latest(place, floor), context);
    }

    /// Anything at all.
    fn anything(&mut self, context: &mut Context<'_>) {
        let names: Vec<(String, Kind, Place)> =
            context.oracle.topics().map(|topic| (topic.name.clone(), topic.kind, (topic.id, 0))).collect();
        let fleeting = names.iter().filter(|(_, kind, _)| *kind == Kind::Fleeting).count();
        let (name, kind, place) = context.random.pick(&names).clone();
        match context.random.below(12) {
            0 | 1 if fleeting < 5 => {
                // Old names come back, with another id.
                let name = format!("fleeting-{}", context.random.below(6));
                if context.oracle.topic(&name).is_none() {
                    let count = context.random.between_i32(1, 3);
                    self.create(&name, Kind::Fleeting, count, &[], context);
                }
            }
            2 if fleeting < 5 => self.auto_create(context),
            3 | 4 if kind == Kind::Fleeting => self.delete(&name, context),
            5 if name == "growing" || kind == Kind::Fleeting => self.grow(&name, context),
            6 | 7 => self.alter(&name, context),
            8 | 9 => self.describe(&name, context),
            10 => self.list(context),
            _ => self.latest(place, context),
        }
    }

    fn created(
        &mut self,
        name: &str,
        frame: &[u8],
        version: i16,
        context: &mut Context<'_>,
    ) -> Result<(), String> {
        let response = body::<CreateTopicsRequest>(frame, version)?;
        let result = response.topics.first().ok_or("CreateTopics was answered without its topic")?;
        match result.error_code {
            ErrorCode::None if version >= CREATED_ID_FROM => {
                context.oracle.created(name, result.topic_id, context.now)
            }
            ErrorCode::None | ErrorCode::TopicAlreadyExists | ErrorCode::RequestTimedOut => {
                self.uncertain = true;
                Ok(())
            }
            ErrorCode::NotController => {
                self.uncertain = true;
                Ok(())
            }
            other => {
                context.oracle.not_created(name);
                Err(format!(
                    "CreateTopics of {name} was answered with {}: {:?}",
                    other.name(),
                    result.error_message
                ))
            }
        }
    }

    fn altered(&mut self, done: ErrorCode, what: &str) -> Result<bool, String> {
        match done {
            ErrorCode::None => Ok(true),
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

    fn answer(
        &mut self,
        what: What,
        frame: &[u8],
        version: i16,
        context: &mut Context<'_>,
    ) -> Result<(), String> {
        match what {
            What::Create(name) => self.created(&name, frame, version, context),
            What::AutoCreate(name) => {
                let response = body::<MetadataRequest>(frame, version)?;
                let topic = response.topics.first().ok_or("Metadata was answered without its topic")?;
                if topic.error_code.is_error() {
                    self.uncertain = true;
                    return Ok(());
                }
                context.oracle.created(&name, topic.topic_id, context.now)
            }
            What::Delete(name) => {
                let response = body::<DeleteTopicsRequest>(frame, version)?;
                let code = response.responses.first().map_or(ErrorCode::UnknownServerError, |r| r.error_code);
                if self.altered(code, "DeleteTopics")? {
                    context.oracle.deleted(&name, context.now);
                }
                Ok(())
            }
            What::Grow(name, count) => {
                let response = body::<CreatePartitionsRequest>(frame, version)?;
                let code = response.results.first().map_or(ErrorCode::UnknownServerError, |r| r.error_code);
                if self.altered(code, "CreatePartitions")?
                    && let Some(topic) = context.oracle.topic_mut(&name)
                {
                    topic.partitions = count;
                    topic.grown_at = context.now;
                }
                Ok(())
            }
            What::Alter(name, key, value) => {
                let response = body::<IncrementalAlterConfigsRequest>(frame, version)?;
                let code = response.responses.first().map_or(ErrorCode::UnknownServerError, |r| r.error_code);
                if self.altered(code, "IncrementalAlterConfigs")?
                    && let Some(topic) = context.oracle.topic_mut(&name)
                {
                    // What was asked before comes before it, or never.
                    topic.configs_maybe.retain(|(other, _)| *other != key);
                    topic.configs.insert(key, value);
                }
                Ok(())
            }
            What::Describe(name) => described(&name, frame, version, context),
            What::List { sent } => {
                let found = listed(&body::<MetadataRequest>(frame, version)?);
                self.uncertain = false;
                context.oracle.listed(&found, sent, context.now)
            }
            What::Latest(place, floor) => latest(place, floor, frame, version, context),
        }
    }
}

fn described(name: &str, frame: &[u8], version: i16, context: &mut Context<'_>) -> Result<(), String> {
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
    context.oracle.described(name, &found)
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
    if answer.error_code.is_error() || context.oracle.by_id(place.0).is_none() {
        return Ok(());
    }
    context.oracle.log(place).high_watermark(answer.offset.0, floor)
}

/// What Metadata says exists.
pub(super) fn listed(response: &MetadataResponse) -> Vec<(String, protocol::id::TopicId, i32)> {
    let topics = response.topics.iter().filter(|topic| !topic.error_code.is_error());
    topics
        .map(|topic| {
            let count = i32::try_from(topic.partitions.len()).unwrap_or(i32::MAX);
            (topic.name.clone().unwrap_or_default(), topic.topic_id, count)
        })
        .collect()
}

impl Client for Admin {
    fn act(&mut self, context: &mut Context<'_>) {
        if !self.requests.is_empty() {
            return;
        }
        if self.uncertain {
            self.list(context);
            return;
        }
        if context.draining {
            return;
        }
        match LASTING.iter().find(|(name, ..)| context.oracle.topic(name).is_none()) {
            Some((name, kind, count, configs)) => self.create(name, *kind, *count, configs, context),
            None => self.anything(context),
        }
    }

    fn reply(&mut self, frame: &[u8], context: &mut Context<'_>) -> Result<(), String> {
        let (version, what) = self.requests.answered(frame)?;
        self.answer(what, frame, version, context)
    }

    fn lost(&mut self, _context: &mut Context<'_>) {
        self.uncertain |= !self.requests.lost().is_empty();
    }

    fn is_idle(&self) -> bool {
        self.requests.is_empty() && !self.uncertain
    }
}

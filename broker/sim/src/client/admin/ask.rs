//! What the administrator asks for.

use protocol::message::create_partitions::CreatePartitionsTopic;
use protocol::message::create_topics::{CreatableTopic, CreatableTopicConfig};
use protocol::message::delete_topics::DeleteTopicState;
use protocol::message::describe_configs::DescribeConfigsResource;
use protocol::message::incremental_alter_configs::{AlterConfigsResource, AlterableConfig};
use protocol::message::metadata::MetadataRequestTopic;
use protocol::message::{
    CreatePartitionsRequest, CreateTopicsRequest, DeleteTopicsRequest, DescribeConfigsRequest,
    IncrementalAlterConfigsRequest, ListOffsetsRequest, MetadataRequest,
};
use protocol::wire::Message as _;

use super::{Admin, IDS_FROM, LATEST, What};
use crate::client::records::list_offsets;
use crate::client::{Context, everything};
use crate::oracle::{Creation, Kind, Place};

/// Kafka's numbers of a topic and of a broker among configuration resources.
const TOPIC: i8 = 2;
const BROKER: i8 = 4;
/// Together more than the 8 MiB that one decision may have.
const LARGE_VALUE: usize = 32_000;
const LARGE_VALUES: usize = 280;
/// The first version of Metadata that can ask without creating.
const AUTO_CREATION_FROM: i16 = 4;
/// Partitions that a topic may grow to.
const PARTITIONS_MAX: i32 = 6;

impl Admin {
    pub(super) fn create(
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
        let creation = Creation { kind, partitions: count, sent: context.now };
        self.requests.send(&request, version, What::Create(name.to_owned(), creation), context);
    }

    pub(super) fn auto_create(&mut self, context: &mut Context<'_>) {
        self.next_name += 1;
        let name = format!("auto-{}-{}", self.number, self.next_name);
        let version =
            context.random.version(IDS_FROM.max(AUTO_CREATION_FROM)..=*MetadataRequest::VERSIONS.end());
        let topic = MetadataRequestTopic { name: Some(name.clone()), ..Default::default() };
        let request = MetadataRequest {
            topics: Some(vec![topic]),
            allow_auto_topic_creation: true,
            ..Default::default()
        };
        context.oracle.creating(&name, Kind::Fleeting, 1);
        let creation = Creation { kind: Kind::Fleeting, partitions: 1, sent: context.now };
        self.requests.send(&request, version, What::AutoCreate(name, creation), context);
    }

    pub(super) fn delete(&mut self, name: &str, context: &mut Context<'_>) {
        let Some(topic) = context.oracle.topic_mut(name) else { return };
        topic.deletion_asked = true;
        topic.asked_at = context.now;
        let id = topic.id;
        let version = context.random.version(DeleteTopicsRequest::VERSIONS);
        let mut request = DeleteTopicsRequest { timeout_ms: 30_000, ..Default::default() };
        let by_name = version < 6 || context.random.chance(50);
        if version < 6 {
            request.topic_names = vec![name.to_owned()];
        } else if by_name {
            request.topics = vec![DeleteTopicState { name: Some(name.to_owned()), ..Default::default() }];
        } else {
            request.topics = vec![DeleteTopicState { name: None, topic_id: id }];
        }
        if by_name {
            context.oracle.deleting(name);
        }
        self.requests.send(&request, version, What::Delete(name.to_owned(), id, by_name), context);
    }

    pub(super) fn grow(&mut self, name: &str, context: &mut Context<'_>) {
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

    pub(super) fn grow_in_vain(&mut self, name: &str, context: &mut Context<'_>) {
        let Some(topic) = context.oracle.topic(name) else { return };
        let allowed = context.random.chance(50) && topic.partitions_maybe == topic.partitions;
        let count = if allowed { topic.partitions + 3 } else { topic.partitions };
        let version = context.random.version(CreatePartitionsRequest::VERSIONS);
        let topic = CreatePartitionsTopic { name: name.to_owned(), count, assignments: None };
        let request =
            CreatePartitionsRequest { topics: vec![topic], timeout_ms: 30_000, validate_only: allowed };
        self.requests.send(&request, version, What::GrowInVain { allowed }, context);
    }

    pub(super) fn alter(&mut self, name: &str, context: &mut Context<'_>) {
        // Each its own, so that the order in which they are set does not matter.
        let keys = ["max.message.bytes", "index.interval.bytes", "segment.jitter.ms"];
        let key = keys[usize::try_from(self.number).unwrap_or(0) % keys.len()];
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

    /// A decision that is refused whole, and costs nobody the controller.
    pub(super) fn ask_too_much(&mut self, context: &mut Context<'_>) {
        let config = |number: usize| AlterableConfig {
            name: format!("listener.name.l{number}.ssl.keystore.location"),
            config_operation: 0,
            value: Some("x".repeat(LARGE_VALUE)),
        };
        let resource = AlterConfigsResource {
            resource_type: BROKER,
            resource_name: "1".to_owned(),
            configs: (0..LARGE_VALUES).map(config).collect(),
        };
        let request = IncrementalAlterConfigsRequest { resources: vec![resource], validate_only: false };
        let version = context.random.version(IncrementalAlterConfigsRequest::VERSIONS);
        self.requests.send(&request, version, What::TooLarge, context);
    }

    pub(super) fn describe(&mut self, name: &str, context: &mut Context<'_>) {
        let resource = DescribeConfigsResource {
            resource_type: TOPIC,
            resource_name: name.to_owned(),
            configuration_keys: None,
        };
        let request = DescribeConfigsRequest { resources: vec![resource], ..Default::default() };
        let version = context.random.version(DescribeConfigsRequest::VERSIONS);
        self.requests.send(&request, version, What::Describe(name.to_owned()), context);
    }

    pub(super) fn list(&mut self, context: &mut Context<'_>) {
        let version = context.random.version(IDS_FROM..=*MetadataRequest::VERSIONS.end());
        self.requests.send(&everything(), version, What::List, context);
    }

    pub(super) fn latest(&mut self, place: Place, context: &mut Context<'_>) {
        let version = context.random.version(ListOffsetsRequest::VERSIONS);
        let floor = context.oracle.floor(place);
        let request = list_offsets(context.oracle, place, LATEST);
        self.requests.send(&request, version, What::Latest(place, floor), context);
    }
}

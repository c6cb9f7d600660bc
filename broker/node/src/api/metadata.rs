//! Metadata (3): topics with their partitions, leaders and ids, and where the brokers are.

use std::collections::BTreeSet;
use std::sync::Arc;

use machines::controller::{CreateTopic, topic_name_problem};
use machines::image::{MetadataImage, PartitionRegistration, TopicImage};
use protocol::ErrorCode;
use protocol::id::{BrokerId, PartitionIndex};
use protocol::message::metadata::{
    MetadataRequest, MetadataRequestTopic, MetadataResponse, MetadataResponseBroker,
    MetadataResponsePartition, MetadataResponseTopic,
};
use protocol::wire::Reader;

use super::{Call, Handled, decode};
use crate::coordinator::{OFFSETS_TOPIC, offsets_topic};

/// What is allowed on a cluster and on a topic while no authorizer is configured: a bit for each of Kafka's
/// `AclOperation` codes that apply (cluster: 5, 7 to 12; topic: 3 to 8, 10, 11).
pub(super) const CLUSTER_OPERATIONS: i32 = 0b1_1111_1010_0000;
pub(super) const TOPIC_OPERATIONS: i32 = 0b1101_1111_1000;

pub(super) fn handle(mut call: Call<'_>, reader: Reader<'_>) -> Result<Handled, &'static str> {
    let version = call.header.api_version;
    let request: MetadataRequest = decode(reader, version)?;
    let image = call.node.image();
    if let Some(missing) = to_create(&call, &image, &request) {
        let frame = call.frame;
        if call.create_topics_then_again(&missing, frame) {
            return Ok(Handled::Parked);
        }
    }
    let brokers = image
        .brokers()
        .filter(|broker| !broker.fenced)
        .filter_map(|broker| {
            let (host, port) = call.node.client_endpoint(call.session, broker)?;
            Some(MetadataResponseBroker { node_id: broker.id, host, port, rack: broker.rack.clone() })
        })
        .collect();
    let with_operations = request.include_topic_authorized_operations;
    // Version 0 has no way to ask for no topic: an empty list means all.
    let topics = match &request.topics {
        Some(wanted) if version > 0 || !wanted.is_empty() => distinct(wanted)
            .into_iter()
            .map(|topic| describe_wanted(&image, topic, with_operations))
            .collect(),
        _ => image.topics().map(|topic| describe(&image, topic, with_operations)).collect(),
    };
    let cluster_authorized_operations =
        if request.include_cluster_authorized_operations { CLUSTER_OPERATIONS } else { i32::MIN };
    call.reply(&MetadataResponse {
        brokers,
        cluster_id: Some(call.node.cluster_id().to_owned()),
        controller_id: call.node.controller_id(),
        topics,
        cluster_authorized_operations,
        ..MetadataResponse::default()
    })
}

/// The topics that this request brings into being: asked for by name, legal, and not there.
fn to_create(call: &Call<'_>, image: &MetadataImage, request: &MetadataRequest) -> Option<Vec<CreateTopic>> {
    let enabled = request.allow_auto_topic_creation && call.node.config().auto_create_topics_enable;
    if !enabled || call.again {
        return None;
    }
    let mut missing: Vec<CreateTopic> = Vec::new();
    let mut seen = BTreeSet::new();
    for name in request.topics.iter().flatten().filter_map(|topic| topic.name.as_deref()) {
        let known = image.topic(name).is_some();
        if known || !seen.insert(name) {
            continue;
        }
        // Brokers' own topics have settings of their own.
        if name == OFFSETS_TOPIC {
            missing.push(offsets_topic(&call.node.config(), image));
        } else if !is_internal(name) && topic_name_problem(name).is_none() {
            missing.push(CreateTopic::with_defaults(name));
        }
    }
    (!missing.is_empty()).then_some(missing)
}

/// Each topic once, as Kafka answers.
fn distinct(wanted: &[MetadataRequestTopic]) -> Vec<&MetadataRequestTopic> {
    let mut seen = BTreeSet::new();
    wanted.iter().filter(|topic| seen.insert((&topic.name, topic.topic_id))).collect()
}

fn describe_wanted(
    image: &MetadataImage,
    wanted: &MetadataRequestTopic,
    with_operations: bool,
) -> MetadataResponseTopic {
    let found = match &wanted.name {
        Some(name) => image.topic(name),
        None => image.topic_by_id(wanted.topic_id),
    };
    if let Some(topic) = found {
        return describe(image, topic, with_operations);
    }
    let error_code = match &wanted.name {
        Some(name) if topic_name_problem(name).is_some() => ErrorCode::InvalidTopicException,
        Some(_) => ErrorCode::UnknownTopicOrPartition,
        None => ErrorCode::UnknownTopicId,
    };
    MetadataResponseTopic {
        error_code,
        name: wanted.name.clone(),
        topic_id: wanted.topic_id,
        ..MetadataResponseTopic::default()
    }
}

fn describe(image: &MetadataImage, topic: &Arc<TopicImage>, with_operations: bool) -> MetadataResponseTopic {
    MetadataResponseTopic {
        error_code: ErrorCode::None,
        name: Some(topic.name.to_string()),
        topic_id: topic.id,
        is_internal: is_internal(&topic.name),
        partitions: topic
            .partitions()
            .map(|(index, registration)| describe_partition(image, index, registration))
            .collect(),
        topic_authorized_operations: if with_operations { TOPIC_OPERATIONS } else { i32::MIN },
    }
}

fn describe_partition(
    image: &MetadataImage,
    partition_index: PartitionIndex,
    registration: &PartitionRegistration,
) -> MetadataResponsePartition {
    let has_leader = registration.leader != BrokerId::NONE;
    MetadataResponsePartition {
        error_code: if has_leader { ErrorCode::None } else { ErrorCode::LeaderNotAvailable },
        partition_index,
        leader_id: registration.leader,
        leader_epoch: registration.leader_epoch,
        replica_nodes: registration.replicas.clone(),
        isr_nodes: registration.isr.clone(),
        offline_replicas: offline(image, registration),
    }
}

/// The replicas whose broker is gone or fenced.
pub(super) fn offline(image: &MetadataImage, registration: &PartitionRegistration) -> Vec<BrokerId> {
    let is_offline = |id: &&BrokerId| image.broker(**id).is_none_or(|broker| broker.fenced);
    registration.replicas.iter().filter(is_offline).copied().collect()
}

/// Topics that brokers write: `Topic.INTERNAL_TOPICS` of Kafka.
pub(crate) fn is_internal(name: &str) -> bool {
    matches!(name, "__consumer_offsets" | "__transaction_state" | "__share_group_state")
}

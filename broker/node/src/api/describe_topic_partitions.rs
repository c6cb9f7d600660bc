//! DescribeTopicPartitions (75): topics page by page, with their eligible leader replicas (KIP-966).

use std::sync::Arc;

use machines::image::{MetadataImage, PartitionRegistration, TopicImage};
use protocol::ErrorCode;
use protocol::id::{BrokerId, PartitionIndex};
use protocol::message::describe_topic_partitions::{
    Cursor, DescribeTopicPartitionsRequest, DescribeTopicPartitionsResponse,
    DescribeTopicPartitionsResponsePartition, DescribeTopicPartitionsResponseTopic, TopicRequest,
};
use protocol::wire::Reader;

use super::metadata::{TOPIC_OPERATIONS, is_internal, offline};
use super::{Call, Handled, decode};

pub(super) fn handle(call: Call<'_>, reader: Reader<'_>) -> Result<Handled, &'static str> {
    let request: DescribeTopicPartitionsRequest = decode(reader, call.header.api_version)?;
    if request.cursor.as_ref().is_some_and(|cursor| cursor.partition_index < PartitionIndex(0)) {
        let refused = |topic: TopicRequest| DescribeTopicPartitionsResponseTopic {
            error_code: ErrorCode::InvalidRequest,
            name: Some(topic.name),
            ..DescribeTopicPartitionsResponseTopic::default()
        };
        let topics = request.topics.into_iter().map(refused).collect();
        return call.reply(&DescribeTopicPartitionsResponse {
            topics,
            ..DescribeTopicPartitionsResponse::default()
        });
    }
    let image = call.node.image();
    let from = request.cursor.as_ref().map_or("", |cursor| cursor.topic_name.as_str());
    let mut names: Vec<&str> = if request.topics.is_empty() {
        image.topics().map(|topic| &*topic.name).collect()
    } else {
        request.topics.iter().map(|topic| topic.name.as_str()).collect()
    };
    names.sort_unstable();
    names.dedup();
    names.retain(|name| *name >= from);
    let page_max = call.node.config().max_request_partition_size_limit;
    let limit = usize::try_from(request.response_partition_limit).unwrap_or(0).clamp(1, page_max);
    let mut page = Page { image: &image, left: limit, topics: Vec::new(), next_cursor: None };
    for name in names {
        let first = match &request.cursor {
            Some(cursor) if cursor.topic_name == name => cursor.partition_index,
            _ => PartitionIndex(0),
        };
        if !page.add(name, first) {
            break;
        }
    }
    let Page { topics, next_cursor, .. } = page;
    call.reply(&DescribeTopicPartitionsResponse {
        topics,
        next_cursor,
        ..DescribeTopicPartitionsResponse::default()
    })
}

struct Page<'a> {
    image: &'a MetadataImage,
    left: usize,
    topics: Vec<DescribeTopicPartitionsResponseTopic>,
    next_cursor: Option<Cursor>,
}

impl Page<'_> {
    /// Adds a topic's partitions from `first` on; `false` when the page is full and the cursor says where to go on.
    fn add(&mut self, name: &str, first: PartitionIndex) -> bool {
        let Some(topic) = self.image.topic(name) else {
            self.topics.push(unknown(name));
            return true;
        };
        if self.left == 0 {
            let topic_name = name.to_owned();
            self.next_cursor = Some(Cursor { topic_name, partition_index: first });
            return false;
        }
        let mut described = described(topic);
        for (index, registration) in topic.partitions().filter(|(index, _)| *index >= first) {
            if self.left == 0 {
                self.next_cursor = Some(Cursor { topic_name: name.to_owned(), partition_index: index });
                break;
            }
            self.left -= 1;
            described.partitions.push(partition(self.image, index, registration));
        }
        self.topics.push(described);
        self.next_cursor.is_none()
    }
}

fn unknown(name: &str) -> DescribeTopicPartitionsResponseTopic {
    let error_code = if machines::controller::topic_name_problem(name).is_some() {
        ErrorCode::InvalidTopicException
    } else {
        ErrorCode::UnknownTopicOrPartition
    };
    DescribeTopicPartitionsResponseTopic {
        error_code,
        name: Some(name.to_owned()),
        ..DescribeTopicPartitionsResponseTopic::default()
    }
}

fn described(topic: &Arc<TopicImage>) -> DescribeTopicPartitionsResponseTopic {
    DescribeTopicPartitionsResponseTopic {
        name: Some(topic.name.to_string()),
        topic_id: topic.id,
        is_internal: is_internal(&topic.name),
        topic_authorized_operations: TOPIC_OPERATIONS,
        ..DescribeTopicPartitionsResponseTopic::default()
    }
}

fn partition(
    image: &MetadataImage,
    partition_index: PartitionIndex,
    registration: &PartitionRegistration,
) -> DescribeTopicPartitionsResponsePartition {
    let has_leader = registration.leader != BrokerId::NONE;
    DescribeTopicPartitionsResponsePartition {
        error_code: if has_leader { ErrorCode::None } else { ErrorCode::LeaderNotAvailable },
        partition_index,
        leader_id: registration.leader,
        leader_epoch: registration.leader_epoch,
        replica_nodes: registration.replicas.clone(),
        isr_nodes: registration.isr.clone(),
        eligible_leader_replicas: Some(registration.elr.clone()),
        last_known_elr: Some(registration.last_known_elr.clone()),
        offline_replicas: offline(image, registration),
    }
}

//! OffsetFetch (9): how far groups have read, of named partitions or of all (KIP-709: several groups at once).

use machines::group::{FetchTopic, FetchedOffset, FetchedTopic};
use machines::image::MetadataImage;
use protocol::ErrorCode;
use protocol::id::{LeaderEpoch, Offset, TopicId};
use protocol::message::offset_fetch::{
    OffsetFetchRequest, OffsetFetchRequestGroup, OffsetFetchRequestTopic, OffsetFetchRequestTopics,
    OffsetFetchResponse, OffsetFetchResponseGroup, OffsetFetchResponsePartition,
    OffsetFetchResponsePartitions, OffsetFetchResponseTopic, OffsetFetchResponseTopics,
};
use protocol::wire::Reader;

use super::{Call, Handled, check_partitions, decode};

/// The first version that has a code for the whole group.
const GROUP_CODE_FROM: i16 = 2;
/// The first version that names several groups.
const BATCHED_FROM: i16 = 8;
/// The first version that names topics by id.
const IDS_FROM: i16 = 10;

pub(super) fn handle(call: Call<'_>, reader: Reader<'_>) -> Result<Handled, &'static str> {
    let version = call.header.api_version;
    let request: OffsetFetchRequest = decode(reader, version)?;
    check_partitions([request.groups.len()].into_iter())?;
    check_partitions(request.topics.iter().flatten().map(|topic| topic.partition_indexes.len()))?;
    let topics = request.groups.iter().flat_map(|group| group.topics.iter().flatten());
    check_partitions(topics.map(|topic| topic.partition_indexes.len()))?;
    if version >= BATCHED_FROM {
        let groups = request.groups.into_iter().map(|group| of_group(&call, group, version)).collect();
        return call.reply(&OffsetFetchResponse { groups, ..OffsetFetchResponse::default() });
    }
    let found = match &request.topics {
        None => call.read_group(&request.group_id, |shard| shard.fetch_all_offsets(&request.group_id)),
        Some(topics) => {
            let wanted: Vec<FetchTopic<'_>> = topics
                .iter()
                .map(|topic| FetchTopic {
                    name: &topic.name,
                    topic_id: TopicId::ZERO,
                    partitions: &topic.partition_indexes,
                })
                .collect();
            call.read_group(&request.group_id, |shard| shard.fetch_offsets(&request.group_id, &wanted))
        }
    };
    match found.and_then(|found| found) {
        Ok(topics) => {
            let topics = topics.into_iter().map(single).collect();
            call.reply(&OffsetFetchResponse { topics, ..OffsetFetchResponse::default() })
        }
        Err(error_code) if version >= GROUP_CODE_FROM => {
            call.reply(&OffsetFetchResponse { error_code, ..OffsetFetchResponse::default() })
        }
        Err(error_code) => {
            let topics = request.topics.into_iter().flatten().map(|topic| refused(topic, error_code));
            call.reply(&OffsetFetchResponse { topics: topics.collect(), ..OffsetFetchResponse::default() })
        }
    }
}

fn single(topic: FetchedTopic) -> OffsetFetchResponseTopic {
    let partition = |found: FetchedOffset| OffsetFetchResponsePartition {
        partition_index: found.index,
        committed_offset: found.offset,
        committed_leader_epoch: found.leader_epoch,
        metadata: Some(found.metadata),
        error_code: ErrorCode::None,
    };
    OffsetFetchResponseTopic {
        name: topic.name,
        partitions: topic.partitions.into_iter().map(partition).collect(),
    }
}

/// Before there was a code for the group, every partition had it.
fn refused(topic: OffsetFetchRequestTopic, error_code: ErrorCode) -> OffsetFetchResponseTopic {
    let partition = |partition_index| OffsetFetchResponsePartition {
        partition_index,
        committed_offset: Offset::UNKNOWN,
        committed_leader_epoch: LeaderEpoch::UNKNOWN,
        metadata: Some(String::new()),
        error_code,
    };
    OffsetFetchResponseTopic {
        name: topic.name,
        partitions: topic.partition_indexes.into_iter().map(partition).collect(),
    }
}

/// One group of a request that names several.
fn of_group(call: &Call<'_>, group: OffsetFetchRequestGroup, version: i16) -> OffsetFetchResponseGroup {
    let image = call.node.image();
    let by_id = version >= IDS_FROM;
    let group_id = group.group_id;
    let Some(topics) = group.topics else {
        let found = call.read_group(&group_id, |shard| shard.fetch_all_offsets(&group_id));
        return match found.and_then(|found| found) {
            Ok(topics) => {
                let topics = topics.into_iter().filter_map(|topic| found_topic(&image, topic, by_id));
                OffsetFetchResponseGroup {
                    topics: topics.collect(),
                    group_id,
                    ..OffsetFetchResponseGroup::default()
                }
            }
            Err(error_code) => {
                OffsetFetchResponseGroup { group_id, error_code, ..OffsetFetchResponseGroup::default() }
            }
        };
    };
    // A topic whose id is not known was committed for by nobody.
    let name_of = |topic: &OffsetFetchRequestTopics| match by_id {
        true => image.topic_by_id(topic.topic_id).map(|found| found.name.to_string()),
        false => Some(topic.name.clone()),
    };
    let names: Vec<Option<String>> = topics.iter().map(name_of).collect();
    let wanted: Vec<FetchTopic<'_>> = names
        .iter()
        .zip(&topics)
        .filter_map(|(name, topic)| {
            let topic_id = if by_id { topic.topic_id } else { TopicId::ZERO };
            Some(FetchTopic { name: name.as_deref()?, topic_id, partitions: &topic.partition_indexes })
        })
        .collect();
    let found = call.read_group(&group_id, |shard| shard.fetch_offsets(&group_id, &wanted));
    let mut found = match found.and_then(|found| found) {
        Ok(found) => found.into_iter(),
        Err(error_code) => {
            return OffsetFetchResponseGroup { group_id, error_code, ..OffsetFetchResponseGroup::default() };
        }
    };
    let answer = |(name, topic): (&Option<String>, OffsetFetchRequestTopics)| match name {
        Some(_) => {
            let partitions = found.next().map(|found| found.partitions).unwrap_or_default();
            batched(if by_id { String::new() } else { topic.name }, topic.topic_id, partitions)
        }
        None => unknown(topic),
    };
    let topics = names.iter().zip(topics).map(answer).collect();
    OffsetFetchResponseGroup { topics, group_id, ..OffsetFetchResponseGroup::default() }
}

/// A topic of a group that was asked for all; by id only where it still has one.
fn found_topic(image: &MetadataImage, topic: FetchedTopic, by_id: bool) -> Option<OffsetFetchResponseTopics> {
    let id = image.topic(&topic.name).map(|topic| topic.id);
    match id {
        Some(id) if by_id => Some(batched(String::new(), id, topic.partitions)),
        None if by_id => None,
        _ => Some(batched(topic.name, TopicId::ZERO, topic.partitions)),
    }
}

fn batched(name: String, topic_id: TopicId, partitions: Vec<FetchedOffset>) -> OffsetFetchResponseTopics {
    let partition = |found: FetchedOffset| OffsetFetchResponsePartitions {
        partition_index: found.index,
        committed_offset: found.offset,
        committed_leader_epoch: found.leader_epoch,
        metadata: Some(found.metadata),
        error_code: ErrorCode::None,
    };
    OffsetFetchResponseTopics { name, topic_id, partitions: partitions.into_iter().map(partition).collect() }
}

fn unknown(topic: OffsetFetchRequestTopics) -> OffsetFetchResponseTopics {
    let partition = |partition_index| OffsetFetchResponsePartitions {
        partition_index,
        committed_offset: Offset::UNKNOWN,
        committed_leader_epoch: LeaderEpoch::UNKNOWN,
        metadata: Some(String::new()),
        error_code: ErrorCode::UnknownTopicId,
    };
    OffsetFetchResponseTopics {
        name: String::new(),
        topic_id: topic.topic_id,
        partitions: topic.partition_indexes.into_iter().map(partition).collect(),
    }
}

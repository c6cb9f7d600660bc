//! OffsetCommit (8): how far a group has read.

use machines::group::{CommitPartition, CommitTopic, OffsetCommitReply, OffsetCommitRequest as Commit};
use machines::image::{MetadataImage, TopicImage};
use protocol::ErrorCode;
use protocol::id::TopicId;
use protocol::message::offset_commit::{
    OffsetCommitRequest, OffsetCommitRequestTopic, OffsetCommitResponse, OffsetCommitResponsePartition,
    OffsetCommitResponseTopic,
};
use protocol::wire::Reader;

use super::{Call, Handled, check_partitions, decode};
use crate::coordinator::Form;

/// The first version that names topics by id.
const IDS_FROM: i16 = 10;
/// The first version that has a code of its own for a group that is not there.
const MISSING_GROUP_FROM: i16 = 9;

pub(super) fn handle(mut call: Call<'_>, reader: Reader<'_>) -> Result<Handled, &'static str> {
    let version = call.header.api_version;
    let request: OffsetCommitRequest = decode(reader, version)?;
    check_partitions(request.topics.iter().map(|topic| topic.partitions.len()))?;
    let image = std::sync::Arc::clone(&call.node.image());
    let mut response = OffsetCommitResponse::default();
    let mut commit = Commit {
        group_id: request.group_id.clone(),
        generation_id: request.generation_id_or_member_epoch.0,
        member_id: request.member_id,
        group_instance_id: request.group_instance_id,
        retention_time_ms: Some(request.retention_time_ms).filter(|retention| *retention != -1),
        reports_missing_group: version >= MISSING_GROUP_FROM,
        topics: Vec::with_capacity(request.topics.len()),
    };
    for topic in request.topics {
        let (known, answer) = sort(&image, topic, version);
        commit.topics.extend(known);
        response.topics.push(answer);
    }
    if commit.topics.is_empty() {
        // Nothing is left to be asked of the group, as in Kafka.
        return call.reply(&response);
    }
    let skeleton = response.clone();
    let asked = call.ask_group(&request.group_id, Form::Commit(response), |groups, at, caller, out| {
        groups.commit_offsets(at, caller, commit, out);
    });
    asked.or_else(|error_code| call.reply(&failed(skeleton, error_code)))
}

/// What of a topic the group is asked about, and the answer with codes for the rest.
fn sort(
    image: &MetadataImage,
    topic: OffsetCommitRequestTopic,
    version: i16,
) -> (Option<CommitTopic>, OffsetCommitResponseTopic) {
    let (found, missing) = if version >= IDS_FROM {
        (image.topic_by_id(topic.topic_id), ErrorCode::UnknownTopicId)
    } else {
        (image.topic(&topic.name), ErrorCode::UnknownTopicOrPartition)
    };
    let mut known = Vec::new();
    let mut partitions = Vec::with_capacity(topic.partitions.len());
    for partition in topic.partitions {
        let index = partition.partition_index;
        let error_code = match found {
            None => missing,
            Some(topic) if image.partition_by_id(topic.id, index).is_none() => {
                ErrorCode::UnknownTopicOrPartition
            }
            Some(_) => {
                known.push(CommitPartition {
                    index,
                    offset: partition.committed_offset,
                    leader_epoch: partition.committed_leader_epoch,
                    metadata: partition.committed_metadata,
                });
                ErrorCode::None
            }
        };
        partitions.push(OffsetCommitResponsePartition { partition_index: index, error_code });
    }
    let commit = |topic: &std::sync::Arc<TopicImage>| CommitTopic {
        name: topic.name.to_string(),
        topic_id: topic.id,
        partitions: known,
    };
    let is_asked = partitions.iter().any(|partition| !partition.error_code.is_error());
    let known = found.filter(|_| is_asked).map(commit);
    let topic_id = if version >= IDS_FROM { topic.topic_id } else { TopicId::ZERO };
    (known, OffsetCommitResponseTopic { name: topic.name, topic_id, partitions })
}

/// The response with the group's codes in the places of those that it was asked about.
pub(super) fn filled(mut response: OffsetCommitResponse, reply: &OffsetCommitReply) -> OffsetCommitResponse {
    let mut codes = reply.topics.iter().flat_map(|topic| &topic.partitions).map(|(_, code)| *code);
    let partitions = response.topics.iter_mut().flat_map(|topic| &mut topic.partitions);
    for partition in partitions.filter(|partition| !partition.error_code.is_error()) {
        partition.error_code = codes.next().unwrap_or(ErrorCode::UnknownServerError);
    }
    response
}

/// The response when the group could not be asked.
fn failed(mut response: OffsetCommitResponse, error_code: ErrorCode) -> OffsetCommitResponse {
    let partitions = response.topics.iter_mut().flat_map(|topic| &mut topic.partitions);
    for partition in partitions.filter(|partition| !partition.error_code.is_error()) {
        partition.error_code = error_code;
    }
    response
}

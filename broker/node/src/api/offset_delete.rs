//! OffsetDelete (47): offsets that a group committed for topics that it does not read any more (KIP-496).

use machines::group::{OffsetDeleteReply, OffsetDeleteRequest as Deletion};
use protocol::ErrorCode;
use protocol::message::offset_delete::{
    OffsetDeleteRequest, OffsetDeleteResponse, OffsetDeleteResponsePartition, OffsetDeleteResponseTopic,
};
use protocol::wire::Reader;

use super::{Call, Handled, check_partitions, decode};
use crate::coordinator::Form;

pub(super) fn handle(mut call: Call<'_>, reader: Reader<'_>) -> Result<Handled, &'static str> {
    let request: OffsetDeleteRequest = decode(reader, call.header.api_version)?;
    check_partitions(request.topics.iter().map(|topic| topic.partitions.len()))?;
    let image = call.node.image();
    let mut deletion = Deletion { group_id: request.group_id.clone(), topics: Vec::new() };
    let mut topics = Vec::with_capacity(request.topics.len());
    for topic in request.topics {
        let found = image.topic(&topic.name);
        let mut asked = Vec::new();
        let mut partitions = Vec::with_capacity(topic.partitions.len());
        for partition_index in topic.partitions.into_iter().map(|partition| partition.partition_index) {
            let known = found.is_some_and(|topic| image.partition_by_id(topic.id, partition_index).is_some());
            if known {
                asked.push(partition_index);
            }
            let error_code = if known { ErrorCode::None } else { ErrorCode::UnknownTopicOrPartition };
            partitions.push(OffsetDeleteResponsePartition { partition_index, error_code });
        }
        if !asked.is_empty() {
            deletion.topics.push((topic.name.clone(), asked));
        }
        topics.push(OffsetDeleteResponseTopic { name: topic.name, partitions });
    }
    let response = OffsetDeleteResponse { topics, ..OffsetDeleteResponse::default() };
    let asked =
        call.ask_group(&request.group_id, Form::DeleteOffsets(response), |groups, at, caller, out| {
            groups.delete_offsets(at, caller, deletion, out);
        });
    asked.or_else(|error_code| {
        call.reply(&OffsetDeleteResponse { error_code, ..OffsetDeleteResponse::default() })
    })
}

/// The response with the group's codes in the places of those that it was asked about.
pub(super) fn filled(mut response: OffsetDeleteResponse, reply: OffsetDeleteReply) -> OffsetDeleteResponse {
    if reply.error_code.is_error() {
        return OffsetDeleteResponse { error_code: reply.error_code, ..OffsetDeleteResponse::default() };
    }
    let mut codes = reply.topics.iter().flat_map(|topic| &topic.partitions).map(|(_, code)| *code);
    let partitions = response.topics.iter_mut().flat_map(|topic| &mut topic.partitions);
    for partition in partitions.filter(|partition| !partition.error_code.is_error()) {
        partition.error_code = codes.next().unwrap_or(ErrorCode::UnknownServerError);
    }
    response
}

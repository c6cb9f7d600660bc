//! OffsetForLeaderEpoch (23): where a leader epoch ends in the log (KIP-320).

use std::sync::Arc;

use protocol::ErrorCode;
use protocol::id::{LeaderEpoch, Offset};
use protocol::message::offset_for_leader_epoch::{
    EpochEndOffset, OffsetForLeaderEpochRequest, OffsetForLeaderEpochResponse, OffsetForLeaderPartition,
    OffsetForLeaderTopic, OffsetForLeaderTopicResult,
};
use protocol::wire::Reader;

use super::{Call, Handled, check_partitions, decode};
use crate::partition::Partition;
use crate::table::HostedTopic;

pub(super) fn handle(call: Call<'_>, reader: Reader<'_>) -> Result<Handled, &'static str> {
    let request: OffsetForLeaderEpochRequest = decode(reader, call.header.api_version)?;
    check_partitions(request.topics.iter().map(|topic| topic.partitions.len()))?;
    let table = call.node.table();
    let topics = request
        .topics
        .into_iter()
        .map(|OffsetForLeaderTopic { topic, partitions }| {
            let hosted = table.by_name(&topic);
            let answer = |wanted: &OffsetForLeaderPartition| answer(hosted, wanted);
            OffsetForLeaderTopicResult { partitions: partitions.iter().map(answer).collect(), topic }
        })
        .collect();
    call.reply(&OffsetForLeaderEpochResponse { topics, ..OffsetForLeaderEpochResponse::default() })
}

fn answer(hosted: Option<&Arc<HostedTopic>>, wanted: &OffsetForLeaderPartition) -> EpochEndOffset {
    let found = hosted
        .and_then(|topic| topic.partition(wanted.partition))
        .ok_or(ErrorCode::UnknownTopicOrPartition)
        .and_then(|partition| end_of_epoch(partition, wanted));
    let (error_code, leader_epoch, end_offset) = match found {
        Ok((epoch, end)) => (ErrorCode::None, epoch, end),
        Err(error) => (error, LeaderEpoch::UNKNOWN, Offset::UNKNOWN),
    };
    EpochEndOffset { error_code, partition: wanted.partition, leader_epoch, end_offset }
}

fn end_of_epoch(
    partition: &Partition,
    wanted: &OffsetForLeaderPartition,
) -> Result<(LeaderEpoch, Offset), ErrorCode> {
    let state = partition.lock();
    state.replica.check_leader(wanted.current_leader_epoch)?;
    Ok(state.log()?.epoch_end_offset(wanted.leader_epoch))
}

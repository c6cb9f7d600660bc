//! DescribeProducers (61): the idempotent producers that partitions remember (KIP-664).

use protocol::ErrorCode;
use protocol::id::{LeaderEpoch, Offset, PartitionIndex};
use protocol::message::describe_producers::{
    DescribeProducersRequest, DescribeProducersResponse, PartitionResponse, ProducerState, TopicResponse,
};
use protocol::wire::Reader;
use storage::ActiveProducer;

use super::{Call, Handled, check_partitions, decode};
use crate::config::DESCRIBED_PRODUCERS_MAX;
use crate::node::Node;

pub(super) fn handle(call: Call<'_>, reader: Reader<'_>) -> Result<Handled, &'static str> {
    let request: DescribeProducersRequest = decode(reader, call.header.api_version)?;
    check_partitions(request.topics.iter().map(|topic| topic.partition_indexes.len()))?;
    let mut room = DESCRIBED_PRODUCERS_MAX;
    let topics = request.topics.into_iter().map(|topic| {
        let indexes = topic.partition_indexes.into_iter();
        let partitions = indexes.map(|index| describe(call.node, &topic.name, index, &mut room)).collect();
        TopicResponse { name: topic.name, partitions }
    });
    let response =
        DescribeProducersResponse { topics: topics.collect(), ..DescribeProducersResponse::default() };
    call.reply(&response)
}

fn describe(node: &Node, topic: &str, index: PartitionIndex, room: &mut usize) -> PartitionResponse {
    let response = PartitionResponse { partition_index: index, ..PartitionResponse::default() };
    let (error_code, message) = match producers(node, topic, index, room) {
        Ok(active_producers) => return PartitionResponse { active_producers, ..response },
        Err(refusal) => refusal,
    };
    PartitionResponse { error_code, error_message: Some(message), ..response }
}

fn producers(
    node: &Node,
    topic: &str,
    index: PartitionIndex,
    room: &mut usize,
) -> Result<Vec<ProducerState>, (ErrorCode, String)> {
    let table = node.table();
    let Some(partition) = table.by_name(topic).and_then(|topic| topic.partition(index)) else {
        let message = format!("partition {topic}-{index} is not hosted here");
        return Err((ErrorCode::UnknownTopicOrPartition, message));
    };
    let state = partition.lock();
    let leads = state.replica.check_leader(LeaderEpoch::UNKNOWN);
    let (Ok(log), Ok(())) = (state.log(), leads) else {
        let is_closed = state.log().is_err();
        drop(state);
        if is_closed {
            partition.ask_for_recovery();
        }
        let message = format!("broker {} does not lead partition {topic}-{index}", node.config().node_id);
        return Err((ErrorCode::NotLeaderOrFollower, message));
    };
    let count = log.producer_count();
    if count > *room {
        let message = format!(
            "partition {topic}-{index} has {count} producers; one answer has {DESCRIBED_PRODUCERS_MAX} at most, so \
             ask for fewer partitions at a time"
        );
        return Err((ErrorCode::InvalidRequest, message));
    }
    *room -= count;
    Ok(log.active_producers().map(producer_state).collect())
}

fn producer_state(producer: ActiveProducer) -> ProducerState {
    ProducerState {
        producer_id: producer.id,
        producer_epoch: i32::from(producer.epoch.0),
        last_sequence: producer.last_sequence.unwrap_or(-1),
        last_timestamp: producer.last_timestamp,
        coordinator_epoch: producer.coordinator_epoch,
        current_txn_start_offset: producer.transaction_first_offset.unwrap_or(Offset::UNKNOWN),
    }
}

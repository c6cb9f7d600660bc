//! DescribeQuorum (55): how the metadata quorum stands, as its leader sees it (KIP-595, KIP-853).

use machines::quorum::{ReplicaKey, Role, Status};
use protocol::ErrorCode;
use protocol::id::{BrokerId, Offset, PartitionIndex, Timestamp};
use protocol::message::describe_quorum::{
    DescribeQuorumRequest, DescribeQuorumResponse, DescribedPartition, DescribedTopic, Node as WireNode,
    ReplicaState, TopicData,
};
use protocol::wire::Reader;

use super::{Call, Handled, check_partitions, decode};
use crate::effects::Now;

/// The log of the metadata, as Kafka names it.
const METADATA_TOPIC: &str = "__cluster_metadata";

pub(super) fn handle(call: Call<'_>, reader: Reader<'_>) -> Result<Handled, &'static str> {
    let request: DescribeQuorumRequest = decode(reader, call.header.api_version)?;
    check_partitions(request.topics.iter().map(|topic| topic.partitions.len()))?;
    let status = call.node.metadata().status();
    let topics = request.topics.into_iter().map(|topic| describe(topic, &status, call.now)).collect();
    // Voters alone, each once; nobody connects to them from outside.
    let node = |voter: &ReplicaKey| WireNode { node_id: voter.id, listeners: Vec::new() };
    let nodes = status.membership.voters.iter().map(node).collect();
    call.reply(&DescribeQuorumResponse { topics, nodes, ..DescribeQuorumResponse::default() })
}

fn describe(topic: TopicData, status: &Status, now: Now) -> DescribedTopic {
    let partition = |index: PartitionIndex| {
        if topic.topic_name == METADATA_TOPIC && index == PartitionIndex(0) {
            return quorum(status, now);
        }
        refusal(
            index,
            ErrorCode::UnknownTopicOrPartition,
            format!("only partition {METADATA_TOPIC}-0 has a quorum, not {}-{index}", topic.topic_name),
        )
    };
    let partitions = topic.partitions.iter().map(|wanted| partition(wanted.partition_index)).collect();
    DescribedTopic { partitions, topic_name: topic.topic_name }
}

fn refusal(partition_index: PartitionIndex, error_code: ErrorCode, message: String) -> DescribedPartition {
    DescribedPartition {
        partition_index,
        error_code,
        error_message: Some(message),
        ..DescribedPartition::default()
    }
}

fn quorum(status: &Status, now: Now) -> DescribedPartition {
    if !matches!(status.role, Role::Leader { .. }) {
        let message = "this broker does not lead the quorum".to_owned();
        return refusal(PartitionIndex(0), ErrorCode::NotLeaderOrFollower, message);
    }
    let replicas = |of: &[ReplicaKey]| of.iter().map(|replica| replica_state(replica, status, now)).collect();
    DescribedPartition {
        partition_index: PartitionIndex(0),
        error_code: ErrorCode::None,
        error_message: None,
        leader_id: status.leader.map_or(BrokerId::NONE, |leader| leader.id),
        leader_epoch: status.leader_epoch,
        high_watermark: status.high_watermark,
        current_voters: replicas(&status.membership.voters),
        observers: replicas(&status.membership.learners),
    }
}

fn replica_state(replica: &ReplicaKey, status: &Status, now: Now) -> ReplicaState {
    let state = |log_end_offset, last_fetch_timestamp, last_caught_up_timestamp| ReplicaState {
        replica_id: replica.id,
        replica_directory_id: replica.directory_id,
        log_end_offset,
        last_fetch_timestamp,
        last_caught_up_timestamp,
    };
    if status.leader == Some(*replica) {
        return state(status.log_end_offset, now.wall, now.wall);
    }
    let Some(peer) = status.peers.iter().find(|peer| peer.replica == *replica) else {
        return state(Offset::UNKNOWN, Timestamp::NONE, Timestamp::NONE);
    };
    // By the wall clock of now, because only the time since then is known.
    let heard = peer.last_contact.map_or(Timestamp::NONE, |at| {
        let since = i64::try_from(now.monotonic.since(at).as_millis()).unwrap_or(i64::MAX);
        Timestamp(now.wall.0.saturating_sub(since))
    });
    let has_all = peer.log_end_offset == status.log_end_offset;
    state(peer.log_end_offset, heard, if has_all { heard } else { Timestamp::NONE })
}

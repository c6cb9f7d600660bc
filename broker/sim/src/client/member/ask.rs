//! What a member asks its group's coordinator.

use bytes::Bytes;
use protocol::id::{GenerationId, Offset, PartitionIndex};
use protocol::message::find_coordinator::FindCoordinatorRequest;
use protocol::message::heartbeat::HeartbeatRequest;
use protocol::message::join_group::{JoinGroupRequest, JoinGroupRequestProtocol};
use protocol::message::leave_group::{LeaveGroupRequest, MemberIdentity};
use protocol::message::offset_commit::{
    OffsetCommitRequest, OffsetCommitRequestPartition, OffsetCommitRequestTopic,
};
use protocol::message::offset_fetch::{
    OffsetFetchRequest, OffsetFetchRequestGroup, OffsetFetchRequestTopic, OffsetFetchRequestTopics,
};
use protocol::message::sync_group::{SyncGroupRequest, SyncGroupRequestAssignment};
use protocol::wire::Message as _;

use super::{Member, What};
use crate::client::Context;
use crate::client::records::name_of;
use crate::oracle::{Kind, Place};

/// The first version that knows static members.
const STATIC_JOIN_FROM: i16 = 5;
const STATIC_SYNC_FROM: i16 = 3;
const STATIC_COMMIT_FROM: i16 = 7;
/// The first versions that name topics by id, and several groups.
const COMMIT_IDS_FROM: i16 = 10;
const FETCH_IDS_FROM: i16 = 10;
const FETCH_GROUPS_FROM: i16 = 8;
const FIND_BATCHED_FROM: i16 = 4;

impl Member {
    pub(super) fn find(&mut self, context: &mut Context<'_>) {
        let version = context.random.version(FindCoordinatorRequest::VERSIONS);
        let mut request = FindCoordinatorRequest::default();
        if version < FIND_BATCHED_FROM {
            request.key.clone_from(&self.group);
        } else {
            request.coordinator_keys.push(self.group.clone());
        }
        self.requests.send(&request, version, What::Find, context);
    }

    pub(super) fn join(&mut self, context: &mut Context<'_>) {
        let oldest = if self.instance.is_some() { STATIC_JOIN_FROM } else { 0 };
        let version = context.random.version(oldest..=*JoinGroupRequest::VERSIONS.end());
        let request = JoinGroupRequest {
            group_id: self.group.clone(),
            session_timeout_ms: context.random.between_i32(300, 2_000),
            rebalance_timeout_ms: context.random.between_i32(300, 2_000),
            member_id: self.member_id.clone(),
            group_instance_id: self.instance.clone(),
            protocol_type: "sim".to_owned(),
            protocols: vec![JoinGroupRequestProtocol {
                name: "shares".to_owned(),
                metadata: Bytes::copy_from_slice(self.member_id.as_bytes()),
            }],
            reason: None,
        };
        let at_least = context.oracle.groups.generation(&self.group);
        self.requests.send(&request, version, What::Join { at_least }, context);
    }

    /// Asks for its part, and as the leader says what everybody's is.
    pub(super) fn sync(&mut self, context: &mut Context<'_>) {
        let oldest = if self.instance.is_some() { STATIC_SYNC_FROM } else { 0 };
        let version = context.random.version(oldest..=*SyncGroupRequest::VERSIONS.end());
        let assignments = self.assign(context);
        let request = SyncGroupRequest {
            group_id: self.group.clone(),
            generation_id: GenerationId(self.generation),
            member_id: self.member_id.clone(),
            group_instance_id: self.instance.clone(),
            protocol_type: Some("sim".to_owned()),
            protocol_name: Some("shares".to_owned()),
            assignments,
        };
        self.requests.send(&request, version, What::Sync, context);
    }

    /// Each partition to one member. A part is a text: the assignment's number and names of partitions.
    fn assign(&self, context: &mut Context<'_>) -> Vec<SyncGroupRequestAssignment> {
        if self.followers.is_empty() {
            return Vec::new();
        }
        let number = context.oracle.groups.assignment();
        let mut parts = vec![number.to_string(); self.followers.len()];
        for (at, place) in places(context).into_iter().enumerate() {
            let member = (at + usize::try_from(number).unwrap_or(0)) % parts.len();
            parts[member].push_str(&format!(" {}/{}", name_of(context.oracle, place), place.1));
        }
        let assignment = |(member_id, part): (&String, String)| {
            context.oracle.groups.proposed(&self.group, self.generation, part.clone().into_bytes());
            SyncGroupRequestAssignment { member_id: member_id.clone(), assignment: Bytes::from(part) }
        };
        self.followers.iter().zip(parts).map(assignment).collect()
    }

    pub(super) fn work(&mut self, context: &mut Context<'_>) {
        match context.random.below(100) {
            0..3 => self.leave(context),
            3..5 => {
                context.oracle.counters.members_crashed += 1;
                self.forget();
            }
            5..7 => self.join(context),
            7..20 => self.fetch(context),
            20..60 => self.commit(context),
            _ => self.heartbeat(context),
        }
    }

    fn heartbeat(&mut self, context: &mut Context<'_>) {
        let oldest = if self.instance.is_some() { STATIC_SYNC_FROM } else { 0 };
        let version = context.random.version(oldest..=*HeartbeatRequest::VERSIONS.end());
        let request = HeartbeatRequest {
            group_id: self.group.clone(),
            generation_id: GenerationId(self.generation),
            member_id: self.member_id.clone(),
            group_instance_id: self.instance.clone(),
        };
        self.requests.send(&request, version, What::Heartbeat, context);
    }

    fn commit(&mut self, context: &mut Context<'_>) {
        if self.part.is_empty() {
            return self.heartbeat(context);
        }
        let oldest = if self.instance.is_some() { STATIC_COMMIT_FROM } else { 2 };
        let version = context.random.version(oldest..=*OffsetCommitRequest::VERSIONS.end());
        let mut committed = Vec::new();
        let mut topics = Vec::new();
        for place in self.part.clone() {
            if context.random.chance(40) {
                continue;
            }
            let ahead = i64::try_from(context.random.below(5)).unwrap_or(0);
            let offset = context.oracle.groups.next_offset(&self.group, place, ahead);
            committed.push((place, offset));
            let by_id = version >= COMMIT_IDS_FROM;
            topics.push(OffsetCommitRequestTopic {
                name: if by_id { String::new() } else { name_of(context.oracle, place) },
                topic_id: if by_id { place.0 } else { protocol::id::TopicId::ZERO },
                partitions: vec![OffsetCommitRequestPartition {
                    partition_index: PartitionIndex(place.1),
                    committed_offset: Offset(offset),
                    committed_metadata: Some(offset.to_string()),
                    ..OffsetCommitRequestPartition::default()
                }],
            });
        }
        let request = OffsetCommitRequest {
            group_id: self.group.clone(),
            generation_id_or_member_epoch: GenerationId(self.generation),
            member_id: self.member_id.clone(),
            group_instance_id: self.instance.clone(),
            topics,
            ..OffsetCommitRequest::default()
        };
        self.requests.send(&request, version, What::Commit(committed), context);
    }

    /// Asks where the group stands in the partitions of its part.
    pub(super) fn fetch(&mut self, context: &mut Context<'_>) {
        let version = context.random.version(OffsetFetchRequest::VERSIONS);
        let wanted: Vec<(Place, i64)> = self
            .part
            .iter()
            .map(|place| (*place, context.oracle.groups.floor(&self.group, *place)))
            .collect();
        let by_id = version >= FETCH_IDS_FROM;
        let mut request = OffsetFetchRequest::default();
        let indexes = |place: &Place| vec![PartitionIndex(place.1)];
        if version < FETCH_GROUPS_FROM {
            request.group_id.clone_from(&self.group);
            let topic = |(place, _): &(Place, i64)| OffsetFetchRequestTopic {
                name: name_of(context.oracle, *place),
                partition_indexes: indexes(place),
            };
            request.topics = Some(wanted.iter().map(topic).collect());
        } else {
            let topic = |(place, _): &(Place, i64)| OffsetFetchRequestTopics {
                name: if by_id { String::new() } else { name_of(context.oracle, *place) },
                topic_id: if by_id { place.0 } else { protocol::id::TopicId::ZERO },
                partition_indexes: indexes(place),
            };
            request.groups.push(OffsetFetchRequestGroup {
                group_id: self.group.clone(),
                topics: Some(wanted.iter().map(topic).collect()),
                ..OffsetFetchRequestGroup::default()
            });
        }
        self.requests.send(&request, version, What::Fetch(wanted), context);
    }

    pub(super) fn leave(&mut self, context: &mut Context<'_>) {
        let oldest = if self.instance.is_some() { STATIC_SYNC_FROM } else { 0 };
        let version = context.random.version(oldest..=*LeaveGroupRequest::VERSIONS.end());
        let mut request = LeaveGroupRequest { group_id: self.group.clone(), ..LeaveGroupRequest::default() };
        if version < STATIC_SYNC_FROM {
            request.member_id.clone_from(&self.member_id);
        } else {
            request.members.push(MemberIdentity {
                member_id: self.member_id.clone(),
                group_instance_id: self.instance.clone(),
                reason: None,
            });
        }
        self.requests.send(&request, version, What::Leave, context);
    }
}

/// A partition by its name in an assignment.
pub(super) fn place_of(name: &str, context: &Context<'_>) -> Option<Place> {
    let (topic, partition) = name.split_once('/')?;
    Some((context.oracle.topic(topic)?.id, partition.parse().ok()?))
}

/// All partitions that groups share: those of topics that last.
fn places(context: &Context<'_>) -> Vec<Place> {
    let lasting = context.oracle.topics().filter(|topic| topic.kind != Kind::Fleeting);
    lasting.flat_map(|topic| (0..topic.partitions).map(|partition| (topic.id, partition))).collect()
}

//! Groups as clients see them: frames in, frames out, over restarts and refusals of the disk.

mod admin;
mod lag;
mod refusals;
mod restarts;

use bytes::Bytes;
use protocol::ErrorCode;
use protocol::id::{GenerationId, Offset, PartitionIndex};
use protocol::message::find_coordinator::{FindCoordinatorRequest, FindCoordinatorResponse};
use protocol::message::heartbeat::HeartbeatRequest;
use protocol::message::join_group::{JoinGroupRequest, JoinGroupRequestProtocol, JoinGroupResponse};
use protocol::message::offset_commit::{
    OffsetCommitRequest, OffsetCommitRequestPartition, OffsetCommitRequestTopic,
};
use protocol::message::offset_fetch::{
    OffsetFetchRequest, OffsetFetchRequestGroup, OffsetFetchRequestTopics, OffsetFetchResponseGroup,
};
use protocol::message::sync_group::{SyncGroupRequest, SyncGroupRequestAssignment, SyncGroupResponse};
use protocol::message::{
    DeleteGroupsRequest, DescribeGroupsRequest, LeaveGroupRequest, ListGroupsRequest, OffsetDeleteRequest,
};
use protocol::wire::Request;
use storage::disk::VirtualDisk;

use crate::testing::{Bench, Link};

/// Versions that name topics by name and carry all else.
const COMMIT_VERSION: i16 = 9;
const FETCH_VERSION: i16 = 9;
const JOIN_VERSION: i16 = 9;
const SYNC_VERSION: i16 = 5;

/// A broker that lets groups begin without a delay, and has a topic `t` and the topic of offsets.
fn bench(disk: &VirtualDisk) -> Bench {
    let mut bench = opened(disk);
    bench.create("t");
    assert_eq!(find(&mut bench, "g").error_code, ErrorCode::None);
    bench
}

fn opened(disk: &VirtualDisk) -> Bench {
    let mut bench = Bench::open(disk, &[("group.initial.rebalance.delay.ms", "0")]).expect("it starts");
    bench.come_up();
    bench
}

fn find(bench: &mut Bench, group: &str) -> FindCoordinatorResponse {
    let request = FindCoordinatorRequest { key: group.to_owned(), ..FindCoordinatorRequest::default() };
    bench.call(&request, 3)
}

fn join(member_id: &str, instance: Option<&str>) -> JoinGroupRequest {
    JoinGroupRequest {
        group_id: "g".to_owned(),
        session_timeout_ms: 10_000,
        rebalance_timeout_ms: 20_000,
        member_id: member_id.to_owned(),
        group_instance_id: instance.map(str::to_owned),
        protocol_type: "consumer".to_owned(),
        protocols: vec![JoinGroupRequestProtocol {
            name: "range".to_owned(),
            metadata: Bytes::from_static(b"topics"),
        }],
        reason: None,
    }
}

/// The leader's SyncGroup: each of these gets its own name as its assignment.
fn sync(of: &JoinGroupResponse, to: &[&str]) -> SyncGroupRequest {
    let assignment = |member: &&str| SyncGroupRequestAssignment {
        member_id: (*member).to_owned(),
        assignment: Bytes::copy_from_slice(member.as_bytes()),
    };
    SyncGroupRequest {
        group_id: "g".to_owned(),
        generation_id: of.generation_id,
        member_id: of.member_id.clone(),
        protocol_type: Some("consumer".to_owned()),
        protocol_name: Some("range".to_owned()),
        assignments: to.iter().map(assignment).collect(),
        ..SyncGroupRequest::default()
    }
}

fn commit(generation_id: i32, member_id: &str, topic: &str, offset: i64) -> OffsetCommitRequest {
    let partition = OffsetCommitRequestPartition {
        partition_index: PartitionIndex(0),
        committed_offset: Offset(offset),
        committed_metadata: Some(format!("at {offset}")),
        ..OffsetCommitRequestPartition::default()
    };
    let topic = OffsetCommitRequestTopic {
        name: topic.to_owned(),
        partitions: vec![partition],
        ..OffsetCommitRequestTopic::default()
    };
    OffsetCommitRequest {
        group_id: "g".to_owned(),
        generation_id_or_member_epoch: GenerationId(generation_id),
        member_id: member_id.to_owned(),
        topics: vec![topic],
        ..OffsetCommitRequest::default()
    }
}

fn fetch_request(group: &str, topics: Option<&[&str]>) -> OffsetFetchRequest {
    let topic = |name: &&str| OffsetFetchRequestTopics {
        name: (*name).to_owned(),
        partition_indexes: vec![PartitionIndex(0)],
        ..OffsetFetchRequestTopics::default()
    };
    let group = OffsetFetchRequestGroup {
        group_id: group.to_owned(),
        topics: topics.map(|topics| topics.iter().map(topic).collect()),
        ..OffsetFetchRequestGroup::default()
    };
    OffsetFetchRequest { groups: vec![group], ..OffsetFetchRequest::default() }
}

impl Bench {
    fn commit_code(&mut self, generation_id: i32, member_id: &str, offset: i64) -> ErrorCode {
        let response = self.call(&commit(generation_id, member_id, "t", offset), COMMIT_VERSION);
        response.topics[0].partitions[0].error_code
    }

    fn heartbeat(&mut self, generation_id: GenerationId, member_id: &str) -> ErrorCode {
        let request = HeartbeatRequest {
            group_id: "g".to_owned(),
            generation_id,
            member_id: member_id.to_owned(),
            group_instance_id: None,
        };
        self.call(&request, 4).error_code
    }

    /// What group `g` has committed for partition 0 of a topic.
    fn committed(&mut self, topic: &str) -> (ErrorCode, i64) {
        let group = self.fetch_offsets("g", Some(&[topic]));
        let found = group.topics.first().map(|topic| topic.partitions[0].committed_offset.0);
        (group.error_code, found.unwrap_or(-1))
    }

    fn fetch_offsets(&mut self, group: &str, topics: Option<&[&str]>) -> OffsetFetchResponseGroup {
        self.call(&fetch_request(group, topics), FETCH_VERSION).groups.remove(0)
    }

    /// A new member of its own connection, which got an id and waits to join.
    fn begin_join(&mut self) -> (Link, String) {
        let mut link = self.connect();
        self.send(&mut link, &join("", None), JOIN_VERSION);
        let answer = link.response::<JoinGroupRequest>().expect("an id at once");
        assert_eq!(answer.error_code, ErrorCode::MemberIdRequired);
        self.send(&mut link, &join(&answer.member_id, None), JOIN_VERSION);
        (link, answer.member_id)
    }

    /// A group of one member, stable.
    fn stable(&mut self) -> (Link, JoinGroupResponse) {
        let (mut link, id) = self.begin_join();
        self.pass(std::time::Duration::from_millis(1));
        let joined = link.response::<JoinGroupRequest>().expect("it is alone");
        assert_eq!((joined.error_code, &joined.leader), (ErrorCode::None, &id));
        self.send(&mut link, &sync(&joined, &[&id]), SYNC_VERSION);
        let synced = link.response::<SyncGroupRequest>().expect("its own assignment");
        assert_eq!((synced.error_code, &*synced.assignment), (ErrorCode::None, id.as_bytes()));
        (link, joined)
    }
}

fn joined(link: &mut Link) -> Option<JoinGroupResponse> {
    link.response::<JoinGroupRequest>()
}

fn synced(link: &mut Link) -> Option<SyncGroupResponse> {
    link.response::<SyncGroupRequest>()
}

#[test]
fn a_member_joins_syncs_and_commits() {
    let mut bench = bench(&VirtualDisk::new());
    let (_link, joined) = bench.stable();
    assert_eq!(joined.generation_id, GenerationId(1));
    assert_eq!(joined.members.len(), 1);
    assert!(joined.member_id.starts_with("test-"), "{}", joined.member_id);
    assert_eq!(bench.heartbeat(joined.generation_id, &joined.member_id), ErrorCode::None);
    assert_eq!(bench.heartbeat(GenerationId(0), &joined.member_id), ErrorCode::IllegalGeneration);
    assert_eq!(bench.committed("t"), (ErrorCode::None, -1));
    assert_eq!(bench.commit_code(1, &joined.member_id, 42), ErrorCode::None);
    assert_eq!(bench.commit_code(1, "another", 43), ErrorCode::UnknownMemberId);
    let group = bench.fetch_offsets("g", None);
    let found = &group.topics[0].partitions[0];
    assert_eq!(group.topics[0].name, "t");
    assert_eq!((found.committed_offset, found.metadata.as_deref()), (Offset(42), Some("at 42")));
}

#[test]
fn a_second_member_makes_the_first_come_again_and_both_get_parts_of_one_assignment() {
    let mut bench = bench(&VirtualDisk::new());
    let (mut first, before) = bench.stable();
    let (mut second, _) = bench.begin_join();
    assert!(joined(&mut second).is_none(), "the first has to come");
    assert_eq!(bench.heartbeat(before.generation_id, &before.member_id), ErrorCode::RebalanceInProgress);
    bench.send(&mut first, &join(&before.member_id, None), JOIN_VERSION);
    let (first_joined, second_joined) = (joined(&mut first).unwrap(), joined(&mut second).unwrap());
    assert_eq!(first_joined.generation_id, GenerationId(2));
    assert_eq!(second_joined.generation_id, GenerationId(2));
    assert_eq!(first_joined.leader, second_joined.leader);
    assert_eq!(first_joined.members.len() + second_joined.members.len(), 2, "only the leader gets them");
    bench.send(&mut second, &sync(&second_joined, &[]), SYNC_VERSION);
    assert!(synced(&mut second).is_none(), "the leader has to bring the assignment");
    let both = [&*first_joined.member_id, &*second_joined.member_id];
    bench.send(&mut first, &sync(&first_joined, &both), SYNC_VERSION);
    let assignments = (synced(&mut first).unwrap().assignment, synced(&mut second).unwrap().assignment);
    assert_eq!((&*assignments.0, &*assignments.1), (both[0].as_bytes(), both[1].as_bytes()));
}

#[test]
fn a_member_that_is_silent_is_removed_and_one_that_waits_goes_on() {
    let mut bench = bench(&VirtualDisk::new());
    let (_silent, before) = bench.stable();
    let (mut second, _) = bench.begin_join();
    bench.pass(std::time::Duration::from_secs(9));
    assert!(joined(&mut second).is_none());
    bench.pass(std::time::Duration::from_secs(12));
    let alone = joined(&mut second).expect("the first did not come within its time");
    assert_eq!((alone.generation_id, alone.members.len()), (GenerationId(2), 1));
    assert_eq!(bench.heartbeat(before.generation_id, &before.member_id), ErrorCode::UnknownMemberId);
}

#[test]
fn a_client_that_leaves_while_it_waits_takes_nothing_with_it() {
    let mut bench = bench(&VirtualDisk::new());
    let (mut first, before) = bench.stable();
    let (second, id) = bench.begin_join();
    bench.disconnect(second);
    bench.send(&mut first, &join(&before.member_id, None), JOIN_VERSION);
    let answer = joined(&mut first).expect("both have joined");
    assert_eq!(answer.members.len(), 2, "who lost its connection is a member until its session ends");
    let mut again = bench.connect();
    bench.send(&mut again, &join(&id, None), JOIN_VERSION);
    let found = joined(&mut again).expect("it finds the generation that it is in");
    assert_eq!((found.error_code, found.generation_id), (ErrorCode::None, GenerationId(2)));
    assert_eq!(bench.node.parked().taken(), 0, "nobody waits");
}

#[test]
fn every_version_is_answered_in_its_own_form() {
    fn each<R: Request>(bench: &mut Bench, request: &R) {
        for version in R::VERSIONS {
            // Decoded whole, which the call checks.
            bench.call(request, version);
        }
    }
    let mut bench = bench(&VirtualDisk::new());
    assert_eq!(bench.commit_code(-1, "", 3), ErrorCode::None);
    each(&mut bench, &FindCoordinatorRequest { key: "g".to_owned(), ..Default::default() });
    // Without a protocol, none waits for others.
    each(&mut bench, &JoinGroupRequest { protocols: Vec::new(), ..join("", None) });
    each(&mut bench, &SyncGroupRequest { group_id: "g".to_owned(), ..Default::default() });
    each(&mut bench, &HeartbeatRequest { group_id: "g".to_owned(), ..Default::default() });
    each(&mut bench, &LeaveGroupRequest { group_id: "g".to_owned(), ..Default::default() });
    each(&mut bench, &commit(-1, "", "t", 3));
    each(&mut bench, &OffsetFetchRequest { group_id: "g".to_owned(), ..fetch_request("g", Some(&["t"])) });
    each(&mut bench, &OffsetDeleteRequest { group_id: "g".to_owned(), ..Default::default() });
    each(&mut bench, &ListGroupsRequest::default());
    each(&mut bench, &DescribeGroupsRequest { groups: vec!["g".to_owned()], ..Default::default() });
    each(&mut bench, &DeleteGroupsRequest { groups_names: vec!["g".to_owned()] });
    assert_eq!(bench.node.parked().taken(), 0);
}

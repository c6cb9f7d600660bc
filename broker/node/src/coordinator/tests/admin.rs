//! What is asked of groups from outside, and what becomes of offsets that nobody uses.

use std::collections::BTreeMap;
use std::time::Duration;

use protocol::ErrorCode;
use protocol::id::{BrokerId, PartitionIndex};
use protocol::message::delete_groups::DeleteGroupsRequest;
use protocol::message::delete_topics::{DeleteTopicState, DeleteTopicsRequest};
use protocol::message::describe_groups::DescribeGroupsRequest;
use protocol::message::find_coordinator::FindCoordinatorRequest;
use protocol::message::list_groups::ListGroupsRequest;
use protocol::message::metadata::{MetadataRequest, MetadataRequestTopic};
use protocol::message::offset_commit::OffsetCommitRequest;
use protocol::message::offset_delete::{
    OffsetDeleteRequest, OffsetDeleteRequestPartition, OffsetDeleteRequestTopic,
};
use protocol::message::offset_fetch::OffsetFetchRequest;
use storage::disk::VirtualDisk;

use super::{bench, commit, fetch_request, find, opened};
use crate::coordinator::OFFSETS_TOPIC;
use crate::effects::Job;
use crate::testing::Bench;

#[test]
fn the_first_group_brings_the_topic_of_offsets_with_kafkas_settings() {
    let mut bench = opened(&VirtualDisk::new());
    let request = FindCoordinatorRequest {
        coordinator_keys: vec!["a".to_owned(), "b".to_owned()],
        ..FindCoordinatorRequest::default()
    };
    let found = bench.call(&request, 6);
    for (coordinator, key) in found.coordinators.iter().zip(["a", "b"]) {
        assert_eq!((coordinator.error_code, coordinator.key.as_str()), (ErrorCode::None, key));
        assert_eq!((coordinator.node_id, coordinator.port), (BrokerId(1), 9092));
    }
    let image = std::sync::Arc::clone(&bench.node.image());
    let topic = image.topic(OFFSETS_TOPIC).unwrap();
    assert_eq!(topic.partitions.len(), 50);
    assert!(topic.partitions().all(|(_, partition)| partition.replicas == [BrokerId(1)]));
    let resource = machines::image::ConfigResource::topic(OFFSETS_TOPIC);
    let configs: BTreeMap<String, String> =
        image.configs(&resource).map(|(key, value)| (key.to_string(), value.to_string())).collect();
    let expected =
        [("cleanup.policy", "compact"), ("compression.type", "producer"), ("segment.bytes", "104857600")];
    assert_eq!(configs, expected.map(|(key, value)| (key.to_owned(), value.to_owned())).into());
    let wanted =
        MetadataRequestTopic { name: Some(OFFSETS_TOPIC.to_owned()), ..MetadataRequestTopic::default() };
    let request = MetadataRequest { topics: Some(vec![wanted]), ..MetadataRequest::default() };
    assert!(bench.call(&request, 9).topics[0].is_internal);
}

#[test]
fn a_replication_factor_that_was_set_is_not_lowered() {
    let disk = VirtualDisk::new();
    let mut bench = Bench::open(&disk, &[("offsets.topic.replication.factor", "3")]).unwrap();
    bench.come_up();
    assert_eq!(find(&mut bench, "g").error_code, ErrorCode::CoordinatorNotAvailable);
}

#[test]
fn other_coordinators_are_refused_for_good() {
    let mut bench = opened(&VirtualDisk::new());
    for (key_type, code) in [(1, ErrorCode::UnsupportedVersion), (2, ErrorCode::InvalidRequest)] {
        let request =
            FindCoordinatorRequest { key: "x".to_owned(), key_type, ..FindCoordinatorRequest::default() };
        let answer = bench.call(&request, 3);
        assert_eq!((answer.error_code, answer.node_id), (code, BrokerId(-1)));
    }
    assert!(bench.node.image().topic(OFFSETS_TOPIC).is_none(), "nobody asked for a group");
}

#[test]
fn clients_do_not_produce_to_the_topic_of_offsets() {
    let mut bench = bench(&VirtualDisk::new());
    let answer = bench.produce_one((OFFSETS_TOPIC, 0), |_: &Job| true).unwrap();
    assert_eq!(answer.error_code, ErrorCode::InvalidTopicException);
}

#[test]
fn groups_are_listed_described_and_deleted() {
    let mut bench = bench(&VirtualDisk::new());
    let (_link, joined) = bench.stable();
    let request = ListGroupsRequest { states_filter: vec!["Stable".to_owned()], ..Default::default() };
    let listed = bench.call(&request, 5);
    let group = &listed.groups[0];
    assert_eq!(
        (listed.groups.len(), group.group_id.as_str(), group.group_type.as_str()),
        (1, "g", "classic")
    );
    let describe = DescribeGroupsRequest {
        groups: vec!["g".to_owned(), "missing".to_owned()],
        include_authorized_operations: true,
    };
    let described = bench.call(&describe, 6).groups;
    assert_eq!((described[0].error_code, described[0].group_state.as_str()), (ErrorCode::None, "Stable"));
    assert_eq!(described[0].members[0].member_id, joined.member_id);
    assert_eq!(described[0].members[0].client_id, "test");
    assert_eq!(described[0].authorized_operations, 3_400);
    assert_eq!(described[1].error_code, ErrorCode::GroupIdNotFound);
    let older = bench.call(&describe, 5).groups;
    assert_eq!((older[1].error_code, older[1].group_state.as_str()), (ErrorCode::None, "Dead"));
    let delete =
        DeleteGroupsRequest { groups_names: vec!["g".to_owned(), "missing".to_owned(), "other".to_owned()] };
    let mut results = bench.call(&delete, 2).results;
    results.sort_by(|a, b| a.group_id.cmp(&b.group_id));
    let codes: Vec<ErrorCode> = results.iter().map(|result| result.error_code).collect();
    let missing = ErrorCode::GroupIdNotFound;
    assert_eq!(codes, [ErrorCode::NonEmptyGroup, missing, missing]);
    // Its session ends, and the group can go.
    bench.pass(Duration::from_secs(11));
    let delete = DeleteGroupsRequest { groups_names: vec!["g".to_owned()] };
    assert_eq!(bench.call(&delete, 2).results[0].error_code, ErrorCode::None);
    assert_eq!(bench.call(&ListGroupsRequest::default(), 5).groups, []);
}

#[test]
fn partitions_that_are_not_there_are_told_apart_from_those_that_are_committed() {
    let mut bench = bench(&VirtualDisk::new());
    let mut request = commit(-1, "", "t", 3);
    let mut second = request.topics[0].partitions[0].clone();
    second.partition_index = PartitionIndex(1);
    request.topics[0].partitions.insert(0, second);
    request.topics.extend(commit(-1, "", "missing", 3).topics);
    let answer = bench.call(&request, 9);
    let codes: Vec<ErrorCode> =
        answer.topics.iter().flat_map(|topic| &topic.partitions).map(|p| p.error_code).collect();
    let unknown = ErrorCode::UnknownTopicOrPartition;
    assert_eq!(codes, [unknown, ErrorCode::None, unknown]);
    assert_eq!(bench.committed("t"), (ErrorCode::None, 3));
    assert_eq!(bench.committed("missing"), (ErrorCode::None, -1));
}

#[test]
fn topics_go_by_id_in_the_last_versions() {
    let mut bench = bench(&VirtualDisk::new());
    let id = bench.node.image().topic("t").unwrap().id;
    let mut request: OffsetCommitRequest = commit(-1, "", "", 9);
    request.topics[0].topic_id = id;
    let mut unknown = commit(-1, "", "", 9).topics.remove(0);
    unknown.topic_id = protocol::id::Uuid([7; 16]);
    request.topics.push(unknown.clone());
    let answer = bench.call(&request, 10);
    assert_eq!(answer.topics[0].topic_id, id);
    assert_eq!(answer.topics[0].partitions[0].error_code, ErrorCode::None);
    assert_eq!(answer.topics[1].partitions[0].error_code, ErrorCode::UnknownTopicId);
    let mut request: OffsetFetchRequest = fetch_request("g", Some(&["", ""]));
    let topics = request.groups[0].topics.as_mut().unwrap();
    topics[0].topic_id = unknown.topic_id;
    topics[1].topic_id = id;
    let found = bench.call(&request, 10).groups.remove(0).topics;
    assert_eq!(found[0].partitions[0].error_code, ErrorCode::UnknownTopicId);
    assert_eq!((found[1].topic_id, found[1].partitions[0].committed_offset.0), (id, 9));
    let all = bench.call(&fetch_request("g", None), 10).groups.remove(0).topics;
    assert_eq!((all.len(), all[0].topic_id), (1, id));
}

#[test]
fn offsets_are_deleted_on_demand_with_their_topic_and_when_they_are_old() {
    let config = [("offsets.retention.minutes", "10"), ("offsets.retention.check.interval.ms", "60000")];
    let mut bench = Bench::open(&VirtualDisk::new(), &config).unwrap();
    bench.come_up();
    assert_eq!(find(&mut bench, "g").error_code, ErrorCode::None);
    bench.create("t");
    bench.create("u");
    bench.create("v");
    for topic in ["t", "u", "v"] {
        assert_eq!(
            bench.call(&commit(-1, "", topic, 4), 9).topics[0].partitions[0].error_code,
            ErrorCode::None
        );
    }
    let partition = |index| OffsetDeleteRequestPartition { partition_index: PartitionIndex(index) };
    let topic =
        OffsetDeleteRequestTopic { name: "t".to_owned(), partitions: vec![partition(0), partition(9)] };
    let delete = OffsetDeleteRequest { group_id: "g".to_owned(), topics: vec![topic] };
    let answer = bench.call(&delete, 0);
    let codes: Vec<ErrorCode> = answer.topics[0].partitions.iter().map(|p| p.error_code).collect();
    assert_eq!(codes, [ErrorCode::None, ErrorCode::UnknownTopicOrPartition]);
    assert_eq!(bench.committed("t"), (ErrorCode::None, -1));
    let state = DeleteTopicState { name: Some("u".to_owned()), ..DeleteTopicState::default() };
    let request =
        DeleteTopicsRequest { topics: vec![state], timeout_ms: 1_000, ..DeleteTopicsRequest::default() };
    assert_eq!(bench.call(&request, 6).responses[0].error_code, ErrorCode::None);
    bench.create("u");
    assert_eq!(bench.committed("u"), (ErrorCode::None, -1), "another topic of the same name");
    assert_eq!(bench.committed("v"), (ErrorCode::None, 4));
    bench.advance(Duration::from_secs(9 * 60));
    assert_eq!(bench.committed("v"), (ErrorCode::None, 4));
    bench.advance(Duration::from_secs(3 * 60));
    assert_eq!(bench.committed("v"), (ErrorCode::None, -1));
    assert_eq!(bench.call(&ListGroupsRequest::default(), 5).groups, [], "and the group with them");
}

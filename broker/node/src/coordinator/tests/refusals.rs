//! What groups are told when their records cannot be written, or are not committed yet.

use std::path::Path;
use std::time::Duration;

use protocol::ErrorCode;
use protocol::message::incremental_alter_configs::{
    AlterConfigsResource, AlterableConfig, IncrementalAlterConfigsRequest,
};
use protocol::message::offset_commit::OffsetCommitRequest;
use protocol::message::offset_fetch::OffsetFetchRequest;
use storage::DirectoryState;
use storage::disk::{Fault, VirtualDisk};

use super::{COMMIT_VERSION, FETCH_VERSION, JOIN_VERSION, bench, commit, fetch_request, join, joined};
use crate::coordinator::OFFSETS_TOPIC;
use crate::effects::Job;
use crate::testing::{Bench, Link};

/// Sets a key of the topic of offsets.
fn set(bench: &mut Bench, key: &str, value: &str) {
    let config = AlterableConfig { name: key.to_owned(), config_operation: 0, value: Some(value.to_owned()) };
    let resource = AlterConfigsResource {
        resource_type: 2,
        resource_name: OFFSETS_TOPIC.to_owned(),
        configs: vec![config],
    };
    let request = IncrementalAlterConfigsRequest { resources: vec![resource], ..Default::default() };
    assert_eq!(bench.call(&request, 1).responses[0].error_code, ErrorCode::None);
}

fn fail(disk: &VirtualDisk, fault: Fault) {
    let is_meant = |path: &Path| path.to_string_lossy().contains(OFFSETS_TOPIC);
    disk.inject(move |call| (call.name == "write_at" && is_meant(call.path)).then_some(fault));
}

fn code(link: &mut Link) -> Option<ErrorCode> {
    let response = link.response::<OffsetCommitRequest>()?;
    Some(response.topics[0].partitions[0].error_code)
}

#[test]
fn a_commit_that_finds_no_room_is_refused_and_the_next_one_counts() {
    let disk = VirtualDisk::new();
    let mut bench = bench(&disk);
    assert_eq!(bench.commit_code(-1, "", 1), ErrorCode::None);
    fail(&disk, Fault::NoSpace);
    // Kafka's code for a coordinator whose disk refuses; clients look for the coordinator, and come again.
    assert_eq!(bench.commit_code(-1, "", 2), ErrorCode::NotCoordinator);
    assert_eq!(bench.committed("t"), (ErrorCode::None, 1));
    disk.heal();
    bench.advance(Duration::from_secs(2));
    assert_eq!(bench.commit_code(-1, "", 3), ErrorCode::None);
    assert_eq!(bench.committed("t"), (ErrorCode::None, 3));
}

#[test]
fn a_directory_that_fails_ends_its_coordinators() {
    let disk = VirtualDisk::new();
    let mut bench = bench(&disk);
    let (mut first, before) = bench.stable();
    let (mut waiting, _) = bench.begin_join();
    fail(&disk, Fault::Io);
    assert_eq!(bench.commit_code(1, &before.member_id, 2), ErrorCode::NotCoordinator);
    assert_eq!(bench.node.directory_state(), DirectoryState::Offline);
    let answer = joined(&mut waiting).expect("nobody waits for a coordinator that is gone");
    assert_eq!(answer.error_code, ErrorCode::NotCoordinator);
    bench.send(&mut first, &join(&before.member_id, None), JOIN_VERSION);
    assert_eq!(joined(&mut first).unwrap().error_code, ErrorCode::NotCoordinator);
    assert_eq!(bench.committed("t").0, ErrorCode::NotCoordinator);
    assert_eq!(bench.node.parked().taken(), 0);
}

#[test]
fn a_batch_too_large_for_the_topic_is_refused() {
    let disk = VirtualDisk::new();
    let mut bench = bench(&disk);
    set(&mut bench, "max.message.bytes", "100");
    // Kafka: OffsetMetadataManager's records do not fit, which no retry changes.
    let refused = bench.commit_code(-1, "", 2);
    assert!(
        matches!(refused, ErrorCode::UnknownServerError | ErrorCode::InvalidCommitOffsetSize),
        "{refused}"
    );
    assert_eq!(bench.committed("t"), (ErrorCode::None, -1));
}

#[test]
fn a_commit_is_answered_and_seen_once_it_is_synced_where_the_topic_asks_for_that() {
    let disk = VirtualDisk::new();
    let mut bench = bench(&disk);
    set(&mut bench, "flush.messages", "1");
    bench.held = |job| matches!(job, Job::Sync(_));
    let (mut link, mut reader) = (bench.connect(), bench.connect());
    bench.send(&mut link, &commit(-1, "", "t", 5), COMMIT_VERSION);
    bench.run_jobs();
    assert_eq!(code(&mut link), None);
    bench.send(&mut reader, &fetch_request("g", None), FETCH_VERSION);
    let seen = reader.response::<OffsetFetchRequest>().unwrap();
    assert_eq!(seen.groups[0].topics, [], "a kill may still take it");
    bench.release();
    assert_eq!(code(&mut link), Some(ErrorCode::None));
    assert_eq!(bench.committed("t"), (ErrorCode::None, 5));
}

#[test]
fn a_commit_that_is_not_replicated_in_time_is_told_so() {
    let disk = VirtualDisk::new();
    let mut bench = bench(&disk);
    set(&mut bench, "flush.messages", "1");
    bench.held = |job| matches!(job, Job::Sync(_));
    let mut link = bench.connect();
    bench.send(&mut link, &commit(-1, "", "t", 5), COMMIT_VERSION);
    bench.pass(Duration::from_millis(4_900));
    assert_eq!(code(&mut link), None);
    bench.pass(Duration::from_millis(200));
    // Kafka: REQUEST_TIMED_OUT of the append becomes COORDINATOR_NOT_AVAILABLE.
    assert_eq!(code(&mut link), Some(ErrorCode::CoordinatorNotAvailable));
    bench.release();
    assert_eq!(bench.committed("t"), (ErrorCode::None, 5), "what is in the log counts");
    assert_eq!(bench.commit_code(-1, "", 6), ErrorCode::None);
}

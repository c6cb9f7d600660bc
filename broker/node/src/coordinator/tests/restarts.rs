//! What is left of groups when the broker starts again.

use std::time::Duration;

use protocol::ErrorCode;
use protocol::id::GenerationId;
use protocol::message::join_group::JoinGroupRequest;
use storage::disk::VirtualDisk;

use super::{JOIN_VERSION, SYNC_VERSION, bench, join, joined, opened, sync, synced};
use crate::effects::Job;
use crate::testing::Bench;

#[test]
fn generation_members_and_offsets_are_there_after_a_kill() {
    let disk = VirtualDisk::new();
    let mut bench = bench(&disk);
    let (link, before) = bench.stable();
    assert_eq!(bench.commit_code(1, &before.member_id, 7), ErrorCode::None);
    drop((bench, link));
    disk.kill();
    let mut bench = opened(&disk);
    assert_eq!(bench.heartbeat(before.generation_id, &before.member_id), ErrorCode::None);
    assert_eq!(bench.committed("t"), (ErrorCode::None, 7));
    assert_eq!(bench.commit_code(1, &before.member_id, 8), ErrorCode::None);
    // Sessions begin anew with the start.
    bench.pass(Duration::from_secs(9));
    assert_eq!(bench.heartbeat(before.generation_id, &before.member_id), ErrorCode::None);
    bench.pass(Duration::from_secs(11));
    assert_eq!(bench.heartbeat(before.generation_id, &before.member_id), ErrorCode::UnknownMemberId);
}

/// A static member that is the whole group.
fn enter_static(bench: &mut Bench) -> protocol::message::join_group::JoinGroupResponse {
    let mut link = bench.connect();
    bench.send(&mut link, &join("", Some("instance")), JOIN_VERSION);
    bench.pass(Duration::from_millis(1));
    let answer = joined(&mut link).expect("it is alone");
    let mut request = sync(&answer, &[&answer.member_id]);
    request.group_instance_id = Some("instance".to_owned());
    bench.send(&mut link, &request, SYNC_VERSION);
    assert_eq!(synced(&mut link).unwrap().error_code, ErrorCode::None);
    answer
}

#[test]
fn a_static_member_that_comes_back_after_a_restart_finds_its_generation() {
    let disk = VirtualDisk::new();
    let mut bench = bench(&disk);
    let before = enter_static(&mut bench);
    assert_eq!(before.error_code, ErrorCode::None);
    drop(bench);
    disk.kill();
    let mut bench = opened(&disk);
    let again = enter_static(&mut bench);
    assert_eq!((again.error_code, again.generation_id), (ErrorCode::None, before.generation_id));
    assert_ne!(again.member_id, before.member_id);
    let stale: JoinGroupRequest = join(&before.member_id, Some("instance"));
    assert_eq!(bench.call(&stale, JOIN_VERSION).error_code, ErrorCode::FencedInstanceId);
}

#[test]
fn requests_are_told_to_wait_while_groups_are_read() {
    let disk = VirtualDisk::new();
    let mut bench = bench(&disk);
    let (link, before) = bench.stable();
    assert_eq!(bench.commit_code(1, &before.member_id, 7), ErrorCode::None);
    drop((bench, link));
    disk.kill();
    let mut bench = Bench::open(&disk, &[]).unwrap();
    bench.held = |job| matches!(job, Job::LoadGroups(_));
    bench.come_up();
    let loading = ErrorCode::CoordinatorLoadInProgress;
    assert_eq!(bench.heartbeat(GenerationId(1), &before.member_id), loading);
    assert_eq!(bench.committed("t").0, loading);
    assert_eq!(bench.commit_code(1, &before.member_id, 8), loading);
    assert_eq!(bench.call(&join("", None), JOIN_VERSION).error_code, loading);
    bench.release();
    assert_eq!(bench.committed("t"), (ErrorCode::None, 7));
    assert_eq!(bench.heartbeat(GenerationId(1), &before.member_id), ErrorCode::None);
}

//! What becomes of records, and of the broker, when the disk refuses a call.

use std::path::Path;
use std::time::Duration;

use protocol::ErrorCode;
use protocol::header::request_frame;
use protocol::id::{CorrelationId, Offset};
use protocol::message::ProduceRequest;
use storage::DirectoryState;
use storage::disk::{Disk, Fault, Keep, OpenMode, Unsynced, VirtualDisk};

use super::{PRODUCE_VERSION, batch, idempotent, produce};
use crate::testing::Bench;

/// A broker with a topic of small segments and another one.
fn bench(disk: &VirtualDisk) -> Bench {
    let mut bench = Bench::ready(disk);
    bench.create_with("t", &[("internal.segment.bytes", "2000")]);
    bench.create("other");
    bench
}

/// Fails calls of this name to files whose name ends so.
fn fail(disk: &VirtualDisk, name: &'static str, end: &'static str, fault: Fault) {
    let is_meant = move |path: &Path| path.to_string_lossy().ends_with(end);
    disk.inject(move |call| (call.name == name && is_meant(call.path)).then_some(fault));
}

#[test]
fn a_failed_write_takes_the_directory_offline_and_says_why() {
    let disk = VirtualDisk::new();
    let mut bench = bench(&disk);
    assert_eq!(bench.produce("t", batch(&[b"a"])).error_code, ErrorCode::None);
    fail(&disk, "write_at", "t-0/00000000000000000000.log", Fault::Io);
    assert_eq!(bench.produce("t", batch(&[b"b"])).error_code, ErrorCode::KafkaStorageError);
    assert_eq!(bench.node.directory().state(), DirectoryState::Offline);
    let told: Vec<_> = bench.notices.iter().filter(|notice| notice.contains("is offline")).collect();
    assert_eq!(told.len(), 1, "{:?}", bench.notices);
    for part in ["log directory /data is offline: append to /data/t-0/", "(os error 5); ", "start the broker"]
    {
        assert!(told[0].contains(part), "{part}: {told:?}");
    }
    disk.heal();
    let elsewhere = bench.produce("other", batch(&[b"c"]));
    assert_eq!(elsewhere.error_code, ErrorCode::NotLeaderOrFollower, "nothing is taken on a disk in doubt");
}

#[test]
fn a_directory_that_fails_while_a_topic_is_made_takes_nothing_for_it() {
    let disk = VirtualDisk::new();
    let mut bench = Bench::ready(&disk);
    let is_meant = |path: &Path| path.to_string_lossy().contains("new-2/partition.metadata");
    disk.inject(move |call| (call.name == "write_at" && is_meant(call.path)).then_some(Fault::Io));
    let mut request = crate::testing::create(&["new"]);
    request.topics[0].num_partitions = 3;
    let mut link = bench.connect();
    bench.send(&mut link, &request, 7);
    bench.run_jobs();
    assert_eq!(bench.node.directory().state(), DirectoryState::Offline);
    let answer = bench.produce_one(("new", 0), |_| true).unwrap();
    assert_eq!(answer.error_code, ErrorCode::NotLeaderOrFollower, "its log was made before the failure");
}

#[test]
fn what_was_written_before_a_failure_in_the_same_round_is_acknowledged_and_seen() {
    let disk = VirtualDisk::new();
    let mut bench = bench(&disk);
    let value = [b'v'; 1_500];
    // Both in one read of the connection; the second needs a new segment, for which there is no room.
    fail(&disk, "write_at", ".timeindex", Fault::NoSpace);
    let frame =
        |number| request_frame(&produce("t", batch(&[&value])), PRODUCE_VERSION, CorrelationId(number), None);
    let mut link = bench.connect();
    link.expect::<ProduceRequest>(PRODUCE_VERSION);
    link.expect::<ProduceRequest>(PRODUCE_VERSION);
    let both = [frame(1), frame(2)].concat();
    bench.send_bytes(&mut link, &both);
    bench.run_jobs();
    let (first, second) = (link.produced().unwrap(), link.produced().unwrap());
    assert_eq!((first.error_code, first.base_offset), (ErrorCode::None, Offset(0)));
    assert_eq!((second.error_code, second.base_offset), (ErrorCode::KafkaStorageError, Offset::UNKNOWN));
    let found = bench.fetch("t", 0);
    assert_eq!(found.high_watermark, Offset(1), "a consumer sees what is acknowledged");
    disk.heal();
    assert_eq!(bench.produce("t", batch(&[&value])).base_offset, Offset(1));
}

#[test]
fn what_was_written_before_a_failure_is_synced() {
    let disk = VirtualDisk::new();
    let mut bench = Bench::ready(&disk);
    bench.create_with("t", &[("internal.segment.bytes", "2000"), ("flush.messages", "1")]);
    let value = [b'v'; 1_500];
    fail(&disk, "write_at", ".timeindex", Fault::NoSpace);
    let frame =
        |number| request_frame(&produce("t", batch(&[&value])), PRODUCE_VERSION, CorrelationId(number), None);
    let mut link = bench.connect();
    link.expect::<ProduceRequest>(PRODUCE_VERSION);
    link.expect::<ProduceRequest>(PRODUCE_VERSION);
    bench.send_bytes(&mut link, &[frame(1), frame(2)].concat());
    bench.run_jobs();
    let first = link.produced().expect("a sync that acknowledges the first");
    assert_eq!((first.error_code, first.base_offset), (ErrorCode::None, Offset(0)));
}

#[test]
fn a_failure_behind_a_sync_takes_the_directory_offline() {
    let disk = VirtualDisk::new();
    let mut bench = bench(&disk);
    let second = Duration::from_secs(2);
    assert_eq!(bench.produce("t", idempotent(7, 0, &[b"a"])).error_code, ErrorCode::None);
    bench.advance(second);
    assert_eq!(bench.produce("t", idempotent(7, 1, &[b"b"])).error_code, ErrorCode::None);
    // The checkpoint's snapshot replaces the one before, which cannot be removed.
    fail(&disk, "remove_file", ".snapshot", Fault::Io);
    bench.advance(second);
    assert_eq!(bench.node.directory().state(), DirectoryState::Offline);
    assert!(bench.notices.iter().any(|notice| notice.contains(".snapshot")), "{:?}", bench.notices);
}

#[test]
fn running_out_of_descriptors_costs_only_what_needs_one() {
    let disk = VirtualDisk::new();
    let mut bench = bench(&disk);
    assert_eq!(bench.produce("t", batch(&[b"a"])).error_code, ErrorCode::None);
    fail(&disk, "open", "", Fault::NoDescriptors);
    // The first has its file open, the second would have to make one, and the checkpoint needs several.
    assert_eq!(bench.produce("t", batch(&[b"b"])).error_code, ErrorCode::None);
    for _ in 0..3 {
        assert_eq!(bench.produce("other", batch(&[b"c"])).error_code, ErrorCode::KafkaStorageError);
        bench.advance(Duration::from_secs(2));
    }
    assert_eq!(bench.node.directory().state(), DirectoryState::Online);
    let told = bench.notices.iter().filter(|notice| notice.contains("open files")).count();
    assert_eq!(told, 1, "{:?}", bench.notices);
    disk.heal();
    assert_eq!(bench.produce("other", batch(&[b"c"])).base_offset, Offset(0));
    assert_eq!(bench.produce("t", batch(&[b"d"])).base_offset, Offset(2));
    bench.advance(Duration::from_secs(2));
    drop(bench);
    disk.crash(&mut |_: Unsynced| Keep::Lost);
    let mut bench = Bench::ready(&disk);
    assert_eq!(bench.fetch("t", 0).high_watermark, Offset(3), "the checkpoint after it syncs all");
}

#[test]
fn a_broker_that_was_killed_without_a_free_byte_starts() {
    let disk = VirtualDisk::new();
    let mut bench = bench(&disk);
    assert_eq!(bench.produce("t", batch(&[b"a"])).error_code, ErrorCode::None);
    drop(bench);
    disk.kill();
    disk.set_capacity(Some(disk.used()));
    let mut bench = Bench::ready(&disk);
    assert_eq!(bench.fetch("t", 0).high_watermark, Offset(1));
    assert_eq!(bench.produce("t", batch(&[b"b"])).error_code, ErrorCode::KafkaStorageError);
}

#[test]
fn a_log_for_which_there_was_no_descriptor_is_made_and_recovered_later() {
    let disk = VirtualDisk::new();
    let mut bench = Bench::ready(&disk);
    fail(&disk, "open", "partition.metadata.tmp", Fault::NoDescriptors);
    assert_eq!(bench.create("t").topics[0].error_code, ErrorCode::None);
    assert_eq!(bench.produce("t", batch(&[b"a"])).error_code, ErrorCode::NotLeaderOrFollower);
    bench.advance(Duration::from_secs(2));
    assert_eq!(bench.produce("t", batch(&[b"a"])).error_code, ErrorCode::NotLeaderOrFollower);
    disk.heal();
    bench.advance(Duration::from_secs(2));
    assert_eq!(bench.produce("t", batch(&[b"a"])).base_offset, Offset(0));
    drop(bench);
    disk.kill();
    // Recovery writes what it keeps once more.
    fail(&disk, "write_at", "t-0/00000000000000000000.log", Fault::NoDescriptors);
    let mut bench = Bench::ready(&disk);
    assert_eq!(bench.produce("t", batch(&[b"b"])).error_code, ErrorCode::NotLeaderOrFollower);
    disk.heal();
    bench.advance(Duration::from_secs(2));
    assert_eq!(bench.produce("t", batch(&[b"b"])).base_offset, Offset(1));
    assert_eq!(bench.node.directory().state(), DirectoryState::Online);
}

#[test]
fn a_log_that_is_not_what_it_should_be_takes_no_other_with_it() {
    let disk = VirtualDisk::new();
    let mut bench = bench(&disk);
    assert_eq!(bench.produce("t", batch(&[b"a"])).error_code, ErrorCode::None);
    drop(bench);
    disk.kill();
    // What Kafka leaves when it is stopped while it replaces a segment.
    disk.open(Path::new("/data/t-0/00000000000000000000.log.swap"), OpenMode::Write).unwrap();
    let mut bench = Bench::ready(&disk);
    let told = |bench: &Bench, text: &str| bench.notices.iter().filter(|told| told.contains(text)).count();
    assert_eq!(told(&bench, "t-0 is offline, its files are left as they are"), 1, "{:?}", bench.notices);
    assert_eq!(bench.produce("t", batch(&[b"b"])).error_code, ErrorCode::NotLeaderOrFollower);
    assert_eq!(bench.produce("other", batch(&[b"b"])).error_code, ErrorCode::None);
    bench.advance(Duration::from_secs(5));
    assert_eq!(bench.node.directory().state(), DirectoryState::Online);
    // Another topic of its name is nobody's but its own.
    bench.delete("t");
    assert_eq!(bench.create("t").topics[0].error_code, ErrorCode::None);
    assert_eq!(bench.produce("t", batch(&[b"c"])).base_offset, Offset(0));
    bench.node.close().unwrap();
    drop(bench);
    disk.kill();
    // A clean start looks at no file, so that the first append finds what is missing.
    disk.open(Path::new("/data/t-0/00000000000000000000.log"), OpenMode::Modify)
        .unwrap()
        .set_len(10)
        .unwrap();
    let mut bench = Bench::ready(&disk);
    for _ in 0..2 {
        assert_eq!(bench.produce("t", batch(&[b"d"])).error_code, ErrorCode::KafkaStorageError);
    }
    assert_eq!(told(&bench, "a log takes no more appends: /data/t-0"), 1, "{:?}", bench.notices);
    assert_eq!(bench.produce("other", batch(&[b"d"])).base_offset, Offset(1));
}

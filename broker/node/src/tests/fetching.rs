//! What a Fetch is answered, and when.

use std::time::Duration;

use protocol::ErrorCode;
use protocol::id::{LeaderEpoch, Offset, PartitionIndex};
use protocol::message::fetch::{FetchPartition, FetchRequest, FetchTopic};
use storage::disk::{Disk, OpenMode, VirtualDisk};

use super::{FETCH_VERSION, batch, fetch};
use crate::effects::Job;
use crate::testing::{Bench, DIRECTORY};

/// A batch of which one fills half of a segment of [`small_segments`].
fn half() -> Vec<u8> {
    batch(&[&[b'v'; 900]])
}

/// A topic `t` with three batches, of which two are in sealed segments.
fn small_segments(disk: &VirtualDisk) -> Bench {
    let mut bench = Bench::ready(disk);
    bench.create_with("t", &[("internal.segment.bytes", "2000")]);
    for _ in 0..5 {
        assert_eq!(bench.produce("t", half()).error_code, ErrorCode::None);
    }
    bench
}

#[test]
fn a_fetch_from_a_sealed_segment_waits_for_no_more_bytes() {
    let mut bench = small_segments(&VirtualDisk::new());
    let mut request = fetch("t", 0);
    (request.max_wait_ms, request.min_bytes) = (60_000, 1 << 20);
    let mut link = bench.connect();
    bench.send(&mut link, &request, FETCH_VERSION);
    bench.run_jobs();
    let response = link.response::<FetchRequest>().expect("an answer at once: more follows");
    let records = response.responses[0].partitions[0].records.clone().unwrap();
    assert_eq!(records.len(), 2 * half().len());
    // At the log's end it waits.
    request.topics[0].partitions[0].fetch_offset = Offset(4);
    bench.send(&mut link, &request, FETCH_VERSION);
    bench.run_jobs();
    assert!(link.response::<FetchRequest>().is_none());
}

#[test]
fn a_fetch_waits_for_no_more_bytes_than_it_takes() {
    let mut bench = Bench::ready(&VirtualDisk::new());
    bench.create("t");
    assert_eq!(bench.produce("t", half()).error_code, ErrorCode::None);
    let mut request = fetch("t", 0);
    (request.max_wait_ms, request.min_bytes, request.max_bytes) = (60_000, 1 << 20, 500);
    let mut link = bench.connect();
    bench.send(&mut link, &request, FETCH_VERSION);
    bench.run_jobs();
    assert!(link.response::<FetchRequest>().is_some());
}

#[test]
fn a_fetch_in_a_gap_goes_on_in_the_next_segment() {
    let disk = VirtualDisk::new();
    let mut bench = small_segments(&disk);
    bench.advance(Duration::from_secs(5));
    drop(bench);
    disk.kill();
    // The last batch of the first segment is gone, as after compaction.
    let path = format!("{DIRECTORY}/t-0/00000000000000000000.log");
    let file = disk.open(path.as_ref(), OpenMode::Modify).unwrap();
    file.set_len(half().len() as u64).unwrap();
    drop(file);
    let mut bench = Bench::ready(&disk);
    let found = bench.fetch("t", 1);
    assert_eq!(found.error_code, ErrorCode::None);
    assert!(found.records.is_some_and(|records| !records.is_empty()), "a consumer gets on");
}

#[test]
fn an_epoch_that_was_never_seen_is_out_of_range() {
    let mut bench = small_segments(&VirtualDisk::new());
    let mut request = fetch("t", 0);
    request.topics[0].partitions[0].last_fetched_epoch = LeaderEpoch(1_000);
    let response = bench.call(&request, FETCH_VERSION);
    let partition = &response.responses[0].partitions[0];
    assert_eq!(partition.error_code, ErrorCode::OffsetOutOfRange);
    assert_eq!(partition.diverging_epoch.end_offset, Offset::UNKNOWN);
}

/// A broker whose files are all on disk and none in memory, and that reads none of them.
fn cold(disk: &VirtualDisk, config: &[(&str, &str)]) -> Bench {
    let mut bench = Bench::ready(disk);
    for topic in ["a", "b", "c"] {
        bench.create(topic);
        assert_eq!(bench.produce(topic, half()).error_code, ErrorCode::None);
    }
    drop(bench);
    disk.kill();
    let mut bench = Bench::open(disk, config).unwrap();
    bench.come_up();
    disk.drop_caches();
    bench.held = |job| matches!(job, Job::Warm(_));
    bench
}

fn warm_jobs(bench: &Bench) -> usize {
    bench.jobs.iter().filter(|(_, job)| matches!(job, Job::Warm(_))).count()
}

#[test]
fn cold_reads_above_warm_jobs_max_wait_their_time() {
    let mut bench = cold(&VirtualDisk::new(), &[("warm.jobs.max", "1")]);
    let (mut first, mut second) = (bench.connect(), bench.connect());
    for (link, topic) in [(&mut first, "a"), (&mut second, "b")] {
        let mut request = fetch(topic, 0);
        request.max_wait_ms = 500;
        bench.send(link, &request, FETCH_VERSION);
    }
    assert_eq!(warm_jobs(&bench), 1);
    bench.pass(Duration::from_secs(1));
    let response = second.response::<FetchRequest>().expect("an answer when its time is over");
    assert!(response.responses[0].partitions[0].records.as_ref().is_none_or(|records| records.is_empty()));
    assert!(first.response::<FetchRequest>().is_none(), "its read is under way");
    bench.release();
    assert!(first.response::<FetchRequest>().is_some());
    // There is room again.
    assert!(bench.fetch("b", 0).records.is_some_and(|records| !records.is_empty()));
}

#[test]
fn a_connection_has_one_cold_read_at_a_time() {
    let mut bench = cold(&VirtualDisk::new(), &[]);
    assert_eq!(bench.produce("a", half()).base_offset, Offset(1));
    let wanted = |topic: &str, offset| FetchTopic {
        topic: topic.to_owned(),
        partitions: vec![FetchPartition {
            partition: PartitionIndex(0),
            fetch_offset: Offset(offset),
            partition_max_bytes: 1 << 20,
            ..FetchPartition::default()
        }],
        ..FetchTopic::default()
    };
    // What was just written is in memory, the rest is not.
    let topics = vec![wanted("a", 1), wanted("b", 0), wanted("c", 0)];
    let request = FetchRequest { max_bytes: 1 << 20, topics, ..FetchRequest::default() };
    let mut link = bench.connect();
    for _ in 0..5 {
        bench.send(&mut link, &request, FETCH_VERSION);
        let response = link.response::<FetchRequest>().expect("what is in memory");
        assert!(response.responses[0].partitions[0].records.is_some());
    }
    assert_eq!(warm_jobs(&bench), 1);
    bench.release();
    bench.send(&mut link, &request, FETCH_VERSION);
    let response = link.response::<FetchRequest>().unwrap();
    let has_records = |topic: usize| response.responses[topic].partitions[0].records.is_some();
    assert!(has_records(0) && has_records(1) && has_records(2));
}

#[test]
fn what_the_device_does_not_give_fails_only_its_own_fetches_and_is_told_once() {
    let disk = VirtualDisk::new();
    let mut bench = cold(&disk, &[]);
    bench.held = |_| false;
    disk.inject_reads(|path| path.starts_with(format!("{DIRECTORY}/a-0")));
    for _ in 0..2 {
        assert_eq!(bench.fetch("a", 0).error_code, ErrorCode::KafkaStorageError);
    }
    assert_eq!(bench.fetch("b", 0).error_code, ErrorCode::None);
    let told: Vec<_> =
        bench.notices.iter().filter(|notice| notice.starts_with("a-0: cannot be read")).collect();
    assert_eq!(told.len(), 1, "{:?}", bench.notices);
    assert!(told[0].contains("at offset 0") && told[0].contains("os error 5"), "{told:?}");
    disk.heal();
    assert_eq!(bench.produce("a", half()).error_code, ErrorCode::None, "the directory is not offline");
    assert!(bench.fetch("a", 0).records.is_some_and(|records| !records.is_empty()));
}

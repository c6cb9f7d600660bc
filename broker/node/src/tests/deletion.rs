//! DeleteRecords: where logs start afterwards, also when the power goes.

use std::time::Duration;

use protocol::ErrorCode;
use protocol::id::{Offset, PartitionIndex, Timestamp};
use protocol::message::delete_records::{
    DeleteRecordsPartition, DeleteRecordsPartitionResult, DeleteRecordsTopic,
};
use protocol::message::list_offsets::{ListOffsetsPartition, ListOffsetsTopic};
use protocol::message::{DeleteRecordsRequest, ListOffsetsRequest};
use storage::disk::{Fault, Keep, Unsynced, VirtualDisk};

use super::batch;
use crate::effects::Job;
use crate::testing::{Bench, Link};

const IS_SYNC: fn(&Job) -> bool = |job| matches!(job, Job::Sync(_));
const VERSION: i16 = 2;

fn deletion(places: &[(&str, i32, i64)]) -> DeleteRecordsRequest {
    let topic = |(name, index, offset): &(&str, i32, i64)| DeleteRecordsTopic {
        name: (*name).to_owned(),
        partitions: vec![DeleteRecordsPartition {
            partition_index: PartitionIndex(*index),
            offset: Offset(*offset),
        }],
    };
    DeleteRecordsRequest { topics: places.iter().map(topic).collect(), timeout_ms: 1_000 }
}

fn deleted(link: &mut Link) -> Option<DeleteRecordsPartitionResult> {
    link.response::<DeleteRecordsRequest>().map(|response| response.topics[0].partitions[0].clone())
}

/// Deletes records of partition 0, with all jobs done.
fn delete(bench: &mut Bench, topic: &str, offset: i64) -> (ErrorCode, i64) {
    let response = bench.call(&deletion(&[(topic, 0, offset)]), VERSION);
    let result = &response.topics[0].partitions[0];
    (result.error_code, result.low_watermark.0)
}

fn earliest(bench: &mut Bench) -> Offset {
    let partition = ListOffsetsPartition { timestamp: Timestamp(-2), ..ListOffsetsPartition::default() };
    let topics = vec![ListOffsetsTopic { name: "t".to_owned(), partitions: vec![partition] }];
    let response = bench.call(&ListOffsetsRequest { topics, ..ListOffsetsRequest::default() }, 7);
    response.topics[0].partitions[0].offset
}

/// A topic with five records.
fn filled(bench: &mut Bench, configs: &[(&str, &str)]) {
    bench.create_with("t", configs);
    for _ in 0..5 {
        assert_eq!(bench.produce("t", batch(&[&[b'v'; 900]])).error_code, ErrorCode::None);
    }
}

#[test]
fn what_is_deleted_cannot_be_read_any_more() {
    let mut bench = Bench::ready(&VirtualDisk::new());
    filled(&mut bench, &[]);
    assert_eq!(delete(&mut bench, "t", 3), (ErrorCode::None, 3));
    assert_eq!(earliest(&mut bench), Offset(3));
    assert_eq!(bench.fetch("t", 2).error_code, ErrorCode::OffsetOutOfRange);
    let found = bench.fetch("t", 3);
    assert_eq!((found.error_code, found.log_start_offset), (ErrorCode::None, Offset(3)));
    // Below the start there is nothing to do, and nothing comes back.
    assert_eq!(delete(&mut bench, "t", 1), (ErrorCode::None, 3));
    assert_eq!(delete(&mut bench, "t", -1), (ErrorCode::None, 5), "to the high watermark");
    assert_eq!(bench.produce("t", batch(&[b"next"])).base_offset, Offset(5));
}

#[test]
fn whole_segments_go_at_once() {
    let mut bench = Bench::ready(&VirtualDisk::new());
    filled(&mut bench, &[("internal.segment.bytes", "1000"), ("file.delete.delay.ms", "0")]);
    let size = |bench: &Bench| {
        let mut size = 0;
        bench.node.visit_partitions(|view| size += view.size_bytes);
        size
    };
    let before = size(&bench);
    assert_eq!(delete(&mut bench, "t", 4), (ErrorCode::None, 4));
    assert_eq!(size(&bench), before / 5, "the other four segments are gone");
}

#[test]
fn what_is_old_does_not_go_before_its_time() {
    let mut bench = Bench::ready(&VirtualDisk::new());
    filled(&mut bench, &[("internal.segment.bytes", "1000"), ("retention.ms", "1")]);
    bench.pass(Duration::from_secs(5));
    assert_eq!(delete(&mut bench, "t", 3), (ErrorCode::None, 3));
    assert_eq!(earliest(&mut bench), Offset(3), "as it was answered");
}

#[test]
fn it_is_answered_when_it_is_durable() {
    let disk = VirtualDisk::new();
    let mut bench = Bench::ready(&disk);
    filled(&mut bench, &[]);
    bench.held = IS_SYNC;
    let (mut first, mut second) = (bench.connect(), bench.connect());
    bench.send(&mut first, &deletion(&[("t", 0, 3)]), VERSION);
    bench.send(&mut second, &deletion(&[("t", 0, 3)]), VERSION);
    bench.run_jobs();
    assert!(deleted(&mut first).is_none() && deleted(&mut second).is_none(), "nothing is stored");
    bench.release();
    assert_eq!(deleted(&mut first).unwrap().low_watermark, Offset(3));
    assert_eq!(deleted(&mut second).unwrap().low_watermark, Offset(3));
    drop(bench);
    disk.crash(&mut |_: Unsynced| Keep::Lost);
    let mut bench = Bench::ready(&disk);
    assert_eq!(earliest(&mut bench), Offset(3));
}

#[test]
fn it_is_answered_in_time_when_the_disk_is_not() {
    let mut bench = Bench::ready(&VirtualDisk::new());
    filled(&mut bench, &[]);
    bench.held = IS_SYNC;
    let mut link = bench.connect();
    bench.send(&mut link, &deletion(&[("t", 0, 3)]), VERSION);
    bench.pass(Duration::from_millis(999));
    assert!(deleted(&mut link).is_none());
    bench.pass(Duration::from_millis(1));
    let answer = deleted(&mut link).unwrap();
    assert_eq!((answer.error_code, answer.low_watermark), (ErrorCode::RequestTimedOut, Offset(-1)));
    bench.release();
    assert!(deleted(&mut link).is_none(), "it is answered once");
    assert_eq!(earliest(&mut bench), Offset(3));
}

#[test]
fn a_disk_that_fails_is_told() {
    let disk = VirtualDisk::new();
    let mut bench = Bench::ready(&disk);
    filled(&mut bench, &[]);
    bench.advance(Duration::from_secs(2));
    disk.inject(|call| {
        call.path.to_string_lossy().contains("log-start-offset-checkpoint").then_some(Fault::Io)
    });
    assert_eq!(delete(&mut bench, "t", 3), (ErrorCode::KafkaStorageError, -1));
}

#[test]
fn wrong_requests_are_refused() {
    let mut bench = Bench::ready(&VirtualDisk::new());
    filled(&mut bench, &[]);
    bench.create_with("compacted", &[("cleanup.policy", "compact")]);
    bench.create_with("both", &[("cleanup.policy", "compact,delete")]);
    bench.create("__consumer_offsets");
    for (topic, partition, offset, code) in [
        ("t", 0, 6, ErrorCode::OffsetOutOfRange),
        ("t", 0, -2, ErrorCode::OffsetOutOfRange),
        ("t", 1, 0, ErrorCode::UnknownTopicOrPartition),
        ("t", -1, 0, ErrorCode::UnknownTopicOrPartition),
        ("absent", 0, 0, ErrorCode::UnknownTopicOrPartition),
        ("compacted", 0, 0, ErrorCode::PolicyViolation),
        ("both", 0, 0, ErrorCode::None),
        ("__consumer_offsets", 0, 0, ErrorCode::InvalidTopicException),
    ] {
        let response = bench.call(&deletion(&[(topic, partition, offset)]), VERSION);
        let result = &response.topics[0].partitions[0];
        assert_eq!(result.error_code, code, "{topic}-{partition} to {offset}");
        let low = if code.is_error() { -1 } else { 0 };
        assert_eq!((result.partition_index.0, result.low_watermark.0), (partition, low));
    }
    // One of several that is wrong does not hold up the others.
    let response = bench.call(&deletion(&[("t", 0, 9), ("t", 0, 2)]), VERSION);
    let codes: Vec<_> = response.topics.iter().map(|topic| topic.partitions[0].error_code).collect();
    assert_eq!(codes, [ErrorCode::OffsetOutOfRange, ErrorCode::None]);
}

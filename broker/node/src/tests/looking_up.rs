//! Offsets by time: what is looked up at once, and what by a job.

use protocol::ErrorCode;
use protocol::id::{Offset, PartitionIndex, Timestamp};
use protocol::message::ListOffsetsRequest;
use protocol::message::list_offsets::{ListOffsetsPartition, ListOffsetsTopic};
use protocol::records::{BatchBuilder, Compression};
use storage::disk::VirtualDisk;

use super::{batch, filled};
use crate::effects::Job;
use crate::testing::Bench;

const VERSION: i16 = 7;
const LATEST: i64 = -1;

fn request(topic: &str, wanted: &[(i32, i64)]) -> ListOffsetsRequest {
    let partition = |(index, timestamp): &(i32, i64)| ListOffsetsPartition {
        partition_index: PartitionIndex(*index),
        timestamp: Timestamp(*timestamp),
        ..ListOffsetsPartition::default()
    };
    let partitions = wanted.iter().map(partition).collect();
    let topics = vec![ListOffsetsTopic { name: topic.to_owned(), partitions }];
    ListOffsetsRequest { topics, ..ListOffsetsRequest::default() }
}

/// The answers, without a job being done; `None` when one has to be.
fn at_once(bench: &mut Bench, request: &ListOffsetsRequest) -> Option<Vec<(ErrorCode, Offset)>> {
    let mut link = bench.connect();
    bench.send(&mut link, request, VERSION);
    let found = link.response::<ListOffsetsRequest>().map(|response| {
        let partitions = response.topics[0].partitions.iter();
        partitions.map(|partition| (partition.error_code, partition.offset)).collect()
    });
    let jobs = bench.jobs.iter().filter(|(_, job)| matches!(job, Job::LookUp(_))).count();
    assert_eq!(jobs, usize::from(found.is_none()));
    found
}

#[test]
fn what_has_to_be_unpacked_is_looked_up_by_a_job() {
    let mut bench = Bench::ready(&VirtualDisk::new());
    for topic in ["plain", "packed", "large"] {
        bench.create(topic);
    }
    bench.produce("plain", batch(&[b"a", b"b"]));
    bench.produce("packed", filled(BatchBuilder::new().compression(Compression::Lz4, None), &[b"a", b"b"]));
    bench.produce("large", batch(&[&[b'x'; 100_000]]));
    assert_eq!(at_once(&mut bench, &request("plain", &[(0, 5)])), Some(vec![(ErrorCode::None, Offset(0))]));
    for topic in ["packed", "large"] {
        assert_eq!(at_once(&mut bench, &request(topic, &[(0, 5)])), None, "{topic}");
        bench.run_jobs();
        let found = bench.call(&request(topic, &[(0, 5)]), VERSION);
        assert_eq!(found.topics[0].partitions[0].offset, Offset(0), "{topic}");
    }
}

#[test]
fn many_look_ups_are_done_by_a_job() {
    let mut bench = Bench::ready(&VirtualDisk::new());
    let mut create = crate::testing::create(&["t"]);
    create.topics[0].num_partitions = 20;
    bench.call(&create, 7);
    for partition in 0..20 {
        bench.produce_one(("t", partition), |_| true);
    }
    let wanted: Vec<_> = (0..20).map(|index| (index, 5)).collect();
    assert_eq!(at_once(&mut bench, &request("t", &wanted)), None);
    bench.run_jobs();
    assert!(at_once(&mut bench, &request("t", &wanted[..10])).is_some());
    let ends: Vec<_> = (0..20).map(|index| (index, LATEST)).collect();
    assert!(at_once(&mut bench, &request("t", &ends)).is_some(), "the ends are known");
}

#[test]
fn a_partition_that_is_asked_for_twice_is_refused_once() {
    let mut bench = Bench::ready(&VirtualDisk::new());
    bench.create("t");
    let found = at_once(&mut bench, &request("t", &[(0, LATEST), (0, 5), (0, LATEST)]));
    assert_eq!(found, Some(vec![(ErrorCode::InvalidRequest, Offset::UNKNOWN)]));
}

//! How far groups are behind, as it is shown.

use std::time::Duration;

use protocol::id::Timestamp;
use storage::disk::VirtualDisk;

use super::{COMMIT_VERSION, bench, commit, find, opened};
use crate::effects::Job;
use crate::testing::Bench;

/// When the tests' clock begins, and each record's time.
const START_MS: i64 = 1_767_225_600_000;

/// Records and age of each partition of a group, and how many are not shown.
fn shown(bench: &Bench, now_ms: i64) -> (Vec<(u64, Option<u64>)>, u64) {
    let mut all = Vec::new();
    let left_out = bench.node.visit_group_lag(Timestamp(START_MS + now_ms), |lag| {
        all.push((lag.records, lag.age_ms));
    });
    (all, left_out)
}

/// Three records, of which the group has read this many.
fn behind(disk: &VirtualDisk, read: i64) -> Bench {
    let mut bench = bench(disk);
    for _ in 0..3 {
        assert!(bench.produce_one(("t", 0), |_: &Job| true).is_some());
    }
    assert_eq!(bench.commit_code(-1, "", read), protocol::ErrorCode::None);
    bench
}

#[test]
fn lag_is_counted_in_records_and_in_the_age_of_the_first() {
    let mut bench = behind(&VirtualDisk::new(), 1);
    // The records were written when the broker had come up, 100 ms from the start.
    assert_eq!(shown(&bench, 5_100), (vec![(2, Some(5_000))], 0));
    assert_eq!(bench.commit_code(-1, "", 3), protocol::ErrorCode::None);
    assert_eq!(shown(&bench, 5_100), (vec![(0, Some(0))], 0));
    // What was committed beyond the end is no lag.
    assert_eq!(bench.commit_code(-1, "", 7), protocol::ErrorCode::None);
    assert_eq!(shown(&bench, 5_100), (vec![(0, Some(0))], 0));
}

#[test]
fn the_age_of_cold_records_is_read_aside_and_kept() {
    let disk = VirtualDisk::new();
    let bench = behind(&disk, 1);
    drop(bench);
    disk.kill();
    let mut bench = opened(&disk);
    disk.drop_caches();
    assert_eq!(shown(&bench, 9_100), (vec![(2, None)], 0), "a scrape does not wait for the disk");
    bench.advance(Duration::from_secs(10));
    disk.drop_caches();
    let (found, _) = shown(&bench, 9_100);
    assert_eq!(found, [(2, Some(9_000))]);
}

#[test]
fn series_are_bounded_and_those_left_out_counted() {
    let mut bench = Bench::open(&VirtualDisk::new(), &[("metrics.group.partitions.max", "1")]).unwrap();
    bench.come_up();
    find(&mut bench, "g");
    for topic in ["t", "u", "v"] {
        bench.create(topic);
        bench.call(&commit(-1, "", topic, 0), COMMIT_VERSION);
    }
    let (found, left_out) = shown(&bench, 0);
    assert_eq!((found.len(), left_out), (1, 2));
}

#[test]
fn groups_with_endless_names_are_left_out() {
    let mut bench = bench(&VirtualDisk::new());
    for length in [255, 256] {
        let request =
            protocol::message::OffsetCommitRequest { group_id: "g".repeat(length), ..commit(-1, "", "t", 0) };
        let answer = bench.call(&request, COMMIT_VERSION);
        assert_eq!(answer.topics[0].partitions[0].error_code, protocol::ErrorCode::None);
    }
    let (found, left_out) = shown(&bench, 0);
    assert_eq!((found.len(), left_out), (1, 1));
}

//! When logs are synced: by `flush.messages`, by `flush.ms`, and with the checkpoint.

use std::time::Duration;

use protocol::ErrorCode;
use protocol::message::create_topics::CreatableTopicConfig;
use storage::disk::VirtualDisk;

use super::*;
use crate::testing::{Bench, create};

/// A broker that makes no checkpoint of its own while a test lasts.
fn quiet() -> Bench {
    let config = [("background.sync.interval.ms", "3600000")];
    let mut bench = Bench::open(&VirtualDisk::new(), &config).unwrap();
    bench.advance(Duration::from_millis(100));
    bench
}

fn create_with(bench: &mut Bench, name: &str, partitions: i32, configs: &[(&str, &str)]) {
    let mut request = create(&[name]);
    request.topics[0].num_partitions = partitions;
    let config = |(key, value): &(&str, &str)| CreatableTopicConfig {
        name: (*key).to_owned(),
        value: Some((*value).to_owned()),
    };
    request.topics[0].configs = configs.iter().map(config).collect();
    assert_eq!(bench.call(&request, 7).topics[0].error_code, ErrorCode::None);
}

/// Produces a record, and does no job; whether it is acknowledged.
fn produce(bench: &mut Bench, topic: &str, partition: i32) -> bool {
    bench.produce_one((topic, partition), |_| false).is_some_and(|answer| !answer.error_code.is_error())
}

/// The rounds that wait to be done: their depths, and how many partitions they have.
fn rounds(bench: &Bench) -> Vec<(Depth, usize)> {
    let round = |job: &Job| match job {
        Job::Sync(round) => Some((round.depth, round.partitions.len())),
        _ => None,
    };
    bench.jobs.iter().filter_map(|(_, job)| round(job)).collect()
}

#[test]
fn a_sync_is_forced_after_so_many_messages() {
    let mut bench = quiet();
    create_with(&mut bench, "t", 1, &[("flush.messages", "3")]);
    for _ in 0..2 {
        for _ in 0..2 {
            assert!(produce(&mut bench, "t", 0), "nobody waits for the sync");
            assert_eq!(rounds(&bench), []);
        }
        assert!(produce(&mut bench, "t", 0));
        assert_eq!(rounds(&bench), [(Depth::Batches, 1)]);
        bench.run_jobs();
    }
    create_with(&mut bench, "one", 1, &[("flush.messages", "1")]);
    assert!(!produce(&mut bench, "one", 0), "the answer waits for the sync");
}

#[test]
fn a_sync_is_forced_after_so_much_time() {
    let mut bench = quiet();
    create_with(&mut bench, "t", 1, &[("flush.ms", "50")]);
    for _ in 0..2 {
        assert!(produce(&mut bench, "t", 0));
        bench.pass(Duration::from_millis(30));
        assert!(produce(&mut bench, "t", 0));
        bench.pass(Duration::from_millis(19));
        assert_eq!(rounds(&bench), []);
        bench.pass(Duration::from_millis(1));
        assert_eq!(rounds(&bench), [(Depth::Batches, 1)], "50 ms after the first record");
        bench.run_jobs();
        bench.pass(Duration::from_millis(500));
        assert_eq!(rounds(&bench), [], "nothing was appended");
    }
    create_with(&mut bench, "at-once", 1, &[("flush.ms", "0")]);
    assert!(produce(&mut bench, "at-once", 0));
    bench.pass(Duration::ZERO);
    assert_eq!(rounds(&bench), [(Depth::Batches, 1)]);
}

#[test]
fn a_large_checkpoint_lets_others_between_its_rounds() {
    let mut bench = quiet();
    create_with(&mut bench, "t", 300, &[]);
    create_with(&mut bench, "u", 1, &[("flush.messages", "1")]);
    for partition in 0..300 {
        assert!(produce(&mut bench, "t", partition));
    }
    bench.pass(Duration::from_secs(3600));
    let mut seen = Vec::new();
    for _ in 0..10 {
        if seen.is_empty() {
            assert!(!produce(&mut bench, "u", 0));
        }
        seen.extend(rounds(&bench));
        bench.run_those(|job| !matches!(job, Job::Sync(_)));
        if let Some((ticket, job)) = bench.jobs.pop_front() {
            bench.job_done(ticket, job.run());
        }
    }
    let (checkpoint, batches) = (Depth::Checkpoint, Depth::Batches);
    assert_eq!(seen, [(checkpoint, 128), (batches, 1), (checkpoint, 128), (checkpoint, 44)]);
}

#[test]
fn records_are_synced_before_their_time_when_there_are_many() {
    let config = [("background.sync.bytes", "1048576"), ("background.sync.interval.ms", "3600000")];
    let mut bench = Bench::open(&VirtualDisk::new(), &config).unwrap();
    bench.come_up();
    create_with(&mut bench, "t", 2, &[]);
    assert!(produce(&mut bench, "t", 1));
    let mut produced = 0;
    while rounds(&bench).is_empty() {
        assert!(produce(&mut bench, "t", 0));
        produced += 1;
        assert!(produced < 50_000, "nothing is synced");
    }
    let sum = |bench: &Bench| {
        let (mut bytes, mut unsynced) = (0, 0);
        bench.node.visit_partitions(|view| {
            bytes += view.size_bytes;
            unsynced += view.unsynced_bytes;
        });
        (bytes, unsynced)
    };
    let (bytes, unsynced) = sum(&bench);
    assert!((1_000_000..1_150_000).contains(&bytes), "{bytes} bytes");
    assert_eq!(unsynced, bytes);
    assert_eq!(rounds(&bench), [(Depth::Batches, 2)]);
    bench.run_jobs();
    assert_eq!(sum(&bench), (bytes, 0));
    assert_eq!(bench.node.metrics().snapshot().syncs, 2);
    // The checkpoint still has their indexes to write.
    bench.pass(Duration::from_secs(3_600));
    assert_eq!(rounds(&bench), [(Depth::Checkpoint, 2)]);
}

//! The order in which logs are recovered, and deletions that come in between.

use std::time::Duration;

use machines::image::MetadataImage;
use parking_lot::Mutex;
use protocol::ErrorCode;
use protocol::id::{BrokerId, LeaderEpoch, Monotonic, Offset, PartitionEpoch, Uuid};
use protocol::message::DeleteTopicsRequest;
use protocol::message::delete_topics::DeleteTopicState;
use protocol::metadata_record::{MetadataRecord, PartitionChangeRecord, PartitionRecord, TopicRecord};
use storage::disk::VirtualDisk;

use super::*;
use crate::config::Config;
use crate::metadata::Changes;
use crate::testing::{Bench, create};
use crate::topic_settings::TopicSettings;

fn partition(queue: &Arc<RecoveryQueue>, topic_id: u8, index: i32) -> Arc<Partition> {
    let config = Config::load("node.id=1", "test", &[]).unwrap();
    let settings = Arc::new(TopicSettings::resolve(&config, &MetadataImage::default(), "t"));
    let identity = ("t".into(), Uuid([topic_id; 16]), PartitionIndex(index));
    Arc::new(Partition::new(identity, BrokerId(1), settings, Arc::clone(queue)))
}

fn waiting(queue: &Arc<RecoveryQueue>, count: i32) -> Vec<Arc<Partition>> {
    let partitions: Vec<_> = (0..count).map(|index| partition(queue, 1, index)).collect();
    partitions.iter().for_each(|partition| queue.enter(partition));
    partitions
}

fn take(queue: &RecoveryQueue) -> Option<i32> {
    queue.take().map(|partition| partition.index.0)
}

#[test]
fn what_a_request_asks_for_comes_first() {
    let queue = Arc::default();
    let partitions = waiting(&queue, 5);
    assert_eq!(take(&queue), Some(0));
    partitions[3].ask_for_recovery();
    partitions[3].ask_for_recovery();
    partitions[0].ask_for_recovery();
    assert_eq!([(); 5].map(|()| take(&queue)), [Some(3), Some(1), Some(2), Some(4), None]);
    assert_eq!(queue.len(), 5, "none is done");
    let mut opened = 0;
    for partition in &partitions {
        assert!(matches!(queue.finish(partition, || opened += 1), Finished::Wanted));
    }
    assert_eq!((opened, queue.len()), (5, 0));
}

#[test]
fn what_was_deleted_is_not_recovered() {
    let queue = Arc::default();
    let partitions = waiting(&queue, 3);
    partitions[1].ask_for_recovery();
    assert_eq!(queue.abandon(&partitions[1]), Abandoned::Waiting);
    assert_eq!(queue.abandon(&partitions[1]), Abandoned::Unknown);
    assert_eq!(queue.abandon(&partitions[0]), Abandoned::Waiting);
    assert_eq!([(); 2].map(|()| take(&queue)), [Some(2), None]);
    assert_eq!(queue.len(), 1);
}

#[test]
fn a_name_is_free_when_the_job_in_its_folder_has_ended() {
    let queue = Arc::default();
    let old = waiting(&queue, 1).remove(0);
    let new = partition(&queue, 2, 0);
    assert!(!queue.wait_for_name(&new), "nobody works in the folder");
    assert_eq!(take(&queue), Some(0));
    assert_eq!(queue.abandon(&old), Abandoned::Running);
    assert!(queue.wait_for_name(&new));
    let newer = partition(&queue, 3, 0);
    assert_eq!(queue.abandon(&new), Abandoned::Unknown, "it has no folder");
    assert!(queue.wait_for_name(&newer));
    let Finished::Abandoned(Some(successor)) = queue.finish(&old, || panic!("it was deleted")) else {
        panic!("somebody waits for the name");
    };
    assert!(Arc::ptr_eq(&successor, &newer));
    assert!(!queue.wait_for_name(&new));
    assert_eq!(queue.len(), 0);
}

fn no_recovery(job: &Job) -> bool {
    !matches!(job, Job::Recover(_))
}

/// A broker that was killed with a topic of so many partitions, started again; no log is recovered.
fn killed(partitions: i32) -> Bench {
    let disk = VirtualDisk::new();
    let mut bench = Bench::ready(&disk);
    let mut request = create(&["t"]);
    request.topics[0].num_partitions = partitions;
    bench.call(&request, 7);
    for partition in 0..partitions {
        assert_eq!(produce(&mut bench, partition), (ErrorCode::None, Offset(0)));
    }
    drop(bench);
    disk.kill();
    let mut bench = Bench::open(&disk, &[]).unwrap();
    for _ in 0..100 {
        bench.run_those(no_recovery);
        bench.pass(Duration::from_millis(1));
    }
    assert_eq!(bench.node.recovering(), usize::try_from(partitions).unwrap());
    bench
}

fn produce(bench: &mut Bench, partition: i32) -> (ErrorCode, Offset) {
    let answer = bench.produce_one(("t", partition), no_recovery).unwrap();
    (answer.error_code, answer.base_offset)
}

/// Deletes the topic and creates another one of its name, while no log is recovered.
fn replace(bench: &mut Bench) {
    let name = DeleteTopicState { name: Some("t".to_owned()), ..DeleteTopicState::default() };
    let request =
        DeleteTopicsRequest { topics: vec![name], timeout_ms: 1_000, ..DeleteTopicsRequest::default() };
    for create_too in [false, true] {
        let mut link = bench.connect();
        if create_too {
            bench.send(&mut link, &create(&["t"]), 7);
        } else {
            bench.send(&mut link, &request, 6);
        }
        bench.run_those(no_recovery);
    }
}

const ELSEWHERE: (ErrorCode, Offset) = (ErrorCode::NotLeaderOrFollower, Offset::UNKNOWN);

#[test]
fn each_log_is_served_as_its_recovery_ends() {
    let mut bench = killed(4);
    assert_eq!(produce(&mut bench, 2), ELSEWHERE);
    assert!(!bench.node.is_ready());
    bench.run_job();
    assert_eq!(produce(&mut bench, 2), (ErrorCode::None, Offset(1)));
    assert_eq!([0, 1, 3].map(|partition| produce(&mut bench, partition)), [ELSEWHERE; 3]);
    bench.run_jobs();
    assert!(bench.node.is_ready());
    for partition in [0, 1, 3] {
        assert_eq!(produce(&mut bench, partition), (ErrorCode::None, Offset(1)));
    }
    assert_eq!(bench.notices, [""; 0]);
}

#[test]
fn a_topic_may_be_replaced_before_its_logs_are_recovered() {
    let mut bench = killed(3);
    replace(&mut bench);
    assert_eq!(produce(&mut bench, 0), (ErrorCode::None, Offset(0)));
    bench.run_jobs();
    assert_eq!(produce(&mut bench, 0), (ErrorCode::None, Offset(1)));
    assert!(bench.node.is_ready());
    assert_eq!(bench.notices, [""; 0]);
}

#[test]
fn a_topic_may_be_replaced_while_its_log_is_recovered() {
    let mut bench = killed(1);
    let place = bench.jobs.iter().position(|(_, job)| !no_recovery(job)).unwrap();
    let (ticket, job) = bench.jobs.remove(place).unwrap();
    let result = job.run();
    replace(&mut bench);
    assert_eq!(produce(&mut bench, 0), ELSEWHERE, "the old log has the folder");
    bench.job_done(ticket, result);
    assert_eq!(produce(&mut bench, 0), (ErrorCode::None, Offset(0)));
    bench.run_jobs();
    assert!(bench.node.is_ready());
    assert_eq!(bench.notices, [""; 0]);
}

/// Sends a batch of an idempotent producer that the log does not know, and does no recovery.
fn send(bench: &mut Bench, sequence: i32) -> ErrorCode {
    bench.produce_idempotent(("t", 0), sequence, no_recovery).unwrap().error_code
}

#[test]
fn a_producers_second_batch_does_not_overtake_its_first() {
    let mut bench = killed(1);
    assert_eq!(send(&mut bench, 0), ErrorCode::NotLeaderOrFollower, "the log is recovered");
    bench.run_jobs();
    assert_eq!(send(&mut bench, 1), ErrorCode::NotLeaderOrFollower, "the first one was refused");
    for sequence in 0..3 {
        assert_eq!(send(&mut bench, sequence), ErrorCode::None);
    }
}

#[test]
fn a_log_that_is_recovered_while_an_image_is_published_follows_that_image() {
    let disk = VirtualDisk::new();
    drop({
        let mut bench = Bench::ready(&disk);
        bench.create("t");
        bench
    });
    disk.kill();
    let mut bench = Bench::open(&disk, &[]).unwrap();
    bench.held = |job| matches!(job, Job::Recover(_));
    bench.advance(Duration::from_millis(100));
    let at = bench.jobs.iter().position(|(_, job)| matches!(job, Job::Recover(_))).unwrap();
    let (ticket, job) = bench.jobs.remove(at).unwrap();
    let done = Mutex::new(Some((ticket, job.run())));
    let node = Arc::new(bench.node);
    let topic_id = node.image().topic("t").unwrap().id;
    let mut image = MetadataImage::clone(&node.image());
    let (local, new_id) = (BrokerId(1), Uuid([0xff; 16]));
    let partition_id = PartitionIndex(0);
    for record in [
        PartitionChangeRecord { partition_id, topic_id, leader: local, ..Default::default() }.into(),
        TopicRecord { name: "u".to_owned(), topic_id: new_id }.into(),
        PartitionRecord {
            partition_id,
            topic_id: new_id,
            replicas: vec![local],
            isr: vec![local],
            leader: local,
            leader_epoch: LeaderEpoch(0),
            partition_epoch: PartitionEpoch(0),
            directories: vec![Uuid([1; 16])],
            ..Default::default()
        }
        .into(),
    ] {
        let record: MetadataRecord = record;
        image.apply(&record).unwrap();
    }
    // The other topic's folder is made while the image is not shown yet.
    let now = Now { monotonic: Monotonic(1_000_000_000), wall: Timestamp(1_000) };
    let weak = Arc::downgrade(&node);
    disk.inject(move |call| {
        if call.path.ends_with("u-0")
            && let (Some((ticket, result)), Some(node)) = (done.lock().take(), weak.upgrade())
        {
            node.job_done(now, ticket, result, &mut Effects::default());
        }
        None
    });
    let changes = Changes { topics: [topic_id, new_id].into(), ..Changes::default() };
    node.publish(now, &Arc::new(image.clone()), &changes, &mut Effects::default());
    let registration = image.partition_by_id(topic_id, partition_id).unwrap();
    let hosted = node.table().by_name("t").unwrap().partition(partition_id).unwrap().clone();
    let replica_epoch = hosted.lock().replica.leader_epoch();
    assert!(hosted.lock().log.is_some(), "it was recovered meanwhile");
    assert_eq!(replica_epoch, registration.leader_epoch);
}

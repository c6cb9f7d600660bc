//! Tests of the log directory: identity, lock, how logs are found, deletion, state.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use protocol::id::{BrokerEpoch, BrokerId, Offset, PartitionIndex, TopicPartition, Uuid};

use super::*;
use crate::disk::{Fault, SeededChooser, VirtualDisk};
use crate::testing::{NOW, TOPIC_ID, append, produced, read_all, small};

const PATH: &str = "/data/kafka";

fn identity() -> Identity {
    Identity { cluster_id: "MkU3OEVBNTcwNTJENDM2Qg".into(), node_id: BrokerId(3) }
}

pub(super) fn open(disk: &VirtualDisk) -> Result<Directory, Error> {
    let disk: Arc<dyn Disk> = Arc::new(disk.clone());
    Directory::open(disk, Path::new(PATH), &identity(), Uuid([9; 16]), Limits::default())
}

fn partition(index: i32) -> TopicPartition {
    TopicPartition { topic: "orders".into(), partition: PartitionIndex(index) }
}

#[test]
fn a_directory_belongs_to_one_process_broker_and_cluster() {
    let disk = VirtualDisk::new();
    let directory = open(&disk).unwrap();
    assert!(directory.is_new());
    assert!(matches!(open(&disk), Err(Error::Locked { .. })));
    drop(directory);
    let directory = open(&disk).unwrap();
    assert!(!directory.is_new());
    assert_eq!(directory.meta().directory_id, Uuid([9; 16]));
    drop(directory);
    let other = Identity { node_id: BrokerId(4), ..identity() };
    let disk: Arc<dyn Disk> = Arc::new(disk);
    let error = Directory::open(disk, Path::new(PATH), &other, Uuid::ZERO, Limits::default()).unwrap_err();
    assert_eq!(error.to_string(), "/data/kafka: node.id is 3, not 4");
}

#[test]
fn a_clean_stop_is_remembered_once() {
    let disk = VirtualDisk::new();
    let directory = open(&disk).unwrap();
    assert_eq!(directory.clean_shutdown(), None);
    let mut states = BTreeMap::new();
    for i in 0..3 {
        let mut log = directory.create_log(&partition(i), TOPIC_ID, small(), NOW).unwrap();
        for sequence in 0..50 {
            append(&mut log, 0, produced(1, 0, sequence, 1)).unwrap();
        }
        // The third log fails to close and is recovered.
        if i < 2 {
            states.insert(partition(i), log.close_clean().unwrap());
        }
    }
    directory.close_clean(BrokerEpoch(42), states).unwrap();
    drop(directory);
    disk.crash(&mut SeededChooser::new(1));

    let directory = open(&disk).unwrap();
    assert_eq!(directory.clean_shutdown(), Some(BrokerEpoch(42)));
    assert_eq!(directory.partitions(), [partition(0), partition(1), partition(2)]);
    for i in 0..2 {
        let (log, report) = directory.open_log(&partition(i), small(), NOW).unwrap();
        assert_eq!(report.checked_bytes, 0);
        assert_eq!(read_all(&log, 0, 1000).len(), 50);
        assert_eq!(log.topic_id(), TOPIC_ID);
    }
    assert!(directory.partitions().len() == 1);
    drop(directory);
    disk.kill();
    let directory = open(&disk).unwrap();
    assert_eq!(directory.clean_shutdown(), None, "a crash after a clean stop is a crash");
    let (log, _) = directory.open_log(&partition(0), small(), NOW).unwrap();
    assert_eq!(log.log_end_offset(), Offset(50));
}

#[test]
fn a_deleted_partition_can_be_made_anew() {
    let disk = VirtualDisk::new();
    let directory = open(&disk).unwrap();
    let mut log = directory.create_log(&partition(0), TOPIC_ID, small(), NOW).unwrap();
    append(&mut log, 0, produced(1, 0, 0, 1)).unwrap();
    let plan = log.unsynced(crate::Depth::Checkpoint).unwrap();
    let folder = directory.delete_log(&partition(0), &mut log, Uuid([1; 16])).unwrap();
    assert_eq!(folder.to_str(), Some("/data/kafka/orders-0.01010101010101010101010101010101-delete"));
    assert!(append(&mut log, 0, produced(1, 0, 1, 1)).is_err());
    plan.run().unwrap();
    directory.create_log(&partition(0), TOPIC_ID, small(), NOW).unwrap();
    drop(directory);
    let directory = open(&disk).unwrap();
    assert_eq!(directory.leftovers(), std::slice::from_ref(&folder));
    remove_folder(&disk, &folder).unwrap();
    remove_folder(&disk, &folder).unwrap();
    plan.run().unwrap();
}

#[test]
fn checkpoints_have_kafkas_form() {
    let disk = VirtualDisk::new();
    let directory = open(&disk).unwrap();
    let offsets = BTreeMap::from([(partition(0), Offset(5)), (partition(1), Offset(7))]);
    directory.write_high_watermarks(offsets.iter().map(|(p, offset)| (p, *offset))).unwrap();
    let path = Path::new(PATH).join("replication-offset-checkpoint");
    let bytes = crate::disk::read_file(&disk, &path, 1000).unwrap();
    assert_eq!(String::from_utf8(bytes).unwrap(), "0\n2\norders 0 5\norders 1 7\n");
    assert_eq!(directory.read_high_watermarks().unwrap(), offsets);
}

#[test]
fn a_full_disk_is_a_state_and_a_failed_one_is_final() {
    let disk = VirtualDisk::new();
    let directory = open(&disk).unwrap();
    disk.set_capacity(Some(10_000));
    assert_eq!(directory.measure_space(1_000).unwrap(), DirectoryState::Online);
    assert_eq!(directory.measure_space(1_000_000).unwrap(), DirectoryState::Full);
    assert_eq!(directory.measure_space(1_000).unwrap(), DirectoryState::Online);
    let mut log = directory.create_log(&partition(0), TOPIC_ID, small(), NOW).unwrap();
    append(&mut log, 0, produced(1, 0, 0, 1)).unwrap();
    disk.inject(|call| (call.name == "sync_data").then_some(Fault::Io));
    let error = log.unsynced(crate::Depth::Batches).unwrap().run().unwrap_err();
    assert_eq!(directory.note_error(&error), DirectoryState::Offline);
    disk.heal();
    assert_eq!(directory.measure_space(1_000).unwrap(), DirectoryState::Offline);
    assert!(directory.close_clean(BrokerEpoch(1), BTreeMap::new()).is_err());
}

#[test]
fn a_relative_name_stands_in_the_current_folder() {
    for (path, folder) in [("gregor-data", "."), ("a/b", "a"), ("/a", "/"), ("/", "/")] {
        assert_eq!(super::containing(Path::new(path)), Path::new(folder));
    }
}

#[test]
fn a_folder_is_removed_although_a_sync_still_makes_files_in_it() {
    let root = tempfile::tempdir().unwrap();
    for round in 0..20 {
        let folder = root.path().join(format!("t-0.{round}-delete"));
        std::fs::create_dir(&folder).unwrap();
        std::thread::scope(|scope| {
            // As the checkpoint of a log does that began before its folder was renamed.
            scope.spawn(|| {
                let write = |file: u32| std::fs::write(folder.join(format!("{file}.snapshot")), b"");
                (0..2_000).find(|file| write(*file).is_err())
            });
            while !folder.join("0.snapshot").exists() {
                std::thread::yield_now();
            }
            super::remove_folder(&crate::disk::RealDisk, &folder).unwrap();
        });
    }
}

/// What a checkpoint file holds.
fn stored(disk: &VirtualDisk, name: &str) -> String {
    String::from_utf8(crate::disk::read_file(disk, &Path::new(PATH).join(name), 1000).unwrap()).unwrap()
}

/// Two logs of three records, whose checkpoint says so, after a kill.
fn checkpointed(disk: &VirtualDisk) {
    let directory = open(disk).unwrap();
    for index in 0..2 {
        let mut log = directory.create_log(&partition(index), TOPIC_ID, small(), NOW).unwrap();
        append(&mut log, 0, produced(1, 0, 0, 3)).unwrap();
        log.set_log_start_offset(Offset(1));
        let plan = log.unsynced(crate::Depth::Checkpoint).unwrap();
        plan.run().unwrap();
        log.synced(&plan).unwrap();
        directory.note_points(&partition(index), &log);
    }
    directory.write_points().unwrap();
    drop(directory);
    disk.kill();
}

#[test]
fn a_checkpoint_keeps_what_it_said_of_logs_that_are_not_open() {
    let disk = VirtualDisk::new();
    checkpointed(&disk);
    let directory = open(&disk).unwrap();
    let (log, _) = directory.open_log(&partition(0), small(), NOW).unwrap();
    directory.note_points(&partition(0), &log);
    directory.write_points().unwrap();
    let points = "0\n2\norders 0 3\norders 1 3\n";
    assert_eq!(stored(&disk, "recovery-point-offset-checkpoint"), points);
    assert_eq!(stored(&disk, "log-start-offset-checkpoint"), "0\n2\norders 0 1\norders 1 1\n");
    // Nor is what is known of a log lost that cannot be closed.
    directory.close_clean(BrokerEpoch(1), BTreeMap::new()).unwrap();
    assert_eq!(stored(&disk, "recovery-point-offset-checkpoint"), points);
}

#[test]
fn a_new_log_inherits_nothing_of_one_that_had_its_name() {
    for deleted_in_an_earlier_run in [false, true] {
        let disk = VirtualDisk::new();
        checkpointed(&disk);
        let mut directory = open(&disk).unwrap();
        directory.delete_left(&partition(0), Uuid([1; 16])).unwrap();
        if deleted_in_an_earlier_run {
            drop(directory);
            disk.kill();
            directory = open(&disk).unwrap();
        }
        let mut log = directory.create_log(&partition(0), Uuid([8; 16]), small(), NOW).unwrap();
        append(&mut log, 0, produced(1, 0, 0, 1)).unwrap();
        drop((log, directory));
        disk.kill();
        let directory = open(&disk).unwrap();
        let (log, report) = directory.open_log(&partition(0), small(), NOW).unwrap();
        assert_eq!((log.log_start_offset(), log.log_end_offset()), (Offset(0), Offset(1)));
        assert_eq!(report.lost_records, 0);
    }
}

#[test]
fn a_damaged_checkpoint_costs_time_and_no_records() {
    for name in ["recovery-point-offset-checkpoint", "log-start-offset-checkpoint"] {
        let disk = VirtualDisk::new();
        checkpointed(&disk);
        disk.flip(&Path::new(PATH).join(name), 0, 1).unwrap();
        let directory = open(&disk).unwrap();
        let [notice] = directory.notices() else { panic!("{:?}", directory.notices()) };
        assert!(notice.contains(name) && notice.contains("taken as empty"), "{notice}");
        let (log, _) = directory.open_log(&partition(1), small(), NOW).unwrap();
        assert_eq!(log.log_end_offset(), Offset(3));
    }
}

#[test]
fn a_log_whose_folder_keeps_its_name_can_be_put_aside() {
    let disk = VirtualDisk::new();
    let directory = open(&disk).unwrap();
    let mut log = directory.create_log(&partition(0), TOPIC_ID, small(), NOW).unwrap();
    disk.inject(|call| (call.name == "rename").then_some(Fault::NoSpace));
    assert!(!directory.delete_log(&partition(0), &mut log, Uuid([1; 16])).unwrap_err().is_fatal());
    disk.heal();
    assert_eq!(directory.left(&partition(0)).unwrap(), Some(Left::Unclean(TOPIC_ID)));
    directory.keep_stray(&partition(0), Uuid([2; 16])).unwrap();
    directory.create_log(&partition(0), Uuid([8; 16]), small(), NOW).unwrap();
}

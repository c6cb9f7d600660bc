//! What a failing disk, and an end at the wrong moment, must not take.

use std::path::Path;

use super::*;
use crate::disk::{Keep, Unsynced};

/// Few index entries: the third batch of [`rolled`] gets none.
fn sparse() -> LogConfig {
    LogConfig { segment_bytes: 4096, index_interval_bytes: 1_000, ..LogConfig::default() }
}

/// Appends two batches and checkpoints them, then one with a greater time, then one that begins a segment; `between`
/// runs before the last.
fn rolled(disk: &VirtualDisk, between: impl FnOnce(&mut Log)) -> Log {
    let mut log = create(disk, sparse());
    append(&mut log, 0, batch(1, 1_500, 10)).unwrap();
    append(&mut log, 0, batch(1, 100, 20)).unwrap();
    sync(&mut log, Depth::Checkpoint).unwrap();
    append(&mut log, 0, batch(1, 1_000, 90)).unwrap();
    between(&mut log);
    append(&mut log, 0, batch(1, 1_500, 30)).unwrap();
    assert_eq!(log.segment_count(), 2);
    log
}

fn open_at(
    disk: &VirtualDisk,
    config: LogConfig,
    recovery_point: Offset,
) -> Result<(Log, RecoveryReport), Error> {
    let start = Start::Unclean { recovery_point, log_start_offset: Offset(0) };
    Log::open(&open_files(disk), Path::new(FOLDER), config, start, NOW)
}

fn sync(log: &mut Log, depth: Depth) -> Result<(), Error> {
    match log.unsynced(depth) {
        Some(plan) => plan.run().and_then(|()| log.synced(&plan)),
        None => Ok(()),
    }
}

fn lose_all(disk: &VirtualDisk) {
    disk.crash(&mut |_: Unsynced| Keep::Lost);
}

/// The offset of the first record of at least a time.
fn at_time(log: &Log, time: i64) -> Option<i64> {
    let plan = log.plan_time(Timestamp(time), log.log_end_offset());
    plan.run(Wait::Long).unwrap().map(|found| found.offset.0)
}

#[test]
fn recovery_writes_the_indexes_of_every_segment_that_it_checks() {
    let disk = VirtualDisk::new();
    let log = rolled(&disk, |_| ());
    let recovery_point = log.recovery_point();
    assert_eq!(recovery_point, Offset(2));
    drop(log);
    disk.kill();
    let (mut log, _) = open_at(&disk, sparse(), recovery_point).unwrap();
    assert_eq!(at_time(&log, 60), Some(2));
    sync(&mut log, Depth::Checkpoint).unwrap();
    let recovery_point = log.recovery_point();
    assert_eq!(recovery_point, Offset(4));
    drop(log);
    lose_all(&disk);
    let (log, _) = open_at(&disk, sparse(), recovery_point).unwrap();
    assert_eq!(at_time(&log, 60), Some(2), "the segment is taken for as old as it is");
}

#[test]
fn a_roll_right_behind_a_checkpoint_loses_no_time() {
    let disk = VirtualDisk::new();
    let mut log = rolled(&disk, |log| sync(log, Depth::Checkpoint).unwrap());
    sync(&mut log, Depth::Checkpoint).unwrap();
    let recovery_point = log.recovery_point();
    drop(log);
    lose_all(&disk);
    let (log, _) = open_at(&disk, sparse(), recovery_point).unwrap();
    assert_eq!(at_time(&log, 60), Some(2));
}

#[test]
fn what_a_failed_sync_left_in_the_page_cache_is_brought_to_the_device_after_a_restart() {
    let disk = VirtualDisk::new();
    let mut log = create(&disk, small());
    append(&mut log, 0, batch(2, 10, 0)).unwrap();
    disk.inject(|call| (call.name == "sync_data").then_some(Fault::Io));
    assert!(sync(&mut log, Depth::Batches).unwrap_err().is_fatal());
    drop(log);
    disk.kill();
    disk.heal();
    let (mut log, _) = open_at(&disk, small(), Offset(0)).unwrap();
    assert_eq!(read_all(&log, 0, ALL), [(0, 1)], "as the page cache has it");
    append(&mut log, 0, batch(1, 10, 0)).unwrap();
    sync(&mut log, Depth::Checkpoint).unwrap();
    drop(log);
    lose_all(&disk);
    let (log, _) = open_at(&disk, small(), Offset(0)).unwrap();
    assert_eq!(read_all(&log, 0, ALL), [(0, 1), (2, 2)]);
}

#[test]
fn what_the_page_cache_gave_up_is_cut() {
    let disk = VirtualDisk::new();
    let mut log = create(&disk, small());
    append(&mut log, 0, batch(2, 10, 0)).unwrap();
    sync(&mut log, Depth::Checkpoint).unwrap();
    append(&mut log, 0, batch(2, 10, 0)).unwrap();
    disk.inject(|call| (call.name == "sync_data").then_some(Fault::Io));
    assert!(sync(&mut log, Depth::Batches).is_err());
    drop(log);
    disk.kill();
    disk.heal();
    assert!(disk.evict_unwritten());
    assert!(!disk.evict_unwritten(), "it is gone already");
    let (log, report) = open_at(&disk, small(), Offset(2)).unwrap();
    assert_eq!(read_all(&log, 0, ALL), [(0, 1)]);
    assert!(report.cut_bytes > 0 && report.lost_records == 0);
}

#[test]
fn a_sync_that_finds_no_room_is_not_tried_again() {
    let disk = VirtualDisk::new();
    let mut log = create(&disk, small());
    append(&mut log, 0, batch(2, 10, 0)).unwrap();
    disk.inject(|call| (call.name == "sync_data").then_some(Fault::NoSpace));
    assert!(sync(&mut log, Depth::Batches).unwrap_err().is_fatal());
}

#[test]
fn retention_does_not_forget_what_producers_sent() {
    let disk = VirtualDisk::new();
    let mut log = create(&disk, small());
    append(&mut log, 0, produced(1, 0, 0, 5)).unwrap();
    log.roll(NOW).unwrap();
    log.set_log_start_offset(Offset(5));
    assert!(!log.retention(NOW, Offset(5)).unwrap().is_empty());
    drop(log);
    lose_all(&disk);
    let (mut log, _) = open_at(&disk, small(), Offset(0)).unwrap();
    let again = append(&mut log, 0, produced(1, 0, 0, 5)).unwrap();
    assert!(matches!(again, AppendOutcome::Duplicate { base_offset: Offset(0), .. }), "{again:?}");
}

#[test]
fn a_snapshot_that_the_device_refuses_to_read_is_not_taken_for_a_torn_one() {
    let disk = VirtualDisk::new();
    let mut log = create(&disk, small());
    append(&mut log, 0, produced(1, 0, 0, 5)).unwrap();
    sync(&mut log, Depth::Checkpoint).unwrap();
    drop(log);
    disk.kill();
    disk.drop_caches();
    disk.inject_reads(|path| path.extension().is_some_and(|suffix| suffix == "snapshot"));
    assert!(open_at(&disk, small(), Offset(5)).unwrap_err().is_fatal());
    disk.kill();
    disk.heal();
    let (log, _) = open_at(&disk, small(), Offset(5)).unwrap();
    assert_eq!(log.producer_count(), 1);
}

#[test]
fn half_a_batch_that_cannot_be_cut_off_is_a_failure() {
    let disk = VirtualDisk::new();
    let mut log = create(&disk, small());
    append(&mut log, 0, batch(1, 10, 0)).unwrap();
    disk.inject(|call| match call.name {
        "write_at" => Some(Fault::NoSpace),
        "set_len" => Some(Fault::Io),
        _ => None,
    });
    assert!(append(&mut log, 0, batch(1, 10, 0)).unwrap_err().is_fatal());
    assert!(log.is_offline());
}

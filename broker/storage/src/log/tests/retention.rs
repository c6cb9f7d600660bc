//! Retention: what goes, in which order, and what may happen beside it.

use super::*;
use crate::disk::{Keep, Unsynced};

#[test]
fn retention_removes_by_time_size_and_start() {
    let disk = VirtualDisk::new();
    let mut log = create(&disk, LogConfig { retention_ms: Some(1000), ..small() });
    for i in 0..100 {
        append(&mut log, 0, batch(1, 100, i * 100)).unwrap();
    }
    let segments = log.segment_count();
    assert!(log.retention(Timestamp(1000), Offset(100)).unwrap().is_empty(), "nothing is old");
    assert!(
        log.retention(Timestamp(1 << 40), Offset(0)).unwrap().is_empty(),
        "nothing is below the watermark"
    );
    let removed = log.retention(Timestamp(6_000), Offset(100)).unwrap();
    assert!(!removed.is_empty() && removed.iter().all(|path| path.to_string_lossy().ends_with(".deleted")));
    let start = log.log_start_offset();
    assert!(start > Offset(0) && start <= Offset(50) && log.segment_count() < segments);
    assert!(log.plan_read(Offset(start.0 - 1), Offset(100), ALL).is_err());
    assert_eq!(read_all(&log, start.0, ALL).len(), usize::try_from(100 - start.0).unwrap());

    log.update_config(LogConfig { retention_bytes: Some(5000), retention_ms: None, ..small() });
    log.retention(NOW, Offset(100)).unwrap();
    assert!((5000..5000 + 4096).contains(&log.size_bytes()), "{}", log.size_bytes());

    log.update_config(LogConfig { retention_ms: None, ..small() });
    log.set_log_start_offset(Offset(99));
    log.retention(NOW, Offset(100)).unwrap();
    assert_eq!(log.segment_count(), 1);
    assert_eq!(log.log_start_offset(), Offset(99));

    log.update_config(LogConfig { retention_ms: Some(1), ..small() });
    log.retention(Timestamp(1 << 40), Offset(100)).unwrap();
    assert_eq!(
        (log.log_start_offset(), log.log_end_offset(), log.size_bytes()),
        (Offset(100), Offset(100), 0)
    );
}

/// A log of 60 records, one a segment, all old.
fn old(disk: &VirtualDisk) -> Log {
    let config = LogConfig { segment_bytes: 200, retention_ms: Some(1000), ..small() };
    let mut log = create(disk, config);
    for i in 0..60 {
        append(&mut log, 0, batch(1, 100, i)).unwrap();
    }
    assert_eq!(log.segment_count(), 60);
    log
}

const LATE: Timestamp = Timestamp(1 << 40);

#[test]
fn the_log_is_used_on_while_segments_go() {
    let disk = VirtualDisk::new();
    let mut log = old(&disk);
    let read = log.plan_read(Offset(3), Offset(60), 1).unwrap();
    let sync = log.unsynced(Depth::Checkpoint).unwrap();
    let mut plan = log.plan_retention(LATE, Offset(50)).unwrap();
    plan.run().unwrap();
    // All of this was planned before, or comes before it is noted.
    assert_eq!(log.log_start_offset(), Offset(0));
    sync.run().unwrap();
    log.synced(&sync).unwrap();
    assert!(read.run(Wait::Long).unwrap().range.is_some());
    assert_eq!(read_all(&log, 7, 1).len(), 53);
    append(&mut log, 0, batch(1, 100, 60)).unwrap();
    log.retained(&plan);
    assert_eq!((log.log_start_offset(), log.log_end_offset()), (Offset(50), Offset(61)));
    assert_eq!(read_all(&log, 50, ALL).len(), 11);
    let removed = plan.into_removed();
    assert!(removed.len() >= 50 && removed.iter().all(|path| path.to_string_lossy().ends_with(".deleted")));
    crate::remove_files(&disk, &removed).unwrap();
    sync.run().unwrap();
}

#[test]
fn a_truncation_or_a_deletion_may_come_in_between() {
    let disk = VirtualDisk::new();
    let mut log = old(&disk);
    let mut plan = log.plan_retention(LATE, Offset(60)).unwrap();
    log.truncate_fully(Offset(7), NOW).unwrap();
    plan.run().unwrap();
    log.retained(&plan);
    assert_eq!((log.log_start_offset(), log.log_end_offset()), (Offset(7), Offset(7)));
    let other = VirtualDisk::new();
    let mut log = old(&other);
    let mut plan = log.plan_retention(LATE, Offset(60)).unwrap();
    log.rename_deleted(Path::new("/t-0.1-delete")).unwrap();
    crate::remove_folder(&other, Path::new("/t-0.1-delete")).unwrap();
    plan.run().unwrap();
}

#[test]
fn a_full_disk_does_not_keep_retention_from_making_room() {
    let disk = VirtualDisk::new();
    let mut log = old(&disk);
    disk.set_capacity(Some(disk.used()));
    // The last segment cannot be closed: that takes files, for which there is no room.
    assert!(matches!(log.retention(LATE, Offset(60)), Err(Error::NoSpace { .. })));
    assert_eq!(log.log_start_offset(), Offset(59));
    assert!(!log.is_offline());
    disk.set_capacity(None);
    log.retention(LATE, Offset(60)).unwrap();
    assert_eq!(log.log_start_offset(), Offset(60));
}

#[test]
fn what_went_before_a_failure_is_noted_and_the_rest_goes_later() {
    for calls in 0..12 {
        let disk = VirtualDisk::new();
        let mut log = old(&disk);
        let first = disk.calls();
        disk.inject(move |call| (call.number >= first + calls).then_some(Fault::NoSpace));
        let mut plan = log.plan_retention(LATE, Offset(5)).unwrap();
        let _ = plan.run();
        log.retained(&plan);
        disk.heal();
        let start = log.log_start_offset();
        assert!(start <= Offset(5));
        assert_eq!(read_all(&log, start.0, 1).len(), usize::try_from(60 - start.0).unwrap());
        if let Some(mut plan) = log.plan_retention(LATE, Offset(5)) {
            plan.run().unwrap();
            log.retained(&plan);
        }
        assert_eq!(log.log_start_offset(), Offset(5), "after {calls} calls");
    }
}

#[test]
fn the_start_moves_behind_what_survives_a_loss_of_power() {
    let disk = VirtualDisk::new();
    let mut log = old(&disk);
    let sync = log.unsynced(Depth::Checkpoint).unwrap();
    sync.run().unwrap();
    log.synced(&sync).unwrap();
    let mut plan = log.plan_retention(LATE, Offset(20)).unwrap();
    plan.run().unwrap();
    log.retained(&plan);
    drop(log);
    disk.crash(&mut |_: Unsynced| Keep::Lost);
    let (log, _) = reopen(&disk, 60);
    assert_eq!((log.log_start_offset(), log.log_end_offset()), (Offset(20), Offset(60)));
}

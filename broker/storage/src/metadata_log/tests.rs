//! The metadata log through crashes and damage.

use std::path::Path;

use protocol::id::{LeaderEpoch, Offset};
use protocol::records::{BatchBuilder, Batches};

use super::{METADATA_FOLDER, MetadataLog, SnapshotId};
use crate::Error;
use crate::disk::{Disk, Keep, OpenMode, Unsynced, VirtualDisk};
use crate::testing::{NOW, open_files};

fn open(disk: &VirtualDisk) -> MetadataLog {
    MetadataLog::open(&open_files(disk), Path::new("/"), NOW).unwrap()
}

fn entry(offset: i64, term: i32) -> Vec<u8> {
    let mut builder = BatchBuilder::new().base_offset(Offset(offset)).leader_epoch(LeaderEpoch(term));
    builder.push(NOW, None, Some(b"record"), &[]);
    builder.build().unwrap()
}

fn offsets(log: &MetadataLog) -> Vec<(i64, i32)> {
    let bytes = log.read_all().unwrap();
    let batches = Batches::new(&bytes).map(|batch| batch.unwrap().0);
    batches.map(|header| (header.base_offset.0, header.partition_leader_epoch.0)).collect()
}

fn lose_all(disk: &VirtualDisk) {
    disk.crash(&mut |_: Unsynced| Keep::Lost);
}

#[test]
fn what_was_appended_survives_a_loss_of_power() {
    let disk = VirtualDisk::new();
    let mut log = open(&disk);
    log.write_quorum_state(b"{}").unwrap();
    for offset in 0..5 {
        log.append(&entry(offset, 1), NOW).unwrap();
    }
    log.truncate_to(Offset(3), NOW).unwrap();
    log.append(&entry(3, 2), NOW).unwrap();
    assert!(log.append(&entry(3, 2), NOW).is_err(), "below the log's end");
    lose_all(&disk);
    let log = open(&disk);
    assert_eq!(offsets(&log), [(0, 1), (1, 1), (2, 1), (3, 2)]);
    assert_eq!(log.read_quorum_state().unwrap(), Some(b"{}".to_vec()));
}

#[test]
fn a_snapshot_replaces_the_log_below_it() {
    let disk = VirtualDisk::new();
    let mut log = open(&disk);
    for offset in 0..5 {
        log.append(&entry(offset, 1), NOW).unwrap();
    }
    let id = SnapshotId { end_offset: Offset(3), epoch: LeaderEpoch(1) };
    log.write_snapshot(id, b"state").unwrap();
    log.compact(NOW).unwrap();
    assert_eq!(offsets(&log)[..], [(3, 1), (4, 1)][..]);
    lose_all(&disk);
    let mut log = open(&disk);
    assert_eq!(log.newest_snapshot(), Some(id));
    assert_eq!(log.read_snapshot(id).unwrap(), Some(b"state".to_vec()));
    assert_eq!(log.log().log_start_offset(), Offset(3));
    let id = SnapshotId { end_offset: Offset(5), epoch: LeaderEpoch(1) };
    log.write_snapshot(id, b"later").unwrap();
    log.compact(NOW).unwrap();
    lose_all(&disk);
    let mut log = open(&disk);
    assert_eq!(offsets(&log), []);
    log.append(&entry(5, 2), NOW).unwrap();
    assert_eq!(offsets(&log), [(5, 2)]);
}

#[test]
fn a_leaders_snapshot_starts_the_log_over() {
    let disk = VirtualDisk::new();
    let mut log = open(&disk);
    for offset in 0..5 {
        log.append(&entry(offset, 1), NOW).unwrap();
    }
    let id = SnapshotId { end_offset: Offset(4), epoch: LeaderEpoch(7) };
    log.write_snapshot(id, b"state").unwrap();
    // The power goes before the log started over: its batches contradict the snapshot.
    lose_all(&disk);
    let mut log = open(&disk);
    assert_eq!((log.log().log_start_offset(), log.log().log_end_offset()), (Offset(4), Offset(4)));
    log.append(&entry(4, 7), NOW).unwrap();
    let id = SnapshotId { end_offset: Offset(100), epoch: LeaderEpoch(8) };
    log.write_snapshot(id, b"state").unwrap();
    log.start_over(NOW).unwrap();
    log.append(&entry(100, 8), NOW).unwrap();
    lose_all(&disk);
    assert_eq!(offsets(&open(&disk)), [(100, 8)]);
}

/// The first segment's file.
fn segment() -> std::path::PathBuf {
    Path::new("/").join(METADATA_FOLDER).join("00000000000000000000.log")
}

/// The disk of a log with an entry at each offset below `end`, after its process was killed.
fn left(end: i64) -> VirtualDisk {
    let disk = VirtualDisk::new();
    let mut log = open(&disk);
    for offset in 0..end {
        log.append(&entry(offset, 1), NOW).unwrap();
    }
    disk.kill();
    disk
}

fn refusal(disk: &VirtualDisk) -> String {
    match MetadataLog::open(&open_files(disk), Path::new("/"), NOW) {
        Err(Error::Corrupt { path, reason }) => format!("{}: {reason}", path.display()),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_damaged_batch_before_whole_ones_is_refused_and_nothing_is_cut() {
    let len = entry(0, 1).len();
    // Its length, its epoch, its CRC, a byte of its record.
    for at in [8, 12, 17, len - 2] {
        let disk = left(5);
        disk.flip(&segment(), 2 * len + at, 0x40).unwrap();
        let why = refusal(&disk);
        assert!(why.contains("before the records from offset") && why.contains(".log"), "{at}: {why}");
        // Mended, everything is there.
        disk.kill();
        disk.flip(&segment(), 2 * len + at, 0x40).unwrap();
        assert_eq!(offsets(&open(&disk)).len(), 5, "{at}");
    }
}

#[test]
fn an_end_that_was_torn_is_cut_and_told() {
    let disk = left(5);
    let file = disk.open(&segment(), OpenMode::Write).unwrap();
    let len = entry(0, 1).len() as u64;
    file.set_len(5 * len - 7).unwrap();
    let log = open(&disk);
    assert_eq!((offsets(&log).len(), log.torn_bytes()), (4, len - 7));
}

#[test]
fn an_end_that_was_noted_may_not_be_missing() {
    let disk = left(4);
    let mut log = open(&disk);
    log.append(&entry(4, 1), NOW).unwrap();
    log.note_durable_end().unwrap();
    log.append(&entry(5, 1), NOW).unwrap();
    disk.kill();
    let len = entry(0, 1).len() as u64;
    // The last one may be torn, the one before was on the device.
    disk.open(&segment(), OpenMode::Write).unwrap().set_len(6 * len - 1).unwrap();
    assert_eq!(offsets(&open(&disk)).len(), 5);
    disk.kill();
    disk.open(&segment(), OpenMode::Write).unwrap().set_len(5 * len - 1).unwrap();
    assert!(refusal(&disk).contains("offsets 4 to 5 were there and are not"));
}

#[test]
fn an_append_of_several_batches_may_be_torn_anywhere() {
    let disk = left(2);
    let mut log = open(&disk);
    let len = entry(0, 1).len();
    log.append(&[entry(2, 1), entry(3, 1), entry(4, 1)].concat(), NOW).unwrap();
    let torn = disk.fork();
    torn.kill();
    // Its last page reached the disk, its first did not.
    torn.flip(&segment(), 2 * len + 20, 0x40).unwrap();
    assert_eq!(offsets(&open(&torn)).len(), 2);
    // Behind the next append it was synced.
    log.append(&entry(5, 1), NOW).unwrap();
    disk.kill();
    disk.flip(&segment(), 2 * len + 20, 0x40).unwrap();
    assert!(refusal(&disk).contains("before the records from offset 5 on"));
}

#[test]
fn a_log_that_was_cut_is_not_taken_for_a_damaged_one() {
    let disk = left(5);
    let mut log = open(&disk);
    log.append(&entry(5, 1), NOW).unwrap();
    log.note_durable_end().unwrap();
    // The power goes at any call of a truncation and of what is appended then; anything unsynced is lost or kept.
    let first = disk.calls();
    for calls in 0.. {
        let (disk, keep) = (disk.fork(), if calls % 2 == 0 { Keep::Lost } else { Keep::All });
        disk.kill();
        let mut log = open(&disk);
        let begin = disk.calls();
        assert!(begin >= first);
        disk.halt_at(begin + calls / 2);
        let cut = log.truncate_to(Offset(3), NOW).and_then(|()| log.append(&entry(3, 2), NOW));
        disk.crash(&mut |_: Unsynced| keep);
        let found = offsets(&open(&disk));
        assert!(found.len() >= 3, "{found:?}");
        if cut.is_ok() {
            assert_eq!(found[3..], [(3, 2)]);
            return;
        }
    }
}

//! Tests of the log on a virtual disk: append, read, roll, truncation, retention, producers, look-ups by time.

use std::path::{Path, PathBuf};

use protocol::ErrorCode;
use protocol::id::{LeaderEpoch, Offset, Timestamp};
use protocol::records::ControlType;

use super::*;
use crate::disk::{Disk, Fault, VirtualDisk, Wait};
use crate::testing::*;

const ALL: u32 = u32::MAX;

fn appended(outcome: Result<AppendOutcome, Error>) -> i64 {
    match outcome.unwrap() {
        AppendOutcome::Appended { base_offset } => base_offset.0,
        other => panic!("{other:?}"),
    }
}

fn names(disk: &VirtualDisk) -> Vec<String> {
    disk.list(Path::new(FOLDER)).unwrap().into_iter().map(|entry| entry.name).collect()
}

fn reopen(disk: &VirtualDisk, recovery_point: i64) -> (Log, RecoveryReport) {
    disk.kill();
    let start = Start::Unclean { recovery_point: Offset(recovery_point), log_start_offset: Offset(0) };
    Log::open(&open_files(disk), Path::new(FOLDER), small(), start, NOW).unwrap()
}

fn checkpoint(log: &mut Log) {
    if let Some(plan) = log.unsynced(Depth::Checkpoint) {
        plan.run().unwrap();
        log.synced(&plan).unwrap();
    }
}

#[test]
fn offsets_are_dense_and_batches_read_back() {
    let disk = VirtualDisk::new();
    let mut log = create(&disk, small());
    assert_eq!(names(&disk), ["partition.metadata"]);
    for i in 0..100 {
        assert_eq!(appended(append(&mut log, 0, batch(3, 50, i))), i * 3);
    }
    assert_eq!(log.log_end_offset(), Offset(300));
    assert!(log.segment_count() > 3);
    let expected: Vec<(i64, i64)> = (0..100).map(|i| (i * 3, i * 3 + 2)).collect();
    for bytes_max in [1, 300, 1000, ALL] {
        assert_eq!(read_all(&log, 0, bytes_max), expected, "{bytes_max} bytes at once");
    }
    // From any offset the first batch is the one that holds it.
    for from in 0..300 {
        assert_eq!(read_all(&log, from, 500)[0], (from / 3 * 3, from / 3 * 3 + 2));
    }
}

#[test]
fn a_read_ends_at_its_limit_and_below_the_high_watermark() {
    let disk = VirtualDisk::new();
    let mut log = create(&disk, LogConfig { segment_bytes: 1 << 20, ..small() });
    let size = u32::try_from(batch(1, 100, 0).len()).unwrap();
    for i in 0..200 {
        append(&mut log, 0, batch(1, 100, i)).unwrap();
    }
    let run = |from, before, bytes_max| {
        let plan = log.plan_read(Offset(from), Offset(before), bytes_max).unwrap();
        plan.run(Wait::Never).unwrap().range.map_or(0, |range| range.len / size)
    };
    for (from, before) in [(0, 200), (0, 77), (3, 100), (150, 199), (198, 200)] {
        assert_eq!(i64::from(run(from, before, ALL)), before - from, "{from}..{before}");
        assert_eq!(run(from, before, 1), 1, "at least one batch (KIP-74)");
    }
    assert_eq!(run(5, 5, ALL), 0);
    let some = run(10, 200, size * 20);
    assert!((15..=20).contains(&some), "{some} batches of 20 that fit");
    assert!(log.plan_read(Offset(201), Offset(200), ALL).is_err());
    assert!(log.plan_read(Offset(-1), Offset(200), ALL).is_err());
}

#[test]
fn several_batches_go_out_in_one_write() {
    let disk = VirtualDisk::new();
    let mut log = create(&disk, LogConfig::default());
    append(&mut log, 0, batch(1, 10, 0)).unwrap();
    let before = disk.calls();
    let mut batches: Vec<Vec<u8>> = (0..40).map(|i| batch(2, 10, i)).collect();
    let mut outcomes = Vec::new();
    append_all(&mut log, 0, &mut batches.iter_mut().collect::<Vec<_>>(), &mut outcomes).unwrap();
    assert_eq!(disk.calls() - before, 1);
    assert_eq!(outcomes.len(), 40);
    assert_eq!(read_all(&log, 0, ALL).len(), 41);
}

#[test]
fn a_full_disk_leaves_the_log_as_it_was() {
    let disk = VirtualDisk::new();
    let mut log = create(&disk, small());
    append(&mut log, 0, produced(1, 0, 0, 5)).unwrap();
    disk.inject(|call| (call.name == "write_at").then_some(Fault::NoSpace));
    assert!(matches!(append(&mut log, 0, produced(1, 0, 5, 5)), Err(Error::NoSpace { .. })));
    disk.heal();
    assert!(!log.is_offline());
    assert_eq!(appended(append(&mut log, 0, produced(1, 0, 5, 5))), 5);
    assert_eq!(read_all(&log, 0, ALL), [(0, 4), (5, 9)]);
}

#[test]
fn a_failed_write_takes_the_log_offline() {
    let disk = VirtualDisk::new();
    let mut log = create(&disk, small());
    append(&mut log, 0, batch(1, 10, 0)).unwrap();
    disk.inject(|call| (call.name == "write_at").then_some(Fault::Io));
    let error = append(&mut log, 0, batch(1, 10, 0)).unwrap_err();
    assert_eq!(error.code(), ErrorCode::KafkaStorageError);
    disk.heal();
    assert!(matches!(append(&mut log, 0, batch(1, 10, 0)), Err(Error::Offline { .. })));
    assert_eq!(read_all(&log, 0, ALL), [(0, 0)], "what was there is still read");
}

#[test]
fn producers_are_deduplicated_and_fenced() {
    let disk = VirtualDisk::new();
    let mut log = create(&disk, LogConfig::default());
    let sequence =
        |log: &mut Log, epoch, base, count| append(log, 0, produced(9, epoch, base, count)).unwrap();
    // Whatever an unknown producer sends first is right.
    assert_eq!(sequence(&mut log, 1, 40, 10), AppendOutcome::Appended { base_offset: Offset(0) });
    for i in 1..6 {
        sequence(&mut log, 1, 40 + i * 10, 10);
    }
    let duplicate = sequence(&mut log, 1, 50, 10);
    assert!(matches!(duplicate, AppendOutcome::Duplicate { base_offset: Offset(10), .. }), "{duplicate:?}");
    let out_of_order = AppendOutcome::Rejected(ErrorCode::OutOfOrderSequenceNumber);
    assert_eq!(sequence(&mut log, 1, 40, 10), out_of_order, "only five batches are remembered");
    assert_eq!(sequence(&mut log, 1, 101, 10), out_of_order);
    assert_eq!(sequence(&mut log, 2, 7, 1), out_of_order, "a new epoch begins at 0");
    assert!(matches!(sequence(&mut log, 2, 0, 1), AppendOutcome::Appended { .. }));
    assert_eq!(sequence(&mut log, 1, 100, 1), AppendOutcome::Rejected(ErrorCode::InvalidProducerEpoch));
}

#[test]
fn sequences_wrap_to_zero() {
    let disk = VirtualDisk::new();
    let mut log = create(&disk, LogConfig::default());
    append(&mut log, 0, produced(9, 0, i32::MAX - 4, 5)).unwrap();
    assert_eq!(appended(append(&mut log, 0, produced(9, 0, 0, 5))), 5);
    append(&mut log, 0, produced(8, 0, i32::MAX - 1, 4)).unwrap();
    assert_eq!(appended(append(&mut log, 0, produced(8, 0, 2, 1))), 14);
    let again = append(&mut log, 0, produced(8, 0, i32::MAX - 1, 4)).unwrap();
    assert!(matches!(again, AppendOutcome::Duplicate { base_offset: Offset(10), .. }), "{again:?}");
}

#[test]
fn batches_of_one_call_see_each_other() {
    let disk = VirtualDisk::new();
    let mut log = create(&disk, LogConfig::default());
    let mut batches = [
        produced(9, 0, 0, 2),
        produced(9, 0, 2, 2),
        produced(9, 0, 0, 2),
        produced(9, 0, 9, 2),
        produced(9, 1, 0, 2),
        produced(9, 0, 4, 2),
        produced(5, 0, 3, 2),
    ];
    let mut outcomes = Vec::new();
    append_all(&mut log, 0, &mut batches.iter_mut().collect::<Vec<_>>(), &mut outcomes).unwrap();
    let base_offset = |offset| AppendOutcome::Appended { base_offset: Offset(offset) };
    assert_eq!(outcomes[0], base_offset(0));
    assert_eq!(outcomes[1], base_offset(2));
    assert!(matches!(outcomes[2], AppendOutcome::Duplicate { base_offset: Offset(0), .. }));
    assert_eq!(outcomes[3], AppendOutcome::Rejected(ErrorCode::OutOfOrderSequenceNumber));
    assert_eq!(outcomes[4], base_offset(4));
    assert_eq!(outcomes[5], AppendOutcome::Rejected(ErrorCode::InvalidProducerEpoch));
    assert_eq!(outcomes[6], base_offset(6));
    assert_eq!(read_all(&log, 0, ALL), [(0, 1), (2, 3), (4, 5), (6, 7)]);
}

#[test]
fn recovery_brings_back_batches_epochs_and_producers() {
    let disk = VirtualDisk::new();
    let mut log = create(&disk, small());
    for i in 0..60 {
        append(&mut log, i / 20, produced(i64::from(i % 3), 0, i / 3, 1)).unwrap();
    }
    let before = read_all(&log, 0, ALL);
    let epochs = log.epochs.clone();
    let (mut log, report) = reopen(&disk, 0);
    assert_eq!(read_all(&log, 0, ALL), before);
    assert_eq!(log.epochs, epochs);
    assert_eq!(report.cut_bytes, 0);
    assert_eq!(appended(append(&mut log, 3, produced(0, 0, 20, 1))), 60);
    let again = append(&mut log, 3, produced(1, 0, 19, 1)).unwrap();
    assert!(matches!(again, AppendOutcome::Duplicate { base_offset: Offset(58), .. }), "{again:?}");
    // From a checkpoint only the rest is read.
    checkpoint(&mut log);
    append(&mut log, 3, produced(0, 0, 21, 1)).unwrap();
    let (log, report) = reopen(&disk, 61);
    assert_eq!(log.log_end_offset(), Offset(62));
    assert!(report.checked_bytes < 1000, "{report:?}");
}

#[test]
fn a_torn_end_is_cut() {
    let disk = VirtualDisk::new();
    let mut log = create(&disk, LogConfig::default());
    for i in 0..10 {
        append(&mut log, 0, produced(1, 0, i, 1)).unwrap();
    }
    let size = usize::try_from(log.size_bytes()).unwrap();
    let path = Path::new(FOLDER).join("00000000000000000000.log");
    disk.flip(&path, size - 3, 1).unwrap();
    let (mut log, report) = reopen(&disk, 0);
    assert_eq!(log.log_end_offset(), Offset(9));
    assert_eq!(report.cut_bytes, size as u64 / 10);
    assert_eq!(appended(append(&mut log, 0, produced(1, 0, 9, 1))), 9, "the producer state was cut too");
    let (_, report) = reopen(&disk, 11);
    assert_eq!(report.lost_records, 1, "a loss below the recovery point is told");
}

#[test]
fn truncation_cuts_batches_indexes_epochs_and_producers() {
    for end in [1, 17, 30, 31, 59] {
        let disk = VirtualDisk::new();
        let mut log = create(&disk, small());
        for i in 0..60 {
            append(&mut log, i / 10, produced(1, 0, i, 1)).unwrap();
        }
        checkpoint(&mut log);
        let removed = log.truncate_to(Offset(i64::from(end)), NOW).unwrap();
        crate::remove_files(&disk, &removed).unwrap();
        assert_eq!(log.log_end_offset(), Offset(i64::from(end)));
        assert_eq!(log.latest_epoch(), Some(LeaderEpoch((end - 1) / 10)));
        assert!(log.recovery_point() <= log.log_end_offset());
        for i in end..70 {
            assert_eq!(appended(append(&mut log, 9, produced(1, 0, i, 1))), i64::from(i));
        }
        let all: Vec<(i64, i64)> = (0..70).map(|i| (i, i)).collect();
        assert_eq!(read_all(&log, 0, 700), all);
        let (log, _) = reopen(&disk, 60);
        assert_eq!(read_all(&log, 0, 700), all, "cut at {end}, then killed");
        assert_eq!(log.epoch_end_offset(LeaderEpoch(9)), (LeaderEpoch(9), Offset(70)));
    }
}

#[test]
fn truncating_fully_begins_anew() {
    let disk = VirtualDisk::new();
    let mut log = create(&disk, small());
    for i in 0..60 {
        append(&mut log, 0, produced(1, 0, i, 1)).unwrap();
    }
    checkpoint(&mut log);
    log.truncate_fully(Offset(1000), NOW).unwrap();
    assert_eq!((log.log_start_offset(), log.log_end_offset()), (Offset(1000), Offset(1000)));
    assert_eq!(log.producer_count(), 0);
    let (mut log, _) = reopen(&disk, 60);
    assert_eq!((log.log_start_offset(), log.log_end_offset()), (Offset(1000), Offset(1000)));
    assert_eq!(appended(append(&mut log, 0, batch(1, 1, 0))), 1000);
}

#[test]
fn a_read_survives_truncation_and_deletion() {
    let disk = VirtualDisk::new();
    let mut log = create(&disk, small());
    for i in 0..60 {
        append(&mut log, 0, batch(1, 100, i)).unwrap();
    }
    let plan = log.plan_read(Offset(0), Offset(60), ALL).unwrap();
    plan.warm().unwrap();
    let range = plan.run(Wait::Never).unwrap().range.unwrap();
    let before = range.read(Wait::Never).unwrap();
    log.truncate_fully(Offset(0), NOW).unwrap();
    assert_eq!(range.read(Wait::Never).unwrap(), before);
}

#[test]
fn cold_reads_ask_to_be_warmed() {
    let disk = VirtualDisk::new();
    let mut log = create(&disk, small());
    for i in 0..100 {
        append(&mut log, 0, batch(1, 100, i)).unwrap();
    }
    disk.drop_caches();
    let plan = log.plan_read(Offset(20), Offset(100), 1000).unwrap();
    assert_eq!(plan.run(Wait::Never).unwrap_err().kind(), std::io::ErrorKind::WouldBlock);
    plan.warm().unwrap();
    assert!(plan.run(Wait::Never).unwrap().range.is_some());
}

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

#[test]
fn segments_roll_by_record_time() {
    let disk = VirtualDisk::new();
    let mut log = create(&disk, LogConfig { segment_ms: 1000, ..LogConfig::default() });
    for (timestamp, segments) in [(5_000, 1), (5_500, 1), (6_000, 1), (6_001, 2), (5_000, 2), (7_002, 3)] {
        append(&mut log, 0, batch(1, 10, timestamp)).unwrap();
        assert_eq!(log.segment_count(), segments, "at {timestamp}");
    }
}

#[test]
fn records_are_found_by_time() {
    let disk = VirtualDisk::new();
    let mut log = create(&disk, small());
    for i in 0..100 {
        append(&mut log, 2, batch(3, 50, 10_000 + i * 10)).unwrap();
    }
    let find = |log: &Log, timestamp| {
        log.plan_time(Timestamp(timestamp), log.log_end_offset()).run(Wait::Long).unwrap()
    };
    for i in 0..300 {
        let timestamp = 10_000 + i / 3 * 10 + i % 3;
        let found = find(&log, timestamp).unwrap();
        assert_eq!((found.offset.0, found.timestamp.0), (i, timestamp));
        assert_eq!(found.leader_epoch, LeaderEpoch(2));
    }
    assert_eq!(find(&log, 0).unwrap().offset, Offset(0));
    assert_eq!(find(&log, 10_005).unwrap().offset, Offset(3), "the next later one");
    assert_eq!(find(&log, 20_000), None);
    assert_eq!(log.plan_time(Timestamp(10_990), Offset(200)).run(Wait::Long).unwrap(), None);
    append(&mut log, 2, batch(1, 50, 1)).unwrap();
    let greatest = log.plan_max_timestamp(log.log_end_offset()).run(Wait::Long).unwrap().unwrap();
    assert_eq!((greatest.offset, greatest.timestamp), (Offset(299), Timestamp(10_992)));
}

#[test]
fn aborted_transactions_are_listed() {
    let disk = VirtualDisk::new();
    let mut log = create(&disk, small());
    append(&mut log, 0, transactional(1, 0, 0, 5)).unwrap();
    assert_eq!(log.first_unstable_offset(), Some(Offset(0)));
    append(&mut log, 0, transactional(2, 0, 0, 5)).unwrap();
    append(&mut log, 0, marker(1, 0, ControlType::Abort)).unwrap();
    assert_eq!(log.first_unstable_offset(), Some(Offset(5)));
    append(&mut log, 0, marker(2, 0, ControlType::Commit)).unwrap();
    assert_eq!(log.first_unstable_offset(), None);
    let aborted = |log: &Log| log.plan_aborted(Offset(0), log.log_end_offset()).run().unwrap();
    let found = aborted(&log);
    assert_eq!(found.len(), 1);
    assert_eq!(
        (found[0].producer_id.0, found[0].first_offset, found[0].last_offset),
        (1, Offset(0), Offset(10))
    );
    assert_eq!(found[0].last_stable_offset, Offset(5));
    let (mut log, _) = reopen(&disk, 0);
    assert_eq!(aborted(&log), found);
    log.truncate_to(Offset(10), NOW).unwrap();
    assert_eq!(aborted(&log), []);
    assert_eq!(log.first_unstable_offset(), Some(Offset(0)), "its end was cut, so it is open again");
}

#[test]
fn followers_keep_offsets_and_refuse_damage() {
    let disk = VirtualDisk::new();
    let mut leader = create(&disk, small());
    for i in 0..50 {
        append(&mut leader, i / 10, batch(2, 60, i64::from(i))).unwrap();
    }
    let other = VirtualDisk::new();
    let mut follower = create(&other, small());
    while follower.log_end_offset() < leader.log_end_offset() {
        let bytes = read(&leader, follower.log_end_offset().0, 1000);
        follower.append_as_follower(NOW, &bytes).unwrap();
    }
    assert_eq!(read_all(&follower, 0, ALL), read_all(&leader, 0, ALL));
    assert_eq!(follower.epochs, leader.epochs);
    append(&mut leader, 9, batch(1, 60, 0)).unwrap();
    let mut bytes = read(&leader, 100, ALL);
    *bytes.last_mut().unwrap() ^= 1;
    let error = follower.append_as_follower(NOW, &bytes).unwrap_err();
    assert_eq!(error.code(), ErrorCode::CorruptMessage);
    let below = follower.append_as_follower(NOW, &read(&leader, 90, 100)).unwrap_err();
    assert_eq!(below.code(), ErrorCode::OffsetOutOfRange);
    assert!(!follower.is_offline());
    assert_eq!(follower.log_end_offset(), Offset(100));
}

#[test]
fn a_clean_close_reopens_without_touching_files() {
    let disk = VirtualDisk::new();
    let mut log = create(&disk, small());
    for i in 0..100 {
        append(&mut log, 1, produced(1, 0, i, 1)).unwrap();
    }
    let all = read_all(&log, 0, ALL);
    let state = log.close_clean().unwrap();
    disk.kill();
    disk.inject(|call| panic!("{call:?} while opening"));
    let (mut log, report) =
        Log::open(&open_files(&disk), Path::new(FOLDER), small(), Start::Clean(state), NOW).unwrap();
    disk.heal();
    assert_eq!(report, RecoveryReport::default());
    assert_eq!(read_all(&log, 0, 500), all);
    assert_eq!(log.latest_epoch(), Some(LeaderEpoch(1)));
    assert_eq!(appended(append(&mut log, 1, produced(1, 0, 100, 1))), 100);
    assert_eq!(read_all(&log, 0, 500).len(), 101);
    let state = log.close_clean().unwrap();
    let (log, _) =
        Log::open(&open_files(&disk), Path::new(FOLDER), small(), Start::Clean(state), NOW).unwrap();
    assert_eq!(read_all(&log, 0, 500).len(), 101);
}

#[test]
fn a_segment_changed_behind_our_back_is_not_served() {
    let disk = VirtualDisk::new();
    let mut log = create(&disk, small());
    for i in 0..100 {
        append(&mut log, 1, batch(1, 100, i)).unwrap();
    }
    let state = log.close_clean().unwrap();
    disk.kill();
    let path: PathBuf = Path::new(FOLDER).join("00000000000000000000.log");
    disk.open(&path, crate::disk::OpenMode::Modify).unwrap().set_len(1000).unwrap();
    let (log, _) =
        Log::open(&open_files(&disk), Path::new(FOLDER), small(), Start::Clean(state), NOW).unwrap();
    // 171 bytes a batch: five are whole.
    let read = |from| log.plan_read(Offset(from), Offset(100), ALL).unwrap().run(Wait::Long);
    assert_eq!(read(0).unwrap().range.unwrap().len, 855);
    for from in [5, 6, 20] {
        assert_eq!(read(from).unwrap_err().kind(), std::io::ErrorKind::InvalidData, "{from}");
    }
    assert!(!read_all(&log, 60, ALL).is_empty(), "other segments are served");
}

#[test]
fn a_segment_of_another_log_is_not_served() {
    let disk = VirtualDisk::new();
    let mut log = create(&disk, small());
    for i in 0..100 {
        append(&mut log, 1, batch(1, 100, i)).unwrap();
    }
    let second = Path::new(FOLDER)
        .join(crate::names::file_name(log.sealed[1].segment.base_offset(), crate::names::LOG));
    let from = log.sealed[1].segment.base_offset();
    let state = log.close_clean().unwrap();
    disk.kill();
    disk.rename(&Path::new(FOLDER).join("00000000000000000000.log"), &second).unwrap();
    let (log, _) =
        Log::open(&open_files(&disk), Path::new(FOLDER), small(), Start::Clean(state), NOW).unwrap();
    for from in [from, from.plus(7)] {
        let error = log.plan_read(from, Offset(100), ALL).unwrap().run(Wait::Long).unwrap_err();
        assert_eq!(error.kind(), std::io::ErrorKind::InvalidData, "{error}");
    }
}

/// Bytes of a segment flip while no broker runs: whatever is asked for, every batch but the damaged one comes.
#[test]
fn batches_before_and_behind_damage_are_served() {
    let disk = VirtualDisk::new();
    let mut log = create(&disk, LogConfig { segment_bytes: 16_000, index_interval_bytes: 1000, ..small() });
    for i in 0..100 {
        append(&mut log, 1, batch(1, 100, i)).unwrap();
    }
    assert_eq!(log.segment_count(), 2);
    let size = 171;
    let state = log.close_clean().unwrap();
    disk.kill();
    let path = Path::new(FOLDER).join("00000000000000000000.log");
    // Of batch 40 each field of the header, and a record; the last of all in the segment and the first.
    let places = (0..61).chain([100]).map(|at| (40, at)).chain([(0, 30), (0, 8), (92, 80), (41, 11)]);
    for (damaged, at) in places.filter(|(_, at)| !(12..16).contains(at)) {
        for order in [0, 1] {
            let disk = disk.fork();
            disk.flip(&path, damaged * size + at, 1).unwrap();
            let start = Start::Clean(state.clone());
            let (log, _) = Log::open(&open_files(&disk), Path::new(FOLDER), small(), start, NOW).unwrap();
            let mut offsets: Vec<usize> = (0..100).collect();
            if order == 1 {
                offsets.reverse();
            }
            for from in offsets {
                let context = format!("byte {at} of batch {damaged}, read {from}");
                let offset = Offset(i64::try_from(from).unwrap());
                let found = log.plan_read(offset, Offset(100), 2000).unwrap().run(Wait::Long);
                match found {
                    Ok(found) => {
                        let bytes = found.range.expect(&context).read(Wait::Long).unwrap();
                        let mut next = offset;
                        for batch in protocol::records::Batches::new(&bytes) {
                            let (header, batch) = batch.unwrap();
                            assert!(protocol::records::crc_matches(batch), "{context}");
                            // The CRC does not cover the offset: only the order tells of it.
                            assert!(
                                header.base_offset == next || at < 8 && header.base_offset > next,
                                "{context}"
                            );
                            next = header.next_offset();
                        }
                        assert!(next > offset, "{context}");
                        let lost = damaged..=damaged;
                        assert!(at < 8 || !lost.contains(&from), "{context}: served");
                    }
                    Err(error) => {
                        assert_eq!(error.kind(), std::io::ErrorKind::InvalidData, "{context}");
                        // A damaged length hides those behind it up to the next entry of the index.
                        let hidden = damaged + if at < 12 || at == 16 { 7 } else { 0 };
                        let before = damaged.saturating_sub(usize::from(at < 8));
                        assert!((before..=hidden).contains(&from), "{context}: {error}");
                    }
                }
            }
            assert!(at < 8 || log.files.damaged_bytes() >= size as u64, "byte {at} of batch {damaged}");
        }
    }
}

#[test]
fn the_number_of_open_files_is_capped() {
    let disk = VirtualDisk::new();
    let limits = crate::Limits { open_files_max: 4, ..crate::Limits::default() };
    let files = crate::OpenFiles::new(std::sync::Arc::new(disk.clone()), limits);
    let mut log = Log::create(&files, Path::new(FOLDER), TOPIC_ID, small(), NOW).unwrap();
    for i in 0..300 {
        append(&mut log, 1, batch(1, 100, i)).unwrap();
    }
    assert!(log.segment_count() > 8);
    read_all(&log, 0, 500);
    let open = log.sealed.iter().filter(|sealed| sealed.segment.opened().is_some()).count();
    assert!(open <= 4, "{open} files are open");
}

#[test]
fn rot_in_a_sealed_segment_is_found_and_not_served() {
    let disk = VirtualDisk::new();
    let mut log = create(&disk, small());
    for i in 0..100 {
        append(&mut log, 1, batch(1, 100, i)).unwrap();
    }
    assert_eq!(log.plan_verify(Offset(0)).run().unwrap(), []);
    disk.flip(&Path::new(FOLDER).join("00000000000000000000.log"), 1234, 8).unwrap();
    let damage = log.plan_verify(Offset(0)).run().unwrap();
    let (base_offset, found) = (damage[0].base_offset, (damage[0].position, damage[0].end));
    assert_eq!((damage.len(), base_offset, found), (1, Offset(0), (1197, 1368)));
    assert_eq!(log.files.damaged_bytes(), 171);
    let read = |from| log.plan_read(Offset(from), Offset(100), ALL).unwrap().run(Wait::Long);
    assert_eq!(read(0).unwrap().range.unwrap().len, 1197);
    assert_eq!(read(7).unwrap_err().kind(), std::io::ErrorKind::InvalidData);
    assert_eq!(read(8).unwrap().range.unwrap().position, 1368);
    assert_eq!(log.plan_verify(Offset(0)).run().unwrap(), damage, "it is found again, and counted once");
    assert_eq!(log.files.damaged_bytes(), 171);
}

#[test]
fn what_is_written_over_damage_that_was_cut_is_served() {
    let disk = VirtualDisk::new();
    let mut log = create(&disk, small());
    for i in 0..10 {
        append(&mut log, 1, batch(1, 100, i)).unwrap();
    }
    let state = log.close_clean().unwrap();
    disk.flip(&Path::new(FOLDER).join("00000000000000000000.log"), 1000, 1).unwrap();
    let (mut log, _) =
        Log::open(&open_files(&disk), Path::new(FOLDER), small(), Start::Clean(state), NOW).unwrap();
    let read = |log: &Log, from| log.plan_read(Offset(from), Offset(10), ALL).unwrap().run(Wait::Long);
    assert!(read(&log, 5).is_err());
    log.truncate_to(Offset(5), NOW).unwrap();
    for i in 5..10 {
        append(&mut log, 2, batch(1, 100, i)).unwrap();
    }
    assert_eq!(read(&log, 5).unwrap().range.unwrap().len, 5 * 171);
}

/// Whatever stands in the files, opening and reading end without a panic, and what was checked is whole.
#[test]
fn files_full_of_rubbish_do_no_harm() {
    let disk = VirtualDisk::new();
    let mut log = create(&disk, small());
    for i in 0..60 {
        append(&mut log, i / 10, produced(i64::from(i % 3), 0, i / 3, 2)).unwrap();
    }
    checkpoint(&mut log);
    drop(log);
    let names = names(&disk);
    for seed in 0..600 {
        let mut dice = crate::disk::SeededChooser::new(seed);
        let disk = disk.fork();
        for _ in 0..=dice.below(3) {
            let name = &names[usize::try_from(dice.below(names.len() as u64)).unwrap()];
            let path = Path::new(FOLDER).join(name);
            let file = disk.open(&path, crate::disk::OpenMode::Modify).unwrap();
            let len = file.len().unwrap();
            match dice.below(3) {
                0 => file.set_len(dice.below(len + 1)).unwrap(),
                1 => file.set_len(len + dice.below(100)).unwrap(),
                _ => {
                    let bytes: Vec<u8> =
                        (0..=dice.below(40)).map(|_| u8::try_from(dice.below(256)).unwrap()).collect();
                    let at = dice.below(len + 1);
                    file.write_at(&mut [std::io::IoSlice::new(&bytes)], at).unwrap();
                }
            }
        }
        // With a recovery point above 0 what lies below is believed, so that readers may see rubbish there.
        let recovery_point = Offset(i64::try_from(dice.below(200) * dice.below(2)).unwrap());
        let start = Start::Unclean { recovery_point, log_start_offset: Offset(0) };
        let opened = Log::open(&open_files(&disk), Path::new(FOLDER), small(), start, NOW);
        let Ok((mut log, _)) = opened else { continue };
        let mut from = log.log_start_offset();
        while from < log.log_end_offset() {
            let plan = log.plan_read(from, log.log_end_offset(), 500).unwrap();
            let Ok(found) = plan.run(Wait::Long) else { break };
            let Some(range) = found.range else {
                match found.skip_to {
                    Some(next) if next > from => from = next,
                    _ => break,
                }
                continue;
            };
            let bytes = range.read(Wait::Long).unwrap_or_default();
            let Some(Ok((header, batch))) = protocol::records::Batches::new(&bytes).last() else { break };
            let whole = header.next_offset() > from && protocol::records::crc_matches(batch);
            assert!(whole || recovery_point > Offset(0), "seed {seed}: rubbish at {from}");
            if !whole {
                break;
            }
            from = header.next_offset();
        }
        let _ = log.plan_time(Timestamp(0), log.log_end_offset()).run(Wait::Long);
        let _ = log.plan_max_timestamp(log.log_end_offset()).run(Wait::Long);
        if append(&mut log, 90, batch(1, 10, 0)).is_ok() {
            let end = log.log_end_offset();
            let _ = log.truncate_to(Offset(end.0 / 2), NOW);
        }
    }
}

#[test]
fn a_sync_from_before_a_truncation_changes_nothing() {
    let disk = VirtualDisk::new();
    let mut log = create(&disk, LogConfig { segment_bytes: 1 << 20, ..small() });
    for i in 0..60 {
        append(&mut log, 0, produced(1, 0, i, 1)).unwrap();
    }
    let plan = log.unsynced(Depth::Checkpoint).unwrap();
    log.truncate_to(Offset(20), NOW).unwrap();
    for i in 20..90 {
        append(&mut log, 1, batch(1, 70, i)).unwrap();
    }
    plan.run().unwrap();
    log.synced(&plan).unwrap();
    assert!(log.recovery_point() <= Offset(20) && log.synced_offset() <= Offset(20));
    assert!(!names(&disk).contains(&"00000000000000000060.snapshot".to_owned()));
    checkpoint(&mut log);
    assert_eq!(log.recovery_point(), Offset(90));
    let state = log.close_clean().unwrap();
    let (log, _) =
        Log::open(&open_files(&disk), Path::new(FOLDER), small(), Start::Clean(state), NOW).unwrap();
    assert_eq!(read_all(&log, 0, 300).len(), 90);
    for from in [5, 25, 55, 85] {
        assert_eq!(read_all(&log, from, 300)[0].0, from);
    }
}

#[test]
fn a_wrong_index_is_written_anew() {
    let disk = VirtualDisk::new();
    let mut log = create(&disk, LogConfig { segment_bytes: 40_000, ..small() });
    for i in 0..600 {
        append(&mut log, 1, batch(1, 100, i)).unwrap();
    }
    let state = log.close_clean().unwrap();
    let all = read_all(&log, 0, ALL);
    let index = Path::new(FOLDER).join("00000000000000000000.index");
    let len = disk.open(&index, crate::disk::OpenMode::Read).unwrap().len().unwrap();
    disk.flip(&index, usize::try_from(len).unwrap() - 5, 3).unwrap();
    let start = Start::Clean(state);
    let (log, _) = Log::open(&open_files(&disk), Path::new(FOLDER), small(), start, NOW).unwrap();
    assert_eq!(read_all(&log, 0, 3000), all);
    assert_eq!(read_all(&log, 150, 3000)[0], (150, 150));
    let entries = disk.open(&index, crate::disk::OpenMode::Read).unwrap().len().unwrap() / 8;
    assert!((5..20).contains(&entries), "{entries} entries at one in 4 KiB");
}

#[test]
fn an_active_segment_that_was_cut_is_not_appended_to() {
    let disk = VirtualDisk::new();
    let mut log = create(&disk, small());
    append(&mut log, 1, batch(1, 100, 0)).unwrap();
    let state = log.close_clean().unwrap();
    let path = Path::new(FOLDER).join("00000000000000000000.log");
    let file = disk.open(&path, crate::disk::OpenMode::Modify).unwrap();
    let size = file.len().unwrap();
    file.set_len(size + 10).unwrap();
    let start = Start::Clean(state.clone());
    let (mut log, _) = Log::open(&open_files(&disk), Path::new(FOLDER), small(), start, NOW).unwrap();
    append(&mut log, 1, batch(1, 100, 0)).unwrap();
    assert_eq!(read_all(&log, 0, ALL).len(), 2, "rubbish behind the end was cut");
    file.set_len(size - 1).unwrap();
    let start = Start::Clean(state);
    let (mut log, _) = Log::open(&open_files(&disk), Path::new(FOLDER), small(), start, NOW).unwrap();
    assert!(matches!(append(&mut log, 1, batch(1, 100, 0)), Err(Error::Corrupt { .. })));
}

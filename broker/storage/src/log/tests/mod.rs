//! Tests of the log on a virtual disk: append, read, roll, retention, look-ups by time.

mod damage;
mod failures;
mod producers;
mod recovery;
mod retention;

use std::path::Path;

use protocol::ErrorCode;
use protocol::id::{LeaderEpoch, Offset, Timestamp};

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
fn records_below_the_start_are_not_found_by_time() {
    let disk = VirtualDisk::new();
    let mut log = create(&disk, small());
    let mut times = Vec::new();
    for i in 0..100 {
        let first = 10_000 + i * 7_919 % 1_009;
        append(&mut log, 0, batch(3, 50, first)).unwrap();
        times.extend(first..first + 3);
    }
    assert!(log.segment_count() > 4);
    let known = |from: i64| {
        let times = times.iter().map(|time| Timestamp(*time)).enumerate();
        times.map(|(i, time)| (i64::try_from(i).unwrap(), time)).filter(move |(offset, _)| *offset >= from)
    };
    // Nothing is removed meanwhile: the start is in the first segment, and soon behind several.
    for start in 0..=300 {
        log.set_log_start_offset(Offset(start));
        let found = |plan: TimePlan| plan.run(Wait::Long).unwrap().map(|f| (f.offset.0, f.timestamp));
        let greatest = known(start).reduce(|best, next| if next.1 > best.1 { next } else { best });
        assert_eq!(found(log.plan_max_timestamp(Offset(300))), greatest, "from {start}");
        for time in [10_000, 10_500, 10_900, 11_008] {
            let first = known(start).find(|(_, known)| *known >= Timestamp(time));
            assert_eq!(found(log.plan_time(Timestamp(time), Offset(300))), first, "{time} from {start}");
        }
    }
}

#[test]
fn a_batch_that_claims_a_time_that_no_record_has_is_the_answer_itself() {
    let disk = VirtualDisk::new();
    let mut log = create(&disk, small());
    append(&mut log, 2, batch(2, 50, 10)).unwrap();
    let mut claims = batch(2, 50, 20);
    // The field of the greatest timestamp, which only strict validation compares with the records.
    claims[35..43].copy_from_slice(&99_i64.to_be_bytes());
    let crc = crc32c::crc32c(&claims[21..]);
    claims[17..21].copy_from_slice(&crc.to_be_bytes());
    append(&mut log, 2, claims).unwrap();
    let found = log.plan_max_timestamp(log.log_end_offset()).run(Wait::Long).unwrap().unwrap();
    assert_eq!((found.offset, found.timestamp), (Offset(2), Timestamp(99)));
    assert_eq!(log.plan_time(Timestamp(50), log.log_end_offset()).run(Wait::Long).unwrap(), None);
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
fn jitter_closes_segments_early_and_not_together() {
    let mut ages = std::collections::BTreeSet::new();
    for number in 0..20 {
        let disk = VirtualDisk::new();
        let config = LogConfig { segment_ms: 1000, segment_jitter_ms: 400, ..LogConfig::default() };
        let folder = format!("/t-{number}");
        let mut log = Log::create(&open_files(&disk), Path::new(&folder), TOPIC_ID, config, NOW).unwrap();
        let mut age = 0;
        while log.segment_count() == 1 {
            append(&mut log, 0, batch(1, 10, 5_000 + age)).unwrap();
            age += 1;
        }
        assert!((600..=1002).contains(&age), "{age}");
        ages.insert(age);
    }
    assert!(ages.len() > 10, "{ages:?}");
}

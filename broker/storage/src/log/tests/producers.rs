//! Idempotent and transactional producers.

use super::*;
use protocol::records::ControlType;

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

/// A kill may leave the entry of a marker that the log has lost.
#[test]
fn recovery_forgets_aborts_whose_markers_are_lost() {
    let disk = VirtualDisk::new();
    let mut log = create(&disk, small());
    append(&mut log, 0, batch(1, 10, 0)).unwrap();
    append(&mut log, 0, transactional(1, 0, 0, 5)).unwrap();
    let size = log.size_bytes();
    append(&mut log, 0, marker(1, 0, ControlType::Abort)).unwrap();
    drop(log);
    let path = Path::new(FOLDER).join("00000000000000000000.log");
    disk.open(&path, crate::disk::OpenMode::Modify).unwrap().set_len(size).unwrap();
    let (mut log, _) = reopen(&disk, 1);
    let aborted = |log: &Log| log.plan_aborted(Offset(0), log.log_end_offset()).run().unwrap();
    assert_eq!(aborted(&log), []);
    append(&mut log, 0, transactional(1, 0, 5, 5)).unwrap();
    append(&mut log, 0, transactional(2, 0, 0, 5)).unwrap();
    append(&mut log, 0, marker(2, 0, ControlType::Abort)).unwrap();
    append(&mut log, 0, marker(1, 0, ControlType::Abort)).unwrap();
    let found: Vec<_> = aborted(&log).iter().map(|a| (a.producer_id.0, a.first_offset.0)).collect();
    assert_eq!(found, [(2, 11), (1, 1)]);
    // From behind the first marker on, with a snapshot of what was open there.
    checkpoint(&mut log);
    let (log, _) = reopen(&disk, 18);
    let again: Vec<_> = aborted(&log).iter().map(|a| (a.producer_id.0, a.first_offset.0)).collect();
    assert_eq!(again, found);
}

#[test]
fn recovery_remembers_each_batch_once() {
    for snapshot_is_lost in [false, true] {
        let disk = VirtualDisk::new();
        let mut log = create(&disk, LogConfig { segment_bytes: 1 << 20, ..small() });
        for sequence in 0..20 {
            append(&mut log, 0, produced(1, 0, sequence, 1)).unwrap();
        }
        checkpoint(&mut log);
        append(&mut log, 0, produced(1, 0, 20, 1)).unwrap();
        if snapshot_is_lost {
            disk.remove_file(&Path::new(FOLDER).join("00000000000000000020.snapshot")).unwrap();
        }
        let (mut log, report) = reopen(&disk, 20);
        assert!(report.checked_bytes < 1000, "it began at the index's last entry");
        for sequence in 16..21 {
            let again = append(&mut log, 0, produced(1, 0, sequence, 1)).unwrap();
            let known = matches!(again, AppendOutcome::Duplicate { base_offset, .. } if base_offset.0 == i64::from(sequence));
            assert!(known, "{sequence}: {again:?}");
        }
    }
}

//! Clean and unclean ends, and truncation.

use super::*;

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

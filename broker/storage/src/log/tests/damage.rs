//! Files that changed while no broker ran.

use std::path::PathBuf;

use super::*;

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

/// The CRC does not cover a batch's offset.
#[test]
fn a_batch_whose_offset_cannot_be_is_not_served() {
    let disk = VirtualDisk::new();
    let mut log = create(&disk, LogConfig { segment_bytes: 16_000, index_interval_bytes: 1000, ..small() });
    for i in 0..100 {
        append(&mut log, 1, batch(1, 100, i)).unwrap();
    }
    let state = log.close_clean().unwrap();
    disk.kill();
    // The last one of its segment claims an offset behind the log's end; one in the middle its successor's.
    for (damaged, at) in [(92, 0), (40, 7)] {
        let disk = disk.fork();
        disk.flip(&Path::new(FOLDER).join("00000000000000000000.log"), damaged * 171 + at, 1).unwrap();
        let start = Start::Clean(state.clone());
        let (log, _) = Log::open(&open_files(&disk), Path::new(FOLDER), small(), start, NOW).unwrap();
        let read = |from: usize| {
            let from = Offset(i64::try_from(from).unwrap());
            log.plan_read(from, Offset(100), 1).unwrap().run(Wait::Long)
        };
        assert!(read(damaged).is_err(), "{damaged}");
        assert!(read(damaged - 1).is_ok() && read(damaged + 1).is_ok(), "{damaged}");
    }
}

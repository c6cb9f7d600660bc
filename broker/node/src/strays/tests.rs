//! What a start removes, and what it never does.

use std::path::{Path, PathBuf};

use protocol::ErrorCode;
use protocol::message::DeleteTopicsRequest;
use protocol::message::delete_topics::DeleteTopicState;
use storage::disk::{Disk, OpenMode, VirtualDisk};

use crate::testing::{Bench, DIRECTORY};

/// The names of the partitions' folders.
fn folders(disk: &VirtualDisk) -> Vec<String> {
    let entries = disk.list(Path::new(DIRECTORY)).unwrap();
    let folders = entries.into_iter().filter(|entry| entry.directory).map(|entry| entry.name);
    let mut folders: Vec<String> = folders.filter(|name| !name.starts_with("__")).collect();
    folders.sort();
    folders
}

fn file(folder: &str, name: &str) -> PathBuf {
    Path::new(DIRECTORY).join(folder).join(name)
}

fn delete(name: &str) -> DeleteTopicsRequest {
    let topic = DeleteTopicState { name: Some(name.to_owned()), ..DeleteTopicState::default() };
    DeleteTopicsRequest { topics: vec![topic], timeout_ms: 1_000, ..DeleteTopicsRequest::default() }
}

/// The metadata log is written, and the process dies before it hears of that.
fn write_and_die(disk: &VirtualDisk, mut bench: Bench) {
    for (_, job) in bench.jobs.drain(..) {
        let _ = job.run();
    }
    drop(bench);
    disk.kill();
}

#[test]
fn what_belongs_to_no_topic_is_kept_under_another_name() {
    let disk = VirtualDisk::new();
    let mut bench = Bench::ready(&disk);
    bench.create("a");
    drop(bench);
    disk.kill();
    disk.create_directory(Path::new("/data/ghost-3")).unwrap();
    let log = disk.open(&file("ghost-3", "00000000000000000000.log"), OpenMode::Write).unwrap();
    log.write_at(&mut [std::io::IoSlice::new(b"records")], 0).unwrap();
    for _ in 0..2 {
        let bench = Bench::ready(&disk);
        let folders = folders(&disk);
        assert_eq!(folders.len(), 2, "{folders:?}");
        assert_eq!(folders[0], "a-0");
        assert!(folders[1].starts_with("ghost-3.") && folders[1].ends_with("-stray"), "{folders:?}");
        let log = disk.open(&file(&folders[1], "00000000000000000000.log"), OpenMode::Read).unwrap();
        assert_eq!(log.len().unwrap(), 7);
        let told: Vec<_> = bench.notices.iter().filter(|notice| notice.contains("ghost-3 is no")).collect();
        assert!(told.iter().all(|notice| notice.contains(&folders[1])), "{told:?}");
        drop(bench);
        disk.kill();
    }
}

#[test]
fn a_topic_that_was_deleted_goes_also_when_the_process_dies_first() {
    let disk = VirtualDisk::new();
    let mut bench = Bench::ready(&disk);
    bench.create("a");
    bench.create("b");
    let mut links = [bench.connect(), bench.connect(), bench.connect()];
    bench.send(&mut links[0], &delete("a"), 6);
    bench.send(&mut links[1], &delete("b"), 6);
    bench.send_create(&mut links[2], "b");
    let before = bench.node.image().topic("b").expect("not applied").id;
    write_and_die(&disk, bench);
    assert_eq!(folders(&disk), ["a-0", "b-0"]);
    let bench = Bench::ready(&disk);
    assert_eq!(folders(&disk), ["b-0"]);
    let id = bench.node.image().topic("b").expect("made anew").id;
    assert_ne!(id, before);
    let metadata = disk.open(&file("b-0", "partition.metadata"), OpenMode::Read).unwrap();
    let mut bytes = vec![0; usize::try_from(metadata.len().unwrap()).unwrap()];
    metadata.read_at(&mut bytes, 0, storage::disk::Wait::Long).unwrap();
    assert!(String::from_utf8(bytes).unwrap().contains(&id.to_string()));
    assert!(!bench.notices.iter().any(|notice| notice.contains("stray")), "{:?}", bench.notices);
}

#[test]
fn a_partition_whose_owner_cannot_be_read_is_offline_and_keeps_its_files() {
    let disk = VirtualDisk::new();
    let mut bench = Bench::ready(&disk);
    bench.create("a");
    bench.create("b");
    drop(bench);
    disk.kill();
    disk.flip(&file("a-0", "partition.metadata"), 9, 1).unwrap();
    let mut bench = Bench::ready(&disk);
    let told = bench.notices.iter().filter(|notice| notice.starts_with("a-0 is offline")).count();
    assert_eq!(told, 1, "{:?}", bench.notices);
    assert_eq!(folders(&disk), ["a-0", "b-0"]);
    // The others go on.
    assert_eq!(bench.create("c").topics[0].error_code, ErrorCode::None);
    drop(bench);
    disk.kill();
    disk.flip(&file("a-0", "partition.metadata"), 9, 1).unwrap();
    let bench = Bench::ready(&disk);
    assert_eq!(bench.notices, [""; 0]);
    assert_eq!(folders(&disk), ["a-0", "b-0", "c-0"]);
}

#[test]
fn a_folder_that_got_nothing_yet_is_taken_by_its_partition() {
    let disk = VirtualDisk::new();
    let mut bench = Bench::ready(&disk);
    bench.create("a");
    drop(bench);
    disk.kill();
    disk.remove_file(&file("a-0", "partition.metadata")).unwrap();
    let bench = Bench::ready(&disk);
    assert_eq!((folders(&disk), bench.notices), (vec!["a-0".to_owned()], Vec::new()));
    assert!(disk.open(&file("a-0", "partition.metadata"), OpenMode::Read).is_ok());
}

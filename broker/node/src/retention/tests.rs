//! Retention beside requests, and on a disk that is full or fails.

use std::path::Path;
use std::time::Duration;

use protocol::ErrorCode;
use protocol::id::Offset;
use storage::DirectoryState;
use storage::disk::{Disk, Fault, VirtualDisk};

use super::*;
use crate::testing::{Bench, DIRECTORY};

/// A broker with a topic of small segments of which little is kept.
fn bench(disk: &VirtualDisk) -> Bench {
    let config = [("log.retention.check.interval.ms", "1000"), ("log.dir.free.bytes.min", "0")];
    let mut bench = Bench::open(disk, &config).unwrap();
    bench.come_up();
    let small = [("internal.segment.bytes", "200"), ("retention.bytes", "300")];
    bench.create_with("t", &[&small[..], &[("file.delete.delay.ms", "60000")]].concat());
    bench
}

fn fill(bench: &mut Bench) {
    for _ in 0..20 {
        assert_eq!(bench.produce_one(("t", 0), |_| true).unwrap().error_code, ErrorCode::None);
    }
}

fn start(bench: &Bench) -> Offset {
    let partition = bench.node.table().partitions().next().map(Arc::clone).expect("a partition");
    let state = partition.lock();
    state.log.as_ref().expect("a log").log_start_offset()
}

fn deleted_files(disk: &VirtualDisk) -> usize {
    let entries = disk.list(&Path::new(DIRECTORY).join("t-0")).unwrap();
    entries.iter().filter(|entry| entry.name.ends_with(".deleted")).count()
}

#[test]
fn the_timer_only_asks_for_it_and_for_one_at_a_time() {
    let disk = VirtualDisk::new();
    let mut bench = bench(&disk);
    fill(&mut bench);
    let calls = disk.calls();
    bench.pass(Duration::from_secs(5));
    assert_eq!(disk.calls(), calls, "the timer thread does not touch the disk");
    let rounds = |bench: &Bench| bench.jobs.iter().filter(|(_, job)| matches!(job, Job::Retain(_))).count();
    assert_eq!(rounds(&bench), 1);
    assert_eq!(start(&bench), Offset(0));
    bench.run_jobs();
    assert!(start(&bench) > Offset(5));
    bench.pass(Duration::from_secs(1));
    assert_eq!(rounds(&bench), 1, "the next one may come");
}

#[test]
fn requests_are_served_while_a_round_waits_for_the_device() {
    let disk = VirtualDisk::new();
    let mut bench = bench(&disk);
    fill(&mut bench);
    bench.pass(Duration::from_secs(2));
    let at = bench.jobs.iter().position(|(_, job)| matches!(job, Job::Retain(_))).unwrap();
    let (ticket, job) = bench.jobs.remove(at).unwrap();
    let partition = bench.node.table().partitions().next().map(Arc::clone).unwrap();
    let seen = Arc::new(std::sync::atomic::AtomicUsize::new(0));
    let (locks, watched) = (Arc::clone(&seen), Arc::clone(&partition));
    disk.inject(move |call| {
        if matches!(call.name, "rename" | "sync_directory") {
            assert!(!watched.is_locked(), "{} of {} under the lock", call.name, call.path.display());
            locks.fetch_add(1, Ordering::Relaxed);
        }
        None
    });
    let result = job.run();
    disk.heal();
    assert!(seen.load(Ordering::Relaxed) > 5);
    bench.job_done(ticket, result);
    assert!(start(&bench) > Offset(5));
}

#[test]
fn an_ordered_stop_leaves_no_removed_files_behind() {
    let disk = VirtualDisk::new();
    let mut bench = bench(&disk);
    fill(&mut bench);
    bench.advance(Duration::from_secs(2));
    assert!(deleted_files(&disk) > 5, "reads under way may need them");
    bench.node.close().unwrap();
    assert_eq!(deleted_files(&disk), 0);
}

#[test]
fn a_failure_takes_the_directory_offline() {
    let disk = VirtualDisk::new();
    let mut bench = bench(&disk);
    fill(&mut bench);
    bench.pass(Duration::from_secs(2));
    disk.inject(|call| (call.name == "rename").then_some(Fault::Io));
    bench.run_those(|job| matches!(job, Job::Retain(_)));
    assert_eq!(bench.node.directory_state(), DirectoryState::Offline);
    assert!(bench.notices.iter().any(|notice| notice.contains("rename")), "{:?}", bench.notices);
    assert!(!bench.node.is_ready());
}

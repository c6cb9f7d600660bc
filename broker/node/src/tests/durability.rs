//! What is acknowledged, and shown to consumers, of topics that ask for a sync first (`flush.messages=1`).

use protocol::ErrorCode;
use protocol::id::Offset;
use storage::disk::{Keep, Unsynced, VirtualDisk};

use super::idempotent;
use crate::effects::Job;
use crate::testing::Bench;

const IS_SYNC: fn(&Job) -> bool = |job| matches!(job, Job::Sync(_));

/// A broker that was killed between the write of a batch and its sync, and started again; it does not sync.
fn killed_before_the_sync(disk: &VirtualDisk) -> Bench {
    let mut bench = Bench::ready(disk);
    bench.create_with("t", &[("flush.messages", "1")]);
    bench.held = IS_SYNC;
    let mut link = bench.connect();
    bench.send_batch(&mut link, "t", idempotent(7, 0, &[b"a"]));
    bench.run_jobs();
    assert!(link.produced().is_none(), "nothing is synced");
    drop(bench);
    disk.kill();
    let mut bench = Bench::open(disk, &[]).unwrap();
    bench.held = IS_SYNC;
    bench.come_up();
    bench
}

/// What is on the disk when everything is lost that was not synced.
fn after_a_loss_of_power(bench: Bench, disk: &VirtualDisk) -> Bench {
    drop(bench);
    disk.crash(&mut |_: Unsynced| Keep::Lost);
    Bench::ready(disk)
}

#[test]
fn a_batch_that_is_sent_again_after_a_restart_is_acknowledged_once_it_is_synced() {
    let disk = VirtualDisk::new();
    let mut bench = killed_before_the_sync(&disk);
    let mut link = bench.connect();
    bench.send_batch(&mut link, "t", idempotent(7, 0, &[b"a"]));
    if let Some(answer) = link.produced() {
        assert_eq!((answer.error_code, answer.base_offset), (ErrorCode::None, Offset(0)));
        let mut bench = after_a_loss_of_power(bench, &disk);
        let found = bench.fetch("t", 0);
        assert_eq!(found.high_watermark, Offset(1), "an acknowledged record is gone");
    } else {
        bench.release();
        assert!(link.produced().is_some(), "it is never acknowledged");
    }
}

#[test]
fn consumers_see_no_record_that_a_loss_of_power_may_take() {
    let disk = VirtualDisk::new();
    let mut bench = killed_before_the_sync(&disk);
    let seen = bench.fetch("t", 0);
    assert_eq!(seen.error_code, ErrorCode::None);
    let mut bench = after_a_loss_of_power(bench, &disk);
    let found = bench.fetch("t", 0);
    assert!(found.high_watermark >= seen.high_watermark, "a record that consumers saw is gone");
}

#[test]
fn what_a_killed_broker_wrote_becomes_visible_though_nobody_appends() {
    let mut bench = killed_before_the_sync(&VirtualDisk::new());
    bench.release();
    assert_eq!(bench.fetch("t", 0).high_watermark, Offset(1));
}

//! A loss of power at every call that changes the disk, with every small choice of what survives it.
//!
//! A workload of appends, rolls, syncs, truncations, retention, clean and unclean ends is played from a seed, and
//! again up to each of its calls. There the power goes; of what was not synced survives nothing, everything,
//! everything but one or two operations, one or two operations alone, or a torn last write. The log that is opened
//! then must be a prefix of what was appended, hold all that was synced, and know producers and epochs as a replay
//! of its batches does.

mod model;
mod process;
mod verify;

use crate::Error;
use crate::disk::{Fault, Keep, SeededChooser, Unsynced, VirtualDisk};
use crate::testing::{NOW, append, batch};
use model::{Model, workload};
use process::{Process, play};
use verify::{check_epochs, headers, verify};

/// The small choices of what survives: pairs only while there are few operations.
fn choices(count: usize) -> Vec<Box<dyn FnMut(Unsynced) -> Keep>> {
    let mut choices: Vec<Box<dyn FnMut(Unsynced) -> Keep>> = Vec::new();
    choices.push(Box::new(|_| Keep::Lost));
    choices.push(Box::new(|_| Keep::All));
    let last_torn = |operation: Unsynced| {
        let is_last = operation.index + 1 == operation.count;
        if is_last { Keep::Torn(operation.bytes / 2) } else { Keep::All }
    };
    choices.push(Box::new(last_torn));
    for one in 0..count {
        choices.push(Box::new(move |o| if o.index == one { Keep::All } else { Keep::Lost }));
        choices.push(Box::new(move |o| if o.index == one { Keep::Lost } else { Keep::All }));
        for two in (one + 1..count).filter(|_| count <= 6) {
            choices.push(Box::new(
                move |o| {
                    if o.index == one || o.index == two { Keep::All } else { Keep::Lost }
                },
            ));
            choices.push(Box::new(
                move |o| {
                    if o.index == one || o.index == two { Keep::Lost } else { Keep::All }
                },
            ));
        }
    }
    choices
}

/// Plays a workload with the power going at every call; how many ends were looked at.
fn crash_everywhere(seed: u64, length: usize) -> usize {
    let operations = workload(seed, length);
    let whole = VirtualDisk::new();
    play(&whole, &operations);
    let calls = whole.calls();
    let mut played = 0;
    for halt in 0..=calls {
        let disk = VirtualDisk::new();
        disk.halt_at(halt);
        let (before, after) = play(&disk, &operations);
        for (number, mut choice) in choices(disk.unsynced()).into_iter().enumerate() {
            let crashed = disk.fork();
            crashed.crash(&mut choice);
            if let Err(reason) = verify(&crashed, &before, &after) {
                panic!("seed {seed}, length {length}, call {halt} of {calls}, choice {number}: {reason}");
            }
            played += 1;
        }
    }
    played
}

#[test]
fn nothing_synced_is_lost_and_nothing_else_appears() {
    let mut played = 0;
    for seed in 0..6 {
        played += crash_everywhere(seed, 60);
    }
    for seed in 100..120 {
        played += crash_everywhere(seed, 15);
    }
    assert!(played > 10_000, "{played} ends");
}

/// A call that fails once, at every call: a full disk loses nothing and the operation can be tried again; any other
/// failure ends the process, and the next one finds what was acknowledged, because the machine went on.
fn fail_everywhere(seed: u64, fault: Fault) -> (usize, usize) {
    let (mut tried_again, mut ended) = (0, 0);
    let operations = workload(seed, 40);
    let whole = VirtualDisk::new();
    play(&whole, &operations);
    for at in 0..whole.calls() {
        let disk = VirtualDisk::new();
        disk.inject(move |call| (call.number == at).then_some(fault));
        let mut model = Model::default();
        let Ok(mut process) = Process::start(&disk) else { continue };
        for operation in &operations {
            let context = format!("seed {seed}, {fault:?} at {at}, {operation:?}");
            let mut after = model.clone();
            after.apply(*operation);
            match process.play(&disk, &model, *operation) {
                Ok(()) => {}
                Err(Error::NoSpace { .. }) if process.log.as_ref().is_some_and(|log| !log.is_offline()) => {
                    tried_again += 1;
                    process.play(&disk, &model, *operation).unwrap_or_else(|e| panic!("{context}: {e}"));
                }
                Err(_) => {
                    ended += 1;
                    drop(process);
                    disk.kill();
                    let whole = Model { durable: model.end().min(after.end()), ..model };
                    verify(&disk, &whole, &after).unwrap_or_else(|reason| panic!("{context}: {reason}"));
                    break;
                }
            }
            model = after;
        }
    }
    (tried_again, ended)
}

#[test]
fn a_full_disk_can_be_tried_again() {
    let tried_again: usize = (200..206).map(|seed| fail_everywhere(seed, Fault::NoSpace).0).sum();
    assert!(tried_again > 300, "{tried_again} times");
}

#[test]
fn a_failing_disk_loses_nothing_that_was_acknowledged() {
    let ended: usize = (300..306).map(|seed| fail_everywhere(seed, Fault::Io).1).sum();
    assert!(ended > 300, "{ended} times");
}

/// Twice in a row, by any subset: what the first recovery leaves must survive the second crash.
#[test]
fn a_crash_after_a_recovery_is_no_different() {
    for seed in 0..300 {
        let operations = workload(seed, 40);
        let whole = VirtualDisk::new();
        play(&whole, &operations);
        let disk = VirtualDisk::new();
        disk.halt_at(SeededChooser::new(seed).below(whole.calls()));
        let (before, after) = play(&disk, &operations);
        disk.crash(&mut SeededChooser::new(seed + 1));
        if let Ok(mut process) = Process::start(&disk) {
            let end = process.log().log_end_offset();
            let _ = append(process.log(), after.epoch + 1, batch(3, 50, NOW.0));
            drop(process);
            disk.crash(&mut SeededChooser::new(seed + 2));
            let mut process = Process::start(&disk).unwrap();
            let log = &*process.log();
            let found = headers(log).unwrap();
            let durable = before.durable.min(after.durable).min(end.0);
            assert!(log.log_end_offset().0 >= durable, "seed {seed}");
            check_epochs(log, &found).unwrap();
        }
    }
}

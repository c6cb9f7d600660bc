//! A loss of power at every call that changes the disk, with every small choice of what survives it.
//!
//! A workload of appends, rolls, syncs, truncations, retention, clean and unclean ends is played from a seed, and
//! again up to each of its calls. There the power goes; of what was not synced survives nothing, everything,
//! everything but one or two operations, one or two operations alone, or a torn last write. The log that is opened
//! then must be a prefix of what was appended, hold all that was synced, and know producers and epochs as a replay
//! of its batches does.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use protocol::id::{
    BrokerEpoch, BrokerId, LeaderEpoch, Offset, PartitionIndex, ProducerId, Timestamp, TopicPartition, Uuid,
};
use protocol::records::{BatchHeader, Batches};

use crate::disk::{Disk, Fault, Keep, SeededChooser, Unsynced, VirtualDisk, Wait};
use crate::producers::Producers;
use crate::testing::{NOW, TOPIC_ID, append, batch, produced, read};
use crate::{Depth, Directory, Error, Identity, Limits, Log, LogConfig, remove_files};

const PATH: &str = "/d";

#[derive(Debug, Clone, Copy)]
enum Operation {
    Append { producer: i64, count: usize, bytes: usize },
    Sync(Depth),
    Truncate { records: i64 },
    TruncateFully,
    Retention { records: i64 },
    Expire,
    CloseCleanly,
    Kill,
    NewEpoch,
}

/// What the log must hold.
#[derive(Debug, Clone, Default)]
struct Model {
    batches: Vec<BatchHeader>,
    /// Where the log began after it was last emptied.
    base: i64,
    start: i64,
    /// Everything below was synced.
    durable: i64,
    epoch: i32,
}

impl Model {
    fn end(&self) -> i64 {
        self.batches.last().map_or(self.base, |last| last.next_offset().0)
    }

    /// The next sequence of a producer, as a replay tells it.
    fn sequence(&self, producer: i64) -> i32 {
        let mine = self.batches.iter().rev().find(|batch| batch.producer_id.0 == producer);
        mine.map_or(0, |last| last.last_sequence() + 1)
    }

    /// Where a truncation by so many records ends: not inside the batch with which the log begins.
    fn truncation(&self, records: i64) -> i64 {
        let first = self.batches.iter().find(|batch| batch.last_offset().0 >= self.start);
        let floor = first.map_or(self.start, |batch| {
            if batch.base_offset.0 < self.start { batch.next_offset().0 } else { self.start }
        });
        (self.end() - records).max(floor)
    }

    fn truncate(&mut self, end: i64) {
        self.batches.retain(|batch| batch.last_offset().0 < end);
        self.durable = self.durable.min(self.end());
        self.start = self.start.min(self.end());
    }

    /// What the operation makes of the log.
    fn apply(&mut self, operation: Operation) {
        match operation {
            Operation::Append { .. } => {
                let bytes = self.bytes(operation);
                let mut header = BatchHeader::parse(&bytes).unwrap();
                header.base_offset = Offset(self.end());
                header.partition_leader_epoch = LeaderEpoch(self.epoch);
                self.batches.push(header);
            }
            Operation::Sync(_) | Operation::CloseCleanly => self.durable = self.end(),
            Operation::Truncate { records } => {
                self.truncate(self.truncation(records));
                self.epoch += 1;
            }
            Operation::TruncateFully => {
                let base = self.end() + 100;
                *self = Self { base, start: base, durable: base, epoch: self.epoch + 1, ..Self::default() };
            }
            Operation::Retention { records } => self.start = (self.start + records).min(self.end()),
            Operation::Expire => self.start = self.end(),
            Operation::Kill => {}
            Operation::NewEpoch => self.epoch += 1,
        }
    }

    /// The batch that an append brings.
    fn bytes(&self, operation: Operation) -> Vec<u8> {
        match operation {
            Operation::Append { producer: 0, count, bytes } => batch(count, bytes, NOW.0 + self.end()),
            Operation::Append { producer, count, .. } => {
                produced(producer, 0, self.sequence(producer), count)
            }
            _ => Vec::new(),
        }
    }
}

fn config() -> LogConfig {
    LogConfig { segment_bytes: 700, index_interval_bytes: 100, retention_ms: None, ..LogConfig::default() }
}

fn partition() -> TopicPartition {
    TopicPartition { topic: "t".into(), partition: PartitionIndex(0) }
}

fn open(disk: &VirtualDisk) -> Result<Directory, Error> {
    let disk: Arc<dyn Disk> = Arc::new(disk.clone());
    let identity = Identity { cluster_id: "c".into(), node_id: BrokerId(1) };
    Directory::open(disk, Path::new(PATH), &identity, Uuid([1; 16]), Limits::default())
}

fn workload(seed: u64, length: usize) -> Vec<Operation> {
    let mut chooser = SeededChooser::new(seed);
    let mut below = |n: u64| usize::try_from(chooser.below(n)).unwrap();
    (0..length)
        .map(|_| match below(40) {
            0..18 => Operation::Append {
                producer: i64::try_from(below(4)).unwrap(),
                count: 1 + below(4),
                bytes: 10 + below(200),
            },
            18..22 => Operation::Sync(Depth::Batches),
            22..27 => Operation::Sync(Depth::Checkpoint),
            27..30 => Operation::Truncate { records: i64::try_from(1 + below(12)).unwrap() },
            30 => Operation::TruncateFully,
            31..33 => Operation::Retention { records: i64::try_from(1 + below(15)).unwrap() },
            33 => Operation::Expire,
            34..36 => Operation::CloseCleanly,
            36..38 => Operation::Kill,
            _ => Operation::NewEpoch,
        })
        .collect()
}

/// A process that uses the disk.
struct Process {
    directory: Option<Directory>,
    log: Option<Log>,
}

impl Process {
    fn start(disk: &VirtualDisk) -> Result<Self, Error> {
        let directory = open(disk)?;
        let log = if directory.partitions().is_empty() {
            directory.create_log(&partition(), TOPIC_ID, config(), NOW)?
        } else {
            directory.open_log(&partition(), config(), NOW)?.0
        };
        Ok(Self { directory: Some(directory), log: Some(log) })
    }

    fn log(&mut self) -> &mut Log {
        self.log.as_mut().unwrap()
    }

    fn checkpoint(&mut self, depth: Depth) -> Result<(), Error> {
        let log = self.log.as_mut().unwrap();
        if let Some(plan) = log.unsynced(depth) {
            plan.run()?;
            log.synced(&plan)?;
        }
        if depth == Depth::Checkpoint {
            let (partition, directory) = (partition(), self.directory.as_ref().unwrap());
            directory.write_log_starts([(&partition, log.log_start_offset())].into_iter())?;
            directory.write_recovery_points([(&partition, log.recovery_point())].into_iter())?;
            log.recovery_point_stored()?;
        }
        Ok(())
    }

    /// Ends without a word and starts again.
    fn restart(&mut self, disk: &VirtualDisk) -> Result<(), Error> {
        self.log = None;
        self.directory = None;
        *self = Self::start(disk)?;
        Ok(())
    }

    fn play(&mut self, disk: &VirtualDisk, model: &Model, operation: Operation) -> Result<(), Error> {
        match operation {
            Operation::Append { .. } => {
                append(self.log(), model.epoch, model.bytes(operation))?;
            }
            Operation::Sync(depth) => self.checkpoint(depth)?,
            Operation::Truncate { records } => {
                let end = model.truncation(records);
                let removed = self.log().truncate_to(Offset(end), NOW)?;
                remove_files(disk, &removed)?;
            }
            Operation::TruncateFully => {
                let removed = self.log().truncate_fully(Offset(model.end() + 100), NOW)?;
                remove_files(disk, &removed)?;
            }
            Operation::Retention { records } => {
                self.log().set_log_start_offset(Offset((model.start + records).min(model.end())));
                let removed = self.log().retention(NOW, Offset(model.end()))?;
                remove_files(disk, &removed)?;
            }
            Operation::Expire => {
                self.log().update_config(LogConfig { retention_ms: Some(1), ..config() });
                let removed = self.log().retention(Timestamp(1 << 50), Offset(model.end()));
                self.log().update_config(config());
                remove_files(disk, &removed?)?;
            }
            Operation::CloseCleanly => {
                let state = self.log().close_clean()?;
                let states = BTreeMap::from([(partition(), state)]);
                self.directory.as_ref().unwrap().close_clean(BrokerEpoch(1), states)?;
                self.restart(disk)?;
            }
            Operation::Kill => {
                self.restart(disk)?;
            }
            Operation::NewEpoch => self.log().begin_epoch(LeaderEpoch(model.epoch + 1)),
        }
        Ok(())
    }
}

/// Plays a workload until it ends or the power goes; the log before and after the operation that was under way.
fn play(disk: &VirtualDisk, operations: &[Operation]) -> (Model, Model) {
    let mut model = Model::default();
    let Ok(mut process) = Process::start(disk) else { return (model.clone(), model) };
    for operation in operations {
        let mut after = model.clone();
        after.apply(*operation);
        match process.play(disk, &model, *operation) {
            Ok(()) => {}
            Err(_) => {
                // A truncation that did not end may have taken any part of what it was to take.
                let sure = match operation {
                    Operation::TruncateFully => model.base,
                    _ => model.durable.min(after.durable),
                };
                return (Model { durable: sure, ..model }, Model { durable: sure, ..after });
            }
        }
        assert_eq!(process.log().log_end_offset(), Offset(after.end()), "after {operation:?}");
        model = after;
    }
    (model.clone(), model)
}

/// Opens the log and compares it with what it may be.
fn verify(disk: &VirtualDisk, before: &Model, after: &Model) -> Result<(), String> {
    let mut process = Process::start(disk).map_err(|error| format!("open: {error}"))?;
    let log = &*process.log();
    let found = headers(log)?;
    let end = log.log_end_offset().0;
    let as_one_of = [before, after].into_iter().find(|model| {
        let base = found.first().map_or(end, |first| first.base_offset.0);
        let expected = model.batches.iter().filter(|b| b.base_offset.0 >= base && b.base_offset.0 < end);
        let is_prefix = expected.map(key).eq(found.iter().map(key));
        let in_reach = base >= model.base.min(end) && log.log_start_offset().0 <= model.start.max(base);
        is_prefix && in_reach && end >= model.durable && end <= model.end().max(end.min(model.base))
    });
    let Some(model) = as_one_of else {
        let keys = |m: &Model| m.batches.iter().map(key).collect::<Vec<_>>();
        return Err(format!(
            "start {} end {end} holds {:?}\nbefore: base {} start {} durable {} {:?}\nafter: base {} start {} durable {} {:?}",
            log.log_start_offset(),
            found.iter().map(key).collect::<Vec<_>>(),
            before.base,
            before.start,
            before.durable,
            keys(before),
            after.base,
            after.start,
            after.durable,
            keys(after)
        ));
    };
    check_producers(log, model, end)?;
    check_epochs(log, &found)?;
    check_times(log, &found)
}

fn key(header: &BatchHeader) -> (i64, i64, i32, u32) {
    (header.base_offset.0, header.last_offset().0, header.partition_leader_epoch.0, header.crc)
}

fn headers(log: &Log) -> Result<Vec<BatchHeader>, String> {
    let mut found: Vec<BatchHeader> = Vec::new();
    let mut from = log.log_start_offset();
    while from < log.log_end_offset() {
        let bytes = read(log, from.0, 400);
        let count = found.len();
        for batch in Batches::new(&bytes) {
            let (header, bytes) = batch.map_err(|error| format!("read at {from}: {error}"))?;
            if !protocol::records::crc_matches(bytes) {
                return Err(format!("wrong CRC at {}", header.base_offset));
            }
            if found.last().is_some_and(|last| last.next_offset() != header.base_offset) {
                return Err(format!("a gap before {}", header.base_offset));
            }
            from = header.next_offset();
            found.push(header);
        }
        if found.len() == count {
            return Err(format!("nothing at {from}, the end is {}", log.log_end_offset()));
        }
    }
    Ok(found)
}

fn check_producers(log: &Log, model: &Model, end: i64) -> Result<(), String> {
    let mut replayed = Producers::default();
    for header in model.batches.iter().filter(|header| header.base_offset.0 < end) {
        replayed.record(header, header.base_offset);
    }
    let first = log.log_start_offset();
    let newest = |producers: &Producers, id: ProducerId| producers.get(id).and_then(|p| p.last().copied());
    for id in (1..4).map(ProducerId) {
        let (expected, found) = (newest(&replayed, id), newest(log.producers(), id));
        // Producers whose batches are all removed are known as long as a snapshot tells of them.
        let gone = expected.is_some_and(|batch| batch.last_offset < first) || first == log.log_end_offset();
        if expected != found && !(gone && found.is_none()) {
            return Err(format!("producer {id}: {found:?} instead of {expected:?}"));
        }
    }
    Ok(())
}

fn check_epochs(log: &Log, found: &[BatchHeader]) -> Result<(), String> {
    for header in found {
        // The log may begin inside its first batch.
        let epoch = log.epoch_at(header.base_offset.max(log.log_start_offset()));
        if epoch != Some(header.partition_leader_epoch) {
            return Err(format!("{} is in epoch {epoch:?}", header.base_offset));
        }
    }
    Ok(())
}

fn check_times(log: &Log, found: &[BatchHeader]) -> Result<(), String> {
    let greatest = found.iter().map(|header| header.max_timestamp).max().unwrap_or(Timestamp(0));
    for at in [Timestamp(0), greatest] {
        let time = log.plan_time(at, log.log_end_offset()).run(Wait::Long);
        let time = time.map_err(|error| format!("look up {at}: {error}"))?;
        let expected = found.iter().find(|header| header.max_timestamp >= at);
        let inside =
            |offset: Offset| expected.is_some_and(|h| h.base_offset <= offset && offset <= h.last_offset());
        if time.is_some() != expected.is_some() || time.is_some_and(|time| !inside(time.offset)) {
            return Err(format!("time {at} is found at {time:?}"));
        }
    }
    Ok(())
}

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

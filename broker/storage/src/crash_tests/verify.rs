//! Comparing the log that is found with the one that must be there.

use protocol::id::{Offset, ProducerId, Timestamp};
use protocol::records::{BatchHeader, Batches};

use super::model::Model;
use super::process::Process;
use crate::Log;
use crate::disk::{VirtualDisk, Wait};
use crate::producers::Producers;
use crate::testing::read;

/// Opens the log and compares it with what it may be.
pub(super) fn verify(disk: &VirtualDisk, before: &Model, after: &Model) -> Result<(), String> {
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

pub(super) fn key(header: &BatchHeader) -> (i64, i64, i32, u32) {
    (header.base_offset.0, header.last_offset().0, header.partition_leader_epoch.0, header.crc)
}

pub(super) fn headers(log: &Log) -> Result<Vec<BatchHeader>, String> {
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

pub(super) fn check_producers(log: &Log, model: &Model, end: i64) -> Result<(), String> {
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

pub(super) fn check_epochs(log: &Log, found: &[BatchHeader]) -> Result<(), String> {
    for header in found {
        // The log may begin inside its first batch.
        let epoch = log.epoch_at(header.base_offset.max(log.log_start_offset()));
        if epoch != Some(header.partition_leader_epoch) {
            return Err(format!("{} is in epoch {epoch:?}", header.base_offset));
        }
    }
    Ok(())
}

pub(super) fn check_times(log: &Log, found: &[BatchHeader]) -> Result<(), String> {
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

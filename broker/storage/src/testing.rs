//! What the tests of this crate share: batches, a log on a virtual disk, and a look at what a log holds.

use std::path::Path;
use std::sync::Arc;

use protocol::id::{LeaderEpoch, Offset, ProducerEpoch, ProducerId, Timestamp, Uuid};
use protocol::records::{BatchBuilder, BatchHeader, Batches, CheckedBatch, ControlRecord, ControlType};

use crate::disk::{Disk, VirtualDisk, Wait};
use crate::{AppendOutcome, Error, Limits, Log, LogConfig, OpenFiles};

pub(crate) const TOPIC_ID: Uuid = Uuid([7; 16]);
pub(crate) const NOW: Timestamp = Timestamp(1_000_000);
pub(crate) const FOLDER: &str = "/t-0";

/// A configuration whose segments and index intervals are small.
pub(crate) fn small() -> LogConfig {
    LogConfig { segment_bytes: 4096, index_interval_bytes: 200, ..LogConfig::default() }
}

/// A batch of `count` records, with values of `value_bytes` bytes, at time `timestamp`.
pub(crate) fn batch(count: usize, value_bytes: usize, timestamp: i64) -> Vec<u8> {
    fill(BatchBuilder::new(), count, value_bytes, timestamp)
}

/// A batch of an idempotent producer.
pub(crate) fn produced(producer: i64, epoch: i16, sequence: i32, count: usize) -> Vec<u8> {
    let builder = BatchBuilder::new().producer(ProducerId(producer), ProducerEpoch(epoch), sequence);
    fill(builder, count, 10, NOW.0)
}

/// A batch inside a transaction.
pub(crate) fn transactional(producer: i64, epoch: i16, sequence: i32, count: usize) -> Vec<u8> {
    let builder = BatchBuilder::new().producer(ProducerId(producer), ProducerEpoch(epoch), sequence);
    fill(builder.transactional(), count, 10, NOW.0)
}

/// The end of a transaction.
pub(crate) fn marker(producer: i64, epoch: i16, control_type: ControlType) -> Vec<u8> {
    let record = ControlRecord { control_type, coordinator_epoch: 3 };
    let builder = BatchBuilder::new().producer(ProducerId(producer), ProducerEpoch(epoch), -1);
    let mut builder = builder.transactional().control();
    builder.push(NOW, Some(&control_type.key()), Some(&record.value()), &[]);
    builder.build().unwrap()
}

fn fill(mut builder: BatchBuilder, count: usize, value_bytes: usize, timestamp: i64) -> Vec<u8> {
    let value = vec![b'v'; value_bytes];
    for i in 0..count {
        builder.push(Timestamp(timestamp + i64::try_from(i).unwrap()), Some(b"k"), Some(&value), &[]);
    }
    builder.build().unwrap()
}

/// The open files of a disk, with default limits.
pub(crate) fn open_files(disk: &VirtualDisk) -> Arc<OpenFiles> {
    let disk: Arc<dyn Disk> = Arc::new(disk.clone());
    OpenFiles::new(disk, Limits::default())
}

/// A new log on a disk.
pub(crate) fn create(disk: &VirtualDisk, config: LogConfig) -> Log {
    Log::create(&open_files(disk), Path::new(FOLDER), TOPIC_ID, config, NOW).unwrap()
}

/// Appends one batch as the leader with `epoch`.
pub(crate) fn append(log: &mut Log, epoch: i32, mut bytes: Vec<u8>) -> Result<AppendOutcome, Error> {
    let mut outcomes = Vec::new();
    append_all(log, epoch, &mut [&mut bytes], &mut outcomes).map(|()| outcomes[0])
}

/// Appends batches in one call.
pub(crate) fn append_all(
    log: &mut Log,
    epoch: i32,
    batches: &mut [&mut Vec<u8>],
    outcomes: &mut Vec<AppendOutcome>,
) -> Result<(), Error> {
    let mut checked: Vec<CheckedBatch<'_>> = batches
        .iter_mut()
        .map(|bytes| CheckedBatch { header: BatchHeader::parse(bytes).unwrap(), bytes: bytes.as_mut_slice() })
        .collect();
    log.append_as_leader(NOW, LeaderEpoch(epoch), &mut checked, outcomes)
}

/// One read of at most `bytes_max` bytes.
pub(crate) fn read(log: &Log, from: i64, bytes_max: u32) -> Vec<u8> {
    let mut from = Offset(from);
    loop {
        let found = log.plan_read(from, log.log_end_offset(), bytes_max).unwrap().run(Wait::Long).unwrap();
        match (found.range, found.skip_to) {
            (Some(range), _) => return range.read(Wait::Long).unwrap(),
            (None, Some(next)) => from = next,
            (None, None) => return Vec::new(),
        }
    }
}

/// The base offsets and last offsets of all batches from `from` on, read in pieces.
pub(crate) fn read_all(log: &Log, from: i64, bytes_max: u32) -> Vec<(i64, i64)> {
    let mut found = Vec::new();
    let mut from = from;
    while from < log.log_end_offset().0 {
        let bytes = read(log, from, bytes_max);
        assert!(!bytes.is_empty(), "nothing to read at {from} below the end {}", log.log_end_offset());
        for batch in Batches::new(&bytes) {
            let (header, bytes) = batch.unwrap();
            assert!(protocol::records::crc_matches(bytes));
            found.push((header.base_offset.0, header.last_offset().0));
            from = header.next_offset().0;
        }
    }
    found
}

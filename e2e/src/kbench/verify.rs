//! Reading back what was produced: every batch whole, its checksum right, offsets without a gap.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::{Context, Result, ensure};

use super::api::{fetch_request, fetched, leaders};
use super::batch::{BATCH_OVERHEAD, CRC_START};
use super::wire::Connection;

/// Bytes asked for at once.
const FETCH_BYTES: i32 = 8 << 20;

/// A batch as it lies in a Fetch response.
#[derive(Clone, Copy, Debug)]
pub struct StoredBatch<'a> {
    /// All its bytes.
    pub bytes: &'a [u8],
    /// Offset of its first record.
    pub base_offset: i64,
    /// Offset after its last record.
    pub next_offset: i64,
    /// Records that its header announces.
    pub records: u32,
    /// Checksum that its header carries.
    pub crc: u32,
}

/// The whole batches of a record set; a last one that is cut off is left out, as Kafka's clients do.
pub fn whole_batches(record_set: &[u8]) -> impl Iterator<Item = StoredBatch<'_>> {
    let mut rest = record_set;
    std::iter::from_fn(move || {
        let (batch, after) = split_batch(rest)?;
        rest = after;
        Some(batch)
    })
}

fn split_batch(rest: &[u8]) -> Option<(StoredBatch<'_>, &[u8])> {
    let word = |at: usize| -> Option<[u8; 4]> { rest.get(at..at + 4)?.try_into().ok() };
    let length = usize::try_from(i32::from_be_bytes(word(8)?)).ok()?.checked_add(12)?;
    if length < BATCH_OVERHEAD || rest.len() < length {
        return None;
    }
    let base_offset = i64::from_be_bytes(rest[..8].try_into().ok()?);
    let batch = StoredBatch {
        bytes: &rest[..length],
        base_offset,
        next_offset: base_offset + i64::from(i32::from_be_bytes(word(23)?)) + 1,
        records: u32::from_be_bytes(word(57)?),
        crc: u32::from_be_bytes(word(17)?),
    };
    Some((batch, &rest[length..]))
}

/// Consumes all partitions from their beginning and compares with what was acknowledged: so many records
/// in all, and no batch whose checksum is none of `checksums` (any, when that is empty).
pub fn verify(
    broker: &str,
    topic: &str,
    partitions: i32,
    records: u64,
    checksums: &BTreeSet<u32>,
) -> Result<()> {
    let found = read_whole(broker, topic, partitions, FETCH_BYTES, checksums, &AtomicBool::new(false))?;
    ensure!(found == records, "{topic}: {records} records were acknowledged, {found} can be consumed");
    Ok(())
}

/// Consumes all partitions once, one after the other, `fetch_bytes` at a time, and gives the records found.
/// A gap, damage, a batch that was not sent, or `give_up` before the end is a failure.
pub fn read_whole(
    broker: &str,
    topic: &str,
    partitions: i32,
    fetch_bytes: i32,
    checksums: &BTreeSet<u32>,
    give_up: &AtomicBool,
) -> Result<u64> {
    let mut found = 0;
    for (partition, leader) in (0..partitions).zip(leaders(broker, topic, partitions)?) {
        let mut connection = Connection::open(&leader)?;
        let mut offset = 0;
        loop {
            ensure!(!give_up.load(Ordering::Relaxed), "{topic}-{partition}: given up at offset {offset}");
            let mut frame = fetch_request(topic, partition, offset, fetch_bytes, 0);
            let (high_watermark, record_set) = fetched(connection.call(&mut frame)?)?;
            if offset >= high_watermark {
                break;
            }
            let before = offset;
            for batch in whole_batches(record_set) {
                check(&batch, offset, checksums).with_context(|| format!("{topic}-{partition}"))?;
                offset = batch.next_offset;
                found += u64::from(batch.records);
            }
            ensure!(offset > before, "{topic}-{partition}: no whole batch at {offset} of {high_watermark}");
        }
    }
    Ok(found)
}

/// Demands that a batch is the next one, whole, and one of those that were sent (any, when `checksums` is
/// empty).
pub(super) fn check(batch: &StoredBatch<'_>, expected: i64, checksums: &BTreeSet<u32>) -> Result<()> {
    let at = batch.base_offset;
    ensure!(at == expected, "batch at offset {at} where {expected} was due");
    ensure!(
        batch.next_offset - at == i64::from(batch.records),
        "batch at offset {at} has {} records and ends at {}",
        batch.records,
        batch.next_offset
    );
    ensure!(
        crc32c::crc32c(&batch.bytes[CRC_START..]) == batch.crc,
        "batch at offset {at} has a wrong checksum"
    );
    ensure!(
        checksums.is_empty() || checksums.contains(&batch.crc),
        "batch at offset {at} is none of those that were sent"
    );
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::batch::{BatchShape, Codec, build};
    use super::*;

    fn batch() -> Vec<u8> {
        build(&BatchShape { records: 3, record_bytes: 20, codec: Codec::None }, 1).unwrap().bytes
    }

    #[test]
    fn a_cut_batch_is_left_out() {
        let mut set = batch();
        set.extend(batch());
        assert_eq!(whole_batches(&set).count(), 2);
        assert_eq!(whole_batches(&set[..set.len() - 1]).count(), 1);
        assert_eq!(whole_batches(&set[..40]).count(), 0);
    }

    #[test]
    fn damage_gaps_and_strangers_are_found() {
        let none = BTreeSet::new();
        let check_bytes = |bytes: &[u8], expected, known: &BTreeSet<u32>| {
            check(&whole_batches(bytes).next().unwrap(), expected, known)
        };
        let good = batch();
        check_bytes(&good, 0, &none).unwrap();
        assert!(check_bytes(&good, 3, &none).is_err());
        assert!(check_bytes(&good, 0, &BTreeSet::from([7])).is_err());
        let mut damaged = good;
        *damaged.last_mut().unwrap() ^= 1;
        assert!(check_bytes(&damaged, 0, &none).is_err());
    }
}

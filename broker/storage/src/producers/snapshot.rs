//! `.snapshot` files: Kafka's `ProducerSnapshot` schema, version 1, so that either broker reads the other's.
//!
//! Kafka writes one entry for each producer, with its newest batch, and so refuses the older ones of a client that
//! had several in flight when the broker stopped. Here each remembered batch has an entry, oldest first: Kafka
//! takes the last entry of a producer, which is the one that it would have written.

use protocol::id::{Offset, ProducerEpoch, ProducerId, Timestamp};

use super::{PastBatch, Producer, Producers};

const VERSION: i16 = 1;
/// Version, CRC, and the number of entries.
const HEADER_BYTES: usize = 10;
/// The CRC covers everything after itself.
const CRC_END: usize = 6;
const ENTRY_BYTES: usize = 46;

/// The file's bytes.
pub(crate) fn encode(producers: &Producers) -> Vec<u8> {
    let count: usize = producers.iter().map(|(_, producer)| producer.batches().count().max(1)).sum();
    let mut bytes = Vec::with_capacity(HEADER_BYTES + count * ENTRY_BYTES);
    bytes.extend_from_slice(&VERSION.to_be_bytes());
    bytes.extend_from_slice(&[0; 4]);
    bytes.extend_from_slice(&i32::try_from(count).unwrap_or(i32::MAX).to_be_bytes());
    for (id, producer) in producers.iter() {
        let newest = producer.last();
        if newest.is_none() {
            put(&mut bytes, id, producer, None, producer.last_timestamp);
        }
        for batch in producer.batches() {
            let is_newest = newest == Some(batch);
            let timestamp = if is_newest { producer.last_timestamp } else { batch.timestamp };
            put(&mut bytes, id, producer, Some(batch), timestamp);
        }
    }
    let crc = crc32c::crc32c(&bytes[CRC_END..]);
    bytes[2..CRC_END].copy_from_slice(&crc.to_be_bytes());
    bytes
}

fn put(
    bytes: &mut Vec<u8>,
    id: ProducerId,
    producer: &Producer,
    batch: Option<&PastBatch>,
    timestamp: Timestamp,
) {
    bytes.extend_from_slice(&id.0.to_be_bytes());
    bytes.extend_from_slice(&producer.epoch.0.to_be_bytes());
    bytes.extend_from_slice(&batch.map_or(-1, |batch| batch.last_sequence).to_be_bytes());
    bytes.extend_from_slice(&batch.map_or(-1, |batch| batch.last_offset.0).to_be_bytes());
    bytes.extend_from_slice(&batch.map_or(0, |batch| batch.offset_delta).to_be_bytes());
    bytes.extend_from_slice(&timestamp.0.to_be_bytes());
    bytes.extend_from_slice(&producer.coordinator_epoch.to_be_bytes());
    bytes.extend_from_slice(&producer.transaction_first_offset.map_or(-1, |o| o.0).to_be_bytes());
}

/// The producers of a file; the reason when it is no whole snapshot.
pub(crate) fn decode(bytes: &[u8]) -> Result<Producers, &'static str> {
    let Some((header, entries)) = bytes.split_at_checked(HEADER_BYTES) else { return Err("too short") };
    if header[..2] != VERSION.to_be_bytes() {
        return Err("unknown version");
    }
    if header[2..CRC_END] != crc32c::crc32c(&bytes[CRC_END..]).to_be_bytes() {
        return Err("wrong CRC");
    }
    let count = i32::from_be_bytes([header[6], header[7], header[8], header[9]]);
    if usize::try_from(count).ok().and_then(|count| count.checked_mul(ENTRY_BYTES)) != Some(entries.len()) {
        return Err("wrong length");
    }
    let mut producers = Producers::default();
    for entry in entries.chunks_exact(ENTRY_BYTES) {
        let last_timestamp = Timestamp(i64::from_be_bytes(field(entry, 26)));
        let last_sequence = i32::from_be_bytes(field(entry, 10));
        let first_offset = i64::from_be_bytes(field(entry, 38));
        let mut producer = Producer::new(ProducerEpoch(i16::from_be_bytes(field(entry, 8))));
        producer.last_timestamp = last_timestamp;
        producer.coordinator_epoch = i32::from_be_bytes(field(entry, 34));
        producer.transaction_first_offset = (first_offset >= 0).then_some(Offset(first_offset));
        let batch = (last_sequence >= 0).then(|| PastBatch {
            last_sequence,
            last_offset: Offset(i64::from_be_bytes(field(entry, 14))),
            offset_delta: i32::from_be_bytes(field(entry, 22)),
            timestamp: last_timestamp,
        });
        producers.restore(ProducerId(i64::from_be_bytes(field(entry, 0))), batch, producer);
    }
    Ok(producers)
}

fn field<const N: usize>(entry: &[u8], at: usize) -> [u8; N] {
    let mut bytes = [0; N];
    bytes.copy_from_slice(&entry[at..at + N]);
    bytes
}

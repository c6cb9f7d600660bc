//! What several clients do: ask for a partition's offsets, and compare the records that they get.

use protocol::id::{BrokerId, PartitionIndex, Timestamp};
use protocol::message::ListOffsetsRequest;
use protocol::message::list_offsets::{ListOffsetsPartition, ListOffsetsTopic};
use protocol::records::{Batches, Records, crc_matches};

use crate::oracle::{Fact, Oracle, Place, Value};

const DECOMPRESSED_MAX: usize = 1 << 20;

/// Asks for one partition's offset.
pub(super) fn list_offsets(oracle: &Oracle, place: Place, timestamp: Timestamp) -> ListOffsetsRequest {
    let partition =
        ListOffsetsPartition { partition_index: PartitionIndex(place.1), timestamp, ..Default::default() };
    let topic = ListOffsetsTopic { name: name_of(oracle, place), partitions: vec![partition] };
    ListOffsetsRequest { replica_id: BrokerId::NONE, topics: vec![topic], ..Default::default() }
}

/// The name of a partition's topic.
pub(super) fn name_of(oracle: &Oracle, place: Place) -> String {
    oracle.by_id(place.0).map(|topic| topic.name.clone()).unwrap_or_default()
}

/// Checks the batches of a Fetch from `position`, and gives where to read on.
pub(super) fn read_records(
    oracle: &mut Oracle,
    place: Place,
    bytes: &[u8],
    position: i64,
    high_watermark: i64,
) -> Result<i64, String> {
    let mut next = position;
    let mut buffer = Vec::new();
    for batch in Batches::new(bytes) {
        let (header, batch) = batch.map_err(|error| format!("behind offset {next}: {error}"))?;
        if !crc_matches(batch) {
            return Err(format!("the batch at {} does not match its CRC", header.base_offset));
        }
        if header.last_offset().0 >= high_watermark {
            return Err(format!("offset {} beyond {high_watermark}", header.last_offset()));
        }
        let records =
            Records::new(batch, &mut buffer, DECOMPRESSED_MAX).map_err(|error| error.to_string())?;
        let mut expected = header.base_offset.0;
        if expected > next {
            return Err(format!("a gap from {next} to {expected}"));
        }
        for record in records {
            let record = record.map_err(|error| error.to_string())?;
            if record.offset.0 != expected {
                return Err(format!("offset {} where {expected} should be", record.offset));
            }
            let value = record.value.and_then(Value::read);
            let value = value.ok_or_else(|| format!("damaged value at {expected}"))?;
            let (time, epoch) = (Some(record.timestamp.0), Some(header.partition_leader_epoch.0));
            oracle.log(place).learn(expected, Fact { value, time, epoch })?;
            oracle.counters.read += 1;
            expected += 1;
        }
        next = next.max(expected);
    }
    Ok(next)
}

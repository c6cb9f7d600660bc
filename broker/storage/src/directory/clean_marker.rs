//! `.kafka_cleanshutdown`: that the last run ended well, and how it left every log.
//!
//! Kafka only looks whether the file is there. Ours holds all that opening a log needs, so that a clean start
//! opens no file of any partition: a magic number with the format's version, a CRC-32C, then the fields below,
//! big-endian, lengths before lists. A marker that does not check out counts as none.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;

use protocol::id::{BrokerEpoch, LeaderEpoch, Offset, PartitionIndex, Timestamp, TopicPartition, Uuid};

use crate::disk::{Disk, read_file, replace_file};
use crate::error::Error;
use crate::log::{CleanState, SegmentState};
use crate::names::CLEAN_MARKER;

/// Ends in the version of the format.
const MAGIC: &[u8; 8] = b"gregor\0\x01";
const CRC_END: usize = 12;
/// A million partitions with a thousand producers would fit.
const FILE_BYTES_MAX: u64 = 64 << 30;

/// What a marker says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct CleanMarker {
    pub(super) broker_epoch: BrokerEpoch,
    pub(super) logs: BTreeMap<TopicPartition, CleanState>,
}

/// Reads the marker and removes it, durably. `None` when there is none; one of Kafka's own names no logs, which
/// are then opened from their checkpoints.
pub(super) fn take(disk: &dyn Disk, directory: &Path) -> Result<Option<CleanMarker>, Error> {
    let path = directory.join(CLEAN_MARKER);
    let bytes = match read_file(disk, &path, FILE_BYTES_MAX) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(Error::io("read", &path, error)),
    };
    disk.remove_file(&path).map_err(|e| Error::io("remove", &path, e))?;
    disk.sync_directory(directory).map_err(|e| Error::sync("sync folder", directory, e))?;
    Ok(decode(&bytes))
}

/// Writes the marker and makes it durable.
pub(super) fn write(
    disk: &dyn Disk,
    directory: &Path,
    broker_epoch: BrokerEpoch,
    logs: &BTreeMap<TopicPartition, CleanState>,
) -> Result<(), Error> {
    let path = directory.join(CLEAN_MARKER);
    replace_file(disk, &path, &encode(broker_epoch, logs)).map_err(|e| Error::io("write", &path, e))
}

fn encode(broker_epoch: BrokerEpoch, logs: &BTreeMap<TopicPartition, CleanState>) -> Vec<u8> {
    let mut bytes = MAGIC.to_vec();
    bytes.extend_from_slice(&[0; 4]);
    let mut put = Put(&mut bytes);
    put.i64(broker_epoch.0);
    put.len(logs.len());
    for (partition, state) in logs {
        put.len(partition.topic.len());
        put.0.extend_from_slice(partition.topic.as_bytes());
        put.i32(partition.partition.0);
        put.log(state);
    }
    let crc = crc32c::crc32c(&bytes[CRC_END..]);
    bytes[MAGIC.len()..CRC_END].copy_from_slice(&crc.to_be_bytes());
    bytes
}

struct Put<'a>(&'a mut Vec<u8>);

impl Put<'_> {
    fn i64(&mut self, value: i64) {
        self.0.extend_from_slice(&value.to_be_bytes());
    }

    fn i32(&mut self, value: i32) {
        self.0.extend_from_slice(&value.to_be_bytes());
    }

    fn u32(&mut self, value: u32) {
        self.0.extend_from_slice(&value.to_be_bytes());
    }

    fn len(&mut self, len: usize) {
        self.u32(u32::try_from(len).unwrap_or(u32::MAX));
    }

    fn log(&mut self, state: &CleanState) {
        self.0.extend_from_slice(&state.topic_id.0);
        self.i64(state.log_start_offset.0);
        self.i64(state.log_end_offset.0);
        self.0.push(u8::from(state.active_exists) | u8::from(state.truncation_noted) << 1);
        self.u32(state.offset_entries);
        self.u32(state.time_entries);
        self.i64(state.first_timestamp.0);
        self.i64(state.created.0);
        self.len(state.segments.len());
        for segment in &state.segments {
            self.i64(segment.base_offset.0);
            self.u32(segment.size);
            self.i64(segment.max_timestamp.0);
            self.i64(segment.max_timestamp_offset.0);
        }
        self.len(state.epochs.len());
        for (epoch, start) in &state.epochs {
            self.i32(epoch.0);
            self.i64(start.0);
        }
        self.len(state.producers.len());
        self.0.extend_from_slice(&state.producers);
    }
}

fn decode(bytes: &[u8]) -> Option<CleanMarker> {
    if bytes.first() == Some(&b'{') {
        let broker_epoch = kafkas_epoch(&String::from_utf8_lossy(bytes)).unwrap_or(BrokerEpoch(-1));
        return Some(CleanMarker { broker_epoch, logs: BTreeMap::new() });
    }
    let (head, rest) = bytes.split_at_checked(CRC_END)?;
    if head[..MAGIC.len()] != MAGIC[..] || head[MAGIC.len()..] != crc32c::crc32c(rest).to_be_bytes() {
        return None;
    }
    let mut take = Take(rest);
    let broker_epoch = BrokerEpoch(take.i64()?);
    let mut logs = BTreeMap::new();
    for _ in 0..take.u32()? {
        let len = usize::try_from(take.u32()?).ok()?;
        let topic = std::str::from_utf8(take.bytes(len)?).ok()?.to_owned();
        let partition = PartitionIndex(take.i32()?);
        logs.insert(TopicPartition { topic, partition }, take.log()?);
    }
    take.0.is_empty().then_some(CleanMarker { broker_epoch, logs })
}

/// The broker epoch in a marker of Kafka's: `{"version":0,"brokerEpoch":15}`.
fn kafkas_epoch(text: &str) -> Option<BrokerEpoch> {
    let (_, value) = text.split_once("\"brokerEpoch\"")?;
    let value = value.trim_start().strip_prefix(':')?.trim_start();
    let digits = value.split(|c: char| !c.is_ascii_digit() && c != '-').next()?;
    digits.parse().ok().map(BrokerEpoch)
}

struct Take<'a>(&'a [u8]);

impl<'a> Take<'a> {
    fn bytes(&mut self, len: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(len)?;
        self.0 = rest;
        Some(taken)
    }

    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        self.bytes(N)?.try_into().ok()
    }

    fn i64(&mut self) -> Option<i64> {
        self.array().map(i64::from_be_bytes)
    }

    fn i32(&mut self) -> Option<i32> {
        self.array().map(i32::from_be_bytes)
    }

    fn u32(&mut self) -> Option<u32> {
        self.array().map(u32::from_be_bytes)
    }

    fn log(&mut self) -> Option<CleanState> {
        let topic_id = Uuid(self.array()?);
        let log_start_offset = Offset(self.i64()?);
        let log_end_offset = Offset(self.i64()?);
        let [flags] = self.array::<1>()?;
        let offset_entries = self.u32()?;
        let time_entries = self.u32()?;
        let first_timestamp = Timestamp(self.i64()?);
        let created = Timestamp(self.i64()?);
        let mut segments = Vec::new();
        for _ in 0..self.u32()? {
            segments.push(SegmentState {
                base_offset: Offset(self.i64()?),
                size: self.u32()?,
                max_timestamp: Timestamp(self.i64()?),
                max_timestamp_offset: Offset(self.i64()?),
            });
        }
        let mut epochs = Vec::new();
        for _ in 0..self.u32()? {
            epochs.push((LeaderEpoch(self.i32()?), Offset(self.i64()?)));
        }
        let len = usize::try_from(self.u32()?).ok()?;
        let producers = self.bytes(len)?.to_vec();
        Some(CleanState {
            topic_id,
            log_start_offset,
            log_end_offset,
            segments,
            active_exists: flags & 1 != 0,
            offset_entries,
            time_entries,
            first_timestamp,
            created,
            epochs,
            producers,
            truncation_noted: flags & 2 != 0,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn state(segments: usize) -> CleanState {
        let segment = SegmentState {
            base_offset: Offset(5),
            size: 77,
            max_timestamp: Timestamp(9),
            max_timestamp_offset: Offset(6),
        };
        CleanState {
            topic_id: Uuid([4; 16]),
            log_start_offset: Offset(3),
            log_end_offset: Offset(8),
            segments: vec![segment; segments],
            active_exists: true,
            offset_entries: 2,
            time_entries: 1,
            first_timestamp: Timestamp(4),
            created: Timestamp(5),
            epochs: vec![(LeaderEpoch(1), Offset(0)), (LeaderEpoch(4), Offset(7))],
            producers: vec![1, 2, 3],
            truncation_noted: true,
        }
    }

    fn marker() -> Vec<u8> {
        let partition = |topic: &str| TopicPartition { topic: topic.into(), partition: PartitionIndex(3) };
        encode(BrokerEpoch(12), &BTreeMap::from([(partition("a"), state(1)), (partition("b"), state(3))]))
    }

    #[test]
    fn a_marker_is_read_back_whole_or_not_at_all() {
        let bytes = marker();
        let read = decode(&bytes).unwrap();
        assert_eq!(read.broker_epoch, BrokerEpoch(12));
        assert_eq!(read.logs.values().cloned().collect::<Vec<_>>(), [state(1), state(3)]);
        assert_eq!(encode(read.broker_epoch, &read.logs), bytes);
        for len in 0..bytes.len() {
            assert_eq!(decode(&bytes[..len]), None);
        }
        for at in 0..bytes.len() {
            let mut changed = bytes.clone();
            changed[at] ^= 0x10;
            assert_eq!(decode(&changed), None, "byte {at}");
        }
    }

    proptest! {
        /// Also behind a CRC that fits, as after a bug in what wrote it.
        #[test]
        fn rubbish_is_refused(rest in proptest::collection::vec(any::<u8>(), 0..300)) {
            let mut bytes = MAGIC.to_vec();
            bytes.extend_from_slice(&crc32c::crc32c(&rest).to_be_bytes());
            bytes.extend_from_slice(&rest);
            let _ = decode(&bytes);
            let _ = decode(&rest);
            let _ = crate::producers::decode_snapshot(&rest);
            let _ = crate::index::LoadedIndex::parse(&rest, 1 << 20);
            let _ = crate::index::parse_times(&rest);
            let _ = crate::epochs::Epochs::decode(&String::from_utf8_lossy(&rest));
        }
    }
}

//! Entries as Kafka's record batches, and back, so that Kafka's tools read the metadata log and its snapshots.
//!
//! A metadata record is a record's value in Kafka's frame. What the consensus itself says is in control batches: a new
//! leader is a LeaderChange record, a change of the membership is a KRaftVoters record with the voters afterwards and,
//! in a record header that Kafka's readers skip, the change. An empty entry is a LeaderChange of nobody. Control
//! batches carry no time: all replicas write the same bytes, and no replica shares another's clock.

use super::codec;
use super::entry::{Entry, Membership, Payload};
use bytes::Bytes;
use protocol::id::{BrokerId, LeaderEpoch, Offset, Timestamp};
use protocol::metadata_record::MetadataRecord;
use protocol::metadata_record::control::{
    KRaftVersionFeature, LeaderChangeMessage, VoterRegistration, VotersRecord,
};
use protocol::records::{
    BatchBuilder, BatchHeader, BuildError, ControlType, HeaderError, ReadError, Record, Records, crc_matches,
    patch,
};
use protocol::wire::{DecodeError, Message, Reader, Writer};

/// The record header of a KRaftVoters record that holds the change.
const CHANGE_HEADER: &str = "gregor.membership-change";

/// Why bytes are no entry of the metadata log.
#[derive(Debug, thiserror::Error)]
pub enum EntryError {
    /// The batch's header is damaged.
    #[error(transparent)]
    Header(#[from] HeaderError),
    /// The CRC does not match.
    #[error("the batch's CRC does not match")]
    Crc,
    /// The batch's records are damaged.
    #[error(transparent)]
    Records(#[from] ReadError),
    /// A record's value is damaged, or of a later version.
    #[error(transparent)]
    Value(#[from] DecodeError),
    /// A control record that the metadata log has no use for, or without what it must say.
    #[error("control record {0} does not belong here")]
    Control(&'static str),
}

/// How many offsets a record batch takes; `None` when the bytes are not exactly one batch with records behind each
/// other.
#[must_use]
pub fn records_count(batch: &[u8]) -> Option<i64> {
    let header = BatchHeader::parse(batch).ok()?;
    let whole = header.size_in_bytes() == batch.len();
    let dense = header.records_count > 0 && header.last_offset_delta == header.records_count - 1;
    (whole && dense).then_some(i64::from(header.records_count))
}

/// Whether the bytes may be an entry's records: exactly one batch, whole, and no control batch.
#[must_use]
pub(super) fn is_records(batch: &[u8]) -> bool {
    records_count(batch).is_some()
        && crc_matches(batch)
        && BatchHeader::parse(batch).is_ok_and(|header| !header.attributes.is_control())
}

/// The records of one decision as a batch to propose.
///
/// # Errors
/// There are none, or they do not fit a batch.
pub fn encode_records(records: &[MetadataRecord], now: Timestamp) -> Result<Bytes, BuildError> {
    let mut builder = BatchBuilder::new();
    let mut writer = Writer::with_capacity(256);
    for record in records {
        let start = writer.len();
        record.encode(&mut writer);
        builder.push(now, None, writer.as_slice().get(start..), &[]);
    }
    builder.build().map(Bytes::from)
}

/// The metadata records of a batch; of a control batch none.
///
/// # Errors
/// The batch or a record is damaged.
pub fn decode_records(batch: &[u8]) -> Result<Vec<MetadataRecord>, EntryError> {
    let mut buffer = Vec::new();
    let records = Records::new(batch, &mut buffer, super::BATCH_BYTES_MAX)?;
    if records.header().attributes.is_control() {
        return Ok(Vec::new());
    }
    let decode = |record: Result<Record<'_>, ReadError>| {
        MetadataRecord::decode(record?.value.unwrap_or_default()).map_err(EntryError::from)
    };
    records.map(decode).collect()
}

/// The entry as it stands in the log: one batch with its base offset and leader epoch.
#[must_use]
pub fn to_batch(entry: &Entry) -> Bytes {
    let mut bytes = match &entry.payload {
        Payload::Records(batch) => batch.to_vec(),
        Payload::LeaderChange(message) => {
            let value = codec::leader_change_bytes(message);
            control_batch(&[(ControlType::LeaderChange, &value, None)])
        }
        Payload::Empty => {
            let version = codec::LEADER_CHANGE_VERSION;
            let nobody =
                LeaderChangeMessage { version, leader_id: BrokerId::NONE, ..LeaderChangeMessage::default() };
            control_batch(&[(ControlType::LeaderChange, &codec::leader_change_bytes(&nobody), None)])
        }
        Payload::Membership(change) => {
            let voters = encode(&voters_record(&change.after), 0);
            let change = codec::membership_change_bytes(change);
            control_batch(&[(ControlType::KRaftVoters, &voters, Some((CHANGE_HEADER, &change)))])
        }
    };
    patch(&mut bytes, entry.base_offset, entry.leader_epoch());
    Bytes::from(bytes)
}

/// The entry of a batch of the log.
///
/// # Errors
/// The batch is damaged, or holds what this log never has.
pub fn from_batch(index: u64, batch: &[u8]) -> Result<Entry, EntryError> {
    let header = BatchHeader::parse(batch)?;
    if !crc_matches(batch) {
        return Err(EntryError::Crc);
    }
    let payload = if header.attributes.is_control() {
        let mut buffer = Vec::new();
        let mut records = Records::new(batch, &mut buffer, super::BATCH_BYTES_MAX)?;
        let record = records.next().ok_or(EntryError::Control("(none)"))??;
        control_payload(&record)?
    } else {
        // In memory every replica holds what was proposed: without offset and epoch.
        let mut bytes = batch.get(..header.size_in_bytes()).ok_or(EntryError::Crc)?.to_vec();
        patch(&mut bytes, Offset(0), LeaderEpoch::UNKNOWN);
        Payload::Records(Bytes::from(bytes))
    };
    let term = u64::try_from(header.partition_leader_epoch.0).unwrap_or(0);
    Ok(Entry { index, term, base_offset: header.base_offset, payload })
}

fn control_payload(record: &Record<'_>) -> Result<Payload, EntryError> {
    let value = record.value.unwrap_or_default();
    match ControlType::from_key(record.key.unwrap_or_default()) {
        Some(ControlType::LeaderChange) => {
            let message = LeaderChangeMessage::decode(&mut Reader::new(value), codec::LEADER_CHANGE_VERSION)?;
            let nobody = message.leader_id == BrokerId::NONE;
            Ok(if nobody { Payload::Empty } else { Payload::LeaderChange(message) })
        }
        Some(ControlType::KRaftVoters) => record
            .headers
            .last(CHANGE_HEADER)
            .flatten()
            .and_then(codec::membership_change)
            .map(Payload::Membership)
            .ok_or(EntryError::Control("KRaftVoters without the change")),
        _ => Err(EntryError::Control("of another type")),
    }
}

pub(super) fn encode(message: &impl Message, version: i16) -> Vec<u8> {
    let mut writer = Writer::with_capacity(64);
    message.encode(&mut writer, version);
    writer.into_bytes()
}

/// The voters as Kafka's record; where they listen is configuration and not in the log.
pub(super) fn voters_record(membership: &Membership) -> VotersRecord {
    let voter = |replica: &super::ReplicaKey| VoterRegistration {
        voter_id: replica.id,
        voter_directory_id: replica.directory_id,
        endpoints: Vec::new(),
        kraft_version_feature: KRaftVersionFeature { min_supported_version: 0, max_supported_version: 1 },
    };
    VotersRecord { version: 0, voters: membership.voters.iter().map(voter).collect() }
}

pub(super) type Control<'a> = (ControlType, &'a [u8], Option<(&'a str, &'a [u8])>);

pub(super) fn control_batch(records: &[Control<'_>]) -> Vec<u8> {
    let mut builder = BatchBuilder::new().control();
    for (control_type, value, header) in records {
        let header = header.map(|(name, value)| [(name, Some(value))]);
        let headers = header.as_ref().map_or(&[][..], |header| &header[..]);
        builder.push(Timestamp::NONE, Some(&control_type.key()), Some(value), headers);
    }
    builder.build().expect("a membership of bounded size fits a batch")
}

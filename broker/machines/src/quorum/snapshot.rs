//! Snapshots of the metadata log in Kafka's form (KIP-630): a header batch, the image's records, a footer batch.
//!
//! What the consensus must know besides is in record headers, which Kafka's readers skip: `gregor.raft` on the
//! SnapshotHeader record has the index of the last entry in the snapshot, its term and its end offset, and
//! `gregor.members` on the KRaftVoters record all members. So the index of every entry of the log is known: the entry
//! whose batch starts at the snapshot's end offset has the next index, and each batch after it is one more.

use super::batch::{self, Control, EntryError};
use super::codec;
use super::entry::SnapshotMeta;
use bytes::Buf;
use protocol::id::{Offset, Timestamp};
use protocol::metadata_record::MetadataRecord;
use protocol::metadata_record::control::{KRaftVersionRecord, SnapshotFooterRecord, SnapshotHeaderRecord};
use protocol::records::{BatchBuilder, Batches, BuildError, ControlType, Records, crc_matches, patch};
use protocol::wire::Writer;

const RAFT_HEADER: &str = "gregor.raft";
const MEMBERS_HEADER: &str = "gregor.members";

/// A batch of a snapshot is closed when it is larger.
const SNAPSHOT_BATCH_BYTES: usize = 1 << 20;

/// The level of `kraft.version`: replicas are named by broker and directory (KIP-853).
pub const KRAFT_VERSION: i16 = 1;

/// The snapshot's file name, as Kafka's: end offset and epoch.
#[must_use]
pub fn file_name(meta: &SnapshotMeta) -> String {
    format!("{:020}-{:010}.checkpoint", meta.end_offset.0, meta.term)
}

/// The bytes of a snapshot. `records` is [`MetadataImage::records`](crate::image::MetadataImage::records) of the
/// image that ends at `meta.end_offset`; `timestamp` is that of the last batch in it.
///
/// # Errors
/// A record does not fit a batch.
pub fn encode(
    meta: &SnapshotMeta,
    records: impl Iterator<Item = MetadataRecord>,
    timestamp: Timestamp,
) -> Result<Vec<u8>, BuildError> {
    let mut out = Vec::new();
    let mut end_offset = Offset(0);
    let mut append = |out: &mut Vec<u8>, mut bytes: Vec<u8>, count: i64| {
        patch(&mut bytes, end_offset, super::epoch_of(meta.term));
        end_offset = end_offset.plus(count);
        out.append(&mut bytes);
    };
    let header = SnapshotHeaderRecord { version: 0, last_contained_log_timestamp: timestamp };
    let header = batch::encode(&header, 0);
    let mut place = meta.index.to_be_bytes().to_vec();
    place.extend_from_slice(&meta.term.to_be_bytes());
    place.extend_from_slice(&meta.end_offset.0.to_be_bytes());
    let version = batch::encode(&KRaftVersionRecord { version: 0, kraft_version: KRAFT_VERSION }, 0);
    let voters = batch::encode(&batch::voters_record(&meta.membership), 0);
    let members = codec::membership_bytes(&meta.membership);
    let head: [Control<'_>; 3] = [
        (ControlType::SnapshotHeader, &header, Some((RAFT_HEADER, &place))),
        (ControlType::KRaftVersion, &version, None),
        (ControlType::KRaftVoters, &voters, Some((MEMBERS_HEADER, &members))),
    ];
    append(&mut out, batch::control_batch(&head), 3);

    let mut builder = BatchBuilder::new();
    for record in records {
        let mut writer = Writer::with_capacity(128);
        record.encode(&mut writer);
        builder.push(timestamp, None, Some(writer.as_slice()), &[]);
        if builder.size_in_bytes() >= SNAPSHOT_BATCH_BYTES {
            let count = i64::from(builder.records_count());
            append(&mut out, std::mem::take(&mut builder).build()?, count);
        }
    }
    if builder.records_count() > 0 {
        let count = i64::from(builder.records_count());
        append(&mut out, builder.build()?, count);
    }
    let footer = batch::encode(&SnapshotFooterRecord { version: 0 }, 0);
    append(&mut out, batch::control_batch(&[(ControlType::SnapshotFooter, &footer, None)]), 1);
    Ok(out)
}

/// Why bytes are no snapshot.
#[derive(Debug, thiserror::Error)]
pub enum SnapshotError {
    /// A batch is damaged, or a record is.
    #[error(transparent)]
    Entry(#[from] EntryError),
    /// The first batch has no header record, or one that does not say what it covers and whose it is.
    #[error("the snapshot does not begin with a header that names its place in the log and its members")]
    Header,
    /// The footer is missing: the file was not written to its end.
    #[error("the snapshot has no footer")]
    Footer,
}

/// A snapshot as it was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Snapshot {
    /// What it stands for.
    pub meta: SnapshotMeta,
    /// The timestamp of the last batch in it.
    pub timestamp: Timestamp,
    /// Its records.
    pub records: Vec<MetadataRecord>,
}

/// Reads a snapshot.
///
/// # Errors
/// It is damaged or not whole.
pub fn decode(bytes: &[u8]) -> Result<Snapshot, SnapshotError> {
    let mut snapshot = None;
    let mut records = Vec::new();
    let mut has_footer = false;
    for batch in Batches::new(bytes) {
        let (header, batch) = batch.map_err(EntryError::from)?;
        if !crc_matches(batch) {
            return Err(EntryError::Crc.into());
        }
        if snapshot.is_none() {
            snapshot = Some(decode_head(batch)?);
        } else if header.attributes.is_control() {
            has_footer = control_type(batch)? == Some(ControlType::SnapshotFooter);
        } else {
            records.append(&mut batch::decode_records(batch)?);
        }
    }
    let (meta, timestamp) = snapshot.ok_or(SnapshotError::Header)?;
    if has_footer { Ok(Snapshot { meta, timestamp, records }) } else { Err(SnapshotError::Footer) }
}

fn control_type(batch: &[u8]) -> Result<Option<ControlType>, EntryError> {
    let mut buffer = Vec::new();
    let first = Records::new(batch, &mut buffer, super::BATCH_BYTES_MAX)?.next();
    Ok(first.transpose()?.and_then(|record| ControlType::from_key(record.key.unwrap_or_default())))
}

fn decode_head(batch: &[u8]) -> Result<(SnapshotMeta, Timestamp), SnapshotError> {
    let mut buffer = Vec::new();
    let (mut place, mut membership) = (None, None);
    for record in Records::new(batch, &mut buffer, super::BATCH_BYTES_MAX).map_err(EntryError::from)? {
        let record = record.map_err(EntryError::from)?;
        match ControlType::from_key(record.key.unwrap_or_default()) {
            Some(ControlType::SnapshotHeader) => {
                place = record.headers.last(RAFT_HEADER).flatten().and_then(|bytes| {
                    // The value's timestamp follows its version.
                    let timestamp = record.value?.get(2..)?.try_get_i64().ok()?;
                    take_place(bytes).map(|place| (place, Timestamp(timestamp)))
                });
            }
            Some(ControlType::KRaftVoters) => {
                membership = record.headers.last(MEMBERS_HEADER).flatten().and_then(codec::membership);
            }
            _ => {}
        }
    }
    match (place, membership) {
        (Some(((index, term, end_offset), timestamp)), Some(membership)) => {
            Ok((SnapshotMeta { index, term, end_offset, membership }, timestamp))
        }
        _ => Err(SnapshotError::Header),
    }
}

fn take_place(mut bytes: &[u8]) -> Option<(u64, u64, Offset)> {
    let place = (bytes.try_get_u64().ok()?, bytes.try_get_u64().ok()?, Offset(bytes.try_get_i64().ok()?));
    bytes.is_empty().then_some(place)
}

//! Records of `__consumer_offsets` in Kafka's schemas, and what they change.
//!
//! Written in the versions of Kafka 4.3 (`GroupCoordinatorRecordHelpers`), read in every version. Kinds that belong
//! to other protocols (KIP-848, KIP-932, KIP-1071) are not read at all.

use bytes::Bytes;
use protocol::id::{LeaderEpoch, Offset, PartitionIndex, Timestamp, Uuid};
use protocol::wire::{At, DecodeError, Reader, Wire, Writer};
use std::sync::Arc;

use super::request::CommitPartition;

const OFFSET_COMMIT_LEGACY: i16 = 0;
const OFFSET_COMMIT: i16 = 1;
const GROUP_METADATA: i16 = 2;

/// The last version of both values.
const VALUE_VERSION_MAX: i16 = 4;
/// The first flexible version of both values (KIP-482).
const VALUE_FLEXIBLE_FROM: i16 = 4;
/// In which version Kafka 4.3 writes a group.
const GROUP_METADATA_VERSION: i16 = 3;
/// In which version Kafka 4.3 writes an offset: the one that has the topic's id.
const OFFSET_COMMIT_VERSION: i16 = 4;
/// The only version that has an offset's own end of life; it has neither leader epoch nor topic id.
const OFFSET_COMMIT_EXPIRING_VERSION: i16 = 1;
/// The least bytes of a member in any version: four lengths of strings and bytes, and a timeout.
const MEMBER_BYTES_MIN: usize = 11;

/// One record; a value that is `None` is a tombstone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupRecord {
    /// What it is about.
    pub key: Bytes,
    /// What is so from now on.
    pub value: Option<Bytes>,
}

/// A group as it is stored: after a rebalance, when its last member went, or when a static member came back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct GroupMetadata {
    pub(super) protocol_type: String,
    pub(super) generation: i32,
    pub(super) protocol: Option<String>,
    pub(super) leader: Option<Arc<str>>,
    pub(super) current_state_timestamp: Timestamp,
    pub(super) members: Vec<MemberMetadata>,
}

/// A member as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct MemberMetadata {
    pub(super) member_id: Arc<str>,
    pub(super) group_instance_id: Option<Arc<str>>,
    pub(super) client_id: Arc<str>,
    pub(super) client_host: Arc<str>,
    pub(super) rebalance_timeout_ms: i32,
    pub(super) session_timeout_ms: i32,
    pub(super) subscription: Bytes,
    pub(super) assignment: Bytes,
}

/// An offset as it is stored: made by [`CommittedOffset::new`] or read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct CommittedOffset {
    pub(super) offset: Offset,
    pub(super) leader_epoch: LeaderEpoch,
    pub(super) metadata: Box<str>,
    pub(super) commit_timestamp: Timestamp,
    /// Its own end, where the commit asked for one.
    pub(super) expire_timestamp: Option<Timestamp>,
    pub(super) topic_id: Uuid,
}

impl CommittedOffset {
    /// An offset as reading it back gives it: one with its own end loses what its version lacks.
    pub(super) fn new(
        partition: &CommitPartition,
        topic_id: Uuid,
        now: Timestamp,
        retention: Option<i64>,
    ) -> Self {
        let expire_timestamp = retention.map(|retention| Timestamp(now.0.saturating_add(retention)));
        let expire_timestamp = expire_timestamp.filter(|expire| *expire != Timestamp::NONE);
        let is_plain = expire_timestamp.is_none();
        Self {
            offset: partition.offset,
            leader_epoch: if is_plain { partition.leader_epoch } else { LeaderEpoch::UNKNOWN },
            metadata: Box::from(partition.metadata.as_deref().unwrap_or_default()),
            commit_timestamp: now,
            expire_timestamp,
            topic_id: if is_plain { topic_id } else { Uuid::ZERO },
        }
    }
}

/// What one record does to what is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Change {
    Group {
        group_id: Arc<str>,
        metadata: Option<Arc<GroupMetadata>>,
    },
    Offset {
        group_id: Arc<str>,
        topic: Arc<str>,
        partition: PartitionIndex,
        offset: Option<Arc<CommittedOffset>>,
    },
}

impl Change {
    /// The group that it is about.
    pub(super) fn group_id(&self) -> &Arc<str> {
        match self {
            Self::Group { group_id, .. } | Self::Offset { group_id, .. } => group_id,
        }
    }

    /// Bytes of its record's key.
    pub(super) fn key_bytes(&self) -> usize {
        match self {
            Self::Group { group_id, .. } => 4 + group_id.len(),
            Self::Offset { group_id, topic, .. } => 10 + group_id.len() + topic.len(),
        }
    }

    /// The record that does it.
    pub(super) fn encode(&self) -> GroupRecord {
        let (key, value) = match self {
            Self::Group { group_id, metadata } => {
                let mut key = begin(GROUP_METADATA, self.key_bytes());
                key.str(Some(group_id), false);
                (key, metadata.as_deref().map(encode_group))
            }
            Self::Offset { group_id, topic, partition, offset } => {
                let mut key = begin(OFFSET_COMMIT, self.key_bytes());
                key.str(Some(group_id), false);
                key.str(Some(topic), false);
                key.put(&partition.0.to_be_bytes());
                (key, offset.as_deref().map(encode_offset))
            }
        };
        let bytes = |writer: Writer| Bytes::from(writer.into_bytes());
        GroupRecord { key: bytes(key), value: value.map(bytes) }
    }

    /// Reads a record.
    ///
    /// # Errors
    /// A kind or version that is not known, or bytes that are no such record.
    pub(super) fn decode(key: &[u8], value: Option<&[u8]>) -> Result<Self, DecodeError> {
        let mut key = Reader::new(key);
        let kind = i16::from_be_bytes(key.array()?);
        match kind {
            GROUP_METADATA => {
                let group_id = text(&mut key, false)?;
                let metadata = value.map(decode_group).transpose()?.map(Arc::new);
                Ok(Self::Group { group_id, metadata })
            }
            OFFSET_COMMIT | OFFSET_COMMIT_LEGACY => {
                let (group_id, topic) = (text(&mut key, false)?, text(&mut key, false)?);
                let partition = PartitionIndex(i32::from_be_bytes(key.array()?));
                let offset = value.map(decode_offset).transpose()?.map(Arc::new);
                Ok(Self::Offset { group_id, topic, partition, offset })
            }
            _ => Err(DecodeError::Type(i64::from(kind))),
        }
    }
}

fn begin(number: i16, capacity: usize) -> Writer {
    let mut writer = Writer::with_capacity(capacity);
    writer.put(&number.to_be_bytes());
    writer
}

fn encode_group(group: &GroupMetadata) -> Writer {
    let members: usize = group.members.iter().map(|m| m.subscription.len() + m.assignment.len() + 160).sum();
    let mut writer = begin(GROUP_METADATA_VERSION, 128 + members);
    writer.str(Some(&group.protocol_type), false);
    writer.put(&group.generation.to_be_bytes());
    writer.str(group.protocol.as_deref(), false);
    writer.str(group.leader.as_deref(), false);
    writer.put(&group.current_state_timestamp.0.to_be_bytes());
    let at = At { version: GROUP_METADATA_VERSION, flexible: false, nullable: false };
    writer.array_length(group.members.len(), at);
    for member in &group.members {
        writer.str(Some(&member.member_id), false);
        writer.str(member.group_instance_id.as_deref(), false);
        writer.str(Some(&member.client_id), false);
        writer.str(Some(&member.client_host), false);
        writer.put(&member.rebalance_timeout_ms.to_be_bytes());
        writer.put(&member.session_timeout_ms.to_be_bytes());
        writer.length_prefixed(Some(&member.subscription), false);
        writer.length_prefixed(Some(&member.assignment), false);
    }
    writer
}

fn encode_offset(offset: &CommittedOffset) -> Writer {
    let mut writer;
    if let Some(expire) = offset.expire_timestamp {
        writer = begin(OFFSET_COMMIT_EXPIRING_VERSION, 28 + offset.metadata.len());
        writer.put(&offset.offset.0.to_be_bytes());
        writer.str(Some(&offset.metadata), false);
        writer.put(&offset.commit_timestamp.0.to_be_bytes());
        writer.put(&expire.0.to_be_bytes());
    } else {
        writer = begin(OFFSET_COMMIT_VERSION, 44 + offset.metadata.len());
        writer.put(&offset.offset.0.to_be_bytes());
        writer.put(&offset.leader_epoch.0.to_be_bytes());
        writer.str(Some(&offset.metadata), true);
        writer.put(&offset.commit_timestamp.0.to_be_bytes());
        let at = At { version: OFFSET_COMMIT_VERSION, flexible: true, nullable: false };
        let tagged = writer.begin_tagged_fields();
        writer.tagged_field(tagged, 0, &offset.topic_id, &Uuid::ZERO, at);
    }
    writer
}

/// The version that a value begins with.
fn version(reader: &mut Reader<'_>) -> Result<At, DecodeError> {
    let version = i16::from_be_bytes(reader.array()?);
    if !(0..=VALUE_VERSION_MAX).contains(&version) {
        return Err(DecodeError::Version(version));
    }
    Ok(At { version, flexible: version >= VALUE_FLEXIBLE_FROM, nullable: false })
}

fn text(reader: &mut Reader<'_>, flexible: bool) -> Result<Arc<str>, DecodeError> {
    reader.str(flexible)?.map(Arc::from).ok_or(DecodeError::Length(-1))
}

fn bytes(reader: &mut Reader<'_>, flexible: bool) -> Result<Bytes, DecodeError> {
    reader.bytes(flexible)?.map(Bytes::copy_from_slice).ok_or(DecodeError::Length(-1))
}

fn decode_group(value: &[u8]) -> Result<GroupMetadata, DecodeError> {
    let mut reader = Reader::new(value);
    let at = version(&mut reader)?;
    let protocol_type = String::from(&*text(&mut reader, at.flexible)?);
    let generation = i32::from_be_bytes(reader.array()?);
    let protocol = reader.str(at.flexible)?.map(str::to_owned);
    let leader = reader.str(at.flexible)?.map(Arc::from);
    let mut current_state_timestamp = Timestamp::NONE;
    if at.version >= 2 {
        current_state_timestamp = Timestamp(i64::from_be_bytes(reader.array()?));
    }
    let count = reader.array_length(at.flexible, MEMBER_BYTES_MIN)?.ok_or(DecodeError::Length(-1))?;
    let mut members = Vec::new();
    for _ in 0..count {
        // Their texts and bytes are copies of what was read, so that only the list itself can outgrow the value.
        reader.spend(size_of::<MemberMetadata>())?;
        members.push(decode_member(&mut reader, at)?);
    }
    reader.skip_tagged_fields(at)?;
    Ok(GroupMetadata { protocol_type, generation, protocol, leader, current_state_timestamp, members })
}

fn decode_member(reader: &mut Reader<'_>, at: At) -> Result<MemberMetadata, DecodeError> {
    let member_id = text(reader, at.flexible)?;
    let group_instance_id = if at.version >= 3 { reader.str(at.flexible)?.map(Arc::from) } else { None };
    let (client_id, client_host) = (text(reader, at.flexible)?, text(reader, at.flexible)?);
    let rebalance_timeout_ms = if at.version >= 1 { i32::from_be_bytes(reader.array()?) } else { -1 };
    let session_timeout_ms = i32::from_be_bytes(reader.array()?);
    let (subscription, assignment) = (bytes(reader, at.flexible)?, bytes(reader, at.flexible)?);
    reader.skip_tagged_fields(at)?;
    Ok(MemberMetadata {
        member_id,
        group_instance_id,
        client_id,
        client_host,
        rebalance_timeout_ms,
        session_timeout_ms,
        subscription,
        assignment,
    })
}

fn decode_offset(value: &[u8]) -> Result<CommittedOffset, DecodeError> {
    let mut reader = Reader::new(value);
    let at = version(&mut reader)?;
    let offset = Offset(i64::from_be_bytes(reader.array()?));
    let leader_epoch =
        if at.version >= 3 { LeaderEpoch(i32::from_be_bytes(reader.array()?)) } else { LeaderEpoch::UNKNOWN };
    let metadata = Box::from(reader.str(at.flexible)?.ok_or(DecodeError::Length(-1))?);
    let commit_timestamp = Timestamp(i64::from_be_bytes(reader.array()?));
    let mut expire_timestamp = None;
    if at.version == OFFSET_COMMIT_EXPIRING_VERSION {
        let expire = Timestamp(i64::from_be_bytes(reader.array()?));
        expire_timestamp = (expire != Timestamp::NONE).then_some(expire);
    }
    let mut topic_id = Uuid::ZERO;
    reader.tagged_fields(at, &mut |reader, tag| {
        if tag == 0 {
            topic_id = Uuid::decode(reader, at)?;
        }
        Ok(tag == 0)
    })?;
    Ok(CommittedOffset { offset, leader_epoch, metadata, commit_timestamp, expire_timestamp, topic_id })
}

//! The records of control batches: the ends of transactions (KIP-98) and those of a Raft log (KIP-595,
//! KIP-853).

use crate::records::varint::Cursor;

/// What a control record says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ControlType {
    /// The producer's transaction ends here and did not happen.
    Abort,
    /// The producer's transaction ends here and did happen.
    Commit,
    /// A leader of a Raft log begins its term.
    LeaderChange,
    /// A snapshot begins.
    SnapshotHeader,
    /// A snapshot ends.
    SnapshotFooter,
    /// The version of the Raft protocol.
    KRaftVersion,
    /// The voters of a Raft log.
    KRaftVoters,
}

impl ControlType {
    /// The type of a number in a control record's key.
    #[must_use]
    pub const fn from_wire(number: i16) -> Option<Self> {
        match number {
            0 => Some(Self::Abort),
            1 => Some(Self::Commit),
            2 => Some(Self::LeaderChange),
            3 => Some(Self::SnapshotHeader),
            4 => Some(Self::SnapshotFooter),
            5 => Some(Self::KRaftVersion),
            6 => Some(Self::KRaftVoters),
            _ => None,
        }
    }

    /// The number in a control record's key.
    #[must_use]
    pub const fn wire(self) -> i16 {
        match self {
            Self::Abort => 0,
            Self::Commit => 1,
            Self::LeaderChange => 2,
            Self::SnapshotHeader => 3,
            Self::SnapshotFooter => 4,
            Self::KRaftVersion => 5,
            Self::KRaftVoters => 6,
        }
    }

    /// The key of a control record: version 0 and the type, 16 bits each.
    #[must_use]
    pub const fn key(self) -> [u8; 4] {
        let [high, low] = self.wire().to_be_bytes();
        [0, 0, high, low]
    }

    /// Reads a control record's key. `None` for a type that Kafka 4.3 does not have, which readers skip.
    #[must_use]
    pub fn from_key(key: &[u8]) -> Option<Self> {
        let mut cursor = Cursor::new(key);
        let version = i16::from_be_bytes([cursor.byte()?, cursor.byte()?]);
        let number = i16::from_be_bytes([cursor.byte()?, cursor.byte()?]);
        if version < 0 { None } else { Self::from_wire(number) }
    }
}

/// The end of a transaction, as it stands in a partition's log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ControlRecord {
    /// [`ControlType::Commit`] or [`ControlType::Abort`].
    pub control_type: ControlType,
    /// Epoch of the transaction coordinator that wrote it: one of an older epoch is refused.
    pub coordinator_epoch: i32,
}

impl ControlRecord {
    /// The record's value: version 0 and the coordinator's epoch.
    #[must_use]
    pub const fn value(self) -> [u8; 6] {
        let [a, b, c, d] = self.coordinator_epoch.to_be_bytes();
        [0, 0, a, b, c, d]
    }

    /// Reads the key and value of a transaction's end; `None` when they are of another kind or damaged.
    #[must_use]
    pub fn read(key: Option<&[u8]>, value: Option<&[u8]>) -> Option<Self> {
        let control_type = ControlType::from_key(key?)?;
        if !matches!(control_type, ControlType::Commit | ControlType::Abort) {
            return None;
        }
        let mut cursor = Cursor::new(value?);
        let version = i16::from_be_bytes([cursor.byte()?, cursor.byte()?]);
        let epoch = cursor.take(4)?.first_chunk::<4>()?;
        (version >= 0).then_some(Self { control_type, coordinator_epoch: i32::from_be_bytes(*epoch) })
    }
}

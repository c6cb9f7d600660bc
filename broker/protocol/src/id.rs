//! Kafka's numbers as types, so that an offset cannot be passed where an epoch is meant.
//!
//! Every newtype is transparent: `.0` is the number on the wire and on disk.

use std::fmt;
use std::time::Duration;

macro_rules! number {
    ($(#[$doc:meta])* $name:ident($inner:ty)) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
        pub struct $name(pub $inner);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl From<$inner> for $name {
            fn from(value: $inner) -> Self {
                Self(value)
            }
        }
    };
}

number! {
    /// A broker (`node.id`); negative means no broker.
    BrokerId(i32)
}
number! {
    /// One incarnation of a broker: the offset of its registration in the metadata log; -1 is unknown.
    BrokerEpoch(i64)
}
number! {
    /// A partition of a topic, counted from 0.
    PartitionIndex(i32)
}
number! {
    /// A record's place in its partition.
    Offset(i64)
}
number! {
    /// Grows with every change of a partition's leader; -1 is unknown.
    LeaderEpoch(i32)
}
number! {
    /// Grows with every change of a partition's leader, ISR or replicas.
    PartitionEpoch(i32)
}
number! {
    /// An idempotent producer; -1 is a plain one.
    ProducerId(i64)
}
number! {
    /// One incarnation of a producer id; -1 is a plain producer.
    ProducerEpoch(i16)
}
number! {
    /// Grows with every rebalance of a consumer group; -1 is none.
    GenerationId(i32)
}
number! {
    /// Matches a response with its request on one connection.
    CorrelationId(i32)
}
number! {
    /// Milliseconds since 1970-01-01T00:00:00Z; -1 is no timestamp.
    Timestamp(i64)
}
number! {
    /// Nanoseconds on a clock that never goes back, from an arbitrary start: for deadlines, never stored.
    Monotonic(u64)
}

impl BrokerId {
    /// No broker: the leader of an offline partition, an unknown controller.
    pub const NONE: Self = Self(-1);
}

impl Offset {
    /// Stands where an offset is not known.
    pub const UNKNOWN: Self = Self(-1);

    /// The offset `count` records later.
    #[must_use]
    pub const fn plus(self, count: i64) -> Self {
        Self(self.0 + count)
    }
}

impl LeaderEpoch {
    /// No epoch: the asker does not know one, or the log has none.
    pub const UNKNOWN: Self = Self(-1);
}

impl ProducerId {
    /// The batch does not come from an idempotent producer.
    pub const NONE: Self = Self(-1);
}

impl ProducerEpoch {
    /// The batch does not come from an idempotent producer.
    pub const NONE: Self = Self(-1);
}

impl GenerationId {
    /// Not a member's: who commits offsets for itself, a group that was never rebalanced.
    pub const NONE: Self = Self(-1);
}

impl Timestamp {
    /// No timestamp.
    pub const NONE: Self = Self(-1);

    /// Milliseconds from `earlier` to this moment; 0 when the clock went back.
    #[must_use]
    pub fn millis_since(self, earlier: Self) -> u64 {
        u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0)
    }
}

impl Monotonic {
    /// The moment `duration` later.
    #[must_use]
    pub fn plus(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)))
    }

    /// Time since `earlier`; zero when `earlier` is later.
    #[must_use]
    pub const fn since(self, earlier: Self) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }
}

/// 16 bytes that name a topic, a directory or a cluster for ever (KIP-516); all zero means none.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Uuid(pub [u8; 16]);

/// A topic's identity: a topic deleted and created again has another.
pub type TopicId = Uuid;
/// A log directory's identity (KIP-858).
pub type DirectoryId = Uuid;

impl Uuid {
    /// No uuid.
    pub const ZERO: Self = Self([0; 16]);

    /// Whether this is [`Uuid::ZERO`].
    #[must_use]
    pub fn is_zero(self) -> bool {
        self == Self::ZERO
    }

    /// A random (version 4) uuid from 16 random bytes.
    #[must_use]
    pub const fn from_random(mut bytes: [u8; 16]) -> Self {
        bytes[6] = (bytes[6] & 0x0f) | 0x40;
        bytes[8] = (bytes[8] & 0x3f) | 0x80;
        Self(bytes)
    }

    /// Reads Kafka's form: 22 characters of unpadded URL-safe base64. `None` when it is not that.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim_end_matches('=').as_bytes();
        if text.len() != 22 {
            return None;
        }
        let mut bits: u128 = 0;
        for (i, c) in text.iter().enumerate() {
            let six = u128::try_from(BASE64_URL.iter().position(|b| b == c)?).ok()?;
            if i == 21 {
                // The last character holds the last 2 bits of 128; its low 4 bits must be empty.
                if six & 0xf != 0 {
                    return None;
                }
                bits = bits << 2 | six >> 4;
            } else {
                bits = bits << 6 | six;
            }
        }
        Some(Self(bits.to_be_bytes()))
    }
}

const BASE64_URL: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

impl fmt::Display for Uuid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bits = u128::from_be_bytes(self.0);
        for i in 0..22u32 {
            let six = if i == 21 { (bits & 0x3) << 4 } else { bits >> (122 - 6 * i) & 0x3f };
            // `six` has six bits.
            let letter = BASE64_URL.get(usize::try_from(six).unwrap_or(0)).copied().unwrap_or(b'A');
            fmt::Write::write_char(f, char::from(letter))?;
        }
        Ok(())
    }
}

impl fmt::Debug for Uuid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A partition by its topic's name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TopicPartition {
    /// The topic's name.
    pub topic: String,
    /// Which of its partitions.
    pub partition: PartitionIndex,
}

impl fmt::Display for TopicPartition {
    /// Kafka's form, which is also the folder's name: `topic-0`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.topic, self.partition)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn uuid_has_kafkas_text_form() {
        // `kafka-storage.sh format` takes and prints this id.
        let id = Uuid::parse("MkU3OEVBNTcwNTJENDM2Qg").unwrap();
        assert_eq!(&id.0, b"2E78EA57052D436B");
        assert_eq!(id.to_string(), "MkU3OEVBNTcwNTJENDM2Qg");
        assert_eq!(Uuid::parse("short"), None);
        assert_eq!(Uuid::parse("MkU3OEVBNTcwNTJENDM2Q!"), None);
    }
}

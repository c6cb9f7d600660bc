//! What producers write: values that are told apart and that show damage.

use protocol::id::{ProducerEpoch, ProducerId, Timestamp};
use protocol::records::{BatchBuilder, Compression};

/// A record's value: which incarnation of a producer wrote it, and its number in the order of its sends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Value {
    pub(crate) producer: u32,
    pub(crate) number: u64,
}

const HEAD_BYTES: usize = 12;
const PADDING_MAX: u64 = 400;
/// How far a record's time lies from that of its batch, in milliseconds: times are neither unique nor in order.
const JITTER_MS: i64 = 600;

impl Value {
    const fn mix(self) -> u64 {
        (self.number ^ (self.producer as u64) << 32).wrapping_mul(0x9e37_79b9_7f4a_7c15)
    }

    fn padding(self) -> impl Iterator<Item = u8> {
        let mix = self.mix();
        let count = usize::try_from((mix >> 40) % PADDING_MAX).unwrap_or(0);
        mix.to_le_bytes().into_iter().cycle().take(count)
    }

    /// The record's time when its batch was made at `wall`.
    pub(crate) fn time(self, wall: Timestamp) -> Timestamp {
        let jitter = i64::try_from(self.mix() >> 17).unwrap_or(0) % (2 * JITTER_MS);
        Timestamp(wall.0 + jitter - JITTER_MS)
    }

    fn bytes(self) -> Vec<u8> {
        let mut bytes = self.producer.to_be_bytes().to_vec();
        bytes.extend(self.number.to_be_bytes());
        bytes.extend(self.padding());
        bytes
    }

    /// Reads a value back; `None` when it is not as it was written.
    pub(crate) fn read(bytes: &[u8]) -> Option<Self> {
        let producer = u32::from_be_bytes(*bytes.first_chunk()?);
        let number = u64::from_be_bytes(bytes.get(4..HEAD_BYTES)?.try_into().ok()?);
        let value = Self { producer, number };
        value.padding().eq(bytes.get(HEAD_BYTES..)?.iter().copied()).then_some(value)
    }
}

/// A batch of `count` values from `first` on.
pub(crate) fn batch(
    first: Value,
    count: u64,
    producer: Option<(ProducerId, ProducerEpoch, i32)>,
    compression: Compression,
    wall: Timestamp,
) -> Vec<u8> {
    let mut builder = BatchBuilder::new().compression(compression, None);
    if let Some((id, epoch, sequence)) = producer {
        builder = builder.producer(id, epoch, sequence);
    }
    for number in first.number..first.number + count {
        let value = Value { number, ..first };
        builder.push(value.time(wall), Some(&number.to_be_bytes()), Some(&value.bytes()), &[]);
    }
    builder.build().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_that_was_damaged_is_not_read() {
        let value = Value { producer: 3, number: 77 };
        let mut bytes = value.bytes();
        assert_eq!(Value::read(&bytes), Some(value));
        bytes.push(0);
        assert_eq!(Value::read(&bytes), None);
        bytes.truncate(bytes.len() - 2);
        assert_eq!(Value::read(&bytes), None);
    }
}

//! All randomness of a node, from one seed (D1): enough for ids and places, not for secrets.

use protocol::id::Uuid;
use protocol::random::SplitMix64;

/// A stream of numbers.
#[derive(Debug)]
pub(crate) struct Random(SplitMix64);

impl Random {
    pub(crate) const fn new(seed: u64) -> Self {
        Self(SplitMix64::new(seed))
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0.next()
    }

    /// An id that is not zero, and whose text does not begin with a dash: Kafka's tools would take it for an option.
    pub(crate) fn uuid(&mut self) -> Uuid {
        loop {
            let mut bytes = [0; 16];
            bytes[..8].copy_from_slice(&self.next().to_be_bytes());
            bytes[8..].copy_from_slice(&self.next().to_be_bytes());
            let id = Uuid::from_random(bytes);
            if !id.to_string().starts_with('-') {
                return id;
            }
        }
    }
}

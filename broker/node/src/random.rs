//! All randomness of a node, from one seed (D1): SplitMix64, enough for ids and places, not for secrets.

use protocol::id::Uuid;

/// A stream of numbers.
#[derive(Debug)]
pub(crate) struct Random(u64);

impl Random {
    pub(crate) const fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
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

//! Batches of idempotent producers that a partition refused whole, and that will come again.
//!
//! A producer has several batches in flight. When the first is refused because the log is still recovered, or led
//! elsewhere, and the second comes a moment later, when it could be appended, then a log that does not know the
//! producer would take the second for its beginning, and the first could never be appended behind it. So a later batch
//! is refused as well until the earlier one has come again.

use std::collections::BTreeMap;
use std::time::Duration;

use protocol::id::{Monotonic, ProducerEpoch, ProducerId};
use protocol::records::BatchHeader;

/// Producers remembered for a partition; of more, those with the lowest ids are forgotten.
const PRODUCERS_MAX: usize = 256;
/// A client that has not sent a batch again by then has given it up.
const KEPT: Duration = Duration::from_secs(30);

/// The first refused batch of each producer.
#[derive(Debug, Default)]
pub(crate) struct Refused(BTreeMap<(ProducerId, ProducerEpoch), First>);

#[derive(Debug, Clone, Copy)]
struct First {
    sequence: i32,
    until: Monotonic,
}

impl Refused {
    /// Notes batches that were refused, in the order in which they came.
    pub(crate) fn note<'a>(&mut self, now: Monotonic, batches: impl Iterator<Item = &'a BatchHeader>) {
        for batch in batches.filter(|batch| batch.producer_id != ProducerId::NONE) {
            let (sequence, until) = (batch.base_sequence, now.plus(KEPT));
            let first = self.0.entry(key(batch)).or_insert(First { sequence, until });
            if is_later(first.sequence, sequence) {
                first.sequence = sequence;
            }
            first.until = until;
            if self.0.len() > PRODUCERS_MAX {
                self.0.pop_first();
            }
        }
    }

    /// Whether all of these batches may be appended. `is_known` says of a producer that the log judges its sequences
    /// itself. Those that had been refused are forgotten.
    pub(crate) fn admit<'a>(
        &mut self,
        now: Monotonic,
        batches: impl Iterator<Item = &'a BatchHeader>,
        is_known: impl Fn(ProducerId) -> bool,
    ) -> bool {
        if self.0.is_empty() {
            return true;
        }
        self.0.retain(|_, first| now < first.until);
        for batch in batches {
            if let Some(first) = self.0.get(&key(batch)) {
                if is_later(batch.base_sequence, first.sequence) && !is_known(batch.producer_id) {
                    return false;
                }
                self.0.remove(&key(batch));
            }
        }
        true
    }
}

fn key(batch: &BatchHeader) -> (ProducerId, ProducerEpoch) {
    (batch.producer_id, batch.producer_epoch)
}

/// Whether a sequence comes after another one; they go from 2^31 - 1 to 0.
const fn is_later(sequence: i32, than: i32) -> bool {
    let distance = sequence.wrapping_sub(than) & i32::MAX;
    distance != 0 && distance < 1 << 30
}

#[cfg(test)]
mod tests {
    use super::*;
    use protocol::id::Timestamp;
    use protocol::records::BatchBuilder;

    const NOW: Monotonic = Monotonic(1_000);

    fn batch(producer: i64, sequence: i32) -> BatchHeader {
        let mut builder = BatchBuilder::new().producer(ProducerId(producer), ProducerEpoch(0), sequence);
        builder.push(Timestamp(0), None, Some(b"value"), &[]);
        BatchHeader::parse(&builder.build().unwrap()).unwrap()
    }

    fn admits(refused: &mut Refused, now: Monotonic, batches: &[BatchHeader]) -> bool {
        refused.admit(now, batches.iter(), |_| false)
    }

    #[test]
    fn a_later_batch_waits_for_the_one_that_was_refused() {
        let mut refused = Refused::default();
        refused.note(NOW, [batch(1, 3), batch(1, 0), batch(1, 5)].iter());
        assert!(!admits(&mut refused, NOW, &[batch(1, 3)]));
        assert!(admits(&mut refused, NOW, &[batch(2, 3)]), "another producer");
        assert!(admits(&mut refused, NOW, &[batch(1, 0), batch(1, 3)]), "in order");
        assert!(admits(&mut refused, NOW, &[batch(1, 5)]), "the first one came");
    }

    #[test]
    fn the_log_judges_the_producers_that_it_knows() {
        let mut refused = Refused::default();
        refused.note(NOW, [batch(1, 7)].iter());
        assert!(refused.admit(NOW, [batch(1, 9)].iter(), |_| true));
    }

    #[test]
    fn what_never_comes_again_is_forgotten() {
        let mut refused = Refused::default();
        refused.note(NOW, [batch(1, i32::MAX)].iter());
        assert!(!admits(&mut refused, NOW, &[batch(1, 0)]), "sequences wrap");
        assert!(admits(&mut refused, NOW.plus(KEPT), &[batch(1, 0)]));
        refused.note(NOW, (0..1_000).map(|id| batch(id, 0)).collect::<Vec<_>>().iter());
        assert_eq!(refused.0.len(), PRODUCERS_MAX);
    }
}

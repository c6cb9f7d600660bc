//! All choices of a run, from one seed.

use protocol::random::SplitMix64;

/// A stream of numbers.
#[derive(Debug, Clone)]
pub(crate) struct Random(SplitMix64);

impl Random {
    pub(crate) const fn new(seed: u64) -> Self {
        Self(SplitMix64::new(seed))
    }

    pub(crate) const fn next(&mut self) -> u64 {
        self.0.next()
    }

    /// A number below `bound`; 0 when there is none.
    pub(crate) const fn below(&mut self, bound: u64) -> u64 {
        self.0.below(bound)
    }

    /// A number from `low` to `high`, both included.
    pub(crate) const fn between(&mut self, low: u64, high: u64) -> u64 {
        low + self.below(high - low + 1)
    }

    /// The same for the small signed numbers of the protocol.
    pub(crate) fn between_i32(&mut self, low: i32, high: i32) -> i32 {
        let span = u64::try_from(high - low).unwrap_or(0) + 1;
        low + i32::try_from(self.below(span)).unwrap_or(0)
    }

    /// An index below `len`.
    pub(crate) fn index(&mut self, len: usize) -> usize {
        usize::try_from(self.below(len as u64)).unwrap_or(0)
    }

    /// One of a slice's elements, which is not empty.
    pub(crate) fn pick<'a, T>(&mut self, of: &'a [T]) -> &'a T {
        &of[self.index(of.len())]
    }

    /// True in `percent` of a hundred cases.
    pub(crate) const fn chance(&mut self, percent: u64) -> bool {
        self.below(100) < percent
    }

    /// Any version from a range, the newest more often than the others.
    pub(crate) fn version(&mut self, versions: std::ops::RangeInclusive<i16>) -> i16 {
        if self.chance(40) {
            return *versions.end();
        }
        let count = u64::try_from(versions.end() - versions.start()).unwrap_or(0) + 1;
        versions.start() + i16::try_from(self.below(count)).unwrap_or(0)
    }
}

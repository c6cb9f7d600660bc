//! The newest batch starts of the active segment, so that a reader at the tail needs no look into any file.

use protocol::id::Offset;

/// Batch starts remembered. A consumer that waits at the tail asks for one of the last few; a slower one reads
/// larger ranges and is served by the index.
const RECENT_MAX: usize = 64;

/// A ring of batch starts, growing in offset and position.
#[derive(Debug, Clone)]
pub(crate) struct Recent {
    ring: [(Offset, u32); RECENT_MAX],
    /// Starts noted since the segment began; the newest is at `noted - 1` modulo the ring's length.
    noted: usize,
}

impl Recent {
    pub(crate) const fn new() -> Self {
        Self { ring: [(Offset(0), 0); RECENT_MAX], noted: 0 }
    }

    pub(crate) fn push(&mut self, base_offset: Offset, position: u32) {
        self.ring[self.noted % RECENT_MAX] = (base_offset, position);
        self.noted += 1;
    }

    pub(crate) fn clear(&mut self) {
        self.noted = 0;
    }

    const fn len(&self) -> usize {
        if self.noted < RECENT_MAX { self.noted } else { RECENT_MAX }
    }

    /// The start at `age`, 0 being the newest.
    fn at(&self, age: usize) -> Option<(Offset, u32)> {
        if age >= self.len() {
            return None;
        }
        self.ring.get((self.noted - 1 - age) % RECENT_MAX).copied()
    }

    /// The age of the newest start that `fits`, which must hold for all starts older than one that fits.
    fn newest(&self, fits: impl Fn((Offset, u32)) -> bool) -> Option<(Offset, u32)> {
        let (mut low, mut high) = (0, self.len());
        while low < high {
            let middle = low.midpoint(high);
            match self.at(middle) {
                Some(start) if fits(start) => high = middle,
                _ => low = middle + 1,
            }
        }
        self.at(low)
    }

    /// The start of the batch with `offset`, if it is remembered.
    pub(crate) fn lookup(&self, offset: Offset) -> Option<(Offset, u32)> {
        self.newest(|start| start.0 <= offset)
    }

    /// The greatest remembered start at or before `position`.
    pub(crate) fn boundary(&self, position: u64) -> Option<u32> {
        self.newest(|start| u64::from(start.1) <= position).map(|start| start.1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_batches_while_they_are_remembered() {
        let mut recent = Recent::new();
        assert_eq!(recent.lookup(Offset(0)), None);
        for i in 0..100u32 {
            recent.push(Offset(i64::from(i) * 10), i * 100);
        }
        assert_eq!(recent.lookup(Offset(995)), Some((Offset(990), 9900)));
        assert_eq!(recent.lookup(Offset(990)), Some((Offset(990), 9900)));
        assert_eq!(recent.lookup(Offset(989)), Some((Offset(980), 9800)));
        assert_eq!(recent.lookup(Offset(360)), Some((Offset(360), 3600)));
        assert_eq!(recent.lookup(Offset(359)), None, "older than the ring");
        assert_eq!(recent.boundary(9899), Some(9800));
        recent.clear();
        assert_eq!(recent.boundary(9899), None);
    }
}

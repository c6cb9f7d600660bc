//! What is known of a segment's bytes: those that this process wrote are good, those that an earlier run left are
//! proven or damaged or still to be looked at.

/// Ranges of either sort that are remembered. What is proven beyond that is proven anew when it is asked for; damage
/// beyond that is taken together, with what lies between.
const RANGES_MAX: usize = 64;

/// Ranges of bytes, apart from each other and in order.
type Ranges = Vec<(u32, u32)>;

/// Which bytes of a segment may be served.
#[derive(Debug, Default)]
pub(crate) struct Proof {
    /// Bytes below were on disk when the log was opened; the others this process has written.
    found_bytes: u32,
    /// Of those, ranges whose batches match their CRC.
    proven: Ranges,
    /// Ranges that do not hold what was written.
    damaged: Ranges,
}

impl Proof {
    /// An earlier run wrote the first `bytes`.
    pub(crate) const fn found(&mut self, bytes: u32) {
        self.found_bytes = bytes;
    }

    /// Whether a range has to be proven before it is served.
    pub(crate) fn is_unproven(&self, start: u32, end: u32) -> bool {
        let found = end.min(self.found_bytes);
        start < found && !self.proven.iter().any(|(from, to)| *from <= start && found <= *to)
    }

    /// Every batch of a range matches its CRC.
    pub(crate) fn prove(&mut self, start: u32, end: u32) {
        insert(&mut self.proven, (start, end));
        if self.proven.len() > RANGES_MAX {
            self.proven.remove(0);
        }
    }

    /// A range does not hold what was written.
    pub(crate) fn damage(&mut self, start: u32, end: u32) {
        insert(&mut self.damaged, (start, end));
        if self.damaged.len() > RANGES_MAX
            && let Some((_, end)) = self.damaged.pop()
            && let Some(last) = self.damaged.last_mut()
        {
            last.1 = end;
        }
    }

    /// The damaged range that holds `position`, or else the first one behind it.
    pub(crate) fn damage_from(&self, position: u32) -> Option<(u32, u32)> {
        self.damaged.iter().copied().find(|(_, end)| position < *end)
    }

    /// How many bytes are damaged.
    pub(crate) fn damaged_bytes(&self) -> u64 {
        self.damaged.iter().map(|(start, end)| u64::from(end - start)).sum()
    }

    /// The bytes from `end` on were cut; what is written there is good.
    pub(crate) fn cut(&mut self, end: u32) {
        self.found_bytes = self.found_bytes.min(end);
        for ranges in [&mut self.proven, &mut self.damaged] {
            ranges.retain(|range| range.0 < end);
            if let Some(last) = ranges.last_mut() {
                last.1 = last.1.min(end);
            }
        }
    }
}

/// Adds a range, joined with those that it touches.
fn insert(ranges: &mut Ranges, (mut start, mut end): (u32, u32)) {
    ranges.retain(|known| {
        let apart = known.1 < start || end < known.0;
        if !apart {
            (start, end) = (start.min(known.0), end.max(known.1));
        }
        apart
    });
    let place = ranges.partition_point(|known| known.0 < start);
    ranges.insert(place, (start, end));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_this_process_wrote_needs_no_proof() {
        let mut proof = Proof::default();
        assert!(!proof.is_unproven(0, 100));
        proof.found(50);
        assert!(proof.is_unproven(0, 100) && proof.is_unproven(40, 60) && !proof.is_unproven(50, 100));
        proof.prove(0, 30);
        proof.prove(30, 60);
        assert!(!proof.is_unproven(0, 100), "all that was found is proven");
    }

    #[test]
    fn damage_is_joined_and_bounded() {
        let mut proof = Proof::default();
        proof.damage(10, 20);
        proof.damage(15, 30);
        proof.damage(50, 60);
        assert_eq!(proof.damage_from(0), Some((10, 30)));
        assert_eq!(proof.damage_from(29), Some((10, 30)));
        assert_eq!(proof.damage_from(30), Some((50, 60)));
        assert_eq!(proof.damage_from(60), None);
        assert_eq!(proof.damaged_bytes(), 30);
        for i in 0..1000 {
            proof.damage(100 + i * 10, 105 + i * 10);
        }
        assert_eq!(proof.damaged.len(), RANGES_MAX);
        assert_eq!(proof.damage_from(10_091).map(|range| range.1), Some(10_095), "nothing is forgotten");
        proof.cut(55);
        assert_eq!((proof.damage_from(50), proof.damage_from(55)), (Some((50, 55)), None));
    }
}

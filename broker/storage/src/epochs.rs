//! Which leader epoch begins at which offset (KIP-101, KIP-279): what truncation after a failover rests on.
//!
//! Always rebuildable from the batches, whose headers carry the epoch; the file `leader-epoch-checkpoint` saves
//! reading them. Entries grow in epoch and in offset (KAFKA-10706, KAFKA-10432).

use protocol::id::{LeaderEpoch, Offset};

/// The epochs of a log and where each begins.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Epochs {
    entries: Vec<(LeaderEpoch, Offset)>,
}

impl Epochs {
    pub(crate) fn from_entries(entries: impl IntoIterator<Item = (LeaderEpoch, Offset)>) -> Self {
        let mut epochs = Self::default();
        for (epoch, start) in entries {
            epochs.assign(epoch, start);
        }
        epochs
    }

    /// Notes that `epoch` begins at `start`, if it is newer than all others. Epochs that began at or after
    /// `start` never wrote a batch and are forgotten. Whether anything changed.
    pub(crate) fn assign(&mut self, epoch: LeaderEpoch, start: Offset) -> bool {
        if epoch.0 < 0 || self.entries.last().is_some_and(|last| last.0 >= epoch) {
            return false;
        }
        while self.entries.last().is_some_and(|last| last.1 >= start) {
            self.entries.pop();
        }
        self.entries.push((epoch, start));
        true
    }

    pub(crate) fn latest(&self) -> Option<LeaderEpoch> {
        self.entries.last().map(|last| last.0)
    }

    pub(crate) fn entries(&self) -> &[(LeaderEpoch, Offset)] {
        &self.entries
    }

    /// Where the greatest epoch that is not greater than `epoch` ends, as OffsetsForLeaderEpoch answers;
    /// unknown for an epoch older than the log.
    pub(crate) fn end_offset(&self, epoch: LeaderEpoch, log_end: Offset) -> (LeaderEpoch, Offset) {
        let after = self.entries.partition_point(|entry| entry.0 <= epoch);
        match after.checked_sub(1).and_then(|i| self.entries.get(i)) {
            // An epoch that the log never saw and that is newer than all is not known here.
            Some(last) if after == self.entries.len() && last.0 == epoch => (epoch, log_end),
            Some(_) if after == self.entries.len() => (LeaderEpoch::UNKNOWN, Offset::UNKNOWN),
            Some(found) => (found.0, self.entries.get(after).map_or(log_end, |next| next.1)),
            // Older than everything kept: it ends where the oldest kept epoch begins.
            None if epoch.0 >= 0 && !self.entries.is_empty() => {
                (epoch, self.entries.first().map_or(log_end, |first| first.1))
            }
            None => (LeaderEpoch::UNKNOWN, Offset::UNKNOWN),
        }
    }

    /// The epoch of the batch with this offset.
    pub(crate) fn epoch_at(&self, offset: Offset) -> Option<LeaderEpoch> {
        let after = self.entries.partition_point(|entry| entry.1 <= offset);
        after.checked_sub(1).and_then(|i| self.entries.get(i)).map(|entry| entry.0)
    }

    /// The log was cut to end at `end`. Whether anything changed.
    pub(crate) fn truncate_end(&mut self, end: Offset) -> bool {
        let before = self.entries.len();
        self.entries.retain(|entry| entry.1 < end);
        self.entries.len() != before
    }

    /// The log now begins at `start`: the epoch that is current there begins there. Whether anything changed.
    pub(crate) fn truncate_start(&mut self, start: Offset) -> bool {
        let after = self.entries.partition_point(|entry| entry.1 <= start);
        let Some(covering) = after.checked_sub(1) else { return false };
        let moved = covering > 0 || self.entries.first().is_some_and(|first| first.1 < start);
        self.entries.drain(..covering);
        if let Some(first) = self.entries.first_mut() {
            first.1 = start;
        }
        moved
    }

    /// Forgets everything.
    pub(crate) fn clear(&mut self) {
        self.entries.clear();
    }

    /// The file's text: version 0, the number of entries, one entry a line.
    pub(crate) fn encode(&self) -> String {
        let mut text = format!("0\n{}\n", self.entries.len());
        for (epoch, start) in &self.entries {
            text.push_str(&format!("{epoch} {start}\n"));
        }
        text
    }

    /// Reads the file's text.
    pub(crate) fn decode(text: &str) -> Result<Self, &'static str> {
        if text.is_empty() {
            return Ok(Self::default());
        }
        let mut lines = text.lines();
        if lines.next() != Some("0") {
            return Err("unknown version");
        }
        let count: usize =
            lines.next().and_then(|line| line.trim().parse().ok()).ok_or("no number of entries")?;
        let mut epochs = Self::default();
        let mut found = 0;
        for line in lines.filter(|line| !line.trim().is_empty()) {
            let (epoch, start) = line.trim().split_once(' ').ok_or("an entry is not two numbers")?;
            let epoch = epoch.parse().map_err(|_| "an epoch is no number")?;
            let start = start.parse().map_err(|_| "an offset is no number")?;
            epochs.assign(LeaderEpoch(epoch), Offset(start));
            found += 1;
        }
        if found == count { Ok(epochs) } else { Err("wrong number of entries") }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn epochs(entries: &[(i32, i64)]) -> Epochs {
        Epochs::from_entries(entries.iter().map(|(epoch, start)| (LeaderEpoch(*epoch), Offset(*start))))
    }

    #[test]
    fn ends_are_answered_as_kafka_does() {
        let epochs = epochs(&[(0, 0), (2, 10), (5, 30)]);
        let end = |epoch| epochs.end_offset(LeaderEpoch(epoch), Offset(50));
        assert_eq!(end(0), (LeaderEpoch(0), Offset(10)));
        assert_eq!(end(1), (LeaderEpoch(0), Offset(10)), "an epoch that wrote nothing here");
        assert_eq!(end(2), (LeaderEpoch(2), Offset(30)));
        assert_eq!(end(4), (LeaderEpoch(2), Offset(30)));
        assert_eq!(end(5), (LeaderEpoch(5), Offset(50)));
        assert_eq!(end(6), (LeaderEpoch::UNKNOWN, Offset::UNKNOWN), "newer than all");
        assert_eq!(end(-1), (LeaderEpoch::UNKNOWN, Offset::UNKNOWN));
    }

    #[test]
    fn an_epoch_without_batches_is_replaced() {
        let mut epochs = epochs(&[(0, 0), (1, 10)]);
        assert!(epochs.assign(LeaderEpoch(3), Offset(10)));
        assert_eq!(epochs.entries(), [(LeaderEpoch(0), Offset(0)), (LeaderEpoch(3), Offset(10))]);
        assert!(!epochs.assign(LeaderEpoch(2), Offset(20)), "epochs do not go back");
        assert!(!epochs.assign(LeaderEpoch(3), Offset(20)));
    }

    #[test]
    fn both_ends_are_cut() {
        let mut epochs = epochs(&[(0, 0), (2, 10), (5, 30)]);
        assert!(epochs.truncate_end(Offset(30)));
        assert_eq!(epochs.latest(), Some(LeaderEpoch(2)));
        assert!(epochs.truncate_start(Offset(15)));
        assert_eq!(epochs.entries(), [(LeaderEpoch(2), Offset(15))]);
        assert_eq!(epochs.epoch_at(Offset(20)), Some(LeaderEpoch(2)));
        assert_eq!(epochs.epoch_at(Offset(14)), None);
    }

    #[test]
    fn the_file_is_kafkas() {
        let epochs = epochs(&[(0, 0), (2, 10)]);
        assert_eq!(epochs.encode(), "0\n2\n0 0\n2 10\n");
        assert_eq!(Epochs::decode("0\n2\n0 0\n2 10\n"), Ok(epochs));
        for text in ["1\n0\n", "0\n2\n0 0\n", "0\nx\n", "0\n1\n0\n", "0\n1\n0 y\n"] {
            assert!(Epochs::decode(text).is_err(), "{text:?}");
        }
    }
}

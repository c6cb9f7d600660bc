//! What is known of one partition's log.

use std::collections::BTreeMap;

use super::Value;

/// What is known of one record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Fact {
    pub(crate) value: Value,
    /// Its time; `None` while it is not known.
    pub(crate) time: Option<i64>,
    /// The epoch of the leader that appended it, which an acknowledgement does not tell.
    pub(crate) epoch: Option<i32>,
}

/// A partition as its clients saw it.
#[derive(Debug, Default)]
pub(crate) struct Log {
    /// What lies at each offset, from acknowledgements and reads.
    pub(super) facts: BTreeMap<i64, Fact>,
    places: BTreeMap<Value, i64>,
    /// The offset after the last record that was acknowledged.
    acked_end: i64,
    /// What every later request must see as high watermark, at least.
    floor: i64,
    /// What lies before survives everything: a checkpoint came after it, or an ordered stop.
    durable_end: i64,
    /// The largest log start that was seen since the power was last lost.
    start: i64,
}

impl Log {
    pub(crate) const fn floor(&self) -> i64 {
        self.floor
    }

    pub(crate) const fn start(&self) -> i64 {
        self.start
    }

    /// What lies before an offset is on the device by now.
    pub(crate) fn is_durable_until(&mut self, end: i64) {
        self.durable_end = self.durable_end.max(end);
    }

    /// The offset after the last record that is known.
    pub(crate) fn known_end(&self) -> i64 {
        self.facts.last_key_value().map_or(0, |(offset, _)| offset + 1)
    }

    /// A record was seen at an offset, or acknowledged there.
    pub(crate) fn learn(&mut self, offset: i64, fact: Fact) -> Result<(), String> {
        let value = fact.value;
        if let Some(known) = self.facts.get_mut(&offset) {
            if !known.agrees(&fact) {
                return Err(format!("offset {offset} held {known:?} and now holds {fact:?}"));
            }
            known.time = known.time.or(fact.time);
            known.epoch = known.epoch.or(fact.epoch);
            return self.check_epoch(offset, fact.epoch);
        }
        self.facts.insert(offset, fact);
        if let Some(before) = self.places.insert(value, offset) {
            return Err(format!("{value:?} lies at offset {before} and again at {offset}"));
        }
        let same = |found: &(&Value, &i64)| found.0.producer == value.producer;
        let before = self.places.range(..value).next_back().filter(same);
        let after = self.places.range(value..).nth(1).filter(same);
        if before.is_some_and(|(_, at)| *at > offset) || after.is_some_and(|(_, at)| *at < offset) {
            return Err(format!("{value:?} at offset {offset} is out of order: {before:?}, {after:?}"));
        }
        self.check_epoch(offset, fact.epoch)
    }

    /// Leader epochs never go back from one offset to the next.
    fn check_epoch(&self, offset: i64, epoch: Option<i32>) -> Result<(), String> {
        let Some(epoch) = epoch else { return Ok(()) };
        let known = |found: Option<(&i64, &Fact)>| found.and_then(|(_, fact)| fact.epoch);
        let before = known(self.facts.range(..offset).next_back());
        let after = known(self.facts.range(offset..).nth(1));
        if before.is_some_and(|before| before > epoch) || after.is_some_and(|after| after < epoch) {
            return Err(format!("epoch {epoch} at offset {offset} lies between {before:?} and {after:?}"));
        }
        Ok(())
    }

    /// Facts were acknowledged at offsets from `base` on.
    pub(crate) fn acked(&mut self, base: i64, facts: impl Iterator<Item = Fact>) -> Result<(), String> {
        for (offset, fact) in (base..).zip(facts) {
            self.learn(offset, fact)?;
            self.acked_end = self.acked_end.max(offset + 1);
        }
        self.floor = self.floor.max(self.acked_end);
        Ok(())
    }

    /// A high watermark was read by a request that was sent when the floor was `floor`.
    pub(crate) fn high_watermark(&mut self, at: i64, floor: i64) -> Result<(), String> {
        if at < floor {
            return Err(format!("the high watermark is {at} after it was {floor}"));
        }
        self.floor = self.floor.max(at);
        Ok(())
    }

    /// A log start was read. Without retention it is 0.
    pub(crate) fn log_start(&mut self, at: i64, retained: bool) -> Result<(), String> {
        if at > 0 && retained {
            return Err(format!("the log starts at {at}, and nothing allows to delete records"));
        }
        self.start = self.start.max(at);
        Ok(())
    }

    /// A whole scan found the log to end at `end`, and every offset before it to hold what is known.
    /// Gives how many known records are gone.
    ///
    /// With `synced` a high watermark covers what was synced alone, so that what anybody saw survives a loss of power.
    pub(crate) fn ends_at(&mut self, end: i64, may_lose: bool, synced: bool) -> Result<usize, String> {
        if end < self.durable_end {
            return Err(format!(
                "the log ends at {end}, and a checkpoint held it until {}",
                self.durable_end
            ));
        }
        let lost = self.facts.split_off(&end);
        let seen = self.acked_end.max(self.floor);
        if !lost.is_empty() && !may_lose || synced && seen > end {
            let known = end + i64::try_from(lost.len()).unwrap_or(0);
            return Err(format!(
                "the log ends at {end}; known until {known}, acknowledged until {}, seen until {}",
                self.acked_end, self.floor
            ));
        }
        for fact in lost.values() {
            self.places.remove(&fact.value);
        }
        if may_lose {
            self.acked_end = self.acked_end.min(end);
            self.floor = self.floor.min(end);
            self.start = 0;
        } else if self.acked_end > end {
            return Err(format!("the log ends at {end}, acknowledged until {}", self.acked_end));
        }
        Ok(lost.len())
    }

    /// How many records are known.
    pub(crate) fn len(&self) -> usize {
        self.facts.len()
    }
}

impl Fact {
    fn agrees(&self, other: &Self) -> bool {
        let same_time = self.time.is_none() || other.time.is_none() || self.time == other.time;
        let same_epoch = self.epoch.is_none() || other.epoch.is_none() || self.epoch == other.epoch;
        self.value == other.value && same_time && same_epoch
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(producer: u32, number: u64) -> Fact {
        Fact { value: Value { producer, number }, time: None, epoch: None }
    }

    fn values(producer: u32, numbers: std::ops::Range<u64>) -> impl Iterator<Item = Fact> {
        numbers.map(move |number| value(producer, number))
    }

    #[test]
    fn one_offset_holds_one_value() {
        let mut log = Log::default();
        assert_eq!(log.acked(0, values(1, 0..2)), Ok(()));
        assert_eq!(log.learn(1, value(1, 1)), Ok(()));
        assert!(log.learn(1, value(2, 0)).is_err());
    }

    #[test]
    fn one_value_lies_at_one_offset() {
        let mut log = Log::default();
        assert_eq!(log.learn(4, value(1, 0)), Ok(()));
        assert!(log.learn(5, value(1, 0)).is_err());
    }

    #[test]
    fn a_producers_values_lie_in_order() {
        let mut log = Log::default();
        assert_eq!(log.learn(4, value(1, 7)), Ok(()));
        assert_eq!(log.learn(3, value(2, 9)), Ok(()));
        assert_eq!(log.learn(6, value(1, 9)), Ok(()));
        assert!(log.learn(5, value(1, 10)).is_err());
    }

    #[test]
    fn what_was_acknowledged_is_not_lost() {
        let mut log = Log::default();
        assert_eq!(log.acked(0, values(1, 0..3)), Ok(()));
        assert!(log.ends_at(2, false, false).is_err());
        let mut log = Log::default();
        assert_eq!(log.acked(0, values(1, 0..3)), Ok(()));
        assert_eq!(log.learn(3, value(1, 3)), Ok(()));
        assert_eq!(log.ends_at(3, true, true), Ok(1), "nobody was shown a high watermark behind it");
        assert!(log.ends_at(2, true, true).is_err());
    }

    #[test]
    fn what_was_seen_of_a_synced_topic_is_not_lost() {
        let mut log = Log::default();
        assert_eq!(log.high_watermark(3, 0), Ok(()));
        assert!(log.ends_at(2, true, true).is_err());
        assert_eq!(log.ends_at(2, true, false), Ok(0), "other topics may lose it");
    }

    #[test]
    fn a_loss_of_power_takes_what_was_not_synced() {
        let mut log = Log::default();
        assert_eq!(log.acked(0, values(1, 0..3)), Ok(()));
        assert_eq!(log.ends_at(2, true, false), Ok(1));
        assert_eq!(log.learn(2, value(1, 2)), Ok(()), "it may be sent again");
    }

    #[test]
    fn a_loss_of_power_takes_nothing_that_a_checkpoint_held() {
        let mut log = Log::default();
        assert_eq!(log.acked(0, values(1, 0..5)), Ok(()));
        log.is_durable_until(3);
        assert_eq!(log.ends_at(3, true, false), Ok(2));
        assert!(log.ends_at(2, true, false).is_err());
    }

    #[test]
    fn the_high_watermark_does_not_go_back() {
        let mut log = Log::default();
        assert_eq!(log.high_watermark(5, 0), Ok(()));
        assert!(log.high_watermark(4, log.floor()).is_err());
    }

    #[test]
    fn times_and_epochs_stay_as_they_are() {
        let fact = |time, epoch| Fact { time, epoch, ..value(1, 0) };
        let mut log = Log::default();
        assert_eq!(log.learn(4, fact(None, None)), Ok(()));
        assert_eq!(log.learn(4, fact(Some(9), Some(2))), Ok(()));
        assert!(log.learn(4, fact(Some(8), None)).is_err());
        assert!(log.learn(4, fact(None, Some(3))).is_err());
        assert!(log.learn(5, Fact { epoch: Some(1), ..value(1, 1) }).is_err(), "an epoch that goes back");
    }

    #[test]
    fn records_go_where_retention_is_on() {
        assert_eq!(Log::default().log_start(5, false), Ok(()));
        assert!(Log::default().log_start(5, true).is_err());
    }
}

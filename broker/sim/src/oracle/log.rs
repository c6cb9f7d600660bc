//! What is known of one partition's log.

use std::collections::BTreeMap;

use super::Value;

/// A partition as its clients saw it.
#[derive(Debug, Default)]
pub(crate) struct Log {
    /// What lies at each offset, from acknowledgements and reads.
    values: BTreeMap<i64, Value>,
    places: BTreeMap<Value, i64>,
    /// The offset after the last record that was acknowledged.
    acked_end: i64,
    /// What every later request must see as high watermark, at least.
    floor: i64,
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

    /// The offset after the last record that is known.
    pub(crate) fn known_end(&self) -> i64 {
        self.values.last_key_value().map_or(0, |(offset, _)| offset + 1)
    }

    /// A value was seen at an offset, or acknowledged there.
    pub(crate) fn learn(&mut self, offset: i64, value: Value) -> Result<(), String> {
        match self.values.insert(offset, value) {
            Some(before) if before == value => return Ok(()),
            Some(before) => return Err(format!("offset {offset} held {before:?} and now holds {value:?}")),
            None => {}
        }
        if let Some(before) = self.places.insert(value, offset) {
            return Err(format!("{value:?} lies at offset {before} and again at {offset}"));
        }
        let same = |found: &(&Value, &i64)| found.0.producer == value.producer;
        let before = self.places.range(..value).next_back().filter(same);
        let after = self.places.range(value..).nth(1).filter(same);
        if before.is_some_and(|(_, at)| *at > offset) || after.is_some_and(|(_, at)| *at < offset) {
            return Err(format!("{value:?} at offset {offset} is out of order: {before:?}, {after:?}"));
        }
        Ok(())
    }

    /// Values were acknowledged at offsets from `base` on.
    pub(crate) fn acked(&mut self, base: i64, first: Value, count: u64) -> Result<(), String> {
        for (offset, number) in (base..).zip(first.number..first.number + count) {
            self.learn(offset, Value { number, ..first })?;
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
        let lost = self.values.split_off(&end);
        let seen = self.acked_end.max(self.floor);
        if !lost.is_empty() && !may_lose || synced && seen > end {
            let known = end + i64::try_from(lost.len()).unwrap_or(0);
            return Err(format!(
                "the log ends at {end}; known until {known}, acknowledged until {}, seen until {}",
                self.acked_end, self.floor
            ));
        }
        for value in lost.values() {
            self.places.remove(value);
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
        self.values.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(producer: u32, number: u64) -> Value {
        Value { producer, number }
    }

    #[test]
    fn one_offset_holds_one_value() {
        let mut log = Log::default();
        assert_eq!(log.acked(0, value(1, 0), 2), Ok(()));
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
        assert_eq!(log.acked(0, value(1, 0), 3), Ok(()));
        assert!(log.ends_at(2, false, false).is_err());
        let mut log = Log::default();
        assert_eq!(log.acked(0, value(1, 0), 3), Ok(()));
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
        assert_eq!(log.acked(0, value(1, 0), 3), Ok(()));
        assert_eq!(log.ends_at(2, true, false), Ok(1));
        assert_eq!(log.learn(2, value(1, 2)), Ok(()), "it may be sent again");
    }

    #[test]
    fn the_high_watermark_does_not_go_back() {
        let mut log = Log::default();
        assert_eq!(log.high_watermark(5, 0), Ok(()));
        assert!(log.high_watermark(4, log.floor()).is_err());
    }

    #[test]
    fn records_go_where_retention_is_on() {
        assert_eq!(Log::default().log_start(5, false), Ok(()));
        assert!(Log::default().log_start(5, true).is_err());
    }
}

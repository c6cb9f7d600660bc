//! Judges what a log says of itself: offsets by time, and where leader epochs end.
//!
//! An answer is given at some moment between the request and its response. What is known to have been there all that
//! time, from the log's start afterwards up to the high watermark before, has to fit it.

use super::log::{Fact, Log};

/// What was there all the time while a request was under way.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Span {
    /// The log's start, read after the answer.
    pub(crate) start: i64,
    /// The least high watermark that the answer may come from.
    pub(crate) floor: i64,
}

impl Log {
    fn between(&self, start: i64, end: i64) -> impl Iterator<Item = (i64, &Fact)> {
        self.facts.range(start..end.max(start)).map(|(offset, fact)| (*offset, fact))
    }

    /// The time of some record.
    pub(crate) fn any_time(&self, dice: u64) -> Option<i64> {
        self.any(dice).and_then(|fact| fact.time)
    }

    /// The leader epoch of some record.
    pub(crate) fn any_epoch(&self, dice: u64) -> Option<i32> {
        self.any(dice).and_then(|fact| fact.epoch)
    }

    fn any(&self, dice: u64) -> Option<&Fact> {
        let end = u64::try_from(self.known_end()).ok().filter(|end| *end > 0)?;
        let offset = i64::try_from(dice % end).ok()?;
        self.facts.range(offset..).next().map(|(_, fact)| fact)
    }

    /// The first record of at least the time `asked` was said to be at an offset with a time, or not to exist.
    pub(crate) fn found_by_time(
        &self,
        asked: i64,
        found: Option<(i64, i64)>,
        span: Span,
    ) -> Result<(), String> {
        let before = found.map_or(span.floor, |(offset, _)| offset);
        let mut earlier =
            self.between(span.start, before).filter(|(_, fact)| fact.time.is_some_and(|time| time >= asked));
        if let Some((offset, fact)) = earlier.next() {
            return Err(format!("time {asked} was found at {found:?}, but offset {offset} holds {fact:?}"));
        }
        match found {
            Some((offset, time)) if time < asked => {
                Err(format!("time {asked} was found at offset {offset} of time {time}"))
            }
            Some((offset, time)) => self.has_time(offset, time),
            None => Ok(()),
        }
    }

    /// The first record of the greatest time was said to be at an offset, or none to be committed. With `lags` a
    /// record that is not committed may have the greatest time, and then none is named.
    pub(crate) fn found_greatest(
        &self,
        found: Option<(i64, i64)>,
        span: Span,
        lags: bool,
    ) -> Result<(), String> {
        if found.is_none() && lags {
            return Ok(());
        }
        let (first, greatest) = found.unwrap_or((-1, i64::MIN));
        for (offset, fact) in self.between(span.start, span.floor) {
            let Some(time) = fact.time else { continue };
            if time > greatest || time == greatest && offset < first {
                return Err(format!("the greatest time was found at {found:?}, but {offset} holds {fact:?}"));
            }
        }
        found.map_or(Ok(()), |(offset, time)| self.has_time(offset, time))
    }

    fn has_time(&self, offset: i64, time: i64) -> Result<(), String> {
        match self.facts.get(&offset).and_then(|fact| fact.time) {
            Some(known) if known != time => {
                Err(format!("offset {offset} was said to have time {time} and has {known}"))
            }
            _ => Ok(()),
        }
    }

    /// The greatest epoch that is not above `asked` was said to end at an offset; `None` when all are older than
    /// `asked`, or there is none. Whether anything was there to compare with.
    pub(crate) fn epoch_ends(
        &self,
        asked: i32,
        found: Option<(i32, i64)>,
        span: Span,
    ) -> Result<bool, String> {
        if found.is_some_and(|(epoch, _)| epoch > asked) {
            return Err(format!("epoch {asked} was asked for and {found:?} answered"));
        }
        let mut compared = false;
        for (offset, fact) in self.between(span.start, i64::MAX) {
            let Some(epoch) = fact.epoch else { continue };
            let fits = match found {
                // No epoch is older than the first one.
                None => asked < 0 || epoch < asked || offset >= span.floor,
                Some((last, end)) if offset < end => epoch <= last,
                // What was appended since may be of the epoch that was the newest.
                Some((last, _)) => epoch > asked || offset >= span.floor && epoch >= last,
            };
            if !fits {
                return Err(format!(
                    "epoch {asked} was said to end at {found:?}, but {offset} holds {fact:?}"
                ));
            }
            compared |= found.is_some_and(|(_, end)| offset >= end && epoch > asked);
        }
        Ok(compared)
    }
}

#[cfg(test)]
mod tests {
    use super::super::Value;
    use super::*;

    /// Records of epochs 0, 0, 2, 2 and times 10, 30, 20, 30.
    fn log() -> Log {
        let mut log = Log::default();
        let facts = [(0, 10), (0, 30), (2, 20), (2, 30)];
        for (number, (epoch, time)) in (0..).zip(facts) {
            let value = Value { producer: 1, number };
            let fact = Fact { value, time: Some(time), epoch: Some(epoch) };
            log.acked(i64::try_from(number).unwrap(), [fact].into_iter()).unwrap();
        }
        log
    }

    const ALL: Span = Span { start: 0, floor: 4 };

    #[test]
    fn the_first_record_of_a_time_is_known() {
        let log = log();
        assert_eq!(log.found_by_time(11, Some((1, 30)), ALL), Ok(()));
        assert!(log.found_by_time(11, Some((2, 20)), ALL).is_err(), "an earlier one fits");
        assert!(log.found_by_time(11, Some((1, 29)), ALL).is_err(), "of another time");
        assert!(log.found_by_time(40, Some((3, 30)), ALL).is_err(), "too old");
        assert!(log.found_by_time(30, None, ALL).is_err(), "there is one");
        assert_eq!(log.found_by_time(31, None, ALL), Ok(()));
        let late = Span { start: 2, floor: 4 };
        assert_eq!(log.found_by_time(11, Some((2, 20)), late), Ok(()), "retention took the earlier ones");
        assert_eq!(log.found_by_time(30, None, Span { start: 0, floor: 1 }), Ok(()), "appended since");
    }

    #[test]
    fn the_greatest_time_is_known() {
        let log = log();
        assert_eq!(log.found_greatest(Some((1, 30)), ALL, false), Ok(()));
        assert!(log.found_greatest(Some((3, 30)), ALL, false).is_err(), "not the first one");
        assert!(log.found_greatest(Some((2, 20)), ALL, false).is_err(), "not the greatest one");
        assert!(log.found_greatest(None, ALL, false).is_err());
        assert_eq!(log.found_greatest(None, ALL, true), Ok(()));
    }

    #[test]
    fn ends_of_epochs_are_known() {
        let log = log();
        assert_eq!(log.epoch_ends(0, Some((0, 2)), ALL), Ok(true));
        assert_eq!(log.epoch_ends(1, Some((0, 2)), ALL), Ok(true));
        assert_eq!(log.epoch_ends(2, Some((2, 4)), ALL), Ok(false));
        assert_eq!(log.epoch_ends(3, None, ALL), Ok(false));
        assert!(log.epoch_ends(0, Some((0, 3)), ALL).is_err());
        assert!(log.epoch_ends(0, Some((0, 1)), ALL).is_err());
        assert!(log.epoch_ends(2, None, ALL).is_err());
        assert!(log.epoch_ends(2, Some((2, 3)), ALL).is_err());
        assert_eq!(log.epoch_ends(2, Some((2, 3)), Span { start: 0, floor: 3 }), Ok(false), "appended since");
    }
}

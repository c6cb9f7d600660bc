//! Conditions of a status: one for each type, with a transition time that moves only when the status does.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use operator_api::condition::{RECONCILING, STALLED};

/// The longest message that the API server takes, in characters.
const MESSAGE_CHARS_MAX: usize = 32_768;

/// What a condition says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Truth {
    /// It is so.
    True,
    /// It is not so.
    False,
    /// It cannot be told.
    Unknown,
}

impl Truth {
    /// As Kubernetes writes it.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::True => "True",
            Self::False => "False",
            Self::Unknown => "Unknown",
        }
    }
}

impl From<bool> for Truth {
    fn from(value: bool) -> Self {
        if value { Self::True } else { Self::False }
    }
}

/// The conditions of one status, made anew from the old ones.
#[derive(Debug)]
pub(crate) struct Conditions<'a> {
    old: &'a [Condition],
    new: Vec<Condition>,
    generation: Option<i64>,
    now: Time,
}

impl<'a> Conditions<'a> {
    /// Starts with no condition; `old` gives transition times, `generation` is that of the spec looked at.
    pub(crate) fn new(old: &'a [Condition], generation: Option<i64>, now: Time) -> Self {
        Self { old, new: Vec::new(), generation, now }
    }

    /// Sets a condition. `reason` is one word in camel case.
    pub(crate) fn set(&mut self, type_: &str, status: Truth, reason: &str, message: impl Into<String>) {
        let mut message = message.into();
        if let Some((end, _)) = message.char_indices().nth(MESSAGE_CHARS_MAX) {
            message.truncate(end);
        }
        let same = self.old.iter().find(|old| old.type_ == type_ && old.status == status.as_str());
        let condition = Condition {
            type_: type_.to_owned(),
            status: status.as_str().to_owned(),
            reason: reason.to_owned(),
            message,
            observed_generation: self.generation,
            last_transition_time: same
                .map_or_else(|| self.now.clone(), |old| old.last_transition_time.clone()),
        };
        self.new.retain(|other| other.type_ != type_);
        self.new.push(condition);
    }

    /// Keeps a condition as it was, if it was: for what cannot be told anew.
    pub(crate) fn keep(&mut self, type_: &str) {
        if let Some(old) = self.old.iter().find(|old| old.type_ == type_) {
            self.new.retain(|other| other.type_ != type_);
            self.new.push(old.clone());
        }
    }

    /// Sets Reconciling or Stalled, which are there only while they are true.
    pub(crate) fn abnormal(&mut self, type_: &str, reason: &str, message: impl Into<String>) {
        debug_assert!(type_ == RECONCILING || type_ == STALLED);
        self.set(type_, Truth::True, reason, message);
    }

    /// The conditions, in the order in which they were first seen, so that an unchanged status compares as
    /// equal.
    pub(crate) fn finish(self) -> Vec<Condition> {
        let Self { old, mut new, .. } = self;
        let place = |condition: &Condition| {
            old.iter().position(|old| old.type_ == condition.type_).unwrap_or(usize::MAX)
        };
        new.sort_by_key(place);
        new
    }
}

/// The condition of this type.
pub(crate) fn find<'a>(conditions: &'a [Condition], type_: &str) -> Option<&'a Condition> {
    conditions.iter().find(|condition| condition.type_ == type_)
}

/// Whether the condition is there and true.
pub(crate) fn is_true(conditions: &[Condition], type_: &str) -> bool {
    find(conditions, type_).is_some_and(|condition| condition.status == "True")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Time {
        Time(k8s_openapi::jiff::Timestamp::from_second(second).unwrap())
    }

    #[test]
    fn the_transition_time_moves_with_the_status_alone() {
        let mut first = Conditions::new(&[], Some(1), at(1));
        first.set("Ready", Truth::False, "Starting", "no broker answers");
        first.set("UpToDate", Truth::True, "Reconciled", "");
        let first = first.finish();
        let mut second = Conditions::new(&first, Some(2), at(2));
        second.set("UpToDate", Truth::False, "Rolling", "");
        second.set("Ready", Truth::False, "Rolling", "one broker restarts");
        let second = second.finish();
        let ready = find(&second, "Ready").unwrap();
        assert_eq!((ready.last_transition_time.clone(), ready.reason.as_str()), (at(1), "Rolling"));
        assert_eq!(ready.observed_generation, Some(2));
        assert_eq!(find(&second, "UpToDate").unwrap().last_transition_time, at(2));
        let order: Vec<_> = second.iter().map(|condition| condition.type_.as_str()).collect();
        assert_eq!(order, ["Ready", "UpToDate"]);
    }

    #[test]
    fn what_is_not_set_again_goes_and_what_is_kept_stays() {
        let mut first = Conditions::new(&[], None, at(1));
        first.abnormal("Stalled", "RolloutStuck", "image");
        first.set("Ready", Truth::Unknown, "BrokerUnreachable", "");
        let first = first.finish();
        let mut second = Conditions::new(&first, None, at(2));
        second.keep("Ready");
        second.keep("Absent");
        assert_eq!(second.finish(), [first[1].clone()]);
    }
}

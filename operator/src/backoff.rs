//! How long an object that failed waits for its next turn.

use std::collections::HashMap;
use std::time::Duration;

use parking_lot::Mutex;

/// The wait after a first failure.
pub(crate) const FIRST: Duration = Duration::from_secs(5);
/// The longest wait.
pub(crate) const LONGEST: Duration = Duration::from_secs(300);

/// Failures in a row, by object. Bounded by the objects that there are: a success or a deletion forgets.
#[derive(Debug, Default)]
pub(crate) struct Failures(Mutex<HashMap<String, u32>>);

impl Failures {
    /// Counts one more failure of the object; gives the time until it is tried again: 5 s, twice as much each
    /// time, at most 5 minutes.
    pub(crate) fn failed(&self, object: &str) -> Duration {
        let mut counts = self.0.lock();
        let count = counts.entry(object.to_owned()).or_insert(0);
        let wait = FIRST.saturating_mul(1_u32 << (*count).min(16)).min(LONGEST);
        *count += 1;
        wait
    }

    /// The object is well, or gone.
    pub(crate) fn forget(&self, object: &str) {
        self.0.lock().remove(object);
    }
}

/// The key of an object in [`Failures`]: `Kind/namespace/name`.
pub(crate) fn key<K: kube::Resource<DynamicType = ()>>(object: &K) -> String {
    let meta = object.meta();
    let (namespace, name) = (meta.namespace.as_deref(), meta.name.as_deref());
    format!("{}/{}/{}", K::kind(&()), namespace.unwrap_or_default(), name.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_a_bound_and_start_over_after_a_success() {
        let failures = Failures::default();
        let waits: Vec<u64> = (0..9).map(|_| failures.failed("a").as_secs()).collect();
        assert_eq!(waits, [5, 10, 20, 40, 80, 160, 300, 300, 300]);
        assert_eq!(failures.failed("b"), FIRST);
        for _ in 0..100 {
            assert!(failures.failed("a") <= LONGEST);
        }
        failures.forget("a");
        assert_eq!(failures.failed("a"), FIRST);
    }
}

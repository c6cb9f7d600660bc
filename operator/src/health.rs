//! Whether the operator lives: its watches hear from the API server.
//!
//! A watch that is silent is no sign of death by itself, as nothing may happen; but the API server sends
//! bookmarks about once a minute and the client starts a watch anew every few minutes, so long silence means
//! a wedged one.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use parking_lot::Mutex;

/// A watch is wedged when nothing came in this time: each ends and starts anew within 295 s.
const SILENCE_MAX: Duration = Duration::from_secs(15 * 60);

/// Signs of life, by watch.
#[derive(Debug, Default)]
pub(crate) struct Health {
    watches: Mutex<BTreeMap<String, Instant>>,
    ready: Mutex<Option<&'static str>>,
}

impl Health {
    /// Something came on this watch, be it an error: it moves.
    pub(crate) fn beat(&self, watch: &str) {
        let now = Instant::now();
        let mut watches = self.watches.lock();
        match watches.get_mut(watch) {
            Some(last) => *last = now,
            None => {
                watches.insert(watch.to_owned(), now);
            }
        }
    }

    /// The operator can do its work, or stand by to do it.
    pub(crate) fn ready_as(&self, role: &'static str) {
        *self.ready.lock() = Some(role);
    }

    /// Why the process should be started again, if it should.
    pub(crate) fn live(&self) -> Result<String, String> {
        self.live_at(Instant::now())
    }

    fn live_at(&self, now: Instant) -> Result<String, String> {
        let silent = |last: &Instant| now.saturating_duration_since(*last);
        match self.watches.lock().iter().find(|(_, last)| silent(last) > SILENCE_MAX) {
            Some((watch, last)) => {
                Err(format!("nothing was heard on the watch of {watch} for {} s", silent(last).as_secs()))
            }
            None => Ok("ok".to_owned()),
        }
    }

    /// What the process is ready as.
    pub(crate) fn ready(&self) -> Result<String, String> {
        match *self.ready.lock() {
            Some(role) => Ok(role.to_owned()),
            None => Err("the API server was not reached".to_owned()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_silent_watch_is_told() {
        let health = Health::default();
        assert!(health.ready().is_err());
        health.beat("Cluster");
        health.beat("Pod");
        let now = Instant::now();
        assert!(health.live_at(now).is_ok());
        let later = now + SILENCE_MAX + Duration::from_secs(1);
        assert!(health.live_at(later).is_err_and(|why| why.contains("the watch of Cluster")));
        health.ready_as("leader");
        assert_eq!(health.ready().as_deref(), Ok("leader"));
    }
}

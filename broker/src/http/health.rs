//! Whether the process is alive and ready.
//!
//! Alive is about the event loops alone: a quorum without a majority or a full disk is no reason to be killed. A
//! loop that stands in a marked write is waiting for the disk, and counts as alive.

use std::sync::RwLock;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering::Relaxed};
use std::time::Instant;

use node::config::HEARTBEAT_AGE_MS_MAX;

/// Where the process stands between start and stop.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum State {
    /// It does not serve yet, for this reason.
    Starting(String),
    /// It is unfenced and has caught up once.
    Ready,
    /// It was ready and is fenced or stops, for this reason.
    Unready(String),
}

/// One event loop's signs of life.
#[derive(Debug)]
struct Loop {
    name: String,
    /// Milliseconds since the start when it last came around.
    beat_ms: AtomicU64,
    /// Writes in which it stands.
    writes: AtomicU32,
}

/// Signs of life of all event loops, and whether clients should come.
#[derive(Debug)]
pub struct Health {
    started: Instant,
    loops: Box<[Loop]>,
    state: RwLock<State>,
}

/// Held while an event loop stands in a write to a log.
#[derive(Debug)]
#[must_use = "the write is marked only while this is held"]
pub struct MarkedWrite<'a>(&'a Loop);

impl Drop for MarkedWrite<'_> {
    fn drop(&mut self) {
        self.0.writes.fetch_sub(1, Relaxed);
    }
}

impl Health {
    /// Health of a process with these event loops, which count as having come around just now.
    #[must_use]
    pub fn new(loops: &[&str]) -> Self {
        let quiet = |name: &&str| Loop {
            name: (*name).to_owned(),
            beat_ms: AtomicU64::new(0),
            writes: AtomicU32::new(0),
        };
        Self {
            started: Instant::now(),
            loops: loops.iter().map(quiet).collect(),
            state: RwLock::new(State::Starting("the broker is starting".to_owned())),
        }
    }

    /// The loop of this position came around; each does so at least once a second.
    pub fn beat(&self, position: usize) {
        if let Some(one) = self.loops.get(position) {
            one.beat_ms.store(self.now_ms(), Relaxed);
        }
    }

    /// Marks a write of this loop until the mark is dropped. `None` when there is no such loop.
    pub fn mark_write(&self, position: usize) -> Option<MarkedWrite<'_>> {
        let one = self.loops.get(position)?;
        one.writes.fetch_add(1, Relaxed);
        Some(MarkedWrite(one))
    }

    /// Changes what /readyz says.
    pub fn set_state(&self, state: State) {
        // A poisoned lock holds a whole value all the same.
        *self.state.write().unwrap_or_else(std::sync::PoisonError::into_inner) = state;
    }

    /// Each loop's name and the time since it came around, in milliseconds.
    pub fn loop_ages_ms(&self) -> impl Iterator<Item = (&str, u64)> {
        let now_ms = self.now_ms();
        self.loops.iter().map(move |one| (one.name.as_str(), one.age_ms(now_ms)))
    }

    /// Whether every loop lives.
    ///
    /// # Errors
    /// A sentence that names the first loop that does not.
    pub fn live(&self) -> Result<(), String> {
        self.live_at(self.now_ms())
    }

    fn live_at(&self, now_ms: u64) -> Result<(), String> {
        let dead = |one: &&Loop| one.age_ms(now_ms) > HEARTBEAT_AGE_MS_MAX && one.writes.load(Relaxed) == 0;
        match self.loops.iter().find(dead) {
            Some(one) => {
                Err(format!("event loop {} has stood still for {} ms", one.name, one.age_ms(now_ms)))
            }
            None => Ok(()),
        }
    }

    /// Whether clients should come.
    ///
    /// # Errors
    /// The reason why not.
    pub fn ready(&self) -> Result<(), String> {
        match &*self.state.read().unwrap_or_else(std::sync::PoisonError::into_inner) {
            State::Ready => Ok(()),
            State::Starting(why) | State::Unready(why) => Err(why.clone()),
        }
    }

    fn now_ms(&self) -> u64 {
        u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX)
    }
}

impl Loop {
    fn age_ms(&self, now_ms: u64) -> u64 {
        now_ms.saturating_sub(self.beat_ms.load(Relaxed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_silent_loop_is_dead_unless_it_writes() {
        let health = Health::new(&["worker-0", "worker-1"]);
        assert_eq!(health.live_at(HEARTBEAT_AGE_MS_MAX), Ok(()));
        let write = health.mark_write(1);
        let said = health.live_at(HEARTBEAT_AGE_MS_MAX + 1).unwrap_err();
        assert_eq!(said, "event loop worker-0 has stood still for 10001 ms");
        let other = health.mark_write(0);
        assert_eq!(health.live_at(HEARTBEAT_AGE_MS_MAX + 1), Ok(()));
        drop((write, other));
        assert!(health.live_at(HEARTBEAT_AGE_MS_MAX + 1).is_err());
    }

    #[test]
    fn ready_follows_the_state() {
        let health = Health::new(&[]);
        assert_eq!(health.ready().unwrap_err(), "the broker is starting");
        health.set_state(State::Ready);
        assert_eq!(health.ready(), Ok(()));
        health.set_state(State::Unready("the broker is stopping".to_owned()));
        assert_eq!(health.ready().unwrap_err(), "the broker is stopping");
    }
}

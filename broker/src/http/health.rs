//! Whether the process is alive and ready.
//!
//! Alive is about the event loops alone: a quorum without a majority or a full disk is no reason to be killed. A
//! loop that stands in a marked call is waiting for the disk, and counts as alive, as does one that has nothing to
//! do. Loops read no clock for this: they count, and who watches sees whether the count moved.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::{Duration, Instant};

use node::config::HEARTBEAT_AGE_MS_MAX;

/// How often somebody has to [look](Health::look), so that a loop's age is known to about as much.
pub(super) const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Where the process stands between start and stop.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum State {
    /// It does not serve yet, for this reason.
    Starting(String),
    /// It serves; whether clients should come is the node's to say.
    Serving,
    /// It does not serve any more, for this reason.
    Stopping(String),
}

/// One event loop's signs of life. Only its own thread calls [`beat`](Self::beat), [`idle`](Self::idle) and
/// [`mark`](Self::mark).
#[derive(Debug)]
pub struct Loop {
    name: String,
    /// Twice how often it came around, and one more while it has nothing to do.
    beats: AtomicU64,
    /// Marked calls in which it stands.
    marks: AtomicU32,
    seen: Mutex<Seen>,
}

/// What was seen last of a loop's beats, and since when they stand at that.
#[derive(Debug, Clone, Copy)]
struct Seen {
    beats: u64,
    since_ms: u64,
}

/// Held while an event loop stands in a call that may wait for the disk.
#[derive(Debug)]
#[must_use = "the call is marked only while this is held"]
pub struct Mark<'a>(&'a Loop);

impl Drop for Mark<'_> {
    fn drop(&mut self) {
        self.0.marks.store(self.0.marks.load(Relaxed).wrapping_sub(1), Relaxed);
    }
}

impl Loop {
    /// It came around and has something to do.
    pub fn beat(&self) {
        self.beats.store((self.beats.load(Relaxed) & !1).wrapping_add(2), Relaxed);
    }

    /// It has nothing to do until it is woken.
    pub fn idle(&self) {
        self.beats.store((self.beats.load(Relaxed) & !1).wrapping_add(3), Relaxed);
    }

    /// Marks a call until the mark is dropped.
    pub fn mark(&self) -> Mark<'_> {
        self.marks.store(self.marks.load(Relaxed).wrapping_add(1), Relaxed);
        Mark(self)
    }

    /// Milliseconds for which it has stood still: neither came around, nor had nothing to do, nor waited for the disk.
    fn age_ms(&self, now_ms: u64) -> u64 {
        let beats = self.beats.load(Relaxed);
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        if seen.beats != beats || beats & 1 == 1 || self.marks.load(Relaxed) > 0 {
            *seen = Seen { beats, since_ms: now_ms };
        }
        now_ms.saturating_sub(seen.since_ms)
    }
}

/// Signs of life of all event loops, and whether clients should come.
#[derive(Debug)]
pub struct Health {
    started: Instant,
    loops: RwLock<Vec<Arc<Loop>>>,
    state: RwLock<State>,
}

impl Default for Health {
    fn default() -> Self {
        Self {
            started: Instant::now(),
            loops: RwLock::default(),
            state: RwLock::new(State::Starting("the broker is starting".to_owned())),
        }
    }
}

impl Health {
    /// A loop that begins now. It is watched from here on, for as long as somebody else holds it.
    pub fn enter(&self, name: impl Into<String>) -> Arc<Loop> {
        let seen = Mutex::new(Seen { beats: 0, since_ms: self.now_ms() });
        let (beats, marks) = (AtomicU64::new(0), AtomicU32::new(0));
        let one = Arc::new(Loop { name: name.into(), beats, marks, seen });
        self.loops.write().unwrap_or_else(PoisonError::into_inner).push(Arc::clone(&one));
        one
    }

    /// Changes where the process stands.
    pub fn set_state(&self, state: State) {
        // A poisoned lock holds a whole value all the same.
        *self.state.write().unwrap_or_else(PoisonError::into_inner) = state;
    }

    /// Looks at every loop: what it sees now, a later look is compared with.
    pub fn look(&self) {
        let _ = self.ages_ms(self.now_ms());
    }

    /// Each loop's name and the milliseconds for which it has stood still.
    #[must_use]
    pub fn loop_ages_ms(&self) -> Vec<(String, u64)> {
        self.ages_ms(self.now_ms())
    }

    fn ages_ms(&self, now_ms: u64) -> Vec<(String, u64)> {
        let ended = |one: &Arc<Loop>| Arc::strong_count(one) == 1;
        if self.loops.read().unwrap_or_else(PoisonError::into_inner).iter().any(ended) {
            self.loops.write().unwrap_or_else(PoisonError::into_inner).retain(|one| !ended(one));
        }
        let loops = self.loops.read().unwrap_or_else(PoisonError::into_inner);
        loops.iter().map(|one| (one.name.clone(), one.age_ms(now_ms))).collect()
    }

    /// Whether every loop lives.
    ///
    /// # Errors
    /// A sentence that names the first loop that does not.
    pub fn live(&self) -> Result<(), String> {
        self.live_at(self.now_ms())
    }

    pub(crate) fn live_at(&self, now_ms: u64) -> Result<(), String> {
        match self.ages_ms(now_ms).into_iter().find(|(_, age_ms)| *age_ms > HEARTBEAT_AGE_MS_MAX) {
            Some((name, age_ms)) => Err(format!("event loop {name} has stood still for {age_ms} ms")),
            None => Ok(()),
        }
    }

    /// Whether the process serves.
    ///
    /// # Errors
    /// The reason why not.
    pub fn serving(&self) -> Result<(), String> {
        match &*self.state.read().unwrap_or_else(PoisonError::into_inner) {
            State::Serving => Ok(()),
            State::Starting(why) | State::Stopping(why) => Err(why.clone()),
        }
    }

    pub(crate) fn now_ms(&self) -> u64 {
        u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LATE: u64 = HEARTBEAT_AGE_MS_MAX + 1;

    #[test]
    fn a_loop_that_stands_still_is_dead_unless_it_waits_for_the_disk_or_has_nothing_to_do() {
        let health = Health::default();
        let (first, second) = (health.enter("worker-0"), health.enter("worker-1"));
        first.beat();
        second.beat();
        assert_eq!(health.live_at(1), Ok(()));
        assert_eq!(health.live_at(LATE), Ok(()));
        second.idle();
        let said = health.live_at(LATE + 1).unwrap_err();
        assert_eq!(said, "event loop worker-0 has stood still for 10001 ms");
        let mark = first.mark();
        assert_eq!(health.live_at(3 * LATE), Ok(()));
        drop(mark);
        assert_eq!(health.live_at(3 * LATE + HEARTBEAT_AGE_MS_MAX), Ok(()), "its time begins anew");
        assert!(health.live_at(4 * LATE + 1).is_err());
        first.beat();
        assert_eq!(health.live_at(5 * LATE), Ok(()));
    }

    #[test]
    fn a_loop_that_ended_is_not_watched() {
        let health = Health::default();
        let one = health.enter("worker-0");
        one.beat();
        assert_eq!(health.loop_ages_ms().len(), 1);
        drop(one);
        assert_eq!(health.live_at(10 * LATE), Ok(()));
        assert_eq!(health.loop_ages_ms().len(), 0);
    }

    #[test]
    fn serving_follows_the_state() {
        let health = Health::default();
        assert_eq!(health.serving().unwrap_err(), "the broker is starting");
        health.set_state(State::Serving);
        assert_eq!(health.serving(), Ok(()));
        health.set_state(State::Stopping("the broker is stopping".to_owned()));
        assert_eq!(health.serving().unwrap_err(), "the broker is stopping");
    }
}

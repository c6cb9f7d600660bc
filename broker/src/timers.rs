//! Timers of the core: one thread that sleeps until the nearest deadline and hands its ticket back.
//!
//! Nobody takes a timer back: most requests are answered long before their deadline. Tickets that nobody waits for are
//! swept out whenever they may be half of all, so that what is kept follows the requests that wait, not their number
//! in a timeout.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::sync::Arc;

use node::Ticket;
use parking_lot::{Condvar, Mutex};
use protocol::id::Monotonic;

use crate::clock::Clock;
use crate::loops;

/// Deadlines in order; shared by all who set timers.
pub(crate) struct Timers {
    clock: Clock,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    heap: BinaryHeap<Reverse<Entry>>,
    /// Breaks ties, so that equal deadlines fire in the order in which they were set.
    next: u64,
    /// So many entries make the next sweep worth its while: twice those that the last one left.
    sweep_at: usize,
    stopped: bool,
}

/// Fewer entries are never swept: they take some 100 KiB.
const SWEPT_ENTRIES_MIN: usize = 1024;

struct Entry {
    deadline: Monotonic,
    order: u64,
    ticket: Ticket,
}

impl PartialEq for Entry {
    fn eq(&self, other: &Self) -> bool {
        self.order == other.order
    }
}
impl Eq for Entry {}
impl PartialOrd for Entry {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}
impl Ord for Entry {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (self.deadline, self.order).cmp(&(other.deadline, other.order))
    }
}

impl Timers {
    pub(crate) fn new(clock: Clock) -> Arc<Self> {
        Arc::new(Self { clock, state: Mutex::default(), changed: Condvar::new() })
    }

    pub(crate) fn set(&self, timers: impl IntoIterator<Item = (Monotonic, Ticket)>) {
        let mut state = self.state.lock();
        let earliest = state.heap.peek().map(|Reverse(entry)| entry.deadline);
        let mut sooner = false;
        for (deadline, ticket) in timers {
            sooner |= earliest.is_none_or(|earliest| deadline < earliest);
            let order = state.next;
            state.next += 1;
            state.heap.push(Reverse(Entry { deadline, order, ticket }));
        }
        state.sweep();
        drop(state);
        if sooner {
            self.changed.notify_one();
        }
    }

    pub(crate) fn stop(&self) {
        self.state.lock().stopped = true;
        self.changed.notify_one();
    }

    /// Fires tickets until [`stop`](Self::stop); the calling thread is the timer thread.
    pub(crate) fn run(&self, mut fire: impl FnMut(Ticket)) {
        let mut state = self.state.lock();
        while !state.stopped {
            let Some(Reverse(first)) = state.heap.peek() else {
                loops::idle();
                self.changed.wait(&mut state);
                continue;
            };
            if first.deadline > self.clock.monotonic() {
                let until = self.clock.instant(first.deadline);
                loops::idle();
                self.changed.wait_until(&mut state, until);
                continue;
            }
            loops::beat();
            if let Some(Reverse(entry)) = state.heap.pop()
                && !entry.ticket.is_stale()
            {
                drop(state);
                fire(entry.ticket);
                state = self.state.lock();
            }
        }
    }

    /// All entries, and those that somebody waits for.
    #[cfg(test)]
    pub(crate) fn counts(&self) -> (usize, usize) {
        let state = self.state.lock();
        let live = state.heap.iter().filter(|Reverse(entry)| !entry.ticket.is_stale()).count();
        (state.heap.len(), live)
    }

    /// The farthest deadline.
    #[cfg(test)]
    pub(crate) fn latest(&self) -> Option<Monotonic> {
        self.state.lock().heap.iter().map(|Reverse(entry)| entry.deadline).max()
    }
}

impl State {
    /// Drops entries that nobody waits for, once there are twice as many as the last sweep left: each entry pays for
    /// the look at one other.
    fn sweep(&mut self) {
        if self.heap.len() < self.sweep_at.max(SWEPT_ENTRIES_MIN) {
            return;
        }
        self.heap.retain(|Reverse(entry)| !entry.ticket.is_stale());
        self.sweep_at = 2 * self.heap.len();
        self.heap.shrink_to(self.sweep_at.max(SWEPT_ENTRIES_MIN));
    }
}

//! One client connection as the core sees it: a row of slots, one for each request, answered in order (D4).
//!
//! The outbox is a leaf lock: whoever holds it takes no other lock. Replies may be completed in any order and
//! from any core; they leave in the order of the requests.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use parking_lot::Mutex;

use crate::effects::{Part, Reply};

/// Rouses the owner of a connection: called once per turn when another core completed a reply of its session.
pub trait Wake: Send + Sync {
    /// Called from any thread, with no lock held.
    fn wake(&self);
}

/// The place of a request's reply among its connection's replies, counted from 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Slot(pub(crate) u64);

/// One client connection.
pub struct Session {
    /// Counts the node's connections from 0; spreads what is sharded.
    number: usize,
    wake: Arc<dyn Wake>,
    outbox: Mutex<Outbox>,
    /// The next input of this session closes it (an `acks=0` Produce failed).
    closed: AtomicBool,
}

impl std::fmt::Debug for Session {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Session").finish_non_exhaustive()
    }
}

#[derive(Default)]
struct Outbox {
    /// Slot of the oldest request without a reply in `ready`.
    head: u64,
    /// Requests from `head` on: those that are answered already but have to wait for their turn.
    waiting: VecDeque<Option<Reply>>,
    ready: VecDeque<Part>,
    ready_bytes: usize,
    close: Option<&'static str>,
}

/// What stands ready to be written.
#[derive(Debug, Default)]
pub struct Output {
    /// In the order of the wire.
    pub parts: VecDeque<Part>,
    /// The connection ends once the parts are written.
    pub close: Option<&'static str>,
}

impl Session {
    pub(crate) fn new(number: usize, wake: Arc<dyn Wake>) -> Self {
        Self { number, wake, outbox: Mutex::default(), closed: AtomicBool::new(false) }
    }

    /// Takes all that is ready, in order.
    pub fn take_output(&self, into: &mut Output) {
        let mut outbox = self.outbox.lock();
        if into.parts.is_empty() {
            std::mem::swap(&mut into.parts, &mut outbox.ready);
        } else {
            into.parts.append(&mut outbox.ready);
        }
        outbox.ready_bytes = 0;
        into.close = into.close.or(outbox.close);
    }

    /// Bytes that stand ready and were not taken.
    #[must_use]
    pub fn ready_bytes(&self) -> usize {
        self.outbox.lock().ready_bytes
    }

    /// Requests that have no reply ready.
    pub(crate) fn unanswered(&self) -> usize {
        self.outbox.lock().waiting.len()
    }

    /// Whether a failed `acks=0` Produce, or the peer's leaving, ended this session.
    pub(crate) fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Relaxed)
    }

    pub(crate) fn close(&self) {
        self.closed.store(true, Ordering::Relaxed);
        let mut outbox = self.outbox.lock();
        outbox.waiting.clear();
        outbox.ready.clear();
    }

    /// Reserves slots for `count` requests and returns the first.
    pub(crate) fn reserve(&self, count: usize) -> Slot {
        let mut outbox = self.outbox.lock();
        let first = outbox.head + outbox.waiting.len() as u64;
        outbox.waiting.extend(std::iter::repeat_with(|| None).take(count));
        Slot(first)
    }

    /// Fills slots. Returns whether something became ready.
    pub(crate) fn complete(&self, replies: impl IntoIterator<Item = (Slot, Reply)>) -> bool {
        if self.is_closed() {
            return false;
        }
        let mut outbox = self.outbox.lock();
        let mut progress = false;
        for (slot, reply) in replies {
            progress |= outbox.complete(slot, reply);
        }
        if outbox.close.is_some() {
            self.closed.store(true, Ordering::Relaxed);
        }
        progress
    }

    pub(crate) fn number(&self) -> usize {
        self.number
    }

    pub(crate) fn wake(&self) {
        self.wake.wake();
    }
}

impl Outbox {
    fn complete(&mut self, slot: Slot, reply: Reply) -> bool {
        let Some(index) = slot.0.checked_sub(self.head) else { return false };
        let Some(place) = usize::try_from(index).ok().and_then(|index| self.waiting.get_mut(index)) else {
            return false;
        };
        debug_assert!(place.is_none(), "a slot is answered twice");
        *place = Some(reply);
        if index != 0 {
            return false;
        }
        while let Some(Some(_)) = self.waiting.front() {
            self.head += 1;
            if let Some(Some(reply)) = self.waiting.pop_front() {
                self.push(reply);
            }
        }
        true
    }

    fn push(&mut self, reply: Reply) {
        match reply {
            Reply::Bytes(bytes) => self.push_part(Part::Bytes(bytes)),
            Reply::Parts(parts) => parts.into_iter().for_each(|part| self.push_part(part)),
            Reply::Nothing => {}
            Reply::Close(why) => self.close = Some(why),
        }
    }

    fn push_part(&mut self, part: Part) {
        self.ready_bytes += part.len();
        if let (Some(Part::Bytes(last)), Part::Bytes(bytes)) = (self.ready.back_mut(), &part)
            && last.len() + bytes.len() <= COALESCED_BYTES_MAX
        {
            last.extend_from_slice(bytes);
            return;
        }
        self.ready.push_back(part);
    }
}

/// Small replies that become ready together share one buffer, and so one write; 16 KiB bounds what is copied.
const COALESCED_BYTES_MAX: usize = 16 * 1024;

#[cfg(test)]
mod tests {
    use super::*;

    struct NoWake;
    impl Wake for NoWake {
        fn wake(&self) {}
    }

    fn taken(session: &Session) -> Vec<u8> {
        let mut output = Output::default();
        session.take_output(&mut output);
        output.parts.into_iter().flat_map(|part| if let Part::Bytes(b) = part { b } else { vec![] }).collect()
    }

    #[test]
    fn replies_leave_in_the_order_of_requests() {
        let session = Session::new(0, Arc::new(NoWake));
        let first = session.reserve(3);
        assert_eq!(first, Slot(0));
        assert!(!session.complete([(Slot(2), Reply::Bytes(vec![3]))]));
        assert!(!session.complete([(Slot(1), Reply::Nothing)]));
        assert_eq!(taken(&session), []);
        assert!(session.complete([(Slot(0), Reply::Bytes(vec![1]))]));
        assert_eq!(taken(&session), [1, 3]);
        assert_eq!(session.unanswered(), 0);
        assert_eq!(session.reserve(1), Slot(3));
    }

    #[test]
    fn a_closed_session_takes_no_reply() {
        let session = Session::new(0, Arc::new(NoWake));
        session.reserve(1);
        session.close();
        assert!(!session.complete([(Slot(0), Reply::Bytes(vec![1]))]));
        assert_eq!(taken(&session), []);
    }
}

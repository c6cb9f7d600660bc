//! One client connection as the core sees it: a row of slots, one for each request, answered in order (D4).
//!
//! The outbox is a leaf lock: whoever holds it takes no other lock. Replies may be completed in any order and
//! from any core; they leave in the order of the requests.

use std::collections::VecDeque;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use parking_lot::Mutex;
use protocol::ApiKey;
use protocol::id::Monotonic;

use crate::effects::{Part, Reply};
use crate::parked::ParkedFetch;
use crate::room::Room;

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
    /// By which of the configured listeners it came.
    listener: usize,
    /// From where, where that is known.
    address: Option<IpAddr>,
    wake: Arc<dyn Wake>,
    outbox: Mutex<Outbox>,
    /// The next input of this session closes it (an `acks=0` Produce failed).
    closed: AtomicBool,
    /// Whether a job reads cold ranges for its next Fetch.
    warming: Room,
    /// The Fetch that waits for records, of which a session has one at most: nothing else is served meanwhile.
    parked: Mutex<Option<Arc<ParkedFetch>>>,
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
    waiting: VecDeque<Request>,
    ready: VecDeque<Part>,
    /// Bytes of `ready` that lie in memory; those of files are not counted.
    ready_bytes: usize,
    /// Whose replies are in `ready`.
    answered: Vec<Answered>,
    close: Option<&'static str>,
}

/// A request that was taken up.
struct Request {
    api: ApiKey,
    arrived: Monotonic,
    reply: Option<Reply>,
}

/// Requests of one API that were taken up in one turn and are answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Answered {
    /// What was asked.
    pub api: ApiKey,
    /// When the turn began.
    pub arrived: Monotonic,
    /// How many they are.
    pub count: u32,
}

/// What stands ready to be written.
#[derive(Debug, Default)]
pub struct Output {
    /// In the order of the wire.
    pub parts: VecDeque<Part>,
    /// The connection ends once the parts are written.
    pub close: Option<&'static str>,
    /// The requests that the parts taken last answer, for [`crate::Node::count_answered`].
    pub answered: Vec<Answered>,
}

impl Session {
    pub(crate) fn new(number: usize, listener: usize, wake: Arc<dyn Wake>) -> Self {
        Self {
            number,
            listener,
            address: None,
            wake,
            outbox: Mutex::default(),
            closed: AtomicBool::new(false),
            warming: Room::default(),
            parked: Mutex::default(),
        }
    }

    /// With the address that the client has.
    pub(crate) fn with_address(mut self, address: Option<IpAddr>) -> Self {
        self.address = address;
        self
    }

    /// The address that the client has, where it is known.
    pub(crate) const fn address(&self) -> Option<IpAddr> {
        self.address
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
        into.answered.clear();
        std::mem::swap(&mut into.answered, &mut outbox.answered);
        into.close = into.close.or(outbox.close);
    }

    /// Whether the connection has as many requests without a reply, `taken` more of them on the way, or as many bytes of
    /// replies that nobody took, as it may.
    pub(crate) fn is_full(&self, taken: usize, requests_max: usize, reply_bytes_max: usize) -> bool {
        let outbox = self.outbox.lock();
        outbox.waiting.len() + taken >= requests_max || outbox.ready_bytes > reply_bytes_max
    }

    /// Requests that have no reply ready.
    pub(crate) fn unanswered(&self) -> usize {
        self.outbox.lock().waiting.len()
    }

    /// Whether a failed `acks=0` Produce, or the peer's leaving, ended this session.
    pub(crate) fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Relaxed)
    }

    /// Keeps the Fetch that waits until it is answered, and no longer than the client is there.
    pub(crate) fn park(&self, fetch: &Arc<ParkedFetch>) {
        *self.parked.lock() = Some(Arc::clone(fetch));
    }

    /// The Fetch that waits, if one does, which is not kept any more.
    pub(crate) fn unpark(&self) -> Option<Arc<ParkedFetch>> {
        self.parked.lock().take()
    }

    pub(crate) fn close(&self) {
        self.closed.store(true, Ordering::Relaxed);
        let mut outbox = self.outbox.lock();
        outbox.waiting.clear();
        outbox.ready.clear();
        outbox.answered.clear();
    }

    /// Reserves slots for `count` requests of one API and returns the first.
    pub(crate) fn reserve(&self, count: usize, api: ApiKey, arrived: Monotonic) -> Slot {
        let mut outbox = self.outbox.lock();
        let first = outbox.head + outbox.waiting.len() as u64;
        let request = || Request { api, arrived, reply: None };
        outbox.waiting.extend(std::iter::repeat_with(request).take(count));
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

    /// Counts the node's connections from 0: spreads what is counted over shards.
    #[must_use]
    pub fn number(&self) -> usize {
        self.number
    }

    pub(crate) fn warming(&self) -> &Room {
        &self.warming
    }

    /// The place of the listener by which it came among the configured ones.
    pub(crate) fn listener(&self) -> usize {
        self.listener
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
        debug_assert!(place.reply.is_none(), "a slot is answered twice");
        place.reply = Some(reply);
        if index != 0 {
            return false;
        }
        while let Some(Request { reply: Some(_), .. }) = self.waiting.front() {
            self.head += 1;
            if let Some(Request { api, arrived, reply: Some(reply) }) = self.waiting.pop_front() {
                self.note_answered(api, arrived);
                self.push(reply);
            }
        }
        true
    }

    fn note_answered(&mut self, api: ApiKey, arrived: Monotonic) {
        match self.answered.last_mut() {
            Some(last) if last.api == api && last.arrived == arrived => last.count += 1,
            _ => self.answered.push(Answered { api, arrived, count: 1 }),
        }
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
        if let Part::Bytes(bytes) = &part {
            self.ready_bytes += bytes.len();
        }
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
        let session = Session::new(0, 0, Arc::new(NoWake));
        let first = session.reserve(3, ApiKey::Produce, Monotonic(7));
        assert_eq!(first, Slot(0));
        assert!(!session.complete([(Slot(2), Reply::Bytes(vec![3]))]));
        assert!(!session.complete([(Slot(1), Reply::Nothing)]));
        assert_eq!(taken(&session), []);
        assert!(session.complete([(Slot(0), Reply::Bytes(vec![1]))]));
        assert_eq!(taken(&session), [1, 3]);
        assert_eq!(session.unanswered(), 0);
        assert_eq!(session.reserve(1, ApiKey::Fetch, Monotonic(8)), Slot(3));
    }

    #[test]
    fn a_closed_session_takes_no_reply() {
        let session = Session::new(0, 0, Arc::new(NoWake));
        session.reserve(1, ApiKey::Fetch, Monotonic(7));
        session.close();
        assert!(!session.complete([(Slot(0), Reply::Bytes(vec![1]))]));
        assert_eq!(taken(&session), []);
    }

    #[test]
    fn a_reply_that_leaves_says_whose_it_is() {
        let session = Session::new(0, 0, Arc::new(NoWake));
        session.reserve(2, ApiKey::Produce, Monotonic(7));
        session.reserve(1, ApiKey::Fetch, Monotonic(9));
        let mut output = Output::default();
        session.complete([(Slot(1), Reply::Nothing), (Slot(2), Reply::Bytes(vec![1]))]);
        session.take_output(&mut output);
        assert_eq!(output.answered, [], "the first one holds the others back");
        session.complete([(Slot(0), Reply::Bytes(vec![2]))]);
        session.take_output(&mut output);
        let produced = Answered { api: ApiKey::Produce, arrived: Monotonic(7), count: 2 };
        let fetched = Answered { api: ApiKey::Fetch, arrived: Monotonic(9), count: 1 };
        assert_eq!(output.answered, [produced, fetched]);
        session.take_output(&mut output);
        assert_eq!(output.answered, [], "each is told once");
    }

    #[test]
    fn replies_in_memory_fill_a_session_and_ranges_of_files_do_not() {
        let disk = storage::disk::VirtualDisk::new();
        let path = std::path::Path::new("/f");
        let file = storage::disk::Disk::open(&disk, path, storage::disk::OpenMode::Write).unwrap();
        let session = Session::new(0, 0, Arc::new(NoWake));
        session.reserve(2, ApiKey::Fetch, Monotonic(7));
        let range = storage::disk::FileRange { file, position: 0, len: 1 << 30 };
        session.complete([(Slot(0), Reply::Parts(vec![Part::Bytes(vec![0; 10]), Part::Range(range)]))]);
        assert!(!session.is_full(0, 100, 10));
        session.complete([(Slot(1), Reply::Bytes(vec![0]))]);
        assert!(session.is_full(0, 100, 10));
        session.take_output(&mut Output::default());
        assert!(!session.is_full(0, 100, 10), "what was taken is the owner's to bound");
    }
}

//! Requests that wait: a Produce for its records to be acknowledged, a Fetch for records to read.
//!
//! Whoever moves a high watermark collects them under the partition's lock and runs them after every lock is
//! released. A Fetch's own mutex is taken before partitions' locks and never under one; a Produce's is a leaf.

use std::sync::Arc;

use parking_lot::Mutex;
use protocol::ErrorCode;
use protocol::message::produce::ProduceResponse;

use crate::api::{Header, encode_reply};
use crate::effects::Reply;
use crate::partition::Place;
use crate::room::Seat;
use crate::session::{Session, Slot};

pub use crate::fetch_work::ParkedFetch;

/// A Produce of which some partitions wait to be acknowledged.
#[derive(Debug)]
pub struct ParkedProduce {
    session: Arc<Session>,
    slot: Slot,
    /// Its place among the requests that wait; without one it expires as soon as all of it is appended.
    seat: Option<Seat>,
    state: Mutex<ProduceState>,
}

#[derive(Debug, Default)]
struct ProduceState {
    outstanding: Vec<Place>,
    failed: Vec<(Place, ErrorCode)>,
    /// Set once every partition of the request was appended; until then no reply can leave.
    response: Option<Box<(Header, ProduceResponse)>>,
    answered: bool,
}

impl ParkedProduce {
    pub(crate) fn new(session: &Arc<Session>, slot: Slot, seat: Option<Seat>) -> Self {
        Self { session: Arc::clone(session), slot, seat, state: Mutex::default() }
    }

    pub(crate) const fn is_seated(&self) -> bool {
        self.seat.is_some()
    }

    pub(crate) fn session(&self) -> (&Arc<Session>, Slot) {
        (&self.session, self.slot)
    }

    /// One more partition to wait for.
    pub(crate) fn expect(&self, place: Place) {
        self.state.lock().outstanding.push(place);
    }

    /// A partition needs no wait, or its wait is over. Gives the reply when it was the last.
    pub(crate) fn fulfil(&self, place: Place, result: ErrorCode) -> Option<Reply> {
        let mut state = self.state.lock();
        let waiting = state.outstanding.iter().position(|waits| *waits == place)?;
        state.outstanding.swap_remove(waiting);
        if result.is_error() {
            state.failed.push((place, result));
        }
        state.reply_if_done()
    }

    /// Every partition was appended: from here on the last acknowledgement sends the reply.
    pub(crate) fn seal(&self, header: Header, response: ProduceResponse) -> Option<Reply> {
        let mut state = self.state.lock();
        state.response = Some(Box::new((header, response)));
        state.reply_if_done()
    }

    /// `timeout.ms` passed: what still waits is answered with `REQUEST_TIMED_OUT`.
    pub(crate) fn expire(&self) -> Option<Reply> {
        let mut state = self.state.lock();
        let late = std::mem::take(&mut state.outstanding);
        state.failed.extend(late.into_iter().map(|place| (place, ErrorCode::RequestTimedOut)));
        state.reply_if_done()
    }
}

impl ProduceState {
    fn reply_if_done(&mut self) -> Option<Reply> {
        if self.answered || !self.outstanding.is_empty() {
            return None;
        }
        let (header, mut response) = *self.response.take()?;
        self.answered = true;
        for (place, error) in self.failed.drain(..) {
            let partition = response
                .responses
                .get_mut(place.topic)
                .and_then(|topic| topic.partition_responses.get_mut(place.partition));
            if let Some(partition) = partition {
                partition.error_code = error;
            }
        }
        Some(encode_reply(header, &response))
    }
}

//! One turn: all whole frames that one read of a connection brought, taken in order (D1, D4).
//!
//! Consecutive Produces are checked first, then appended together, so that a partition's lock is taken and its
//! file written once for all of them. Any other request waits until every earlier one of its connection is
//! answered; the caller then offers the rest again.

use std::ops::Range;
use std::sync::Arc;

use protocol::api_key::ApiKey;
use protocol::id::Monotonic;
use protocol::wire::Reader;

use crate::api::{self, Call, Handled, Header};
use crate::effects::{Effects, Now};
use crate::node::Node;
use crate::produce_round;
use crate::session::{Answered, Session, Slot};

/// What the core made of an input.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Turn {
    /// Bytes of whole frames that were taken; the rest is to be offered again, with more behind it.
    pub consumed: usize,
    /// How to go on.
    pub next: Next,
}

/// How a connection goes on after a turn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// Read on. The frame that follows has this many bytes in all, where its length is known.
    Read {
        /// Length prefix and frame; `None` while fewer than four bytes of it are there.
        frame_bytes: Option<usize>,
    },
    /// Offer the rest again after the next wake, or once what was ready is written: it has to wait for earlier
    /// replies, or there are too many that nobody took.
    Wait,
    /// Write what is ready, then close; the reason is for one log line.
    Close(&'static str),
}

/// Length prefix, API key and version, correlation id: what every frame has.
const LENGTH_BYTES: usize = 4;
const FRAME_BYTES_MIN: usize = 8;

impl Node {
    /// Takes whole frames from the front of `input`. Record batches are patched in place and written from there.
    ///
    /// Replies appear in the session's outbox; `effects` carries what concerns others.
    pub fn receive(&self, now: Now, session: &Arc<Session>, input: &mut [u8], effects: &mut Effects) -> Turn {
        let config = self.config();
        let mut produces = Vec::new();
        let mut consumed = 0;
        let next = loop {
            if session.is_closed() {
                break Next::Close("the session ended");
            }
            let rest = input.get(consumed..).unwrap_or_default();
            let frame_bytes = match frame_bytes(rest, config.socket_request_max_bytes) {
                Ok(Some(bytes)) => bytes,
                Ok(None) => break Next::Read { frame_bytes: None },
                Err(why) => break Next::Close(why),
            };
            if rest.len() < frame_bytes {
                break Next::Read { frame_bytes: Some(frame_bytes) };
            }
            let (requests_max, bytes_max) =
                (config.inflight_requests_per_connection_max, config.reply_bytes_per_connection_max);
            if session.is_full(produces.len(), requests_max, bytes_max) {
                break Next::Wait;
            }
            let frame = consumed + LENGTH_BYTES..consumed + frame_bytes;
            if api_key(rest) == Some(ApiKey::Produce) {
                produces.push(frame);
                consumed += frame_bytes;
                continue;
            }
            if let Err(why) = self.serve_produces(now, session, input, &mut produces, effects) {
                break Next::Close(why);
            }
            if session.unanswered() > 0 {
                break Next::Wait;
            }
            consumed += frame_bytes;
            if let Err(why) = self.serve(now, session, input.get(frame).unwrap_or_default(), effects) {
                break Next::Close(why);
            }
        };
        let next = match self.serve_produces(now, session, input, &mut produces, effects) {
            Ok(()) => next,
            Err(why) => Next::Close(why),
        };
        self.settle(now, effects);
        self.sync_early(effects);
        Turn { consumed, next }
    }

    /// Counts requests whose replies were written just now: how long each took since it was taken up.
    pub fn count_answered(&self, now: Monotonic, session: &Session, answered: &[Answered]) {
        let shard = self.metrics().shard(session.number());
        for Answered { api, arrived, count } in answered {
            let duration_ns = u64::try_from(now.since(*arrived).as_nanos()).unwrap_or(u64::MAX);
            shard.answered(*api, duration_ns, u64::from(*count));
        }
    }

    fn serve_produces(
        &self,
        now: Now,
        session: &Arc<Session>,
        input: &mut [u8],
        frames: &mut Vec<Range<usize>>,
        effects: &mut Effects,
    ) -> Result<(), &'static str> {
        if frames.is_empty() {
            return Ok(());
        }
        let served = produce_round::serve(self, now, session, input, frames, effects);
        frames.clear();
        served
    }

    /// Serves one request that is not a Produce.
    fn serve(
        &self,
        now: Now,
        session: &Arc<Session>,
        frame: &[u8],
        effects: &mut Effects,
    ) -> Result<(), &'static str> {
        let mut reader = Reader::new(frame);
        let (header, api) = api::route(&mut reader)?;
        let slot = session.reserve(1, header.api_key, now.monotonic);
        self.metrics().shard(session.number()).requests(header.api_key, 1);
        let call = Call { node: self, now, session, slot, header, effects, again: false, frame };
        match (api.handler)(call, reader)? {
            Handled::Reply(reply) => {
                session.complete([(slot, reply)]);
            }
            Handled::Parked => {}
        }
        Ok(())
    }
}

impl Node {
    /// Serves a request again whose slot is reserved: what it lacked is committed by now.
    pub(crate) fn serve_again(
        &self,
        now: Now,
        session: &Arc<Session>,
        slot: Slot,
        header: Header,
        frame: &[u8],
        effects: &mut Effects,
    ) {
        let mut reader = Reader::new(frame);
        let Ok((_, api)) = api::route(&mut reader) else { return };
        let call =
            Call { node: self, now, session, slot, header, effects: &mut *effects, again: true, frame };
        if let Ok(Handled::Reply(reply)) = (api.handler)(call, reader) {
            effects.replies.push((Arc::clone(session), slot, reply));
        }
    }
}

/// Size of the frame at the front with its length prefix; `None` while the prefix is not whole.
fn frame_bytes(input: &[u8], request_bytes_max: u32) -> Result<Option<usize>, &'static str> {
    let Some(prefix) = input.first_chunk::<LENGTH_BYTES>() else { return Ok(None) };
    let Ok(length) = usize::try_from(i32::from_be_bytes(*prefix)) else {
        return Err("a frame of negative size");
    };
    if u32::try_from(length).unwrap_or(u32::MAX) > request_bytes_max {
        return Err("a frame larger than socket.request.max.bytes");
    }
    if length < FRAME_BYTES_MIN {
        return Err("a frame too short for a request header");
    }
    Ok(Some(LENGTH_BYTES + length))
}

fn api_key(input: &[u8]) -> Option<ApiKey> {
    let key = input.get(LENGTH_BYTES..LENGTH_BYTES + 2)?;
    ApiKey::from_wire(i16::from_be_bytes([*key.first()?, *key.get(1)?]))
}

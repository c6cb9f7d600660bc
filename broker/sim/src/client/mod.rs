//! Model clients: each speaks frames over its connection, remembers what it asked, and tells the oracle what it saw.

mod admin;
mod consumer;
mod inspector;
mod member;
mod pages;
mod producer;
mod records;
mod scanner;
mod surveyor;
mod tidier;

use std::collections::VecDeque;

use protocol::api_key::ApiKey;
use protocol::header::{ResponseHeader, request_frame};
use protocol::id::{CorrelationId, Timestamp};
use protocol::wire::{Message, Reader, Request};

pub(crate) use admin::Admin;
pub(crate) use consumer::Consumer;
pub(crate) use inspector::Inspector;
pub(crate) use member::Member;
pub(crate) use producer::Producer;
pub(crate) use scanner::Scanner;
pub(crate) use surveyor::Surveyor;
pub(crate) use tidier::Tidier;

use crate::oracle::Oracle;
use crate::random::Random;

/// What a client may use while it acts.
pub(crate) struct Context<'a> {
    pub(crate) random: &'a mut Random,
    pub(crate) oracle: &'a mut Oracle,
    /// Nanoseconds on the virtual clock.
    pub(crate) now: u64,
    /// The true time: clients' clocks are right, and only the broker's jumps.
    pub(crate) wall: Timestamp,
    /// Nothing new is to be begun: what is under way is brought to its end.
    pub(crate) draining: bool,
    /// Frames to send.
    pub(crate) frames: Vec<Vec<u8>>,
}

/// One client with one connection at a time.
pub(crate) trait Client {
    /// It is connected and has time: it may send something.
    fn act(&mut self, context: &mut Context<'_>);
    /// A response arrived, without its length.
    fn reply(&mut self, frame: &[u8], context: &mut Context<'_>) -> Result<(), String>;
    /// The connection is gone, and with it what was not answered.
    fn lost(&mut self, context: &mut Context<'_>);
    /// Whether nothing of it is under way.
    fn is_idle(&self) -> bool;
    /// When the oldest request was sent that has no response.
    fn waits_since(&self) -> Option<u64>;
}

/// The requests of one connection that wait for their responses, which come in order.
pub(crate) struct Requests<W> {
    name: String,
    next: i32,
    waiting: VecDeque<Waiting<W>>,
}

/// A request that waits for its response.
struct Waiting<W> {
    id: CorrelationId,
    key: ApiKey,
    version: i16,
    sent: u64,
    what: W,
}

/// A request that has its response.
pub(crate) struct Answered<W> {
    pub(crate) version: i16,
    /// When it was sent, on the virtual clock.
    pub(crate) sent: u64,
    pub(crate) what: W,
}

impl<W> Requests<W> {
    pub(crate) fn new(name: &str) -> Self {
        Self { name: name.to_owned(), next: 0, waiting: VecDeque::new() }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    pub(crate) fn len(&self) -> usize {
        self.waiting.len()
    }

    pub(crate) fn send<R: Request>(&mut self, request: &R, version: i16, what: W, context: &mut Context<'_>) {
        self.send_unanswered(request, version, context);
        let id = CorrelationId(self.next);
        self.waiting.push_back(Waiting { id, key: R::KEY, version, sent: context.now, what });
    }

    /// For a request that has no response.
    pub(crate) fn send_unanswered<R: Request>(
        &mut self,
        request: &R,
        version: i16,
        context: &mut Context<'_>,
    ) {
        self.next += 1;
        context.oracle.counters.operations += 1;
        context.frames.push(request_frame(request, version, CorrelationId(self.next), Some(&self.name)));
    }

    /// Which request a response belongs to.
    pub(crate) fn answered(
        &mut self,
        frame: &[u8],
        context: &mut Context<'_>,
    ) -> Result<Answered<W>, String> {
        let Waiting { id, key, version, sent, what } =
            self.waiting.pop_front().ok_or("a response that nobody asked for")?;
        let found = frame.first_chunk().map(|bytes| i32::from_be_bytes(*bytes));
        if found != Some(id.0) {
            return Err(format!("{} expected response {id} and got {found:?}", self.name));
        }
        *context.oracle.counters.answers.entry(key).or_default() += 1;
        Ok(Answered { version, sent, what })
    }

    /// When the oldest request was sent that has no response.
    pub(crate) fn waits_since(&self) -> Option<u64> {
        self.waiting.front().map(|waiting| waiting.sent)
    }

    /// What was asked on a connection that is gone, oldest first.
    pub(crate) fn lost(&mut self) -> Vec<W> {
        self.waiting.drain(..).map(|waiting| waiting.what).collect()
    }
}

/// Reads the response to an `R`.
pub(crate) fn body<R: Request>(frame: &[u8], version: i16) -> Result<R::Response, String> {
    let mut reader = Reader::new(frame);
    let read = ResponseHeader::decode(&mut reader, R::KEY, version)
        .and_then(|_| R::Response::decode(&mut reader, version))
        .and_then(|response| reader.finish().map(|()| response));
    read.map_err(|error| format!("a response to {:?} version {version}: {error}", R::KEY))
}

/// Metadata of all topics.
fn everything() -> protocol::message::MetadataRequest {
    protocol::message::MetadataRequest {
        topics: None,
        allow_auto_topic_creation: false,
        ..Default::default()
    }
}

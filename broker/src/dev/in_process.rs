//! A client of the node in the same process: the frames and handlers of any client, without a socket.
//!
//! Owned by one thread, one request at a time. The node answers on that thread or rouses it through the
//! [`Bell`], which also tells it to stop.

use std::sync::Arc;
use std::time::{Duration, Instant};

use node::{Effects, Next, Output, Part, Session, Wake};
use parking_lot::{Condvar, Mutex};
use protocol::header::{ResponseHeader, request_frame};
use protocol::id::CorrelationId;
use protocol::wire::{DecodeError, Message, Reader, Request};

use crate::shell::Shell;

/// How long an answer may take. A commit takes milliseconds; the bound is for a disk that hangs.
const ANSWER_WAIT: Duration = Duration::from_secs(30);

/// Where the brokers are matters to nobody here.
const FIRST_LISTENER: usize = 0;

/// The length before each frame.
const LENGTH_BYTES: usize = 4;

/// Rouses the one thread that waits for it: something is ready, or it shall stop.
#[derive(Default)]
pub(super) struct Bell {
    state: Mutex<Rung>,
    changed: Condvar,
}

#[derive(Default)]
struct Rung {
    ready: bool,
    stopped: bool,
}

/// Why a wait ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Roused {
    Ready,
    Stopped,
    TimedOut,
}

impl Bell {
    /// Ends this wait and every later one.
    pub(super) fn stop(&self) {
        self.state.lock().stopped = true;
        self.changed.notify_all();
    }

    fn wait(&self, deadline: Instant) -> Roused {
        let mut state = self.state.lock();
        loop {
            if state.stopped {
                return Roused::Stopped;
            }
            if std::mem::take(&mut state.ready) {
                return Roused::Ready;
            }
            if self.changed.wait_until(&mut state, deadline).timed_out() && !state.ready && !state.stopped {
                return Roused::TimedOut;
            }
        }
    }

    /// Sleeps; false when it was told to stop.
    pub(super) fn sleep(&self, time: Duration) -> bool {
        let deadline = Instant::now() + time;
        loop {
            match self.wait(deadline) {
                Roused::Ready => {}
                Roused::Stopped => return false,
                Roused::TimedOut => return true,
            }
        }
    }
}

impl Wake for Bell {
    fn wake(&self) {
        self.state.lock().ready = true;
        self.changed.notify_all();
    }
}

/// Why a request has no answer.
#[derive(Debug, thiserror::Error)]
pub(super) enum CallError {
    #[error("gregor is stopping")]
    Stopped,
    #[error("the broker gave no answer within {} s", ANSWER_WAIT.as_secs())]
    TimedOut,
    #[error("the broker closed the session: {0}")]
    Closed(&'static str),
    #[error("the broker's answer cannot be read: {0}")]
    Unreadable(#[from] DecodeError),
}

/// A session with the node.
pub(super) struct Client {
    shell: Arc<Shell>,
    bell: Arc<Bell>,
    session: Arc<Session>,
    next_correlation_id: i32,
}

impl Client {
    pub(super) fn new(shell: Arc<Shell>, bell: Arc<Bell>) -> Self {
        let session =
            shell.node.connect(shell.clock.now(), FIRST_LISTENER, Arc::clone(&bell) as Arc<dyn Wake>);
        Self { shell, bell, session, next_correlation_id: 0 }
    }

    /// Sends a request in its latest version and waits for the answer.
    ///
    /// # Errors
    /// See [`CallError`]. The answer may still come: the session goes on with a new one.
    pub(super) fn call<R: Request>(&mut self, request: &R) -> Result<R::Response, CallError> {
        let answer = self.exchange(request);
        if answer.is_err() {
            self.disconnect();
            let now = self.shell.clock.now();
            self.session =
                self.shell.node.connect(now, FIRST_LISTENER, Arc::clone(&self.bell) as Arc<dyn Wake>);
        }
        answer
    }

    fn exchange<R: Request>(&mut self, request: &R) -> Result<R::Response, CallError> {
        let version = *R::VERSIONS.end();
        self.next_correlation_id = self.next_correlation_id.wrapping_add(1);
        let correlation_id = CorrelationId(self.next_correlation_id);
        let mut frame = request_frame(request, version, correlation_id, Some("gregor-dev"));
        let mut effects = Effects::default();
        let now = self.shell.clock.now();
        let turn = self.shell.node.receive(now, &self.session, &mut frame, &mut effects);
        self.shell.carry_out(effects);
        if let Next::Close(why) = turn.next {
            return Err(CallError::Closed(why));
        }
        let frame = self.answer()?;
        let mut reader = Reader::new(frame.get(LENGTH_BYTES..).unwrap_or_default());
        let header = ResponseHeader::decode(&mut reader, R::KEY, version)?;
        if header.correlation_id != correlation_id {
            return Err(CallError::Closed("an answer to another request"));
        }
        let response = R::Response::decode(&mut reader, version)?;
        reader.finish()?;
        Ok(response)
    }

    /// Waits for one whole frame.
    fn answer(&self) -> Result<Vec<u8>, CallError> {
        let deadline = Instant::now() + ANSWER_WAIT;
        let mut output = Output::default();
        loop {
            self.session.take_output(&mut output);
            if !output.parts.is_empty() {
                let bytes = |part| match part {
                    Part::Bytes(bytes) => Ok(bytes),
                    Part::Range(_) => Err(CallError::Closed("an answer with records in it")),
                };
                let parts: Result<Vec<_>, _> = output.parts.into_iter().map(bytes).collect();
                return Ok(parts?.concat());
            }
            if let Some(why) = output.close {
                return Err(CallError::Closed(why));
            }
            match self.bell.wait(deadline) {
                Roused::Ready => {}
                Roused::Stopped => return Err(CallError::Stopped),
                Roused::TimedOut => return Err(CallError::TimedOut),
            }
        }
    }

    fn disconnect(&self) {
        let mut effects = Effects::default();
        self.shell.node.disconnect(self.shell.clock.now(), &self.session, &mut effects);
        self.shell.carry_out(effects);
    }

    pub(super) fn is_ready(&self) -> bool {
        self.shell.node.is_ready()
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        self.disconnect();
    }
}

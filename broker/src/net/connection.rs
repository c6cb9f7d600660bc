//! One connection: a task that reads frames, runs the core inline and writes what is ready (D2).

use std::future::{Future, poll_fn};
use std::io;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use node::metrics::Shard;
use node::{Effects, Next, Output as Taken, Session, Wake};
use tokio::io::{AsyncRead, Interest, ReadBuf};
use tokio::net::TcpStream;
use tokio::sync::Notify;
use tokio::time::Instant;

use super::buffer::Buffer;
use super::idle::Idle;
use super::memory::{RequestMemory, Share};
use super::output::Output;
use crate::loops;
use crate::shell::Shell;

/// How long a peer that sends no more may wait for what it asked before. Nobody waits longer for a reply that cannot be
/// told from one to a peer that is gone.
const FINISH_WAIT: Duration = Duration::from_secs(1);

/// Rouses a connection's task when another core answered one of its requests.
struct Bell(Notify);

impl Wake for Bell {
    fn wake(&self) {
        self.0.notify_one();
    }
}

/// What a connection waited for.
enum Event {
    /// Bytes arrived.
    Received,
    /// The peer sends no more.
    Ended,
    /// A reply became ready, the socket takes bytes again, or there is memory again.
    Roused,
    /// Nothing moved for too long.
    Idle,
}

/// How a connection ended.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// The peer left.
    Left,
    /// What the peer sent, for this reason.
    Misused(&'static str),
    /// Nothing moved on it for `connections.max.idle.ms`.
    Idle,
}

/// A connection until it ends; dropping it, also in the middle of a wait, takes leave of the core.
pub(crate) struct Connection {
    shell: Arc<Shell>,
    stream: TcpStream,
    session: Arc<Session>,
    bell: Arc<Bell>,
    buffer: Buffer,
    output: Output,
    /// What was taken last of the session, kept for its memory.
    taken: Taken,
    /// What it is charged of the memory for requests.
    share: Share,
    idle: Idle,
    next: Next,
    /// Set when the peer was found to send no more while requests wait.
    finish_by: Option<Instant>,
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.share.hold(&self.shell.request_memory, 0);
        self.shard().closed_connections.increment();
        let mut effects = Effects::default();
        self.shell.node.disconnect(self.shell.clock.now(), &self.session, &mut effects);
        self.shell.carry_out(effects);
    }
}

impl Connection {
    /// A connection that came by the listener at this place of the configured ones.
    pub(crate) fn new(shell: Arc<Shell>, listener: usize, stream: TcpStream) -> Self {
        let bell = Arc::new(Bell(Notify::new()));
        let wake = Arc::clone(&bell) as Arc<dyn Wake>;
        let now = shell.clock.now();
        let address = stream.peer_addr().ok().map(|peer| peer.ip());
        let session = shell.node.connect_from(now, listener, address, wake);
        let idle = Idle::new(shell.clock, now.monotonic, shell.node.config().connections_max_idle_ms);
        shell.node.metrics().shard(session.number()).opened_connections.increment();
        Self {
            shell,
            stream,
            session,
            bell,
            buffer: Buffer::default(),
            output: Output::default(),
            taken: Taken::default(),
            share: Share::default(),
            idle,
            next: Next::Read { frame_bytes: None },
            finish_by: None,
        }
    }

    /// Serves until the peer leaves, breaks the protocol or is silent for too long.
    pub(crate) async fn serve(&mut self) -> io::Result<End> {
        loop {
            if let Some(reason) = self.write()? {
                return Ok(End::Misused(reason));
            }
            // What waits goes on only when the client took all replies: they are what bounds it.
            if self.next == Next::Wait && self.output.is_empty() && self.turn() {
                continue;
            }
            match self.event().await? {
                Event::Received => {
                    self.turn();
                }
                Event::Ended => return Ok(End::Left),
                Event::Idle => return Ok(End::Idle),
                Event::Roused => {}
            }
        }
    }

    /// Runs the core over what was received; whether that changed anything.
    fn turn(&mut self) -> bool {
        loops::beat();
        let mut effects = Effects::default();
        let now = self.shell.clock.now();
        self.idle.moved(now.monotonic);
        let turn = self.shell.node.receive(now, &self.session, self.buffer.filled(), &mut effects);
        self.shard().received_bytes.add(turn.consumed as u64);
        self.buffer.consume(turn.consumed);
        self.next = turn.next;
        self.shell.carry_out(effects);
        turn.consumed > 0 || turn.next != Next::Wait
    }

    /// Writes what is ready. Gives the reason to close once everything before it is on the wire.
    fn write(&mut self) -> io::Result<Option<&'static str>> {
        self.taken.parts = std::mem::take(&mut self.output.parts);
        self.session.take_output(&mut self.taken);
        self.output.parts = std::mem::take(&mut self.taken.parts);
        let (mut all_written, mut moved) = (true, false);
        if !self.output.is_empty() {
            let written = self.output.write(&self.stream)?;
            all_written = self.output.is_empty();
            self.shard().sent_bytes.add(written);
            moved = written > 0;
        }
        if moved || !self.taken.answered.is_empty() {
            // The one look at the clock behind a turn.
            let now = self.shell.clock.monotonic();
            if moved {
                self.idle.moved(now);
            }
            self.shell.node.count_answered(now, &self.session, &self.taken.answered);
        }
        let close = match self.next {
            Next::Close(reason) => Some(reason),
            _ => self.taken.close,
        };
        Ok(close.filter(|_| all_written))
    }

    fn shard(&self) -> &Shard {
        self.shell.node.metrics().shard(self.session.number())
    }

    /// Waits for the next thing to do. Reading pauses while replies do not fit into the socket, while a request has to
    /// wait for earlier ones, and while requests take too much memory.
    async fn event(&mut self) -> io::Result<Event> {
        let Self { shell, stream, bell, buffer, output, share, idle, next, finish_by, .. } = self;
        let memory = &shell.request_memory;
        share.hold(memory, buffer.held_bytes() as u64);
        let mut roused = pin!(bell.0.notified());
        if output.is_empty() && *next == Next::Wait {
            let mut departed = pin!(departure(stream, finish_by));
            return poll_fn(move |context| {
                if roused.as_mut().poll(context).is_ready() {
                    return Poll::Ready(Ok(Event::Roused));
                }
                match departed.as_mut().poll(context) {
                    Poll::Pending => idle.poll(context).map(|()| Ok(Event::Idle)),
                    departed => departed,
                }
            })
            .await;
        }
        let mut freed = pin!(None);
        poll_fn(move |context| {
            if roused.as_mut().poll(context).is_ready() {
                return Poll::Ready(Ok(Event::Roused));
            }
            let event = if !output.is_empty() {
                stream.poll_write_ready(context).map_ok(|()| Event::Roused)
            } else if let Next::Read { frame_bytes } = *next {
                let granted = may_read(memory, share, buffer, frame_bytes) || {
                    // Once more under the promise to be told, so that nothing is missed in between.
                    freed.set(Some(memory.freed()));
                    may_read(memory, share, buffer, frame_bytes)
                };
                if granted {
                    poll_receive(stream, buffer, frame_bytes, context)
                } else {
                    let freed = freed.as_mut().as_pin_mut();
                    freed.map_or(Poll::Pending, |freed| freed.poll(context)).map(|()| Ok(Event::Roused))
                }
            } else {
                Poll::Pending
            };
            if event.is_pending() {
                share.hold(memory, buffer.held_bytes() as u64);
                return idle.poll(context).map(|()| Ok(Event::Idle));
            }
            event
        })
        .await
    }
}

/// Whether there is memory for the next read. A connection that has begun nothing holds none while it waits for that.
fn may_read(
    memory: &RequestMemory,
    share: &mut Share,
    buffer: &mut Buffer,
    frame_bytes: Option<usize>,
) -> bool {
    if !buffer.is_empty() {
        return share.grow(memory, buffer.next_bytes(frame_bytes) as u64);
    }
    if memory.may_begin() {
        return true;
    }
    buffer.release();
    share.hold(memory, buffer.held_bytes() as u64);
    memory.may_begin()
}

/// Waits until the peer is gone, or sends no more and had its time. Nothing is read: what it sent before comes first,
/// such as the last records of a producer that closes and wants no acknowledgement.
async fn departure(stream: &TcpStream, finish_by: &mut Option<Instant>) -> io::Result<Event> {
    let finish_by = match finish_by {
        Some(finish_by) => *finish_by,
        None => {
            // This interest is answered by the end of the peer's stream and by urgent data, of which no socket here is
            // told: unlike that in reading, it sleeps while bytes lie ready.
            stream.ready(Interest::PRIORITY).await?;
            *finish_by.insert(Instant::now() + FINISH_WAIT)
        }
    };
    if let Some(error) = stream.take_error()? {
        return Err(error);
    }
    tokio::time::sleep_until(finish_by).await;
    Ok(Event::Ended)
}

fn poll_receive(
    stream: &mut TcpStream,
    buffer: &mut Buffer,
    frame_bytes: Option<usize>,
    context: &mut Context<'_>,
) -> Poll<io::Result<Event>> {
    let mut room = ReadBuf::new(buffer.room(frame_bytes));
    match Pin::new(stream).poll_read(context, &mut room) {
        Poll::Ready(Ok(())) => {
            let count = room.filled().len();
            buffer.received(count);
            Poll::Ready(Ok(if count == 0 { Event::Ended } else { Event::Received }))
        }
        Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
        Poll::Pending => {
            buffer.release();
            Poll::Pending
        }
    }
}

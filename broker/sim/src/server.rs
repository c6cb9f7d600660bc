//! The broker's process as the world sees it: the real node, its connections, and its job threads.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use node::{Effects, Job, JobResult, Next, Node, Now, Output, Part, Session, Ticket, Wake};
use parking_lot::Mutex;
use storage::disk::Wait;

/// Connections whose replies became ready in another one's turn.
pub(crate) type Woken = Arc<Mutex<Vec<u64>>>;

struct Bell {
    connection: u64,
    woken: Woken,
}

impl Wake for Bell {
    fn wake(&self) {
        self.woken.lock().push(self.connection);
    }
}

/// Which threads do a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Pool {
    /// Syncs of logs, one by one.
    Sync,
    /// Syncs of the metadata log, one by one.
    Metadata,
    /// All else.
    Work,
}

impl Pool {
    const fn of(job: &Job) -> Self {
        match job {
            Job::Sync(_) => Self::Sync,
            Job::PersistMetadata(_) => Self::Metadata,
            _ => Self::Work,
        }
    }

    const fn threads(self) -> usize {
        match self {
            Self::Sync | Self::Metadata => 1,
            Self::Work => 4,
        }
    }
}

/// A job on its thread: done already and to be told, or done when its time is over.
pub(crate) enum Running {
    Late(Job),
    /// With whether the disk failed it in a way that takes its directory offline.
    Early(JobResult, bool),
}

/// One connection at the broker's end.
pub(crate) struct Connection {
    pub(crate) session: Arc<Session>,
    /// Received and not consumed.
    input: Vec<u8>,
    next: Next,
    output: Output,
    /// A flush is on its way.
    pub(crate) flushing: bool,
}

/// The jobs of a pool: how many run, and those that wait.
type Queue = (Pool, usize, VecDeque<(Ticket, Job)>);

/// A running broker.
pub(crate) struct Server {
    pub(crate) node: Node,
    pub(crate) connections: BTreeMap<u64, Connection>,
    pub(crate) woken: Woken,
    queues: [Queue; 3],
}

impl Server {
    pub(crate) fn new(node: Node) -> Self {
        let queue = |pool: Pool| (pool, 0, VecDeque::new());
        let queues = [queue(Pool::Sync), queue(Pool::Metadata), queue(Pool::Work)];
        Self { node, connections: BTreeMap::new(), woken: Woken::default(), queues }
    }

    pub(crate) fn connect(&mut self, now: Now, connection: u64) {
        let bell = Bell { connection, woken: Arc::clone(&self.woken) };
        let session = self.node.connect(now, 0, Arc::new(bell));
        let (next, output) = (Next::Read { frame_bytes: None }, Output::default());
        self.connections
            .insert(connection, Connection { session, input: Vec::new(), next, output, flushing: false });
    }

    pub(crate) fn disconnect(&mut self, now: Now, connection: u64, effects: &mut Effects) {
        if let Some(gone) = self.connections.remove(&connection) {
            self.node.disconnect(now, &gone.session, effects);
        }
    }

    /// Bytes arrived.
    pub(crate) fn receive(&mut self, now: Now, connection: u64, bytes: &[u8], effects: &mut Effects) {
        let Some(connection) = self.connections.get_mut(&connection) else { return };
        connection.input.extend_from_slice(bytes);
        if matches!(connection.next, Next::Read { .. }) {
            connection.turn(&self.node, now, effects);
        }
    }

    /// Replies are ready, or were written: what waited for that goes on.
    pub(crate) fn roused(&mut self, now: Now, connection: u64, effects: &mut Effects) {
        let Some(connection) = self.connections.get_mut(&connection) else { return };
        if connection.next == Next::Wait {
            connection.turn(&self.node, now, effects);
        }
    }

    /// Whether a connection has something to write, or is to be closed.
    pub(crate) fn has_output(&mut self, connection: u64) -> bool {
        let Some(connection) = self.connections.get_mut(&connection) else { return false };
        connection.session.take_output(&mut connection.output);
        !connection.output.parts.is_empty()
            || connection.output.close.is_some()
            || matches!(connection.next, Next::Close(_))
    }

    /// The bytes that are ready, file ranges read by now, and why the connection ends behind them.
    pub(crate) fn take_output(&mut self, connection: u64) -> Result<(Vec<u8>, Option<&'static str>), String> {
        let Some(connection) = self.connections.get_mut(&connection) else { return Ok((Vec::new(), None)) };
        connection.flushing = false;
        let mut bytes = Vec::new();
        for part in connection.output.parts.drain(..) {
            match part {
                Part::Bytes(part) => bytes.extend(part),
                Part::Range(range) => {
                    bytes.extend(range.read(Wait::Long).map_err(|error| format!("sendfile: {error}"))?);
                }
            }
        }
        let close = match connection.next {
            Next::Close(reason) => Some(reason),
            _ => connection.output.close,
        };
        Ok((bytes, close))
    }

    /// Queues a job.
    pub(crate) fn push(&mut self, ticket: Ticket, job: Job) {
        let pool = Pool::of(&job);
        for (of, _, queue) in &mut self.queues {
            if *of == pool {
                queue.push_back((ticket, job));
                return;
            }
        }
    }

    /// The next job for which a thread is free.
    pub(crate) fn start_job(&mut self) -> Option<(Pool, Ticket, Job)> {
        for (pool, busy, queue) in &mut self.queues {
            if *busy < pool.threads()
                && let Some((ticket, job)) = queue.pop_front()
            {
                *busy += 1;
                return Some((*pool, ticket, job));
            }
        }
        None
    }

    /// A thread is free again.
    pub(crate) fn job_ended(&mut self, pool: Pool) {
        for (of, busy, _) in &mut self.queues {
            if *of == pool {
                *busy = busy.saturating_sub(1);
            }
        }
    }
}

impl Connection {
    fn turn(&mut self, node: &Node, now: Now, effects: &mut Effects) {
        let turn = node.receive(now, &self.session, &mut self.input, effects);
        self.input.drain(..turn.consumed);
        self.next = turn.next;
    }
}

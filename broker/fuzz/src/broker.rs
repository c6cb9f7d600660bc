//! A whole broker on a disk in memory, whose jobs are done at once and whose clock moves when it is told to.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use node::{Config, Effects, Job, Next, Node, Now, OpenError, Output, Part, Session, Ticket, Turn, Wake};
use protocol::header::{ResponseHeader, request_frame};
use protocol::id::{CorrelationId, Monotonic, Timestamp};
use protocol::wire::{Message, Reader, Request};
use storage::disk::{VirtualDisk, Wait};

/// Where its log directory is.
pub(crate) const DIRECTORY: &str = "/data";
/// No input leads to more jobs than this, or the broker runs in a circle.
const JOBS_MAX: usize = 100_000;

#[derive(Debug)]
struct Silent;

impl Wake for Silent {
    fn wake(&self) {}
}

/// The broker.
pub(crate) struct Broker {
    node: Node,
    jobs: Vec<(Ticket, Job)>,
    timers: BTreeMap<(Monotonic, usize), Ticket>,
    set: usize,
    now: Monotonic,
}

/// A connection to it.
pub(crate) struct Link {
    session: Arc<Session>,
    input: Vec<u8>,
}

impl Broker {
    /// Starts it on what the disk holds.
    pub(crate) fn open(disk: &VirtualDisk) -> Result<Self, OpenError> {
        let overrides = [
            ("log.dirs", DIRECTORY),
            // A topic that an input names costs as little as it can.
            ("num.partitions", "1"),
            ("offsets.topic.num.partitions", "1"),
            ("record.validation", "strict"),
        ];
        let overrides: Vec<_> =
            overrides.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
        let config = Config::dev(&overrides).expect("the configuration is valid");
        let mut effects = Effects::default();
        let now = Monotonic(0);
        let node = Node::open(clock(now), config, Arc::new(disk.clone()), 7, &mut effects)?;
        let mut broker = Self { node, jobs: Vec::new(), timers: BTreeMap::new(), set: 0, now };
        broker.take(effects);
        broker.advance(Duration::from_secs(1));
        Ok(broker)
    }

    fn take(&mut self, effects: Effects) {
        self.jobs.extend(effects.jobs);
        for (deadline, ticket) in effects.timers {
            self.set += 1;
            self.timers.insert((deadline, self.set), ticket);
        }
    }

    fn run_jobs(&mut self) {
        let mut done = 0;
        while !self.jobs.is_empty() {
            for (ticket, job) in std::mem::take(&mut self.jobs) {
                done += 1;
                assert!(done <= JOBS_MAX, "jobs lead to jobs without an end");
                let mut effects = Effects::default();
                self.node.job_done(clock(self.now), ticket, job.run(), &mut effects);
                self.take(effects);
            }
        }
    }

    /// Lets time pass: timers fire, jobs are done.
    pub(crate) fn advance(&mut self, time: Duration) {
        let until = self.now.plus(time);
        self.run_jobs();
        while let Some(entry) = self.timers.first_entry().filter(|entry| entry.key().0 <= until) {
            self.now = self.now.max(entry.key().0);
            let ticket = entry.remove();
            let mut effects = Effects::default();
            self.node.timer(clock(self.now), &ticket, &mut effects);
            self.take(effects);
            self.run_jobs();
        }
        self.now = until;
    }

    pub(crate) fn connect(&self) -> Link {
        Link { session: self.node.connect(clock(self.now), 0, Arc::new(Silent)), input: Vec::new() }
    }

    /// Bytes arrive; `false` when the broker closes the connection.
    pub(crate) fn receive(&mut self, link: &mut Link, bytes: &[u8]) -> bool {
        link.input.extend_from_slice(bytes);
        loop {
            let mut effects = Effects::default();
            let Turn { consumed, next } =
                self.node.receive(clock(self.now), &link.session, &mut link.input, &mut effects);
            link.input.drain(..consumed);
            self.take(effects);
            self.run_jobs();
            match next {
                Next::Close(_) => return false,
                // Its replies are taken, so that it may go on.
                Next::Wait if consumed > 0 && !link.input.is_empty() => drop(link.output()),
                _ => return true,
            }
        }
    }

    /// The client is gone.
    pub(crate) fn disconnect(&mut self, link: &Link) {
        let mut effects = Effects::default();
        self.node.disconnect(clock(self.now), &link.session, &mut effects);
        self.take(effects);
        self.run_jobs();
    }

    /// A request of a client that behaves, on a connection of its own, which must be answered.
    pub(crate) fn call<R: Request>(&mut self, request: &R, version: i16) -> R::Response {
        let mut link = self.connect();
        let frame = request_frame(request, version, CorrelationId(3), Some("sane"));
        assert!(self.receive(&mut link, &frame), "a sane {:?} closes its connection", R::KEY);
        let mut reply = link.output();
        for _ in 0..40 {
            if !reply.is_empty() {
                break;
            }
            self.advance(Duration::from_secs(1));
            reply = link.output();
        }
        let mut reader = Reader::new(reply.get(4..).expect("a sane request is answered"));
        ResponseHeader::decode(&mut reader, R::KEY, version).expect("a response's header");
        let response = R::Response::decode(&mut reader, version).expect("a response");
        self.disconnect(&link);
        response
    }
}

impl Link {
    /// What was answered since the last time.
    pub(crate) fn output(&mut self) -> Vec<u8> {
        let mut output = Output::default();
        self.session.take_output(&mut output);
        let mut bytes = Vec::new();
        for part in output.parts {
            match part {
                Part::Bytes(part) => bytes.extend(part),
                // A range whose file is damaged or gone ends the connection.
                Part::Range(range) => bytes.extend(range.read(Wait::Long).unwrap_or_default()),
            }
        }
        bytes
    }
}

/// 2026-01-01 and later.
fn clock(now: Monotonic) -> Now {
    let since_start = i64::try_from(now.0 / 1_000_000).expect("a short run");
    Now { monotonic: now, wall: Timestamp(1_767_225_600_000 + since_start) }
}

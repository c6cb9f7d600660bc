//! One run: a node on a virtual clock and disk, its clients, and what goes wrong.
//!
//! Everything that happens is an event in one queue, ordered by time and then by the order in which it was planned.
//! The world carries out what the node asks for, as a broker's process does, and never looks into a frame.

use std::collections::BTreeMap;
use std::sync::Arc;

use node::{Config, Effects, Job, Node, Now, Ticket};
use protocol::id::{Monotonic, Timestamp};
use storage::disk::{Disk, SeededChooser, Unsynced, VirtualDisk};

use crate::client::{Admin, Client, Consumer, Context, Producer, Scanner};
use crate::fault::{Crash, Fault, Plan};
use crate::oracle::{Counters, Kind, Oracle};
use crate::random::Random;
use crate::server::{Pool, Running, Server};
use crate::trace::Trace;

/// Nanoseconds of a microsecond and a millisecond.
pub(crate) const MICRO: u64 = 1_000;
pub(crate) const MILLI: u64 = 1_000_000;
/// When a run begins, on the wall clock: 2026-01-01.
const WALL_START_MS: i64 = 1_767_225_600_000;
/// A run that takes longer than this does not make progress.
const TIME_MAX: u64 = 900_000 * MILLI;
/// What a run has to reach before it ends.
const EVENTS_MIN: u64 = 20_000;
const OPERATIONS_MIN: u64 = 2_500;

/// Something that is to happen.
enum Event {
    /// A client has time.
    Act(usize),
    /// Bytes reach the broker.
    Arrive(u64, Vec<u8>),
    /// A connection's thread at the broker is roused.
    Roused(u64),
    /// The broker writes what is ready.
    Flush(u64),
    /// Bytes reach a client.
    Deliver(u64, Vec<u8>),
    /// A connection ends.
    Close(u64),
    Timer(Ticket),
    Job(Pool, Ticket, Box<Running>),
    Fault(Fault),
    /// The broker's process starts.
    Start,
}

/// A client's end of its connection.
struct Link {
    client: Box<dyn Client>,
    name: String,
    /// Waits until the broker says that it is ready.
    patient: bool,
    connection: Option<u64>,
    inbox: Vec<u8>,
    /// When the last bytes arrive in either direction: a stream keeps its order.
    to_broker: u64,
    to_client: u64,
    /// The least and the most time between two acts, in microseconds.
    pace: (u64, u64),
}

/// How a run ended.
#[derive(Debug)]
pub struct Outcome {
    /// What was broken, and the last events before it was seen.
    pub failure: Option<(String, Vec<String>)>,
    /// A hash of everything that happened.
    pub trace: u64,
    /// How many events there were.
    pub events: u64,
    /// Records in the logs at the end.
    pub records: usize,
    /// What happened how often.
    pub counters: Counters,
}

/// What the run is at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    Running,
    Draining,
    Scanning,
    Done,
}

pub(crate) struct World {
    random: Random,
    now: u64,
    planned: u64,
    queue: BTreeMap<(u64, u64), Event>,
    disk: VirtualDisk,
    config: Config,
    server: Option<Server>,
    links: Vec<Link>,
    next_connection: u64,
    oracle: Oracle,
    trace: Trace,
    plan: Plan,
    /// The disk's call at which the process dies, and how.
    armed: Option<(u64, Crash)>,
    /// Jobs take long until then.
    slow_until: u64,
    phase: Phase,
    failure: Option<String>,
}

impl World {
    pub(crate) fn new(seed: u64, aloud: bool) -> Result<Self, String> {
        let mut random = Random::new(seed);
        let overrides = [
            ("log.dirs", "/data".to_owned()),
            ("log.retention.check.interval.ms", random.between(300, 1_500).to_string()),
            ("background.sync.interval.ms", random.between(100, 3_000).to_string()),
            ("log.index.interval.bytes", random.between(0, 4_096).to_string()),
            ("max.incremental.fetch.session.cache.slots", random.between(1, 8).to_string()),
        ];
        let overrides = overrides.map(|(key, value)| (key.to_owned(), value));
        let config = Config::dev(&overrides).map_err(|problems| format!("{problems:?}"))?;
        let mut world = Self {
            plan: Plan::new(&mut random),
            random,
            now: 0,
            planned: 0,
            queue: BTreeMap::new(),
            disk: VirtualDisk::new(),
            config,
            server: None,
            links: Vec::new(),
            next_connection: 0,
            oracle: Oracle::default(),
            trace: Trace::new(aloud),
            armed: None,
            slow_until: 0,
            phase: Phase::Running,
            failure: None,
        };
        world.add_clients();
        world.at(0, Event::Start);
        for (at, fault) in world.plan.faults() {
            world.at(at, Event::Fault(fault));
        }
        Ok(world)
    }

    fn add_clients(&mut self) {
        self.add("scanner", Box::new(Scanner::new()), true, (200, 1_500));
        self.add("admin", Box::new(Admin::new()), true, (2_000, 60_000));
        let lasting = [Kind::Kept, Kind::Synced, Kind::Retained];
        let all = [Kind::Kept, Kind::Synced, Kind::Retained, Kind::Fleeting];
        let acks = [*self.random.pick(&[1, -1]), *self.random.pick(&[0, 1])];
        let producers = [
            ("idempotent-1", true, -1, &all[..]),
            ("idempotent-2", true, -1, &lasting[..]),
            ("plain-1", false, acks[0], &all[..]),
            ("plain-2", false, acks[1], &lasting[..]),
        ];
        for (name, idempotent, acks, kinds) in producers {
            let incarnation = self.oracle.producer();
            let client = Producer::new(name, idempotent, acks, kinds, incarnation);
            self.add(name, Box::new(client), false, (2_000, 40_000));
        }
        for number in 1..=self.random.between(1, 2) {
            let name = format!("consumer-{number}");
            self.add(&name, Box::new(Consumer::new(&name)), false, (2_000, 30_000));
        }
    }

    fn add(&mut self, name: &str, client: Box<dyn Client>, patient: bool, pace: (u64, u64)) {
        let at = self.links.len();
        self.links.push(Link {
            client,
            name: name.to_owned(),
            patient,
            connection: None,
            inbox: Vec::new(),
            to_broker: 0,
            to_client: 0,
            pace,
        });
        self.at(MILLI, Event::Act(at));
    }

    /// Plans an event `after` nanoseconds from the present.
    fn at(&mut self, after: u64, event: Event) {
        self.planned += 1;
        self.queue.insert((self.now + after, self.planned), event);
    }

    fn clock(&self) -> Now {
        let wall = WALL_START_MS + i64::try_from(self.now / MILLI).unwrap_or(0);
        Now { monotonic: Monotonic(self.now), wall: Timestamp(wall) }
    }

    fn fail(&mut self, why: String) {
        if self.failure.is_none() {
            self.trace.event(self.now, format_args!("FAILED: {why}"));
            self.failure = Some(why);
        }
    }

    /// Plays the run to its end.
    pub(crate) fn run(mut self) -> Outcome {
        while self.failure.is_none() && self.phase != Phase::Done {
            let Some(((time, _), event)) = self.queue.pop_first() else {
                self.fail("nothing is left to happen".to_owned());
                break;
            };
            self.now = time;
            if time > TIME_MAX {
                let waiting: Vec<&str> = self
                    .links
                    .iter()
                    .filter(|link| !link.client.is_idle())
                    .map(|link| link.name.as_str())
                    .collect();
                let why = format!("no progress in phase {:?}; {waiting:?} wait", self.phase);
                self.fail(why);
                break;
            }
            self.step(event);
            self.advance();
        }
        let (trace, events) = (self.trace.hash(), self.trace.events());
        let failure = self.failure.take().map(|why| (why, self.trace.into_last()));
        Outcome { failure, trace, events, records: self.oracle.records(), counters: self.oracle.counters }
    }

    /// Goes to the next phase when this one is over.
    fn advance(&mut self) {
        let quiet = self.server.is_some() && self.armed.is_none();
        match self.phase {
            Phase::Running
                if quiet
                    && self.plan.is_over(self.now)
                    && self.trace.events() >= EVENTS_MIN
                    && self.oracle.counters.operations >= OPERATIONS_MIN
                    && !self.oracle.cut_pending =>
            {
                self.trace.event(self.now, format_args!("draining"));
                self.phase = Phase::Draining;
            }
            Phase::Draining if self.links.iter().all(|link| link.client.is_idle()) => {
                self.trace.event(self.now, format_args!("final scan"));
                self.phase = Phase::Scanning;
                self.scan();
            }
            Phase::Scanning if self.links.iter().all(|link| link.client.is_idle()) => {
                self.phase = Phase::Done;
            }
            _ => {}
        }
    }

    /// Lets the auditor read everything.
    fn scan(&mut self) {
        self.links[SCANNER].client = Box::new(Scanner::started());
        self.drop_connection(SCANNER);
    }

    fn step(&mut self, event: Event) {
        match event {
            Event::Act(client) => self.act(client),
            Event::Arrive(connection, bytes) => {
                let name = name(&self.links, connection);
                self.trace.event(self.now, format_args!("{name} sends {}", bytes.len()));
                self.trace.bytes(&bytes);
                self.node(|server, now, effects| server.receive(now, connection, &bytes, effects));
                self.plan_flush(connection);
            }
            Event::Roused(connection) => {
                self.node(|server, now, effects| server.roused(now, connection, effects));
                self.plan_flush(connection);
            }
            Event::Flush(connection) => self.flush(connection),
            Event::Deliver(connection, bytes) => self.deliver(connection, &bytes),
            Event::Close(connection) => self.close(connection),
            Event::Timer(ticket) => {
                self.trace.event(self.now, format_args!("timer"));
                self.node(|server, now, effects| server.node.timer(now, &ticket, effects));
            }
            Event::Job(pool, ticket, running) => self.job(pool, ticket, *running),
            Event::Fault(fault) => self.fault(fault),
            Event::Start => self.start(),
        }
    }

    /// Runs the node and carries out what it asks for, unless the process died meanwhile.
    fn node(&mut self, act: impl FnOnce(&mut Server, Now, &mut Effects)) {
        let now = self.clock();
        let Some(server) = &mut self.server else { return };
        let mut effects = Effects::default();
        act(server, now, &mut effects);
        if !self.died() {
            self.carry_out(effects);
        }
    }

    /// Whether the disk's call came at which the process was to die.
    fn died(&mut self) -> bool {
        match self.armed {
            Some((call, crash)) if self.disk.calls() > call => {
                self.oracle.counters.torn_calls += 1;
                self.crash(crash);
                true
            }
            _ => false,
        }
    }

    fn carry_out(&mut self, mut effects: Effects) {
        for (deadline, ticket) in effects.timers.drain(..) {
            let late = self.random.below(MILLI);
            self.at(deadline.0.saturating_sub(self.now) + late, Event::Timer(ticket));
        }
        for notice in effects.notices.drain(..) {
            self.trace.event(self.now, format_args!("notice: {notice}"));
        }
        let Some(server) = &mut self.server else { return };
        for (ticket, job) in effects.jobs.drain(..) {
            match &job {
                Job::Warm(_) => self.oracle.counters.cold_reads += 1,
                Job::Recover(_) => self.oracle.counters.recoveries += 1,
                _ => {}
            }
            server.push(ticket, job);
        }
        let woken = std::mem::take(&mut *server.woken.lock());
        for connection in woken {
            let after = self.random.below(200 * MICRO);
            self.at(after, Event::Roused(connection));
        }
        self.start_jobs();
    }

    fn start_jobs(&mut self) {
        while let Some((pool, ticket, job)) = self.server.as_mut().and_then(Server::start_job) {
            let slow = self.now < self.slow_until;
            let duration = if slow {
                self.random.between(20, 900) * MILLI
            } else {
                self.random.between(50, 4_000) * MICRO
            };
            // The disk may be changed when a job begins or when it ends: both happen before it is told.
            let early = self.random.chance(50);
            let running = if early { Running::Early(job.run()) } else { Running::Late(job) };
            if self.died() {
                return;
            }
            self.at(duration, Event::Job(pool, ticket, Box::new(running)));
        }
    }

    fn job(&mut self, pool: Pool, ticket: Ticket, running: Running) {
        self.trace.event(self.now, format_args!("job {pool:?}"));
        let result = match running {
            Running::Early(result) => result,
            Running::Late(job) => {
                let result = job.run();
                if self.died() {
                    return;
                }
                result
            }
        };
        self.node(|server, now, effects| {
            server.job_ended(pool);
            server.node.job_done(now, ticket, result, effects);
        });
        self.start_jobs();
    }

    fn plan_flush(&mut self, connection: u64) {
        let Some(server) = &mut self.server else { return };
        if !server.has_output(connection) {
            return;
        }
        let Some(found) = server.connections.get_mut(&connection) else { return };
        if !std::mem::replace(&mut found.flushing, true) {
            // A client that is slow to read.
            let after = if self.random.chance(3) {
                self.random.below(300 * MILLI)
            } else {
                self.random.below(100 * MICRO)
            };
            self.at(after, Event::Flush(connection));
        }
    }

    fn flush(&mut self, connection: u64) {
        let Some(server) = &mut self.server else { return };
        let (bytes, close) = match server.take_output(connection) {
            Ok(taken) => taken,
            Err(why) => return self.fail(why),
        };
        self.trace.bytes(&bytes);
        let Some(at) = self.links.iter().position(|link| link.connection == Some(connection)) else { return };
        let mut arrival = self.links[at].to_client.max(self.now);
        for piece in pieces(&mut self.random, bytes) {
            arrival += self.random.below(300 * MICRO);
            self.at(arrival - self.now, Event::Deliver(connection, piece));
        }
        self.links[at].to_client = arrival;
        if let Some(reason) = close {
            let name = name(&self.links, connection);
            self.trace.event(self.now, format_args!("the broker closes {name}: {reason}"));
            self.at(arrival - self.now, Event::Close(connection));
            return;
        }
        self.node(|server, now, effects| server.roused(now, connection, effects));
        self.plan_flush(connection);
    }

    fn deliver(&mut self, connection: u64, bytes: &[u8]) {
        let Some(at) = self.links.iter().position(|link| link.connection == Some(connection)) else { return };
        self.trace.event(self.now, format_args!("{} gets {}", self.links[at].name, bytes.len()));
        self.links[at].inbox.extend_from_slice(bytes);
        while let Some(prefix) = self.links[at].inbox.first_chunk::<4>() {
            let length = usize::try_from(i32::from_be_bytes(*prefix)).unwrap_or(0);
            if self.links[at].inbox.len() < 4 + length {
                return;
            }
            let frame: Vec<u8> = self.links[at].inbox.drain(..4 + length).skip(4).collect();
            let done = self.with_client(at, |client, context| client.reply(&frame, context));
            if let Err(why) = done {
                let name = self.links[at].name.clone();
                return self.fail(format!("{name}: {why}"));
            }
        }
    }

    /// Lets a client do something, and sends what it wants to send.
    fn with_client<T>(&mut self, at: usize, act: impl FnOnce(&mut dyn Client, &mut Context<'_>) -> T) -> T {
        let wall = self.clock().wall;
        let mut context = Context {
            random: &mut self.random,
            oracle: &mut self.oracle,
            now: self.now,
            wall,
            draining: self.phase != Phase::Running,
            frames: Vec::new(),
        };
        let result = act(self.links[at].client.as_mut(), &mut context);
        let frames = context.frames;
        if let (Some(connection), false) = (self.links[at].connection, frames.is_empty()) {
            let mut arrival = self.links[at].to_broker.max(self.now);
            for piece in pieces(&mut self.random, frames.concat()) {
                arrival += self.random.below(300 * MICRO);
                self.at(arrival - self.now, Event::Arrive(connection, piece));
            }
            self.links[at].to_broker = arrival;
        }
        result
    }

    fn act(&mut self, at: usize) {
        let (low, high) = self.links[at].pace;
        let after = self.random.between(low, high) * MICRO;
        self.at(after, Event::Act(at));
        let admitted = match &self.server {
            None => false,
            Some(server) if self.links[at].patient => server.node.is_ready(),
            Some(_) => true,
        };
        // After a loss of power the auditor comes first, so that it finds what the loss left.
        let admitted = admitted && (at == SCANNER || !self.oracle.cut_pending);
        if !admitted {
            return;
        }
        if self.links[at].connection.is_none() {
            self.next_connection += 1;
            let connection = self.next_connection;
            self.links[at].connection = Some(connection);
            self.trace.event(self.now, format_args!("{} connects", self.links[at].name));
            self.node(|server, now, _| server.connect(now, connection));
        }
        self.with_client(at, |client, context| client.act(context));
    }

    /// A connection ends for both sides, with all that is under way on it.
    fn close(&mut self, connection: u64) {
        if let Some(at) = self.links.iter().position(|link| link.connection == Some(connection)) {
            self.drop_connection(at);
        }
    }

    fn drop_connection(&mut self, at: usize) {
        let Some(connection) = self.links[at].connection.take() else { return };
        self.queue.retain(|_, event| match event {
            Event::Arrive(of, _)
            | Event::Deliver(of, _)
            | Event::Roused(of)
            | Event::Flush(of)
            | Event::Close(of) => *of != connection,
            _ => true,
        });
        self.links[at].inbox.clear();
        self.trace.event(self.now, format_args!("{} is disconnected", self.links[at].name));
        self.with_client(at, |client, context| client.lost(context));
        self.node(|server, now, effects| server.disconnect(now, connection, effects));
    }
}

/// The auditor's place among the clients.
const SCANNER: usize = 0;

fn name(links: &[Link], connection: u64) -> &str {
    let link = links.iter().find(|link| link.connection == Some(connection));
    link.map_or("nobody", |link| link.name.as_str())
}

/// Cuts bytes as a network may: mostly not at all, else anywhere.
fn pieces(random: &mut Random, mut bytes: Vec<u8>) -> Vec<Vec<u8>> {
    let mut pieces = Vec::new();
    while bytes.len() > 1 && random.chance(25) {
        let rest = bytes.split_off(1 + random.index(bytes.len() - 1));
        pieces.push(std::mem::replace(&mut bytes, rest));
    }
    if !bytes.is_empty() {
        pieces.push(bytes);
    }
    pieces
}

impl World {
    fn start(&mut self) {
        if self.server.is_some() {
            return;
        }
        self.trace.event(self.now, format_args!("the broker starts"));
        if self.phase == Phase::Running && self.now > 0 && self.random.chance(15) {
            // It dies again before it has started.
            let call = self.disk.calls() + self.random.below(60);
            let crash = self.plan.crash(&mut self.random);
            self.arm(call, crash);
        }
        let mut effects = Effects::default();
        let disk: Arc<dyn Disk> = Arc::new(self.disk.clone());
        let seed = self.random.next();
        match Node::open(self.clock(), self.config.clone(), disk, seed, &mut effects) {
            Ok(node) => {
                self.server = Some(Server::new(node));
                if !self.died() {
                    self.carry_out(effects);
                }
            }
            Err(error) => {
                drop(effects);
                if !self.died() {
                    self.fail(format!("the broker does not start: {error}"));
                }
            }
        }
    }

    fn arm(&mut self, call: u64, crash: Crash) {
        self.disk.halt_at(call);
        self.armed = Some((call, crash));
    }

    fn fault(&mut self, fault: Fault) {
        let Some(server) = &self.server else { return };
        if self.phase != Phase::Running {
            return;
        }
        self.trace.event(self.now, format_args!("fault: {fault:?}"));
        match fault {
            Fault::Crash(crash) => self.crash(crash),
            Fault::CrashAtCall(after, crash) if self.armed.is_none() => {
                let call = self.disk.calls() + after;
                self.arm(call, crash);
            }
            Fault::CrashAtCall(..) => {}
            Fault::Stop => {
                let ready = server.node.is_ready();
                self.stop(ready);
            }
            Fault::Reset => {
                let at = self.random.index(self.links.len());
                if self.links[at].connection.is_some() {
                    self.oracle.counters.resets += 1;
                    self.drop_connection(at);
                }
            }
            Fault::SlowJobs(millis) => {
                self.oracle.counters.slow_phases += 1;
                self.slow_until = self.now + millis * MILLI;
            }
            Fault::DropCaches => self.disk.drop_caches(),
        }
    }

    /// The process ends in the middle of whatever it does.
    fn crash(&mut self, crash: Crash) {
        self.armed = None;
        match crash {
            Crash::Kill => {
                self.oracle.counters.kills += 1;
                self.disk.kill();
            }
            Crash::PowerLoss { kept_percent } => {
                self.oracle.power_lost();
                let mut random = Random::new(self.random.next());
                if kept_percent == 50 {
                    self.disk.crash(&mut SeededChooser::new(random.next()));
                } else {
                    let keep = |_: Unsynced| {
                        if random.chance(kept_percent) {
                            storage::disk::Keep::All
                        } else {
                            storage::disk::Keep::Lost
                        }
                    };
                    self.disk.crash(&mut { keep });
                }
            }
        }
        self.trace.event(self.now, format_args!("{crash:?}"));
        self.end_process();
    }

    /// Ends cleanly: connections first, then the jobs that are under way, then the logs.
    fn stop(&mut self, was_ready: bool) {
        for at in 0..self.links.len() {
            self.drop_connection(at);
        }
        let now = self.clock();
        let jobs: Vec<(u64, u64)> = self
            .queue
            .iter()
            .filter(|(_, event)| matches!(event, Event::Job(..)))
            .map(|(key, _)| *key)
            .collect();
        for key in jobs {
            let Some(Event::Job(pool, ticket, running)) = self.queue.remove(&key) else { continue };
            let result = match *running {
                Running::Early(result) => result,
                Running::Late(job) => job.run(),
            };
            let Some(server) = &mut self.server else { return };
            let mut effects = Effects::default();
            server.job_ended(pool);
            server.node.job_done(now, ticket, result, &mut effects);
            for (ticket, job) in effects.jobs.drain(..) {
                server.push(ticket, job);
            }
        }
        let Some(server) = &mut self.server else { return };
        while let Some((pool, ticket, job)) = server.start_job() {
            let mut effects = Effects::default();
            let result = job.run();
            server.job_ended(pool);
            server.node.job_done(now, ticket, result, &mut effects);
        }
        let closed = server.node.close();
        if self.died() {
            return;
        }
        self.oracle.counters.stops += 1;
        if let Err(error) = closed {
            self.fail(format!("the broker does not stop cleanly: {error}"));
        }
        self.trace.event(self.now, format_args!("the broker stopped, ready: {was_ready}"));
        self.server = None;
        self.disk.kill();
        self.end_process();
    }

    /// What every end of a process means.
    fn end_process(&mut self) {
        self.armed = None;
        self.server = None;
        self.queue.retain(|_, event| matches!(event, Event::Act(_) | Event::Fault(_) | Event::Start));
        for at in 0..self.links.len() {
            self.drop_connection(at);
        }
        let after = self.random.between(1, 400) * MILLI;
        self.at(after, Event::Start);
        self.scan();
    }
}

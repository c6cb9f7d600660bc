//! One run: a node on a virtual clock and disk, its clients, and what goes wrong.
//!
//! Everything that happens is an event in one queue, ordered by time and then by the order in which it was planned.
//! The world carries out what the node asks for, as a broker's process does, and never looks into a frame.

mod faults;
mod network;
mod process;
mod setup;
mod turn;

use std::collections::BTreeMap;

use node::{Config, Now, Ticket};
use protocol::id::{Monotonic, Timestamp};
use storage::disk::{Failures, VirtualDisk};

use crate::client::Scanner;
use crate::fault::{Crash, Fault, Plan};
use crate::oracle::{Counters, Oracle};
use crate::random::Random;
use crate::server::{Pool, Running, Server};
use crate::trace::Trace;
use network::{Link, SCANNER, name};

/// Nanoseconds of a microsecond and a millisecond.
pub(crate) const MICRO: u64 = 1_000;
pub(crate) const MILLI: u64 = 1_000_000;
/// When a run begins, on the wall clock: 2026-01-01.
const WALL_START_MS: i64 = 1_767_225_600_000;
/// A run that takes longer than this does not make progress.
const TIME_MAX: u64 = 900_000 * MILLI;
/// When faults are over, everything that was begun comes to its end within this time.
const DRAIN_MAX: u64 = 60_000 * MILLI;
/// What a run has to reach before it ends.
const EVENTS_MIN: u64 = 20_000;
const OPERATIONS_MIN: u64 = 2_500;
const FAULTS_MIN: u64 = 3;

/// How long the rounds of one checkpoint take at most while no job is slow.
const CHECKPOINT_TAKES: u64 = 200 * MILLI;
/// How long jobs go on that were begun while they were slow.
const SLOW_JOBS_LAST: u64 = 1_000 * MILLI;
/// When there is room again, logs that found none are opened within this time.
const LATE_LOGS_OPEN: u64 = 3_000 * MILLI;

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
    /// There is room on the disk again.
    Room,
    /// The disk fails no more calls.
    Heal,
    /// Somebody ends the broker, whose directory went offline.
    GiveUp,
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
    /// How far the wall clock is from the true time, in milliseconds.
    skew_ms: i64,
    /// The disk is full for so many faults that are not over.
    full: u64,
    /// Calls to the disk are made to fail, now or soon.
    ailing: bool,
    /// The broker's directory is offline.
    offline: bool,
    /// Since when nothing is wrong that requests may have to wait for.
    sound_since: u64,
    /// Since when nothing is wrong that a checkpoint may have to wait for; `None` while something is.
    calm_since: Option<u64>,
    /// When there was room on the disk again, last.
    roomy_since: Option<u64>,
    /// Calls to the disk were made to fail since this process began.
    ailed: bool,
    /// The disk's failures that were counted.
    counted: Failures,
    /// The node hears now that a job met one.
    hears: bool,
    /// When the present phase began.
    phase_since: u64,
    phase: Phase,
    failure: Option<String>,
}

impl World {
    /// Plans an event `after` nanoseconds from the present.
    fn at(&mut self, after: u64, event: Event) {
        self.planned += 1;
        self.queue.insert((self.now + after, self.planned), event);
    }

    fn clock(&self) -> Now {
        let wall = Timestamp(self.true_time().0 + self.skew_ms);
        Now { monotonic: Monotonic(self.now), wall }
    }

    /// The wall clock of everybody but the broker.
    fn true_time(&self) -> Timestamp {
        Timestamp(WALL_START_MS + i64::try_from(self.now / MILLI).unwrap_or(0))
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
            if time > TIME_MAX || self.phase == Phase::Draining && time > self.phase_since + DRAIN_MAX {
                let waiting: Vec<&str> = self
                    .links
                    .iter()
                    .filter(|link| !link.client.is_idle())
                    .map(|link| link.name.as_str())
                    .collect();
                let why = format!("no end of phase {:?}; {waiting:?} wait", self.phase);
                self.fail(why);
                break;
            }
            self.step(event);
            self.expect_checkpoints();
            self.advance();
        }
        self.check_worth();
        let (trace, events) = (self.trace.hash(), self.trace.events());
        let failure = self.failure.take().map(|why| (why, self.trace.into_last()));
        Outcome { failure, trace, events, records: self.oracle.records(), counters: self.oracle.counters }
    }

    /// Holds the broker to its word: what was acknowledged is on the device after `background.sync.interval.ms`, unless
    /// something kept it from that.
    fn expect_checkpoints(&mut self) {
        self.oracle.look(self.now);
        let is_ready = self.server.as_ref().is_some_and(|server| server.node.is_ready());
        let is_slow = self.now < self.slow_until + SLOW_JOBS_LAST;
        let is_sound = !self.offline && !self.ailed && self.full == 0 && !self.are_logs_late();
        let is_calm = is_ready && is_sound && !is_slow;
        if !is_calm {
            self.calm_since = None;
            return;
        }
        let since = *self.calm_since.get_or_insert(self.now);
        let takes = self.config.background_sync_interval_ms * MILLI + CHECKPOINT_TAKES;
        if let Some(then) = self.now.checked_sub(takes)
            && since <= then
        {
            self.oracle.is_checkpointed(then);
        }
    }

    /// Whether logs that found no room may not be open again.
    fn are_logs_late(&self) -> bool {
        self.roomy_since.is_some_and(|since| self.now < since + LATE_LOGS_OPEN)
    }

    /// A run that is too short proves nothing.
    fn check_worth(&mut self) {
        let counters = &self.oracle.counters;
        let (events, operations, faults) = (self.trace.events(), counters.operations, counters.faults);
        let is_worth = events >= EVENTS_MIN && operations >= 2_000 && faults >= FAULTS_MIN;
        if self.failure.is_none() && !is_worth {
            self.fail(format!("only {events} events, {operations} operations and {faults} faults"));
        }
    }

    /// Goes to the next phase when this one is over.
    fn advance(&mut self) {
        let quiet = self.server.is_some() && self.armed.is_none() && !self.offline && self.full == 0;
        match self.phase {
            Phase::Running
                if quiet
                    && self.plan.is_over(self.now)
                    && self.trace.events() >= EVENTS_MIN
                    && self.oracle.counters.operations >= OPERATIONS_MIN
                    && !self.oracle.cut_pending =>
            {
                self.trace.event(self.now, format_args!("draining"));
                self.heal();
                self.phase_since = self.now;
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
            Event::Room => self.room_again(),
            Event::Heal => self.heal(),
            Event::GiveUp => self.give_up(),
        }
    }
}

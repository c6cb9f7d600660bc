//! What goes wrong in a run, and when.

use crate::random::Random;
use crate::world::MILLI;

/// How a process dies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Crash {
    /// Killed: what it wrote is there.
    Kill,
    /// The machine loses power: of what was not synced, about this share survives.
    PowerLoss { kept_percent: u64 },
}

/// A fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// Between two events.
    Crash(Crash),
    /// In the middle of an event: so many changing calls to the disk later.
    CrashAtCall(u64, Crash),
    /// An ordered stop, and a start.
    Stop,
    /// A connection is gone.
    Reset,
    /// The disk is slow for so many milliseconds.
    SlowJobs(u64),
    /// What was in memory of the files is gone.
    DropCaches,
}

/// When the first fault may come, and how long the faults go on, in milliseconds.
const QUIET_MS: u64 = 400;

/// The faults of a run.
#[derive(Debug)]
pub(crate) struct Plan {
    faults: Vec<(u64, Fault)>,
    /// Whether the power goes in this run: runs without hold every acknowledgement to its word.
    power: bool,
}

impl Plan {
    pub(crate) fn new(random: &mut Random) -> Self {
        let mut plan = Self { faults: Vec::new(), power: random.chance(60) };
        let length = random.between(9_000, 14_000);
        for _ in 0..random.between(3, 6) {
            let at = random.between(QUIET_MS, length) * MILLI;
            let crash = plan.crash(random);
            let fault = match random.below(10) {
                0..4 => Fault::Crash(crash),
                4..8 => Fault::CrashAtCall(random.below(80), crash),
                _ => Fault::Stop,
            };
            plan.faults.push((at, fault));
        }
        if plan.power && random.chance(70) {
            // What a killed process left in the page cache alone, and its successor told of, goes with the power.
            let at = random.between(QUIET_MS, length) * MILLI;
            let again = at + random.between(100, 900) * MILLI;
            plan.faults.push((at, Fault::Crash(Crash::Kill)));
            plan.faults.push((again, Fault::Crash(Crash::PowerLoss { kept_percent: 0 })));
        }
        for _ in 0..random.between(5, 25) {
            let at = random.between(QUIET_MS, length) * MILLI;
            let fault = match random.below(10) {
                0..6 => Fault::Reset,
                6..8 => Fault::SlowJobs(random.between(50, 1_500)),
                _ => Fault::DropCaches,
            };
            plan.faults.push((at, fault));
        }
        plan
    }

    /// A way to die that this run allows.
    pub(crate) fn crash(&self, random: &mut Random) -> Crash {
        if self.power && random.chance(60) {
            let kept_percent = [0, 50, 50, 50, 90, 100][random.index(6)];
            Crash::PowerLoss { kept_percent }
        } else {
            Crash::Kill
        }
    }

    pub(crate) fn faults(&self) -> Vec<(u64, Fault)> {
        self.faults.clone()
    }

    /// Whether the last fault has come.
    pub(crate) fn is_over(&self, now: u64) -> bool {
        self.faults.iter().all(|(at, _)| *at < now)
    }
}

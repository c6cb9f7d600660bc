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

/// Which of the disk's calls fail with EIO.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Broken {
    /// Writes, and changes of names and lengths.
    Writes,
    /// Syncs of files: what they should have written is lost.
    Syncs,
    /// Reads from the device.
    Reads,
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
    /// The wall clock jumps to so many milliseconds from the true time; the monotonic one goes on.
    Clock(i64),
    /// After so many calls of a kind the next one fails, and when it lasts all that follow.
    Disk { broken: Broken, after: u64, lasts: bool },
    /// For so many milliseconds this many bytes are left on the disk.
    Full { room: u64, millis: u64 },
}

/// When the first fault may come, and how long the faults go on, in milliseconds.
const QUIET_MS: u64 = 400;
/// How far the wall clock may be from the true time: less than what the default retention keeps.
const SKEW_MS_MAX: u64 = 3 * 86_400_000;

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
            let crash = plan.crash(random);
            let fault = match random.below(10) {
                0..4 => Fault::Crash(crash),
                4..8 => Fault::CrashAtCall(random.below(80), crash),
                _ => Fault::Stop,
            };
            plan.add(random, length, fault);
        }
        if plan.power && random.chance(70) {
            // What a killed process left in the page cache alone, and its successor told of, goes with the power.
            let at = random.between(QUIET_MS, length) * MILLI;
            let again = at + random.between(100, 900) * MILLI;
            plan.faults.push((at, Fault::Crash(Crash::Kill)));
            plan.faults.push((again, Fault::Crash(Crash::PowerLoss { kept_percent: 0 })));
        }
        for _ in 0..random.between(5, 25) {
            let fault = match random.below(10) {
                0..6 => Fault::Reset,
                6..8 => Fault::SlowJobs(random.between(50, 1_500)),
                _ => Fault::DropCaches,
            };
            plan.add(random, length, fault);
        }
        if random.chance(60) {
            for _ in 0..random.between(1, 5) {
                let fault = Fault::Clock(skew(random));
                plan.add(random, length, fault);
            }
        }
        for _ in 0..random.below(3) {
            let fault = broken(random);
            plan.add(random, length, fault);
        }
        for _ in 0..random.below(3) {
            let room = *random.pick(&[0, 100, 3_000, 20_000]);
            let fault = Fault::Full { room, millis: random.between(50, 2_500) };
            plan.add(random, length, fault);
        }
        plan
    }

    fn add(&mut self, random: &mut Random, length: u64, fault: Fault) {
        self.faults.push((random.between(QUIET_MS, length) * MILLI, fault));
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

    /// Whether acknowledged records may be lost that were not synced.
    pub(crate) const fn may_lose(&self) -> bool {
        self.power
    }

    pub(crate) fn faults(&self) -> Vec<(u64, Fault)> {
        self.faults.clone()
    }

    /// Whether the last fault has come.
    pub(crate) fn is_over(&self, now: u64) -> bool {
        self.faults.iter().all(|(at, _)| *at < now)
    }
}

/// A distance of the wall clock from the true time: small steps as time servers make them, and days.
fn skew(random: &mut Random) -> i64 {
    let most = *random.pick(&[20, 2_000, 3_600_000, SKEW_MS_MAX]);
    let distance = i64::try_from(random.below(most)).unwrap_or(0);
    if random.chance(50) { distance } else { -distance }
}

fn broken(random: &mut Random) -> Fault {
    let (broken, after) = match random.below(10) {
        0..3 => (Broken::Writes, random.below(120)),
        3..8 => (Broken::Syncs, random.below(30)),
        _ => (Broken::Reads, random.below(10)),
    };
    Fault::Disk { broken, after, lasts: random.chance(50) }
}

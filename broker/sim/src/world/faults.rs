//! Faults, when their time has come, and what ends them.

use std::sync::atomic::{AtomicU64, Ordering};

use storage::disk;

use super::{Event, MILLI, Phase, World};
use crate::fault::{Broken, Fault};

impl World {
    pub(super) fn fault(&mut self, fault: Fault) {
        let Some(server) = &self.server else { return };
        if self.phase != Phase::Running {
            return;
        }
        let ready = server.node.is_ready();
        self.trace.event(self.now, format_args!("fault: {fault:?}"));
        self.oracle.counters.faults += 1;
        match fault {
            Fault::Crash(crash) => self.crash(crash),
            Fault::CrashAtCall(after, crash) if self.armed.is_none() => {
                let call = self.disk.calls() + after;
                self.arm(call, crash);
            }
            Fault::CrashAtCall(..) => {}
            Fault::Stop => self.stop(ready),
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
            Fault::Clock(skew_ms) => {
                self.oracle.counters.clock_forward += u64::from(skew_ms > self.skew_ms);
                self.oracle.counters.clock_back += u64::from(skew_ms < self.skew_ms);
                self.skew_ms = skew_ms;
            }
            Fault::Disk { broken, after, lasts } => self.ail(broken, after, lasts),
            Fault::Full { room, millis } => {
                self.oracle.counters.full_disks += 1;
                self.full += 1;
                self.disk.set_capacity(Some(self.disk.used() + room));
                self.at(millis * MILLI, Event::Room);
            }
        }
    }

    /// Lets calls to the disk fail from some call on.
    fn ail(&mut self, broken: Broken, after: u64, lasts: bool) {
        if self.ailing {
            return;
        }
        self.ailing = true;
        self.ailed = true;
        let left = AtomicU64::new(after);
        match broken {
            Broken::Reads => {
                // What was in memory needs no device.
                self.disk.drop_caches();
                self.disk.inject_reads(move |_| is_due(&left, lasts));
                let millis = self.random.between(100, 3_000);
                self.at(millis * MILLI, Event::Heal);
            }
            Broken::Writes | Broken::Syncs => self.disk.inject(move |call| {
                let hit = (call.name == "sync_data") == (broken == Broken::Syncs) && is_due(&left, lasts);
                hit.then_some(disk::Fault::Io)
            }),
        }
    }

    /// The disk does what it is asked to.
    pub(super) fn heal(&mut self) {
        self.disk.heal();
        self.ailing = false;
        self.sound_since = self.now;
    }

    /// Somebody removed what filled the disk.
    pub(super) fn room_again(&mut self) {
        self.full = self.full.saturating_sub(1);
        if self.full == 0 {
            self.trace.event(self.now, format_args!("there is room on the disk"));
            self.disk.set_capacity(None);
            self.sound_since = self.now;
            self.roomy_since = Some(self.now);
        }
    }

    /// Somebody saw that the broker's directory is offline, and starts it anew, mostly with the disk repaired.
    pub(super) fn give_up(&mut self) {
        let crash = self.plan.crash(&mut self.random);
        self.crash(crash);
        if self.random.chance(60) {
            self.heal();
        }
    }
}

/// Counts calls down: the one that finds nothing left is due, and all later ones when that lasts.
fn is_due(left: &AtomicU64, lasts: bool) -> bool {
    match left.load(Ordering::Relaxed) {
        0 => {
            if !lasts {
                left.store(u64::MAX, Ordering::Relaxed);
            }
            true
        }
        some => {
            left.store(some - 1, Ordering::Relaxed);
            false
        }
    }
}

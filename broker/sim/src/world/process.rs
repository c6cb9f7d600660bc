//! The broker's process: it starts, stops, and dies in the middle of whatever it does.

use std::sync::Arc;

use node::{Effects, Node};
use storage::disk::{Disk, SeededChooser, Unsynced};

use super::{Event, MILLI, Phase, World};
use crate::fault::Crash;
use crate::random::Random;
use crate::server::{Running, Server};

impl World {
    pub(super) fn start(&mut self) {
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
        self.ailed = self.ailing;
        let mut effects = Effects::default();
        let disk: Arc<dyn Disk> = Arc::new(self.disk.clone());
        let seed = self.random.next();
        match Node::open(self.clock(), self.config.clone(), disk, seed, &mut effects) {
            Ok(node) => {
                self.server = Some(Server::new(node));
                self.sound_since = self.now;
                if !self.died() {
                    self.judge_failures();
                    self.carry_out(effects);
                }
            }
            Err(error) => {
                drop(effects);
                if self.died() {
                    return;
                }
                self.count_failures();
                if !self.ailing && self.full == 0 {
                    return self.fail(format!("the broker does not start: {error}"));
                }
                self.trace.event(self.now, format_args!("the broker does not start: {error}"));
                self.oracle.counters.failed_starts += 1;
                if self.random.chance(50) {
                    self.heal();
                }
                self.disk.kill();
                self.end_process();
            }
        }
    }

    pub(super) fn arm(&mut self, call: u64, crash: Crash) {
        self.disk.halt_at(call);
        self.armed = Some((call, crash));
    }

    /// The process ends in the middle of whatever it does.
    pub(super) fn crash(&mut self, crash: Crash) {
        self.armed = None;
        match crash {
            Crash::Kill => {
                self.oracle.counters.kills += 1;
                self.disk.kill();
                // Only where records may be lost: what was acknowledged without a sync goes with it.
                if self.plan.may_lose() && self.random.chance(80) && self.disk.evict_unwritten() {
                    self.oracle.counters.evictions += 1;
                    self.oracle.unsynced_lost();
                }
            }
            Crash::PowerLoss { kept_percent } => {
                self.oracle.counters.power_losses += 1;
                self.oracle.unsynced_lost();
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
    pub(super) fn stop(&mut self, was_ready: bool) {
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
                Running::Early(result, _) => result,
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
        let troubled = self.count_failures() || self.offline || self.ailing || self.full > 0;
        match closed {
            Err(error) if !troubled => self.fail(format!("the broker does not stop cleanly: {error}")),
            Err(error) => self.trace.event(self.now, format_args!("an unclean stop: {error}")),
            // Of logs that were not open nobody knows.
            Ok(()) if troubled || self.ailed || self.are_logs_late() => {}
            Ok(()) => self.oracle.stopped(),
        }
        self.trace.event(self.now, format_args!("the broker stopped, ready: {was_ready}"));
        self.server = None;
        self.disk.kill();
        self.end_process();
    }

    /// What every end of a process means.
    pub(super) fn end_process(&mut self) {
        self.armed = None;
        self.server = None;
        self.offline = false;
        self.oracle.process_ended(self.now);
        self.hears = false;
        let outlasts = |event: &Event| {
            matches!(event, Event::Act(_) | Event::Fault(_) | Event::Start | Event::Room | Event::Heal)
        };
        self.queue.retain(|_, event| outlasts(event));
        for at in 0..self.links.len() {
            self.drop_connection(at);
        }
        let after = self.random.between(1, 400) * MILLI;
        self.at(after, Event::Start);
        self.scan();
    }
}

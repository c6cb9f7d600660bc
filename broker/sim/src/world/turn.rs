//! The node's turns: what it asks for is carried out, as a broker's process does.

use node::{Effects, Job, JobResult, Now, Ticket};
use storage::DirectoryState;

use super::{Event, MICRO, MILLI, World};
use crate::server::{Pool, Running, Server};

impl World {
    /// Runs the node and carries out what it asks for, unless the process died meanwhile.
    pub(super) fn node(&mut self, act: impl FnOnce(&mut Server, Now, &mut Effects)) {
        let now = self.clock();
        let Some(server) = &mut self.server else { return };
        let mut effects = Effects::default();
        act(server, now, &mut effects);
        if !self.died() {
            self.judge_failures();
            self.carry_out(effects);
        }
    }

    /// Whether the disk's call came at which the process was to die.
    pub(super) fn died(&mut self) -> bool {
        match self.armed {
            Some((call, crash)) if self.disk.calls() > call => {
                self.oracle.counters.torn_calls += 1;
                self.crash(crash);
                true
            }
            _ => false,
        }
    }

    pub(super) fn carry_out(&mut self, mut effects: Effects) {
        for (deadline, ticket) in effects.timers.drain(..) {
            let late = self.random.below(MILLI);
            self.at(deadline.0.saturating_sub(self.now) + late, Event::Timer(ticket));
        }
        for notice in effects.notices.drain(..) {
            self.oracle.counters.torn_ends += u64::from(notice.contains(": cut "));
            self.trace.event(self.now, format_args!("notice: {notice}"));
        }
        let Some(server) = &mut self.server else { return };
        for (ticket, job) in effects.jobs.drain(..) {
            match &job {
                Job::Warm(_) => self.oracle.counters.cold_reads += 1,
                Job::Recover(_) => self.oracle.counters.recoveries += 1,
                Job::LoadGroups(_) => self.oracle.counters.group_loads += 1,
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

    pub(super) fn start_jobs(&mut self) {
        while let Some((pool, ticket, job)) = self.server.as_mut().and_then(Server::start_job) {
            let slow = self.now < self.slow_until;
            let duration = if slow {
                self.random.between(20, 900) * MILLI
            } else {
                self.random.between(50, 4_000) * MICRO
            };
            // The disk may be changed when a job begins or when it ends: both happen before it is told.
            let early = self.random.chance(50);
            let running = if early {
                let (result, failed) = self.run_job(job);
                Running::Early(result, failed)
            } else {
                Running::Late(job)
            };
            if self.died() {
                return;
            }
            self.at(duration, Event::Job(pool, ticket, Box::new(running)));
        }
    }

    pub(super) fn job(&mut self, pool: Pool, ticket: Ticket, running: Running) {
        self.trace.event(self.now, format_args!("job {pool:?}"));
        let (result, failed) = match running {
            Running::Early(result, failed) => (result, failed),
            Running::Late(job) => {
                let done = self.run_job(job);
                if self.died() {
                    return;
                }
                done
            }
        };
        self.hears |= failed;
        self.node(|server, now, effects| {
            server.job_ended(pool);
            server.node.job_done(now, ticket, result, effects);
        });
        self.start_jobs();
    }

    /// Does a job. Whether the disk failed it: the node hears of that when the job is told of.
    pub(super) fn run_job(&mut self, job: Job) -> (JobResult, bool) {
        let result = job.run();
        (result, self.count_failures())
    }

    /// Counts what failed since the last time. Whether a directory must go offline for it.
    pub(super) fn count_failures(&mut self) -> bool {
        let (now, before) = (self.disk.failures(), self.counted);
        self.counted = now;
        let counters = &mut self.oracle.counters;
        counters.failed_writes += now.writes - before.writes;
        counters.failed_syncs += now.syncs - before.syncs;
        counters.failed_reads += now.reads - before.reads;
        counters.found_no_room += now.no_space - before.no_space;
        (now.writes, now.syncs) != (before.writes, before.syncs)
    }

    /// A directory of which a write or a sync failed is offline as soon as the node knows.
    pub(super) fn judge_failures(&mut self) {
        let failed = self.count_failures() | std::mem::take(&mut self.hears);
        let Some(server) = &self.server else { return };
        let state = server.node.directory_state();
        if failed && state != DirectoryState::Offline {
            self.fail(format!("a write or a sync failed, and the directory is {state:?}"));
        }
        if state == DirectoryState::Offline && !self.offline {
            self.trace.event(self.now, format_args!("the directory is offline"));
            self.oracle.counters.offline += 1;
            self.offline = true;
            self.oracle.offline_since = Some(self.now);
            let after = self.random.between(50, 2_500) * MILLI;
            self.at(after, Event::GiveUp);
        }
    }
}

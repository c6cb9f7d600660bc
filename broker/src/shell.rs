//! What surrounds the core in a process: its clock, timers, job threads and connections' tasks.

use std::io;
use std::sync::{Arc, OnceLock, Weak};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use node::{Effects, Job, JobResult, Node, Ticket};
use parking_lot::Mutex;
use tokio::runtime::Handle;
use tokio::sync::Notify;
use tokio::task::JoinSet;

use crate::clock::Clock;
use crate::http::Health;
use crate::jobs::Pool;
use crate::loops;
use crate::net::RequestMemory;
use crate::timers::Timers;

/// A node and what carries out its effects.
pub(crate) struct Shell {
    pub(crate) node: Node,
    pub(crate) clock: Clock,
    /// What all connections together hold of requests.
    pub(crate) request_memory: RequestMemory,
    timers: Arc<Timers>,
    timer_thread: Mutex<Option<JoinHandle<()>>>,
    pools: OnceLock<Pools>,
    /// Rung once, when the node has lost its disk.
    halted: Notify,
    runtime: Handle,
    connections: Mutex<JoinSet<()>>,
}

struct Pools {
    /// Syncs of the data directories: nothing slow stands before them.
    sync: Pool,
    /// Syncs of the metadata log: load on the data path does not delay them.
    metadata: Pool,
    /// Logs that are opened after an unclean end, while cold reads go on; and retention, which takes locks for which
    /// requests wait and so must not stand back.
    recovery: Pool,
    work: Pool,
}

impl Shell {
    /// Starts the threads around an opened node, whose health nobody watches.
    #[cfg(test)]
    pub(crate) fn start(
        node: Node,
        clock: Clock,
        runtime: Handle,
        effects: Effects,
    ) -> io::Result<Arc<Self>> {
        Self::start_watched(node, clock, runtime, effects, &Arc::default())
    }

    /// Starts the threads around an opened node and carries out what its opening asked for. Each thread is a loop of
    /// the process' health.
    pub(crate) fn start_watched(
        node: Node,
        clock: Clock,
        runtime: Handle,
        effects: Effects,
        health: &Arc<Health>,
    ) -> io::Result<Arc<Self>> {
        let (recovery_threads, background_threads) = {
            let config = node.config();
            (config.num_recovery_threads_per_data_dir, config.background_threads)
        };
        let timers = Timers::new(clock);
        let request_memory = RequestMemory::new(node.config().queued_max_request_bytes);
        let shell = Arc::new(Self {
            node,
            clock,
            request_memory,
            timers: Arc::clone(&timers),
            timer_thread: Mutex::default(),
            pools: OnceLock::new(),
            halted: Notify::new(),
            runtime,
            connections: Mutex::default(),
        });
        let done = {
            let shell = Arc::downgrade(&shell);
            move |ticket, result, took| with(&shell, |shell| shell.job_done(ticket, result, took))
        };
        let pools = Pools {
            sync: Pool::start("sync", 1, health, done.clone())?,
            metadata: Pool::start("metadata-sync", 1, health, done.clone())?,
            recovery: Pool::start("recovery", recovery_threads, health, done.clone())?,
            work: Pool::start_background("work", background_threads, health, done)?,
        };
        // Nobody else has the shell yet.
        let _ = shell.pools.set(pools);
        let weak = Arc::downgrade(&shell);
        let health = Arc::clone(health);
        let thread = thread::Builder::new().name("timers".to_owned()).spawn(move || {
            loops::enter(&health, || "timers".to_owned());
            timers.run(|ticket| with(&weak, |shell| shell.timer(&ticket)));
        })?;
        *shell.timer_thread.lock() = Some(thread);
        shell.carry_out(effects);
        Ok(shell)
    }

    /// Starts timers and jobs that a turn asked for.
    pub(crate) fn carry_out(&self, mut effects: Effects) {
        if !effects.timers.is_empty() {
            self.timers.set(effects.timers.drain(..));
        }
        for notice in effects.notices.drain(..) {
            tracing::warn!("{notice}");
        }
        if effects.halt {
            self.halted.notify_one();
        }
        let Some(pools) = self.pools.get() else { return };
        for (ticket, job) in effects.jobs.drain(..) {
            let pool = match job {
                Job::Sync(_) => &pools.sync,
                Job::PersistMetadata(_) => &pools.metadata,
                Job::Recover(_) | Job::Retain(_) => &pools.recovery,
                _ => &pools.work,
            };
            pool.push(ticket, job);
        }
    }

    pub(crate) fn spawn_connection(&self, task: impl Future<Output = ()> + Send + 'static) {
        let mut connections = self.connections.lock();
        // Those that ended are forgotten here, so that the set holds the open ones.
        while connections.try_join_next().is_some() {}
        connections.spawn_on(task, &self.runtime);
    }

    /// Ends every connection where it waits, and waits until all have ended.
    pub(crate) async fn end_connections(&self) {
        let mut connections = std::mem::take(&mut *self.connections.lock());
        connections.shutdown().await;
    }

    /// Waits until the node has lost its disk.
    pub(crate) async fn halted(&self) {
        self.halted.notified().await;
    }

    /// Ends the threads, after what was queued for them is done.
    pub(crate) fn stop(&self) {
        self.timers.stop();
        // First, so that no chore runs beside what comes after.
        if let Some(thread) = self.timer_thread.lock().take() {
            // It panics only together with the process.
            let _ = thread.join();
        }
        if let Some(pools) = self.pools.get() {
            pools.recovery.stop();
            pools.work.stop();
            pools.sync.stop();
            pools.metadata.stop();
        }
    }

    #[cfg(test)]
    pub(crate) fn timers(&self) -> &Timers {
        &self.timers
    }

    fn timer(&self, ticket: &Ticket) {
        let mut effects = Effects::default();
        self.node.timer(self.clock.now(), ticket, &mut effects);
        self.carry_out(effects);
    }

    fn job_done(&self, ticket: Ticket, result: JobResult, took: Duration) {
        if matches!(result, JobResult::Synced(_)) {
            self.node.metrics().shard(0).sync_ns.add(u64::try_from(took.as_nanos()).unwrap_or(u64::MAX));
        }
        let mut effects = Effects::default();
        self.node.job_done(self.clock.now(), ticket, result, &mut effects);
        self.carry_out(effects);
    }
}

fn with(shell: &Weak<Shell>, act: impl FnOnce(&Shell)) {
    if let Some(shell) = shell.upgrade() {
        act(&shell);
    }
}

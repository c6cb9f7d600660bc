//! Threads for what may block for long: syncs, cold reads, recovery, removal (D2).

use std::io;
use std::sync::{Arc, mpsc};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use node::{Job, JobResult, Ticket};
use parking_lot::Mutex;

use crate::http::Health;
use crate::loops;

/// Threads that take jobs from one queue. Its length is bounded by those who ask: a round of syncs a directory,
/// one sync of the metadata log, one cold read a connection, one recovery a partition.
pub(crate) struct Pool {
    queue: Mutex<Option<mpsc::Sender<(Ticket, Job)>>>,
    threads: Mutex<Vec<JoinHandle<()>>>,
}

/// What is told of each job that is done, and how long it took.
pub(crate) trait Done: Fn(Ticket, JobResult, Duration) + Send + Sync + Clone + 'static {}

impl<F: Fn(Ticket, JobResult, Duration) + Send + Sync + Clone + 'static> Done for F {}

/// How much a background thread stands back behind those that serve (nice(2)): beside one of them it gets a tenth of a
/// core, on an idle core it runs as fast as any.
const BACKGROUND_NICE: i32 = 10;

impl Pool {
    /// Starts the threads; each outcome and the time that it took go to `done` on the thread that did the job.
    pub(crate) fn start(
        name: &str,
        threads: usize,
        health: &Arc<Health>,
        done: impl Done,
    ) -> io::Result<Self> {
        Self::start_after(name, threads, health, || {}, done)
    }

    /// As [`start`](Self::start), with threads that stand back behind those that serve. The outcomes go to `done` on one
    /// further thread that does not: it takes locks for which the others wait.
    pub(crate) fn start_background(
        name: &str,
        threads: usize,
        health: &Arc<Health>,
        done: impl Done,
    ) -> io::Result<Self> {
        let (sender, outcomes) = mpsc::channel();
        let stand_back = || {
            // On Linux this is about the calling thread. Where it is refused, the thread competes like any other.
            let _ = rustix::process::setpriority_process(None, BACKGROUND_NICE);
        };
        let pool = Self::start_after(name, threads, health, stand_back, move |ticket, result, took| {
            // The receiver outlives these threads.
            let _ = sender.send((ticket, result, took));
        })?;
        let (health, loop_name) = (Arc::clone(health), format!("{name}-done"));
        let thread = thread::Builder::new().name(loop_name.clone()).spawn(move || {
            loops::enter(&health, || loop_name);
            loop {
                loops::idle();
                let Ok((ticket, result, took)) = outcomes.recv() else { return };
                loops::beat();
                done(ticket, result, took);
            }
        })?;
        // Joined last: it ends when the others have.
        pool.threads.lock().push(thread);
        Ok(pool)
    }

    fn start_after(
        name: &str,
        threads: usize,
        health: &Arc<Health>,
        prepare: impl Fn() + Send + Copy + 'static,
        done: impl Done,
    ) -> io::Result<Self> {
        let (sender, receiver) = mpsc::channel::<(Ticket, Job)>();
        let receiver = Arc::new(Mutex::new(receiver));
        let mut handles = Vec::with_capacity(threads);
        for number in 0..threads {
            let (receiver, done, health) = (Arc::clone(&receiver), done.clone(), Arc::clone(health));
            let loop_name = format!("{name}-{number}");
            let thread = thread::Builder::new().name(loop_name.clone()).spawn(move || {
                loops::enter(&health, || loop_name);
                prepare();
                loop {
                    loops::idle();
                    let next = receiver.lock().recv();
                    let Ok((ticket, job)) = next else { return };
                    loops::beat();
                    let start = Instant::now();
                    // A job takes as long as the disk and the amount of work say; what is to be short comes after it.
                    let result = loops::marked(|| job.run());
                    done(ticket, result, start.elapsed());
                }
            })?;
            handles.push(thread);
        }
        Ok(Self { queue: Mutex::new(Some(sender)), threads: Mutex::new(handles) })
    }

    /// Queues a job; after [`stop`](Self::stop) it is dropped.
    pub(crate) fn push(&self, ticket: Ticket, job: Job) {
        if let Some(queue) = &*self.queue.lock() {
            // The receivers live as long as the queue.
            let _ = queue.send((ticket, job));
        }
    }

    /// Finishes what is queued and ends the threads.
    pub(crate) fn stop(&self) {
        drop(self.queue.lock().take());
        for thread in self.threads.lock().drain(..) {
            let _ = thread.join();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The nice value of each thread of this process, by name.
    fn niceness(name: &str) -> Vec<i64> {
        let stats = std::fs::read_dir("/proc/self/task").unwrap().filter_map(|task| {
            let stat = std::fs::read_to_string(task.ok()?.path().join("stat")).ok()?;
            let (head, rest) = stat.rsplit_once(')')?;
            // The 19th field, counted with the two in front of the parenthesis.
            let nice = rest.split_whitespace().nth(16)?.parse().ok()?;
            Some((head.split_once('(')?.1.to_owned(), nice))
        });
        let mut found: Vec<_> =
            stats.filter(|(thread, _): &(String, i64)| thread.starts_with(name)).collect();
        found.sort();
        found.into_iter().map(|(_, nice)| nice).collect()
    }

    #[test]
    fn background_threads_stand_back_and_their_outcomes_do_not() {
        let pool = Pool::start_background("back", 2, &Arc::default(), |_, _, _| {}).unwrap();
        // A thread gives itself its name, and then stands back.
        let own = i64::from(rustix::process::getpriority_process(None).unwrap());
        let deadline = Instant::now() + Duration::from_secs(20);
        while Instant::now() < deadline {
            if niceness("back-") == [BACKGROUND_NICE.into(), BACKGROUND_NICE.into(), own] {
                pool.stop();
                return;
            }
            thread::yield_now();
        }
        panic!("back-0, back-1 and back-done have {:?}", niceness("back-"));
    }
}

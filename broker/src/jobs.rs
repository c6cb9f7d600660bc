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

impl Pool {
    /// Starts the threads; each outcome and the time that it took go to `done` on the thread that did the job.
    pub(crate) fn start(
        name: &str,
        threads: usize,
        health: &Arc<Health>,
        done: impl Fn(Ticket, JobResult, Duration) + Send + Sync + Clone + 'static,
    ) -> io::Result<Self> {
        let (sender, receiver) = mpsc::channel::<(Ticket, Job)>();
        let receiver = Arc::new(Mutex::new(receiver));
        let mut handles = Vec::with_capacity(threads);
        for number in 0..threads {
            let (receiver, done, health) = (Arc::clone(&receiver), done.clone(), Arc::clone(health));
            let loop_name = format!("{name}-{number}");
            let thread = thread::Builder::new().name(loop_name.clone()).spawn(move || {
                loops::enter(&health, || loop_name);
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

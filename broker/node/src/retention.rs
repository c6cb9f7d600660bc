//! Retention, as a job: each partition's lock is held only to plan and to note, and neither timers nor requests wait for
//! the renames and syncs in between.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

use parking_lot::Mutex;
use protocol::id::Timestamp;
use storage::{DirectoryState, RetentionPlan};

use crate::effects::{Effects, Job, Now, Ticket, TicketKind};
use crate::hosting::Removal;
use crate::node::Node;
use crate::partition::Partition;

/// Passes over a log: one for its closed segments, and one more when the active one was old as a whole and was closed.
const PASSES: usize = 2;

/// All partitions, to be rid of old segments, and what became of each.
#[derive(Debug)]
pub struct RetentionRound {
    now: Timestamp,
    /// The recurring round over all, of which there is one at a time; else what lies below the logs' starts is removed,
    /// and nothing for its age or size.
    is_recurring: bool,
    partitions: Vec<Arc<Partition>>,
    done: Vec<Retained>,
}

/// What became of one partition of which something was to be removed.
#[derive(Debug)]
struct Retained {
    partition: Arc<Partition>,
    /// Renamed files.
    removed: Vec<PathBuf>,
    /// How long reads under way may need them.
    delay: Duration,
    error: Option<storage::Error>,
}

/// What retention is at.
#[derive(Debug, Default)]
pub(crate) struct RetentionWatch {
    /// A round is under way.
    running: AtomicBool,
    /// Files that wait for their delay to end.
    renamed: Mutex<Vec<Weak<Removal>>>,
}

impl RetentionRound {
    /// Renames what is old, for as long as the device takes. Ends early when the disk fails.
    pub(crate) fn run(mut self) -> Self {
        for partition in std::mem::take(&mut self.partitions) {
            let old = self.is_recurring.then_some(self.now);
            let Some(retained) = retain(partition, old) else { continue };
            let failed = retained.error.as_ref().is_some_and(storage::Error::is_fatal);
            self.done.push(retained);
            if failed {
                break;
            }
        }
        self
    }
}

/// Removes what lies below one partition's start, and what is old at this time; `None` when there was nothing.
fn retain(partition: Arc<Partition>, old: Option<Timestamp>) -> Option<Retained> {
    let (mut removed, mut error) = (Vec::new(), None);
    for _ in 0..PASSES {
        let planned = plan(&partition, old);
        if let Some(mut plan) = planned {
            error = plan.run().err();
            if let Some(log) = partition.lock().log.as_mut() {
                log.retained(&plan);
            }
            removed.extend(plan.into_removed());
        }
        if error.is_some() {
            break;
        }
        match old.map_or(Ok(false), |now| roll(&partition, now)) {
            Ok(true) => {}
            Ok(false) => break,
            Err(refused) => {
                error = Some(refused);
                break;
            }
        }
    }
    if removed.is_empty() && error.is_none() {
        return None;
    }
    let delay = Duration::from_millis(partition.lock().settings.log.file_delete_delay_ms);
    Some(Retained { partition, removed, delay, error })
}

fn plan(partition: &Partition, old: Option<Timestamp>) -> Option<RetentionPlan> {
    let state = partition.lock();
    let (log, high_watermark) = (state.log.as_ref()?, state.replica.high_watermark());
    match old {
        Some(now) => log.plan_retention(now, high_watermark),
        None => log.plan_below_start(high_watermark),
    }
}

/// Closes the active segment if all of it is old. What is closed already went before: it may have made the room that
/// this needs.
fn roll(partition: &Partition, now: Timestamp) -> Result<bool, storage::Error> {
    let mut state = partition.lock();
    let high_watermark = state.replica.high_watermark();
    match state.log.as_mut().filter(|log| !log.is_offline()) {
        Some(log) => log.roll_expired(now, high_watermark),
        None => Ok(false),
    }
}

impl Node {
    /// Lets old segments be removed, unless that is being done.
    pub(crate) fn start_retention(&self, now: Now, effects: &mut Effects) {
        if self.directory_state() == DirectoryState::Offline
            || self.retention().running.swap(true, Ordering::AcqRel)
        {
            return;
        }
        let partitions = self.table().partitions().map(Arc::clone).collect();
        let round = RetentionRound { now: now.wall, is_recurring: true, partitions, done: Vec::new() };
        effects.jobs.push((Ticket(TicketKind::Nobody), Job::Retain(round)));
    }

    /// Lets the segments of one partition be removed that lie below its start, as when that was moved. Beside the recurring round: what one
    /// has removed the other finds gone.
    pub(crate) fn retain_one(&self, now: Now, partition: &Arc<Partition>, effects: &mut Effects) {
        let partitions = vec![Arc::clone(partition)];
        let round = RetentionRound { now: now.wall, is_recurring: false, partitions, done: Vec::new() };
        effects.jobs.push((Ticket(TicketKind::Nobody), Job::Retain(round)));
    }

    /// Segments left their logs; their files are removed `file.delete.delay.ms` later, when no read that was planned
    /// before is under way any more.
    pub(crate) fn retained(&self, now: Now, round: RetentionRound, effects: &mut Effects) {
        if round.is_recurring {
            self.retention().running.store(false, Ordering::Release);
        }
        for Retained { partition, removed, delay, error } in round.done {
            if !removed.is_empty() {
                // Its start moved, which the next checkpoint is to say.
                partition.note_dirty(effects);
                let segments = removed.iter().filter(|file| is_segment(file)).count();
                self.metrics().shard(0).deleted_segments.add(segments as u64);
                let removal = Arc::new(Removal::files(self.directory(), removed));
                {
                    let mut renamed = self.retention().renamed.lock();
                    renamed.retain(|removal| removal.strong_count() > 0);
                    renamed.push(Arc::downgrade(&removal));
                }
                let ticket = Ticket(TicketKind::Remove(removal));
                effects.timers.push((now.monotonic.plus(delay), ticket));
            }
            effects.failures.extend(error);
        }
    }

    /// The broker stops, and nobody reads any more: files whose delay is not over go now. The next start, which after an
    /// ordered stop looks into no partition's folder, would not find them.
    pub(crate) fn remove_renamed(&self) {
        for removal in std::mem::take(&mut *self.retention().renamed.lock()) {
            if let Some(removal) = removal.upgrade() {
                // What cannot be removed takes room and does no harm.
                let _ = removal.run();
            }
        }
    }
}

/// Whether a file that retention renamed holds records; its indexes went along with it.
fn is_segment(renamed: &Path) -> bool {
    renamed.file_stem().is_some_and(|stem| Path::new(stem).extension().is_some_and(|ending| ending == "log"))
}

#[cfg(test)]
mod tests;

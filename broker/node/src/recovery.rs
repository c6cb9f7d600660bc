//! Logs that an unclean end left: recovered by jobs, each served as it ends, those first that a request asks for (D9).
//!
//! A job does not bring its partition: it takes the one that is wanted most when it begins. A topic may be deleted
//! while a job works in its folder; then the folder is put aside when the job ends, and only then a topic of the same
//! name gets its own.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use parking_lot::Mutex;
use protocol::id::{PartitionIndex, Timestamp, TopicId, TopicPartition};
use storage::{Directory, DirectoryState, Log, RecoveryReport};

use crate::effects::{Effects, Job, Now, Ticket, TicketKind};
use crate::node::Node;
use crate::partition::Partition;

/// Which partition, also when another topic has the same name.
type Key = (TopicId, PartitionIndex);

/// The partitions whose logs are to be recovered. Its lock is taken before a partition's.
#[derive(Debug, Default)]
pub(crate) struct RecoveryQueue {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// In the order of the image. Those that are no longer [`Stage::Waiting`] are passed over.
    waiting: VecDeque<Arc<Partition>>,
    /// Those that a request asked for, in the order of the requests.
    asked: VecDeque<Arc<Partition>>,
    stages: BTreeMap<Key, Stage>,
    /// Names of deleted topics' partitions in whose folders jobs are at work, and who waits for the name.
    abandoned: BTreeMap<TopicPartition, Option<Arc<Partition>>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    Waiting,
    Asked,
    Running,
    /// Running, and nobody wants it any more.
    Abandoned,
}

/// What a deleted partition's folder is to the queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Abandoned {
    /// None of its own.
    Unknown,
    /// Nobody works in it.
    Waiting,
    /// A job works in it, at whose end it is put aside.
    Running,
}

impl RecoveryQueue {
    /// Logs that are not recovered yet.
    pub(crate) fn len(&self) -> usize {
        self.state.lock().stages.len()
    }

    /// Forgets all, and gives up the partitions that are held.
    pub(crate) fn clear(&self) {
        *self.state.lock() = State::default();
    }

    /// Whether a partition's log is to be recovered.
    pub(crate) fn has(&self, partition: &Partition) -> bool {
        self.state.lock().stages.contains_key(&key(partition))
    }

    fn enter(&self, partition: &Arc<Partition>) {
        let mut state = self.state.lock();
        state.stages.insert(key(partition), Stage::Waiting);
        state.waiting.push_back(Arc::clone(partition));
    }

    /// A request wants a partition: it comes before those that nobody asked for.
    pub(crate) fn ask_for(&self, partition: &Arc<Partition>) {
        let mut state = self.state.lock();
        if let Some(stage) = state.stages.get_mut(&key(partition))
            && *stage == Stage::Waiting
        {
            *stage = Stage::Asked;
            state.asked.push_back(Arc::clone(partition));
        }
    }

    /// The partition that is to be recovered now; none when those that waited were deleted.
    fn take(&self) -> Option<Arc<Partition>> {
        let mut guard = self.state.lock();
        let state = &mut *guard;
        while let Some(next) = state.asked.pop_front().or_else(|| state.waiting.pop_front()) {
            if let Some(stage) = state.stages.get_mut(&key(&next))
                && matches!(stage, Stage::Waiting | Stage::Asked)
            {
                *stage = Stage::Running;
                return Some(next);
            }
        }
        None
    }

    /// A partition's topic was deleted.
    pub(crate) fn abandon(&self, partition: &Partition) -> Abandoned {
        let mut state = self.state.lock();
        if let Some(successor) = state.abandoned.get_mut(&partition.name())
            && successor.as_ref().is_some_and(|successor| key(successor) == key(partition))
        {
            *successor = None;
            return Abandoned::Unknown;
        }
        match state.stages.get_mut(&key(partition)) {
            None | Some(Stage::Abandoned) => Abandoned::Unknown,
            Some(stage @ Stage::Running) => {
                *stage = Stage::Abandoned;
                state.abandoned.insert(partition.name(), None);
                Abandoned::Running
            }
            Some(_) => {
                state.stages.remove(&key(partition));
                Abandoned::Waiting
            }
        }
    }

    /// Whether a job still works in a folder that a new partition needs; then it gets its log when that ends.
    fn wait_for_name(&self, partition: &Arc<Partition>) -> bool {
        match self.state.lock().abandoned.get_mut(&partition.name()) {
            Some(successor) => {
                *successor = Some(Arc::clone(partition));
                true
            }
            None => false,
        }
    }

    /// A job ended: `open` is called unless the partition was deleted meanwhile, and sees it as not recovered yet.
    fn finish(&self, partition: &Partition, open: impl FnOnce()) -> Finished {
        let mut state = self.state.lock();
        let stage = state.stages.remove(&key(partition));
        if stage == Some(Stage::Abandoned) {
            return Finished::Abandoned(state.abandoned.remove(&partition.name()).flatten());
        }
        open();
        Finished::Wanted
    }
}

enum Finished {
    Wanted,
    /// By whom the name is wanted now.
    Abandoned(Option<Arc<Partition>>),
}

fn key(partition: &Partition) -> Key {
    (partition.topic_id, partition.index)
}

type Opened = Result<(Log, RecoveryReport), storage::Error>;

/// The recovery of one log, or what came of it.
#[derive(Debug)]
pub struct Recovery {
    directory: Arc<Directory>,
    queue: Arc<RecoveryQueue>,
    now: Timestamp,
    outcome: Option<(Arc<Partition>, Opened)>,
}

impl Recovery {
    /// Reads what lies behind the recovery point; for as long as the disk takes.
    pub(crate) fn run(mut self) -> Self {
        self.outcome = self.queue.take().map(|partition| {
            let config = partition.lock().settings.log.clone();
            let opened = self.directory.open_log(&partition.name(), config, self.now);
            (partition, opened)
        });
        self
    }
}

impl Node {
    /// Lets a partition's log be recovered.
    pub(crate) fn recover(&self, now: Now, partition: &Arc<Partition>, effects: &mut Effects) {
        self.recovery_queue().enter(partition);
        let recovery = Recovery {
            directory: Arc::clone(self.directory()),
            queue: Arc::clone(self.recovery_queue()),
            now: now.wall,
            outcome: None,
        };
        effects.jobs.push((Ticket(TicketKind::Nobody), Job::Recover(Box::new(recovery))));
    }

    /// Whether a new partition has to wait for its folder's name; it gets its log then.
    pub(crate) fn waits_for_name(&self, partition: &Arc<Partition>) -> bool {
        self.recovery_queue().wait_for_name(partition)
    }

    /// A log was recovered: its partition serves from here on.
    pub(crate) fn recovered(&self, now: Now, recovery: Recovery, effects: &mut Effects) {
        let Some((partition, outcome)) = recovery.outcome else { return };
        let opened = match outcome {
            // Another log's failure closed the directory meanwhile.
            Ok(_) if self.directory().state() == DirectoryState::Offline => None,
            Ok((log, report)) => {
                self.note_recovery(&partition, &report, effects);
                Some(log)
            }
            Err(error) => {
                self.not_opened(&partition, &error, effects);
                None
            }
        };
        let finished = self.recovery_queue().finish(&partition, || {
            if let Some(log) = opened {
                partition.opened(log);
            }
        });
        match finished {
            Finished::Wanted => self.begin(now, &partition, effects),
            Finished::Abandoned(successor) => {
                let deleted = self.delete_folder(&partition.name(), effects);
                self.remove_folders(deleted.into_iter().collect(), effects);
                if let Some(successor) = successor {
                    self.open_log(now, &successor, effects);
                    self.begin(now, &successor, effects);
                }
            }
        }
        if self.recovering() == 0 {
            let image = Arc::clone(&self.image());
            self.follow_lifecycle(now, &image, effects);
        }
    }

    /// A partition has its log: it takes up what the image says of it. The log is synced with the next checkpoint, so
    /// that another unclean end does not begin at the same place.
    fn begin(&self, now: Now, partition: &Arc<Partition>, effects: &mut Effects) {
        if self.directory_state() == DirectoryState::Offline {
            // It failed while this log was opened.
            if let Some(mut log) = partition.close(effects) {
                log.set_offline();
            }
            return;
        }
        let image = Arc::clone(&self.image());
        if let Some(registration) = image.partition_by_id(partition.topic_id, partition.index) {
            partition.apply(now, registration, effects);
        }
        partition.note_dirty(effects);
    }
}

#[cfg(test)]
mod tests;

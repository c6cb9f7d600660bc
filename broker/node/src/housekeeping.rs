//! Recurring chores: checkpoints, retention, expiry of producers.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use crate::effects::{Effects, Job, Now, Ticket, TicketKind};
use crate::hosting::Removal;
use crate::node::Node;
use crate::partition::Partition;

/// Something that is done again and again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Chore {
    /// Sync and checkpoint what was appended (`background.sync.interval.ms`).
    Checkpoint,
    /// Delete segments that are too old or too many (`log.retention.check.interval.ms`).
    Retention,
    /// Measure how much room there is.
    Space,
    /// Forget producers that were silent for `producer.id.expiration.ms`.
    ProducerExpiry,
    /// Forget offsets of groups that were empty for `offsets.retention.minutes`
    /// (`offsets.retention.check.interval.ms`).
    OffsetExpiry,
    /// Look how old the records are that groups have not read.
    Lag,
}

/// How often the room is measured, besides whenever `background.sync.bytes` were appended: one call of the file system.
const SPACE_INTERVAL_MS: u64 = 1_000;
/// How often the age of what groups have not read is measured: the pace of most scrapers.
const LAG_INTERVAL_MS: u64 = 10_000;

impl Chore {
    const ALL: [Self; 6] =
        [Self::Checkpoint, Self::Retention, Self::Space, Self::ProducerExpiry, Self::OffsetExpiry, Self::Lag];

    fn interval(self, node: &Node) -> Duration {
        let config = node.config();
        Duration::from_millis(match self {
            Self::Space => SPACE_INTERVAL_MS,
            Self::Lag => LAG_INTERVAL_MS,
            Self::OffsetExpiry => config.offsets_retention_check_interval_ms,
            Self::Checkpoint => config.background_sync_interval_ms,
            Self::Retention => config.log_retention_check_interval_ms,
            Self::ProducerExpiry => config.producer_id_expiration_check_interval_ms,
        })
    }
}

impl Node {
    /// Sets each chore's first timer.
    pub(crate) fn start_chores(&self, now: Now, effects: &mut Effects) {
        for chore in Chore::ALL {
            self.set_chore(now, chore, effects);
        }
    }

    pub(crate) fn chore(&self, now: Now, chore: Chore, effects: &mut Effects) {
        match chore {
            Chore::Checkpoint => {
                self.start_checkpoint(effects);
                self.metadata().checkpoint(now, effects);
            }
            Chore::Retention => self.retain(now, effects),
            Chore::Space => {
                self.measure_space(effects);
                self.open_left_out(now, effects);
            }
            Chore::ProducerExpiry => self.expire_producers(now),
            Chore::OffsetExpiry => self.expire_offsets(now, effects),
            Chore::Lag => self.measure_lag(effects),
        }
        self.set_chore(now, chore, effects);
    }

    fn set_chore(&self, now: Now, chore: Chore, effects: &mut Effects) {
        let next = now.monotonic.plus(chore.interval(self));
        effects.timers.push((next, Ticket(TicketKind::Chore(chore))));
    }

    /// Segments leave their logs at once; their files are removed `file.delete.delay.ms` later, when no read that was
    /// planned before is under way any more.
    fn retain(&self, now: Now, effects: &mut Effects) {
        for partition in self.table().partitions() {
            self.retain_one(now, partition, effects);
        }
    }

    pub(crate) fn retain_one(&self, now: Now, partition: &Arc<Partition>, effects: &mut Effects) {
        let mut state = partition.lock();
        let high_watermark = state.replica.high_watermark();
        let delay = Duration::from_millis(state.settings.log.file_delete_delay_ms);
        let Some(log) = state.log.as_mut() else { return };
        let start = log.log_start_offset();
        let removed = log.retention(now.wall, high_watermark);
        let is_moved = log.log_start_offset() > start;
        drop(state);
        if is_moved {
            partition.note_dirty(effects);
        }
        match removed {
            Ok(files) if files.is_empty() => {}
            Ok(files) => {
                let segments = files.iter().filter(|file| is_segment(file)).count();
                self.metrics().shard(0).deleted_segments.add(segments as u64);
                let removal = Arc::new(Removal::files(self.directory(), files));
                effects.timers.push((now.monotonic.plus(delay), Ticket(TicketKind::Remove(removal))));
            }
            Err(error) => self.directory_failed(&error, effects),
        }
    }

    /// The delay of a removal is over.
    pub(crate) fn remove(&self, removal: &Arc<Removal>, effects: &mut Effects) {
        effects.jobs.push((Ticket(TicketKind::Nobody), Job::Remove(Arc::clone(removal))));
    }

    fn expire_producers(&self, now: Now) {
        for partition in self.table().partitions() {
            if let Some(log) = partition.lock().log.as_mut() {
                log.expire_producers(now.wall);
            }
        }
    }
}

/// Whether a file that retention renamed holds records; its indexes went along with it.
fn is_segment(renamed: &Path) -> bool {
    renamed.file_stem().is_some_and(|stem| Path::new(stem).extension().is_some_and(|ending| ending == "log"))
}

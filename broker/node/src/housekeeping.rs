//! Recurring chores: checkpoints, retention, expiry of producers.

use std::sync::Arc;
use std::time::Duration;

use crate::effects::{Effects, Job, Now, Ticket, TicketKind};
use crate::hosting::Removal;
use crate::node::Node;

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
            Chore::Retention => self.start_retention(now, effects),
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

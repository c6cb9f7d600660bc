//! Reading the groups of a partition from its log: a job, so that nobody waits for the disk under a lock.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use machines::group::GroupShard;
use protocol::id::{LeaderEpoch, Offset};
use protocol::records::{Batches, Records};
use storage::disk::Wait;

use super::state::{Phase, State};
use super::{Scene, settings};
use crate::effects::{Effects, Job, Now, Ticket, TicketKind};
use crate::node::Node;
use crate::partition::Partition;

/// How long a log that could not be read is left alone.
const UNREADABLE_RETRY: Duration = Duration::from_secs(10);

/// The groups of one partition on their way from its log.
pub struct GroupLoad {
    partition: Arc<Partition>,
    /// Leadership under which they are read: behind its end the reading is void.
    epoch: LeaderEpoch,
    shard: GroupShard,
    /// Bytes read at a time, or one batch where that is larger (`offsets.load.buffer.size`).
    bytes_max: u32,
    /// The most that one batch may take after decompression.
    decompressed_bytes_max: usize,
    outcome: Option<io::Result<Offset>>,
}

impl std::fmt::Debug for GroupLoad {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("GroupLoad").field("partition", &self.partition).finish_non_exhaustive()
    }
}

impl GroupLoad {
    /// Reads, for as long as the disk takes.
    pub(crate) fn run(mut self) -> Self {
        self.outcome = Some(self.read());
        self
    }

    /// Replays the whole log; gives its end.
    fn read(&mut self) -> io::Result<Offset> {
        let (mut position, end) = {
            let state = self.partition.lock();
            let log = state.log.as_ref().ok_or(io::ErrorKind::NotFound)?;
            (log.log_start_offset(), log.log_end_offset())
        };
        let mut decompressed = Vec::new();
        while position < end {
            let plan = {
                let state = self.partition.lock();
                let log = state.log.as_ref().ok_or(io::ErrorKind::NotFound)?;
                if state.replica.leader_epoch() != self.epoch {
                    return Err(io::ErrorKind::Interrupted.into());
                }
                // What retention or a truncation took meanwhile begins elsewhere.
                log.plan_read(position, end, self.bytes_max).map_err(|_| io::ErrorKind::NotFound)?
            };
            let found = plan.run(Wait::Long)?;
            position = match (found.range, found.skip_to) {
                (Some(range), _) => self.replay(&range.read(Wait::Long)?, position, &mut decompressed)?,
                (None, Some(next)) => next,
                (None, None) => return Err(io::ErrorKind::UnexpectedEof.into()),
            };
        }
        Ok(end)
    }

    /// Replays whole batches from `position` on; gives the offset behind them.
    fn replay(&mut self, bytes: &[u8], position: Offset, decompressed: &mut Vec<u8>) -> io::Result<Offset> {
        let mut next = position;
        for batch in Batches::new(bytes) {
            let (header, bytes) = batch.map_err(invalid)?;
            next = next.max(header.next_offset());
            // Whether a transaction's records hold is not known here, where there are no transactions.
            if header.attributes.is_control() || header.attributes.is_transactional() {
                continue;
            }
            for record in Records::new(bytes, decompressed, self.decompressed_bytes_max).map_err(invalid)? {
                let record = record.map_err(invalid)?;
                if record.offset >= position {
                    self.shard.replay(record.key, record.value);
                }
            }
        }
        if next <= position {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        Ok(next)
    }
}

fn invalid(error: impl std::error::Error) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, error.to_string())
}

impl State {
    /// Begins to load the groups of a partition that this broker leads since now.
    pub(super) fn load(&mut self, epoch: LeaderEpoch, scene: &mut Scene<'_>) {
        let config = scene.node.config();
        let settings = settings(&config);
        let (start, end) = {
            let state = scene.partition.lock();
            let log = state.log.as_ref();
            (log.map(storage::Log::log_start_offset), log.map(storage::Log::log_end_offset))
        };
        self.shard = GroupShard::new(settings.clone());
        if let (Some(start), Some(end)) = (start, end)
            && start == end
        {
            // Nothing to read.
            return self.serve(epoch, scene);
        }
        self.phase = Phase::Loading { epoch };
        let load = GroupLoad {
            partition: Arc::clone(scene.partition),
            epoch,
            shard: GroupShard::new(settings),
            bytes_max: config.offsets_load_buffer_size,
            decompressed_bytes_max: config.decompressed_batch_bytes_max,
            outcome: None,
        };
        scene.effects.jobs.push((Ticket(TicketKind::Nobody), Job::LoadGroups(Box::new(load))));
    }
}

impl Node {
    /// The groups of a partition were read, or cannot be.
    pub(crate) fn groups_loaded(&self, now: Now, load: GroupLoad, effects: &mut Effects) {
        let GroupLoad { partition, epoch, shard, outcome, .. } = load;
        let Some(coordinator) = partition.coordinator() else { return };
        {
            let mut state = coordinator.lock();
            // Leadership may have gone, and come back, while it was read.
            if state.phase != (Phase::Loading { epoch }) {
                return;
            }
            match outcome {
                Some(Ok(end)) => {
                    state.shard = shard;
                    state.phase = Phase::Read { epoch, end };
                }
                Some(Err(error)) => {
                    if partition.is_damage_new() {
                        effects.notices.push(format!("the groups in {partition:?} cannot be read: {error}"));
                    }
                    // Kafka answers for such a partition as if another broker had it.
                    state.unload();
                    let again = now.monotonic.plus(UNREADABLE_RETRY);
                    state.phase = Phase::Unreadable { epoch, again };
                }
                None => {}
            }
        }
        self.follow_groups(now, &partition, effects);
    }
}

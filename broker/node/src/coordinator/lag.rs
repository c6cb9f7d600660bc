//! How far groups are behind: in records from what is in memory, in seconds by the time of the first record that a
//! group has not read.
//!
//! A record's time lies in the header of its batch. Where that is in the page cache a scrape reads it; where it is
//! not, a job did so within the last seconds, and its result stands until the group commits something else.

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;

use parking_lot::Mutex;
use protocol::id::{Offset, PartitionIndex, Timestamp, TopicId};
use protocol::records::{BATCH_OVERHEAD, BatchHeader, TimestampType};
use storage::disk::{FileRange, Wait};

use crate::effects::{Effects, Job, Ticket, TicketKind};
use crate::node::Node;
use crate::partition::Partition;

/// Reads of one round: on a slow disk it lasts seconds, and the next one goes on.
const READS_MAX: usize = 1_000;

/// The longest name of a group that is shown: names of 32 KB are legal, and each series repeats its own.
const GROUP_BYTES_MAX: usize = 255;

/// How far a group is behind in one partition.
#[derive(Debug, Clone, Copy)]
pub struct GroupLag<'a> {
    /// The group.
    pub group: &'a str,
    /// The topic's name.
    pub topic: &'a str,
    /// Which of its partitions.
    pub partition: PartitionIndex,
    /// Records between what it committed and what consumers can read.
    pub records: u64,
    /// Milliseconds since the time of the first of them; `None` where that is not known.
    pub age_ms: Option<u64>,
}

/// Which offset of which group is meant.
type Key = (String, TopicId, PartitionIndex);

/// What was found out by reading from disk.
#[derive(Debug, Default)]
pub(crate) struct LagTable(Mutex<Known>);

#[derive(Debug, Default)]
struct Known {
    /// What each group had committed, and the time of the record there.
    times: BTreeMap<Key, (Offset, Timestamp)>,
    /// A round is under way.
    measuring: bool,
}

/// One committed offset that lies before the end of its partition.
#[derive(Debug)]
struct Behind {
    key: Key,
    partition: Arc<Partition>,
    offset: Offset,
    high_watermark: Offset,
}

/// A round of reads, or what they gave.
#[derive(Debug)]
pub struct LagRound {
    wanted: Vec<Behind>,
    times: BTreeMap<Key, (Offset, Timestamp)>,
}

impl LagRound {
    /// Reads, for as long as the disk takes.
    pub(crate) fn run(mut self) -> Self {
        for behind in std::mem::take(&mut self.wanted) {
            // What cannot be read is told by whoever is asked for it.
            if let Ok(Some(time)) = time_at(&behind.partition, behind.offset, Wait::Long) {
                self.times.insert(behind.key, (behind.offset, time));
            }
        }
        self
    }
}

/// The time of the record at an offset; `None` where the log has none.
fn time_at(partition: &Partition, offset: Offset, wait: Wait) -> io::Result<Option<Timestamp>> {
    let plan = {
        let state = partition.lock();
        let Ok(log) = state.log() else { return Ok(None) };
        let from = offset.max(log.log_start_offset());
        let Ok(plan) = log.plan_read(from, state.replica.high_watermark(), 1) else { return Ok(None) };
        plan
    };
    let Some(range) = plan.run(wait)?.range else { return Ok(None) };
    let len = range.len.min(u32::try_from(BATCH_OVERHEAD).unwrap_or(u32::MAX));
    let bytes = FileRange { len, ..range }.read(wait)?;
    let Ok(header) = BatchHeader::parse(&bytes) else { return Ok(None) };
    let is_first = header.base_offset >= offset
        && header.attributes.timestamp_type() == TimestampType::CreateTime
        && !header.attributes.has_delete_horizon();
    // Between the first and the last record of a batch lie the milliseconds for which its producer lingered.
    let time = if is_first { header.base_timestamp } else { header.max_timestamp };
    Ok(Some(time).filter(|time| *time != Timestamp::NONE))
}

impl Node {
    /// Shows how far groups are behind, of each partition that they committed an offset for, at most
    /// `metrics.group.partitions.max` of them. Gives how many were left out, those included whose partition this
    /// broker does not hold and those of groups with names longer than 255 bytes.
    pub fn visit_group_lag(&self, now: Timestamp, mut visit: impl FnMut(GroupLag<'_>)) -> u64 {
        let max = self.config().metrics_group_partitions_max;
        let mut left_out = 0;
        let all = self.committed_offsets(max, &mut left_out);
        for (group, topic, index, offset) in &all {
            let Some((id, partition, high_watermark)) = self.readable(topic, *index) else {
                left_out += 1;
                continue;
            };
            let records = u64::try_from(high_watermark.0.saturating_sub(offset.0)).unwrap_or(0);
            let time = match records {
                0 => Some(now),
                _ => match time_at(&partition, *offset, Wait::Never) {
                    Ok(time) => time,
                    Err(_) => self.known_time(&(group.clone(), id, *index)),
                },
            };
            let age_ms = time.map(|time| now.millis_since(time));
            visit(GroupLag { group, topic, partition: *index, records, age_ms });
        }
        left_out
    }

    /// The time at which a group stood when that was last read from disk. It may have read on since.
    fn known_time(&self, key: &Key) -> Option<Timestamp> {
        self.lag().0.lock().times.get(key).map(|(_, time)| *time)
    }

    /// What the groups here have committed: group, topic, partition and offset.
    fn committed_offsets(
        &self,
        max: usize,
        left_out: &mut u64,
    ) -> Vec<(String, String, PartitionIndex, Offset)> {
        let mut all = Vec::new();
        for partition in self.group_partitions() {
            let Some(coordinator) = partition.coordinator() else { continue };
            coordinator.read(|shard| {
                shard.for_each_offset(&mut |group, topic, index, offset, _| {
                    if all.len() < max && group.len() <= GROUP_BYTES_MAX {
                        all.push((group.to_owned(), topic.to_owned(), index, offset));
                    } else {
                        *left_out += 1;
                    }
                });
            });
        }
        all
    }

    /// A partition that this broker holds, and up to where it can be read.
    fn readable(&self, topic: &str, index: PartitionIndex) -> Option<(TopicId, Arc<Partition>, Offset)> {
        let table = self.table();
        let topic = table.by_name(topic)?;
        let partition = Arc::clone(topic.partition(index)?);
        let high_watermark = {
            let state = partition.lock();
            state.log().ok()?;
            state.replica.high_watermark()
        };
        Some((topic.id, partition, high_watermark))
    }

    /// Has those times read that groups stand at and that were not read before.
    pub(crate) fn measure_lag(&self, effects: &mut Effects) {
        let max = self.config().metrics_group_partitions_max;
        if std::mem::replace(&mut self.lag().0.lock().measuring, true) {
            return;
        }
        let behind: Vec<Behind> = self
            .committed_offsets(max, &mut 0)
            .into_iter()
            .filter_map(|(group, topic, index, offset)| {
                let (id, partition, high_watermark) = self.readable(&topic, index)?;
                Some(Behind { key: (group, id, index), partition, offset, high_watermark })
            })
            .filter(|behind| behind.offset < behind.high_watermark)
            .collect();
        let mut known = self.lag().0.lock();
        let mut times = BTreeMap::new();
        let mut wanted = Vec::new();
        for behind in behind {
            match known.times.get(&behind.key) {
                Some((offset, time)) if *offset == behind.offset => {
                    times.insert(behind.key, (*offset, *time));
                }
                _ if wanted.len() < READS_MAX => wanted.push(behind),
                _ => {}
            }
        }
        if wanted.is_empty() {
            known.times = times;
            known.measuring = false;
            return;
        }
        drop(known);
        let round = LagRound { wanted, times };
        effects.jobs.push((Ticket(TicketKind::Nobody), Job::MeasureLag(Box::new(round))));
    }

    /// A round of reads ended.
    pub(crate) fn lag_measured(&self, round: LagRound) {
        let mut known = self.lag().0.lock();
        known.times = round.times;
        known.measuring = false;
    }
}

//! The records of groups on their way into the log.

use std::time::Duration;

use machines::group::{BatchId, GroupBatch};
use protocol::ErrorCode;
use protocol::id::{LeaderEpoch, Offset};
use protocol::records::{BatchBuilder, BatchHeader, CheckedBatch, Compression};
use storage::AppendOutcome;

use super::state::{InFlight, Phase, State};
use super::{Scene, moment};

impl State {
    /// Appends all batches that the groups wrote, in order, then tells what became of each.
    pub(super) fn append_all(&mut self, scene: &mut Scene<'_>) {
        let batches = std::mem::take(&mut self.outcome.batches);
        if batches.is_empty() {
            return;
        }
        let results: Vec<(BatchId, Result<Option<Offset>, ErrorCode>)> =
            batches.iter().map(|batch| (batch.id, self.append(scene, batch))).collect();
        // Once for all, so that nothing is acknowledged from a directory of which a write failed.
        scene.node.judge_failures(scene.effects);
        let at = moment(scene.now);
        let timeout = Duration::from_millis(scene.node.config().offsets_commit_timeout_ms);
        for (batch, result) in results {
            match result {
                // Behind one that waits, this one waits too.
                Ok(None) if self.in_flight.is_empty() => self.shard.committed(at, batch, &mut self.outcome),
                Ok(required) => {
                    let before = self.in_flight.back().map_or(Offset(0), |before| before.required);
                    self.in_flight.push_back(InFlight {
                        batch,
                        required: required.unwrap_or(before),
                        deadline: Some(at.monotonic.plus(timeout)),
                    });
                }
                Err(code) => {
                    // What was to be forgotten is looked for again at the next check.
                    self.expiring = false;
                    self.shard.failed(at, batch, code, &mut self.outcome);
                }
            }
        }
    }

    /// Appends one batch; gives the high watermark that commits it, where that is not reached.
    fn append(&self, scene: &mut Scene<'_>, batch: &GroupBatch) -> Result<Option<Offset>, ErrorCode> {
        let Phase::Serving { epoch } = self.phase else { return Err(ErrorCode::NotLeaderOrFollower) };
        scene.node.check_space()?;
        let mut bytes = build(scene, batch)?;
        let settings = std::sync::Arc::clone(&scene.partition.lock().settings);
        let len = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
        if len > settings.check.max_message_bytes {
            return Err(ErrorCode::MessageTooLarge);
        }
        if u64::from(len) > u64::from(settings.log.segment_bytes) {
            return Err(ErrorCode::RecordListTooLarge);
        }
        let header = BatchHeader::parse(&bytes).map_err(|_| ErrorCode::UnknownServerError)?;
        let checked = CheckedBatch { header, bytes: &mut bytes };
        let appended = scene.partition.append_of_coordinator(scene.now, epoch, checked, scene.effects)?;
        match appended.outcome {
            AppendOutcome::Appended { .. } | AppendOutcome::Duplicate { .. } => {
                Ok(appended.waits_for.map(|(_, required): (LeaderEpoch, Offset)| required))
            }
            AppendOutcome::Rejected(code) => Err(code),
        }
    }
}

/// One record batch. All records have the time of the append, as Kafka's coordinator writes them.
fn build(scene: &Scene<'_>, batch: &GroupBatch) -> Result<Vec<u8>, ErrorCode> {
    let codec = usize::try_from(scene.node.config().offsets_topic_compression_codec).unwrap_or(0);
    let compression = Compression::ALL.get(codec).copied().unwrap_or_default();
    let mut builder = BatchBuilder::new().compression(compression, None);
    for record in &batch.records {
        builder.push(scene.now.wall, Some(&record.key), record.value.as_deref(), &[]);
    }
    // Lengths beyond the format, or a codec without memory: nothing was written.
    builder.build().map_err(|_| ErrorCode::RecordListTooLarge)
}

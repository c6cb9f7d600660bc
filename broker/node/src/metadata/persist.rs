//! Writing the metadata log: a job, because it waits for the device.

use std::sync::Arc;

use machines::quorum::{Event, HardState, RaftId, SnapshotMeta, epoch_of};
use parking_lot::Mutex;
use protocol::id::{Offset, Timestamp};
use storage::{MetadataLog, SnapshotId};

/// What has to be on stable storage before the quorum goes on. Jobs of this kind are done one by one, in order.
#[derive(Debug)]
pub struct PersistMetadata {
    log: Arc<Mutex<MetadataLog>>,
    now: Timestamp,
    work: Work,
}

#[derive(Debug)]
enum Work {
    Entries { ticket: u64, hard_state: Option<HardState>, truncate_to: Option<Offset>, batches: Vec<u8> },
    Snapshot { meta: SnapshotMeta, bytes: Vec<u8> },
}

impl PersistMetadata {
    pub(super) fn entries(
        log: &Arc<Mutex<MetadataLog>>,
        now: Timestamp,
        ticket: u64,
        hard_state: Option<HardState>,
        truncate_to: Option<Offset>,
        batches: Vec<u8>,
    ) -> Self {
        let work = Work::Entries { ticket, hard_state, truncate_to, batches };
        Self { log: Arc::clone(log), now, work }
    }

    pub(super) fn snapshot(
        log: &Arc<Mutex<MetadataLog>>,
        now: Timestamp,
        meta: SnapshotMeta,
        bytes: Vec<u8>,
    ) -> Self {
        Self { log: Arc::clone(log), now, work: Work::Snapshot { meta, bytes } }
    }

    /// Writes and syncs. Gives what the quorum is told.
    pub(crate) fn run(self) -> Result<Event, storage::Error> {
        let mut log = self.log.lock();
        match self.work {
            Work::Entries { ticket, hard_state, truncate_to, batches } => {
                if let Some(hard_state) = hard_state {
                    log.write_quorum_state(encode(hard_state).as_bytes())?;
                }
                if let Some(end) = truncate_to {
                    log.truncate_to(end, self.now)?;
                }
                if !batches.is_empty() {
                    log.append(&batches, self.now)?;
                }
                Ok(Event::Persisted(ticket))
            }
            Work::Snapshot { meta, bytes } => {
                let id = SnapshotId { end_offset: meta.end_offset, epoch: epoch_of(meta.term) };
                log.write_snapshot(id, &bytes)?;
                log.compact(self.now)?;
                Ok(Event::SnapshotTaken(meta))
            }
        }
    }
}

/// The file `quorum-state`: Kafka's name and the fields of its schema that a raft hard state has, as JSON.
fn encode(hard_state: HardState) -> String {
    let HardState { term, vote, committed } = hard_state;
    let vote = vote.map_or_else(|| "null".to_owned(), |vote| vote.0.to_string());
    format!(
        "{{\"leaderEpoch\":{term},\"votedRaftId\":{vote},\"committed\":{committed},\"data_version\":1}}\n"
    )
}

/// Reads what [`encode`] wrote; `None` when it is something else.
pub(super) fn decode(bytes: &[u8]) -> Option<HardState> {
    let text = std::str::from_utf8(bytes).ok()?.trim().strip_prefix('{')?.strip_suffix('}')?;
    let mut hard_state = HardState::default();
    let mut versioned = false;
    for pair in text.split(',') {
        match pair.split_once(':')? {
            ("\"leaderEpoch\"", term) => hard_state.term = term.parse().ok()?,
            ("\"votedRaftId\"", "null") => hard_state.vote = None,
            ("\"votedRaftId\"", vote) => hard_state.vote = Some(RaftId(vote.parse().ok()?)),
            ("\"committed\"", committed) => hard_state.committed = committed.parse().ok()?,
            ("\"data_version\"", version) => versioned = version == "1",
            _ => return None,
        }
    }
    versioned.then_some(hard_state)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hard_state_is_read_back() {
        for vote in [None, Some(RaftId(7 << 32 | 9))] {
            let hard_state = HardState { term: 12, vote, committed: 9 };
            assert_eq!(decode(encode(hard_state).as_bytes()), Some(hard_state));
        }
        assert_eq!(decode(b"{\"leaderEpoch\":1}"), None);
        assert_eq!(decode(b"\0\0"), None);
    }
}

//! Writing the metadata log: a job, because it waits for the device.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use machines::quorum::{Event, HardState, SnapshotMeta, epoch_of, state_file};
use parking_lot::Mutex;
use protocol::id::{Offset, Timestamp};
use storage::{MetadataLog, SnapshotId};

use super::Metadata;
use crate::effects::{Effects, Job, Now, Ticket, TicketKind};

/// What has to be on stable storage before the quorum goes on. Jobs of this kind are done one by one, in order.
#[derive(Debug)]
pub struct PersistMetadata {
    log: Arc<Mutex<MetadataLog>>,
    now: Timestamp,
    work: Work,
}

#[derive(Debug)]
enum Work {
    Entries {
        ticket: u64,
        hard_state: Option<HardState>,
        truncate_to: Option<Offset>,
        batches: Vec<u8>,
    },
    Snapshot {
        meta: SnapshotMeta,
        bytes: Vec<u8>,
    },
    /// How far the log is on the device, so that the next start knows.
    DurableEnd,
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

    /// Writes and syncs. Gives what the quorum is told, if it waits for it.
    pub(crate) fn run(self) -> Result<Option<Event>, storage::Error> {
        let mut log = self.log.lock();
        match self.work {
            Work::Entries { ticket, hard_state, truncate_to, batches } => {
                if let Some(end) = truncate_to {
                    log.truncate_to(end, self.now)?;
                }
                if !batches.is_empty() {
                    log.append(&batches, self.now)?;
                }
                // Last: what it says is committed must be in the log that is read with it.
                if let Some(hard_state) = hard_state {
                    log.write_quorum_state(&state_file::encode(&hard_state))?;
                }
                Ok(Some(Event::Persisted(ticket)))
            }
            Work::Snapshot { meta, bytes } => {
                let id = SnapshotId { end_offset: meta.end_offset, epoch: epoch_of(meta.term) };
                log.write_snapshot(id, &bytes)?;
                log.compact(self.now)?;
                Ok(Some(Event::SnapshotTaken(meta)))
            }
            Work::DurableEnd => log.note_durable_end().map(|()| None),
        }
    }
}

impl Metadata {
    /// Says what of the log's end was torn when the machine stopped.
    pub(crate) fn note_torn_end(&self, effects: &mut Effects) {
        let torn = self.log.lock().torn_bytes();
        if torn > 0 {
            let notice = format!("metadata log: cut {torn} bytes behind the last whole batch");
            effects.notices.push(notice);
        }
    }

    /// Notes how far the log is on the device, if that changed.
    pub(crate) fn checkpoint(&self, now: Now, effects: &mut Effects) {
        if self.is_end_unnoted.swap(false, Ordering::AcqRel) {
            let work = PersistMetadata { log: Arc::clone(&self.log), now: now.wall, work: Work::DurableEnd };
            effects.jobs.push((Ticket(TicketKind::Metadata), Job::PersistMetadata(Box::new(work))));
        }
    }

    /// As [`checkpoint`](Self::checkpoint), at once: for an ordered stop.
    pub(crate) fn close(&self) -> Result<(), storage::Error> {
        self.log.lock().note_durable_end()
    }
}

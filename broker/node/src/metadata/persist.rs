//! Writing the metadata log: a job, because it waits for the device.
//!
//! What finds no room on the disk is kept, in order, and written before anything that comes later: a quorum that
//! waits for its own log goes on where it was when there is room again.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use machines::quorum::{Event, HardState, SnapshotMeta, epoch_of, state_file};
use parking_lot::Mutex;
use protocol::id::{Offset, Timestamp};
use storage::{MetadataLog, SnapshotId};

use super::Metadata;
use crate::effects::{Effects, Job, Now, Ticket, TicketKind};

/// The metadata log, and what could not be written to it so far.
#[derive(Debug)]
pub(crate) struct Journal {
    pub(super) log: MetadataLog,
    stalled: VecDeque<Entry>,
}

/// What has to be on stable storage before the quorum goes on. Jobs of this kind are done one by one, in order.
#[derive(Debug)]
pub struct PersistMetadata {
    journal: Arc<Mutex<Journal>>,
    /// `None` when only what was stalled is to be written.
    entry: Option<Entry>,
}

/// What came of a job.
#[derive(Debug)]
pub struct Persisted {
    /// What the quorum is told, oldest first.
    pub(crate) events: Vec<Event>,
    /// Why the rest was not persisted.
    pub(crate) error: Option<storage::Error>,
}

#[derive(Debug)]
struct Entry {
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

impl Journal {
    pub(super) fn new(log: MetadataLog) -> Self {
        Self { log, stalled: VecDeque::new() }
    }

    /// Writes all that is stalled, until something cannot be.
    fn write_stalled(&mut self) -> Persisted {
        let mut events = Vec::new();
        while let Some(entry) = self.stalled.front_mut() {
            match entry.write(&mut self.log) {
                Ok(event) => events.extend(event),
                Err(error) => return Persisted { events, error: Some(error) },
            }
            self.stalled.pop_front();
        }
        Persisted { events, error: None }
    }
}

impl Entry {
    /// Writes and syncs. What was done is not done again by the next try. Gives what the quorum is told, if it waits
    /// for it.
    fn write(&mut self, log: &mut MetadataLog) -> Result<Option<Event>, storage::Error> {
        match &mut self.work {
            Work::Entries { ticket, hard_state, truncate_to, batches } => {
                if let Some(end) = truncate_to {
                    log.truncate_to(*end, self.now)?;
                    *truncate_to = None;
                }
                if !batches.is_empty() {
                    log.append(batches, self.now)?;
                    batches.clear();
                }
                // Last: what it says is committed must be in the log that is read with it.
                if let Some(hard_state) = hard_state {
                    log.write_quorum_state(&state_file::encode(hard_state))?;
                }
                Ok(Some(Event::Persisted(*ticket)))
            }
            Work::Snapshot { meta, bytes } => {
                let id = SnapshotId { end_offset: meta.end_offset, epoch: epoch_of(meta.term) };
                log.write_snapshot(id, bytes)?;
                log.compact(self.now)?;
                Ok(Some(Event::SnapshotTaken(meta.clone())))
            }
            Work::DurableEnd => log.note_durable_end().map(|()| None),
        }
    }
}

impl PersistMetadata {
    pub(super) fn entries(
        journal: &Arc<Mutex<Journal>>,
        now: Timestamp,
        ticket: u64,
        hard_state: Option<HardState>,
        truncate_to: Option<Offset>,
        batches: Vec<u8>,
    ) -> Self {
        let work = Work::Entries { ticket, hard_state, truncate_to, batches };
        Self { journal: Arc::clone(journal), entry: Some(Entry { now, work }) }
    }

    pub(super) fn snapshot(
        journal: &Arc<Mutex<Journal>>,
        now: Timestamp,
        meta: SnapshotMeta,
        bytes: Vec<u8>,
    ) -> Self {
        let work = Work::Snapshot { meta, bytes };
        Self { journal: Arc::clone(journal), entry: Some(Entry { now, work }) }
    }

    /// Writes and syncs, behind what is stalled.
    pub(crate) fn run(self) -> Persisted {
        let mut journal = self.journal.lock();
        journal.stalled.extend(self.entry);
        journal.write_stalled()
    }
}

impl Metadata {
    /// Says what of the log's end was torn when the machine stopped.
    pub(crate) fn note_torn_end(&self, effects: &mut Effects) {
        let torn = self.journal.lock().log.torn_bytes();
        if torn > 0 {
            let notice = format!("metadata log: cut {torn} bytes behind the last whole batch");
            effects.notices.push(notice);
        }
    }

    /// Notes how far the log is on the device, if that changed.
    pub(crate) fn checkpoint(&self, now: Now, effects: &mut Effects) {
        if self.is_end_unnoted.swap(false, Ordering::AcqRel) {
            let entry = Some(Entry { now: now.wall, work: Work::DurableEnd });
            let work = PersistMetadata { journal: Arc::clone(&self.journal), entry };
            effects.jobs.push((Ticket(TicketKind::Metadata), Job::PersistMetadata(Box::new(work))));
        }
    }

    /// As [`checkpoint`](Self::checkpoint), at once: for an ordered stop.
    pub(crate) fn close(&self) -> Result<(), storage::Error> {
        self.journal.lock().log.note_durable_end()
    }

    /// Writes again what found no room.
    pub(crate) fn write_stalled(&self, effects: &mut Effects) {
        let work = PersistMetadata { journal: Arc::clone(&self.journal), entry: None };
        effects.jobs.push((Ticket(TicketKind::Metadata), Job::PersistMetadata(Box::new(work))));
    }
}

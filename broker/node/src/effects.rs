//! What a turn of the core asks of its caller: bytes to deliver, timers, jobs and messages.
//!
//! Everything here is data. The caller (a socket loop or the simulator) owns clocks, threads and wires; it
//! hands the outcome back to [`crate::Node`] with the [`Ticket`] that came along. A ticket whose waiter is
//! gone is ignored, so nobody has to cancel one.

use std::sync::{Arc, Weak};

use bytes::Bytes;
use protocol::ErrorCode;
use protocol::id::{BrokerId, Monotonic, Timestamp};
use storage::disk::FileRange;

use crate::api::{ParkedDeletion, ParkedLookUp};
use crate::coordinator::{GroupLoad, LagRound};
use crate::fetch_work::WarmUp;
use crate::hosting::Removal;
use crate::housekeeping::Chore;
use crate::log_sync::SyncRound;
use crate::metadata::waiting::ParkedDecision;
use crate::metadata::{PersistMetadata, Persisted, Waiting};
use crate::parked::{ParkedFetch, ParkedProduce};
use crate::partition::{Partition, Place};
use crate::recovery::Recovery;
use crate::retention::RetentionRound;
use crate::session::{Session, Slot};
use crate::space::SpaceCheck;

/// The time of an input, on both clocks.
#[derive(Debug, Clone, Copy)]
pub struct Now {
    /// For deadlines.
    pub monotonic: Monotonic,
    /// For records, retention and expiry.
    pub wall: Timestamp,
}

/// A piece of a reply, written to the socket in order.
#[derive(Debug)]
pub enum Part {
    /// Bytes in memory.
    Bytes(Vec<u8>),
    /// Bytes of a file, sent without passing through user space where the file has a descriptor.
    Range(FileRange),
}

impl Part {
    /// How many bytes this part puts on the wire.
    #[must_use]
    pub fn len(&self) -> usize {
        match self {
            Self::Bytes(bytes) => bytes.len(),
            Self::Range(range) => usize::try_from(range.len).unwrap_or(usize::MAX),
        }
    }

    /// Whether there is nothing to write.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// One whole response frame, its length prefix included.
#[derive(Debug)]
pub enum Reply {
    /// A frame that lies in memory.
    Bytes(Vec<u8>),
    /// A frame with ranges of files in it.
    Parts(Vec<Part>),
    /// No frame: a Produce with `acks=0`.
    Nothing,
    /// No frame, and the connection ends: a Produce with `acks=0` that failed.
    Close(&'static str),
}

/// Names what a timer or a job was for; opaque to the caller.
#[derive(Debug, Clone)]
pub struct Ticket(pub(crate) TicketKind);

impl Ticket {
    /// Whether nobody waits for this any more, so that handing it back has no effect.
    #[must_use]
    pub fn is_stale(&self) -> bool {
        match &self.0 {
            TicketKind::Fetch(fetch) => fetch.strong_count() == 0,
            TicketKind::Produce(produce) => produce.strong_count() == 0,
            TicketKind::Deletion(parked) => parked.strong_count() == 0,
            TicketKind::Decision(parked) => parked.strong_count() == 0,
            TicketKind::Groups(partition) => partition.strong_count() == 0,
            _ => false,
        }
    }
}

#[derive(Debug, Clone)]
pub(crate) enum TicketKind {
    /// A Fetch whose wait ends.
    Fetch(Weak<ParkedFetch>),
    /// A Fetch whose cold ranges were read.
    Warmed(Arc<ParkedFetch>),
    /// A Produce whose `timeout.ms` ends.
    Produce(Weak<ParkedProduce>),
    /// A DeleteRecords whose `timeout.ms` ends.
    Deletion(Weak<ParkedDeletion>),
    /// A request whose time to wait for a decision ends.
    Decision(Weak<ParkedDecision>),
    /// Requests for producer ids that waited long enough.
    ProducerIds,
    /// Something to persist of the metadata.
    Metadata,
    /// The quorum's next deadline.
    QuorumDeadline,
    /// What of the metadata waits for room on the disk is to be written again.
    MetadataStalled,
    /// One round of syncs of a log directory.
    SyncRound,
    /// A partition whose `flush.ms` is over.
    Flush(Weak<Partition>),
    /// The next deadline of a partition's groups.
    Groups(Weak<Partition>),
    /// Files whose removal is due.
    Remove(Arc<Removal>),
    /// A recurring chore.
    Chore(Chore),
    /// Nobody waits for the outcome.
    Nobody,
}

/// Work that may block for long, done on threads of the caller's.
#[derive(Debug)]
pub enum Job {
    /// Read cold ranges into the page cache.
    Warm(WarmUp),
    /// Write back and sync files.
    Sync(SyncRound),
    /// Look offsets up by time where that has to read from disk.
    LookUp(Box<ParkedLookUp>),
    /// Write to the metadata log and sync it.
    PersistMetadata(Box<PersistMetadata>),
    /// Recover a partition's log.
    Recover(Box<Recovery>),
    /// Read the groups that are kept in a partition.
    LoadGroups(Box<GroupLoad>),
    /// Find out how old the records are that groups have not read.
    MeasureLag(Box<LagRound>),
    /// Remove old segments from their logs. Takes partitions' locks, for which requests wait.
    Retain(RetentionRound),
    /// Measure how much room the log directory has.
    MeasureSpace(SpaceCheck),
    /// Remove the folders of deleted partitions, and files that retention renamed.
    Remove(Arc<Removal>),
}

/// What became of a job.
#[derive(Debug)]
pub enum JobResult {
    /// Ranges were read into the page cache.
    Warmed {
        /// The device refused to give some of them.
        unreadable: Option<Arc<str>>,
    },
    /// What was to be removed is gone, or the disk refused.
    Removed(Result<(), storage::Error>),
    /// A round of syncs, with what each file's sync gave.
    Synced(SyncRound),
    /// Offsets were looked up.
    LookedUp(Box<ParkedLookUp>),
    /// The metadata was persisted, or some of it could not be.
    MetadataPersisted(Box<Persisted>),
    /// A log was recovered, or cannot be.
    Recovered(Box<Recovery>),
    /// A partition's groups were read, or cannot be.
    GroupsLoaded(Box<GroupLoad>),
    /// The records that groups have not read were looked at.
    LagMeasured(Box<LagRound>),
    /// Old segments were removed from their logs.
    Retained(RetentionRound),
    /// The room was measured.
    SpaceMeasured(SpaceCheck),
}

/// What a turn asks of its caller.
#[derive(Default)]
pub struct Effects {
    /// Deadlines to set.
    pub timers: Vec<(Monotonic, Ticket)>,
    /// Work for other threads.
    pub jobs: Vec<(Ticket, Job)>,
    /// Sentences for the log: what a person should know.
    pub notices: Vec<String>,
    /// The only log directory is gone for good: a process whose node says so has nothing left to serve, and ends without
    /// closing its logs. The notices say why.
    pub halt: bool,
    /// Frames for other brokers.
    pub messages: Vec<(BrokerId, Bytes)>,
    /// Fetches that may be done, collected under partitions' locks and run after.
    pub(crate) fetches: Vec<Arc<ParkedFetch>>,
    /// Partitions with a coordinator, of which something changed.
    pub(crate) coordinated: Vec<Arc<Partition>>,
    /// Produces of which a partition is acknowledged or failed.
    pub(crate) produces: Vec<(Arc<ParkedProduce>, Place, ErrorCode)>,
    /// Partitions that have something to sync and did not have before.
    pub(crate) dirty: Vec<Arc<Partition>>,
    /// What a disk refused under a partition's lock.
    pub(crate) failures: Vec<storage::Error>,
    /// Partitions whose records are to be synced without waiting for the checkpoint.
    pub(crate) urgent: Vec<Arc<Partition>>,
    /// Entries of the metadata log are committed and wait to be replayed.
    pub(crate) metadata_committed: bool,
    /// Decisions that will not be committed, or of which nobody knows.
    pub(crate) metadata_lost: Vec<Waiting>,
    /// Replies for sessions other than the one whose turn it is.
    pub(crate) replies: Vec<(Arc<Session>, Slot, Reply)>,
}

impl std::fmt::Debug for Effects {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Effects")
            .field("timers", &self.timers)
            .field("jobs", &self.jobs)
            .finish_non_exhaustive()
    }
}

impl Job {
    /// Does the job on the calling thread, for as long as it takes.
    #[must_use]
    pub fn run(self) -> JobResult {
        match self {
            Self::Warm(work) => JobResult::Warmed { unreadable: work.run() },
            Self::LookUp(parked) => JobResult::LookedUp(Box::new(parked.run())),
            Self::Sync(round) => JobResult::Synced(round.run()),
            Self::PersistMetadata(work) => JobResult::MetadataPersisted(Box::new(work.run())),
            Self::Recover(recovery) => JobResult::Recovered(Box::new(recovery.run())),
            Self::LoadGroups(load) => JobResult::GroupsLoaded(Box::new(load.run())),
            Self::MeasureLag(round) => JobResult::LagMeasured(Box::new(round.run())),
            Self::Retain(round) => JobResult::Retained(round.run()),
            Self::MeasureSpace(check) => JobResult::SpaceMeasured(check.run()),
            Self::Remove(removal) => JobResult::Removed(removal.run()),
        }
    }
}

impl Effects {
    /// Whether something was collected that has to run before the turn ends.
    pub(crate) fn is_unsettled(&self) -> bool {
        self.metadata_committed
            || !(self.metadata_lost.is_empty()
                && self.failures.is_empty()
                && self.dirty.is_empty()
                && self.urgent.is_empty()
                && self.produces.is_empty()
                && self.coordinated.is_empty()
                && self.fetches.is_empty())
    }
}

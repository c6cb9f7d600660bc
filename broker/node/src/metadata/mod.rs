//! The cluster's metadata on this broker: the quorum, the controller while this broker is the active one, and the
//! way of a decision from a request to its reply.
//!
//! A request is decided on the controller's speculative image, its records are proposed, written and synced by a
//! job, committed by the quorum, replayed into the image, and only then answered (D1, D7). Lock order: the applier,
//! then the state, which is never held over a partition's lock or a disk.

mod apply;
mod lifecycle;
mod open;
mod persist;
pub(crate) mod rules;
mod step;
#[cfg(test)]
mod tests;
pub(crate) mod waiting;

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI32};

use machines::controller::{Controller, ProducerIdBlock};
use machines::image::MetadataImage;
use machines::quorum::{Entry, ProposalFate, Quorum, Role};
use parking_lot::Mutex;
use protocol::id::{BrokerId, DirectoryId, Monotonic, Offset, Uuid};

pub(crate) use apply::Changes;
use persist::Journal;
pub use persist::{PersistMetadata, Persisted};
pub(crate) use step::Proposed;
use waiting::ParkedDecision;

/// Decisions that wait to be committed at the same time; further requests are told to come back.
const DECISIONS_MAX: usize = 10_000;

/// See the module.
pub(crate) struct Metadata {
    state: Mutex<State>,
    applier: Mutex<Applier>,
    journal: Arc<Mutex<Journal>>,
    /// Something was written to the log since it was noted how far it is on the device.
    is_end_unnoted: AtomicBool,
    /// The active controller; -1 while nobody is.
    controller_id: AtomicI32,
    broker_id: BrokerId,
    /// This broker's directory, and this start of its process.
    directory_id: DirectoryId,
    incarnation_id: Uuid,
}

struct State {
    quorum: Quorum,
    role: Role,
    /// While this broker is the active controller: has all that is in the log, applied or not.
    controller: Option<Controller>,
    /// What became of the proposal of this step.
    fate: Option<ProposalFate>,
    /// In the log at this index, not applied.
    appended: BTreeMap<u64, Vec<Waiting>>,
    /// Committed, not applied.
    committed: VecDeque<Entry>,
    snapshot_wanted: bool,
    timer: Option<Monotonic>,
    /// A registration or heartbeat of this broker is on its way through the log.
    lifecycle_pending: bool,
}

/// The end of the metadata log on this broker: only who holds it replays.
struct Applier {
    image: MetadataImage,
    /// Index of the last entry that was replayed.
    applied: u64,
    /// Bytes of records since the last snapshot.
    bytes_since_snapshot: u64,
    snapshot_end: Offset,
}

/// What happens when a decision is committed and this broker's image has it.
pub(crate) enum Waiting {
    /// A request is answered.
    Request(Arc<ParkedDecision>),
    /// This broker's own registration or heartbeat.
    Lifecycle,
    /// A block of producer ids; `None` when none could be had.
    ProducerIds(Option<ProducerIdBlock>),
    /// The first records of a new cluster.
    Bootstrap,
}

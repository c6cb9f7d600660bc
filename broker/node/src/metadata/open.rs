//! Reading the metadata back at start.

use std::collections::{BTreeMap, VecDeque};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI32};

use machines::image::MetadataImage;
use machines::quorum::{
    Config as QuorumConfig, Entry, HardState, Membership, PersistedState, Quorum, ReplicaKey, Role,
    SnapshotMeta, batch, snapshot, state_file,
};
use parking_lot::Mutex;
use protocol::id::{BrokerId, DirectoryId, Uuid};
use protocol::records::Batches;
use storage::{MetadataLog, OpenFiles};

use super::persist::Journal;
use super::{Applier, Metadata, State};
use crate::effects::Now;
use crate::node::OpenError;

impl Metadata {
    /// Reads snapshot, log and hard state of the metadata. An empty folder becomes a quorum of this broker alone.
    pub(crate) fn open(
        now: Now,
        files: &Arc<OpenFiles>,
        folder: &Path,
        broker: (BrokerId, DirectoryId),
        incarnation_id: Uuid,
        seed: u64,
    ) -> Result<Self, OpenError> {
        let replica = ReplicaKey { id: broker.0, directory_id: broker.1 };
        let log = MetadataLog::open(files, folder, now.wall)?;
        let hard_state = match log.read_quorum_state()? {
            Some(bytes) => {
                state_file::decode(&bytes).ok_or(OpenError::Metadata("quorum-state cannot be read"))?
            }
            None => HardState::default(),
        };
        let (snapshot, image) = read_snapshot(&log, replica)?;
        let entries = read_entries(&log, &snapshot)?;
        let (applied, snapshot_end) = (snapshot.index, snapshot.end_offset);
        let persisted = PersistedState { hard_state, snapshot, entries };
        let quorum = Quorum::open(QuorumConfig { replica, seed }, persisted, now.monotonic)
            .map_err(|error| OpenError::Quorum(error.to_string()))?;
        let state = State {
            quorum,
            role: Role::Follower { term: hard_state.term, leader: None },
            controller: None,
            fate: None,
            appended: BTreeMap::new(),
            committed: VecDeque::new(),
            snapshot_wanted: false,
            timer: None,
            lifecycle_pending: false,
        };
        Ok(Self {
            state: Mutex::new(state),
            applier: Mutex::new(Applier { image, applied, bytes_since_snapshot: 0, snapshot_end }),
            journal: Arc::new(Mutex::new(Journal::new(log))),
            is_end_unnoted: AtomicBool::new(true),
            controller_id: AtomicI32::new(-1),
            broker_id: broker.0,
            directory_id: broker.1,
            incarnation_id,
        })
    }
}

fn read_snapshot(log: &MetadataLog, replica: ReplicaKey) -> Result<(SnapshotMeta, MetadataImage), OpenError> {
    let newest = log.newest_snapshot().map(|id| log.read_snapshot(id)).transpose()?.flatten();
    let Some(bytes) = newest else {
        let membership = Membership::of_voters(vec![replica]);
        return Ok((SnapshotMeta { membership, ..SnapshotMeta::default() }, MetadataImage::default()));
    };
    let snapshot = snapshot::decode(&bytes).map_err(|error| OpenError::Quorum(error.to_string()))?;
    let mut image = MetadataImage::default();
    for record in &snapshot.records {
        image.apply(record).map_err(|error| OpenError::Quorum(error.to_string()))?;
    }
    image.provenance.end_offset = snapshot.meta.end_offset;
    image.provenance.timestamp = snapshot.timestamp;
    Ok((snapshot.meta, image))
}

/// The entries behind the snapshot. Each batch is one entry, so that an entry's index is its place in the log.
fn read_entries(log: &MetadataLog, snapshot: &SnapshotMeta) -> Result<Vec<Entry>, OpenError> {
    let bytes = log.read_all()?;
    let mut entries = Vec::new();
    for batch in Batches::new(&bytes) {
        let (header, batch) = batch.map_err(|error| OpenError::Quorum(error.to_string()))?;
        if header.base_offset < snapshot.end_offset {
            continue;
        }
        let index = snapshot.index + 1 + entries.len() as u64;
        entries.push(batch::from_batch(index, batch).map_err(|error| OpenError::Quorum(error.to_string()))?);
    }
    Ok(entries)
}

//! A replica's state from the bytes of its files.

use super::batch::{self, EntryError};
use super::entry::PersistedState;
use super::snapshot::{self, SnapshotError};
use super::state_file;
use protocol::id::Timestamp;
use protocol::metadata_record::MetadataRecord;
use protocol::records::Batches;

/// Why the files cannot be a replica's.
#[derive(Debug, thiserror::Error)]
pub enum RestoreError {
    /// `quorum-state` is damaged, or of a later version.
    #[error("the quorum-state file is damaged")]
    State,
    /// The snapshot is damaged.
    #[error("metadata snapshot: {0}")]
    Snapshot(#[from] SnapshotError),
    /// The log is damaged.
    #[error("metadata log: {0}")]
    Log(#[from] EntryError),
}

/// What was in the files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Restored {
    /// For [`Quorum::open`](super::Quorum::open).
    pub state: PersistedState,
    /// The snapshot's records: what the image starts from. The log's come as they are found to be committed.
    pub records: Vec<MetadataRecord>,
    /// The timestamp of the last batch in the snapshot.
    pub timestamp: Timestamp,
}

/// Reads `quorum-state` (`None` before the first vote), the latest snapshot, and the log's batches in order; those
/// that the snapshot covers are passed over.
///
/// # Errors
/// One of them is damaged. A torn end of the log is the storage's to cut.
pub fn restore(state: Option<&[u8]>, snapshot: &[u8], log: &[u8]) -> Result<Restored, RestoreError> {
    let hard_state = match state {
        Some(bytes) => state_file::decode(bytes).ok_or(RestoreError::State)?,
        None => super::HardState::default(),
    };
    let snapshot = snapshot::decode(snapshot)?;
    let mut entries = Vec::new();
    let mut index = snapshot.meta.index;
    for batch in Batches::new(log) {
        let (header, bytes) = batch.map_err(EntryError::from)?;
        if header.base_offset >= snapshot.meta.end_offset {
            index += 1;
            entries.push(batch::from_batch(index, bytes)?);
        }
    }
    let state = PersistedState { hard_state, snapshot: snapshot.meta, entries };
    Ok(Restored { state, records: snapshot.records, timestamp: snapshot.timestamp })
}

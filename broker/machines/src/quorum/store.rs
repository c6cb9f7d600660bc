//! The log since the last snapshot, in memory, as the consensus reads it.
//!
//! Bounded: the quorum asks for a snapshot beyond [`super::SNAPSHOT_BYTES`], and drops what it covers.

use super::codec::{payload_from_raft, to_raft};
use super::entry::{Entry, HardState, Membership, RaftId, ReplicaKey, SnapshotMeta};
use protocol::id::Offset;
use raft::eraftpb::{ConfState, Entry as RaftEntry, EntryType, HardState as RaftHardState, Snapshot};
use raft::{Error, GetEntriesContext, RaftState, Result, Storage, StorageError};
use std::cell::Cell;
use std::collections::VecDeque;

/// What one entry takes besides its payload.
const ENTRY_OVERHEAD: usize = 96;

#[derive(Debug, Clone)]
struct Held {
    entry: RaftEntry,
    end_offset: Offset,
}

pub(super) struct Store {
    hard_state: HardState,
    /// The membership that the consensus starts from: that of the snapshot found at start.
    initial: Membership,
    /// The latest snapshot.
    snapshot: SnapshotMeta,
    /// The entry before the first one held.
    base: (u64, u64, Offset),
    entries: VecDeque<Held>,
    bytes: usize,
    /// A replica needs a snapshot and became a member after the latest: it would refuse that one.
    newer_snapshot_wanted: Cell<bool>,
}

fn size_of(entry: &RaftEntry) -> usize {
    entry.data.len() + entry.context.len() + ENTRY_OVERHEAD
}

pub(super) fn conf_state(membership: &Membership) -> ConfState {
    let ids =
        |members: &[ReplicaKey]| members.iter().map(|replica| replica.raft_id().0).collect::<Vec<u64>>();
    ConfState::from((ids(&membership.voters), ids(&membership.learners)))
}

impl Store {
    pub(super) fn new(hard_state: HardState, snapshot: SnapshotMeta, entries: &[Entry]) -> Self {
        let base = (snapshot.index, snapshot.term, snapshot.end_offset);
        let mut store = Self {
            hard_state,
            initial: snapshot.membership.clone(),
            snapshot,
            base,
            entries: VecDeque::new(),
            bytes: 0,
            newer_snapshot_wanted: Cell::new(false),
        };
        for entry in entries {
            store.push(to_raft(entry), entry.end_offset());
        }
        store
    }

    fn push(&mut self, entry: RaftEntry, end_offset: Offset) {
        self.bytes += size_of(&entry);
        self.entries.push_back(Held { entry, end_offset });
    }

    fn position(&self, index: u64) -> Option<usize> {
        usize::try_from(index.checked_sub(self.base.0 + 1)?).ok()
    }

    pub(super) fn last(&self) -> u64 {
        self.base.0 + self.entries.len() as u64
    }

    /// One past the last record.
    pub(super) fn log_end_offset(&self) -> Offset {
        self.entries.back().map_or(self.base.2, |held| held.end_offset)
    }

    /// One past the last record of an entry that is held, or of the one before.
    pub(super) fn end_offset(&self, index: u64) -> Option<Offset> {
        if index == self.base.0 {
            return Some(self.base.2);
        }
        self.entries.get(self.position(index)?).map(|held| held.end_offset)
    }

    /// The entry that ends at `end_offset`, with its term.
    pub(super) fn index_ending_at(&self, end_offset: Offset) -> Option<(u64, u64)> {
        if self.base.2 == end_offset {
            return Some((self.base.0, self.base.1));
        }
        let at = self.entries.binary_search_by_key(&end_offset, |held| held.end_offset).ok()?;
        self.entries.get(at).map(|held| (held.entry.index, held.entry.term))
    }

    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    pub(super) fn is_newer_snapshot_wanted(&self) -> bool {
        self.newer_snapshot_wanted.get()
    }

    pub(super) fn hard_state(&self) -> HardState {
        self.hard_state
    }

    pub(super) fn set_hard_state(&mut self, hard_state: HardState) {
        self.hard_state = hard_state;
    }

    pub(super) fn snapshot_meta(&self) -> &SnapshotMeta {
        &self.snapshot
    }

    /// Takes entries in, which may replace some that are held. Gives the first index that was cut, if any, and the
    /// entries with their offsets.
    pub(super) fn append(&mut self, entries: Vec<RaftEntry>) -> (Option<u64>, Vec<Entry>) {
        let mut cut = None;
        if let Some(first) = entries.first() {
            assert!(first.index > self.base.0, "what a snapshot covers is never replaced");
            assert!(first.index <= self.last() + 1, "the log has no holes");
            if first.index <= self.last() {
                cut = Some(first.index);
                while self.last() >= first.index {
                    if let Some(held) = self.entries.pop_back() {
                        self.bytes -= size_of(&held.entry);
                    }
                }
            }
        }
        let mut appended = Vec::with_capacity(entries.len());
        for entry in entries {
            let payload = payload_from_raft(&entry);
            let described =
                Entry { index: entry.index, term: entry.term, base_offset: self.log_end_offset(), payload };
            let end_offset = described.end_offset();
            appended.push(described);
            self.push(entry, end_offset);
        }
        (cut, appended)
    }

    /// Whether a change of the membership lies behind `after`, up to `up_to`.
    pub(super) fn has_membership_change(&self, after: u64, up_to: u64) -> bool {
        let (from, to) = (self.position(after + 1).unwrap_or(0), self.position(up_to + 1).unwrap_or(0));
        let to = to.min(self.entries.len());
        from < to && self.entries.range(from..to).any(|held| held.entry.entry_type != EntryType::EntryNormal)
    }

    /// An entry with its offsets.
    pub(super) fn describe(&self, entry: &RaftEntry) -> Entry {
        let base_offset = self.end_offset(entry.index - 1).unwrap_or(Offset::UNKNOWN);
        Entry { index: entry.index, term: entry.term, base_offset, payload: payload_from_raft(entry) }
    }

    /// A snapshot was taken here: drops what it covers, except the last `keep` entries, which spare slow followers
    /// the whole snapshot.
    pub(super) fn compact(&mut self, snapshot: SnapshotMeta, keep: u64) {
        let up_to = snapshot.index.saturating_sub(keep);
        while self.base.0 < up_to {
            let Some(held) = self.entries.pop_front() else { break };
            self.bytes -= size_of(&held.entry);
            self.base = (held.entry.index, held.entry.term, held.end_offset);
        }
        self.snapshot = snapshot;
        self.newer_snapshot_wanted.set(false);
    }

    /// A leader's snapshot replaces the whole log.
    pub(super) fn install(&mut self, snapshot: SnapshotMeta) {
        self.entries.clear();
        self.bytes = 0;
        self.base = (snapshot.index, snapshot.term, snapshot.end_offset);
        self.snapshot = snapshot;
    }
}

impl Storage for Store {
    fn initial_state(&self) -> Result<RaftState> {
        let hard_state = RaftHardState {
            term: self.hard_state.term,
            vote: self.hard_state.vote.map_or(0, |id| id.0),
            // What else is committed is learned again from the quorum.
            commit: self.hard_state.committed.max(self.base.0),
            ..RaftHardState::default()
        };
        Ok(RaftState::new(hard_state, conf_state(&self.initial)))
    }

    fn entries(
        &self,
        low: u64,
        high: u64,
        max_size: impl Into<Option<u64>>,
        _: GetEntriesContext,
    ) -> Result<Vec<RaftEntry>> {
        let from = self.position(low).ok_or(Error::Store(StorageError::Compacted))?;
        let to = self.position(high).ok_or(Error::Store(StorageError::Compacted))?;
        assert!(to <= self.entries.len(), "entries are asked for that are not there");
        let max_size = usize::try_from(max_size.into().unwrap_or(u64::MAX)).unwrap_or(usize::MAX);
        let mut size = 0;
        let mut entries = Vec::new();
        for held in self.entries.range(from..to) {
            size += size_of(&held.entry);
            if size > max_size && !entries.is_empty() {
                break;
            }
            entries.push(held.entry.clone());
        }
        Ok(entries)
    }

    fn term(&self, index: u64) -> Result<u64> {
        if index == self.base.0 {
            return Ok(self.base.1);
        }
        let at = self.position(index).ok_or(Error::Store(StorageError::Compacted))?;
        self.entries.get(at).map(|held| held.entry.term).ok_or(Error::Store(StorageError::Unavailable))
    }

    fn first_index(&self) -> Result<u64> {
        Ok(self.base.0 + 1)
    }

    fn last_index(&self) -> Result<u64> {
        Ok(self.last())
    }

    fn snapshot(&self, request_index: u64, to: u64) -> Result<Snapshot> {
        let has_it = self.snapshot.membership.replica(RaftId(to)).is_some();
        if self.snapshot.index == 0 || self.snapshot.index < request_index || !has_it {
            self.newer_snapshot_wanted.set(true);
            return Err(Error::Store(StorageError::SnapshotTemporarilyUnavailable));
        }
        Ok(super::codec::snapshot_to_raft(&self.snapshot))
    }
}

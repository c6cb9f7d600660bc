//! The newest entries of the active segment's index, those already in its file among them.

use super::{FileEntry, OffsetEntry, TimeEntry};

/// Entries that stay in memory once they are in the file: at one in 4 KiB they cover the last 8 MiB or more.
const KEPT_ENTRIES_MAX: usize = 2048;

/// The end of an index: the entries from number `first` on.
#[derive(Debug, Clone)]
pub(crate) struct Tail<E> {
    /// How many entries precede those in memory.
    first: usize,
    entries: Vec<E>,
    /// How many entries, counted from the index's beginning, the file holds.
    written: usize,
}

impl<E> Default for Tail<E> {
    fn default() -> Self {
        Self { first: 0, entries: Vec::new(), written: 0 }
    }
}

impl<E: FileEntry> Tail<E> {
    /// An index whose `written` entries are all in the file.
    pub(crate) const fn in_file(written: usize) -> Self {
        Self { first: written, entries: Vec::new(), written }
    }

    /// All entries, also those in the file.
    pub(crate) const fn len(&self) -> usize {
        self.first + self.entries.len()
    }

    /// How many entries the file holds.
    pub(crate) const fn written(&self) -> usize {
        self.written
    }

    /// Whether every entry is in memory.
    pub(crate) const fn is_whole(&self) -> bool {
        self.first == 0
    }

    pub(crate) fn push(&mut self, entry: E) {
        self.entries.push(entry);
    }

    /// The bytes that the file lacks and where they go.
    pub(crate) fn unwritten(&self) -> (u64, Vec<u8>) {
        let from = self.written.saturating_sub(self.first);
        let mut bytes = Vec::with_capacity((self.len() - self.written) * E::BYTES);
        for entry in self.entries.iter().skip(from) {
            entry.put(&mut bytes);
        }
        (self.written as u64 * E::BYTES as u64, bytes)
    }

    /// The file now holds the first `written` entries; old ones leave memory.
    pub(crate) fn note_written(&mut self, written: usize) {
        self.written = self.written.max(written.min(self.len()));
        let in_file = self.written.saturating_sub(self.first);
        let surplus = in_file.saturating_sub(KEPT_ENTRIES_MAX);
        // Half a window at a time, so that the entries are moved rarely.
        if surplus >= KEPT_ENTRIES_MAX / 2 {
            self.entries.drain(..surplus);
            self.first += surplus;
        }
    }
}

/// What the entries in memory know about an offset or a position.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Known {
    /// The batch that holds the offset begins here.
    At(u32),
    /// The batch begins here or later.
    After(u32),
    /// Only the file knows.
    InFile,
}

impl Tail<OffsetEntry> {
    /// Where the batch with `offset` (relative) begins.
    pub(crate) fn lookup(&self, offset: u32) -> Known {
        let after = self.entries.partition_point(|entry| entry.base <= offset);
        match after.checked_sub(1).and_then(|i| self.entries.get(i)) {
            Some(entry) if offset <= entry.last => Known::At(entry.position),
            Some(entry) => Known::After(entry.position),
            None if self.is_whole() => Known::After(0),
            None => Known::InFile,
        }
    }

    /// The greatest batch start in memory that is at or before `position`.
    pub(crate) fn boundary(&self, position: u64) -> Option<u32> {
        let after = self.entries.partition_point(|entry| u64::from(entry.position) <= position);
        after.checked_sub(1).and_then(|i| self.entries.get(i)).map(|entry| entry.position)
    }
}

impl Tail<TimeEntry> {
    /// The offset (relative) from which a record of at least `timestamp` must be looked for.
    pub(crate) fn lookup(&self, timestamp: i64) -> Option<u32> {
        let after = self.entries.partition_point(|entry| entry.timestamp < timestamp);
        match after.checked_sub(1).and_then(|i| self.entries.get(i)) {
            Some(entry) => Some(entry.last),
            None if self.is_whole() => Some(0),
            None => None,
        }
    }
}

//! Sparse indexes of a segment: offsets to positions (`.index`) and timestamps to offsets (`.timeindex`).
//!
//! Kafka's formats. An offset entry is the last offset of a batch, relative to the segment's base, and the
//! position where that batch begins; a time entry is the greatest timestamp so far and the last offset of the
//! batch that brought it. In memory an entry also knows its batch's first offset, so that the next fetch of a
//! consumer that reads on needs no look into the file. The active segment keeps its newest entries here and
//! the rest in the file; a sealed segment keeps them in the file alone.

mod tail;

pub(crate) use tail::{Known, Tail};

/// Bytes of an entry of `.index`.
pub(crate) const OFFSET_ENTRY_BYTES: usize = 8;
/// Bytes of an entry of `.timeindex`.
pub(crate) const TIME_ENTRY_BYTES: usize = 12;

/// An entry of an index file.
pub(crate) trait FileEntry: Copy {
    /// Bytes of an entry in the file.
    const BYTES: usize;
    /// Appends the entry as the file holds it.
    fn put(&self, into: &mut Vec<u8>);
}

/// Where a batch begins. Offsets are relative to the segment's base.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct OffsetEntry {
    /// The batch's first offset.
    pub(crate) base: u32,
    /// The batch's last offset.
    pub(crate) last: u32,
    /// Where the batch begins in the file.
    pub(crate) position: u32,
}

impl FileEntry for OffsetEntry {
    const BYTES: usize = OFFSET_ENTRY_BYTES;

    fn put(&self, into: &mut Vec<u8>) {
        into.extend_from_slice(&self.last.to_be_bytes());
        into.extend_from_slice(&self.position.to_be_bytes());
    }
}

/// The greatest timestamp up to a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct TimeEntry {
    /// Milliseconds since the epoch.
    pub(crate) timestamp: i64,
    /// The last offset of the batch that brought it, relative to the segment's base.
    pub(crate) last: u32,
}

impl FileEntry for TimeEntry {
    const BYTES: usize = TIME_ENTRY_BYTES;

    fn put(&self, into: &mut Vec<u8>) {
        into.extend_from_slice(&self.timestamp.to_be_bytes());
        into.extend_from_slice(&self.last.to_be_bytes());
    }
}

fn be_u32(bytes: &[u8]) -> u32 {
    bytes.try_into().map_or(0, u32::from_be_bytes)
}

/// An offset index read from its file: last offsets (relative) and positions.
#[derive(Debug, Default)]
pub(crate) struct LoadedIndex(Vec<(u32, u32)>);

impl LoadedIndex {
    /// Parses a file's content; the reason when it cannot be an index of a log of `log_bytes`.
    pub(crate) fn parse(bytes: &[u8], log_bytes: u32) -> Result<Self, &'static str> {
        if !bytes.len().is_multiple_of(OFFSET_ENTRY_BYTES) {
            return Err("length is not a multiple of the entry's");
        }
        let mut entries: Vec<(u32, u32)> = Vec::with_capacity(bytes.len() / OFFSET_ENTRY_BYTES);
        for entry in bytes.chunks_exact(OFFSET_ENTRY_BYTES) {
            let (last, position) = (be_u32(&entry[..4]), be_u32(&entry[4..]));
            if position >= log_bytes {
                return Err("entry points behind the log's end");
            }
            if entries.last().is_some_and(|before| before.0 >= last || before.1 >= position) {
                return Err("entries do not grow");
            }
            entries.push((last, position));
        }
        Ok(Self(entries))
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    pub(crate) fn memory_bytes(&self) -> usize {
        self.0.len() * size_of::<(u32, u32)>()
    }

    pub(crate) fn entries(&self) -> &[(u32, u32)] {
        &self.0
    }

    /// Where the last batch begins that is known to end at or before `offset`; 0 when none is.
    pub(crate) fn lookup(&self, offset: u32) -> u32 {
        let after = self.0.partition_point(|entry| entry.0 <= offset);
        after.checked_sub(1).and_then(|i| self.0.get(i)).map_or(0, |entry| entry.1)
    }

    /// The greatest known batch start at or before `position`.
    pub(crate) fn boundary(&self, position: u64) -> u32 {
        let after = self.0.partition_point(|entry| u64::from(entry.1) <= position);
        after.checked_sub(1).and_then(|i| self.0.get(i)).map_or(0, |entry| entry.1)
    }
}

/// Parses a `.timeindex`: entries in order. Stops at the first that does not grow, which a torn write leaves.
pub(crate) fn parse_times(bytes: &[u8]) -> Vec<TimeEntry> {
    let mut entries: Vec<TimeEntry> = Vec::with_capacity(bytes.len() / TIME_ENTRY_BYTES);
    for entry in bytes.chunks_exact(TIME_ENTRY_BYTES) {
        let timestamp = entry[..8].try_into().map_or(0, i64::from_be_bytes);
        let next = TimeEntry { timestamp, last: be_u32(&entry[8..]) };
        if entries.last().is_some_and(|before| before.timestamp >= timestamp || before.last > next.last) {
            break;
        }
        entries.push(next);
    }
    entries
}

//! The bytes between a codec, which appends, and a walker, which consumes.

use super::DecompressError;

/// A window larger than this is given back after its batch.
const BYTES_KEPT: usize = 1 << 20;

/// Decompressed bytes that were not consumed yet, with as much of the consumed ones as a codec refers back
/// to.
#[derive(Debug, Default)]
pub(in crate::records) struct Window {
    /// Longer than what is in use: growing zeroes, so it keeps its length between batches.
    buffer: Vec<u8>,
    start: usize,
    end: usize,
    /// Bytes that may still come out of this batch.
    left: usize,
    limit: usize,
}

impl Window {
    /// Empties the window for a batch whose output may take `output_bytes_max` bytes.
    pub(super) fn clear(&mut self, output_bytes_max: usize) {
        self.start = 0;
        self.end = 0;
        self.left = output_bytes_max;
        self.limit = output_bytes_max;
    }

    pub(super) fn trim(&mut self) {
        if self.buffer.len() > BYTES_KEPT {
            self.buffer = Vec::new();
        }
        self.start = 0;
        self.end = 0;
    }

    pub(in crate::records) fn unread(&self) -> &[u8] {
        &self.buffer[self.start..self.end]
    }

    /// Marks the first `count` unread bytes as read.
    pub(in crate::records) fn consume(&mut self, count: usize) {
        assert!(count <= self.end - self.start, "more is consumed than was decompressed");
        self.start += count;
    }

    /// Bytes of output that are still allowed.
    pub(super) const fn left(&self) -> usize {
        self.left
    }

    /// The error of a batch whose output passes its limit.
    pub(super) const fn too_large(&self) -> DecompressError {
        DecompressError::TooLarge(self.limit)
    }

    /// Everything up to the end, of which at least the last `history` bytes that came out are there, and
    /// behind it `count` bytes of room.
    pub(super) fn room(&mut self, count: usize, history: usize) -> (&[u8], &mut [u8]) {
        if self.buffer.len() - self.end < count {
            let keep_from = self.start.min(self.end.saturating_sub(history));
            self.buffer.copy_within(keep_from..self.end, 0);
            self.start -= keep_from;
            self.end -= keep_from;
            if self.buffer.len() - self.end < count {
                // Doubling keeps the copies linear when one record fills many rooms.
                let wanted = (self.end + count).max(self.end * 2);
                self.buffer.resize(wanted, 0);
            }
        }
        let (before, room) = self.buffer.split_at_mut(self.end);
        (before, &mut room[..count])
    }

    /// Takes over the first `count` bytes of the room.
    pub(super) fn filled(&mut self, count: usize) -> Result<(), DecompressError> {
        self.left = self.left.checked_sub(count).ok_or(self.too_large())?;
        self.end += count;
        Ok(())
    }

    /// Appends bytes that need no decompression; false when there are none.
    pub(super) fn append(&mut self, bytes: &[u8]) -> Result<bool, DecompressError> {
        if bytes.len() > self.left {
            return Err(self.too_large());
        }
        let (_, room) = self.room(bytes.len(), 0);
        room.copy_from_slice(bytes);
        self.filled(bytes.len())?;
        Ok(!bytes.is_empty())
    }
}

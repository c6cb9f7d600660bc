//! The bytes between a codec, which appends, and a walker, which consumes.
//!
//! What a batch takes while it is decompressed follows its largest record and the history that its codec refers back to,
//! and may be as much as all of its output. Small ones go on side by side; of those that get larger there is one at a
//! time in the process, so that what all threads take together has a bound.

use std::cell::Cell;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::DecompressError;

/// A window larger than this is given back after its batch.
const BYTES_KEPT: usize = 1 << 20;

/// A batch whose output passes this goes on when no other such one does. Hardly any does: a batch of Kafka's default
/// size would have to be compressed 16:1.
pub(in crate::records) const LARGE_BYTES: usize = 16 << 20;

/// Held by the one large batch that is decompressed.
static LARGE: Mutex<()> = Mutex::new(());

thread_local! {
    /// This thread holds [`LARGE`] already: within its batch it may decompress another one.
    static IS_LARGE: Cell<bool> = const { Cell::new(false) };
}

/// The right to be large; given back when it is dropped.
#[derive(Debug)]
struct Large(Option<MutexGuard<'static, ()>>);

impl Large {
    /// Waits until no other thread decompresses a large batch.
    fn enter() -> Self {
        if IS_LARGE.replace(true) {
            return Self(None);
        }
        Self(Some(LARGE.lock().unwrap_or_else(PoisonError::into_inner)))
    }
}

impl Drop for Large {
    fn drop(&mut self) {
        if self.0.take().is_some() {
            IS_LARGE.set(false);
        }
    }
}

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
    large: Option<Large>,
}

impl Window {
    /// Empties the window for a batch whose output may take `output_bytes_max` bytes.
    pub(super) fn clear(&mut self, output_bytes_max: usize) {
        self.start = 0;
        self.end = 0;
        self.left = output_bytes_max;
        self.limit = output_bytes_max;
        self.large = None;
    }

    pub(super) fn trim(&mut self) {
        self.large = None;
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
                // Doubling keeps the copies linear when one record fills many rooms. No more can be unread than may
                // come out.
                let wanted = (self.end + count).max((self.end * 2).min(self.limit));
                self.grow_to(wanted);
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
        // A codec keeps a history of its own, which follows the output.
        self.grow_to(self.limit - self.left);
        Ok(())
    }

    /// So many bytes are about to be needed, or have come out.
    fn grow_to(&mut self, bytes: usize) {
        if bytes > LARGE_BYTES && self.large.is_none() {
            self.large = Some(Large::enter());
        }
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

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    #[test]
    fn one_large_batch_at_a_time_is_decompressed() {
        let (now, most) = (AtomicUsize::new(0), AtomicUsize::new(0));
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for _ in 0..50 {
                        let mut window = Window::default();
                        window.clear(LARGE_BYTES + 1);
                        // Without the bytes themselves: what counts is that they came out.
                        window.grow_to(LARGE_BYTES + 1);
                        most.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                        // Within it another one goes on.
                        let mut inner = Window::default();
                        inner.grow_to(LARGE_BYTES + 1);
                        drop(inner);
                        std::thread::yield_now();
                        now.fetch_sub(1, Ordering::SeqCst);
                        window.trim();
                    }
                });
            }
        });
        assert_eq!(most.into_inner(), 1);
        assert!(!IS_LARGE.get());
    }

    #[test]
    fn a_window_is_hardly_larger_than_what_may_come_out() {
        const LIMIT: usize = 5 << 20;
        const STEP: usize = 128 << 10;
        let mut window = Window::default();
        window.clear(LIMIT);
        while window.left() >= STEP {
            let _ = window.room(STEP, 0);
            window.filled(STEP).unwrap();
        }
        assert_eq!(window.unread().len(), LIMIT);
        assert!(window.buffer.len() <= LIMIT + STEP, "{}", window.buffer.len());
    }
}

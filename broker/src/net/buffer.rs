//! The receive buffer of a connection: it grows with the bytes received, never with the size announced (D3).

use std::cell::RefCell;

/// A read asks for at most this much beyond what the frame at hand needs, so that one read takes many small
/// frames, and a large frame's successor is not moved.
const READ_BYTES: usize = 64 * 1024;

/// A connection keeps a larger buffer between requests up to this size; beyond it goes back at once.
const KEPT_BYTES_MAX: usize = 1024 * 1024;

/// Buffers of `READ_BYTES` that a worker keeps for the next connection that has something to read.
const POOLED_BUFFERS_MAX: usize = 64;

thread_local! {
    static POOL: RefCell<Vec<Vec<u8>>> = const { RefCell::new(Vec::new()) };
}

/// Bytes received and not yet consumed lie in `bytes[..filled]`.
#[derive(Default)]
pub(crate) struct Buffer {
    /// Its length is its capacity: grown parts are zeroed once and then reused.
    bytes: Vec<u8>,
    filled: usize,
}

impl Buffer {
    /// What was received and not consumed.
    pub(crate) fn filled(&mut self) -> &mut [u8] {
        self.bytes.get_mut(..self.filled).unwrap_or_default()
    }

    #[cfg(test)]
    fn len(&self) -> usize {
        self.filled
    }

    /// Bytes of memory that are held on to: none while the buffer is empty and only a read's worth, which goes back.
    pub(crate) fn held_bytes(&self) -> usize {
        if self.filled == 0 && self.bytes.len() <= READ_BYTES { 0 } else { self.bytes.len() }
    }

    /// Bytes of memory that [`room`](Self::room) will hold.
    pub(crate) fn next_bytes(&self, frame_bytes: Option<usize>) -> usize {
        self.bytes.len().max(self.filled + self.next_room(frame_bytes))
    }

    /// Whether the next byte begins a request.
    pub(crate) fn is_empty(&self) -> bool {
        self.filled == 0
    }

    /// Room for the next read. A frame known to have `frame_bytes` is read to its end and no further when it is
    /// large; the room at most doubles what is filled, so that an announced size costs nothing by itself.
    pub(crate) fn room(&mut self, frame_bytes: Option<usize>) -> &mut [u8] {
        let len = self.filled + self.next_room(frame_bytes);
        if self.bytes.is_empty() {
            self.bytes = POOL.with_borrow_mut(Vec::pop).unwrap_or_default();
        }
        if self.bytes.len() < len {
            // Exactly, so that a large frame does not leave twice its size behind.
            self.bytes.reserve_exact(len - self.bytes.len());
            self.bytes.resize(len, 0);
        }
        self.bytes.get_mut(self.filled..len).unwrap_or_default()
    }

    fn next_room(&self, frame_bytes: Option<usize>) -> usize {
        let want = match frame_bytes {
            Some(frame) if frame > READ_BYTES => frame - self.filled,
            _ => READ_BYTES,
        };
        want.min(self.filled.max(READ_BYTES))
    }

    pub(crate) fn received(&mut self, count: usize) {
        self.filled += count;
    }

    /// Drops `count` bytes from the front.
    pub(crate) fn consume(&mut self, count: usize) {
        if count == 0 {
            return;
        }
        self.bytes.copy_within(count..self.filled, 0);
        self.filled -= count;
        if self.filled == 0 && self.bytes.len() > KEPT_BYTES_MAX {
            self.bytes = Vec::new();
        }
    }

    /// Gives the memory back when nothing is in it: a connection with nothing to read holds none.
    pub(crate) fn release(&mut self) {
        if self.filled > 0 || self.bytes.is_empty() {
            return;
        }
        let bytes = std::mem::take(&mut self.bytes);
        if bytes.len() == READ_BYTES {
            POOL.with_borrow_mut(|pool| {
                if pool.len() < POOLED_BUFFERS_MAX {
                    pool.push(bytes);
                }
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn room_follows_what_arrived_not_what_was_announced() {
        let mut buffer = Buffer::default();
        assert_eq!(buffer.room(Some(100 << 20)).len(), READ_BYTES);
        buffer.received(READ_BYTES);
        assert_eq!(buffer.room(Some(100 << 20)).len(), READ_BYTES);
        buffer.received(READ_BYTES);
        assert_eq!(buffer.room(Some(100 << 20)).len(), 2 * READ_BYTES);
        assert!(buffer.bytes.capacity() <= 4 * READ_BYTES);
    }

    #[test]
    fn a_large_frame_is_read_to_its_end_and_no_further() {
        let mut buffer = Buffer::default();
        buffer.room(None);
        buffer.received(60_000);
        assert_eq!(buffer.room(Some(70_000)).len(), 10_000);
        buffer.received(10_000);
        buffer.consume(70_000);
        assert_eq!(buffer.len(), 0);
    }

    #[test]
    fn an_idle_buffer_holds_no_memory() {
        let mut buffer = Buffer::default();
        buffer.room(None);
        buffer.release();
        assert_eq!(buffer.bytes.capacity(), 0);
    }
}

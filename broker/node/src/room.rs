//! Counted places: how many of something there may be at once, and how many there are.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

/// Gives out seats.
#[derive(Debug, Default)]
pub(crate) struct Room(Arc<AtomicUsize>);

/// One place, given back when it is dropped.
#[derive(Debug)]
pub(crate) struct Seat(Arc<AtomicUsize>);

impl Room {
    /// A seat, while fewer than `max` are taken.
    pub(crate) fn take(&self, max: usize) -> Option<Seat> {
        let seat = Seat(Arc::clone(&self.0));
        (self.0.fetch_add(1, Relaxed) < max).then_some(seat)
    }

    /// Seats that are taken.
    pub(crate) fn taken(&self) -> usize {
        self.0.load(Relaxed)
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seats_are_bounded_and_come_back() {
        let room = Room::default();
        let first = room.take(2);
        let second = room.take(2);
        assert!(first.is_some() && second.is_some());
        assert!(room.take(2).is_none());
        assert_eq!(room.taken(), 2, "who was refused holds nothing");
        drop(first);
        assert!(room.take(2).is_some());
        assert_eq!(room.taken(), 1);
    }
}

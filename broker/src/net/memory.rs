//! Memory for requests that are being received, or wait for earlier ones, over all connections
//! (`queued.max.request.bytes`).
//!
//! A connection is charged for the buffer that it holds on to, not for one that it borrows for a single read and
//! gives back emptied: a small request that is served at once costs nothing here. Above the bound nobody begins a
//! request. Who has begun one reads on in the buffer that it has; beyond that only one connection at a time may grow,
//! so that there is always one that gets to its request's end, and memory to free.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::AcqRel, Ordering::Acquire, Ordering::Release};

use tokio::sync::Notify;
use tokio::sync::futures::Notified;

/// What all connections share.
#[derive(Debug)]
pub(crate) struct RequestMemory {
    bytes_max: u64,
    used_bytes: AtomicU64,
    /// One connection grows beyond the bound.
    beyond: AtomicBool,
    freed: Notify,
}

/// What one connection is charged for; given back with [`Share::hold`] of nothing.
#[derive(Debug, Default)]
pub(crate) struct Share {
    bytes: u64,
    beyond: bool,
}

impl RequestMemory {
    /// `None` sets no bound.
    pub(crate) fn new(bytes_max: Option<u64>) -> Self {
        let bytes_max = bytes_max.unwrap_or(u64::MAX);
        let (used_bytes, beyond) = (AtomicU64::new(0), AtomicBool::new(false));
        Self { bytes_max, used_bytes, beyond, freed: Notify::new() }
    }

    /// Bytes that connections hold.
    pub(crate) fn used_bytes(&self) -> u64 {
        self.used_bytes.load(Acquire)
    }

    /// Whether a connection that holds nothing may begin to receive a request.
    pub(crate) fn may_begin(&self) -> bool {
        self.used_bytes() <= self.bytes_max
    }

    /// Done when some connection gave memory back after this call.
    pub(crate) fn freed(&self) -> Notified<'_> {
        self.freed.notified()
    }
}

impl Share {
    /// Charges a buffer that is to grow to `bytes`; whether it may.
    pub(crate) fn grow(&mut self, memory: &RequestMemory, bytes: u64) -> bool {
        let more = bytes.saturating_sub(self.bytes);
        if more == 0 {
            return true;
        }
        let used = memory.used_bytes.fetch_add(more, AcqRel).saturating_add(more);
        if used > memory.bytes_max && !self.beyond {
            if memory.beyond.swap(true, AcqRel) {
                memory.used_bytes.fetch_sub(more, AcqRel);
                return false;
            }
            self.beyond = true;
        }
        self.bytes = bytes;
        true
    }

    /// Charges what is held now, without asking. Those who wait for memory are told when it is less than before.
    pub(crate) fn hold(&mut self, memory: &RequestMemory, bytes: u64) {
        let before = std::mem::replace(&mut self.bytes, bytes);
        if bytes > before {
            memory.used_bytes.fetch_add(bytes - before, AcqRel);
        } else if bytes < before {
            memory.used_bytes.fetch_sub(before - bytes, AcqRel);
            if std::mem::take(&mut self.beyond) {
                memory.beyond.store(false, Release);
            }
            memory.freed.notify_waiters();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_at_a_time_grows_beyond_the_bound() {
        let memory = RequestMemory::new(Some(100));
        let (mut first, mut second, mut third) = (Share::default(), Share::default(), Share::default());
        assert!(first.grow(&memory, 80) && second.grow(&memory, 20));
        assert!(memory.may_begin(), "full is not above");
        assert!(first.grow(&memory, 1_000), "somebody has to get to an end");
        assert!(!second.grow(&memory, 21) && !third.grow(&memory, 1));
        assert!(!memory.may_begin());
        assert_eq!(memory.used_bytes(), 1_020, "who was refused is not charged");
        assert!(first.grow(&memory, 2_000), "who is beyond may go on");
        first.hold(&memory, 0);
        assert!(memory.may_begin());
        assert!(second.grow(&memory, 300));
        assert!(!first.grow(&memory, 1));
        second.hold(&memory, 0);
        assert_eq!(memory.used_bytes(), 0);
    }

    #[tokio::test]
    async fn who_waits_is_told() {
        let memory = RequestMemory::new(Some(100));
        let mut share = Share::default();
        share.hold(&memory, 200);
        let freed = memory.freed();
        share.hold(&memory, 150);
        tokio::time::timeout(std::time::Duration::from_secs(10), freed).await.unwrap();
    }
}

//! The real clock: where the core's two times come from.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use node::Now;
use protocol::id::{Monotonic, Timestamp};

/// Reads both clocks; the monotonic one counts from when this was made.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Clock {
    start: Instant,
}

impl Clock {
    pub(crate) fn new() -> Self {
        Self { start: Instant::now() }
    }

    pub(crate) fn now(&self) -> Now {
        let wall = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
        Now {
            monotonic: self.monotonic(),
            wall: Timestamp(i64::try_from(wall.as_millis()).unwrap_or(i64::MAX)),
        }
    }

    /// The monotonic time alone.
    pub(crate) fn monotonic(&self) -> Monotonic {
        Monotonic::default().plus(self.start.elapsed())
    }

    /// When a deadline of the core's comes, on the runtime's clock.
    pub(crate) fn instant(&self, deadline: Monotonic) -> Instant {
        self.start + Duration::from_nanos(deadline.0)
    }
}

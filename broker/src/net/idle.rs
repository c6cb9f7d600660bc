//! Connections on which nothing moves (`connections.max.idle.ms`).
//!
//! Bytes that come or go are all that counts, as in Kafka: a connection whose Fetch waits for records is as idle as
//! one that asks nothing. One timer a connection, which is not touched when bytes move: when it fires, it is set again
//! to what is left.

use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use protocol::id::Monotonic;
use tokio::time::{Instant, Sleep, sleep_until};

use crate::clock::Clock;

/// When something last moved on a connection, and how long that may be ago.
pub(crate) struct Idle {
    clock: Clock,
    last_moved: Monotonic,
    /// `None` where connections may be idle for ever.
    timer: Option<(Duration, Pin<Box<Sleep>>)>,
}

impl Idle {
    /// A connection that was opened at `now`.
    pub(crate) fn new(clock: Clock, now: Monotonic, idle_ms_max: Option<u64>) -> Self {
        let timer = idle_ms_max.map(Duration::from_millis).map(|idle_max| {
            let deadline = Instant::from_std(clock.instant(now.plus(idle_max)));
            (idle_max, Box::pin(sleep_until(deadline)))
        });
        Self { clock, last_moved: now, timer }
    }

    /// Bytes came or went.
    pub(crate) fn moved(&mut self, now: Monotonic) {
        self.last_moved = now;
    }

    /// Ready when nothing moved for too long.
    pub(crate) fn poll(&mut self, context: &mut Context<'_>) -> Poll<()> {
        let Some((idle_max, timer)) = &mut self.timer else { return Poll::Pending };
        loop {
            ready!(timer.as_mut().poll(context));
            let deadline = Instant::from_std(self.clock.instant(self.last_moved.plus(*idle_max)));
            if deadline <= timer.deadline() {
                return Poll::Ready(());
            }
            timer.as_mut().reset(deadline);
        }
    }
}

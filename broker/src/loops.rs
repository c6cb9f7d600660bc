//! The event loop that the calling thread runs: its signs of life for /livez (D11).
//!
//! Each thread that serves, fires timers or does jobs enters once. Nothing here costs more than a few instructions:
//! it is called in every turn and around every write.

use std::cell::OnceCell;
use std::sync::Arc;

use crate::http::{Health, Loop};

thread_local! {
    static CURRENT: OnceCell<Arc<Loop>> = const { OnceCell::new() };
}

/// The calling thread runs a loop from here on, under this name; later calls change nothing.
pub(crate) fn enter(health: &Health, name: impl FnOnce() -> String) {
    CURRENT.with(|current| {
        current.get_or_init(|| health.enter(name()));
    });
}

/// The calling thread's loop came around.
pub(crate) fn beat() {
    with(Loop::beat);
}

/// The calling thread's loop waits to be woken.
pub(crate) fn idle() {
    with(Loop::idle);
}

/// Makes a call that may wait for the disk: for as long as it takes, the calling thread's loop counts as alive.
pub(crate) fn marked<T>(call: impl FnOnce() -> T) -> T {
    CURRENT.with(|current| {
        let _mark = current.get().map(|one| one.mark());
        call()
    })
}

fn with(act: impl FnOnce(&Loop)) {
    CURRENT.with(|current| {
        if let Some(one) = current.get() {
            act(one);
        }
    });
}

//! What happened in a run: a hash over all of it, and the last events in words.

use std::collections::VecDeque;
use std::fmt::Arguments;

/// Events that are kept in words.
const KEPT: usize = 60;

/// The record of a run. Two runs of one seed have equal hashes.
#[derive(Debug)]
pub(crate) struct Trace {
    hash: u64,
    events: u64,
    last: VecDeque<String>,
    aloud: bool,
}

impl Trace {
    pub(crate) fn new(aloud: bool) -> Self {
        Self { hash: 0xcbf2_9ce4_8422_2325, events: 0, last: VecDeque::with_capacity(KEPT), aloud }
    }

    /// One event at a moment of the virtual clock, in nanoseconds.
    pub(crate) fn event(&mut self, now: u64, what: Arguments<'_>) {
        let seconds = now / 1_000_000_000;
        let line = format!("{seconds:3}.{:06} {what}", now / 1_000 % 1_000_000);
        self.bytes(line.as_bytes());
        self.events += 1;
        if self.aloud {
            println!("{line}");
        }
        if self.last.len() == KEPT {
            self.last.pop_front();
        }
        self.last.push_back(line);
    }

    /// Bytes that crossed the wire: FNV-1a over words of eight.
    pub(crate) fn bytes(&mut self, bytes: &[u8]) {
        for chunk in bytes.chunks(8) {
            let mut word = [0; 8];
            word[..chunk.len()].copy_from_slice(chunk);
            self.hash = (self.hash ^ u64::from_le_bytes(word)).wrapping_mul(0x0000_0100_0000_01b3);
            self.hash ^= self.hash >> 29;
        }
    }

    pub(crate) const fn hash(&self) -> u64 {
        self.hash
    }

    pub(crate) const fn events(&self) -> u64 {
        self.events
    }

    pub(crate) fn into_last(self) -> Vec<String> {
        self.last.into()
    }
}

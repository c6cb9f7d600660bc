//! What goes wrong: faults of single calls, and what becomes of unsynced operations when the power goes.

use std::path::Path;

use protocol::random::SplitMix64;

/// What an injected fault does to a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// The call fails with EIO and does nothing; a sync loses what it should have written.
    Io,
    /// The call fails with ENOSPC; a write leaves its first half.
    NoSpace,
    /// The call fails with EMFILE and does nothing: the process has no descriptor left.
    NoDescriptors,
    /// The power goes: this call and all later ones fail until [`VirtualDisk::crash`]. A write stays pending.
    Halt,
}

/// How many calls failed because they were made to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Failures {
    /// Syncs of files, with EIO: what they should have written is lost.
    pub syncs: u64,
    /// All other changing calls, with EIO.
    pub writes: u64,
    /// Calls that found no room.
    pub no_space: u64,
    /// Reads, with EIO.
    pub reads: u64,
}

/// A call that changes something, as fault injection sees it.
#[derive(Debug, Clone, Copy)]
pub struct Call<'a> {
    /// Counts all changing calls from 0.
    pub number: u64,
    /// The call's name, as in the traits: `write_at`, `sync_data`, `rename`, ...
    pub name: &'static str,
    /// The file or folder as it was named when it was opened.
    pub path: &'a Path,
}

/// An operation that is not durable when the power goes.
#[derive(Debug, Clone, Copy)]
pub struct Unsynced {
    /// Its place among the operations that are not durable, oldest first.
    pub index: usize,
    /// How many there are.
    pub count: usize,
    /// Bytes written; 0 for changes of names and lengths.
    pub bytes: usize,
}

/// What becomes of an operation that was not durable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Keep {
    /// It reached the disk in time.
    All,
    /// It is gone.
    Lost,
    /// Only its first bytes reached the disk; for a name or a length as [`Keep::Lost`].
    Torn(usize),
}

/// Decides what survives a crash.
pub trait Chooser {
    /// Asked once for each operation, oldest first.
    fn keep(&mut self, operation: Unsynced) -> Keep;
}

impl<F: FnMut(Unsynced) -> Keep> Chooser for F {
    fn keep(&mut self, operation: Unsynced) -> Keep {
        self(operation)
    }
}

/// Chooses by a seed: keeps about half, and tears one write in eight.
#[derive(Debug, Clone)]
pub struct SeededChooser(SplitMix64);

impl SeededChooser {
    /// The same seed makes the same choices.
    #[must_use]
    pub const fn new(seed: u64) -> Self {
        Self(SplitMix64::new(seed))
    }

    /// A number below `bound`, for workloads that are played from the same seed.
    pub const fn below(&mut self, bound: u64) -> u64 {
        self.0.below(bound)
    }
}

impl Chooser for SeededChooser {
    fn keep(&mut self, operation: Unsynced) -> Keep {
        let dice = self.0.next();
        match dice % 8 {
            0 if operation.bytes > 1 => {
                let bytes = operation.bytes as u64;
                Keep::Torn(usize::try_from((dice >> 3) % bytes).unwrap_or(0))
            }
            0..4 => Keep::Lost,
            _ => Keep::All,
        }
    }
}

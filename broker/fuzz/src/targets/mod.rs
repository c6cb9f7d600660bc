//! What is fuzzed, by name.

mod batches;
mod disk;
mod frames;
mod groups;
mod requests;

pub use requests::{Reached, input as request_input, reached, served};

use crate::allocations::peak_of;

/// A target with its limit.
#[derive(Debug)]
pub struct Target {
    /// Its name, and its corpus' folder.
    pub name: &'static str,
    /// The most bytes of heap that one input may cost.
    pub heap_bytes_max: usize,
    run: fn(&[u8]),
}

const MIB: usize = 1 << 20;

/// All targets.
pub const TARGETS: &[Target] = &[
    // Bytes of a connection as they come, whole frames or not.
    Target { name: "frames", heap_bytes_max: 64 * MIB, run: frames::run },
    // A request of every API and version that is served.
    Target { name: "requests", heap_bytes_max: 64 * MIB, run: requests::run },
    // One batch of records of any codec: checked, walked, read, compressed anew.
    Target { name: "batches", heap_bytes_max: 64 * MIB, run: batches::run },
    // A log's files, damaged, under a broker that starts.
    Target { name: "log", heap_bytes_max: 64 * MIB, run: disk::run_log },
    // The metadata log and what stands beside it, damaged, under a broker that starts.
    Target { name: "metadata", heap_bytes_max: 64 * MIB, run: disk::run_metadata },
    // The small files of a log directory, damaged, under a broker that starts.
    Target { name: "checkpoints", heap_bytes_max: 64 * MIB, run: disk::run_checkpoints },
    // Records of __consumer_offsets, replayed, and requests of members after them.
    Target { name: "groups", heap_bytes_max: 64 * MIB, run: groups::run },
];

impl Target {
    /// Runs it on these bytes.
    ///
    /// # Panics
    /// When the broker does, or needs more heap than [`Target::heap_bytes_max`]: a finding.
    pub fn check(&self, bytes: &[u8]) {
        let peak = peak_of(|| (self.run)(bytes));
        let (name, most) = (self.name, self.heap_bytes_max);
        assert!(
            peak <= most,
            "{name}: {} bytes of input took {peak} bytes of heap, {most} are allowed",
            bytes.len()
        );
    }
}

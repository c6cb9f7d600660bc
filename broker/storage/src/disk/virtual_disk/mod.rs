//! A disk in memory that forgets what was not synced, for crash tests and for simulated clusters.
//!
//! Two states are kept: what programs see, and what would survive a loss of power. A write becomes durable by
//! [`File::sync_data`] of its file, a name by [`Disk::sync_directory`] of its folder, and by nothing else (ext4
//! is kinder). [`VirtualDisk::crash`] asks a [`Chooser`] of each operation that is not durable whether it
//! survives, wholly, torn, or not at all, so that every order in which a kernel may write back can be played.
//! A failed sync loses its writes for good, though later syncs succeed, as Linux does.
//! Deterministic: no clock, no randomness but the chooser's seed.

mod fault;
mod file;
mod names;
mod state;

use std::collections::BTreeSet;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use state::{Name, Pending, State};

pub use fault::{Call, Chooser, Failures, Fault, Keep, SeededChooser, Unsynced};

/// A disk in memory. Clones are the same disk.
#[derive(Clone)]
pub struct VirtualDisk {
    state: Arc<Mutex<State>>,
}

impl fmt::Debug for VirtualDisk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = self.lock_state();
        f.debug_struct("VirtualDisk")
            .field("calls", &state.calls)
            .field("files", &state.inodes.len())
            .finish()
    }
}

impl Default for VirtualDisk {
    fn default() -> Self {
        Self::new()
    }
}

impl VirtualDisk {
    /// An empty disk with the folder `/`.
    #[must_use]
    pub fn new() -> Self {
        let mut state = State::default();
        state.visible.insert(PathBuf::from("/"), Name::Directory);
        state.durable.insert(PathBuf::from("/"), Name::Directory);
        Self { state: Arc::new(Mutex::new(state)) }
    }

    /// Another disk with the same content, durable and not: to play several crashes from one point.
    #[must_use]
    pub fn fork(&self) -> Self {
        let state = self.lock_state().clone();
        Self { state: Arc::new(Mutex::new(state)) }
    }

    /// How many changing calls were made.
    #[must_use]
    pub fn calls(&self) -> u64 {
        self.lock_state().calls
    }

    /// How many operations are not durable.
    #[must_use]
    pub fn unsynced(&self) -> usize {
        self.lock_state().pending.len()
    }

    /// Asks `inject` before every changing call whether it fails; replaces what was set before.
    pub fn inject(&self, inject: impl Fn(&Call<'_>) -> Option<Fault> + Send + Sync + 'static) {
        self.lock_state().inject = Some(Arc::new(inject));
    }

    /// Asks `inject` before every read that may wait for the device whether it fails with EIO, by the path that the
    /// file was opened with.
    pub fn inject_reads(&self, inject: impl Fn(&Path) -> bool + Send + Sync + 'static) {
        self.lock_state().inject_reads = Some(Arc::new(inject));
    }

    /// Ends fault injection; a halt that was planned still comes.
    pub fn heal(&self) {
        let mut state = self.lock_state();
        state.inject = None;
        state.inject_reads = None;
    }

    /// How many calls were made to fail since the disk was made.
    #[must_use]
    pub fn failures(&self) -> Failures {
        self.lock_state().failures
    }

    /// The power goes at the changing call with this number, counted as [`VirtualDisk::calls`] counts.
    pub fn halt_at(&self, number: u64) {
        self.lock_state().halt_at = Some(number);
    }

    /// Bytes that fit on the disk; writes beyond fail with ENOSPC and leave what fitted, and new names find no room.
    pub fn set_capacity(&self, bytes: Option<u64>) {
        self.lock_state().capacity = bytes;
    }

    /// From now on reads with [`Wait::Never`] find nothing in memory until a file was read with [`Wait::Long`].
    pub fn drop_caches(&self) {
        self.lock_state().inodes.values_mut().for_each(|inode| inode.cold = true);
    }

    /// Flips the bits of `mask` in one byte of a file, durably: damage that no call reports.
    pub fn flip(&self, path: &Path, position: usize, mask: u8) -> io::Result<()> {
        let mut state = self.lock_state();
        let Some(Name::File(inode)) = state.visible.get(path).copied() else {
            return Err(io::ErrorKind::NotFound.into());
        };
        let inode = state.inodes.get_mut(&inode).ok_or(io::ErrorKind::NotFound)?;
        for bytes in [&mut inode.visible, &mut inode.durable] {
            if let Some(byte) = bytes.get_mut(position) {
                *byte ^= mask;
            }
        }
        Ok(())
    }

    /// The power is lost and comes back: what was durable stays, the chooser decides about the rest, files that
    /// were open refuse every call, locks are free. Faults of the device stay until [`VirtualDisk::heal`].
    pub fn crash(&self, chooser: &mut dyn Chooser) {
        let mut state = self.lock_state();
        let pending = std::mem::take(&mut state.pending);
        let count = pending.len();
        for (index, operation) in pending.into_iter().enumerate() {
            let bytes = if let Pending::Write { bytes, .. } = &operation { bytes.len() } else { 0 };
            match (chooser.keep(Unsynced { index, count, bytes }), operation) {
                (Keep::All, operation) => state.apply(operation),
                (Keep::Torn(left), Pending::Write { inode, position, mut bytes }) => {
                    bytes.truncate(left);
                    state.apply(Pending::Write { inode, position, bytes });
                }
                _ => {}
            }
        }
        state.visible = state.durable.clone();
        let named: BTreeSet<u64> = state
            .visible
            .values()
            .filter_map(|n| if let Name::File(i) = n { Some(*i) } else { None })
            .collect();
        state.inodes.retain(|number, _| named.contains(number));
        for inode in state.inodes.values_mut() {
            inode.visible.clone_from(&inode.durable);
            inode.cold = true;
            inode.unwritten = false;
        }
        state.end_process();
    }

    /// All processes that use the disk die, the machine stays: what was written is there, locks are free, files
    /// that were open refuse every call. As `kill -9`.
    pub fn kill(&self) {
        let mut state = self.lock_state();
        state.end_process();
    }

    /// The page cache gives up what a failed sync did not write, as a kernel may at any time: it reads as zeros, or as
    /// what was there before. Whether there was any. What was written since is still there.
    pub fn evict_unwritten(&self) -> bool {
        let mut state = self.lock_state();
        let State { inodes, pending, .. } = &mut *state;
        let mut evicted = false;
        for (number, inode) in inodes.iter_mut().filter(|(_, inode)| inode.unwritten) {
            evicted = true;
            inode.unwritten = false;
            let len = inode.visible.len();
            inode.visible.clone_from(&inode.durable);
            for operation in pending.iter() {
                operation.apply_to(*number, &mut inode.visible);
            }
            inode.visible.resize(len, 0);
        }
        evicted
    }

    /// Bytes of the files that have a name.
    #[must_use]
    pub fn used(&self) -> u64 {
        self.lock_state().used()
    }

    fn lock_state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

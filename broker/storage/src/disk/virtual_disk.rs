//! A disk in memory that forgets what was not synced, for crash tests and for simulated clusters.
//!
//! Two states are kept: what programs see, and what would survive a loss of power. A write becomes durable by
//! [`File::sync_data`] of its file, a name by [`Disk::sync_directory`] of its folder, and by nothing else (ext4
//! is kinder). [`VirtualDisk::crash`] asks a [`Chooser`] of each operation that is not durable whether it
//! survives, wholly, torn, or not at all, so that every order in which a kernel may write back can be played.
//! A failed sync loses its writes for good, though later syncs succeed, as Linux does.
//! Deterministic: no clock, no randomness but the chooser's seed.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::io::{self, IoSlice};
use std::os::fd::BorrowedFd;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::{Disk, Entry, File, OpenMode, Space, Wait};

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
pub struct SeededChooser(u64);

impl SeededChooser {
    /// The same seed makes the same choices.
    #[must_use]
    pub const fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// A number below `bound`, for workloads that are played from the same seed.
    pub const fn below(&mut self, bound: u64) -> u64 {
        if bound == 0 { 0 } else { self.next() % bound }
    }

    const fn next(&mut self) -> u64 {
        // SplitMix64: equidistributed, and any seed will do.
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
}

impl Chooser for SeededChooser {
    fn keep(&mut self, operation: Unsynced) -> Keep {
        let dice = self.next();
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

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Name {
    Directory,
    File(u64),
}

#[derive(Debug, Clone, Default)]
struct Inode {
    visible: Vec<u8>,
    durable: Vec<u8>,
    cold: bool,
}

#[derive(Debug, Clone)]
enum Pending {
    Write { inode: u64, position: usize, bytes: Vec<u8> },
    SetLen { inode: u64, len: usize },
    Link { path: PathBuf, name: Name },
    Unlink { path: PathBuf },
    Rename { from: PathBuf, to: PathBuf },
}

type Injection = Arc<dyn Fn(&Call<'_>) -> Option<Fault> + Send + Sync>;

#[derive(Clone, Default)]
struct State {
    generation: u64,
    halted: bool,
    calls: u64,
    next_inode: u64,
    inodes: BTreeMap<u64, Inode>,
    visible: BTreeMap<PathBuf, Name>,
    durable: BTreeMap<PathBuf, Name>,
    pending: Vec<Pending>,
    locks: BTreeSet<PathBuf>,
    capacity: Option<u64>,
    inject: Option<Injection>,
}

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

    /// Ends fault injection.
    pub fn heal(&self) {
        self.lock_state().inject = None;
    }

    /// The power goes at the changing call with this number, counted as [`VirtualDisk::calls`] counts.
    pub fn halt_at(&self, number: u64) {
        self.inject(move |call| (call.number >= number).then_some(Fault::Halt));
    }

    /// Bytes that fit on the disk; writes beyond fail with ENOSPC and leave what fitted.
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
    /// were open refuse every call, locks are free, faults are off.
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
        }
        state.locks.clear();
        state.generation += 1;
        state.halted = false;
        state.inject = None;
    }

    /// All processes that use the disk die, the machine stays: what was written is there, locks are free, files
    /// that were open refuse every call. As `kill -9`.
    pub fn kill(&self) {
        let mut state = self.lock_state();
        state.locks.clear();
        state.generation += 1;
        state.halted = false;
        state.inject = None;
    }

    fn lock_state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn parent(path: &Path) -> &Path {
    path.parent().unwrap_or(Path::new("/"))
}

fn eio() -> io::Error {
    io::Error::from_raw_os_error(5)
}

fn emfile() -> io::Error {
    io::Error::from_raw_os_error(24)
}

fn write_into(into: &mut Vec<u8>, position: usize, bytes: &[u8]) {
    if bytes.is_empty() {
        return;
    }
    let end = position + bytes.len();
    if into.len() < end {
        into.resize(end, 0);
    }
    into[position..end].copy_from_slice(bytes);
}

/// Moves a name, and for a folder all that lies below it.
fn rename_in(names: &mut BTreeMap<PathBuf, Name>, from: &Path, to: &Path) {
    let moved: Vec<PathBuf> = names.keys().filter(|path| path.starts_with(from)).cloned().collect();
    for path in moved {
        if let (Some(name), Ok(rest)) = (names.remove(&path), path.strip_prefix(from)) {
            let target = if rest.as_os_str().is_empty() { to.to_owned() } else { to.join(rest) };
            names.insert(target, name);
        }
    }
}

impl Pending {
    /// A folder was renamed: paths below it become those below its new name.
    fn follow(&mut self, from: &Path, to: &Path) {
        let paths: [Option<&mut PathBuf>; 2] = match self {
            Self::Link { path, .. } | Self::Unlink { path } => [Some(path), None],
            Self::Rename { from, to } => [Some(from), Some(to)],
            Self::Write { .. } | Self::SetLen { .. } => [None, None],
        };
        for path in paths.into_iter().flatten() {
            if let Ok(rest) = path.strip_prefix(from)
                && !rest.as_os_str().is_empty()
            {
                *path = to.join(rest);
            }
        }
    }
}

impl State {
    /// Counts a changing call and tells whether it fails.
    fn call(&mut self, name: &'static str, path: &Path) -> io::Result<Option<Fault>> {
        if self.halted {
            return Err(eio());
        }
        let call = Call { number: self.calls, name, path };
        self.calls += 1;
        let fault = self.inject.as_ref().and_then(|inject| inject(&call));
        self.halted = fault == Some(Fault::Halt);
        Ok(fault)
    }

    /// [`State::call`] for calls that do nothing when they fail.
    fn call_or_fail(&mut self, name: &'static str, path: &Path) -> io::Result<()> {
        match self.call(name, path)? {
            None => Ok(()),
            Some(Fault::NoSpace) => Err(io::ErrorKind::StorageFull.into()),
            Some(Fault::NoDescriptors) => Err(emfile()),
            Some(_) => Err(eio()),
        }
    }

    /// Makes one operation durable.
    fn apply(&mut self, operation: Pending) {
        match operation {
            Pending::Write { inode, position, bytes } => {
                if let Some(inode) = self.inodes.get_mut(&inode) {
                    write_into(&mut inode.durable, position, &bytes);
                }
            }
            Pending::SetLen { inode, len } => {
                if let Some(inode) = self.inodes.get_mut(&inode) {
                    inode.durable.resize(len, 0);
                }
            }
            Pending::Link { path, name } => {
                if self.durable.contains_key(parent(&path)) {
                    self.durable.insert(path, name);
                }
            }
            Pending::Unlink { path } => {
                self.durable.retain(|name, _| !name.starts_with(&path));
            }
            Pending::Rename { from, to } => rename_in(&mut self.durable, &from, &to),
        }
    }

    /// Makes durable, in their order, the operations that `which` picks.
    fn settle(&mut self, which: impl Fn(&Pending) -> bool, keep: bool) {
        let mut later: Vec<Pending> = Vec::new();
        for operation in std::mem::take(&mut self.pending) {
            if !which(&operation) {
                later.push(operation);
                continue;
            }
            if keep {
                if let Pending::Rename { from, to } = &operation {
                    // What is still to reach a folder's content follows the folder, not its name.
                    later.iter_mut().for_each(|earlier| earlier.follow(from, to));
                }
                self.apply(operation);
            }
        }
        self.pending = later;
    }

    fn used(&self) -> u64 {
        self.inodes.values().map(|inode| inode.visible.len() as u64).sum()
    }

    fn write(&mut self, inode: u64, position: usize, bytes: Vec<u8>) {
        if let Some(found) = self.inodes.get_mut(&inode) {
            write_into(&mut found.visible, position, &bytes);
            self.pending.push(Pending::Write { inode, position, bytes });
        }
    }

    fn set_len(&mut self, inode: u64, len: usize) {
        if let Some(found) = self.inodes.get_mut(&inode)
            && found.visible.len() != len
        {
            found.visible.resize(len, 0);
            self.pending.push(Pending::SetLen { inode, len });
        }
    }
}

impl Disk for VirtualDisk {
    fn open(&self, path: &Path, mode: OpenMode) -> io::Result<Arc<dyn File>> {
        let mut state = self.lock_state();
        let inode = match (state.visible.get(path).copied(), mode) {
            (Some(Name::Directory), _) => return Err(io::ErrorKind::IsADirectory.into()),
            (Some(Name::File(inode)), OpenMode::Read | OpenMode::Modify | OpenMode::Write) => inode,
            (Some(Name::File(inode)), OpenMode::Replace) => {
                state.call_or_fail("open", path)?;
                state.set_len(inode, 0);
                inode
            }
            (None, OpenMode::Read | OpenMode::Modify) => return Err(io::ErrorKind::NotFound.into()),
            (None, OpenMode::Write | OpenMode::Replace) => {
                if state.visible.get(parent(path)) != Some(&Name::Directory) {
                    return Err(io::ErrorKind::NotFound.into());
                }
                state.call_or_fail("open", path)?;
                let inode = state.next_inode;
                state.next_inode += 1;
                state.inodes.insert(inode, Inode::default());
                state.visible.insert(path.to_owned(), Name::File(inode));
                state.pending.push(Pending::Link { path: path.to_owned(), name: Name::File(inode) });
                inode
            }
        };
        let generation = state.generation;
        drop(state);
        Ok(Arc::new(VirtualFile {
            disk: self.clone(),
            path: path.to_owned(),
            inode,
            generation,
            lock: false,
        }))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let mut state = self.lock_state();
        if !state.visible.contains_key(from) || !state.visible.contains_key(parent(to)) {
            return Err(io::ErrorKind::NotFound.into());
        }
        state.call_or_fail("rename", from)?;
        rename_in(&mut state.visible, from, to);
        state.pending.push(Pending::Rename { from: from.to_owned(), to: to.to_owned() });
        Ok(())
    }

    fn remove_file(&self, path: &Path) -> io::Result<()> {
        let mut state = self.lock_state();
        if !matches!(state.visible.get(path), Some(Name::File(_))) {
            return Err(io::ErrorKind::NotFound.into());
        }
        state.call_or_fail("remove_file", path)?;
        state.visible.remove(path);
        state.pending.push(Pending::Unlink { path: path.to_owned() });
        Ok(())
    }

    fn remove_directory(&self, path: &Path) -> io::Result<()> {
        let mut state = self.lock_state();
        if state.visible.get(path) != Some(&Name::Directory) {
            return Err(io::ErrorKind::NotFound.into());
        }
        if state.visible.keys().any(|name| name != path && name.starts_with(path)) {
            return Err(io::ErrorKind::DirectoryNotEmpty.into());
        }
        state.call_or_fail("remove_directory", path)?;
        state.visible.remove(path);
        state.pending.push(Pending::Unlink { path: path.to_owned() });
        Ok(())
    }

    fn create_directory(&self, path: &Path) -> io::Result<()> {
        let mut state = self.lock_state();
        if state.visible.contains_key(path) {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        if state.visible.get(parent(path)) != Some(&Name::Directory) {
            return Err(io::ErrorKind::NotFound.into());
        }
        state.call_or_fail("create_directory", path)?;
        state.visible.insert(path.to_owned(), Name::Directory);
        state.pending.push(Pending::Link { path: path.to_owned(), name: Name::Directory });
        Ok(())
    }

    fn list(&self, path: &Path) -> io::Result<Vec<Entry>> {
        let state = self.lock_state();
        if state.visible.get(path) != Some(&Name::Directory) {
            return Err(io::ErrorKind::NotFound.into());
        }
        let mut entries = Vec::new();
        for (name, kind) in state.visible.range(path.to_owned()..) {
            if !name.starts_with(path) {
                break;
            }
            if name == path || parent(name) != path {
                continue;
            }
            let Some(text) = name.file_name().and_then(|text| text.to_str()) else { continue };
            let len = match kind {
                Name::Directory => 0,
                Name::File(inode) => state.inodes.get(inode).map_or(0, |i| i.visible.len() as u64),
            };
            entries.push(Entry { name: text.to_owned(), directory: *kind == Name::Directory, len });
        }
        entries.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(entries)
    }

    fn sync_directory(&self, path: &Path) -> io::Result<()> {
        let mut state = self.lock_state();
        if state.visible.get(path) != Some(&Name::Directory) {
            return Err(io::ErrorKind::NotFound.into());
        }
        state.call_or_fail("sync_directory", path)?;
        let here = |changed: &Path| parent(changed) == path;
        state.settle(
            |operation| match operation {
                Pending::Link { path, .. } | Pending::Unlink { path } => here(path),
                Pending::Rename { from, to } => here(from) || here(to),
                _ => false,
            },
            true,
        );
        Ok(())
    }

    fn space(&self, _: &Path) -> io::Result<Space> {
        let state = self.lock_state();
        let total_bytes = state.capacity.unwrap_or(1 << 40);
        Ok(Space { total_bytes, free_bytes: total_bytes.saturating_sub(state.used()) })
    }

    fn lock(&self, path: &Path) -> io::Result<Arc<dyn File>> {
        let file = self.open(path, OpenMode::Write)?;
        drop(file);
        let mut state = self.lock_state();
        let Some(Name::File(inode)) = state.visible.get(path).copied() else {
            return Err(io::ErrorKind::NotFound.into());
        };
        if !state.locks.insert(path.to_owned()) {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        let generation = state.generation;
        drop(state);
        Ok(Arc::new(VirtualFile { disk: self.clone(), path: path.to_owned(), inode, generation, lock: true }))
    }
}

#[derive(Debug)]
struct VirtualFile {
    disk: VirtualDisk,
    path: PathBuf,
    inode: u64,
    generation: u64,
    lock: bool,
}

impl VirtualFile {
    /// The disk's state, unless a crash made this handle void.
    fn state(&self) -> io::Result<MutexGuard<'_, State>> {
        let state = self.disk.lock_state();
        if state.generation == self.generation { Ok(state) } else { Err(eio()) }
    }
}

impl Drop for VirtualFile {
    fn drop(&mut self) {
        if self.lock
            && let Ok(mut state) = self.state()
        {
            state.locks.remove(&self.path);
        }
    }
}

impl File for VirtualFile {
    fn write_at(&self, parts: &mut [IoSlice<'_>], position: u64) -> io::Result<()> {
        let mut bytes: Vec<u8> = parts.iter().flat_map(|part| part.iter().copied()).collect();
        let position = usize::try_from(position).map_err(|_| io::ErrorKind::FileTooLarge)?;
        let mut state = self.state()?;
        let fault = state.call("write_at", &self.path)?;
        let visible = state.inodes.get(&self.inode).map_or(0, |inode| inode.visible.len());
        let room = state.capacity.map_or(u64::MAX, |all| all.saturating_sub(state.used()));
        let room =
            usize::try_from(room).unwrap_or(usize::MAX).saturating_add(visible).saturating_sub(position);
        let result = match fault {
            Some(Fault::Io) => return Err(eio()),
            Some(Fault::NoDescriptors) => return Err(emfile()),
            Some(Fault::Halt) => Err(eio()),
            Some(Fault::NoSpace) => {
                bytes.truncate(bytes.len() / 2);
                Err(io::ErrorKind::StorageFull.into())
            }
            None if bytes.len() > room => {
                bytes.truncate(room);
                Err(io::ErrorKind::StorageFull.into())
            }
            None => Ok(()),
        };
        state.write(self.inode, position, bytes);
        result
    }

    fn read_at(&self, into: &mut [u8], position: u64, wait: Wait) -> io::Result<usize> {
        let mut state = self.state()?;
        let inode = state.inodes.get_mut(&self.inode).ok_or_else(eio)?;
        if inode.cold && wait == Wait::Never {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        inode.cold = false;
        let start = usize::try_from(position).unwrap_or(usize::MAX).min(inode.visible.len());
        let read = into.len().min(inode.visible.len() - start);
        into[..read].copy_from_slice(&inode.visible[start..start + read]);
        Ok(read)
    }

    fn sync_data(&self) -> io::Result<()> {
        let mut state = self.state()?;
        let fault = state.call("sync_data", &self.path)?;
        if fault == Some(Fault::Halt) {
            return Err(eio());
        }
        let mine = self.inode;
        let is_mine = |operation: &Pending| match operation {
            Pending::Write { inode, .. } | Pending::SetLen { inode, .. } => *inode == mine,
            _ => false,
        };
        state.settle(is_mine, fault.is_none());
        match fault {
            None => Ok(()),
            Some(Fault::NoSpace) => Err(io::ErrorKind::StorageFull.into()),
            Some(_) => Err(eio()),
        }
    }

    fn len(&self) -> io::Result<u64> {
        let state = self.state()?;
        state.inodes.get(&self.inode).map(|inode| inode.visible.len() as u64).ok_or_else(eio)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        let mut state = self.state()?;
        state.call_or_fail("set_len", &self.path)?;
        state.set_len(self.inode, usize::try_from(len).map_err(|_| io::ErrorKind::FileTooLarge)?);
        Ok(())
    }

    fn descriptor(&self) -> Option<BorrowedFd<'_>> {
        None
    }
}

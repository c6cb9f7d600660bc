//! The disk's content twice: what programs see, and what a loss of power leaves.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::fault::{Call, Failures, Fault};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Name {
    Directory,
    File(u64),
}

#[derive(Debug, Clone, Default)]
pub(super) struct Inode {
    pub(super) visible: Vec<u8>,
    pub(super) durable: Vec<u8>,
    pub(super) cold: bool,
    /// A sync failed: what is visible was partly never written, and no later sync writes it.
    pub(super) unwritten: bool,
}

#[derive(Debug, Clone)]
pub(super) enum Pending {
    Write { inode: u64, position: usize, bytes: Vec<u8> },
    SetLen { inode: u64, len: usize },
    Link { path: PathBuf, name: Name },
    Unlink { path: PathBuf },
    Rename { from: PathBuf, to: PathBuf },
}

pub(super) type Injection = Arc<dyn Fn(&Call<'_>) -> Option<Fault> + Send + Sync>;
pub(super) type ReadInjection = Arc<dyn Fn(&Path) -> bool + Send + Sync>;

#[derive(Clone, Default)]
pub(super) struct State {
    pub(super) generation: u64,
    pub(super) halted: bool,
    pub(super) calls: u64,
    pub(super) next_inode: u64,
    pub(super) inodes: BTreeMap<u64, Inode>,
    pub(super) visible: BTreeMap<PathBuf, Name>,
    pub(super) durable: BTreeMap<PathBuf, Name>,
    pub(super) pending: Vec<Pending>,
    pub(super) locks: BTreeSet<PathBuf>,
    pub(super) capacity: Option<u64>,
    pub(super) inject: Option<Injection>,
    pub(super) inject_reads: Option<ReadInjection>,
    /// The call at which the power goes.
    pub(super) halt_at: Option<u64>,
    pub(super) failures: Failures,
}

pub(super) fn parent(path: &Path) -> &Path {
    path.parent().unwrap_or(Path::new("/"))
}

pub(super) fn eio() -> io::Error {
    io::Error::from_raw_os_error(5)
}

pub(super) fn emfile() -> io::Error {
    io::Error::from_raw_os_error(24)
}

pub(super) fn write_into(into: &mut Vec<u8>, position: usize, bytes: &[u8]) {
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
pub(super) fn rename_in(names: &mut BTreeMap<PathBuf, Name>, from: &Path, to: &Path) {
    let moved: Vec<PathBuf> = names.keys().filter(|path| path.starts_with(from)).cloned().collect();
    for path in moved {
        if let (Some(name), Ok(rest)) = (names.remove(&path), path.strip_prefix(from)) {
            let target = if rest.as_os_str().is_empty() { to.to_owned() } else { to.join(rest) };
            names.insert(target, name);
        }
    }
}

impl Pending {
    /// Does a write or a change of length to the bytes of a file, if it is this one's.
    pub(super) fn apply_to(&self, number: u64, bytes: &mut Vec<u8>) {
        match self {
            Self::Write { inode, position, bytes: written } if *inode == number => {
                write_into(bytes, *position, written);
            }
            Self::SetLen { inode, len } if *inode == number => bytes.resize(*len, 0),
            _ => {}
        }
    }

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
    pub(super) fn call(&mut self, name: &'static str, path: &Path) -> io::Result<Option<Fault>> {
        if self.halted {
            return Err(eio());
        }
        let call = Call { number: self.calls, name, path };
        self.calls += 1;
        let halts = self.halt_at.is_some_and(|at| call.number >= at);
        let fault =
            if halts { Some(Fault::Halt) } else { self.inject.as_ref().and_then(|inject| inject(&call)) };
        match fault {
            None | Some(Fault::NoDescriptors) => {}
            Some(Fault::Halt) => self.halted = true,
            Some(Fault::NoSpace) => self.failures.no_space += 1,
            Some(Fault::Io) if name == "sync_data" => self.failures.syncs += 1,
            Some(Fault::Io) => self.failures.writes += 1,
        }
        Ok(fault)
    }

    /// [`State::call`] for calls that do nothing when they fail.
    pub(super) fn call_or_fail(&mut self, name: &'static str, path: &Path) -> io::Result<()> {
        match self.call(name, path)? {
            None => Ok(()),
            Some(Fault::NoSpace) => Err(io::ErrorKind::StorageFull.into()),
            Some(Fault::NoDescriptors) => Err(emfile()),
            Some(_) => Err(eio()),
        }
    }

    /// Makes one operation durable.
    pub(super) fn apply(&mut self, operation: Pending) {
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
    pub(super) fn settle(&mut self, which: impl Fn(&Pending) -> bool, keep: bool) {
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

    /// Bytes of all files that have a name: one that was removed gives its room back, open or not.
    pub(super) fn used(&self) -> u64 {
        let inode = |name: &Name| if let Name::File(inode) = name { self.inodes.get(inode) } else { None };
        self.visible.values().filter_map(inode).map(|inode| inode.visible.len() as u64).sum()
    }

    /// Bytes that still fit; without a capacity there is no end of them.
    pub(super) fn room(&self) -> u64 {
        self.capacity.map_or(u64::MAX, |all| all.saturating_sub(self.used()))
    }

    /// A new name needs room for itself in its folder.
    pub(super) fn room_for_name(&mut self) -> io::Result<()> {
        if self.room() > 0 {
            return Ok(());
        }
        self.failures.no_space += 1;
        Err(io::ErrorKind::StorageFull.into())
    }

    /// Everything that a program held is void: what it opened, what it locked, and what was planned against it.
    pub(super) fn end_process(&mut self) {
        self.locks.clear();
        self.generation += 1;
        self.halted = false;
        self.halt_at = None;
    }

    pub(super) fn write(&mut self, inode: u64, position: usize, bytes: Vec<u8>) {
        if let Some(found) = self.inodes.get_mut(&inode) {
            write_into(&mut found.visible, position, &bytes);
            self.pending.push(Pending::Write { inode, position, bytes });
        }
    }

    pub(super) fn set_len(&mut self, inode: u64, len: usize) {
        if let Some(found) = self.inodes.get_mut(&inode)
            && found.visible.len() != len
        {
            found.visible.resize(len, 0);
            self.pending.push(Pending::SetLen { inode, len });
        }
    }
}

//! An open file of a disk in memory.

use std::io::{self, IoSlice};
use std::os::fd::BorrowedFd;
use std::path::PathBuf;
use std::sync::MutexGuard;

use super::VirtualDisk;
use super::fault::Fault;
use super::state::{Pending, State, eio, emfile};
use crate::disk::{File, Wait};

#[derive(Debug)]
pub(super) struct VirtualFile {
    pub(super) disk: VirtualDisk,
    pub(super) path: PathBuf,
    pub(super) inode: u64,
    pub(super) generation: u64,
    pub(super) lock: bool,
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
        let room = usize::try_from(state.room()).unwrap_or(usize::MAX);
        let room = room.saturating_add(visible).saturating_sub(position);
        let result = match fault {
            Some(Fault::Io) => return Err(eio()),
            Some(Fault::NoDescriptors) => return Err(emfile()),
            Some(Fault::Halt) => Err(eio()),
            Some(Fault::NoSpace) => {
                bytes.truncate(bytes.len() / 2);
                Err(io::ErrorKind::StorageFull.into())
            }
            None if bytes.len() > room => {
                state.failures.no_space += 1;
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
        if wait == Wait::Long && state.inject_reads.as_ref().is_some_and(|fails| fails(&self.path)) {
            state.failures.reads += 1;
            return Err(eio());
        }
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
        if fault.is_some()
            && state.pending.iter().any(is_mine)
            && let Some(inode) = state.inodes.get_mut(&mine)
        {
            inode.unwritten = true;
        }
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

//! The disk's calls on names: files and folders made, renamed, removed and listed.

use std::io;
use std::path::Path;
use std::sync::Arc;

use super::VirtualDisk;
use super::file::VirtualFile;
use super::state::{Inode, Name, Pending, parent, rename_in};
use crate::disk::{Disk, Entry, File, OpenMode, Space};

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
                state.room_for_name()?;
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
        state.room_for_name()?;
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

//! The file system itself: each call is checked against the rules, and then made in the folder.

use std::collections::HashMap;
use std::ffi::OsStr;
use std::fs::{self, File, Metadata, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use fuser::{
    BsdFileFlags, Errno, FileAttr, FileHandle, FileType, Filesystem, FopenFlags, Generation, INodeNo,
    LockOwner, OpenAccMode, OpenFlags, RenameFlags, ReplyAttr, ReplyCreate, ReplyData, ReplyDirectory,
    ReplyEmpty, ReplyEntry, ReplyOpen, ReplyStatfs, ReplyWrite, Request, TimeOrNow, WriteFlags,
};

use crate::nodes::Nodes;
use crate::rules::{Operation, Rules};
use crate::volatile::Volatile;

/// How long the kernel may believe what it was told: not at all, because tests look into the folder and change it.
const TTL: Duration = Duration::ZERO;
const GENERATION: Generation = Generation(0);

/// A folder as a disk that breaks on command.
#[derive(Debug)]
pub(crate) struct FaultyDisk {
    folder: PathBuf,
    rules: Arc<Rules>,
    volatile: Arc<Volatile>,
    nodes: Nodes,
    opened: Mutex<HashMap<u64, (INodeNo, Arc<File>)>>,
    next_handle: AtomicU64,
}

type Outcome<T> = Result<T, Errno>;

impl FaultyDisk {
    pub(crate) fn new(folder: PathBuf, rules: Arc<Rules>, volatile: Arc<Volatile>) -> Self {
        Self {
            folder,
            rules,
            volatile,
            nodes: Nodes::default(),
            opened: Mutex::default(),
            next_handle: AtomicU64::new(1),
        }
    }

    /// The path of a node in the folder below, if it still has one.
    fn path(&self, node: INodeNo) -> Outcome<PathBuf> {
        Ok(self.folder.join(self.nodes.path(node).ok_or(Errno::ENOENT)?))
    }

    /// The path of a name, if calls of this kind work there.
    fn allowed(&self, operation: Operation, parent: INodeNo, name: &OsStr) -> Outcome<PathBuf> {
        let inner = self.nodes.path(parent).ok_or(Errno::ENOENT)?.join(name);
        self.rules.check(operation, &inner)?;
        Ok(self.folder.join(inner))
    }

    /// Whether calls of this kind work on a node. One that has no name any more is nobody's concern.
    fn check(&self, operation: Operation, node: INodeNo) -> Outcome<()> {
        self.nodes.path(node).map_or(Ok(()), |path| self.rules.check(operation, &path))
    }

    fn handles(&self) -> MutexGuard<'_, HashMap<u64, (INodeNo, Arc<File>)>> {
        self.opened.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn keep(&self, node: INodeNo, file: File) -> FileHandle {
        let handle = self.next_handle.fetch_add(1, Ordering::Relaxed);
        self.handles().insert(handle, (node, Arc::new(file)));
        FileHandle(handle)
    }

    fn file(&self, handle: FileHandle) -> Outcome<Arc<File>> {
        self.handles().get(&handle.0).map(|(_, file)| Arc::clone(file)).ok_or(Errno::EBADF)
    }

    /// A node's file where it is open already, as it must be when its name is gone.
    fn any_file(&self, node: INodeNo) -> Option<Arc<File>> {
        self.handles().values().find(|(opened, _)| *opened == node).map(|(_, file)| Arc::clone(file))
    }

    fn attributes(&self, node: INodeNo) -> Outcome<FileAttr> {
        let metadata = match self.any_file(node) {
            Some(file) => file.metadata()?,
            None => fs::symlink_metadata(self.path(node)?)?,
        };
        attributes(node, &metadata)
    }

    fn entry(&self, parent: INodeNo, name: &OsStr, path: &PathBuf) -> Outcome<FileAttr> {
        let metadata = fs::symlink_metadata(path)?;
        attributes(self.nodes.number(parent, name), &metadata)
    }

    fn open_node(&self, node: INodeNo, flags: OpenFlags) -> Outcome<FileHandle> {
        if flags.acc_mode() != OpenAccMode::O_RDONLY {
            // A read-only file system refuses this before any byte is written.
            self.check(Operation::Change, node)?;
        }
        let file = OpenOptions::new().read(true).write(true).open(self.path(node)?)?;
        Ok(self.keep(node, file))
    }

    fn create_file(&self, parent: INodeNo, name: &OsStr, mode: u32) -> Outcome<(FileAttr, FileHandle)> {
        let path = self.allowed(Operation::Change, parent, name)?;
        let file =
            OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(mode).open(&path)?;
        let attributes = self.entry(parent, name, &path)?;
        Ok((attributes, self.keep(attributes.ino, file)))
    }

    fn cut(&self, node: INodeNo, handle: Option<FileHandle>, len: u64) -> Outcome<()> {
        self.check(Operation::Change, node)?;
        let file = match handle.and_then(|handle| self.file(handle).ok()).or_else(|| self.any_file(node)) {
            Some(file) => file,
            None => Arc::new(OpenOptions::new().read(true).write(true).open(self.path(node)?)?),
        };
        let before = file.metadata()?.len();
        self.volatile.touch(node, &file, len.min(before), before.saturating_sub(len))?;
        Ok(file.set_len(len)?)
    }

    fn read_bytes(&self, node: INodeNo, handle: FileHandle, start: u64, size: u32) -> Outcome<Vec<u8>> {
        self.check(Operation::Read, node)?;
        let file = self.file(handle)?;
        let mut bytes = vec![0; usize::try_from(size).unwrap_or(0)];
        let mut filled = 0;
        while let Some(rest) = bytes.get_mut(filled..).filter(|rest| !rest.is_empty()) {
            match file.read_at(rest, start + filled as u64)? {
                0 => break,
                read => filled += read,
            }
        }
        bytes.truncate(filled);
        Ok(bytes)
    }

    fn write_bytes(&self, node: INodeNo, handle: FileHandle, start: u64, bytes: &[u8]) -> Outcome<u32> {
        self.check(Operation::Write, node)?;
        let file = self.file(handle)?;
        self.volatile.touch(node, &file, start, bytes.len() as u64)?;
        file.write_all_at(bytes, start)?;
        Ok(u32::try_from(bytes.len()).unwrap_or(u32::MAX))
    }

    fn sync(&self, node: INodeNo) -> Outcome<()> {
        let checked = self.check(Operation::Sync, node);
        // What is durable is kept track of here, so that the disk below need not be waited for.
        self.volatile.synced(node, checked.is_ok())?;
        checked
    }

    fn list(&self, node: INodeNo) -> Outcome<Vec<(INodeNo, FileType, std::ffi::OsString)>> {
        self.check(Operation::Read, node)?;
        let mut entries = Vec::new();
        for entry in fs::read_dir(self.path(node)?)? {
            let entry = entry?;
            let kind = FileType::from_std(entry.file_type()?).ok_or(Errno::EIO)?;
            entries.push((self.nodes.number(node, &entry.file_name()), kind, entry.file_name()));
        }
        // The kernel asks for more by position.
        entries.sort_by(|a, b| a.2.cmp(&b.2));
        Ok(entries)
    }
}

fn attributes(node: INodeNo, metadata: &Metadata) -> Outcome<FileAttr> {
    let time = |time: io::Result<SystemTime>| time.unwrap_or(SystemTime::UNIX_EPOCH);
    Ok(FileAttr {
        ino: node,
        size: metadata.len(),
        blocks: metadata.blocks(),
        atime: time(metadata.accessed()),
        mtime: time(metadata.modified()),
        ctime: time(metadata.modified()),
        crtime: time(metadata.created()),
        kind: FileType::from_std(metadata.file_type()).ok_or(Errno::EIO)?,
        perm: u16::try_from(metadata.permissions().mode() & 0o7777).unwrap_or(0),
        nlink: u32::try_from(metadata.nlink()).unwrap_or(u32::MAX),
        uid: metadata.uid(),
        gid: metadata.gid(),
        rdev: 0,
        blksize: 4096,
        flags: 0,
    })
}

/// Answers with what came of a call.
macro_rules! reply {
    ($outcome:expr, $reply:ident, $value:pat => $answer:expr) => {
        match $outcome {
            Ok($value) => $answer,
            Err(errno) => $reply.error(errno),
        }
    };
}

impl Filesystem for FaultyDisk {
    fn lookup(&self, _: &Request, parent: INodeNo, name: &OsStr, reply: ReplyEntry) {
        let found = self.path(parent).and_then(|folder| self.entry(parent, name, &folder.join(name)));
        reply!(found, reply, attributes => reply.entry(&TTL, &attributes, GENERATION));
    }

    fn getattr(&self, _: &Request, node: INodeNo, _: Option<FileHandle>, reply: ReplyAttr) {
        reply!(self.attributes(node), reply, attributes => reply.attr(&TTL, &attributes));
    }

    fn setattr(
        &self,
        _: &Request,
        node: INodeNo,
        _: Option<u32>,
        _: Option<u32>,
        _: Option<u32>,
        size: Option<u64>,
        _: Option<TimeOrNow>,
        _: Option<TimeOrNow>,
        _: Option<SystemTime>,
        handle: Option<FileHandle>,
        _: Option<SystemTime>,
        _: Option<SystemTime>,
        _: Option<SystemTime>,
        _: Option<BsdFileFlags>,
        reply: ReplyAttr,
    ) {
        let cut = size.map_or(Ok(()), |len| self.cut(node, handle, len));
        let done = cut.and_then(|()| self.attributes(node));
        reply!(done, reply, attributes => reply.attr(&TTL, &attributes));
    }

    fn mkdir(&self, _: &Request, parent: INodeNo, name: &OsStr, _: u32, _: u32, reply: ReplyEntry) {
        let made = self.allowed(Operation::Change, parent, name).and_then(|path| {
            fs::create_dir(&path)?;
            self.entry(parent, name, &path)
        });
        reply!(made, reply, attributes => reply.entry(&TTL, &attributes, GENERATION));
    }

    fn unlink(&self, _: &Request, parent: INodeNo, name: &OsStr, reply: ReplyEmpty) {
        let removed =
            self.allowed(Operation::Change, parent, name).and_then(|path| Ok(fs::remove_file(path)?));
        if removed.is_ok() {
            self.nodes.remove(parent, name);
        }
        reply!(removed, reply, () => reply.ok());
    }

    fn rmdir(&self, _: &Request, parent: INodeNo, name: &OsStr, reply: ReplyEmpty) {
        let removed =
            self.allowed(Operation::Change, parent, name).and_then(|path| Ok(fs::remove_dir(path)?));
        if removed.is_ok() {
            self.nodes.remove(parent, name);
        }
        reply!(removed, reply, () => reply.ok());
    }

    fn rename(
        &self,
        _: &Request,
        parent: INodeNo,
        name: &OsStr,
        new_parent: INodeNo,
        new_name: &OsStr,
        _: RenameFlags,
        reply: ReplyEmpty,
    ) {
        let renamed = self.allowed(Operation::Change, parent, name).and_then(|from| {
            let to = self.allowed(Operation::Change, new_parent, new_name)?;
            Ok(fs::rename(from, to)?)
        });
        if renamed.is_ok() {
            self.nodes.rename((parent, name), (new_parent, new_name));
        }
        reply!(renamed, reply, () => reply.ok());
    }

    fn open(&self, _: &Request, node: INodeNo, flags: OpenFlags, reply: ReplyOpen) {
        reply!(self.open_node(node, flags), reply, handle => reply.opened(handle, FopenFlags::empty()));
    }

    fn create(
        &self,
        _: &Request,
        parent: INodeNo,
        name: &OsStr,
        mode: u32,
        _: u32,
        _: i32,
        reply: ReplyCreate,
    ) {
        reply!(self.create_file(parent, name, mode), reply, (attributes, handle) => {
            reply.created(&TTL, &attributes, GENERATION, handle, FopenFlags::empty());
        });
    }

    fn read(
        &self,
        _: &Request,
        node: INodeNo,
        handle: FileHandle,
        start: u64,
        size: u32,
        _: OpenFlags,
        _: Option<LockOwner>,
        reply: ReplyData,
    ) {
        reply!(self.read_bytes(node, handle, start, size), reply, bytes => reply.data(&bytes));
    }

    fn write(
        &self,
        _: &Request,
        node: INodeNo,
        handle: FileHandle,
        start: u64,
        bytes: &[u8],
        _: WriteFlags,
        _: OpenFlags,
        _: Option<LockOwner>,
        reply: ReplyWrite,
    ) {
        reply!(self.write_bytes(node, handle, start, bytes), reply, count => reply.written(count));
    }

    fn flush(&self, _: &Request, _: INodeNo, _: FileHandle, _: LockOwner, reply: ReplyEmpty) {
        reply.ok();
    }

    fn release(
        &self,
        _: &Request,
        _: INodeNo,
        handle: FileHandle,
        _: OpenFlags,
        _: Option<LockOwner>,
        _: bool,
        reply: ReplyEmpty,
    ) {
        self.handles().remove(&handle.0);
        reply.ok();
    }

    fn fsync(&self, _: &Request, node: INodeNo, _: FileHandle, _: bool, reply: ReplyEmpty) {
        reply!(self.sync(node), reply, () => reply.ok());
    }

    fn fsyncdir(&self, _: &Request, node: INodeNo, _: FileHandle, _: bool, reply: ReplyEmpty) {
        reply!(self.check(Operation::Sync, node), reply, () => reply.ok());
    }

    fn readdir(&self, _: &Request, node: INodeNo, _: FileHandle, start: u64, mut reply: ReplyDirectory) {
        let listed = self.list(node);
        reply!(listed, reply, entries => {
            let from = usize::try_from(start).unwrap_or(usize::MAX);
            for (position, (number, kind, name)) in (1..).zip(entries).skip(from) {
                if reply.add(number, position, kind, name) {
                    break;
                }
            }
            reply.ok();
        });
    }

    fn statfs(&self, _: &Request, _: INodeNo, reply: ReplyStatfs) {
        let asked = rustix::fs::statvfs(&self.folder).map_err(io::Error::from).map_err(Errno::from);
        reply!(asked, reply, found => {
            let narrow = |value: u64| u32::try_from(value).unwrap_or(u32::MAX);
            reply.statfs(
                found.f_blocks,
                found.f_bfree,
                found.f_bavail,
                found.f_files,
                found.f_ffree,
                narrow(found.f_bsize),
                narrow(found.f_namemax),
                narrow(found.f_frsize),
            );
        });
    }
}

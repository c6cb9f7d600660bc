//! What the log asks of a disk, as traits, so that a simulated disk can stand in for the real one.
//!
//! Every call blocks; whoever must not wait reads with [`Wait::Never`] and asks a job thread to
//! [`FileRange::warm`] what was cold. Nothing here caches: the kernel does. Deliberately absent: memory maps (a
//! full disk would be a SIGBUS, a cold page a stall nobody can see) and asynchronous calls.

mod real_disk;
#[cfg(test)]
mod tests;
mod virtual_disk;

pub use real_disk::RealDisk;
pub use virtual_disk::{Call, Chooser, Failures, Fault, Keep, SeededChooser, Unsynced, VirtualDisk};

use std::fmt;
use std::io::{self, IoSlice};
use std::os::fd::BorrowedFd;
use std::path::Path;
use std::sync::Arc;

/// Distance of the bytes that are waited for when a range is brought into the page cache: not above what the kernel
/// reads from a device in one piece.
const WARM_STRIDE_BYTES: u64 = 64 * 1024;
/// How much is read ahead of who reads on: twice what was read, within these bounds. The device works on it while half of
/// it is taken.
const AHEAD_BYTES_MIN: u32 = 4 * 1024 * 1024;
const AHEAD_BYTES_MAX: u32 = 16 * 1024 * 1024;
/// Distance of the bytes probed to tell whether a range is in the page cache. The kernel reads ahead and gives up
/// neighbours together; a hole that is missed costs one read of the device, and each probe costs about 1 us.
const PROBE_STRIDE_BYTES: u64 = 256 * 1024;

/// A file system, as far as a log needs one.
pub trait Disk: Send + Sync + fmt::Debug {
    /// Opens a file; `NotFound` when it is missing and the mode does not create it.
    fn open(&self, path: &Path, mode: OpenMode) -> io::Result<Arc<dyn File>>;
    /// Renames a file or a folder, replacing a file that bears the new name.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;
    /// Removes a file.
    fn remove_file(&self, path: &Path) -> io::Result<()>;
    /// Removes an empty folder.
    fn remove_directory(&self, path: &Path) -> io::Result<()>;
    /// Creates a folder whose parent exists; `AlreadyExists` when it is there.
    fn create_directory(&self, path: &Path) -> io::Result<()>;
    /// What a folder holds, sorted by name.
    fn list(&self, path: &Path) -> io::Result<Vec<Entry>>;
    /// Makes the names in a folder durable: files created, renamed and removed in it.
    fn sync_directory(&self, path: &Path) -> io::Result<()>;
    /// How much room there is where `path` lies.
    fn space(&self, path: &Path) -> io::Result<Space>;
    /// Takes the exclusive lock of a file, creating it; `WouldBlock` when another process has it. Dropping the
    /// file gives the lock back.
    fn lock(&self, path: &Path) -> io::Result<Arc<dyn File>>;
}

/// An open file, read and written at positions.
pub trait File: Send + Sync + fmt::Debug {
    /// Writes all parts one after the other from `position` on, in one call where the system allows.
    /// An error may leave any prefix written.
    fn write_at(&self, parts: &mut [IoSlice<'_>], position: u64) -> io::Result<()>;
    /// Reads up to `into.len()` bytes; 0 at the end of the file. With [`Wait::Never`] `WouldBlock` says that the
    /// bytes are not in memory.
    fn read_at(&self, into: &mut [u8], position: u64, wait: Wait) -> io::Result<usize>;
    /// Begins to bring bytes into memory and does not wait for them. A hint: it may do nothing.
    fn read_ahead(&self, position: u64, len: u64) -> io::Result<()> {
        let _ = (position, len);
        Ok(())
    }
    /// Makes the file's bytes and length durable, not its name.
    fn sync_data(&self) -> io::Result<()>;
    /// The file's length in bytes.
    fn len(&self) -> io::Result<u64>;
    /// Whether the file holds nothing.
    fn is_empty(&self) -> io::Result<bool> {
        Ok(self.len()? == 0)
    }
    /// Cuts the file, or extends it with zeros.
    fn set_len(&self, len: u64) -> io::Result<()>;
    /// The descriptor for sendfile; `None` on a simulated disk, whose bytes are read with [`File::read_at`].
    fn descriptor(&self) -> Option<BorrowedFd<'_>>;
}

/// How a file is opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OpenMode {
    /// To read a file that exists.
    Read,
    /// To read and write a file that exists.
    Modify,
    /// To read and write; created when missing.
    Write,
    /// To write from nothing: created, or emptied.
    Replace,
}

/// Whether a read may wait for the device.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wait {
    /// Only what is in memory; otherwise `WouldBlock`.
    Never,
    /// As long as it takes.
    Long,
}

/// A name in a folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The name, without the folder's path.
    pub name: String,
    /// Whether it is a folder.
    pub directory: bool,
    /// The file's length in bytes; 0 for a folder.
    pub len: u64,
}

/// Room on a file system.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Space {
    /// All bytes of the file system.
    pub total_bytes: u64,
    /// Bytes that an unprivileged process may still write.
    pub free_bytes: u64,
}

/// Bytes of a file, ready for sendfile. Holds the file open, so that closing or deleting it does not matter.
#[derive(Debug, Clone)]
pub struct FileRange {
    /// The file.
    pub file: Arc<dyn File>,
    /// The first byte.
    pub position: u64,
    /// How many bytes.
    pub len: u32,
}

impl FileRange {
    /// Whether the range seems to be in the page cache: probes one byte in every 256 KiB and the last one.
    pub fn is_warm(&self) -> io::Result<bool> {
        let end = self.position + u64::from(self.len);
        let mut at = self.position;
        let mut byte = [0u8; 1];
        while at < end {
            match self.file.read_at(&mut byte, at, Wait::Never) {
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(false),
                Err(error) => return Err(error),
            }
            let last = end - 1;
            at = if at == last { end } else { (at + PROBE_STRIDE_BYTES).min(last) };
        }
        Ok(true)
    }

    /// Brings the range into the page cache, without a copy of it. Waits for the device: for a job thread.
    pub fn warm(&self) -> io::Result<()> {
        self.read_ahead();
        // From the end: what lies before was asked for earlier and mostly needs no wait of its own.
        let mut left = u64::from(self.len);
        while left > 0 {
            if self.file.read_at(&mut [0], self.position + left - 1, Wait::Long)? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            left = left.saturating_sub(WARM_STRIDE_BYTES);
        }
        Ok(())
    }

    /// What follows this range, below `end`, when it seems not to be in memory: worth [reading
    /// ahead](Self::read_ahead) for who reads on.
    pub fn ahead(&self, end: u64) -> io::Result<Option<Self>> {
        let position = self.position + u64::from(self.len);
        let window = u64::from(self.len.saturating_mul(2).clamp(AHEAD_BYTES_MIN, AHEAD_BYTES_MAX));
        let left = end.saturating_sub(position);
        if left == 0 {
            return Ok(None);
        }
        match self.file.read_at(&mut [0], position + (window / 2).min(left - 1), Wait::Never) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                let len = u32::try_from(window.min(left)).unwrap_or(AHEAD_BYTES_MAX);
                Ok(Some(Self { file: Arc::clone(&self.file), position, len }))
            }
            probed => probed.map(|_| None),
        }
    }

    /// Begins to bring the range into the page cache. What cannot be read is found out by who reads it.
    pub fn read_ahead(&self) {
        let _ = self.file.read_ahead(self.position, u64::from(self.len));
    }

    /// Copies the range into memory.
    pub fn read(&self, wait: Wait) -> io::Result<Vec<u8>> {
        let mut bytes = vec![0; self.len as usize];
        read_exact_at(&*self.file, &mut bytes, self.position, wait)?;
        Ok(bytes)
    }
}

/// Fills `into`; `UnexpectedEof` when the file ends before.
pub(crate) fn read_exact_at(
    file: &dyn File,
    mut into: &mut [u8],
    mut position: u64,
    wait: Wait,
) -> io::Result<()> {
    while !into.is_empty() {
        match file.read_at(into, position, wait)? {
            0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            read => {
                into = &mut into[read..];
                position += read as u64;
            }
        }
    }
    Ok(())
}

/// The whole of a file of at most `bytes_max` bytes; `InvalidData` when it is larger.
pub(crate) fn read_file(disk: &dyn Disk, path: &Path, bytes_max: u64) -> io::Result<Vec<u8>> {
    let file = disk.open(path, OpenMode::Read)?;
    let len = file.len()?;
    if len > bytes_max {
        return Err(io::Error::new(io::ErrorKind::InvalidData, format!("{len} bytes, at most {bytes_max}")));
    }
    let mut bytes = vec![0; usize::try_from(len).unwrap_or(usize::MAX)];
    read_exact_at(&*file, &mut bytes, 0, Wait::Long)?;
    Ok(bytes)
}

/// Puts `bytes` under `path` so that after a crash the old or the new content is there, never a mixture: writes
/// `path.tmp`, syncs it, renames it, syncs the folder.
pub(crate) fn replace_file(disk: &dyn Disk, path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut temporary = path.as_os_str().to_owned();
    temporary.push(".tmp");
    let temporary = Path::new(&temporary);
    let file = disk.open(temporary, OpenMode::Replace)?;
    if let Err(error) = file.write_at(&mut [IoSlice::new(bytes)], 0) {
        // On a full disk half a file would take the room that others need.
        drop(file);
        let _ = disk.remove_file(temporary);
        return Err(error);
    }
    file.sync_data()?;
    drop(file);
    disk.rename(temporary, path)?;
    disk.sync_directory(path.parent().unwrap_or(Path::new(".")))
}

//! The disk of the machine.

use std::fs;
use std::io::{self, IoSlice, IoSliceMut};
use std::num::NonZeroU64;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Arc;

use rustix::fs::{Advice, FlockOperation, fadvise, flock};
use rustix::io::{Errno, ReadWriteFlags, preadv2, pwritev};

use super::{Disk, Entry, File, OpenMode, Space, Wait};

/// The most parts that one pwritev takes (`IOV_MAX`).
const PARTS_MAX: usize = 1024;

/// The kernel takes no more of one piece of advice than it reads ahead by itself, 128 KiB unless told otherwise.
const ADVICE_BYTES_MAX: u64 = 128 * 1024;

/// The disk of the machine, through its file systems.
#[derive(Debug, Clone, Copy, Default)]
pub struct RealDisk;

#[derive(Debug)]
struct RealFile(fs::File);

impl Disk for RealDisk {
    fn open(&self, path: &Path, mode: OpenMode) -> io::Result<Arc<dyn File>> {
        let mut options = fs::OpenOptions::new();
        match mode {
            OpenMode::Read => options.read(true),
            OpenMode::Modify => options.read(true).write(true),
            OpenMode::Write => options.read(true).write(true).create(true).truncate(false),
            OpenMode::Replace => options.read(true).write(true).create(true).truncate(true),
        };
        Ok(Arc::new(RealFile(options.open(path)?)))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        fs::rename(from, to)
    }

    fn remove_file(&self, path: &Path) -> io::Result<()> {
        fs::remove_file(path)
    }

    fn remove_directory(&self, path: &Path) -> io::Result<()> {
        fs::remove_dir(path)
    }

    fn create_directory(&self, path: &Path) -> io::Result<()> {
        fs::create_dir(path)
    }

    fn list(&self, path: &Path) -> io::Result<Vec<Entry>> {
        let mut entries = Vec::new();
        for entry in fs::read_dir(path)? {
            let entry = entry?;
            let Ok(name) = entry.file_name().into_string() else { continue };
            let directory = entry.file_type()?.is_dir();
            let len = if directory { 0 } else { entry.metadata()?.len() };
            entries.push(Entry { name, directory, len });
        }
        entries.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(entries)
    }

    fn sync_directory(&self, path: &Path) -> io::Result<()> {
        // The parent of a relative name is the empty path.
        let path = if path.as_os_str().is_empty() { Path::new(".") } else { path };
        fs::File::open(path)?.sync_all()
    }

    fn space(&self, path: &Path) -> io::Result<Space> {
        let stat = rustix::fs::statvfs(path)?;
        Ok(Space { total_bytes: stat.f_blocks * stat.f_frsize, free_bytes: stat.f_bavail * stat.f_frsize })
    }

    fn lock(&self, path: &Path) -> io::Result<Arc<dyn File>> {
        let file = fs::OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path)?;
        flock(&file, FlockOperation::NonBlockingLockExclusive)?;
        Ok(Arc::new(RealFile(file)))
    }
}

impl File for RealFile {
    fn write_at(&self, mut parts: &mut [IoSlice<'_>], mut position: u64) -> io::Result<()> {
        // A part of no bytes at the front would make a complete write look like a disk that takes nothing.
        IoSlice::advance_slices(&mut parts, 0);
        while !parts.is_empty() {
            let count = parts.len().min(PARTS_MAX);
            match pwritev(&self.0, &parts[..count], position) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(written) => {
                    position += written as u64;
                    IoSlice::advance_slices(&mut parts, written);
                }
                Err(Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    fn read_at(&self, into: &mut [u8], position: u64, wait: Wait) -> io::Result<usize> {
        if wait == Wait::Never {
            match preadv2(&self.0, &mut [IoSliceMut::new(into)], position, ReadWriteFlags::NOWAIT) {
                Ok(read) => return Ok(read),
                // A file system in memory (tmpfs) knows no such flag: what it holds is always warm.
                Err(Errno::OPNOTSUPP) => {}
                Err(error) => return Err(error.into()),
            }
        }
        loop {
            match self.0.read_at(into, position) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                other => return other,
            }
        }
    }

    fn read_ahead(&self, position: u64, len: u64) -> io::Result<()> {
        let end = position + len;
        let mut at = position;
        while let Some(piece) = NonZeroU64::new((end - at).min(ADVICE_BYTES_MAX)) {
            fadvise(&self.0, at, Some(piece), Advice::WillNeed)?;
            at += piece.get();
        }
        Ok(())
    }

    fn sync_data(&self) -> io::Result<()> {
        self.0.sync_data()
    }

    fn len(&self) -> io::Result<u64> {
        Ok(self.0.metadata()?.len())
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.0.set_len(len)
    }

    fn descriptor(&self) -> Option<BorrowedFd<'_>> {
        Some(self.0.as_fd())
    }
}

//! Room that is kept back on the disk, so that a broker can note what it decides when others have taken all the rest:
//! who deletes a topic to make room needs a record in the metadata log first.

use std::io::{self, IoSlice};
use std::path::Path;
use std::sync::atomic::Ordering;

use super::{Directory, DirectoryState};
use crate::disk::{Disk, OpenMode};
use crate::error::Error;
use crate::names;

/// Bytes that are written at once.
const CHUNK: &[u8] = &[0; 64 * 1024];

impl Directory {
    /// Free bytes below which appends are refused, when `free_bytes_min` are asked for and `reserve` bytes are to be
    /// kept back: those that are not kept back any more do not count as free.
    #[must_use]
    pub fn floor(&self, free_bytes_min: u64, reserve: u64) -> u64 {
        let missing = if self.reserved.load(Ordering::Acquire) { 0 } else { reserve };
        free_bytes_min.max(reserve).saturating_add(missing)
    }

    /// Keeps `reserve` bytes back while there is room, and gives them up when less than that is free. For a job thread,
    /// after the room was measured.
    ///
    /// # Errors
    /// What the disk says.
    pub fn keep_reserve(&self, reserve: u64, free_bytes: u64) -> Result<(), Error> {
        let path = self.path.join(names::RESERVE);
        let is_kept = self.reserved.load(Ordering::Acquire);
        match self.state() {
            DirectoryState::Online if !is_kept && reserve > 0 => {
                write_zeros(self.disk(), &path, reserve).map_err(|e| Error::io("write", &path, e))?;
                self.reserved.store(true, Ordering::Release);
            }
            DirectoryState::Full if is_kept && free_bytes < reserve => match self.disk().remove_file(&path) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    return Err(Error::io("remove", &path, error));
                }
                _ => self.reserved.store(false, Ordering::Release),
            },
            DirectoryState::Online | DirectoryState::Full | DirectoryState::Offline => {}
        }
        Ok(())
    }
}

/// Writes a file of zeros, and none when it does not fit.
fn write_zeros(disk: &dyn Disk, path: &Path, len: u64) -> io::Result<()> {
    let file = disk.open(path, OpenMode::Write)?;
    let mut position = file.len()?;
    while position < len {
        let count = CHUNK.len().min(usize::try_from(len - position).unwrap_or(CHUNK.len()));
        let chunk = CHUNK.get(..count).unwrap_or(CHUNK);
        if let Err(error) = file.write_at(&mut [IoSlice::new(chunk)], position) {
            // A part of it would only be in the way.
            let _ = disk.remove_file(path);
            return Err(error);
        }
        position += count as u64;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::tests::open;
    use super::*;
    use crate::disk::VirtualDisk;

    const RESERVE: u64 = 100_000;

    #[test]
    fn the_reserve_is_given_up_when_nothing_else_is_left_and_kept_again_with_room() {
        let disk = VirtualDisk::new();
        let directory = open(&disk).unwrap();
        let measure = |free: u64| {
            disk.set_capacity(Some(disk.used() + free));
            let floor = directory.floor(10, RESERVE);
            let state = directory.measure_space(floor).unwrap();
            directory.keep_reserve(RESERVE, free).unwrap();
            state
        };
        let before = disk.used();
        assert_eq!(measure(3 * RESERVE), DirectoryState::Online);
        assert_eq!(disk.used() - before, RESERVE);
        assert_eq!(measure(RESERVE), DirectoryState::Online, "what is kept back is not asked for twice");
        assert_eq!(measure(RESERVE - 1), DirectoryState::Full);
        assert_eq!(disk.used(), before, "it is given up");
        assert_eq!(measure(2 * RESERVE - 1), DirectoryState::Full, "what was given up is for no appends");
        assert_eq!(measure(2 * RESERVE), DirectoryState::Online);
        assert_eq!(disk.used() - before, RESERVE);
        drop(directory);
        disk.kill();
        let directory = open(&disk).unwrap();
        assert_eq!(directory.floor(10, RESERVE), RESERVE, "the next run knows of it");
    }

    #[test]
    fn a_reserve_that_does_not_fit_leaves_nothing() {
        let disk = VirtualDisk::new();
        let directory = open(&disk).unwrap();
        let before = disk.used();
        disk.set_capacity(Some(before + RESERVE / 2));
        let error = directory.keep_reserve(RESERVE, RESERVE / 2).unwrap_err();
        assert!(!error.is_fatal(), "{error}");
        assert_eq!(disk.used(), before);
    }
}

//! Removing what was renamed for deletion, by jobs.

use std::io;
use std::path::{Path, PathBuf};

use crate::disk::Disk;
use crate::error::Error;

/// How often a folder is emptied again because a sync that was under way made another file in it.
const REMOVE_ATTEMPTS: usize = 16;

/// Removes a folder and the files in it; nothing when it is gone already. For a job thread.
///
/// A checkpoint of the log that began before its folder was renamed may still write files there. They are removed as
/// well; a folder that never stays empty is left to the next start, which removes all folders of deleted topics.
///
/// # Errors
/// What the disk says.
pub fn remove_folder(disk: &dyn Disk, path: &Path) -> Result<(), Error> {
    let failed = |error| Error::io("remove", path, error);
    for _ in 0..REMOVE_ATTEMPTS {
        let entries = match disk.list(path) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            Err(error) => return Err(failed(error)),
        };
        for entry in entries {
            match disk.remove_file(&path.join(&entry.name)) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(failed(error)),
                _ => {}
            }
        }
        match disk.remove_directory(path) {
            Err(error) if error.kind() == io::ErrorKind::DirectoryNotEmpty => {}
            other => return other.map_err(failed),
        }
    }
    Ok(())
}

/// Removes files that retention or a truncation renamed; those that are gone do not matter. For a job thread.
///
/// # Errors
/// What the disk says.
pub fn remove_files(disk: &dyn Disk, paths: &[PathBuf]) -> Result<(), Error> {
    for path in paths {
        match disk.remove_file(path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(Error::io("remove", path, error));
            }
            _ => {}
        }
    }
    Ok(())
}

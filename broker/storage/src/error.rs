//! What can go wrong with a log, for the log directory that decides what follows.

use std::io;
use std::path::{Path, PathBuf};

use protocol::ErrorCode;
use protocol::id::Offset;
use rustix::io::Errno;

/// A failure of storage. [`Error::Io`] takes the log directory offline, [`Error::NoSpace`] and [`Error::Exhausted`] do
/// not.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The system refused a call, and what is on disk is now in doubt.
    #[error("{operation} {}: {source}", path.display())]
    Io {
        /// What was tried, a verb in the present tense.
        operation: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// The system's answer.
        source: io::Error,
    },
    /// The disk is full. The log is as it was before the call; a later append may succeed.
    #[error("{operation} {}: no space left", path.display())]
    NoSpace {
        /// What was tried.
        operation: &'static str,
        /// The file or folder.
        path: PathBuf,
    },
    /// The process or the system has no descriptor or no memory left. The call did nothing; a later one may succeed.
    #[error("{operation} {}: {source}", path.display())]
    Exhausted {
        /// What was tried.
        operation: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// The system's answer.
        source: io::Error,
    },
    /// An earlier call failed, so the log takes no more writes until it is opened again.
    #[error("{}: offline since an earlier failure", path.display())]
    Offline {
        /// The partition's folder.
        path: PathBuf,
    },
    /// A file does not hold what it should.
    #[error("{}: {reason}", path.display())]
    Corrupt {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// Another process uses the log directory.
    #[error("{}: in use by another process (its .lock file is locked)", path.display())]
    Locked {
        /// The log directory.
        path: PathBuf,
    },
    /// The directory belongs to another cluster or broker.
    #[error("{}: {reason}", path.display())]
    Foreign {
        /// The log directory.
        path: PathBuf,
        /// What differs.
        reason: String,
    },
    /// Batches that do not continue the log, or that are damaged.
    #[error("batches at offset {offset}: {reason}")]
    Rejected {
        /// The offset at which the batches fail.
        offset: Offset,
        /// What a peer or client is told.
        code: ErrorCode,
        /// What is wrong with them.
        reason: &'static str,
    },
}

impl Error {
    /// Wraps what the system said; a full disk or quota, and a want of descriptors or memory, are told apart from
    /// failures. A sync that fails for whatever reason is one: nobody knows what became of the pages.
    pub fn io(operation: &'static str, path: &Path, source: io::Error) -> Self {
        let is_exhausted = match Errno::from_io_error(&source) {
            // Only calls that open something give these.
            Some(Errno::MFILE | Errno::NFILE) => true,
            Some(Errno::NOMEM) => !operation.starts_with("sync"),
            _ => false,
        };
        if is_exhausted {
            return Self::Exhausted { operation, path: path.to_owned(), source };
        }
        match source.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
                Self::NoSpace { operation, path: path.to_owned() }
            }
            _ => Self::Io { operation, path: path.to_owned(), source },
        }
    }

    /// A sync that failed, for whatever reason: what it should have written may be lost, and the next one would not
    /// say so. Also when the disk is full, because then nobody knows which writes found no room. Where there was no
    /// descriptor to open what was to be synced, no sync was begun, and the next one has all of it to do.
    pub fn sync(operation: &'static str, path: &Path, source: io::Error) -> Self {
        match Errno::from_io_error(&source) {
            Some(Errno::MFILE | Errno::NFILE) => Self::Exhausted { operation, path: path.to_owned(), source },
            _ => Self::Io { operation, path: path.to_owned(), source },
        }
    }

    pub(crate) fn corrupt(path: &Path, reason: impl Into<String>) -> Self {
        Self::Corrupt { path: path.to_owned(), reason: reason.into() }
    }

    /// What a client is told.
    #[must_use]
    pub const fn code(&self) -> ErrorCode {
        match self {
            Self::Rejected { code, .. } => *code,
            _ => ErrorCode::KafkaStorageError,
        }
    }

    /// Whether the log directory must be taken offline.
    #[must_use]
    pub const fn is_fatal(&self) -> bool {
        matches!(self, Self::Io { .. } | Self::Corrupt { .. } | Self::Offline { .. })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sync_that_found_no_descriptor_lost_nothing() {
        let failed = |errno: Errno| Error::sync("sync", Path::new("/t-0"), errno.into());
        assert!(!failed(Errno::MFILE).is_fatal() && !failed(Errno::NFILE).is_fatal());
        for errno in [Errno::IO, Errno::NOSPC, Errno::NOMEM] {
            assert!(failed(errno).is_fatal(), "{errno}");
        }
    }
}

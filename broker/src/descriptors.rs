//! File descriptors: how many the process may have, and what they are for.
//!
//! Clients must not take those that the logs need, or a thousand idle connections would stop every append.

use node::Config;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// For sockets that listen, HTTP, the metadata log, and what a checkpoint, a recovery or a removal opens for a moment.
const RESERVE: u64 = 256;

/// What remains for clients.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Descriptors {
    /// Connections that may be open at once.
    pub(crate) connections: u32,
}

impl Descriptors {
    /// Raises the process's soft limit to its hard one and divides what that gives. `open.files.max` is lowered where
    /// it would take more than half.
    pub(crate) fn take(config: &mut Config) -> Self {
        let (files, descriptors) = Self::divide(raise_limit(), config.open_files_max);
        if files < config.open_files_max {
            tracing::warn!(
                "open.files.max={} is more than this process may open beside its connections; {files} is used: raise \
                 its limit of open files (ulimit -Hn)",
                config.open_files_max
            );
            config.open_files_max = files;
        }
        descriptors
    }

    fn divide(limit: u64, files_max: usize) -> (usize, Self) {
        let shared = limit - RESERVE.min(limit / 4);
        let files = usize::try_from(shared / 2).unwrap_or(usize::MAX).min(files_max);
        let connections = shared.saturating_sub(files as u64);
        (files, Self { connections: u32::try_from(connections).unwrap_or(u32::MAX) })
    }
}

/// How many descriptors the process may have from now on.
fn raise_limit() -> u64 {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    if current != maximum
        && let Err(error) = setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum })
    {
        tracing::warn!(%error, "raise the limit of open files");
        return current.unwrap_or(u64::MAX);
    }
    maximum.unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn logs_and_clients_share_what_there_is() {
        let divided = |limit, files| {
            let (files, descriptors) = Descriptors::divide(limit, files);
            (files, descriptors.connections)
        };
        assert_eq!(divided(20_000, 8_192), (8_192, 11_552));
        assert_eq!(divided(1_024, 8_192), (384, 384));
        assert_eq!(divided(100, 8_192), (37, 38), "a quarter is kept where that is less");
        assert_eq!(divided(u64::MAX, 8_192), (8_192, u32::MAX));
    }
}

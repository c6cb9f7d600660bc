//! Which calls fail, and how.

use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use fuser::Errno;

/// What a call does, as far as rules tell calls apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Operation {
    /// Reads bytes.
    Read,
    /// Writes bytes.
    Write,
    /// Makes bytes or names durable.
    Sync,
    /// Makes, renames or removes a name, or cuts a file.
    Change,
}

/// Rules that hold together: the first that fits decides.
#[derive(Debug, Default)]
pub(crate) struct Rules {
    rules: Mutex<Vec<Rule>>,
    hits: AtomicU64,
}

#[derive(Debug)]
struct Rule {
    operations: Vec<Operation>,
    errno: Errno,
    /// Of the paths that are meant.
    text: String,
}

impl Rules {
    /// Whether a call may be made.
    pub(crate) fn check(&self, operation: Operation, path: &Path) -> Result<(), Errno> {
        let rules = self.lock();
        let path = path.to_string_lossy();
        let found =
            rules.iter().find(|rule| rule.operations.contains(&operation) && path.contains(&rule.text));
        match found {
            Some(rule) => {
                self.hits.fetch_add(1, Ordering::Relaxed);
                Err(rule.errno)
            }
            None => Ok(()),
        }
    }

    /// Adds a rule; the answer to the command.
    pub(crate) fn fail(&self, operations: &str, errno: &str, text: &str) -> String {
        let errno = match errno {
            "EIO" => Errno::EIO,
            "EROFS" => Errno::EROFS,
            "ENOSPC" => Errno::ENOSPC,
            other => return format!("error: no such error: {other}"),
        };
        let mut parsed = Vec::new();
        for name in operations.split(',') {
            parsed.push(match name {
                "read" => Operation::Read,
                "write" => Operation::Write,
                "sync" => Operation::Sync,
                "change" => Operation::Change,
                other => return format!("error: no such operation: {other}"),
            });
        }
        self.hits.store(0, Ordering::Relaxed);
        self.lock().push(Rule { operations: parsed, errno, text: text.to_owned() });
        "ok".to_owned()
    }

    /// Forgets all rules; the answer to the command.
    pub(crate) fn heal(&self) -> String {
        self.lock().clear();
        "ok".to_owned()
    }

    /// How many calls failed since the last rule was made.
    pub(crate) fn hits(&self) -> u64 {
        self.hits.load(Ordering::Relaxed)
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Rule>> {
        self.rules.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rule_is_about_its_operations_and_paths_until_healed() {
        let rules = Rules::default();
        let (meant, other) = (Path::new("t-0/0.log"), Path::new("u-0/0.log"));
        assert_eq!(rules.fail("write,sync", "EIO", "t-0/"), "ok");
        assert_eq!(rules.check(Operation::Write, meant), Err(Errno::EIO));
        assert_eq!(rules.check(Operation::Sync, meant), Err(Errno::EIO));
        assert_eq!(rules.check(Operation::Read, meant), Ok(()));
        assert_eq!(rules.check(Operation::Write, other), Ok(()));
        assert_eq!(rules.hits(), 2);
        rules.heal();
        assert_eq!(rules.check(Operation::Write, meant), Ok(()));
        assert!(rules.fail("write", "EPERM", "").starts_with("error"));
        assert!(rules.fail("think", "EIO", "").starts_with("error"));
    }
}

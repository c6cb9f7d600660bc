//! Whether files changed: by what the file system says of them, and then by what is in them.

use std::collections::BTreeMap;
use std::fs;
use std::hash::{DefaultHasher, Hasher};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use super::manifest::{files, limits::FILE_BYTES_MAX};

/// What is at the paths at one moment.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Seen(BTreeMap<PathBuf, State>);

/// What is known of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
enum State {
    File { modified: Option<SystemTime>, bytes: u64, hash: u64 },
    Unreadable(String),
}

/// Tells when what paths hold is other than what was applied.
///
/// A change counts once two looks in a row found the same: an editor that empties a file before it writes it, or
/// moves it away and a new one to its place, is not taken for somebody who took topics out.
pub(super) struct Watch {
    applied: Seen,
    pending: Option<Seen>,
}

impl Watch {
    /// Looks for the first time: what is there counts as applied.
    pub(super) fn new(paths: &[PathBuf]) -> Self {
        Self { applied: look(paths, &Seen::default()), pending: None }
    }

    /// Looks again. True when there is a change to apply.
    pub(super) fn changed(&mut self, paths: &[PathBuf]) -> bool {
        let last = self.pending.take().unwrap_or_else(|| self.applied.clone());
        let seen = look(paths, &last);
        if same_content(&seen, &self.applied) {
            self.applied = seen;
            return false;
        }
        if seen == last {
            self.applied = seen;
            return true;
        }
        self.pending = Some(seen);
        false
    }
}

fn look(paths: &[PathBuf], last: &Seen) -> Seen {
    let mut seen = BTreeMap::new();
    for path in paths {
        match files(path) {
            Ok(found) => {
                for file in found {
                    let state = state(&file, last.0.get(&file))
                        .unwrap_or_else(|error| State::Unreadable(error.to_string()));
                    seen.insert(file, state);
                }
            }
            Err(why) => {
                seen.insert(path.clone(), State::Unreadable(why));
            }
        }
    }
    Seen(seen)
}

/// Reads a file only when its time or size changed.
fn state(file: &Path, last: Option<&State>) -> io::Result<State> {
    let metadata = fs::metadata(file)?;
    let (modified, bytes) = (metadata.modified().ok(), metadata.len());
    if let Some(State::File { modified: last_modified, bytes: last_bytes, hash }) = last
        && (*last_modified, *last_bytes) == (modified, bytes)
        && modified.is_some()
    {
        return Ok(State::File { modified, bytes, hash: *hash });
    }
    let mut hasher = DefaultHasher::new();
    if metadata.is_file() {
        let mut content = Vec::new();
        fs::File::open(file)?.take(FILE_BYTES_MAX + 1).read_to_end(&mut content)?;
        hasher.write(&content);
    }
    Ok(State::File { modified, bytes, hash: hasher.finish() })
}

fn same_content(a: &Seen, b: &Seen) -> bool {
    let same = |a: &State, b: &State| match (a, b) {
        (State::File { hash: a, .. }, State::File { hash: b, .. }) => a == b,
        (State::Unreadable(a), State::Unreadable(b)) => a == b,
        _ => false,
    };
    a.0.len() == b.0.len() && a.0.iter().zip(&b.0).all(|((p, a), (q, b))| p == q && same(a, b))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_counts_when_it_was_seen_twice() {
        let folder = tempfile::tempdir().unwrap();
        let paths = [folder.path().to_owned()];
        let file = folder.path().join("a.yaml");
        fs::write(&file, "a: 1").unwrap();
        let mut watch = Watch::new(&paths);
        assert!(!watch.changed(&paths));
        // Emptied and written again between two looks, as editors do.
        fs::write(&file, "").unwrap();
        assert!(!watch.changed(&paths));
        fs::write(&file, "a: 1").unwrap();
        assert!(!watch.changed(&paths), "the same content is no change");
        fs::write(&file, "a: 22").unwrap();
        assert!(!watch.changed(&paths));
        assert!(watch.changed(&paths));
        assert!(!watch.changed(&paths), "told once");
        fs::remove_file(&file).unwrap();
        assert!(!watch.changed(&paths));
        assert!(
            watch.changed(&paths),
            "a folder without files is a change, which is refused when it is read"
        );
    }
}

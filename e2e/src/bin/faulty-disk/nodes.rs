//! The kernel's numbers for files and folders, and the paths that they stand for.

use std::collections::HashMap;
use std::ffi::{OsStr, OsString};
use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};

use fuser::INodeNo;

/// All nodes that the kernel was ever told of: a number is never used twice, so that none has to be taken back.
#[derive(Debug)]
pub(crate) struct Nodes {
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    next: u64,
    /// Of each node: the folder that it is in, and its name there. One that was removed stands here no more.
    places: HashMap<u64, (u64, OsString)>,
    numbers: HashMap<(u64, OsString), u64>,
}

impl Default for Nodes {
    fn default() -> Self {
        let state =
            State { next: INodeNo::ROOT.0 + 1, places: HashMap::default(), numbers: HashMap::default() };
        Self { state: Mutex::new(state) }
    }
}

impl Nodes {
    /// The path of a node below the root; `None` when it was removed.
    pub(crate) fn path(&self, node: INodeNo) -> Option<PathBuf> {
        let state = self.lock();
        let mut names = Vec::new();
        let mut at = node.0;
        while at != INodeNo::ROOT.0 {
            let (parent, name) = state.places.get(&at)?;
            names.push(name);
            at = *parent;
        }
        Some(names.into_iter().rev().collect())
    }

    /// The number of a name in a folder; a new one when it has none.
    pub(crate) fn number(&self, parent: INodeNo, name: &OsStr) -> INodeNo {
        let state = &mut *self.lock();
        let key = (parent.0, name.to_owned());
        let next = &mut state.next;
        let number = *state.numbers.entry(key.clone()).or_insert_with(|| {
            *next += 1;
            *next - 1
        });
        state.places.insert(number, key);
        INodeNo(number)
    }

    /// A name was removed.
    pub(crate) fn remove(&self, parent: INodeNo, name: &OsStr) {
        self.lock().remove(&(parent.0, name.to_owned()));
    }

    /// A name was changed; a file that bore the new one is gone.
    pub(crate) fn rename(&self, from: (INodeNo, &OsStr), to: (INodeNo, &OsStr)) {
        let state = &mut *self.lock();
        let (from, to) = ((from.0.0, from.1.to_owned()), (to.0.0, to.1.to_owned()));
        state.remove(&to);
        if let Some(number) = state.numbers.remove(&from) {
            state.places.insert(number, to.clone());
            state.numbers.insert(to, number);
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn remove(&mut self, key: &(u64, OsString)) {
        if let Some(number) = self.numbers.remove(key) {
            self.places.remove(&number);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[test]
    fn what_lies_in_a_folder_that_is_renamed_goes_with_it() {
        let nodes = Nodes::default();
        let [folder, file, new] = ["folder", "file", "new"].map(OsStr::new);
        let inner = nodes.number(INodeNo::ROOT, folder);
        let leaf = nodes.number(inner, file);
        assert_eq!(nodes.number(inner, file), leaf);
        assert_eq!(nodes.path(leaf).as_deref(), Some(Path::new("folder/file")));
        nodes.rename((INodeNo::ROOT, folder), (INodeNo::ROOT, new));
        assert_eq!(nodes.path(leaf).as_deref(), Some(Path::new("new/file")));
        assert_ne!(nodes.number(INodeNo::ROOT, folder), inner, "the old name is another folder's");
        nodes.remove(inner, file);
        assert_eq!(nodes.path(leaf), None);
        assert_ne!(nodes.number(inner, file), leaf);
        assert_eq!(nodes.path(INodeNo::ROOT).as_deref(), Some(Path::new("")));
    }
}

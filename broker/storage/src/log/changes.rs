//! Whether something in memory differs from its file, while a sync of an earlier state may be under way.

/// Counts changes and which of them are saved.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Changes {
    made: u64,
    saved: u64,
}

impl Changes {
    /// Notes a change, if there was one.
    pub(crate) const fn note(&mut self, changed: bool) {
        self.made += changed as u64;
    }

    /// Whether a change is not saved.
    pub(crate) const fn pending(self) -> bool {
        self.saved < self.made
    }

    /// What is being saved now.
    pub(crate) const fn version(self) -> u64 {
        self.made
    }

    /// All changes up to a version are saved.
    pub(crate) fn saved(&mut self, version: u64) {
        self.saved = self.saved.max(version);
    }
}

//! One fetch between its begin and its end.

use super::partitions::Partitions;
use super::{Answer, Asked, NO_SESSION, PartitionKey};

/// What becomes of the partitions when the fetch ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Kind {
    /// They are dropped.
    Sessionless,
    /// They become a session, if there is room.
    Full {
        /// The session would use topic ids.
        topic_ids: bool,
        /// The session would be a follower's.
        follower: bool,
    },
    /// They return to their session.
    Incremental {
        /// The session.
        id: i32,
        /// Tells it from another session of the same id.
        serial: u64,
    },
}

/// The partitions of one fetch, and what its response must say of them.
///
/// It is given back with [`super::FetchSessions::finish`], or with [`super::FetchSessions::abandon`] when
/// there is nobody to answer.
#[derive(Debug)]
#[must_use = "a session stays away until its context is finished or abandoned"]
pub struct FetchContext {
    pub(super) kind: Kind,
    pub(super) partitions: Partitions,
}

impl FetchContext {
    /// How many partitions are fetched.
    #[must_use]
    pub fn len(&self) -> usize {
        self.partitions.len()
    }

    /// Whether none is.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The partitions in the order in which they are to be read.
    pub fn partitions(&self) -> impl ExactSizeIterator<Item = (&PartitionKey, &Asked)> {
        self.partitions.iter()
    }

    /// One of the partitions.
    ///
    /// # Panics
    /// When `position` is not below [`FetchContext::len`]: a bug of the caller.
    #[must_use]
    pub fn get(&self, position: usize) -> (&PartitionKey, &Asked) {
        self.partitions.get(position)
    }

    /// Takes note of what would be answered for the partition at `position`, once a fetch; whether it must be
    /// in the response. Only a fetch inside a session may leave partitions out.
    ///
    /// # Panics
    /// When `position` is not below [`FetchContext::len`]: a bug of the caller.
    #[must_use]
    pub fn include(&mut self, position: usize, answer: &Answer) -> bool {
        let must = self.partitions.tell(position, answer);
        must || self.session_id() == NO_SESSION
    }

    /// The session that this fetch is part of, or [`NO_SESSION`]: not yet the one that it may open.
    #[must_use]
    pub const fn session_id(&self) -> i32 {
        match self.kind {
            Kind::Incremental { id, .. } => id,
            Kind::Sessionless | Kind::Full { .. } => NO_SESSION,
        }
    }
}

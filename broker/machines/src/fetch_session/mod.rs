//! Incremental fetch sessions (KIP-227): a fetcher names its partitions once and then only what changed, and
//! is answered only what changed.
//!
//! A fetch has two steps. [`FetchSessions::begin`] looks up or opens the session, applies what the request
//! changes, and gives a [`FetchContext`], which owns the session's partitions until
//! [`FetchSessions::finish`]: between the two, which may be a long poll apart, nothing is locked. A session
//! that is out with one request refuses another; a client sends one fetch of a session at a time.
//!
//! Rules and numbers are those of Kafka's `FetchSession` and `FetchSessionCacheShard`; bounds on the
//! partitions of one session and of all are our own.

mod cache;
mod context;
mod partitions;

#[cfg(test)]
mod tests;

pub use cache::FetchSessions;
pub use context::FetchContext;

use std::sync::Arc;
use std::time::Duration;

use protocol::id::{LeaderEpoch, Offset, PartitionIndex, TopicId};

/// The session id of a fetch without a session.
pub const NO_SESSION: i32 = 0;
/// The epoch of a fetch that asks for a new session.
pub const INITIAL_EPOCH: i32 = 0;
/// The epoch of a fetch that wants no session, and closes the one that it names.
pub const FINAL_EPOCH: i32 = -1;

/// Limits of the cache.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    /// `max.incremental.fetch.session.cache.slots`: sessions at once.
    pub slots_max: usize,
    /// Partitions in one session; a fetcher of more gets none.
    pub session_partitions_max: usize,
    /// Partitions in all sessions, at about 150 bytes each.
    pub partitions_max: usize,
    /// Age from which a session gives way to any other.
    pub eviction_after: Duration,
}

impl Default for Bounds {
    /// Kafka's 1,000 sessions and 2 minutes; 100,000 and 500,000 partitions.
    fn default() -> Self {
        Self {
            slots_max: 1_000,
            session_partitions_max: 100_000,
            partitions_max: 500_000,
            eviction_after: Duration::from_secs(120),
        }
    }
}

/// A topic as a session names it: all its topics by name (Fetch 7 to 12), or all by id (13 on).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SessionTopic {
    /// By name.
    Name(Arc<str>),
    /// By id, which need not be that of a topic that exists.
    Id(TopicId),
}

/// A partition of a session.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PartitionKey {
    /// Its topic.
    pub topic: SessionTopic,
    /// Which of its partitions.
    pub partition: PartitionIndex,
}

/// What a fetcher asks of a partition: remembered until it asks something else.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Asked {
    /// The first offset wanted.
    pub fetch_offset: Offset,
    /// A follower's own log start offset; -1 for consumers.
    pub log_start_offset: Offset,
    /// The leader epoch that the fetcher believes in, or -1.
    pub current_leader_epoch: LeaderEpoch,
    /// The epoch of the last record that a follower has, or -1 (KIP-595).
    pub last_fetched_epoch: LeaderEpoch,
    /// Most bytes wanted.
    pub max_bytes: i32,
}

/// What a partition's part of a response says, as far as a session cares.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Answer {
    /// It carries records.
    pub has_records: bool,
    /// It carries an error code.
    pub is_error: bool,
    /// It carries a diverging epoch, which makes a follower truncate.
    pub is_diverging: bool,
    /// It sends the consumer to another replica (KIP-392).
    pub has_preferred_replica: bool,
    /// The high watermark.
    pub high_watermark: Offset,
    /// The log start offset.
    pub log_start_offset: Offset,
}

/// The part of a Fetch request that sessions are about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FetchStart {
    /// The session, or [`NO_SESSION`]; also before Fetch 7.
    pub session_id: i32,
    /// The session's epoch; [`FINAL_EPOCH`] before Fetch 7.
    pub session_epoch: i32,
    /// The request names topics by id: Fetch 13 on.
    pub topic_ids: bool,
    /// A follower fetches: its session is worth more than a consumer's.
    pub follower: bool,
    /// Partitions asked for; in a session, those that are new or ask something else. Of two of one partition
    /// the later counts.
    pub partitions: Vec<(PartitionKey, Asked)>,
    /// Partitions that leave the session.
    pub forgotten: Vec<PartitionKey>,
}

/// The epoch after `epoch`: 1 follows 2^31 - 1, because 0 asks for a new session.
#[must_use]
const fn next_epoch(epoch: i32) -> i32 {
    match epoch {
        i32::MIN..=-1 => FINAL_EPOCH,
        i32::MAX => 1,
        _ => epoch + 1,
    }
}

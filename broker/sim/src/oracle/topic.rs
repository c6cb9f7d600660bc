//! What topics are for, and what is known of each.

use std::collections::BTreeMap;

use protocol::id::TopicId;

/// A partition: its topic's identity and its index.
pub(crate) type Place = (TopicId, i32);

/// What a topic was created for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Nothing is deleted; a loss of power may cost what was not synced.
    Kept,
    /// Acknowledged records are synced.
    Synced,
    /// As kept, and records bear the broker's time.
    Stamped,
    /// Old segments are deleted.
    Retained,
    /// Created and deleted again and again.
    Fleeting,
}

/// A topic as it was acknowledged.
#[derive(Debug, Clone)]
pub(crate) struct Topic {
    pub(crate) name: String,
    pub(crate) id: TopicId,
    pub(crate) kind: Kind,
    pub(crate) partitions: i32,
    /// When it was created, and when it got its present number of partitions.
    pub(crate) created_at: u64,
    pub(crate) grown_at: u64,
    /// Partitions that were asked for without an answer so far.
    pub(crate) partitions_maybe: i32,
    /// Settings that were acknowledged, and when.
    pub(crate) configs: BTreeMap<String, (String, u64)>,
    /// Settings that were asked for without an answer so far.
    pub(crate) configs_maybe: Vec<(String, String)>,
    /// Somebody asked for its deletion, or for that of whatever has its name.
    pub(crate) deletion_asked: bool,
    /// When that was, last.
    pub(crate) asked_at: u64,
}

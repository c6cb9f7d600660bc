//! What limits groups, and how long things take.

use std::time::Duration;

/// New members wait for their first answer at most so long (Kafka: `CLASSIC_GROUP_NEW_MEMBER_JOIN_TIMEOUT_MS`). They
/// know no member id yet and cannot send heartbeats, so that a client which gave up is found only so.
pub(super) const NEW_MEMBER_JOIN_TIMEOUT: Duration = Duration::from_mins(5);

/// A rebalance in which nobody joined is looked at again after this time at the earliest, also where the members'
/// rebalance timeout is shorter: a client may say 0.
pub(super) const REBALANCE_RETRY_MIN: Duration = Duration::from_millis(100);

/// The most bytes of records that a batch of tombstones gets; half of what `max.message.bytes` allows by default.
pub(super) const TOMBSTONE_BATCH_BYTES_MAX: usize = 512 << 10;

/// The most tombstones that one call of [`expire_offsets`](super::GroupShard::expire_offsets) decides on.
pub const EXPIRED_PER_CALL_MAX: usize = 10_000;

/// Limits and times. `Default` has Kafka's defaults.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupSettings {
    /// `group.min.session.timeout.ms`.
    pub min_session_timeout: Duration,
    /// `group.max.session.timeout.ms`.
    pub max_session_timeout: Duration,
    /// `group.initial.rebalance.delay.ms`: how long the first members of an empty group wait for more.
    pub initial_rebalance_delay: Duration,
    /// `group.max.size`: members of one group.
    pub max_size: usize,
    /// `offset.metadata.max.bytes`, in characters as in Kafka.
    pub offset_metadata_max_bytes: usize,
    /// `offsets.retention.minutes`.
    pub offsets_retention: Duration,
    /// Groups of one shard; a new one past it is refused with `COORDINATOR_NOT_AVAILABLE`.
    pub groups_max: usize,
    /// Members of one group whatever `group.max.size` says, and as many that have an id and did not yet join:
    /// `GROUP_MAX_SIZE_REACHED`.
    pub members_max: usize,
    /// Protocols of one member: `INVALID_REQUEST`.
    pub protocols_max: usize,
    /// Bytes of names and metadata of one member's protocols: `INVALID_REQUEST`.
    pub member_metadata_max_bytes: usize,
    /// The same over all members of a group: `GROUP_MAX_SIZE_REACHED`.
    pub group_metadata_max_bytes: usize,
    /// Partitions for which one group has committed offsets: `INVALID_COMMIT_OFFSET_SIZE`. What is being written
    /// comes on top.
    pub offsets_per_group_max: usize,
    /// Batches that wait for their commit: what would add one is refused with `COORDINATOR_NOT_AVAILABLE`. Ends of
    /// sessions are no requests and are not refused.
    pub in_flight_max: usize,
}

impl Default for GroupSettings {
    fn default() -> Self {
        Self {
            min_session_timeout: Duration::from_secs(6),
            max_session_timeout: Duration::from_mins(30),
            initial_rebalance_delay: Duration::from_secs(3),
            max_size: usize::try_from(i32::MAX).unwrap_or(usize::MAX),
            offset_metadata_max_bytes: 4_096,
            offsets_retention: Duration::from_mins(10_080),
            groups_max: 100_000,
            members_max: 10_000,
            protocols_max: 100,
            member_metadata_max_bytes: 4 << 20,
            group_metadata_max_bytes: 64 << 20,
            offsets_per_group_max: 1_000_000,
            in_flight_max: 10_000,
        }
    }
}

//! What members ask, in one form for all versions.

use bytes::Bytes;
use protocol::id::{LeaderEpoch, Monotonic, Offset, PartitionIndex, Timestamp, Uuid};

/// Now, on both clocks: deadlines use the monotonic one, records and retention the wall.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Moment {
    /// For deadlines.
    pub monotonic: Monotonic,
    /// For records and retention.
    pub wall: Timestamp,
}

/// Whoever waits for an answer; the caller chooses the number and gets it back once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Caller(pub u64);

/// JoinGroup.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct JoinRequest {
    /// The group.
    pub group_id: String,
    /// Empty while the member has none.
    pub member_id: String,
    /// `group.instance.id` of a static member (KIP-345).
    pub group_instance_id: Option<String>,
    /// The request header's; empty when it is null.
    pub client_id: String,
    /// As Kafka shows it: a slash and the address.
    pub client_host: String,
    /// `session.timeout.ms`.
    pub session_timeout_ms: i32,
    /// `max.poll.interval.ms`; -1, in version 0, stands for the session timeout.
    pub rebalance_timeout_ms: i32,
    /// `consumer`, `connect` or anything: nothing but OffsetDelete looks at what it means.
    pub protocol_type: String,
    /// Names and metadata, the most preferred first.
    pub protocols: Vec<(String, Bytes)>,
    /// Whether a member without id gets one first and joins with it (version 4, KIP-394). Static members do not.
    pub requires_known_member_id: bool,
    /// Whether a static leader that comes back may be told to leave the assignment as it is (version 9, KIP-814).
    pub supports_skipping_assignment: bool,
    /// Why it joins (KIP-800).
    pub reason: Option<String>,
}

/// SyncGroup.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SyncRequest {
    /// The group.
    pub group_id: String,
    /// The generation that the member joined.
    pub generation_id: i32,
    /// The member.
    pub member_id: String,
    /// `group.instance.id` of a static member.
    pub group_instance_id: Option<String>,
    /// Checked against the group's where it is given (KIP-559).
    pub protocol_type: Option<String>,
    /// Checked against the group's where it is given (KIP-559).
    pub protocol_name: Option<String>,
    /// From the leader: each member's assignment.
    pub assignments: Vec<(String, Bytes)>,
}

/// Heartbeat; borrowed, because there are many.
#[derive(Debug, Clone, Copy)]
pub struct HeartbeatRequest<'a> {
    /// The group.
    pub group_id: &'a str,
    /// The generation that the member is in.
    pub generation_id: i32,
    /// The member.
    pub member_id: &'a str,
    /// `group.instance.id` of a static member.
    pub group_instance_id: Option<&'a str>,
}

/// LeaveGroup.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LeaveRequest {
    /// The group.
    pub group_id: String,
    /// Who leaves (KIP-345).
    pub members: Vec<LeavingMember>,
}

/// One member that leaves, or that an administrator removes by its instance id alone.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LeavingMember {
    /// Empty when the instance id alone is given.
    pub member_id: String,
    /// `group.instance.id` of a static member.
    pub group_instance_id: Option<String>,
    /// Why it leaves (KIP-800).
    pub reason: Option<String>,
}

/// OffsetCommit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OffsetCommitRequest {
    /// The group.
    pub group_id: String,
    /// -1 from a consumer that is no member.
    pub generation_id: i32,
    /// The member; empty from a consumer that is none.
    pub member_id: String,
    /// `group.instance.id` of a static member.
    pub group_instance_id: Option<String>,
    /// Versions 2 to 4: how long these offsets are kept, instead of `offsets.retention.minutes`.
    pub retention_time_ms: Option<i64>,
    /// From version 9 on a member of a group that does not exist gets `GROUP_ID_NOT_FOUND`, before that
    /// `ILLEGAL_GENERATION`.
    pub reports_missing_group: bool,
    /// What is committed: topics that exist and that the client may read.
    pub topics: Vec<CommitTopic>,
}

/// One topic of an OffsetCommit.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CommitTopic {
    /// Its name.
    pub name: String,
    /// Its id; zero when it is not known.
    pub topic_id: Uuid,
    /// The partitions.
    pub partitions: Vec<CommitPartition>,
}

/// One partition of an OffsetCommit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommitPartition {
    /// The partition.
    pub index: PartitionIndex,
    /// The next offset that the consumer would read.
    pub offset: Offset,
    /// The epoch of the last record that it has read (KIP-320).
    pub leader_epoch: LeaderEpoch,
    /// Whatever the consumer likes to keep beside it.
    pub metadata: Option<String>,
}

/// One topic of an OffsetFetch.
#[derive(Debug, Clone, Copy)]
pub struct FetchTopic<'a> {
    /// Its name.
    pub name: &'a str,
    /// Its id, or zero: an offset that was committed for a topic of another id is not given.
    pub topic_id: Uuid,
    /// The partitions.
    pub partitions: &'a [PartitionIndex],
}

/// OffsetDelete.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct OffsetDeleteRequest {
    /// The group.
    pub group_id: String,
    /// Topics and partitions.
    pub topics: Vec<(String, Vec<PartitionIndex>)>,
}

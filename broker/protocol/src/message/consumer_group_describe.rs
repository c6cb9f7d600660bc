//! ConsumerGroupDescribe (69): groups of the protocol in which the broker assigns.

use protocol_derive::{Fields, Message};

use crate::ErrorCode;
use crate::id::{PartitionIndex, TopicId};

/// Asks about groups (KIP-848).
#[derive(Debug, Clone, PartialEq, Eq, Message)]
#[message(key = ConsumerGroupDescribe, response = ConsumerGroupDescribeResponse, versions = "0-1", flexible = "0+")]
pub struct ConsumerGroupDescribeRequest {
    /// The groups.
    pub group_ids: Vec<String>,
    /// Tell what the client may do with each group (KIP-430).
    pub include_authorized_operations: bool,
}

/// The groups.
#[derive(Debug, Clone, PartialEq, Eq, Message)]
#[message(versions = "0-1", flexible = "0+")]
pub struct ConsumerGroupDescribeResponse {
    /// Milliseconds for which the client should send nothing, because of a quota; 0 is none.
    pub throttle_time_ms: i32,
    /// One result for each group.
    pub groups: Vec<DescribedGroup>,
}

/// One group.
#[derive(Debug, Clone, PartialEq, Eq, Fields)]
pub struct DescribedGroup {
    /// The outcome for this group.
    pub error_code: ErrorCode,
    /// The outcome in words; null when there was no error.
    #[field(nullable = "0+")]
    pub error_message: Option<String>,
    /// The group.
    pub group_id: String,
    /// Its state: `Stable`, `Reconciling` and so on.
    pub group_state: String,
    /// Grows with every change of members or topics.
    pub group_epoch: i32,
    /// The group epoch that the target assignment is made for.
    pub assignment_epoch: i32,
    /// The assignor.
    pub assignor_name: String,
    /// Its members.
    pub members: Vec<Member>,
    /// Bits of what the client may do with the group; the least integer when not asked for.
    #[field(default = i32::MIN)]
    pub authorized_operations: i32,
}

/// One member.
#[derive(Debug, Clone, PartialEq, Eq, Fields)]
pub struct Member {
    /// The member.
    pub member_id: String,
    /// The name that a static member keeps over restarts; null for a dynamic one.
    #[field(nullable = "0+")]
    pub instance_id: Option<String>,
    /// The rack that it is in; null is none.
    #[field(nullable = "0+")]
    pub rack_id: Option<String>,
    /// Its epoch.
    pub member_epoch: i32,
    /// The `client.id` of its connection.
    pub client_id: String,
    /// The address that it came from.
    pub client_host: String,
    /// The topics that it names.
    pub subscribed_topic_names: Vec<String>,
    /// The pattern of topics that it gave; null is none.
    #[field(nullable = "0+")]
    pub subscribed_topic_regex: Option<String>,
    /// What it has.
    pub assignment: Assignment,
    /// What it is to have.
    pub target_assignment: Assignment,
    /// 0 is a member of the classic protocol, 1 of the newer one, -1 unknown.
    #[field(versions = "1+", default = -1)]
    pub member_type: i8,
}

/// A set of partitions.
#[derive(Debug, Clone, PartialEq, Eq, Fields)]
pub struct Assignment {
    /// The partitions, by topic.
    pub topic_partitions: Vec<TopicPartitions>,
}

/// Partitions of one topic.
#[derive(Debug, Clone, PartialEq, Eq, Fields)]
pub struct TopicPartitions {
    /// The topic's id.
    pub topic_id: TopicId,
    /// The topic's name.
    pub topic_name: String,
    /// Its partitions.
    pub partitions: Vec<PartitionIndex>,
}

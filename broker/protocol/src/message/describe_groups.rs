//! DescribeGroups (15): groups with their members.

use bytes::Bytes;
use protocol_derive::{Fields, Message};

use crate::ErrorCode;

/// Asks about groups.
#[derive(Debug, Clone, PartialEq, Eq, Message)]
#[message(key = DescribeGroups, response = DescribeGroupsResponse, versions = "0-6", flexible = "5+")]
pub struct DescribeGroupsRequest {
    /// The groups.
    pub groups: Vec<String>,
    /// Tell what the client may do with each group (KIP-430).
    #[field(versions = "3+")]
    pub include_authorized_operations: bool,
}

/// The groups.
#[derive(Debug, Clone, PartialEq, Eq, Message)]
#[message(versions = "0-6", flexible = "5+")]
pub struct DescribeGroupsResponse {
    /// Milliseconds for which the client should send nothing, because of a quota; 0 is none.
    #[field(versions = "1+")]
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
    #[field(versions = "6+", nullable = "6+")]
    pub error_message: Option<String>,
    /// The group.
    pub group_id: String,
    /// Its state: `Stable`, `Empty`, `Dead` and so on.
    pub group_state: String,
    /// What kind of group it is; empty for one that holds offsets alone.
    pub protocol_type: String,
    /// The protocol that its members follow; empty when there is none.
    pub protocol_data: String,
    /// Its members.
    pub members: Vec<DescribedGroupMember>,
    /// Bits of what the client may do with the group; the least integer when not asked for.
    #[field(versions = "3+", default = i32::MIN)]
    pub authorized_operations: i32,
}

/// One member.
#[derive(Debug, Clone, PartialEq, Eq, Fields)]
pub struct DescribedGroupMember {
    /// The member.
    pub member_id: String,
    /// The name that a static member keeps over restarts (`group.instance.id`, KIP-345); null for a
    /// dynamic one.
    #[field(versions = "4+", nullable = "4+")]
    pub group_instance_id: Option<String>,
    /// The `client.id` of its connection.
    pub client_id: String,
    /// The address that it came from.
    pub client_host: String,
    /// What it said under the protocol.
    pub member_metadata: Bytes,
    /// Its part of the leader's assignment.
    pub member_assignment: Bytes,
}

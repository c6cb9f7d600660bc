//! LeaveGroup (13): members go.

use protocol_derive::{Fields, Message};

use crate::ErrorCode;

/// Takes members out of a group, one before version 3 (KIP-345).
#[derive(Debug, Clone, PartialEq, Eq, Message)]
#[message(key = LeaveGroup, response = LeaveGroupResponse, versions = "0-5", flexible = "4+")]
pub struct LeaveGroupRequest {
    /// The group.
    pub group_id: String,
    /// The member that leaves.
    #[field(versions = "0-2")]
    pub member_id: String,
    /// The members that leave.
    #[field(versions = "3+")]
    pub members: Vec<MemberIdentity>,
}

/// One member that leaves.
#[derive(Debug, Clone, PartialEq, Eq, Fields)]
pub struct MemberIdentity {
    /// The member; empty when it is named by its instance alone.
    pub member_id: String,
    /// The name that a static member keeps over restarts (`group.instance.id`, KIP-345); null for a
    /// dynamic one.
    #[field(nullable = "3+")]
    pub group_instance_id: Option<String>,
    /// Why it leaves, for the logs of the broker (KIP-800).
    #[field(versions = "5+", nullable = "5+")]
    pub reason: Option<String>,
}

/// What became of it.
#[derive(Debug, Clone, PartialEq, Eq, Message)]
#[message(versions = "0-5", flexible = "4+")]
pub struct LeaveGroupResponse {
    /// Milliseconds for which the client should send nothing, because of a quota; 0 is none.
    #[field(versions = "1+")]
    pub throttle_time_ms: i32,
    /// The outcome of the whole request.
    pub error_code: ErrorCode,
    /// One outcome for each member.
    #[field(versions = "3+")]
    pub members: Vec<MemberResponse>,
}

/// One member's outcome.
#[derive(Debug, Clone, PartialEq, Eq, Fields)]
pub struct MemberResponse {
    /// The member, as it was named.
    pub member_id: String,
    /// Its instance, as it was named.
    #[field(nullable = "3+")]
    pub group_instance_id: Option<String>,
    /// The outcome for this member.
    pub error_code: ErrorCode,
}

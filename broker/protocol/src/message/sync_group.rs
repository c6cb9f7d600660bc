//! SyncGroup (14): the leader brings the assignment, every member fetches its part.

use bytes::Bytes;
use protocol_derive::{Fields, Message};

use crate::ErrorCode;
use crate::id::GenerationId;

/// Asks for this member's assignment.
#[derive(Debug, Clone, PartialEq, Eq, Message)]
#[message(key = SyncGroup, response = SyncGroupResponse, versions = "0-5", flexible = "4+")]
pub struct SyncGroupRequest {
    /// The group.
    pub group_id: String,
    /// The generation that was joined.
    pub generation_id: GenerationId,
    /// The member.
    pub member_id: String,
    /// The name that a static member keeps over restarts (`group.instance.id`, KIP-345); null for a
    /// dynamic one.
    #[field(versions = "3+", nullable = "3+")]
    pub group_instance_id: Option<String>,
    /// What kind of group it is, to be compared (KIP-559).
    #[field(versions = "5+", nullable = "5+")]
    pub protocol_type: Option<String>,
    /// The protocol of the generation, to be compared (KIP-559).
    #[field(versions = "5+", nullable = "5+")]
    pub protocol_name: Option<String>,
    /// Every member's part, from the leader; empty from the others.
    pub assignments: Vec<SyncGroupRequestAssignment>,
}

/// One member's part.
#[derive(Debug, Clone, PartialEq, Eq, Fields)]
pub struct SyncGroupRequestAssignment {
    /// The member.
    pub member_id: String,
    /// What it is; opaque to the broker.
    pub assignment: Bytes,
}

/// This member's assignment.
#[derive(Debug, Clone, PartialEq, Eq, Message)]
#[message(versions = "0-5", flexible = "4+")]
pub struct SyncGroupResponse {
    /// Milliseconds for which the client should send nothing, because of a quota; 0 is none.
    #[field(versions = "1+")]
    pub throttle_time_ms: i32,
    /// The outcome.
    pub error_code: ErrorCode,
    /// What kind of group it is; null where there was an error.
    #[field(versions = "5+", nullable = "5+")]
    pub protocol_type: Option<String>,
    /// The protocol of the generation; null where there was an error.
    #[field(versions = "5+", nullable = "5+")]
    pub protocol_name: Option<String>,
    /// What it is; empty where there was an error.
    pub assignment: Bytes,
}

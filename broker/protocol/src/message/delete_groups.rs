//! DeleteGroups (42): groups without members go, with their offsets.

use protocol_derive::{Fields, Message};

use crate::ErrorCode;

/// Deletes groups (KIP-229).
#[derive(Debug, Clone, PartialEq, Eq, Message)]
#[message(key = DeleteGroups, response = DeleteGroupsResponse, versions = "0-2", flexible = "2+")]
pub struct DeleteGroupsRequest {
    /// The groups.
    pub groups_names: Vec<String>,
}

/// What became of it.
#[derive(Debug, Clone, PartialEq, Eq, Message)]
#[message(versions = "0-2", flexible = "2+")]
pub struct DeleteGroupsResponse {
    /// Milliseconds for which the client should send nothing, because of a quota; 0 is none.
    pub throttle_time_ms: i32,
    /// One outcome for each group.
    pub results: Vec<DeletableGroupResult>,
}

/// One group's outcome.
#[derive(Debug, Clone, PartialEq, Eq, Fields)]
pub struct DeletableGroupResult {
    /// The group.
    pub group_id: String,
    /// The outcome for this group.
    pub error_code: ErrorCode,
}

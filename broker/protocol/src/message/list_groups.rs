//! ListGroups (16): the groups that a broker coordinates.

use protocol_derive::{Fields, Message};

use crate::ErrorCode;

/// Asks for the groups (KIP-518, KIP-848).
#[derive(Debug, Clone, PartialEq, Eq, Message)]
#[message(key = ListGroups, response = ListGroupsResponse, versions = "0-5", flexible = "3+")]
pub struct ListGroupsRequest {
    /// Only groups in these states; empty is all.
    #[field(versions = "4+")]
    pub states_filter: Vec<String>,
    /// Only groups of these types; empty is all.
    #[field(versions = "5+")]
    pub types_filter: Vec<String>,
}

/// The groups.
#[derive(Debug, Clone, PartialEq, Eq, Message)]
#[message(versions = "0-5", flexible = "3+")]
pub struct ListGroupsResponse {
    /// Milliseconds for which the client should send nothing, because of a quota; 0 is none.
    #[field(versions = "1+")]
    pub throttle_time_ms: i32,
    /// The outcome of the whole request.
    pub error_code: ErrorCode,
    /// The groups.
    pub groups: Vec<ListedGroup>,
}

/// One group.
#[derive(Debug, Clone, PartialEq, Eq, Fields)]
pub struct ListedGroup {
    /// The group.
    pub group_id: String,
    /// What kind of group it is; empty for one that holds offsets alone.
    pub protocol_type: String,
    /// Its state: `Stable`, `Empty`, `PreparingRebalance` and so on.
    #[field(versions = "4+")]
    pub group_state: String,
    /// Its type: `classic`, `consumer` and so on.
    #[field(versions = "5+")]
    pub group_type: String,
}

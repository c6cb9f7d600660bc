//! Heartbeat (12): a member is alive, and hears of a rebalance.

use protocol_derive::Message;

use crate::ErrorCode;
use crate::id::GenerationId;

/// Says that a member is alive.
#[derive(Debug, Clone, PartialEq, Eq, Message)]
#[message(key = Heartbeat, response = HeartbeatResponse, versions = "0-4", flexible = "4+")]
pub struct HeartbeatRequest {
    /// The group.
    pub group_id: String,
    /// The generation of the group that the member knows.
    pub generation_id: GenerationId,
    /// The member.
    pub member_id: String,
    /// The name that a static member keeps over restarts (`group.instance.id`, KIP-345); null for a
    /// dynamic one.
    #[field(versions = "3+", nullable = "3+")]
    pub group_instance_id: Option<String>,
}

/// Whether it has to join again.
#[derive(Debug, Clone, PartialEq, Eq, Message)]
#[message(versions = "0-4", flexible = "4+")]
pub struct HeartbeatResponse {
    /// Milliseconds for which the client should send nothing, because of a quota; 0 is none.
    #[field(versions = "1+")]
    pub throttle_time_ms: i32,
    /// The outcome: REBALANCE_IN_PROGRESS asks the member to join again.
    pub error_code: ErrorCode,
}

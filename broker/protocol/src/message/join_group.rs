//! JoinGroup (11): a member enters a group, or enters it again for the next generation.

use bytes::Bytes;
use protocol_derive::{Fields, Message};

use crate::ErrorCode;
use crate::id::GenerationId;

/// Asks to be a member of the next generation (KIP-62, KIP-345, KIP-394).
#[derive(Debug, Clone, PartialEq, Eq, Message)]
#[message(key = JoinGroup, response = JoinGroupResponse, versions = "0-9", flexible = "6+")]
pub struct JoinGroupRequest {
    /// The group.
    pub group_id: String,
    /// Milliseconds without a heartbeat after which the member is taken for dead.
    pub session_timeout_ms: i32,
    /// Milliseconds that a rebalance waits for this member; version 0 takes the session timeout.
    #[field(versions = "1+", default = -1)]
    pub rebalance_timeout_ms: i32,
    /// The id that the coordinator gave; empty at the first time.
    pub member_id: String,
    /// The name that a static member keeps over restarts (`group.instance.id`, KIP-345); null for a
    /// dynamic one.
    #[field(versions = "5+", nullable = "5+")]
    pub group_instance_id: Option<String>,
    /// What kind of group it is: `consumer`, `connect`, or any name that members agree on.
    pub protocol_type: String,
    /// The protocols that the member can follow, the one that it likes best first.
    pub protocols: Vec<JoinGroupRequestProtocol>,
    /// Why the member joins, for the logs of the broker (KIP-800).
    #[field(versions = "8+", nullable = "8+")]
    pub reason: Option<String>,
}

/// One protocol of a member.
#[derive(Debug, Clone, PartialEq, Eq, Fields)]
pub struct JoinGroupRequestProtocol {
    /// Its name, for consumers that of an assignor.
    pub name: String,
    /// What the member tells the leader under this protocol; opaque to the broker.
    pub metadata: Bytes,
}

/// The generation, when all members are there.
#[derive(Debug, Clone, PartialEq, Eq, Message)]
#[message(versions = "0-9", flexible = "6+")]
pub struct JoinGroupResponse {
    /// Milliseconds for which the client should send nothing, because of a quota; 0 is none.
    #[field(versions = "2+")]
    pub throttle_time_ms: i32,
    /// The outcome.
    pub error_code: ErrorCode,
    /// The generation; -1 where there was an error.
    #[field(default = GenerationId::NONE)]
    pub generation_id: GenerationId,
    /// What kind of group it is; null where there was an error.
    #[field(versions = "7+", nullable = "7+")]
    pub protocol_type: Option<String>,
    /// The protocol that all members can follow; null where there was an error.
    #[field(nullable = "7+")]
    pub protocol_name: Option<String>,
    /// The member that assigns.
    pub leader: String,
    /// The leader, a static member that came back, must not assign (KIP-814).
    #[field(versions = "9+")]
    pub skip_assignment: bool,
    /// This member's id.
    pub member_id: String,
    /// All members, for the leader; empty for the others.
    pub members: Vec<JoinGroupResponseMember>,
}

/// One member, as the leader sees it.
#[derive(Debug, Clone, PartialEq, Eq, Fields)]
pub struct JoinGroupResponseMember {
    /// The member.
    pub member_id: String,
    /// The name that a static member keeps over restarts (`group.instance.id`, KIP-345); null for a
    /// dynamic one.
    #[field(versions = "5+", nullable = "5+")]
    pub group_instance_id: Option<String>,
    /// What it said under the chosen protocol.
    pub metadata: Bytes,
}

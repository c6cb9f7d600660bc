//! FindCoordinator (10): which broker answers for a group.

use protocol_derive::{Fields, Message};

use crate::ErrorCode;
use crate::id::BrokerId;

/// Asks who coordinates groups or transactions (KIP-98, KIP-699).
#[derive(Debug, Clone, PartialEq, Eq, Message)]
#[message(key = FindCoordinator, response = FindCoordinatorResponse, versions = "0-6", flexible = "3+")]
pub struct FindCoordinatorRequest {
    /// The group, or the transactional id.
    #[field(versions = "0-3")]
    pub key: String,
    /// 0 is a group, 1 a transactional id, 2 a share group.
    #[field(versions = "1+")]
    pub key_type: i8,
    /// The groups, or the transactional ids.
    #[field(versions = "4+")]
    pub coordinator_keys: Vec<String>,
}

/// The coordinators.
#[derive(Debug, Clone, PartialEq, Eq, Message)]
#[message(versions = "0-6", flexible = "3+")]
pub struct FindCoordinatorResponse {
    /// Milliseconds for which the client should send nothing, because of a quota; 0 is none.
    #[field(versions = "1+")]
    pub throttle_time_ms: i32,
    /// The outcome.
    #[field(versions = "0-3")]
    pub error_code: ErrorCode,
    /// The outcome in words; null when there was no error.
    #[field(versions = "1-3", nullable = "1-3")]
    pub error_message: Option<String>,
    /// The coordinator; -1 where there was an error.
    #[field(versions = "0-3")]
    pub node_id: BrokerId,
    /// The host to connect to.
    #[field(versions = "0-3")]
    pub host: String,
    /// The TCP port.
    #[field(versions = "0-3")]
    pub port: i32,
    /// One outcome for each key.
    #[field(versions = "4+")]
    pub coordinators: Vec<Coordinator>,
}

/// One key's coordinator.
#[derive(Debug, Clone, PartialEq, Eq, Fields)]
pub struct Coordinator {
    /// The group, or the transactional id.
    pub key: String,
    /// The coordinator; -1 where there was an error.
    pub node_id: BrokerId,
    /// The host to connect to.
    pub host: String,
    /// The TCP port.
    pub port: i32,
    /// The outcome for this key.
    pub error_code: ErrorCode,
    /// The outcome in words; null when there was no error.
    #[field(nullable = "4+")]
    pub error_message: Option<String>,
}

//! UnregisterBroker (64): the cluster forgets a broker that is gone.

use protocol_derive::Message;

use crate::ErrorCode;
use crate::id::BrokerId;

/// Takes a broker's registration back (KIP-746).
#[derive(Debug, Clone, PartialEq, Eq, Message)]
#[message(key = UnregisterBroker, response = UnregisterBrokerResponse, versions = "0", flexible = "0+")]
pub struct UnregisterBrokerRequest {
    /// The broker.
    pub broker_id: BrokerId,
}

/// What became of it.
#[derive(Debug, Clone, PartialEq, Eq, Message)]
#[message(versions = "0", flexible = "0+")]
pub struct UnregisterBrokerResponse {
    /// Milliseconds for which the client should send nothing, because of a quota; 0 is none.
    pub throttle_time_ms: i32,
    /// The outcome of the whole request.
    pub error_code: ErrorCode,
    /// The outcome in words; null when there was no error.
    #[field(nullable = "0+")]
    pub error_message: Option<String>,
}

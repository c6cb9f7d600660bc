//! InitProducerId (22).

use protocol_derive::Message;

use crate::ErrorCode;
use crate::id::{ProducerEpoch, ProducerId};

/// Asks for a producer id and epoch (KIP-98, KIP-360).
#[derive(Debug, Clone, PartialEq, Eq, Message)]
#[message(key = InitProducerId, response = InitProducerIdResponse, versions = "0-5", flexible = "2+")]
pub struct InitProducerIdRequest {
    /// The transactional id; null when the producer has none.
    #[field(nullable = "0+")]
    pub transactional_id: Option<String>,
    /// Milliseconds after which a silent transaction is aborted.
    pub transaction_timeout_ms: i32,
    /// The id that the producer has, to raise its epoch (KIP-360); -1 is none.
    #[field(versions = "3+", default = ProducerId::NONE)]
    pub producer_id: ProducerId,
    /// The epoch that the producer has; -1 is none.
    #[field(versions = "3+", default = ProducerEpoch::NONE)]
    pub producer_epoch: ProducerEpoch,
}

/// The producer id and epoch.
#[derive(Debug, Clone, PartialEq, Eq, Message)]
#[message(versions = "0-5", flexible = "2+")]
pub struct InitProducerIdResponse {
    /// Milliseconds for which the client should send nothing, because of a quota; 0 is none.
    pub throttle_time_ms: i32,
    /// The outcome of the whole request.
    pub error_code: ErrorCode,
    /// The id to use.
    #[field(default = ProducerId::NONE)]
    pub producer_id: ProducerId,
    /// The epoch to use.
    pub producer_epoch: ProducerEpoch,
}

//! Who leads a partition and where that broker listens: in responses that send a client elsewhere (KIP-951).

use protocol_derive::Fields;

use crate::id::{BrokerId, LeaderEpoch};

/// A partition's leader.
#[derive(Debug, Clone, PartialEq, Eq, Fields)]
pub struct LeaderIdAndEpoch {
    /// The leader; -1 is unknown.
    #[field(default = BrokerId::NONE)]
    pub leader_id: BrokerId,
    /// Its epoch; -1 is unknown.
    #[field(default = LeaderEpoch::UNKNOWN)]
    pub leader_epoch: LeaderEpoch,
}

/// Where a broker listens.
#[derive(Debug, Clone, PartialEq, Eq, Fields)]
pub struct NodeEndpoint {
    /// The broker.
    pub node_id: BrokerId,
    /// The host to connect to.
    pub host: String,
    /// The TCP port.
    pub port: i32,
    /// The rack (`broker.rack`); null is none.
    #[field(nullable = "0+")]
    pub rack: Option<String>,
}

//! DescribeCluster (60).

use protocol_derive::{Fields, Message};

use crate::ErrorCode;
use crate::id::BrokerId;

/// Asks for the brokers and the controller (KIP-700).
#[derive(Debug, Clone, PartialEq, Eq, Message)]
#[message(key = DescribeCluster, response = DescribeClusterResponse, versions = "0-2", flexible = "0+")]
pub struct DescribeClusterRequest {
    /// Tell what the client may do with the cluster (KIP-430).
    pub include_cluster_authorized_operations: bool,
    /// 1 is brokers, 2 is controllers (KIP-919).
    #[field(versions = "1+", default = 1)]
    pub endpoint_type: i8,
    /// List fenced brokers too (KIP-1073).
    #[field(versions = "2+")]
    pub include_fenced_brokers: bool,
}

/// The brokers and the controller.
#[derive(Debug, Clone, PartialEq, Eq, Message)]
#[message(versions = "0-2", flexible = "0+")]
pub struct DescribeClusterResponse {
    /// Milliseconds for which the client should send nothing, because of a quota; 0 is none.
    pub throttle_time_ms: i32,
    /// The outcome of the whole request.
    pub error_code: ErrorCode,
    /// The outcome in words; null when there was no error.
    #[field(nullable = "0+")]
    pub error_message: Option<String>,
    /// 1 is brokers, 2 is controllers (KIP-919).
    #[field(versions = "1+", default = 1)]
    pub endpoint_type: i8,
    /// The cluster's id.
    pub cluster_id: String,
    /// The broker that answers for the controller; -1 is unknown.
    #[field(default = BrokerId::NONE)]
    pub controller_id: BrokerId,
    /// The brokers.
    pub brokers: Vec<DescribeClusterBroker>,
    /// Bits of what the client may do with the cluster; the least integer when not asked for.
    #[field(default = i32::MIN)]
    pub cluster_authorized_operations: i32,
}

/// One broker, or one controller.
#[derive(Debug, Clone, PartialEq, Eq, Fields)]
pub struct DescribeClusterBroker {
    /// The broker.
    pub broker_id: BrokerId,
    /// The host to connect to.
    pub host: String,
    /// The TCP port.
    pub port: i32,
    /// The rack (`broker.rack`); null is none.
    #[field(nullable = "0+")]
    pub rack: Option<String>,
    /// Whether the broker is fenced.
    #[field(versions = "2+")]
    pub is_fenced: bool,
}

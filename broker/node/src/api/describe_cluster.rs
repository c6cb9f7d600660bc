//! DescribeCluster (60): the brokers and the active controller.

use protocol::ErrorCode;
use protocol::message::describe_cluster::{
    DescribeClusterBroker, DescribeClusterRequest, DescribeClusterResponse,
};
use protocol::wire::Reader;

use super::metadata::CLUSTER_OPERATIONS;
use super::{Call, Handled, decode};

/// `endpoint_type` of brokers; controllers would be 2.
const ENDPOINT_BROKERS: i8 = 1;

pub(super) fn handle(call: Call<'_>, reader: Reader<'_>) -> Result<Handled, &'static str> {
    let request: DescribeClusterRequest = decode(reader, call.header.api_version)?;
    if request.endpoint_type != ENDPOINT_BROKERS {
        return call.reply(&DescribeClusterResponse {
            error_code: if request.endpoint_type == 2 {
                ErrorCode::MismatchedEndpointType
            } else {
                ErrorCode::UnsupportedEndpointType
            },
            error_message: Some(format!(
                "endpoint type {} is not served on a broker's listener; ask for type 1, the brokers",
                request.endpoint_type
            )),
            endpoint_type: ENDPOINT_BROKERS,
            ..DescribeClusterResponse::default()
        });
    }
    let image = call.node.image();
    let brokers = image
        .brokers()
        .filter(|broker| request.include_fenced_brokers || !broker.fenced)
        .filter_map(|broker| {
            let (host, port) = call.node.client_endpoint(call.session, broker)?;
            Some(DescribeClusterBroker {
                broker_id: broker.id,
                host,
                port,
                rack: broker.rack.clone(),
                is_fenced: broker.fenced,
            })
        })
        .collect();
    let cluster_authorized_operations =
        if request.include_cluster_authorized_operations { CLUSTER_OPERATIONS } else { i32::MIN };
    call.reply(&DescribeClusterResponse {
        cluster_id: call.node.cluster_id().to_owned(),
        controller_id: call.node.controller_id(),
        brokers,
        cluster_authorized_operations,
        ..DescribeClusterResponse::default()
    })
}

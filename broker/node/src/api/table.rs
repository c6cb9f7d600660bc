//! The one list of what is served. ApiVersions is made from it, so that nothing is advertised that has no handler.

use protocol::api_key::ApiKey;
use protocol::header::RequestHeaderRef;
use protocol::message::api_versions::ApiVersion;
use protocol::wire::{Reader, Request};

use super::{Handler, Header};

/// An API and who serves it.
pub(crate) struct Api {
    pub(crate) key: ApiKey,
    pub(crate) min_version: i16,
    pub(crate) max_version: i16,
    pub(crate) handler: Handler,
}

const fn serve<R: Request>(handler: Handler) -> Api {
    Api { key: R::KEY, min_version: *R::VERSIONS.start(), max_version: *R::VERSIONS.end(), handler }
}

static APIS: &[Api] = &[
    serve::<protocol::message::ProduceRequest>(super::produce::handle),
    serve::<protocol::message::FetchRequest>(super::fetch::handle),
    serve::<protocol::message::ListOffsetsRequest>(super::list_offsets::handle),
    serve::<protocol::message::MetadataRequest>(super::metadata::handle),
    serve::<protocol::message::OffsetCommitRequest>(super::offset_commit::handle),
    serve::<protocol::message::OffsetFetchRequest>(super::offset_fetch::handle),
    serve::<protocol::message::FindCoordinatorRequest>(super::find_coordinator::handle),
    serve::<protocol::message::JoinGroupRequest>(super::join_group::handle),
    serve::<protocol::message::HeartbeatRequest>(super::heartbeat::handle),
    serve::<protocol::message::LeaveGroupRequest>(super::leave_group::handle),
    serve::<protocol::message::SyncGroupRequest>(super::sync_group::handle),
    serve::<protocol::message::DescribeGroupsRequest>(super::describe_groups::handle),
    serve::<protocol::message::ListGroupsRequest>(super::list_groups::handle),
    serve::<protocol::message::ApiVersionsRequest>(super::api_versions::handle),
    serve::<protocol::message::CreateTopicsRequest>(super::create_topics::handle),
    serve::<protocol::message::DeleteTopicsRequest>(super::delete_topics::handle),
    serve::<protocol::message::DeleteRecordsRequest>(super::delete_records::handle),
    serve::<protocol::message::InitProducerIdRequest>(super::init_producer_id::handle),
    serve::<protocol::message::OffsetForLeaderEpochRequest>(super::offset_for_leader_epoch::handle),
    serve::<protocol::message::DescribeConfigsRequest>(super::describe_configs::handle),
    serve::<protocol::message::AlterConfigsRequest>(super::alter_configs::handle),
    serve::<protocol::message::DescribeLogDirsRequest>(super::describe_log_dirs::handle),
    serve::<protocol::message::CreatePartitionsRequest>(super::create_partitions::handle),
    serve::<protocol::message::DeleteGroupsRequest>(super::delete_groups::handle),
    serve::<protocol::message::IncrementalAlterConfigsRequest>(super::incremental_alter_configs::handle),
    serve::<protocol::message::OffsetDeleteRequest>(super::offset_delete::handle),
    serve::<protocol::message::DescribeQuorumRequest>(super::describe_quorum::handle),
    serve::<protocol::message::UpdateFeaturesRequest>(super::update_features::handle),
    serve::<protocol::message::DescribeClusterRequest>(super::describe_cluster::handle),
    serve::<protocol::message::DescribeProducersRequest>(super::describe_producers::handle),
    serve::<protocol::message::UnregisterBrokerRequest>(super::unregister_broker::handle),
    serve::<protocol::message::GetTelemetrySubscriptionsRequest>(super::telemetry::handle_subscriptions),
    serve::<protocol::message::PushTelemetryRequest>(super::telemetry::handle_push),
    serve::<protocol::message::ListConfigResourcesRequest>(super::list_config_resources::handle),
    serve::<protocol::message::DescribeTopicPartitionsRequest>(super::describe_topic_partitions::handle),
];

/// Reads a request's header and finds who serves it.
pub(crate) fn route(reader: &mut Reader<'_>) -> Result<(Header, &'static Api), &'static str> {
    let header = RequestHeaderRef::decode(reader).map_err(|_| "a request header that cannot be read")?;
    let key = ApiKey::from_wire(header.api_key).ok_or("an API that is not known")?;
    let api = APIS.iter().find(|api| api.key == key).ok_or("an API that is not served")?;
    let served = (api.min_version..=api.max_version).contains(&header.api_version);
    // ApiVersions answers also what it does not have, so that a newer client learns what to speak (KIP-511).
    if !served && key != ApiKey::ApiVersions {
        return Err("a version that is not served");
    }
    let (api_version, correlation_id) = (header.api_version, header.correlation_id);
    Ok((Header { api_key: key, api_version, correlation_id }, api))
}

/// What ApiVersions says.
pub(crate) fn advertised() -> impl Iterator<Item = ApiVersion> {
    APIS.iter().map(|api| ApiVersion {
        api_key: api.key as i16,
        // Kafka advertises Produce 0 to 2 and serves none of them: without, older librdkafka believes that the
        // broker cannot take compressed batches (KAFKA-18659).
        min_version: if api.key == ApiKey::Produce { 0 } else { api.min_version },
        max_version: api.max_version,
    })
}

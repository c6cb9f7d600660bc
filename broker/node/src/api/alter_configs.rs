//! AlterConfigs (33): all keys of topics and of brokers, replaced.

use machines::controller::AlterResource;
use protocol::message::alter_configs::{AlterConfigsRequest, AlterConfigsResponse};
use protocol::wire::Reader;

use super::incremental_alter_configs::outcomes;
use super::{Call, Handled, decode};

pub(super) fn handle(call: Call<'_>, reader: Reader<'_>) -> Result<Handled, &'static str> {
    let request: AlterConfigsRequest = decode(reader, call.header.api_version)?;
    let resources: Vec<AlterResource> = request.resources.into_iter().map(AlterResource::from).collect();
    let timeout = call.node.request_timeout();
    call.decide(
        timeout,
        |controller, inputs| {
            controller.decide_replace_configs(&resources, request.validate_only, &inputs.rules)
        },
        |decided| AlterConfigsResponse {
            responses: outcomes(&resources, &decided),
            ..AlterConfigsResponse::default()
        },
    )
}

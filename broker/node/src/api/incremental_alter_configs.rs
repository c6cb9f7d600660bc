//! IncrementalAlterConfigs (44): keys of topics and of brokers.

use machines::controller::{AlterResource, Rejection};
use protocol::ErrorCode;
use protocol::message::incremental_alter_configs::{
    AlterConfigsResourceResponse, IncrementalAlterConfigsRequest, IncrementalAlterConfigsResponse,
};
use protocol::wire::Reader;

use super::decide::outcome;
use super::{Call, Handled, decode};

pub(super) fn handle(call: Call<'_>, reader: Reader<'_>) -> Result<Handled, &'static str> {
    let request: IncrementalAlterConfigsRequest = decode(reader, call.header.api_version)?;
    let resources: Vec<AlterResource> = request.resources.into_iter().map(AlterResource::from).collect();
    let timeout = call.node.request_timeout();
    call.decide(
        timeout,
        |controller, inputs| {
            controller.decide_alter_configs(&resources, request.validate_only, &inputs.rules)
        },
        |decided| IncrementalAlterConfigsResponse {
            responses: outcomes(&resources, &decided),
            ..IncrementalAlterConfigsResponse::default()
        },
    )
}

/// One outcome for each resource: the decision's, or the code that answers all of them.
pub(super) fn outcomes(
    resources: &[AlterResource],
    decided: &Result<Vec<Result<(), Rejection>>, ErrorCode>,
) -> Vec<AlterConfigsResourceResponse> {
    let one = |(number, resource): (usize, &AlterResource)| {
        let (error_code, error_message) = match decided {
            Ok(results) => results.get(number).map(outcome).unwrap_or_default(),
            Err(error) => (*error, None),
        };
        AlterConfigsResourceResponse {
            error_code,
            error_message,
            resource_type: resource.resource_type,
            resource_name: resource.name.clone(),
        }
    };
    resources.iter().enumerate().map(one).collect()
}

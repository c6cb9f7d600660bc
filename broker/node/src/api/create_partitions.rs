//! CreatePartitions (37): more partitions for topics that exist.

use machines::controller::CreatePartitions;
use protocol::message::create_partitions::{
    CreatePartitionsRequest, CreatePartitionsResponse, CreatePartitionsTopicResult,
};
use protocol::wire::Reader;

use super::decide::outcome;
use super::{Call, Handled, decode};
use crate::node::millis;

pub(super) fn handle(call: Call<'_>, reader: Reader<'_>) -> Result<Handled, &'static str> {
    let request: CreatePartitionsRequest = decode(reader, call.header.api_version)?;
    let topics: Vec<CreatePartitions> = request.topics.into_iter().map(CreatePartitions::from).collect();
    call.decide(
        millis(request.timeout_ms),
        |controller, inputs| {
            controller.decide_create_partitions(&topics, request.validate_only, inputs.random)
        },
        |decided| {
            let results = match decided {
                Ok(topics) => topics
                    .into_iter()
                    .map(|(name, result)| {
                        let (error_code, error_message) = outcome(&result);
                        CreatePartitionsTopicResult { name, error_code, error_message }
                    })
                    .collect(),
                Err(error_code) => topics
                    .iter()
                    .map(|topic| CreatePartitionsTopicResult {
                        name: topic.name.clone(),
                        error_code,
                        error_message: None,
                    })
                    .collect(),
            };
            CreatePartitionsResponse { results, ..CreatePartitionsResponse::default() }
        },
    )
}

//! InitProducerId (22): an id for an idempotent producer.

use protocol::ErrorCode;
use protocol::id::{ProducerEpoch, ProducerId};
use protocol::message::init_producer_id::{InitProducerIdRequest, InitProducerIdResponse};
use protocol::wire::Reader;

use super::{Call, Handled, Header, decode, encode_reply};
use crate::effects::Reply;

pub(super) fn handle(call: Call<'_>, reader: Reader<'_>) -> Result<Handled, &'static str> {
    let request: InitProducerIdRequest = decode(reader, call.header.api_version)?;
    if let Some(id) = request.transactional_id {
        // Transactions have no coordinator here, which FindCoordinator answers with the same code.
        let code = if id.is_empty() { ErrorCode::InvalidRequest } else { ErrorCode::UnsupportedVersion };
        return Ok(Handled::Reply(producer_id_reply(call.header, Err(code))));
    }
    match call.node.next_producer_id(call.now, (call.session, call.slot, call.header), call.effects) {
        Ok(Some(id)) => Ok(Handled::Reply(producer_id_reply(call.header, Ok(id)))),
        Ok(None) => Ok(Handled::Parked),
        Err(code) => Ok(Handled::Reply(producer_id_reply(call.header, Err(code)))),
    }
}

/// The answer: a new id with epoch 0, or why there is none.
pub(crate) fn producer_id_reply(header: Header, id: Result<ProducerId, ErrorCode>) -> Reply {
    let response = match id {
        Ok(producer_id) => InitProducerIdResponse {
            producer_id,
            producer_epoch: ProducerEpoch(0),
            ..InitProducerIdResponse::default()
        },
        Err(error_code) => InitProducerIdResponse {
            error_code,
            producer_epoch: ProducerEpoch::NONE,
            ..InitProducerIdResponse::default()
        },
    };
    encode_reply(header, &response)
}

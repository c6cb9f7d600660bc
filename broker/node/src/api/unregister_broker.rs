//! UnregisterBroker (64): the cluster forgets a broker (KIP-746). One that lives registers again.

use machines::controller::{Controller, Decision};
use protocol::message::{UnregisterBrokerRequest, UnregisterBrokerResponse};
use protocol::wire::Reader;

use super::decide::{Inputs, outcome};
use super::{Call, Handled, decode};

pub(super) fn handle(call: Call<'_>, reader: Reader<'_>) -> Result<Handled, &'static str> {
    let request: UnregisterBrokerRequest = decode(reader, call.header.api_version)?;
    let timeout = call.node.request_timeout();
    let decide = |controller: &Controller, inputs: Inputs<'_>| match controller
        .decide_unregister_broker(request.broker_id, &inputs.rules)
    {
        Ok(Decision { records, response }) => Decision { records, response: Ok(response) },
        Err(rejection) => Decision { records: Vec::new(), response: Err(rejection) },
    };
    call.decide(timeout, decide, |decided| {
        let (error_code, error_message) = match decided {
            Ok(result) => outcome(&result),
            Err(error_code) => (error_code, None),
        };
        UnregisterBrokerResponse { error_code, error_message, ..UnregisterBrokerResponse::default() }
    })
}

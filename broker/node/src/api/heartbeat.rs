//! Heartbeat (12): a member says that it is there, and learns whether the group rebalances.

use machines::group;
use protocol::message::heartbeat::{HeartbeatRequest, HeartbeatResponse};
use protocol::wire::Reader;

use super::{Call, Handled, decode};

pub(super) fn handle(mut call: Call<'_>, reader: Reader<'_>) -> Result<Handled, &'static str> {
    let request: HeartbeatRequest = decode(reader, call.header.api_version)?;
    let heartbeat = group::HeartbeatRequest {
        group_id: &request.group_id,
        generation_id: request.generation_id.0,
        member_id: &request.member_id,
        group_instance_id: request.group_instance_id.as_deref(),
    };
    let told = call.tell_group(&request.group_id, |groups, at| groups.heartbeat(at, &heartbeat));
    let error_code = told.unwrap_or_else(|code| code);
    call.reply(&HeartbeatResponse { error_code, ..HeartbeatResponse::default() })
}

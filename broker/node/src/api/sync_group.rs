//! SyncGroup (14): the leader brings the assignment, everybody gets a part of it.

use machines::group::{SyncReply, SyncRequest};
use protocol::ErrorCode;
use protocol::message::sync_group::{SyncGroupRequest, SyncGroupResponse};
use protocol::wire::Reader;

use super::{Call, Handled, decode};
use crate::coordinator::Form;

/// The first version that names the protocol (KIP-559).
const PROTOCOL_FROM: i16 = 5;

pub(super) fn handle(mut call: Call<'_>, reader: Reader<'_>) -> Result<Handled, &'static str> {
    let version = call.header.api_version;
    let request: SyncGroupRequest = decode(reader, version)?;
    let failed = |error_code| SyncGroupResponse { error_code, ..SyncGroupResponse::default() };
    let is_named = request.protocol_type.is_some() && request.protocol_name.is_some();
    if version >= PROTOCOL_FROM && !is_named {
        return call.reply(&failed(ErrorCode::InconsistentGroupProtocol));
    }
    let sync = SyncRequest {
        group_id: request.group_id.clone(),
        generation_id: request.generation_id.0,
        member_id: request.member_id,
        group_instance_id: request.group_instance_id,
        protocol_type: request.protocol_type,
        protocol_name: request.protocol_name,
        assignments: request
            .assignments
            .into_iter()
            .map(|assignment| (assignment.member_id, assignment.assignment))
            .collect(),
    };
    let asked = call.ask_group(&request.group_id, Form::Plain, |groups, at, caller, out| {
        groups.sync(at, caller, sync, out);
    });
    asked.or_else(|error_code| call.reply(&failed(error_code)))
}

pub(super) fn response(reply: SyncReply) -> SyncGroupResponse {
    SyncGroupResponse {
        error_code: reply.error_code,
        protocol_type: reply.protocol_type,
        protocol_name: reply.protocol_name,
        assignment: reply.assignment,
        ..SyncGroupResponse::default()
    }
}

//! JoinGroup (11): a member comes, or comes again for a rebalance. The answer waits until all are there.

use machines::group::{JoinReply, JoinRequest};
use protocol::id::GenerationId;
use protocol::message::join_group::{JoinGroupRequest, JoinGroupResponse, JoinGroupResponseMember};
use protocol::wire::Reader;

use super::{Call, Handled, decode};
use crate::coordinator::Form;

/// The first version whose clients come again with the id that they were given (KIP-394).
const KNOWN_MEMBER_ID_FROM: i16 = 4;
/// The first version that tells a leader that its assignment stands (KIP-814).
const SKIP_ASSIGNMENT_FROM: i16 = 9;

pub(super) fn handle(mut call: Call<'_>, reader: Reader<'_>) -> Result<Handled, &'static str> {
    let version = call.header.api_version;
    let request: JoinGroupRequest = decode(reader, version)?;
    let join = JoinRequest {
        client_id: call.client_id(),
        client_host: call.client_host(),
        member_id: request.member_id.clone(),
        group_instance_id: request.group_instance_id,
        session_timeout_ms: request.session_timeout_ms,
        rebalance_timeout_ms: request.rebalance_timeout_ms,
        protocol_type: request.protocol_type,
        protocols: request.protocols.into_iter().map(|protocol| (protocol.name, protocol.metadata)).collect(),
        requires_known_member_id: version >= KNOWN_MEMBER_ID_FROM,
        supports_skipping_assignment: version >= SKIP_ASSIGNMENT_FROM,
        reason: request.reason,
        group_id: request.group_id.clone(),
    };
    let entropy = u128::from(call.node.random_number()) << 64 | u128::from(call.node.random_number());
    let asked = call.ask_group(&request.group_id, Form::Plain, |groups, at, caller, out| {
        groups.join(at, caller, join, entropy, out);
    });
    asked.or_else(|error_code| {
        call.reply(&JoinGroupResponse {
            error_code,
            member_id: request.member_id,
            ..JoinGroupResponse::default()
        })
    })
}

pub(super) fn response(reply: JoinReply) -> JoinGroupResponse {
    let members = reply
        .members
        .into_iter()
        .map(|member| JoinGroupResponseMember {
            member_id: member.member_id,
            group_instance_id: member.group_instance_id,
            metadata: member.metadata,
        })
        .collect();
    JoinGroupResponse {
        error_code: reply.error_code,
        generation_id: GenerationId(reply.generation_id),
        protocol_type: reply.protocol_type,
        protocol_name: reply.protocol_name,
        leader: reply.leader,
        skip_assignment: reply.skip_assignment,
        member_id: reply.member_id,
        members,
        ..JoinGroupResponse::default()
    }
}

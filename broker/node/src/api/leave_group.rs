//! LeaveGroup (13): members go, or an operator removes static ones (KIP-345).

use machines::group::{LeaveReply, LeaveRequest, LeavingMember};
use protocol::message::leave_group::{LeaveGroupRequest, LeaveGroupResponse, MemberResponse};
use protocol::wire::Reader;

use super::{Call, Handled, decode};
use crate::coordinator::Form;

/// The first version that names several members.
const BATCHED_FROM: i16 = 3;

pub(super) fn handle(mut call: Call<'_>, reader: Reader<'_>) -> Result<Handled, &'static str> {
    let version = call.header.api_version;
    let request: LeaveGroupRequest = decode(reader, version)?;
    let members = if version >= BATCHED_FROM {
        let leaving = |member: protocol::message::leave_group::MemberIdentity| LeavingMember {
            member_id: member.member_id,
            group_instance_id: member.group_instance_id,
            reason: member.reason,
        };
        request.members.into_iter().map(leaving).collect()
    } else {
        vec![LeavingMember { member_id: request.member_id, ..LeavingMember::default() }]
    };
    let leave = LeaveRequest { group_id: request.group_id.clone(), members };
    let asked = call.ask_group(&request.group_id, Form::Plain, |groups, at, caller, out| {
        groups.leave(at, caller, leave, out);
    });
    asked
        .or_else(|error_code| call.reply(&LeaveGroupResponse { error_code, ..LeaveGroupResponse::default() }))
}

/// Before members were named, the one member's code was the answer's.
pub(super) fn response(reply: LeaveReply, version: i16) -> LeaveGroupResponse {
    let of_member = reply.members.first().map(|member| member.error_code);
    let error_code = match of_member {
        Some(code) if version < BATCHED_FROM && !reply.error_code.is_error() => code,
        _ => reply.error_code,
    };
    let member = |member: machines::group::LeftMember| MemberResponse {
        member_id: member.member_id,
        group_instance_id: member.group_instance_id,
        error_code: member.error_code,
    };
    LeaveGroupResponse {
        error_code,
        members: reply.members.into_iter().map(member).collect(),
        ..LeaveGroupResponse::default()
    }
}

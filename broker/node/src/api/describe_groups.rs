//! DescribeGroups (15): state, protocol and members of groups.

use machines::group;
use protocol::ErrorCode;
use protocol::message::describe_groups::{
    DescribeGroupsRequest, DescribeGroupsResponse, DescribedGroup, DescribedGroupMember,
};
use protocol::wire::Reader;

use super::groups::GROUP_OPERATIONS;
use super::{Call, Handled, check_partitions, decode};

/// The first version that says that there is no such group; before, it is one that is dead (KIP-1043).
const NOT_FOUND_FROM: i16 = 6;

pub(super) fn handle(call: Call<'_>, reader: Reader<'_>) -> Result<Handled, &'static str> {
    let version = call.header.api_version;
    let request: DescribeGroupsRequest = decode(reader, version)?;
    check_partitions([request.groups.len()].into_iter())?;
    let operations = if request.include_authorized_operations { GROUP_OPERATIONS } else { i32::MIN };
    let describe = |group_id: String| match call.read_group(&group_id, |groups| groups.describe(&group_id)) {
        Ok(found) => described(found, version, operations),
        Err(error_code) => DescribedGroup { error_code, group_id, ..DescribedGroup::default() },
    };
    let groups = request.groups.into_iter().map(describe).collect();
    call.reply(&DescribeGroupsResponse { groups, ..DescribeGroupsResponse::default() })
}

fn described(found: group::DescribedGroup, version: i16, operations: i32) -> DescribedGroup {
    let is_missing = found.error_code == ErrorCode::GroupIdNotFound;
    let error_code = if is_missing && version < NOT_FOUND_FROM { ErrorCode::None } else { found.error_code };
    let is_answered = !found.error_code.is_error() || is_missing;
    let member = |member: group::DescribedMember| DescribedGroupMember {
        member_id: member.member_id,
        group_instance_id: member.group_instance_id,
        client_id: member.client_id,
        client_host: member.client_host,
        member_metadata: member.metadata,
        member_assignment: member.assignment,
    };
    DescribedGroup {
        error_code,
        error_message: found.error_message,
        group_id: found.group_id,
        group_state: if is_answered { found.state.name().to_owned() } else { String::new() },
        protocol_type: found.protocol_type,
        protocol_data: found.protocol_data,
        members: found.members.into_iter().map(member).collect(),
        authorized_operations: if error_code.is_error() { i32::MIN } else { operations },
    }
}

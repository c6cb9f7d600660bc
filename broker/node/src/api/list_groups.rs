//! ListGroups (16): the groups that this broker coordinates.

use protocol::ErrorCode;
use protocol::message::list_groups::{ListGroupsRequest, ListGroupsResponse, ListedGroup};
use protocol::wire::Reader;

use super::{Call, Handled, decode};

/// The only kind of group here (KIP-848).
const CLASSIC: &str = "classic";

pub(super) fn handle(call: Call<'_>, reader: Reader<'_>) -> Result<Handled, &'static str> {
    let request: ListGroupsRequest = decode(reader, call.header.api_version)?;
    let mut groups = Vec::new();
    for partition in call.node.group_partitions() {
        if call.node.recovery_queue().has(&partition) {
            return call.reply(&loading());
        }
        let Some(coordinator) = partition.coordinator() else { continue };
        match coordinator.read(|shard| shard.list(&request.states_filter, &request.types_filter)) {
            Ok(listed) => groups.extend(listed),
            // A list that lacks some would be taken for the whole.
            Err(ErrorCode::CoordinatorLoadInProgress) => return call.reply(&loading()),
            // Others have them.
            Err(_) => {}
        }
    }
    let listed = |group: machines::group::ListedGroup| ListedGroup {
        group_id: group.group_id,
        protocol_type: group.protocol_type,
        group_state: group.state.name().to_owned(),
        group_type: CLASSIC.to_owned(),
    };
    let groups = groups.into_iter().map(listed).collect();
    call.reply(&ListGroupsResponse { groups, ..ListGroupsResponse::default() })
}

fn loading() -> ListGroupsResponse {
    ListGroupsResponse { error_code: ErrorCode::CoordinatorLoadInProgress, ..ListGroupsResponse::default() }
}

//! DeleteGroups (42): groups without members, with what they committed. Each partition that keeps some of them answers
//! for its own.

use std::collections::BTreeMap;
use std::sync::Arc;

use machines::group::DeletedGroup;
use protocol::id::PartitionIndex;
use protocol::message::delete_groups::{DeletableGroupResult, DeleteGroupsRequest, DeleteGroupsResponse};
use protocol::wire::Reader;

use super::{Call, Handled, Header, check_partitions, decode, encode_reply};
use crate::coordinator::{DeletedGroups, Form};
use crate::effects::Reply;
use crate::partition::Partition;

pub(super) fn handle(mut call: Call<'_>, reader: Reader<'_>) -> Result<Handled, &'static str> {
    let request: DeleteGroupsRequest = decode(reader, call.header.api_version)?;
    check_partitions([request.groups_names.len()].into_iter())?;
    let mut known = Vec::new();
    let mut asked: BTreeMap<PartitionIndex, (Arc<Partition>, Vec<String>)> = BTreeMap::new();
    for group_id in request.groups_names {
        match call.node.partition_of_group(&group_id) {
            Ok(partition) => {
                let (_, groups) = asked.entry(partition.index).or_insert_with(|| (partition, Vec::new()));
                groups.push(group_id);
            }
            Err(error_code) => known.push(DeletedGroup { group_id, error_code }),
        }
    }
    if asked.is_empty() {
        return Ok(Handled::Reply(reply(call.header, known)));
    }
    let gathered = DeletedGroups::new(known, asked.len());
    for (partition, groups) in asked.into_values() {
        let names = groups.clone();
        let form = Form::DeleteGroups(Arc::clone(&gathered));
        let answered = call.ask_partition(&partition, form, |shard, at, caller, out| {
            shard.delete_groups(at, caller, groups, out);
        });
        match answered {
            Ok(Handled::Reply(reply)) => return Ok(Handled::Reply(reply)),
            Ok(Handled::Parked) => {}
            Err(error_code) => {
                let failed = names.into_iter().map(|group_id| DeletedGroup { group_id, error_code });
                if let Some(all) = gathered.add(failed.collect()) {
                    return Ok(Handled::Reply(reply(call.header, all)));
                }
            }
        }
    }
    Ok(Handled::Parked)
}

/// The answer, when all is known.
pub(crate) fn reply(header: Header, groups: Vec<DeletedGroup>) -> Reply {
    let result = |DeletedGroup { group_id, error_code }| DeletableGroupResult { group_id, error_code };
    let results = groups.into_iter().map(result).collect();
    encode_reply(header, &DeleteGroupsResponse { results, ..DeleteGroupsResponse::default() })
}

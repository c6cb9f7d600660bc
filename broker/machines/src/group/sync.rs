//! SyncGroup: the leader's assignment is written, then everybody gets its part.

use bytes::Bytes;
use protocol::ErrorCode;
use std::collections::BTreeMap;
use std::sync::Arc;

use super::GroupShard;
use super::membership::Group;
use super::reply::{GroupState, Outcome, SyncReply};
use super::request::{Caller, Moment, SyncRequest};
use super::turn::{Assigned, Then, Turn};

impl GroupShard {
    /// SyncGroup: answered now, or when the leader's assignment is committed.
    pub fn sync(&mut self, at: Moment, caller: Caller, request: SyncRequest, out: &mut Outcome) {
        let serving = self.check_serving();
        let mut turn = Turn { at, shared: &mut self.shared, out };
        let checked = serving.and_then(|()| {
            if request.group_id.is_empty() {
                return Err(ErrorCode::InvalidGroupId);
            }
            let group = self.groups.get_mut(&*request.group_id).ok_or(ErrorCode::UnknownMemberId)?;
            check(group, &request)?;
            Ok(group)
        });
        match checked {
            Ok(group) => turn.sync(group, caller, request),
            Err(error_code) => turn.reply_sync(Some(caller), SyncReply::error(error_code)),
        }
    }
}

fn check(group: &Group, request: &SyncRequest) -> Result<(), ErrorCode> {
    if group.is(GroupState::Empty) {
        return Err(ErrorCode::UnknownMemberId);
    }
    group.validate_member(&request.member_id, request.group_instance_id.as_deref())?;
    if request.generation_id != group.generation {
        return Err(ErrorCode::IllegalGeneration);
    }
    let differs =
        |asked: &Option<String>, is: &Option<String>| asked.is_some() && is.is_some() && asked != is;
    if differs(&request.protocol_type, &group.protocol_type)
        || differs(&request.protocol_name, &group.protocol_name)
    {
        return Err(ErrorCode::InconsistentGroupProtocol);
    }
    Ok(())
}

impl Turn<'_> {
    fn sync(&mut self, group: &mut Group, caller: Caller, request: SyncRequest) {
        match group.state {
            GroupState::PreparingRebalance => {
                self.reply_sync(Some(caller), SyncReply::error(ErrorCode::RebalanceInProgress));
            }
            GroupState::Stable => {
                self.has_synced(group, &request.member_id);
                let reply = own_assignment(group, &request.member_id);
                self.reply_sync(Some(caller), reply);
            }
            _ => self.sync_and_wait(group, caller, request),
        }
    }

    fn sync_and_wait(&mut self, group: &mut Group, caller: Caller, request: SyncRequest) {
        let is_leader = group.is_leader(&request.member_id);
        if is_leader && self.shared.is_full() {
            let reply = SyncReply::error(ErrorCode::CoordinatorNotAvailable);
            return self.reply_sync(Some(caller), reply);
        }
        let Some(member) = group.members.get_mut(&*request.member_id) else { return };
        // One that waited for the same member is gone and is let go.
        let before = member.syncing.replace(caller);
        self.reply_sync(before, SyncReply::error(ErrorCode::RebalanceInProgress));
        self.has_synced(group, &request.member_id);
        if !is_leader {
            return;
        }
        let is_member = |id: &str| group.members.get_key_value(id).map(|(id, _)| Arc::clone(id));
        let own = request.assignments.into_iter().filter_map(|(id, bytes)| Some((is_member(&id)?, bytes)));
        let assignment: BTreeMap<Arc<str>, Bytes> = own.collect();
        let record = assignment.clone();
        let then = Then::Assigned(Assigned {
            group_id: Arc::clone(&group.id),
            incarnation: group.incarnation,
            generation: group.generation,
            assignment,
        });
        // Whom the leader forgot gets nothing.
        self.store(group, |member| record.get(&member.id).cloned().unwrap_or_default(), then);
    }

    fn has_synced(&mut self, group: &mut Group, member_id: &str) {
        group.pending_sync.remove(member_id);
        if group.pending_sync.is_empty() {
            self.shared.timers.cancel(group.sync_timer.take());
        }
    }

    /// The leader's assignment is stored. A rebalance that began meanwhile makes it void.
    pub(super) fn assigned(&mut self, group: &mut Group, assigned: Assigned) {
        if !group.is(GroupState::CompletingRebalance) || group.generation != assigned.generation {
            return;
        }
        let Assigned { mut assignment, .. } = assigned;
        let member_ids: Vec<Arc<str>> = group.members.keys().cloned().collect();
        for member_id in member_ids {
            let Some(member) = group.members.get_mut(&member_id) else { continue };
            member.assignment = assignment.remove(&member_id).unwrap_or_default();
            if let Some(caller) = member.syncing.take() {
                let reply = own_assignment(group, &member_id);
                self.reply_sync(Some(caller), reply);
                self.extend_session(group, &member_id);
            }
        }
        self.transition(group, GroupState::Stable);
        self.shared.tally.rebalances += 1;
    }

    /// The leader's assignment could not be stored: everybody joins again.
    pub(super) fn not_assigned(&mut self, group: &mut Group, assigned: &Assigned, error_code: ErrorCode) {
        if group.is(GroupState::CompletingRebalance) && group.generation == assigned.generation {
            self.reset_assignments(group, error_code);
            let _ = self.prepare_rebalance(group, Then::Nothing);
        }
    }
}

/// What a member is assigned.
fn own_assignment(group: &Group, member_id: &str) -> SyncReply {
    SyncReply {
        error_code: ErrorCode::None,
        protocol_type: group.protocol_type.clone(),
        protocol_name: group.protocol_name.clone(),
        assignment: group.members.get(member_id).map(|m| m.assignment.clone()).unwrap_or_default(),
    }
}

//! Heartbeat and LeaveGroup.

use protocol::ErrorCode;
use std::sync::Arc;

use super::GroupShard;
use super::membership::Group;
use super::reply::{GroupState, LeaveReply, LeftMember, Outcome, Reply};
use super::request::{Caller, HeartbeatRequest, LeaveRequest, LeavingMember, Moment};
use super::turn::{Then, Turn};

impl GroupShard {
    /// Heartbeat: a member is alive, and hears whether it has to join again.
    pub fn heartbeat(&mut self, at: Moment, request: &HeartbeatRequest<'_>) -> ErrorCode {
        if let Err(error_code) = self.check_serving() {
            return error_code;
        }
        if request.group_id.is_empty() {
            return ErrorCode::InvalidGroupId;
        }
        let Some(group) = self.groups.get_mut(request.group_id) else { return ErrorCode::UnknownMemberId };
        if let Err(error_code) = group.validate_member(request.member_id, request.group_instance_id) {
            return error_code;
        }
        if request.generation_id != group.generation {
            return ErrorCode::IllegalGeneration;
        }
        // A heartbeat never gives anything out.
        let mut nothing = Outcome::default();
        let mut turn = Turn { at, shared: &mut self.shared, out: &mut nothing };
        turn.extend_session(group, request.member_id);
        match group.state {
            GroupState::PreparingRebalance => ErrorCode::RebalanceInProgress,
            GroupState::CompletingRebalance | GroupState::Stable => ErrorCode::None,
            GroupState::Empty | GroupState::Dead => ErrorCode::UnknownMemberId,
        }
    }

    /// LeaveGroup (KIP-345: several at once, also by instance id alone). Answered now, or, when this empties the
    /// group, when that is committed.
    pub fn leave(&mut self, at: Moment, caller: Caller, request: LeaveRequest, out: &mut Outcome) {
        let serving = self.check_serving();
        let mut turn = Turn { at, shared: &mut self.shared, out };
        let checked = if request.group_id.is_empty() { Err(ErrorCode::InvalidGroupId) } else { Ok(()) };
        if let Err(error_code) = serving.and(checked) {
            let reply = LeaveReply { error_code, members: Vec::new() };
            return turn.reply(caller, Reply::Leave(reply));
        }
        let mut left = |group: &mut Option<&mut Group>, member: LeavingMember| {
            let error_code = match group {
                Some(group) => turn.leave(group, &member).err().unwrap_or(ErrorCode::None),
                None => ErrorCode::UnknownMemberId,
            };
            let LeavingMember { member_id, group_instance_id, .. } = member;
            LeftMember { member_id, group_instance_id, error_code }
        };
        let mut group = self.groups.get_mut(&*request.group_id);
        let members: Vec<LeftMember> =
            request.members.into_iter().map(|member| left(&mut group, member)).collect();
        let has_left = members.iter().any(|member| member.error_code == ErrorCode::None);
        let then = Then::Answer(caller, Reply::Leave(LeaveReply { error_code: ErrorCode::None, members }));
        let then = match group {
            Some(group) if has_left && !group.is(GroupState::Empty) => {
                turn.rebalance_or_complete(group, then)
            }
            _ => Some(then),
        };
        if let Some(Then::Answer(caller, reply)) = then {
            turn.reply(caller, reply);
        }
    }
}

impl Turn<'_> {
    fn leave(&mut self, group: &mut Group, leaving: &LeavingMember) -> Result<(), ErrorCode> {
        let instance = leaving.group_instance_id.as_deref();
        if leaving.member_id.is_empty() {
            // An administrator knows instances, not member ids.
            let member_id = instance.and_then(|instance| group.static_members.get(instance));
            let member_id = Arc::clone(member_id.ok_or(ErrorCode::UnknownMemberId)?);
            self.remove_member(group, &member_id, ErrorCode::UnknownMemberId);
            return Ok(());
        }
        if self.remove_pending(group, &leaving.member_id) {
            return Ok(());
        }
        group.validate_member(&leaving.member_id, instance)?;
        self.remove_member(group, &leaving.member_id, ErrorCode::UnknownMemberId);
        Ok(())
    }
}

//! The join phase: who begins it, how long it lasts, and what ends it (Kafka's `GroupMetadataManager`, its classic
//! part).

use protocol::ErrorCode;
use std::sync::Arc;

use super::membership::Group;
use super::reply::{GroupState, SyncReply};
use super::settings::REBALANCE_RETRY_MIN;
use super::timers::Target;
use super::turn::{Then, Turn};

impl Turn<'_> {
    /// A member came, changed or went: begins a rebalance, or ends the one that runs if that was the last to wait
    /// for. `then` is what follows from the record of a group that this leaves empty.
    pub(super) fn rebalance_or_complete(&mut self, group: &mut Group, then: Then) -> Option<Then> {
        match group.state {
            GroupState::PreparingRebalance => self.complete_if_all_joined(group, then),
            _ => self.prepare_rebalance(group, then),
        }
    }

    /// Begins a rebalance. Gives `then` back when no record was written.
    pub(super) fn prepare_rebalance(&mut self, group: &mut Group, then: Then) -> Option<Then> {
        if group.is(GroupState::CompletingRebalance) {
            // Who waits for an assignment joins again.
            self.reset_assignments(group, ErrorCode::RebalanceInProgress);
        }
        self.shared.timers.cancel(group.sync_timer.take());
        let is_initial = group.is(GroupState::Empty);
        if is_initial {
            // The group is new: more members may be on their way, and each would cost a rebalance.
            let delay = self.shared.settings.initial_rebalance_delay;
            let remaining = group.rebalance_timeout().saturating_sub(delay);
            group.initial_delay = Some((delay, remaining));
            self.arm_join(group, delay);
        }
        self.transition(group, GroupState::PreparingRebalance);
        if is_initial {
            return Some(then);
        }
        if group.has_all_joined() {
            return self.complete_join(group, then);
        }
        self.arm_join(group, group.rebalance_timeout());
        Some(then)
    }

    /// Ends the join phase when nobody is waited for. The initial one takes its time all the same.
    pub(super) fn complete_if_all_joined(&mut self, group: &mut Group, then: Then) -> Option<Then> {
        let is_ready = group.is(GroupState::PreparingRebalance)
            && group.has_all_joined()
            && group.previous_state != GroupState::Empty;
        if is_ready { self.complete_join(group, then) } else { Some(then) }
    }

    /// The time that members have to join is over.
    pub(super) fn join_time_over(&mut self, group: &mut Group) {
        if !group.is(GroupState::PreparingRebalance) {
            return;
        }
        if let Some((delay, remaining)) = group.initial_delay
            && group.new_member_added
            && !remaining.is_zero()
        {
            group.new_member_added = false;
            let next = self.shared.settings.initial_rebalance_delay.min(remaining);
            group.initial_delay = Some((next, remaining.saturating_sub(delay)));
            self.arm_join(group, next);
            return;
        }
        let _ = self.complete_join(group, Then::Nothing);
    }

    /// Ends the join phase: members that did not join are out, static ones excepted; a new generation begins. Gives
    /// `then` back when no record was written.
    pub(super) fn complete_join(&mut self, group: &mut Group, then: Then) -> Option<Then> {
        self.shared.timers.cancel(group.join_timer.take());
        group.initial_delay = None;
        let is_late = |m: &&super::member::Member| m.joining.is_none() && m.group_instance_id.is_none();
        let late: Vec<Arc<str>> = group.members.values().filter(is_late).map(|m| Arc::clone(&m.id)).collect();
        for member_id in late {
            self.remove_member(group, &member_id, ErrorCode::UnknownMemberId);
        }
        if !group.members.is_empty() && !group.elect_joined_leader() {
            // Only static members are left, and none joined: their sessions decide.
            self.arm_join(group, group.rebalance_timeout().max(REBALANCE_RETRY_MIN));
            return Some(then);
        }
        self.begin_generation(group);
        if group.is(GroupState::Empty) {
            // Should the record be lost with the broker, the generation before it comes back and times out: its
            // members are gone.
            self.store(group, |member| member.assignment.clone(), then);
            return None;
        }
        self.answer_joined(group);
        Some(then)
    }

    fn begin_generation(&mut self, group: &mut Group) {
        group.generation = group.generation.checked_add(1).unwrap_or(1);
        group.new_member_added = false;
        group.pending_sync.clear();
        group.protocol_name = group.select_protocol();
        group.subscribed = group.compute_subscribed();
        let is_empty = group.members.is_empty();
        self.transition(group, if is_empty { GroupState::Empty } else { GroupState::CompletingRebalance });
    }

    /// Tells everybody the new generation, and the leader who is in it; from now on they have to sync.
    fn answer_joined(&mut self, group: &mut Group) {
        let member_ids: Vec<Arc<str>> = group.members.keys().cloned().collect();
        for member_id in &member_ids {
            let caller = group.set_joining(member_id, None);
            let members = if group.is_leader(member_id) { group.joined_members() } else { Vec::new() };
            self.reply_join(caller, group.join_reply(member_id, members));
            if let Some(member) = group.members.get_mut(member_id) {
                member.is_new = false;
            }
            self.extend_session(group, member_id);
        }
        group.pending_sync.extend(member_ids);
        let due = self.at.monotonic.plus(group.rebalance_timeout());
        group.sync_timer = Some(self.shared.timers.arm(due, Target::Sync(Arc::clone(&group.id))));
    }

    /// The time that members have to sync is over: who did not is out, and the others join again.
    pub(super) fn sync_time_over(&mut self, group: &mut Group) {
        let has_synced = matches!(group.state, GroupState::CompletingRebalance | GroupState::Stable);
        if !has_synced || group.pending_sync.is_empty() {
            return;
        }
        for member_id in std::mem::take(&mut group.pending_sync) {
            self.remove_member(group, &member_id, ErrorCode::UnknownMemberId);
        }
        let _ = self.prepare_rebalance(group, Then::Nothing);
    }

    /// A member's session is over, or the time of one that never joined.
    pub(super) fn session_over(&mut self, group: &mut Group, member_id: &str) {
        if group.pending.contains_key(member_id) {
            self.remove_pending(group, member_id);
            if group.is(GroupState::PreparingRebalance) && group.has_all_joined() {
                let _ = self.complete_join(group, Then::Nothing);
            }
            return;
        }
        let is_gone = group.members.get(member_id).is_some_and(|member| !member.has_satisfied_heartbeat());
        if !is_gone {
            return;
        }
        self.remove_member(group, member_id, ErrorCode::UnknownMemberId);
        match group.state {
            GroupState::Stable | GroupState::CompletingRebalance => {
                let _ = self.prepare_rebalance(group, Then::Nothing);
            }
            GroupState::PreparingRebalance if group.has_all_joined() => {
                let _ = self.complete_join(group, Then::Nothing);
            }
            _ => {}
        }
    }

    /// Takes all assignments back and tells who waits for one why.
    pub(super) fn reset_assignments(&mut self, group: &mut Group, error_code: ErrorCode) {
        let member_ids: Vec<Arc<str>> = group.members.keys().cloned().collect();
        for member_id in member_ids {
            let Some(member) = group.members.get_mut(&member_id) else { continue };
            member.assignment.clear();
            if let Some(caller) = member.syncing.take() {
                self.reply_sync(Some(caller), SyncReply::error(error_code));
                self.extend_session(group, &member_id);
            }
        }
    }

    fn arm_join(&mut self, group: &mut Group, after: std::time::Duration) {
        self.shared.timers.cancel(group.join_timer.take());
        let due = self.at.monotonic.plus(after);
        group.join_timer = Some(self.shared.timers.arm(due, Target::Join(Arc::clone(&group.id))));
    }
}

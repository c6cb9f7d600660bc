//! JoinGroup (KIP-62, KIP-394 member ids, KIP-345 static members, KIP-814 skipped assignments).

use bytes::Bytes;
use protocol::ErrorCode;
use protocol::wire::STRING_MAX;
use std::fmt::Write as _;
use std::sync::Arc;

use super::GroupShard;
use super::member::{Member, distinct, metadata_bytes, millis, rebalance_timeout_ms};
use super::membership::{Group, Terms};
use super::reply::{GroupState, JoinReply, Outcome};
use super::request::{Caller, JoinRequest, Moment};
use super::settings::{GroupSettings, NEW_MEMBER_JOIN_TIMEOUT};
use super::timers::{Alarm, Target};
use super::turn::{Replaced, Then, Turn};

/// Letters of a uuid with its dashes, and the dash before it.
const UUID_SUFFIX: usize = 37;

impl GroupShard {
    /// JoinGroup: answered now, or when the join phase ends. `entropy` makes the member's id when it needs one.
    pub fn join(
        &mut self,
        at: Moment,
        caller: Caller,
        request: JoinRequest,
        entropy: u128,
        out: &mut Outcome,
    ) {
        let checked = self.check_serving().and_then(|()| check(&self.shared.settings, &request));
        if let Err(error_code) = checked {
            let reply = JoinReply::error(error_code, &request.member_id);
            return Turn { at, shared: &mut self.shared, out }.reply_join(Some(caller), reply);
        }
        let is_new = !self.groups.contains_key(&*request.group_id);
        if is_new {
            let refusal = if !request.member_id.is_empty() {
                Some(ErrorCode::UnknownMemberId)
            } else if self.groups.len() >= self.shared.settings.groups_max || self.shared.is_full() {
                Some(ErrorCode::CoordinatorNotAvailable)
            } else if !Group::is_agreeable(&request.protocol_type, &request.protocols) {
                // Kafka makes a group of it all the same; its next cleanup deletes that.
                Some(ErrorCode::InconsistentGroupProtocol)
            } else {
                None
            };
            if let Some(error_code) = refusal {
                let reply = JoinReply::error(error_code, &request.member_id);
                return Turn { at, shared: &mut self.shared, out }.reply_join(Some(caller), reply);
            }
            self.create(Arc::from(&*request.group_id), at);
        }
        let Some(group) = self.groups.get_mut(&*request.group_id) else { return };
        let mut turn = Turn { at, shared: &mut self.shared, out };
        if is_new {
            turn.store_new(group);
        }
        turn.join(group, Joining { caller, request, entropy });
    }
}

/// A request that is being looked at.
struct Joining {
    caller: Caller,
    request: JoinRequest,
    entropy: u128,
}

impl Joining {
    fn terms(&self) -> Terms {
        Terms {
            protocols: distinct(&self.request.protocols),
            rebalance_timeout_ms: rebalance_timeout_ms(&self.request),
            session_timeout_ms: self.request.session_timeout_ms,
        }
    }

    /// The client's or the instance's id, a dash and a uuid, as in Kafka; cut where it would be too long to store.
    fn new_member_id(&self) -> Arc<str> {
        let prefix = self.request.group_instance_id.as_deref().unwrap_or(&self.request.client_id);
        let mut id = prefix[..prefix.floor_char_boundary(STRING_MAX - UUID_SUFFIX)].to_owned();
        // Version 4, variant 1.
        let uuid = self.entropy & !(0xf << 76) & !(0x3 << 62) | 0x4 << 76 | 0x2 << 62;
        let hex = format!("{uuid:032x}");
        for part in [&hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..]] {
            let _ = write!(id, "-{part}");
        }
        Arc::from(id)
    }
}

/// What holds for any group.
fn check(settings: &GroupSettings, request: &JoinRequest) -> Result<(), ErrorCode> {
    let session_timeout = millis(request.session_timeout_ms);
    if request.group_id.is_empty() {
        Err(ErrorCode::InvalidGroupId)
    } else if session_timeout < settings.min_session_timeout || session_timeout > settings.max_session_timeout
    {
        Err(ErrorCode::InvalidSessionTimeout)
    } else if request.protocols.len() > settings.protocols_max
        || metadata_bytes(&request.protocols) > settings.member_metadata_max_bytes
    {
        Err(ErrorCode::InvalidRequest)
    } else {
        Ok(())
    }
}

impl Group {
    /// Whether a first member may come with these.
    fn is_agreeable(protocol_type: &str, protocols: &[(String, Bytes)]) -> bool {
        !protocol_type.is_empty() && !protocols.is_empty()
    }

    /// Whether there is room. While members join, those that already wait are counted: with a `group.max.size` that
    /// was lowered the last to come are out.
    fn accepts(&self, settings: &GroupSettings, member_id: &str) -> bool {
        let max = settings.max_size.min(settings.members_max);
        let member = self.members.get(member_id);
        match self.state {
            GroupState::Empty | GroupState::Dead => true,
            GroupState::PreparingRebalance => {
                member.is_some_and(|member| member.joining.is_some()) || self.awaiting_join() < max
            }
            GroupState::CompletingRebalance | GroupState::Stable => {
                member.is_some() || self.members.len() < max
            }
        }
    }

    /// Whether the group's metadata would stay within its bound with these protocols instead of a member's.
    fn has_room_for(&self, settings: &GroupSettings, joining: &Joining) -> bool {
        let member = self.members.get(&*joining.request.member_id);
        let before = member.map_or(0, Member::metadata_bytes);
        let after = self.metadata_bytes - before + metadata_bytes(&joining.request.protocols);
        after <= settings.group_metadata_max_bytes
    }
}

impl Turn<'_> {
    fn join(&mut self, group: &mut Group, joining: Joining) {
        let request = &joining.request;
        let is_unknown = request.member_id.is_empty();
        let settings = &self.shared.settings;
        if !group.has_room_for(settings, &joining) {
            return self.refuse(&joining, ErrorCode::GroupMaxSizeReached, "");
        }
        if !group.accepts(settings, &request.member_id) {
            self.remove_member(group, &request.member_id, ErrorCode::GroupMaxSizeReached);
            self.remove_pending(group, &request.member_id);
            return self.refuse(&joining, ErrorCode::GroupMaxSizeReached, "");
        }
        if !group.supports(&request.protocol_type, &request.protocols) {
            return self.refuse(&joining, ErrorCode::InconsistentGroupProtocol, &request.member_id);
        }
        if !is_unknown {
            return self.join_known(group, joining);
        }
        let member_id = joining.new_member_id();
        let instance = request.group_instance_id.as_deref();
        if let Some(existing) = instance.and_then(|instance| group.static_members.get(instance)) {
            let existing = Arc::clone(existing);
            return self.join_again_as_static(group, joining, &existing, &member_id);
        }
        if instance.is_some() || !request.requires_known_member_id {
            return self.add_member(group, joining, member_id);
        }
        if group.pending.len() >= self.shared.settings.members_max {
            return self.refuse(&joining, ErrorCode::GroupMaxSizeReached, "");
        }
        let mut alarm = Alarm::default();
        let due = self.at.monotonic.plus(millis(request.session_timeout_ms));
        let (group_id, id) = (Arc::clone(&group.id), Arc::clone(&member_id));
        self.shared.timers.set(&mut alarm, due, || Target::Session { group_id, member_id: id });
        group.pending.insert(Arc::clone(&member_id), alarm);
        self.refuse(&joining, ErrorCode::MemberIdRequired, &member_id);
    }

    fn refuse(&mut self, joining: &Joining, error_code: ErrorCode, member_id: &str) {
        self.reply_join(Some(joining.caller), JoinReply::error(error_code, member_id));
    }

    /// A member that has an id.
    fn join_known(&mut self, group: &mut Group, joining: Joining) {
        let request = &joining.request;
        let member_id: Arc<str> = Arc::from(&*request.member_id);
        if group.pending.contains_key(&member_id) {
            if request.group_instance_id.is_some() {
                // Static members never get an id without being members.
                return self.refuse(&joining, ErrorCode::UnknownMemberId, &member_id);
            }
            return self.add_member(group, joining, member_id);
        }
        if let Err(error_code) = group.validate_member(&member_id, request.group_instance_id.as_deref()) {
            return self.refuse(&joining, error_code, &member_id);
        }
        let Some(member) = group.members.get(&member_id) else { return };
        let has_changed = member.protocols != distinct(&request.protocols);
        let is_leader = group.is_leader(&member_id);
        match group.state {
            // A leader joins again when what it assigns has changed, topics for example.
            GroupState::Stable if !is_leader && !has_changed => self.answer_at_once(group, &joining, false),
            // The answer to its first request may have been lost.
            GroupState::CompletingRebalance if !has_changed => {
                self.answer_at_once(group, &joining, is_leader);
            }
            GroupState::Empty | GroupState::Dead => {
                self.refuse(&joining, ErrorCode::UnknownMemberId, &member_id);
            }
            _ => {
                let _ = group.update(&member_id, joining.terms());
                self.wait_to_join(group, &member_id, joining.caller);
                let _ = self.rebalance_or_complete(group, Then::Nothing);
            }
        }
    }

    /// The generation as it is: nothing has changed.
    fn answer_at_once(&mut self, group: &Group, joining: &Joining, with_members: bool) {
        let members = if with_members { group.joined_members() } else { Vec::new() };
        self.reply_join(Some(joining.caller), group.join_reply(&joining.request.member_id, members));
    }

    /// The caller waits for the end of the join phase; one that did so for the same member is gone and is let go.
    fn wait_to_join(&mut self, group: &mut Group, member_id: &str, caller: Caller) {
        let before = group.set_joining(member_id, Some(caller));
        self.reply_join(before, JoinReply::error(ErrorCode::RebalanceInProgress, member_id));
    }

    fn add_member(&mut self, group: &mut Group, joining: Joining, member_id: Arc<str>) {
        self.remove_pending(group, &member_id);
        if group.members.is_empty() {
            group.protocol_type = Some(joining.request.protocol_type.clone());
        }
        if group.is(GroupState::PreparingRebalance) && group.previous_state == GroupState::Empty {
            group.new_member_added = true;
        }
        let mut member = Member::new(Arc::clone(&member_id), &joining.request);
        member.joining = Some(joining.caller);
        // It cannot send heartbeats before it is answered; a client that gave up is found by this alone.
        let due = self.at.monotonic.plus(NEW_MEMBER_JOIN_TIMEOUT);
        let group_id = Arc::clone(&group.id);
        self.shared.timers.set(&mut member.alarm, due, || Target::Session { group_id, member_id });
        group.add(member);
        self.shared.tally.members += 1;
        let _ = self.rebalance_or_complete(group, Then::Nothing);
    }

    /// A process with the instance id of a member: it takes that member's place under a new id, and the process
    /// before it is fenced.
    fn join_again_as_static(&mut self, group: &mut Group, joining: Joining, old_id: &str, new_id: &Arc<str>) {
        if group.is(GroupState::Stable) && self.shared.is_full() {
            return self.refuse(&joining, ErrorCode::CoordinatorNotAvailable, "");
        }
        let old_leader = group.leader.clone();
        self.rename_member(group, old_id, new_id);
        let Some(old_terms) = group.update(new_id, joining.terms()) else { return };
        self.wait_to_join(group, new_id, joining.caller);
        self.extend_session(group, new_id);
        match group.state {
            // Its assignment stays its own. Only the record has to know the new id before it is told.
            GroupState::Stable if group.select_protocol() == group.protocol_name => {
                let replaced = Replaced {
                    group_id: Arc::clone(&group.id),
                    incarnation: group.incarnation,
                    caller: joining.caller,
                    old_id: Arc::from(old_id),
                    new_id: Arc::clone(new_id),
                    old_terms,
                    old_leader,
                    supports_skipping_assignment: joining.request.supports_skipping_assignment,
                };
                let then = Then::Replaced(Box::new(replaced));
                self.store(group, |member| member.assignment.clone(), then);
            }
            // The leader may already assign to the old id.
            GroupState::Stable | GroupState::CompletingRebalance => {
                let _ = self.prepare_rebalance(group, Then::Nothing);
            }
            _ => {
                let _ = self.complete_if_all_joined(group, Then::Nothing);
            }
        }
    }

    /// Gives a member another id; whoever waited for it is fenced.
    fn rename_member(&mut self, group: &mut Group, from: &str, to: &Arc<str>) {
        let Some((joining, syncing)) = group.rename(from, to) else { return };
        self.reply_join(joining, JoinReply::error(ErrorCode::FencedInstanceId, from));
        self.reply_sync(syncing, super::reply::SyncReply::error(ErrorCode::FencedInstanceId));
        if let Some(member) = group.members.get_mut(to) {
            self.shared.timers.silence(member.alarm);
            member.alarm = Alarm::default();
        }
        self.extend_session(group, to);
    }

    /// A static member's new id is stored: it gets its generation, and goes on where its predecessor was.
    pub(super) fn replaced(&mut self, group: &mut Group, replaced: &Replaced) {
        let is_waiting = |member: &Member| member.joining == Some(replaced.caller);
        if !group.is(GroupState::Stable) || !group.members.get(&replaced.new_id).is_some_and(is_waiting) {
            // It is fenced itself by now, or joins with the others.
            return;
        }
        group.set_joining(&replaced.new_id, None);
        if let Some(member) = group.members.get_mut(&replaced.new_id) {
            member.is_new = false;
        }
        self.extend_session(group, &replaced.new_id);
        let mut reply = group.join_reply(&replaced.new_id, Vec::new());
        if !replaced.supports_skipping_assignment {
            // A client that would take itself for the leader would assign, and nobody else would join.
            reply.leader = replaced.old_leader.as_deref().unwrap_or_default().to_owned();
        } else if group.is_leader(&replaced.new_id) {
            reply.skip_assignment = true;
            reply.members = group.joined_members();
        }
        self.reply_join(Some(replaced.caller), reply);
    }

    /// A static member's new id could not be stored: the old one holds again.
    pub(super) fn not_replaced(&mut self, group: &mut Group, replaced: &Replaced, error_code: ErrorCode) {
        let member = group.members.get(&replaced.new_id);
        if member.is_none_or(|member| member.joining != Some(replaced.caller)) {
            return;
        }
        let caller = group.set_joining(&replaced.new_id, None);
        let mut reply = group.join_reply("", Vec::new());
        reply.error_code = error_code;
        reply.leader = replaced.old_leader.as_deref().unwrap_or_default().to_owned();
        self.reply_join(caller, reply);
        let _ = group.update(&replaced.new_id, replaced.old_terms.clone());
        self.rename_member(group, &replaced.new_id, &replaced.old_id);
        if group.is(GroupState::PreparingRebalance) {
            let _ = self.complete_if_all_joined(group, Then::Nothing);
        }
    }
}

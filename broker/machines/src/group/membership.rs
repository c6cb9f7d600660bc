//! One group: its members, what they agree on, and where it stands. It decides nothing on its own; what follows from
//! a change is decided in `join`, `rebalance`, `sync` and `leave`.

use bytes::Bytes;
use protocol::ErrorCode;
use protocol::id::Timestamp;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use super::member::{Member, Protocols, metadata_bytes, millis};
use super::record::GroupMetadata;
use super::reply::{GroupState, JoinReply, JoinedMember};
use super::request::Caller;
use super::subscription;
use super::timers::{Alarm, Armed};

/// A group. Members are held by their id, so that every choice among them is the same on each run.
#[derive(Debug)]
pub(super) struct Group {
    pub(super) id: Arc<str>,
    /// Tells a group from an earlier one of its id.
    pub(super) incarnation: u64,
    pub(super) state: GroupState,
    pub(super) previous_state: GroupState,
    /// When it came into its state; unknown where a record before version 2 is all there is.
    pub(super) state_since: Option<Timestamp>,
    pub(super) protocol_type: Option<String>,
    pub(super) protocol_name: Option<String>,
    pub(super) generation: i32,
    pub(super) leader: Option<Arc<str>>,
    pub(super) members: BTreeMap<Arc<str>, Member>,
    /// Member ids by instance id.
    pub(super) static_members: BTreeMap<Arc<str>, Arc<str>>,
    /// Members that have got an id and did not join with it (KIP-394).
    pub(super) pending: BTreeMap<Arc<str>, Alarm>,
    /// Members that did not sync in this generation.
    pub(super) pending_sync: BTreeSet<Arc<str>>,
    /// Topics of a consumer group; unknown where its members' metadata cannot be read.
    pub(super) subscribed: Option<BTreeSet<String>>,
    /// Whether somebody joined since the initial delay was last extended.
    pub(super) new_member_added: bool,
    /// What is left of the initial delay: the part that runs, and what may still be added.
    pub(super) initial_delay: Option<(Duration, Duration)>,
    pub(super) join_timer: Option<Armed>,
    pub(super) sync_timer: Option<Armed>,
    pub(super) metadata_bytes: usize,
    awaiting_join: usize,
    supported: BTreeMap<String, usize>,
}

impl Group {
    /// A group without members.
    pub(super) fn new(id: Arc<str>, incarnation: u64, now: Option<Timestamp>) -> Self {
        Self {
            id,
            incarnation,
            state: GroupState::Empty,
            previous_state: GroupState::Dead,
            state_since: now,
            protocol_type: None,
            protocol_name: None,
            generation: 0,
            leader: None,
            members: BTreeMap::new(),
            static_members: BTreeMap::new(),
            pending: BTreeMap::new(),
            pending_sync: BTreeSet::new(),
            subscribed: None,
            new_member_added: false,
            initial_delay: None,
            join_timer: None,
            sync_timer: None,
            metadata_bytes: 0,
            awaiting_join: 0,
            supported: BTreeMap::new(),
        }
    }

    /// A group as it was stored: stable or empty. Of what no member can be, nothing is taken over.
    pub(super) fn stored(id: Arc<str>, incarnation: u64, stored: &GroupMetadata) -> Self {
        let since = Some(stored.current_state_timestamp).filter(|since| *since != Timestamp::NONE);
        let mut group = Self::new(id, incarnation, since);
        group.generation = stored.generation;
        group.protocol_type = Some(stored.protocol_type.clone()).filter(|kind| !kind.is_empty());
        group.protocol_name.clone_from(&stored.protocol);
        for member in &stored.members {
            let is_taken = |instance: &Arc<str>| group.static_members.contains_key(instance);
            if group.members.contains_key(&member.member_id)
                || member.group_instance_id.as_ref().is_some_and(is_taken)
            {
                continue;
            }
            group.add(Member::stored(member, stored.protocol.as_deref().unwrap_or_default()));
        }
        let is_member = |leader: &&Arc<str>| group.members.contains_key(*leader);
        if let Some(leader) = stored.leader.as_ref().filter(is_member) {
            group.leader = Some(Arc::clone(leader));
        }
        if !group.members.is_empty() {
            group.state = GroupState::Stable;
        }
        group.subscribed = group.compute_subscribed();
        group
    }

    /// As it is stored; `assignment` gives what each member has from now on.
    pub(super) fn to_stored(&self, assignment: impl Fn(&Member) -> Bytes) -> GroupMetadata {
        let protocol = self.protocol_name.as_deref().unwrap_or_default();
        GroupMetadata {
            protocol_type: self.protocol_type.clone().unwrap_or_default(),
            generation: self.generation,
            protocol: self.protocol_name.clone(),
            leader: self.leader.clone(),
            current_state_timestamp: self.state_since.unwrap_or(Timestamp::NONE),
            members: self.members.values().map(|m| m.to_stored(protocol, assignment(m))).collect(),
        }
    }

    pub(super) fn is(&self, state: GroupState) -> bool {
        self.state == state
    }

    pub(super) fn is_leader(&self, member_id: &str) -> bool {
        self.leader.as_deref() == Some(member_id)
    }

    /// Takes a member in. Its instance id, if it has one, is not in use.
    pub(super) fn add(&mut self, member: Member) {
        if let Some(instance) = &member.group_instance_id {
            let before = self.static_members.insert(Arc::clone(instance), Arc::clone(&member.id));
            assert!(before.is_none(), "an instance id has one member");
        }
        if self.leader.is_none() {
            self.leader = Some(Arc::clone(&member.id));
        }
        self.count_protocols(&member.protocols);
        self.awaiting_join += usize::from(member.joining.is_some());
        self.members.insert(Arc::clone(&member.id), member);
    }

    /// Takes a member out. Its alarm and whoever waits for it are the caller's.
    pub(super) fn remove(&mut self, member_id: &str) -> Option<Member> {
        let member = self.members.remove(member_id)?;
        self.discount_protocols(&member.protocols);
        self.awaiting_join -= usize::from(member.joining.is_some());
        if let Some(instance) = &member.group_instance_id {
            self.static_members.remove(instance);
        }
        if self.is_leader(member_id) {
            self.leader = self.members.keys().next().cloned();
        }
        self.pending_sync.remove(member_id);
        Some(member)
    }

    /// Gives a static member another id, and takes from it whoever waits: another process has its place now.
    pub(super) fn rename(&mut self, from: &str, to: &Arc<str>) -> Option<(Option<Caller>, Option<Caller>)> {
        let mut member = self.members.remove(from)?;
        self.awaiting_join -= usize::from(member.joining.is_some());
        let waiting = (member.joining.take(), member.syncing.take());
        member.id = Arc::clone(to);
        if self.is_leader(from) {
            self.leader = Some(Arc::clone(to));
        }
        if let Some(instance) = &member.group_instance_id {
            self.static_members.insert(Arc::clone(instance), Arc::clone(to));
        }
        if self.pending_sync.remove(from) {
            self.pending_sync.insert(Arc::clone(to));
        }
        self.members.insert(Arc::clone(to), member);
        Some(waiting)
    }

    /// Changes what a member said when it joined; gives what it said before.
    pub(super) fn update(&mut self, member_id: &str, terms: Terms) -> Option<Terms> {
        let member = self.members.get_mut(member_id)?;
        let before = Terms {
            protocols: std::mem::replace(&mut member.protocols, terms.protocols),
            rebalance_timeout_ms: std::mem::replace(
                &mut member.rebalance_timeout_ms,
                terms.rebalance_timeout_ms,
            ),
            session_timeout_ms: std::mem::replace(&mut member.session_timeout_ms, terms.session_timeout_ms),
        };
        let after = member.protocols.clone();
        self.discount_protocols(&before.protocols);
        self.count_protocols(&after);
        Some(before)
    }

    /// Sets who waits for the end of the join phase; gives who did.
    pub(super) fn set_joining(&mut self, member_id: &str, caller: Option<Caller>) -> Option<Caller> {
        let member = self.members.get_mut(member_id)?;
        self.awaiting_join += usize::from(caller.is_some());
        let before = std::mem::replace(&mut member.joining, caller);
        self.awaiting_join -= usize::from(before.is_some());
        before
    }

    /// Members that wait for the end of the join phase.
    pub(super) fn awaiting_join(&self) -> usize {
        self.awaiting_join
    }

    /// Whether nobody is waited for.
    pub(super) fn has_all_joined(&self) -> bool {
        self.members.len() == self.awaiting_join && self.pending.is_empty()
    }

    /// Makes sure that the leader is one that joined. `false` when nobody did.
    pub(super) fn elect_joined_leader(&mut self) -> bool {
        let Some(leader) = &self.leader else { return false };
        if self.members.get(leader).is_some_and(|member| member.joining.is_some()) {
            return true;
        }
        match self.members.values().find(|member| member.joining.is_some()) {
            Some(member) => {
                self.leader = Some(Arc::clone(&member.id));
                true
            }
            None => false,
        }
    }

    /// The longest of all members.
    pub(super) fn rebalance_timeout(&self) -> Duration {
        millis(self.members.values().map(|member| member.rebalance_timeout_ms).max().unwrap_or(0))
    }

    /// Whether a member with these protocols and the others have one in common.
    pub(super) fn supports(&self, protocol_type: &str, protocols: &[(String, Bytes)]) -> bool {
        if self.is(GroupState::Empty) {
            return !protocol_type.is_empty() && !protocols.is_empty();
        }
        let is_common = |(name, _): &(String, Bytes)| self.supported.get(name) == Some(&self.members.len());
        self.protocol_type.as_deref() == Some(protocol_type)
            && (self.members.is_empty() && !protocols.is_empty() || protocols.iter().any(is_common))
    }

    /// The protocol with the most votes of those that all members know; of equals the one that the leader prefers.
    pub(super) fn select_protocol(&self) -> Option<String> {
        let common = self.supported.iter().filter(|(_, count)| **count == self.members.len());
        let candidates: BTreeSet<&str> = common.map(|(name, _)| &**name).collect();
        let mut votes: BTreeMap<&str, usize> = BTreeMap::new();
        for choice in self.members.values().filter_map(|member| member.vote(&candidates)) {
            *votes.entry(choice).or_default() += 1;
        }
        let most = votes.values().copied().max()?;
        let leader = self.leader.as_ref().and_then(|leader| self.members.get(leader))?;
        let preferred = leader.protocols.iter().map(|(name, _)| &**name);
        preferred.clone().find(|name| votes.get(name) == Some(&most)).map(str::to_owned)
    }

    /// The topics that members of a consumer group read; `None` where it is none or they cannot be read.
    pub(super) fn compute_subscribed(&self) -> Option<BTreeSet<String>> {
        if self.protocol_type.as_deref() != Some(subscription::PROTOCOL_TYPE) {
            return None;
        }
        if self.members.is_empty() {
            return Some(BTreeSet::new());
        }
        let protocol = self.protocol_name.as_deref()?;
        let mut topics = BTreeSet::new();
        for member in self.members.values() {
            subscription::topics(&member.metadata(protocol), &mut topics)?;
        }
        Some(topics)
    }

    /// Whether a topic's offsets are in use. A consumer group whose topics are unknown uses all.
    pub(super) fn is_subscribed(&self, topic: &str) -> bool {
        match &self.subscribed {
            Some(topics) => topics.contains(topic),
            None => self.uses_consumer_protocol(),
        }
    }

    pub(super) fn uses_consumer_protocol(&self) -> bool {
        self.protocol_type.as_deref() == Some(subscription::PROTOCOL_TYPE)
    }

    /// Whether a request may speak for a member (KIP-345).
    ///
    /// # Errors
    /// `UNKNOWN_MEMBER_ID`; `FENCED_INSTANCE_ID` when another member has its instance id.
    pub(super) fn validate_member(&self, member_id: &str, instance: Option<&str>) -> Result<(), ErrorCode> {
        if let Some(instance) = instance {
            match self.static_members.get(instance) {
                None => return Err(ErrorCode::UnknownMemberId),
                Some(member) if **member != *member_id => return Err(ErrorCode::FencedInstanceId),
                Some(_) => {}
            }
        }
        self.members.contains_key(member_id).then_some(()).ok_or(ErrorCode::UnknownMemberId)
    }

    /// The answer to a member that joined this generation.
    pub(super) fn join_reply(&self, member_id: &str, members: Vec<JoinedMember>) -> JoinReply {
        JoinReply {
            error_code: ErrorCode::None,
            generation_id: self.generation,
            protocol_type: self.protocol_type.clone(),
            protocol_name: self.protocol_name.clone(),
            leader: self.leader.as_deref().unwrap_or_default().to_owned(),
            skip_assignment: false,
            member_id: member_id.to_owned(),
            members,
        }
    }

    /// All members with their metadata, as the leader is told.
    pub(super) fn joined_members(&self) -> Vec<JoinedMember> {
        let protocol = self.protocol_name.as_deref().unwrap_or_default();
        let joined = |member: &Member| JoinedMember {
            member_id: member.id.as_ref().to_owned(),
            group_instance_id: member.group_instance_id.as_deref().map(str::to_owned),
            metadata: member.metadata(protocol),
        };
        self.members.values().map(joined).collect()
    }

    fn count_protocols(&mut self, protocols: &[(String, Bytes)]) {
        self.metadata_bytes += metadata_bytes(protocols);
        for (name, _) in protocols {
            *self.supported.entry(name.clone()).or_default() += 1;
        }
    }

    fn discount_protocols(&mut self, protocols: &[(String, Bytes)]) {
        self.metadata_bytes -= metadata_bytes(protocols);
        for (name, _) in protocols {
            if let Some(count) = self.supported.get_mut(name) {
                *count -= 1;
                if *count == 0 {
                    self.supported.remove(name);
                }
            }
        }
    }
}

/// What a member says when it joins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Terms {
    pub(super) protocols: Protocols,
    pub(super) rebalance_timeout_ms: i32,
    pub(super) session_timeout_ms: i32,
}

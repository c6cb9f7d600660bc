//! What groups do, said a second time and as simply as can be: no counters, no queue of deadlines, everything is looked
//! for where it is needed. Answers are the texts of `show_reply`.

use super::super::{Caller, GroupState, JoinRequest};
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// Nanoseconds.
type Time = u64;

const MS: Time = 1_000_000;

#[derive(Debug, Clone)]
pub(super) struct ModelMember {
    pub(super) id: String,
    pub(super) instance: Option<String>,
    protocols: Vec<String>,
    session: Time,
    rebalance: Time,
    joining: Option<Caller>,
    syncing: Option<Caller>,
    must_sync: bool,
    is_new: bool,
    dies: Option<Time>,
    pub(super) assignment: String,
}

#[derive(Debug)]
pub(super) struct ModelGroup {
    number: u64,
    pub(super) state: GroupState,
    was_empty: bool,
    pub(super) generation: i32,
    pub(super) leader: Option<String>,
    pub(super) protocol: Option<String>,
    pub(super) members: Vec<ModelMember>,
    pending: Vec<(String, Time)>,
    joins_end: Option<Time>,
    /// Of the initial delay: the part that runs, what may be added, whether somebody came.
    initial: Option<(Time, Time, bool)>,
    syncs_end: Option<Time>,
}

#[derive(Debug, Clone)]
struct StoredGroup {
    generation: i32,
    leader: Option<String>,
    protocol: Option<String>,
    members: Vec<ModelMember>,
}

#[derive(Debug)]
enum Write {
    Group { group: String, stored: Option<Box<StoredGroup>>, then: After },
    Offset { group: String, partition: i32, offset: Option<i64>, answer: Option<(Caller, String, String)> },
    Delete { group: String, partitions: Vec<i32>, caller: Caller, gone: Box<ModelGroup> },
}

#[derive(Debug)]
enum After {
    Nothing,
    New(u64),
    Assign {
        number: u64,
        generation: i32,
        parts: Vec<(String, String)>,
    },
    Static {
        number: u64,
        generation: i32,
        caller: Caller,
        new: String,
        old: Box<ModelMember>,
        leader: Option<String>,
        skips: bool,
    },
    Leave(Caller, String),
}

#[derive(Debug, Default)]
pub(super) struct Model {
    pub(super) now: Time,
    pub(super) delay: Time,
    pub(super) groups: BTreeMap<String, ModelGroup>,
    stored: BTreeMap<String, Box<StoredGroup>>,
    pub(super) offsets: BTreeMap<(String, i32), i64>,
    writes: VecDeque<Write>,
    pub(super) said: Vec<(Caller, String)>,
    made: u64,
}

fn short(id: &str) -> String {
    super::short_id(id)
}

fn refused(code: &str, id: &str) -> String {
    format!("join {code} id={}", short(id))
}

fn names(request: &JoinRequest) -> Vec<String> {
    request.protocols.iter().map(|(name, _)| name.clone()).collect()
}

fn session(request: &JoinRequest) -> Time {
    u64::try_from(request.session_timeout_ms).unwrap() * MS
}

impl ModelMember {
    fn terms(&mut self, request: &JoinRequest) {
        self.protocols = names(request);
        self.session = session(request);
        self.rebalance = u64::try_from(request.rebalance_timeout_ms).unwrap() * MS;
    }
}

impl ModelGroup {
    fn member(&mut self, id: &str) -> Option<&mut ModelMember> {
        self.members.iter_mut().find(|member| member.id == id)
    }

    fn holder(&self, instance: &str) -> Option<String> {
        let member = self.members.iter().find(|member| member.instance.as_deref() == Some(instance));
        member.map(|member| member.id.clone())
    }

    fn all_joined(&self) -> bool {
        self.pending.is_empty() && self.members.iter().all(|member| member.joining.is_some())
    }

    fn check(&self, id: &str, instance: Option<&str>) -> Option<&'static str> {
        match instance.map(|instance| self.holder(instance)) {
            Some(None) => Some("UNKNOWN_MEMBER_ID"),
            Some(Some(holder)) if holder != id => Some("FENCED_INSTANCE_ID"),
            _ if self.members.iter().all(|member| member.id != id) => Some("UNKNOWN_MEMBER_ID"),
            _ => None,
        }
    }

    fn vote(&self) -> Option<String> {
        let common = |name: &String| self.members.iter().all(|member| member.protocols.contains(name));
        let votes: Vec<&String> = self
            .members
            .iter()
            .filter_map(|member| member.protocols.iter().find(|name| common(name)))
            .collect();
        let count = |name: &String| votes.iter().filter(|vote| **vote == name).count();
        let most = votes.iter().map(|vote| count(vote)).max()?;
        let leader = self.members.iter().find(|member| Some(&member.id) == self.leader.as_ref())?;
        leader.protocols.iter().find(|name| count(name) == most).cloned()
    }

    fn list(&self) -> String {
        let one = |member: &ModelMember| {
            let instance = member.instance.as_ref().map_or(String::new(), |instance| format!("({instance})"));
            format!("{}{instance}", short(&member.id))
        };
        self.members.iter().map(one).collect::<Vec<_>>().join(",")
    }

    fn joined(&self, id: &str, leader: Option<&String>, with_members: bool, skip: bool) -> String {
        let members = if with_members { self.list() } else { String::new() };
        format!(
            "joined {} as {} by {} leader={} members=[{members}]{}",
            self.generation,
            short(id),
            self.protocol.as_deref().unwrap_or("-"),
            short(leader.map_or("", |leader| leader)),
            if skip { " skip" } else { "" }
        )
    }

    fn rebalance(&self) -> Time {
        self.members.iter().map(|member| member.rebalance).max().unwrap_or(0)
    }

    fn sorted(&mut self) {
        self.members.sort_by(|a, b| a.id.cmp(&b.id));
    }

    fn stored(&self) -> Box<StoredGroup> {
        Box::new(StoredGroup {
            generation: self.generation,
            leader: self.leader.clone(),
            protocol: self.protocol.clone(),
            members: self.members.clone(),
        })
    }

    fn deadlines(&self) -> impl Iterator<Item = Time> {
        let members = self.members.iter().filter_map(|member| member.dies);
        let pending = self.pending.iter().map(|(_, dies)| *dies);
        self.joins_end.into_iter().chain(self.syncs_end).chain(members).chain(pending)
    }
}

impl Model {
    pub(super) fn new(delay: Time) -> Self {
        Self { delay, ..Self::default() }
    }

    fn say(&mut self, caller: Option<Caller>, text: String) {
        self.said.extend(caller.map(|caller| (caller, text)));
    }

    fn g(&mut self, group: &str) -> &mut ModelGroup {
        self.groups.get_mut(group).unwrap()
    }

    fn create(&mut self, group: &str, stored: Option<Box<StoredGroup>>) {
        self.made += 1;
        let now = self.now;
        let stored = stored.map_or(
            StoredGroup { generation: 0, leader: None, protocol: None, members: Vec::new() },
            |stored| *stored,
        );
        let members: Vec<ModelMember> = stored
            .members
            .into_iter()
            .map(|member| ModelMember {
                protocols: stored.protocol.iter().cloned().collect(),
                joining: None,
                syncing: None,
                must_sync: false,
                is_new: false,
                dies: Some(now + member.session),
                ..member
            })
            .collect();
        let group_of = ModelGroup {
            number: self.made,
            state: if members.is_empty() { GroupState::Empty } else { GroupState::Stable },
            was_empty: false,
            generation: stored.generation,
            leader: stored.leader,
            protocol: stored.protocol,
            members,
            pending: Vec::new(),
            joins_end: None,
            initial: None,
            syncs_end: None,
        };
        self.groups.insert(group.to_owned(), group_of);
    }

    pub(super) fn join(&mut self, caller: Caller, request: &JoinRequest, new_id: &str) {
        let (group, given) = (&*request.group_id, &*request.member_id);
        if !self.groups.contains_key(group) {
            if !given.is_empty() {
                return self.say(Some(caller), refused("UNKNOWN_MEMBER_ID", given));
            }
            self.create(group, None);
            let (number, stored) = (self.made, self.g(group).stored());
            let (group, then) = (group.to_owned(), After::New(number));
            self.writes.push_back(Write::Group { group, stored: Some(stored), then });
        }
        let g = self.g(group);
        let common = |name: &String| g.members.iter().all(|member| member.protocols.contains(name));
        if g.state != GroupState::Empty && !names(request).iter().any(common) {
            return self.say(Some(caller), refused("INCONSISTENT_GROUP_PROTOCOL", given));
        }
        if g.pending.iter().any(|(id, _)| id == given) {
            return self.join_first(caller, request, given);
        }
        if !given.is_empty() {
            return self.join_again(caller, request);
        }
        match request.group_instance_id.as_deref().map(|instance| g.holder(instance)) {
            Some(Some(old_id)) => self.join_instead(caller, request, new_id, &old_id),
            None if request.requires_known_member_id => {
                let dies = self.now + session(request);
                self.g(group).pending.push((new_id.to_owned(), dies));
                self.say(Some(caller), refused("MEMBER_ID_REQUIRED", new_id));
            }
            _ => self.join_first(caller, request, new_id),
        }
    }

    /// A new member.
    fn join_first(&mut self, caller: Caller, request: &JoinRequest, id: &str) {
        let now = self.now;
        let g = self.g(&request.group_id);
        g.pending.retain(|(pending, _)| pending != id);
        if let Some(initial) = &mut g.initial {
            initial.2 = true;
        }
        g.leader.get_or_insert_with(|| id.to_owned());
        let mut member = ModelMember {
            id: id.to_owned(),
            instance: request.group_instance_id.clone(),
            protocols: Vec::new(),
            session: 0,
            rebalance: 0,
            joining: Some(caller),
            syncing: None,
            must_sync: false,
            is_new: true,
            dies: Some(now + 300_000 * MS),
            assignment: String::new(),
        };
        member.terms(request);
        g.members.push(member);
        g.sorted();
        self.rebalance(&request.group_id);
    }

    /// A static member's new process.
    fn join_instead(&mut self, caller: Caller, request: &JoinRequest, new_id: &str, old_id: &str) {
        let (group, now) = (&*request.group_id, self.now);
        let g = self.g(group);
        let leader = g.leader.clone();
        let member = g.member(old_id).unwrap();
        let old = Box::new(member.clone());
        let waiting = (member.joining.replace(caller), member.syncing.take());
        member.id = new_id.to_owned();
        member.dies = Some(now + session(request));
        member.terms(request);
        if g.leader.as_deref() == Some(old_id) {
            g.leader = Some(new_id.to_owned());
        }
        g.sorted();
        let (state, is_same, number, generation) = (g.state, g.vote() == g.protocol, g.number, g.generation);
        self.say(waiting.0, refused("FENCED_INSTANCE_ID", old_id));
        self.say(waiting.1, "sync FENCED_INSTANCE_ID".to_owned());
        match state {
            GroupState::Stable if is_same => {
                let (new, skips) = (new_id.to_owned(), request.supports_skipping_assignment);
                let then = After::Static { number, generation, caller, new, old, leader, skips };
                let stored = Some(self.g(group).stored());
                self.writes.push_back(Write::Group { group: group.to_owned(), stored, then });
            }
            GroupState::Stable | GroupState::CompletingRebalance => self.prepare(group),
            _ => self.maybe_complete(group),
        }
    }

    /// A member that has an id.
    fn join_again(&mut self, caller: Caller, request: &JoinRequest) {
        let (group, given) = (&*request.group_id, &*request.member_id);
        let g = self.g(group);
        if let Some(code) = g.check(given, request.group_instance_id.as_deref()) {
            return self.say(Some(caller), refused(code, given));
        }
        let is_leader = g.leader.as_deref() == Some(given);
        let has_changed = g.member(given).unwrap().protocols != names(request);
        match g.state {
            GroupState::Stable | GroupState::CompletingRebalance
                if !has_changed && (!is_leader || g.state == GroupState::CompletingRebalance) =>
            {
                let text = g.joined(given, g.leader.as_ref(), is_leader, false);
                self.say(Some(caller), text);
            }
            _ => {
                let member = g.member(given).unwrap();
                member.terms(request);
                let before = member.joining.replace(caller);
                self.say(before, refused("REBALANCE_IN_PROGRESS", given));
                self.rebalance(group);
            }
        }
    }

    fn rebalance(&mut self, group: &str) {
        match self.g(group).state {
            GroupState::PreparingRebalance => self.maybe_complete(group),
            _ => self.prepare(group),
        }
    }

    fn prepare(&mut self, group: &str) {
        if self.g(group).state == GroupState::CompletingRebalance {
            self.reset(group, "REBALANCE_IN_PROGRESS");
        }
        let (now, delay) = (self.now, self.delay);
        let g = self.g(group);
        g.syncs_end = None;
        g.members.iter_mut().for_each(|member| member.must_sync = false);
        g.was_empty = g.state == GroupState::Empty;
        g.state = GroupState::PreparingRebalance;
        if g.was_empty {
            g.initial = Some((delay, g.rebalance().saturating_sub(delay), false));
            g.joins_end = Some(now + delay);
        } else if g.all_joined() {
            self.complete(group);
        } else {
            g.joins_end = Some(now + g.rebalance());
        }
    }

    fn maybe_complete(&mut self, group: &str) {
        let g = self.g(group);
        if g.state == GroupState::PreparingRebalance && g.all_joined() && !g.was_empty {
            self.complete(group);
        }
    }

    fn complete(&mut self, group: &str) {
        let now = self.now;
        let g = self.groups.get_mut(group).unwrap();
        g.joins_end = None;
        g.initial = None;
        g.members.retain(|member| member.joining.is_some() || member.instance.is_some());
        let is_there =
            |g: &ModelGroup, id: &String| g.members.iter().any(|m| m.id == *id && m.joining.is_some());
        if g.leader.as_ref().is_none_or(|leader| !is_there(g, leader)) {
            let first =
                g.members.iter().find(|member| member.joining.is_some()).map(|member| member.id.clone());
            if first.is_none() && !g.members.is_empty() {
                if g.leader.as_ref().is_none_or(|leader| g.members.iter().all(|m| m.id != *leader)) {
                    g.leader = g.members.first().map(|member| member.id.clone());
                }
                g.joins_end = Some(now + g.rebalance());
                return;
            }
            g.leader = first;
        }
        g.generation += 1;
        g.protocol = g.vote();
        if g.members.is_empty() {
            g.state = GroupState::Empty;
            g.leader = None;
            let write =
                Write::Group { group: group.to_owned(), stored: Some(g.stored()), then: After::Nothing };
            return self.writes.push_back(write);
        }
        g.state = GroupState::CompletingRebalance;
        g.syncs_end = Some(now + g.rebalance());
        let mut said = Vec::new();
        for index in 0..g.members.len() {
            let member = &mut g.members[index];
            member.must_sync = true;
            member.is_new = false;
            member.dies = Some(now + member.session);
            let (caller, id) = (member.joining.take(), member.id.clone());
            let is_leader = g.leader.as_ref() == Some(&id);
            said.extend(caller.map(|caller| (caller, g.joined(&id, g.leader.as_ref(), is_leader, false))));
        }
        self.said.extend(said);
    }

    fn reset(&mut self, group: &str, code: &str) {
        let now = self.now;
        let mut said = Vec::new();
        for member in &mut self.g(group).members {
            member.assignment.clear();
            if let Some(caller) = member.syncing.take() {
                said.push((caller, format!("sync {code}")));
                member.dies = Some(now + member.session);
            }
        }
        self.said.extend(said);
    }

    fn remove(&mut self, group: &str, id: &str, code: &str) {
        let g = self.g(group);
        let Some(position) = g.members.iter().position(|member| member.id == id) else { return };
        let member = g.members.remove(position);
        if g.leader.as_deref() == Some(id) {
            g.leader = g.members.first().map(|member| member.id.clone());
        }
        self.say(member.joining, format!("join {code} id="));
        self.say(member.syncing, format!("sync {code}"));
    }

    pub(super) fn sync(
        &mut self,
        caller: Caller,
        (group, id, instance): (&str, &str, Option<&str>),
        generation: i32,
        parts: Vec<(String, String)>,
    ) {
        let Some(g) = self.groups.get_mut(group).filter(|g| g.state != GroupState::Empty) else {
            return self.say(Some(caller), "sync UNKNOWN_MEMBER_ID".to_owned());
        };
        if let Some(code) = g.check(id, instance) {
            return self.say(Some(caller), format!("sync {code}"));
        }
        if generation != g.generation {
            return self.say(Some(caller), "sync ILLEGAL_GENERATION".to_owned());
        }
        if g.state == GroupState::PreparingRebalance {
            return self.say(Some(caller), "sync REBALANCE_IN_PROGRESS".to_owned());
        }
        let is_stable = g.state == GroupState::Stable;
        let is_leader = g.leader.as_deref() == Some(id);
        let member = g.member(id).unwrap();
        member.must_sync = false;
        let before = if is_stable { None } else { member.syncing.replace(caller) };
        let assignment = member.assignment.clone();
        if g.members.iter().all(|member| !member.must_sync) {
            g.syncs_end = None;
        }
        if is_stable {
            return self.say(Some(caller), format!("synced {assignment:?}"));
        }
        if is_leader {
            let mut stored = g.stored();
            for member in &mut stored.members {
                let part = parts.iter().rfind(|(id, _)| *id == member.id);
                member.assignment = part.map_or(String::new(), |(_, part)| part.clone());
            }
            let then = After::Assign { number: g.number, generation, parts };
            self.writes.push_back(Write::Group { group: group.to_owned(), stored: Some(stored), then });
        }
        self.say(before, "sync REBALANCE_IN_PROGRESS".to_owned());
    }

    pub(super) fn heartbeat(
        &mut self,
        (group, id, instance): (&str, &str, Option<&str>),
        generation: i32,
    ) -> &'static str {
        let now = self.now;
        let Some(g) = self.groups.get_mut(group) else { return "UNKNOWN_MEMBER_ID" };
        if let Some(code) = g.check(id, instance) {
            return code;
        }
        if generation != g.generation {
            return "ILLEGAL_GENERATION";
        }
        let member = g.member(id).unwrap();
        member.dies = Some(now + member.session);
        if g.state == GroupState::PreparingRebalance { "REBALANCE_IN_PROGRESS" } else { "NONE" }
    }

    pub(super) fn leave(&mut self, caller: Caller, (group, id, instance): (&str, &str, Option<&str>)) {
        let code = match self.groups.get_mut(group) {
            None => Some("UNKNOWN_MEMBER_ID"),
            Some(g) if g.pending.iter().any(|(pending, _)| pending == id) => {
                g.pending.retain(|(pending, _)| pending != id);
                None
            }
            Some(g) => g.check(id, instance),
        };
        let who = instance.map_or_else(|| short(id), str::to_owned);
        let text = format!("leave NONE {who}:{}", code.unwrap_or("NONE"));
        if code.is_some() {
            return self.say(Some(caller), text);
        }
        self.remove(group, id, "UNKNOWN_MEMBER_ID");
        let before = self.writes.len();
        if self.g(group).state != GroupState::Empty {
            self.rebalance(group);
        }
        let has_written = self.writes.len() > before;
        match self.writes.back_mut().filter(|_| has_written) {
            Some(Write::Group { then, .. }) => *then = After::Leave(caller, text),
            _ => self.say(Some(caller), text),
        }
    }

    pub(super) fn commit(
        &mut self,
        caller: Caller,
        (group, id, instance): (&str, &str, Option<&str>),
        generation: i32,
        (partition, offset): (i32, i64),
    ) {
        let now = self.now;
        if !self.groups.contains_key(group) && generation < 0 {
            self.create(group, None);
        }
        let code = match self.groups.get_mut(group) {
            None => Some("ILLEGAL_GENERATION"),
            Some(g) if generation < 0 && g.state == GroupState::Empty => None,
            Some(_) if generation < 0 && id.is_empty() && instance.is_none() => Some("UNKNOWN_MEMBER_ID"),
            Some(g) => match g.check(id, instance) {
                Some(code) => Some(code),
                None if generation != g.generation => Some("ILLEGAL_GENERATION"),
                None if g.state == GroupState::CompletingRebalance => Some("REBALANCE_IN_PROGRESS"),
                None => {
                    let member = g.member(id).unwrap();
                    member.dies = Some(now + member.session);
                    None
                }
            },
        };
        let text = |code: &str| format!("commit t-{partition}:{code}");
        if let Some(code) = code {
            return self.say(Some(caller), text(code));
        }
        let answer = Some((caller, text("NONE"), text("")));
        self.writes.push_back(Write::Offset {
            group: group.to_owned(),
            partition,
            offset: Some(offset),
            answer,
        });
    }

    pub(super) fn delete(&mut self, caller: Caller, group: &str) {
        let code = match self.groups.get(group) {
            None => "GROUP_ID_NOT_FOUND",
            Some(g) if g.state != GroupState::Empty => "NON_EMPTY_GROUP",
            Some(_) => {
                let mut partitions: Vec<i32> = self
                    .offsets
                    .keys()
                    .filter(|(of, _)| of == group)
                    .map(|(_, partition)| *partition)
                    .collect();
                for write in &self.writes {
                    match write {
                        Write::Offset { group: of, partition, offset, .. } if of == group => {
                            partitions.retain(|known| known != partition);
                            partitions.extend(offset.map(|_| *partition));
                        }
                        Write::Delete { group: of, .. } if of == group => partitions.clear(),
                        _ => {}
                    }
                }
                let mut gone = Box::new(self.groups.remove(group).unwrap());
                gone.pending.clear();
                let write = Write::Delete { gone, group: group.to_owned(), partitions, caller };
                return self.writes.push_back(write);
            }
        };
        self.say(Some(caller), format!("delete {group}:{code}"));
    }

    /// How many batches are not decided on.
    pub(super) fn in_flight(&self) -> usize {
        self.writes.len()
    }

    pub(super) fn last_is_deletion(&self) -> bool {
        matches!(self.writes.back(), Some(Write::Delete { .. }))
    }

    /// The first batch is committed.
    pub(super) fn committed(&mut self) {
        match self.writes.pop_front().unwrap() {
            Write::Group { group, stored, then } => {
                match stored {
                    Some(stored) => self.stored.insert(group.clone(), stored),
                    None => self.stored.remove(&group),
                };
                self.then(&group, then);
            }
            Write::Offset { group, partition, offset, answer } => {
                match offset {
                    Some(offset) => self.offsets.insert((group, partition), offset),
                    None => self.offsets.remove(&(group, partition)),
                };
                self.said.extend(answer.map(|(caller, text, _)| (caller, text)));
            }
            Write::Delete { group, partitions, caller, .. } => {
                self.stored.remove(&group);
                for partition in partitions {
                    self.offsets.remove(&(group.clone(), partition));
                }
                self.say(Some(caller), format!("delete {group}:NONE"));
            }
        }
    }

    fn then(&mut self, group: &str, then: After) {
        let now = self.now;
        let g = self.groups.get_mut(group);
        match (then, g) {
            (After::Leave(caller, text), _) => self.say(Some(caller), text),
            (After::Assign { number, generation, parts }, Some(g))
                if g.number == number
                    && g.generation == generation
                    && g.state == GroupState::CompletingRebalance =>
            {
                g.state = GroupState::Stable;
                let mut said = Vec::new();
                for member in &mut g.members {
                    let part = parts.iter().rfind(|(id, _)| *id == member.id);
                    member.assignment = part.map_or(String::new(), |(_, part)| part.clone());
                    if let Some(caller) = member.syncing.take() {
                        said.push((caller, format!("synced {:?}", member.assignment)));
                        member.dies = Some(now + member.session);
                    }
                }
                self.said.extend(said);
            }
            (After::Static { number, generation, caller, new, leader, skips, .. }, Some(g))
                if g.number == number && g.generation == generation && g.state == GroupState::Stable =>
            {
                let Some(member) = g.member(&new).filter(|member| member.joining == Some(caller)) else {
                    return;
                };
                member.joining = None;
                member.is_new = false;
                member.dies = Some(now + member.session);
                let is_leader = skips && g.leader.as_ref() == Some(&new);
                let leader = if skips { g.leader.clone() } else { leader };
                let text = g.joined(&new, leader.as_ref(), is_leader, is_leader);
                self.say(Some(caller), text);
            }
            _ => {}
        }
    }

    /// The last batch failed, or, when it `may_be_there`, takes too long.
    pub(super) fn failed(&mut self, may_be_there: bool) {
        let code = "COORDINATOR_NOT_AVAILABLE";
        if may_be_there {
            match self.writes.back_mut().unwrap() {
                Write::Offset { answer, .. } => {
                    let answer = answer.take();
                    self.said.extend(answer.map(|(caller, _, text)| (caller, text + code)));
                }
                Write::Group { group, then, .. } => {
                    let group = group.clone();
                    match std::mem::replace(then, After::Nothing) {
                        After::New(number) => *then = After::New(number),
                        After::Static { number, caller, new, .. } => {
                            let g = self.groups.get_mut(&group).filter(|g| g.number == number);
                            let member = g.and_then(|g| g.members.iter_mut().find(|member| member.id == new));
                            if let Some(member) = member.filter(|member| member.joining == Some(caller)) {
                                member.joining = None;
                                self.say(Some(caller), format!("join {code} id="));
                            }
                        }
                        after => self.undo(&group, after, code),
                    }
                }
                Write::Delete { .. } => unreachable!("the test lets no deletion time out"),
            }
            return;
        }
        match self.writes.pop_back().unwrap() {
            Write::Offset { group, answer, .. } => {
                self.said.extend(answer.map(|(caller, _, text)| (caller, text + code)));
                self.drop_void(&group);
            }
            Write::Group { group, then, .. } => {
                self.undo(&group, then, code);
                self.drop_void(&group);
            }
            Write::Delete { group, caller, gone, .. } => {
                self.say(Some(caller), format!("delete {group}:{code}"));
                self.groups.entry(group.clone()).or_insert(*gone);
                self.drop_void(&group);
            }
        }
    }

    fn undo(&mut self, group: &str, then: After, code: &str) {
        let now = self.now;
        match then {
            After::Leave(caller, _) => self.say(Some(caller), format!("leave {code} ")),
            After::New(number) if self.groups.get(group).is_some_and(|g| g.number == number) => {
                let ids: Vec<String> = self.g(group).members.iter().map(|member| member.id.clone()).collect();
                for id in ids {
                    self.remove(group, &id, code);
                }
                let g = self.g(group);
                g.pending.clear();
                g.joins_end = None;
                g.state = GroupState::Empty;
            }
            After::Assign { number, generation, .. } => {
                let g = self.groups.get(group).filter(|g| g.number == number && g.generation == generation);
                if g.is_some_and(|g| g.state == GroupState::CompletingRebalance) {
                    self.reset(group, code);
                    self.prepare(group);
                }
            }
            After::Static { number, caller, new, old, .. } => {
                let Some(g) = self.groups.get_mut(group).filter(|g| g.number == number) else { return };
                let Some(member) = g.member(&new).filter(|member| member.joining == Some(caller)) else {
                    return;
                };
                *member = ModelMember {
                    joining: None,
                    syncing: None,
                    dies: Some(now + old.session),
                    ..*old.clone()
                };
                if g.leader.as_ref() == Some(&new) {
                    g.leader = Some(old.id.clone());
                }
                g.sorted();
                self.say(Some(caller), format!("join {code} id="));
            }
            _ => {}
        }
    }

    /// A group of which nothing is stored or written, and that nobody is in.
    fn drop_void(&mut self, group: &str) {
        let is_written = self.writes.iter().any(|write| match write {
            Write::Group { group: of, .. }
            | Write::Offset { group: of, .. }
            | Write::Delete { group: of, .. } => of == group,
        });
        let is_stored = self.stored.contains_key(group) || self.offsets.keys().any(|(of, _)| of == group);
        let is_idle = |g: &ModelGroup| g.state == GroupState::Empty && g.pending.is_empty();
        if !is_written && !is_stored && self.groups.get(group).is_some_and(is_idle) {
            self.groups.remove(group);
        }
    }

    pub(super) fn next_deadline(&self) -> Option<Time> {
        self.groups.values().flat_map(|group| group.deadlines()).min()
    }

    /// The first deadline, which is now.
    pub(super) fn tick(&mut self) {
        let now = self.now;
        let due = |deadline: Option<Time>| deadline.is_some_and(|deadline| deadline <= now);
        let Some(group) = self.groups.iter().find(|(_, g)| g.deadlines().any(|deadline| deadline <= now))
        else {
            return;
        };
        let group = group.0.clone();
        let g = self.groups.get_mut(&group).unwrap();
        if due(g.joins_end) {
            g.joins_end = None;
            if let Some((delay, remaining, true)) = g.initial.filter(|(_, remaining, _)| *remaining > 0) {
                let next = self.delay.min(remaining);
                g.initial = Some((next, remaining.saturating_sub(delay), false));
                g.joins_end = Some(now + next);
                return;
            }
            return self.complete(&group);
        }
        if due(g.syncs_end) {
            g.syncs_end = None;
            let late: Vec<String> =
                g.members.iter().filter(|member| member.must_sync).map(|member| member.id.clone()).collect();
            for id in late {
                self.remove(&group, &id, "UNKNOWN_MEMBER_ID");
            }
            return self.prepare(&group);
        }
        if let Some(position) = g.pending.iter().position(|(_, dies)| *dies <= now) {
            g.pending.remove(position);
            if g.state == GroupState::PreparingRebalance && g.all_joined() {
                self.complete(&group);
            }
            return;
        }
        let member = g.members.iter_mut().find(|member| due(member.dies)).unwrap();
        member.dies = None;
        if !member.is_new && (member.joining.is_some() || member.syncing.is_some()) {
            return;
        }
        let id = member.id.clone();
        self.remove(&group, &id, "UNKNOWN_MEMBER_ID");
        let g = self.g(&group);
        match g.state {
            GroupState::Stable | GroupState::CompletingRebalance => self.prepare(&group),
            GroupState::PreparingRebalance if g.all_joined() => self.complete(&group),
            _ => {}
        }
    }

    /// Another broker takes over: nothing but what is stored is left.
    pub(super) fn reload(&mut self) {
        self.groups.clear();
        self.writes.clear();
        let with_offsets = self.offsets.keys().map(|(group, _)| group);
        let ids: BTreeSet<String> = self.stored.keys().chain(with_offsets).cloned().collect();
        for group in ids {
            let stored = self.stored.get(&group).cloned();
            self.create(&group, stored);
        }
    }
}

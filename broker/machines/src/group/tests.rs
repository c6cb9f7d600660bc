//! Transcripts of the group coordinator: what members ask, what they are answered, and what is written.
//!
//! A process joins with the id that it was last given; ids show as the process's name and a number. What is written is
//! committed at once, unless `hold` says otherwise. After every command the log replays to what the shard holds.

mod golden;
mod hostile;
mod model;
mod property;

use super::durable::Durable;
use super::record::CommittedOffset;
use super::*;
use crate::transcript::{self, Command};
use bytes::Bytes;
use protocol::id::{LeaderEpoch, Offset, Timestamp, Uuid};
use std::fmt::Write as _;
use std::time::Duration;

/// Wall time when the monotonic clock starts.
const WALL: i64 = 1_000_000;

pub(super) fn moment(ms: u64) -> Moment {
    Moment {
        monotonic: Monotonic(0).plus(Duration::from_millis(ms)),
        wall: Timestamp(WALL + i64::try_from(ms).unwrap()),
    }
}

/// A consumer's metadata: its topics (version 1 of the embedded protocol, without partitions owned).
pub(super) fn subscription(topics: &[&str]) -> Bytes {
    let mut bytes = vec![0, 1];
    bytes.extend(u32::try_from(topics.len()).unwrap().to_be_bytes());
    for topic in topics {
        bytes.extend(u16::try_from(topic.len()).unwrap().to_be_bytes());
        bytes.extend(topic.as_bytes());
    }
    bytes.extend((-1_i32).to_be_bytes());
    bytes.extend(0_u32.to_be_bytes());
    bytes.into()
}

#[derive(Debug)]
struct Process {
    name: String,
    member_id: String,
    generation: i32,
}

struct Run {
    shard: GroupShard,
    ms: u64,
    entropy: u128,
    processes: Vec<Process>,
    /// Who asked, by the caller's number.
    callers: Vec<String>,
    is_held: bool,
    held: Vec<GroupBatch>,
    log: Vec<GroupRecord>,
}

impl Run {
    fn new() -> Self {
        let mut shard = GroupShard::new(GroupSettings::default());
        shard.loaded(moment(0), &mut Outcome::default());
        Self {
            shard,
            ms: 0,
            entropy: 0,
            processes: Vec::new(),
            callers: Vec::new(),
            is_held: false,
            held: Vec::new(),
            log: Vec::new(),
        }
    }

    fn at(&self) -> Moment {
        moment(self.ms)
    }

    fn process(&mut self, name: &str) -> &mut Process {
        if !self.processes.iter().any(|process| process.name == name) {
            let (name, member_id) = (name.to_owned(), String::new());
            self.processes.push(Process { name, member_id, generation: -1 });
        }
        self.processes.iter_mut().find(|process| process.name == name).unwrap()
    }

    fn caller(&mut self, name: &str) -> Caller {
        self.callers.push(name.to_owned());
        Caller(u64::try_from(self.callers.len() - 1).unwrap())
    }

    /// Shows an outcome; what is not held is committed and shown in turn.
    fn show(&mut self, mut out: Outcome) -> String {
        let mut text = String::new();
        loop {
            for (caller, reply) in std::mem::take(&mut out.replies) {
                let name = self.callers[usize::try_from(caller.0).unwrap()].clone();
                if let Reply::Join(reply) = &reply {
                    let process = self.process(&name);
                    process.member_id.clone_from(&reply.member_id);
                    process.generation = reply.generation_id;
                }
                writeln!(text, "{name}: {}", show_reply(&reply)).unwrap();
            }
            for batch in std::mem::take(&mut out.batches) {
                for record in &batch.records {
                    writeln!(text, "write {}", show_record(record)).unwrap();
                }
                self.held.push(batch);
            }
            if self.is_held || self.held.is_empty() {
                break;
            }
            self.commit(&mut out);
        }
        self.assert_replayed();
        text
    }

    fn commit(&mut self, out: &mut Outcome) {
        let held = std::mem::take(&mut self.held);
        let Some(last) = held.last().map(|batch| batch.id) else { return };
        self.log.extend(held.into_iter().flat_map(|batch| batch.records));
        self.shard.committed(self.at(), last, out);
    }

    /// I20.
    fn assert_replayed(&self) {
        let mut durable = Durable::default();
        for record in &self.log {
            durable.apply(&Change::decode(&record.key, record.value.as_deref()).unwrap());
        }
        if self.shard.phase != Phase::Unloaded {
            assert_eq!(durable, self.shard.shared.durable);
        }
    }

    fn advance(&mut self, to: u64) -> String {
        let mut text = String::new();
        while let Some(due) = self.shard.next_deadline().filter(|due| *due <= moment(to).monotonic) {
            let before = self.ms;
            self.ms = self.ms.max(u64::try_from(due.since(Monotonic(0)).as_millis()).unwrap());
            let mut out = Outcome::default();
            self.shard.tick(self.at(), &mut out);
            let shown = self.show(out);
            if !shown.is_empty() && before != self.ms {
                writeln!(text, "at {}", self.ms).unwrap();
            }
            text.push_str(&shown);
        }
        self.ms = to;
        text
    }

    fn join(&mut self, command: &Command<'_>, out: &mut Outcome) {
        let who = command.text("who").unwrap();
        let is_new = command.text("new").is_some();
        let member_id = command.text("id").map_or_else(|| self.process(who).member_id.clone(), long_id);
        let topics: Vec<&str> = command.text("topics").unwrap_or("t").split(',').collect();
        let protocols =
            command.text("protocols").unwrap_or("range").split(',').filter(|name| !name.is_empty());
        let ms = |key, default| i32::try_from(command.number(key).unwrap_or(default)).unwrap();
        let request = JoinRequest {
            group_id: command.text("group").unwrap_or("g").to_owned(),
            member_id: if is_new { String::new() } else { member_id },
            group_instance_id: command.text("instance").map(str::to_owned),
            client_id: who.to_owned(),
            client_host: "/127.0.0.1".to_owned(),
            session_timeout_ms: ms("session", 10_000),
            rebalance_timeout_ms: ms("rebalance", 60_000),
            protocol_type: command.text("type").unwrap_or("consumer").to_owned(),
            protocols: protocols.map(|name| (name.to_owned(), subscription(&topics))).collect(),
            requires_known_member_id: command.text("v3").is_none(),
            supports_skipping_assignment: command.text("v8").is_none(),
            reason: None,
        };
        self.entropy += 1;
        let caller = self.caller(who);
        self.shard.join(self.at(), caller, request, self.entropy, out);
    }

    fn sync(&mut self, command: &Command<'_>, out: &mut Outcome) {
        let who = command.text("who").unwrap();
        let caller = self.caller(who);
        let assign =
            command.text("assign").unwrap_or_default().split(',').filter_map(|one| one.split_once(':'));
        let assignments: Vec<(String, Bytes)> = assign
            .map(|(name, bytes)| (self.process(name).member_id.clone(), bytes.to_owned().into()))
            .collect();
        let process = self.process(who);
        let request = SyncRequest {
            group_id: command.text("group").unwrap_or("g").to_owned(),
            generation_id: generation(command, process),
            member_id: command.text("id").map_or_else(|| process.member_id.clone(), long_id),
            group_instance_id: command.text("instance").map(str::to_owned),
            protocol_type: command.text("type").map(str::to_owned),
            protocol_name: command.text("protocol").map(str::to_owned),
            assignments,
        };
        self.shard.sync(self.at(), caller, request, out);
    }

    fn heartbeat(&mut self, command: &Command<'_>) -> String {
        let mut text = String::new();
        let at = self.at();
        for who in command.text("who").unwrap().split(',') {
            let process = self.process(who);
            let member_id = command.text("id").map_or_else(|| process.member_id.clone(), long_id);
            let request = HeartbeatRequest {
                group_id: command.text("group").unwrap_or("g"),
                generation_id: generation(command, process),
                member_id: &member_id,
                group_instance_id: command.text("instance"),
            };
            writeln!(text, "{who}: {}", self.shard.heartbeat(at, &request)).unwrap();
        }
        text
    }

    fn leave(&mut self, command: &Command<'_>, out: &mut Outcome) {
        let instance = command.text("instance").map(str::to_owned);
        let names: Vec<&str> = command.text("who").map_or(Vec::new(), |who| who.split(',').collect());
        let mut members: Vec<LeavingMember> = names
            .iter()
            .map(|who| LeavingMember {
                member_id: self.process(who).member_id.clone(),
                ..LeavingMember::default()
            })
            .collect();
        if let (Some(instance), [member]) = (&instance, members.as_mut_slice()) {
            member.group_instance_id = Some(instance.clone());
        } else if instance.is_some() {
            members.push(LeavingMember { group_instance_id: instance, ..LeavingMember::default() });
        }
        let caller = self.caller(names.first().copied().unwrap_or("admin"));
        let group_id = command.text("group").unwrap_or("g").to_owned();
        self.shard.leave(self.at(), caller, LeaveRequest { group_id, members }, out);
    }

    fn commit_offsets(&mut self, command: &Command<'_>, out: &mut Outcome) {
        let who = command.text("who").unwrap_or("admin");
        let (member_id, generation_id) = match command.text("who") {
            Some(who) => {
                let process = self.process(who);
                (command.text("id").unwrap_or(&process.member_id).to_owned(), generation(command, process))
            }
            None => (String::new(), -1),
        };
        let mut topics: Vec<CommitTopic> = Vec::new();
        for one in command.text("offsets").unwrap().split(',') {
            let parts: Vec<&str> = one.split(':').collect();
            let partition = CommitPartition {
                index: PartitionIndex(parts[1].parse().unwrap()),
                offset: Offset(parts[2].parse().unwrap()),
                leader_epoch: LeaderEpoch(parts.get(3).map_or(-1, |epoch| epoch.parse().unwrap())),
                metadata: command.number("metadata").map(|n| "é".repeat(usize::try_from(n).unwrap())),
            };
            let name = parts[0].to_owned();
            let topic_id = command.number("topic_id").map_or(Uuid::ZERO, topic_id);
            topics.push(CommitTopic { name, topic_id, partitions: vec![partition] });
        }
        let request = OffsetCommitRequest {
            group_id: command.text("group").unwrap_or("g").to_owned(),
            generation_id,
            member_id,
            group_instance_id: command.text("instance").map(str::to_owned),
            retention_time_ms: command.number("retention"),
            reports_missing_group: command.text("v9").is_some(),
            topics,
        };
        let caller = self.caller(who);
        self.shard.commit_offsets(self.at(), caller, request, out);
    }

    fn delete(&mut self, command: &Command<'_>, out: &mut Outcome) {
        let caller = self.caller("admin");
        match command.text("topic") {
            Some(topic) => {
                let partitions = command.numbers("partitions").unwrap().into_iter();
                let partitions =
                    partitions.map(|index| PartitionIndex(i32::try_from(index).unwrap())).collect();
                let group_id = command.text("group").unwrap_or("g").to_owned();
                let request = OffsetDeleteRequest { group_id, topics: vec![(topic.to_owned(), partitions)] };
                self.shard.delete_offsets(self.at(), caller, request, out);
            }
            None => {
                let group_ids = command.text("groups").unwrap().split(',').map(str::to_owned).collect();
                self.shard.delete_groups(self.at(), caller, group_ids, out);
            }
        }
    }

    fn fetch(&self, command: &Command<'_>) -> String {
        let group_id = command.text("group").unwrap_or("g");
        let fetched = match command.text("topic") {
            Some(name) => {
                let partitions = command.numbers("partitions").unwrap().into_iter();
                let partitions: Vec<PartitionIndex> =
                    partitions.map(|index| PartitionIndex(i32::try_from(index).unwrap())).collect();
                let topic_id = command.number("topic_id").map_or(Uuid::ZERO, topic_id);
                self.shard.fetch_offsets(group_id, &[FetchTopic { name, topic_id, partitions: &partitions }])
            }
            None => self.shard.fetch_all_offsets(group_id),
        };
        let topics = match fetched {
            Ok(topics) => topics,
            Err(error_code) => return error_code.to_string(),
        };
        let one = |topic: &FetchedTopic, partition: &FetchedOffset| {
            let FetchedOffset { index, offset, leader_epoch, metadata } = partition;
            let text = format!("{}-{index}: {offset} epoch={leader_epoch} {metadata}", topic.name);
            text.trim_end().to_owned()
        };
        let lines = topics.iter().flat_map(|t| t.partitions.iter().map(move |p| one(t, p)));
        lines.collect::<Vec<_>>().join("\n")
    }

    fn describe(&self, command: &Command<'_>) -> String {
        let group = self.shard.describe(command.text("group").unwrap_or("g"));
        let mut text = format!(
            "{} {} {:?} {:?}",
            group.error_code,
            group.state.name(),
            group.protocol_type,
            group.protocol_data
        );
        for member in &group.members {
            let DescribedMember {
                member_id,
                group_instance_id,
                client_id,
                client_host,
                metadata,
                assignment,
            } = member;
            let instance = group_instance_id.as_deref().unwrap_or("-");
            let (member_id, metadata) = (short_id(member_id), metadata.len());
            let assignment = String::from_utf8_lossy(assignment);
            write!(
                text,
                "\n{member_id} {instance} {client_id} {client_host} {metadata} bytes, {assignment:?}"
            )
            .unwrap();
        }
        text
    }

    fn list(&self, command: &Command<'_>) -> String {
        let names =
            |key| command.text(key).map_or(Vec::new(), |all| all.split(',').map(str::to_owned).collect());
        let groups = self.shard.list(&names("states"), &names("types")).unwrap();
        let one = |group: &ListedGroup| {
            format!("{} {:?} {}", group.group_id, group.protocol_type, group.state.name())
        };
        groups.iter().map(one).collect::<Vec<_>>().join("\n")
    }

    /// Another broker takes over: it knows what is committed, and nothing else.
    fn reload(&mut self, out: &mut Outcome) -> String {
        self.shard.unload(out);
        self.held.clear();
        let settings = self.shard.shared.settings.clone();
        self.shard = GroupShard::new(settings);
        for record in &self.log {
            self.shard.replay(Some(&record.key), record.value.as_deref());
        }
        let report = self.shard.loaded(self.at(), out);
        format!("{} groups, {} offsets\n", report.groups, report.offsets)
    }

    fn settings(&mut self, command: &Command<'_>) {
        let settings = &mut self.shard.shared.settings;
        let set = |key: &str, field: &mut usize| {
            if let Some(number) = command.number(key) {
                *field = usize::try_from(number).unwrap();
            }
        };
        set("max_size", &mut settings.max_size);
        set("groups_max", &mut settings.groups_max);
        set("members_max", &mut settings.members_max);
        set("offsets_max", &mut settings.offsets_per_group_max);
        set("in_flight_max", &mut settings.in_flight_max);
        set("member_bytes", &mut settings.member_metadata_max_bytes);
        set("group_bytes", &mut settings.group_metadata_max_bytes);
        if let Some(ms) = command.number("delay") {
            settings.initial_rebalance_delay = Duration::from_millis(ms.unsigned_abs());
        }
        if let Some(ms) = command.number("retention") {
            settings.offsets_retention = Duration::from_millis(ms.unsigned_abs());
        }
    }

    fn command(&mut self, command: &Command<'_>) -> String {
        let mut out = Outcome::default();
        let mut text = String::new();
        match command.verb {
            "settings" => self.settings(command),
            "at" => text = self.advance(command.number("ms").unwrap().unsigned_abs()),
            "join" => self.join(command, &mut out),
            "sync" => self.sync(command, &mut out),
            "heartbeat" => text = self.heartbeat(command),
            "leave" => self.leave(command, &mut out),
            "commit" => self.commit_offsets(command, &mut out),
            "fetch" => text = self.fetch(command),
            "delete" => self.delete(command, &mut out),
            "describe" => text = self.describe(command),
            "list" => text = self.list(command),
            "counts" => text = format!("{:?}", self.shard.counts()),
            "hold" => self.is_held = true,
            "release" => {
                self.is_held = false;
                self.commit(&mut out);
            }
            "fail" => {
                self.is_held = false;
                let code = command.text("code").unwrap();
                let code = *ErrorCode::ALL.iter().find(|error| error.name() == code).unwrap();
                for batch in std::mem::take(&mut self.held) {
                    self.shard.failed(self.at(), batch.id, code, &mut out);
                }
            }
            "time_out" => {
                for batch in self.held.iter().map(|batch| batch.id).collect::<Vec<_>>() {
                    self.shard.timed_out(self.at(), batch, &mut out);
                }
            }
            "expire" => {
                let has_more = self.shard.expire_offsets(self.at(), &mut out);
                assert!(!has_more);
            }
            "topics_deleted" => {
                let names: Vec<&str> = command.text("names").unwrap().split(',').collect();
                self.shard.topics_deleted(self.at(), &names, &mut out);
            }
            "reload" => text = self.reload(&mut out),
            "unload" => self.shard.unload(&mut out),
            verb => panic!("{verb} is no command"),
        }
        text + &self.show(out)
    }
}

fn generation(command: &Command<'_>, process: &Process) -> i32 {
    command.number("generation").map_or(process.generation, |number| i32::try_from(number).unwrap())
}

fn topic_id(number: i64) -> Uuid {
    let mut bytes = [0; 16];
    bytes[8..].copy_from_slice(&number.to_be_bytes());
    Uuid(bytes)
}

/// `a#1` of `a-00000000-0000-4000-8000-000000000001`.
fn short_id(member_id: &str) -> String {
    match member_id.rsplit_once("-00000000-0000-4000-8000-") {
        Some((name, number)) => format!("{name}#{}", u64::from_str_radix(number, 16).unwrap()),
        None => member_id.to_owned(),
    }
}

fn long_id(short: &str) -> String {
    match short.split_once('#') {
        Some((name, number)) => {
            format!("{name}-00000000-0000-4000-8000-{:012x}", number.parse::<u64>().unwrap())
        }
        None => short.to_owned(),
    }
}

fn show_reply(reply: &Reply) -> String {
    match reply {
        Reply::Join(r) if r.error_code.is_error() => {
            format!("join {} id={}", r.error_code, short_id(&r.member_id))
        }
        Reply::Join(r) => {
            let member = |m: &JoinedMember| {
                let instance = m.group_instance_id.as_deref().map_or(String::new(), |id| format!("({id})"));
                format!("{}{instance}", short_id(&m.member_id))
            };
            let members: Vec<String> = r.members.iter().map(member).collect();
            let (protocol, skip) =
                (r.protocol_name.as_deref().unwrap_or("-"), if r.skip_assignment { " skip" } else { "" });
            let (id, leader) = (short_id(&r.member_id), short_id(&r.leader));
            format!(
                "joined {} as {id} by {protocol} leader={leader} members=[{}]{skip}",
                r.generation_id,
                members.join(",")
            )
        }
        Reply::Sync(r) if r.error_code.is_error() => format!("sync {}", r.error_code),
        Reply::Sync(r) => format!("synced {:?}", String::from_utf8_lossy(&r.assignment)),
        Reply::Leave(r) => {
            let one = |m: &LeftMember| {
                let who =
                    m.group_instance_id.as_deref().map_or_else(|| short_id(&m.member_id), str::to_owned);
                format!("{who}:{}", m.error_code)
            };
            format!("leave {} {}", r.error_code, r.members.iter().map(one).collect::<Vec<_>>().join(" "))
        }
        Reply::OffsetCommit(r) => format!("commit {}", show_codes(&r.topics)),
        Reply::OffsetDelete(r) => format!("delete {} {}", r.error_code, show_codes(&r.topics)),
        Reply::DeleteGroups(groups) => {
            let one = |g: &DeletedGroup| format!("{}:{}", g.group_id, g.error_code);
            format!("delete {}", groups.iter().map(one).collect::<Vec<_>>().join(" "))
        }
    }
}

fn show_codes(topics: &[TopicCodes]) -> String {
    let one =
        |t: &TopicCodes, (index, code): &(PartitionIndex, ErrorCode)| format!("{}-{index}:{code}", t.name);
    let all = topics.iter().flat_map(|t| t.partitions.iter().map(move |p| one(t, p)));
    all.collect::<Vec<_>>().join(" ")
}

fn show_record(record: &GroupRecord) -> String {
    match Change::decode(&record.key, record.value.as_deref()).unwrap() {
        Change::Group { group_id, metadata: None } => format!("{group_id} tombstone"),
        Change::Group { group_id, metadata: Some(group) } => {
            let member = |m: &super::record::MemberMetadata| {
                let instance = m.group_instance_id.as_deref().map_or(String::new(), |id| format!("({id})"));
                format!("{}{instance}={}", short_id(&m.member_id), String::from_utf8_lossy(&m.assignment))
            };
            let members: Vec<String> = group.members.iter().map(member).collect();
            let leader = group.leader.as_deref().map_or_else(|| "-".to_owned(), short_id);
            format!(
                "{group_id} generation={} type={:?} protocol={} leader={leader} since={} members=[{}]",
                group.generation,
                group.protocol_type,
                group.protocol.as_deref().unwrap_or("-"),
                group.current_state_timestamp.0 - WALL,
                members.join(",")
            )
        }
        Change::Offset { group_id, topic, partition, offset: None } => {
            format!("{group_id} {topic}-{partition} tombstone")
        }
        Change::Offset { group_id, topic, partition, offset: Some(offset) } => {
            let CommittedOffset { offset, leader_epoch, metadata, expire_timestamp, .. } = &*offset;
            let expire = expire_timestamp.map_or(String::new(), |end| format!(" until={}", end.0 - WALL));
            let metadata = metadata.chars().count();
            format!(
                "{group_id} {topic}-{partition} offset={offset} epoch={leader_epoch} metadata={metadata}{expire}"
            )
        }
    }
}

fn check(name: &str) {
    let mut run = Run::new();
    transcript::check(&format!("group/{name}.txt"), |command| run.command(command));
}

#[test]
fn members_join_sync_and_leave() {
    check("join_sync_leave");
}

#[test]
fn the_first_members_wait_for_more() {
    check("initial_delay");
}

#[test]
fn a_rebalance_waits_for_members_and_drops_the_silent() {
    check("rebalance");
}

#[test]
fn members_agree_on_a_protocol() {
    check("protocols");
}

#[test]
fn static_members_come_back_without_a_rebalance() {
    check("static_members");
}

#[test]
fn requests_that_do_not_fit_are_refused() {
    check("refused");
}

#[test]
fn everything_has_a_limit() {
    check("limits");
}

#[test]
fn offsets_are_committed_fetched_and_deleted() {
    check("offsets");
}

#[test]
fn offsets_and_groups_end() {
    check("expiry");
}

#[test]
fn a_batch_that_fails_changes_nothing() {
    check("failed_batches");
}

#[test]
fn another_broker_goes_on_where_this_one_was() {
    check("reload");
}

#[test]
fn groups_are_spread_over_partitions_as_in_kafka() {
    // From Kafka's own `Utils.abs("...".hashCode()) % 50`.
    let partition = |group_id| partition_for(group_id, 50).0;
    assert_eq!(partition(""), 0);
    assert_eq!(partition("a"), 97 % 50);
    assert_eq!(partition("group"), 98_629_247 % 50);
    // Java's least integer.
    assert_eq!(partition("polygenelubricants"), 0);
}

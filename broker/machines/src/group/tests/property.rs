//! Random members, clocks, failures and coordinators against the model: the same answers to the same callers, the same
//! groups, the same stored state; and after every record the log replays to what is stored (I20).

use super::super::durable::Durable;
use super::super::record::Change;
use super::super::*;
use super::model::Model;
use super::{WALL, show_reply, subscription};
use bytes::Bytes;
use proptest::prelude::*;
use protocol::id::{LeaderEpoch, Offset, Timestamp, Uuid};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

const MS: u64 = 1_000_000;
const GROUPS: [&str; 2] = ["g", "h"];
const PROCESSES: usize = 10;
const CASES: u32 = 400;
/// A Golomb ruler: no two sums of two sessions are the same, so that no two groups have anything due together.
const RULER: [i32; PROCESSES] = [0, 1, 6, 10, 23, 26, 34, 41, 53, 55];

/// What becomes of the batch that a step gives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    Commit,
    Fail,
    Hold,
}

#[derive(Debug, Clone)]
enum Act {
    Join {
        process: usize,
        is_new: bool,
        protocols: usize,
        old_client: bool,
    },
    Sync {
        process: usize,
    },
    Heartbeat {
        process: usize,
    },
    Leave {
        process: usize,
    },
    Commit {
        process: usize,
        partition: i32,
    },
    CommitAlone {
        group: usize,
        partition: i32,
    },
    Delete {
        group: usize,
    },
    /// Everybody joins, waits, and syncs: a group as it should be.
    Gather {
        group: usize,
    },
    Wait {
        ms: u64,
    },
    Release,
    TimeOut,
    Reload,
}

#[derive(Debug, Clone)]
struct Step {
    act: Act,
    fate: Fate,
    ms: u64,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let process = || 0..PROCESSES;
    let act = prop_oneof![
        30 => (process(), prop::bool::weighted(0.15), 0..4_usize, prop::bool::weighted(0.2)).prop_map(
            |(process, is_new, protocols, old_client)| Act::Join { process, is_new, protocols, old_client }
        ),
        25 => process().prop_map(|process| Act::Sync { process }),
        12 => process().prop_map(|process| Act::Heartbeat { process }),
        5 => process().prop_map(|process| Act::Leave { process }),
        6 => (process(), 0..3).prop_map(|(process, partition)| Act::Commit { process, partition }),
        2 => (0..2_usize, 0..3).prop_map(|(group, partition)| Act::CommitAlone { group, partition }),
        2 => (0..2_usize).prop_map(|group| Act::Delete { group }),
        6 => (0..2_usize).prop_map(|group| Act::Gather { group }),
        8 => prop_oneof![4 => 500..4_000_u64, 1 => 4_000..20_000_u64, 1 => 290_000..310_000_u64]
            .prop_map(|ms| Act::Wait { ms }),
        8 => Just(Act::Release),
        6 => Just(Act::TimeOut),
        1 => Just(Act::Reload),
    ];
    let fate = prop_oneof![6 => Just(Fate::Commit), 1 => Just(Fate::Fail), 2 => Just(Fate::Hold)];
    let step = (act, fate, 0..50_u64).prop_map(|(act, fate, ms)| Step { act, fate, ms });
    prop::collection::vec(step, 1..150)
}

/// What a client remembers.
#[derive(Debug, Clone, Default)]
struct Process {
    member_id: String,
    generation: i32,
    members: Vec<String>,
}

struct World {
    shard: GroupShard,
    model: Model,
    processes: Vec<Process>,
    /// Nanoseconds.
    now: u64,
    steps: u64,
    entropy: u128,
    /// Whose answers are awaited: the process that asked, if it remembers the answer.
    waiting: BTreeMap<Caller, Option<usize>>,
    asked: u64,
    held: Vec<GroupBatch>,
    /// From the log's start.
    replayed: Durable,
    log: Vec<GroupRecord>,
}

fn group_of(process: usize) -> &'static str {
    GROUPS[process % 2]
}

/// Four of a group's five processes: two static, of which the first has a rival for its instance id.
fn instance_of(process: usize) -> Option<&'static str> {
    match process / 2 {
        0 | 1 => Some("i"),
        2 => Some("j"),
        _ => None,
    }
}

fn settings() -> GroupSettings {
    GroupSettings { initial_rebalance_delay: Duration::from_millis(2_503), ..GroupSettings::default() }
}

impl World {
    fn new() -> Self {
        let mut world = Self {
            shard: GroupShard::new(settings()),
            model: Model::new(2_503 * MS),
            processes: vec![Process::default(); PROCESSES],
            now: 0,
            steps: 0,
            entropy: 0,
            waiting: BTreeMap::new(),
            asked: 0,
            held: Vec::new(),
            replayed: Durable::default(),
            log: Vec::new(),
        };
        world.shard.loaded(world.at(), &mut Outcome::default());
        world
    }

    fn at(&self) -> Moment {
        let wall = Timestamp(WALL + i64::try_from(self.now / MS).unwrap());
        Moment { monotonic: Monotonic(self.now), wall }
    }

    fn caller(&mut self, process: Option<usize>) -> Caller {
        self.asked += 1;
        self.waiting.insert(Caller(self.asked), process);
        Caller(self.asked)
    }

    /// Compares what was answered, and remembers as a client does.
    fn answered(&mut self, out: &mut Outcome) {
        let mut said: Vec<(Caller, String)> = Vec::new();
        for (caller, reply) in out.replies.drain(..) {
            said.push((caller, show_reply(&reply)));
            let process = self.waiting.remove(&caller).expect("a caller is answered once");
            if let (Some(process), Reply::Join(reply)) = (process, reply) {
                let process = &mut self.processes[process];
                process.member_id.clone_from(&reply.member_id);
                process.generation = reply.generation_id;
                process.members = reply.members.into_iter().map(|member| member.member_id).collect();
            }
        }
        said.sort();
        let mut expected = std::mem::take(&mut self.model.said);
        expected.sort();
        assert_eq!(said, expected);
    }

    /// A step's answers and batch.
    fn settle(&mut self, fate: Fate, mut out: Outcome) {
        self.answered(&mut out);
        let new = out.batches.last().map(|batch| batch.id);
        assert!(out.batches.len() <= 1, "a step writes one batch");
        self.held.append(&mut out.batches);
        assert_eq!(self.held.len(), self.model.in_flight());
        match (fate, new) {
            (Fate::Commit, _) => self.release(),
            (Fate::Fail, Some(new)) => {
                self.held.pop();
                self.model.failed(false);
                self.shard.failed(self.at(), new, ErrorCode::NotEnoughReplicas, &mut out);
                self.settle(Fate::Hold, out);
            }
            (Fate::Fail, None) | (Fate::Hold, _) => {}
        }
    }

    fn release(&mut self) {
        while !self.held.is_empty() {
            let batch = self.held.remove(0);
            let mut out = Outcome::default();
            self.model.committed();
            self.shard.committed(self.at(), batch.id, &mut out);
            for record in batch.records {
                let change = Change::decode(&record.key, record.value.as_deref()).unwrap();
                self.replayed.apply(&change);
                self.log.push(record);
            }
            assert_eq!(self.replayed, self.shard.shared.durable, "I20");
            self.answered(&mut out);
            self.held.append(&mut out.batches);
        }
    }

    fn join(&mut self, process: usize, is_new: bool, protocols: usize, old_client: bool) -> Outcome {
        let names: &[&str] =
            [&["range"][..], &["range", "sticky"], &["sticky", "range"], &["sticky"]][protocols];
        let number = i32::try_from(process).unwrap();
        let member_id = self.processes[process].member_id.clone();
        let request = JoinRequest {
            group_id: group_of(process).to_owned(),
            member_id: if is_new { String::new() } else { member_id },
            group_instance_id: instance_of(process).map(str::to_owned),
            client_id: format!("p{process}"),
            client_host: "/::1".to_owned(),
            session_timeout_ms: 6_001 + 97 * RULER[process],
            rebalance_timeout_ms: 9_011 + 131 * number,
            protocol_type: "consumer".to_owned(),
            protocols: names.iter().map(|name| ((*name).to_owned(), subscription(&["t"]))).collect(),
            requires_known_member_id: !old_client,
            supports_skipping_assignment: !old_client,
            reason: None,
        };
        self.entropy += 1;
        let caller = self.caller(Some(process));
        let prefix = instance_of(process).map_or_else(|| format!("p{process}"), str::to_owned);
        let new_id = format!("{prefix}-00000000-0000-4000-8000-{:012x}", self.entropy);
        self.model.join(caller, &request, &new_id);
        let mut out = Outcome::default();
        self.shard.join(self.at(), caller, request, self.entropy, &mut out);
        out
    }

    fn sync(&mut self, process: usize) -> Outcome {
        let caller = self.caller(None);
        let Process { member_id, generation, members } = self.processes[process].clone();
        let part = |(index, id): (usize, &String)| (id.clone(), format!("{generation}.{index}"));
        let parts: Vec<(String, String)> = members.iter().enumerate().map(part).collect();
        let (group, instance) = (group_of(process), instance_of(process));
        let request = SyncRequest {
            group_id: group.to_owned(),
            generation_id: generation,
            member_id: member_id.clone(),
            group_instance_id: instance.map(str::to_owned),
            protocol_type: None,
            protocol_name: None,
            assignments: parts.iter().map(|(id, part)| (id.clone(), Bytes::from(part.clone()))).collect(),
        };
        self.model.sync(caller, (group, &member_id, instance), generation, parts);
        let mut out = Outcome::default();
        self.shard.sync(self.at(), caller, request, &mut out);
        out
    }

    fn heartbeat(&mut self, process: usize) {
        let at = self.at();
        let Process { member_id, generation, .. } = &mut self.processes[process];
        let (group_id, group_instance_id) = (group_of(process), instance_of(process));
        let request = HeartbeatRequest { group_id, generation_id: *generation, member_id, group_instance_id };
        let said = self.shard.heartbeat(at, &request);
        let expected = self.model.heartbeat((group_id, member_id, group_instance_id), *generation);
        assert_eq!(said.name(), expected);
        if matches!(said, ErrorCode::UnknownMemberId | ErrorCode::FencedInstanceId) {
            member_id.clear();
        }
    }

    fn leave(&mut self, process: usize) -> Outcome {
        let caller = self.caller(None);
        let member_id = self.processes[process].member_id.clone();
        let (group, instance) = (group_of(process), instance_of(process));
        let mut out = Outcome::default();
        if member_id.is_empty() {
            // A client without a member id has nothing to leave.
            self.waiting.remove(&caller);
            return out;
        }
        self.model.leave(caller, (group, &member_id, instance));
        let group_instance_id = instance.map(str::to_owned);
        let members = vec![LeavingMember { member_id, group_instance_id, reason: None }];
        let request = LeaveRequest { group_id: group.to_owned(), members };
        self.shard.leave(self.at(), caller, request, &mut out);
        out
    }

    fn commit(&mut self, group: &str, process: Option<usize>, index: i32) -> Outcome {
        let caller = self.caller(None);
        let (member_id, generation_id, instance) = match process {
            Some(process) => {
                let Process { member_id, generation, .. } = &self.processes[process];
                (member_id.clone(), *generation, instance_of(process))
            }
            None => (String::new(), -1, None),
        };
        let offset = i64::try_from(self.steps).unwrap();
        self.model.commit(caller, (group, &member_id, instance), generation_id, (index, offset));
        let partition = CommitPartition {
            index: PartitionIndex(index),
            offset: Offset(offset),
            leader_epoch: LeaderEpoch(1),
            metadata: Some("m".to_owned()),
        };
        let topic =
            CommitTopic { name: "t".to_owned(), topic_id: Uuid([7; 16]), partitions: vec![partition] };
        let request = OffsetCommitRequest {
            group_id: group.to_owned(),
            generation_id,
            member_id,
            group_instance_id: instance.map(str::to_owned),
            retention_time_ms: None,
            reports_missing_group: false,
            topics: vec![topic],
        };
        let mut out = Outcome::default();
        self.shard.commit_offsets(self.at(), caller, request, &mut out);
        out
    }

    fn delete(&mut self, group: &str) -> Outcome {
        let caller = self.caller(None);
        self.model.delete(caller, group);
        let mut out = Outcome::default();
        self.shard.delete_groups(self.at(), caller, vec![group.to_owned()], &mut out);
        out
    }

    /// Lets time pass, from deadline to deadline.
    fn wait(&mut self, until: u64, fate: Fate) {
        while let Some(due) = self.model.next_deadline().filter(|due| *due <= until) {
            let asked = self.shard.next_deadline().expect("the model has a deadline");
            assert!(asked.0 <= due, "the shard would be called too late");
            self.now = self.now.max(due);
            self.model.now = self.now;
            let mut out = Outcome::default();
            while self.shard.next_deadline().is_some_and(|asked| asked.0 <= self.now) {
                self.shard.tick(self.at(), &mut out);
            }
            while self.model.next_deadline().is_some_and(|due| due <= self.now) {
                self.model.tick();
            }
            self.settle(fate, out);
            self.compare();
        }
        self.now = until;
        self.model.now = until;
    }

    /// The coordinator's leadership moves away and back.
    fn reload(&mut self) {
        let mut out = Outcome::default();
        self.shard.unload(&mut out);
        for (caller, reply) in out.replies.drain(..) {
            assert!(show_reply(&reply).contains("NOT_COORDINATOR"), "{reply:?}");
            self.waiting.remove(&caller).expect("a caller is answered once");
        }
        assert!(self.waiting.is_empty(), "everybody is answered");
        self.held.clear();
        self.model.reload();
        self.shard = GroupShard::new(settings());
        for record in &self.log {
            self.shard.replay(Some(&record.key), record.value.as_deref());
        }
        self.shard.loaded(self.at(), &mut out);
        assert!(out.replies.is_empty() && out.batches.is_empty());
        assert_eq!(self.replayed, self.shard.shared.durable, "I20");
    }

    /// All but the rival of a static member join, twice where they get their id first, and sync.
    fn gather(&mut self, group: usize, fate: Fate) {
        let all = || (0..PROCESSES).filter(|process| process % 2 == group && process / 2 != 1);
        let join = |process| Act::Join { process, is_new: false, protocols: 1, old_client: false };
        let acts =
            all().map(join).chain(all().map(join)).chain([Act::Wait { ms: 2_600 }, Act::Wait { ms: 2_600 }]);
        for act in acts {
            self.step(&Step { act, fate: Fate::Commit, ms: 0 });
        }
        for process in all() {
            self.step(&Step { act: Act::Sync { process }, fate, ms: 0 });
        }
    }

    fn step(&mut self, step: &Step) {
        self.steps += 1;
        // The last digits of a time are the step's number, so that deadlines of different steps never meet.
        let until = (self.now / MS + 1 + step.ms) * MS + self.steps;
        self.wait(until, Fate::Commit);
        let out = match step.act {
            Act::Join { process, is_new, protocols, old_client } => {
                self.join(process, is_new, protocols, old_client)
            }
            Act::Sync { process } => self.sync(process),
            Act::Leave { process } => self.leave(process),
            Act::Commit { process, partition } => self.commit(group_of(process), Some(process), partition),
            Act::CommitAlone { group, partition } => self.commit(GROUPS[group], None, partition),
            Act::Delete { group } => self.delete(GROUPS[group]),
            Act::Heartbeat { process } => {
                self.heartbeat(process);
                Outcome::default()
            }
            Act::Gather { group } => {
                self.gather(group, step.fate);
                Outcome::default()
            }
            Act::Wait { ms } => {
                self.wait(until + ms * MS, step.fate);
                Outcome::default()
            }
            Act::Release => {
                self.release();
                Outcome::default()
            }
            Act::TimeOut => {
                let mut out = Outcome::default();
                if let Some(last) = self.held.last().map(|batch| batch.id)
                    && !self.model.last_is_deletion()
                {
                    self.model.failed(true);
                    self.shard.timed_out(self.at(), last, &mut out);
                }
                out
            }
            Act::Reload => {
                self.reload();
                Outcome::default()
            }
        };
        self.settle(step.fate, out);
        self.compare();
    }

    /// The groups are the model's, and what is counted is what is there.
    fn compare(&self) {
        let ids: BTreeSet<&str> = self.shard.groups.keys().map(|id| &**id).collect();
        assert_eq!(ids, self.model.groups.keys().map(String::as_str).collect());
        for (id, model) in &self.model.groups {
            let group = &self.shard.groups[&**id];
            assert_eq!((group.state, group.generation), (model.state, model.generation));
            assert_eq!(
                (group.leader.as_deref(), &group.protocol_name),
                (model.leader.as_deref(), &model.protocol)
            );
            let members =
                group.members.values().map(|m| (&*m.id, m.group_instance_id.as_deref(), &m.assignment[..]));
            let expected =
                model.members.iter().map(|m| (&*m.id, m.instance.as_deref(), m.assignment.as_bytes()));
            assert_eq!(members.collect::<Vec<_>>(), expected.collect::<Vec<_>>());
            let waiting = group.members.values().filter(|member| member.joining.is_some()).count();
            assert_eq!(group.awaiting_join(), waiting);
            let bytes: usize = group.members.values().map(super::super::member::Member::metadata_bytes).sum();
            assert_eq!(group.metadata_bytes, bytes);
            if group.is(GroupState::Stable) && self.held.is_empty() {
                self.compare_stored(group);
            }
        }
        let counts = self.shard.counts();
        assert_eq!(counts.members, self.model.groups.values().map(|group| group.members.len()).sum());
        let states = counts.empty + counts.preparing_rebalance + counts.completing_rebalance + counts.stable;
        assert_eq!(states, counts.groups);
        // Two of the group's own, and one for each member, with or without a join.
        let people = self.shard.groups.values().map(|group| 2 + group.members.len() + group.pending.len());
        assert!(self.shard.shared.timers.len() <= people.sum());
        let mut offsets = BTreeMap::new();
        self.shard.for_each_offset(&mut |group, _, partition, offset, _| {
            offsets.insert((group.to_owned(), partition.0), offset.0);
        });
        assert_eq!(offsets, self.model.offsets);
    }

    /// A stable group with nothing in flight is the one that is stored.
    fn compare_stored(&self, group: &super::super::membership::Group) {
        let stored = self.replayed.group(&group.id).and_then(|stored| stored.metadata.clone()).unwrap();
        let mut now = group.to_stored(|member| member.assignment.clone());
        // It came into its state when the record was committed.
        now.current_state_timestamp = stored.current_state_timestamp;
        assert_eq!(now, *stored);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: CASES.max(ProptestConfig::default().cases), ..ProptestConfig::default() })]

    #[test]
    fn groups_do_what_the_model_does(steps in steps()) {
        let mut world = World::new();
        for step in &steps {
            world.step(step);
        }
        world.reload();
    }
}

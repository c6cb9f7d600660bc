//! Requests that no honest client sends, in any order and with any fate: nobody is answered twice or never, nothing
//! panics or goes round in circles, and the log still replays to what is stored (I20).

use super::super::durable::Durable;
use super::super::record::Change;
use super::super::*;
use super::{moment, subscription};
use bytes::Bytes;
use proptest::prelude::*;
use protocol::id::{LeaderEpoch, Offset, Uuid};
use std::collections::BTreeSet;
use std::time::Duration;

const CASES: u32 = 300;

/// Numbers of which each request takes what it needs.
type Dice = [u8; 6];

fn pick<'a>(from: &[&'a str], die: u8) -> &'a str {
    from[usize::from(die) % from.len()]
}

/// A timeout, a generation: mostly what could be, sometimes not.
fn number(die: u8) -> i32 {
    [-1, 0, 1, 2, 3, 7_000, 9_000, -5, i32::MAX, i32::MIN][usize::from(die) % 10]
}

struct World {
    shard: GroupShard,
    ms: u64,
    asked: u64,
    waiting: BTreeSet<Caller>,
    /// Ids that were given out, and some that were not.
    ids: Vec<String>,
    held: Vec<GroupBatch>,
    log: Vec<GroupRecord>,
}

fn settings() -> GroupSettings {
    GroupSettings {
        min_session_timeout: Duration::ZERO,
        initial_rebalance_delay: Duration::from_millis(100),
        max_size: 3,
        groups_max: 3,
        members_max: 4,
        offsets_per_group_max: 5,
        offsets_retention: Duration::from_secs(10),
        in_flight_max: 5,
        ..GroupSettings::default()
    }
}

impl World {
    fn id(&self, die: u8) -> String {
        self.ids[usize::from(die) % self.ids.len()].clone()
    }

    /// Mostly the generation that is.
    fn generation(&self, group_id: &str, die: u8) -> i32 {
        let group = self.shard.groups.get(group_id).filter(|_| die < 200);
        group.map_or_else(|| number(die), |group| group.generation)
    }

    fn join(&mut self, caller: Caller, dice: Dice, out: &mut Outcome) {
        let [group, id, instance, protocols, session, rebalance] = dice;
        let topics = ["t", "u"];
        let metadata =
            if protocols > 200 { Bytes::from_static(&[0, 1, 0xff]) } else { subscription(&topics) };
        let protocols = ["a", "ab", "ba", "aab", "ab", "b", ""][usize::from(protocols) % 7];
        let request = JoinRequest {
            group_id: pick(&["g", "g", "g", "g", "h", "i", "j", ""], group).to_owned(),
            member_id: if id < 100 { String::new() } else { self.id(id) },
            group_instance_id: (instance < 100).then(|| pick(&["x", "y"], instance).to_owned()),
            client_id: "client".to_owned(),
            session_timeout_ms: number(session),
            rebalance_timeout_ms: number(rebalance),
            protocol_type: pick(
                &["consumer", "consumer", "consumer", "consumer", "consumer", "connect", ""],
                rebalance,
            )
            .to_owned(),
            protocols: protocols.chars().map(|name| (name.to_string(), metadata.clone())).collect(),
            requires_known_member_id: session % 2 == 0,
            supports_skipping_assignment: group % 2 == 0,
            ..JoinRequest::default()
        };
        self.shard.join(moment(self.ms), caller, request, u128::from(self.asked), out);
    }

    fn commit(&mut self, caller: Caller, dice: Dice, out: &mut Outcome) {
        let [group, id, instance, generation, index, retention] = dice;
        let partition = CommitPartition {
            index: PartitionIndex(i32::from(index % 8)),
            offset: Offset(i64::from(number(retention))),
            leader_epoch: LeaderEpoch(number(index)),
            metadata: None,
        };
        let topics = vec![CommitTopic {
            name: pick(&["t", "u", "v"], index).to_owned(),
            topic_id: Uuid([index; 16]),
            partitions: vec![partition.clone(), partition],
        }];
        let request = OffsetCommitRequest {
            group_id: pick(&["g", "g", "g", "g", "h", "i", "j", ""], group).to_owned(),
            generation_id: number(generation),
            member_id: if id < 100 { String::new() } else { self.id(id) },
            group_instance_id: (instance < 50).then(|| "x".to_owned()),
            retention_time_ms: (retention < 80).then_some(i64::from(number(retention))),
            reports_missing_group: true,
            topics,
        };
        self.shard.commit_offsets(moment(self.ms), caller, request, out);
    }

    fn ask(&mut self, what: u8, dice: Dice) -> Outcome {
        self.asked += 1;
        let caller = Caller(self.asked);
        let mut out = Outcome::default();
        let [group, id, instance, generation, ..] = dice;
        let group_id = pick(&["g", "g", "g", "g", "h", "i", "j", ""], group).to_owned();
        let (member_id, at) = (self.id(id), moment(self.ms));
        let group_instance_id = (instance < 100).then(|| pick(&["x", "y"], instance).to_owned());
        if matches!(what, 0..=15) {
            self.waiting.insert(caller);
        }
        match what {
            0..=5 => self.join(caller, dice, &mut out),
            6..=9 => {
                let assignments = self.ids.iter().map(|id| (id.clone(), Bytes::from_static(b"p"))).collect();
                let (protocol_type, protocol_name) = (None, None);
                let generation_id = self.generation(&group_id, generation);
                let request = SyncRequest {
                    group_id,
                    generation_id,
                    member_id,
                    group_instance_id,
                    protocol_type,
                    protocol_name,
                    assignments,
                };
                self.shard.sync(at, caller, request, &mut out);
            }
            10 | 11 => {
                let members = vec![LeavingMember { member_id, group_instance_id, reason: None }; 2];
                self.shard.leave(at, caller, LeaveRequest { group_id, members }, &mut out);
            }
            12 | 13 => self.commit(caller, dice, &mut out),
            14 => {
                let topics =
                    vec![(pick(&["t", "u"], id).to_owned(), vec![PartitionIndex(0), PartitionIndex(1)])];
                self.shard.delete_offsets(at, caller, OffsetDeleteRequest { group_id, topics }, &mut out);
            }
            15 => self.shard.delete_groups(at, caller, vec![group_id, "g".to_owned()], &mut out),
            16 => self.shard.topics_deleted(at, &["t", "w"], &mut out),
            17 => assert!(!self.shard.expire_offsets(at, &mut out)),
            _ => {
                let request = HeartbeatRequest {
                    group_id: &group_id,
                    generation_id: number(generation),
                    member_id: &member_id,
                    group_instance_id: group_instance_id.as_deref(),
                };
                let _ = self.shard.heartbeat(at, &request);
            }
        }
        out
    }

    /// Time passes; what is written is committed, fails, waits, or is late.
    fn settle(&mut self, fate: u8, mut out: Outcome) {
        for round in 0.. {
            assert!(round < 20, "what a request leads to ends");
            for (caller, reply) in out.replies.drain(..) {
                assert!(self.waiting.remove(&caller), "a caller is answered once");
                if let Reply::Join(reply) = reply {
                    self.ids.push(reply.member_id);
                }
            }
            let batches = std::mem::take(&mut out.batches);
            if batches.is_empty() {
                break;
            }
            for batch in batches {
                assert!(!batch.records.is_empty(), "no batch is empty");
                if fate % 8 == 1 {
                    self.shard.failed(moment(self.ms), batch.id, ErrorCode::NotEnoughReplicas, &mut out);
                } else {
                    self.held.push(batch);
                }
            }
            match (fate % 8, self.held.last().map(|batch| batch.id)) {
                (2 | 3, Some(last)) => self.shard.timed_out(moment(self.ms), last, &mut out),
                (0 | 4.., Some(last)) => {
                    self.log.extend(self.held.drain(..).flat_map(|batch| batch.records));
                    self.shard.committed(moment(self.ms), last, &mut out);
                }
                _ => {}
            }
        }
        self.ids.drain(..self.ids.len().saturating_sub(12));
    }

    fn check(&self) {
        let mut durable = Durable::default();
        for record in &self.log {
            durable.apply(&Change::decode(&record.key, record.value.as_deref()).unwrap());
        }
        assert_eq!(durable, self.shard.shared.durable, "I20");
        let people = self.shard.groups.values().map(|group| 2 + group.members.len() + group.pending.len());
        assert!(self.shard.shared.timers.len() <= people.sum());
        let count = |state| self.shard.groups.values().filter(|group| group.is(state)).count();
        let counts = self.shard.counts();
        assert_eq!(counts.empty, count(GroupState::Empty));
        assert_eq!(counts.stable, count(GroupState::Stable));
        assert_eq!(counts.members, self.shard.groups.values().map(|group| group.members.len()).sum());
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: CASES.max(ProptestConfig::default().cases), ..ProptestConfig::default() })]

    #[test]
    fn nobody_is_forgotten(steps in prop::collection::vec((0..24_u8, any::<Dice>(), any::<u8>(), 0..400_u64), 1..120)) {
        let mut world = World {
            shard: GroupShard::new(settings()),
            ms: 0,
            asked: 0,
            waiting: BTreeSet::new(),
            ids: vec!["nobody".to_owned()],
            held: Vec::new(),
            log: Vec::new(),
        };
        world.shard.loaded(moment(0), &mut Outcome::default());
        for (what, dice, fate, ms) in steps {
            // Now and then long enough for sessions, retention, and a new member's patience.
            world.ms += if ms > 390 { 320_000 } else { ms };
            let mut out = Outcome::default();
            let mut ticks = 0;
            while world.shard.next_deadline().is_some_and(|due| due <= moment(world.ms).monotonic) {
                world.shard.tick(moment(world.ms), &mut out);
                ticks += 1;
                prop_assert!(ticks < 20, "time stands still");
            }
            world.settle(fate, out);
            let out = world.ask(what, dice);
            world.settle(fate, out);
            world.check();
        }
        let mut out = Outcome::default();
        world.shard.unload(&mut out);
        for (caller, _) in out.replies {
            prop_assert!(world.waiting.remove(&caller), "a caller is answered once");
        }
        prop_assert!(world.waiting.is_empty(), "everybody is answered");
    }
}

//! Replicas, their leaders and the controller together, against an adversary: what was acknowledged to all stays.
//!
//! One partition with three replicas and `min.insync.replicas=2`. Metadata, fetches and answers arrive late or never;
//! brokers stop cleanly, or crash and lose what they had not synced. A crash is allowed while the others that are in
//! sync or eligible run: fewer than `min.insync.replicas` are lost at once, which is what KIP-966 promises to survive.

mod steps;

use crate::controller::{
    AlterPartition, ConfigRules, Controller, CreateTopic, Decision, Defaults, FEATURES, Heartbeat,
    Registration, Rejection, bootstrap_records,
};
use crate::image::{ConfigResource, LeaderRecoveryState, PartitionRegistration, ResourceType};
use crate::partition::{
    Acknowledgement, FetchPosition, IsrProposal, LogOffsets, Partition, ProposalFate, Rules, Transition,
};
use protocol::ErrorCode;
use protocol::id::{BrokerEpoch, BrokerId, LeaderEpoch, Monotonic, Offset, PartitionIndex, TopicId, Uuid};
use protocol::metadata_record::BrokerFeature;
use std::collections::BTreeMap;
use std::time::Duration;

struct AnyConfig;

impl ConfigRules for AnyConfig {
    fn validate(&self, _: &ConfigResource, _: &BTreeMap<&str, &str>) -> Result<(), Rejection> {
        Ok(())
    }

    fn is_list(&self, _: ResourceType, _: &str) -> bool {
        false
    }

    fn list_default(&self, _: ResourceType, _: &str) -> Option<String> {
        None
    }

    fn min_insync_replicas(&self) -> usize {
        2
    }
}

/// A record: the epoch that it was written in and a value that no other has.
type Record = (LeaderEpoch, u64);

/// A follower waits for the answer to its latest fetch alone; a leader may see older ones late.
#[derive(Debug, Clone, Copy)]
struct Fetch {
    number: u64,
    from: i32,
    to: i32,
    leader_epoch: LeaderEpoch,
    position: FetchPosition,
    last_epoch: Option<LeaderEpoch>,
}

struct Broker {
    partition: Partition,
    log: Vec<Record>,
    synced: usize,
    running: bool,
    registered: BrokerEpoch,
    /// How many changes of the partition it has applied.
    applied: usize,
    incarnation: u8,
    fetches: u64,
    proposal: Option<IsrProposal>,
    waiting: Vec<(LeaderEpoch, Offset, u64)>,
}

struct World {
    random: u64,
    now: Monotonic,
    controller: Controller,
    end_offset: i64,
    topic: TopicId,
    history: Vec<PartitionRegistration>,
    brokers: BTreeMap<i32, Broker>,
    fetches: Vec<Fetch>,
    acknowledged: BTreeMap<i64, u64>,
    visible: BTreeMap<i64, u64>,
    leaders: BTreeMap<LeaderEpoch, i32>,
    value: u64,
    counts: Counts,
}

#[derive(Debug, Default, Clone, Copy)]
struct Counts {
    acknowledged: usize,
    truncations: usize,
    lossy_crashes: usize,
    empty_isr: usize,
    elr_elections: usize,
}

const RULES: Rules =
    Rules { min_insync_replicas: 2, counts_synced: false, replica_lag_time_max: Duration::from_secs(2) };

fn machine(id: i32, end: usize) -> Partition {
    let end = Offset(i64::try_from(end).unwrap());
    let log = LogOffsets { log_end_offset: end, synced_end_offset: end, high_watermark: Offset(0) };
    Partition::new(BrokerId(id), RULES, log)
}

/// The largest epoch up to `epoch` in a log, and where it ends.
fn epoch_end(log: &[Record], epoch: LeaderEpoch) -> (Option<LeaderEpoch>, usize) {
    let end = log.iter().take_while(|record| record.0 <= epoch).count();
    (end.checked_sub(1).map(|last| log[last].0), end)
}

impl World {
    fn new(seed: u64) -> Self {
        let mut world = Self {
            random: seed,
            now: Monotonic(1_000_000_000),
            controller: Controller::default(),
            end_offset: 0,
            topic: TopicId::ZERO,
            history: Vec::new(),
            brokers: BTreeMap::new(),
            fetches: Vec::new(),
            acknowledged: BTreeMap::new(),
            visible: BTreeMap::new(),
            leaders: BTreeMap::new(),
            value: 0,
            counts: Counts::default(),
        };
        world.take(Decision { records: bootstrap_records(2), response: () });
        for id in 1..=3 {
            let broker = Broker {
                partition: machine(id, 0),
                log: Vec::new(),
                synced: 0,
                running: true,
                registered: BrokerEpoch(-1),
                applied: 0,
                incarnation: 0,
                fetches: 0,
                proposal: None,
                waiting: Vec::new(),
            };
            world.brokers.insert(id, broker);
            world.register(id, BrokerEpoch(-1));
            world.heartbeat(id, false);
        }
        let topic =
            CreateTopic { num_partitions: 1, replication_factor: 3, ..CreateTopic::with_defaults("t") };
        let defaults = Defaults { num_partitions: 1, replication_factor: 3 };
        let mut random = || seed;
        let created =
            world.controller.decide_create_topics(&[topic], false, defaults, &AnyConfig, &mut random);
        world.take(created);
        world.topic = world.controller.image().topic("t").unwrap().id;
        world.note_change();
        world
    }

    fn draw(&mut self, below: u64) -> u64 {
        self.random =
            self.random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.random >> 33) % below
    }

    fn take<R>(&mut self, decision: Decision<R>) -> R {
        for record in &decision.records {
            self.controller.replay(record).unwrap();
        }
        self.end_offset += i64::try_from(decision.records.len()).unwrap();
        self.note_change();
        decision.response
    }

    fn registration(&self) -> &PartitionRegistration {
        self.history.last().unwrap()
    }

    fn note_change(&mut self) {
        let Some(partition) = self.controller.image().partition_by_id(self.topic, PartitionIndex(0)) else {
            return;
        };
        if self.history.last() == Some(&**partition) {
            return;
        }
        let before =
            self.history.last().map(|before| (before.leader, before.elr.clone(), before.isr.clone()));
        if let Some((leader, elr, isr)) = before {
            let elected = partition.leader != leader && partition.leader != BrokerId::NONE;
            self.counts.elr_elections +=
                usize::from(elected && elr.contains(&partition.leader) && !isr.contains(&partition.leader));
        }
        self.counts.empty_isr += usize::from(partition.isr.is_empty());
        self.history.push((**partition).clone());
    }

    fn event(&mut self) {
        let id = i32::try_from(1 + self.draw(3)).unwrap();
        self.now = self.now.plus(Duration::from_millis(50));
        let running = self.brokers[&id].running;
        match self.draw(100) {
            0..=24 if running => self.produce(id),
            25..=49 if running => self.ask(id),
            50..=69 if !self.fetches.is_empty() => {
                let at = usize::try_from(self.draw(self.fetches.len() as u64)).unwrap();
                let fetch = self.fetches.remove(at);
                self.deliver(fetch);
            }
            70..=79 if running => self.learn(id),
            80..=86 if running => self.change_isr(id),
            87 => {
                let lossy = self.draw(2) == 0;
                self.crash(id, lossy);
            }
            // Fenced because it is dead, or because nobody hears of it.
            88 => {
                let decision = self.controller.decide_fence_broker(BrokerId(id), &AnyConfig);
                self.take(decision);
            }
            89..=92 if running => {
                self.heartbeat(id, false);
            }
            93..=95 => self.start(id, BrokerEpoch(-1)),
            96 => self.stop(id),
            97 | 98 => {
                let broker = self.brokers.get_mut(&id).unwrap();
                broker.synced = broker.log.len();
            }
            _ => self.now = self.now.plus(Duration::from_millis(500)),
        }
        self.check();
    }

    fn check(&mut self) {
        for (id, broker) in self.brokers.iter_mut().filter(|(_, broker)| broker.running) {
            let (partition, acknowledged) = (&broker.partition, &mut self.acknowledged);
            broker.waiting.retain(|(epoch, end, value)| match partition.acknowledgement(*epoch, *end) {
                Acknowledgement::Waits => true,
                Acknowledgement::Failed(_) => false,
                Acknowledgement::Done => {
                    let before = acknowledged.insert(end.0 - 1, *value);
                    assert!(before.is_none_or(|before| before == *value), "I2: offset {} twice", end.0 - 1);
                    false
                }
            });
            let high_watermark = usize::try_from(partition.high_watermark().0).unwrap();
            assert!(high_watermark <= broker.log.len(), "I6: {id} has a high watermark beyond its log");
            if partition.is_leader() {
                for (offset, record) in broker.log.iter().enumerate().take(high_watermark) {
                    let offset = i64::try_from(offset).unwrap();
                    let before = *self.visible.entry(offset).or_insert(record.1);
                    assert_eq!(before, record.1, "I2: readers saw two values at {offset}, now of {id}");
                }
            }
        }
        self.counts.acknowledged = self.acknowledged.len();
        let registration = self.history.last().unwrap();
        assert!(
            registration.isr.len() < 2 || registration.elr.is_empty(),
            "I11: nobody is eligible while enough are in sync"
        );
        let members = registration.isr.iter().chain(&registration.elr);
        for member in members.chain([&registration.leader]).filter(|member| **member != BrokerId::NONE) {
            let broker = &self.brokers[&member.0];
            if !broker.running {
                continue;
            }
            for (offset, value) in &self.acknowledged {
                let record = broker.log.get(usize::try_from(*offset).unwrap());
                assert_eq!(
                    record.map(|record| record.1),
                    Some(*value),
                    "I1, I10: broker {member} lacks offset {offset}, which was acknowledged; {registration:?}"
                );
            }
        }
    }

    /// Faults end: the partition must serve again.
    fn heal(&mut self) {
        for id in 1..=3 {
            self.start(id, BrokerEpoch(-1));
            self.heartbeat(id, false);
        }
        let before = self.acknowledged.len();
        for _ in 0..3000 {
            let id = i32::try_from(1 + self.draw(3)).unwrap();
            self.now = self.now.plus(Duration::from_millis(20));
            match self.draw(5) {
                0 => self.learn(id),
                1 => self.change_isr(id),
                2 if self.acknowledged.len() < before + 3 => self.produce(id),
                _ => {
                    self.ask(id);
                    if let Some(fetch) = self.fetches.pop() {
                        self.deliver(fetch);
                    }
                }
            }
            self.check();
        }
        let registration = self.registration();
        assert!(self.acknowledged.len() >= before + 3, "I25: no writes after healing: {registration:?}");
        assert_eq!(registration.isr.len(), 3, "I25: everybody is in sync again: {registration:?}");
    }
}

/// More with `SEEDS=10000 cargo test -p machines acknowledged_`; `FIRST_SEED` skips some.
#[test]
fn acknowledged_records_survive() {
    let number = |name: &str| std::env::var(name).ok().and_then(|value| value.parse::<u64>().ok());
    let first = number("FIRST_SEED").unwrap_or(0);
    let mut total = Counts::default();
    for seed in first..first + number("SEEDS").unwrap_or(40) {
        let run = std::panic::catch_unwind(|| {
            let mut world = World::new(seed);
            for _ in 0..1500 {
                world.event();
            }
            world.heal();
            world.counts
        });
        let counts = run.unwrap_or_else(|_| panic!("seed {seed}"));
        total.acknowledged += counts.acknowledged;
        total.truncations += counts.truncations;
        total.lossy_crashes += counts.lossy_crashes;
        total.empty_isr += counts.empty_isr;
        total.elr_elections += counts.elr_elections;
    }
    let happened = total.truncations > 0 && total.lossy_crashes > 0 && total.elr_elections > 0;
    assert!(happened && total.empty_isr > 0 && total.acknowledged > 300, "what is to be survived: {total:?}");
}

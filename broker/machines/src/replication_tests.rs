//! Replicas, their leaders and the controller together, against an adversary: what was acknowledged to all stays.
//!
//! One partition with three replicas and `min.insync.replicas=2`. Metadata, fetches and answers arrive late or never;
//! brokers stop cleanly, or crash and lose what they had not synced. A crash is allowed while the others that are in
//! sync or eligible run: fewer than `min.insync.replicas` are lost at once, which is what KIP-966 promises to survive.

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

    fn register(&mut self, id: i32, previous: BrokerEpoch) {
        let feature = |f: &crate::controller::Feature| BrokerFeature {
            name: f.name.to_owned(),
            min_supported_version: f.min_level,
            max_supported_version: f.max_level,
        };
        let broker = self.brokers.get_mut(&id).unwrap();
        broker.incarnation += 1;
        let registration = Registration {
            broker_id: BrokerId(id),
            incarnation_id: Uuid([broker.incarnation; 16]),
            previous_broker_epoch: previous,
            listeners: Vec::new(),
            features: FEATURES.iter().map(feature).collect(),
            rack: None,
            log_dirs: vec![Uuid([200 + u8::try_from(id).unwrap(); 16])],
        };
        let offset = Offset(self.end_offset);
        let decision =
            self.controller.decide_register_broker(&registration, offset, false, &AnyConfig).unwrap();
        let epoch = self.take(decision);
        self.brokers.get_mut(&id).unwrap().registered = epoch;
    }

    fn heartbeat(&mut self, id: i32, stop: bool) -> bool {
        let heartbeat = Heartbeat {
            broker_id: BrokerId(id),
            broker_epoch: self.brokers[&id].registered,
            current_metadata_offset: Offset(self.end_offset),
            want_fence: false,
            want_shut_down: stop,
        };
        let decision = self.controller.decide_heartbeat(&heartbeat, &AnyConfig).unwrap();
        self.take(decision).should_shut_down
    }

    /// The broker learns of the next change of the partition.
    fn learn(&mut self, id: i32) {
        let now = self.now;
        let broker = self.brokers.get_mut(&id).unwrap();
        let Some(registration) = self.history.get(broker.applied) else { return };
        broker.applied += 1;
        match broker.partition.apply(now, registration) {
            Transition::Leader { begins: Some(begins) } => {
                assert_eq!(
                    usize::try_from(begins.0),
                    Ok(broker.log.len()),
                    "an epoch begins at the log's end"
                );
                let epoch = broker.partition.leader_epoch();
                assert_eq!(*self.leaders.entry(epoch).or_insert(id), id, "two leaders in epoch {epoch}");
                broker.proposal = None;
            }
            Transition::Leader { begins: None } | Transition::Stale => {}
            Transition::Follower { .. } | Transition::Offline => broker.proposal = None,
        }
    }

    fn produce(&mut self, id: i32) {
        self.value += 1;
        let (now, value) = (self.now, self.value);
        let broker = self.brokers.get_mut(&id).unwrap();
        if let Ok(epoch) = broker.partition.check_append(true) {
            broker.log.push((epoch, value));
            let end = Offset(i64::try_from(broker.log.len()).unwrap());
            broker.partition.appended(now, end);
            broker.waiting.push((epoch, end, value));
        }
    }

    fn ask(&mut self, id: i32) {
        let eligible = self.draw(10) > 0;
        let broker = &self.brokers[&id];
        let to = broker.partition.leader();
        if broker.partition.is_leader() || to == BrokerId::NONE {
            return;
        }
        let position = FetchPosition {
            fetch_offset: Offset(i64::try_from(broker.log.len()).unwrap()),
            broker_epoch: broker.registered,
            eligible,
        };
        let leader_epoch = broker.partition.leader_epoch();
        let last_epoch = broker.log.last().map(|record| record.0);
        if self.fetches.len() < 6 {
            let broker = self.brokers.get_mut(&id).unwrap();
            broker.fetches += 1;
            let number = broker.fetches;
            self.fetches.push(Fetch { number, from: id, to: to.0, leader_epoch, position, last_epoch });
        }
    }

    fn deliver(&mut self, fetch: Fetch) {
        let now = self.now;
        let Some(leader) = self.brokers.get_mut(&fetch.to).filter(|leader| leader.running) else { return };
        if leader.partition.check_leader(fetch.leader_epoch).is_err() {
            return;
        }
        let offset = usize::try_from(fetch.position.fetch_offset.0).unwrap();
        let diverges = fetch.last_epoch.and_then(|epoch| {
            let (found, end) = epoch_end(&leader.log, epoch);
            (found != Some(epoch) || end < offset).then_some((found, end))
        });
        let mut records = Vec::new();
        if diverges.is_none() {
            if offset > leader.log.len()
                || leader.partition.follower_fetched(now, BrokerId(fetch.from), fetch.position).is_err()
            {
                return;
            }
            records = leader.log[offset..].to_vec();
            records.truncate(3);
        }
        let high_watermark = leader.partition.high_watermark();
        // The answer may be lost, or find another process.
        let lost = self.draw(8) == 0;
        let follower = self.brokers.get_mut(&fetch.from).unwrap();
        let same = follower.running
            && follower.fetches == fetch.number
            && follower.registered == fetch.position.broker_epoch
            && follower.partition.leader_epoch() == fetch.leader_epoch
            && !follower.partition.is_leader()
            && follower.log.len() == offset;
        if lost || !same {
            return;
        }
        if let Some((epoch, end)) = diverges {
            let own = epoch.map_or(0, |epoch| epoch_end(&follower.log, epoch).1);
            let cut = end.min(own);
            assert!(cut < follower.log.len(), "a diverging log gets shorter");
            follower.log.truncate(cut);
            follower.synced = follower.synced.min(cut);
            follower.partition.truncated(Offset(i64::try_from(cut).unwrap()));
            self.counts.truncations += 1;
            return;
        }
        follower.log.extend(records);
        let end = Offset(i64::try_from(follower.log.len()).unwrap());
        follower.partition.follower_appended(end, high_watermark);
    }

    fn change_isr(&mut self, id: i32) {
        let now = self.now;
        let broker = self.brokers.get_mut(&id).unwrap();
        if broker.proposal.is_none() {
            broker.proposal = broker.partition.propose_isr(now);
        }
        let Some(proposal) = broker.proposal.clone() else { return };
        let request = AlterPartition {
            topic_id: self.topic,
            index: PartitionIndex(0),
            leader_epoch: proposal.leader_epoch,
            partition_epoch: proposal.partition_epoch,
            isr: proposal.isr.clone(),
            leader_recovery_state: LeaderRecoveryState::Recovered,
        };
        let asker = broker.registered;
        let Ok(decision) =
            self.controller.decide_alter_partition(BrokerId(id), asker, &[request], &AnyConfig)
        else {
            return;
        };
        let result = self.take(decision).remove(0);
        // The answer may be lost: the leader cannot know whether it was applied.
        let result = if self.draw(4) == 0 { Err(ErrorCode::RequestTimedOut) } else { result };
        let broker = self.brokers.get_mut(&id).unwrap();
        match result {
            Ok(altered) => {
                broker.proposal = None;
                let (epoch, partition_epoch) = (altered.leader_epoch, altered.partition_epoch);
                broker.partition.proposal_accepted(now, epoch, &altered.isr, partition_epoch);
            }
            Err(error) => {
                if broker.partition.proposal_failed(error) != ProposalFate::Retry {
                    broker.proposal = None;
                }
            }
        }
    }

    fn crash(&mut self, id: i32, lossy: bool) {
        let registration = self.registration();
        let mut others =
            registration.isr.iter().chain(&registration.elr).filter(|member| member.0 != id).peekable();
        // One that is down counts as lost, though the controller does not know yet.
        let survives = others.peek().is_some() && others.all(|member| self.brokers[&member.0].running);
        let broker = self.brokers.get_mut(&id).unwrap();
        if !broker.running || !survives {
            return;
        }
        broker.running = false;
        broker.waiting.clear();
        broker.proposal = None;
        if lossy && broker.synced < broker.log.len() {
            let keep = broker.synced;
            broker.log.truncate(keep);
            self.counts.lossy_crashes += 1;
        }
    }

    fn start(&mut self, id: i32, previous: BrokerEpoch) {
        if self.brokers[&id].running {
            return;
        }
        self.register(id, previous);
        let broker = self.brokers.get_mut(&id).unwrap();
        broker.running = true;
        broker.partition = machine(id, broker.log.len());
        // It learns anew from the latest image.
        broker.applied = self.history.len() - 1;
        self.learn(id);
        self.heartbeat(id, false);
    }

    fn stop(&mut self, id: i32) {
        if self.brokers[&id].running && (self.heartbeat(id, true) || self.heartbeat(id, true)) {
            let broker = self.brokers.get_mut(&id).unwrap();
            broker.synced = broker.log.len();
            (broker.running, broker.proposal) = (false, None);
            broker.waiting.clear();
            let epoch = self.brokers[&id].registered;
            self.start(id, epoch);
        }
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

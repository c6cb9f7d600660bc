//! Transcripts of the controller: requests, the records that it decides on, and its answers. Each decision is replayed
//! as the active controller does. Brokers register with one directory unless told otherwise.

use super::*;
use crate::image::LeaderRecoveryState;
use crate::quorum::batch;
use crate::transcript::{self, Command};
use protocol::id::{BrokerEpoch, LeaderEpoch, Offset, PartitionEpoch, PartitionIndex, Timestamp};
use protocol::metadata_record::{BrokerEndpoint, BrokerFeature};
use std::fmt::Write as _;

/// A few keys, checked as far as these tests go.
struct Keys;

impl ConfigRules for Keys {
    fn validate(&self, _: &ConfigResource, configs: &BTreeMap<&str, &str>) -> Result<(), Rejection> {
        let invalid = |message| Err(Rejection::new(ErrorCode::InvalidConfig, message));
        for (key, value) in configs {
            let is_number = matches!(*key, "retention.ms" | "min.insync.replicas");
            if !is_number && !self.is_list(ResourceType::Topic, key) {
                return invalid(format!("Unknown topic config name: {key}"));
            }
            if is_number && value.parse::<i64>().is_err() {
                return invalid(format!(
                    "Invalid value {value} for configuration {key}: Not a number of type LONG"
                ));
            }
        }
        Ok(())
    }

    fn is_list(&self, _: ResourceType, key: &str) -> bool {
        key == "cleanup.policy"
    }

    fn list_default(&self, _: ResourceType, key: &str) -> Option<String> {
        (key == "cleanup.policy").then(|| "delete".to_owned())
    }

    fn min_insync_replicas(&self) -> usize {
        1
    }
}

#[derive(Default)]
struct Run {
    controller: Controller,
    drawn: u64,
    end_offset: i64,
}

fn broker(id: i64) -> BrokerId {
    BrokerId(i32::try_from(id).unwrap())
}

fn ids<T: std::fmt::Display>(ids: &[T]) -> String {
    ids.iter().map(ToString::to_string).collect::<Vec<_>>().join(",")
}

fn describe(record: &MetadataRecord, image: &MetadataImage) -> String {
    let name = |id| image.topic_by_id(id).map_or_else(|| "?".to_owned(), |topic| topic.name.to_string());
    let some = |what: &str, value: Option<&Vec<BrokerId>>| {
        value.map_or(String::new(), |value| format!(" {what}=[{}]", ids(value)))
    };
    match record {
        MetadataRecord::Topic(r) => format!("Topic {}", r.name),
        MetadataRecord::RemoveTopic(r) => format!("RemoveTopic {}", name(r.topic_id)),
        MetadataRecord::Partition(r) => format!(
            "Partition {} replicas={} isr={} leader={}",
            r.partition_id,
            ids(&r.replicas),
            ids(&r.isr),
            r.leader
        ),
        MetadataRecord::PartitionChange(r) => {
            let leader = if r.leader.0 == -2 { String::new() } else { format!(" leader={}", r.leader) };
            let state = match r.leader_recovery_state {
                1 => " recovering",
                0 => " recovered",
                _ => "",
            };
            let (isr, elr) = (some("isr", r.isr.as_ref()), some("elr", r.eligible_leader_replicas.as_ref()));
            let last = some("last_known_elr", r.last_known_elr.as_ref());
            format!("PartitionChange {}-{}{leader}{isr}{elr}{last}{state}", name(r.topic_id), r.partition_id)
        }
        MetadataRecord::Config(r) => {
            let value = r.value.as_ref().map_or("(deleted)", |value| value);
            format!("Config {}:{} {}={value}", r.resource_type, r.resource_name, r.name)
        }
        MetadataRecord::RegisterBroker(r) => {
            format!("RegisterBroker {} epoch={} fenced={}", r.broker_id, r.broker_epoch, r.fenced)
        }
        MetadataRecord::BrokerRegistrationChange(r) => {
            format!(
                "BrokerRegistrationChange {} fenced={} stops={}{}",
                r.broker_id,
                r.fenced,
                r.in_controlled_shutdown,
                r.cordoned_log_dirs.as_ref().map_or(String::new(), |d| format!(" cordoned={}", d.len()))
            )
        }
        MetadataRecord::UnregisterBroker(r) => format!("UnregisterBroker {}", r.broker_id),
        MetadataRecord::ProducerIds(r) => format!("ProducerIds next={}", r.next_producer_id),
        other => format!("{other:?}"),
    }
}

impl Run {
    fn take<R>(&mut self, decision: Decision<R>) -> (String, R) {
        let mut out = String::new();
        for record in &decision.records {
            writeln!(out, "{}", describe(record, self.controller.image())).unwrap();
            self.controller.replay(record).unwrap();
        }
        if !decision.records.is_empty() {
            // As it is proposed and read by everybody.
            let bytes = batch::encode_records(&decision.records, Timestamp(0)).unwrap();
            assert_eq!(batch::decode_records(&bytes).unwrap(), decision.records);
        }
        self.end_offset += i64::try_from(decision.records.len()).unwrap();
        (out, decision.response)
    }

    fn take_all<R: std::fmt::Debug>(&mut self, decision: Decision<PerTopic<R>>) -> String {
        let (mut out, response) = self.take(decision);
        for (name, result) in response {
            writeln!(out, "{name}: {}", outcome(result)).unwrap();
        }
        out
    }

    fn create(&mut self, command: &Command<'_>) -> String {
        let configs = command.text("config").map_or(Vec::new(), |configs| {
            configs.split(';').map(|pair| pair.split_once(':').map_or((pair.to_owned(), None), set)).collect()
        });
        let assignments = command.text("assign").map_or(Vec::new(), |all| {
            let one = |text: &str| {
                let (index, brokers) = text.split_once(':').unwrap();
                (PartitionIndex(index.parse().unwrap()), brokers_of(brokers))
            };
            all.split(';').map(one).collect()
        });
        let unset = command.text("assign").map_or(1, |_| -1);
        let topic = |name: &str| CreateTopic {
            name: name.replace("(empty)", ""),
            num_partitions: i32::try_from(command.number("partitions").unwrap_or(unset)).unwrap(),
            replication_factor: i16::try_from(command.number("replicas").unwrap_or(unset)).unwrap(),
            assignments: assignments.clone(),
            configs: configs.clone(),
        };
        let topics: Vec<CreateTopic> = command.text("name").unwrap().split(',').map(topic).collect();
        let defaults = Defaults { num_partitions: 2, replication_factor: 1 };
        let drawn = &mut self.drawn;
        let mut random = || next(drawn);
        let only = command.text("validate_only").is_some();
        let decision = self.controller.decide_create_topics(&topics, only, defaults, &Keys, &mut random);
        for (_, result) in &decision.response {
            assert_eq!(
                result.as_ref().is_ok_and(|created| created.topic_id.is_zero()),
                only && result.is_ok()
            );
        }
        let counts = |created: CreatedTopic| (created.num_partitions, created.replication_factor);
        let response = decision.response.into_iter().map(|(name, r)| (name, r.map(counts))).collect();
        self.take_all(Decision { records: decision.records, response })
    }

    fn add_partitions(&mut self, command: &Command<'_>) -> String {
        let assignments = command.text("assign").map(|all| all.split(';').map(brokers_of).collect());
        let topic = |name: &str| CreatePartitions {
            name: name.to_owned(),
            count: i32::try_from(command.number("count").unwrap()).unwrap(),
            assignments: Clone::clone(&assignments),
        };
        let topics: Vec<CreatePartitions> = command.text("name").unwrap().split(',').map(topic).collect();
        let drawn = &mut self.drawn;
        let only = command.text("validate_only").is_some();
        let decision = self.controller.decide_create_partitions(&topics, only, &mut || next(drawn));
        self.take_all(decision)
    }

    fn delete(&mut self, command: &Command<'_>) -> String {
        let mut topics: Vec<DeleteTopic> = Vec::new();
        for name in command.text("name").unwrap_or_default().split(',').filter(|name| !name.is_empty()) {
            topics.push(DeleteTopic { name: Some(name.to_owned()), ..DeleteTopic::default() });
        }
        for name in command.text("id_of").unwrap_or_default().split(',').filter(|name| !name.is_empty()) {
            let topic_id = self.controller.image().topic(name).map_or(Uuid([9; 16]), |topic| topic.id);
            topics.push(DeleteTopic { name: None, topic_id });
        }
        if let Some(name) = command.text("both") {
            topics.push(DeleteTopic { name: Some(name.to_owned()), topic_id: Uuid([9; 16]) });
        }
        if command.text("neither").is_some() {
            topics.push(DeleteTopic::default());
        }
        let decision = self.controller.decide_delete_topics(&topics);
        let (mut out, response) = self.take(decision);
        for topic in response {
            writeln!(out, "{}: {}", topic.name.as_deref().unwrap_or("(id)"), outcome(topic.result)).unwrap();
        }
        out
    }

    fn alter(&mut self, command: &Command<'_>) -> String {
        let config = |(key, operation): (&str, i8)| {
            let (name, value) = key.split_once(':').map_or((key, None), |(name, value)| (name, Some(value)));
            AlterConfig { name: name.to_owned(), operation, value: value.map(str::to_owned) }
        };
        let operations = [("set", 0), ("delete", 1), ("append", 2), ("subtract", 3), ("nonsense", 4)];
        let keys = operations.iter().flat_map(|(verb, operation)| {
            command.text(verb).into_iter().flat_map(|keys| keys.split(';')).map(|key| (key, *operation))
        });
        let configs: Vec<AlterConfig> = keys.map(config).collect();
        let resource = |name: &str| AlterResource {
            resource_type: i8::try_from(command.number("type").unwrap_or(2)).unwrap(),
            name: name.to_owned(),
            configs: configs.clone(),
        };
        let resources: Vec<AlterResource> =
            command.text("name").unwrap_or("").split(',').map(resource).collect();
        let only = command.text("validate_only").is_some();
        let decision = if command.verb == "replace" {
            self.controller.decide_replace_configs(&resources, only, &Keys)
        } else {
            self.controller.decide_alter_configs(&resources, only, &Keys)
        };
        let (mut out, response) = self.take(decision);
        for result in response {
            writeln!(out, "{}", outcome(result)).unwrap();
        }
        out
    }

    fn register(&mut self, command: &Command<'_>) -> String {
        let id = command.number("id").unwrap();
        let directory = |number: i64| Uuid([u8::try_from(number).unwrap(); 16]);
        let directories = command.numbers("dirs").unwrap_or_else(|| vec![100 + id]);
        let level = i16::try_from(command.number("metadata_version").unwrap_or(30)).unwrap();
        let feature = |feature: &Feature| BrokerFeature {
            name: feature.name.to_owned(),
            min_supported_version: feature.min_level,
            max_supported_version: feature.max_level.min(level),
        };
        let registration = Registration {
            broker_id: broker(id),
            incarnation_id: directory(command.number("incarnation").unwrap_or(1)),
            previous_broker_epoch: BrokerEpoch(command.number("previous").unwrap_or(-1)),
            listeners: vec![BrokerEndpoint { name: "EXTERNAL".into(), ..BrokerEndpoint::default() }],
            features: FEATURES.iter().map(feature).collect(),
            rack: command.text("rack").map(str::to_owned),
            log_dirs: directories.into_iter().map(directory).collect(),
        };
        let has_session = command.text("alive").is_some();
        let offset = Offset(self.end_offset);
        match self.controller.decide_register_broker(&registration, offset, has_session, &Keys) {
            Ok(decision) => self.take(decision).0,
            Err(rejection) => outcome::<()>(Err(rejection)),
        }
    }

    fn heartbeat(&mut self, command: &Command<'_>) -> String {
        let mut out = String::new();
        for id in command.numbers("id").unwrap() {
            let epoch =
                self.controller.image().broker(broker(id)).map_or(BrokerEpoch(0), |broker| broker.epoch);
            let heartbeat = Heartbeat {
                broker_id: broker(id),
                broker_epoch: command.number("epoch").map_or(epoch, BrokerEpoch),
                current_metadata_offset: Offset(command.number("applied").unwrap_or(self.end_offset)),
                want_fence: command.text("fence").is_some(),
                want_shut_down: command.text("stop").is_some(),
            };
            match self.controller.decide_heartbeat(&heartbeat, &Keys) {
                Ok(decision) => {
                    let (records, answer) = self.take(decision);
                    let state = if answer.is_fenced { "fenced" } else { "unfenced" };
                    let stop = if answer.should_shut_down { ", may stop" } else { "" };
                    let behind = if answer.is_caught_up { "" } else { ", behind" };
                    writeln!(out, "{records}{id} {state}{behind}{stop}").unwrap();
                }
                Err(rejection) => out.push_str(&outcome::<()>(Err(rejection))),
            }
        }
        out
    }

    fn features(&mut self, command: &Command<'_>) -> String {
        let upgrade = i8::try_from(command.number("upgrade").unwrap_or(1)).unwrap();
        let update = |text: &str| {
            let (name, level) = text.split_once(':').unwrap();
            let (name, level) = (name.to_owned(), level.parse().unwrap());
            FeatureUpdate { name, level, upgrade: Upgrade::from_wire(upgrade) }
        };
        let updates: Vec<_> = command.text("set").unwrap().split(',').map(update).collect();
        let only = command.text("validate_only").is_some();
        let (mut out, response) = self.take(self.controller.decide_update_features(&updates, only, &Keys));
        writeln!(out, "{}", outcome(response)).unwrap();
        out
    }

    fn isr(&mut self, command: &Command<'_>) -> String {
        let number = |key: &str| i32::try_from(command.number(key).unwrap_or(0)).unwrap();
        let by = BrokerId(number("by"));
        let member = |text: &str| {
            let (id, epoch) = text.split_once('@').unwrap_or((text, "-1"));
            (BrokerId(id.parse().unwrap()), BrokerEpoch(epoch.parse().unwrap()))
        };
        let recovering = command.text("recovering").is_some();
        let request = AlterPartition {
            topic_id: self
                .controller
                .image()
                .topic(command.text("of").unwrap())
                .map_or(Uuid([9; 16]), |t| t.id),
            index: PartitionIndex(number("index")),
            leader_epoch: LeaderEpoch(number("epoch")),
            partition_epoch: PartitionEpoch(number("partition_epoch")),
            isr: command.text("isr").unwrap().split(',').filter(|m| !m.is_empty()).map(member).collect(),
            leader_recovery_state: LeaderRecoveryState::from_wire(i8::from(recovering)),
        };
        let epoch = self.controller.image().broker(by).map_or(BrokerEpoch(0), |broker| broker.epoch);
        let epoch = command.number("broker_epoch").map_or(epoch, BrokerEpoch);
        match self.controller.decide_alter_partition(by, epoch, &[request], &Keys) {
            Ok(decision) => {
                let (mut out, response) = self.take(decision);
                for result in response {
                    match result {
                        Ok(p) => {
                            let (isr, epochs) = (ids(&p.isr), (p.leader_epoch.0, p.partition_epoch.0));
                            let state = p.leader_recovery_state;
                            writeln!(out, "leader={} isr={isr} epochs={epochs:?} {state:?}", p.leader)
                                .unwrap();
                        }
                        Err(error) => writeln!(out, "{}", error.name()).unwrap(),
                    }
                }
                out
            }
            Err(rejection) => outcome::<()>(Err(rejection)),
        }
    }

    fn step(&mut self, command: &Command<'_>) -> String {
        match command.verb {
            "bootstrap" => {
                let min = usize::try_from(command.number("min").unwrap_or(1)).unwrap();
                self.take(Decision { records: bootstrap_records(min), response: () }).0
            }
            "register" => self.register(command),
            "heartbeat" => self.heartbeat(command),
            "fence" => {
                let id = broker(command.number("id").unwrap());
                let decision = self.controller.decide_fence_broker(id, &Keys);
                self.take(decision).0
            }
            "create" => self.create(command),
            "partitions" => self.add_partitions(command),
            "delete" => self.delete(command),
            "isr" => self.isr(command),
            "alter" | "replace" => self.alter(command),
            "features" => self.features(command),
            "cordon" => {
                let id = broker(command.number("id").unwrap());
                let epoch = self.controller.image().broker(id).map_or(BrokerEpoch(0), |broker| broker.epoch);
                let directory = |number| Uuid([u8::try_from(number).unwrap(); 16]);
                let directories: Vec<Uuid> =
                    command.numbers("dirs").unwrap_or_default().into_iter().map(directory).collect();
                match self.controller.decide_cordon(id, epoch, &directories) {
                    Ok(decision) => self.take(decision).0,
                    Err(rejection) => outcome::<()>(Err(rejection)),
                }
            }
            "unregister" => {
                let id = broker(command.number("id").unwrap());
                match self.controller.decide_unregister_broker(id, &Keys) {
                    Ok(decision) => self.take(decision).0,
                    Err(rejection) => outcome::<()>(Err(rejection)),
                }
            }
            "producer_ids" => {
                let id = broker(command.number("id").unwrap());
                let epoch = BrokerEpoch(command.number("epoch").unwrap());
                match self.controller.decide_allocate_producer_ids(id, epoch) {
                    Ok(decision) => {
                        let (records, block) = self.take(decision);
                        format!("{records}from {} on {}", block.first, block.size)
                    }
                    Err(rejection) => outcome::<()>(Err(rejection)),
                }
            }
            verb => panic!("no command {verb}"),
        }
    }
}

fn set((key, value): (&str, &str)) -> (String, Option<String>) {
    (key.to_owned(), Some(value.to_owned()))
}

fn brokers_of(text: &str) -> Vec<BrokerId> {
    text.split(',').filter(|id| !id.is_empty()).map(|id| BrokerId(id.parse().unwrap())).collect()
}

fn next(drawn: &mut u64) -> u64 {
    *drawn += 1;
    *drawn * 7
}

fn outcome<R: std::fmt::Debug>(result: Result<R, Rejection>) -> String {
    match result {
        Ok(response) => format!("{response:?}"),
        Err(rejection) => format!("{}: {}", rejection.error_code.name(), rejection.message),
    }
}

fn check(name: &str) {
    let mut run = Run::default();
    transcript::check(&format!("controller/{name}.txt"), |command| run.step(command));
    let snapshot: Vec<MetadataRecord> = run.controller.image().records().collect();
    let mut image = MetadataImage::default();
    for record in &snapshot {
        image.apply(record).unwrap();
    }
    assert_eq!(image, *run.controller.image(), "what was decided survives a snapshot");
}

#[test]
fn creates_topics() {
    check("create_topics");
}

#[test]
fn deletes_topics() {
    check("delete_topics");
}

#[test]
fn creates_partitions() {
    check("create_partitions");
}

#[test]
fn alters_configs() {
    check("alter_configs");
}

#[test]
fn brokers_come_and_go() {
    check("brokers");
}

#[test]
fn leaders_come_from_isr_then_elr() {
    check("elections");
}

#[test]
fn leaders_change_the_isr() {
    check("alter_partition");
}

#[test]
fn a_sole_broker_leads_again_after_any_stop() {
    check("sole_broker");
}

#[test]
fn replicas_are_spread() {
    let mut run = Run::default();
    run.take(Decision { records: bootstrap_records(1), response: () });
    for id in 1..=6 {
        let register = format!("register id={id} rack={}", ["a", "b", "c"][usize::try_from(id % 3).unwrap()]);
        run.step(&Command::parse(&register));
        run.step(&Command::parse(&format!("heartbeat id={id}")));
    }
    run.step(&Command::parse("create name=t partitions=60 replicas=3"));
    let image = run.controller.image().clone();
    let topic = image.topic("t").unwrap();
    let mut leaders: BTreeMap<BrokerId, usize> = BTreeMap::new();
    let mut replicas: BTreeMap<BrokerId, usize> = BTreeMap::new();
    let mut followers_of: BTreeMap<BrokerId, BTreeMap<BrokerId, usize>> = BTreeMap::new();
    for (_, partition) in topic.partitions() {
        *leaders.entry(partition.leader).or_default() += 1;
        let racks = |id: &BrokerId| image.broker(*id).unwrap().rack.clone();
        let mut used: Vec<_> = partition.replicas.iter().map(racks).collect();
        used.sort();
        used.dedup();
        assert_eq!(used.len(), 3, "each replica in another rack: {:?}", partition.replicas);
        for id in &partition.replicas {
            *replicas.entry(*id).or_default() += 1;
            *followers_of.entry(partition.leader).or_default().entry(*id).or_default() += 1;
        }
    }
    assert!(leaders.values().all(|count| *count == 10), "{leaders:?}");
    assert!(replicas.values().all(|count| (25..=35).contains(count)), "{replicas:?}");
    // Those who take over from a broker are more than one.
    assert!(followers_of.values().all(|others| others.len() >= 4), "{followers_of:?}");
}

#[test]
fn decisions_see_those_before_them() {
    let mut run = Run::default();
    run.step(&Command::parse("register id=1"));
    run.step(&Command::parse("heartbeat id=1"));
    assert_eq!(run.step(&Command::parse("create name=a")).lines().last(), Some("a: (1, 1)"));
    let again = run.step(&Command::parse("create name=a"));
    assert!(again.contains("TOPIC_ALREADY_EXISTS"), "{again}");
}

#[test]
fn a_request_makes_10_000_partitions_at_most() {
    let mut run = Run::default();
    run.step(&Command::parse("register id=1"));
    run.step(&Command::parse("heartbeat id=1"));
    let out = run.step(&Command::parse("create name=a,b partitions=5001"));
    assert!(out.starts_with("a: POLICY_VIOLATION") && out.contains("b: POLICY_VIOLATION"), "{out}");
    assert!(
        run.step(&Command::parse("create name=a partitions=2147483647")).starts_with("a: POLICY_VIOLATION")
    );
    assert!(run.step(&Command::parse("create name=a,b partitions=5000")).ends_with("b: (5000, 1)\n"));
    assert!(run.step(&Command::parse("partitions name=a count=15001")).starts_with("a: POLICY_VIOLATION"));
}

#[test]
fn sessions_end_in_order() {
    let mut run = Run::default();
    for id in [1, 2] {
        run.step(&Command::parse(&format!("register id={id}")));
        run.step(&Command::parse(&format!("heartbeat id={id}")));
    }
    let at = |ms: u64| protocol::id::Monotonic(ms * 1_000_000);
    let timeout = std::time::Duration::from_millis(3000);
    let mut sessions = Sessions::new(at(0), timeout, run.controller.image());
    assert_eq!(sessions.next_deadline(), Some(at(3000)));
    sessions.touch(at(1000), BrokerId(2));
    assert!(sessions.is_valid(at(2999), BrokerId(1)) && !sessions.is_valid(at(3000), BrokerId(1)));
    assert_eq!(sessions.expire(at(3000)), [BrokerId(1)]);
    assert_eq!(sessions.next_deadline(), Some(at(4000)));
    sessions.forget(BrokerId(2));
    assert_eq!((sessions.expire(at(9000)), sessions.next_deadline()), (Vec::new(), None));
}

#[test]
fn replaces_configs() {
    check("replace_configs");
}

#[test]
fn updates_features() {
    check("features");
}

#[test]
fn forgets_brokers() {
    check("unregister");
}

//! The run's beginning: its configuration, its clients and its plan of faults, all from the seed.

use std::collections::BTreeMap;

use node::Config;
use storage::disk::{Failures, VirtualDisk};

use super::network::Link;
use super::{Event, MILLI, Phase, World};
use crate::client::{Admin, Client, Consumer, Inspector, Member, Producer, Scanner, Surveyor, Tidier};
use crate::fault::Plan;
use crate::oracle::{Kind, Oracle};
use crate::random::Random;
use crate::trace::Trace;

/// Administrators, whose decisions overlap.
const ADMINS: u32 = 3;

impl World {
    pub(crate) fn new(seed: u64, aloud: bool) -> Result<Self, String> {
        let mut random = Random::new(seed);
        let overrides = [
            ("log.dirs", "/data".to_owned()),
            ("log.retention.check.interval.ms", random.between(300, 1_500).to_string()),
            ("background.sync.interval.ms", random.between(100, 3_000).to_string()),
            ("log.index.interval.bytes", random.between(0, 4_096).to_string()),
            ("log.dir.free.bytes.min", random.pick(&[0, 2_000, 30_000]).to_string()),
            ("log.dir.reserved.bytes", if seed.is_multiple_of(2) { "0" } else { "10000" }.to_owned()),
            // The broker's clock jumps, those of its clients do not.
            ("log.message.timestamp.after.max.ms", i64::MAX.to_string()),
            ("max.incremental.fetch.session.cache.slots", random.between(1, 8).to_string()),
            ("offsets.topic.num.partitions", random.between(1, 3).to_string()),
            ("offsets.load.buffer.size", random.between(1, 2_000).to_string()),
            ("offsets.topic.compression.codec", random.between(0, 4).to_string()),
            ("offsets.commit.timeout.ms", random.between(100, 5_000).to_string()),
            ("group.min.session.timeout.ms", "100".to_owned()),
            ("group.initial.rebalance.delay.ms", random.between(0, 300).to_string()),
        ];
        let overrides = overrides.map(|(key, value)| (key.to_owned(), value));
        let config = Config::dev(&overrides).map_err(|problems| format!("{problems:?}"))?;
        let mut world = Self {
            plan: Plan::new(&mut random),
            random,
            now: 0,
            planned: 0,
            queue: BTreeMap::new(),
            disk: VirtualDisk::new(),
            config,
            server: None,
            links: Vec::new(),
            next_connection: 0,
            oracle: Oracle::default(),
            trace: Trace::new(aloud),
            armed: None,
            slow_until: 0,
            skew_ms: 0,
            full: 0,
            ailing: false,
            offline: false,
            sound_since: 0,
            calm_since: None,
            roomy_since: None,
            ailed: false,
            counted: Failures::default(),
            hears: false,
            phase_since: 0,
            phase: Phase::Running,
            failure: None,
        };
        world.add_clients();
        world.at(0, Event::Start);
        for (at, fault) in world.plan.faults() {
            world.at(at, Event::Fault(fault));
        }
        Ok(world)
    }

    pub(super) fn add_clients(&mut self) {
        self.add("scanner", Box::new(Scanner::new()), true, (200, 1_500));
        for number in 1..=ADMINS {
            self.add(&format!("admin-{number}"), Box::new(Admin::new(number)), true, (2_000, 120_000));
        }
        self.add("inspector", Box::new(Inspector::new()), true, (5_000, 60_000));
        self.add("surveyor", Box::new(Surveyor::new()), true, (5_000, 80_000));
        let lasting = [Kind::Kept, Kind::Synced, Kind::Retained, Kind::Stamped];
        let all = [Kind::Kept, Kind::Synced, Kind::Retained, Kind::Stamped, Kind::Fleeting];
        let acks = [*self.random.pick(&[1, -1]), *self.random.pick(&[0, 1])];
        let producers = [
            ("idempotent-1", true, -1, &all[..]),
            ("idempotent-2", true, -1, &lasting[..]),
            ("plain-1", false, acks[0], &all[..]),
            ("plain-2", false, acks[1], &lasting[..]),
        ];
        for (name, idempotent, acks, kinds) in producers {
            let incarnation = self.oracle.producer();
            let client = Producer::new(name, idempotent, acks, kinds, incarnation);
            self.add(name, Box::new(client), false, (2_000, 40_000));
        }
        for number in 1..=self.random.between(1, 2) {
            let name = format!("consumer-{number}");
            self.add(&name, Box::new(Consumer::new(&name)), false, (2_000, 30_000));
        }
        self.add("tidier", Box::new(Tidier::new()), false, (5_000, 60_000));
        for group in ["group-1", "group-2"] {
            for number in 1..=self.random.between(1, 3) {
                let name = format!("{group}-member-{number}");
                let is_static = self.random.chance(40);
                self.add(&name, Box::new(Member::new(&name, group, is_static)), false, (5_000, 80_000));
            }
        }
    }

    pub(super) fn add(&mut self, name: &str, client: Box<dyn Client>, patient: bool, pace: (u64, u64)) {
        let at = self.links.len();
        self.links.push(Link {
            client,
            name: name.to_owned(),
            patient,
            connection: None,
            inbox: Vec::new(),
            to_broker: 0,
            to_client: 0,
            pace,
        });
        self.at(MILLI, Event::Act(at));
    }
}

//! The run's beginning: its configuration, its clients and its plan of faults, all from the seed.

use std::collections::BTreeMap;

use node::Config;
use storage::disk::{Failures, VirtualDisk};

use super::network::Link;
use super::{Event, MILLI, Phase, World};
use crate::client::{Admin, Client, Consumer, Inspector, Producer, Scanner};
use crate::fault::Plan;
use crate::oracle::{Kind, Oracle};
use crate::random::Random;
use crate::trace::Trace;

impl World {
    pub(crate) fn new(seed: u64, aloud: bool) -> Result<Self, String> {
        let mut random = Random::new(seed);
        let overrides = [
            ("log.dirs", "/data".to_owned()),
            ("log.retention.check.interval.ms", random.between(300, 1_500).to_string()),
            ("background.sync.interval.ms", random.between(100, 3_000).to_string()),
            ("log.index.interval.bytes", random.between(0, 4_096).to_string()),
            ("log.dir.free.bytes.min", random.pick(&[0, 2_000, 30_000]).to_string()),
            // The broker's clock jumps, those of its clients do not.
            ("log.message.timestamp.after.max.ms", i64::MAX.to_string()),
            ("max.incremental.fetch.session.cache.slots", random.between(1, 8).to_string()),
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
        self.add("admin", Box::new(Admin::new()), true, (2_000, 60_000));
        self.add("inspector", Box::new(Inspector::new()), true, (5_000, 60_000));
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

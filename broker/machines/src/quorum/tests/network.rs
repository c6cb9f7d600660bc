//! Replicas, disks and a network in one thread. A round is 10 ms; the seed decides what is lost, late or repeated.

use super::super::*;
use protocol::id::{BrokerId, Timestamp, Uuid};
use protocol::metadata_record::{MetadataRecord, NoOpRecord};
use protocol::records::BatchBuilder;
use std::collections::{BTreeMap, BTreeSet};

const ROUND: Duration = Duration::from_millis(10);

pub(super) fn replica(id: i32, disk: u8) -> ReplicaKey {
    ReplicaKey { id: BrokerId(id), directory_id: Uuid([disk + 1; 16]) }
}

/// A record batch whose time is `value`.
pub(super) fn batch(value: u32, records: i32) -> Bytes {
    let record = MetadataRecord::NoOp(NoOpRecord::default());
    let records: Vec<MetadataRecord> = (0..records).map(|_| record.clone()).collect();
    super::batch::encode_records(&records, Timestamp(i64::from(value))).unwrap()
}

pub(super) fn padded(size: usize) -> Bytes {
    let mut builder = BatchBuilder::new();
    builder.push(Timestamp(0), None, Some(&vec![0; size]), &[]);
    Bytes::from(builder.build().unwrap())
}

/// One Persist effect.
struct Write {
    ticket: u64,
    hard_state: Option<HardState>,
    snapshot: Option<SnapshotMeta>,
    truncate_from: Option<(u64, Offset)>,
    entries: Vec<Entry>,
}

#[derive(Default)]
pub(super) struct Node {
    config: Option<Config>,
    quorum: Option<Quorum>,
    disk: PersistedState,
    /// Persist effects that the disk has not done: a crash loses them.
    queue: VecDeque<Write>,
    pub(super) failed_reads: Vec<u64>,
    pub(super) ready_reads: Vec<(u64, Offset)>,
    pub(super) installed_snapshots: usize,
    pub(super) wants_snapshot: bool,
    applied: Vec<Entry>,
}

impl Node {
    fn is(&self, id: RaftId) -> bool {
        self.quorum.is_some() && self.config.as_ref().is_some_and(|config| config.replica.raft_id() == id)
    }

    fn key(&self) -> ReplicaKey {
        self.config.as_ref().unwrap().replica
    }

    pub(super) fn status(&self) -> Status {
        self.quorum.as_ref().unwrap().status()
    }
}

pub(super) struct Network {
    random: u64,
    now: Monotonic,
    nodes: BTreeMap<i32, Node>,
    wire: Vec<(u32, Message)>,
    cut: BTreeSet<i32>,
    loss_percent: u64,
    slow_disk: bool,
    round: u32,
    /// The one value of each index, from whoever committed it first.
    committed: BTreeMap<u64, Entry>,
    leaders: BTreeMap<u64, i32>,
    trace: u64,
}

impl Network {
    pub(super) fn new(seed: u64, voters: &[i32]) -> Self {
        let membership = Membership::of_voters(voters.iter().map(|id| replica(*id, 0)).collect());
        let mut network = Self {
            random: seed,
            now: Monotonic(0),
            nodes: BTreeMap::new(),
            wire: Vec::new(),
            cut: BTreeSet::new(),
            loss_percent: 0,
            slow_disk: false,
            round: 0,
            committed: BTreeMap::new(),
            leaders: BTreeMap::new(),
            trace: 0,
        };
        for id in voters {
            let snapshot = SnapshotMeta { membership: membership.clone(), ..SnapshotMeta::default() };
            network.insert(*id, PersistedState { snapshot, ..PersistedState::default() }, seed);
        }
        network
    }

    /// A replica that starts from a copy of the first one's snapshot, as one that joins.
    pub(super) fn add(&mut self, id: i32) {
        let snapshot = self.nodes[&1].disk.snapshot.clone();
        self.insert(id, PersistedState { snapshot, ..PersistedState::default() }, 0);
    }

    fn insert(&mut self, id: i32, disk: PersistedState, seed: u64) {
        let config = Config { replica: replica(id, 0), seed };
        let node = Node { config: Some(config), disk, ..Node::default() };
        self.nodes.insert(id, node);
        self.restart(id);
    }

    fn draw(&mut self, below: u64) -> u64 {
        self.random = mix(self.random);
        self.random % below
    }

    pub(super) fn now(&self) -> Monotonic {
        self.now
    }

    pub(super) fn node(&self, id: i32) -> &Node {
        &self.nodes[&id]
    }

    pub(super) fn others(&self, id: i32) -> Vec<i32> {
        self.nodes.keys().copied().filter(|other| *other != id).collect()
    }

    pub(super) fn isolate(&mut self, id: i32) {
        self.cut.insert(id);
    }

    pub(super) fn crash(&mut self, id: i32) {
        let done = self.draw(4);
        let node = self.nodes.get_mut(&id).unwrap();
        node.quorum = None;
        if let Some(write) = node.queue.pop_front() {
            node.disk.write(write, done);
        }
        node.queue.clear();
        self.wire.retain(|(_, message)| message.to.broker().0 != id);
    }

    /// The broker's disk is replaced: it comes back as another replica, with a copy of a peer's snapshot.
    fn wipe(&mut self, id: i32, disk: u8) {
        let peer = self.others(id)[0];
        let snapshot = self.nodes[&peer].disk.snapshot.clone();
        self.crash(id);
        let node = self.nodes.get_mut(&id).unwrap();
        node.disk = PersistedState { snapshot, ..PersistedState::default() };
        node.config.as_mut().unwrap().replica = replica(id, disk);
        self.restart(id);
    }

    /// Whether everybody is up, votes, and has the same log, all of it committed and applied.
    fn is_whole(&mut self) -> bool {
        self.repair()
            && self.nodes.values().all(|node| {
                let end = |node: &Node| node.quorum.as_ref().map(|quorum| quorum.status().log_end_offset);
                let applied = node.applied.last().map(Entry::end_offset);
                let first = self.nodes.values().next().and_then(end);
                node.queue.is_empty() && end(node) == first && applied == first
            })
    }

    /// One step towards a membership of all brokers as voters, each with its present disk.
    fn repair(&mut self) -> bool {
        let Some(leader) = self.leader() else { return false };
        let membership = self.nodes[&leader].status().membership;
        let present: Vec<ReplicaKey> = self.nodes.values().map(Node::key).collect();
        let all = || membership.voters.iter().chain(&membership.learners);
        let stale = all().find(|key| !present.contains(key)).map(|key| (ChangeKind::Remove, *key));
        let missing = present.iter().find(|key| !all().any(|member| member == *key));
        let missing = missing.map(|key| (ChangeKind::AddLearner, *key));
        let learner = membership.learners.first().map(|key| (ChangeKind::AddVoter, *key));
        match stale.or(missing).or(learner) {
            Some((kind, replica)) => {
                self.event(leader, Event::ChangeMembership { kind, replica, cookie: 0 });
                false
            }
            None => true,
        }
    }

    pub(super) fn restart(&mut self, id: i32) {
        let now = self.now;
        let node = self.nodes.get_mut(&id).unwrap();
        node.applied.clear();
        let config = node.config.clone().unwrap();
        node.quorum = Some(Quorum::open(config, node.disk.clone(), now).unwrap());
    }

    pub(super) fn leader(&self) -> Option<i32> {
        let leads = |node: &Node| {
            node.quorum.as_ref().is_some_and(|quorum| {
                let status = quorum.status();
                let own =
                    node.applied.last().is_some_and(|entry| epoch_of(entry.term) == status.leader_epoch);
                matches!(status.role, Role::Leader { .. }) && own
            })
        };
        let mut leaders: Vec<i32> = self
            .nodes
            .iter()
            .filter(|(id, node)| !self.cut.contains(id) && leads(node))
            .map(|(id, _)| *id)
            .collect();
        leaders.sort_by_key(|id| self.nodes[id].status().leader_epoch);
        leaders.last().copied()
    }

    /// Runs until a leader has committed in its term.
    pub(super) fn settle(&mut self) -> i32 {
        for _ in 0..1000 {
            self.run(1);
            if let Some(leader) = self.leader() {
                return leader;
            }
        }
        let statuses: Vec<String> = self
            .nodes
            .values()
            .map(|node| {
                let state = node.quorum.as_ref().map(Quorum::status);
                format!("{}: {state:#?}", node.key())
            })
            .collect();
        panic!("no leader in 10 s: {}", statuses.join("\n"));
    }

    pub(super) fn propose(&mut self, id: i32, value: u64) {
        let value = u32::try_from(value).unwrap();
        self.event(
            id,
            Event::Propose { batch: batch(value, 1 + i32::try_from(value % 3).unwrap()), cookie: 0 },
        );
    }

    pub(super) fn event(&mut self, id: i32, event: Event) {
        let Some(quorum) = self.nodes.get_mut(&id).unwrap().quorum.as_mut() else { return };
        let mut effects = Vec::new();
        quorum.step(self.now, event, &mut effects);
        for effect in effects {
            self.effect(id, effect);
        }
    }

    fn effect(&mut self, id: i32, effect: Effect) {
        let text = format!("{id} {effect:?}");
        self.trace = text.bytes().fold(self.trace, |hash, byte| mix(hash ^ u64::from(byte)));
        let now = self.round;
        match effect {
            Effect::Persist { ticket, hard_state, snapshot, truncate_from, entries } => {
                let write = Write { ticket, hard_state, snapshot, truncate_from, entries };
                self.nodes.get_mut(&id).unwrap().queue.push_back(write);
            }
            Effect::Send(message) => {
                let late = if self.loss_percent > 0 { self.draw(8) } else { 0 };
                let copies = if self.loss_percent > 0 && self.draw(20) == 0 { 2 } else { 1 };
                for _ in 0..copies {
                    if self.draw(100) >= self.loss_percent {
                        self.wire.push((now + 1 + u32::try_from(late).unwrap(), message.clone()));
                    }
                }
            }
            Effect::Committed(entries) => self.committed(id, entries),
            Effect::Became(Role::Leader { term }) => {
                let first = *self.leaders.entry(term).or_insert(id);
                assert_eq!(first, id, "two leaders in term {term}");
            }
            Effect::ReadReady { cookie, end_offset } => {
                self.nodes.get_mut(&id).unwrap().ready_reads.push((cookie, end_offset));
            }
            Effect::ReadFailed { cookie } => self.nodes.get_mut(&id).unwrap().failed_reads.push(cookie),
            Effect::Refused { why, .. } => panic!("{id} refused: {why}"),
            Effect::NeedSnapshot => self.nodes.get_mut(&id).unwrap().wants_snapshot = true,
            Effect::Became(_) | Effect::ProposalFate { .. } => {}
        }
    }

    fn committed(&mut self, id: i32, entries: Vec<Entry>) {
        let node = self.nodes.get_mut(&id).unwrap();
        for entry in entries {
            let next = node.applied.last().map_or(node.disk.snapshot.index, |last| last.index) + 1;
            assert_eq!(entry.index, next, "{id} applies in order");
            let known = self.committed.entry(entry.index).or_insert_with(|| entry.clone());
            assert_eq!(*known, entry, "one index, one value, one offset");
            // What is applied is on this replica's disk.
            let first = node.disk.entries.first().map_or(0, |first| first.index);
            let on_disk = node.disk.snapshot.index >= entry.index
                || node.disk.entries.get(usize::try_from(entry.index - first).unwrap()) == Some(&entry);
            assert!(on_disk, "{id} applied {} before it was synced", entry.index);
            node.applied.push(entry);
        }
    }

    pub(super) fn all_applied(&self, values: usize) -> bool {
        self.nodes.values().all(|node| {
            node.applied.iter().filter(|entry| matches!(entry.payload, Payload::Records(_))).count() == values
        })
    }

    pub(super) fn take_snapshot(&mut self, id: i32) {
        let node = self.nodes.get_mut(&id).unwrap();
        let Some(quorum) = &node.quorum else { return };
        let Some(snapshot) = quorum.snapshot_meta(quorum.status().high_watermark) else { return };
        if node.disk.snapshot.index < snapshot.index {
            node.disk.entries.retain(|entry| entry.index > snapshot.index);
            node.disk.snapshot = snapshot.clone();
        }
        self.event(id, Event::SnapshotTaken(snapshot));
    }

    pub(super) fn run(&mut self, rounds: usize) {
        for _ in 0..rounds {
            self.round += 1;
            self.now = self.now.plus(ROUND);
            let due: Vec<Message> = {
                let (due, later) =
                    std::mem::take(&mut self.wire).into_iter().partition(|(at, _)| *at <= self.round);
                self.wire = later;
                let due: Vec<(u32, Message)> = due;
                due.into_iter().map(|(_, message)| message).collect()
            };
            for message in due {
                let (from, to) = (message.from.broker().0, message.to.broker().0);
                // A connection is made to a directory, not only to a broker.
                let is_it = |id: RaftId| self.nodes.get(&id.broker().0).is_some_and(|node| node.is(id));
                let reachable = is_it(message.to) && is_it(message.from);
                if !reachable || self.cut.contains(&from) || self.cut.contains(&to) {
                    if matches!(message.body, Body::Snapshot { .. }) {
                        self.event(from, Event::SnapshotSent { to: message.to, arrived: false });
                    }
                    continue;
                }
                self.event(to, Event::Message(message));
            }
            for id in self.nodes.keys().copied().collect::<Vec<_>>() {
                self.sync(id);
                let due = self.nodes[&id].quorum.as_ref().and_then(Quorum::next_deadline);
                if due.is_some_and(|due| due <= self.now) {
                    self.event(id, Event::Timer);
                }
            }
        }
    }

    /// The disk does what it was asked; a slow one not in every round.
    fn sync(&mut self, id: i32) {
        loop {
            if self.slow_disk && self.draw(3) > 0 {
                return;
            }
            let node = self.nodes.get_mut(&id).unwrap();
            let Some(write) = node.queue.pop_front() else { return };
            let ticket = write.ticket;
            if write.snapshot.is_some() {
                node.installed_snapshots += 1;
                node.applied.clear();
            }
            node.disk.write(write, 4);
            self.event(id, Event::Persisted(ticket));
        }
    }
}

impl PersistedState {
    /// Does the write up to a point; 4 is all of it.
    fn write(&mut self, write: Write, up_to: u64) {
        if let Some(snapshot) = write.snapshot.filter(|_| up_to > 0) {
            self.snapshot = snapshot;
            self.entries.clear();
        }
        if let Some((index, offset)) = write.truncate_from.filter(|_| up_to > 1) {
            let cut = self.entries.iter().find(|entry| entry.index == index).unwrap();
            assert_eq!(cut.base_offset, offset, "the cut is told as index and as offset");
            self.entries.retain(|entry| entry.index < index);
        }
        for entry in write.entries.into_iter().filter(|_| up_to > 2) {
            let (index, end) =
                self.entries.last().map_or((self.snapshot.index, self.snapshot.end_offset), |last| {
                    (last.index, last.end_offset())
                });
            assert_eq!((entry.index, entry.base_offset), (index + 1, end), "the log on disk has no holes");
            // Through its bytes, as on a real disk.
            let read = super::batch::from_batch(entry.index, &super::batch::to_batch(&entry)).unwrap();
            assert_eq!(read, entry);
            self.entries.push(read);
        }
        if let Some(hard_state) = write.hard_state.filter(|_| up_to > 3) {
            let before = self.hard_state;
            assert!(hard_state.term >= before.term, "terms only grow");
            let kept = before.vote.is_none() || before.vote == hard_state.vote;
            assert!(hard_state.term > before.term || kept, "one vote a term");
            self.hard_state = hard_state;
        }
    }
}

/// Faults for 30 s, then none: the log must have stayed one, and everybody must agree in the end. Gives the trace.
pub(super) fn chaos(seed: u64, voters: i32) -> u64 {
    let ids: Vec<i32> = (1..=voters).collect();
    let mut network = Network::new(seed, &ids);
    let mut value = 0;
    let mut disks = 0;
    for _ in 0..600 {
        let pick = ids[usize::try_from(network.draw(ids.len() as u64)).unwrap()];
        let other = ids[usize::try_from(network.draw(ids.len() as u64)).unwrap()];
        let key = |network: &Network, id: i32| network.nodes[&id].key();
        match network.draw(44) {
            0 => network.crash(pick),
            1..=3 if network.node(pick).quorum.is_none() => network.restart(pick),
            4 => network.isolate(pick),
            5..=7 => network.cut.clear(),
            8 => network.loss_percent = [0, 5, 30][usize::try_from(network.draw(3)).unwrap()],
            9 => network.slow_disk = !network.slow_disk,
            10 => network.take_snapshot(pick),
            11 => {
                let to = key(&network, other).raft_id();
                network.event(pick, Event::Transfer(to));
            }
            12 => network.event(pick, Event::Campaign),
            13 if network.node(other).quorum.is_none() => {
                let lost = key(&network, other).raft_id();
                network.event(pick, Event::PeerLost(lost));
            }
            14 => network.event(pick, Event::Read { cookie: value }),
            // More than a minority must never be lost: a disk goes, or a voter is demoted, only when all is well.
            15 if disks < 3 && network.is_whole() => {
                disks += 1;
                network.wipe(pick, disks);
            }
            16 | 17 => {
                network.repair();
            }
            18 if network.is_whole() => {
                let (kind, replica) = (ChangeKind::AddLearner, key(&network, other));
                network.event(pick, Event::ChangeMembership { kind, replica, cookie: 0 });
            }
            _ => {
                value += 1;
                network.propose(pick, value);
            }
        }
        for id in &ids {
            if std::mem::take(&mut network.nodes.get_mut(id).unwrap().wants_snapshot) {
                network.take_snapshot(*id);
            }
        }
        network.run(5);
    }
    network.heal(&ids);
    let leader = network.settle();
    network.propose(leader, value + 1);
    network.run(100);
    let end = network.node(leader).status().high_watermark;
    for id in &ids {
        let status = network.node(*id).status();
        assert_eq!((status.high_watermark, status.log_end_offset), (end, end), "seed {seed}: {id} caught up");
        assert_eq!(status.membership.voters.len(), ids.len(), "seed {seed}: {id} knows all voters");
    }
    // Some seeds keep a majority down for most of the time.
    assert!(network.committed.len() > 5, "seed {seed} committed {} entries", network.committed.len());
    network.trace
}

impl Network {
    fn heal(&mut self, ids: &[i32]) {
        self.cut.clear();
        self.loss_percent = 0;
        self.slow_disk = false;
        for id in ids {
            if self.node(*id).quorum.is_none() {
                self.restart(*id);
            }
        }
        self.run(300);
        for _ in 0..50 {
            for id in ids {
                if std::mem::take(&mut self.nodes.get_mut(id).unwrap().wants_snapshot) {
                    self.take_snapshot(*id);
                }
            }
            if self.repair() {
                break;
            }
            self.run(50);
        }
    }
}

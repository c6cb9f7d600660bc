//! The quorum under an adversary: a little network and disk that lose, delay, repeat and crash from a seed, with the
//! safety of consensus checked at every step; and what one or three replicas must do when nothing fails.

mod hostile;
mod network;
mod transcripts;

use super::*;
use network::{Network, batch};
use protocol::id::{PartitionIndex, Timestamp, Uuid};
use protocol::metadata_record::{FeatureLevelRecord, MetadataRecord, PartitionRecord, TopicRecord};

fn effects_of(quorum: &mut Quorum, now: Monotonic, event: Event) -> Vec<Effect> {
    let mut effects = Vec::new();
    quorum.step(now, event, &mut effects);
    effects
}

fn key(id: i32) -> ReplicaKey {
    network::replica(id, 0)
}

fn fresh(voters: &[i32]) -> PersistedState {
    let membership = Membership::of_voters(voters.iter().map(|id| key(*id)).collect());
    PersistedState { snapshot: SnapshotMeta { membership, ..SnapshotMeta::default() }, ..Default::default() }
}

fn open(id: i32, persisted: PersistedState) -> Quorum {
    Quorum::open(Config { replica: key(id), seed: 1 }, persisted, Monotonic(0)).unwrap()
}

#[test]
fn a_sole_voter_leads_at_once_and_acknowledges_after_its_sync() {
    let mut quorum = open(1, fresh(&[1]));
    assert_eq!(quorum.next_deadline(), Some(Monotonic(0)));
    let effects = effects_of(&mut quorum, Monotonic(0), Event::Timer);
    let Effect::Persist { ticket, hard_state, entries, .. } = &effects[1] else { panic!("{effects:?}") };
    assert_eq!(effects[0], Effect::Became(Role::Leader { term: 1 }));
    assert_eq!(*hard_state, Some(HardState { term: 1, vote: Some(key(1).raft_id()), committed: 0 }));
    assert!(matches!(&entries[..], [Entry { index: 1, term: 1, payload: Payload::LeaderChange(m), .. }]
        if m.leader_id.0 == 1 && m.voters.len() == 1));
    assert_eq!(effects.len(), 2, "nothing is committed before it is on disk");
    // A leader alone has nothing to wait for.
    assert_eq!(quorum.next_deadline(), None);

    let effects = effects_of(&mut quorum, Monotonic(1), Event::Propose { batch: batch(7, 3), cookie: 5 });
    let fate = ProposalFate::Appended { term: 1, index: 2, base_offset: Offset(1) };
    assert_eq!(effects[0], Effect::ProposalFate { cookie: 5, fate });
    let Effect::Persist { ticket: second, .. } = effects[1] else { panic!("{effects:?}") };
    assert_eq!(effects.len(), 2);

    let effects = effects_of(&mut quorum, Monotonic(2), Event::Persisted(*ticket));
    assert!(matches!(&effects[..], [Effect::Committed(entries)] if entries.len() == 1), "{effects:?}");
    let effects = effects_of(&mut quorum, Monotonic(3), Event::Persisted(second));
    let [Effect::Committed(entries)] = &effects[..] else { panic!("{effects:?}") };
    assert_eq!(
        (entries[0].index, entries[0].base_offset, entries[0].end_offset()),
        (2, Offset(1), Offset(4))
    );
    let status = quorum.status();
    assert_eq!((status.high_watermark, status.log_end_offset), (Offset(4), Offset(4)));
}

#[test]
fn a_sole_voter_reads_only_after_its_first_commit() {
    let mut quorum = open(1, fresh(&[1]));
    assert_eq!(
        effects_of(&mut quorum, Monotonic(0), Event::Read { cookie: 1 }),
        [Effect::ReadFailed { cookie: 1 }]
    );
    effects_of(&mut quorum, Monotonic(0), Event::Timer);
    // Before the first commit of the term the library would lose the read: it waits here, and has a deadline.
    assert!(effects_of(&mut quorum, Monotonic(0), Event::Read { cookie: 2 }).is_empty());
    assert!(quorum.next_deadline().is_some());
    let effects = effects_of(&mut quorum, Monotonic(1), Event::Persisted(u64::MAX));
    assert!(effects.contains(&Effect::ReadReady { cookie: 2, end_offset: Offset(1) }), "{effects:?}");
    assert!(
        effects_of(&mut quorum, Monotonic(2), Event::Read { cookie: 3 })
            .contains(&Effect::ReadReady { cookie: 3, end_offset: Offset(1) })
    );
}

#[test]
fn a_read_without_a_majority_fails_at_its_deadline() {
    let mut network = Network::new(4, &[1, 2, 3]);
    let leader = network.settle();
    network.isolate(leader);
    network.event(leader, Event::Read { cookie: 9 });
    network.run(200);
    assert_eq!(network.node(leader).failed_reads, [9]);
    assert!(network.node(leader).ready_reads.is_empty());
}

#[test]
fn proposals_that_are_no_batch_or_too_large_are_dropped() {
    let mut quorum = open(1, fresh(&[1]));
    let dropped = |cookie| Effect::ProposalFate { cookie, fate: ProposalFate::Dropped };
    let good = batch(1, 1);
    assert_eq!(
        effects_of(&mut quorum, Monotonic(0), Event::Propose { batch: good.clone(), cookie: 0 }),
        [dropped(0)]
    );
    effects_of(&mut quorum, Monotonic(0), Event::Timer);
    for (cookie, bytes) in [Bytes::new(), good.slice(1..), good.slice(..60)].into_iter().enumerate() {
        let cookie = cookie as u64;
        assert_eq!(
            effects_of(&mut quorum, Monotonic(0), Event::Propose { batch: bytes, cookie }),
            [dropped(cookie)]
        );
    }
    let mut damaged = good.to_vec();
    damaged[60] ^= 1;
    let damaged = Event::Propose { batch: Bytes::from(damaged), cookie: 3 };
    assert_eq!(effects_of(&mut quorum, Monotonic(0), damaged), [dropped(3)]);
    let large = network::padded(BATCH_BYTES_MAX);
    assert_eq!(
        effects_of(&mut quorum, Monotonic(0), Event::Propose { batch: large, cookie: 4 }),
        [dropped(4)]
    );
}

#[test]
fn state_that_no_replica_leaves_is_refused_at_start() {
    let entry = |index, term, base_offset| Entry {
        index,
        term,
        base_offset: Offset(base_offset),
        payload: Payload::Records(batch(1, 2)),
    };
    let try_open = |committed, entries: Vec<Entry>| {
        let hard_state = HardState { term: 1, vote: None, committed };
        let persisted = PersistedState { hard_state, entries, ..fresh(&[1]) };
        Quorum::open(Config { replica: key(1), seed: 0 }, persisted, Monotonic(0)).err()
    };
    // The hard state is written last: entries may be of a later term.
    assert_eq!(try_open(2, vec![entry(1, 1, 0), entry(2, 3, 2)]), None);
    assert_eq!(try_open(0, vec![entry(2, 1, 0)]), Some(OpenError::Entry(2)));
    assert_eq!(try_open(0, vec![entry(1, 2, 0), entry(2, 1, 2)]), Some(OpenError::Entry(2)));
    assert_eq!(try_open(0, vec![entry(1, 1, 0), entry(2, 1, 1)]), Some(OpenError::Entry(2)));
    assert_eq!(try_open(2, vec![entry(1, 1, 0)]), Some(OpenError::Committed(2)));
    let nobody = PersistedState::default();
    let opened = Quorum::open(Config { replica: key(1), seed: 0 }, nobody, Monotonic(0));
    assert_eq!(opened.err(), Some(OpenError::Membership));
}

#[test]
fn messages_that_would_stop_the_library_are_refused() {
    let mut quorum = open(1, fresh(&[1, 2, 3]));
    let (me, peer) = (key(1).raft_id(), key(2).raft_id());
    let entry = |index, term| Entry { index, term, base_offset: Offset(0), payload: Payload::Empty };
    let append = |previous_index, previous_term, entries| Body::Append {
        previous_index,
        previous_term,
        commit: 0,
        entries,
    };
    let snapshot = |membership| Body::Snapshot {
        snapshot: SnapshotMeta { index: 5, term: 1, end_offset: Offset(5), membership },
    };
    let twice = Membership { voters: vec![key(1), key(1)], learners: Vec::new() };
    let overlap = Membership { voters: vec![key(1)], learners: vec![key(1)] };
    let cases = [
        (me, me, 2, Body::TimeoutNow, Refusal::Address),
        (peer, peer, 2, Body::TimeoutNow, Refusal::Address),
        (peer, me, 0, Body::TimeoutNow, Refusal::Address),
        (peer, me, u64::MAX, Body::TimeoutNow, Refusal::Address),
        (peer, me, 2, Body::Heartbeat { commit: 1, read: None }, Refusal::BeyondLog),
        (peer, me, 2, Body::Appended { index: 9, commit: 0 }, Refusal::BeyondLog),
        (peer, me, 2, append(0, 0, vec![entry(2, 1)]), Refusal::Entries),
        (peer, me, 2, append(0, 0, vec![entry(1, 3)]), Refusal::Entries),
        (peer, me, 2, append(0, 2, vec![entry(1, 1)]), Refusal::Entries),
        (peer, me, 2, append(u64::MAX, 0, vec![entry(1, 1)]), Refusal::Entries),
        (peer, me, 2, append(0, 0, vec![entry(1, 1), entry(2, 1)]), Refusal::Offsets),
        (peer, me, 2, append(0, 0, vec![Entry { base_offset: Offset(4), ..entry(1, 1) }]), Refusal::Offsets),
        (
            peer,
            me,
            2,
            append(0, 0, vec![Entry { payload: Payload::Records(Bytes::from_static(b"x")), ..entry(1, 1) }]),
            Refusal::Entries,
        ),
        (peer, me, 2, snapshot(Membership::default()), Refusal::Snapshot),
        (peer, me, 2, snapshot(twice), Refusal::Snapshot),
        (peer, me, 2, snapshot(overlap), Refusal::Snapshot),
    ];
    for (from, to, term, body, why) in cases {
        let message = Message { from, to, term, body };
        let effects = effects_of(&mut quorum, Monotonic(0), Event::Message(message.clone()));
        assert!(effects.contains(&Effect::Refused { from, why }), "{message:?} gives {effects:?}");
    }
}

#[test]
fn three_elect_replicate_and_survive_the_leaders_death() {
    let mut network = Network::new(7, &[1, 2, 3]);
    let leader = network.settle();
    for value in 0..20 {
        network.propose(leader, value);
    }
    network.run(10);
    assert!(network.all_applied(20));
    network.crash(leader);
    let died = network.now();
    for id in network.others(leader) {
        network.event(id, Event::PeerLost(key(leader).raft_id()));
    }
    let next = network.settle();
    assert_ne!(next, leader);
    // Without waiting for the lease of 400 ms: the process is known to be gone.
    assert!(network.now().since(died) <= Duration::from_millis(300), "{:?}", network.now().since(died));
    network.propose(next, 20);
    network.restart(leader);
    network.run(40);
    assert!(network.all_applied(21));
}

#[test]
fn leadership_is_handed_over() {
    let mut network = Network::new(3, &[1, 2, 3]);
    let leader = network.settle();
    let to = network.others(leader)[0];
    network.propose(leader, 1);
    network.event(leader, Event::Transfer(key(to).raft_id()));
    network.run(10);
    assert_eq!(network.leader(), Some(to));
    network.propose(to, 2);
    network.run(10);
    assert!(network.all_applied(2));
}

#[test]
fn members_come_and_go_one_at_a_time() {
    let mut network = Network::new(11, &[1]);
    let mut leader = network.settle();
    for id in [2, 3] {
        network.add(id);
        for kind in [ChangeKind::AddLearner, ChangeKind::AddVoter] {
            network.event(leader, Event::ChangeMembership { kind, replica: key(id), cookie: 0 });
            network.run(30);
        }
    }
    let all: Vec<ReplicaKey> = vec![key(1), key(2), key(3)];
    assert_eq!(network.node(2).status().membership.voters, all);
    // The leader leaves: it steps down by itself, and the others go on.
    network
        .event(leader, Event::ChangeMembership { kind: ChangeKind::Remove, replica: key(leader), cookie: 0 });
    network.run(5);
    assert!(!matches!(network.node(leader).status().role, Role::Leader { .. }));
    network.crash(leader);
    leader = network.settle();
    network.propose(leader, 1);
    network.run(10);
    assert_eq!(network.node(leader).status().membership.voters.len(), 2);
    assert_eq!(network.node(leader).status().high_watermark, network.node(leader).status().log_end_offset);
}

#[test]
fn a_second_change_of_the_membership_waits_for_the_first() {
    let mut quorum = open(1, fresh(&[1]));
    effects_of(&mut quorum, Monotonic(0), Event::Timer);
    effects_of(&mut quorum, Monotonic(0), Event::Persisted(u64::MAX));
    let change =
        |id, cookie| Event::ChangeMembership { kind: ChangeKind::AddLearner, replica: key(id), cookie };
    let first = effects_of(&mut quorum, Monotonic(0), change(2, 1));
    assert!(
        matches!(first[0], Effect::ProposalFate { cookie: 1, fate: ProposalFate::Appended { .. } }),
        "{first:?}"
    );
    let second = effects_of(&mut quorum, Monotonic(0), change(3, 2));
    assert_eq!(second, [Effect::ProposalFate { cookie: 2, fate: ProposalFate::Dropped }]);
    // The last voter stays.
    effects_of(&mut quorum, Monotonic(0), Event::Persisted(u64::MAX));
    let remove = Event::ChangeMembership { kind: ChangeKind::Remove, replica: key(1), cookie: 3 };
    let effects = effects_of(&mut quorum, Monotonic(0), remove);
    assert_eq!(effects, [Effect::ProposalFate { cookie: 3, fate: ProposalFate::Dropped }]);
}

#[test]
fn a_snapshot_bounds_memory_and_brings_up_who_fell_behind() {
    let mut network = Network::new(5, &[1, 2, 3]);
    let leader = network.settle();
    let behind = network.others(leader)[0];
    network.crash(behind);
    for value in 0..KEPT_ENTRIES + 500 {
        network.propose(leader, value);
        network.run(1);
    }
    let bytes = network.node(leader).status().bytes;
    network.take_snapshot(leader);
    assert!(network.node(leader).status().bytes < bytes, "what the snapshot covers left memory");
    network.restart(behind);
    network.run(60);
    assert_eq!(network.node(behind).installed_snapshots, 1);
    network.propose(leader, 9999);
    network.run(10);
    let ends: Vec<Offset> = [1, 2, 3].iter().map(|id| network.node(*id).status().high_watermark).collect();
    assert!(ends.iter().all(|end| *end == ends[0]), "{ends:?}");
    // And a restart from the snapshot and the tail.
    network.crash(leader);
    network.restart(leader);
    network.settle();
    network.run(20);
    assert_eq!(network.node(leader).status().high_watermark, network.node(behind).status().high_watermark);
}

#[test]
fn a_member_newer_than_the_snapshot_gets_a_newer_one() {
    let mut network = Network::new(5, &[1]);
    network.add(2);
    let leader = network.settle();
    for value in 0..KEPT_ENTRIES + 100 {
        network.propose(leader, value);
        network.run(1);
    }
    network.take_snapshot(leader);
    let change = |kind| Event::ChangeMembership { kind, replica: key(2), cookie: 0 };
    network.event(leader, change(ChangeKind::AddLearner));
    network.run(30);
    assert!(network.node(leader).wants_snapshot);
    network.take_snapshot(leader);
    network.run(60);
    assert_eq!(network.node(2).installed_snapshots, 1);
    assert_eq!(network.node(2).status().log_end_offset, network.node(leader).status().log_end_offset);
}

fn records() -> Vec<MetadataRecord> {
    let topic_id = Uuid([3; 16]);
    let mut records: Vec<MetadataRecord> = vec![
        FeatureLevelRecord { name: "metadata.version".into(), feature_level: 30 }.into(),
        TopicRecord { name: "t".into(), topic_id }.into(),
    ];
    let partition =
        |index| PartitionRecord { partition_id: PartitionIndex(index), topic_id, ..Default::default() };
    records.extend((0..30_000).map(|index| MetadataRecord::from(partition(index))));
    records
}

#[test]
fn entries_are_kafkas_batches() {
    let change = MembershipChange {
        kind: ChangeKind::AddLearner,
        replica: key(2),
        after: Membership { voters: vec![key(1)], learners: vec![key(2)] },
    };
    let records = &records()[..3];
    let payloads = [
        Payload::Empty,
        Payload::Membership(change),
        Payload::Records(batch::encode_records(records, Timestamp(77)).unwrap()),
    ];
    for payload in payloads {
        let entry = Entry { index: 9, term: 4, base_offset: Offset(1000), payload };
        let bytes = batch::to_batch(&entry);
        assert_eq!(batch::from_batch(9, &bytes).unwrap(), entry);
        let is_records = matches!(entry.payload, Payload::Records(_));
        let expected = if is_records { records } else { &[] };
        assert_eq!(batch::decode_records(&bytes).unwrap(), expected);
        // One damaged byte anywhere behind the offset and the epoch is seen.
        for at in [16, 17, 30, bytes.len() - 1] {
            let mut damaged = bytes.to_vec();
            damaged[at] ^= 1;
            assert!(batch::from_batch(9, &damaged).is_err(), "byte {at}");
        }
    }
}

#[test]
fn snapshots_come_back_whole_or_not_at_all() {
    let membership = Membership { voters: vec![key(1), key(3)], learners: vec![key(2)] };
    let meta = SnapshotMeta { index: 12, term: 3, end_offset: Offset(40_000), membership };
    assert_eq!(snapshot::file_name(&meta), "00000000000000040000-0000000003.checkpoint");
    let bytes = snapshot::encode(&meta, records().into_iter(), Timestamp(99)).unwrap();
    let read = snapshot::decode(&bytes).unwrap();
    assert_eq!((read.meta, read.timestamp), (meta, Timestamp(99)));
    assert_eq!(read.records, records());
    for cut in [0, 10, 200, bytes.len() / 2, bytes.len() - 1] {
        assert!(snapshot::decode(&bytes[..cut]).is_err(), "cut at {cut}");
    }
    let whole_batches: usize = protocol::records::Batches::new(&bytes)
        .map(|b| b.unwrap().1.len())
        .collect::<Vec<_>>()
        .iter()
        .rev()
        .skip(1)
        .sum();
    assert!(matches!(snapshot::decode(&bytes[..whole_batches]), Err(snapshot::SnapshotError::Footer)));
}

#[test]
fn a_replica_comes_back_from_its_files() {
    let hard_state = HardState { term: 4, vote: Some(key(3).raft_id()), committed: 13 };
    let state = state_file::encode(&hard_state);
    assert_eq!(state_file::decode(&state), Some(hard_state));
    for cut in 0..state.len() {
        assert_eq!(state_file::decode(&state[..cut]), None, "cut at {cut}");
    }
    let membership = Membership { voters: vec![key(1)], learners: Vec::new() };
    let meta = SnapshotMeta { index: 12, term: 3, end_offset: Offset(20), membership };
    let snapshot = snapshot::encode(&meta, records().into_iter().take(2), Timestamp(5)).unwrap();
    let entry = |index, base_offset, count| Entry {
        index,
        term: 4,
        base_offset: Offset(base_offset),
        payload: Payload::Records(batch(1, count)),
    };
    // The log still has a batch that the snapshot covers.
    let entries = [entry(12, 18, 2), entry(13, 20, 3), entry(14, 23, 1)];
    let log: Vec<u8> = entries.iter().flat_map(|entry| batch::to_batch(entry).to_vec()).collect();
    let restored = restore(Some(&state), &snapshot, &log).unwrap();
    assert_eq!((restored.records.as_slice(), restored.timestamp), (&records()[..2], Timestamp(5)));
    assert_eq!(restored.state, PersistedState { hard_state, snapshot: meta, entries: entries[1..].to_vec() });
    // What is known to be committed is given to the caller before anything else.
    let mut quorum = open(1, restored.state);
    let effects = effects_of(&mut quorum, Monotonic(0), Event::Timer);
    assert!(effects.contains(&Effect::Committed(entries[1..2].to_vec())), "{effects:?}");
    assert!(matches!(restore(Some(b"version=2\n"), &snapshot, &log), Err(RestoreError::State)));
    assert!(matches!(restore(None, &snapshot[..40], &log), Err(RestoreError::Snapshot(_))));
    assert!(matches!(restore(None, &snapshot, &log[..log.len() - 1]), Err(RestoreError::Log(_))));
}

/// More with `SEEDS=10000 cargo test -p machines seeds_`; `FIRST_SEED` skips some.
#[test]
fn seeds_keep_the_log_one() {
    let number = |name: &str| std::env::var(name).ok().and_then(|value| value.parse::<u64>().ok());
    let first = number("FIRST_SEED").unwrap_or(0);
    for seed in first..first + number("SEEDS").unwrap_or(60) {
        network::chaos(seed, if seed % 4 == 3 { 5 } else { 3 });
    }
}

#[test]
fn one_seed_gives_one_trace() {
    assert_eq!(network::chaos(42, 3), network::chaos(42, 3));
    assert_ne!(network::chaos(42, 3), network::chaos(43, 3));
}

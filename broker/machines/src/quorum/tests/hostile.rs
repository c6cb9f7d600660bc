//! A peer that says anything: no message may stop the process, and none may change what is committed.

use super::super::*;
use super::network::batch;
use super::{fresh, key, open};
use proptest::prelude::*;

fn any_payload() -> impl Strategy<Value = Payload> {
    let change = (0..3u8, 1..5i32, any::<bool>()).prop_map(|(kind, id, valid)| {
        let kind = [ChangeKind::AddVoter, ChangeKind::AddLearner, ChangeKind::Remove][usize::from(kind)];
        let after = Membership::of_voters((1..4).map(key).collect()).changed(kind, key(id));
        let after = after.filter(|_| valid).unwrap_or_else(|| Membership::of_voters(vec![key(id)]));
        Payload::Membership(MembershipChange { kind, replica: key(id), after })
    });
    prop_oneof![
        4 => (0..100u32, 1..3i32).prop_map(|(value, count)| Payload::Records(batch(value, count))),
        1 => Just(Payload::Records(Bytes::from_static(b"no batch"))),
        2 => Just(Payload::Empty),
        1 => change,
    ]
}

/// Small numbers, so that messages meet each other and the log; sometimes enormous ones.
fn number() -> impl Strategy<Value = u64> {
    prop_oneof![20 => 0..8u64, 1 => Just(u64::MAX), 1 => Just(u64::from(u32::MAX))]
}

fn any_body() -> impl Strategy<Value = Body> {
    let entries = (number(), proptest::collection::vec((0..4u64, any_payload()), 0..4), any::<bool>());
    let append = (number(), number(), entries).prop_map(|(previous_term, commit, (previous, list, tidy))| {
        let mut end = Offset(0);
        let entry = |(i, (term, payload)): (usize, (u64, Payload))| {
            let index = previous.wrapping_add(1 + i as u64);
            let entry =
                Entry { index, term: if tidy { previous_term } else { term }, base_offset: end, payload };
            end = entry.end_offset();
            entry
        };
        let entries = list.into_iter().enumerate().map(entry).collect();
        Body::Append { previous_index: previous, previous_term, commit, entries }
    });
    let snapshot = (number(), number(), 0..9i64, 0..4i32).prop_map(|(index, term, end, voters)| {
        let membership = Membership::of_voters((1..=voters).map(key).collect());
        Body::Snapshot { snapshot: SnapshotMeta { index, term, end_offset: Offset(end), membership } }
    });
    let vote = (any::<[bool; 2]>(), number(), number(), number(), number());
    prop_oneof![
        6 => append,
        3 => (number(), number()).prop_map(|(index, commit)| Body::Appended { index, commit }),
        2 => (number(), number(), number(), number()).prop_map(|(index, hint_index, hint_term, commit)| {
            Body::AppendRejected { index, hint_index, hint_term, commit }
        }),
        2 => vote.prop_map(|([pre_vote, transfer], last_index, last_term, commit, commit_term)| {
            Body::Vote { pre_vote, transfer, last_index, last_term, commit, commit_term }
        }),
        4 => (any::<[bool; 2]>(), number(), number()).prop_map(|([pre_vote, granted], commit, commit_term)| {
            Body::VoteAnswer { pre_vote, granted, commit, commit_term }
        }),
        2 => (number(), proptest::option::of(0..4u64)).prop_map(|(commit, read)| Body::Heartbeat { commit, read }),
        2 => (number(), proptest::option::of(0..4u64))
            .prop_map(|(commit, read)| Body::HeartbeatAnswer { commit, read }),
        2 => snapshot,
        1 => Just(Body::TimeoutNow),
    ]
}

#[derive(Debug, Clone)]
enum Step {
    Message(i32, u64, Body),
    Sync,
    Wait,
    Event(Event),
}

fn any_step() -> impl Strategy<Value = Step> {
    prop_oneof![
        12 => (2..5i32, number(), any_body()).prop_map(|(from, term, body)| Step::Message(from, term, body)),
        4 => Just(Step::Sync),
        4 => Just(Step::Wait),
        1 => Just(Step::Event(Event::Campaign)),
        1 => (2..4i32).prop_map(|id| Step::Event(Event::PeerLost(key(id).raft_id()))),
        1 => (2..4i32).prop_map(|id| Step::Event(Event::Transfer(key(id).raft_id()))),
        1 => (0..9u64).prop_map(|cookie| Step::Event(Event::Read { cookie })),
        2 => Just(Step::Event(Event::Propose { batch: batch(7, 1), cookie: 0 })),
        1 => (2..5i32, any::<bool>()).prop_map(|(id, arrived)| {
            Step::Event(Event::SnapshotSent { to: key(id).raft_id(), arrived })
        }),
        1 => (1..5i32).prop_map(|id| {
            Step::Event(Event::ChangeMembership { kind: ChangeKind::AddVoter, replica: key(id), cookie: 1 })
        }),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 600, ..ProptestConfig::default() })]

    #[test]
    fn no_message_stops_a_replica(steps in proptest::collection::vec(any_step(), 0..60)) {
        let mut quorum = open(1, fresh(&[1, 2, 3]));
        let mut now = Monotonic(0);
        let mut effects = Vec::new();
        let mut committed: BTreeMap<u64, Entry> = BTreeMap::new();
        for step in steps {
            match step {
                Step::Message(from, term, body) => {
                    let (from, to) = (key(from).raft_id(), key(1).raft_id());
                    quorum.step(now, Event::Message(Message { from, to, term, body }), &mut effects);
                }
                Step::Sync => quorum.step(now, Event::Persisted(u64::MAX), &mut effects),
                Step::Wait => {
                    now = now.plus(TICK * 4);
                    quorum.step(now, Event::Timer, &mut effects);
                }
                Step::Event(event) => quorum.step(now, event, &mut effects),
            }
            for effect in effects.drain(..) {
                if let Effect::Committed(entries) = effect {
                    for entry in entries {
                        let before = committed.insert(entry.index, entry.clone());
                        prop_assert!(before.is_none(), "{entry:?} is committed twice");
                    }
                }
            }
            let _ = quorum.status();
        }
    }
}

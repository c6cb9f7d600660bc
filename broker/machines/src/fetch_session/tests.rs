//! Sessions against a naive model, and each rule by itself.

use std::sync::Arc;
use std::time::Duration;

use proptest::prelude::*;
use protocol::ErrorCode;
use protocol::id::{LeaderEpoch, Monotonic, Offset, PartitionIndex, TopicId, Uuid};

use super::*;

fn at(seconds: u64) -> Monotonic {
    Monotonic(seconds * 1_000_000_000)
}

fn key(partition: i32) -> PartitionKey {
    PartitionKey { topic: SessionTopic::Name(Arc::from("t")), partition: PartitionIndex(partition) }
}

fn asked(fetch_offset: i64) -> Asked {
    Asked {
        fetch_offset: Offset(fetch_offset),
        log_start_offset: Offset(-1),
        current_leader_epoch: LeaderEpoch(-1),
        last_fetched_epoch: LeaderEpoch(-1),
        max_bytes: 100,
    }
}

fn start(session_id: i32, session_epoch: i32, partitions: &[(i32, i64)]) -> FetchStart {
    FetchStart {
        session_id,
        session_epoch,
        topic_ids: false,
        follower: false,
        partitions: partitions.iter().map(|(p, offset)| (key(*p), asked(*offset))).collect(),
        forgotten: Vec::new(),
    }
}

fn quiet(high_watermark: i64) -> Answer {
    Answer { high_watermark: Offset(high_watermark), log_start_offset: Offset(0), ..Answer::default() }
}

/// Opens a session with the high watermark 10 everywhere.
fn open(sessions: &mut FetchSessions, now: Monotonic, request: FetchStart, random: u32) -> i32 {
    let mut context = sessions.begin(now, request).unwrap();
    for position in 0..context.len() {
        assert!(context.include(position, &quiet(10)), "a full fetch leaves nothing out");
    }
    sessions.finish(now, context, random)
}

fn order(context: &FetchContext) -> Vec<(i32, i64)> {
    context.partitions().map(|(key, asked)| (key.partition.0, asked.fetch_offset.0)).collect()
}

fn bounds(slots_max: usize) -> Bounds {
    Bounds { slots_max, ..Bounds::default() }
}

#[test]
fn what_did_not_change_is_left_out() {
    let mut sessions = FetchSessions::new(bounds(10));
    let id = open(&mut sessions, at(0), start(0, 0, &[(0, 5), (1, 5), (2, 5)]), 77);
    assert_eq!(id, 77);
    let mut context = sessions.begin(at(1), start(id, 1, &[(1, 9)])).unwrap();
    assert_eq!(order(&context), [(0, 5), (1, 9), (2, 5)]);
    assert!(!context.include(0, &quiet(10)));
    assert!(context.include(1, &quiet(11)), "the high watermark moved");
    assert!(context.include(2, &Answer { log_start_offset: Offset(1), ..quiet(10) }));
    assert_eq!(sessions.finish(at(1), context, 0), id);

    let mut context = sessions.begin(at(2), start(id, 2, &[])).unwrap();
    assert!(context.include(0, &Answer { is_error: true, ..quiet(10) }));
    assert!(context.include(1, &Answer { is_diverging: true, ..quiet(11) }));
    assert!(
        context.include(2, &Answer { has_preferred_replica: true, log_start_offset: Offset(1), ..quiet(10) })
    );
    sessions.finish(at(2), context, 0);

    let mut context = sessions.begin(at(3), start(id, 3, &[])).unwrap();
    assert!(context.include(0, &quiet(10)), "the end of an error is told");
    assert!(!context.include(1, &quiet(11)));
    sessions.finish(at(3), context, 0);
}

#[test]
fn served_partitions_go_behind_the_others() {
    let mut sessions = FetchSessions::new(bounds(10));
    let id = open(&mut sessions, at(0), start(0, 0, &[(0, 0), (1, 0), (2, 0), (3, 0)]), 5);
    let mut context = sessions.begin(at(1), start(id, 1, &[])).unwrap();
    let served = Answer { has_records: true, ..quiet(10) };
    assert!(context.include(0, &served) && !context.include(1, &quiet(10)) && context.include(2, &served));
    sessions.finish(at(1), context, 0);
    let context = sessions.begin(at(2), start(id, 2, &[(4, 1)])).unwrap();
    let partitions: Vec<_> = order(&context).into_iter().map(|(p, _)| p).collect();
    assert_eq!(partitions, [1, 3, 0, 2, 4]);
    sessions.finish(at(2), context, 0);
}

#[test]
fn errors_are_kafkas() {
    let mut sessions = FetchSessions::new(bounds(10));
    let id = open(&mut sessions, at(0), start(0, 0, &[(0, 0)]), 5);
    let refuse = |sessions: &mut FetchSessions, request| sessions.begin(at(1), request).unwrap_err();
    assert_eq!(refuse(&mut sessions, start(id + 1, 1, &[])), ErrorCode::FetchSessionIdNotFound);
    assert_eq!(refuse(&mut sessions, start(NO_SESSION, 1, &[])), ErrorCode::FetchSessionIdNotFound);
    assert_eq!(refuse(&mut sessions, start(id, 2, &[])), ErrorCode::InvalidFetchSessionEpoch);
    assert_eq!(refuse(&mut sessions, start(id, -7, &[])), ErrorCode::InvalidFetchSessionEpoch);
    let by_id = FetchStart { topic_ids: true, ..start(id, 1, &[]) };
    assert_eq!(refuse(&mut sessions, by_id), ErrorCode::FetchSessionTopicIdError);
    let context = sessions.begin(at(1), start(id, 1, &[])).unwrap();
    assert_eq!(refuse(&mut sessions, start(id, 2, &[])), ErrorCode::InvalidFetchSessionEpoch, "under way");
    assert_eq!(sessions.finish(at(1), context, 0), id);
    let context = sessions.begin(at(2), start(id, 2, &[])).unwrap();
    assert_eq!(sessions.finish(at(2), context, 0), id);
}

#[test]
fn a_full_fetch_closes_the_session_that_it_names() {
    let mut sessions = FetchSessions::new(bounds(10));
    let first = open(&mut sessions, at(0), start(0, 0, &[(0, 0)]), 5);
    let second = open(&mut sessions, at(1), start(first, INITIAL_EPOCH, &[(0, 0)]), 6);
    assert_eq!((sessions.len(), second), (1, 6));
    let context = sessions.begin(at(2), start(second, FINAL_EPOCH, &[(0, 0)])).unwrap();
    assert_eq!(sessions.finish(at(2), context, 0), NO_SESSION);
    assert!(sessions.is_empty());
    assert_eq!(sessions.partitions_count(), 0);
}

#[test]
fn a_session_without_partitions_ends() {
    let mut sessions = FetchSessions::new(bounds(10));
    let id = open(&mut sessions, at(0), start(0, 0, &[(0, 0), (1, 0)]), 5);
    let forget = |epoch, partitions: &[i32]| FetchStart {
        forgotten: partitions.iter().copied().map(key).collect(),
        ..start(id, epoch, &[])
    };
    let context = sessions.begin(at(1), forget(1, &[0, 7])).unwrap();
    assert_eq!(order(&context), [(1, 0)]);
    sessions.finish(at(1), context, 0);
    let context = sessions.begin(at(2), forget(2, &[1])).unwrap();
    assert!(context.is_empty());
    assert_eq!(sessions.finish(at(2), context, 0), NO_SESSION);
    assert!(sessions.is_empty());
}

#[test]
fn an_abandoned_fetch_takes_its_session_along() {
    let mut sessions = FetchSessions::new(bounds(10));
    let id = open(&mut sessions, at(0), start(0, 0, &[(0, 0)]), 5);
    let context = sessions.begin(at(1), start(id, 1, &[])).unwrap();
    sessions.abandon(context);
    assert_eq!((sessions.len(), sessions.partitions_count()), (0, 0));
    // One that was displaced meanwhile leaves its successor of the same id alone.
    let id = open(&mut sessions, at(0), start(0, 0, &[(0, 0)]), 5);
    let late = sessions.begin(at(1), start(id, 1, &[])).unwrap();
    let again = open(&mut sessions, at(2), start(id, INITIAL_EPOCH, &[(0, 0), (1, 0)]), 5);
    assert_eq!(again, id);
    sessions.abandon(late);
    assert_eq!(sessions.partitions_count(), 2);
}

#[test]
fn ids_and_epochs_go_round() {
    let mut sessions = FetchSessions::new(bounds(10));
    assert_eq!(open(&mut sessions, at(0), start(0, 0, &[(0, 0)]), 0), 1, "0 means no session");
    assert_eq!(open(&mut sessions, at(0), start(0, 0, &[(0, 0)]), u32::MAX), i32::MAX);
    assert_eq!(open(&mut sessions, at(0), start(0, 0, &[(0, 0)]), u32::MAX), 2, "taken ids are passed over");
    assert_eq!((next_epoch(i32::MAX), next_epoch(1), next_epoch(0), next_epoch(-1)), (1, 2, 1, -1));
}

#[test]
fn topics_by_id_are_apart() {
    let mut sessions = FetchSessions::new(bounds(10));
    let by_id = |id: u8| PartitionKey {
        topic: SessionTopic::Id(TopicId::from(Uuid([id; 16]))),
        partition: PartitionIndex(0),
    };
    let request = FetchStart {
        topic_ids: true,
        partitions: vec![(by_id(1), asked(1)), (by_id(2), asked(2)), (by_id(1), asked(3))],
        ..start(0, 0, &[])
    };
    let context = sessions.begin(at(0), request).unwrap();
    let offsets: Vec<_> = context.partitions().map(|(_, asked)| asked.fetch_offset.0).collect();
    assert_eq!(offsets, [3, 2], "the later of two counts");
    let id = sessions.finish(at(0), context, 9);
    assert_eq!(
        sessions.begin(at(1), start(id, 1, &[])).unwrap_err(),
        ErrorCode::FetchSessionTopicIdError,
        "a fetch by names"
    );
}

#[test]
fn followers_displace_consumers_and_the_old_gives_way() {
    let mut sessions = FetchSessions::new(bounds(1));
    let follower = |random| FetchStart { follower: true, ..start(random, 0, &[(0, 0)]) };
    let consumer = open(&mut sessions, at(0), start(0, 0, &[(0, 0), (1, 0)]), 1);
    assert_eq!(consumer, 1);
    assert_eq!(open(&mut sessions, at(1), start(0, 0, &[(0, 0)]), 2), NO_SESSION, "a young one stays");
    assert_eq!(open(&mut sessions, at(1), follower(0), 3), 3);
    assert_eq!(sessions.evictions(), 1);
    assert_eq!(open(&mut sessions, at(2), follower(0), 4), NO_SESSION);
    assert_eq!(open(&mut sessions, at(122), start(0, 0, &[(0, 0)]), 5), 5, "idle for more than two minutes");
}

#[test]
fn larger_sessions_displace_smaller_ones_that_are_grown_up() {
    let mut sessions = FetchSessions::new(bounds(1));
    let id = open(&mut sessions, at(0), start(0, 0, &[(0, 0), (1, 0)]), 1);
    let context = sessions.begin(at(121), start(id, 1, &[])).unwrap();
    sessions.finish(at(121), context, 0);
    assert_eq!(open(&mut sessions, at(122), start(0, 0, &[(0, 0)]), 2), NO_SESSION, "smaller");
    assert_eq!(open(&mut sessions, at(122), start(0, 0, &[(0, 0), (1, 0)]), 2), NO_SESSION, "as large");
    assert_eq!(open(&mut sessions, at(122), start(0, 0, &[(0, 0), (1, 0), (2, 0)]), 2), 2, "larger");
}

#[test]
fn partitions_are_bounded() {
    let limits = Bounds { session_partitions_max: 3, partitions_max: 5, ..bounds(10) };
    let mut sessions = FetchSessions::new(limits);
    let many: Vec<_> = (0..4).map(|p| (p, 0)).collect();
    assert_eq!(open(&mut sessions, at(0), start(0, 0, &many), 1), NO_SESSION);
    let first = open(&mut sessions, at(0), start(0, 0, &many[..3]), 1);
    let second = open(&mut sessions, at(0), start(0, 0, &many[..2]), 2);
    assert_eq!((first, second, sessions.partitions_count()), (1, 2, 5));
    assert_eq!(open(&mut sessions, at(0), start(0, 0, &many[..1]), 3), NO_SESSION);
    let grown = sessions.begin(at(1), start(first, 1, &[(9, 0)])).unwrap_err();
    assert_eq!((grown, sessions.len()), (ErrorCode::FetchSessionIdNotFound, 1));
}

/// The rules once more, by lists that are searched from end to end.
#[derive(Debug, Default)]
struct Model {
    sessions: Vec<ModelSession>,
}

#[derive(Debug, Clone)]
struct ModelSession {
    id: i32,
    follower: bool,
    created: u64,
    used: u64,
    grown_up: bool,
    epoch: i32,
    /// Partition, fetch offset, high watermark.
    partitions: Vec<(i32, i64, i64)>,
}

const SLOTS: usize = 4;

impl Model {
    fn worth(session: &ModelSession) -> (bool, usize, i32) {
        (session.follower, session.partitions.len(), session.id)
    }

    fn room(&mut self, now: u64, follower: bool, size: usize) -> bool {
        if self.sessions.len() < SLOTS {
            return true;
        }
        let oldest = self.sessions.iter().min_by_key(|s| (s.used, s.id)).unwrap();
        let victim = if now - oldest.used > 120 {
            Some(oldest.id)
        } else {
            let evictable = |s: &&ModelSession| s.grown_up || (follower && !s.follower);
            let least = self.sessions.iter().filter(evictable).min_by_key(|s| Self::worth(s));
            least.filter(|s| (follower, size, 0) >= Self::worth(s)).map(|s| s.id)
        };
        self.sessions.retain(|s| Some(s.id) != victim);
        victim.is_some()
    }
}

#[derive(Debug, Clone)]
enum Step {
    /// A full fetch, maybe naming one of the sessions.
    Full { close: Option<usize>, last: bool, follower: bool, partitions: Vec<(i32, i64)> },
    /// An incremental fetch of one of the sessions, whose epoch may be wrong.
    Next {
        which: usize,
        off: i32,
        ask: Vec<(i32, i64)>,
        forget: Vec<i32>,
        records: Vec<bool>,
        moved: Vec<bool>,
    },
    /// Time passes.
    Wait(u64),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let partitions = || proptest::collection::vec((0..6_i32, 0..100_i64), 0..5);
    let flags = || proptest::collection::vec(any::<bool>(), 6);
    let full = (proptest::option::of(0..SLOTS), any::<bool>(), any::<bool>(), partitions()).prop_map(
        |(close, last, follower, partitions)| Step::Full {
            close,
            last: last && close.is_some(),
            follower,
            partitions,
        },
    );
    let next = (
        0..SLOTS,
        prop_oneof![8 => Just(0), 1 => 1..3_i32],
        partitions(),
        proptest::collection::vec(0..6_i32, 0..3),
        flags(),
        flags(),
    )
        .prop_map(|(which, off, ask, forget, records, moved)| Step::Next {
            which,
            off,
            ask,
            forget,
            records,
            moved,
        });
    let wait = (1..100_u64).prop_map(Step::Wait);
    proptest::collection::vec(prop_oneof![3 => full, 6 => next, 2 => wait], 1..80)
}

fn put(list: &mut Vec<(i32, i64, i64)>, asked: &[(i32, i64)]) {
    for (partition, offset) in asked {
        match list.iter_mut().find(|entry| entry.0 == *partition) {
            Some(entry) => entry.1 = *offset,
            None => list.push((*partition, *offset, -1)),
        }
    }
}

fn step_full(
    sessions: &mut FetchSessions,
    model: &mut Model,
    now: u64,
    random: u32,
    request: FetchStart,
    asked: &[(i32, i64)],
) {
    let (last, follower) = (request.session_epoch == FINAL_EPOCH, request.follower);
    model.sessions.retain(|s| s.id != request.session_id);
    let mut expected = Vec::new();
    put(&mut expected, asked);
    let mut context = sessions.begin(at(now), request).unwrap();
    assert_eq!(order(&context), expected.iter().map(|e| (e.0, e.1)).collect::<Vec<_>>());
    for (position, entry) in expected.iter_mut().enumerate() {
        entry.2 = 10;
        assert!(context.include(position, &Answer { has_records: true, ..quiet(10) }));
    }
    let id = sessions.finish(at(now), context, random);
    if last || !model.room(now, follower, expected.len()) {
        assert_eq!(id, NO_SESSION);
        return;
    }
    assert!(id != NO_SESSION && model.sessions.iter().all(|s| s.id != id));
    model.sessions.push(ModelSession {
        id,
        follower,
        created: now,
        used: now,
        grown_up: false,
        epoch: 1,
        partitions: expected,
    });
}

fn step_next(sessions: &mut FetchSessions, model: &mut Model, now: u64, step: &Step) {
    let Step::Next { which, off, ask, forget, records, moved } = step else { return };
    let (which, off) = (*which, *off);
    let Some(index) = (!model.sessions.is_empty()).then(|| which % model.sessions.len()) else { return };
    let expected = &mut model.sessions[index];
    let forgotten = forget.iter().copied().map(key).collect();
    let request = FetchStart { forgotten, ..start(expected.id, expected.epoch + off, ask) };
    if off != 0 {
        assert_eq!(sessions.begin(at(now), request).unwrap_err(), ErrorCode::InvalidFetchSessionEpoch);
        return;
    }
    put(&mut expected.partitions, ask);
    expected.partitions.retain(|entry| !forget.contains(&entry.0));
    let mut context = sessions.begin(at(now), request).unwrap();
    assert_eq!(order(&context), expected.partitions.iter().map(|e| (e.0, e.1)).collect::<Vec<_>>());
    if expected.partitions.is_empty() {
        model.sessions.remove(index);
        assert_eq!(sessions.finish(at(now), context, 0), NO_SESSION);
        return;
    }
    expected.epoch += 1;
    expected.used = now;
    expected.grown_up = now - expected.created > 120;
    let mut behind = Vec::new();
    for (position, entry) in expected.partitions.iter_mut().enumerate() {
        let (has_records, high_watermark) = (records[position % 6], entry.2 + i64::from(moved[position % 6]));
        let must = has_records || high_watermark != entry.2;
        entry.2 = high_watermark;
        if has_records {
            behind.push(*entry);
        }
        let answer = Answer { has_records, ..quiet(high_watermark) };
        let new = high_watermark == -1;
        assert!(context.include(position, &answer) == must || new, "position {position}");
    }
    expected.partitions.retain(|entry| !behind.contains(entry));
    expected.partitions.extend(behind);
    assert_eq!(sessions.finish(at(now), context, 0), expected.id);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn sessions_do_as_the_model(steps in steps(), seed: u32) {
        let mut sessions = FetchSessions::new(bounds(SLOTS));
        let (mut model, mut now, mut random) = (Model::default(), 0_u64, seed);
        for step in &steps {
            random = random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            match step {
                Step::Wait(seconds) => now += seconds,
                Step::Full { close, last, follower, partitions } => {
                    let named = close.and_then(|n| model.sessions.get(n)).map_or(NO_SESSION, |s| s.id);
                    let epoch = if *last { FINAL_EPOCH } else { INITIAL_EPOCH };
                    let request = FetchStart { follower: *follower, ..start(named, epoch, partitions) };
                    step_full(&mut sessions, &mut model, now, random, request, partitions);
                }
                Step::Next { .. } => step_next(&mut sessions, &mut model, now, step),
            }
            prop_assert_eq!(sessions.len(), model.sessions.len());
            let partitions: usize = model.sessions.iter().map(|s| s.partitions.len()).sum();
            prop_assert_eq!(sessions.partitions_count(), partitions);
            for session in &model.sessions {
                let wrong = sessions.begin(at(now), start(session.id, session.epoch + 5, &[])).unwrap_err();
                prop_assert_eq!(wrong, ErrorCode::InvalidFetchSessionEpoch, "{}", session.id);
            }
        }
    }
}

#[test]
fn age_is_measured_by_the_clock_given() {
    let limits = Bounds { eviction_after: Duration::from_secs(1), ..bounds(1) };
    let mut sessions = FetchSessions::new(limits);
    assert_eq!(open(&mut sessions, at(0), start(0, 0, &[(0, 0)]), 1), 1);
    assert_eq!(open(&mut sessions, at(1), start(0, 0, &[(0, 0)]), 2), NO_SESSION, "not more than a second");
    assert_eq!(open(&mut sessions, at(2), start(0, 0, &[(0, 0)]), 2), 2);
}

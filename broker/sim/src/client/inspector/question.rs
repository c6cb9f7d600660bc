//! Questions about logs, and how their answers are judged.

use std::collections::BTreeMap;

use protocol::ErrorCode;
use protocol::id::{BrokerId, LeaderEpoch, PartitionIndex, Timestamp};
use protocol::message::list_offsets::{
    ListOffsetsPartition, ListOffsetsPartitionResponse, ListOffsetsRequest, ListOffsetsResponse,
    ListOffsetsTopic,
};
use protocol::message::offset_for_leader_epoch::{
    OffsetForLeaderEpochRequest, OffsetForLeaderPartition, OffsetForLeaderTopic,
};

use crate::client::Context;
use crate::client::records::name_of;
use crate::oracle::{Kind, Oracle, Place, Span};
use crate::random::Random;

const LATEST: i64 = -1;
pub(super) const EARLIEST: i64 = -2;
const GREATEST: i64 = -3;
/// Special times, and the version of ListOffsets from which each may be asked for.
pub(super) const SPECIAL: [(i64, i16); 6] =
    [(LATEST, 1), (EARLIEST, 1), (GREATEST, 7), (-4, 8), (-5, 9), (-6, 11)];
/// Far from any leader epoch that a run reaches.
const STRANGE_EPOCH: i32 = 1 << 30;
/// Partitions in one question.
const PLACES_MAX: u64 = 4;

/// What is asked of a partition.
#[derive(Debug, Clone, Copy)]
pub(super) enum Asked {
    /// The first record of at least this time, or one of the special times.
    Time(i64),
    /// Where this epoch ends.
    Epoch(i32),
    /// The same, by somebody who names a leader epoch that never was.
    Fenced,
}

/// A question about some logs, and its answers.
pub(super) struct Question {
    pub(super) asked: BTreeMap<Place, (Asked, Span)>,
    /// Pairs of offset and time, or of epoch and end; negative where there is none.
    pub(super) answers: BTreeMap<Place, (i64, i64)>,
    pub(super) losses: u64,
}

/// Some partitions of topics whose names stay theirs, with what is to be asked of each.
pub(super) fn choose(
    context: &mut Context<'_>,
    mut ask: impl FnMut(&mut Random, &mut Oracle, Place) -> Asked,
) -> BTreeMap<Place, (Asked, Span)> {
    let lasting = context.oracle.topics().filter(|topic| topic.kind != Kind::Fleeting);
    let places: Vec<Place> =
        lasting.flat_map(|topic| (0..topic.partitions).map(|index| (topic.id, index))).collect();
    let mut asked = BTreeMap::new();
    if places.is_empty() {
        return asked;
    }
    for _ in 0..context.random.between(1, PLACES_MAX) {
        let place = *context.random.pick(&places);
        let span = Span { start: 0, floor: context.oracle.floor(place) };
        asked.insert(place, (ask(context.random, context.oracle, place), span));
    }
    asked
}

pub(super) fn times(
    oracle: &Oracle,
    asked: &BTreeMap<Place, (Asked, Span)>,
    isolation_level: i8,
) -> ListOffsetsRequest {
    let mut topics: Vec<ListOffsetsTopic> = Vec::new();
    for (place, (asked, _)) in asked {
        let Asked::Time(time) = *asked else { continue };
        let partition = ListOffsetsPartition {
            partition_index: PartitionIndex(place.1),
            timestamp: Timestamp(time),
            ..Default::default()
        };
        let name = name_of(oracle, *place);
        match topics.last_mut() {
            Some(last) if last.name == name => last.partitions.push(partition),
            _ => topics.push(ListOffsetsTopic { name, partitions: vec![partition] }),
        }
    }
    ListOffsetsRequest { replica_id: BrokerId::NONE, isolation_level, topics, timeout_ms: 0 }
}

pub(super) fn epochs(oracle: &Oracle, asked: &BTreeMap<Place, (Asked, Span)>) -> OffsetForLeaderEpochRequest {
    let mut topics: Vec<OffsetForLeaderTopic> = Vec::new();
    for (place, (asked, _)) in asked {
        let (leader_epoch, current) = match *asked {
            Asked::Epoch(epoch) => (LeaderEpoch(epoch), LeaderEpoch::UNKNOWN),
            Asked::Fenced | Asked::Time(_) => (LeaderEpoch(0), LeaderEpoch(STRANGE_EPOCH)),
        };
        let partition = OffsetForLeaderPartition {
            partition: PartitionIndex(place.1),
            current_leader_epoch: current,
            leader_epoch,
        };
        let topic = name_of(oracle, *place);
        match topics.last_mut() {
            Some(last) if last.topic == topic => last.partitions.push(partition),
            _ => topics.push(OffsetForLeaderTopic { topic, partitions: vec![partition] }),
        }
    }
    OffsetForLeaderEpochRequest { replica_id: BrokerId::NONE, topics }
}

/// The answers of a ListOffsets, by partition.
pub(super) fn of_places<'a>(
    places: impl Iterator<Item = &'a Place>,
    response: &'a ListOffsetsResponse,
    oracle: &Oracle,
) -> Vec<(Place, &'a ListOffsetsPartitionResponse)> {
    let mut found = Vec::new();
    for place in places {
        let name = name_of(oracle, *place);
        let topic = response.topics.iter().find(|topic| topic.name == name);
        let of_place = |answer: &&ListOffsetsPartitionResponse| answer.partition_index.0 == place.1;
        let answer = topic.and_then(|topic| topic.partitions.iter().find(of_place));
        found.extend(answer.map(|answer| (*place, answer)));
    }
    found
}

/// Whether an answer is an error that is over soon.
pub(super) fn is_retriable(code: ErrorCode, what: &str) -> Result<bool, String> {
    match code {
        ErrorCode::None => Ok(false),
        ErrorCode::NotLeaderOrFollower
        | ErrorCode::LeaderNotAvailable
        | ErrorCode::OffsetNotAvailable
        | ErrorCode::UnknownTopicOrPartition
        | ErrorCode::KafkaStorageError => Ok(true),
        // Nobody leads yet whose epoch could be compared.
        ErrorCode::UnknownLeaderEpoch | ErrorCode::FencedLeaderEpoch => Ok(true),
        other => Err(format!("{what} was answered with {}", other.name())),
    }
}

pub(super) fn judge_one(
    place: Place,
    asked: Asked,
    answer: (i64, i64),
    span: Span,
    context: &mut Context<'_>,
) -> Result<(), String> {
    let Some(topic) = context.oracle.by_id(place.0) else { return Ok(()) };
    let (kept, lags) = (topic.kind != Kind::Retained, topic.kind == Kind::Synced);
    let found = (answer.0 >= 0).then_some(answer);
    let log = context.oracle.log(place);
    match asked {
        Asked::Time(LATEST) => log.high_watermark(answer.0, span.floor),
        Asked::Time(EARLIEST | -4) => {
            log.log_start(answer.0, kept)?;
            if answer.0 <= span.start {
                return Ok(());
            }
            Err(format!("the log started at {} and then at {}", answer.0, span.start))
        }
        Asked::Time(GREATEST) => {
            log.found_greatest(found, span, lags)?;
            context.oracle.counters.times_checked += 1;
            Ok(())
        }
        Asked::Time(special) if special < 0 => match found {
            None => Ok(()),
            Some(_) => Err(format!("special time {special} was found at {found:?} without tiers")),
        },
        Asked::Time(time) => {
            log.found_by_time(time, found, span)?;
            context.oracle.counters.times_checked += 1;
            Ok(())
        }
        Asked::Epoch(epoch) => {
            let found = found.and_then(|(last, end)| i32::try_from(last).ok().map(|last| (last, end)));
            let compared = log.epoch_ends(epoch, found, span)?;
            context.oracle.counters.epochs_checked += u64::from(compared);
            Ok(())
        }
        Asked::Fenced => Ok(()),
    }
}

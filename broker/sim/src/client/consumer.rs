//! Consumers: read from the first record on, with and without fetch sessions, and compare all that they get.

use std::collections::{BTreeMap, BTreeSet};

use protocol::ErrorCode;
use protocol::id::{Offset, PartitionIndex, Timestamp, TopicId};
use protocol::message::fetch::{FetchPartition, FetchTopic, PartitionData};
use protocol::message::{FetchRequest, FetchResponse, ListOffsetsRequest};
use protocol::wire::Message as _;

use super::records::{list_offsets, read_records};
use super::{Answered, Client, Context, Requests, body};
use crate::oracle::{Kind, Place};

/// The first version of Fetch that names topics by id.
const IDS_FROM: i16 = 13;
/// The first version with sessions.
const SESSIONS_FROM: i16 = 7;
const EARLIEST: Timestamp = Timestamp(-2);

/// Partitions with the least high watermark that they may be answered with.
type Floors = BTreeMap<Place, i64>;

enum What {
    Fetch { floors: Floors },
    Earliest(Place),
}

/// A consumer of all partitions.
pub(crate) struct Consumer {
    requests: Requests<What>,
    /// 0 is none; else the session's id, its next epoch, and the version it is spoken in.
    session: i32,
    epoch: i32,
    version: i16,
    isolation_level: i8,
    /// Where it goes on reading.
    positions: BTreeMap<Place, i64>,
    /// Positions that the session does not know of.
    changed: BTreeSet<Place>,
    /// Positions before the log's start.
    lost_ground: BTreeSet<Place>,
    power_losses: u64,
}

impl Consumer {
    pub(crate) fn new(name: &str) -> Self {
        Self {
            requests: Requests::new(name),
            session: 0,
            epoch: 0,
            version: 0,
            isolation_level: 0,
            positions: BTreeMap::new(),
            changed: BTreeSet::new(),
            lost_ground: BTreeSet::new(),
            power_losses: 0,
        }
    }

    fn begin(&mut self, context: &mut Context<'_>) {
        self.version = context.random.version(FetchRequest::VERSIONS);
        self.isolation_level = i8::from(context.random.chance(50));
        self.session = 0;
        let with_session = self.version >= SESSIONS_FROM && context.random.chance(60);
        self.epoch = if with_session { 0 } else { -1 };
        let by_name = self.version < IDS_FROM;
        let wanted = |kind: Kind| !by_name || kind != Kind::Fleeting;
        if self.power_losses != context.oracle.power_losses {
            // What was read may be gone: all is compared again.
            self.positions.clear();
        }
        let mut positions = BTreeMap::new();
        for topic in context.oracle.topics().filter(|topic| wanted(topic.kind)) {
            for partition in 0..topic.partitions {
                let place = (topic.id, partition);
                positions.insert(place, self.positions.get(&place).copied().unwrap_or(0));
            }
        }
        if context.random.chance(5) {
            // From the beginning once more.
            positions.values_mut().for_each(|position| *position = 0);
        }
        self.positions = positions;
        self.changed = self.positions.keys().copied().collect();
        self.power_losses = context.oracle.power_losses;
    }

    fn fetch(&mut self, context: &mut Context<'_>) {
        let oracle = &*context.oracle;
        self.positions.retain(|place, _| oracle.by_id(place.0).is_some());
        let incremental = self.epoch > 0;
        let max_bytes = [1, 300, 4_000, 100_000];
        let partition_max_bytes = *context.random.pick(&max_bytes);
        let mut topics: Vec<FetchTopic> = Vec::new();
        for (place, position) in &self.positions {
            if incremental && !self.changed.contains(place) {
                continue;
            }
            let partition = FetchPartition {
                partition: PartitionIndex(place.1),
                fetch_offset: Offset(*position),
                partition_max_bytes,
                ..Default::default()
            };
            let by_id = self.version >= IDS_FROM;
            let name = context.oracle.by_id(place.0).map(|topic| topic.name.clone()).unwrap_or_default();
            let topic = FetchTopic {
                topic: if by_id { String::new() } else { name },
                topic_id: if by_id { place.0 } else { TopicId::ZERO },
                partitions: Vec::new(),
            };
            match topics.last_mut() {
                Some(last) if last.topic == topic.topic && last.topic_id == topic.topic_id => {
                    last.partitions.push(partition);
                }
                _ => topics.push(FetchTopic { partitions: vec![partition], ..topic }),
            }
        }
        let request = FetchRequest {
            max_wait_ms: context.random.between_i32(0, 400),
            min_bytes: *context.random.pick(&[0, 1, 1, 500, 50_000]),
            max_bytes: *context.random.pick(&[1, 2_000, 1 << 20]),
            isolation_level: self.isolation_level,
            session_id: self.session,
            session_epoch: self.epoch,
            topics,
            ..Default::default()
        };
        let floors = self.positions.keys().map(|place| (*place, context.oracle.floor(*place))).collect();
        self.changed.clear();
        self.requests.send(&request, self.version, What::Fetch { floors }, context);
    }

    fn ask_start(&mut self, place: Place, context: &mut Context<'_>) {
        self.requests.send(
            &list_offsets(context.oracle, place, EARLIEST),
            *ListOffsetsRequest::VERSIONS.end(),
            What::Earliest(place),
            context,
        );
    }

    fn fetched(
        &mut self,
        response: &FetchResponse,
        floors: &Floors,
        context: &mut Context<'_>,
    ) -> Result<(), String> {
        match response.error_code {
            ErrorCode::None => {}
            ErrorCode::FetchSessionIdNotFound
            | ErrorCode::InvalidFetchSessionEpoch
            | ErrorCode::FetchSessionTopicIdError => {
                self.version = 0;
                return Ok(());
            }
            other => return Err(format!("a Fetch was answered with {}", other.name())),
        }
        if self.epoch == 0 && response.session_id == 0 {
            self.epoch = -1;
        } else if self.epoch >= 0 {
            context.oracle.counters.session_fetches += u64::from(self.epoch > 0);
            self.session = response.session_id;
            self.epoch += 1;
        }
        for topic in &response.responses {
            let id = if self.version >= IDS_FROM {
                topic.topic_id
            } else {
                context.oracle.topic(&topic.topic).map_or(TopicId::ZERO, |topic| topic.id)
            };
            for data in &topic.partitions {
                let place = (id, data.partition_index.0);
                let Some(floor) = floors.get(&place) else { continue };
                self.partition(place, data, *floor, context).map_err(|why| {
                    let name = context.oracle.by_id(id).map_or("?", |topic| &topic.name);
                    format!("{name}-{}: {why}", place.1)
                })?;
            }
        }
        Ok(())
    }

    fn partition(
        &mut self,
        place: Place,
        data: &PartitionData,
        floor: i64,
        context: &mut Context<'_>,
    ) -> Result<(), String> {
        let Some(position) = self.positions.get(&place).copied() else { return Ok(()) };
        let Some(topic) = context.oracle.by_id(place.0) else { return Ok(()) };
        let retained = topic.kind != Kind::Retained;
        match data.error_code {
            ErrorCode::None => {}
            ErrorCode::OffsetOutOfRange => {
                self.lost_ground.insert(place);
                return Ok(());
            }
            ErrorCode::NotLeaderOrFollower
            | ErrorCode::UnknownTopicOrPartition
            | ErrorCode::UnknownTopicId
            | ErrorCode::InconsistentTopicId
            | ErrorCode::KafkaStorageError => {
                self.version = 0;
                return Ok(());
            }
            other => return Err(format!("read from {position}: {}", other.name())),
        }
        let log = context.oracle.log(place);
        log.high_watermark(data.high_watermark.0, floor)?;
        if self.version >= 5 {
            log.log_start(data.log_start_offset.0, retained)?;
        }
        if data.last_stable_offset > data.high_watermark {
            return Err(format!("LSO {} beyond {}", data.last_stable_offset, data.high_watermark));
        }
        let bytes = data.records.as_deref().unwrap_or_default();
        let next = read_records(context.oracle, place, bytes, position, data.high_watermark.0)?;
        if next != position {
            self.positions.insert(place, next);
            self.changed.insert(place);
        }
        Ok(())
    }
}

impl Client for Consumer {
    fn act(&mut self, context: &mut Context<'_>) {
        if !self.requests.is_empty() || context.draining {
            return;
        }
        if let Some(place) = self.lost_ground.pop_first() {
            if context.oracle.by_id(place.0).is_some() {
                self.ask_start(place, context);
            }
            return;
        }
        if self.version == 0 || context.random.chance(4) {
            self.begin(context);
        }
        self.fetch(context);
    }

    fn reply(&mut self, frame: &[u8], context: &mut Context<'_>) -> Result<(), String> {
        let Answered { version, what, .. } = self.requests.answered(frame, context)?;
        match what {
            What::Fetch { floors } => {
                let response = body::<FetchRequest>(frame, version)?;
                self.fetched(&response, &floors, context)
            }
            What::Earliest(place) => {
                let response = body::<ListOffsetsRequest>(frame, version)?;
                let answer = response.topics.first().and_then(|topic| topic.partitions.first());
                let answer = answer.ok_or("ListOffsets was answered without its partition")?;
                let Some(position) = self.positions.get(&place).copied() else { return Ok(()) };
                if answer.error_code.is_error() {
                    self.version = 0;
                    return Ok(());
                }
                let start = answer.offset.0;
                if start <= position && self.power_losses == context.oracle.power_losses {
                    return Err(format!("offset {position} is out of range in a log from {start} on"));
                }
                self.positions.insert(place, start);
                self.changed.insert(place);
                Ok(())
            }
        }
    }

    fn lost(&mut self, _context: &mut Context<'_>) {
        self.requests.lost();
        self.lost_ground.clear();
        self.version = 0;
    }

    fn is_idle(&self) -> bool {
        self.requests.is_empty()
    }

    fn waits_since(&self) -> Option<u64> {
        self.requests.waits_since()
    }
}

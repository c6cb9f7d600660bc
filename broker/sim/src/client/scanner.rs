//! The auditor: lists all topics and reads every partition from its first record to its last one.

use std::collections::VecDeque;

use protocol::ErrorCode;
use protocol::id::{Offset, PartitionIndex, Timestamp};
use protocol::message::fetch::{FetchPartition, FetchTopic};
use protocol::message::{FetchRequest, ListOffsetsRequest, MetadataRequest};
use protocol::wire::Message as _;

use super::admin::listed;
use super::records::{list_offsets, read_records};
use super::{Answered, Client, Context, Requests, body, everything};
use crate::oracle::{Kind, Place};

const LATEST: Timestamp = Timestamp(-1);
const EARLIEST: Timestamp = Timestamp(-2);

enum What {
    List { sent: u64 },
    Latest,
    Earliest,
    Fetch,
}

/// A partition that is being read.
struct Reading {
    place: Place,
    kind: Kind,
    name: String,
    /// What was known and acknowledged when the reading began: it has to be there.
    known_end: i64,
    end: Option<i64>,
    next: Option<i64>,
}

/// The auditor.
pub(crate) struct Scanner {
    requests: Requests<What>,
    wanted: bool,
    listed: bool,
    waiting: VecDeque<Reading>,
}

impl Scanner {
    pub(crate) fn new() -> Self {
        Self { requests: Requests::new("scanner"), wanted: false, listed: false, waiting: VecDeque::new() }
    }

    fn list(&mut self, context: &mut Context<'_>) {
        let what = What::List { sent: context.now };
        let version = *MetadataRequest::VERSIONS.end();
        self.requests.send(&everything(), version, what, context);
    }

    fn all(context: &mut Context<'_>) -> VecDeque<Reading> {
        let deleted_too = Self::is_alone(context);
        let topics = context.oracle.all_topics().filter(|topic| deleted_too || !topic.deletion_asked);
        let topics: Vec<_> = topics.cloned().collect();
        let mut waiting = VecDeque::new();
        for topic in topics {
            for partition in 0..topic.partitions {
                let place = (topic.id, partition);
                let known_end = context.oracle.log(place).known_end();
                let (name, kind) = (topic.name.clone(), topic.kind);
                waiting.push_back(Reading { place, kind, name, known_end, end: None, next: None });
            }
        }
        waiting
    }

    /// Nobody else asks for anything: no topic gives its name to another one meanwhile.
    fn is_alone(context: &Context<'_>) -> bool {
        context.oracle.cut_pending || context.draining
    }

    fn read_on(&mut self, context: &mut Context<'_>) {
        let is_alone = Self::is_alone(context);
        let Some(reading) = self.waiting.front_mut() else { return };
        if context.oracle.by_id(reading.place.0).is_none_or(|topic| topic.deletion_asked && !is_alone) {
            self.waiting.pop_front();
            return;
        }
        let version = *ListOffsetsRequest::VERSIONS.end();
        let place = reading.place;
        match (reading.end, reading.next) {
            (None, _) => {
                if !context.oracle.cut_pending {
                    reading.known_end = context.oracle.log(place).known_end();
                }
                let request = list_offsets(context.oracle, place, LATEST);
                self.requests.send(&request, version, What::Latest, context);
            }
            (Some(_), None) => {
                let request = list_offsets(context.oracle, place, EARLIEST);
                self.requests.send(&request, version, What::Earliest, context);
            }
            (Some(_), Some(next)) => {
                let partition = FetchPartition {
                    partition: PartitionIndex(place.1),
                    fetch_offset: Offset(next),
                    partition_max_bytes: 1 << 20,
                    ..Default::default()
                };
                let topic =
                    FetchTopic { topic_id: place.0, partitions: vec![partition], ..Default::default() };
                let request = FetchRequest { min_bytes: 1, topics: vec![topic], ..Default::default() };
                self.requests.send(&request, *FetchRequest::VERSIONS.end(), What::Fetch, context);
            }
        }
    }

    /// An error that is over soon, or else no sign of life.
    fn retry(code: ErrorCode, what: &str) -> Result<bool, String> {
        match code {
            ErrorCode::None => Ok(false),
            ErrorCode::NotLeaderOrFollower
            | ErrorCode::LeaderNotAvailable
            | ErrorCode::UnknownTopicOrPartition
            | ErrorCode::UnknownTopicId
            | ErrorCode::OffsetNotAvailable
            | ErrorCode::KafkaStorageError => Ok(true),
            other => Err(format!("{what} was answered with {}", other.name())),
        }
    }

    /// The topic was deleted after all, as somebody had asked.
    fn skip_deleted(&mut self, code: ErrorCode, context: &Context<'_>) {
        let unknown = matches!(code, ErrorCode::UnknownTopicOrPartition | ErrorCode::UnknownTopicId);
        let topic = self.waiting.front().and_then(|reading| context.oracle.by_id(reading.place.0));
        if unknown && topic.is_some_and(|topic| topic.deletion_asked) {
            self.waiting.pop_front();
        }
    }

    fn offset(&mut self, frame: &[u8], version: i16, context: &Context<'_>) -> Result<Option<i64>, String> {
        let response = body::<ListOffsetsRequest>(frame, version)?;
        let answer = response.topics.first().and_then(|topic| topic.partitions.first());
        let answer = answer.ok_or("ListOffsets was answered without its partition")?;
        self.skip_deleted(answer.error_code, context);
        Ok((!Self::retry(answer.error_code, "ListOffsets")?).then_some(answer.offset.0))
    }

    fn fetched(&mut self, frame: &[u8], version: i16, context: &mut Context<'_>) -> Result<(), String> {
        let response = body::<FetchRequest>(frame, version)?;
        if Self::retry(response.error_code, "Fetch")? {
            return Ok(());
        }
        let data = response.responses.first().and_then(|topic| topic.partitions.first());
        let data = data.ok_or("a Fetch was answered without its partition")?;
        let Some(reading) = self.waiting.front_mut() else { return Ok(()) };
        let named = |why: String| format!("scan of {}-{}: {why}", reading.name, reading.place.1);
        let deleted = context.oracle.by_id(reading.place.0).is_none();
        if deleted {
            return Ok(());
        }
        if data.error_code == ErrorCode::OffsetOutOfRange && reading.kind == Kind::Retained {
            reading.next = None;
            return Ok(());
        }
        if Self::retry(data.error_code, "Fetch")? {
            self.skip_deleted(data.error_code, context);
            return Ok(());
        }
        let (Some(next), Some(end)) = (reading.next, reading.end) else { return Ok(()) };
        let bytes = data.records.as_deref().unwrap_or_default();
        let next = read_records(context.oracle, reading.place, bytes, next, data.high_watermark.0);
        reading.next = Some(next.map_err(named)?);
        if reading.next >= Some(end) {
            self.finish(context)?;
        }
        Ok(())
    }

    /// The partition at the front was read to its end.
    fn finish(&mut self, context: &mut Context<'_>) -> Result<(), String> {
        let Some(reading) = self.waiting.pop_front() else { return Ok(()) };
        let named = |why: String| format!("scan of {}-{}: {why}", reading.name, reading.place.1);
        let end = reading.end.unwrap_or(0);
        if context.oracle.cut_pending {
            let synced = reading.kind == Kind::Synced;
            let lost = context.oracle.log(reading.place).ends_at(end, true, synced).map_err(named)?;
            context.oracle.counters.records_lost += lost as u64;
        } else if end < reading.known_end {
            return Err(named(format!("it ends at {end} and was known until {}", reading.known_end)));
        }
        if context.oracle.log(reading.place).start() > 0 {
            context.oracle.counters.retentions += 1;
        }
        self.end_when_done(context);
        Ok(())
    }

    fn end_when_done(&mut self, context: &mut Context<'_>) {
        if self.listed && self.waiting.is_empty() {
            self.wanted = false;
            context.oracle.cut_pending = false;
        }
    }

    /// One that is at work.
    pub(crate) fn started() -> Self {
        let mut scanner = Self::new();
        scanner.start();
        scanner
    }

    /// Begins anew.
    fn start(&mut self) {
        self.wanted = true;
        self.listed = false;
        self.waiting.clear();
    }
}

impl Client for Scanner {
    fn act(&mut self, context: &mut Context<'_>) {
        if !self.wanted || !self.requests.is_empty() {
            return;
        }
        if self.listed {
            self.read_on(context);
            self.end_when_done(context);
        } else {
            self.list(context);
        }
    }

    fn reply(&mut self, frame: &[u8], context: &mut Context<'_>) -> Result<(), String> {
        let Answered { version, what, .. } = self.requests.answered(frame, context)?;
        match what {
            What::List { sent } => {
                let response = body::<MetadataRequest>(frame, version)?;
                // A broker that was just started says that it knows no leader, and then maybe no topic either.
                if response.controller_id.0 < 0 || response.brokers.is_empty() {
                    return Ok(());
                }
                context.oracle.listed(&listed(&response), sent, context.now)?;
                self.listed = true;
                self.waiting = Self::all(context);
                self.end_when_done(context);
                Ok(())
            }
            What::Latest => {
                let offset = self.offset(frame, version, context)?;
                if let (Some(reading), Some(end)) = (self.waiting.front_mut(), offset) {
                    reading.end = Some(end);
                }
                Ok(())
            }
            What::Earliest => {
                let offset = self.offset(frame, version, context)?;
                let (Some(reading), Some(start)) = (self.waiting.front_mut(), offset) else { return Ok(()) };
                let retained = reading.kind != Kind::Retained;
                if context.oracle.by_id(reading.place.0).is_some() {
                    context.oracle.log(reading.place).log_start(start, retained)?;
                }
                reading.next = Some(start);
                if Some(start) >= reading.end {
                    self.finish(context)?;
                }
                Ok(())
            }
            What::Fetch => self.fetched(frame, version, context),
        }
    }

    fn lost(&mut self, _context: &mut Context<'_>) {
        self.requests.lost();
        if self.wanted {
            self.start();
        }
    }

    fn is_idle(&self) -> bool {
        !self.wanted
    }

    fn waits_since(&self) -> Option<u64> {
        self.requests.waits_since()
    }
}

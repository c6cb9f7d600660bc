//! The Produces of one turn, from frames to replies: walk, check, append, answer (D1, D3).
//!
//! Everything that needs no lock comes first: the walk over each request, the look-up of its partitions, the check
//! of every batch. Then each partition is locked once and its batches of all requests are written by one call.

use std::ops::Range;
use std::sync::Arc;

use machines::partition::Acknowledgement;
use protocol::ErrorCode;
use protocol::api_key::ApiKey;
use protocol::hot::produce::{self as walk, Head, Part, Topic};
use protocol::id::{LeaderEpoch, Offset, Timestamp};
use protocol::message::ProduceResponse;
use protocol::message::produce::{BatchIndexAndErrorMessage, PartitionProduceResponse, TopicProduceResponse};
use protocol::records::{BatchError, CheckRules, CheckedBatch, TimestampType, check, recompress};
use protocol::wire::Writer;
use storage::AppendOutcome;

use crate::api::{Header, is_internal};
use crate::effects::{Effects, Now, Reply, Ticket, TicketKind};
use crate::metrics::Shard;
use crate::node::{Node, millis};
use crate::parked::ParkedProduce;
use crate::partition::{Appended, Partition, Place};
use crate::session::{Session, Slot};
use crate::table::{HostedTopic, Table};
use crate::topic_settings::{Codec, TopicSettings};

/// `acks=all`.
const ACKS_ALL: i16 = -1;
/// The `client.id` of Kafka's tools that write to topics of the brokers.
const ADMIN_CLIENT: &[u8] = b"__admin_client";
/// The first version that may carry zstd (KIP-110).
const ZSTD_FROM: i16 = 7;

/// One request of the round.
struct Request {
    /// Without its length prefix.
    frame: Range<usize>,
    head: Head,
    /// Its partitions, in the round's list.
    parts: Range<usize>,
    slot: Slot,
    /// Set when a partition has to be waited for.
    parked: Option<Arc<ParkedProduce>>,
}

/// A batch that passed its check.
struct Pending<'a> {
    partition: Arc<Partition>,
    acks_all: bool,
    request: usize,
    part: usize,
    batch: CheckedBatch<'a>,
    /// Set where the batch is to be written anew, with the codec that its topic demands.
    recompression: Option<Box<Recompression>>,
}

/// How a batch is written anew.
struct Recompression {
    codec: Codec,
    rules: CheckRules,
    segment_bytes: usize,
}

struct Round {
    requests: Vec<Request>,
    parts: Vec<Part>,
    outcomes: Vec<PartitionProduceResponse>,
}

/// Serves the Produce frames of `input` at `frames`. The slots of those that were taken are answered or parked.
///
/// # Errors
/// Why the connection has to be closed: a frame that is no Produce request; the ones before it were served.
pub(crate) fn serve(
    node: &Node,
    now: Now,
    session: &Arc<Session>,
    input: &mut [u8],
    frames: &[Range<usize>],
    effects: &mut Effects,
) -> Result<(), &'static str> {
    let (mut round, broken) = Round::walk(now, session, input, frames);
    node.metrics().shard(session.number()).requests(ApiKey::Produce, round.requests.len() as u64);
    round.append(node, now, session, input, effects);
    round.count_errors(node.metrics().shard(session.number()));
    let replies = round.replies(now, input, effects);
    session.complete(replies);
    node.metrics().shard(session.number()).produced(round.requests.len(), round.parts.len());
    broken.map_or(Ok(()), Err)
}

impl Round {
    fn walk(
        now: Now,
        session: &Arc<Session>,
        input: &[u8],
        frames: &[Range<usize>],
    ) -> (Self, Option<&'static str>) {
        let mut round =
            Self { requests: Vec::with_capacity(frames.len()), parts: Vec::new(), outcomes: Vec::new() };
        let mut scratch = Vec::new();
        let mut broken = None;
        for frame in frames {
            let Ok(head) = walk::walk(input.get(frame.clone()).unwrap_or_default(), &mut scratch) else {
                broken = Some("a Produce request that does not fit its declaration");
                break;
            };
            let parts = round.parts.len()..round.parts.len() + scratch.len();
            round.parts.extend_from_slice(&scratch);
            round.requests.push(Request { frame: frame.clone(), head, parts, slot: Slot(0), parked: None });
        }
        let first = session.reserve(round.requests.len(), ApiKey::Produce, now.monotonic);
        for (request, slot) in round.requests.iter_mut().zip(first.0..) {
            request.slot = Slot(slot);
        }
        round.outcomes.resize_with(round.parts.len(), PartitionProduceResponse::default);
        (round, broken)
    }

    fn append(
        &mut self,
        node: &Node,
        now: Now,
        session: &Arc<Session>,
        input: &mut [u8],
        effects: &mut Effects,
    ) {
        let mut buffers = Vec::new();
        let mut pending = self.check(node, now, input);
        let recompressed = pending.iter().filter(|pending| pending.recompression.is_some()).count();
        if recompressed > 0 {
            buffers.resize_with(recompressed, Vec::new);
            pending = self.recompress(pending, &mut buffers);
        }
        if pending.len() > 1 {
            // Stable: batches of one partition stay in the order in which they arrived. By name, not by address, so
            // that a run can be replayed.
            pending.sort_by_key(|pending| (pending.partition.topic_id, pending.partition.index));
        }
        let mut pending = pending.into_iter().peekable();
        while let Some(first) = pending.next() {
            let (partition, acks_all) = (first.partition, first.acks_all);
            let mut places = vec![(first.request, first.part)];
            let mut batches = vec![first.batch];
            while let Some(next) =
                pending.next_if(|next| Arc::ptr_eq(&next.partition, &partition) && next.acks_all == acks_all)
            {
                places.push((next.request, next.part));
                batches.push(next.batch);
            }
            let mut appended = Vec::with_capacity(batches.len());
            let result = partition.append(now, acks_all, &mut batches, &mut appended, effects);
            // At once: nothing more is acknowledged from a directory of which a write failed.
            node.judge_failures(effects);
            let log_append_time = |batch: &CheckedBatch<'_>| match batch.header.attributes.timestamp_type() {
                TimestampType::LogAppendTime => batch.header.max_timestamp,
                TimestampType::CreateTime => Timestamp::NONE,
            };
            if let Err(error) = result {
                for (_, part) in places {
                    self.fail(part, error);
                }
                continue;
            }
            let shard = node.metrics().shard(session.number());
            for (((request, part), appended), batch) in places.into_iter().zip(appended).zip(&batches) {
                count_appended(shard, &appended, batch);
                self.record(part, &appended, log_append_time(batch));
                if let Some(required) = appended.waits_for {
                    self.park(node, session, (request, part), &partition, required);
                }
            }
        }
    }

    /// Looks up every partition and checks every batch; what fails has its outcome already.
    fn check<'a>(&mut self, node: &Node, now: Now, input: &'a mut [u8]) -> Vec<Pending<'a>> {
        let table = node.table();
        let room = node.check_space();
        let mut pending = Vec::with_capacity(self.parts.len());
        let mut checked = Vec::with_capacity(1);
        let (mut rest, mut position) = (input, 0);
        for (number, request) in self.requests.iter().enumerate() {
            let (_, tail) = std::mem::take(&mut rest).split_at_mut(request.frame.start - position);
            let (frame, tail) = tail.split_at_mut(request.frame.len());
            (rest, position) = (tail, request.frame.end);
            let parts = self.parts.get(request.parts.clone()).unwrap_or_default();
            let hosted = resolve(&table, frame, parts);
            let is_tool = request.head.client_id.is_some_and(|id| id.bytes(frame) == ADMIN_CLIENT);
            for ((part, records), hosted) in
                request.parts.clone().zip(walk::record_sets(frame, parts)).zip(hosted)
            {
                let (Some(wanted), Some(outcome)) = (self.parts.get(part), self.outcomes.get_mut(part))
                else {
                    continue;
                };
                outcome.index = wanted.index;
                let hosted = hosted.and_then(|topic| writable(topic, is_tool));
                match admit(hosted, room, (wanted, &request.head), now, records, &mut checked) {
                    Ok((partition, recompression)) => pending.extend(checked.pop().map(|batch| Pending {
                        partition,
                        acks_all: request.head.acks == ACKS_ALL,
                        request: number,
                        part,
                        batch,
                        recompression,
                    })),
                    Err(error) => refuse(outcome, error),
                }
            }
        }
        pending
    }

    /// Writes batches anew whose topic demands another codec, each into a buffer of its own.
    fn recompress<'a>(&mut self, pending: Vec<Pending<'a>>, buffers: &'a mut [Vec<u8>]) -> Vec<Pending<'a>> {
        let mut buffers = buffers.iter_mut();
        let mut kept = Vec::with_capacity(pending.len());
        for mut pending in pending {
            if let Some(wanted) = pending.recompression.take()
                && let Some(buffer) = buffers.next()
            {
                match wanted.run(&pending.batch, buffer) {
                    Ok(batch) => pending.batch = batch,
                    Err(refusal) => {
                        if let Some(outcome) = self.outcomes.get_mut(pending.part) {
                            refuse(outcome, refusal);
                        }
                        continue;
                    }
                }
            }
            kept.push(pending);
        }
        kept
    }

    fn count_errors(&self, shard: &Shard) {
        for outcome in self.outcomes.iter().filter(|outcome| outcome.error_code.is_error()) {
            shard.error(ApiKey::Produce, outcome.error_code);
            if outcome.error_message.is_some() {
                shard.rejected_batches.increment();
            }
        }
    }

    fn fail(&mut self, part: usize, error: ErrorCode) {
        if let Some(outcome) = self.outcomes.get_mut(part) {
            outcome.error_code = error;
            outcome.base_offset = Offset::UNKNOWN;
        }
    }

    fn record(&mut self, part: usize, appended: &Appended, log_append_time: Timestamp) {
        let Some(outcome) = self.outcomes.get_mut(part) else { return };
        outcome.log_start_offset = appended.log_start_offset;
        match appended.outcome {
            AppendOutcome::Appended { base_offset } => {
                outcome.base_offset = base_offset;
                outcome.log_append_time_ms = log_append_time;
            }
            AppendOutcome::Duplicate { base_offset, timestamp } => {
                outcome.base_offset = base_offset;
                if log_append_time != Timestamp::NONE {
                    outcome.log_append_time_ms = timestamp;
                }
            }
            AppendOutcome::Rejected(error) => {
                outcome.error_code = error;
                outcome.base_offset = Offset::UNKNOWN;
                outcome.log_start_offset = Offset::UNKNOWN;
            }
        }
    }

    fn park(
        &mut self,
        node: &Node,
        session: &Arc<Session>,
        (request, part): (usize, usize),
        partition: &Partition,
        required: (LeaderEpoch, Offset),
    ) {
        let Some(request) = self.requests.get_mut(request) else { return };
        if request.head.acks == 0 {
            return;
        }
        let place =
            place(self.parts.get(request.parts.clone()).unwrap_or_default(), part - request.parts.start);
        let parked = request.parked.get_or_insert_with(|| {
            let seat = node.parked().take(node.config().parked_requests_max);
            Arc::new(ParkedProduce::new(session, request.slot, seat))
        });
        parked.expect(place);
        let result = match partition.wait_for(required, place, parked) {
            Acknowledgement::Waits => return,
            Acknowledgement::Done => ErrorCode::None,
            Acknowledgement::Failed(error) => error,
        };
        // Decided between the append and here; unsealed, it cannot give its reply yet.
        let _ = parked.fulfil(place, result);
    }

    /// The replies of the requests that are done; the others leave when their partitions are acknowledged.
    fn replies(&mut self, now: Now, input: &[u8], effects: &mut Effects) -> Vec<(Slot, Reply)> {
        let mut replies = Vec::with_capacity(self.requests.len());
        let rest = ProduceResponse::default();
        for request in &self.requests {
            let frame = input.get(request.frame.clone()).unwrap_or_default();
            let parts = self.parts.get(request.parts.clone()).unwrap_or_default();
            let outcomes = self.outcomes.get(request.parts.clone()).unwrap_or_default();
            if request.head.acks == 0 {
                let failed = outcomes.iter().any(|outcome| outcome.error_code.is_error());
                let close = Reply::Close("a Produce with acks=0 failed");
                replies.push((request.slot, if failed { close } else { Reply::Nothing }));
                continue;
            }
            if let Some(parked) = &request.parked {
                let header = Header {
                    api_key: ApiKey::Produce,
                    api_version: request.head.api_version,
                    correlation_id: request.head.correlation_id,
                };
                let mut reply = parked.seal(header, owned_response(frame, parts, outcomes));
                if reply.is_none() && parked.is_seated() {
                    let timeout = millis(request.head.timeout_ms);
                    let ticket = Ticket(TicketKind::Produce(Arc::downgrade(parked)));
                    effects.timers.push((now.monotonic.plus(timeout), ticket));
                } else if reply.is_none() {
                    reply = parked.expire();
                }
                replies.extend(reply.map(|reply| (request.slot, reply)));
                continue;
            }
            let mut writer = Writer::with_capacity(96);
            walk::write_response(&mut writer, frame, &request.head, parts, outcomes, &rest);
            replies.push((request.slot, Reply::Bytes(writer.into_bytes())));
        }
        replies
    }
}

/// The hosted topic of each part, or why there is none.
fn resolve(table: &Table, frame: &[u8], parts: &[Part]) -> Vec<Result<Arc<HostedTopic>, ErrorCode>> {
    let mut last: Option<(u32, Result<Arc<HostedTopic>, ErrorCode>)> = None;
    let look_up = |topic: Topic| match topic {
        Topic::Name(name) => {
            table.by_name(name.text(frame)).cloned().ok_or(ErrorCode::UnknownTopicOrPartition)
        }
        Topic::Id(id) => table.by_id(id).cloned().ok_or(ErrorCode::UnknownTopicId),
    };
    parts
        .iter()
        .map(|part| match &last {
            Some((number, found)) if *number == part.topic_number => found.clone(),
            _ => {
                let found = look_up(part.topic);
                last = Some((part.topic_number, found.clone()));
                found
            }
        })
        .collect()
}

fn count_appended(shard: &Shard, appended: &Appended, batch: &CheckedBatch<'_>) {
    if matches!(appended.outcome, AppendOutcome::Appended { .. }) {
        shard.appended_batches.increment();
        shard.appended_records.add(u64::try_from(batch.header.records_count).unwrap_or(0));
        shard.appended_bytes.add(batch.bytes.len() as u64);
    }
}

/// Why a partition's records are refused before they reach a log.
enum Refusal {
    Code(ErrorCode),
    Batch(BatchError),
}

impl Recompression {
    /// What a topic asks for that names a codec; nothing where the batch has it.
    fn wanted(settings: &TopicSettings, rules: &CheckRules, batch: &CheckedBatch<'_>) -> Option<Box<Self>> {
        let codec = settings.codec?;
        let segment_bytes = usize::try_from(settings.log.segment_bytes).unwrap_or(usize::MAX);
        let has_it = batch.header.attributes.compression() == Ok(codec.compression);
        (!has_it).then(|| Box::new(Self { codec, rules: *rules, segment_bytes }))
    }

    fn run<'a>(
        &self,
        batch: &CheckedBatch<'_>,
        buffer: &'a mut Vec<u8>,
    ) -> Result<CheckedBatch<'a>, Refusal> {
        let Codec { compression, level } = self.codec;
        let batch = recompress(batch, compression, level, &self.rules, buffer).map_err(Refusal::Batch)?;
        if batch.bytes.len() > self.segment_bytes {
            return Err(Refusal::Code(ErrorCode::RecordListTooLarge));
        }
        Ok(batch)
    }
}

/// Clients do not write to topics in which brokers keep what they know.
fn writable(topic: Arc<HostedTopic>, is_tool: bool) -> Result<Arc<HostedTopic>, ErrorCode> {
    if is_internal(&topic.name) && !is_tool { Err(ErrorCode::InvalidTopicException) } else { Ok(topic) }
}

fn admit<'a>(
    hosted: Result<Arc<HostedTopic>, ErrorCode>,
    room: Result<(), ErrorCode>,
    (wanted, head): (&Part, &Head),
    now: Now,
    records: &'a mut [u8],
    checked: &mut Vec<CheckedBatch<'a>>,
) -> Result<(Arc<Partition>, Option<Box<Recompression>>), Refusal> {
    if !(ACKS_ALL..=1).contains(&head.acks) {
        return Err(Refusal::Code(ErrorCode::InvalidRequiredAcks));
    }
    let hosted = hosted.map_err(Refusal::Code)?;
    let partition =
        hosted.partition(wanted.index).ok_or(Refusal::Code(ErrorCode::UnknownTopicOrPartition))?;
    room.map_err(Refusal::Code)?;
    let rules =
        CheckRules { now: now.wall, zstd_allowed: head.api_version >= ZSTD_FROM, ..hosted.settings.check };
    check(records, &rules, checked).map_err(Refusal::Batch)?;
    let segment_bytes = usize::try_from(hosted.settings.log.segment_bytes).unwrap_or(usize::MAX);
    if checked.last().is_some_and(|batch| batch.bytes.len() > segment_bytes) {
        checked.clear();
        return Err(Refusal::Code(ErrorCode::RecordListTooLarge));
    }
    let transactional = checked.last().is_some_and(|batch| batch.header.attributes.is_transactional());
    if transactional {
        checked.clear();
        // Nobody may write for a transaction that the request does not name, and none is open that it could name.
        return Err(Refusal::Code(match head.transactional_id {
            None => ErrorCode::TransactionalIdAuthorizationFailed,
            Some(_) => ErrorCode::InvalidTxnState,
        }));
    }
    let batch = checked.last();
    let recompression = batch.and_then(|batch| Recompression::wanted(&hosted.settings, &rules, batch));
    Ok((Arc::clone(partition), recompression))
}

fn refuse(outcome: &mut PartitionProduceResponse, refusal: Refusal) {
    outcome.base_offset = Offset::UNKNOWN;
    match refusal {
        Refusal::Code(error) => outcome.error_code = error,
        Refusal::Batch(error) => {
            outcome.error_code = error.code;
            outcome.error_message = Some(error.message);
            outcome.record_errors = error
                .record_errors
                .into_iter()
                .map(|record| BatchIndexAndErrorMessage {
                    batch_index: record.index,
                    batch_index_error_message: Some(record.message),
                })
                .collect();
        }
    }
}

/// Where a part stands in its response.
fn place(parts: &[Part], number: usize) -> Place {
    let before = parts.get(..=number).unwrap_or_default();
    let mut groups = before.chunk_by(|a, b| a.topic_number == b.topic_number);
    let topic = groups.clone().count().saturating_sub(1);
    let partition = groups.next_back().map_or(0, |group| group.len() - 1);
    Place { topic, partition }
}

/// The response of a request whose frame is gone by the time that the answer leaves.
fn owned_response(frame: &[u8], parts: &[Part], outcomes: &[PartitionProduceResponse]) -> ProduceResponse {
    let mut outcomes = outcomes.iter().cloned();
    let responses = parts
        .chunk_by(|a, b| a.topic_number == b.topic_number)
        .map(|group| {
            let mut response = TopicProduceResponse::default();
            match group.first().map(|part| part.topic) {
                Some(Topic::Name(name)) => name.text(frame).clone_into(&mut response.name),
                Some(Topic::Id(id)) => response.topic_id = id,
                None => {}
            }
            response.partition_responses = outcomes.by_ref().take(group.len()).collect();
            response
        })
        .collect();
    ProduceResponse { responses, ..ProduceResponse::default() }
}

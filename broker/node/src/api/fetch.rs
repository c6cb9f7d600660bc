//! Fetch (1): resolves what is wanted; [`crate::fetch_work`] runs it, at once or when records arrive.

use std::sync::Arc;
use std::time::Duration;

use machines::fetch_session::{
    Answer, Asked, FINAL_EPOCH, FetchContext, FetchStart, NO_SESSION, PartitionKey, SessionTopic,
};
use protocol::ErrorCode;
use protocol::api_key::ApiKey;
use protocol::hot::fetch::{Head, ResponseWriter};
use protocol::id::{PartitionIndex, TopicId};
use protocol::message::FetchResponse;
use protocol::message::fetch::{EpochEndOffset, FetchPartition, FetchRequest, PartitionData};
use protocol::records::Compression;
use protocol::wire::{Reader, Writer};
use storage::disk::FileRange;

use super::{Call, Handled, check_partitions, decode};
use crate::effects::{Now, Part, Reply, Ticket, TicketKind};
use crate::fetch_work::{FetchWork, Fetched, ParkedFetch, WantedPartition, WantedTopic};
use crate::metrics::Shard;
use crate::node::{Node, millis};
use crate::table::{HostedTopic, Table};

/// `isolation_level` of a consumer that wants committed transactions only.
const READ_COMMITTED: i8 = 1;
/// Topics are named by id from this version on (KIP-516).
const TOPIC_IDS_FROM: i16 = 13;
/// No Fetch waits longer, whatever it asks for: an answer without records is an answer, and a client that is gone
/// without a word holds its memory no longer. Consumers ask for half a second (fetch.max.wait.ms).
const WAIT_MAX: Duration = Duration::from_secs(300);
/// Clients that read zstd speak this version or a later one (KIP-110).
const ZSTD_FROM: i16 = 10;
/// Fetch sessions exist from this version on (KIP-227).
const SESSIONS_FROM: i16 = 7;

pub(super) fn handle(call: Call<'_>, reader: Reader<'_>) -> Result<Handled, &'static str> {
    let request: FetchRequest = decode(reader, call.header.api_version)?;
    let forgotten = request.forgotten_topics_data.iter().map(|topic| topic.partitions.len());
    check_partitions(request.topics.iter().map(|topic| topic.partitions.len()).chain(forgotten))?;
    let start = session_start(&request, call.header.api_version);
    let context = match call.node.fetch_sessions().lock().begin(call.now.monotonic, start) {
        Ok(context) => context,
        Err(error_code) => return call.reply(&FetchResponse { error_code, ..FetchResponse::default() }),
    };
    let limit = call.node.config().fetch_max_bytes;
    let max_bytes = u32::try_from(request.max_bytes).unwrap_or(0).min(limit);
    let work = FetchWork {
        header: call.header,
        read_committed: request.isolation_level == READ_COMMITTED,
        // To wait for more than is taken would be to wait in vain.
        min_bytes: u64::try_from(request.min_bytes).unwrap_or(0).min(u64::from(max_bytes)),
        max_bytes,
        topics: resolve(&call.node.table(), &context, call.header.api_version),
    };
    let deadline = call.now.monotonic.plus(millis(request.max_wait_ms).min(WAIT_MAX));
    let fetch = ParkedFetch::new(call.session, call.slot, deadline, work, context);
    if let Some(reply) = fetch.run(call.node, call.now, call.effects) {
        return Ok(Handled::Reply(reply));
    }
    call.node.metrics().shard(call.session.number()).parked_fetches.increment();
    call.effects.timers.push((deadline, Ticket(TicketKind::Fetch(Arc::downgrade(&fetch)))));
    Ok(Handled::Parked)
}

/// The part of a request that fetch sessions are about.
fn session_start(request: &FetchRequest, version: i16) -> FetchStart {
    let topic_ids = version >= TOPIC_IDS_FROM;
    let name =
        |topic: &str, id| if topic_ids { SessionTopic::Id(id) } else { SessionTopic::Name(Arc::from(topic)) };
    let partitions = request.topics.iter().flat_map(|topic| {
        let key = name(&topic.topic, topic.topic_id);
        topic.partitions.iter().map(move |wanted| {
            (PartitionKey { topic: key.clone(), partition: wanted.partition }, asked(wanted))
        })
    });
    let forgotten = request.forgotten_topics_data.iter().flat_map(|topic| {
        let key = name(&topic.topic, topic.topic_id);
        topic
            .partitions
            .iter()
            .map(move |partition| PartitionKey { topic: key.clone(), partition: *partition })
    });
    let sessions = version >= SESSIONS_FROM;
    FetchStart {
        session_id: if sessions { request.session_id } else { NO_SESSION },
        session_epoch: if sessions { request.session_epoch } else { FINAL_EPOCH },
        topic_ids,
        follower: false,
        partitions: partitions.collect(),
        forgotten: forgotten.collect(),
    }
}

fn asked(wanted: &FetchPartition) -> Asked {
    Asked {
        fetch_offset: wanted.fetch_offset,
        log_start_offset: wanted.log_start_offset,
        current_leader_epoch: wanted.current_leader_epoch,
        last_fetched_epoch: wanted.last_fetched_epoch,
        max_bytes: wanted.partition_max_bytes,
    }
}

/// The partitions of this fetch in the session's order, neighbours of one topic together.
fn resolve(table: &Table, context: &FetchContext, version: i16) -> Vec<WantedTopic> {
    let mut topics: Vec<WantedTopic> = Vec::new();
    let mut last: Option<(&SessionTopic, Option<Arc<HostedTopic>>)> = None;
    for (key, asked) in context.partitions() {
        let hosted = match &last {
            Some((topic, hosted)) if *topic == &key.topic => hosted.clone(),
            _ => {
                let hosted = match &key.topic {
                    SessionTopic::Name(name) => table.by_name(name).cloned(),
                    SessionTopic::Id(id) => table.by_id(*id).cloned(),
                };
                topics.push(wanted_topic(&key.topic, hosted.as_ref()));
                last = Some((&key.topic, hosted.clone()));
                hosted
            }
        };
        if let Some(topic) = topics.last_mut() {
            topic.partitions.push(wanted_partition(hosted.as_ref(), key, asked, version));
        }
    }
    topics
}

fn wanted_topic(topic: &SessionTopic, hosted: Option<&Arc<HostedTopic>>) -> WantedTopic {
    let (name, id) = match (hosted, topic) {
        (Some(hosted), _) => (Arc::clone(&hosted.name), hosted.id),
        (None, SessionTopic::Name(name)) => (Arc::clone(name), TopicId::ZERO),
        (None, SessionTopic::Id(id)) => (Arc::from(""), *id),
    };
    WantedTopic { name, id, partitions: Vec::new() }
}

fn wanted_partition(
    hosted: Option<&Arc<HostedTopic>>,
    key: &PartitionKey,
    asked: &Asked,
    version: i16,
) -> WantedPartition {
    let missing = match key.topic {
        SessionTopic::Name(_) => ErrorCode::UnknownTopicOrPartition,
        SessionTopic::Id(_) => ErrorCode::UnknownTopicId,
    };
    let find = |hosted: &Arc<HostedTopic>| {
        // What a producer compressed with zstd is sent as it is; a topic that is always so is no topic for old clients.
        if version < ZSTD_FROM && hosted.settings.codec.is_some_and(|c| c.compression == Compression::Zstd) {
            return Err(ErrorCode::UnsupportedCompressionType);
        }
        hosted.partition(key.partition).cloned().ok_or(ErrorCode::UnknownTopicOrPartition)
    };
    WantedPartition {
        index: key.partition,
        partition: hosted.ok_or(missing).and_then(find),
        fetch_offset: asked.fetch_offset,
        current_leader_epoch: asked.current_leader_epoch,
        last_fetched_epoch: asked.last_fetched_epoch,
        max_bytes: u32::try_from(asked.max_bytes).unwrap_or(0),
    }
}

/// The response frame around the ranges that were read. Inside a session it has only what changed.
pub(crate) fn fetch_reply(
    node: &Node,
    now: Now,
    work: &FetchWork,
    results: Vec<Fetched>,
    mut context: FetchContext,
    shard: &Shard,
) -> Reply {
    let mut results = results.into_iter().enumerate();
    let mut topics: Vec<(&WantedTopic, Vec<Answered>)> = Vec::new();
    for topic in &work.topics {
        let mut answers = Vec::with_capacity(topic.partitions.len());
        for (wanted, (position, fetched)) in topic.partitions.iter().zip(results.by_ref()) {
            if context.include(position, &answer(&fetched)) {
                answers.push(partition_data(wanted.index, fetched));
            }
        }
        if !answers.is_empty() {
            topics.push((topic, answers));
        }
    }
    let random = u32::try_from(node.random_number() & u64::from(u32::MAX)).unwrap_or(0);
    let head = Head {
        api_version: work.header.api_version,
        correlation_id: work.header.correlation_id,
        throttle_time_ms: 0,
        error_code: ErrorCode::None,
        session_id: node.fetch_sessions().lock().finish(now.monotonic, context, random),
        topics: topics.len(),
    };
    let mut writer = ResponseWriter::new(Writer::with_capacity(256), &head);
    let mut gaps = Vec::new();
    for (topic, answers) in topics {
        writer.topic(&topic.name, topic.id, answers.len());
        for (data, records) in answers {
            if data.error_code.is_error() {
                shard.error(ApiKey::Fetch, data.error_code);
            }
            shard.fetched_bytes.add(records.as_ref().map_or(0, |range| u64::from(range.len)));
            let len = records.as_ref().map_or(0, |range| usize::try_from(range.len).unwrap_or(0));
            let gap = writer.partition(&data, len);
            gaps.extend(records.map(|range| (gap, range)));
        }
    }
    interleave(writer.finish(&[]).into_bytes(), gaps)
}

/// A partition's part of the response and the records that belong into it.
type Answered = (PartitionData, Option<FileRange>);

fn answer(fetched: &Fetched) -> Answer {
    Answer {
        has_records: fetched.records.is_some(),
        is_error: fetched.error.is_error(),
        is_diverging: fetched.diverging.is_some(),
        has_preferred_replica: false,
        high_watermark: fetched.high_watermark,
        log_start_offset: fetched.log_start_offset,
    }
}

fn partition_data(partition_index: PartitionIndex, fetched: Fetched) -> Answered {
    let diverging_epoch = fetched
        .diverging
        .map_or_else(EpochEndOffset::default, |(epoch, end_offset)| EpochEndOffset { epoch, end_offset });
    let data = PartitionData {
        partition_index,
        error_code: fetched.error,
        high_watermark: fetched.high_watermark,
        last_stable_offset: fetched.last_stable_offset,
        log_start_offset: fetched.log_start_offset,
        diverging_epoch,
        aborted_transactions: fetched.aborted,
        ..PartitionData::default()
    };
    (data, fetched.records)
}

/// The frame's bytes with the ranges in their gaps.
fn interleave(mut bytes: Vec<u8>, gaps: Vec<(usize, FileRange)>) -> Reply {
    if gaps.is_empty() {
        return Reply::Bytes(bytes);
    }
    let mut parts = Vec::with_capacity(2 * gaps.len() + 1);
    for (gap, range) in gaps.into_iter().rev() {
        let behind = bytes.split_off(gap);
        if !behind.is_empty() {
            parts.push(Part::Bytes(behind));
        }
        parts.push(Part::Range(range));
    }
    parts.push(Part::Bytes(bytes));
    parts.reverse();
    Reply::Parts(parts)
}

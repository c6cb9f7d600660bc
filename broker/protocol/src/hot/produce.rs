//! Produce in place: a walk over the request that yields where everything lies, so that record sets are patched and
//! written from the buffer they were received in; and the response, written from the parts of the request.

use std::borrow::Cow;
use std::ops::{Range, RangeInclusive};

use crate::api_key::ApiKey;
use crate::header::{RequestHeaderRef, ResponseHeader};
use crate::id::{CorrelationId, PartitionIndex, TopicId};
use crate::message::produce::PartitionProduceResponse;
use crate::message::{ProduceRequest, ProduceResponse};
use crate::wire::{At, DecodeError, Kind, Message, Reader, Wire, Writer};

/// The versions that can be walked.
pub const VERSIONS: RangeInclusive<i16> = ProduceRequest::VERSIONS;
/// The first version that names topics by id.
const TOPIC_IDS_FROM: i16 = 13;

/// A piece of a frame, by its place: it borrows nothing, so that the frame can be changed meanwhile.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Span {
    /// The first byte.
    pub start: usize,
    /// The byte after the last.
    pub end: usize,
}

impl Span {
    /// The piece's bytes in its frame; empty in a frame that is too short to be its own.
    #[must_use]
    pub fn bytes(self, frame: &[u8]) -> &[u8] {
        frame.get(Range::from(self)).unwrap_or_default()
    }

    /// The piece's text in its frame; empty when that is none, which the walk has ruled out.
    #[must_use]
    pub fn text(self, frame: &[u8]) -> &str {
        std::str::from_utf8(self.bytes(frame)).unwrap_or_default()
    }

    /// The piece's text in its frame, with a replacement letter for what is no UTF-8.
    #[must_use]
    pub fn text_lossy(self, frame: &[u8]) -> Cow<'_, str> {
        String::from_utf8_lossy(self.bytes(frame))
    }

    /// How many bytes.
    #[must_use]
    pub const fn len(self) -> usize {
        self.end - self.start
    }

    /// Whether there are none.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.start == self.end
    }
}

impl From<Span> for Range<usize> {
    fn from(span: Span) -> Self {
        span.start..span.end
    }
}

/// What a Produce request says once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Head {
    /// The request's version.
    pub api_version: i16,
    /// Matches the response with this request.
    pub correlation_id: CorrelationId,
    /// The client's `client.id`, which may be no UTF-8; `None` is null.
    pub client_id: Option<Span>,
    /// The transactional id; `None` is null.
    pub transactional_id: Option<Span>,
    /// Whose append the producer waits for: 0 nobody's, 1 the leader's, -1 all in-sync replicas'.
    pub acks: i16,
    /// Milliseconds that the broker may wait for the replicas.
    pub timeout_ms: i32,
}

/// A topic as the request names it: by name before version 13, by id from there on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Topic {
    /// By name.
    Name(Span),
    /// By id.
    Id(TopicId),
}

/// One partition of the request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Part {
    /// Its topic.
    pub topic: Topic,
    /// Counts the request's topics from 0: parts of one topic stand together.
    pub topic_number: u32,
    /// The partition.
    pub index: PartitionIndex,
    /// Its record set; `None` is null.
    pub records: Option<Span>,
}

/// Walks a request frame, which begins with its header, and appends its partitions to `parts` (cleared first: hand
/// the same vector in again, and nothing is allocated). A topic without partitions leaves no part.
///
/// # Errors
/// The frame is not a Produce request of one of [`VERSIONS`]; the bounds are those of [`Reader`].
pub fn walk(frame: &[u8], parts: &mut Vec<Part>) -> Result<Head, DecodeError> {
    parts.clear();
    let mut reader = Reader::new(frame);
    let reader = &mut reader;
    let header = RequestHeaderRef::decode(reader)?;
    if header.api_key != ApiKey::Produce.wire() {
        return Err(DecodeError::Type(i64::from(header.api_key)));
    }
    if !VERSIONS.contains(&header.api_version) {
        return Err(DecodeError::Version(header.api_version));
    }
    let at = At::of::<ProduceRequest>(header.api_version);
    let span = |text: &str| span_of(frame, text.as_bytes());
    let head = Head {
        api_version: header.api_version,
        correlation_id: header.correlation_id,
        client_id: header.client_id.map(|id| span_of(frame, id)),
        transactional_id: reader.str(at.flexible)?.map(span),
        acks: i16::decode(reader, at)?,
        timeout_ms: i32::decode(reader, at)?,
    };
    let topics = reader.array_length(at.flexible, TOPIC.least_size(at))?.ok_or(DecodeError::Length(-1))?;
    for topic_number in 0..topics {
        walk_topic(frame, reader, at, u32::try_from(topic_number).unwrap_or(u32::MAX), parts)?;
    }
    reader.skip_tagged_fields(at)?;
    // What goes on behind the end is not looked at, as in Kafka.
    Ok(head)
}

/// The declared shapes, for the least sizes of topics and partitions.
const TOPIC: Kind = <crate::message::produce::TopicProduceData as Wire>::KIND;
const PARTITION: Kind = <crate::message::produce::PartitionProduceData as Wire>::KIND;

fn walk_topic(
    frame: &[u8],
    reader: &mut Reader<'_>,
    at: At,
    topic_number: u32,
    parts: &mut Vec<Part>,
) -> Result<(), DecodeError> {
    let topic = if at.version >= TOPIC_IDS_FROM {
        Topic::Id(TopicId::decode(reader, at)?)
    } else {
        let name = reader.str(at.flexible)?.ok_or(DecodeError::Length(-1))?;
        Topic::Name(span_of(frame, name.as_bytes()))
    };
    let count = reader.array_length(at.flexible, PARTITION.least_size(at))?.ok_or(DecodeError::Length(-1))?;
    reader.spend(count.saturating_mul(size_of::<Part>()))?;
    for _ in 0..count {
        let index = PartitionIndex::decode(reader, at)?;
        let length = reader.bytes(at.flexible)?.map(<[u8]>::len);
        let end = reader.position();
        let records = length.map(|length| Span { start: end - length, end });
        reader.skip_tagged_fields(at)?;
        parts.push(Part { topic, topic_number, index, records });
    }
    reader.skip_tagged_fields(at)
}

/// Where `piece`, which lies in `frame`, lies in it.
fn span_of(frame: &[u8], piece: &[u8]) -> Span {
    let start = piece.as_ptr().addr() - frame.as_ptr().addr();
    Span { start, end: start + piece.len() }
}

/// The record sets of a walked frame, one for each part, all of them mutable at once. A null record set is empty.
///
/// # Panics
/// When `parts` do not come from a walk over this frame.
pub fn record_sets<'a>(frame: &'a mut [u8], parts: &[Part]) -> impl Iterator<Item = &'a mut [u8]> {
    let (mut rest, mut position) = (frame, 0);
    parts.iter().map(move |part| {
        let Some(span) = part.records else { return Default::default() };
        let after = span.start.checked_sub(position).and_then(|skip| {
            let (_, records_on) = std::mem::take(&mut rest).split_at_mut_checked(skip)?;
            records_on.split_at_mut_checked(span.len())
        });
        let (records, after) = after.expect("the parts come from a walk over this frame, in its order");
        (rest, position) = (after, span.end);
        records
    })
}

/// Appends the response frame: one outcome for each part of the request. A request's topic that has no part is not
/// answered.
///
/// # Panics
/// When there is not one outcome for each part.
pub fn write_response(
    writer: &mut Writer,
    frame: &[u8],
    head: &Head,
    parts: &[Part],
    outcomes: &[PartitionProduceResponse],
    rest: &ProduceResponse,
) {
    assert_eq!(parts.len(), outcomes.len(), "each partition of a Produce request has one outcome");
    let at = At::of::<ProduceResponse>(head.api_version);
    let start = writer.begin_frame();
    let header = ResponseHeader { correlation_id: head.correlation_id };
    header.encode(writer, ApiKey::Produce, head.api_version);
    let topics = parts.chunk_by(|a, b| a.topic_number == b.topic_number);
    writer.array_length(topics.clone().count(), at);
    let mut outcomes = outcomes.iter();
    for topic in topics {
        match topic.first().map(|part| part.topic) {
            Some(Topic::Name(name)) => writer.str(Some(name.text(frame)), at.flexible),
            Some(Topic::Id(id)) => id.encode(writer, at),
            None => {}
        }
        writer.array_length(topic.len(), at);
        for outcome in outcomes.by_ref().take(topic.len()) {
            outcome.encode(writer, at);
        }
        writer.no_tagged_fields(at);
    }
    rest.throttle_time_ms.encode(writer, at);
    if at.flexible {
        let section = writer.begin_tagged_fields();
        if at.version >= 10 {
            writer.tagged_field(section, 0, &rest.node_endpoints, &Vec::new(), at);
        }
    }
    writer.end_frame(start);
}

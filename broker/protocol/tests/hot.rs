//! The hot paths say what the declarations say.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod generator;

use bytes::Bytes;
use generator::Source;
use proptest::prelude::*;
use protocol::ApiKey;
use protocol::header::{RequestHeader, ResponseHeader, response_frame};
use protocol::hot::{fetch, produce};
use protocol::id::CorrelationId;
use protocol::message::{FetchResponse, ProduceRequest, ProduceResponse};
use protocol::wire::{DecodeError, Message, Reader, Writer};

fn header(version: i16) -> RequestHeader {
    let client_id = (version % 2 == 0).then(|| "client".to_owned());
    RequestHeader {
        api_key: ApiKey::Produce.wire(),
        api_version: version,
        correlation_id: CorrelationId(7),
        client_id,
    }
}

fn produce_frame(seed: u64, version: i16) -> Vec<u8> {
    let mut writer = Writer::new();
    header(version).encode(&mut writer);
    writer.put(&generator::message::<ProduceRequest>(&mut Source::new(seed), version));
    writer.into_bytes()
}

/// What the declaration reads from a frame.
fn declared(frame: &[u8]) -> Result<(RequestHeader, ProduceRequest), DecodeError> {
    let mut reader = Reader::new(frame);
    let header = RequestHeader::decode(&mut reader)?;
    if header.api_key != 0 {
        return Err(DecodeError::Type(i64::from(header.api_key)));
    }
    let request = ProduceRequest::decode(&mut reader, header.api_version)?;
    reader.finish()?;
    Ok((header, request))
}

/// What the walk finds in a frame, in the declaration's terms; topics without partitions are left out.
fn walked(frame: &mut [u8]) -> Result<(RequestHeader, ProduceRequest), DecodeError> {
    let mut parts = Vec::new();
    let head = produce::walk(frame, &mut parts)?;
    let header = RequestHeader {
        api_key: 0,
        api_version: head.api_version,
        correlation_id: head.correlation_id,
        client_id: head.client_id.map(|span| span.text_lossy(frame).into_owned()),
    };
    let mut request = ProduceRequest {
        transactional_id: head.transactional_id.map(|span| span.text(frame).to_owned()),
        acks: head.acks,
        timeout_ms: head.timeout_ms,
        ..ProduceRequest::default()
    };
    let mut last_topic = None;
    for part in &parts {
        if last_topic.replace(part.topic_number) != Some(part.topic_number) {
            let (name, topic_id) = match part.topic {
                produce::Topic::Name(name) => (name.text(frame).to_owned(), Default::default()),
                produce::Topic::Id(id) => (String::new(), id),
            };
            let topic =
                protocol::message::produce::TopicProduceData { name, topic_id, partition_data: vec![] };
            request.topic_data.push(topic);
        }
        let records = part.records.map(|span| Bytes::copy_from_slice(span.bytes(frame)));
        let partition = protocol::message::produce::PartitionProduceData { index: part.index, records };
        request.topic_data.last_mut().unwrap().partition_data.push(partition);
    }
    let expected: Vec<Vec<u8>> =
        parts.iter().map(|part| part.records.map_or(vec![], |span| span.bytes(frame).to_vec())).collect();
    let sets: Vec<&mut [u8]> = produce::record_sets(frame, &parts).collect();
    assert_eq!(sets, expected);
    Ok((header, request))
}

fn without_empty_topics(
    (header, mut request): (RequestHeader, ProduceRequest),
) -> (RequestHeader, ProduceRequest) {
    request.topic_data.retain(|topic| !topic.partition_data.is_empty());
    (header, request)
}

proptest! {
    #[test]
    fn walk_finds_what_the_declaration_reads(seed: u64, version in ProduceRequest::VERSIONS) {
        let mut frame = produce_frame(seed, version);
        let expected = declared(&frame).map(without_empty_topics).unwrap();
        prop_assert_eq!(walked(&mut frame).unwrap(), expected);
    }

    #[test]
    fn walk_refuses_what_the_declaration_refuses(
        seed: u64,
        version in ProduceRequest::VERSIONS,
        flips in prop::collection::vec((0usize..400, any::<u8>()), 1..4),
        cut in 0usize..500,
    ) {
        let mut frame = produce_frame(seed, version);
        for (place, byte) in flips {
            let place = place % frame.len();
            frame[place] = byte;
        }
        frame.truncate(cut.max(frame.len() / 2));
        let expected = declared(&frame).map(without_empty_topics);
        prop_assert_eq!(walked(&mut frame), expected);
    }

    #[test]
    fn produce_responses_are_the_declared_ones(seed: u64, version in ProduceResponse::VERSIONS) {
        let mut frame = produce_frame(seed, version);
        let mut parts = Vec::new();
        let head = produce::walk(&frame, &mut parts).unwrap();
        let (_, request) = walked(&mut frame).unwrap();
        let bytes = generator::message::<ProduceResponse>(&mut Source::new(!seed), version);
        let filled = ProduceResponse::decode(&mut Reader::new(&bytes), version).unwrap();
        // The request decides which topics are answered; the outcomes are random ones.
        let mut outcomes = filled.responses.iter().flat_map(|topic| topic.partition_responses.clone()).cycle();
        let outcomes: Vec<_> = parts.iter().map(|_| outcomes.next().unwrap_or_default()).collect();
        let mut left = outcomes.iter();
        let responses = request.topic_data.iter().map(|topic| protocol::message::produce::TopicProduceResponse {
            name: topic.name.clone(),
            topic_id: topic.topic_id,
            partition_responses: left.by_ref().take(topic.partition_data.len()).cloned().collect(),
        });
        let expected = ProduceResponse { responses: responses.collect(), ..filled.clone() };
        let mut writer = Writer::new();
        produce::write_response(&mut writer, &frame, &head, &parts, &outcomes, &filled);
        let expected = response_frame(&expected, ApiKey::Produce, version, CorrelationId(7));
        prop_assert_eq!(writer.into_bytes(), expected);
    }

    #[test]
    fn fetch_responses_are_the_declared_ones(seed: u64, version in FetchResponse::VERSIONS, inline: bool) {
        let bytes = generator::message::<FetchResponse>(&mut Source::new(seed), version);
        let response = FetchResponse::decode(&mut Reader::new(&bytes), version).unwrap();
        let head = fetch::Head {
            api_version: version,
            correlation_id: CorrelationId(9),
            throttle_time_ms: response.throttle_time_ms,
            error_code: response.error_code,
            session_id: response.session_id,
            topics: response.responses.len(),
        };
        let mut writer = fetch::ResponseWriter::new(Writer::new(), &head);
        let mut gaps = vec![];
        for topic in &response.responses {
            writer.topic(&topic.topic, topic.topic_id, topic.partitions.len());
            for partition in &topic.partitions {
                match &partition.records {
                    Some(records) if !inline => {
                        gaps.push((writer.partition(partition, records.len()), records.clone()));
                    }
                    _ => writer.partition_inline(partition),
                }
            }
        }
        let buffer = writer.finish(&response.node_endpoints).into_bytes();
        let (mut frame, mut sent) = (vec![], 0);
        for (gap, records) in gaps {
            frame.extend_from_slice(&buffer[sent..gap]);
            frame.extend_from_slice(&records);
            sent = gap;
        }
        frame.extend_from_slice(&buffer[sent..]);
        prop_assert_eq!(&frame, &response_frame(&response, ApiKey::Fetch, version, CorrelationId(9)));
        let mut reader = Reader::new(&frame[4..]);
        let header = ResponseHeader::decode(&mut reader, ApiKey::Fetch, version).unwrap();
        prop_assert_eq!(header.correlation_id, CorrelationId(9));
        prop_assert_eq!(FetchResponse::decode(&mut reader, version).unwrap(), response);
        prop_assert_eq!(reader.remaining(), 0);
    }
}

#[test]
fn other_requests_and_versions_are_not_walked() {
    let mut frame = produce_frame(1, 7);
    let mut parts = vec![];
    frame[1] = 1;
    assert_eq!(produce::walk(&frame, &mut parts), Err(DecodeError::Type(1)));
    for version in [2, 14] {
        frame[1] = 0;
        frame[3] = version;
        assert_eq!(produce::walk(&frame, &mut parts), Err(DecodeError::Version(i16::from(version))));
    }
}

//! What a request costs before and after its partition: reading Produce, writing its response and Fetch's, Metadata.

use std::hint::black_box;

use bytes::Bytes;
use criterion::{Criterion, criterion_group, criterion_main};
use protocol::header::{request_frame, response_frame};
use protocol::hot::{fetch, produce};
use protocol::id::{BrokerId, CorrelationId, LeaderEpoch, Offset, PartitionIndex, Uuid};
use protocol::message::fetch::PartitionData;
use protocol::message::metadata::{MetadataResponseBroker, MetadataResponsePartition, MetadataResponseTopic};
use protocol::message::produce::{PartitionProduceData, PartitionProduceResponse, TopicProduceData};
use protocol::message::{MetadataResponse, ProduceRequest, ProduceResponse};
use protocol::wire::{Message, Reader, Writer};
use protocol::{ApiKey, ErrorCode};

fn produce_frame(version: i16) -> Vec<u8> {
    let records = Some(Bytes::from(vec![7; 200]));
    let partition_data = vec![PartitionProduceData { index: PartitionIndex(3), records }];
    let topic = TopicProduceData { name: "orders".to_owned(), topic_id: Uuid([9; 16]), partition_data };
    let request =
        ProduceRequest { acks: -1, timeout_ms: 30_000, topic_data: vec![topic], ..ProduceRequest::default() };
    request_frame(&request, version, CorrelationId(1), Some("producer-1")).split_off(4)
}

fn metadata_response(topics: usize) -> MetadataResponse {
    let partition = |index| MetadataResponsePartition {
        partition_index: PartitionIndex(index),
        leader_id: BrokerId(1),
        leader_epoch: LeaderEpoch(1),
        replica_nodes: vec![BrokerId(1), BrokerId(2), BrokerId(3)],
        isr_nodes: vec![BrokerId(1), BrokerId(2), BrokerId(3)],
        ..MetadataResponsePartition::default()
    };
    let topic = |number| MetadataResponseTopic {
        name: Some(format!("topic-{number}")),
        topic_id: Uuid([1; 16]),
        partitions: (0..10).map(partition).collect(),
        ..MetadataResponseTopic::default()
    };
    let broker = MetadataResponseBroker { host: "b.example".to_owned(), port: 9092, ..Default::default() };
    MetadataResponse {
        brokers: vec![broker; 3],
        topics: (0..topics).map(topic).collect(),
        ..MetadataResponse::default()
    }
}

fn produce_benches(c: &mut Criterion) {
    for version in [8, 13] {
        let frame = produce_frame(version);
        let mut parts = Vec::new();
        c.bench_function(&format!("produce/walk v{version}"), |b| {
            b.iter(|| produce::walk(black_box(&frame), &mut parts));
        });
        c.bench_function(&format!("produce/decode v{version}"), |b| {
            b.iter(|| {
                let mut reader = Reader::new(black_box(&frame));
                let header = protocol::header::RequestHeader::decode(&mut reader);
                (header, ProduceRequest::decode(&mut reader, version))
            });
        });
        let head = produce::walk(&frame, &mut parts);
        let Ok(head) = head else { return };
        let outcomes = [PartitionProduceResponse { base_offset: Offset(5), ..Default::default() }];
        let rest = ProduceResponse::default();
        c.bench_function(&format!("produce/response v{version}"), |b| {
            b.iter(|| {
                let mut writer = Writer::with_capacity(128);
                produce::write_response(&mut writer, &frame, &head, &parts, &outcomes, &rest);
                writer
            });
        });
    }
}

fn fetch_benches(c: &mut Criterion) {
    let data = PartitionData { high_watermark: Offset(10), ..PartitionData::default() };
    for version in [11, 17] {
        let head = fetch::Head {
            api_version: version,
            correlation_id: CorrelationId(1),
            throttle_time_ms: 0,
            error_code: ErrorCode::None,
            session_id: 0,
            topics: 1,
        };
        c.bench_function(&format!("fetch/response v{version}"), |b| {
            b.iter(|| {
                let mut writer = fetch::ResponseWriter::new(Writer::with_capacity(128), black_box(&head));
                writer.topic("orders", Uuid([9; 16]), 1);
                let gap = writer.partition(&data, 1 << 20);
                (gap, writer.finish(&[]))
            });
        });
    }
}

fn metadata_benches(c: &mut Criterion) {
    for topics in [1, 100] {
        let response = metadata_response(topics);
        c.bench_function(&format!("metadata/write {topics} topics"), |b| {
            b.iter(|| response_frame(black_box(&response), ApiKey::Metadata, 12, CorrelationId(1)));
        });
        let frame = response_frame(&response, ApiKey::Metadata, 12, CorrelationId(1));
        c.bench_function(&format!("metadata/read {topics} topics"), |b| {
            b.iter(|| MetadataResponse::decode(&mut Reader::new(black_box(frame.get(9..)?)), 12).ok());
        });
    }
}

criterion_group!(messages, produce_benches, fetch_benches, metadata_benches);
criterion_main!(messages);

//! What a broker does with records, from frames to files and back.

mod administration;
mod compression;
mod configuration;
mod deletion;
mod durability;
mod failures;
mod fetching;
mod looking_up;
mod requests;

use bytes::Bytes;
use protocol::id::{Offset, PartitionIndex, ProducerEpoch, ProducerId, Timestamp};
use protocol::message::fetch::{FetchPartition, FetchRequest, FetchTopic, PartitionData};
use protocol::message::produce::{
    PartitionProduceData, PartitionProduceResponse, ProduceRequest, TopicProduceData,
};
use protocol::records::BatchBuilder;
use storage::disk::VirtualDisk;

use crate::testing::{Bench, Link};

/// The last versions that name topics by name.
const PRODUCE_VERSION: i16 = 12;
const FETCH_VERSION: i16 = 12;

impl Bench {
    /// Sends a batch for partition 0 with `acks=all`, and does nothing else.
    fn send_batch(&mut self, link: &mut Link, topic: &str, batch: Vec<u8>) {
        self.send(link, &produce(topic, batch), PRODUCE_VERSION);
    }

    /// Appends a batch to partition 0, with all jobs done.
    fn produce(&mut self, topic: &str, batch: Vec<u8>) -> PartitionProduceResponse {
        let mut link = self.connect();
        self.send_batch(&mut link, topic, batch);
        self.run_jobs();
        link.produced().expect("an answer")
    }

    /// Reads partition 0, without waiting for records.
    fn fetch(&mut self, topic: &str, from: i64) -> PartitionData {
        let response = self.call(&fetch(topic, from), FETCH_VERSION);
        response.responses[0].partitions[0].clone()
    }
}

impl Link {
    /// The answer to the oldest Produce; `None` while it is not there.
    fn produced(&mut self) -> Option<PartitionProduceResponse> {
        let response = self.response::<ProduceRequest>()?;
        Some(response.responses[0].partition_responses[0].clone())
    }
}

fn produce(topic: &str, batch: Vec<u8>) -> ProduceRequest {
    let data = PartitionProduceData { index: PartitionIndex(0), records: Some(Bytes::from(batch)) };
    let topic = TopicProduceData {
        name: topic.to_owned(),
        partition_data: vec![data],
        ..TopicProduceData::default()
    };
    ProduceRequest { acks: -1, timeout_ms: 30_000, topic_data: vec![topic], ..ProduceRequest::default() }
}

fn fetch(topic: &str, from: i64) -> FetchRequest {
    let partition = FetchPartition {
        partition: PartitionIndex(0),
        fetch_offset: Offset(from),
        partition_max_bytes: 1 << 20,
        ..FetchPartition::default()
    };
    let topic = FetchTopic { topic: topic.to_owned(), partitions: vec![partition], ..FetchTopic::default() };
    FetchRequest { max_bytes: 1 << 20, topics: vec![topic], ..FetchRequest::default() }
}

/// A batch of records with these values.
fn batch(values: &[&[u8]]) -> Vec<u8> {
    filled(BatchBuilder::new(), values)
}

/// A batch of an idempotent producer's records.
fn idempotent(producer: i64, sequence: i32, values: &[&[u8]]) -> Vec<u8> {
    filled(BatchBuilder::new().producer(ProducerId(producer), ProducerEpoch(0), sequence), values)
}

fn filled(mut builder: BatchBuilder, values: &[&[u8]]) -> Vec<u8> {
    for value in values {
        builder.push(Timestamp(1_767_225_600_000), None, Some(value), &[]);
    }
    builder.build().unwrap()
}

#[test]
fn what_is_produced_is_fetched() {
    let mut bench = Bench::ready(&VirtualDisk::new());
    bench.create("t");
    let sent = batch(&[b"a", b"b"]);
    let answer = bench.produce("t", sent.clone());
    assert_eq!((answer.error_code, answer.base_offset), (protocol::ErrorCode::None, Offset(0)));
    let found = bench.fetch("t", 0);
    assert_eq!(found.high_watermark, Offset(2));
    assert_eq!(found.records.map(|records| records.len()), Some(sent.len()));
}

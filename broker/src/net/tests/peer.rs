//! A client that says when it sends, when it reads, and how it leaves.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::time::Duration;

use bytes::Bytes;
use protocol::header::request_frame;
use protocol::id::{CorrelationId, Offset, PartitionIndex, Timestamp};
use protocol::message::create_topics::{CreatableTopic, CreatableTopicConfig, CreateTopicsRequest};
use protocol::message::describe_configs::{DescribeConfigsRequest, DescribeConfigsResource};
use protocol::message::fetch::{FetchPartition, FetchRequest, FetchTopic};
use protocol::message::produce::{PartitionProduceData, ProduceRequest, TopicProduceData};
use protocol::records::BatchBuilder;
use protocol::wire::Request;

use super::PATIENCE;

/// Topics are named by name in these versions.
const PRODUCE_VERSION: i16 = 9;
const FETCH_VERSION: i16 = 12;

pub(super) struct Peer {
    pub(super) stream: TcpStream,
    sent: i32,
    read: i32,
}

impl Peer {
    pub(super) fn connect(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.set_nodelay(true).unwrap();
        Self { stream, sent: 0, read: 0 }
    }

    /// A frame with the connection's next correlation id.
    pub(super) fn frame<R: Request>(&mut self, request: &R, version: i16) -> Vec<u8> {
        self.sent += 1;
        request_frame(request, version, CorrelationId(self.sent), None)
    }

    pub(super) fn send(&mut self, frames: &[u8]) {
        self.stream.write_all(frames).unwrap();
    }

    /// The next reply without its length: the answer to the next request, or this fails.
    pub(super) fn reply(&mut self) -> Vec<u8> {
        let mut prefix = [0; 4];
        self.stream.read_exact(&mut prefix).expect("the next reply comes");
        let mut frame = vec![0; usize::try_from(i32::from_be_bytes(prefix)).unwrap()];
        self.stream.read_exact(&mut frame).unwrap();
        self.read += 1;
        assert_eq!(frame.get(..4), Some(&self.read.to_be_bytes()[..]), "correlation id");
        frame
    }

    /// How the other side ended the connection, or that it did not within this time.
    pub(super) fn is_closed_within(&mut self, time: Duration) -> bool {
        self.stream.set_read_timeout(Some(time)).unwrap();
        matches!(self.stream.read(&mut [0]), Ok(0))
    }

    pub(super) fn create_topic(&mut self, name: &str, configs: &[(&str, &str)]) {
        let config = |(name, value): &(&str, &str)| CreatableTopicConfig {
            name: (*name).to_owned(),
            value: Some((*value).to_owned()),
        };
        let topic = CreatableTopic {
            name: name.to_owned(),
            num_partitions: 1,
            replication_factor: 1,
            configs: configs.iter().map(config).collect(),
            ..CreatableTopic::default()
        };
        let request = CreateTopicsRequest { topics: vec![topic], ..CreateTopicsRequest::default() };
        let frame = self.frame(&request, 4);
        self.send(&frame);
        self.reply();
    }

    /// A Produce of one record to partition 0.
    pub(super) fn produce(&mut self, topic: &str, acks: i16) -> Vec<u8> {
        let mut batch = BatchBuilder::new();
        batch.push(Timestamp(1), None, Some(b"value"), &[]);
        let data = PartitionProduceData {
            index: PartitionIndex(0),
            records: Some(Bytes::from(batch.build().unwrap())),
        };
        let topic = TopicProduceData {
            name: topic.to_owned(),
            partition_data: vec![data],
            ..TopicProduceData::default()
        };
        let request = ProduceRequest {
            acks,
            timeout_ms: 3_600_000,
            topic_data: vec![topic],
            ..ProduceRequest::default()
        };
        self.frame(&request, PRODUCE_VERSION)
    }

    /// A Fetch of partition 0 that waits for `min_bytes`.
    pub(super) fn fetch(&mut self, topic: &str, from: i64, min_bytes: i32) -> Vec<u8> {
        let partition = FetchPartition {
            partition: PartitionIndex(0),
            fetch_offset: Offset(from),
            partition_max_bytes: 1 << 20,
            ..FetchPartition::default()
        };
        let topic =
            FetchTopic { topic: topic.to_owned(), partitions: vec![partition], ..FetchTopic::default() };
        let request =
            FetchRequest { max_wait_ms: i32::MAX, min_bytes, topics: vec![topic], ..FetchRequest::default() };
        self.frame(&request, FETCH_VERSION)
    }

    /// A request of some 60 bytes whose reply has some 100 KB.
    pub(super) fn ask_for_much(&mut self) -> Vec<u8> {
        let broker = |name: &str| DescribeConfigsResource {
            resource_type: 4,
            resource_name: name.to_owned(),
            configuration_keys: None,
        };
        let request = DescribeConfigsRequest {
            resources: vec![broker("1"), broker("1"), broker("1"), broker("1")],
            include_synonyms: true,
            include_documentation: true,
        };
        self.frame(&request, 4)
    }

    pub(super) fn finish_sending(&self) {
        self.stream.shutdown(Shutdown::Write).unwrap();
    }
}

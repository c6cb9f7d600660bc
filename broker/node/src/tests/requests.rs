//! Requests as unusual clients send them, and what they are answered.

use protocol::ErrorCode;
use protocol::header::request_frame;
use protocol::id::{CorrelationId, PartitionIndex};
use protocol::message::describe_topic_partitions::{Cursor, DescribeTopicPartitionsRequest, TopicRequest};
use protocol::message::fetch::FetchPartition;
use protocol::message::metadata::MetadataRequestTopic;
use protocol::message::{ApiVersionsRequest, DescribeClusterRequest, MetadataRequest, ProduceRequest};
use protocol::wire::Request;
use storage::disk::VirtualDisk;

use super::{PRODUCE_VERSION, batch, fetch, produce};
use crate::config::REQUEST_PARTITIONS_MAX;
use crate::testing::{Bench, Link};
use crate::turn::Next;

/// Sends a request of a client whose id is Latin-1.
fn send_as_latin<R: Request>(bench: &mut Bench, link: &mut Link, request: &R, version: i16) {
    let mut frame = request_frame(request, version, CorrelationId(0), Some("Rene!"));
    let at = frame.windows(5).position(|window| window == b"Rene!").unwrap();
    frame[at + 3] = 0xe9;
    link.expect::<R>(version);
    let next = bench.send_bytes(link, &frame);
    assert!(!matches!(next, Next::Close(_)), "{next:?}");
    bench.run_jobs();
}

#[test]
fn a_client_id_that_is_not_utf_8_is_served() {
    let mut bench = Bench::ready(&VirtualDisk::new());
    bench.create("t");
    let mut link = bench.connect();
    for version in [0, 4] {
        let (client_software_name, client_software_version) = ("test".to_owned(), "1".to_owned());
        let request = ApiVersionsRequest { client_software_name, client_software_version };
        send_as_latin(&mut bench, &mut link, &request, version);
        assert!(!link.response::<ApiVersionsRequest>().unwrap().api_keys.is_empty());
    }
    send_as_latin(&mut bench, &mut link, &MetadataRequest { topics: None, ..Default::default() }, 12);
    assert_eq!(link.response::<MetadataRequest>().unwrap().topics.len(), 1);
    send_as_latin(&mut bench, &mut link, &produce("t", batch(&[b"a"])), PRODUCE_VERSION);
    assert_eq!(link.produced().unwrap().error_code, ErrorCode::None);
}

#[test]
fn a_batch_larger_than_a_segment_is_refused() {
    let mut bench = Bench::ready(&VirtualDisk::new());
    bench.create_with("t", &[("internal.segment.bytes", "2000")]);
    let large = batch(&[&[b'v'; 2_000]]);
    assert_eq!(bench.produce("t", large).error_code, ErrorCode::RecordListTooLarge);
    let mut value = vec![b'v'; 1_900];
    while batch(&[&value]).len() < 2_000 {
        value.push(b'v');
    }
    assert_eq!(batch(&[&value]).len(), 2_000);
    assert_eq!(bench.produce("t", batch(&[&value])).error_code, ErrorCode::None, "it fills a segment");
    // What is larger than both limits is told of the one that a topic's owner sets for batches.
    bench.create_with("u", &[("internal.segment.bytes", "2000"), ("max.message.bytes", "1000")]);
    assert_eq!(bench.produce("u", batch(&[&[b'v'; 3_000]])).error_code, ErrorCode::MessageTooLarge);
}

#[test]
fn clients_are_sent_to_the_listener_that_they_came_by() {
    let listeners = [
        ("listeners", "INSIDE://:9092,OUTSIDE://:9094"),
        ("advertised.listeners", "INSIDE://inside:9092,OUTSIDE://outside:19094"),
        ("listener.security.protocol.map", "INSIDE:PLAINTEXT,OUTSIDE:PLAINTEXT"),
        ("inter.broker.listener.name", "INSIDE"),
    ];
    let mut bench = Bench::open(&VirtualDisk::new(), &listeners).unwrap();
    bench.come_up();
    for (listener, host, port) in [(0, "inside", 9092), (1, "outside", 19094)] {
        let mut link = bench.connect_to(listener);
        bench.send(&mut link, &MetadataRequest::default(), 12);
        let broker = &link.response::<MetadataRequest>().unwrap().brokers[0];
        assert_eq!((broker.host.as_str(), broker.port), (host, port));
        bench.send(&mut link, &DescribeClusterRequest::default(), 1);
        let broker = &link.response::<DescribeClusterRequest>().unwrap().brokers[0];
        assert_eq!((broker.host.as_str(), broker.port), (host, port));
    }
}

#[test]
fn clients_do_not_write_what_brokers_keep_in_topics() {
    let mut bench = Bench::ready(&VirtualDisk::new());
    bench.create("__consumer_offsets");
    let refused = bench.produce("__consumer_offsets", batch(&[b"a"]));
    assert_eq!(refused.error_code, ErrorCode::InvalidTopicException);
    // Kafka's tools may: they say who they are.
    let mut link = bench.connect();
    let request = produce("__consumer_offsets", batch(&[b"a"]));
    let frame = request_frame(&request, PRODUCE_VERSION, CorrelationId(0), Some("__admin_client"));
    link.expect::<ProduceRequest>(PRODUCE_VERSION);
    bench.send_bytes(&mut link, &frame);
    bench.run_jobs();
    assert_eq!(link.produced().unwrap().error_code, ErrorCode::None);
}

#[test]
fn looking_for_a_topic_of_the_brokers_makes_it_where_they_know_its_settings() {
    let mut bench = Bench::ready(&VirtualDisk::new());
    let topic = |name: &str| MetadataRequestTopic { name: Some(name.to_owned()), ..Default::default() };
    let names = ["__transaction_state", "__consumer_offsets", "ordinary"];
    let topics = Some(names.map(topic).to_vec());
    let response = bench.call(&MetadataRequest { topics, ..Default::default() }, 9);
    let codes: Vec<_> = response.topics.iter().map(|topic| topic.error_code).collect();
    assert_eq!(codes, [ErrorCode::UnknownTopicOrPartition, ErrorCode::None, ErrorCode::None]);
    assert_eq!(response.topics[1].partitions.len(), 50);
}

#[test]
fn the_cluster_says_what_may_be_done_with_it_when_asked() {
    let mut bench = Bench::ready(&VirtualDisk::new());
    let mut request = DescribeClusterRequest::default();
    assert_eq!(bench.call(&request, 1).cluster_authorized_operations, i32::MIN);
    request.include_cluster_authorized_operations = true;
    assert_eq!(bench.call(&request, 1).cluster_authorized_operations, 0b1_1111_1010_0000);
}

#[test]
fn a_request_for_too_many_partitions_ends_its_connection_before_they_are_looked_at() {
    let mut bench = Bench::ready(&VirtualDisk::new());
    let many = |count: usize| {
        let mut request = fetch("t", 0);
        let partition = request.topics[0].partitions[0].clone();
        request.topics[0].partitions = (0..)
            .map(|index| FetchPartition { partition: PartitionIndex(index), ..partition.clone() })
            .take(count)
            .collect();
        request
    };
    for (count, closed) in [(REQUEST_PARTITIONS_MAX, false), (REQUEST_PARTITIONS_MAX + 1, true)] {
        let mut link = bench.connect();
        let frame = request_frame(&many(count), 4, CorrelationId(0), None);
        let next = bench.send_bytes(&mut link, &frame);
        assert_eq!(matches!(next, Next::Close(_)), closed, "{count}: {next:?}");
    }
}

#[test]
fn a_cursor_before_the_first_partition_is_refused() {
    let mut bench = Bench::ready(&VirtualDisk::new());
    bench.create("t");
    let request = DescribeTopicPartitionsRequest {
        topics: vec![TopicRequest { name: "t".to_owned() }],
        cursor: Some(Cursor { topic_name: "t".to_owned(), partition_index: PartitionIndex(-1) }),
        ..DescribeTopicPartitionsRequest::default()
    };
    let response = bench.call(&request, 0);
    assert_eq!(response.topics[0].error_code, ErrorCode::InvalidRequest);
}

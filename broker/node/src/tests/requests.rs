//! Requests as unusual clients send them, and what they are answered.

use protocol::ErrorCode;
use storage::disk::VirtualDisk;

use super::batch;
use crate::testing::Bench;

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
    use protocol::message::{DescribeClusterRequest, MetadataRequest};
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

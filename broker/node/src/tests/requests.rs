//! Requests as unusual clients send them, and what they are answered.

use storage::disk::VirtualDisk;

use crate::testing::Bench;

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

//! The bounds that configuration sets.

use std::io::Write;
use std::time::{Duration, Instant};

use protocol::ErrorCode;
use protocol::message::MetadataRequest;

use crate::broker::{Broker, PATIENCE};

/// A wait that no test outlives: who is answered before it was not waited for.
const LONG_MS: i32 = 120_000;

#[test]
fn an_address_with_a_limit_of_its_own_gets_no_more_connections() {
    let broker = Broker::start(&[("max.connections.per.ip.overrides", "127.0.0.1:2")]);
    let mut first = broker.connect();
    first.create_topic("t", 1, &[]);
    let mut second = broker.connect();
    second.produce("t", 10);
    let mut third = broker.connect();
    let refused = third.receive_frame().unwrap_err();
    assert_eq!(refused.kind(), std::io::ErrorKind::UnexpectedEof);
    broker.expect_metric("gregor_connections_refused_total", 1.0);
    // Room that one leaves is given to another.
    drop(first);
    broker.expect_metric("gregor_connections", 1.0);
    let mut fourth = broker.connect();
    fourth.produce("t", 10);
}

#[test]
fn a_fetch_above_parked_requests_max_is_answered_at_once() {
    let broker = Broker::start(&[("parked.requests.max", "100")]);
    broker.connect().create_topic("t", 1, &[]);
    let mut parked: Vec<_> = (0..100).map(|_| broker.connect()).collect();
    parked.iter_mut().for_each(|client| client.send_fetch("t", 0, LONG_MS));
    broker.expect_metric("gregor_parked_requests", 100.0);
    let mut further = broker.connect();
    further.send_fetch("t", 0, LONG_MS);
    assert_eq!(further.receive_fetched(), 0);
    // Those who left make room, long before their wait is over.
    drop(parked);
    broker.expect_metric("gregor_parked_requests", 0.0);
    further.send_fetch("t", 0, LONG_MS);
    broker.expect_metric("gregor_parked_requests", 1.0);
    assert_eq!(broker.connect().produce("t", 10), ErrorCode::None);
    assert!(further.receive_fetched() > 0);
}

/// Memory of the process that no file backs, in bytes.
fn anonymous_bytes(broker: &Broker) -> f64 {
    broker.metric("gregor_process_anonymous_memory_bytes").unwrap()
}

#[test]
fn replies_that_nobody_takes_stop_the_requests_of_their_connection() {
    let broker = Broker::start(&[("reply.bytes.per.connection.max", "65536")]);
    let mut client = broker.connect();
    // Its description in Metadata takes about 40 KB.
    client.create_topic("wide", 1_000, &[]);
    let before = anonymous_bytes(&broker);
    let served = || broker.metric("gregor_requests_total{api=\"Metadata\"}").unwrap_or(0.0);
    let metadata = MetadataRequest { topics: None, ..MetadataRequest::default() };
    let count = 1_500;
    let frames: Vec<u8> = (0..count).flat_map(|_| client.frame(&metadata, 9)).collect();
    assert!(frames.len() < 60_000, "{}: one read takes them all", frames.len());
    client.stream.write_all(&frames).unwrap();
    // The kernel takes a few megabytes of replies, then nothing goes on.
    let mut last = (-1.0, Instant::now());
    broker.eventually("a standstill", || {
        let now = served();
        if now != last.0 {
            last = (now, Instant::now());
        }
        (now > 0.0 && last.1.elapsed() > Duration::from_millis(500)).then_some(())
    });
    assert!(last.0 < f64::from(count) / 2.0, "{} of {count} were served", last.0);
    let grown = anonymous_bytes(&broker) - before;
    assert!(grown < 16e6, "{grown} bytes for a client that takes nothing");
    // Others are served meanwhile, and who takes the replies gets all of them.
    assert_eq!(broker.connect().produce("wide", 10), ErrorCode::None);
    let start = Instant::now();
    for _ in 0..count {
        client.receive_frame().unwrap();
        assert!(start.elapsed() < PATIENCE);
    }
}

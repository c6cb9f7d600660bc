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
    let count = 500;
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
    assert!(grown < 8e6, "{grown} bytes for a client that takes nothing");
    // Others are served meanwhile, and the client's requests go on when it takes replies.
    assert_eq!(broker.connect().produce("wide", 10), ErrorCode::None);
    let mut taken = 0.0;
    while taken < last.0 + 20.0 {
        client.receive_frame().unwrap();
        taken += 1.0;
    }
}

#[test]
fn a_connection_on_which_nothing_moves_is_closed() {
    let broker = Broker::start(&[("connections.max.idle.ms", "1000")]);
    let mut busy = broker.connect();
    busy.create_topic("t", 1, &[]);
    busy.create_topic("other", 1, &[]);
    let mut silent = broker.connect();
    // A Fetch that waits does not count, as in Kafka.
    let mut waiting = broker.connect();
    waiting.send_fetch("other", 0, LONG_MS);
    let start = Instant::now();
    let mut work_until = |end: Duration| {
        while start.elapsed() < end {
            assert_eq!(busy.produce("t", 10), ErrorCode::None);
            std::thread::sleep(Duration::from_millis(50));
        }
    };
    work_until(Duration::from_millis(500));
    assert_eq!(broker.metric("gregor_connections_idle_total"), Some(0.0));
    work_until(Duration::from_millis(2_500));
    for client in [&mut silent, &mut waiting] {
        assert_eq!(client.receive_frame().unwrap_err().kind(), std::io::ErrorKind::UnexpectedEof);
    }
    broker.expect_metric("gregor_connections_idle_total", 2.0);
    broker.expect_metric("gregor_parked_requests", 0.0);
}

#[test]
fn requests_that_are_half_received_stop_others_above_queued_max_request_bytes() {
    let broker = Broker::start(&[("queued.max.request.bytes", "1000000"), ("message.max.bytes", "5000000")]);
    let mut admin = broker.connect();
    admin.create_topic("t", 1, &[]);
    let memory = "gregor_request_memory_bytes";
    broker.expect_metric(memory, 0.0);
    // Each announces 3 MB and sends the most of it.
    let mut halves: Vec<_> = (0..4)
        .map(|_| {
            let mut client = broker.connect();
            let frame = client.produce_frame("t", 3_000_000);
            client.stream.set_nonblocking(true).unwrap();
            (client, frame, 0)
        })
        .collect();
    let most = 2_900_000;
    // All send as much as is taken of them: the kernel keeps some megabytes.
    let pump = |halves: &mut Vec<(crate::broker::Client, Vec<u8>, usize)>, to: usize| {
        for (client, frame, sent) in halves.iter_mut() {
            if let Some(rest) = frame.get(*sent..to.min(frame.len())).filter(|rest| !rest.is_empty()) {
                *sent += client.stream.write(rest).unwrap_or(0);
            }
        }
    };
    let above = broker.eventually("memory above the bound", || {
        pump(&mut halves, most);
        broker.metric(memory).filter(|bytes| *bytes > 2_900_000.0)
    });
    for _ in 0..50 {
        pump(&mut halves, most);
    }
    assert!(above < 5_000_000.0, "{above}: one is beyond the bound, the others within it");
    assert!(broker.metric(memory).unwrap() < 5_000_000.0);
    // Who has begun nothing waits.
    admin.stream.set_read_timeout(Some(Duration::from_millis(300))).unwrap();
    admin.send_fetch("t", 0, 0);
    assert!(admin.receive_frame().is_err(), "a request was begun above the bound");
    // One after the other gets to its end, and then nothing is held.
    admin.stream.set_read_timeout(Some(PATIENCE)).unwrap();
    broker.eventually("four answers", || {
        pump(&mut halves, usize::MAX);
        halves.iter().all(|(_, frame, sent)| *sent == frame.len()).then_some(())
    });
    for (client, ..) in &mut halves {
        client.stream.set_nonblocking(false).unwrap();
        client.receive_frame().unwrap();
    }
    admin.receive_frame().unwrap();
    broker.expect_metric(memory, 0.0);
}

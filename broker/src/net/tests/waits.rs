//! Requests that have to wait, for earlier ones or for their reader, and what a connection costs meanwhile.

use std::time::Duration;

use protocol::ApiKey;
use protocol::message::ApiVersionsRequest;

use super::World;

/// Bytes that nobody writes.
const MUCH: i32 = 1 << 30;

#[test]
fn more_requests_than_may_be_under_way_are_all_answered() {
    let world = World::start(&[("inflight.requests.per.connection.max", "1")]);
    let mut peer = world.peer();
    let frames: Vec<u8> = (0..20).flat_map(|_| peer.produce("nowhere", 1)).collect();
    peer.send(&frames);
    (0..20).for_each(|_| drop(peer.reply()));
}

#[test]
fn requests_behind_a_large_reply_are_answered() {
    let world = World::start(&[("reply.bytes.per.connection.max", "65536")]);
    let mut peer = world.peer();
    let mut frames = Vec::new();
    for _ in 0..5 {
        frames.extend(peer.ask_for_much());
        frames.extend(peer.frame(&ApiVersionsRequest::default(), 0));
    }
    peer.send(&frames);
    for _ in 0..5 {
        assert!(peer.reply().len() > 65_536);
        peer.reply();
    }
}

#[test]
fn a_slow_reader_is_held_to_the_bound_of_replies() {
    const HELD_BYTES: usize = 1 << 20;
    let world = World::start(&[("reply.bytes.per.connection.max", &HELD_BYTES.to_string())]);
    let mut peer = world.peer();
    let frames: Vec<u8> = (0..600).flat_map(|_| peer.ask_for_much()).collect();
    peer.send(&frames);
    // What the kernel holds for the two sockets: tcp_rmem and tcp_wmem allow 6 MiB and 4 MiB.
    let kernel = 12 << 20;
    let mut read = 0;
    for count in 1..=20 {
        read += peer.reply().len();
        let reply = read / count;
        let most = (read + HELD_BYTES + kernel) / reply + 2;
        let served = served_in_the_end(&world, ApiKey::DescribeConfigs);
        assert!(served <= most, "{served} replies of {reply} bytes were made, {most} have room");
    }
}

/// Requests that are served as long as nobody does anything: none was in a while.
fn served_in_the_end(world: &World, api: ApiKey) -> usize {
    let mut served = 0;
    loop {
        let before = std::mem::replace(&mut served, usize::try_from(world.requests(api)).unwrap());
        if served == before {
            return served;
        }
        std::thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn a_peer_that_left_is_noticed_while_its_request_waits() {
    let world = World::start(&[]);
    for reset in [false, true] {
        let mut peer = world.peer();
        peer.create_topic("quiet", &[]);
        let mut frames = peer.fetch("quiet", 0, MUCH);
        frames.extend(peer.frame(&ApiVersionsRequest::default(), 0));
        let parked = world.metrics().parked_fetches;
        peer.send(&frames);
        world.eventually("the Fetch waits", || world.metrics().parked_fetches > parked);
        let closed = world.metrics().closed_connections;
        if reset {
            // A close with this set sends a reset.
            rustix::net::sockopt::set_socket_linger(&peer.stream, Some(Duration::ZERO)).unwrap();
        }
        drop(peer);
        world.eventually("the connection ends", || world.metrics().closed_connections > closed);
    }
}

#[test]
fn a_peer_that_sends_no_more_is_still_answered() {
    let world = World::start(&[]);
    let mut peer = world.peer();
    peer.create_topic("synced", &[("flush.messages", "1")]);
    let mut frames = peer.produce("synced", -1);
    frames.extend(peer.frame(&ApiVersionsRequest::default(), 0));
    peer.send(&frames);
    peer.finish_sending();
    peer.reply();
    peer.reply();
    assert!(peer.is_closed_within(super::PATIENCE));
}

#[test]
fn the_kernel_is_to_ask_whether_a_silent_peer_is_there() {
    let world = World::start(&[]);
    let mut peer = world.peer();
    peer.create_topic("t", &[]);
    let ports =
        [world.address.port(), peer.stream.local_addr().unwrap().port()].map(|port| format!(":{port:04X}"));
    // The kernel's table names the timer that runs for a socket: 02 is that of keep-alive.
    world.eventually("the accepted socket is kept alive", || {
        let table = std::fs::read_to_string("/proc/net/tcp").unwrap();
        table.lines().any(|line| {
            let fields: Vec<_> = line.split_whitespace().collect();
            fields.len() > 5
                && fields[1].ends_with(&ports[0])
                && fields[2].ends_with(&ports[1])
                && fields[5].starts_with("02:")
        })
    });
}

//! What a request leaves behind that was answered before its time, or whose client left.

use std::time::Duration;

use super::World;

#[test]
fn answered_requests_leave_no_timers() {
    let world = World::start(&[]);
    let mut peer = world.peer();
    peer.create_topic("synced", &[("flush.messages", "1")]);
    for _ in 0..100 {
        let frames: Vec<u8> = (0..50).flat_map(|_| peer.produce("synced", -1)).collect();
        peer.send(&frames);
        (0..50).for_each(|_| drop(peer.reply()));
    }
    let (all, _) = world.shell.timers().counts();
    assert!(
        all <= 2_200,
        "{all} timers are kept after 5,000 requests that waited for a sync, none of which is left"
    );
}

#[test]
fn a_peer_that_left_leaves_no_fetch() {
    let world = World::start(&[]);
    world.peer().create_topic("quiet", &[]);
    let (_, before) = world.shell.timers().counts();
    let mut peer = world.peer();
    let frame = peer.fetch("quiet", 0, 1);
    peer.send(&frame);
    world.eventually("the Fetch waits", || world.shell.timers().counts().1 > before);
    // It asked for 24 days; the farthest chore is due in 10 minutes.
    let latest = world.shell.timers().latest().unwrap();
    assert!(latest <= world.shell.clock.now().monotonic.plus(Duration::from_secs(600)));
    drop(peer);
    world.eventually("nobody waits", || world.shell.timers().counts().1 <= before);
}

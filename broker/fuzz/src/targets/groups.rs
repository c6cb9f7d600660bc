//! Records of `__consumer_offsets` that nobody checked, replayed, and members that come afterwards.

use std::time::Duration;

use bytes::Bytes;
use machines::group::{Caller, GroupSettings, GroupShard, JoinRequest, Moment, Outcome};
use protocol::id::{Monotonic, Timestamp};

const GROUP: &str = "g";

pub(super) fn run(mut bytes: &[u8]) {
    let mut shard = GroupShard::new(GroupSettings::default());
    let mut out = Outcome::default();
    while let Some(([key_length, value_length], rest)) = bytes.split_first_chunk::<2>() {
        let (key, rest) = split(rest, *key_length);
        let (value, rest) = split(rest, *value_length);
        bytes = rest;
        // 255 is a tombstone.
        shard.replay(Some(key), (*value_length != u8::MAX).then_some(value));
    }
    let mut at = Moment { monotonic: Monotonic(0), wall: Timestamp(1_767_225_600_000) };
    shard.loaded(at, &mut out);
    let _ = shard.describe(GROUP);
    let _ = shard.list(&[], &[]);
    let _ = shard.fetch_all_offsets(GROUP);
    let request = JoinRequest {
        group_id: GROUP.to_owned(),
        session_timeout_ms: 10_000,
        rebalance_timeout_ms: 10_000,
        protocol_type: "consumer".to_owned(),
        protocols: vec![("range".to_owned(), Bytes::copy_from_slice(bytes))],
        ..JoinRequest::default()
    };
    shard.join(at, Caller(1), request, 1, &mut out);
    for _ in 0..50 {
        for batch in std::mem::take(&mut out.batches) {
            shard.committed(at, batch.id, &mut out);
        }
        at.monotonic = at.monotonic.plus(Duration::from_secs(60));
        at.wall = Timestamp(at.wall.0 + 86_400_000);
        shard.tick(at, &mut out);
        shard.expire_offsets(at, &mut out);
    }
}

fn split(bytes: &[u8], length: u8) -> (&[u8], &[u8]) {
    bytes.split_at(usize::from(length).min(bytes.len()))
}

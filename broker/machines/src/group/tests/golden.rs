//! Records as Kafka 4.3.1 writes them: `testdata/group/kafka_records.txt` was printed by its
//! `GroupCoordinatorRecordHelpers` and its message classes.

use super::super::record::{Change, CommittedOffset, GroupMetadata, GroupRecord, MemberMetadata};
use super::super::{GroupSettings, GroupShard, Outcome};
use super::moment;
use bytes::Bytes;
use proptest::prelude::*;
use protocol::id::{LeaderEpoch, Offset, PartitionIndex, Timestamp, Uuid};
use protocol::wire::DecodeError;
use std::sync::Arc;

const RECORDS: &str = include_str!("../../../testdata/group/kafka_records.txt");
const TIME: Timestamp = Timestamp(1_700_000_000_000);

/// The bytes of a line of the file; `None` where it says `null`.
fn bytes(name: &str) -> Option<Bytes> {
    let line = RECORDS.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' ')).unwrap();
    let hex = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap();
    (line != "null").then(|| line.as_bytes().chunks(2).map(hex).collect())
}

fn record(name: &str) -> GroupRecord {
    GroupRecord { key: bytes(&format!("{name} key")).unwrap(), value: bytes(&format!("{name} value")) }
}

/// Both ways.
fn check(name: &str, change: &Change) {
    let record = record(name);
    assert_eq!(change.encode(), record, "{name}");
    assert_eq!(Change::decode(&record.key, record.value.as_deref()).as_ref(), Ok(change), "{name}");
}

fn offset(leader_epoch: i32, metadata: &str) -> CommittedOffset {
    CommittedOffset {
        offset: Offset(42),
        leader_epoch: LeaderEpoch(leader_epoch),
        metadata: Box::from(metadata),
        commit_timestamp: TIME,
        expire_timestamp: None,
        topic_id: Uuid::ZERO,
    }
}

fn of_topic(offset: Option<CommittedOffset>) -> Change {
    Change::Offset {
        group_id: Arc::from("group"),
        topic: Arc::from("topic"),
        partition: PartitionIndex(7),
        offset: offset.map(Arc::new),
    }
}

fn of_group(metadata: Option<GroupMetadata>) -> Change {
    Change::Group { group_id: Arc::from("group"), metadata: metadata.map(Arc::new) }
}

fn member(name: &str, instance: Option<&str>, subscription: &[u8], assignment: &[u8]) -> MemberMetadata {
    MemberMetadata {
        member_id: Arc::from(format!("{name}-1")),
        group_instance_id: instance.map(Arc::from),
        client_id: Arc::from(name),
        client_host: Arc::from("/127.0.0.1"),
        rebalance_timeout_ms: 60_000,
        session_timeout_ms: 10_000,
        subscription: Bytes::copy_from_slice(subscription),
        assignment: Bytes::copy_from_slice(assignment),
    }
}

fn empty(protocol_type: &str, generation: i32) -> GroupMetadata {
    GroupMetadata {
        protocol_type: protocol_type.to_owned(),
        generation,
        protocol: None,
        leader: None,
        current_state_timestamp: TIME,
        members: Vec::new(),
    }
}

fn full(members: Vec<MemberMetadata>) -> GroupMetadata {
    let (protocol, leader) = (Some("range".to_owned()), Some(Arc::from("a-1")));
    GroupMetadata { protocol, leader, members, ..empty("consumer", 5) }
}

#[test]
fn records_are_written_and_read_as_kafka_writes_them() {
    let topic_id = Uuid([1, 2, 3, 4, 5, 6, 7, 8, 0x11, 0x12, 0x13, 0x14, 0x15, 0x16, 0x17, 0x18]);
    check("commit", &of_topic(Some(CommittedOffset { topic_id, ..offset(3, "meta") })));
    check("commit_no_id", &of_topic(Some(offset(-1, ""))));
    let expire_timestamp = Some(Timestamp(TIME.0 + 60_000));
    check("commit_expiring", &of_topic(Some(CommittedOffset { expire_timestamp, ..offset(-1, "meta") })));
    check("commit_tombstone", &of_topic(None));
    check("group_tombstone", &of_group(None));
    check("group_new", &of_group(Some(empty("", 0))));
    check("group_empty", &of_group(Some(empty("consumer", 6))));
    check("group", &of_group(Some(full(vec![member("a", Some("i"), &[1, 2, 3], &[9])]))));
}

#[test]
fn every_version_is_read() {
    let key = record("group").key;
    for version in 0..=4 {
        let value = bytes(&format!("group_value_{version}")).unwrap();
        let mut members = vec![member("a", Some("i"), &[1], &[2]), member("b", None, &[], &[])];
        let mut expected = full(Vec::new());
        for member in &mut members {
            if version < 1 {
                member.rebalance_timeout_ms = -1;
            }
            if version < 3 {
                member.group_instance_id = None;
            }
        }
        if version < 2 {
            expected.current_state_timestamp = Timestamp::NONE;
        }
        expected.members = members;
        assert_eq!(Change::decode(&key, Some(&value)), Ok(of_group(Some(expected))), "version {version}");
    }
    for version in 0..=4 {
        let value = bytes(&format!("offset_value_{version}")).unwrap();
        let mut expected = offset(if version >= 3 { 3 } else { -1 }, "meta");
        expected.expire_timestamp = (version == 1).then_some(Timestamp(TIME.0 + 60_000));
        if version == 4 {
            expected.topic_id = Uuid(((1_u128 << 64) | 2).to_be_bytes());
        }
        let key = if version == 0 { bytes("legacy_key").unwrap() } else { record("commit").key };
        assert_eq!(Change::decode(&key, Some(&value)), Ok(of_topic(Some(expected))), "version {version}");
    }
}

#[test]
fn what_is_not_known_is_counted_and_left() {
    let mut shard = GroupShard::new(GroupSettings::default());
    let commit = record("commit");
    shard.replay(Some(&commit.key), commit.value.as_deref());
    // A group of the new protocol, a key and values of versions to come, and no key at all.
    let consumer = bytes("consumer_key").unwrap();
    assert_eq!(Change::decode(&consumer, Some(&[0, 0])), Err(DecodeError::Type(3)));
    shard.replay(Some(&consumer), Some(&[0, 0]));
    shard.replay(Some(&[0x7f, 0]), Some(&[]));
    shard.replay(Some(&commit.key), Some(&[0, 5, 1, 2, 3]));
    shard.replay(Some(&commit.key), Some(&[0xff, 0xff]));
    shard.replay(Some(&[]), None);
    shard.replay(None, Some(&[]));
    let report = shard.loaded(moment(0), &mut Outcome::default());
    assert_eq!((report.groups, report.offsets, report.ignored), (1, 1, 6));
}

#[test]
fn a_group_that_cannot_be_is_loaded_as_far_as_it_can() {
    let twice = member("a", Some("i"), &[], &[]);
    let rival = MemberMetadata { member_id: Arc::from("c-1"), ..twice.clone() };
    let timeless =
        MemberMetadata { session_timeout_ms: -5, rebalance_timeout_ms: -1, ..member("b", None, &[], &[]) };
    let stored = GroupMetadata {
        leader: Some(Arc::from("nobody")),
        protocol: None,
        generation: i32::MAX,
        ..full(vec![twice.clone(), twice, rival, timeless])
    };
    let record = of_group(Some(stored)).encode();
    let mut shard = GroupShard::new(GroupSettings::default());
    shard.replay(Some(&record.key), record.value.as_deref());
    let mut out = Outcome::default();
    shard.loaded(moment(0), &mut out);
    assert_eq!(shard.counts().members, 2);
    // Sessions, also those of no length, end; the last member goes with the other's rebalance.
    for ms in [0, 10_000, 100_000, 200_000] {
        shard.tick(moment(ms), &mut out);
    }
    assert_eq!(shard.counts().members, 0);
    assert_eq!(shard.counts().empty, 1);
}

proptest! {
    /// Nothing from the log makes a shard panic, whatever it holds.
    #[test]
    fn broken_records_do_no_harm(
        which in 0..5_usize,
        broken in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..4),
        length in any::<prop::sample::Index>(),
    ) {
        let names = ["group_value_0", "group_value_3", "group_value_4", "offset_value_1", "offset_value_4"];
        let key = if which < 3 { record("group").key } else { record("commit").key };
        let mut value = bytes(names[which]).unwrap().to_vec();
        for (at, byte) in broken {
            let at = at.index(value.len());
            value[at] = byte;
        }
        value.truncate(length.index(value.len() + 1));
        let mut shard = GroupShard::new(GroupSettings::default());
        shard.replay(Some(&key), Some(&value));
        shard.replay(Some(&value), Some(&key));
        let mut out = Outcome::default();
        let _ = shard.loaded(moment(0), &mut out);
        for ms in [1, 100, 60_000, 1_000_000_000] {
            shard.tick(moment(ms), &mut out);
        }
    }
}

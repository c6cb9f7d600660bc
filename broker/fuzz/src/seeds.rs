//! Inputs that reach far, for a fuzzer to start from: what sane clients send and what a sane broker leaves behind.

use bytes::Bytes;
use machines::group::{
    Caller, CommitPartition, CommitTopic, GroupSettings, GroupShard, JoinRequest, Moment,
    OffsetCommitRequest, Outcome, Reply, SyncRequest,
};
use protocol::header::request_frame;
use protocol::id::{CorrelationId, LeaderEpoch, Monotonic, Offset, PartitionIndex, Timestamp, Uuid};
use protocol::message as m;
use protocol::records::{BatchBuilder, Compression};
use protocol::wire::{Request, Writer};

use crate::targets::request_input;

/// A target's name, an input's name, the input.
pub type Seed = (&'static str, String, Vec<u8>);

/// All of them.
#[must_use]
pub fn all() -> Vec<Seed> {
    let mut seeds = requests();
    seeds.extend(batches());
    seeds.extend(damages());
    seeds.extend(groups());
    seeds
}

fn of<R: Request>(seeds: &mut Vec<Seed>) {
    for version in R::VERSIONS {
        let mut body = Writer::default();
        R::default().encode(&mut body, version);
        let name = format!("{:?}-v{version}", R::KEY);
        seeds.push(("requests", name.clone(), request_input(R::KEY.wire(), version, &body.into_bytes())));
        let frame = request_frame(&R::default(), version, CorrelationId(1), Some("seed"));
        let mut pieces = vec![3];
        // Twice, so that two follow each other on one connection.
        pieces.extend([frame.clone(), frame].concat());
        seeds.push(("frames", name, pieces));
    }
}

macro_rules! of_each {
    ($seeds:expr, $($request:ident),* $(,)?) => { $(of::<m::$request>($seeds);)* };
}

fn requests() -> Vec<Seed> {
    let mut seeds = Vec::new();
    of_each!(
        &mut seeds,
        AlterConfigsRequest,
        AlterPartitionReassignmentsRequest,
        AlterReplicaLogDirsRequest,
        ApiVersionsRequest,
        ConsumerGroupDescribeRequest,
        CreatePartitionsRequest,
        CreateTopicsRequest,
        DeleteGroupsRequest,
        DeleteRecordsRequest,
        DeleteTopicsRequest,
        DescribeClusterRequest,
        DescribeConfigsRequest,
        DescribeGroupsRequest,
        DescribeLogDirsRequest,
        DescribeProducersRequest,
        DescribeQuorumRequest,
        DescribeTopicPartitionsRequest,
        ElectLeadersRequest,
        FetchRequest,
        FindCoordinatorRequest,
        GetTelemetrySubscriptionsRequest,
        HeartbeatRequest,
        IncrementalAlterConfigsRequest,
        InitProducerIdRequest,
        JoinGroupRequest,
        LeaveGroupRequest,
        ListConfigResourcesRequest,
        ListGroupsRequest,
        ListOffsetsRequest,
        ListPartitionReassignmentsRequest,
        MetadataRequest,
        OffsetCommitRequest,
        OffsetDeleteRequest,
        OffsetFetchRequest,
        OffsetForLeaderEpochRequest,
        ProduceRequest,
        PushTelemetryRequest,
        SyncGroupRequest,
        UnregisterBrokerRequest,
        UpdateFeaturesRequest,
    );
    seeds
}

fn batches() -> Vec<Seed> {
    let codecs =
        [Compression::None, Compression::Gzip, Compression::Snappy, Compression::Lz4, Compression::Zstd];
    codecs
        .iter()
        .map(|codec| {
            let mut builder = BatchBuilder::new().compression(*codec, None);
            for number in 0..5_i64 {
                let headers: [(&str, Option<&[u8]>); 2] = [("h", Some(b"v")), ("null", None)];
                builder.push(Timestamp(number), Some(b"key"), Some(&[b'v'; 40]), &headers);
            }
            let mut bytes = vec![0b1011];
            bytes.extend(builder.build().expect("a batch"));
            ("batches", codec.name().to_owned(), bytes)
        })
        .collect()
}

/// One damage of each kind to each of the first files, and two after each other.
fn damages() -> Vec<Seed> {
    let mut seeds = Vec::new();
    for target in ["log", "metadata", "checkpoints"] {
        for file in 0..12_u8 {
            for kind in 0..5_u8 {
                let one = [file, kind, 0, 20, 4, 1, 2, 3, 4];
                seeds.push((target, format!("{file}-{kind}"), one.to_vec()));
            }
            let two = [file, 4, 0, 61, 2, 9, 9, file.wrapping_add(1), 1, 0, 9, 0];
            seeds.push((target, format!("{file}-two"), two.to_vec()));
        }
    }
    seeds
}

/// The records that a group leaves behind.
fn groups() -> Vec<Seed> {
    let mut shard = GroupShard::new(GroupSettings::default());
    let mut out = Outcome::default();
    let mut at = Moment { monotonic: Monotonic(0), wall: Timestamp(1_767_225_600_000) };
    shard.loaded(at, &mut out);
    let join = JoinRequest {
        group_id: "g".to_owned(),
        session_timeout_ms: 10_000,
        rebalance_timeout_ms: 10_000,
        protocol_type: "consumer".to_owned(),
        protocols: vec![("range".to_owned(), Bytes::from_static(b"\0\0\0\0\0\x01\0\x01t\0\0\0\0"))],
        ..JoinRequest::default()
    };
    shard.join(at, Caller(1), join, 1, &mut out);
    at.monotonic = Monotonic(u64::from(u32::MAX));
    shard.tick(at, &mut out);
    let joined = out.replies.iter().find_map(|(_, reply)| match reply {
        Reply::Join(reply) => Some((reply.member_id.clone(), reply.generation_id)),
        _ => None,
    });
    let (member_id, generation_id) = joined.expect("the group's first member joins");
    let sync = SyncRequest {
        group_id: "g".to_owned(),
        generation_id,
        member_id: member_id.clone(),
        assignments: vec![(member_id.clone(), Bytes::from_static(b"assigned"))],
        ..SyncRequest::default()
    };
    shard.sync(at, Caller(2), sync, &mut out);
    let partition = CommitPartition {
        index: PartitionIndex(0),
        offset: Offset(42),
        leader_epoch: LeaderEpoch(1),
        metadata: Some("m".to_owned()),
    };
    let commit = OffsetCommitRequest {
        group_id: "simple".to_owned(),
        generation_id: -1,
        member_id: String::new(),
        group_instance_id: None,
        retention_time_ms: None,
        reports_missing_group: false,
        topics: vec![CommitTopic { name: "t".to_owned(), topic_id: Uuid::ZERO, partitions: vec![partition] }],
    };
    shard.commit_offsets(at, Caller(3), commit, &mut out);
    let records: Vec<_> = out.batches.iter().flat_map(|batch| batch.records.clone()).collect();
    let mut whole = Vec::new();
    let mut seeds = Vec::new();
    for (record, number) in records.iter().zip(0..) {
        let value = record.value.clone().unwrap_or_default();
        let lengths = [record.key.len(), value.len()].map(|length| u8::try_from(length).unwrap_or(254));
        let bytes = [&lengths[..], &record.key, &value].concat();
        whole.extend_from_slice(&bytes);
        seeds.push(("groups", format!("record-{number}"), bytes));
    }
    seeds.push(("groups", "all".to_owned(), whole));
    seeds
}

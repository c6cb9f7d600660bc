//! Random bytes of any message in any of its versions, made from its declaration's shape by code that shares nothing
//! with the encoder under test.
//!
//! The bytes are canonical: a tagged field never has its default, so that decoding and encoding gives them back.

use protocol::ErrorCode;
use protocol::random::SplitMix64;
use protocol::wire::{At, FieldShape, Fields, Kind, Message};

/// Where the bytes come from.
pub(crate) struct Source(SplitMix64);

impl Source {
    pub(crate) const fn new(seed: u64) -> Self {
        Self(SplitMix64::new(seed))
    }

    pub(crate) const fn next(&mut self) -> u64 {
        self.0.next()
    }

    /// A number below `limit`.
    pub(crate) fn below(&mut self, limit: usize) -> usize {
        usize::try_from(self.next() % u64::try_from(limit).unwrap()).unwrap()
    }
}

/// One message of type `M`.
pub(crate) fn message<M: Message>(source: &mut Source, version: i16) -> Vec<u8> {
    let mut out = Vec::new();
    fields(source, <M as Fields>::FIELDS, At::of::<M>(version), &mut out);
    out
}

pub(crate) fn varint(mut value: usize, out: &mut Vec<u8>) {
    while value >= 0x80 {
        out.push(u8::try_from(value & 0x7f).unwrap() | 0x80);
        value >>= 7;
    }
    out.push(u8::try_from(value).unwrap());
}

fn fields(source: &mut Source, shapes: &[FieldShape], at: At, out: &mut Vec<u8>) {
    let present = |shape: &&FieldShape| at.within(shape.versions.0, shape.versions.1);
    for shape in shapes.iter().filter(present).filter(|shape| shape.tag.is_none()) {
        field(source, shape, at, out);
    }
    if !at.flexible {
        return;
    }
    let mut tagged: Vec<_> = shapes.iter().filter(present).filter(|shape| shape.tag.is_some()).collect();
    tagged.sort_by_key(|shape| shape.tag);
    tagged.retain(|_| source.below(2) == 0);
    varint(tagged.len(), out);
    for shape in tagged {
        let mut value = Vec::new();
        field(source, shape, at, &mut value);
        varint(usize::try_from(shape.tag.unwrap()).unwrap(), out);
        varint(value.len(), out);
        out.extend(value);
    }
}

fn field(source: &mut Source, shape: &FieldShape, at: At, out: &mut Vec<u8>) {
    let tagged = shape.tag.is_some();
    let nullable = shape.nullable.is_some_and(|(first, last)| at.within(first, last));
    let null = nullable && !tagged && source.below(4) == 0;
    match shape.kind {
        Kind::Struct(_) if null => out.push(0xff),
        Kind::String if null => length(None, at, 2, out),
        _ if null => length(None, at, 4, out),
        Kind::Struct(_) if nullable => {
            out.push(1);
            value(source, shape.kind, at, tagged, out);
        }
        kind => value(source, kind, at, tagged, out),
    }
}

/// A value that is not null; where `filled`, one that is no type's default.
fn value(source: &mut Source, kind: Kind, at: At, filled: bool, out: &mut Vec<u8>) {
    let least = usize::from(filled);
    match kind {
        Kind::Bool => out.push(u8::from(filled || source.below(2) == 0)),
        Kind::Integer(size) => {
            let bytes = (source.next() >> source.below(64)).to_be_bytes();
            out.extend(&bytes[8 - size..]);
            if filled {
                // Defaults are 0, -1, -2 and the extremes; 0x55 is none of their last bytes.
                *out.last_mut().unwrap() = 0x55;
            }
        }
        Kind::Float => {
            out.extend((f64::from(u32::try_from(source.next() >> 32).unwrap()) / 8.0).to_be_bytes())
        }
        Kind::Uuid => out.extend([source.next().to_be_bytes(), source.next().to_be_bytes()].as_flattened()),
        Kind::ErrorCode => {
            let codes = ErrorCode::ALL;
            // The first two are -1 and 0.
            let first = 2 * least;
            out.extend(codes[first + source.below(codes.len() - first)].wire().to_be_bytes());
        }
        Kind::String => {
            let text: String = (0..least + source.below(12))
                .map(|_| ['a', 'Z', '7', '.', '-', '\u{e9}', '\u{1f980}'][source.below(7)])
                .collect();
            length(Some(text.len()), at, 2, out);
            out.extend(text.as_bytes());
        }
        Kind::Bytes => {
            let count = least + source.below(300);
            length(Some(count), at, 4, out);
            out.extend((0..count).map(|_| source.next().to_be_bytes()[0]));
        }
        Kind::Array(element) => {
            let count = least + source.below(4);
            length(Some(count), at, 4, out);
            for _ in 0..count {
                value(source, *element, at, false, out);
            }
        }
        Kind::Struct(shapes) => fields(source, shapes, at, out),
    }
}

/// A length of `size` bytes, or the varint of it and 1.
fn length(length: Option<usize>, at: At, size: usize, out: &mut Vec<u8>) {
    if at.flexible {
        varint(length.map_or(0, |length| length + 1), out);
    } else {
        let length = length.map_or(-1, |length| i32::try_from(length).unwrap());
        out.extend(&length.to_be_bytes()[4 - size..]);
    }
}

/// Calls `$check::<M>("M", ..)` for every message that is declared.
#[macro_export]
macro_rules! every_message {
    ($check:ident($($argument:expr),*)) => {{
        use protocol::message::*;
        use protocol::metadata_record::{control, *};
        every_message!(@each $check [$($argument),*]
            AlterConfigsRequest, AlterConfigsResponse, AlterPartitionReassignmentsRequest,
            AlterPartitionReassignmentsResponse, AlterReplicaLogDirsRequest, AlterReplicaLogDirsResponse,
            ApiVersionsRequest, ApiVersionsResponse, ConsumerGroupDescribeRequest,
            ConsumerGroupDescribeResponse, CreatePartitionsRequest, CreatePartitionsResponse,
            CreateTopicsRequest, CreateTopicsResponse, DeleteGroupsRequest, DeleteGroupsResponse,
            DeleteRecordsRequest, DeleteRecordsResponse, DeleteTopicsRequest, DeleteTopicsResponse,
            DescribeClusterRequest, DescribeClusterResponse, DescribeConfigsRequest, DescribeConfigsResponse,
            DescribeGroupsRequest, DescribeGroupsResponse, DescribeLogDirsRequest, DescribeLogDirsResponse,
            DescribeProducersRequest, DescribeProducersResponse, DescribeQuorumRequest,
            DescribeQuorumResponse, DescribeTopicPartitionsRequest, DescribeTopicPartitionsResponse,
            ElectLeadersRequest, ElectLeadersResponse, FetchRequest, FetchResponse, FindCoordinatorRequest,
            FindCoordinatorResponse, GetTelemetrySubscriptionsRequest, GetTelemetrySubscriptionsResponse,
            HeartbeatRequest, HeartbeatResponse, IncrementalAlterConfigsRequest,
            IncrementalAlterConfigsResponse, InitProducerIdRequest, InitProducerIdResponse, JoinGroupRequest,
            JoinGroupResponse, LeaveGroupRequest, LeaveGroupResponse, ListConfigResourcesRequest,
            ListConfigResourcesResponse, ListGroupsRequest, ListGroupsResponse, ListOffsetsRequest,
            ListOffsetsResponse, ListPartitionReassignmentsRequest, ListPartitionReassignmentsResponse,
            MetadataRequest, MetadataResponse, OffsetCommitRequest, OffsetCommitResponse, OffsetDeleteRequest,
            OffsetDeleteResponse, OffsetFetchRequest, OffsetFetchResponse, OffsetForLeaderEpochRequest,
            OffsetForLeaderEpochResponse, ProduceRequest, ProduceResponse, PushTelemetryRequest,
            PushTelemetryResponse, SyncGroupRequest, SyncGroupResponse, UnregisterBrokerRequest,
            UnregisterBrokerResponse, UpdateFeaturesRequest, UpdateFeaturesResponse, RegisterBrokerRecord,
            UnregisterBrokerRecord, BrokerRegistrationChangeRecord, TopicRecord, PartitionRecord,
            PartitionChangeRecord, RemoveTopicRecord, ConfigRecord, FeatureLevelRecord, ProducerIdsRecord,
            NoOpRecord, control::LeaderChangeMessage, control::SnapshotHeaderRecord,
            control::SnapshotFooterRecord, control::KRaftVersionRecord, control::VotersRecord
        );
    }};
    (@each $check:ident $arguments:tt $($message:ty),*) => {
        $(every_message!(@one $check $arguments $message);)*
    };
    (@one $check:ident [$($argument:expr),*] $message:ty) => {
        $check::<$message>(stringify!($message), $($argument),*)
    };
}

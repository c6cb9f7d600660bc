//! Against the crate kafka-protocol, another implementation of the same schemas: every message and version that both
//! have, in both directions. It is an oracle only; it must never decode what a peer sent.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod generator;

use bytes::{Bytes, BytesMut};
use generator::Source;
use kafka_protocol::messages as theirs;
use kafka_protocol::protocol::{Decodable, Encodable};
use protocol::header::{RequestHeader, ResponseHeader};
use protocol::id::CorrelationId;
use protocol::message as ours;
use protocol::metadata_record::control;
use protocol::wire::{Message, Reader, Writer};
use protocol::{ApiKey, Request};

/// Messages of each type and version.
const ROUNDS: u64 = 40;

fn our_bytes<M: Message>(message: &M, version: i16) -> Vec<u8> {
    let mut writer = Writer::new();
    message.encode(&mut writer, version);
    writer.into_bytes()
}

fn from_our_bytes<M: Message>(bytes: &[u8], version: i16) -> M {
    let mut reader = Reader::new(bytes);
    let message = M::decode(&mut reader, version).unwrap();
    reader.finish().unwrap();
    message
}

fn their_bytes<M: Encodable>(message: &M, version: i16) -> Vec<u8> {
    let mut bytes = BytesMut::new();
    message.encode(&mut bytes, version).unwrap();
    bytes.to_vec()
}

/// A random message goes from bytes to us and back, to them and back, and to us again. Both sides write the same
/// bytes; in the other order of two equal bytes, neither could have lost or added a field.
fn compare<O, T>(name: &str)
where
    O: Message + PartialEq + std::fmt::Debug,
    T: kafka_protocol::protocol::Message + Encodable + Decodable,
{
    compare_made::<O, T>(name, generator::message::<O>);
}

fn compare_made<O, T>(name: &str, make: fn(&mut Source, i16) -> Vec<u8>)
where
    O: Message + PartialEq + std::fmt::Debug,
    T: kafka_protocol::protocol::Message + Encodable + Decodable,
{
    let both = *O::VERSIONS.start().max(&T::VERSIONS.min)..=*O::VERSIONS.end().min(&T::VERSIONS.max);
    assert!(!both.is_empty(), "{name} has no version in common");
    for version in both {
        for seed in 0..ROUNDS {
            let bytes = make(&mut Source::new(seed), version);
            let message: O = from_our_bytes(&bytes, version);
            assert_eq!(our_bytes(&message, version), bytes, "{name} {version} written by us");
            let mut rest = Bytes::copy_from_slice(&bytes);
            let oracle = T::decode(&mut rest, version).unwrap();
            assert!(rest.is_empty(), "{name} {version}: they leave {} bytes", rest.len());
            let back = their_bytes(&oracle, version);
            assert_eq!(back, bytes, "{name} {version} written by them");
            assert_eq!(from_our_bytes::<O>(&back, version), message, "{name} {version} read by us");
        }
    }
}

/// A default message of theirs is one that we read, and ours is one that they read: the defaults agree where a version
/// writes them.
fn compare_defaults<O, T>(name: &str)
where
    O: Message + PartialEq + std::fmt::Debug,
    T: kafka_protocol::protocol::Message + Encodable + Decodable + Default + PartialEq + std::fmt::Debug,
{
    for version in *O::VERSIONS.start().max(&T::VERSIONS.min)..=*O::VERSIONS.end().min(&T::VERSIONS.max) {
        let theirs = their_bytes(&T::default(), version);
        let ours = our_bytes(&O::default(), version);
        if !NULL_BY_DEFAULT.contains(&name) {
            assert_eq!(ours, theirs, "the default {name} {version}");
        }
        let _: O = from_our_bytes(&theirs, version);
        let mut rest = Bytes::from(ours);
        T::decode(&mut rest, version).unwrap();
        assert!(rest.is_empty(), "the default {name} {version}");
    }
}

/// Messages with a nullable field that is empty by default at Kafka and null here.
const NULL_BY_DEFAULT: [&str; 12] = [
    "AlterPartitionReassignmentsResponse",
    "DescribeLogDirsRequest",
    "DescribeQuorumResponse",
    "ElectLeadersRequest",
    "FindCoordinatorResponse",
    "InitProducerIdRequest",
    "JoinGroupResponse",
    "ListPartitionReassignmentsResponse",
    "MetadataRequest",
    "OffsetFetchRequest",
    "UnregisterBrokerResponse",
    "UpdateFeaturesResponse",
];

macro_rules! compare {
    ($($name:ident)*) => {
        $(
            compare::<ours::$name, theirs::$name>(stringify!($name));
            compare_defaults::<ours::$name, theirs::$name>(stringify!($name));
        )*
    };
}

#[test]
fn requests_and_responses_agree() {
    compare! {
        AlterConfigsRequest AlterConfigsResponse AlterPartitionReassignmentsRequest
        AlterPartitionReassignmentsResponse AlterReplicaLogDirsRequest AlterReplicaLogDirsResponse
        ApiVersionsRequest ApiVersionsResponse ConsumerGroupDescribeRequest ConsumerGroupDescribeResponse
        CreatePartitionsRequest CreatePartitionsResponse CreateTopicsRequest CreateTopicsResponse
        DeleteGroupsRequest DeleteGroupsResponse DeleteRecordsRequest DeleteRecordsResponse
        DeleteTopicsRequest DeleteTopicsResponse DescribeClusterRequest DescribeClusterResponse
        DescribeConfigsRequest DescribeConfigsResponse DescribeGroupsRequest DescribeGroupsResponse
        DescribeLogDirsRequest DescribeLogDirsResponse DescribeProducersRequest DescribeProducersResponse
        DescribeQuorumRequest DescribeQuorumResponse DescribeTopicPartitionsRequest
        DescribeTopicPartitionsResponse ElectLeadersRequest ElectLeadersResponse FetchRequest FetchResponse
        FindCoordinatorRequest FindCoordinatorResponse GetTelemetrySubscriptionsRequest
        GetTelemetrySubscriptionsResponse HeartbeatRequest HeartbeatResponse IncrementalAlterConfigsRequest
        IncrementalAlterConfigsResponse InitProducerIdRequest InitProducerIdResponse JoinGroupRequest
        JoinGroupResponse LeaveGroupRequest LeaveGroupResponse ListConfigResourcesRequest
        ListConfigResourcesResponse ListGroupsRequest ListGroupsResponse ListOffsetsRequest
        ListOffsetsResponse ListPartitionReassignmentsRequest ListPartitionReassignmentsResponse
        MetadataRequest MetadataResponse OffsetCommitRequest OffsetCommitResponse OffsetDeleteRequest
        OffsetDeleteResponse OffsetFetchRequest OffsetFetchResponse OffsetForLeaderEpochRequest
        OffsetForLeaderEpochResponse ProduceRequest ProduceResponse PushTelemetryRequest PushTelemetryResponse
        SyncGroupRequest SyncGroupResponse UnregisterBrokerRequest UnregisterBrokerResponse
        UpdateFeaturesRequest UpdateFeaturesResponse
    }
}

/// A control record, whose first field repeats its version: they decode at the version of that field.
fn control_record<O: Message>(source: &mut Source, version: i16) -> Vec<u8> {
    let mut bytes = generator::message::<O>(source, version);
    bytes[..2].copy_from_slice(&version.to_be_bytes());
    bytes
}

macro_rules! compare_control {
    ($($name:ident)*) => {
        $(compare_made::<control::$name, theirs::$name>(stringify!($name), control_record::<control::$name>);)*
    };
}

#[test]
fn control_records_agree() {
    compare_control! { LeaderChangeMessage SnapshotHeaderRecord SnapshotFooterRecord KRaftVersionRecord VotersRecord }
}

/// Every API that Kafka has, in every version that they know, has the header that they would write.
#[test]
fn headers_agree() {
    for key in ApiKey::ALL {
        let Ok(oracle) = theirs::ApiKey::try_from(key.wire()) else { continue };
        let versions = oracle.valid_versions();
        for version in versions.min..=versions.max {
            let header = theirs::RequestHeader::default()
                .with_request_api_key(key.wire())
                .with_request_api_version(version)
                .with_correlation_id(77)
                .with_client_id(Some("client".to_owned().into()));
            let bytes = their_bytes(&header, oracle.request_header_version(version));
            let mut reader = Reader::new(&bytes);
            let read = RequestHeader::decode(&mut reader).unwrap();
            reader.finish().unwrap();
            assert_eq!((read.api_key, read.api_version, read.correlation_id.0), (key.wire(), version, 77));
            assert_eq!(read.client_id.as_deref(), Some("client"));
            let mut writer = Writer::new();
            read.encode(&mut writer);
            assert_eq!(writer.into_bytes(), bytes, "{key} {version}");

            let header = theirs::ResponseHeader::default().with_correlation_id(78);
            let bytes = their_bytes(&header, oracle.response_header_version(version));
            let mut writer = Writer::new();
            ResponseHeader { correlation_id: CorrelationId(78) }.encode(&mut writer, *key, version);
            assert_eq!(writer.into_bytes(), bytes, "{key} {version}");
        }
    }
}

#[test]
fn requests_know_their_keys() {
    fn check<R: Request>() {
        assert_eq!(R::KEY.flexible_from(), R::FLEXIBLE_FROM, "{}", R::KEY);
        assert_eq!(R::VERSIONS, R::Response::VERSIONS, "{}", R::KEY);
        assert_eq!(R::FLEXIBLE_FROM, R::Response::FLEXIBLE_FROM, "{}", R::KEY);
        assert!(std::any::type_name::<R>().ends_with(&format!("::{}Request", R::KEY.name())));
    }
    check::<ours::AlterConfigsRequest>();
    check::<ours::AlterPartitionReassignmentsRequest>();
    check::<ours::AlterReplicaLogDirsRequest>();
    check::<ours::ApiVersionsRequest>();
    check::<ours::ConsumerGroupDescribeRequest>();
    check::<ours::CreatePartitionsRequest>();
    check::<ours::CreateTopicsRequest>();
    check::<ours::DeleteGroupsRequest>();
    check::<ours::DeleteRecordsRequest>();
    check::<ours::DeleteTopicsRequest>();
    check::<ours::DescribeClusterRequest>();
    check::<ours::DescribeConfigsRequest>();
    check::<ours::DescribeGroupsRequest>();
    check::<ours::DescribeLogDirsRequest>();
    check::<ours::DescribeProducersRequest>();
    check::<ours::DescribeQuorumRequest>();
    check::<ours::DescribeTopicPartitionsRequest>();
    check::<ours::ElectLeadersRequest>();
    check::<ours::FetchRequest>();
    check::<ours::FindCoordinatorRequest>();
    check::<ours::GetTelemetrySubscriptionsRequest>();
    check::<ours::HeartbeatRequest>();
    check::<ours::IncrementalAlterConfigsRequest>();
    check::<ours::InitProducerIdRequest>();
    check::<ours::JoinGroupRequest>();
    check::<ours::LeaveGroupRequest>();
    check::<ours::ListConfigResourcesRequest>();
    check::<ours::ListGroupsRequest>();
    check::<ours::ListOffsetsRequest>();
    check::<ours::ListPartitionReassignmentsRequest>();
    check::<ours::MetadataRequest>();
    check::<ours::OffsetCommitRequest>();
    check::<ours::OffsetDeleteRequest>();
    check::<ours::OffsetFetchRequest>();
    check::<ours::OffsetForLeaderEpochRequest>();
    check::<ours::ProduceRequest>();
    check::<ours::PushTelemetryRequest>();
    check::<ours::SyncGroupRequest>();
    check::<ours::UnregisterBrokerRequest>();
    check::<ours::UpdateFeaturesRequest>();
}

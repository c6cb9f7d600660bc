//! Frames that real clients and Apache Kafka 4.3.1 exchanged, decoded with our declarations and encoded again.
//!
//! `testdata/golden` holds one request and its response for each (client, API, version) that the Java client
//! 4.3.1 and librdkafka 2.16 speak, without the length in front; `e2e/clients/golden/record` records them anew.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::collections::BTreeMap;
use std::path::Path;

use protocol::api_key::ApiKey;
use protocol::header::{RequestHeader, ResponseHeader};
use protocol::message::{
    AlterConfigsRequest, AlterPartitionReassignmentsRequest, AlterReplicaLogDirsRequest, ApiVersionsRequest,
    ConsumerGroupDescribeRequest, CreatePartitionsRequest, CreateTopicsRequest, DeleteGroupsRequest,
    DeleteRecordsRequest, DeleteTopicsRequest, DescribeClusterRequest, DescribeConfigsRequest,
    DescribeGroupsRequest, DescribeLogDirsRequest, DescribeProducersRequest, DescribeQuorumRequest,
    DescribeTopicPartitionsRequest, ElectLeadersRequest, FetchRequest, FindCoordinatorRequest,
    GetTelemetrySubscriptionsRequest, HeartbeatRequest, IncrementalAlterConfigsRequest,
    InitProducerIdRequest, JoinGroupRequest, LeaveGroupRequest, ListConfigResourcesRequest,
    ListGroupsRequest, ListOffsetsRequest, ListPartitionReassignmentsRequest, MetadataRequest,
    OffsetCommitRequest, OffsetDeleteRequest, OffsetFetchRequest, OffsetForLeaderEpochRequest,
    ProduceRequest, PushTelemetryRequest, SyncGroupRequest, UnregisterBrokerRequest, UpdateFeaturesRequest,
};
use protocol::wire::{DecodeError, Reader, Request, Writer};

/// How many pairs each API has at least, so that a lost recording fails: (API, pairs).
const LEAST_PAIRS: &[(ApiKey, usize)] = &[
    (ApiKey::Produce, 19),
    (ApiKey::Fetch, 26),
    (ApiKey::ListOffsets, 18),
    (ApiKey::Metadata, 25),
    (ApiKey::OffsetCommit, 2),
    (ApiKey::OffsetFetch, 2),
    (ApiKey::FindCoordinator, 3),
    (ApiKey::JoinGroup, 3),
    (ApiKey::Heartbeat, 2),
    (ApiKey::LeaveGroup, 1),
    (ApiKey::SyncGroup, 3),
    (ApiKey::DescribeGroups, 3),
    (ApiKey::ListGroups, 4),
    (ApiKey::ApiVersions, 2),
    (ApiKey::CreateTopics, 9),
    (ApiKey::DeleteTopics, 10),
    (ApiKey::DeleteRecords, 4),
    (ApiKey::InitProducerId, 11),
    (ApiKey::OffsetForLeaderEpoch, 3),
    (ApiKey::DescribeConfigs, 5),
    (ApiKey::AlterConfigs, 2),
    (ApiKey::AlterReplicaLogDirs, 2),
    (ApiKey::DescribeLogDirs, 2),
    (ApiKey::CreatePartitions, 7),
    (ApiKey::DeleteGroups, 4),
    (ApiKey::ElectLeaders, 4),
    (ApiKey::IncrementalAlterConfigs, 4),
    (ApiKey::AlterPartitionReassignments, 2),
    (ApiKey::ListPartitionReassignments, 1),
    (ApiKey::OffsetDelete, 1),
    (ApiKey::DescribeQuorum, 2),
    (ApiKey::UpdateFeatures, 2),
    (ApiKey::DescribeCluster, 3),
    (ApiKey::DescribeProducers, 1),
    (ApiKey::UnregisterBroker, 1),
    (ApiKey::ConsumerGroupDescribe, 3),
    (ApiKey::GetTelemetrySubscriptions, 2),
    (ApiKey::PushTelemetry, 2),
    (ApiKey::DescribeTopicPartitions, 1),
];

/// Decodes a request and a response and encodes both again: (request, response).
type RoundTrip = fn(i16, &[u8], &[u8]) -> Result<(Vec<u8>, Vec<u8>), DecodeError>;

fn round_trip<R: Request>(
    version: i16,
    request: &[u8],
    response: &[u8],
) -> Result<(Vec<u8>, Vec<u8>), DecodeError> {
    let mut reader = Reader::new(request);
    let header = RequestHeader::decode(&mut reader)?;
    assert_eq!((header.api_key, header.api_version), (R::KEY.wire(), version));
    let body = R::decode(&mut reader, version)?;
    reader.finish()?;
    let mut request = Writer::default();
    header.encode(&mut request);
    body.encode(&mut request, version);

    let mut reader = Reader::new(response);
    let header = ResponseHeader::decode(&mut reader, R::KEY, version)?;
    let body = <R::Response as protocol::wire::Message>::decode(&mut reader, version)?;
    reader.finish()?;
    let mut response = Writer::default();
    header.encode(&mut response, R::KEY, version);
    protocol::wire::Message::encode(&body, &mut response, version);
    Ok((request.into_bytes(), response.into_bytes()))
}

fn round_trip_of(key: ApiKey) -> RoundTrip {
    match key {
        ApiKey::Produce => round_trip::<ProduceRequest>,
        ApiKey::Fetch => round_trip::<FetchRequest>,
        ApiKey::ListOffsets => round_trip::<ListOffsetsRequest>,
        ApiKey::Metadata => round_trip::<MetadataRequest>,
        ApiKey::ApiVersions => round_trip::<ApiVersionsRequest>,
        ApiKey::CreateTopics => round_trip::<CreateTopicsRequest>,
        ApiKey::DeleteTopics => round_trip::<DeleteTopicsRequest>,
        ApiKey::InitProducerId => round_trip::<InitProducerIdRequest>,
        ApiKey::OffsetForLeaderEpoch => round_trip::<OffsetForLeaderEpochRequest>,
        ApiKey::DescribeConfigs => round_trip::<DescribeConfigsRequest>,
        ApiKey::CreatePartitions => round_trip::<CreatePartitionsRequest>,
        ApiKey::IncrementalAlterConfigs => round_trip::<IncrementalAlterConfigsRequest>,
        ApiKey::DescribeCluster => round_trip::<DescribeClusterRequest>,
        ApiKey::GetTelemetrySubscriptions => round_trip::<GetTelemetrySubscriptionsRequest>,
        ApiKey::PushTelemetry => round_trip::<PushTelemetryRequest>,
        ApiKey::DescribeTopicPartitions => round_trip::<DescribeTopicPartitionsRequest>,
        ApiKey::AlterConfigs => round_trip::<AlterConfigsRequest>,
        ApiKey::AlterPartitionReassignments => round_trip::<AlterPartitionReassignmentsRequest>,
        ApiKey::AlterReplicaLogDirs => round_trip::<AlterReplicaLogDirsRequest>,
        ApiKey::ConsumerGroupDescribe => round_trip::<ConsumerGroupDescribeRequest>,
        ApiKey::DeleteGroups => round_trip::<DeleteGroupsRequest>,
        ApiKey::DeleteRecords => round_trip::<DeleteRecordsRequest>,
        ApiKey::DescribeGroups => round_trip::<DescribeGroupsRequest>,
        ApiKey::DescribeLogDirs => round_trip::<DescribeLogDirsRequest>,
        ApiKey::DescribeProducers => round_trip::<DescribeProducersRequest>,
        ApiKey::DescribeQuorum => round_trip::<DescribeQuorumRequest>,
        ApiKey::ElectLeaders => round_trip::<ElectLeadersRequest>,
        ApiKey::FindCoordinator => round_trip::<FindCoordinatorRequest>,
        ApiKey::Heartbeat => round_trip::<HeartbeatRequest>,
        ApiKey::JoinGroup => round_trip::<JoinGroupRequest>,
        ApiKey::LeaveGroup => round_trip::<LeaveGroupRequest>,
        ApiKey::ListConfigResources => round_trip::<ListConfigResourcesRequest>,
        ApiKey::ListGroups => round_trip::<ListGroupsRequest>,
        ApiKey::ListPartitionReassignments => round_trip::<ListPartitionReassignmentsRequest>,
        ApiKey::OffsetCommit => round_trip::<OffsetCommitRequest>,
        ApiKey::OffsetDelete => round_trip::<OffsetDeleteRequest>,
        ApiKey::OffsetFetch => round_trip::<OffsetFetchRequest>,
        ApiKey::SyncGroup => round_trip::<SyncGroupRequest>,
        ApiKey::UnregisterBroker => round_trip::<UnregisterBrokerRequest>,
        ApiKey::UpdateFeatures => round_trip::<UpdateFeaturesRequest>,
        _ => panic!("{} is recorded but has no declaration here", key.name()),
    }
}

/// A recorded exchange: name, API, version, request, response.
type Recording = (String, ApiKey, i16, Vec<u8>, Vec<u8>);

/// All recordings, by name.
fn recordings() -> Vec<Recording> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/golden");
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let file = path.file_name().unwrap().to_str().unwrap();
        let Some(name) = file.strip_suffix(".request.bin") else { continue };
        let request = std::fs::read(&path).unwrap();
        let response = std::fs::read(path.with_file_name(format!("{name}.response.bin"))).unwrap();
        let mut reader = Reader::new(&request);
        let header = RequestHeader::decode(&mut reader).unwrap();
        let key = ApiKey::from_wire(header.api_key).unwrap();
        assert!(name.ends_with(&format!("-{}-v{}", key.name(), header.api_version)), "{name} is misnamed");
        found.push((name.to_owned(), key, header.api_version, request, response));
    }
    found.sort();
    found
}

/// Where two byte strings differ first, for a message that helps.
fn first_difference(left: &[u8], right: &[u8]) -> usize {
    left.iter().zip(right).position(|(left, right)| left != right).unwrap_or(left.len().min(right.len()))
}

#[test]
fn recorded_frames_decode_and_encode_to_the_same_bytes() {
    let mut failures = Vec::new();
    for (name, key, version, request, response) in recordings() {
        match round_trip_of(key)(version, &request, &response) {
            Err(error) => failures.push(format!("{name}: {error}")),
            Ok(again) => {
                for (what, before, after) in
                    [("request", &request, &again.0), ("response", &response, &again.1)]
                {
                    if before != after {
                        let at = first_difference(before, after);
                        failures.push(format!("{name}: the {what} differs from byte {at} on"));
                    }
                }
            }
        }
    }
    assert!(failures.is_empty(), "{} failures:\n{}", failures.len(), failures.join("\n"));
}

#[test]
fn every_cut_and_every_extra_byte_of_a_recorded_frame_is_an_error_and_no_panic() {
    for (name, key, version, request, response) in recordings() {
        let round_trip = round_trip_of(key);
        for end in 8..request.len() {
            assert!(round_trip(version, &request[..end], &response).is_err(), "{name}: request cut at {end}");
        }
        for end in 0..response.len() {
            assert!(
                round_trip(version, &request, &response[..end]).is_err(),
                "{name}: response cut at {end}"
            );
        }
        let longer = |bytes: &[u8]| [bytes, &[0]].concat();
        assert!(
            round_trip(version, &longer(&request), &response).is_err(),
            "{name}: request with a byte more"
        );
        assert!(
            round_trip(version, &request, &longer(&response)).is_err(),
            "{name}: response with a byte more"
        );
    }
}

#[test]
fn every_api_is_recorded() {
    let mut pairs: BTreeMap<ApiKey, usize> = BTreeMap::new();
    for (_, key, ..) in recordings() {
        *pairs.entry(key).or_default() += 1;
    }
    for (key, least) in LEAST_PAIRS {
        let found = pairs.get(key).copied().unwrap_or_default();
        assert!(found >= *least, "{}: {found} pairs, expected {least}", key.name());
    }
}

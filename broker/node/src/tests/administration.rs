//! What operators ask of a cluster, and what they tell it.

use protocol::ErrorCode;
use protocol::id::{BrokerId, Offset, PartitionIndex};
use protocol::message::describe_log_dirs::{DescribableLogDirTopic, DescribeLogDirsResult};
use protocol::message::describe_producers::TopicRequest;
use protocol::message::describe_quorum::{PartitionData, TopicData};
use protocol::message::update_features::FeatureUpdateKey;
use protocol::message::{
    ApiVersionsRequest, DescribeLogDirsRequest, DescribeProducersRequest, DescribeQuorumRequest,
    ListConfigResourcesRequest, UnregisterBrokerRequest, UpdateFeaturesRequest,
};
use storage::disk::{Disk, Fault, VirtualDisk};

use super::{batch, idempotent};
use crate::testing::{Bench, DIRECTORY};

fn directory(bench: &mut Bench, topics: Option<Vec<DescribableLogDirTopic>>) -> DescribeLogDirsResult {
    let response = bench.call(&DescribeLogDirsRequest { topics }, 5);
    assert_eq!((response.error_code, response.results.len()), (ErrorCode::None, 1));
    response.results[0].clone()
}

#[test]
fn log_directories_are_described_with_their_logs_and_their_room() {
    let disk = VirtualDisk::new();
    disk.set_capacity(Some(1 << 30));
    let mut bench = Bench::ready(&disk);
    bench.create("b");
    bench.create("a");
    let sent = batch(&[b"a"]);
    bench.produce("b", sent.clone());
    let found = directory(&mut bench, None);
    assert_eq!((found.error_code, found.log_dir.as_str()), (ErrorCode::None, DIRECTORY));
    let sizes: Vec<_> =
        found.topics.iter().map(|t| (t.name.as_str(), t.partitions[0].partition_size)).collect();
    assert_eq!(sizes, [("a", 0), ("b", i64::try_from(sent.len()).unwrap())]);
    assert!(found.topics.iter().all(|t| t.partitions[0].offset_lag == 0 && !t.partitions[0].is_future_key));
    let space = disk.space(std::path::Path::new(DIRECTORY)).unwrap();
    assert_eq!(found.total_bytes, i64::try_from(space.total_bytes).unwrap());
    assert!(found.usable_bytes > 0 && found.usable_bytes <= found.total_bytes);
    assert!(!found.is_cordoned);

    let topic = |name: &str, index| DescribableLogDirTopic {
        topic: name.to_owned(),
        partitions: vec![PartitionIndex(index)],
    };
    let some = directory(&mut bench, Some(vec![topic("b", 0), topic("a", 1), topic("absent", 0)]));
    assert_eq!(some.topics.iter().map(|t| t.name.as_str()).collect::<Vec<_>>(), ["b"]);
    assert!(directory(&mut bench, Some(Vec::new())).topics.is_empty());
}

#[test]
fn a_directory_that_failed_is_described_so() {
    let disk = VirtualDisk::new();
    let mut bench = Bench::ready(&disk);
    bench.create("t");
    disk.inject(|call| (call.name == "write_at").then_some(Fault::Io));
    bench.produce("t", batch(&[b"a"]));
    disk.heal();
    let found = directory(&mut bench, None);
    assert_eq!((found.error_code, found.topics.len()), (ErrorCode::KafkaStorageError, 0));
}

#[test]
fn producers_are_described() {
    let mut bench = Bench::ready(&VirtualDisk::new());
    bench.create("t");
    bench.produce("t", batch(&[b"plain"]));
    bench.produce("t", idempotent(7, 0, &[b"a", b"b"]));
    bench.produce("t", idempotent(8, 0, &[b"c"]));
    let topic = |name: &str, indexes: &[i32]| TopicRequest {
        name: name.to_owned(),
        partition_indexes: indexes.iter().map(|index| PartitionIndex(*index)).collect(),
    };
    let request = DescribeProducersRequest { topics: vec![topic("t", &[0, 3]), topic("absent", &[0])] };
    let response = bench.call(&request, 0);
    let found = &response.topics[0].partitions[0];
    assert_eq!((found.error_code, &found.error_message), (ErrorCode::None, &None));
    let producers: Vec<_> = found
        .active_producers
        .iter()
        .map(|p| (p.producer_id.0, p.producer_epoch, p.last_sequence, p.coordinator_epoch))
        .collect();
    assert_eq!(producers, [(7, 0, 1, -1), (8, 0, 0, -1)]);
    assert!(found.active_producers.iter().all(|p| p.current_txn_start_offset == Offset(-1)));
    for absent in [&response.topics[0].partitions[1], &response.topics[1].partitions[0]] {
        assert_eq!(absent.error_code, ErrorCode::UnknownTopicOrPartition);
        assert!(absent.error_message.as_ref().unwrap().contains("is not hosted here"));
    }
}

#[test]
fn resources_with_a_configuration_are_listed() {
    let mut bench = Bench::ready(&VirtualDisk::new());
    bench.create("t");
    let mut list = |types: &[i8], version| {
        let request = ListConfigResourcesRequest { resource_types: types.to_vec() };
        let response = bench.call(&request, version);
        let found: Vec<_> =
            response.config_resources.into_iter().map(|r| (r.resource_type, r.resource_name)).collect();
        (response.error_code, found)
    };
    let named = |resource_type: i8, name: &str| (resource_type, name.to_owned());
    let all = vec![named(2, "t"), named(4, "1"), named(8, "1")];
    assert_eq!(list(&[], 1), (ErrorCode::None, all));
    assert_eq!(list(&[2], 1), (ErrorCode::None, vec![named(2, "t")]));
    assert_eq!(list(&[16, 32], 1), (ErrorCode::None, Vec::new()));
    assert_eq!(list(&[2, 3], 1), (ErrorCode::UnsupportedVersion, Vec::new()));
    assert_eq!(list(&[], 0), (ErrorCode::None, Vec::new()), "of client metrics alone");
}

fn update(bench: &mut Bench, features: &[(&str, i16)], upgrade_type: i8) -> (ErrorCode, String) {
    let update = |(name, level): &(&str, i16)| FeatureUpdateKey {
        feature: (*name).to_owned(),
        max_version_level: *level,
        upgrade_type,
        ..FeatureUpdateKey::default()
    };
    let request = UpdateFeaturesRequest {
        feature_updates: features.iter().map(update).collect(),
        ..UpdateFeaturesRequest::default()
    };
    let response = bench.call(&request, 2);
    (response.error_code, response.error_message.unwrap_or_default())
}

fn level(bench: &mut Bench, name: &str) -> Option<i16> {
    let request = ApiVersionsRequest {
        client_software_name: "test".to_owned(),
        client_software_version: "1".to_owned(),
    };
    let features = bench.call(&request, 4).finalized_features;
    features.iter().find(|feature| feature.name == name).map(|feature| feature.max_version_level)
}

#[test]
fn features_are_what_apiversions_says_and_change_as_they_may() {
    const ELR: &str = "eligible.leader.replicas.version";
    let mut bench = Bench::ready(&VirtualDisk::new());
    assert_eq!((level(&mut bench, "metadata.version"), level(&mut bench, ELR)), (Some(30), Some(1)));
    assert_eq!(level(&mut bench, "group.version"), None);
    for (features, upgrade_type, why) in [
        (&[("group.version", 1)][..], 1, "1 for feature group.version. The controller does not have"),
        (&[("metadata.version", 31)], 1, "The controller supports levels 7 to 30."),
        (&[("metadata.version", 29)], 3, "going back would lose metadata"),
        (&[(ELR, 0)], 1, "it sinks only under a safe or an unsafe downgrade"),
        (&[(ELR, 0), ("metadata.version", 31)], 2, "The controller supports levels 7 to 30."),
        (&[(ELR, 0)], 0, "The upgrade type must be 1, 2 or 3."),
    ] {
        let (code, message) = update(&mut bench, features, upgrade_type);
        assert_eq!(code, ErrorCode::InvalidUpdateVersion, "{features:?}");
        assert!(message.contains(why), "{message}");
    }
    assert_eq!(level(&mut bench, ELR), Some(1), "nothing changed by then");
    assert_eq!(update(&mut bench, &[(ELR, 0)], 2).0, ErrorCode::None);
    assert_eq!(level(&mut bench, ELR), None);
    assert_eq!(update(&mut bench, &[(ELR, 1)], 1).0, ErrorCode::None);
    assert_eq!(level(&mut bench, ELR), Some(1));
}

#[test]
fn older_clients_are_told_of_each_feature() {
    let mut bench = Bench::ready(&VirtualDisk::new());
    let update = |allow_downgrade| FeatureUpdateKey {
        feature: "eligible.leader.replicas.version".to_owned(),
        max_version_level: 0,
        allow_downgrade,
        ..FeatureUpdateKey::default()
    };
    let request = |allow| UpdateFeaturesRequest {
        feature_updates: vec![update(allow)],
        ..UpdateFeaturesRequest::default()
    };
    let refused = bench.call(&request(false), 0);
    assert_eq!(refused.error_code, ErrorCode::InvalidUpdateVersion);
    assert_eq!(refused.results[0].error_code, ErrorCode::InvalidUpdateVersion);
    let done = bench.call(&request(true), 0);
    assert_eq!((done.error_code, done.results[0].error_code), (ErrorCode::None, ErrorCode::None));
}

#[test]
fn a_broker_that_is_forgotten_and_lives_is_back_at_once() {
    let mut bench = Bench::ready(&VirtualDisk::new());
    bench.create("t");
    bench.produce("t", batch(&[b"a"]));
    let unknown = bench.call(&UnregisterBrokerRequest { broker_id: BrokerId(9) }, 0);
    assert_eq!(unknown.error_code, ErrorCode::BrokerIdNotRegistered);
    assert!(unknown.error_message.unwrap().contains("Broker ID 9"));
    let before = bench.node.image().broker(BrokerId(1)).unwrap().epoch;
    let forgotten = bench.call(&UnregisterBrokerRequest { broker_id: BrokerId(1) }, 0);
    assert_eq!((forgotten.error_code, forgotten.error_message), (ErrorCode::None, None));
    let image = bench.node.image();
    let own = image.broker(BrokerId(1)).unwrap();
    assert!(own.epoch > before && !own.fenced, "{own:?}");
    drop(image);
    assert_eq!(bench.produce("t", batch(&[b"b"])).error_code, ErrorCode::None);
}

#[test]
fn the_quorum_is_described() {
    let mut bench = Bench::ready(&VirtualDisk::new());
    let topic = |name: &str, index| TopicData {
        topic_name: name.to_owned(),
        partitions: vec![PartitionData { partition_index: PartitionIndex(index) }],
    };
    let topics = vec![topic("__cluster_metadata", 0), topic("__cluster_metadata", 1), topic("t", 0)];
    let response = bench.call(&DescribeQuorumRequest { topics }, 2);
    assert_eq!((response.error_code, response.nodes.len()), (ErrorCode::None, 1));
    let found = &response.topics[0].partitions[0];
    assert_eq!((found.error_code, found.leader_id), (ErrorCode::None, BrokerId(1)));
    assert!(found.leader_epoch.0 > 0 && found.observers.is_empty());
    let [voter] = found.current_voters.as_slice() else { panic!("{found:?}") };
    assert_eq!(voter.replica_id, BrokerId(1));
    assert_eq!(voter.replica_directory_id, bench.node.directory().meta().directory_id);
    assert_eq!((voter.log_end_offset, found.high_watermark), (found.high_watermark, voter.log_end_offset));
    assert!(found.high_watermark.0 > 0 && voter.last_caught_up_timestamp.0 > 0);
    for topic in &response.topics[1..] {
        let other = &topic.partitions[0];
        assert_eq!(other.error_code, ErrorCode::UnknownTopicOrPartition);
        assert!(other.error_message.as_ref().unwrap().contains("only partition __cluster_metadata-0"));
    }
}

use super::*;
use crate::id::{BrokerEpoch, BrokerId, LeaderEpoch, PartitionEpoch, PartitionIndex, ProducerId, Uuid};

/// The uuids of the recorded bytes.
fn uuid(n: u8) -> Uuid {
    Uuid([1, 2, 3, 4, 5, 6, 7, 8, 0, 0, 0, 0, 0, 0, 0, n])
}

fn brokers<const N: usize>(ids: [i32; N]) -> Vec<BrokerId> {
    ids.into_iter().map(BrokerId).collect()
}

/// The records of testdata, in its order: each with all of its fields, and in how many versions it was recorded.
fn recorded() -> Vec<(MetadataRecord, usize)> {
    let register = RegisterBrokerRecord {
        broker_id: BrokerId(1),
        is_migrating_zk_broker: false,
        incarnation_id: uuid(1),
        broker_epoch: BrokerEpoch(5),
        end_points: vec![BrokerEndpoint {
            name: "PLAINTEXT".to_owned(),
            host: "b1.example".to_owned(),
            port: 65000,
            security_protocol: 0,
        }],
        features: vec![BrokerFeature {
            name: "metadata.version".to_owned(),
            min_supported_version: 7,
            max_supported_version: 29,
        }],
        rack: Some("r1".to_owned()),
        fenced: true,
        in_controlled_shutdown: true,
        log_dirs: vec![uuid(2), uuid(3)],
        cordoned_log_dirs: Some(vec![uuid(3)]),
    };
    let change = BrokerRegistrationChangeRecord {
        broker_id: BrokerId(1),
        broker_epoch: BrokerEpoch(5),
        fenced: -1,
        in_controlled_shutdown: 1,
        log_dirs: vec![uuid(2)],
        cordoned_log_dirs: Some(vec![]),
    };
    let config = ConfigRecord {
        resource_type: 2,
        resource_name: "orders".to_owned(),
        name: "retention.ms".to_owned(),
        value: Some("1000".to_owned()),
    };
    let [partition, partition_change, no_change] = recorded_partitions();
    vec![
        (register.into(), 5),
        (UnregisterBrokerRecord { broker_id: BrokerId(1), broker_epoch: BrokerEpoch(5) }.into(), 1),
        (change.into(), 4),
        (TopicRecord { name: "orders".to_owned(), topic_id: uuid(4) }.into(), 1),
        (partition, 3),
        (partition_change, 3),
        (no_change, 1),
        (RemoveTopicRecord { topic_id: uuid(4) }.into(), 1),
        (config.clone().into(), 1),
        (ConfigRecord { value: None, ..config }.into(), 1),
        (FeatureLevelRecord { name: "metadata.version".to_owned(), feature_level: 29 }.into(), 1),
        (
            ProducerIdsRecord {
                broker_id: BrokerId(1),
                broker_epoch: BrokerEpoch(5),
                next_producer_id: ProducerId(2000),
            }
            .into(),
            1,
        ),
        (NoOpRecord {}.into(), 1),
    ]
}

fn recorded_partitions() -> [MetadataRecord; 3] {
    let partition = PartitionRecord {
        partition_id: PartitionIndex(3),
        topic_id: uuid(4),
        replicas: brokers([1, 2, 3]),
        isr: brokers([1, 2]),
        removing_replicas: brokers([3]),
        adding_replicas: brokers([4]),
        leader: BrokerId(1),
        leader_recovery_state: 1,
        leader_epoch: LeaderEpoch(7),
        partition_epoch: PartitionEpoch(9),
        directories: vec![uuid(2), uuid(3), uuid(5)],
        eligible_leader_replicas: Some(brokers([3])),
        last_known_elr: Some(brokers([2, 3])),
    };
    let no_change = PartitionChangeRecord {
        partition_id: PartitionIndex(3),
        topic_id: uuid(4),
        ..PartitionChangeRecord::default()
    };
    assert_eq!((no_change.leader, no_change.leader_recovery_state), (BrokerId(-2), -1));
    let change = PartitionChangeRecord {
        isr: Some(brokers([1])),
        leader: BrokerId::NONE,
        replicas: Some(brokers([1, 4])),
        removing_replicas: Some(vec![]),
        adding_replicas: Some(brokers([4])),
        leader_recovery_state: 0,
        directories: Some(vec![uuid(2), uuid(3)]),
        eligible_leader_replicas: Some(brokers([4])),
        last_known_elr: Some(brokers([2])),
        ..no_change.clone()
    };
    [partition.into(), change.into(), no_change.into()]
}

fn bytes_of(hex: &str) -> Vec<u8> {
    (0..hex.len() / 2).map(|i| u8::from_str_radix(&hex[2 * i..2 * i + 2], 16).unwrap()).collect()
}

/// What is left of a record in an older version.
fn reduced(record: &MetadataRecord, version: i16) -> MetadataRecord {
    let mut writer = Writer::new();
    record.encode_body(&mut writer, version);
    MetadataRecord::decode_body(&mut Reader::new(writer.as_slice()), record.number(), version).unwrap()
}

#[test]
fn kafkas_records_are_read_and_written() {
    let text = include_str!("../../testdata/metadata_records.txt");
    let mut lines = text.lines().filter(|line| !line.starts_with('#'));
    for (record, versions) in recorded() {
        for from_the_end in (0..versions).rev() {
            let line = lines.next().unwrap();
            let [name, version, hex] = line.split(' ').collect::<Vec<_>>()[..] else { panic!("{line}") };
            let version: i16 = version.parse().unwrap();
            assert!(format!("{record:?}").contains(name), "{name} stands where {record:?} was expected");
            assert_eq!(usize::try_from(record.version() - version).unwrap(), from_the_end, "{name}");
            let bytes = bytes_of(hex);
            assert_eq!(MetadataRecord::decode(&bytes), Ok(reduced(&record, version)), "{name} {version}");
            let mut writer = Writer::new();
            record.encode_body(&mut writer, version);
            assert_eq!(writer.as_slice(), &bytes[3..], "{name} {version}");
            if from_the_end == 0 {
                assert_eq!(MetadataRecord::decode(&bytes), Ok(record.clone()));
                assert_eq!(record.to_bytes(), bytes, "{name} {version}");
            }
        }
    }
    assert_eq!(lines.next(), None);
}

#[test]
fn an_older_version_leaves_out_what_it_lacks() {
    let [partition, ..] = recorded_partitions();
    let MetadataRecord::Partition(reduced) = reduced(&partition, 0) else { panic!("another record") };
    assert_eq!(
        (reduced.directories, reduced.eligible_leader_replicas, reduced.last_known_elr),
        (vec![], None, None)
    );
}

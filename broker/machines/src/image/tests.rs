//! Images: what records do to them, and I14: a snapshot and the tail are the full replay.

use super::*;
use proptest::prelude::*;
use protocol::id::{BrokerEpoch, DirectoryId, PartitionEpoch, Uuid};
use protocol::metadata_record::{
    BrokerEndpoint, BrokerRegistrationChangeRecord, ConfigRecord, FeatureLevelRecord, MetadataRecord,
    PartitionChangeRecord, PartitionRecord, ProducerIdsRecord, RegisterBrokerRecord, RemoveTopicRecord,
    TopicRecord, UnregisterBrokerRecord,
};

fn id(number: u8) -> Uuid {
    let mut bytes = [7; 16];
    bytes[0] = number;
    Uuid(bytes)
}

fn topic(number: u8) -> MetadataRecord {
    TopicRecord { name: format!("topic-{number}"), topic_id: id(number) }.into()
}

fn partition(topic: u8, index: i32) -> MetadataRecord {
    PartitionRecord {
        partition_id: PartitionIndex(index),
        topic_id: id(topic),
        replicas: vec![BrokerId(1), BrokerId(2)],
        isr: vec![BrokerId(1), BrokerId(2)],
        leader: BrokerId(1),
        leader_epoch: LeaderEpoch(0),
        partition_epoch: PartitionEpoch(0),
        directories: vec![id(100), id(101)],
        ..PartitionRecord::default()
    }
    .into()
}

fn register(broker: i32, epoch: i64) -> RegisterBrokerRecord {
    RegisterBrokerRecord {
        broker_id: BrokerId(broker),
        incarnation_id: id(9),
        broker_epoch: BrokerEpoch(epoch),
        end_points: vec![BrokerEndpoint {
            name: "EXTERNAL".into(),
            host: "localhost".into(),
            port: 9092,
            security_protocol: 0,
        }],
        rack: (broker % 2 == 0).then(|| "a".to_owned()),
        log_dirs: vec![id(100), id(101)],
        ..RegisterBrokerRecord::default()
    }
}

fn replay(records: &[MetadataRecord]) -> MetadataImage {
    let mut image = MetadataImage::default();
    for record in records {
        image.apply(record).unwrap();
    }
    image
}

#[test]
fn looks_up_topics_by_name_and_id() {
    let image = replay(&[topic(2), topic(1), partition(1, 0), partition(1, 1)]);
    assert_eq!(image.topic("topic-1").unwrap().id, id(1));
    assert_eq!(&*image.topic_by_id(id(2)).unwrap().name, "topic-2");
    assert_eq!(image.partition("topic-1", PartitionIndex(1)).unwrap().preferred_leader(), BrokerId(1));
    assert!(image.partition_by_id(id(1), PartitionIndex(2)).is_none());
    assert!(image.partition("topic-1", PartitionIndex(-1)).is_none());
    let names: Vec<&str> = image.topics().map(|topic| &*topic.name).collect();
    assert_eq!(names, ["topic-1", "topic-2"]);
    assert_eq!(image.topics_from("topic-10").count(), 1);
}

#[test]
fn deleting_a_topic_takes_its_configuration() {
    let config = ConfigRecord {
        resource_type: ResourceType::Topic.wire(),
        resource_name: "topic-1".into(),
        name: "retention.ms".into(),
        value: Some("1000".into()),
    };
    let mut image = replay(&[topic(1), partition(1, 0), config.into()]);
    let resource = ConfigResource::topic("topic-1");
    assert_eq!(image.config(&resource, "retention.ms").map(|value| &**value), Some("1000"));
    let change = image.apply(&RemoveTopicRecord { topic_id: id(1) }.into()).unwrap();
    assert!(matches!(change, Change::TopicDeleted(topic) if topic.partitions.len() == 1));
    assert_eq!(image, MetadataImage::default());
}

#[test]
fn a_change_counts_epochs_up() {
    let mut image = replay(&[topic(1), partition(1, 0)]);
    let shrink = PartitionChangeRecord {
        partition_id: PartitionIndex(0),
        topic_id: id(1),
        isr: Some(vec![BrokerId(2)]),
        ..PartitionChangeRecord::default()
    };
    image.apply(&shrink.clone().into()).unwrap();
    let registration = image.partition("topic-1", PartitionIndex(0)).unwrap();
    assert_eq!((registration.leader, registration.leader_epoch.0), (BrokerId(1), 0));
    assert_eq!((registration.isr.as_slice(), registration.partition_epoch.0), (&[BrokerId(2)][..], 1));

    // The same leader elected again is a new epoch.
    image.apply(&PartitionChangeRecord { leader: BrokerId(1), isr: None, ..shrink }.into()).unwrap();
    let registration = image.partition("topic-1", PartitionIndex(0)).unwrap();
    assert_eq!((registration.leader_epoch.0, registration.partition_epoch.0), (1, 2));
}

#[test]
fn a_record_that_does_not_fit_changes_nothing() {
    let mut image = replay(&[topic(1), partition(1, 0), register(1, 5).into()]);
    let before = image.clone();
    let unfit: Vec<MetadataRecord> = vec![
        topic(1),
        TopicRecord { name: "other".into(), topic_id: id(1) }.into(),
        partition(2, 0),
        partition(1, 0),
        partition(1, 2),
        partition(1, -1),
        RemoveTopicRecord { topic_id: id(2) }.into(),
        PartitionChangeRecord { partition_id: PartitionIndex(1), topic_id: id(1), ..Default::default() }
            .into(),
        UnregisterBrokerRecord { broker_id: BrokerId(1), broker_epoch: BrokerEpoch(4) }.into(),
        BrokerRegistrationChangeRecord {
            broker_id: BrokerId(1),
            broker_epoch: BrokerEpoch(4),
            fenced: -1,
            ..Default::default()
        }
        .into(),
        ConfigRecord { resource_type: 3, ..Default::default() }.into(),
    ];
    for record in unfit {
        assert!(image.apply(&record).is_err(), "{record:?}");
        assert_eq!(image, before);
    }
}

#[test]
fn a_broker_changes_state_and_leaves() {
    let mut image = replay(&[register(1, 5).into()]);
    let change = BrokerRegistrationChangeRecord {
        broker_id: BrokerId(1),
        broker_epoch: BrokerEpoch(5),
        ..Default::default()
    };
    assert!(!image.broker(BrokerId(1)).unwrap().is_active());
    image.apply(&BrokerRegistrationChangeRecord { fenced: -1, ..change.clone() }.into()).unwrap();
    assert!(image.broker(BrokerId(1)).unwrap().is_active());
    let cordon = Some(vec![id(100), id(101)]);
    image
        .apply(&BrokerRegistrationChangeRecord { cordoned_log_dirs: cordon, ..change.clone() }.into())
        .unwrap();
    assert!(image.broker(BrokerId(1)).unwrap().is_cordoned());
    image.apply(&BrokerRegistrationChangeRecord { in_controlled_shutdown: 1, ..change }.into()).unwrap();
    assert!(!image.broker(BrokerId(1)).unwrap().is_active());
    let gone = UnregisterBrokerRecord { broker_id: BrokerId(1), broker_epoch: BrokerEpoch(5) };
    assert_eq!(image.apply(&gone.into()), Ok(Change::Broker(BrokerId(1))));
    assert_eq!(image.brokers().len(), 0);
}

/// Any record of a small world; most fit, those that do not are skipped by the test.
fn any_record() -> impl Strategy<Value = MetadataRecord> {
    let change = (0..4u8, 0..4i32, any::<[bool; 6]>(), 0..3i32).prop_map(|(topic, index, has, leader)| {
        let ids = |on: bool| on.then(|| vec![BrokerId(leader), BrokerId(leader + 1)]);
        MetadataRecord::from(PartitionChangeRecord {
            partition_id: PartitionIndex(index),
            topic_id: id(topic),
            isr: ids(has[0]),
            leader: if has[1] { BrokerId(leader - 1) } else { BrokerId(-2) },
            replicas: ids(has[2]),
            adding_replicas: ids(has[3]),
            eligible_leader_replicas: ids(has[4]),
            last_known_elr: ids(has[5]),
            leader_recovery_state: i8::from(has[0]) - i8::from(has[1]),
            ..PartitionChangeRecord::default()
        })
    });
    let broker = (0..3i32, 0..3i64, -1..2i8, any::<bool>()).prop_map(|(broker, epoch, fenced, stops)| {
        MetadataRecord::from(BrokerRegistrationChangeRecord {
            broker_id: BrokerId(broker),
            broker_epoch: BrokerEpoch(epoch),
            fenced,
            in_controlled_shutdown: i8::from(stops),
            log_dirs: if stops { vec![DirectoryId::ZERO] } else { Vec::new() },
            cordoned_log_dirs: stops.then(Vec::new),
        })
    });
    let config = (0..2u8, 0..3u8, proptest::option::of("[a-c]{0,2}")).prop_map(|(resource, key, value)| {
        MetadataRecord::from(ConfigRecord {
            resource_type: if resource == 0 { 2 } else { 4 },
            resource_name: if resource == 0 { "topic-1".into() } else { String::new() },
            name: format!("key.{key}"),
            value,
        })
    });
    prop_oneof![
        2 => (0..4u8).prop_map(topic),
        4 => (0..4u8, 0..4i32).prop_map(|(t, index)| partition(t, index)),
        1 => (0..4u8).prop_map(|t| RemoveTopicRecord { topic_id: id(t) }.into()),
        4 => change,
        2 => (0..3i32, 0..3i64).prop_map(|(broker, epoch)| register(broker, epoch).into()),
        2 => broker,
        1 => (0..3i32, 0..3i64).prop_map(|(broker, epoch)| {
            let (broker_id, broker_epoch) = (BrokerId(broker), BrokerEpoch(epoch));
            UnregisterBrokerRecord { broker_id, broker_epoch }.into()
        }),
        3 => config,
        1 => (0..3i16, 0..2u8).prop_map(|(feature_level, which)| {
            let name = if which == 0 { METADATA_VERSION } else { "group.version" };
            FeatureLevelRecord { name: name.into(), feature_level }.into()
        }),
        1 => (0..5i64).prop_map(|next| {
            ProducerIdsRecord { next_producer_id: ProducerId(next * 1000), ..Default::default() }.into()
        }),
    ]
}

proptest! {
    #[test]
    fn snapshot_and_tail_equal_full_replay(
        records in proptest::collection::vec(any_record(), 0..80),
        cut in 0..80usize,
    ) {
        let mut full = MetadataImage::default();
        let mut installed = MetadataImage::default();
        for (i, record) in records.iter().enumerate() {
            if i == cut {
                let snapshot: Vec<MetadataRecord> = full.records().collect();
                // What is written is read back: through bytes.
                let read: Vec<MetadataRecord> =
                    snapshot.iter().map(|r| MetadataRecord::decode(&r.to_bytes()).unwrap()).collect();
                installed = replay(&read);
                prop_assert_eq!(&installed, &full);
            }
            let before = full.clone();
            let fits = full.apply(record);
            if fits.is_err() {
                prop_assert_eq!(&full, &before);
            }
            if i >= cut {
                prop_assert_eq!(fits, installed.apply(record));
            }
        }
        if records.len() > cut {
            prop_assert_eq!(full, installed);
        }
    }
}

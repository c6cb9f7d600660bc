//! Configuration that changes while the broker runs: of topics, of one broker, of all.

use protocol::ErrorCode;
use protocol::message::describe_configs::{DescribeConfigsResource, DescribeConfigsResourceResult};
use protocol::message::incremental_alter_configs::{self, AlterableConfig};
use protocol::message::{
    AlterConfigsRequest, DescribeConfigsRequest, DescribeLogDirsRequest, IncrementalAlterConfigsRequest,
    alter_configs,
};
use storage::disk::VirtualDisk;

use super::batch;
use crate::testing::Bench;

const TOPIC: i8 = 2;
const BROKER: i8 = 4;
const SET: i8 = 0;
const DELETE: i8 = 1;

fn alter(bench: &mut Bench, resource: (i8, &str), keys: &[(&str, i8, &str)]) -> (ErrorCode, String) {
    let config = |(name, operation, value): &(&str, i8, &str)| AlterableConfig {
        name: (*name).to_owned(),
        config_operation: *operation,
        value: (*operation != DELETE).then(|| (*value).to_owned()),
    };
    let resources = vec![incremental_alter_configs::AlterConfigsResource {
        resource_type: resource.0,
        resource_name: resource.1.to_owned(),
        configs: keys.iter().map(config).collect(),
    }];
    let request = IncrementalAlterConfigsRequest { resources, validate_only: false };
    let response = bench.call(&request, 1).responses.remove(0);
    (response.error_code, response.error_message.unwrap_or_default())
}

fn replace(bench: &mut Bench, resource: (i8, &str), keys: &[(&str, &str)]) -> (ErrorCode, String) {
    let config = |(name, value): &(&str, &str)| alter_configs::AlterableConfig {
        name: (*name).to_owned(),
        value: Some((*value).to_owned()),
    };
    let resources = vec![alter_configs::AlterConfigsResource {
        resource_type: resource.0,
        resource_name: resource.1.to_owned(),
        configs: keys.iter().map(config).collect(),
    }];
    let response =
        bench.call(&AlterConfigsRequest { resources, validate_only: false }, 2).responses.remove(0);
    assert_eq!((response.resource_type, response.resource_name.as_str()), resource);
    (response.error_code, response.error_message.unwrap_or_default())
}

fn described(bench: &mut Bench, resource: (i8, &str), key: &str) -> Option<DescribeConfigsResourceResult> {
    let resource = DescribeConfigsResource {
        resource_type: resource.0,
        resource_name: resource.1.to_owned(),
        configuration_keys: Some(vec![key.to_owned()]),
    };
    let request = DescribeConfigsRequest {
        resources: vec![resource],
        include_synonyms: true,
        include_documentation: true,
    };
    bench.call(&request, 4).results.remove(0).configs.pop()
}

/// Value and source of a key.
fn value(bench: &mut Bench, resource: (i8, &str), key: &str) -> (String, i8) {
    let found = described(bench, resource, key).expect("the key is described");
    (found.value.unwrap_or_default(), found.config_source)
}

#[test]
fn a_topics_configuration_is_replaced_as_a_whole() {
    let mut bench = Bench::ready(&VirtualDisk::new());
    bench.create_with("t", &[("retention.ms", "5000"), ("cleanup.policy", "compact")]);
    assert_eq!(replace(&mut bench, (TOPIC, "t"), &[("retention.ms", "6000")]).0, ErrorCode::None);
    assert_eq!(value(&mut bench, (TOPIC, "t"), "retention.ms"), ("6000".to_owned(), 1));
    assert_eq!(value(&mut bench, (TOPIC, "t"), "cleanup.policy"), ("delete".to_owned(), 5));
    let (code, message) = replace(&mut bench, (TOPIC, "t"), &[("retention.ms", "often")]);
    assert_eq!(code, ErrorCode::InvalidConfig);
    assert!(message.contains("Invalid value often for configuration retention.ms"), "{message}");
    assert_eq!(replace(&mut bench, (TOPIC, "t"), &[("no.such", "1")]).0, ErrorCode::InvalidConfig);
    assert_eq!(replace(&mut bench, (TOPIC, "absent"), &[]).0, ErrorCode::UnknownTopicOrPartition);
    assert_eq!(replace(&mut bench, (3, "x"), &[]).0, ErrorCode::InvalidRequest);
    assert_eq!(value(&mut bench, (TOPIC, "t"), "retention.ms"), ("6000".to_owned(), 1));
}

#[test]
fn one_broker_wins_over_all_which_win_over_the_file() {
    const KEY: &str = "log.retention.ms";
    let mut bench = Bench::open(&VirtualDisk::new(), &[(KEY, "4000")]).unwrap();
    bench.come_up();
    bench.create("t");
    let topic = (TOPIC, "t");
    assert_eq!(value(&mut bench, (BROKER, "1"), KEY), ("4000".to_owned(), 4));
    assert_eq!(value(&mut bench, topic, "retention.ms"), ("4000".to_owned(), 4));
    assert_eq!(alter(&mut bench, (BROKER, ""), &[(KEY, SET, "5000")]).0, ErrorCode::None);
    assert_eq!(value(&mut bench, (BROKER, "1"), KEY), ("5000".to_owned(), 3));
    assert_eq!(alter(&mut bench, (BROKER, "1"), &[(KEY, SET, "6000")]).0, ErrorCode::None);
    let found = described(&mut bench, (BROKER, "1"), KEY).unwrap();
    assert_eq!((found.value.as_deref(), found.config_source, found.read_only), (Some("6000"), 2, false));
    assert!(found.documentation.is_some() && !found.is_sensitive);
    let layers: Vec<_> =
        found.synonyms.iter().map(|s| (s.name.as_str(), s.value.as_deref(), s.source)).collect();
    assert_eq!(
        layers,
        [
            (KEY, Some("6000"), 2),
            (KEY, Some("5000"), 3),
            (KEY, Some("4000"), 4),
            ("log.retention.hours", Some("168"), 5)
        ]
    );
    assert_eq!(value(&mut bench, topic, "retention.ms"), ("6000".to_owned(), 2));
    // The default of all brokers shows nothing but itself.
    assert_eq!(value(&mut bench, (BROKER, ""), KEY), ("5000".to_owned(), 3));
    assert!(described(&mut bench, (BROKER, ""), "num.partitions").is_none());
    assert_eq!(alter(&mut bench, (BROKER, "1"), &[(KEY, DELETE, "")]).0, ErrorCode::None);
    assert_eq!(replace(&mut bench, (BROKER, ""), &[("min.insync.replicas", "1")]).0, ErrorCode::None);
    assert_eq!(value(&mut bench, (BROKER, "1"), KEY), ("4000".to_owned(), 4));
}

#[test]
fn a_change_has_its_effect_at_once() {
    let mut bench = Bench::ready(&VirtualDisk::new());
    bench.create("t");
    let large = batch(&[&[b'v'; 3_000]]);
    assert_eq!(bench.produce("t", large.clone()).error_code, ErrorCode::None);
    assert_eq!(alter(&mut bench, (BROKER, ""), &[("message.max.bytes", SET, "2000")]).0, ErrorCode::None);
    assert_eq!(bench.produce("t", large.clone()).error_code, ErrorCode::MessageTooLarge);
    assert_eq!(alter(&mut bench, (TOPIC, "t"), &[("max.message.bytes", SET, "9000")]).0, ErrorCode::None);
    assert_eq!(bench.produce("t", large.clone()).error_code, ErrorCode::None);
    assert_eq!(alter(&mut bench, (TOPIC, "t"), &[("max.message.bytes", DELETE, "")]).0, ErrorCode::None);
    assert_eq!(bench.produce("t", large.clone()).error_code, ErrorCode::MessageTooLarge);
    assert_eq!(alter(&mut bench, (BROKER, ""), &[("message.max.bytes", DELETE, "")]).0, ErrorCode::None);
    assert_eq!(bench.produce("t", large).error_code, ErrorCode::None);
}

#[test]
fn what_brokers_cannot_take_is_refused_with_the_value_and_the_rule() {
    let mut bench = Bench::ready(&VirtualDisk::new());
    for (name, key, value, why) in [
        ("1", "node.id", "5", "cannot change while the broker runs"),
        ("", "num.partitions", "5", "cannot change while the broker runs"),
        ("", "ssl.keystore.location", "/k", "set it for one broker"),
        ("1", "mesage.max.bytes", "5", "did you mean message.max.bytes?"),
        ("1", "message.max.bytes", "-5", "must be a whole number from 0"),
        ("", "log.cleanup.policy", "burn", "must be a comma-separated list of some of"),
        // Right by itself, and not with everything else.
        ("", "log.retention.ms", "0", "must be -1, which keeps all, or at least 1"),
        ("1", "cordoned.log.dirs", "/elsewhere", "/elsewhere, which is not in log.dirs"),
    ] {
        let (code, message) = alter(&mut bench, (BROKER, name), &[(key, SET, value)]);
        assert_eq!(code, ErrorCode::InvalidRequest, "{key}={value}");
        assert!(message.contains(&format!("Invalid value {value} for configuration {key}")), "{message}");
        assert!(message.contains(why), "{message}");
    }
    let secret = alter(&mut bench, (BROKER, ""), &[("ssl.key.password", SET, "hunter2")]);
    assert!(!secret.1.contains("hunter2") && secret.0 == ErrorCode::InvalidRequest, "{secret:?}");
    let absent = alter(&mut bench, (BROKER, "9"), &[("message.max.bytes", SET, "5")]);
    assert_eq!(absent.0, ErrorCode::BrokerIdNotRegistered);
}

#[test]
fn secrets_are_kept_and_not_shown() {
    let mut bench = Bench::ready(&VirtualDisk::new());
    assert_eq!(alter(&mut bench, (BROKER, "1"), &[("ssl.key.password", SET, "hunter2")]).0, ErrorCode::None);
    let found = described(&mut bench, (BROKER, "1"), "ssl.key.password").unwrap();
    assert_eq!((found.value, found.is_sensitive, found.config_source), (None, true, 2));
    assert!(found.synonyms.iter().all(|synonym| synonym.value.is_none()));
}

#[test]
fn a_broker_whose_directory_is_cordoned_gets_no_new_partitions() {
    let mut bench = Bench::ready(&VirtualDisk::new());
    bench.create("before");
    let is_cordoned =
        |bench: &mut Bench| bench.call(&DescribeLogDirsRequest::default(), 5).results.remove(0).is_cordoned;
    assert_eq!(alter(&mut bench, (BROKER, "1"), &[("cordoned.log.dirs", SET, "*")]).0, ErrorCode::None);
    assert!(is_cordoned(&mut bench));
    let refused = bench.create("meanwhile").topics.remove(0);
    assert_eq!(refused.error_code, ErrorCode::InvalidReplicationFactor);
    assert!(refused.error_message.unwrap().contains("cordoned"));
    assert_eq!(bench.produce("before", batch(&[b"a"])).error_code, ErrorCode::None);
    assert_eq!(alter(&mut bench, (BROKER, "1"), &[("cordoned.log.dirs", DELETE, "")]).0, ErrorCode::None);
    assert!(!is_cordoned(&mut bench));
    assert_eq!(bench.create("after").topics.remove(0).error_code, ErrorCode::None);
}

//! The table against Kafka's own facts, refusals, and the precedence of values.

use protocol::id::{BrokerId, PartitionIndex, Timestamp};
use protocol::records::{Compression, Origin, TimestampType, Validation};

use super::*;

/// Keys that Kafka does not have.
const OWN: &[&str] = &["record.validation"];
/// Kafka bounds no values of this key, which it uses in its tests only; a segment of no bytes means nothing.
const BOUNDED_HERE: &str = "internal.segment.bytes";

fn kafka_valid(key: &TopicKey) -> String {
    match key.valid {
        _ if key.name == BOUNDED_HERE => String::new(),
        Valid::Any => String::new(),
        Valid::AtLeast(least) => format!("[{least},...]"),
        Valid::Between(least, most) => format!("[{least},...,{most}]"),
        Valid::MinusOneOr(least, most) => format!("[{least},...,{most}] or -1"),
        Valid::Fraction(least, most) => format!("[{least},...,{most}]"),
        Valid::OneOf(words) | Valid::SomeOf(words) => format!("[{}]", words.join(", ")),
        Valid::ThrottledReplicas => "[partitionId]:[brokerId],[partitionId]:[brokerId],...".into(),
    }
}

fn kafka_line(key: &TopicKey) -> String {
    let kind = format!("{:?}", key.config_type).to_uppercase();
    let synonyms: Vec<_> = key.synonyms.iter().map(|s| format!("{}*{}", s.name, s.unit)).collect();
    format!(
        "{}|{kind}|{}|{}|MEDIUM|{}|{}",
        key.name,
        key.default.unwrap_or("null"),
        kafka_valid(key),
        key.internal,
        synonyms.join(",")
    )
}

#[test]
fn the_table_is_kafkas() {
    let facts = include_str!("testdata/kafka_4_3_1.txt").lines().filter(|line| !line.starts_with('#'));
    let ours = keys().iter().filter(|key| !OWN.contains(&key.name)).map(kafka_line);
    assert!(facts.eq(ours.clone()), "ours:\n{}", ours.collect::<Vec<_>>().join("\n"));
    assert!(keys().is_sorted_by(|a, b| a.name < b.name), "find() searches by name");
    for key in keys() {
        assert!(key.documentation.ends_with('.'), "{}", key.name);
        if let Some(default) = key.default {
            key.check(default).unwrap();
        }
    }
}

#[test]
fn values_that_kafka_takes_are_taken() {
    let taken = [
        ("cleanup.policy", ""),
        ("cleanup.policy", " compact , delete "),
        ("cleanup.policy", "compact,delete,compact"),
        ("compression.gzip.level", "-1"),
        ("follower.replication.throttled.replicas", "*"),
        ("leader.replication.throttled.replicas", "0:1,2:3"),
        ("leader.replication.throttled.replicas", ""),
        ("max.message.bytes", "0"),
        ("min.cleanable.dirty.ratio", "1"),
        ("retention.bytes", "-5"),
        ("retention.ms", " 5 "),
        ("retention.ms", "+5"),
        ("unclean.leader.election.enable", "TRUE"),
    ];
    for (key, value) in taken {
        assert_eq!(validate(key, value), Ok(()), "{key}={value}");
    }
}

#[test]
fn refusals_name_key_value_and_rule() {
    let refused = [
        ("retention.ms", "x", "a whole number of 64 bits, at least -1"),
        ("retention.ms", "-2", "a whole number of 64 bits, at least -1"),
        ("retention.ms", "", "a whole number of 64 bits, at least -1"),
        ("retention.ms", "9223372036854775808", "a whole number of 64 bits, at least -1"),
        ("flush.ms", "1.5", "a whole number of 64 bits, at least 0"),
        ("max.message.bytes", "3000000000", "a whole number of 32 bits, at least 0"),
        ("segment.bytes", "5", "a whole number of 32 bits, at least 1048576"),
        ("compression.gzip.level", "0", "a whole number of 32 bits from 1 to 9, or -1"),
        ("compression.zstd.level", "23", "a whole number of 32 bits from -131072 to 22"),
        ("min.cleanable.dirty.ratio", "2", "a decimal number from 0 to 1"),
        ("min.cleanable.dirty.ratio", "NaN", "a decimal number from 0 to 1"),
        ("preallocate", "maybe", "true or false"),
        ("message.timestamp.type", "createtime", "one of CreateTime, LogAppendTime"),
        ("cleanup.policy", "foo", "a list of compact and delete, separated by commas"),
        ("cleanup.policy", "compact,", "a list of compact and delete, separated by commas"),
        ("record.validation", "none", "one of header, strict"),
    ];
    for (key, value, rule) in refused {
        let expected = format!("Invalid value {value} for configuration {key}: it must be {rule}");
        assert_eq!(validate(key, value), Err(expected));
    }
    for pair in ["abc", "0:1,2", "0:-1", "+0:1", "0:1,", "0:1:2", "0:99999999999", "*,0:1"] {
        validate("leader.replication.throttled.replicas", pair).unwrap_err();
    }
    assert_eq!(
        validate("retention.mss", "1").unwrap_err(),
        "Unknown topic config name: retention.mss; the nearest is retention.ms"
    );
    assert_eq!(validate("nosuch", "1").unwrap_err(), "Unknown topic config name: nosuch");
}

#[test]
fn keys_are_held_against_each_other() {
    assert_eq!(validate_all([("min.compaction.lag.ms", "5"), ("max.compaction.lag.ms", "5")]), Ok(()));
    let error = validate_all([("min.compaction.lag.ms", "6"), ("max.compaction.lag.ms", "5")]).unwrap_err();
    assert!(error.contains("min.compaction.lag.ms (6)"), "{error}");
    assert_eq!(validate_all([("remote.storage.enable", "false")]), Ok(()));
    validate_all([("remote.storage.enable", "true")]).unwrap_err();
    validate_all([("retention.ms", "1"), ("retention.bytes", "x")]).unwrap_err();
}

#[test]
fn defaults_are_the_tables() {
    let topic = TopicConfig::default();
    assert_eq!(topic.cleanup_policy, CleanupPolicy { compact: false, delete: true });
    assert_eq!(topic.compression_type, CompressionType::Producer);
    assert_eq!(topic.compression_gzip_level, None);
    assert_eq!((topic.retention_ms, topic.retention_bytes), (Some(604_800_000), None));
    assert_eq!((topic.segment_bytes, topic.max_message_bytes), (1 << 30, 1_048_588));
    assert_eq!(topic.leader_replication_throttled_replicas, ThrottledReplicas::Some(vec![]));
    assert_eq!(topic.record_validation, Validation::Header);
    assert_eq!(topic.flush_messages, i64::MAX.cast_unsigned());
}

#[test]
fn a_topics_value_wins_over_the_brokers_and_that_over_the_table() {
    let server = |key: &'static TopicKey| match key.name {
        "retention.ms" => Some("1000".to_owned()),
        "segment.ms" => Some("2000".to_owned()),
        "record.validation" => Some("strict".to_owned()),
        _ => None,
    };
    let overrides = [
        ("retention.ms", "-1"),
        ("cleanup.policy", "compact"),
        ("compression.type", "zstd"),
        ("message.timestamp.type", "LogAppendTime"),
        ("leader.replication.throttled.replicas", "3:1"),
        ("internal.segment.bytes", "100"),
        ("max.message.bytes", "-7"),
        ("a.key.of.tomorrow", "1"),
    ];
    let topic = TopicConfig::resolve(overrides, server);
    assert_eq!(topic.retention_ms, None);
    assert_eq!(topic.segment_ms, 2_000);
    assert_eq!(topic.segment_bytes, 100);
    assert_eq!(topic.record_validation, Validation::Strict);
    assert_eq!(topic.compression_type, CompressionType::Codec(Compression::Zstd));
    assert_eq!(topic.message_timestamp_type, TimestampType::LogAppendTime);
    assert_eq!(topic.max_message_bytes, 1_048_588, "a value out of its range is passed over");
    assert!(topic.leader_replication_throttled_replicas.covers(PartitionIndex(3), BrokerId(1)));
    assert!(!topic.leader_replication_throttled_replicas.covers(PartitionIndex(1), BrokerId(3)));
    let rules = topic.check_rules(Timestamp(7), 1 << 20, false, Origin::Client);
    assert!(rules.compacted && !rules.zstd_allowed);
    assert_eq!((rules.now, rules.decompressed_bytes_max), (Timestamp(7), 1 << 20));
}

#[test]
fn hours_give_way_to_minutes_and_minutes_to_milliseconds() {
    let retention = find("retention.ms").unwrap();
    let from = |set: &'static [(&'static str, &'static str)]| {
        retention
            .server_default(|name| set.iter().find(|(key, _)| *key == name).map(|(_, v)| (*v).to_owned()))
            .map(|(value, synonym)| (value, synonym.name))
    };
    assert_eq!(from(&[]), None);
    assert_eq!(from(&[("log.retention.hours", "2")]), Some(("7200000".into(), "log.retention.hours")));
    assert_eq!(from(&[("log.retention.hours", "-1")]), Some(("-1".into(), "log.retention.hours")));
    let both = &[("log.retention.hours", "2"), ("log.retention.minutes", "3")];
    assert_eq!(from(both), Some(("180000".into(), "log.retention.minutes")));
    let all = &[("log.retention.hours", "2"), ("log.retention.minutes", "3"), ("log.retention.ms", "4")];
    assert_eq!(from(all), Some(("4".into(), "log.retention.ms")));
    assert_eq!(
        from(&[("log.retention.hours", "9223372036854775807")]).unwrap().0,
        i64::MAX.to_string(),
        "an overflow saturates"
    );
}

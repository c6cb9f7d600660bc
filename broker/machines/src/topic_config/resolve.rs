//! A topic's configuration as numbers: its overrides, else the broker's defaults, else the table's.

use protocol::id::{BrokerId, PartitionIndex, Timestamp};
use protocol::records::{CheckRules, Compression, Origin, TimestampType, Validation};

use super::{TopicKey, find, items, parse_bool, table};

/// `cleanup.policy`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct CleanupPolicy {
    /// Keeps the last record of each key.
    pub compact: bool,
    /// Drops what passes the retention limits.
    pub delete: bool,
}

/// `compression.type`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CompressionType {
    /// Whatever the producer chose.
    Producer,
    /// This codec, or none, for every batch.
    Codec(Compression),
}

/// Which replicas a replication quota covers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ThrottledReplicas {
    /// Every one (`*`).
    All,
    /// These; usually none.
    Some(Vec<(PartitionIndex, BrokerId)>),
}

impl ThrottledReplicas {
    /// Reads Kafka's form; `None` when it is not that.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        if text.trim() == "*" {
            return Some(Self::All);
        }
        let number =
            |text: &str| text.parse::<i32>().ok().filter(|_| text.starts_with(|c: char| c.is_ascii_digit()));
        let pair = |item: &str| {
            let (partition, broker) = item.split_once(':')?;
            Some((PartitionIndex(number(partition)?), BrokerId(number(broker)?)))
        };
        items(text).map(pair).collect::<Option<Vec<_>>>().map(Self::Some)
    }

    /// Whether a replica is covered.
    #[must_use]
    pub fn covers(&self, partition: PartitionIndex, broker: BrokerId) -> bool {
        match self {
            Self::All => true,
            Self::Some(pairs) => pairs.contains(&(partition, broker)),
        }
    }
}

/// Where a value of one type comes from.
struct Values<'a, F> {
    overrides: Vec<(&'a str, &'a str)>,
    server: F,
}

impl<F: Fn(&'static TopicKey) -> Option<String>> Values<'_, F> {
    /// The first source whose text reads as `T`: a value of a newer version is passed over, not fatal.
    fn get<T>(&self, name: &str, read: impl Fn(&str) -> Option<T>) -> Option<T> {
        let key = find(name)?;
        let valid = |text: &str| key.check(text).ok().and_then(|()| read(text.trim()));
        // The last one wins, as in a map that was written in this order.
        let own = self.overrides.iter().rev().find(|(key, _)| *key == name);
        own.and_then(|(_, text)| valid(text))
            .or_else(|| (self.server)(key).and_then(|text| valid(&text)))
            .or_else(|| valid(key.default?))
    }

    /// A key that the table has, with a default of this type.
    fn known<T>(&self, name: &str, read: impl Fn(&str) -> Option<T>) -> T {
        // A test resolves every key from the table alone.
        self.get(name, read).expect("the table has a default of the right type for every key")
    }

    fn number<T: std::str::FromStr>(&self, name: &str) -> T {
        self.known(name, |text| text.parse().ok())
    }

    fn flag(&self, name: &str) -> bool {
        self.known(name, parse_bool)
    }

    /// A limit of which a negative number means none.
    fn limit(&self, name: &str) -> Option<u64> {
        self.known(name, |text| text.parse::<i64>().ok().map(|number| u64::try_from(number).ok()))
    }
}

fn read_cleanup_policy(text: &str) -> Option<CleanupPolicy> {
    let has = |policy| items(text).any(|item| item == policy);
    Some(CleanupPolicy { compact: has("compact"), delete: has("delete") })
}

fn read_compression_type(text: &str) -> Option<CompressionType> {
    match text {
        "producer" => Some(CompressionType::Producer),
        "uncompressed" => Some(CompressionType::Codec(Compression::None)),
        codec => Compression::from_name(codec).map(CompressionType::Codec),
    }
}

fn read_timestamp_type(text: &str) -> Option<TimestampType> {
    match text {
        "CreateTime" => Some(TimestampType::CreateTime),
        "LogAppendTime" => Some(TimestampType::LogAppendTime),
        _ => None,
    }
}

fn read_validation(text: &str) -> Option<Validation> {
    match text {
        "header" => Some(Validation::Header),
        "strict" => Some(Validation::Strict),
        _ => None,
    }
}

macro_rules! topic_config {
    ($($(#[$doc:meta])* $field:ident: $type:ty = |$values:ident| $read:expr;)*) => {
        /// Every key of a topic, named as Kafka names it with `_` for `.`. Times are milliseconds, sizes
        /// bytes.
        #[derive(Debug, Clone, PartialEq)]
        pub struct TopicConfig {
            $($(#[$doc])* pub $field: $type,)*
        }

        impl TopicConfig {
            fn from_values<F: Fn(&'static TopicKey) -> Option<String>>(values: &Values<'_, F>) -> Self {
                Self { $($field: { let $values = values; $read },)* }
            }
        }
    };
}

topic_config! {
    /// `cleanup.policy`.
    cleanup_policy: CleanupPolicy = |v| v.known("cleanup.policy", read_cleanup_policy);
    /// `compression.gzip.level`; `None` leaves it to the codec.
    compression_gzip_level: Option<i32> = |v| Some(v.number("compression.gzip.level"))
        .filter(|level| *level != -1);
    /// `compression.lz4.level`.
    compression_lz4_level: i32 = |v| v.number("compression.lz4.level");
    /// `compression.type`.
    compression_type: CompressionType = |v| v.known("compression.type", read_compression_type);
    /// `compression.zstd.level`.
    compression_zstd_level: i32 = |v| v.number("compression.zstd.level");
    /// `delete.retention.ms`.
    delete_retention_ms: u64 = |v| v.number("delete.retention.ms");
    /// `file.delete.delay.ms`.
    file_delete_delay_ms: u64 = |v| v.number("file.delete.delay.ms");
    /// `flush.messages`.
    flush_messages: u64 = |v| v.number("flush.messages");
    /// `flush.ms`.
    flush_ms: u64 = |v| v.number("flush.ms");
    /// `follower.replication.throttled.replicas`.
    follower_replication_throttled_replicas: ThrottledReplicas =
        |v| v.known("follower.replication.throttled.replicas", ThrottledReplicas::parse);
    /// `index.interval.bytes`.
    index_interval_bytes: u32 = |v| v.number("index.interval.bytes");
    /// `leader.replication.throttled.replicas`.
    leader_replication_throttled_replicas: ThrottledReplicas =
        |v| v.known("leader.replication.throttled.replicas", ThrottledReplicas::parse);
    /// `local.retention.bytes`: -2 takes `retention.bytes`, -1 has no limit.
    local_retention_bytes: i64 = |v| v.number("local.retention.bytes");
    /// `local.retention.ms`: -2 takes `retention.ms`, -1 has no limit.
    local_retention_ms: i64 = |v| v.number("local.retention.ms");
    /// `max.compaction.lag.ms`.
    max_compaction_lag_ms: u64 = |v| v.number("max.compaction.lag.ms");
    /// `max.message.bytes`.
    max_message_bytes: u32 = |v| v.number("max.message.bytes");
    /// `message.timestamp.after.max.ms`.
    message_timestamp_after_max_ms: i64 = |v| v.number("message.timestamp.after.max.ms");
    /// `message.timestamp.before.max.ms`.
    message_timestamp_before_max_ms: i64 = |v| v.number("message.timestamp.before.max.ms");
    /// `message.timestamp.type`.
    message_timestamp_type: TimestampType = |v| v.known("message.timestamp.type", read_timestamp_type);
    /// `min.cleanable.dirty.ratio`.
    min_cleanable_dirty_ratio: f64 = |v| v.number("min.cleanable.dirty.ratio");
    /// `min.compaction.lag.ms`.
    min_compaction_lag_ms: u64 = |v| v.number("min.compaction.lag.ms");
    /// `min.insync.replicas`.
    min_insync_replicas: u32 = |v| v.number("min.insync.replicas");
    /// `preallocate`.
    preallocate: bool = |v| v.flag("preallocate");
    /// `record.validation`, as set: [`TopicConfig::check_rules`] knows that compacted topics are strict.
    record_validation: Validation = |v| v.known("record.validation", read_validation);
    /// `remote.log.copy.disable`.
    remote_log_copy_disable: bool = |v| v.flag("remote.log.copy.disable");
    /// `remote.log.delete.on.disable`.
    remote_log_delete_on_disable: bool = |v| v.flag("remote.log.delete.on.disable");
    /// `remote.storage.enable`.
    remote_storage_enable: bool = |v| v.flag("remote.storage.enable");
    /// `retention.bytes`; `None` has no limit.
    retention_bytes: Option<u64> = |v| v.limit("retention.bytes");
    /// `retention.ms`; `None` has no limit.
    retention_ms: Option<u64> = |v| v.limit("retention.ms");
    /// `segment.bytes`, or `internal.segment.bytes` where that is set.
    segment_bytes: u32 = |v| v.get("internal.segment.bytes", |text| text.parse().ok())
        .unwrap_or_else(|| v.number("segment.bytes"));
    /// `segment.index.bytes`.
    segment_index_bytes: u32 = |v| v.number("segment.index.bytes");
    /// `segment.jitter.ms`.
    segment_jitter_ms: u64 = |v| v.number("segment.jitter.ms");
    /// `segment.ms`.
    segment_ms: u64 = |v| v.number("segment.ms");
    /// `unclean.leader.election.enable`.
    unclean_leader_election_enable: bool = |v| v.flag("unclean.leader.election.enable");
}

impl Default for TopicConfig {
    /// The table's defaults.
    fn default() -> Self {
        Self::resolve([], |_| None)
    }
}

impl TopicConfig {
    /// Resolves all keys. `overrides` are the topic's own values; `server` gives the broker's default of a
    /// key in the topic key's unit, or `None` for the table's (see [`TopicKey::server_default`]).
    ///
    /// Overrides that no key or rule fits are passed over: they were checked when they were set, and a value
    /// of a newer version must not keep a partition from serving.
    pub fn resolve<'a>(
        overrides: impl IntoIterator<Item = (&'a str, &'a str)>,
        server: impl Fn(&'static TopicKey) -> Option<String>,
    ) -> Self {
        let overrides = overrides.into_iter().take(table::KEYS.len() * 4).collect();
        Self::from_values(&Values { overrides, server })
    }

    /// What a batch must fulfil to be appended to the topic at `now`.
    #[must_use]
    pub const fn check_rules(
        &self,
        now: Timestamp,
        decompressed_bytes_max: usize,
        zstd_allowed: bool,
        origin: Origin,
    ) -> CheckRules {
        CheckRules {
            max_message_bytes: self.max_message_bytes,
            validation: self.record_validation,
            compacted: self.cleanup_policy.compact,
            timestamp_type: self.message_timestamp_type,
            before_max_ms: self.message_timestamp_before_max_ms,
            after_max_ms: self.message_timestamp_after_max_ms,
            now,
            decompressed_bytes_max,
            zstd_allowed,
            origin,
        }
    }
}

//! What a topic's configuration means to its partitions, resolved once for each change.

use std::time::Duration;

use machines::image::{ConfigResource, MetadataImage};
use machines::partition::Rules;
use machines::topic_config::{CompressionType, TopicConfig};
use protocol::id::Timestamp;
use protocol::records::{CheckRules, Compression, Origin, Validation};
use storage::LogConfig;

use crate::config::Config;

/// A topic's configuration, in the types of those who act on it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct TopicSettings {
    /// What a producer's batch has to fulfil; `now` and `zstd_allowed` are set for each request.
    pub(crate) check: CheckRules,
    pub(crate) log: LogConfig,
    pub(crate) rules: Rules,
    /// With what every batch is to be compressed; `None` leaves it to producers.
    pub(crate) codec: Option<Codec>,
}

/// How the broker compresses (`compression.type` and the level of that codec).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Codec {
    pub(crate) compression: Compression,
    /// `None` leaves it to the codec.
    pub(crate) level: Option<i32>,
}

impl Codec {
    fn of(topic: &TopicConfig) -> Option<Self> {
        let CompressionType::Codec(compression) = topic.compression_type else { return None };
        let level = match compression {
            Compression::Gzip => topic.compression_gzip_level,
            Compression::Zstd => Some(topic.compression_zstd_level),
            Compression::None | Compression::Snappy | Compression::Lz4 => None,
        };
        Some(Self { compression, level })
    }
}

impl TopicSettings {
    /// What the topic sets itself, over the broker's defaults, over Kafka's.
    pub(crate) fn resolve(config: &Config, image: &MetadataImage, topic: &str) -> Self {
        let resource = ConfigResource::topic(topic);
        let overrides = image.configs(&resource).map(|(key, value)| (&**key, &**value));
        let server = |key: &'static machines::topic_config::TopicKey| {
            config.topic_default(key.name).and_then(|default| default.value)
        };
        let topic = TopicConfig::resolve(overrides, server);
        let decompressed_bytes_max = config.decompressed_batch_bytes_max;
        let codec = Codec::of(&topic);
        let mut check = topic.check_rules(Timestamp(0), decompressed_bytes_max, true, Origin::Client);
        if codec.is_some() {
            // What the broker writes anew it has read whole.
            check.validation = Validation::Strict;
        }
        Self {
            codec,
            check,
            log: log_config(config, &topic),
            rules: Rules {
                min_insync_replicas: usize::try_from(topic.min_insync_replicas).unwrap_or(1),
                counts_synced: topic.flush_messages == 1,
                replica_lag_time_max: REPLICA_LAG_TIME_MAX,
            },
        }
    }
}

/// `replica.lag.time.max.ms`: Kafka's default.
const REPLICA_LAG_TIME_MAX: Duration = Duration::from_secs(30);

fn log_config(config: &Config, topic: &TopicConfig) -> LogConfig {
    /// Kafka's way to say never.
    fn unless_never(value: u64) -> Option<u64> {
        (value < i64::MAX.unsigned_abs()).then_some(value)
    }
    LogConfig {
        segment_bytes: topic.segment_bytes,
        segment_ms: topic.segment_ms,
        segment_jitter_ms: topic.segment_jitter_ms,
        segment_index_bytes: topic.segment_index_bytes,
        index_interval_bytes: topic.index_interval_bytes,
        retention_ms: topic.retention_ms,
        retention_bytes: topic.retention_bytes,
        cleanup_delete: topic.cleanup_policy.delete,
        cleanup_compact: topic.cleanup_policy.compact,
        file_delete_delay_ms: topic.file_delete_delay_ms,
        flush_messages: unless_never(topic.flush_messages),
        flush_ms: unless_never(topic.flush_ms),
        message_timestamp_type: topic.message_timestamp_type,
        max_message_bytes: topic.max_message_bytes,
        producer_id_expiration_ms: i64::try_from(config.producer_id_expiration_ms).unwrap_or(i64::MAX),
    }
}

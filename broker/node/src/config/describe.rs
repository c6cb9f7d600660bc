//! The configuration as DescribeConfigs shows it, and the defaults that topics take from it.

use super::key::{Key, UpdateMode};
use super::settings::Config;
use super::table;
use super::values::{Source, Synonym};

/// One key of a broker as it is described (KIP-226, KIP-569).
#[derive(Debug, Clone)]
pub struct Described {
    /// Its row: name, type, documentation.
    pub key: &'static Key,
    /// The value in force; `None` is null, or a secret.
    pub value: Option<String>,
    /// The layer that gave it.
    pub source: Source,
    /// Whether only a restart changes it.
    pub read_only: bool,
    /// Every layer that has a value, the deciding one first. Secrets are `None`.
    pub synonyms: Vec<Synonym>,
}

/// What a topic has where it sets nothing itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TopicDefault {
    /// The value in the topic key's unit; `None` is null.
    pub value: Option<String>,
    /// The layer that gave it.
    pub source: Source,
    /// Every layer of the broker's keys that stand behind the topic's, the deciding one first.
    pub synonyms: Vec<Synonym>,
}

/// Topic keys and the broker's keys that give their defaults (ServerTopicConfigSynonyms).
pub(super) const TOPIC_KEYS: &[(&str, &str)] = &[
    ("cleanup.policy", "log.cleanup.policy"),
    ("compression.gzip.level", "compression.gzip.level"),
    ("compression.lz4.level", "compression.lz4.level"),
    ("compression.type", "compression.type"),
    ("compression.zstd.level", "compression.zstd.level"),
    ("delete.retention.ms", "log.cleaner.delete.retention.ms"),
    ("file.delete.delay.ms", "log.segment.delete.delay.ms"),
    ("flush.messages", "log.flush.interval.messages"),
    ("flush.ms", "log.flush.interval.ms"),
    ("index.interval.bytes", "log.index.interval.bytes"),
    ("local.retention.bytes", "log.local.retention.bytes"),
    ("local.retention.ms", "log.local.retention.ms"),
    ("max.compaction.lag.ms", "log.cleaner.max.compaction.lag.ms"),
    ("max.message.bytes", "message.max.bytes"),
    ("message.timestamp.after.max.ms", "log.message.timestamp.after.max.ms"),
    ("message.timestamp.before.max.ms", "log.message.timestamp.before.max.ms"),
    ("message.timestamp.type", "log.message.timestamp.type"),
    ("min.cleanable.dirty.ratio", "log.cleaner.min.cleanable.ratio"),
    ("min.compaction.lag.ms", "log.cleaner.min.compaction.lag.ms"),
    ("min.insync.replicas", "min.insync.replicas"),
    ("preallocate", "log.preallocate"),
    ("record.validation", "record.validation"),
    ("retention.bytes", "log.retention.bytes"),
    ("retention.ms", "log.retention.ms"),
    ("segment.bytes", "log.segment.bytes"),
    ("segment.index.bytes", "log.index.size.max.bytes"),
    ("segment.jitter.ms", "log.roll.jitter.ms"),
    ("segment.ms", "log.roll.ms"),
    ("unclean.leader.election.enable", "unclean.leader.election.enable"),
];

impl Config {
    /// All keys, in the table's order.
    pub fn describe(&self) -> impl Iterator<Item = Described> {
        table::all().map(|key| self.describe_key(key))
    }

    /// One key.
    #[must_use]
    pub fn describe_key(&self, key: &'static Key) -> Described {
        let (value, source) = self.values().own(key);
        let value = value.map(str::to_owned).filter(|_| !key.is_sensitive());
        let mut synonyms = self.values().synonyms(key.name);
        if key.is_sensitive() {
            synonyms.iter_mut().for_each(|synonym| synonym.value = None);
        }
        Described { key, value, source, read_only: key.update == UpdateMode::ReadOnly, synonyms }
    }

    /// What a topic has under this key where it sets nothing itself; `None` when no broker key stands behind it.
    #[must_use]
    pub fn topic_default(&self, topic_key: &str) -> Option<TopicDefault> {
        let (_, broker_key) = TOPIC_KEYS.iter().find(|(name, _)| *name == topic_key)?;
        let (deciding, unit) = self.values().deciding(broker_key);
        let (value, source) = self.values().own(table::find(deciding)?);
        let value = value.map(|value| in_unit(value, unit));
        Some(TopicDefault { value, source, synonyms: self.values().synonyms(broker_key) })
    }
}

/// Hours and minutes as milliseconds; -1 stays -1.
fn in_unit(value: &str, unit: i64) -> String {
    match value.parse::<i64>() {
        Ok(number) if unit != 1 && number >= 0 => number.saturating_mul(unit).to_string(),
        _ => value.to_owned(),
    }
}

//! The values of all keys in their layers: dynamic for this broker, dynamic for all, static, default (KIP-226).

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use super::key::{Key, Standing};
use super::problem::{Origin, Problem};
use super::{properties, table};

/// Layers of values, the first that has a key wins. The numbers are those of DescribeConfigs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[repr(i8)]
pub enum Source {
    /// Set on one topic.
    Topic = 1,
    /// Set for this broker while it ran.
    DynamicBroker = 2,
    /// Set for all brokers while they ran.
    DynamicDefaultBroker = 3,
    /// From the file or `--set`.
    StaticBroker = 4,
    /// The table's default.
    Default = 5,
}

/// A key's value in one layer: an entry of the synonyms in a DescribeConfigs answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Synonym {
    /// The key under which it stands; not always the one asked for, as `log.retention.hours` decides
    /// `log.retention.ms`.
    pub name: &'static str,
    /// The value; `None` is null.
    pub value: Option<String>,
    /// Its layer.
    pub source: Source,
}

/// Keys of which each decides those before it, where they are not set: the second number is what one unit
/// of the key is in units of the first (KafkaConfig, DynamicBrokerConfig.brokerConfigSynonyms).
const CHAINS: &[Chain] = &[
    &[("log.retention.ms", 1), ("log.retention.minutes", 60_000), ("log.retention.hours", 3_600_000)],
    &[("log.roll.ms", 1), ("log.roll.hours", 3_600_000)],
    &[("log.roll.jitter.ms", 1), ("log.roll.jitter.hours", 3_600_000)],
    &[("log.flush.interval.ms", 1), ("log.flush.scheduler.interval.ms", 1)],
];

/// Second names, which decide like a chain, and which Kafka does not list among the synonyms.
const ALIASES: &[Chain] = &[&[("node.id", 1), ("broker.id", 1)], &[("log.dirs", 1), ("log.dir", 1)]];

#[derive(Clone)]
struct Given {
    value: String,
    origin: Origin,
}

/// What was set, layer by layer; every value in it fits its row of the table.
#[derive(Clone, Default)]
pub struct Values {
    fixed: BTreeMap<&'static str, Given>,
    cluster_wide: BTreeMap<&'static str, String>,
    per_broker: BTreeMap<&'static str, String>,
    /// Keys with a listener's or mechanism's prefix: kept, as they name no row themselves.
    prefixed: BTreeMap<String, String>,
}

impl Values {
    /// Reads a file's text and `--set` pairs, which come after it and win. Everything wrong is added to
    /// `problems`, and left out.
    pub(super) fn read(
        text: &str,
        file_name: &str,
        overrides: &[(String, String)],
        problems: &mut Vec<Problem>,
    ) -> Self {
        let mut values = Self::default();
        let name = Arc::from(file_name);
        let mut lines: BTreeMap<String, u32> = BTreeMap::new();
        let (pairs, unread) = properties::parse(text, file_name);
        problems.extend(unread);
        for pair in pairs {
            let origin = Origin::File { name: Arc::clone(&name), line: pair.line };
            if let Some(earlier) = lines.insert(pair.key.clone(), pair.line) {
                let message = format!("line {earlier} sets it already; keep one of the two");
                problems.push(Problem { origin, key: pair.key, value: None, message });
                continue;
            }
            values.add_fixed(pair.key, pair.value, origin, problems);
        }
        for (key, value) in overrides {
            values.add_fixed(key.clone(), value.clone(), Origin::Override, problems);
        }
        values
    }

    fn add_fixed(&mut self, key: String, value: String, origin: Origin, problems: &mut Vec<Problem>) {
        let value = value.trim().to_owned();
        let row = table::find(&key);
        let Some(checked) = row.or_else(|| table::find_prefixed(&key)) else {
            if !plugin_key(&key) {
                let message = unknown(&key);
                problems.push(Problem::with_value(origin, &key, None, &value, message));
            }
            return;
        };
        if let Err(message) = checked.check(&value) {
            problems.push(Problem::with_value(origin, &key, Some(checked), &value, message));
            return;
        }
        match row {
            Some(row) => {
                self.fixed.insert(row.name, Given { value, origin });
            }
            None => {
                self.prefixed.insert(key, value);
            }
        }
    }

    /// Replaces the dynamic layers. A key that cannot be dynamic or a bad value becomes a problem.
    pub(super) fn set_dynamic(
        &mut self,
        cluster_wide: &BTreeMap<String, String>,
        per_broker: &BTreeMap<String, String>,
        problems: &mut Vec<Problem>,
    ) {
        self.set_layer(cluster_wide, false, problems);
        self.set_layer(per_broker, true, problems);
    }

    /// Replaces one of the dynamic layers: this broker's, or that of all.
    pub(super) fn set_layer(
        &mut self,
        pairs: &BTreeMap<String, String>,
        one_broker: bool,
        problems: &mut Vec<Problem>,
    ) {
        let mut kept = BTreeMap::new();
        for (key, value) in pairs {
            match (table::find(key), check_dynamic(key, value, one_broker)) {
                (Some(row), Ok(())) => {
                    kept.insert(row.name, value.trim().to_owned());
                }
                (_, Ok(())) => {}
                (row, Err(message)) => {
                    let row = row.or_else(|| table::find_prefixed(key));
                    problems.push(Problem::with_value(Origin::Dynamic, key, row, value, message));
                }
            }
        }
        if one_broker {
            self.per_broker = kept;
        } else {
            self.cluster_wide = kept;
        }
    }

    /// The value in force under this very name, without its chain, and its layer.
    #[must_use]
    pub fn own(&self, row: &Key) -> (Option<&str>, Source) {
        let dynamic = self.per_broker.get(row.name).map(|v| (v.as_str(), Source::DynamicBroker));
        let dynamic = dynamic
            .or_else(|| self.cluster_wide.get(row.name).map(|v| (v.as_str(), Source::DynamicDefaultBroker)));
        let set =
            dynamic.or_else(|| self.fixed.get(row.name).map(|g| (g.value.as_str(), Source::StaticBroker)));
        match set {
            Some((value, source)) => (Some(value), source),
            None => (row.default, Source::Default),
        }
    }

    /// Whether the key was set in any layer.
    #[must_use]
    pub fn is_set(&self, name: &str) -> bool {
        table::find(name).is_some_and(|row| self.own(row).1 != Source::Default)
    }

    /// Where the key's static value stands.
    pub(super) fn origin(&self, name: &str) -> Origin {
        if self.per_broker.contains_key(name) || self.cluster_wide.contains_key(name) {
            return Origin::Dynamic;
        }
        self.fixed.get(name).map_or(Origin::Missing, |given| given.origin.clone())
    }

    /// The row and unit that decide a key, going down its chain: for `log.retention.ms`, whichever of the
    /// three is set first, else the one with a default.
    pub(super) fn deciding(&self, name: &'static str) -> (&'static str, i64) {
        let chain = chain(CHAINS, name).or_else(|| chain(ALIASES, name)).unwrap_or_default();
        let set = chain.iter().find(|(name, _)| self.is_set(name));
        let default =
            || chain.iter().find(|(name, _)| table::find(name).is_some_and(|r| r.default.is_some()));
        set.or_else(default).copied().unwrap_or((name, 1))
    }

    /// Every layer that has the key or one of its chain, the deciding one first: Kafka's synonyms.
    #[must_use]
    pub fn synonyms(&self, name: &'static str) -> Vec<Synonym> {
        let single = [(name, 1)];
        let mut found = Vec::new();
        for (name, _) in chain(CHAINS, name).unwrap_or(&single) {
            let Some(row) = table::find(name) else { continue };
            let mut push = |value: Option<&str>, source| {
                found.push(Synonym { name: row.name, value: value.map(str::to_owned), source });
            };
            if let Some(value) = self.per_broker.get(row.name) {
                push(Some(value), Source::DynamicBroker);
            }
            if let Some(value) = self.cluster_wide.get(row.name) {
                push(Some(value), Source::DynamicDefaultBroker);
            }
            if let Some(given) = self.fixed.get(row.name) {
                push(Some(&given.value), Source::StaticBroker);
            }
            if row.default.is_some() {
                push(row.default, Source::Default);
            }
        }
        found
    }

    /// One sentence for each key that was set and has no effect.
    pub(super) fn notices(&self) -> Vec<String> {
        let mut notices = Vec::new();
        for (name, given) in &self.fixed {
            let Some(row) = table::find(name) else { continue };
            let changed = row.default != Some(given.value.as_str());
            match row.standing {
                Standing::Meaningless(why) => {
                    notices.push(format!("{}: {name} has no effect: {why}", given.origin));
                }
                Standing::Later if changed => notices.push(format!(
                    "{}: {name} is kept and shown, and has no effect: this version lacks what it governs",
                    given.origin
                )),
                _ => {}
            }
        }
        for name in self.prefixed.keys() {
            notices.push(format!(
                "{name} has no effect: only PLAINTEXT listeners with common limits are served"
            ));
        }
        notices
    }
}

impl fmt::Debug for Values {
    /// The names alone: some values are secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let dynamic = self.per_broker.keys().chain(self.cluster_wide.keys());
        f.debug_set().entries(self.fixed.keys().chain(dynamic)).entries(self.prefixed.keys()).finish()
    }
}

type Chain = &'static [(&'static str, i64)];

fn chain(chains: &[Chain], name: &str) -> Option<Chain> {
    chains.iter().find(|chain| chain.iter().any(|(member, _)| *member == name)).copied()
}

/// Settings of Java plug-ins of tiered storage stand under these prefixes; the plug-ins' own keys are unknowable.
fn plugin_key(key: &str) -> bool {
    key.starts_with("rsm.config.") || key.starts_with("rlmm.config.")
}

/// Whether a key's value is a list, which APPEND and SUBTRACT change.
#[must_use]
pub fn is_list(key: &str) -> bool {
    table::find(key).is_some_and(|row| row.kind == super::key::ConfigType::List)
}

/// Checks one pair of IncrementalAlterConfigs on a broker, or on all brokers.
///
/// # Errors
/// A sentence for the client: unknown, not dynamic, not for all brokers, or a bad value.
pub fn check_dynamic(key: &str, value: &str, one_broker: bool) -> Result<(), String> {
    use super::key::UpdateMode;
    let Some(row) = table::find(key).or_else(|| table::find_prefixed(key)) else {
        return Err(unknown(key));
    };
    match row.update {
        UpdateMode::ReadOnly => {
            return Err("cannot change while the broker runs; set it in the file and restart".to_owned());
        }
        UpdateMode::PerBroker if !one_broker => {
            return Err("is each broker's own; set it for one broker".to_owned());
        }
        UpdateMode::PerBroker | UpdateMode::ClusterWide => {}
    }
    row.check(value)
}

fn unknown(key: &str) -> String {
    if let Some(advice) = table::dropped(key) {
        return format!("unknown key: {advice}");
    }
    match table::nearest(key) {
        Some(near) => format!("unknown key; did you mean {near}?"),
        None => "unknown key; `gregor config` lists all keys".to_owned(),
    }
}

//! The one table of configuration keys: those of Kafka 4.3.1's brokers, and Gregor's own.
//!
//! A row reads: name, type = default, valid values, importance, update mode, standing, documentation.
//! Defaults are Kafka's, except where the documentation says otherwise. A test holds the names unique and
//! every default valid.

mod groups;
mod log;
mod metrics;
mod network;
mod node;
mod own;
mod quorum;
mod reasons;
mod remote;
mod replication;
mod security;
mod transactions;

use super::key::Key;

/// Builds one file's rows.
macro_rules! keys {
    (@default null) => { None };
    (@default $default:literal) => { Some($default) };
    ($($name:literal: $kind:ident = $default:tt, $valid:expr, $importance:ident, $update:ident, $standing:expr,
        $documentation:literal;)*) => {
        /// The rows.
        pub(super) const KEYS: &[$crate::config::key::Key] = {
            #[allow(unused_imports, reason = "not every file uses every variant")]
            use $crate::config::key::{ConfigType::*, Importance::*, Standing::*, UpdateMode::*, Valid::*};
            &[$($crate::config::key::Key {
                name: $name,
                kind: $kind,
                default: keys!(@default $default),
                valid: $valid,
                importance: $importance,
                update: $update,
                standing: $standing,
                documentation: $documentation,
            }),*]
        };
    };
}
use keys;

/// The rows by subject, in the order in which they are printed.
pub const SECTIONS: &[(&str, &[Key])] = &[
    ("Gregor's own", own::KEYS),
    ("Node", node::KEYS),
    ("Network", network::KEYS),
    ("Log", log::KEYS),
    ("Replication", replication::KEYS),
    ("Producers and transactions", transactions::KEYS),
    ("Groups", groups::KEYS),
    ("Metadata quorum", quorum::KEYS),
    ("Security", security::KEYS),
    ("Metrics and quotas", metrics::KEYS),
    ("Tiered storage", remote::KEYS),
];

/// Keys that Kafka dropped in 4.0, and what a user does about them. A key matches when it starts with the first.
const DROPPED: &[(&str, &str)] = &[
    ("zookeeper.", "Kafka 4.0 dropped ZooKeeper, and Gregor needs none; delete the line"),
    ("inter.broker.protocol.version", "Kafka 4.0 dropped it for metadata.version; delete the line"),
    (
        "log.message.format.version",
        "Kafka 4.0 dropped it, records are always stored in version 2; delete the line",
    ),
    (
        "log.message.timestamp.difference.max.ms",
        "Kafka 4.0 dropped it; use log.message.timestamp.before.max.ms and log.message.timestamp.after.max.ms",
    ),
    ("control.plane.listener.name", "Kafka 4.0 dropped it with ZooKeeper; delete the line"),
    ("broker.id.generation.enable", "Kafka 4.0 dropped it with ZooKeeper; set node.id and delete the line"),
    ("reserved.broker.max.id", "Kafka 4.0 dropped it with ZooKeeper; delete the line"),
    ("delegation.token.master.key", "Kafka 4.0 dropped it; use delegation.token.secret.key"),
    ("password.encoder.", "Kafka 4.0 dropped it with ZooKeeper; delete the line"),
    (
        "offsets.commit.required.acks",
        "Kafka 4.0 dropped it, commits always wait for all replicas; delete the line",
    ),
    ("advertised.host.name", "Kafka 3.0 dropped it; use advertised.listeners"),
    ("advertised.port", "Kafka 3.0 dropped it; use advertised.listeners"),
    ("host.name", "Kafka 3.0 dropped it; use listeners"),
    ("port", "Kafka 3.0 dropped it; use listeners"),
];

/// All rows.
pub fn all() -> impl Iterator<Item = &'static Key> {
    SECTIONS.iter().flat_map(|(_, keys)| keys.iter())
}

/// The row of this key.
#[must_use]
pub fn find(name: &str) -> Option<&'static Key> {
    all().find(|key| key.name == name)
}

/// The row that a key stands for with its prefix taken off: `listener.name.NAME.KEY`, where KEY may have a SASL
/// mechanism before it. Kafka calls these listener and mechanism configs (KIP-103, KIP-85).
#[must_use]
pub fn find_prefixed(name: &str) -> Option<&'static Key> {
    let rest = match name.strip_prefix("listener.name.") {
        Some(rest) => rest.split_once('.')?.1,
        None => name,
    };
    let base = find(rest).or_else(|| {
        // `scram-sha-256.sasl.jaas.config`: only SASL keys take a mechanism.
        let (_, rest) = rest.split_once('.')?;
        find(rest).filter(|key| key.name.starts_with("sasl."))
    })?;
    let may =
        ["ssl.", "sasl.", "max.connection", "connections.max.", "num.network.threads", "principal.builder."];
    may.iter().any(|prefix| base.name.starts_with(prefix)).then_some(base)
}

/// What a user does about a key that older releases of Kafka had.
pub(super) fn dropped(name: &str) -> Option<&'static str> {
    let matches = |start: &str| name == start || (start.ends_with('.') && name.starts_with(start));
    DROPPED.iter().find(|(start, _)| matches(start)).map(|(_, advice)| *advice)
}

/// The known key nearest to a misspelt one, when one is near: at most a third of its letters differ.
pub(super) fn nearest(name: &str) -> Option<&'static str> {
    // Underscores and case are the commonest slips: `NUM_PARTITIONS`, `log_dirs`.
    let plain = name.to_ascii_lowercase().replace(['_', '-'], ".");
    let distance = |key: &Key| edits(&plain, key.name);
    // Among equally near ones, a changed letter is likelier than one too many.
    let best = all().min_by_key(|key| (distance(key), plain.len().abs_diff(key.name.len())))?;
    (distance(best) * 3 <= best.name.len()).then_some(best.name)
}

/// Levenshtein's distance in bytes. Names longer than 256 bytes count as far from everything, so that a hostile
/// key costs nothing.
fn edits(left: &str, right: &str) -> usize {
    if left.len() > 256 || right.len() > 256 {
        return usize::MAX / 4;
    }
    let mut row: Vec<usize> = (0..=right.len()).collect();
    for (i, a) in left.bytes().enumerate() {
        let mut diagonal = i;
        let mut before = i + 1;
        for (cell, b) in row.iter_mut().skip(1).zip(right.bytes()) {
            let replaced = diagonal + usize::from(a != b);
            diagonal = *cell;
            *cell = replaced.min(diagonal + 1).min(before + 1);
            before = *cell;
        }
        if let Some(first) = row.first_mut() {
            *first = i + 1;
        }
    }
    row.last().copied().unwrap_or(0)
}

//! server.properties: what the operator sets, and spec.config.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::super::names;
use super::super::validate::Desired;

/// Where volumes are mounted.
pub(super) const VOLUMES: &str = "/var/lib/gregor";

/// Keys of the file that follow from other fields than spec.config. One that the operator no longer sets stays
/// here, so that a file that an earlier one wrote is not taken for the user's.
pub(in crate::cluster) const OWNED_KEYS: [&str; 6] = [
    "advertised.listeners",
    "http.listen",
    "listener.security.protocol.map",
    "listeners",
    "log.dirs",
    "node.id",
];

/// The file's text, with `config` as its part that users write. It is the same for all brokers: what differs is
/// given as arguments.
pub(in crate::cluster) fn text(desired: &Desired, config: &BTreeMap<String, String>) -> String {
    let mut text = format!(
        "# Written by Gregor's operator for the Cluster {}/{}; changes here are undone.\n",
        desired.namespace, desired.name
    );
    for (key, value) in pairs(desired, config) {
        // Writing to a string cannot fail.
        let _ = writeln!(text, "{}={}", escape(&key, true), escape(&value, false));
    }
    text
}

/// All pairs by key. Those of the operator win, which validation has shown to make no difference.
fn pairs(desired: &Desired, config: &BTreeMap<String, String>) -> BTreeMap<String, String> {
    let mut pairs = config.clone();
    let each = |write: &dyn Fn(&operator_api::cluster::Listener) -> String| {
        desired.listeners.iter().map(write).collect::<Vec<_>>().join(",")
    };
    let own = [
        ("listeners", each(&|listener| format!("{}://:{}", names::listener(listener), listener.port))),
        (
            "listener.security.protocol.map",
            each(&|listener| format!("{}:PLAINTEXT", names::listener(listener))),
        ),
        ("http.listen", format!(":{}", names::HTTP_PORT)),
        // A folder in the volume: its root may hold lost+found.
        ("log.dirs", format!("{}/log", mount_path(desired.volume.id))),
    ];
    pairs.extend(own.map(|(key, value)| (key.to_owned(), value)));
    pairs
}

/// Where a volume is mounted.
pub(super) fn mount_path(volume_id: i32) -> String {
    format!("{VOLUMES}/{}", names::volume(volume_id))
}

/// Escapes what the format takes otherwise (java.util.Properties): backslashes, and in keys what ends them.
fn escape(text: &str, is_key: bool) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        let special = c == '\\' || (is_key && matches!(c, '=' | ':' | '#' | '!'));
        if special {
            out.push('\\');
        }
        out.push(c);
    }
    out
}

/// Reads a file that [`text`] wrote: for comparing it with what shall be. None of its lines is continued.
pub(in crate::cluster) fn parse(text: &str) -> BTreeMap<String, String> {
    let mut pairs = BTreeMap::new();
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let mut escaped = false;
        let end = line.find(|c| {
            let ends = c == '=' && !escaped;
            escaped = c == '\\' && !escaped;
            ends
        });
        if let Some((key, value)) = end.and_then(|end| line.split_at_checked(end)) {
            pairs.insert(unescape(key), unescape(value.get(1..).unwrap_or_default()));
        }
    }
    pairs
}

fn unescape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        out.push(if c == '\\' { chars.next().unwrap_or('\\') } else { c });
    }
    out
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::super::super::validate::{tests::cluster, validate};
    use super::*;

    proptest! {
        #[test]
        fn what_is_written_is_read_back(config in proptest::collection::btree_map("[a-z.=:#!\\\\]{1,8}", "[ -~]{0,12}", 0..6)) {
            let config: BTreeMap<String, String> =
                config.into_iter().map(|(key, value)| (key, value.trim().to_owned())).collect();
            let (desired, _) = validate(&cluster(json!({}))).unwrap();
            prop_assert_eq!(parse(&text(&desired, &config)), pairs(&desired, &config));
        }
    }

    #[test]
    fn what_the_operator_sets_is_owned() {
        let (desired, _) = validate(&cluster(json!({}))).unwrap();
        for key in pairs(&desired, &BTreeMap::new()).keys() {
            assert!(OWNED_KEYS.contains(&key.as_str()), "{key}");
        }
    }
}

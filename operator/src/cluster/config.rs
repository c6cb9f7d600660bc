//! What a change of spec.config asks for: keys that a running broker takes, and those that need a restart.
//!
//! server.properties always holds all of spec.config, so that a broker that starts has it. Which keys are
//! dynamic is the broker's knowledge (DescribeConfigs). A change of dynamic keys alone keeps the hash, and is
//! given to the running broker; any other change makes another hash, and so a restart. Keys that follow from
//! other fields are not looked at here: those fields have their own part in what asks for a restart.

use std::collections::{BTreeMap, BTreeSet};

use operator_api::reason::INVALID_SPEC;

use super::build::digest;
use super::validate::Refusal;

/// Layers of a broker's configuration, by the numbers of DescribeConfigs (KIP-226).
pub(super) mod layer {
    /// Set on this broker while it ran.
    pub(crate) const BROKER: i8 = 2;
    /// Set on all brokers while they ran.
    pub(crate) const ALL_BROKERS: i8 = 3;
    /// From server.properties, when the broker started.
    pub(crate) const FILE: i8 = 4;
    /// The table's default.
    pub(crate) const DEFAULT: i8 = 5;
}

/// Keys that the controller, tools or the operator itself set while brokers run, and that spec.config leaves
/// alone.
const EXEMPT: [&str; 4] = [
    "cordoned.log.dirs",
    "follower.replication.throttled.rate",
    "leader.replication.throttled.rate",
    "replica.alter.log.dirs.io.max.bytes.per.second",
];

/// Keys that the controller sets for all brokers when a cluster forms, and that can be set and not be removed
/// (KIP-966).
const STAYING: [&str; 1] = ["min.insync.replicas"];

/// One key of a running broker.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Key {
    pub(super) read_only: bool,
    /// Its value is not told.
    pub(super) sensitive: bool,
    /// What each layer has under this very name.
    pub(super) layers: BTreeMap<i8, Option<String>>,
}

impl Key {
    fn layer(&self, layer: i8) -> Option<&str> {
        self.layers.get(&layer)?.as_deref()
    }
}

/// All keys of a running broker, by name.
pub(super) type Keys = BTreeMap<String, Key>;

/// One change to give to a running broker.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Alteration {
    /// Of this broker alone; else of all.
    pub(super) one_broker: bool,
    pub(super) key: String,
    /// `None` removes what was set.
    pub(super) value: Option<String>,
}

/// What a change of the configuration asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Change {
    /// The file is as it shall be.
    None,
    /// The file changes, and pods stay.
    Dynamic,
    /// The file changes, and pods with it. The keys that ask for it, at most a few.
    Restart(Vec<String>),
    /// The file shall change, and the broker that would have to say how does not answer.
    Unknown,
}

/// Compares the part of the file that users write with what it shall be.
///
/// `broker` is what a running broker says, `None` when one runs and does not answer; without a running one
/// there is nobody to ask, and every change goes with a restart.
///
/// # Errors
/// A key that no broker knows.
pub(super) fn change(
    live: &BTreeMap<String, String>,
    wanted: &BTreeMap<String, String>,
    broker: Running<'_>,
) -> Result<Change, Refusal> {
    let changed: Vec<&String> =
        live.keys().chain(wanted.keys()).filter(|key| live.get(*key) != wanted.get(*key)).collect();
    let changed: BTreeSet<&String> = changed.into_iter().collect();
    if changed.is_empty() {
        return Ok(Change::None);
    }
    let keys = match broker {
        Running::No => return Ok(Change::Restart(few(changed))),
        Running::Silent => return Ok(Change::Unknown),
        Running::Answers(keys) => keys,
    };
    if let Some(key) = changed.iter().find(|key| wanted.contains_key(**key) && is_unknown(key, keys)) {
        return Err(Refusal {
            reason: INVALID_SPEC,
            message: format!(
                "spec.config.{key}: no broker knows this key; `gregor config` lists those that there are"
            ),
        });
    }
    let restart: BTreeSet<&String> =
        changed.into_iter().filter(|key| needs_restart(key, wanted.get(*key), keys)).collect();
    Ok(if restart.is_empty() { Change::Dynamic } else { Change::Restart(few(restart)) })
}

/// The broker that changes are compared with.
#[derive(Clone, Copy, Debug)]
pub(super) enum Running<'a> {
    /// None runs.
    No,
    /// One runs, and did not say what it has.
    Silent,
    /// One runs with these keys.
    Answers(&'a Keys),
}

/// The digest of a configuration: what changes when it needs a restart.
///
/// `before` is the one that was in force. The new one is never the same: a key that was added without a restart,
/// and is taken out with one, would otherwise lead back to the digest that pods have.
pub(super) fn hash(pairs: &BTreeMap<String, String>, before: Option<&str>) -> String {
    let hash = digest(pairs.iter().flat_map(|(key, value)| [key.as_str(), value.as_str()]));
    if before == Some(&hash) { digest([hash.as_str(), "again"]) } else { hash }
}

fn few(keys: BTreeSet<&String>) -> Vec<String> {
    keys.into_iter().take(5).cloned().collect()
}

/// Keys with a listener's or a plug-in's prefix are taken without being described.
fn is_unknown(key: &str, keys: &Keys) -> bool {
    let prefixes = ["listener.name.", "rsm.config.", "rlmm.config."];
    !keys.contains_key(key) && !prefixes.iter().any(|prefix| key.starts_with(prefix))
}

fn needs_restart(key: &str, wanted: Option<&String>, keys: &Keys) -> bool {
    match keys.get(key) {
        None => true,
        Some(key) if key.read_only || key.sensitive => true,
        // What the file gave at the start cannot be taken back to a default that is null.
        Some(key) => {
            wanted.is_none() && key.layer(layer::FILE).is_some() && key.layer(layer::DEFAULT).is_none()
        }
    }
}

/// What a running broker has to be told so that each dynamic key is as spec.config says: set where it is
/// named, and at its default where it is not.
pub(super) fn alterations(
    wanted: &BTreeMap<String, String>,
    owned: &BTreeSet<&str>,
    keys: &Keys,
) -> Vec<Alteration> {
    let mut alterations = Vec::new();
    for (name, key) in keys {
        let ours = !owned.contains(name.as_str()) && !EXEMPT.contains(&name.as_str());
        if !ours || key.read_only || key.sensitive {
            continue;
        }
        let mut alter = |one_broker: bool, value: Option<&str>| {
            alterations.push(Alteration { one_broker, key: name.clone(), value: value.map(str::to_owned) });
        };
        let is_set = |layer: i8| key.layers.contains_key(&layer);
        match wanted.get(name) {
            Some(value) => {
                if is_set(layer::BROKER) {
                    alter(true, None);
                }
                let now = [layer::ALL_BROKERS, layer::FILE, layer::DEFAULT]
                    .into_iter()
                    .find(|layer| is_set(*layer));
                if now.and_then(|layer| key.layer(layer)).is_none_or(|now| !is_same(now, value)) {
                    alter(false, Some(value));
                }
            }
            // Where the file that the broker started with has another value than the default, that is set
            // over it.
            None => {
                let over = match (key.layer(layer::FILE), key.layer(layer::DEFAULT)) {
                    (Some(file), Some(default)) if !is_same(file, default) => Some(default),
                    (_, default) if STAYING.contains(&name.as_str()) && is_set(layer::ALL_BROKERS) => default,
                    _ => None,
                };
                if is_set(layer::ALL_BROKERS) != over.is_some() || key.layer(layer::ALL_BROKERS) != over {
                    alter(false, over);
                }
            }
        }
    }
    alterations
}

/// Whether two texts are one value: `True` and `true`, `1.0` and `1.00`, `a, b` and `a,b`.
fn is_same(one: &str, other: &str) -> bool {
    let number = |text: &str| text.parse::<f64>().ok().filter(|number| number.is_finite());
    let items = |text: &str| text.split(',').map(|item| item.trim().to_owned()).collect::<Vec<_>>();
    if one == other {
        return true;
    }
    match (one.parse::<i64>(), other.parse::<i64>()) {
        (Ok(one), Ok(other)) => return one == other,
        _ if number(one).is_some() => return number(one) == number(other),
        _ => {}
    }
    let boolean = |text: &str| text.eq_ignore_ascii_case("true") || text.eq_ignore_ascii_case("false");
    (boolean(one) && one.eq_ignore_ascii_case(other)) || items(one) == items(other)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn key(read_only: bool, layers: &[(i8, Option<&str>)]) -> Key {
        let layers = layers.iter().map(|(layer, value)| (*layer, value.map(str::to_owned))).collect();
        Key { read_only, sensitive: false, layers }
    }

    fn map(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
    }

    fn keys() -> Keys {
        [
            ("log.retention.ms", key(false, &[(layer::DEFAULT, None)])),
            ("num.partitions", key(true, &[(layer::DEFAULT, Some("1"))])),
            ("message.max.bytes", key(false, &[(layer::FILE, Some("5")), (layer::DEFAULT, Some("7"))])),
            ("segment.ms", key(false, &[(layer::FILE, Some("5")), (layer::DEFAULT, None)])),
        ]
        .map(|(name, key)| (name.to_owned(), key))
        .into()
    }

    #[test]
    fn a_change_goes_with_a_restart_only_where_it_must() {
        let live = map(&[("message.max.bytes", "5"), ("segment.ms", "5")]);
        let with = |pairs: &[(&str, &str)], without: &str| {
            let mut wanted = live.clone();
            wanted.remove(without);
            wanted.extend(map(pairs));
            change(&live, &wanted, Running::Answers(&keys()))
        };
        let restart = |key: &str| Ok(Change::Restart(vec![key.to_owned()]));
        assert_eq!(with(&[], ""), Ok(Change::None));
        assert_eq!(with(&[("log.retention.ms", "9")], ""), Ok(Change::Dynamic));
        assert_eq!(with(&[("message.max.bytes", "9")], ""), Ok(Change::Dynamic));
        assert_eq!(with(&[], "message.max.bytes"), Ok(Change::Dynamic));
        assert_eq!(with(&[], "segment.ms"), restart("segment.ms"));
        assert_eq!(
            with(&[("num.partitions", "3"), ("log.retention.ms", "9")], ""),
            restart("num.partitions")
        );
        assert_eq!(
            with(&[("listener.name.plain.max.connections", "3")], ""),
            restart("listener.name.plain.max.connections")
        );
        let refusal = with(&[("no.such.key", "1")], "").unwrap_err();
        assert!(
            refusal.message.starts_with("spec.config.no.such.key: no broker knows"),
            "{}",
            refusal.message
        );
        // A key that is not known may always go.
        let old = map(&[("no.such.key", "1")]);
        assert_eq!(change(&old, &map(&[]), Running::Answers(&keys())), restart("no.such.key"));
        assert_eq!(change(&old, &map(&[]), Running::Silent), Ok(Change::Unknown));
        assert_eq!(change(&old, &map(&[]), Running::No), restart("no.such.key"));
        assert_eq!(change(&old, &old, Running::Silent), Ok(Change::None));
    }

    #[test]
    fn a_restart_always_has_another_hash() {
        let config = map(&[("a", "1")]);
        let first = hash(&config, None);
        assert_eq!(hash(&config, Some("another")), first);
        let second = hash(&config, Some(&first));
        assert_ne!(second, first);
        assert_ne!(hash(&config, Some(&second)), second);
    }

    #[test]
    fn a_key_that_is_taken_out_goes_back_to_its_default() {
        let set = |value: &str| Alteration {
            one_broker: false,
            key: "message.max.bytes".into(),
            value: Some(value.into()),
        };
        let owned = BTreeSet::new();
        // The file of the start has 5, the default is 7.
        assert_eq!(alterations(&map(&[]), &owned, &keys()), [set("7")]);
        assert_eq!(alterations(&map(&[("message.max.bytes", "5")]), &owned, &keys()), []);
        assert_eq!(alterations(&map(&[("message.max.bytes", "6")]), &owned, &keys()), [set("6")]);
    }

    #[test]
    fn what_the_controller_set_for_all_is_changed_and_never_removed() {
        let name = STAYING[0];
        let told = |all: &str, wanted: &[(&str, &str)]| {
            let key = key(false, &[(layer::ALL_BROKERS, Some(all)), (layer::DEFAULT, Some("1"))]);
            let told = alterations(&map(wanted), &BTreeSet::new(), &[(name.to_owned(), key)].into());
            told.into_iter().map(|alteration| alteration.value).collect::<Vec<_>>()
        };
        assert_eq!(told("1", &[]), []);
        assert_eq!(told("2", &[]), [Some("1".to_owned())]);
        assert_eq!(told("1", &[(name, "2")]), [Some("2".to_owned())]);
    }

    /// A broker that is told to alter its configuration.
    fn apply(keys: &mut Keys, alterations: &[Alteration]) {
        for alteration in alterations {
            let layer = if alteration.one_broker { layer::BROKER } else { layer::ALL_BROKERS };
            let layers = &mut keys.get_mut(&alteration.key).unwrap().layers;
            match &alteration.value {
                Some(value) => drop(layers.insert(layer, Some(value.clone()))),
                None => drop(layers.remove(&layer)),
            }
        }
    }

    fn any_key() -> impl Strategy<Value = Key> {
        let value = || proptest::option::of("[0-3]");
        (any::<bool>(), value(), value(), value(), value()).prop_map(
            |(read_only, broker, all, file, default)| {
                let mut layers: BTreeMap<i8, Option<String>> = [(layer::DEFAULT, default)].into();
                let set = [(layer::BROKER, broker), (layer::ALL_BROKERS, all), (layer::FILE, file)];
                layers.extend(set.into_iter().filter(|(_, value)| value.is_some()));
                Key { read_only, sensitive: false, layers }
            },
        )
    }

    proptest! {
        #[test]
        fn a_broker_that_was_told_all_needs_to_hear_nothing_more(
            keys in proptest::collection::btree_map("[a-d]", any_key(), 0..5),
            wanted in proptest::collection::btree_map("[a-d]", "[0-3]", 0..4),
        ) {
            let owned = BTreeSet::from(["d"]);
            let mut after = keys.clone();
            let told = alterations(&wanted, &owned, &keys);
            apply(&mut after, &told);
            prop_assert_eq!(alterations(&wanted, &owned, &after), vec![]);
            for (name, key) in &after {
                if key.read_only || name == "d" {
                    prop_assert_eq!(key, &keys[name]);
                    continue;
                }
                let order = [layer::BROKER, layer::ALL_BROKERS, layer::FILE, layer::DEFAULT];
                let value = order.iter().find_map(|layer| key.layers.get(layer)).cloned().flatten();
                if let Some(wanted) = wanted.get(name) {
                    prop_assert_eq!(value.as_ref(), Some(wanted));
                }
            }
        }
    }

    #[test]
    fn values_are_compared_by_what_they_mean() {
        for (one, other) in [("1", "01"), ("0.5", "0.50"), ("true", "True"), ("a, b", "a,b"), ("x", "x")] {
            assert!(is_same(one, other), "{one} {other}");
        }
        for (one, other) in
            [("9007199254740993", "9007199254740992"), ("1", "2"), ("a,b", "b,a"), ("X", "x"), ("", "0")]
        {
            assert!(!is_same(one, other), "{one} {other}");
        }
    }
}

//! What files declare: manifests checked also by the tables of topic and broker configuration, and what
//! `gregor dev` makes of them. Reads files; changes nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use machines::topic_config;
use node::Config;
use node::config::{Origin, Source, table};
use operator_api::topic::{AdoptionPolicy, ConfigPolicy, TopicDeletionPolicy};

use super::manifest::{self, Loaded, Manifest, Position, Problem, Resource};
use super::plan::DesiredTopic;

/// Reads and checks all files. `overrides` is what flags set.
pub(super) fn read(paths: &[PathBuf], previous: &[Manifest], overrides: &[(String, String)]) -> Loaded {
    let mut loaded = manifest::load(paths, previous);
    let mut problems = Vec::new();
    for manifest in &loaded.manifests {
        match &manifest.resource {
            Resource::Topic(_) => problems.extend(topic_problems(manifest)),
            Resource::Cluster(_) => {
                problems.extend(configuration(Some(manifest), overrides).err().unwrap_or_default());
            }
            Resource::Quota(_) => {}
        }
    }
    loaded.problems.extend(problems);
    let manifests = std::mem::take(&mut loaded.manifests);
    loaded.manifests = manifests.into_iter().filter(|manifest| !loaded.refused(&manifest.file)).collect();
    loaded
}

/// What is declared after files were read again: what was read now, and of what was declared before all that is
/// not declared otherwise now, as long as something is wrong anywhere. A topic that moves from one file to another
/// that has a mistake is not taken for one that was taken out.
pub(super) fn merge(previous: Vec<Manifest>, loaded: Loaded) -> Vec<Manifest> {
    let mut declared = loaded.manifests;
    if loaded.problems.is_empty() {
        return declared;
    }
    let same = |a: &Manifest, b: &Manifest| match (a.topic_name(), b.topic_name()) {
        (Some(a), Some(b)) => a == b,
        _ => a.key().0 == "Cluster" && b.key().0 == "Cluster" || a.key() == b.key(),
    };
    let kept: Vec<_> =
        previous.into_iter().filter(|old| !declared.iter().any(|new| same(old, new))).collect();
    declared.extend(kept);
    declared
}

/// The broker configuration of a Cluster's `spec.config`, under what flags set and over the defaults of
/// `gregor dev`.
///
/// # Errors
/// Everything that is wrong, with the line in the Cluster's file.
pub(super) fn configuration(
    cluster: Option<&Manifest>,
    overrides: &[(String, String)],
) -> Result<Config, Vec<Problem>> {
    // The defaults of `gregor dev`, as pairs that flags come after.
    let defaults = Config::default_for_dev();
    let set = table::all().filter_map(|row| match defaults.values().own(row) {
        (Some(value), Source::StaticBroker) => Some((row.name.to_owned(), value.to_owned())),
        _ => None,
    });
    let overrides: Vec<_> = set.chain(overrides.iter().cloned()).collect();
    let (text, file) = match cluster {
        Some(manifest) => (properties(manifest), manifest.file.display().to_string()),
        None => (String::new(), String::new()),
    };
    Config::load(&text, &file, &overrides)
        .map_err(|problems| problems.into_iter().map(|problem| located(cluster, problem)).collect())
}

/// The configuration as a properties file that has each key on the line where the YAML has it: so the
/// configuration's own sentences name the right place.
fn properties(manifest: &Manifest) -> String {
    let Resource::Cluster(cluster) = &manifest.resource else { return String::new() };
    let mut pairs: Vec<_> =
        cluster.spec.config.iter().map(|(key, value)| (config_position(manifest, key), key, value)).collect();
    pairs.sort_by_key(|(position, ..)| *position);
    let mut text = String::new();
    let mut line = 1;
    for (position, key, value) in pairs {
        while line < position.line {
            text.push('\n');
            line += 1;
        }
        text.push_str(&format!("{}={}\n", escaped(key), escaped(&value.to_string())));
        line += 1;
    }
    text
}

fn config_position(manifest: &Manifest, key: &str) -> Position {
    manifest.field_position(&format!("spec.config.{key}"))
}

/// Text as a properties file holds it.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '\n' => escaped.push_str("\\n"),
            '\r' => escaped.push_str("\\r"),
            '\t' => escaped.push_str("\\t"),
            '\\' | ' ' | '=' | ':' | '#' | '!' => escaped.extend(['\\', character]),
            _ => escaped.push(character),
        }
    }
    escaped
}

fn located(cluster: Option<&Manifest>, problem: node::config::Problem) -> Problem {
    let position = match (&problem.origin, cluster) {
        (Origin::File { .. }, Some(manifest)) => Some(config_position(manifest, &problem.key)),
        (_, Some(manifest)) => Some(manifest.position),
        _ => None,
    };
    Problem {
        file: cluster.map(|manifest| manifest.file.clone()).unwrap_or_default(),
        position,
        field: if problem.key.is_empty() {
            "spec.config".to_owned()
        } else {
            format!("spec.config.{}", problem.key)
        },
        reason: match problem.value {
            Some(value) if problem.message.starts_with("must be ") => {
                format!("{}, not {value:?}", problem.message)
            }
            _ => problem.message,
        },
    }
}

/// What the table of topic configuration finds wrong.
fn topic_problems(manifest: &Manifest) -> Vec<Problem> {
    let Resource::Topic(topic) = &manifest.resource else { return Vec::new() };
    let config: BTreeMap<_, _> =
        topic.spec.config.iter().map(|(key, value)| (key.as_str(), value.to_string())).collect();
    let single: Vec<_> = config
        .iter()
        .filter_map(|(key, value)| {
            let reason = topic_config::validate(key, value).err()?;
            Some(manifest.problem(&format!("spec.config.{key}"), reason))
        })
        .collect();
    if !single.is_empty() {
        return single;
    }
    let pairs = config.iter().map(|(key, value)| (*key, value.as_str()));
    let Err(reason) = topic_config::validate_all(pairs) else { return Vec::new() };
    let field = config
        .keys()
        .find(|key| reason.contains(*key))
        .map_or_else(|| "spec.config".to_owned(), |key| format!("spec.config.{key}"));
    vec![manifest.problem(&field, reason)]
}

/// The one Cluster among manifests.
pub(super) fn cluster(manifests: &[Manifest]) -> Option<&Manifest> {
    manifests.iter().find(|manifest| matches!(manifest.resource, Resource::Cluster(_)))
}

/// The topics among manifests.
pub(super) fn topics(manifests: &[Manifest]) -> Vec<DesiredTopic> {
    manifests.iter().filter_map(topic).collect()
}

fn topic(manifest: &Manifest) -> Option<DesiredTopic> {
    let Resource::Topic(topic) = &manifest.resource else { return None };
    let spec = &topic.spec;
    Some(DesiredTopic {
        name: manifest.topic_name()?.to_owned(),
        place: manifest.place(),
        partitions: spec.partitions,
        replication_factor: spec.replication_factor,
        config: spec
            .config
            .iter()
            .map(|(key, value)| (key.clone(), value.to_string().trim().to_owned()))
            .collect(),
        strict: spec.config_policy == ConfigPolicy::Strict,
        adopt: spec.adoption_policy == AdoptionPolicy::Adopt,
        delete: spec.deletion_policy == TopicDeletionPolicy::Delete,
    })
}

/// What a person should know of manifests that are right and do not act in full, one sentence each.
pub(super) fn notices(loaded: &Loaded) -> BTreeSet<String> {
    let mut notices: BTreeSet<String> = loaded.skipped.iter().cloned().collect();
    for manifest in &loaded.manifests {
        let (_, _, name) = manifest.key();
        let place = manifest.place();
        match &manifest.resource {
            Resource::Quota(_) => {
                notices.insert(format!(
                    "{place}: quota {name} is accepted and has no effect: this version has no quotas"
                ));
            }
            Resource::Cluster(cluster) if cluster.spec.replicas != 1 => {
                notices.insert(format!(
                    "{place}: cluster {name} asks for {} brokers; gregor dev runs one in this version",
                    cluster.spec.replicas
                ));
            }
            Resource::Topic(topic) => {
                if let Some(factor) = topic.spec.replication_factor.filter(|factor| *factor > 1) {
                    notices.insert(format!(
                        "{place}: topic {} asks for {factor} replicas; with one broker each partition has one",
                        manifest.topic_name().unwrap_or(name)
                    ));
                }
            }
            Resource::Cluster(_) => {}
        }
    }
    notices
}

//! Which crate may depend on which: DESIGN section 1, read from the manifests.

use std::collections::BTreeMap;

use super::tree::{output, report};

/// Crates of ours with those of ours that they may be built on. `protocol` stands for the bottom that all
/// others may use where their own chain leads there anyway.
const MAY_USE: &[(&str, &[&str])] = &[
    ("broker", &["node", "client", "operator-api", "machines", "storage", "protocol"]),
    ("node", &["machines", "storage", "protocol"]),
    ("machines", &["protocol"]),
    ("storage", &["protocol"]),
    ("client", &["protocol"]),
    ("protocol", &["protocol-derive"]),
    ("protocol-derive", &[]),
    ("sim", &["node", "machines", "storage", "protocol"]),
    ("fuzz", &["node", "machines", "storage", "protocol"]),
    ("operator", &["operator-api", "client", "protocol"]),
    ("operator-api", &[]),
    ("e2e", &["client", "operator-api", "protocol"]),
];
/// What the inner crates must not even know of.
const OUTER: &[&str] = &["tokio", "axum", "rustls", "clap", "kube", "tracing-subscriber"];
const INNER: &[&str] = &["node", "machines", "storage", "protocol"];

struct Dependency {
    of: String,
    name: String,
    development: bool,
    features: Vec<String>,
}

fn dependencies() -> Vec<Dependency> {
    let text = output("cargo", &["metadata", "--format-version", "1", "--no-deps", "--locked", "--offline"]);
    let metadata: serde_json::Value = serde_json::from_str(&text).expect("cargo writes JSON");
    let mut dependencies = Vec::new();
    for package in metadata["packages"].as_array().expect("packages") {
        for dependency in package["dependencies"].as_array().expect("dependencies") {
            let text = |value: &serde_json::Value| value.as_str().unwrap_or_default().to_owned();
            dependencies.push(Dependency {
                of: text(&package["name"]),
                name: text(&dependency["name"]),
                development: dependency["kind"] == "dev",
                features: dependency["features"].as_array().into_iter().flatten().map(text).collect(),
            });
        }
    }
    dependencies
}

fn forbidden(dependencies: &[Dependency]) -> Vec<String> {
    let may_use: BTreeMap<&str, &[&str]> = MAY_USE.iter().copied().collect();
    let mut found = Vec::new();
    for dependency in dependencies {
        let Some(allowed) = may_use.get(dependency.of.as_str()) else {
            found.push(format!("{} is no crate that this rule knows", dependency.of));
            continue;
        };
        let ours = may_use.contains_key(dependency.name.as_str());
        if ours && !dependency.development && !allowed.contains(&dependency.name.as_str()) {
            found.push(format!("{} > {}", dependency.of, dependency.name));
        }
        let inner = INNER.contains(&dependency.of.as_str()) || dependency.of == "sim";
        if inner && !dependency.development && OUTER.contains(&dependency.name.as_str()) {
            found.push(format!("{} > {}", dependency.of, dependency.name));
        }
    }
    found
}

#[test]
fn arrows_point_inwards() {
    report("a dependency that the layout forbids", &forbidden(&dependencies()));
}

#[test]
fn a_wrong_arrow_is_seen() {
    let found = |of: &str, name: &str, development| {
        let (of, name) = (of.to_owned(), name.to_owned());
        !forbidden(&[Dependency { of, name, development, features: Vec::new() }]).is_empty()
    };
    assert!(found("machines", "storage", false));
    assert!(found("node", "tokio", false));
    assert!(found("operator", "broker", false));
    assert!(found("newcomer", "anything", false));
    assert!(!found("node", "storage", false));
    assert!(!found("protocol", "tokio", true));
}

#[test]
fn the_crd_types_bring_no_client() {
    let allowed = ["derive", "cel"];
    let found: Vec<String> = dependencies()
        .into_iter()
        .filter(|dependency| {
            dependency.of == "operator-api" && dependency.name == "kube" && !dependency.development
        })
        .flat_map(|dependency| dependency.features)
        .filter(|feature| !allowed.contains(&feature.as_str()))
        .collect();
    report("operator-api takes kube's derive and cel alone", &found);
}

#[test]
fn the_broker_links_no_client_of_kubernetes() {
    let tree = output(
        "cargo",
        &["tree", "--package", "broker", "--edges", "normal", "--prefix", "none", "--locked", "--offline"],
    );
    let found: Vec<String> = tree
        .lines()
        .filter(|line| {
            ["kube-client ", "kube-runtime ", "openssl-sys "].iter().any(|name| line.starts_with(name))
        })
        .map(str::to_owned)
        .collect();
    report("the broker links this", &found);
}

#[test]
fn recorded_decoders_stay_in_tests() {
    let found: Vec<String> = dependencies()
        .into_iter()
        .filter(|dependency| dependency.name == "kafka-protocol" && !dependency.development)
        .map(|dependency| dependency.of)
        .collect();
    report("kafka-protocol allocates what a peer announces: only tests may decode with it", &found);
}

//! Golden children: operator/testdata/children/NAME.yaml holds a Cluster and, after it, all that is made of
//! it. `UPDATE=1 cargo test -p operator golden` writes them anew.

use std::fmt::Write as _;
use std::path::PathBuf;

use operator_api::Cluster;
use serde::Deserialize as _;

use super::super::validate::validate;
use super::*;

fn parts() -> Parts {
    Parts {
        owner: OwnerReference {
            api_version: "gregor.dev/v1alpha1".into(),
            kind: "Cluster".into(),
            name: "demo".into(),
            uid: "1-2-3".into(),
            controller: Some(true),
            block_owner_deletion: Some(true),
        },
        image: Image { name: "gregor:0.1.0".into(), origin: "version 0.1.0".into() },
        config_text: String::new(),
        config_hash: "0123456789abcdef".into(),
        claim_size: None,
    }
}

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("testdata/children")
}

#[test]
fn golden_children() {
    let mut seen = 0;
    for entry in std::fs::read_dir(folder()).unwrap() {
        let path = entry.unwrap().path();
        let text = std::fs::read_to_string(&path).unwrap();
        let first = serde_yaml::Deserializer::from_str(&text).next().unwrap();
        let cluster = Cluster::deserialize(first).unwrap();
        let given = text.split("\n---\n").next().unwrap().trim_end().to_owned();
        let (desired, refusal) = validate(&cluster).unwrap();
        assert_eq!(refusal, None, "{}", path.display());
        let parts = Parts { config_text: properties::text(&desired, &desired.config), ..parts() };
        let children = children(&desired, &parts);
        let mut wanted = given;
        let mut add = |yaml: serde_yaml::Result<String>| {
            let _ = write!(wanted, "\n---\n{}", yaml.unwrap().trim_end());
        };
        add(serde_yaml::to_string(&children.headless));
        add(serde_yaml::to_string(&children.bootstrap));
        add(serde_yaml::to_string(&children.config_map));
        add(serde_yaml::to_string(&children.budget));
        add(serde_yaml::to_string(&children.stateful_set));
        if desired.pod_monitor {
            add(serde_yaml::to_string(&pod_monitor(&desired, &parts)));
        }
        wanted.push('\n');
        if std::env::var_os("UPDATE").is_some() {
            std::fs::write(&path, &wanted).unwrap();
        }
        let on_disk = std::fs::read_to_string(&path).unwrap();
        assert!(on_disk == wanted, "{} is stale: UPDATE=1 cargo test -p operator golden", path.display());
        seen += 1;
    }
    assert!(seen >= 2, "the golden files are missing");
}

#[test]
fn an_upgrade_of_the_operator_keeps_the_brokers_image() {
    let cluster = super::super::validate::tests::cluster(serde_json::json!({}));
    let (mut desired, _) = validate(&cluster).unwrap();
    let made = Image::of(&desired, "gregor:1", None, false);
    assert_eq!(made.name, "gregor:1");
    let live = children(&desired, &Parts { image: made.clone(), ..parts() }).stateful_set;
    assert_eq!(Image::of(&desired, "gregor:2", Some(&live), false), made);
    // One that cannot be had is not kept.
    assert_eq!(Image::of(&desired, "gregor:2", Some(&live), true).name, "gregor:2");
    desired.image = Some("mine:1".into());
    let mine = Image::of(&desired, "gregor:2", Some(&live), false);
    assert_eq!(mine.name, "mine:1");
    let live = children(&desired, &Parts { image: mine, ..parts() }).stateful_set;
    desired.image = None;
    assert_eq!(Image::of(&desired, "gregor:2", Some(&live), false).name, "gregor:2");
    desired.version = "0.2.0".into();
    assert_eq!(Image::of(&desired, "gregor:3", Some(&live), false).name, "gregor:3");
    // A version that is held, and whose StatefulSet somebody deleted.
    assert_eq!(Image::of(&desired, "host:5000/gregor:0.1.0", None, false).name, "host:5000/gregor:0.2.0");
    assert_eq!(Image::of(&desired, "host:5000/gregor", None, false).name, "host:5000/gregor");
}

#[test]
fn digests_tell_parts_apart() {
    assert_eq!(digest(["ab", "c"]), digest(["ab", "c"]));
    assert_ne!(digest(["ab", "c"]), digest(["a", "bc"]));
    assert_eq!(digest([]).len(), 16);
}

//! What is planned, and one run of it all against a broker on a temporary folder, without sockets.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use node::config::Source;
use node::{Config, Effects, Node};
use storage::disk::RealDisk;

use super::apply::Applier;
use super::in_process::{Bell, Client};
use super::plan::{self, Action, DesiredTopic, ObservedTopic};
use super::{configuration, observe};
use crate::clock::Clock;
use crate::shell::Shell;

fn config(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
}

fn desired(partitions: i32, pairs: &[(&str, &str)]) -> DesiredTopic {
    DesiredTopic {
        name: "orders".to_owned(),
        place: "a.yaml:1".to_owned(),
        partitions: Some(partitions),
        replication_factor: None,
        config: config(pairs),
        strict: true,
        adopt: true,
        delete: true,
    }
}

fn observed(partitions: i32, pairs: &[(&str, &str)]) -> BTreeMap<String, ObservedTopic> {
    BTreeMap::from([("orders".to_owned(), ObservedTopic { partitions, config: config(pairs) })])
}

fn planned(desired: &DesiredTopic, observed: &BTreeMap<String, ObservedTopic>) -> Vec<Action> {
    plan::topics(std::slice::from_ref(desired), observed, &BTreeMap::new())
}

fn change(key: &str, value: Option<&str>) -> plan::Change {
    (key.to_owned(), value.map(str::to_owned))
}

#[test]
fn a_topic_is_created_grown_and_left_alone() {
    let topic = || "orders".to_owned();
    let wanted = desired(3, &[]);
    assert_eq!(planned(&wanted, &BTreeMap::new()), [Action::Create(wanted.clone())]);
    assert_eq!(planned(&wanted, &observed(3, &[])), [Action::Keep { topic: topic() }]);
    assert_eq!(planned(&wanted, &observed(1, &[])), [Action::Grow { topic: topic(), from: 1, to: 3 }]);
    let [Action::Leave(sentence)] = &planned(&wanted, &observed(6, &[]))[..] else {
        panic!("partitions shrink")
    };
    assert_eq!(
        sentence,
        "a.yaml:1: topic orders keeps its 6 partitions: 3 are declared, and a topic's partitions are never removed"
    );
}

#[test]
fn settings_follow_the_policy() {
    let there = [("a", "1"), ("b", "1"), ("leader.replication.throttled.replicas", "*")];
    let mut wanted = desired(3, &[("b", "2"), ("c", "3")]);
    let configured = |topic: &DesiredTopic| match planned(topic, &observed(3, &there)).remove(0) {
        Action::Configure { changes, .. } => changes,
        other => panic!("{other:?}"),
    };
    let set = [change("b", Some("2")), change("c", Some("3"))];
    assert_eq!(configured(&wanted), [&set[..], &[change("a", None)]].concat());
    wanted.strict = false;
    assert_eq!(configured(&wanted), set);
}

#[test]
fn policies_decide_on_topics_of_others_and_on_those_taken_out() {
    let mut foreign = desired(9, &[]);
    foreign.adopt = false;
    let is_left = |actions: &[Action], expected: &str| matches!(actions, [Action::Leave(sentence)] if sentence.contains(expected));
    assert!(is_left(&planned(&foreign, &observed(3, &[])), "adoptionPolicy is Never"));
    let own = BTreeMap::from([("orders".to_owned(), true)]);
    let grow = Action::Grow { topic: "orders".to_owned(), from: 3, to: 9 };
    assert_eq!(plan::topics(&[foreign], &observed(3, &[]), &own), [grow], "created by this run");
    let delete = Action::Delete { topic: "orders".to_owned() };
    assert_eq!(plan::topics(&[], &observed(3, &[]), &own), [delete]);
    let retained = BTreeMap::from([("orders".to_owned(), false)]);
    assert!(is_left(&plan::topics(&[], &observed(3, &[]), &retained), "Retain"));
    assert!(is_left(&plan::topics(&[], &BTreeMap::new(), &own), "gone already"));
    assert_eq!(plan::topics(&[], &observed(3, &[]), &BTreeMap::new()), [], "nobody declared it");
}

#[test]
fn broker_settings_are_set_taken_back_or_left_for_the_next_start() {
    let of = |pairs: &[(&str, &str)]| {
        let pairs: Vec<_> = pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        Config::dev(&pairs).unwrap()
    };
    let started = of(&[("log.retention.ms", "1000")]);
    let declared = of(&[("log.retention.ms", "2000"), ("log.retention.hours", "9")]);
    let at_restart = vec![change("log.retention.hours", Some("9"))];
    let plan = plan::broker(started.values(), declared.values(), &BTreeMap::new());
    assert_eq!(plan.changes, [change("log.retention.ms", Some("2000"))]);
    assert_eq!(plan.at_restart, at_restart);
    let set = BTreeMap::from([change("log.retention.ms", Some("2000"))]);
    assert_eq!(plan::broker(started.values(), declared.values(), &set).changes, []);
    let back = plan::broker(started.values(), started.values(), &set);
    assert_eq!((back.changes, back.at_restart), (vec![change("log.retention.ms", None)], vec![]));
}

const CLUSTER: &str = "apiVersion: gregor.dev/v1alpha1
kind: Cluster
metadata: {name: demo}
spec:
  replicas: 3
  config:
";

fn topic(name: &str, spec: &str) -> String {
    format!(
        "---\napiVersion: gregor.dev/v1alpha1\nkind: Topic\nmetadata: {{name: {name}}}\nspec:\n  \
         clusterRef: {{name: demo}}\n{spec}"
    )
}

/// A broker over a folder, and what applies files to it.
struct World {
    files: tempfile::TempDir,
    shell: Arc<Shell>,
    applier: Applier,
    client: Client,
    _runtime: tokio::runtime::Runtime,
    _data: tempfile::TempDir,
}

impl World {
    fn start(files: &[(&str, &str)]) -> Self {
        let (data, folder) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        write(folder.path(), files);
        let paths = vec![folder.path().to_owned()];
        let overrides = vec![("log.dirs".to_owned(), data.path().join("log").display().to_string())];
        let config = configuration(&paths, &overrides).unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let (clock, mut effects) = (Clock::new(), Effects::default());
        let disk = Arc::new(RealDisk);
        let node = Node::open(clock.now(), config.clone(), disk, 1, &mut effects).unwrap();
        let shell = Shell::start(node, clock, runtime.handle().clone(), effects).unwrap();
        let bell = Arc::new(Bell::default());
        let client = Client::new(Arc::clone(&shell), Arc::clone(&bell));
        for _ in 0..6_000 {
            if client.is_ready() {
                break;
            }
            assert!(bell.sleep(Duration::from_millis(5)));
        }
        assert!(client.is_ready(), "the broker is not ready after 30 s");
        let applier = Applier::new(paths, overrides, config);
        Self { files: folder, shell, applier, client, _runtime: runtime, _data: data }
    }

    fn round(&mut self) -> Vec<String> {
        let mut lines = Vec::new();
        self.applier.round(&mut self.client, &mut |line| lines.push(line.to_owned())).unwrap();
        let prefix = format!("{}/", self.files.path().display());
        lines.into_iter().map(|line| line.replace(&prefix, "")).collect()
    }

    fn change(&mut self, files: &[(&str, &str)]) -> Vec<String> {
        write(self.files.path(), files);
        self.round()
    }

    fn topic(&mut self, name: &str) -> Option<ObservedTopic> {
        observe::topics(&mut self.client, std::iter::once(name)).unwrap().remove(name)
    }
}

impl Drop for World {
    fn drop(&mut self) {
        self.shell.stop();
    }
}

fn write(folder: &Path, files: &[(&str, &str)]) {
    for (name, text) in files {
        fs::write(folder.join(name), text).unwrap();
    }
}

#[test]
fn files_are_applied_and_their_changes_too() {
    let cluster = format!("{CLUSTER}    log.retention.ms: 5000\n");
    let orders = topic("orders", "  partitions: 2\n  config: {retention.ms: 1000, cleanup.policy: delete}\n");
    let kept = topic("kept", "  partitions: 1\n  deletionPolicy: Retain\n");
    let mut world = World::start(&[("a.yaml", &cluster), ("b.yaml", &orders), ("c.yaml", &kept)]);
    assert_eq!(world.shell.node.config().log_retention_ms, Some(5000), "the Cluster's configuration");
    assert_eq!(
        world.round(),
        [
            "topic orders created: 2 partitions, cleanup.policy=delete, retention.ms=1000",
            "topic kept created: 1 partition",
            "a.yaml:1: cluster demo asks for 3 brokers; gregor dev runs one in this version",
        ]
    );
    assert_eq!(world.round(), ["the files changed; all is as declared"]);

    let grown = topic("orders", "  partitions: 4\n  config: {retention.ms: 2000}\n");
    assert_eq!(
        world.change(&[("b.yaml", &grown)]),
        [
            "topic orders has 4 partitions now, was 2",
            "topic orders: retention.ms=2000 (was 1000), cleanup.policy back to its default (was delete)",
        ]
    );
    let there = world.topic("orders").unwrap();
    assert_eq!(there, ObservedTopic { partitions: 4, config: config(&[("retention.ms", "2000")]) });

    let cluster = format!("{CLUSTER}    log.retention.ms: 6000\n    log.retention.hours: 7\n");
    assert_eq!(
        world.change(&[("a.yaml", &cluster)]),
        [
            "broker: log.retention.ms=6000",
            "broker: log.retention.hours=7 takes effect when gregor dev starts again",
        ]
    );
    let config = world.shell.node.config();
    assert_eq!(config.log_retention_ms, Some(6000));
    let row = node::config::table::find("log.retention.ms").unwrap();
    assert_eq!(config.values().own(row), (Some("6000"), Source::DynamicBroker));
}

#[test]
fn a_mistake_stops_nothing_and_deletes_nothing() {
    let cluster = format!("{CLUSTER}    num.partitions: 2\n");
    let (orders, kept) = (topic("orders", ""), topic("kept", "  deletionPolicy: Retain\n"));
    let mut world = World::start(&[("a.yaml", &cluster), ("b.yaml", &orders), ("c.yaml", &kept)]);
    assert_eq!(world.round().len(), 3);
    let bad = "spec.config.retention.ms";
    fs::remove_file(world.files.path().join("b.yaml")).unwrap();
    let lines = world.change(&[("c.yaml", &topic("kept", "  config:\n    retention.ms: soon\n"))]);
    assert!(lines[0].starts_with(&format!("c.yaml:8:19: {bad}: ")), "{lines:?}");
    assert_eq!(lines.len(), 2, "{lines:?}");
    assert!(world.topic("orders").is_some(), "nothing is deleted while a file is wrong");

    let lines = world.change(&[("c.yaml", &kept)]);
    let deleted = "topic orders deleted with its data: it is no longer declared (deletionPolicy Delete)";
    assert_eq!(lines, [deleted]);
    assert!(world.topic("orders").is_none());
    fs::remove_file(world.files.path().join("c.yaml")).unwrap();
    let lines = world.round();
    assert!(lines.len() == 1 && lines[0].contains("Retain"), "{lines:?}");
    assert!(world.topic("kept").is_some());
}

#[test]
fn a_start_is_refused_with_every_place() {
    let folder = tempfile::tempdir().unwrap();
    let refused = |text: &str, overrides: &[(String, String)]| {
        write(folder.path(), &[("a.yaml", text)]);
        let report = configuration(&[folder.path().to_owned()], overrides).err().unwrap_or_default();
        report.replace(&format!("{}/", folder.path().display()), "")
    };
    let cluster = format!("{CLUSTER}    log.retention.ms: soon\n    num.partitons: 3\n");
    assert_eq!(
        refused(&cluster, &[]),
        "gregor: a.yaml:7:23: spec.config.log.retention.ms: must be a whole number of at least -1, not \"soon\"\n\
         gregor: a.yaml:8:20: spec.config.num.partitons: unknown key; did you mean num.partitions?\n"
    );
    assert_eq!(refused(&format!("{CLUSTER}    num.partitions: 3\n"), &[]), "");
    let flag = [("num.partitions".to_owned(), "5".to_owned())];
    write(folder.path(), &[("a.yaml", &format!("{CLUSTER}    num.partitions: 3\n"))]);
    let config = configuration(&[folder.path().to_owned()], &flag).unwrap();
    assert_eq!(config.num_partitions, 5, "flags win");
}

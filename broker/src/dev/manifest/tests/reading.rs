//! How files are read: kinds, defaults, places of problems, and how many of them.

use super::*;

#[test]
fn examples_load_with_defaults() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../manifests/examples");
    let loaded = load(&[folder.into()], &[]);
    assert_eq!(loaded.problems, []);
    let names: Vec<_> = loaded.manifests.iter().map(|m| m.key().2.to_owned()).collect();
    assert_eq!(names, ["demo", "orders", "customers"]);
    let Resource::Cluster(cluster) = &loaded.manifests[0].resource else { panic!("a Cluster first") };
    assert_eq!(cluster.spec.replicas, 1);
    assert_eq!(cluster.spec.listeners[0].port, 9092);
    assert_eq!(cluster.spec.config["auto.create.topics.enable"].to_string(), "false");
    let again = load(&[folder.into()], &loaded.manifests);
    assert_eq!(again.problems, []);
}

#[test]
fn defaults_reach_every_level() {
    let text = cluster(
        "  replicas: 1\n  storage: {retentionPolicy: {whenScaled: Retain}}\n  listeners:\n  \
         - {name: a, port: 9092}\n",
    );
    let (loaded, problems) = load_files(&[("a.yaml", &text)], &[]);
    assert_eq!(problems, [""; 0]);
    let Resource::Cluster(cluster) = &loaded.manifests[0].resource else { panic!("a Cluster") };
    let expected: operator_api::ClusterSpec = serde_json::from_value(serde_json::json!({
        "replicas": 1,
        "storage": {"retentionPolicy": {"whenScaled": "Retain"}},
        "listeners": [{"name": "a", "port": 9092}],
    }))
    .unwrap();
    assert_eq!(cluster.spec, expected);
    assert_eq!(cluster.spec.storage.volumes[0].size.0, "10Gi");
}

#[test]
fn what_shows_when_applied_has_its_place() {
    let text = topic("  config:\n    retention.ms: 1\n    retention: 2\n");
    let (loaded, _) = load_files(&[("a.yaml", &text)], &[]);
    let told = |field: &str| {
        let problem = loaded.manifests[0].problem(field, "is wrong").to_string();
        problem.rsplit_once("a.yaml").unwrap().1.to_owned()
    };
    assert_eq!(told("spec.config.retention.ms"), ":7:19: spec.config.retention.ms: is wrong");
    assert_eq!(told("spec.config.retention"), ":8:16: spec.config.retention: is wrong");
    assert_eq!(told("spec.partitions"), ":4:1: spec.partitions: is wrong");
    assert_eq!(told(""), ":1:1: is wrong");
}

#[test]
fn all_problems_of_a_file_come_at_once() {
    refuses(
        "apiVersion: gregor.dev/v1alpha1\n\
         kind: Topic\n\
         metadata:\n\
         \x20 name: Orders\n\
         \x20 lables: {}\n\
         spec:\n\
         \x20 topicName: __orders\n\
         \x20 partitons: 3\n\
         \x20 replicationFactor: many\n\
         ---\n\
         apiVersion: gregor.dev/v1alpha1\n\
         kind: Topic\n\
         metadata: {name: other}\n\
         spec: {clusterRef: {}, partitions: 0}\n",
        &[
            "a.yaml:4:9: metadata.name: must be at most 253 lower-case letters, digits and hyphens, in parts \
             joined by dots, not \"Orders\"",
            "a.yaml:5:3: metadata.lables: is not a known field; did you mean labels?",
            "a.yaml:6:1: spec.clusterRef: is required",
            "a.yaml:7:14: spec.topicName: cannot start with \"__\": such names belong to internal topics",
            "a.yaml:8:3: spec.partitons: is not a known field; did you mean partitions?",
            "a.yaml:9:22: spec.replicationFactor: must be a whole number, not \"many\"",
            "a.yaml:14:8: spec.clusterRef.name: is required",
            "a.yaml:14:36: spec.partitions: must be at least 1, not 0",
        ],
    );
}

#[test]
fn kinds_are_told_apart() {
    let (loaded, problems) = load_files(
        &[
            ("a.yaml", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: x}\n---\n"),
            ("b.yml", &cluster("  replicas: 1\n")),
            ("c.txt", "{"),
        ],
        &[],
    );
    assert_eq!(problems, [""; 0]);
    assert_eq!(loaded.manifests.len(), 1);
    let [skipped] = loaded.skipped.as_slice() else { panic!("one line") };
    assert!(
        skipped.ends_with(
            "a.yaml:1:1: ConfigMap of v1 is skipped: gregor dev takes the kinds of gregor.dev only"
        ),
        "{skipped}"
    );
    refuses(
        "apiVersion: gregor.dev/v1alpha1\nkind: Broker\n",
        &["a.yaml:2:7: kind: must be Cluster, Topic or Quota, not \"Broker\""],
    );
    refuses(
        "apiVersion: gregor.dev/v1\nkind: Topic\n",
        &["a.yaml:1:13: apiVersion: must be gregor.dev/v1alpha1, not \"gregor.dev/v1\""],
    );
    refuses("kind: Topic\n", &["a.yaml:1:1: apiVersion: is required"]);
    refuses("apiVersion: 1\nkind: Topic\n", &["a.yaml:1:13: apiVersion: must be a string"]);
    refuses("- 1\n", &["a.yaml:1:1: is not a resource: a map with apiVersion and kind"]);
    refuses(
        "apiVersion: gregor.dev/v1alpha1\nkind: Topic\n",
        &["a.yaml:1:1: metadata: is required", "a.yaml:1:1: spec: is required"],
    );
    let list =
        format!("apiVersion: v1\nkind: List\nitems:\n- {}", cluster("  replicas: 1\n").replace('\n', "\n  "));
    let (loaded, problems) = load_files(&[("a.yaml", &list)], &[]);
    assert_eq!(problems, [""; 0]);
    assert_eq!(loaded.manifests.len(), 1);
}

#[test]
fn unreadable_files_are_problems() {
    refuses("a: [1\n", &["a.yaml:2:1: not YAML: while parsing a flow sequence, expected ',' or ']'"]);
    refuses(
        "apiVersion: gregor.dev/v1alpha1\nkind: Topic\nkind: Topic\n",
        &[
            "a.yaml:1:1: metadata: is required",
            "a.yaml:1:1: spec: is required",
            "a.yaml:3:1: the key \"kind\" stands at 2:1 already",
        ],
    );
    let folder = tempfile::tempdir().unwrap();
    let missing = folder.path().join("missing.yaml");
    let loaded = load(&[folder.path().to_owned(), missing.clone()], &[]);
    let problems: Vec<_> = loaded.problems.iter().map(ToString::to_string).collect();
    assert_eq!(
        problems,
        [
            format!("{}: has no .yaml or .yml file", folder.path().display()),
            format!("{}: cannot be read: No such file or directory (os error 2)", missing.display()),
        ]
    );
    fs::write(&missing, b"a: \xff").unwrap();
    let loaded = load(std::slice::from_ref(&missing), &[]);
    assert_eq!(loaded.problems[0].reason, "is not UTF-8 text");
    fs::write(&missing, vec![b' '; (4 << 20) + 1]).unwrap();
    let loaded = load(std::slice::from_ref(&missing), &[]);
    assert_eq!(loaded.problems[0].reason, "has more than 4 MiB");
}

#[test]
fn what_is_too_long_is_not_put_to_rules() {
    let listeners: String = (0..3_000).map(|i| format!("  - {{name: l{i}, port: 9092}}\n")).collect();
    refuses(
        &cluster(&format!("  listeners:\n{listeners}")),
        &["a.yaml:6:5: spec.listeners: can have at most 8 items, and has 3000"],
    );
}

#[test]
fn problems_of_a_file_are_bounded() {
    let unknown: String = (0..300).map(|i| format!("  unknown{i}: 1\n")).collect();
    let (_, problems) = load_files(&[("a.yaml", &topic(&unknown))], &[]);
    assert_eq!(problems.len(), 101);
    let documents = format!("{}---\n", topic("  partitions: 0\n")).repeat(300);
    let (_, problems) = load_files(&[("a.yaml", &documents)], &[]);
    assert_eq!(problems.len(), 101);
    assert_eq!(problems[100], "a.yaml: may have more than these 100 problems");
}

#[test]
fn what_is_declared_twice_is_refused_with_both_places() {
    let one = topic("").replace("name: orders", "name: one");
    let two = topic("  topicName: one\n").replace("name: orders", "name: two");
    let (loaded, problems) = load_files(&[("a.yaml", &one), ("b.yaml", &two)], &[]);
    let [problem] = problems.as_slice() else { panic!("{problems:?}") };
    assert!(
        problem.starts_with("b.yaml:6:14: spec.topicName: the topic \"one\" is declared at "),
        "{problem}"
    );
    assert!(problem.ends_with("a.yaml:3 already"), "{problem}");
    assert_eq!(loaded.manifests.len(), 1, "the first one stays");

    let both =
        format!("{}---\n{}", cluster("  replicas: 1\n"), cluster("  replicas: 1\n").replace("demo", "b"));
    let (_, problems) = load_files(&[("a.yaml", &both)], &[]);
    assert_eq!(problems, ["a.yaml:8:7: kind: the one Cluster of gregor dev is declared at a.yaml:2 already"]);

    let (_, problems) = load_files(
        &[("a.yaml", &cluster("  replicas: 1\n").replace("demo", "b")), ("b.yaml", &topic(""))],
        &[],
    );
    assert_eq!(
        problems,
        ["b.yaml:5:22: spec.clusterRef.name: there is no Cluster \"demo\" in namespace \"default\"; \
          a.yaml:1 declares \"b\" in \"default\""]
    );
}

#[test]
fn a_refused_file_keeps_what_it_declared() {
    let before = load_files(&[("a.yaml", &topic(""))], &[]).0.manifests;
    let folder = before[0].file.parent().unwrap().to_owned();
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join("a.yaml"), topic("  partitions: 0\n")).unwrap();
    fs::write(folder.join("b.yaml"), topic("")).unwrap();
    let loaded = load(std::slice::from_ref(&folder), &before);
    fs::remove_dir_all(&folder).unwrap();
    let reasons: Vec<_> = loaded.problems.iter().map(|p| p.reason.as_str()).collect();
    assert_eq!(reasons[0], "must be at least 1, not 0");
    assert!(
        reasons[1].starts_with("Topic \"orders\" of namespace \"default\" is declared at "),
        "{reasons:?}"
    );
    assert_eq!(loaded.manifests.len(), 0);
}

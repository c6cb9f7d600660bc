//! Every rule of every kind, broken once, with the line that a person reads.

use std::fs;

use super::{Loaded, Manifest, Resource, load};

/// Loads files of these names and texts from a folder; the folder's path is cut from what is told.
fn load_files(files: &[(&str, &str)], previous: &[Manifest]) -> (Loaded, Vec<String>) {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in files {
        fs::write(folder.path().join(name), text).unwrap();
    }
    let loaded = load(&[folder.path().to_owned()], previous);
    let prefix = format!("{}/", folder.path().display());
    let problems = loaded.problems.iter().map(|p| p.to_string().replace(&prefix, "")).collect();
    (loaded, problems)
}

#[track_caller]
fn refuses(text: &str, expected: &[&str]) {
    let (loaded, problems) = load_files(&[("a.yaml", text)], &[]);
    assert_eq!(problems, expected, "\n{text}");
    assert!(loaded.manifests.is_empty(), "a file with a problem applies nothing");
}

/// Applies `before`, then `after`.
#[track_caller]
fn refuses_change(before: &str, after: &str, expected: &[&str]) {
    let (loaded, problems) = load_files(&[("a.yaml", before)], &[]);
    assert_eq!(problems, [""; 0], "\n{before}");
    let (_, problems) = load_files(&[("a.yaml", after)], &loaded.manifests);
    assert_eq!(problems, expected, "\n{after}");
    let (_, problems) = load_files(&[("a.yaml", before)], &loaded.manifests);
    assert_eq!(problems, [""; 0], "the same again is no change");
}

fn topic(spec: &str) -> String {
    format!(
        "apiVersion: gregor.dev/v1alpha1\nkind: Topic\nmetadata: {{name: orders}}\nspec:\n  \
         clusterRef: {{name: demo}}\n{spec}"
    )
}

fn cluster(spec: &str) -> String {
    format!("apiVersion: gregor.dev/v1alpha1\nkind: Cluster\nmetadata: {{name: demo}}\nspec:\n{spec}")
}

fn quota(spec: &str) -> String {
    format!(
        "apiVersion: gregor.dev/v1alpha1\nkind: Quota\nmetadata: {{name: app}}\nspec:\n  \
         clusterRef: {{name: demo}}\n{spec}"
    )
}

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
fn topic_rules() {
    for (spec, expected) in [
        (
            "  topicName: a b\n",
            "6:14: spec.topicName: may hold letters, digits, dot, underscore and hyphen only",
        ),
        ("  topicName: ..\n", "6:14: spec.topicName: cannot be \".\" or \"..\""),
        (
            "  topicName: __x\n",
            "6:14: spec.topicName: cannot start with \"__\": such names belong to internal topics",
        ),
        ("  topicName: ''\n", "6:14: spec.topicName: cannot be empty"),
        ("  topicName: 5\n", "6:14: spec.topicName: must be a string, not 5: put it in quotes"),
        ("  partitions: 10001\n", "6:15: spec.partitions: must be at most 10000, not 10001"),
        ("  partitions: 1.5\n", "6:15: spec.partitions: must be a whole number, not 1.5"),
        ("  replicationFactor: 101\n", "6:22: spec.replicationFactor: must be at most 100, not 101"),
        ("  configPolicy: strict\n", "6:17: spec.configPolicy: must be Strict or Merge, not \"strict\""),
        ("  adoptionPolicy: X\n", "6:19: spec.adoptionPolicy: must be Adopt or Never, not \"X\""),
        ("  deletionPolicy: X\n", "6:19: spec.deletionPolicy: must be Delete or Retain, not \"X\""),
        (
            "  config:\n    retention.ms: [1]\n",
            "7:19: spec.config.retention.ms: must be a string, a number or a boolean, not a list",
        ),
        (
            "  config: {retention.ms: }\n",
            "6:24: spec.config.retention.ms: must be a string, a number or a boolean, not nothing",
        ),
        ("  config: [1]\n", "6:11: spec.config: must be a map, not a list"),
    ] {
        refuses(&topic(spec), &[&format!("a.yaml:{expected}")]);
    }
    let keys: String = (0..65).map(|i| format!("    k{i}: 1\n")).collect();
    refuses(
        &topic(&format!("  config:\n{keys}")),
        &["a.yaml:7:5: spec.config: can have at most 64 keys, and has 65"],
    );
    refuses(
        &topic(&format!("  topicName: {}\n", "x".repeat(250))),
        &["a.yaml:6:14: spec.topicName: can have at most 249 characters, and has 250"],
    );
    refuses(
        &topic("").replace("orders", &"x".repeat(250)),
        &["a.yaml:1:1: a topic's name has at most 249 characters: give spec.topicName"],
    );
}

#[test]
fn topic_changes() {
    let down = "a.yaml:6:15: spec.partitions: cannot go down: a topic's partitions are never removed";
    refuses_change(&topic("  partitions: 3\n"), &topic("  partitions: 2\n"), &[down]);
    refuses_change(
        &topic("  partitions: 3\n"),
        &topic(""),
        &["a.yaml:4:1: spec.partitions: cannot be taken back once it was given: a topic's partitions are \
           never removed"],
    );
    let name = "spec.topicName: cannot change: create another Topic for another name";
    refuses_change(
        &topic("  topicName: a\n"),
        &topic("  topicName: b\n"),
        &[&format!("a.yaml:6:14: {name}")],
    );
    refuses_change(&topic("  topicName: a\n"), &topic(""), &[&format!("a.yaml:4:1: {name}")]);
    refuses_change(&topic(""), &topic("  topicName: a\n"), &[&format!("a.yaml:6:14: {name}")]);
    refuses_change(
        &topic(""),
        &topic("").replace("demo", "prod"),
        &["a.yaml:5:15: spec.clusterRef: cannot change"],
    );
    let (loaded, _) = load_files(&[("a.yaml", &topic("  partitions: 3\n"))], &[]);
    let (_, problems) = load_files(&[("a.yaml", &topic("  partitions: 4\n"))], &loaded.manifests);
    assert_eq!(problems, [""; 0], "partitions grow");
}

#[test]
fn quota_rules() {
    let limits = "  limits: {producerByteRate: 1}\n";
    for (entity, expected) in [
        ("{}", "6:11: spec.entity: needs one of user, userDefault, clientId, clientIdDefault, ip, ipDefault"),
        ("{user: a, userDefault: true}", "6:11: spec.entity: takes user or userDefault, not both"),
        (
            "{clientId: a, clientIdDefault: true}",
            "6:11: spec.entity: takes clientId or clientIdDefault, not both",
        ),
        ("{userDefault: false}", "6:25: spec.entity.userDefault: is true or left out"),
        ("{clientIdDefault: false}", "6:29: spec.entity.clientIdDefault: is true or left out"),
    ] {
        refuses(&quota(&format!("  entity: {entity}\n{limits}")), &[&format!("a.yaml:{expected}")]);
    }
    let connections = "  limits: {connectionCreationRate: 1}\n";
    for (entity, expected) in [
        ("{ip: 10.0.0.1, ipDefault: true}", "6:11: spec.entity: takes ip or ipDefault, not both"),
        ("{ip: 10.0.0.1, user: a}", "6:11: spec.entity: takes an address alone, without user and client id"),
        ("{ip: 10.0.0.999}", "6:16: spec.entity.ip: must be an IPv4 or IPv6 address"),
        ("{ipDefault: false}", "6:23: spec.entity.ipDefault: is true or left out"),
        ("{user: a}", "7:36: spec.limits.connectionCreationRate: is for an entity with ip or ipDefault"),
    ] {
        refuses(&quota(&format!("  entity: {entity}\n{connections}")), &[&format!("a.yaml:{expected}")]);
    }
    refuses(
        &quota(&format!("  entity: {{ip: '::1'}}\n{limits}")),
        &["a.yaml:7:11: spec.limits: an entity with ip or ipDefault takes connectionCreationRate only"],
    );
    for (limit, expected) in [
        ("{}", "7:11: spec.limits: needs at least one limit"),
        ("{producerByteRate: 0}", "7:30: spec.limits.producerByteRate: must be at least 1, not 0"),
        ("{consumerByteRate: 0}", "7:30: spec.limits.consumerByteRate: must be at least 1, not 0"),
        ("{requestPercentage: 0}", "7:31: spec.limits.requestPercentage: must be above 0"),
        ("{controllerMutationRate: -1.5}", "7:36: spec.limits.controllerMutationRate: must be above 0"),
    ] {
        let text = quota(&format!("  entity: {{user: a}}\n  limits: {limit}\n"));
        refuses(&text, &[&format!("a.yaml:{expected}")]);
    }
    let ip = quota("  entity: {ip: 10.0.0.1}\n  limits: {connectionCreationRate: 0}\n");
    refuses(&ip, &["a.yaml:7:36: spec.limits.connectionCreationRate: must be above 0"]);
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
fn quota_changes() {
    let user = quota("  entity: {user: a}\n  limits: {requestPercentage: 50}\n");
    refuses_change(&user, &user.replace("user: a", "user: b"), &["a.yaml:6:11: spec.entity: cannot change"]);
    refuses_change(&user, &user.replace("demo", "prod"), &["a.yaml:5:15: spec.clusterRef: cannot change"]);
}

#[test]
fn cluster_rules() {
    for (spec, expected) in [
        ("  replicas: 0\n", "5:13: spec.replicas: must be at least 1, not 0"),
        ("  replicas: 1001\n", "5:13: spec.replicas: must be at most 1000, not 1001"),
        ("  controllers: {voters: 2}\n", "5:25: spec.controllers.voters: must be 1, 3 or 5"),
        (
            "  controllers: {voters: 5}\n",
            "5:25: spec.controllers.voters: cannot be more than spec.replicas: each voter is a broker",
        ),
        ("  version: '1'\n", "5:12: spec.version: must be a version of three numbers, as 0.1.0"),
        (
            "  imagePullPolicy: No\n",
            "5:20: spec.imagePullPolicy: must be a string, not false: put it in quotes",
        ),
        (
            "  featureLevel: auto\n",
            "5:17: spec.featureLevel: must be Auto or a level of two numbers, as \"0.1\"",
        ),
        (
            "  tls: {mode: Secret}\n",
            "5:3: spec.tls.secretName: goes with mode Secret, and mode Secret needs it",
        ),
        ("  rack: {}\n", "5:3: spec.rack.topologyKey: is required"),
        ("  monitoring: {podMonitor: 1}\n", "5:28: spec.monitoring.podMonitor: must be true or false, not 1"),
        ("  deletionPolicy: X\n", "5:19: spec.deletionPolicy: must be Retain or Delete, not \"X\""),
        ("  replacement: X\n", "5:16: spec.replacement: must be Manual or Auto, not \"X\""),
        ("  brokers: 3\n", "5:3: spec.brokers: is not a known field"),
        (
            "  pod: {terminationGracePeriodSeconds: 0}\n",
            "5:40: spec.pod.terminationGracePeriodSeconds: must be at least 1, not 0",
        ),
        (
            "  pod: {resources: {limits: {cpu: 1.5}}}\n",
            "5:35: spec.pod.resources.limits.cpu: must be a whole number or a string, not 1.5: \
             put it in quotes",
        ),
    ] {
        refuses(&cluster(spec), &[&format!("a.yaml:{expected}")]);
    }
    refuses(
        &cluster("  replicas: 1\n").replace("demo", &"x".repeat(41)),
        &["a.yaml:1:1: a Cluster's name has at most 40 characters: pods, services and \
           volumes are named after it"],
    );
}

#[test]
fn cluster_listener_rules() {
    for (listeners, expected) in [
        ("[]", "5:14: spec.listeners: cannot be empty"),
        (
            "[{name: A, port: 9092}]",
            "5:22: spec.listeners[0].name: must start with a lower-case letter and hold lower-case letters, \
             digits and hyphens only",
        ),
        (
            "[{name: a, port: 9191}]",
            "5:31: spec.listeners[0].port: cannot be 9090 (HTTP) or 9191 (between brokers)",
        ),
        ("[{name: a, port: 80}]", "5:31: spec.listeners[0].port: must be at least 1024, not 80"),
        (
            "[{name: a, port: 9092}, {name: b, port: 9092}]",
            "5:14: spec.listeners: two listeners cannot have the same port",
        ),
        (
            "[{name: a, port: 9092}, {name: a, port: 9093}]",
            "5:38: spec.listeners[1]: has name \"a\", which spec.listeners[0] has already",
        ),
        (
            "[{name: a, port: 9092, authentication: MTLS}]",
            "5:53: spec.listeners[0].authentication: cannot be MTLS without tls: true",
        ),
        (
            "[{name: a, port: 9092, type: Node}]",
            "5:43: spec.listeners[0].type: must be ClusterIP, NodePort or LoadBalancer, not \"Node\"",
        ),
        (
            "[{name: a, port: 9092, perBroker: {portBase: 31000}}]",
            "5:59: spec.listeners[0].perBroker.portBase: is for type NodePort",
        ),
        (
            "[{name: a, port: 9092, perBroker: {advertisedHostTemplate: '{ip}'}}]",
            "5:73: spec.listeners[0].perBroker.advertisedHostTemplate: must be a host name that may \
             hold {id} and {nodeIP}",
        ),
        (
            "[{name: a, port: 9092, tls: true}]",
            "4:1: spec.tls.mode: cannot be None while a listener has tls: true",
        ),
    ] {
        refuses(&cluster(&format!("  listeners: {listeners}\n")), &[&format!("a.yaml:{expected}")]);
    }
}

#[test]
fn cluster_storage_rules() {
    for (volumes, expected) in [
        ("[{id: 0, size: big}]", "5:37: spec.storage.volumes[0].size: must be a size above zero, as 10Gi"),
        ("[{id: 0, size: 0}]", "5:37: spec.storage.volumes[0].size: must be a size above zero, as 10Gi"),
        ("[{id: 0}]", "5:23: spec.storage.volumes[0].size: is required"),
        (
            "[{id: 0, size: 1Gi, kind: Metadata}]",
            "5:22: spec.storage.volumes: needs at least one volume of kind Data",
        ),
        (
            "[{id: 0, size: 1}, {id: 1, size: 1, kind: Metadata}, {id: 2, size: 1, kind: Metadata}]",
            "5:22: spec.storage.volumes: takes at most one volume of kind Metadata",
        ),
        (
            "[{id: 0, size: 1}, {id: 0, size: 1}]",
            "5:41: spec.storage.volumes[1]: has id 0, which spec.storage.volumes[0] has already",
        ),
        ("[{id: 1000, size: 1}]", "5:28: spec.storage.volumes[0].id: must be at most 999, not 1000"),
    ] {
        refuses(&cluster(&format!("  storage: {{volumes: {volumes}}}\n")), &[&format!("a.yaml:{expected}")]);
    }
}

#[test]
fn cluster_storage_changes() {
    let volumes = |list: &str| cluster(&format!("  storage: {{volumes: {list}}}\n"));
    let before = volumes("[{id: 0, size: 10Gi}, {id: 1, size: 20Gi, storageClassName: fast}]");
    for (after, expected) in [
        ("[{id: 0, size: 10Gi}]", "a volume cannot be removed, and its id cannot change"),
        (
            "[{id: 1, size: 20Gi, storageClassName: fast}, {id: 0, size: 9999Mi}]",
            "a volume's size cannot go down",
        ),
        (
            "[{id: 0, size: 10Gi}, {id: 1, size: 20Gi, storageClassName: slow}]",
            "a volume's storageClassName cannot change",
        ),
        ("[{id: 0, size: 10Gi}, {id: 1, size: 20Gi}]", "a volume's storageClassName cannot change"),
        (
            "[{id: 0, size: 10Gi}, {id: 1, size: 20Gi, storageClassName: fast, kind: Metadata}]",
            "a volume's kind cannot change",
        ),
    ] {
        let expected = format!("a.yaml:5:22: spec.storage.volumes: {expected}");
        refuses_change(&before, &volumes(after), &[&expected]);
    }
    let (loaded, _) = load_files(&[("a.yaml", &before)], &[]);
    let grown =
        volumes("[{id: 2, size: 1}, {id: 1, size: 21Gi, storageClassName: fast}, {id: 0, size: 10240Mi}]");
    assert_eq!(load_files(&[("a.yaml", &grown)], &loaded.manifests).1, [""; 0]);
}

#[test]
fn cluster_tls_rollout_and_rebalance_rules() {
    for (spec, expected) in [
        (
            "  tls: {issuerRef: {name: a}}\n",
            "5:20: spec.tls.issuerRef: goes with mode CertManager, and mode CertManager needs it",
        ),
        (
            "  tls: {mode: CertManager}\n",
            "5:3: spec.tls.issuerRef: goes with mode CertManager, and mode CertManager needs it",
        ),
        (
            "  tls: {secretName: a}\n",
            "5:21: spec.tls.secretName: goes with mode Secret, and mode Secret needs it",
        ),
        (
            "  tls: {renewBefore: 1h}\n",
            "5:22: spec.tls.renewBefore: goes with mode SelfSigned or CertManager",
        ),
        (
            "  tls: {mode: SelfSigned, renewBefore: 1d}\n",
            "5:40: spec.tls.renewBefore: must be a whole number with m or h, as 720h",
        ),
        (
            "  rollout: {podTimeout: 10}\n",
            "5:25: spec.rollout.podTimeout: must be a string, not 10: put it in quotes",
        ),
        (
            "  rollout: {podTimeout: soon}\n",
            "5:25: spec.rollout.podTimeout: must be a whole number with s, m or h, as 10m",
        ),
        (
            "  rollout: {strategy: X}\n",
            "5:23: spec.rollout.strategy: must be Rolling or OnRequest, not \"X\"",
        ),
        (
            "  rollout: {maxParallelPerRack: 0}\n",
            "5:33: spec.rollout.maxParallelPerRack: must be at least 1, not 0",
        ),
        (
            "  rebalance: {throttleBytesPerSec: 1Ki}\n",
            "5:36: spec.rebalance.throttleBytesPerSec: must be a size of at least 1Mi, as 50Mi",
        ),
        (
            "  rebalance: {maxConcurrentMoves: 0}\n",
            "5:35: spec.rebalance.maxConcurrentMoves: must be at least 1, not 0",
        ),
    ] {
        refuses(&cluster(spec), &[&format!("a.yaml:{expected}")]);
    }
}

#[test]
fn cluster_config_keys_that_follow_from_other_fields_are_refused() {
    for key in ["node.id", "listeners", "log.dirs", "process.roles", "controller.quorum.voters"] {
        refuses(
            &cluster(&format!("  config:\n    {key}: 1\n")),
            &[&format!(
                "a.yaml:6:{}: spec.config.{key}: cannot be set here: it follows from the other fields",
                key.len() + 7
            )],
        );
    }
    refuses(
        &cluster("  config: {num.partitions: {a: 1}}\n"),
        &["a.yaml:5:28: spec.config.num.partitions: must be a string, a number or a boolean, not a map"],
    );
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

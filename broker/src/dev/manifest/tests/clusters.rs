//! The rules of Clusters, and of their changes.

use super::*;

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

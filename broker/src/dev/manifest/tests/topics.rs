//! The rules of Topics and Quotas, and of their changes.

use super::*;

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
fn quota_changes() {
    let user = quota("  entity: {user: a}\n  limits: {requestPercentage: 50}\n");
    refuses_change(&user, &user.replace("user: a", "user: b"), &["a.yaml:6:11: spec.entity: cannot change"]);
    refuses_change(&user, &user.replace("demo", "prod"), &["a.yaml:5:15: spec.clusterRef: cannot change"]);
}

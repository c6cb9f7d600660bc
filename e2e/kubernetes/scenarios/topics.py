"""Topics: made, changed, adopted, in conflict, deleted, retained; and what a user does wrong."""

import time

from harness.report import check, equal, until

NAMESPACE = "shop"
BOOTSTRAP = "demo-bootstrap.shop.svc.cluster.local:9092"
KIND = "topics.gregor.dev"
USABLE_SECONDS = 1


def manifest(name, **spec):
    """A Topic of cluster demo."""
    return {"apiVersion": "gregor.dev/v1alpha1", "kind": "Topic", "metadata": {"name": name},
            "spec": {"clusterRef": {"name": "demo"}, **spec}}


def admin(session, *arguments):
    """Asks the broker itself, by a client of Kafka's protocol."""
    process = session.client("admin.py", BOOTSTRAP, *arguments)
    out, error = process.communicate(timeout=60)
    check(process.returncode == 0, error)
    return out.strip()


def create(session):
    """Applied to usable within a second."""
    started = time.monotonic()
    session.apply(NAMESPACE, manifest("payments", partitions=2, config={"retention.ms": 3600000}))
    session.wait_condition(NAMESPACE, KIND, "payments")
    seconds = time.monotonic() - started
    print(f"       Topic applied to Ready: {seconds:.2f} s, kubectl's own time in it (at most {USABLE_SECONDS})")
    check(seconds <= USABLE_SECONDS, f"it took {seconds:.2f} s")
    equal(admin(session, "partitions", "payments"), "2", "partitions")
    equal(admin(session, "config", "payments", "retention.ms"), "3600000", "retention.ms")


def alter(session):
    """Configuration follows the spec; what it no longer names returns to the default."""
    session.apply(NAMESPACE, manifest("payments", partitions=2, config={"segment.ms": 7200000}))
    until(lambda: admin(session, "config", "payments", "segment.ms") == "7200000", "segment.ms")
    equal(admin(session, "config", "payments", "retention.ms"), "604800000", "retention.ms, back to the default")


def grow(session):
    """More partitions; fewer are refused by the API server."""
    session.apply(NAMESPACE, manifest("payments", partitions=5, config={"segment.ms": 7200000}))
    until(lambda: admin(session, "partitions", "payments") == "5", "5 partitions")
    session.wait_condition(NAMESPACE, KIND, "payments")
    equal(session.get(NAMESPACE, KIND, "payments")["status"]["partitions"], 5, "status.partitions")


def drift(session):
    """What another tool changed is put right."""
    admin(session, "alter", "payments", "segment.ms", "9999999")
    session.kubectl("-n", NAMESPACE, "annotate", "--overwrite", f"{KIND}/payments", "touched=1")
    until(lambda: admin(session, "config", "payments", "segment.ms") == "7200000", "segment.ms put right", 150)


def recreate(session):
    """A topic that another tool deleted is made again."""
    before = session.get(NAMESPACE, KIND, "payments")["status"]["topicId"]
    admin(session, "delete", "payments")
    session.kubectl("-n", NAMESPACE, "annotate", "--overwrite", f"{KIND}/payments", "touched=2")
    until(lambda: session.get(NAMESPACE, KIND, "payments")["status"]["topicId"] != before, "another topic id", 150)
    session.wait_condition(NAMESPACE, KIND, "payments")


def adopt(session):
    """A topic that is there already is adopted, or refused where the policy says so."""
    admin(session, "create", "legacy", "3")
    session.apply(NAMESPACE, manifest("legacy", partitions=3))
    session.wait_condition(NAMESPACE, KIND, "legacy")
    equal(session.get(NAMESPACE, KIND, "legacy")["status"]["adopted"], True, "status.adopted")
    admin(session, "create", "foreign", "1")
    session.apply(NAMESPACE, manifest("foreign", partitions=1, adoptionPolicy="Never"))
    session.wait_condition(NAMESPACE, KIND, "foreign", status="False", reason="AdoptionRefused")
    session.kubectl("-n", NAMESPACE, "delete", f"{KIND}/foreign", "--timeout=30s")
    equal(admin(session, "partitions", "foreign"), "1", "the refused topic's partitions")


def conflict(session):
    """Two Topics of one name: the oldest wins; when it goes, the other takes over."""
    session.apply(NAMESPACE, manifest("first", topicName="shared", partitions=1, deletionPolicy="Retain"))
    session.wait_condition(NAMESPACE, KIND, "first")
    time.sleep(1.1)  # creation times have whole seconds
    session.apply(NAMESPACE, manifest("second", topicName="shared", partitions=2))
    session.wait_condition(NAMESPACE, KIND, "second", status="False", reason="Conflict")
    message = session.condition(NAMESPACE, KIND, "second")["message"]
    check("shop/first" in message, message)
    equal(admin(session, "partitions", "shared"), "1", "partitions while the first rules")
    session.kubectl("-n", NAMESPACE, "delete", f"{KIND}/first", "--timeout=30s")
    session.wait_condition(NAMESPACE, KIND, "second")
    equal(admin(session, "partitions", "shared"), "2", "partitions under the second")


def delete(session):
    """Deleted with its data, or retained, as the policy says."""
    session.apply(NAMESPACE, manifest("gone", partitions=1), manifest("kept", partitions=1, deletionPolicy="Retain"))
    for name in ["gone", "kept"]:
        session.wait_condition(NAMESPACE, KIND, name)
        session.kubectl("-n", NAMESPACE, "delete", f"{KIND}/{name}", "--timeout=30s")
    equal(admin(session, "partitions", "gone"), "none", "the deleted topic")
    equal(admin(session, "partitions", "kept"), "1", "the retained topic's partitions")


def wrong(session):
    """What cannot be is answered by a condition that says why."""
    cases = [
        ("no-cluster", {"clusterRef": {"name": "nowhere"}}, "ClusterNotFound", "nowhere"),
        ("too-many", {"replicationFactor": 3}, "InvalidReplicationFactor", "3"),
        ("bad-config", {"config": {"retention.ms": "soon"}}, "BrokerRejected", "retention.ms"),
        ("bad-key", {"config": {"retention.sm": 1}}, "BrokerRejected", "retention.sm"),
    ]
    for name, spec, reason, word in cases:
        session.apply(NAMESPACE, manifest(name, **spec))
        session.wait_condition(NAMESPACE, KIND, name, status="False", reason=reason)
        message = session.condition(NAMESPACE, KIND, name)["message"]
        check(word in message, f"{name}: {word} is not named: {message}")
        check(reason in session.kubectl("-n", NAMESPACE, "get", f"{KIND}/{name}"), "the reason is no column")
    admin(session, "create", "wide", "4")
    session.apply(NAMESPACE, manifest("wide", partitions=2))
    session.wait_condition(NAMESPACE, KIND, "wide", status="False", reason="PartitionDecreaseUnsupported")
    for name in ["no-cluster", "too-many", "bad-config", "bad-key", "wide"]:
        session.kubectl("-n", NAMESPACE, "delete", f"{KIND}/{name}", "--timeout=30s")

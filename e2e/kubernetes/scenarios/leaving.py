"""What stays and what goes: charts upgraded and removed, namespaces deleted, the operator gone first."""

import json
import os
import shutil

from harness.report import check, equal, until
from processes import wait
from scenarios.brokers import KIND as CLUSTERS
from scenarios.topics import KIND as TOPICS
from scenarios.topics import NAMESPACE, admin, manifest
from session import OPERATOR


def upgrade(session):
    """An upgrade of the chart upgrades the CRDs and the operator's image; the broker's pod stays, and its image."""
    before = session.pod(NAMESPACE, "demo")["metadata"]["uid"]
    image = broker_image(session)
    chart = session.cluster.path("chart")
    shutil.copytree(os.path.join(session.root, "charts/gregor"), chart)  # follows the link to crds/
    path = os.path.join(chart, "files", "topics.yaml")
    with open(path, encoding="utf-8") as file:
        text = file.read()
    check("shortNames" in text, "the CRD has no short names to change")
    with open(path, "w", encoding="utf-8") as file:
        file.write(text.replace("- grt\n", "- grt\n    - grtopic\n"))
    session.helm("upgrade", "gregor", chart, "-n", OPERATOR, "--set", "image.tag=other", "--wait", "--timeout=90s")
    wait(lambda: session.kubectl("-n", NAMESPACE, "get", "grtopic"), "the changed CRD", 30)
    # The new operator has had its turn at the Cluster when it serves a Topic of it.
    session.apply(NAMESPACE, manifest("upgraded", partitions=1))
    session.wait_condition(NAMESPACE, TOPICS, "upgraded")
    session.wait_condition(NAMESPACE, CLUSTERS, "demo")
    equal((session.pod(NAMESPACE, "demo")["metadata"]["uid"], broker_image(session)), (before, image),
          "the broker's pod, and the image of its StatefulSet")
    session.helm("upgrade", "gregor", "charts/gregor", "-n", OPERATOR, "--wait", "--timeout=90s")
    session.kubectl("-n", NAMESPACE, "delete", f"{TOPICS}/upgraded", "--timeout=30s")
    session.wait_condition(NAMESPACE, CLUSTERS, "demo")
    equal(session.pod(NAMESPACE, "demo")["metadata"]["uid"], before, "the broker's pod")


def broker_image(session):
    """What the brokers of demo shall run."""
    template = session.get(NAMESPACE, "statefulset", "demo-broker")["spec"]["template"]
    return template["spec"]["containers"][0]["image"]


def namespace(session):
    """A namespace with live Topics goes, and does not hang."""
    session.make_namespace("short-lived")
    session.helm("install", "brief", "charts/gregor-cluster", "-n", "short-lived", "--set-json",
                 'topics={"one":{"partitions":1},"two":{"partitions":1}}')
    for topic in ["one", "two"]:
        session.wait_condition("short-lived", TOPICS, topic)
    session.kubectl("delete", "namespace", "short-lived", "--timeout=60s")


def reinstall(session):
    """Uninstalling keeps the data, and installing again finds it, by the same cluster id."""
    identity = session.get(NAMESPACE, CLUSTERS, "demo")["status"]["clusterId"]
    session.apply(NAMESPACE, manifest("held", partitions=2, deletionPolicy="Retain"))
    session.wait_condition(NAMESPACE, TOPICS, "held")
    equal(admin(session, "produce", "held", "1000"), "1000", "records produced")
    session.helm("uninstall", "demo", "-n", NAMESPACE, "--wait", "--timeout=90s")
    until(lambda: not session.pods(NAMESPACE, "demo"), "the broker's end", 60)
    claims = session.get(NAMESPACE, "persistentvolumeclaims")
    check(claims, "the volumes' claims are gone")
    session.helm("install", "demo", "charts/gregor-cluster", "-n", NAMESPACE,
                 "--set-json", 'topics={"orders":{"partitions":3,"deletionPolicy":"Retain"}}')
    session.wait_condition(NAMESPACE, CLUSTERS, "demo")
    equal(session.get(NAMESPACE, CLUSTERS, "demo")["status"]["clusterId"], identity, "the cluster's id")
    equal(admin(session, "partitions", "held"), "2", "partitions of the retained topic")
    equal(admin(session, "ends", "held"), "1000", "records of the retained topic")
    session.wait_condition(NAMESPACE, TOPICS, "held")


def operator_first(session):
    """The operator is uninstalled first: what runs goes on, its kinds stay, nothing that is deleted then hangs, and
    the next operator takes over."""
    before = session.pod(NAMESPACE, "demo")["metadata"]["uid"]
    session.make_namespace("orphaned")
    session.helm("install", "orphan", "charts/gregor-cluster", "-n", "orphaned", "--set-json",
                 'topics={"one":{"partitions":1},"two":{"partitions":1}}')
    session.wait_condition("orphaned", TOPICS, "one")
    check(finalizers(session), "no Topic has a finalizer: nothing is shown")
    session.helm("uninstall", "gregor", "-n", OPERATOR, "--wait", "--timeout=120s")
    check(session.get(NAMESPACE, CLUSTERS, "demo") is not None, "the Cluster went with the operator")
    equal(finalizers(session), [], "Topics that wait for an operator")
    session.kubectl("-n", "orphaned", "delete", f"{TOPICS}/two", "--timeout=20s")
    session.kubectl("delete", "namespace", "orphaned", "--timeout=90s")
    equal(admin(session, "partitions", "orders"), "3", "partitions of orders without an operator")
    session.helm("install", "gregor", "charts/gregor", "-n", OPERATOR)
    session.apply(NAMESPACE, manifest("afterwards", partitions=1))
    session.wait_condition(NAMESPACE, TOPICS, "afterwards")
    wait(lambda: "shop/orders" in finalizers(session), "the finalizer of orders, put back", 30)
    equal(session.pod(NAMESPACE, "demo")["metadata"]["uid"], before, "the broker's pod")


def finalizers(session):
    """The Topics that wait for the operator when they are deleted."""
    topics = json.loads(session.kubectl("get", TOPICS, "-A", "-o", "json"))["items"]
    return [f"{topic['metadata']['namespace']}/{topic['metadata']['name']}" for topic in topics
            if topic["metadata"].get("finalizers")]


def broker_down(session):
    """A Topic is deleted while its broker is down: told by a condition, freed by force-finalize."""
    session.apply(NAMESPACE, manifest("stuck", partitions=1))
    session.wait_condition(NAMESPACE, TOPICS, "stuck")
    session.kubectl("-n", NAMESPACE, "patch", f"{CLUSTERS}/demo", "--type=merge",
                    "-p", json.dumps({"spec": {"image": "gregor:missing"}}))
    session.kubectl("-n", NAMESPACE, "delete", "pod", session.pod(NAMESPACE, "demo")["metadata"]["name"])
    session.kubectl("-n", NAMESPACE, "delete", f"{TOPICS}/stuck", "--wait=false")
    wait(lambda: any(condition["reason"] == "BrokerUnreachable"
                     for condition in session.get(NAMESPACE, TOPICS, "stuck")["status"]["conditions"]),
         "reason BrokerUnreachable", 60)
    session.kubectl("-n", NAMESPACE, "annotate", f"{TOPICS}/stuck", "gregor.dev/force-finalize=true")
    wait(lambda: session.get(NAMESPACE, TOPICS, "stuck") is None, "the Topic's end", 30)
    session.kubectl("-n", NAMESPACE, "patch", f"{CLUSTERS}/demo", "--type=merge", "-p", '{"spec":{"image":null}}')
    session.wait_condition(NAMESPACE, CLUSTERS, "demo", seconds=90)

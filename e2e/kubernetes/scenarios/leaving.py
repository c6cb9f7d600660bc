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
    """An upgrade of the chart upgrades the CRDs; the broker's pod stays."""
    before = session.pod(NAMESPACE, "demo")["metadata"]["uid"]
    chart = session.cluster.path("chart")
    shutil.copytree(os.path.join(session.root, "charts/gregor"), chart)  # follows the link to crds/
    path = os.path.join(chart, "files", "topics.yaml")
    with open(path, encoding="utf-8") as file:
        text = file.read()
    check("shortNames" in text, "the CRD has no short names to change")
    with open(path, "w", encoding="utf-8") as file:
        file.write(text.replace("- grt\n", "- grt\n    - grtopic\n"))
    session.helm("upgrade", "gregor", chart, "-n", OPERATOR)
    wait(lambda: session.kubectl("-n", NAMESPACE, "get", "grtopic"), "the changed CRD", 30)
    session.helm("upgrade", "gregor", "charts/gregor", "-n", OPERATOR)
    session.wait_condition(NAMESPACE, CLUSTERS, "demo")
    equal(session.pod(NAMESPACE, "demo")["metadata"]["uid"], before, "the broker's pod")


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
    session.apply(NAMESPACE, manifest("held", partitions=1, deletionPolicy="Retain"))
    session.wait_condition(NAMESPACE, TOPICS, "held")
    ends = admin(session, "ends", "orders")
    check(int(ends) > 0, "nothing was produced before")
    session.helm("uninstall", "demo", "-n", NAMESPACE, "--wait", "--timeout=90s")
    until(lambda: not session.pods(NAMESPACE, "demo"), "the broker's end", 60)
    claims = session.get(NAMESPACE, "persistentvolumeclaims")
    check(claims, "the volumes' claims are gone")
    session.helm("install", "demo", "charts/gregor-cluster", "-n", NAMESPACE,
                 "--set-json", 'topics={"orders":{"partitions":3,"deletionPolicy":"Retain"}}')
    session.wait_condition(NAMESPACE, CLUSTERS, "demo")
    equal(session.get(NAMESPACE, CLUSTERS, "demo")["status"]["clusterId"], identity, "the cluster's id")
    equal(admin(session, "partitions", "held"), "1", "partitions of the retained topic")


def operator_first(session):
    """The operator is uninstalled first: what runs goes on, its kinds stay, and the next operator takes over."""
    before = session.pod(NAMESPACE, "demo")["metadata"]["uid"]
    session.helm("uninstall", "gregor", "-n", OPERATOR, "--wait", "--timeout=60s")
    check(session.get(NAMESPACE, CLUSTERS, "demo") is not None, "the Cluster went with the operator")
    equal(admin(session, "partitions", "orders"), "3", "partitions of orders without an operator")
    session.helm("install", "gregor", "charts/gregor", "-n", OPERATOR)
    session.apply(NAMESPACE, manifest("afterwards", partitions=1))
    session.wait_condition(NAMESPACE, TOPICS, "afterwards")
    equal(session.pod(NAMESPACE, "demo")["metadata"]["uid"], before, "the broker's pod")


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

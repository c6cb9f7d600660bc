"""Helm and plain YAML: what the charts make, the commands that NOTES print, and what kubectl says."""

import os
import re

from harness.report import check, equal
from session import OPERATOR

NAMESPACE = "shop"
CLUSTER_GONE_SECONDS = 5


def manifests(session):
    """manifests/install.yaml is what the chart renders, and the API server takes all of it."""
    rendered = session.run([os.path.join(session.root, "e2e/tools/manifests"), session.cluster.binary("helm")])
    with open(os.path.join(session.root, "manifests/install.yaml"), encoding="utf-8") as file:
        check(file.read() == rendered, "manifests/install.yaml is stale: e2e/tools/manifests HELM writes it anew")
    session.make_namespace(OPERATOR)
    session.make_namespace(NAMESPACE)
    session.kubectl("apply", "--dry-run=server", "-f", os.path.join(session.root, "manifests/install.yaml"))


def play_notes(session, notes):
    """Runs the commands that the chart's NOTES print, as they are printed."""
    commands = re.findall(r"^ {3}(kubectl|helm) (.+)$", notes, re.MULTILINE)
    equal(len(commands), 3, "commands in NOTES")
    for program, line in commands:
        if "apply -f manifests/examples" in line:
            continue  # played by the scenario of the examples, in a namespace of its own
        words = [word.strip("'") for word in line.split()]
        answer = session.kubectl(*words) if program == "kubectl" else session.helm(*words)
        # Before there is a Cluster, a list of them is empty.
        check(answer.strip() or " get " in f" {line}", f"`{program} {line}` printed nothing")


def examples(session):
    """The examples that README shows."""
    session.make_namespace("examples")
    session.kubectl("-n", "examples", "apply", "-f", "manifests/examples", cwd=session.root)
    session.wait_condition("examples", "clusters.gregor.dev", "demo")
    for topic in ["orders", "customers"]:
        session.wait_condition("examples", "topics.gregor.dev", topic)
    listed = session.kubectl("-n", "examples", "get", "gregor")
    for name in ["cluster.gregor.dev/demo", "topic.gregor.dev/orders"]:
        check(name in listed, f"`kubectl get gregor` does not list {name}: {listed}")
    # A Cluster that goes is told by its Topics at once, and keeps none of them from going.
    session.kubectl("-n", "examples", "delete", "clusters.gregor.dev/demo", "--timeout=30s")
    session.wait_condition("examples", "topics.gregor.dev", "orders", status="False", reason="ClusterNotFound",
                           seconds=CLUSTER_GONE_SECONDS)
    session.kubectl("delete", "namespace", "examples", "--timeout=90s")


def explain(session):
    """kubectl explain has words for fields, and get has columns, as have the kinds that nothing is there of."""
    text = session.kubectl("explain", "clusters.gregor.dev.spec.storage.volumes.size")
    check("DESCRIPTION" in text and len(text) > 150, text)
    header = session.kubectl("-n", NAMESPACE, "get", "clusters.gregor.dev").splitlines()[0].split()
    equal(header, ["NAME", "DESIRED", "BROKERS", "READY", "VERSION", "STATUS", "OPERATION", "AGE"], "columns")
    wide = session.kubectl("-n", NAMESPACE, "get", "clusters.gregor.dev", "-o", "wide").splitlines()
    check(wide[0].split()[-1] == "MESSAGE" and "brokers serve" in wide[1], f"-o wide: {wide}")


def quota(session):
    """Quotas have no effect, and say so."""
    session.apply(NAMESPACE, {
        "apiVersion": "gregor.dev/v1alpha1", "kind": "Quota", "metadata": {"name": "billing"},
        "spec": {"clusterRef": {"name": "demo"}, "entity": {"user": "billing"}, "limits": {"producerByteRate": 1024}}})
    session.wait_condition(NAMESPACE, "quotas.gregor.dev", "billing", status="False", reason="Unsupported", seconds=10)
    check("user=billing" in session.kubectl("-n", NAMESPACE, "get", "quotas.gregor.dev"), "the entity is no column")
    session.kubectl("-n", NAMESPACE, "delete", "quotas.gregor.dev/billing", "--timeout=30s")


def unsupported(session):
    """Every field whose effect comes later is answered by Ready=False, reason Unsupported, and its name."""
    for field, patch in [
        ("rack", '{"spec":{"rack":{"topologyKey":"kubernetes.io/hostname"}}}'),
        ("tls", '{"spec":{"tls":{"mode":"SelfSigned"}}}'),
        ("listeners", '{"spec":{"listeners":[{"name":"outside","port":9094,"type":"NodePort"}]}}'),
    ]:
        session.kubectl("-n", NAMESPACE, "patch", "clusters.gregor.dev/demo", "--type=merge", "-p", patch)
        session.wait_condition(NAMESPACE, "clusters.gregor.dev", "demo", status="False", reason="Unsupported")
        message = session.condition(NAMESPACE, "clusters.gregor.dev", "demo")["message"]
        check(field in message, f"{field} is not named: {message}")
        session.kubectl("-n", NAMESPACE, "patch", "clusters.gregor.dev/demo", "--type=json",
                        "-p", f'[{{"op":"remove","path":"/spec/{field}"}}]')
        session.wait_condition(NAMESPACE, "clusters.gregor.dev", "demo")

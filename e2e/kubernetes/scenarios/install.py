"""Helm: operator and cluster, the commands that NOTES print, and what kubectl says."""

import os
import re
import time

from harness.report import check, equal
from session import IMAGE, OPERATOR

NAMESPACE = "shop"
READY_SECONDS = 15


def manifests(session):
    """manifests/install.yaml is what the chart renders, and the API server takes all of it."""
    rendered = session.run([os.path.join(session.root, "e2e/tools/manifests"), session.cluster.binary("helm")])
    with open(os.path.join(session.root, "manifests/install.yaml"), encoding="utf-8") as file:
        check(file.read() == rendered, "manifests/install.yaml is stale: e2e/tools/manifests HELM writes it anew")
    session.make_namespace(OPERATOR)
    session.kubectl("apply", "--dry-run=server", "-f", os.path.join(session.root, "manifests/install.yaml"))


def operator(session):
    """The chart of the operator, in a namespace that takes only restricted pods."""
    session.make_namespace(OPERATOR)
    session.make_namespace(NAMESPACE)
    session.started = time.monotonic()
    notes = session.helm("install", "gregor", "charts/gregor", "-n", OPERATOR)
    play_notes(session, notes)


def cluster(session):
    """The chart of a cluster: Ready within 15 s of the operator's installation, images present."""
    notes = session.helm(
        "install", "demo", "charts/gregor-cluster", "-n", NAMESPACE,
        "--set", f"test.image={IMAGE}", "--set-json", 'topics={"orders":{"partitions":3}}')
    session.wait_condition(NAMESPACE, "clusters.gregor.dev", "demo")
    seconds = time.monotonic() - session.started
    print(f"       helm install of both to Ready: {seconds:.1f} s (at most {READY_SECONDS})")
    check(seconds <= READY_SECONDS, f"helm install to Ready took {seconds:.1f} s")
    play_notes(session, notes)


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
    session.kubectl("delete", "namespace", "examples", "--timeout=60s")


def explain(session):
    """kubectl explain has words for fields, and get has columns."""
    text = session.kubectl("explain", "clusters.gregor.dev.spec.storage.volumes.size")
    check("DESCRIPTION" in text and len(text) > 150, text)
    header = session.kubectl("-n", NAMESPACE, "get", "clusters.gregor.dev").splitlines()[0].split()
    equal(header, ["NAME", "DESIRED", "BROKERS", "READY", "VERSION", "STATUS", "OPERATION", "AGE"], "columns")


def scale(session):
    """More than one broker: accepted by the API, answered by a condition, and nothing moves."""
    before = session.pod(NAMESPACE, "demo")["metadata"]["uid"]
    session.kubectl("-n", NAMESPACE, "scale", "clusters.gregor.dev/demo", "--replicas=3")
    session.wait_condition(NAMESPACE, "clusters.gregor.dev", "demo", status="False", reason="Unsupported")
    message = session.condition(NAMESPACE, "clusters.gregor.dev", "demo")["message"]
    check("replicas" in message, message)
    equal(len(session.pods(NAMESPACE, "demo")), 1, "broker pods")
    session.kubectl("-n", NAMESPACE, "scale", "clusters.gregor.dev/demo", "--replicas=1")
    session.wait_condition(NAMESPACE, "clusters.gregor.dev", "demo")
    equal(session.pod(NAMESPACE, "demo")["metadata"]["uid"], before, "the broker's pod")


def unsupported(session):
    """Every field whose effect comes later is answered by Ready=False, reason Unsupported, and its name."""
    for field, patch in [
        ("rack", '{"spec":{"rack":{"topologyKey":"kubernetes.io/hostname"}}}'),
        ("tls", '{"spec":{"tls":{"mode":"SelfSigned"}}}'),
    ]:
        session.kubectl("-n", NAMESPACE, "patch", "clusters.gregor.dev/demo", "--type=merge", "-p", patch)
        session.wait_condition(NAMESPACE, "clusters.gregor.dev", "demo", status="False", reason="Unsupported")
        message = session.condition(NAMESPACE, "clusters.gregor.dev", "demo")["message"]
        check(field in message, f"{field} is not named: {message}")
        session.kubectl("-n", NAMESPACE, "patch", "clusters.gregor.dev/demo", "--type=json",
                        "-p", f'[{{"op":"remove","path":"/spec/{field}"}}]')
        session.wait_condition(NAMESPACE, "clusters.gregor.dev", "demo")

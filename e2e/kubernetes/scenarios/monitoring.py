"""A real Prometheus scrapes broker and operator by the annotations that are there by default."""

import json
import os
import re
import urllib.parse

from harness.report import check, equal
from processes import wait
from scenarios.topics import NAMESPACE
from session import OPERATOR, ROOT, ready

CLUSTERS = "clusters.gregor.dev"
# Both are up, and the operator tells what somebody at night looks at first.
OPERATORS = [
    'up{app="gregor-operator"}', 'up{app="gregor"}', "gregor_operator_reconciles_total", "gregor_operator_writes_total",
    "gregor_operator_leader", 'gregor_operator_resources{kind="Cluster",ready="True"}',
    'gregor_operator_resources{kind="Topic",ready="True"}',
]


def series():
    """The series that README's table names. Of a histogram there is the count."""
    with open(os.path.join(ROOT, "README.md"), encoding="utf-8") as file:
        table = re.findall(r"^\| (`gregor_.*?) \| (.*?) \|$", file.read(), re.MULTILINE)
    found = [name + ("_count" if meaning.startswith("histogram") else "")
             for names, meaning in table for name in re.findall(r"`(\w+)", names)]
    check(len(found) >= 10, f"README names {found}")
    return found


def prometheus(session, program):
    """Every series that README names is there."""
    settings = session.cluster.write("prometheus.yaml", json.dumps({
        "global": {"scrape_interval": "1s"},
        "scrape_configs": [{"job_name": "pods", "static_configs": targets(session)}]}))
    session.cluster.processes.start("prometheus", [
        program, f"--config.file={settings}", f"--storage.tsdb.path={session.cluster.path('prometheus')}",
        "--web.listen-address=127.0.0.1:9099"])
    try:
        for name in series() + OPERATORS:
            wait(lambda name=name: query(session, name), f"series {name}", 30)
    finally:
        session.cluster.processes.stop("prometheus")


def pod_monitor(session):
    """Behind its switch: without the kind that is said, with it the PodMonitor is there and chooses the brokers."""
    def switch(on):
        session.kubectl("-n", NAMESPACE, "patch", f"{CLUSTERS}/demo", "--type=merge",
                        "-p", json.dumps({"spec": {"monitoring": {"podMonitor": on}}}))
        session.wait_condition(NAMESPACE, CLUSTERS, "demo")

    switch(True)
    message = session.condition(NAMESPACE, CLUSTERS, "demo")["message"]
    check("PodMonitor" in message, message)
    session.apply("default", {
        "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
        "metadata": {"name": "podmonitors.monitoring.coreos.com"},
        "spec": {"group": "monitoring.coreos.com", "scope": "Namespaced",
                 "names": {"kind": "PodMonitor", "plural": "podmonitors", "singular": "podmonitor"},
                 "versions": [{"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": {
                     "type": "object", "x-kubernetes-preserve-unknown-fields": True}}}]}})
    session.kubectl("wait", "--for=condition=Established", "crd/podmonitors.monitoring.coreos.com", "--timeout=20s")
    # The operator looks again by itself within three minutes; a touch makes it now.
    session.kubectl("-n", NAMESPACE, "annotate", "--overwrite", f"{CLUSTERS}/demo", "touched=1")
    monitor = wait(lambda: session.get(NAMESPACE, "podmonitors.monitoring.coreos.com", "demo-broker"), "the PodMonitor", 20)
    labels = ",".join(f"{key}={value}" for key, value in monitor["spec"]["selector"]["matchLabels"].items())
    chosen = session.get(NAMESPACE, "pods", selector=labels)
    equal([pod["metadata"]["name"] for pod in chosen], ["demo-broker-0"], "the pods that it chooses")
    ports = [port.get("name") for port in chosen[0]["spec"]["containers"][0]["ports"]]
    check(monitor["spec"]["podMetricsEndpoints"][0]["port"] in ports, f"the pod has no such port: {ports}")
    session.wait_condition(NAMESPACE, CLUSTERS, "demo")
    check("PodMonitor" not in session.condition(NAMESPACE, CLUSTERS, "demo")["message"], "it waits for the kind still")
    switch(False)
    wait(lambda: not session.get(NAMESPACE, "podmonitors.monitoring.coreos.com", "demo-broker"), "its end", 20)


def targets(session):
    """What the pods' annotations say is to be scraped. Debian's Prometheus cannot ask Kubernetes itself."""
    found = []
    for namespace in [OPERATOR, NAMESPACE]:
        for pod in session.get(namespace, "pods"):
            annotations = pod["metadata"].get("annotations", {})
            if annotations.get("prometheus.io/scrape") == "true" and ready(pod):
                found.append({
                    "targets": [f"{pod['status']['podIP']}:{annotations['prometheus.io/port']}"],
                    "labels": {"app": pod["metadata"]["labels"]["app.kubernetes.io/name"]}})
    return found


def query(session, name):
    """What Prometheus has of a series: true when the newest value is there and no target is down."""
    address = "http://127.0.0.1:9099/api/v1/query?query=" + urllib.parse.quote(name)
    answer = json.loads(session.cluster.processes.call(["curl", "-sf", address]))
    results = answer["data"]["result"]
    if name.startswith("up"):
        return results and all(result["value"][1] == "1" for result in results)
    return bool(results)

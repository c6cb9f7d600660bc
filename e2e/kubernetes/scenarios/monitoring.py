"""A real Prometheus scrapes broker and operator by the annotations that are there by default."""

import json
import urllib.parse

from processes import wait
from scenarios.topics import NAMESPACE
from session import OPERATOR, ready

# What README names, and what somebody at night looks at first.
SERIES = [
    "gregor_requests_total", "gregor_request_duration_seconds_count", "gregor_appended_records_total",
    "gregor_appended_bytes_total", "gregor_fetched_bytes_total", "gregor_connections", "gregor_log_syncs_total",
    "gregor_partition_log_end_offset", "gregor_partition_size_bytes",
    'up{app="gregor-operator"}', 'up{app="gregor"}', "gregor_operator_reconciles_total",
]


def prometheus(session, program):
    """Every series that README names is there."""
    settings = session.cluster.write("prometheus.yaml", json.dumps({
        "global": {"scrape_interval": "1s"},
        "scrape_configs": [{"job_name": "pods", "static_configs": targets(session)}]}))
    session.cluster.processes.start("prometheus", [
        program, f"--config.file={settings}", f"--storage.tsdb.path={session.cluster.path('prometheus')}",
        "--web.listen-address=127.0.0.1:9099"])
    try:
        for series in SERIES:
            wait(lambda series=series: query(session, series), f"series {series}", 30)
    finally:
        session.cluster.processes.stop("prometheus")


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


def query(session, series):
    """What Prometheus has of a series: true when the newest value is there and no target is down."""
    address = "http://127.0.0.1:9099/api/v1/query?query=" + urllib.parse.quote(series)
    answer = json.loads(session.cluster.processes.call(["curl", "-sf", address]))
    results = answer["data"]["result"]
    if series.startswith("up"):
        return results and all(result["value"][1] == "1" for result in results)
    return bool(results)

"""A real Prometheus scrapes broker and operator by the annotations that are there by default."""

import json
import urllib.parse

from processes import wait

SETTINGS = """\
global: {{scrape_interval: 1s}}
scrape_configs:
- job_name: pods
  kubernetes_sd_configs: [{{role: pod, kubeconfig_file: {kubeconfig}}}]
  relabel_configs:
  - {{source_labels: [__meta_kubernetes_pod_annotation_prometheus_io_scrape], regex: "true", action: keep}}
  - source_labels: [__meta_kubernetes_pod_ip, __meta_kubernetes_pod_annotation_prometheus_io_port]
    separator: ":"
    target_label: __address__
  - {{source_labels: [__meta_kubernetes_pod_label_app_kubernetes_io_name], target_label: app}}
"""

# What README names, and what somebody at night looks at first.
SERIES = [
    "gregor_requests_total", "gregor_request_duration_seconds_count", "gregor_appended_records_total",
    "gregor_appended_bytes_total", "gregor_fetched_bytes_total", "gregor_connections", "gregor_log_syncs_total",
    "gregor_partition_log_end_offset", "gregor_partition_size_bytes",
    'up{app="gregor-operator"}', 'up{app="gregor"}', "gregor_operator_reconciles_total",
]


def prometheus(session, program):
    """Every series that README names is there."""
    settings = session.cluster.write(
        "prometheus.yaml", SETTINGS.format(kubeconfig=session.cluster.kubeconfig))
    session.cluster.processes.start("prometheus", [
        program, f"--config.file={settings}", f"--storage.tsdb.path={session.cluster.path('prometheus')}",
        "--web.listen-address=127.0.0.1:9099"])
    try:
        for series in SERIES:
            wait(lambda series=series: query(session, series), f"series {series}", 30)
    finally:
        session.cluster.processes.stop("prometheus")


def query(session, series):
    """What Prometheus has of a series: true when the newest value is there and no target is down."""
    address = "http://127.0.0.1:9099/api/v1/query?query=" + urllib.parse.quote(series)
    answer = json.loads(session.cluster.processes.call(["curl", "-sf", address]))
    results = answer["data"]["result"]
    if series.startswith("up"):
        return results and all(result["value"][1] == "1" for result in results)
    return bool(results)

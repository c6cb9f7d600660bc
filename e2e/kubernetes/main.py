"""Runs e2e/parts/kubernetes: Helm, the operator and brokers on a real Kubernetes."""

import argparse
import glob
import os
import signal
import sys
import tempfile

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from cluster import Cluster  # noqa: E402  (its folder is named above)
from harness.report import Report, check  # noqa: E402
from scenarios import brokers, image, install, leaving, monitoring, operator, readme, topics, volumes  # noqa: E402
from session import ROOT, Session  # noqa: E402

HERE = os.path.dirname(os.path.abspath(__file__))
# The scenarios that must run: in full, and in short.
LONG, SHORT = os.path.join(HERE, "scenarios.txt"), os.path.join(HERE, "short.txt")
REFUSED = os.path.join(ROOT, "operator/api/testdata/refused")


def refusals(session, report):
    """Each file breaks one rule; its first line holds words of the rule's sentence."""
    for path in sorted(glob.glob(os.path.join(REFUSED, "*.yaml"))):
        report.scenario(f"kubernetes: refused: {os.path.basename(path)}", refused, session, path)


def refused(session, path):
    with open(path, encoding="utf-8") as file:
        text = file.read()
    sentence = text.splitlines()[0].removeprefix("# ").strip()
    before, _, change = text.rpartition("\n---\n# then\n")
    if before:
        # A rule about changes: the first object is there, the second is what it shall not become.
        session.apply("default", before)
    answer = session.refused("default", change)
    if before:
        session.kubectl("-n", "default", "delete", "-f", "-", "--wait=false", input=before)
    check(answer is not None, "it was taken")
    check(sentence in answer, f"the answer does not say `{sentence}`: {answer}")


def play(report, session):
    """The scenarios, each building on what the ones before left."""
    report.scenario("kubernetes: the plain manifests", install.manifests, session)
    for name, action in [
        ("README: install, and what the NOTES print", readme.install),
        ("README: get and explain", readme.shown),
        ("README: scale is answered by a condition", readme.scale),
        ("the examples", install.examples),
        ("explain and columns", install.explain),
        ("fields of later are answered by a condition", install.unsupported),
        ("a quota is answered by a condition", install.quota),
        ("a topic is made", topics.create),
        ("a topic is altered", topics.alter),
        ("a topic grows", topics.grow),
        ("drift is put right", topics.drift),
        ("a topic deleted elsewhere comes back", topics.recreate),
        ("topics are adopted", topics.adopt),
        ("topics in conflict", topics.conflict),
        ("topics are deleted or retained", topics.delete),
        ("what cannot be is told", topics.wrong),
    ]:
        report.scenario(f"kubernetes: {name}", action, session)
    refusals(session, report)
    for name, action in [
        ("a dynamic key without a restart", brokers.dynamic_config),
        ("a static key by one restart", brokers.static_config),
        ("a key that does not exist", brokers.wrong_config),
        ("a restart by annotation", brokers.by_hand),
        ("another image, a missing image", brokers.image),
        ("kill -9 of the broker", brokers.kill),
        ("what was removed by hand comes back", brokers.removed_by_hand),
        ("paused", brokers.paused),
        ("volumes grow where they can", volumes.resize),
        ("Prometheus", lambda session: monitoring.prometheus(session, os.environ["PROMETHEUS"])),
        ("a PodMonitor where its kind is", monitoring.pod_monitor),
        ("the operator killed in the middle of each operation", operator.killed_at_each_step),
        ("what cannot be read is told", operator.unreadable),
        ("two operators", operator.two),
        ("the API server away", operator.api_server_away),
        ("200 topics", operator.many_topics),
        ("events", operator.events),
        ("an idle operator writes nothing", operator.idle),
        ("an upgrade of the chart", leaving.upgrade),
        ("a namespace with live topics is deleted", leaving.namespace),
        ("a topic deleted while its broker is down", leaving.broker_down),
        ("no right too many", operator.rights),
        ("the operator is removed first", leaving.operator_first),
        ("uninstall keeps data, reinstall finds it", leaving.reinstall),
        ("the image from source", image.from_source),
        ("README: uninstall", readme.uninstall),
    ]:
        report.scenario(f"kubernetes: {name}", action, session)


class Short(Report):
    """Plays what the short list names and passes over the rest."""

    def _wanted(self, name):
        with open(self.names, encoding="utf-8") as file:
            return name in file.read().splitlines()


def main():
    """Parses the command line and runs."""
    parser = argparse.ArgumentParser(prog="e2e/parts/kubernetes")
    parser.add_argument("--only", help="only scenarios whose name contains this text")
    parser.add_argument("--long", action="store_true", help="the full form")
    parser.add_argument("--keep", action="store_true", help="leave the cluster up")
    options = parser.parse_args()
    report = Report(LONG, options.only) if options.long or options.only else Short(SHORT)
    # Told to end, it takes down what it started, as it does when it is done.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    run = tempfile.mkdtemp(prefix="gregor-kubernetes-")
    cluster = Cluster(run, os.environ["KUBERNETES"], f"gregor-{os.getpid()}")
    try:
        cluster.start()
        image.from_binaries(cluster)
        play(report, Session(cluster, os.environ["PYTHON"]))
    except BaseException:
        for name in ["apiserver", "kubelet", "containerd"]:
            if name in cluster.processes.running and not cluster.processes.alive(name):
                print(f"{name} ended:\n{cluster.processes.tail(name)}", file=sys.stderr)
        raise
    finally:
        if options.keep:
            print(f"nsenter --net=/run/netns/{cluster.namespace} {cluster.binary('kubectl')} "
                  f"--kubeconfig {cluster.kubeconfig} get pods -A")
        else:
            cluster.stop()
    report.finish()


main()

"""Runs e2e/parts/kubernetes: Helm, the operator and brokers on a real Kubernetes."""

import argparse
import glob
import os
import shutil
import signal
import sys
import tempfile

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from cluster import Cluster, build_image  # noqa: E402  (its folder is named above)
from harness.report import Report, check  # noqa: E402
from scenarios import brokers, install, leaving, monitoring, operator, topics  # noqa: E402
from session import IMAGE, ROOT, Session  # noqa: E402

IMAGE_MB = 30
NAMES = os.path.join(os.path.dirname(os.path.abspath(__file__)), "scenarios.txt")
REFUSED = os.path.join(ROOT, "operator/api/testdata/refused")


def make_image(cluster):
    """The image, from binaries that are built already, by the Dockerfile."""
    folder = cluster.path("image")
    os.makedirs(os.path.join(folder, "dist"))
    shutil.copy(os.path.join(ROOT, "Dockerfile"), folder)
    for program in ["gregor", "gregor-operator"]:
        shutil.copy(os.path.join(os.environ["BINARIES"], program), os.path.join(folder, "dist"))
    archive = cluster.path("image.tar")
    build_image(folder, IMAGE, archive, cluster.path("buildah"), "--build-arg", "BINARIES=prebuilt")
    size = os.path.getsize(archive) / 1e6
    print(f"       image: {size:.1f} MB (at most {IMAGE_MB})")
    cluster.load(archive)
    cluster.ctr("images", "tag", f"docker.io/library/{IMAGE}", "docker.io/library/gregor:other")
    check(size <= IMAGE_MB, f"the image has {size:.1f} MB")


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
    first = [
        ("the plain manifests", install.manifests),
        ("helm install of the operator", install.operator),
        ("helm install of a cluster", install.cluster),
        ("the examples", install.examples),
        ("explain and columns", install.explain),
        ("scale is answered by a condition", install.scale),
        ("fields of later are answered by a condition", install.unsupported),
        ("a topic is made", topics.create),
        ("a topic is altered", topics.alter),
        ("a topic grows", topics.grow),
        ("drift is put right", topics.drift),
        ("a topic deleted elsewhere comes back", topics.recreate),
        ("topics are adopted", topics.adopt),
        ("topics in conflict", topics.conflict),
        ("topics are deleted or retained", topics.delete),
        ("what cannot be is told", topics.wrong),
    ]
    for name, action in first:
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
        ("Prometheus", lambda session: monitoring.prometheus(session, os.environ["PROMETHEUS"])),
        ("the operator killed in the middle of each operation", operator.killed_at_each_step),
        ("two operators", operator.two),
        ("200 topics", operator.many_topics),
        ("events", operator.events),
        ("an idle operator writes nothing", operator.idle),
        ("an upgrade of the chart", leaving.upgrade),
        ("a namespace with live topics is deleted", leaving.namespace),
        ("a topic deleted while its broker is down", leaving.broker_down),
        ("the operator is removed first", leaving.operator_first),
        ("uninstall keeps data, reinstall finds it", leaving.reinstall),
    ]:
        report.scenario(f"kubernetes: {name}", action, session)


def main():
    """Parses the command line and runs."""
    parser = argparse.ArgumentParser(prog="e2e/parts/kubernetes")
    parser.add_argument("--only", help="only scenarios whose name contains this text")
    parser.add_argument("--long", action="store_true", help="the full form, which is the same")
    parser.add_argument("--keep", action="store_true", help="leave the cluster up")
    options = parser.parse_args()
    report = Report(NAMES, options.only)
    # Told to end, it takes down what it started, as it does when it is done.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    run = tempfile.mkdtemp(prefix="gregor-kubernetes-")
    cluster = Cluster(run, os.environ["KUBERNETES"], f"gregor-{os.getpid()}")
    try:
        cluster.start()
        make_image(cluster)
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

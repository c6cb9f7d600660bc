"""README's section on Kubernetes: its commands run as they are printed, and print what it says."""

import os
import re
import time

from harness.report import check, equal
from processes import wait
from scenarios.install import play_notes
from session import IMAGE, OPERATOR, ROOT

READY_SECONDS = 15
NAMESPACE = "shop"
LEFT = "pods,deployments,jobs,serviceaccounts,roles,rolebindings,leases,networkpolicies,configmaps,secrets"


def steps():
    """The section's blocks of commands, each with the block of what they print, or None."""
    with open(os.path.join(ROOT, "README.md"), encoding="utf-8") as file:
        section = file.read().split("\n## On Kubernetes\n", 1)[1].split("\n## ", 1)[0]
    blocks = re.findall(r"^```(\w+)\n(.*?)^```$", section, re.MULTILINE | re.DOTALL)
    found = []
    for language, text in blocks:
        if language == "sh":
            found.append((text.strip().splitlines(), None))
        else:
            found[-1] = (found[-1][0], text)
    equal([shown is not None for _, shown in found], [False, True, True, False], "README's blocks that print")
    return found


def install(session):
    """From nothing to a cluster that serves, with images present: at most 15 s. Then what the NOTES print."""
    commands, _ = steps()[0]
    equal([line.split()[0] for line in commands], ["docker", "helm", "helm", "kubectl", "helm"], "README's commands")
    equal(commands[0], f"docker build -t {IMAGE} .", "how the image is built")
    for namespace in [OPERATOR, NAMESPACE]:
        session.make_namespace(namespace)
    started, notes = time.monotonic(), []
    for line in commands[1:]:
        printed = session.shell(line)
        if line.startswith("helm install"):
            notes.append(printed)
        if line.startswith("kubectl"):
            seconds = time.monotonic() - started
    print(f"       helm install of both to Ready: {seconds:.1f} s (at most {READY_SECONDS})")
    check(seconds <= READY_SECONDS, f"helm install to Ready took {seconds:.1f} s")
    for text in notes:
        play_notes(session, text)


def shown(session):
    """`kubectl get` and `explain`."""
    commands, text = steps()[1]
    compare(session, commands, text)


def scale(session):
    """More brokers than one: accepted, answered by the condition, and nothing moves."""
    before = session.pod(NAMESPACE, "demo")["metadata"]["uid"]
    commands, text = steps()[2]
    compare(session, commands, text)
    session.wait_condition(NAMESPACE, "clusters.gregor.dev", "demo")
    equal([pod["metadata"]["uid"] for pod in session.pods(NAMESPACE, "demo")], [before], "the broker's pod")


def uninstall(session):
    """Both charts are taken out as README has it. Of the operator nothing is left but the kinds."""
    claims = len(session.get(NAMESPACE, "persistentvolumeclaims"))
    for line in steps()[3][0]:
        session.shell(line)
    wait(lambda: not session.get(NAMESPACE, "pods"), "the broker's end", 60)
    equal(len(session.get(NAMESPACE, "persistentvolumeclaims")), claims, "the volumes' claims")
    check("topics.gregor.dev" in session.kubectl("get", "crd", "-o", "name"), "the kinds went with the operator")

    def nothing_left():
        names = session.kubectl("-n", OPERATOR, "get", LEFT, "-o", "name").split()
        names += session.kubectl("get", "clusterroles,clusterrolebindings", "-o", "name").split()
        left = [name for name in names if "gregor" in name]
        if left:
            raise RuntimeError(f"{left} are left of the operator")
        return True

    wait(nothing_left, "the operator's end", 30)


def compare(session, commands, text):
    """Runs commands until they print what is shown, or fails after a while. Ages differ."""
    def same():
        printed = "".join(session.shell(line) for line in commands)
        if plain(printed) != plain(text):
            raise RuntimeError(f"README shows\n{text}\nand what is printed is\n{printed}")
        return True

    wait(same, "what README shows", 20)


def plain(text):
    """Lines without the width of columns and without ages."""
    lines = [re.sub(r"\s+", " ", line).strip() for line in text.strip().splitlines()]
    return [re.sub(r" (\d+[smhd])+$", " AGE", line) for line in lines]

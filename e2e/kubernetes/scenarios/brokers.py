"""Brokers: changed, restarted, broken and mended, with a producer beside that must lose nothing."""

import datetime
import json
import os
import signal
import time

from harness.report import check, equal, until
from processes import wait
from scenarios.topics import BOOTSTRAP, NAMESPACE, admin
from session import ready

KIND = "clusters.gregor.dev"
KILLED_SECONDS = 3


def patch(session, **config):
    """Sets keys of spec.config; None takes one out."""
    session.kubectl("-n", NAMESPACE, "patch", f"{KIND}/demo", "--type=merge",
                    "-p", json.dumps({"spec": {"config": config}}))


def loaded(session, act, longest):
    """Plays `act` while a producer runs; nothing acknowledged may be missing or doubled."""
    process = session.client("load.py", BOOTSTRAP, "orders")
    try:
        equal(process.stdout.readline().strip(), "started", "the producer")
        time.sleep(1)
        act()
        time.sleep(1)
        out, error = process.communicate("", timeout=180)
    finally:
        if process.poll() is None:
            process.kill()
    check(process.returncode == 0, error[-1000:])
    seen = json.loads(out.strip().splitlines()[-1])
    print(f"       {seen['acknowledged']} records acknowledged, {seen['missing']} missing, "
          f"{seen['doubled']} doubled, longest gap {seen['longest_gap']} s")
    equal((seen["missing"], seen["doubled"], seen["unsent"]), (0, 0, 0), "missing, doubled, unsent")
    check(seen["acknowledged"] > 100, f"only {seen['acknowledged']} records were acknowledged")
    check(longest is None or seen["longest_gap"] <= longest,
          f"{seen['longest_gap']} s without an acknowledgement, at most {longest}")
    return seen


def dynamic_config(session):
    """A dynamic key is applied without a restart."""
    before = session.pod(NAMESPACE, "demo")["metadata"]["uid"]
    patch(session, **{"log.retention.ms": 7200000})
    until(lambda: admin(session, "broker", "log.retention.ms") == "7200000", "log.retention.ms")
    session.wait_condition(NAMESPACE, KIND, "demo")
    equal(session.pod(NAMESPACE, "demo")["metadata"]["uid"], before, "the broker's pod")
    patch(session, **{"log.retention.ms": None})
    until(lambda: admin(session, "broker", "log.retention.ms") != "7200000", "the default again")


def static_config(session):
    """Any other key is applied by one restart in order, without a lost record."""
    def act():
        old = session.pod(NAMESPACE, "demo")
        patch(session, **{"queued.max.requests": 400})
        session.wait_new_pod(NAMESPACE, "demo", old)
        session.wait_condition(NAMESPACE, KIND, "demo")
        equal(admin(session, "broker", "queued.max.requests"), "400", "queued.max.requests")

    loaded(session, act, None)


def wrong_config(session):
    """A key that the broker does not know: said, and what runs goes on."""
    before = session.pod(NAMESPACE, "demo")["metadata"]["uid"]
    patch(session, **{"no.such.key": 1})
    session.wait_condition(NAMESPACE, KIND, "demo", status="False")
    message = session.condition(NAMESPACE, KIND, "demo")["message"]
    check("no.such.key" in message, message)
    equal(session.pod(NAMESPACE, "demo")["metadata"]["uid"], before, "the broker's pod")
    patch(session, **{"no.such.key": None})
    session.wait_condition(NAMESPACE, KIND, "demo")


def by_hand(session):
    """A restart that a user asks for by annotation; each request is done once."""
    old = session.pod(NAMESPACE, "demo")
    session.kubectl("-n", NAMESPACE, "annotate", "--overwrite", f"{KIND}/demo",
                    "gregor.dev/restart-requested-at=" + time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()))
    new = session.wait_new_pod(NAMESPACE, "demo", old)
    session.wait_condition(NAMESPACE, KIND, "demo")
    time.sleep(3)
    equal(session.pod(NAMESPACE, "demo")["metadata"]["uid"], new["metadata"]["uid"], "the pod after the restart")


def image(session):
    """Another image rolls the broker; one that cannot be had is said, and mending the spec mends the broker."""
    def set_image(name):
        session.kubectl("-n", NAMESPACE, "patch", f"{KIND}/demo", "--type=merge",
                        "-p", json.dumps({"spec": {"image": name}}))

    old = session.pod(NAMESPACE, "demo")
    set_image("gregor:other")
    session.wait_new_pod(NAMESPACE, "demo", old)
    session.wait_condition(NAMESPACE, KIND, "demo")
    set_image("gregor:missing")
    session.wait_condition(NAMESPACE, KIND, "demo", status="False", reason="RolloutStuck", seconds=90)
    message = session.condition(NAMESPACE, KIND, "demo")["message"]
    check("gregor:missing" in message or "ImagePull" in message or "ErrImage" in message, message)
    set_image(None)
    session.wait_condition(NAMESPACE, KIND, "demo", seconds=90)


def kill(session):
    """kill -9 of the broker: serving again within 3 s, every acknowledged record there."""
    killed = 0.0

    def act():
        nonlocal killed
        pod = session.pod(NAMESPACE, "demo")
        pid, killed = session.container_pid(pod), time.time()
        os.kill(pid, signal.SIGKILL)
        until(lambda: restarts(session) > restart_count(pod), "the container's restart")
        session.wait_condition(NAMESPACE, KIND, "demo")

    seen = loaded(session, act, KILLED_SECONDS)
    first = session.kubectl("-n", NAMESPACE, "logs", "demo-broker-0", "--timestamps").split(" ", 1)[0]
    started = datetime.datetime.fromisoformat(first[:26].rstrip("Z") + "+00:00").timestamp()
    print(f"       after kill -9 the new container's first line after {started - killed:.2f} s, "
          f"the next acknowledgement after {seen['resumed_at'] - killed:.2f} s (at most {KILLED_SECONDS})")


def restarts(session):
    pod = session.pod(NAMESPACE, "demo")
    return restart_count(pod) if ready(pod) else -1


def restart_count(pod):
    return pod["status"]["containerStatuses"][0]["restartCount"]


def removed_by_hand(session):
    """Services, StatefulSet, ConfigMap, budget and pod come back when somebody deletes them."""
    for kind, name in [("service", "demo-bootstrap"), ("service", "demo-brokers"),
                       ("statefulset", "demo-broker"), ("configmap", "demo-broker"),
                       ("poddisruptionbudget", "demo-broker")]:
        before = session.get(NAMESPACE, kind, name)["metadata"]["uid"]
        session.kubectl("-n", NAMESPACE, "delete", kind, name, "--timeout=60s")
        wait(lambda kind=kind, name=name, before=before:
             session.get(NAMESPACE, kind, name)["metadata"]["uid"] != before, f"{kind} {name}", 30)
    session.wait_condition(NAMESPACE, KIND, "demo", seconds=90)
    old = session.pod(NAMESPACE, "demo")
    session.kubectl("-n", NAMESPACE, "delete", "pod", old["metadata"]["name"])
    session.wait_new_pod(NAMESPACE, "demo", old)
    session.wait_condition(NAMESPACE, KIND, "demo", seconds=90)
    loaded(session, lambda: None, None)


def paused(session):
    """While paused, nothing moves; afterwards everything does."""
    old = session.pod(NAMESPACE, "demo")
    session.kubectl("-n", NAMESPACE, "annotate", f"{KIND}/demo", "gregor.dev/paused=true")
    patch(session, **{"queued.max.requests": 450})
    wait(lambda: (session.condition(NAMESPACE, KIND, "demo") or {}).get("reason") == "Paused", "Paused", 20)
    equal(session.pod(NAMESPACE, "demo")["metadata"]["uid"], old["metadata"]["uid"], "the broker's pod")
    session.kubectl("-n", NAMESPACE, "annotate", f"{KIND}/demo", "gregor.dev/paused-")
    session.wait_new_pod(NAMESPACE, "demo", old)
    session.wait_condition(NAMESPACE, KIND, "demo")

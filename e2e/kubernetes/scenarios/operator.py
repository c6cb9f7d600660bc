"""The operator: killed in the middle of everything, two of them, many topics, and nothing to do."""

import json
import os
import random
import signal
import time

from harness.report import check, equal, until
from scenarios import brokers
from scenarios.topics import KIND as TOPICS
from scenarios.topics import NAMESPACE, admin, manifest
from session import OPERATOR, ready

CLUSTERS = "clusters.gregor.dev"
MANY = 200
MANY_SECONDS = 10
MEMORY_MB = 40
IDLE_SECONDS = 60


def kill(session):
    """kill -9 of the operator's process; the container's back-off is avoided by a new pod."""
    pod = until(lambda: next((pod for pod in operators(session) if ready(pod)), None), "an operator", 60)
    os.kill(session.container_pid(pod), signal.SIGKILL)
    session.kubectl("-n", OPERATOR, "delete", "pod", pod["metadata"]["name"], "--grace-period=0", "--force")


def operators(session):
    """The operator's pods that are not going."""
    pods = session.get(OPERATOR, "pods", selector="app.kubernetes.io/name=gregor-operator")
    return [pod for pod in pods if "deletionTimestamp" not in pod["metadata"]]


def killed_at_each_step(session):
    """Each operation is ended by the next operator, wherever the one before was killed."""
    dice = random.Random(4)
    acts = [
        ("a topic is made", lambda n: session.apply(NAMESPACE, manifest(f"step-{n}", partitions=2)),
         lambda n: session.wait_condition(NAMESPACE, TOPICS, f"step-{n}", seconds=60)),
        ("a topic grows", lambda n: session.apply(NAMESPACE, manifest(f"step-{n - 1}", partitions=4)),
         lambda n: until(lambda: admin(session, "partitions", f"step-{n - 1}") == "4", "4 partitions", 60)),
        ("a broker is restarted", lambda n: brokers.patch(session, **{"queued.max.requests": 500 + n}),
         lambda n: until(lambda: (session.condition(NAMESPACE, CLUSTERS, "demo") or {}).get("status") == "True"
                         and admin(session, "broker", "queued.max.requests") == str(500 + n), "the restart", 90)),
        ("a topic is deleted", lambda n: session.kubectl("-n", NAMESPACE, "delete", f"{TOPICS}/step-{n - 3}",
                                                         "--wait=false"),
         lambda n: until(lambda: session.get(NAMESPACE, TOPICS, f"step-{n - 3}") is None
                         and admin(session, "partitions", f"step-{n - 3}") == "none", "the deletion", 60)),
    ]
    number = 0
    for delay in [0.0, 0.15, 0.5, 1.5]:
        for what, begin, end in acts:
            begin(number)
            time.sleep(delay * dice.uniform(0.8, 1.2))
            kill(session)
            try:
                end(number)
            except Exception as error:
                raise AssertionError(f"{what}, killed after {delay} s: {error}") from error
            number += 1
    session.wait_condition(NAMESPACE, CLUSTERS, "demo", seconds=60)


def two(session):
    """Two operators: one acts; when it dies the other takes over."""
    deployment = session.get(OPERATOR, "deployments")[0]["metadata"]["name"]
    session.kubectl("-n", OPERATOR, "scale", f"deployment/{deployment}", "--replicas=2")
    session.kubectl("-n", OPERATOR, "rollout", "status", f"deployment/{deployment}", "--timeout=60s")
    pods = until(lambda: len(operators(session)) == 2 and operators(session), "two operators", 60)
    # A Lease whose holder was killed is free after its duration.
    acting = until(lambda: next((pod for pod in pods if pod["metadata"]["name"] in lease_holder(session)), None),
                   "one of the two to hold the Lease", 60)
    os.kill(session.container_pid(acting), signal.SIGKILL)
    session.apply(NAMESPACE, manifest("taken-over", partitions=1))
    seconds = session.wait_condition(NAMESPACE, TOPICS, "taken-over", seconds=60)
    print(f"       the other operator had a Topic ready {seconds:.1f} s after the first was killed")
    session.kubectl("-n", OPERATOR, "scale", f"deployment/{deployment}", "--replicas=1")
    session.kubectl("-n", NAMESPACE, "delete", f"{TOPICS}/taken-over", "--timeout=60s")


def lease_holder(session):
    leases = session.get(OPERATOR, "leases.coordination.k8s.io")
    check(leases, "there is no Lease")
    return leases[0]["spec"].get("holderIdentity", "")


def many_topics(session):
    """200 Topics, from the operator's start to the last Ready."""
    deployment = session.get(OPERATOR, "deployments")[0]["metadata"]["name"]
    scale = lambda count: session.kubectl("-n", OPERATOR, "scale", f"deployment/{deployment}", f"--replicas={count}")
    scale(0)
    until(lambda: not session.get(OPERATOR, "pods", selector="app.kubernetes.io/name=gregor-operator"),
          "the operator's end", 60)
    session.apply(NAMESPACE, *[manifest(f"many-{number}", partitions=1) for number in range(MANY)])
    scale(1)
    until(lambda: any(ready(pod) for pod in session.get(
        OPERATOR, "pods", selector="app.kubernetes.io/name=gregor-operator")), "the operator's start", 60)
    started = time.monotonic()

    def all_ready():
        topics = [topic for topic in session.get(NAMESPACE, TOPICS)
                  if topic["metadata"]["name"].startswith("many-")]
        conditions = [condition for topic in topics for condition in topic.get("status", {}).get("conditions", [])
                      if condition["type"] == "Ready" and condition["status"] == "True"]
        return len(conditions) == MANY

    until(all_ready, f"{MANY} Topics ready", 120)
    seconds = time.monotonic() - started
    memory = resident(session.container_pid(session.operator_pod()))
    print(f"       {MANY} Topics ready {seconds:.1f} s after the operator's start (at most {MANY_SECONDS}), "
          f"operator {memory:.1f} MB (at most {MEMORY_MB})")
    check(seconds <= MANY_SECONDS, f"it took {seconds:.1f} s")
    check(memory <= MEMORY_MB, f"the operator has {memory:.1f} MB")
    session.kubectl("-n", NAMESPACE, "delete", TOPICS, *[f"many-{number}" for number in range(MANY)],
                    "--timeout=120s")


def resident(pid):
    """Resident memory in MB."""
    with open(f"/proc/{pid}/status", encoding="ascii") as status:
        line = next(line for line in status if line.startswith("VmRSS"))
    return int(line.split()[1]) / 1000


def idle(session):
    """Nothing to do: no write but the Lease's renewal."""
    time.sleep(5)
    since = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    time.sleep(IDLE_SECONDS)
    writes = session.writes(since)
    others = [write for write in writes if write[1] != "leases"]
    print(f"       {len(writes)} writes in {IDLE_SECONDS} s, {len(others)} of them not of the Lease")
    equal(others, [], "writes of an idle operator")
    check(writes, "the audit log shows no renewal of the Lease: it does not show the operator at all")


def events(session):
    """Every act of the operator left an Event."""
    reasons = {event["reason"] for event in session.get(NAMESPACE, "events.events.k8s.io")
               if "gregor" in json.dumps(event.get("reportingController", ""))}
    for reason in ["Created", "Restarting", "Adopted"]:
        check(reason in reasons, f"no Event {reason}, only {sorted(reasons)}")

"""The operator: killed in the middle of everything, two of them, many topics, and nothing to do."""

import json
import os
import random
import signal
import time

from harness.report import Failure, check, equal, until
from scenarios import brokers
from scenarios.topics import KIND as TOPICS
from scenarios.topics import NAMESPACE, admin, manifest
from session import OPERATOR, ready

CLUSTERS = "clusters.gregor.dev"
MANY = 200
MANY_SECONDS = 10
MEMORY_MB = 40
IDLE_SECONDS = 60
# Longer than the operator's Lease holds: it ends, and is started again without anybody to ask.
AWAY_SECONDS = 25
GAP_SECONDS = 1


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
         lambda n: until(lambda: asked(session, "partitions", f"step-{n - 1}") == "4", "4 partitions", 60)),
        ("a broker is restarted", lambda n: brokers.patch(session, **{"queued.max.requests": 500 + n}),
         lambda n: until(lambda: (session.condition(NAMESPACE, CLUSTERS, "demo") or {}).get("status") == "True"
                         and asked(session, "broker", "queued.max.requests") == str(500 + n), "the restart", 90)),
        ("a topic is deleted", lambda n: session.kubectl("-n", NAMESPACE, "delete", f"{TOPICS}/step-{n - 3}",
                                                         "--wait=false"),
         lambda n: until(lambda: session.get(NAMESPACE, TOPICS, f"step-{n - 3}") is None
                         and asked(session, "partitions", f"step-{n - 3}") == "none", "the deletion", 60)),
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


def asked(session, *arguments):
    """What the broker says; None while it is being restarted."""
    try:
        return admin(session, *arguments)
    except Failure:
        return None


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
    """200 Topics, from the start of the operator's process to the last Ready."""
    deployment = session.get(OPERATOR, "deployments")[0]["metadata"]["name"]
    scale = lambda count: session.kubectl("-n", OPERATOR, "scale", f"deployment/{deployment}", f"--replicas={count}")
    scale(0)
    until(lambda: not session.get(OPERATOR, "pods", selector="app.kubernetes.io/name=gregor-operator"),
          "the operator's end", 60)
    session.apply(NAMESPACE, *[manifest(f"many-{number}", partitions=1) for number in range(MANY)])
    scale(1)
    until(lambda: any(ready(pod) for pod in operators(session)), "the operator's start", 60)
    pid = session.container_pid(session.operator_pod())

    def all_ready():
        topics = [topic for topic in session.get(NAMESPACE, TOPICS)
                  if topic["metadata"]["name"].startswith("many-")]
        conditions = [condition for topic in topics for condition in topic.get("status", {}).get("conditions", [])
                      if condition["type"] == "Ready" and condition["status"] == "True"]
        return len(conditions) == MANY

    until(all_ready, f"{MANY} Topics ready", 120)
    seconds = age(pid)
    memory = resident(pid)
    print(f"       {MANY} Topics ready {seconds:.1f} s after the operator's start (at most {MANY_SECONDS}), "
          f"operator {memory:.1f} MB (at most {MEMORY_MB})")
    check(seconds <= MANY_SECONDS, f"it took {seconds:.1f} s")
    check(memory <= MEMORY_MB, f"the operator has {memory:.1f} MB")
    session.kubectl("-n", NAMESPACE, "delete", TOPICS, *[f"many-{number}" for number in range(MANY)],
                    "--timeout=120s")


def age(pid):
    """Seconds since a process was started."""
    with open(f"/proc/{pid}/stat", encoding="ascii") as stat:
        started = int(stat.read().rsplit(")", 1)[1].split()[19]) / os.sysconf("SC_CLK_TCK")
    return time.clock_gettime(time.CLOCK_BOOTTIME) - started


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


def unreadable(session):
    """What the API server takes and no operator can read or carry out is told so, and keeps nothing else waiting."""
    def odd(name, **spec):
        return {"apiVersion": "gregor.dev/v1alpha1", "kind": "Cluster", "metadata": {"name": name},
                "spec": {"replicas": 1, **spec}}

    weight = {"weight": 2 ** 40, "preference": {"matchExpressions": [{"key": "a", "operator": "Exists"}]}}
    spread = {"nodeAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": [weight]}}
    cases = [
        (CLUSTERS, odd("odd-config", config={"num.partitions": {"a": 1}}), "spec.config.num.partitions"),
        (CLUSTERS, odd("odd-weight", pod={"affinity": spread}), "1099511627776"),
        (TOPICS, manifest("odd-topic", config={"retention.ms": []}), "spec.config.retention.ms"),
    ]
    for again in [False, True]:
        for kind, item, word in cases:
            name = item["metadata"]["name"]
            if not again:
                session.apply(NAMESPACE, item)
            session.wait_condition(NAMESPACE, kind, name, status="False", reason="InvalidSpec")
            message = session.condition(NAMESPACE, kind, name)["message"]
            check(word in message, f"{name}: {word} is not named: {message}")
        session.apply(NAMESPACE, manifest(f"well-{again}".lower(), partitions=1))
        session.wait_condition(NAMESPACE, TOPICS, f"well-{again}".lower(), seconds=40)
        if not again:
            kill(session)  # the next operator lists them all at its start
    for kind, item, _ in cases:
        session.kubectl("-n", NAMESPACE, "delete", f"{kind}/{item['metadata']['name']}", "--timeout=30s")
    session.kubectl("-n", NAMESPACE, "delete", TOPICS, "well-false", "well-true", "--timeout=30s")


def api_server_away(session):
    """Without an API server brokers serve on and the operator does nothing; with it, all goes on by itself."""
    pod = session.pod(NAMESPACE, "demo")["metadata"]["uid"]

    def act():
        session.cluster.processes.kill("apiserver")
        time.sleep(AWAY_SECONDS)
        session.cluster.processes.again("apiserver")
        until(lambda: reachable(session), "the API server", 60)

    brokers.loaded(session, act, GAP_SECONDS)
    started = time.monotonic()
    session.apply(NAMESPACE, manifest("after-the-gap", partitions=1))
    session.wait_condition(NAMESPACE, TOPICS, "after-the-gap", seconds=90)
    print(f"       a Topic was ready {time.monotonic() - started:.1f} s after {AWAY_SECONDS} s without an API server")
    session.wait_condition(NAMESPACE, CLUSTERS, "demo")
    equal(session.pod(NAMESPACE, "demo")["metadata"]["uid"], pod, "the broker's pod")
    session.kubectl("-n", NAMESPACE, "delete", f"{TOPICS}/after-the-gap", "--timeout=30s")


def reachable(session):
    try:
        return session.kubectl("get", "--raw", "/readyz")
    except RuntimeError:
        return None


def rights(session):
    """The operator was refused nothing, and every right to write that it has was used by what was played."""
    used, refused = {("update", "clusters/finalizers")}, []  # asked for by an admission plugin that is off here
    for event in session.audit():
        where, code = event["objectRef"], event["responseStatus"]["code"]
        resource = "/".join(filter(None, [where["resource"], where.get("subresource")]))
        if code == 403:
            refused.append((event["verb"], resource, event["responseStatus"].get("message")))
        # What is applied and was not there is made, which takes both rights.
        used |= {(event["verb"], resource)} | ({("create", resource)} if code == 201 else set())
    namespaced = [rule for kind in ["clusterrole/gregor-operator", "role/gregor-operator-lease"]
                  for rule in json.loads(session.kubectl("-n", OPERATOR, "get", kind, "-o", "json"))["rules"]]
    granted = {(verb, resource) for rule in namespaced for verb in rule["verbs"] for resource in rule["resources"]
               if verb not in ("get", "list", "watch")}
    # A claim that cannot grow is refused by admission, and not by want of a right.
    refused = [one for one in refused if one[1] != "persistentvolumeclaims" and "being terminated" not in str(one[2])]
    equal(refused, [], "writes that were forbidden")
    equal(sorted(granted - used), [], "rights to write that nothing used")
    print(f"       {len(granted)} rights to write, all of them used")


def events(session):
    """Every act of the operator left an Event."""
    reasons = {event["reason"] for event in session.get(NAMESPACE, "events.events.k8s.io")
               if "gregor" in json.dumps(event.get("reportingController", ""))}
    for reason in ["Created", "Restarting", "Adopted"]:
        check(reason in reasons, f"no Event {reason}, only {sorted(reasons)}")

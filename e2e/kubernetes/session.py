"""What scenarios hold in their hands: kubectl, helm, and clients that run where the pods' network is."""

import json
import os
import subprocess
import time

from cluster import NODE
from processes import wait

ROOT = os.path.abspath(os.path.join(os.path.dirname(__file__), "..", ".."))
OPERATOR = "gregor-system"
IMAGE = "gregor:0.1.0"


class Session:
    """One cluster with the image loaded. Namespaces of scenarios are restricted, as a careful user's are."""

    def __init__(self, cluster, python):
        self.cluster = cluster
        self.python = python
        self.kubectl = cluster.kubectl
        self.root = ROOT

    def helm(self, *arguments):
        return self.cluster.processes.call(
            [self.cluster.binary("helm"), "--kubeconfig", self.cluster.kubeconfig, *arguments], cwd=ROOT)

    def shell(self, line):
        """Runs a line as a user types it, in the folder of the checkout, and gives what it printed."""
        folder = self.cluster.path("bin")
        if not os.path.exists(folder):
            os.makedirs(folder)
            for name in ["kubectl", "helm"]:
                os.symlink(os.path.abspath(self.cluster.binary(name)), os.path.join(folder, name))
        environment = {**os.environ, "PATH": f"{folder}:{os.environ['PATH']}", "KUBECONFIG": self.cluster.kubeconfig}
        return self.cluster.processes.call(["bash", "-c", line], cwd=ROOT, env=environment)

    def run(self, command):
        """Runs a program where the API server can be reached, and gives what it printed."""
        return self.cluster.processes.call(command)

    def apply(self, namespace, *objects):
        """Applies objects, or YAML text, as a user does."""
        text = "\n---\n".join(item if isinstance(item, str) else json.dumps(item) for item in objects)
        return self.kubectl("-n", namespace, "apply", "-f", "-", input=text)

    def refused(self, namespace, text):
        """What the API server answers to YAML that it must refuse; None when it takes it."""
        try:
            self.kubectl("-n", namespace, "apply", "--dry-run=server", "-f", "-", input=text)
        except RuntimeError as error:
            return str(error)
        return None

    def get(self, namespace, kind, name=None, selector=None):
        """An object, or the list of them; None when there is no such object."""
        command = ["-n", namespace, "get", kind, "-o", "json", "--ignore-not-found"]
        if name:
            command.append(name)
        if selector:
            command += ["-l", selector]
        answer = self.kubectl(*command)
        if not answer.strip():
            return None
        return json.loads(answer) if name else json.loads(answer)["items"]

    def condition(self, namespace, kind, name, wanted="Ready"):
        """A condition of an object's status; None before it has one that speaks of the present spec."""
        item = self.get(namespace, kind, name)
        if item is None or item.get("status", {}).get("observedGeneration") != item["metadata"]["generation"]:
            return None
        for condition in item["status"].get("conditions", []):
            if condition["type"] == wanted:
                return condition
        return None

    def wait_condition(self, namespace, kind, name, status="True", reason=None, wanted="Ready", seconds=60):
        """Waits until a condition has a status and a reason, and gives the seconds that it took."""
        started = time.monotonic()

        def reached():
            found = self.condition(namespace, kind, name, wanted)
            if found and found["status"] == status and (reason is None or found["reason"] == reason):
                return found
            raise RuntimeError(f"{kind} {name}: {wanted} is {found}")

        wait(reached, f"{kind} {name} to be {wanted}={status} {reason or ''}", seconds)
        return time.monotonic() - started

    def make_namespace(self, name):
        """A namespace that takes only pods of the restricted profile."""
        self.apply("default", {"apiVersion": "v1", "kind": "Namespace", "metadata": {
            "name": name, "labels": {"pod-security.kubernetes.io/enforce": "restricted"}}})

    def pods(self, namespace, cluster):
        """The broker pods of a Cluster."""
        return self.get(namespace, "pods", selector=f"app.kubernetes.io/instance={cluster},"
                                                    "app.kubernetes.io/component=broker")

    def pod(self, namespace, cluster):
        """The only broker's pod, when there is one that is not going."""
        for pod in self.pods(namespace, cluster):
            if "deletionTimestamp" not in pod["metadata"]:
                return pod
        return None

    def wait_new_pod(self, namespace, cluster, old, seconds=60):
        """Waits until another pod than `old` is ready, and gives it."""
        def there():
            pod = self.pod(namespace, cluster)
            if pod and pod["metadata"]["uid"] != old["metadata"]["uid"] and ready(pod):
                return pod
            return None

        return wait(there, f"a new pod of {cluster}", seconds)

    def operator_pod(self):
        """The operator's pod."""
        return self.get(OPERATOR, "pods", selector="app.kubernetes.io/name=gregor-operator")[0]

    def container_pid(self, pod):
        """The process of a pod's first container, on the node."""
        container = pod["status"]["containerStatuses"][0]["containerID"].removeprefix("containerd://")
        for line in self.cluster.ctr("tasks", "ls").splitlines()[1:]:
            fields = line.split()
            if fields[0] == container:
                return int(fields[1])
        raise RuntimeError(f"no task of {pod['metadata']['name']}")

    def client(self, script, *arguments):
        """Starts a program of ours beside the pods, with the cluster's names; its standard output is a pipe."""
        resolv = self.cluster.path("resolv.conf")
        if not os.path.exists(resolv):
            with open(resolv, "w", encoding="utf-8") as file:
                file.write(f"nameserver {NODE}\nsearch cluster.local\noptions ndots:5\n")
        path = os.path.join(os.path.dirname(os.path.abspath(__file__)), script)
        shell = f'mount --bind {resolv} /etc/resolv.conf && exec "$@"'
        return subprocess.Popen(
            self.cluster.processes.inside(["unshare", "--mount", "sh", "-c", shell, "sh", self.python, path,
                                           *map(str, arguments)]),
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def metric(self, pod, port, name):
        """The sum of a series that a pod exports, None when it has none."""
        text = self.cluster.processes.call(
            ["curl", "-sf", f"http://{pod['status']['podIP']}:{port}/metrics"])
        values = [float(line.rsplit(" ", 1)[1]) for line in text.splitlines()
                  if line.split("{")[0].split(" ")[0] == name]
        return sum(values) if values else None

    def audit(self):
        """Every write of the operator's account, as the API server's audit log has it."""
        user = f"system:serviceaccount:{OPERATOR}:gregor-operator"
        with open(self.cluster.path("audit.log"), encoding="utf-8") as log:
            for line in log:
                event = json.loads(line)
                if event["user"]["username"] == user:
                    yield event

    def writes(self, since):
        """Writes that the operator's account made after `since`: (verb, resource) pairs."""
        return [(event["verb"], event["objectRef"]["resource"]) for event in self.audit()
                if event["stageTimestamp"] > since]


def ready(pod):
    """Whether a pod is ready."""
    return any(condition["type"] == "Ready" and condition["status"] == "True"
               for condition in pod.get("status", {}).get("conditions", []))

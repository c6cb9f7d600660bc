"""A Kubernetes of one node: etcd, the control plane, containerd, kubelet, kube-proxy and CoreDNS.

It lives in a network namespace that has no way out, so that nothing that it does reaches the machine's network.
"""

import json
import os
import shutil
import subprocess

from processes import Processes, wait

NODE = "198.18.255.1"
PODS = "198.18.0.0/17"
SERVICES = "198.19.0.0/16"
NAME = "node0"
VOLUMES = 24

AUDIT = """\
apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
rules:
- level: Metadata
  verbs: [create, update, patch, delete, deletecollection]
- level: None
"""


def network(run):
    """The pods' network; which addresses are taken is written down in our own folder."""
    addresses = {"type": "host-local", "ranges": [[{"subnet": "198.18.0.0/24"}]],
                 "routes": [{"dst": "0.0.0.0/0"}], "dataDir": os.path.join(run, "addresses")}
    bridge = {"type": "bridge", "bridge": "cni0", "isGateway": True, "ipMasq": True, "hairpinMode": True,
              "ipam": addresses}
    return {"cniVersion": "0.4.0", "name": "pods", "plugins": [
        bridge, {"type": "portmap", "capabilities": {"portMappings": True}}]}



# Without CAP_SYS_RESOURCE no process may lower its oom_score_adj, which the kubelet asks for.
CONTAINERD = """\
version = 2
root = "{run}/containerd/root"
state = "{run}/containerd/state"
[grpc]
  address = "{run}/containerd.sock"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "localhost/pause:1"
  restrict_oom_score_adj = true
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "/usr/lib/cni"
    conf_dir = "{run}/cni"
[plugins."io.containerd.internal.v1.opt"]
  path = "{run}/containerd/opt"
"""

KUBELET = """\
apiVersion: kubelet.config.k8s.io/v1beta1
kind: KubeletConfiguration
cgroupDriver: cgroupfs
failSwapOn: false
failCgroupV1: false
containerRuntimeEndpoint: unix://{run}/containerd.sock
authentication: {{anonymous: {{enabled: true}}, webhook: {{enabled: false}}}}
authorization: {{mode: AlwaysAllow}}
clusterDNS: ["{node}"]
clusterDomain: cluster.local
resolvConf: ""
imageGCHighThresholdPercent: 100
imageGCLowThresholdPercent: 99
evictionHard: {{imagefs.available: 1%, nodefs.available: 1%, memory.available: 100Mi}}
"""

DNS = """\
.:53 {{
  bind {node}
  kubernetes cluster.local {{
    kubeconfig {run}/kubeconfig cluster
  }}
}}
"""


class Cluster:
    """Starts in seconds, and leaves nothing behind when it is stopped."""

    def __init__(self, run, binaries, namespace):
        self.run = run
        self.binaries = binaries
        self.processes = Processes(namespace, os.path.join(run, "log"))
        self.namespace = namespace
        self.kubeconfig = os.path.join(run, "kubeconfig")

    def binary(self, name):
        return os.path.join(self.binaries, name)

    def path(self, *names):
        return os.path.join(self.run, *names)

    def write(self, name, text):
        path = self.path(name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
        return path

    def kubectl(self, *arguments, **options):
        """Runs kubectl as the cluster's administrator."""
        return self.processes.call(
            [self.binary("kubectl"), "--kubeconfig", self.kubeconfig, *arguments], **options)

    def start(self):
        self.open_network()
        self.start_control_plane()
        self.start_containers()
        self.start_node()
        self.add_storage()

    def open_network(self):
        """The namespace. This kernel has no dummy device: one end of a veth pair carries the node's address."""
        subprocess.run(["ip", "netns", "add", self.namespace], check=True)
        for command in [
            "ip link set lo up",
            "ip link add node type veth peer name node-peer",
            "ip link set node-peer up",
            f"ip addr add {NODE}/32 dev node",
            "ip link set node up",
            "ip route add default dev node",
            "sysctl -qw net.ipv4.ip_forward=1",
        ]:
            self.processes.call(command.split())

    def start_control_plane(self):
        keys = self.path("pki")
        os.makedirs(keys)
        key, public = f"{keys}/sa.key", f"{keys}/sa.pub"
        for command in [["genrsa", "-out", key, "2048"], ["rsa", "-in", key, "-pubout", "-out", public]]:
            subprocess.run(["openssl", *command], check=True, capture_output=True)
        self.write("pki/tokens.csv", "admin-token,admin,admin,system:masters\n")
        self.processes.start("etcd", [
            self.binary("etcd"), "--data-dir", self.path("etcd"), "--unsafe-no-fsync",
            "--listen-client-urls", "http://127.0.0.1:2379", "--advertise-client-urls", "http://127.0.0.1:2379",
            "--listen-peer-urls", "http://127.0.0.1:2380"])
        self.processes.start("apiserver", [
            self.binary("kube-apiserver"), "--etcd-servers=http://127.0.0.1:2379", f"--cert-dir={keys}",
            f"--bind-address={NODE}", f"--advertise-address={NODE}", f"--service-cluster-ip-range={SERVICES}",
            f"--token-auth-file={keys}/tokens.csv", "--authorization-mode=Node,RBAC", "--allow-privileged=true",
            "--kubelet-preferred-address-types=InternalIP", f"--service-account-key-file={public}",
            f"--service-account-signing-key-file={key}",
            "--service-account-issuer=https://kubernetes.default.svc",
            f"--audit-policy-file={self.write('audit.yaml', AUDIT)}", f"--audit-log-path={self.path('audit.log')}"])
        self.write("kubeconfig", json.dumps({
            "apiVersion": "v1", "kind": "Config", "current-context": "cluster",
            "clusters": [{"name": "cluster", "cluster": {
                "server": f"https://{NODE}:6443", "certificate-authority": f"{keys}/apiserver.crt"}}],
            "users": [{"name": "admin", "user": {"token": "admin-token"}}],
            "contexts": [{"name": "cluster", "context": {"cluster": "cluster", "user": "admin"}}]}))
        wait(lambda: self.kubectl("get", "--raw", "/readyz"), "the API server", 60)
        self.processes.start("controller-manager", [
            self.binary("kube-controller-manager"), f"--kubeconfig={self.kubeconfig}",
            f"--service-account-private-key-file={key}", f"--root-ca-file={keys}/apiserver.crt",
            "--allocate-node-cidrs=true", f"--cluster-cidr={PODS}", "--use-service-account-credentials=true",
            "--leader-elect=false"])
        self.processes.start("scheduler", [
            self.binary("kube-scheduler"), f"--kubeconfig={self.kubeconfig}", "--leader-elect=false"])

    def start_containers(self):
        self.write("cni/10-pods.conflist", json.dumps(network(self.run)))
        self.processes.start("containerd", [
            "containerd", "-c", self.write("containerd.toml", CONTAINERD.format(run=self.run))])
        wait(lambda: self.ctr("version"), "containerd", 30)
        folder = self.path("pause")
        os.makedirs(folder)
        source = os.path.join(os.path.dirname(os.path.abspath(__file__)), "pause.c")
        subprocess.run(["gcc", "-static", "-Os", "-o", f"{folder}/pause", source], check=True)
        self.write("pause/Dockerfile", 'FROM scratch\nCOPY pause /pause\nENTRYPOINT ["/pause"]\n')
        self.load(build_image(folder, "localhost/pause:1", self.path("pause.tar"), self.path("buildah")))

    def start_node(self):
        settings = self.write("kubelet.yaml", KUBELET.format(run=self.run, node=NODE))
        self.processes.start("kubelet", [
            self.binary("kubelet"), f"--config={settings}", f"--kubeconfig={self.kubeconfig}",
            f"--root-dir={self.path('kubelet')}", f"--node-ip={NODE}", f"--hostname-override={NAME}"])
        self.processes.start("proxy", [
            self.binary("kube-proxy"), f"--kubeconfig={self.kubeconfig}", f"--cluster-cidr={PODS}",
            f"--hostname-override={NAME}", "--proxy-mode=iptables", "--conntrack-max-per-core=0"])
        self.processes.start("coredns", [
            self.binary("coredns"), "-conf", self.write("Corefile", DNS.format(run=self.run, node=NODE))])
        wait(lambda: self.kubectl("get", "node", NAME), "the node", 60)
        self.kubectl("wait", "--for=condition=Ready", f"node/{NAME}", "--timeout=60s")
        wait(lambda: self.kubectl("-n", "default", "get", "serviceaccount", "default"), "the namespace", 30)

    def add_storage(self):
        """Volumes of type local: fsGroup makes them writable for pods that do not run as root."""
        volumes = [{
            "apiVersion": "storage.k8s.io/v1", "kind": "StorageClass",
            "metadata": {"name": "local", "annotations": {"storageclass.kubernetes.io/is-default-class": "true"}},
            "provisioner": "kubernetes.io/no-provisioner", "volumeBindingMode": "WaitForFirstConsumer"}]
        for number in range(VOLUMES):
            folder = self.path("volumes", str(number))
            os.makedirs(folder)
            volumes.append({
                "apiVersion": "v1", "kind": "PersistentVolume", "metadata": {"name": f"local-{number}"},
                "spec": {
                    "capacity": {"storage": "100Gi"}, "accessModes": ["ReadWriteOnce"],
                    "persistentVolumeReclaimPolicy": "Retain", "storageClassName": "local",
                    "local": {"path": folder},
                    "nodeAffinity": {"required": {"nodeSelectorTerms": [{"matchExpressions": [
                        {"key": "kubernetes.io/hostname", "operator": "In", "values": [NAME]}]}]}}}})
        self.kubectl("apply", "-f", "-", input="\n---\n".join(map(json.dumps, volumes)))

    def ctr(self, *arguments):
        return self.processes.call(["ctr", "-a", self.path("containerd.sock"), "-n", "k8s.io", *arguments])

    def load(self, archive):
        """Gives an image to the node."""
        self.ctr("images", "import", archive)

    def stop(self):
        """Ends everything that was started, containers first, and removes what was mounted and made."""
        for name in ["kubelet", "proxy", "scheduler", "controller-manager", "coredns", "apiserver"]:
            self.processes.stop(name)
        if self.processes.alive("containerd"):
            self.remove_containers()
        for name in ["containerd", "etcd"]:
            self.processes.stop(name)
        with open("/proc/mounts", encoding="utf-8") as mounts:
            points = [line.split()[1] for line in mounts if line.split()[1].startswith(self.run)]
        for point in sorted(points, reverse=True):
            subprocess.run(["umount", "-l", point], check=False)
        subprocess.run(["ip", "netns", "del", self.namespace], check=False)
        shutil.rmtree(self.run, ignore_errors=True)

    def remove_containers(self):
        for name in self.ctr("containers", "ls", "-q").split():
            for command in [["tasks", "kill", "-s", "SIGKILL", name], ["tasks", "rm", "-f", name],
                            ["containers", "rm", name]]:
                try:
                    self.ctr(*command)
                except RuntimeError:
                    pass  # it ended by itself
        # The namespaces of the pods' networks are the kubelet's to remove, and it is gone.
        for line in self.processes.call(["ip", "netns", "list"]).splitlines():
            name = line.split()[0]
            if name.startswith("cni-") and self.owns(name):
                subprocess.run(["ip", "netns", "del", name], check=False)

    def owns(self, name):
        """Whether a pod's network namespace is of this cluster: its sandbox is written down in our folder."""
        done = subprocess.run(["grep", "-rqs", name, self.path("addresses"), self.path("containerd")], check=False)
        return done.returncode == 0


def build_image(folder, tag, archive, storage, *arguments):
    """Builds an image from a folder's Dockerfile, without a daemon, into an archive if one is named."""
    buildah = ["buildah", "--root", f"{storage}/root", "--runroot", f"{storage}/run", "--storage-driver", "vfs"]
    subprocess.run([*buildah, "bud", "--isolation", "chroot", "-q", *arguments, "-t", tag, folder],
                   check=True, stdout=subprocess.DEVNULL)
    if archive:
        subprocess.run([*buildah, "push", "-q", tag, f"docker-archive:{archive}:{tag}"],
                       check=True, stdout=subprocess.DEVNULL)
    return archive

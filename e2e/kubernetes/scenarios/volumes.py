"""Volumes: grown where the storage class can, and told where it cannot."""

import json
import os

from cluster import NAME
from harness.report import check, equal
from processes import wait

KIND = "clusters.gregor.dev"
NAMESPACE = "volumes"


def claim(session, cluster):
    """The claim of the Cluster's broker."""
    return session.get(NAMESPACE, "persistentvolumeclaims", f"volume-0-{cluster}-broker-0")


def make(session, name, storage_class):
    """A Cluster with a volume of 1Gi."""
    volume = {"id": 0, "size": "1Gi", "storageClassName": storage_class}
    session.apply(NAMESPACE, {"apiVersion": "gregor.dev/v1alpha1", "kind": "Cluster", "metadata": {"name": name},
                              "spec": {"replicas": 1, "deletionPolicy": "Delete", "storage": {"volumes": [volume]}}})
    session.wait_condition(NAMESPACE, KIND, name)


def ask(session, name):
    """Asks for 2Gi."""
    session.kubectl("-n", NAMESPACE, "patch", f"{KIND}/{name}", "--type=json",
                    "-p", '[{"op":"replace","path":"/spec/storage/volumes/0/size","value":"2Gi"}]')


def resize(session):
    """A class that can grow volumes, one that cannot, and what the driver of a real one says on the way."""
    session.make_namespace(NAMESPACE)
    folder = session.cluster.path("volumes", "growing")
    os.makedirs(folder)
    terms = [{"matchExpressions": [{"key": "kubernetes.io/hostname", "operator": "In", "values": [NAME]}]}]
    session.apply(
        "default",
        {"apiVersion": "storage.k8s.io/v1", "kind": "StorageClass", "metadata": {"name": "growing"},
         "provisioner": "kubernetes.io/no-provisioner", "volumeBindingMode": "WaitForFirstConsumer",
         "allowVolumeExpansion": True},
        {"apiVersion": "v1", "kind": "PersistentVolume", "metadata": {"name": "growing"},
         "spec": {"capacity": {"storage": "1Gi"}, "accessModes": ["ReadWriteOnce"], "storageClassName": "growing",
                  "persistentVolumeReclaimPolicy": "Retain", "local": {"path": folder},
                  "nodeAffinity": {"required": {"nodeSelectorTerms": terms}}}})
    make(session, "growing", "growing")
    pod = session.pod(NAMESPACE, "growing")["metadata"]["uid"]
    ask(session, "growing")
    wait(lambda: claim(session, "growing")["spec"]["resources"]["requests"]["storage"] == "2Gi", "the claim for 2Gi", 20)
    session.wait_condition(NAMESPACE, KIND, "growing", status="False", reason="Resizing", wanted="VolumesResized")
    status(session, {"conditions": [{"type": "FileSystemResizePending", "status": "True",
                                     "lastTransitionTime": "2026-01-01T00:00:00Z"}]})
    wait(lambda: "its file system grows" in session.condition(
        NAMESPACE, KIND, "growing", "VolumesResized")["message"], "a word on the file system", 20)
    status(session, {"conditions": [], "capacity": {"storage": "2Gi"}})
    session.wait_condition(NAMESPACE, KIND, "growing", reason="Reconciled", wanted="VolumesResized")
    # The growth is older than the pod, which has mounted the volume since: it was not restarted for it.
    equal(session.pod(NAMESPACE, "growing")["metadata"]["uid"], pod, "the broker's pod")
    make(session, "stiff", "local")
    ask(session, "stiff")
    session.wait_condition(NAMESPACE, KIND, "stiff", status="False", reason="VolumeResizeUnsupported",
                           wanted="VolumesResized")
    session.wait_condition(NAMESPACE, KIND, "stiff", reason="VolumeResizeUnsupported", wanted="Stalled")
    session.wait_condition(NAMESPACE, KIND, "stiff")
    check(claim(session, "stiff")["spec"]["resources"]["requests"]["storage"] == "1Gi", "the claim changed all the same")
    # deletionPolicy Delete: the claims go with their Cluster.
    session.kubectl("-n", NAMESPACE, "delete", KIND, "--all", "--timeout=60s")
    wait(lambda: not session.get(NAMESPACE, "persistentvolumeclaims"), "the claims' end", 60)
    session.kubectl("delete", "namespace", NAMESPACE, "--timeout=90s")


def status(session, patch):
    """Says of the claim what a storage driver says."""
    session.kubectl("-n", NAMESPACE, "patch", "persistentvolumeclaims/volume-0-growing-broker-0", "--subresource=status",
                    "--type=merge", "-p", json.dumps({"status": patch}))

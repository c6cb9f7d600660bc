"""The image: from binaries that are built already, and from source on a base that debootstrap makes."""

import json
import os
import shutil
import subprocess

from cluster import build_image
from harness.report import check, equal
from scenarios.brokers import KIND
from scenarios.topics import NAMESPACE
from session import IMAGE, ROOT

IMAGE_MB = 30


def from_binaries(cluster):
    """The image that all scenarios use."""
    folder = cluster.path("image")
    os.makedirs(os.path.join(folder, "dist"))
    shutil.copy(os.path.join(ROOT, "Dockerfile"), folder)
    for program in ["gregor", "gregor-operator"]:
        shutil.copy(os.path.join(os.environ["BINARIES"], program), os.path.join(folder, "dist"))
    archive = cluster.path("image.tar")
    build_image(folder, IMAGE, archive, cluster.path("buildah"), "--build-arg", "BINARIES=prebuilt")
    cluster.load(archive)
    cluster.ctr("images", "tag", f"docker.io/library/{IMAGE}", "docker.io/library/gregor:other")
    check_size("from binaries", archive)


def check_size(what, archive):
    """An image of two programs and nothing else is small."""
    size = os.path.getsize(archive) / 1e6
    print(f"       image {what}: {size:.1f} MB (at most {IMAGE_MB})", flush=True)
    check(size <= IMAGE_MB, f"the image has {size:.1f} MB")


def from_source(session):
    """Dockerfile's first form: compiled in a container, crates from a folder and not from the network. Its programs
    are what the others are, and a broker of it takes over where the one before stopped."""
    cluster = session.cluster
    base, source = cluster.path("base"), cluster.path("source")
    os.makedirs(base)
    subprocess.run([os.path.join(ROOT, "e2e/kubernetes/base.sh"), os.path.join(base, "root.tar")], check=True)
    with open(os.path.join(base, "Dockerfile"), "w", encoding="utf-8") as file:
        file.write("FROM scratch\nADD root.tar /\nENV PATH=/usr/local/bin:/usr/bin:/bin\n")
    storage = cluster.path("buildah")
    build_image(base, "localhost/rust:base", None, storage)
    copy_source(source)
    archive = cluster.path("source.tar")
    build_image(source, "docker.io/library/gregor:source", archive, storage,
                "--build-arg", "RUST_IMAGE=localhost/rust:base", "--build-arg", "BINARIES=source")
    check_size("from source", archive)
    cluster.load(archive)
    for program, arguments in [("gregor", ["--version"]), ("gregor-operator", ["crds"])]:
        of = {image: cluster.ctr("run", "--rm", f"docker.io/library/gregor:{image}", f"try-{image}",
                                 f"/usr/bin/{program}", *arguments) for image in ["source", "0.1.0"]}
        check(of["source"].strip(), f"{program} of the image from source prints nothing")
        equal(of["source"], of["0.1.0"], f"what {program} prints")
    old = session.pod(NAMESPACE, "demo")
    session.kubectl("-n", NAMESPACE, "patch", f"{KIND}/demo", "--type=merge",
                    "-p", json.dumps({"spec": {"image": "gregor:source"}}))
    session.wait_new_pod(NAMESPACE, "demo", old)
    session.wait_condition(NAMESPACE, KIND, "demo")


def copy_source(folder):
    """The checkout as git has it, with the crates beside it and cargo told to use nothing else."""
    names = subprocess.run(["git", "-C", ROOT, "ls-files", "-z"], check=True, capture_output=True).stdout
    os.makedirs(folder)
    archive = subprocess.run(["tar", "-C", ROOT, "--null", "-T", "-", "-c"], input=names, check=True,
                             capture_output=True).stdout
    subprocess.run(["tar", "-C", folder, "-x"], input=archive, check=True)
    config = subprocess.run(["cargo", "vendor", "--locked", "vendor"], cwd=folder, check=True,
                            capture_output=True, text=True).stdout
    os.makedirs(os.path.join(folder, ".cargo"))
    with open(os.path.join(folder, ".cargo", "config.toml"), "w", encoding="utf-8") as file:
        file.write(config + "\n[net]\noffline = true\n")

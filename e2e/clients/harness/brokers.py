"""Servers under test: Apache Kafka, Gregor, or one that runs already. All on loopback, ended by process id."""

import os
import shutil
import signal
import socket
import subprocess
import time

from harness.jvm import classpath

CLUSTER_ID = "MkU3OEVBNTcwNTJENDM2Qk"


def free_port():
    """A port that nobody listens on; the kernel gives it out again only after a while."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Broker:
    """One server process over one data folder that outlives its kills and starts."""

    name = "broker"

    def __init__(self, directory, settings=None, advertised=None):
        self.directory = str(directory)
        self.data = os.path.join(self.directory, "data")
        self.port = free_port()
        self.address = f"127.0.0.1:{self.port}"
        self.advertised = advertised or self.address
        self.settings = dict(settings or {})
        self.process = None
        self.log_path = os.path.join(self.directory, "server.log")
        os.makedirs(self.directory, exist_ok=True)

    def start(self, seconds=60):
        """Starts the process and waits until it accepts connections."""
        self.process = self.spawn()
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                raise RuntimeError(f"{self.name} ended with {self.process.returncode}: {self.log_tail()}")
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
                return self
            except OSError:
                time.sleep(0.01)
        raise RuntimeError(f"{self.name} does not listen after {seconds} s: {self.log_tail()}")

    def kill(self):
        """Ends the process at once, as a crash would."""
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def stop(self, seconds=40):
        """Asks the process to end and returns its exit code."""
        if self.process is None or self.process.poll() is not None:
            return None
        self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.kill()
            raise RuntimeError(f"{self.name} does not end on SIGTERM within {seconds} s") from None

    def anonymous_bytes(self):
        """Anonymous resident memory of the process (RssAnon)."""
        with open(f"/proc/{self.process.pid}/status", encoding="ascii") as status:
            for line in status:
                if line.startswith("RssAnon:"):
                    return int(line.split()[1]) * 1024
        raise RuntimeError("no RssAnon")

    def log_tail(self, size=2000):
        """The end of what the server printed."""
        with open(self.log_path, encoding="utf-8", errors="replace") as log:
            return log.read()[-size:]

    def remove(self):
        """Deletes the folder."""
        shutil.rmtree(self.directory, ignore_errors=True)

    def spawn(self):
        """Starts the process."""
        raise NotImplementedError

    def _write_properties(self, values):
        path = os.path.join(self.directory, "server.properties")
        with open(path, "w", encoding="utf-8") as file:
            file.writelines(f"{key}={value}\n" for key, value in {**values, **self.settings}.items())
        return path

    def _popen(self, command):
        with open(self.log_path, "ab") as log:
            # The kernel ends the server when this process ends, however it ends.
            command = ["setpriv", "--pdeathsig", "KILL", *command]
            return subprocess.Popen(command, stdout=log, stderr=log, stdin=subprocess.DEVNULL)


class Kafka(Broker):
    """Apache Kafka: one node, broker and controller in one process."""

    name = "kafka"

    def spawn(self):
        controller = free_port()
        path = self._write_properties({
            "process.roles": "broker,controller",
            "node.id": 1,
            "controller.quorum.voters": f"1@127.0.0.1:{controller}",
            "listeners": f"PLAINTEXT://127.0.0.1:{self.port},CONTROLLER://127.0.0.1:{controller}",
            "advertised.listeners": f"PLAINTEXT://{self.advertised}",
            "controller.listener.names": "CONTROLLER",
            "listener.security.protocol.map": "CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT",
            "log.dirs": self.data,
            "offsets.topic.replication.factor": 1,
            "transaction.state.log.replication.factor": 1,
            "transaction.state.log.min.isr": 1,
            "share.coordinator.state.topic.replication.factor": 1,
            "share.coordinator.state.topic.min.isr": 1,
        })
        java = ["java", "-Xmx1g", "-XX:+UseG1GC", "-cp", classpath()]
        if not os.path.exists(os.path.join(self.data, "meta.properties")):
            subprocess.run(java + ["kafka.tools.StorageTool", "format", "-t", CLUSTER_ID, "-c", path],
                           check=True, stdout=subprocess.DEVNULL)
        return self._popen(java + ["kafka.Kafka", path])


class Gregor(Broker):
    """Our broker; the binary is named by GREGOR."""

    name = "gregor"

    def spawn(self):
        path = self._write_properties({
            "node.id": 1,
            "listeners": f"PLAINTEXT://127.0.0.1:{self.port}",
            "advertised.listeners": f"PLAINTEXT://{self.advertised}",
            "log.dirs": self.data,
            "http.listen": f"127.0.0.1:{free_port()}",
        })
        return self._popen([os.environ["GREGOR"], "broker", "--config", path])


class Running(Broker):
    """A server that somebody else started, at BROKER; what needs its process is left out."""

    name = "running"

    def __init__(self, address):
        self.address = address
        self.port = int(address.rsplit(":", 1)[1])
        self.process = None
        self.directory = None

    def start(self, seconds=60):
        return self

    def stop(self, seconds=40):
        return None

    def remove(self):
        pass


def make(against, directory, settings=None, advertised=None):
    """The server that the command line asks for."""
    if os.environ.get("BROKER"):
        return Running(os.environ["BROKER"])
    return {"kafka": Kafka, "gregor": Gregor}[against](directory, settings, advertised)

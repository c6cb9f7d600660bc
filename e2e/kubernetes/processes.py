"""Processes that the harness started: known by their ids, and ended by them."""

import os
import signal
import subprocess
import time


class Processes:
    """Starts programs in a network namespace, each with a log file of its own, and ends all of them."""

    def __init__(self, namespace, logs):
        self.namespace = namespace
        self.logs = logs
        self.running = {}
        self.commands = {}
        os.makedirs(logs, exist_ok=True)

    def inside(self, command):
        """`command` as it runs in the namespace. `ip netns exec` would hide the cgroups from the kubelet."""
        return ["nsenter", f"--net=/run/netns/{self.namespace}", *command]

    def start(self, name, command):
        """Starts a program."""
        self.commands[name] = command
        with open(os.path.join(self.logs, f"{name}.log"), "ab") as log:
            self.running[name] = subprocess.Popen(
                self.inside(command), stdout=log, stderr=log, stdin=subprocess.DEVNULL, start_new_session=True)

    def again(self, name):
        """Starts a program that was ended, as it was started before."""
        self.start(name, self.commands[name])

    def alive(self, name):
        """Whether a program that was started still runs."""
        return name in self.running and self.running[name].poll() is None

    def pid(self, name):
        """The id of a program: nsenter becomes it."""
        return self.running[name].pid

    def kill(self, name):
        """Ends a program at once."""
        self.running[name].kill()
        self.running.pop(name).wait()

    def stop(self, name, seconds=10):
        """Ends a program, at once when it does not end in time."""
        process = self.running.pop(name, None)
        if process is None:
            return
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
        try:
            process.wait(seconds)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def call(self, command, **options):
        """Runs a program in the namespace to its end and gives what it printed."""
        done = subprocess.run(self.inside(command), capture_output=True, text=True, **options)
        if done.returncode != 0:
            raise RuntimeError(f"{' '.join(command[:6])}: {(done.stderr or done.stdout).strip()[-2000:]}")
        return done.stdout

    def tail(self, name, lines=20):
        """The end of a program's log, to be shown when it failed."""
        with open(os.path.join(self.logs, f"{name}.log"), encoding="utf-8", errors="replace") as log:
            return "".join(log.readlines()[-lines:])


def wait(condition, what, seconds):
    """Polls until `condition` gives something true, and gives it back."""
    deadline = time.monotonic() + seconds
    last = None
    while time.monotonic() < deadline:
        try:
            answer = condition()
            if answer:
                return answer
        except Exception as error:  # what is not there yet fails in many ways; the last one is told
            last = error
        time.sleep(0.1)
    raise TimeoutError(f"{what}: not within {seconds} s" + (f" ({last})" if last else ""))

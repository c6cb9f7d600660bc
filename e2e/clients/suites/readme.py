"""README's first command and what follows it: what it prints is what README says it prints."""

import os
import re
import shlex
import shutil
import signal
import socket
import subprocess
import tempfile

from harness.brokers import free_port
from harness.report import check, equal, until

ROOT = os.path.abspath(os.path.join(os.path.dirname(__file__), "..", "..", ".."))
CARGO = "cargo run --release -- "
# README says "within about a second"; a busy machine may take longer.
APPLIED_SECONDS = 10


def run(report, _broker, _jvm):
    """Starts `gregor dev` in a folder of its own that has README's manifests, and types what README shows."""
    names = ["the first command prints what README says", "the lines typed in another terminal print what README says",
             "a change that is saved is applied", "a mistake is told with its place, and what runs goes on",
             "a topic taken out of the files is deleted", "SIGTERM stops it in order, and the next start has everything",
             "the commands that only print name what README names", "every folder and file that README names is there"]
    if report.may_skip:
        for name in names:
            report.skip(f"readme: {name}", "README is about gregor")
        return
    with tempfile.TemporaryDirectory(prefix="gregor-readme-") as directory:
        suite = Readme(directory)
        actions = [suite.first_command, suite.typed, suite.saved, suite.mistake, suite.taken_out, suite.stopped,
                   suite.printed, suite.named]
        try:
            for name, action in zip(names, actions, strict=True):
                report.scenario(f"readme: {name}", action)
        finally:
            suite.kill()


class Readme:
    """The text, and the process that it starts. Scenarios follow each other as a reader does."""

    def __init__(self, directory):
        with open(os.path.join(ROOT, "README.md"), encoding="utf-8") as file:
            self.text = file.read()
        self.directory = directory
        shutil.copytree(os.path.join(ROOT, "manifests"), os.path.join(directory, "manifests"))
        self.topics = os.path.join(directory, "manifests", "examples", "topics.yaml")
        self.output = os.path.join(directory, "output")
        self.addresses = {}
        self.process = None

    def blocks(self, heading):
        """The fenced blocks of a section: (language, text)."""
        section = self.text.split(f"\n## {heading}\n", 1)[1].split("\n## ", 1)[0]
        return re.findall(r"^```(\w+)\n(.*?)^```$", section, re.MULTILINE | re.DOTALL)

    def as_here(self, text):
        """README's text with the addresses that are used in place of those that somebody else holds."""
        for address, here in self.addresses.items():
            text = text.replace(address, here)
        return text

    def start(self):
        """The first command, and its output from its first line on."""
        (language, command), (_, shown) = self.blocks("Start")[:2]
        check(language == "sh" and command.startswith(CARGO), f"README begins with {command!r}")
        arguments = shlex.split(command.removeprefix(CARGO))
        for address, option in [("localhost:9092", "--listen"), ("127.0.0.1:9090", "--http")]:
            if taken(address) and address not in self.addresses:
                self.addresses[address] = f"{address.rsplit(':', 1)[0]}:{free_port()}"
            if address in self.addresses:
                arguments += [option, self.addresses[address]]
        with open(self.output, "wb") as output:
            self.process = subprocess.Popen(
                ["setpriv", "--pdeathsig", "KILL", os.environ["GREGOR"], *arguments], cwd=self.directory,
                stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.DEVNULL)
        until(lambda: self.process.poll() is not None or "Ctrl-C stops" in self.printed_so_far(), "it runs", 30)
        equal(self.process.poll(), None, "exit code of a process that has to run")
        return self.as_here(shown)

    def printed_so_far(self):
        """Standard output until here."""
        with open(self.output, encoding="utf-8") as output:
            return output.read()

    def first_command(self):
        """README shows how the output begins."""
        shown = self.start()
        printed = self.printed_so_far()
        equal(printed[:len(shown)].splitlines(), shown.splitlines(), "the first lines")
        for line in self.blocks("Start")[2][1].splitlines()[:2]:
            check(f"  {self.as_here(line)}\n" in printed, f"{line!r} is not among what it tells to try: {printed}")

    def typed(self):
        """The second block of commands, and the block of what they print."""
        (language, commands), (_, shown) = self.blocks("Start")[2:4]
        equal(language, "sh", "the block after what is printed")
        printed = ""
        for command in self.as_here(commands).splitlines():
            done = subprocess.run(["bash", "-c", command], cwd=self.directory, capture_output=True, text=True,
                                  timeout=60, check=False)
            equal(done.returncode, 0, f"{command}: {done.stderr}: exit code")
            printed += done.stdout
        equal(printed.splitlines(), shown.splitlines(), "what the commands print")

    def edit(self, old, new):
        """Saves a change of the topics' file."""
        with open(self.topics, encoding="utf-8") as file:
            text = file.read()
        equal(text.count(old), 1, f"{old!r} in topics.yaml")
        with open(self.topics, "w", encoding="utf-8") as file:
            file.write(text.replace(old, new))

    def told(self, pattern):
        """Waits for a line."""
        until(lambda: re.search(pattern, self.printed_so_far(), re.MULTILINE), f"a line {pattern}", APPLIED_SECONDS)

    def partitions(self):
        """Topic and partitions, as clients see them."""
        address = self.as_here("localhost:9092")
        shown = subprocess.run(["kcat", "-L", "-b", address], capture_output=True, text=True, timeout=60, check=True)
        return dict(re.findall(r'topic "(\w+)" with (\d+) partitions', shown.stdout))

    def saved(self):
        """Partitions grow."""
        self.edit("partitions: 6", "partitions: 8")
        self.told(r"^topic orders has 8 partitions now, was 6$")
        equal(self.partitions(), {"orders": "8", "customers": "3"}, "partitions")

    def mistake(self):
        """File, line, field and reason."""
        self.edit("partitions: 8", "partitions: many")
        self.told(r"^manifests/examples/topics\.yaml:8:\d+: spec\.partitions: must be a whole number, not \"many\"$")
        equal(self.partitions(), {"orders": "8", "customers": "3"}, "partitions")
        self.edit("partitions: many", "partitions: 8")
        self.told(r"^the files changed; all is as declared$")

    def taken_out(self):
        """The second document of the file goes."""
        with open(self.topics, encoding="utf-8") as file:
            documents = file.read().split("---\n")
        equal(len(documents), 2, "topics in topics.yaml")
        with open(self.topics, "w", encoding="utf-8") as file:
            file.write(documents[0])
        self.told(r"^topic customers deleted with its data")
        equal(self.partitions(), {"orders": "8"}, "partitions")

    def stopped(self):
        """What was typed is there after a stop, in the folder that README names."""
        self.process.send_signal(signal.SIGTERM)
        equal(self.process.wait(30), 0, "exit code of a stop")
        check(os.path.isdir(os.path.join(self.directory, "gregor-data")), "README's ./gregor-data is not there")
        self.start()
        consume = next(line for line in self.blocks("Start")[2][1].splitlines() if line.startswith("kcat -C"))
        read = subprocess.run(["bash", "-c", self.as_here(consume)], capture_output=True, text=True, timeout=60,
                              check=True)
        equal(read.stdout, "hello\n", "what was kept")

    def printed(self):
        """`gregor config`, its filter, and the flags of `gregor dev`."""
        def output(*arguments):
            return subprocess.run([os.environ["GREGOR"], *arguments], capture_output=True, text=True, timeout=60,
                                  check=True).stdout
        keys = {line for line in output("config").splitlines() if re.fullmatch(r"[a-z0-9.]+\.[a-z0-9.]+", line)}
        section = self.text.split("\n## gregor broker\n", 1)[1].split("\n## ", 1)[0]
        named = re.findall(r"`([a-z]+\.[a-z.]+)`", section)
        check("log.dirs" in named, f"the keys that README names: {named}")
        equal([name for name in named if name not in keys], [], "keys that README names and `gregor config` does not")
        some = output("config", "retention")
        check("log.retention.ms" in some and "http.listen" not in some, "`gregor config retention` does not choose")
        flags = re.findall(r"`(--?[a-z]+)[ `]", self.text.split("\n## gregor dev\n", 1)[1].split("\n## ", 1)[0])
        shown = output("dev", "--help")
        equal([flag for flag in flags if flag not in shown], [], "flags that README names and --help does not")

    def named(self):
        """Links, and the folders of the table of the code."""
        links = re.findall(r"\]\(([^#)][^)]*)\)", self.text)
        folders = re.findall(r"^\| `([\w/]+/)` \|", self.text, re.MULTILINE)
        check(len(links) >= 3 and len(folders) >= 5, f"links {links}, folders {folders}")
        missing = [path for path in [*links, *folders] if not os.path.exists(os.path.join(ROOT, path))]
        equal(missing, [], "what README names and is not there")
        parts = subprocess.run([os.path.join(ROOT, "e2e", "run"), "--list"], capture_output=True, text=True,
                               timeout=60, check=True).stdout
        for part in re.findall(r"`e2e/run (\w+)`", self.text):
            check(re.search(rf"^{part} ", parts, re.MULTILINE), f"there is no part {part}")

    def kill(self):
        """Ends the process, whatever it does."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()


def taken(address):
    """Whether somebody listens there already."""
    host, port = address.rsplit(":", 1)
    try:
        socket.create_connection((host, int(port)), 1).close()
        return True
    except OSError:
        return False

"""franz-go's own tests of pkg/kgo, from its Go module, and what comes of each of them.

franz_go.txt has a line for each test: "pass NAME", "skip NAME: WHY" or "fail NAME: WHY", where WHY is the feature
that we leave out; subtests have one where they end otherwise than the test around them, and count all. Tests that fail are run apart and with little time, because most of them wait for ever. Apache
Kafka has all features: there every test of the list that fails has to pass."""

import os
import re
import subprocess
import tempfile

from harness.report import check, equal

LIST = os.path.join(os.path.dirname(__file__), "franz_go.txt")
HEAD = "# What comes of franz-go's tests of pkg/kgo: written by UPDATE=1 e2e/run clients --suite franz_go.\n"
# Records that its longest test sends through three groups in a row, three times.
RECORDS = 30_000
SECONDS = 600
# A test that needs what we leave out fails at once or waits for ever.
FAILING_SECONDS = 20
RESULT = re.compile(r"^\s*--- (PASS|FAIL|SKIP): (\S+) \(")


def run(report, broker, jvm):
    """Runs the tests that should pass in one process, and those that fail each in its own."""
    suite = FranzGo(broker)
    report.scenario("franz go: the list names every test of pkg/kgo", suite.complete)
    report.scenario("franz go: tests that pass, and tests that are skipped", suite.passing)
    report.scenario("franz go: tests of what is left out fail", suite.failing)
    if os.environ.get("UPDATE") and suite.seen:
        suite.write()


class FranzGo:
    """The tests' program and the list."""

    def __init__(self, broker):
        self.broker = broker
        self.program = os.path.join(os.environ["GO_PROGRAMS"], "kgo.test")
        self.whys = {}
        self.expected = {}
        self.counts = None
        self.seen = {}
        with open(LIST, encoding="utf-8") as file:
            for line in file:
                found = re.match(r"(pass|skip|fail) ([^\s:]+)(?:: (.*))?$", line)
                if found:
                    self.expected[found[2]] = found[1]
                    self.whys[found[2]] = found[3]
                elif line.startswith("counts "):
                    self.counts = line.removeprefix("counts ").strip()

    def names(self, outcome):
        """The top-level tests with an outcome."""
        return [name for name, listed in self.expected.items() if listed == outcome and "/" not in name]

    def execute(self, *arguments, seconds=SECONDS):
        """Runs the program and returns the outcome of each test, and what it printed."""
        environment = {**os.environ, "KGO_SEEDS": self.broker.address, "KGO_TEST_RF": "1",
                       "KGO_TEST_RECORDS": str(RECORDS), "KGO_LOG_LEVEL": "none"}
        with tempfile.TemporaryDirectory() as folder:
            done = subprocess.run([self.program, "-test.v", f"-test.timeout={seconds}s", *arguments], cwd=folder,
                                  env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                  stderr=subprocess.STDOUT, timeout=seconds + 30, check=False)
        text = done.stdout.decode(errors="replace")
        outcomes = {}
        for line in text.splitlines():
            found = RESULT.match(line)
            if found:
                outcomes[found[2]] = {"PASS": "pass", "FAIL": "fail", "SKIP": "skip"}[found[1]]
        return outcomes, text

    def complete(self):
        done = subprocess.run([self.program, "-test.list", "."], capture_output=True, text=True, timeout=60, check=True)
        there = [name for name in done.stdout.split() if name.startswith("Test")]
        check(len(there) > 60, f"only {len(there)} tests")
        if os.environ.get("UPDATE"):
            return
        listed = [name for name in self.expected if "/" not in name]
        equal(sorted(listed), sorted(there), "tests on the list")
        without = [name for name, outcome in self.expected.items() if outcome != "pass" and not self.whys[name]]
        equal(without, [], "tests that do not pass, and nobody says why")

    def passing(self):
        failing = self.names("fail")
        outcomes, text = self.execute(*(["-test.skip", f"^({'|'.join(failing)})$"] if failing else []))
        self.seen |= outcomes
        # Subtests are listed only where they end otherwise than the test around them.
        wrong = {name: outcome for name, outcome in outcomes.items()
                 if outcome != self.wanted(name) and not (self.broker.name == "kafka" and outcome == "pass")}
        check(not wrong, f"other than listed: {wrong}: {excerpt(text, wrong)}")
        missing = [name for name in self.names("pass") + self.names("skip") if name not in outcomes]
        equal(missing, [], "tests that did not come to their end")

    def wanted(self, name):
        """The outcome that is listed for a test, or for the test around it."""
        while name not in self.expected and "/" in name:
            name = name.rsplit("/", 1)[0]
        return self.expected.get(name, "pass")

    def failing(self):
        wrong = {}
        for name in self.names("fail"):
            seconds = SECONDS if self.broker.name == "kafka" else FAILING_SECONDS
            outcomes, _ = self.execute("-test.run", f"^{name}$", seconds=seconds)
            # A test that ran out of time has no result.
            outcome = outcomes.get(name, "fail")
            self.seen[name] = outcome
            if outcome != ("pass" if self.broker.name == "kafka" else "fail"):
                wrong[name] = outcome
        equal(wrong, {}, "tests that ended otherwise than listed")
        if self.broker.name == "gregor" and not os.environ.get("UPDATE"):
            equal(self.counted(), self.counts, "tests and subtests")

    def counted(self):
        """How many tests and subtests ended how."""
        outcomes = list(self.seen.values())
        return f"{outcomes.count('pass')} passed, {outcomes.count('fail')} failed, {outcomes.count('skip')} skipped"

    def write(self):
        """Writes the list anew; the reasons stay."""
        with open(LIST, "w", encoding="utf-8") as file:
            file.write(f"{HEAD}counts {self.counted()}\n")
            for name, outcome in sorted(self.seen.items()):
                around = self.seen.get(name.rsplit("/", 1)[0]) if "/" in name else None
                if outcome != around:
                    why = "" if outcome == "pass" else f": {self.whys.get(name) or ''}"
                    file.write(f"{outcome} {name}{why}\n")


def excerpt(text, names, limit=1500):
    """What the tests said that ended otherwise than listed."""
    lines, kept, inside = text.splitlines(), [], False
    for line in lines:
        found = re.match(r"^\s*(?:---|===) \w+:?\s+(\S+)", line)
        if found:
            inside = found[1] in names
        if inside:
            kept.append(line)
    return "\n".join(kept)[:limit]

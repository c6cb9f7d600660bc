"""One line per scenario, the count at the end, and the committed list of scenarios that must have run."""

import os
import sys
import time
import traceback


class Failure(Exception):
    """A scenario saw something else than what it demands; the text says what."""


class Skipped(Exception):
    """A scenario cannot say anything about this server; the text says why."""


def check(condition, text):
    """Fails the scenario with `text` unless `condition` holds."""
    if not condition:
        raise Failure(text)


def equal(actual, expected, what):
    """Fails the scenario unless both are equal, naming both."""
    if actual != expected:
        raise Failure(f"{what}: got {shorten(actual)}, expected {shorten(expected)}")


def shorten(value, limit=400):
    """A representation that fits on a line or two."""
    text = repr(value)
    return text if len(text) <= limit else f"{text[:limit]}... ({len(text)} characters)"


def until(condition, what, seconds=20):
    """Waits for a condition that another process brings about; its last answer is returned."""
    deadline = time.monotonic() + seconds
    while True:
        answer = condition()
        if answer:
            return answer
        if time.monotonic() > deadline:
            raise Failure(f"{what}: did not happen within {seconds} s")
        time.sleep(0.02)


class Report:
    """Runs scenarios, prints their lines, counts them, and compares their names with the file `names`.

    `only` keeps scenarios whose name contains it, `suites` those whose name begins with one of them and a colon.
    A scenario that is skipped is a failure unless `may_skip`: servers other than ours do without some.
    Scenarios of the long form are marked in the file, and run only with `long`."""

    MARK = "\tlong"

    def __init__(self, names, only=None, suites=None, may_skip=False, long=True):
        self.names = names
        self.only = only
        self.suites = suites
        self.may_skip = may_skip
        self.long = long
        self.ran = []
        self.marked = set()
        self.passed = 0
        self.skipped = []
        self.failed = []

    def scenario(self, name, action, *arguments, long=False):
        """Runs one scenario, or leaves it to the long form; a failure is printed and counted, and the next scenario
        runs all the same."""
        if not self._wanted(name) or (long and not self.long):
            return
        if long:
            self.marked.add(name)
        self.ran.append(name)
        started = time.monotonic()
        try:
            action(*arguments)
        except Skipped as why:
            self.skipped.append(name)
            print(f"skipped {name}: {why}", flush=True)
        except Exception as error:  # whatever a scenario raises is its failure, not the suite's end
            self.failed.append(name)
            print(f"FAILED {name}: {type(error).__name__}: {error}", flush=True)
            if not isinstance(error, Failure):
                traceback.print_exc(limit=-4)
        else:
            self.passed += 1
            print(f"ok     {name} ({time.monotonic() - started:.1f} s)", flush=True)

    def skip(self, name, why):
        """Counts a scenario that is left out."""
        def action():
            raise Skipped(why)
        self.scenario(name, action)

    def finish(self):
        """Prints the last line and ends the process with the matching code."""
        sys.stderr.flush()
        if os.environ.get("UPDATE") and not self.only and self.long:
            self._write()
        self.failed += compare(self._listed(), self.ran)
        if not self.may_skip:
            self.failed += [f"{name}: skipped" for name in self.skipped]
        for name in self.failed:
            print(f"failed: {name}")
        print(f"{self.passed} passed, {len(self.failed)} failed, {len(self.skipped)} skipped", flush=True)
        sys.exit(1 if self.failed or not self.passed else 0)

    def _wanted(self, name):
        in_suite = not self.suites or any(name.startswith(f"{suite}:") for suite in self.suites)
        return in_suite and (not self.only or self.only in name)

    def _lines(self):
        with open(self.names, encoding="utf-8") as file:
            return file.read().splitlines()

    def _listed(self):
        lines = [line for line in self._lines() if self.long or not line.endswith(self.MARK)]
        return [name for name in (line.removesuffix(self.MARK) for line in lines) if self._wanted(name)]

    def _write(self):
        """Writes the list anew: in the place of the suites that ran, what ran."""
        lines = self._lines()
        wanted = [at for at, line in enumerate(lines) if self._wanted(line.removesuffix(self.MARK))]
        place = wanted[0] if wanted else len(lines)
        lines = [line for at, line in enumerate(lines) if at not in wanted]
        lines[place:place] = [name + (self.MARK if name in self.marked else "") for name in self.ran]
        with open(self.names, "w", encoding="utf-8") as file:
            file.writelines(f"{line}\n" for line in lines)


def compare(listed, ran):
    """What is wrong with the scenarios that ran, when the list names those that must."""
    twice = sorted({name for name in ran if ran.count(name) > 1})
    return ([f"{name}: on the list, and it did not run" for name in listed if name not in ran]
            + [f"{name}: ran, and is not on the list" for name in ran if name not in listed]
            + [f"{name}: ran more than once" for name in twice])

"""One line per scenario, and the count at the end that CI compares."""

import sys
import time
import traceback


class Failure(Exception):
    """A scenario saw something else than what it demands; the text says what."""


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
    """Runs scenarios, prints their lines and counts them. `only` keeps those whose name contains it."""

    def __init__(self, only=None):
        self.only = only
        self.passed = 0
        self.failed = []

    def scenario(self, name, action, *arguments):
        """Runs one scenario; a failure is printed and counted, and the next scenario runs all the same."""
        if self.only and self.only not in name:
            return
        started = time.monotonic()
        try:
            action(*arguments)
        except Exception as error:  # whatever a scenario raises is its failure, not the suite's end
            self.failed.append(name)
            print(f"FAILED {name}: {type(error).__name__}: {error}", flush=True)
            if not isinstance(error, Failure):
                traceback.print_exc(limit=-4)
        else:
            self.passed += 1
            print(f"ok     {name} ({time.monotonic() - started:.1f} s)", flush=True)

    def finish(self):
        """Prints the last line and ends the process with the matching code."""
        sys.stderr.flush()
        for name in self.failed:
            print(f"failed: {name}")
        print(f"{self.passed} passed, {len(self.failed)} failed", flush=True)
        sys.exit(1 if self.failed or not self.passed else 0)

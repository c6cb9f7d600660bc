"""Starts the server under test and runs the suites of e2e/parts/clients against it."""

import argparse
import importlib
import os
import tempfile

from harness import brokers
from harness.jvm import Jvm
from harness.report import Report

SUITES = ["readme", "kcat", "exchange", "matrix", "tools", "broker_tools", "group_tools", "groups", "franz_go",
          "bad_input"]
# A group that begins waits so long for more members; Kafka's 3 s would be most of what the suites take.
SETTINGS = {"group.initial.rebalance.delay.ms": 100}
# Every scenario, one a line; a run with UPDATE=1 writes it anew.
NAMES = os.path.join(os.path.dirname(__file__), "scenarios.txt")


def main():
    """Parses the command line and runs."""
    parser = argparse.ArgumentParser(prog="e2e/parts/clients")
    parser.add_argument("--against", choices=["gregor", "kafka"], default="gregor")
    parser.add_argument("--suite", choices=SUITES, action="append", help="only these suites")
    parser.add_argument("--only", help="only scenarios whose name contains this text")
    parser.add_argument("--long", action="store_true", help="also what the short form leaves out")
    options = parser.parse_args()
    suites = options.suite or SUITES
    report = Report(NAMES, options.only, [suite.replace("_", " ") for suite in suites],
                    may_skip=options.against != "gregor" or bool(os.environ.get("BROKER")), long=options.long)
    with tempfile.TemporaryDirectory(prefix="gregor-clients-") as directory:
        broker = brokers.make(options.against, directory, SETTINGS)
        jvm = Jvm()
        try:
            broker.start()
            for suite in suites:
                importlib.import_module(f"suites.{suite}").run(report, broker, jvm)
            if report.failed and broker.directory:
                print(f"the server's last words:\n{broker.log_tail()}")
        finally:
            jvm.close()
            broker.stop()
    report.finish()


if __name__ == "__main__":
    main()

"""The loop of the Python programs: requests in, answers and events out (harness/programs.py says which)."""

import json
import sys
import threading
import traceback

_OUT = threading.Lock()


def say(line):
    """Writes a line."""
    with _OUT:
        sys.stdout.write(json.dumps(line) + "\n")
        sys.stdout.flush()


def event(member, name, **fields):
    """Tells of a member."""
    say({"member": member, "event": name, **fields})


def requests():
    """The requests, until standard input ends."""
    for line in sys.stdin:
        yield json.loads(line)


def failed(number, error):
    """Answers a call that failed."""
    traceback.print_exception(error)
    say({"id": number, "error": f"{type(error).__name__}: {error}"})


def hexed(data):
    """Bytes as text; null stays null."""
    return None if data is None else data.hex()


def unhexed(text):
    """Text as bytes; null stays null."""
    return None if text is None else bytes.fromhex(text)

"""File systems for one scenario: small ones in memory, and one that breaks on command.

The whole part runs in a mount namespace of its own (parts/disk): whatever is mounted goes when its last process does."""

import os
import subprocess

from harness.report import Failure, check

CHUNK = bytes(1 << 20)


class Tmpfs:
    """A file system in memory that holds so many bytes."""

    def __init__(self, path, size):
        self.path = path
        self.hog = os.path.join(path, "hog")
        os.makedirs(path)
        subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", path], check=True)

    def free(self):
        """Bytes that a program may still write."""
        stat = os.statvfs(self.path)
        return stat.f_bavail * stat.f_frsize

    def fill(self):
        """Somebody else takes all that is left, to the last byte."""
        with open(self.hog, "ab", buffering=0) as hog:
            piece = CHUNK
            while piece:
                try:
                    # A write that fits in part is a short one.
                    hog.write(piece)
                except OSError:
                    piece = piece[:len(piece) // 2]
        check(self.free() == 0, f"{self.free()} bytes are still free")

    def relieve(self):
        """Somebody else gives it back."""
        if os.path.exists(self.hog):
            os.remove(self.hog)

    def close(self):
        """Unmounts, also where something is open."""
        subprocess.run(["umount", "--lazy", self.path], check=True)


class FaultyDisk:
    """A folder through src/bin/faulty-disk, whose commands are explained there."""

    def __init__(self, directory):
        self.folder = os.path.join(directory, "folder")
        self.path = os.path.join(directory, "disk")
        os.makedirs(self.folder)
        os.makedirs(self.path)
        self.process = subprocess.Popen(["setpriv", "--pdeathsig", "KILL", os.environ["FAULTY_DISK"], self.folder, self.path],
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self._answer("ready")

    def fail(self, operations, errno, text=""):
        """From now on these operations on paths that contain `text` fail."""
        self._command(f"fail {operations} {errno} {text}".strip(), "ok")

    def heal(self):
        """Nothing fails any more."""
        self._command("heal", "ok")

    def hits(self):
        """How many calls failed since the last fault was asked for."""
        return int(self._command("hits"))

    def lose_power(self):
        """Forgets what was not synced; how many pages that were. Nobody may have files open."""
        return int(self._command("lose-power"))

    def close(self):
        """Unmounts."""
        self.process.stdin.close()
        self.process.wait(20)
        subprocess.run(["umount", "--lazy", self.path], stderr=subprocess.DEVNULL, check=False)

    def _command(self, line, expected=None):
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()
        return self._answer(expected)

    def _answer(self, expected=None):
        line = self.process.stdout.readline().strip()
        if not line or line.startswith("error") or expected not in (None, line):
            raise Failure(f"the faulty disk says {line!r}")
        return line

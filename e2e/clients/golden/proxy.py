"""A TCP proxy between clients and a broker that keeps frames, and that can lower the versions a broker offers.

Lowered versions make today's clients speak the older versions of each API, so that one broker and one client
release give recorded bytes of every version that the client still knows."""

import socket
import struct
import threading

API_VERSIONS = 18
FIRST_FLEXIBLE_API_VERSIONS = 3


class Proxy:
    """Forwards connections to `target` and hands every request with its response to `keep`."""

    def __init__(self, target, keep):
        self.target = target
        self.keep = keep
        self.below_highest = 0
        self.floors = {}
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.address = f"127.0.0.1:{self.listener.getsockname()[1]}"
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            client, _ = self.listener.accept()
            broker = socket.create_connection(self.target)
            waiting = {}
            threading.Thread(target=self._requests, args=(client, broker, waiting), daemon=True).start()
            threading.Thread(target=self._responses, args=(broker, client, waiting), daemon=True).start()

    def _requests(self, client, broker, waiting):
        for frame in frames(client):
            key, version, correlation = struct.unpack(">hhi", frame[:8])
            waiting[correlation] = (key, version, frame)
            broker.sendall(struct.pack(">i", len(frame)) + frame)
        broker.close()

    def _responses(self, broker, client, waiting):
        for frame in frames(broker):
            key, version, request = waiting.pop(struct.unpack(">i", frame[:4])[0])
            self.keep(key, version, request, frame)
            if key == API_VERSIONS and self.below_highest:
                frame = self._lowered(frame, version)
            try:
                client.sendall(struct.pack(">i", len(frame)) + frame)
            except OSError:
                break
        client.close()

    def _lowered(self, frame, version):
        """The response with each highest version lowered, but not below the lowest or the API's floor."""
        if frame[4:6] != b"\0\0":
            return frame
        flexible = version >= FIRST_FLEXIBLE_API_VERSIONS
        changed = bytearray(frame)
        # At most 127 APIs, so that the compact count is one byte.
        count, at = (frame[6] - 1, 7) if flexible else (struct.unpack(">i", frame[6:10])[0], 10)
        for _ in range(count):
            key, lowest, highest = struct.unpack(">hhh", frame[at:at + 6])
            floor = max(lowest, self.floors.get(key, 0))
            struct.pack_into(">h", changed, at + 4, max(floor, highest - self.below_highest))
            at += 7 if flexible else 6
        return bytes(changed)


def frames(connection):
    """The frames that arrive on a connection, until it ends."""
    buffer = b""
    try:
        while data := connection.recv(1 << 16):
            buffer += data
            while len(buffer) >= 4:
                size = struct.unpack(">i", buffer[:4])[0]
                if len(buffer) < 4 + size:
                    break
                yield buffer[4:4 + size]
                buffer = buffer[4 + size:]
    except OSError:
        return

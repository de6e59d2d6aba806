"""A broker that its controller has fenced: it answers, and says that there is none. As little of Kafka's protocol as that takes."""

import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager

API_VERSIONS, METADATA = 18, 3
# API key → lowest and highest version; of metadata those before the compact encoding.
APIS = {0: (0, 3), 1: (0, 4), 2: (0, 2), METADATA: (0, 4), API_VERSIONS: (0, 3)}


@contextmanager
def fenced_broker() -> Iterator[str]:
    """Its address. Who asks it first is told of one broker, itself: a client has to find it before it can hear bad news."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0.1)
        port = server.getsockname()[1]
        ended, asked = threading.Event(), [0]

        def accept() -> None:
            while not ended.is_set():
                try:
                    client, _ = server.accept()
                except TimeoutError:
                    continue
                threading.Thread(target=serve, args=(client,), daemon=True).start()

        def serve(client: socket.socket) -> None:
            with client, client.makefile("rb") as requests:
                while head := requests.read(4):
                    request = requests.read(struct.unpack(">i", head)[0])
                    key, version, correlation = struct.unpack(">hhi", request[:8])
                    if key == METADATA:
                        asked[0] += 1
                    body = versions(version) if key == API_VERSIONS else metadata(port if asked[0] == 1 else None)
                    client.sendall(struct.pack(">ii", len(body) + 4, correlation) + body)

        accepting = threading.Thread(target=accept)
        accepting.start()
        try:
            yield f"127.0.0.1:{port}"
        finally:
            ended.set()
            accepting.join()


def versions(version: int) -> bytes:
    if version < 3:
        return struct.pack(">hi", 0, len(APIS)) + b"".join(
            struct.pack(">hhh", key, *span) for key, span in APIS.items()
        )
    listed = b"".join(struct.pack(">hhhB", key, *span, 0) for key, span in APIS.items())
    return struct.pack(">hB", 0, len(APIS) + 1) + listed + struct.pack(">iB", 0, 0)


def metadata(port: int | None) -> bytes:
    """No time-out, the brokers, the cluster, the controller (the broker, or none), no topics."""
    broker = b"" if port is None else struct.pack(">i", 1) + text("127.0.0.1") + struct.pack(">ih", port, -1)
    count, controller = (0, -1) if port is None else (1, 1)
    return struct.pack(">ii", 0, count) + broker + text("a cluster") + struct.pack(">ii", controller, 0)


def text(value: str) -> bytes:
    return struct.pack(">h", len(value)) + value.encode()

"""Named places of a batch or a recomputation where a chaos run ends the driver, a server, or the connection at COMMIT.

Nothing happens unless CANDLESTREAM_KILL_POINTS names a folder. Then a file `armed` in it (JSON: `point`, and `kill`, the process
to end, null for the driver itself) is obeyed by the first that reaches its point, and renamed to `reached`.
"""

import json
import os
import select
import signal
import socket
import time
from enum import StrEnum
from pathlib import Path

from psycopg2.extensions import connection as Connection

VARIABLE = "CANDLESTREAM_KILL_POINTS"
ANSWER_LIMIT_S = 10.0
# The protocol's words: a simple query, and "ready for the next one, outside of a transaction".
COMMIT = b"Q\0\0\0\x0bCOMMIT\0"
READY = b"Z\0\0\0\x05I"


class Point(StrEnum):
    BEFORE_SCAN = "before_scan"
    AFTER_PARTIALS = "after_partials"
    IN_TRANSACTION = "in_transaction"
    # COMMIT with the outcome unknown to the driver, which lives on: the server never got it, or did it and was not heard.
    COMMIT_LOST = "commit_lost"
    COMMIT_UNANSWERED = "commit_unanswered"
    AFTER_COMMIT = "after_commit"
    # A slice of what corrections of older sessions have left to do: its values are written, and what is left after it.
    IN_RECOMPUTATION = "in_recomputation"


AT_COMMIT = (Point.COMMIT_LOST, Point.COMMIT_UNANSWERED)
_folder = Path(os.environ[VARIABLE]) if VARIABLE in os.environ else None


def reached(*points: Point, connection: Connection | None = None) -> None:
    """Called where a batch, or a slice, is at one of `points`. `connection` is the one that is about to COMMIT."""
    if _folder is not None:
        obey(_folder, points, connection)


def obey(folder: Path, points: tuple[Point, ...], connection: Connection | None) -> None:
    armed = folder / "armed"
    try:
        order = json.loads(armed.read_text())
    except FileNotFoundError:
        return
    if order["point"] not in points:
        return
    armed.rename(folder / "reached")
    if order["kill"] is not None:
        os.kill(order["kill"], signal.SIGKILL)
    elif connection is None:
        os.kill(os.getpid(), signal.SIGKILL)
    else:
        cut(connection, is_told=order["point"] == Point.COMMIT_UNANSWERED)


def cut(connection: Connection, *, is_told: bool) -> None:
    """Ends the connection below libpq, which finds out when it sends COMMIT. `is_told`: the server has committed by then."""
    with socket.socket(fileno=os.dup(connection.fileno())) as wire:
        if is_told:
            wire.sendall(COMMIT)
            read_until(wire, READY)
        wire.shutdown(socket.SHUT_RDWR)


def read_until(wire: socket.socket, end: bytes) -> None:
    """Takes the server's answer away, so that libpq does not find it. Raises `TimeoutError` when none comes."""
    said = b""
    limit = time.monotonic() + ANSWER_LIMIT_S
    while not said.endswith(end):
        if time.monotonic() > limit:
            raise TimeoutError(f"no answer to COMMIT but {said!r}")
        if select.select([wire], [], [], 0.1)[0]:
            said += wire.recv(4096)

"""Where a chaos run may end a batch: nothing without an order, and each order once."""

import json
import signal
import socket
import threading
from pathlib import Path

import pytest

from spark_jobs import kill_points
from spark_jobs.kill_points import AT_COMMIT, Point, cut, obey, reached

pytestmark = pytest.mark.unit

ME = 4_000_000


@pytest.fixture
def killed(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, int]]:
    calls: list[tuple[int, int]] = []
    monkeypatch.setattr(kill_points.os, "kill", lambda pid, number: calls.append((pid, number)))
    monkeypatch.setattr(kill_points.os, "getpid", lambda: ME)
    return calls


def arm(folder: Path, point: Point, kill: int | None) -> None:
    (folder / "armed").write_text(json.dumps({"point": point, "kill": kill}))


class Wire:
    """A connection as far as `cut` asks: its socket's number."""

    def __init__(self, end: socket.socket) -> None:
        self.fileno = end.fileno


def test_without_the_variable_no_point_does_anything(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, killed: list[tuple[int, int]]
) -> None:
    monkeypatch.chdir(tmp_path)
    arm(tmp_path, Point.BEFORE_SCAN, None)
    reached(Point.BEFORE_SCAN)
    assert killed == []
    assert (tmp_path / "armed").exists()


@pytest.mark.parametrize(("kill", "ended"), [(None, ME), (77, 77)])
def test_an_order_is_obeyed_once_at_its_own_point(
    tmp_path: Path, killed: list[tuple[int, int]], kill: int | None, ended: int
) -> None:
    arm(tmp_path, Point.AFTER_COMMIT, kill)
    for point in (*Point, Point.AFTER_COMMIT):
        obey(tmp_path, (point,), None)
    assert killed == [(ended, signal.SIGKILL)]
    assert [path.name for path in tmp_path.iterdir()] == ["reached"]


def test_a_lost_commit_never_reaches_the_server(tmp_path: Path, killed: list[tuple[int, int]]) -> None:
    here, server = socket.socketpair()
    arm(tmp_path, Point.COMMIT_LOST, None)
    obey(tmp_path, AT_COMMIT, Wire(here))
    assert server.recv(100) == b""
    assert killed == []


def test_an_unanswered_commit_reached_the_server_and_its_answer_is_gone() -> None:
    here, server = socket.socketpair()
    heard = []

    def answer() -> None:
        heard.append(server.recv(100))
        for part in (b"C\0\0\0\x0bCOMMIT\0Z\0\0", b"\0\x05I"):
            server.sendall(part)

    thread = threading.Thread(target=answer)
    thread.start()
    cut(Wire(here), is_told=True)
    thread.join()
    assert heard == [b"Q\0\0\0\x0bCOMMIT\0"]
    assert here.recv(100) == b""

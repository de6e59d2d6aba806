"""How `up` waits for the supervisor that it has started: as long as that one lives."""

import fcntl
import json
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from stack.errors import StackError
from stack.home import Home
from stack.supervision import control
from stack.supervision.control import SOCKET, wait_for_supervisor

pytestmark = pytest.mark.unit


@pytest.fixture
def home(tmp_path: Path) -> Home:
    home = Home(tmp_path)
    home.prepare()
    return home


@pytest.fixture
def slow() -> Iterator[subprocess.Popen[bytes]]:
    """A supervisor that lives, and does not come to its orders."""
    process = subprocess.Popen([sys.executable, "-S", "-c", "import time; time.sleep(60)"])
    yield process
    process.kill()
    process.wait()


def answer_once(home: Home, after_s: float) -> None:
    time.sleep(after_s)
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(home.run / SOCKET))
        server.listen()
        connection, _ = server.accept()
        with connection:
            connection.recv(1000)
            connection.sendall(json.dumps({"pid": 1, "processes": {}}).encode() + b"\n")


def test_one_that_lives_is_waited_for_however_slow_it_is_and_that_is_said_once(
    home: Home, slow: subprocess.Popen[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(control, "SLOW_AFTER_S", 0.1)
    answers = threading.Thread(target=answer_once, args=(home, 0.6))
    answers.start()
    told: list[str] = []
    wait_for_supervisor(home, slow, told.append)
    answers.join()
    assert len(told) == 1
    assert "lives and takes no orders yet" in told[0]


def test_one_that_has_ended_is_given_up_at_once_with_its_last_words(home: Home) -> None:
    (home.logs / "supervisor.log").write_text("ModuleNotFoundError: No module named 'structlog'\n")
    dead = subprocess.Popen([sys.executable, "-S", "-c", "raise SystemExit(3)"])
    began = time.monotonic()
    with pytest.raises(StackError, match="ended with 3: ModuleNotFoundError: No module named 'structlog'"):
        wait_for_supervisor(home, dead, pytest.fail)
    assert time.monotonic() - began < 10


def test_one_that_left_the_home_to_a_quicker_one_has_not_failed(home: Home) -> None:
    second = subprocess.Popen([sys.executable, "-S", "-c", ""])
    second.wait()
    with (home.run / "supervisor.lock").open("w") as quicker:
        fcntl.flock(quicker, fcntl.LOCK_EX)
        answers = threading.Thread(target=answer_once, args=(home, 0.3))
        answers.start()
        wait_for_supervisor(home, second, pytest.fail)
        answers.join()


def test_one_that_lives_and_never_obeys_is_given_up_in_the_end(home: Home, slow: subprocess.Popen[bytes]) -> None:
    with pytest.raises(StackError, match="lives and took no orders in 0 s"):
        wait_for_supervisor(home, slow, pytest.fail, limit_s=0.3)

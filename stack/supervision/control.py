"""Orders to the supervisor of a home, over a Unix socket in its `run` folder."""

import fcntl
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

import psutil

from stack.errors import Exit, StackError
from stack.home import REPO, Home
from stack.supervision.logfiles import last_words

SOCKET = "supervisor.sock"
PID_FILE = "supervisor.pid"
LONGEST_PATH = 100
# After so long without a word a start is called slow. One that lives is waited for much longer: a machine may have much to do.
SLOW_AFTER_S = 15.0
START_LIMIT_S = 600.0
LOOK_S = 0.05


class NoSupervisor(StackError):
    """Nobody answers on the socket."""

    def __init__(self, home: Home) -> None:
        super().__init__(Exit.NOT_READY, f"the platform in {home.path} is not running: run `candlestream up`")


class NoAnswer(StackError):
    """Somebody listens on the socket, and has not answered in time."""

    def __init__(self, verb: str, timeout_s: float) -> None:
        super().__init__(Exit.FAILED, f"the supervisor did not answer {verb!r} within {timeout_s:.0f} s")


def encode(body: dict[str, Any]) -> bytes:
    return json.dumps(body).encode() + b"\n"


@contextmanager
def socket_path(home: Home) -> Iterator[str]:
    """The socket's path; by the folder's descriptor where the path is longer than a socket's may be."""
    path = str(home.run / SOCKET)
    if len(path) <= LONGEST_PATH:
        yield path
        return
    folder = os.open(home.run, os.O_RDONLY | os.O_DIRECTORY)
    try:
        yield f"/proc/self/fd/{folder}/{SOCKET}"
    finally:
        os.close(folder)


def call(home: Home, verb: str, names: list[str] | None = None, timeout_s: float = 120.0) -> dict[str, Any]:
    """One order and its answer. Raises `NoSupervisor`, or `StackError` with what the supervisor objected to."""
    order = encode({"verb": verb, "names": names or []})
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(timeout_s)
        try:
            with socket_path(home) as path:
                connection.connect(path)
            connection.sendall(order)
            answer: dict[str, Any] = json.loads(connection.makefile().readline() or "null")
        except (FileNotFoundError, ConnectionError) as error:
            raise NoSupervisor(home) from error
        except PermissionError as error:
            raise StackError(Exit.HOME, f"the platform in {home.path} is another user's: run as its owner") from error
        except (TimeoutError, ValueError) as error:
            raise NoAnswer(verb, timeout_s) from error
    if not isinstance(answer, dict):
        raise StackError(
            Exit.FAILED, f"the supervisor gave no answer to {verb!r}: look at {home.logs / 'supervisor.log'}"
        )
    if "error" in answer:
        raise StackError(Exit(answer.get("code", Exit.FAILED)), answer["error"])
    return answer


def is_running(home: Home) -> bool:
    """Whether a supervisor holds the home's lock."""
    try:
        with (home.run / "supervisor.lock").open("a") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except BlockingIOError:
        return True
    except PermissionError as error:
        raise StackError(Exit.HOME, f"the platform in {home.path} is another user's: run as its owner") from error
    return False


def start_supervisor(home: Home, environment: dict[str, str], tell: Callable[[str], None]) -> None:
    """Starts the daemon and waits until it takes orders. Harmless when one runs. `tell` is told when that takes long."""
    process = None
    if not is_running(home):
        command = [sys.executable, "-P", "-m", "stack", "supervise", "--home", str(home.path)]
        with (home.logs / "supervisor.log").open("ab") as out:
            process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                cwd=REPO,
                env=environment | {"PYTHONPATH": str(REPO)},
            )
    wait_for_supervisor(home, process, tell)


def wait_for_supervisor(
    home: Home, process: subprocess.Popen[bytes] | None, tell: Callable[[str], None], limit_s: float = START_LIMIT_S
) -> None:
    """Until it takes orders. Raises `StackError` when it has ended; one that lives is given up only after `limit_s`.

    `process` is the one that was started; None where another was there before.
    """
    log, began, is_told = home.logs / "supervisor.log", time.monotonic(), False
    while (waited_s := time.monotonic() - began) < limit_s:
        try:
            call(home, "status", timeout_s=5)
        except (NoSupervisor, NoAnswer):
            # One that has ended may have left the home to another that was quicker: that one holds the lock.
            if (process is None or process.poll() is not None) and not is_running(home):
                code = "" if process is None else f" with {process.returncode}"
                said = last_words(log)
                raise StackError(
                    Exit.FAILED, f"the supervisor ended{code}: {said or 'without a word'} (log: {log})"
                ) from None
        else:
            return
        if waited_s > SLOW_AFTER_S and not is_told:
            is_told = True
            tell(
                f"the supervisor lives and takes no orders yet after {waited_s:.0f} s; waiting for as long as it lives"
            )
        time.sleep(LOOK_S)
    raise StackError(Exit.FAILED, f"the supervisor lives and took no orders in {limit_s:.0f} s (log: {log})")


def kill_supervisor(home: Home) -> None:
    """Ends a supervisor that holds the lock and obeys nobody; nothing happens where there is none."""
    if not is_running(home):
        return
    try:
        process = psutil.Process(int((home.run / PID_FILE).read_text()))
        if "supervise" in process.cmdline():
            process.kill()
            process.wait(10)
    except (OSError, ValueError, psutil.Error) as error:
        raise StackError(Exit.FAILED, f"the supervisor of {home.path} cannot be ended: {error}") from error


def forget_supervisor(home: Home) -> None:
    """Removes what one that was killed left in the folder; nothing happens where one runs, or where none ever did."""
    with suppress(FileNotFoundError, BlockingIOError), (home.run / "supervisor.lock").open("r+") as lock:
        # One that starts meanwhile waits for the lock, and makes its own.
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        for name in (SOCKET, PID_FILE):
            (home.run / name).unlink(missing_ok=True)

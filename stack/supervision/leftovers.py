"""Finds what a killed supervisor left running: by the mark that a home's processes carry, and by the sessions it led.

Neither is enough alone: a program that sets its own title overwrites its environment, and with it the mark.
"""

import json
import os
from collections.abc import Mapping
from pathlib import Path

import psutil

from stack.files import write_atomic
from stack.home import REPO, Home
from stack.parts.postgres import running_pid
from stack.supervision.process import HOME_MARK, PROCESS_MARK

GRACE_S = 5.0
RECORD = "processes.json"


def marked(mark: Mapping[str, str]) -> list[psutil.Process]:
    """The processes that carry all of the marks in their environment, the present one not counted."""
    found = []
    for process in psutil.process_iter():
        if process.pid == os.getpid():
            continue
        try:
            environment = process.environ()
        except (psutil.Error, OSError):
            continue  # another user's, or gone: not ours
        if all(environment.get(name) == value for name, value in mark.items()):
            found.append(process)
    return found


def of_process(environment: Mapping[str, str], name: str) -> list[psutil.Process]:
    """What is left of one process of a home."""
    return marked({HOME_MARK: environment[HOME_MARK], PROCESS_MARK: name})


def record(home: Home, processes: Mapping[str, tuple[int, float]]) -> None:
    """Keeps which sessions are ours, for the day on which nobody is there to ask: name → (pid, time of birth in epoch seconds)."""
    write_atomic(home.run / RECORD, json.dumps(processes) + "\n")


def unwatched(home: Home) -> dict[str, int]:
    """Of the recorded processes those that still live: name → pid."""
    try:
        led: dict[str, tuple[int, float]] = json.loads((home.run / RECORD).read_text())
    except (OSError, ValueError):
        return {}
    return {name: pid for name, (pid, since) in led.items() if abs(born_s(pid) - since) < 1}


def born_s(pid: int) -> float:
    """When a process was born, in seconds since the epoch; 0 when it is gone already."""
    try:
        process = psutil.Process(pid)
        return 0.0 if process.status() == psutil.STATUS_ZOMBIE else float(process.create_time())
    except psutil.Error:
        return 0.0


def in_sessions(home: Home) -> list[psutil.Process]:
    """What lives in the sessions that the supervisor of this home led."""
    try:
        led: dict[int, float] = dict(json.loads((home.run / RECORD).read_text()).values())
    except (OSError, ValueError):
        return []
    found = []
    for process in psutil.process_iter(["status"]):
        try:
            session = os.getsid(process.pid)
            if (
                session in led
                and process.info["status"] != psutil.STATUS_ZOMBIE
                and is_ours(process, session, led[session], home)
            ):
                found.append(process)
        except (OSError, psutil.Error):
            continue  # gone meanwhile
    return found


def is_ours(process: psutil.Process, session: int, led_since: float, home: Home) -> bool:
    """Whether a session's number still means our session: numbers are given away again, and quickly on a busy machine.

    While the session's leader lives, its time of birth decides. Once it is dead, only what works in our folders is ours.
    """
    if psutil.pid_exists(session):
        return bool(abs(psutil.Process(session).create_time() - led_since) < 1)
    if process.create_time() < led_since - 1:
        return False
    place = Path(process.cwd())
    return place == REPO or place.is_relative_to(home.path)


def of_home(home: Home) -> list[psutil.Process]:
    """Every process that belongs to a home."""
    found = {process.pid: process for process in (*marked({HOME_MARK: str(home.path)}), *in_sessions(home))}
    pid = running_pid(home.data / "postgres")  # PostgreSQL is another user's when root started it
    if pid is not None:
        found[pid] = psutil.Process(pid)
    return list(found.values())


def clear(home: Home) -> int:
    """Ends all that is left of a home: politely, then by force. Returns how many processes that were."""
    left = of_home(home)
    for process in left:
        try:
            # SIGINT is PostgreSQL's quick and clean stop; the others take SIGTERM.
            process.send_signal(2 if process.name() == "postgres" else 15)
        except psutil.Error:
            continue
    _, alive = psutil.wait_procs(left, timeout=GRACE_S)
    for process in alive:
        try:
            process.kill()
        except psutil.Error:
            continue
    psutil.wait_procs(alive, timeout=GRACE_S)
    forget(home)
    return len(left)


def forget(home: Home) -> None:
    """Drops the record when nothing of it is left, so that its numbers can never mean somebody else."""
    (home.run / RECORD).unlink(missing_ok=True)

"""Finds what a killed supervisor left running, by the mark that every process of a home carries."""

import os
from collections.abc import Mapping

import psutil

from stack.home import Home
from stack.platform import open_platform
from stack.process import HOME_MARK, PROCESS_MARK

GRACE_S = 5.0


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


def of_home(home: Home) -> list[psutil.Process]:
    """Every process that belongs to a home."""
    found = marked({HOME_MARK: str(home.path)})
    if home.state_file.exists():
        # PostgreSQL overwrites its environment, so its own pid file is asked too.
        pid = open_platform(home).postgres().running_pid()
        if pid is not None and all(process.pid != pid for process in found):
            found.append(psutil.Process(pid))
    return found


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
    return len(left)

"""How fast committed offsets move, and what processor time that takes: the same for every way, whatever it commits to."""

import subprocess
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

import psutil

LOOK_EVERY_S = 0.025
LIMIT_S = 600.0


class Commit(NamedTuple):
    """Seen at a time (seconds): records committed so far, and processor seconds of the way's own processes so far."""

    at_s: float
    records: int
    used_s: float


class Steady(NamedTuple):
    """Records a second, and processor microseconds a record (neither broker's nor database's)."""

    rate: float
    used_us: float


def watch(committed: Callable[[], int], end: int, running: list[subprocess.Popen[bytes]], log: Path) -> list[Commit]:
    """Every commit until `end` records are committed. Ends the run where a process dies or nothing moves for long."""
    limit = time.monotonic() + LIMIT_S
    commits: list[Commit] = []
    at = 0
    while at < end:
        if any(process.poll() is not None for process in running) or time.monotonic() > limit:
            raise SystemExit(f"ended at {at} of {end} records; {log.stem} says:\n{log.read_text()[-3000:]}")
        found = committed()
        if found > at:
            at = found
            commits.append(Commit(time.monotonic(), at, sum(used_s(process.pid) for process in running)))
        time.sleep(LOOK_EVERY_S)
    return commits


def steady(commits: list[Commit]) -> Steady:
    """From the first commit to the last but one: starts and compilers lie before, waits for a timer behind."""
    counted = commits[:-1] if len(commits) > 2 else commits
    if len(counted) < 2:
        raise SystemExit("all came in one commit: too few trades to measure a rate")
    first, last = counted[0], counted[-1]
    records = last.records - first.records
    return Steady(records / (last.at_s - first.at_s), (last.used_s - first.used_s) / records * 1e6)


def used_s(pid: int) -> float:
    """Processor seconds of a process and all below it, ended ones included where their parent has waited for them."""
    used = 0.0
    with suppress(psutil.NoSuchProcess):
        root = psutil.Process(pid)
        for process in [root, *root.children(recursive=True)]:
            with suppress(psutil.NoSuchProcess):
                times = process.cpu_times()
                used += times.user + times.system + times.children_user + times.children_system
    return used

"""This process's clock: the machine's, or a simulated exchange's that plays windows of its days (`market/timeline.py`)."""

import time

from market.timeline import Timeline

_timeline: Timeline | None = None


def now_ms() -> int:
    machine_ms = time.time_ns() // 1_000_000
    return machine_ms if _timeline is None else _timeline.at(machine_ms)


def follow(timeline: Timeline | None) -> None:
    """Once, at the start of the process."""
    global _timeline
    _timeline = timeline

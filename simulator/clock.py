"""The exchange's own time."""

import time
from collections.abc import Callable


def wall_clock_ms() -> int:
    return time.time_ns() // 1_000_000


def exchange_clock(starts_ms: int | None, speed: float, now_ms: Callable[[], int]) -> Callable[[], int]:
    """The time at the exchange in ms: the machine's, or one that begins now at `starts_ms`, going `speed` times as fast."""
    began_ms = now_ms()
    origin_ms = began_ms if starts_ms is None else starts_ms
    if starts_ms is None and speed == 1.0:
        return now_ms
    return lambda: origin_ms + int((now_ms() - began_ms) * speed)

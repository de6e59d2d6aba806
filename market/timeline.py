"""A simulated exchange's time as a function of the machine's: windows of its days, played faster than they were.

A pure function, so that every process of a platform, and one that was killed and started again, sees the same time.
"""

from bisect import bisect_right
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise


class BadTimeline(ValueError):
    """A text that is no timeline; `str()` says why."""


@dataclass(frozen=True, slots=True)
class Window:
    """From the machine's `machine_ms` on, the exchange's time goes on from `exchange_ms`. Both since the epoch."""

    machine_ms: int
    exchange_ms: int


@dataclass(frozen=True, slots=True)
class Timeline:
    """`speed` seconds at the exchange pass in one of the machine's. Before the first window its time stands still.

        machine    |----------|---------|------
        exchange   Thursday   | Tuesday | Tuesday evening
                   11:30–12:05  06:58–07:20

    As text: the speed, then a window each as `MACHINE>EXCHANGE`, in ISO with the offset from UTC, all parted by blanks.
    """

    speed: float
    windows: tuple[Window, ...]

    def at(self, machine_ms: int) -> int:
        """The exchange's time in ms."""
        current = bisect_right(self.windows, machine_ms, key=lambda window: window.machine_ms) - 1
        window = self.windows[max(current, 0)]
        return window.exchange_ms + int(max(0, machine_ms - window.machine_ms) * self.speed)

    def written(self) -> str:
        return " ".join([f"{self.speed:g}", *(f"{w.machine_ms}>{w.exchange_ms}" for w in self.windows)])

    @classmethod
    def parse(cls, text: str) -> "Timeline":
        """Raises `BadTimeline`: no speed, no window, a time without its offset, or a time that goes back."""
        first, *rest = text.split() or [""]
        try:
            speed = float(first)
        except ValueError as error:
            raise BadTimeline(f"{first!r} is not a speed") from error
        windows = tuple(Window(*_moments(part)) for part in rest)
        if not windows or not 0 < speed <= FASTEST:
            raise BadTimeline(f"a timeline has a window and a speed of at most {FASTEST}, not {text!r}")
        timeline = cls(speed, windows)
        for before, after in pairwise(windows):
            if after.machine_ms <= before.machine_ms or after.exchange_ms < timeline.at(after.machine_ms - 1):
                raise BadTimeline(f"time goes back at the window {after.machine_ms}>{after.exchange_ms}")
        return timeline


FASTEST = 100


def _moments(part: str) -> tuple[int, int]:
    machine, separator, exchange = part.partition(">")
    if not separator:
        raise BadTimeline(f"{part!r} is not MACHINE>EXCHANGE")
    return _moment(machine), _moment(exchange)


def _moment(text: str) -> int:
    """Milliseconds since the epoch, from ISO or from the number itself."""
    if text.isdigit():
        return int(text)
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise BadTimeline(f"{text!r} is not an ISO time") from error
    if moment.tzinfo is None:
        raise BadTimeline(f"{text!r} has no offset from UTC")
    return round(moment.timestamp() * 1000)

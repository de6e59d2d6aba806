"""A tab's memory between refreshes: the bars it has, when all of them were last read, and the last answer there was."""

from collections.abc import Mapping, MutableMapping
from typing import Any

from dashboard.feed import BARS, MOST_BARS, Feed, Request, Snapshot
from dashboard.wire import Series

WHOLE_EVERY_S = 20
"""All bars are read again so often, for corrections of older ones; between, only the newest few."""
UNCERTAIN_BARS = 3

Memory = MutableMapping[str, Any]
Want = Mapping[str, Any]


def series(memory: Memory, symbol: str, timeframe: str) -> Series:
    """The bars of the view that is open; another view begins anew."""
    if memory.get("view") != (symbol, timeframe):
        memory["view"], memory["series"], memory["whole_at"] = (symbol, timeframe), Series(), None
    found: Series = memory["series"]
    return found


def read(memory: Memory, feed: Feed, bars: Series, symbol: str, timeframe: str, want: Want | None) -> Snapshot:
    """The newest answer, with its bars put into `bars`. Raises `DatabaseProblem`."""
    last, whole_at = last_of(memory, symbol, timeframe), memory["whole_at"]
    wanted = bars_wanted(want, symbol, timeframe)
    is_due = last is None or whole_at is None or (last.now - whole_at).total_seconds() >= WHOLE_EVERY_S
    is_whole = is_due or wanted != memory.get("bars_wanted") or len(bars.rows) <= UNCERTAIN_BARS
    since_ms = None if is_whole else bars.rows[-UNCERTAIN_BARS].ts_ms
    snapshot = feed.read(Request(symbol, timeframe, wanted, since_ms))
    if since_ms is None:
        bars.replace(snapshot.rows)
        memory["whole_at"], memory["bars_wanted"] = snapshot.now, wanted
    else:
        bars.renew(since_ms, snapshot.rows)
    memory["snapshot"] = snapshot
    return snapshot


def last_of(memory: Memory, symbol: str, timeframe: str) -> Snapshot | None:
    """What was last seen of this view."""
    last: Snapshot | None = memory.get("snapshot")
    return last if last is not None and (last.symbol, last.timeframe) == (symbol, timeframe) else None


def bars_wanted(want: Want | None, symbol: str, timeframe: str) -> int:
    """How many bars to read: the chart asks for more of a view when it is moved to its left edge."""
    if not want or want.get("view") != f"{symbol} {timeframe}":
        return BARS
    return max(BARS, min(int(want["bars"]), MOST_BARS))

"""A tab's memory between refreshes: the bars it has, when all of them were last read, and the last answer there was."""

from collections.abc import Mapping, MutableMapping
from typing import Any, NamedTuple

from dashboard.adjustment import Adjustment
from dashboard.feed import BARS, MOST_BARS, Feed, Request, Snapshot
from dashboard.wire import Series

WHOLE_EVERY_S = 20
"""All bars are read again so often, for corrections of older ones; between, only the newest few."""
UNCERTAIN_BARS = 3

Memory = MutableMapping[str | int, Any]
Want = Mapping[str, Any]


class View(NamedTuple):
    """What a tab looks at."""

    symbol: str
    timeframe: str
    adjustment: Adjustment


def series(memory: Memory, view: View) -> Series:
    """The bars of the view that is open; another view begins anew."""
    if memory.get("view") != view:
        memory["view"], memory["series"], memory["whole_at"] = view, Series(), None
    found: Series = memory["series"]
    return found


def read(memory: Memory, feed: Feed, bars: Series, view: View, want: Want | None) -> Snapshot:
    """The newest answer, with its bars put into `bars`. Raises `DatabaseProblem`."""
    last, whole_at = last_of(memory, view), memory["whole_at"]
    wanted = bars_wanted(want, view)
    is_due = last is None or whole_at is None or (last.now - whole_at).total_seconds() >= WHOLE_EVERY_S
    is_whole = is_due or wanted != memory.get("bars_wanted") or len(bars.rows) <= UNCERTAIN_BARS
    since_ms = None if is_whole else bars.rows[-UNCERTAIN_BARS].ts_ms
    snapshot = feed.read(Request(view.symbol, view.timeframe, wanted, since_ms, view.adjustment))
    if since_ms is None:
        bars.replace(snapshot.rows)
        memory["whole_at"], memory["bars_wanted"] = snapshot.now, wanted
    else:
        bars.renew(since_ms, snapshot.rows)
    memory["snapshot"] = snapshot
    return snapshot


def last_of(memory: Memory, view: View) -> Snapshot | None:
    """What was last seen of this view."""
    last: Snapshot | None = memory.get("snapshot")
    return last if last is not None and (last.symbol, last.timeframe, last.adjustment) == view else None


def bars_wanted(want: Want | None, view: View) -> int:
    """How many bars to read: the chart asks for more of a view when it is moved to its left edge."""
    if not want or want.get("view") != f"{view.symbol} {view.timeframe}":
        return BARS
    return max(BARS, min(int(want["bars"]), MOST_BARS))

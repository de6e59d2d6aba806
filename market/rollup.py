"""Higher frames from lower ones: which parent bars a changed child asks for, and what they become."""

import numpy as np
from numpy.typing import NDArray

from market import bars
from market.bars import PROVIDER_COMPLETE, Rows
from market.calendars import session_on, sessions_of
from market.frames import bucket, from_days, to_days
from market.series import Series
from market.timeframes import TIMEFRAMES

LINEAGE = ("input_topic", "input_partition", "input_first", "input_last")
COPIED = (*bars.CONTENT, "ticks", "origin", "provider_ms", "event_ms", "received_ms", "final", *LINEAGE)


def parents_of(child: Series, ts: set[int], timeframe: str, calendar: str, clock_ms: int) -> Rows:
    """The bars of `timeframe` that hold the child bars `ts`, rolled up anew, oldest first."""
    changed = child.rows[child.find(np.array(sorted(ts), np.int64))]
    spans = _intraday_spans if TIMEFRAMES[timeframe].is_intraday else _session_spans
    placed = spans(changed, timeframe, calendar)
    first, last = child.find(placed["ts"]), child.find(placed["end"])
    counts = last - first
    starts = np.concatenate([[0], np.cumsum(counts)[:-1]])
    members = np.arange(counts.sum()) + np.repeat(first - starts, counts)
    rows = bars.roll_up(child.rows[members], starts, are_minutes=child.key.timeframe == "1m")
    for name in ("ts", "end", "session_date", "session_open"):
        rows[name] = placed[name]
    rows["closed"] = rows["end"] <= clock_ms
    rows["final"] &= rows["closed"]
    return rows


def _intraday_spans(children: Rows, timeframe: str, calendar: str) -> Rows:
    """Parents' times: whole frames from the session's open, the last one cut at its close."""
    length_ms = TIMEFRAMES[timeframe].length_ms
    offset_ms = (children["ts"] - children["session_open"]) // length_ms * length_ms
    starts, which = np.unique(children["session_open"] + offset_ms, return_index=True)
    placed = bars.empty_rows(len(starts))
    placed["ts"] = starts
    for name in ("session_date", "session_open"):
        placed[name] = children[name][which]
    # The close of the session that a child itself lies in, for the frame's start may lie before a late first bar.
    close_ms = sessions_of(calendar, children["ts"][which]).close_ms
    placed["end"] = np.minimum(starts + length_ms, np.maximum(close_ms, children["end"][which]))
    return placed


def _session_spans(children: Rows, timeframe: str, calendar: str) -> Rows:
    """Parents' times in whole sessions: a day, a week or a month of them."""
    spans = {}
    for day in np.unique(children["session_date"]).tolist():
        session = session_on(calendar, from_days(day))
        start, end, first_session = bucket(timeframe, session.open_ms, session, calendar)
        spans[start] = (end, to_days(first_session.session_date), first_session.open_ms)
    placed = bars.empty_rows(len(spans))
    for k, start in enumerate(sorted(spans)):
        placed["ts"][k] = start
        placed["end"][k], placed["session_date"][k], placed["session_open"][k] = spans[start]
    return placed


def merge_roll_up(parent: Series, new: Rows, is_ours: NDArray[np.bool_]) -> list[int]:
    """Puts rolled-up bars into their series; gives the start of each that changed.

    A provider's complete bar stands, except where `is_ours` says that our own minutes rule; it counts our ticks all the same.
    """
    index = parent.ensure(new)
    wins = (parent.rows["origin"][index] != PROVIDER_COMPLETE) | is_ours
    changed = wins | (parent.rows["ticks"][index] != new["ticks"])
    parent.touch(index[changed])
    parent.rows["ticks"][index] = new["ticks"]
    changed_ts: list[int] = new["ts"][changed].tolist()
    index, new = index[wins], new[wins]
    closed = parent.rows["closed"][index] | new["closed"]
    for name in COPIED:
        parent.rows[name][index] = new[name]
    parent.rows["closed"][index] = closed
    parent.settle(index)
    return changed_ts

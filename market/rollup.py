"""Higher frames from lower ones: which parent bars a changed child asks for, and what they become."""

import numpy as np
from numpy.typing import NDArray

from market import bars
from market.bars import PROVIDER_COMPLETE, Rows
from market.calendars import session_on
from market.frames import bucket, from_days, to_days
from market.series import Series

LINEAGE = ("input_topic", "input_partition", "input_first", "input_last")
COPIED = (*bars.CONTENT, "ticks", "origin", "provider_ms", "event_ms", "received_ms", "final", *LINEAGE)


def parents_of(child: Series, ts: set[int], timeframe: str, calendar: str, clock_ms: int) -> Rows:
    """The bars of `timeframe` that hold the child bars `ts`, rolled up anew, oldest first."""
    rows = child.rows
    index = child.find(np.array(sorted(ts), np.int64))
    spans = {}
    for i in index.tolist():
        session = session_on(calendar, from_days(int(rows["session_date"][i])))
        start, end, first_session = bucket(timeframe, int(rows["ts"][i]), session, calendar)
        spans[start] = (end, first_session)
    made = []
    for start, (end, session) in sorted(spans.items()):
        first, last = child.find(np.array([start, end], np.int64)).tolist()
        row = bars.roll_up(rows[first:last], start, end)
        row["session_date"] = to_days(session.session_date)
        row["session_open"] = session.open_ms
        row["closed"] = clock_ms >= end
        row["final"] = clock_ms >= end and bool(rows["final"][first:last].all())
        made.append(row)
    return np.concatenate(made)


def merge_roll_up(parent: Series, new: Rows, is_ours: NDArray[np.bool_]) -> list[int]:
    """Puts rolled-up bars into their series; gives the start of each that changed.

    A provider's complete bar stands, except where `is_ours` says that our own minutes cover the session.
    """
    index = parent.ensure(new)
    wins = (parent.rows["origin"][index] != PROVIDER_COMPLETE) | is_ours
    index, new = index[wins], new[wins]
    if not len(index):
        return []
    parent.touch(index)
    closed = parent.rows["closed"][index] | new["closed"]
    for name in COPIED:
        parent.rows[name][index] = new[name]
    parent.rows["closed"][index] = closed
    parent.settle(index)
    return [int(ts) for ts in new["ts"]]

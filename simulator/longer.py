"""Bars of whole sessions and longer, from the sessions' own bars."""

import numpy as np

from simulator.intervals import ChartRequest
from simulator.market import Instrument
from simulator.noise import Floats, Ints
from simulator.rollup import Rows, fold, joined, row
from simulator.snapshot import Snapshot


def split_scale(instrument: Instrument, rows: Ints, current_row: int) -> Floats:
    """Ticks to prices that are adjusted for the splits between each session and the current one, as Yahoo prints them."""
    days = instrument.days
    scale: Floats = instrument.listing.tick * days.factor[current_row] / days.factor[rows]
    return scale


def daily_rows(instrument: Instrument, request: ChartRequest, now_ms: int, current: Snapshot) -> Rows:
    """Bars of whole sessions; the session in progress stands in a row of its own, stamped with the second of the request."""
    opens_s = instrument.opens_s[: current.row + 1]
    first, last = (int(np.searchsorted(opens_s, at)) for at in (request.start_s, request.end_s))
    finished = min(last, current.row) if current.is_open else last
    rows = np.arange(first, finished, dtype=np.int64)
    days = instrument.days
    scale = split_scale(instrument, rows, current.row)
    open_, high, low, close = (getattr(days, name)[rows] * scale for name in ("open", "high", "low", "close"))
    volume = np.rint(days.volume[rows] * (instrument.listing.tick / scale))
    whole = Rows(opens_s[rows], open_, high, low, close, volume)
    if request.interval != "1d":
        whole = fold(whole, group_starts_s(instrument, rows, request.interval))
    if not current.is_open or last <= current.row:
        return whole
    tick = instrument.listing.tick
    open_, high, low, price = (at * tick for at in (current.open, current.high, current.low, current.price))
    live = row(now_ms // 1000, open_, high, low, price, current.volume)
    return joined([whole, live])


def group_starts_s(instrument: Instrument, rows: Ints, interval: str) -> Ints:
    """The local midnight on which the week, month, quarter or five-session block of each session begins."""
    if not len(rows):
        return np.empty(0, dtype=np.int64)
    days = np.array([instrument.day(int(at)) for at in rows])
    if interval == "5d":
        starts = days[np.arange(len(days)) // 5 * 5]
    elif interval == "1wk":
        starts = days - (days + 3) % 7  # day 0 was a Thursday
    else:
        months = days.astype("datetime64[D]").astype("datetime64[M]").astype(np.int64)
        months -= months % 3 if interval == "3mo" else 0
        starts = months.astype("datetime64[M]").astype("datetime64[D]").astype(np.int64)
    distinct, place = np.unique(starts, return_inverse=True)
    return np.array([instrument.calendar.local_midnight_ms(int(day)) // 1000 for day in distinct])[place]

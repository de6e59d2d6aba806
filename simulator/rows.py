"""The bars of a window: intraday rows folded from minutes, daily and longer rows from the sessions' bars."""

from datetime import date, timedelta
from itertools import groupby

import numpy as np

from simulator.imperfections import corrected_later, leaves_empty_row
from simulator.intervals import INTRADAY_MINUTES, ChartRequest
from simulator.listings import EPOCH
from simulator.market import Instrument, minute_block
from simulator.minutes import Minutes
from simulator.noise import Floats, Ints
from simulator.rollup import EMPTY, Rows, fold, joined, row, select
from simulator.sessions import MINUTE_MS
from simulator.snapshot import Snapshot, minutes_so_far

# Sessions are made in blocks that stay in the processor's cache.
BLOCK_SESSIONS = 16


def split_scale(instrument: Instrument, rows: Ints, current_row: int) -> Floats:
    """Ticks to prices that are adjusted for the splits between each session and the current one, as Yahoo prints them."""
    days = instrument.days
    return instrument.listing.tick * days.factor[current_row] / days.factor[rows]


def intraday_rows(instrument: Instrument, request: ChartRequest, now_ms: int, current: Snapshot) -> Rows:
    """Regular-session bars of a window; the last one is stamped with the second of the request while the session is open."""
    length_ms = INTRADAY_MINUTES[request.interval] * MINUTE_MS
    first = max(instrument.row_at(request.start_s * 1000), 0)
    last = min(instrument.row_at(min(request.end_s * 1000, now_ms)), current.row)
    parts = []
    for rows in equally_long_blocks(instrument, first, last, current.row if current.is_open else last + 1):
        if len(rows) == 1 and rows[0] == current.row:
            so_far = minutes_so_far(instrument, current.row, now_ms)
            starts, bars = so_far.start_ms[None, :], one_row(so_far.bars)
        else:
            starts = np.stack([instrument.minute_starts(int(at)) for at in rows])
            bars = minute_block(instrument, rows)
        opens = np.array([instrument.open_ms(int(at)) for at in rows])[:, None]
        bars = corrected_later(instrument, starts, bars, now_ms)
        scale = split_scale(instrument, rows, current.row)[:, None]
        parts.append(folded(instrument, request.interval, starts, opens, length_ms, bars, scale))
    rows_ = joined(parts)
    rows_ = select(rows_, (rows_.time_s >= request.start_s) & (rows_.time_s < request.end_s))
    return with_live_row(instrument, rows_, request, now_ms, current)


def equally_long_blocks(instrument: Instrument, first: int, last: int, alone: int) -> list[Ints]:
    """The rows first..last in blocks of sessions with as many minutes; the row `alone` by itself."""
    lengths = ((at == alone, instrument.minute_count(at), at) for at in range(first, last + 1))
    blocks = []
    for _, run in groupby(lengths, key=lambda item: item[:2]):
        rows = np.array([at for _, _, at in run], dtype=np.int64)
        blocks.extend(rows[at : at + BLOCK_SESSIONS] for at in range(0, len(rows), BLOCK_SESSIONS))
    return blocks


def one_row(bars: Minutes) -> Minutes:
    return Minutes(*(getattr(bars, name)[None, :] for name in ("open", "high", "low", "close", "volume", "trades")))


def folded(
    instrument: Instrument, interval: str, starts: Ints, opens: Ints, length_ms: int, bars: Minutes, scale: Floats
) -> Rows:
    """Minutes without a trade are left out; of one-minute rows, some stay as empty rows."""
    traded = bars.trades > 0
    keep = traded | leaves_empty_row(instrument, starts) if interval == "1m" else traded
    buckets = opens + (starts - opens) // length_ms * length_ms
    prices = (np.where(traded, getattr(bars, name) * scale, np.nan)[keep] for name in ("open", "high", "low", "close"))
    adjusted_volume = np.rint(bars.volume * (instrument.listing.tick / scale))
    volume = np.where(traded, adjusted_volume, np.nan)[keep]
    return fold(Rows(starts[keep] // 1000, *prices, volume), buckets[keep] // 1000)


def with_live_row(instrument: Instrument, rows: Rows, request: ChartRequest, now_ms: int, current: Snapshot) -> Rows:
    """Yahoo's last row of an open session: the last price at the second of the request, without a volume."""
    now_s = now_ms // 1000
    if not current.is_open or request.end_s < now_s - 60 or request.start_s > now_s:
        return rows
    if len(rows.time_s) and rows.time_s[-1] >= now_s:
        return rows
    price = current.price * instrument.listing.tick
    return joined([rows, row(now_s, price, price, price, price, 0.0)])


def daily_rows(instrument: Instrument, request: ChartRequest, now_ms: int, current: Snapshot) -> Rows:
    """Bars of whole sessions; the session in progress stands in a row of its own, stamped with the second of the request."""
    opens_s = instrument.opens_s[: current.row + 1]
    first, last = (int(np.searchsorted(opens_s, at)) for at in (request.start_s, request.end_s))
    finished = min(last, current.row) if current.is_open else last
    rows = np.arange(first, finished, dtype=np.int64)
    days = instrument.days
    scale = split_scale(instrument, rows, current.row)
    prices = (getattr(days, name)[rows] * scale for name in ("open", "high", "low", "close"))
    volume = np.rint(days.volume[rows] * (instrument.listing.tick / scale))
    whole = Rows(opens_s[rows], *prices, volume)
    if request.interval != "1d":
        whole = fold(whole, group_starts_s(instrument, rows, request.interval))
    if not current.is_open or last <= current.row:
        return whole
    tick = instrument.listing.tick
    live = row(
        now_ms // 1000, *(at * tick for at in (current.open, current.high, current.low, current.price)), current.volume
    )
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

"""Intraday bars of a window, folded from minutes."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby

import numpy as np

from simulator.imperfections import corrected_later, leaves_empty_row
from simulator.intervals import INTRADAY_MINUTES, ChartRequest
from simulator.longer import split_scale
from simulator.market import Instrument
from simulator.minutes import Minutes
from simulator.noise import Ints
from simulator.parts import Part, part_at, window
from simulator.rollup import Rows, fold, joined, row, select
from simulator.sessions import MINUTE_MS
from simulator.snapshot import Snapshot, minutes_so_far

# Sessions are made in blocks that stay in the processor's cache.
BLOCK_SESSIONS = 8
BAR_NAMES = ("open", "high", "low", "close", "volume", "trades")


@dataclass(frozen=True, slots=True)
class Block:
    """Minutes of sessions that are equally long: one session a row of the arrays, `opens_ms` where its bars count from."""

    rows: Ints
    starts_ms: Ints
    opens_ms: Ints
    bars: Minutes


def intraday_rows(instrument: Instrument, request: ChartRequest, now_ms: int, current: Snapshot) -> Rows:
    """The bars of a window; while something is traded, the last one is stamped with the second of the request."""
    parts = [
        folded(instrument, request.interval, block, now_ms, current) for block in blocks(instrument, request, now_ms)
    ]
    rows = joined(parts)
    rows = select(rows, np.argsort(rows.time_s, kind="stable"))
    rows = select(rows, (rows.time_s >= request.start_s) & (rows.time_s < request.end_s))
    return with_live_row(instrument, rows, request, now_ms)


def blocks(instrument: Instrument, request: ChartRequest, now_ms: int) -> Iterator[Block]:
    """The minutes of every session of the window, and of the hours around them where they were asked for."""
    first = max(instrument.row_at(request.start_s * 1000), 0)
    last = instrument.row_at(min(request.end_s * 1000, now_ms))
    extended = request.include_pre_post and instrument.venue.pre_opens_minute is not None
    for part in tuple(Part) if extended else (Part.REGULAR,):
        finished = []
        for at in range(first, last + (2 if part is Part.PRE else 1)):
            begins, ends = window(instrument, at, part)
            if begins <= now_ms < ends:
                yield single(instrument, at, part, now_ms)
            elif ends <= now_ms:
                finished.append(at)
        yield from finished_blocks(instrument, finished, part)


def finished_blocks(instrument: Instrument, rows: list[int], part: Part) -> Iterator[Block]:
    """Sessions that are over, those that are equally long together; half-days stand by themselves."""

    def length_ms(at: int) -> int:
        begins, ends = window(instrument, at, part)
        return ends - begins

    for _, run in groupby(rows, key=length_ms):
        alike = np.array(list(run), dtype=np.int64)
        for at in range(0, len(alike), BLOCK_SESSIONS):
            chunk = alike[at : at + BLOCK_SESSIONS]
            starts = np.stack([instrument.minute_starts(int(each), part) for each in chunk])
            yield Block(chunk, starts, starts[:, :1], instrument.minute_block(chunk, part))


def single(instrument: Instrument, at: int, part: Part, now_ms: int) -> Block:
    """A part of one session as far as it has gone."""
    so_far = minutes_so_far(instrument, at, part, now_ms)
    bars = Minutes(*(getattr(so_far.bars, name)[None, :] for name in BAR_NAMES))
    opens = np.array([[window(instrument, at, part)[0]]])
    return Block(np.array([at]), so_far.start_ms[None, :], opens, bars)


def folded(instrument: Instrument, interval: str, block: Block, now_ms: int, current: Snapshot) -> Rows:
    """Minutes without a trade are left out; of one-minute rows, some stay as empty rows."""
    bars = corrected_later(instrument, block.starts_ms, block.bars, now_ms)
    traded = bars.trades > 0
    keep = traded | leaves_empty_row(instrument, block.starts_ms) if interval == "1m" else traded
    length_ms = INTRADAY_MINUTES[interval] * MINUTE_MS
    buckets = block.opens_ms + (block.starts_ms - block.opens_ms) // length_ms * length_ms
    scale = split_scale(instrument, block.rows, current.row)[:, None]
    open_, high, low, close = (
        np.where(traded, getattr(bars, name) * scale, np.nan)[keep] for name in ("open", "high", "low", "close")
    )
    adjusted_volume = np.rint(bars.volume * (instrument.listing.tick / scale))
    volume = np.where(traded, adjusted_volume, np.nan)[keep]
    rows = Rows(block.starts_ms[keep] // 1000, open_, high, low, close, volume)
    return fold(rows, buckets[keep] // 1000)


def with_live_row(instrument: Instrument, rows: Rows, request: ChartRequest, now_ms: int) -> Rows:
    """Yahoo's last row while something is traded: the last price at the second of the request, without a volume."""
    now_s = now_ms // 1000
    at = part_at(instrument, now_ms)
    if at is None or (at[1] is not Part.REGULAR and not request.include_pre_post):
        return rows
    if request.end_s < now_s - 60 or request.start_s > now_s or (len(rows.time_s) and rows.time_s[-1] >= now_s):
        return rows
    bars = minutes_so_far(instrument, *at, now_ms).bars
    if not bars.trades.any():
        return rows
    price = float(bars.close[-1]) * instrument.listing.tick
    return joined([rows, row(now_s, price, price, price, price, 0.0)])

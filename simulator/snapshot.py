"""Where an instrument stands at a moment: its last trade and its session so far."""

from dataclasses import dataclass

import numpy as np

from simulator.market import Instrument
from simulator.minutes import Minutes
from simulator.parts import Part
from simulator.sessions import MINUTE_MS


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Prices as printed, in ticks. `row` is the session of the last trade, `minute` the minute of it that was last begun."""

    row: int
    is_open: bool
    minute: int
    time_ms: int
    price: int
    open: int
    high: int
    low: int
    volume: int
    previous_close: int


@dataclass(frozen=True, slots=True)
class SoFar:
    """The minutes of a part of a session up to a moment: the last of them as far as its trades have gone."""

    start_ms: np.ndarray
    bars: Minutes
    last_trade_ms: int


def minutes_so_far(instrument: Instrument, row: int, part: Part, now_ms: int) -> SoFar:
    """The part's minutes that have begun, the current one folded from its trades until now."""
    starts = instrument.minute_starts(row, part)
    bars = instrument.minutes(row, part)
    begun = int(np.searchsorted(starts, now_ms, side="right"))
    columns = {name: getattr(bars, name)[:begun] for name in ("open", "high", "low", "close", "volume", "trades")}
    if begun and now_ms < starts[begun - 1] + MINUTE_MS:
        trades = instrument.trades(row, begun - 1, part)
        seen = int(np.searchsorted(trades.time_ms, now_ms, side="right"))
        price, last = trades.price[:seen], int(bars.close[begun - 2]) if begun > 1 else int(bars.open[0])
        now = {
            "open": price[0] if seen else last,
            "high": price.max() if seen else last,
            "low": price.min() if seen else last,
            "close": price[-1] if seen else last,
            "volume": trades.volume[seen - 1] if seen else 0,
            "trades": seen,
        }
        columns = {name: np.append(values[:-1], values.dtype.type(now[name])) for name, values in columns.items()}
    return SoFar(
        starts[:begun], Minutes(**columns), last_trade_ms(instrument, row, part, starts, columns["trades"], now_ms)
    )


def last_trade_ms(
    instrument: Instrument, row: int, part: Part, starts: np.ndarray, trades: np.ndarray, now_ms: int
) -> int:
    """The time of the last trade so far; the part's start where there was none."""
    traded = np.flatnonzero(trades)
    if not len(traded):
        return int(starts[0])
    times = instrument.trades(row, int(traded[-1]), part).time_ms
    return int(times[int(np.searchsorted(times, now_ms, side="right")) - 1])


def snapshot(instrument: Instrument, now_ms: int) -> Snapshot | None:
    """The state at `now_ms`; None before the listing's first trade."""
    row = instrument.row_at(now_ms)
    if row < 0:
        return None
    so_far = minutes_so_far(instrument, row, Part.REGULAR, now_ms)
    if not so_far.bars.trades.any():
        # The session has opened but nothing has traded yet: the last word is the session before.
        row -= 1
        if row < 0:
            return None
        so_far = minutes_so_far(instrument, row, Part.REGULAR, now_ms)
    bars = so_far.bars
    return Snapshot(
        row=row,
        is_open=instrument.open_ms(row) <= now_ms < instrument.close_ms(row),
        minute=len(so_far.start_ms) - 1,
        time_ms=so_far.last_trade_ms,
        price=int(bars.close[-1]),
        open=int(bars.open[0]),
        high=int(bars.high.max()),
        low=int(bars.low.min()),
        volume=int(bars.volume.sum()),
        previous_close=round(instrument.bar(row).previous_close),
    )

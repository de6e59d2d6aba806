"""The updates that a live feed publishes, one symbol and one minute at a time."""

import numpy as np

from simulator.market import Instrument
from simulator.noise import key_of, uniform
from simulator.sessions import MINUTE_MS
from simulator.trades import conflated
from simulator.wire import REGULAR_MARKET, Tick

# From a trade to its publication, in ms.
FASTEST_MS, SLOWEST_MS = 15, 60


def minute_tape(instrument: Instrument, minute_ms: int, ticks_per_second: float) -> list[tuple[int, Tick]]:
    """The updates of the minute that begins at `minute_ms`, each with when it is published; empty when it is not traded."""
    row = instrument.row_at(minute_ms)
    if row < 0 or minute_ms >= instrument.close_ms(row):
        return []
    starts = instrument.minute_starts(row)
    minute = int(np.searchsorted(starts, minute_ms))
    if minute == len(starts) or starts[minute] != minute_ms:
        return []
    trades = instrument.trades(row, minute)
    if not len(trades.time_ms):
        return []
    listing, bars, days = instrument.listing, instrument.minutes(row), instrument.days
    seed, tick = instrument.market.seed, listing.tick
    published = conflated(trades, minute_ms, ticks_per_second, seed, listing.symbol)
    if row > 0:
        previous_close = int(days.close[row - 1]) * tick * days.factor[row] / days.factor[row - 1]
    else:
        previous_close = int(days.open[0]) * tick
    before = slice(0, minute)
    highs = np.maximum(np.maximum.accumulate(trades.price), bars.high[before].max(initial=0))
    lows = np.minimum(np.minimum.accumulate(trades.price), bars.low[before].min(initial=np.iinfo(np.int32).max))
    volumes = trades.volume + int(bars.volume[before].sum())
    sizes = np.diff(trades.volume, prepend=0)
    delay_key = key_of(seed, listing.symbol, "feed", "delay")
    delays = FASTEST_MS + (SLOWEST_MS - FASTEST_MS) * uniform(delay_key, minute_ms // MINUTE_MS * 10_000 + published)
    return [
        (
            int(trades.time_ms[at] + delay),
            Tick(
                symbol=listing.symbol,
                short_name=listing.name[:30],
                kind=listing.kind,
                currency=listing.currency,
                exchange=instrument.venue.code,
                precision=listing.precision,
                market_hours=REGULAR_MARKET,
                time_ms=int(trades.time_ms[at]),
                price=float(trades.price[at]) * tick,
                day_volume=int(volumes[at]),
                day_high=float(highs[at]) * tick,
                day_low=float(lows[at]) * tick,
                day_open=float(bars.open[0]) * tick,
                previous_close=previous_close,
                last_size=int(sizes[at]),
            ),
        )
        for at, delay in zip(published.tolist(), delays.tolist(), strict=True)
    ]

"""The updates that a live feed publishes, one symbol and one minute at a time."""

from dataclasses import dataclass

import numpy as np

from simulator.market import Instrument
from simulator.noise import key_of, uniform
from simulator.parts import Part, part_at
from simulator.sessions import MINUTE_MS
from simulator.trades import conflated
from simulator.wire import Tick, encode

# Yahoo's numbers of the parts of the day.
MARKET_HOURS = {Part.PRE: 0, Part.REGULAR: 1, Part.POST: 2}
# From a trade to its publication, in ms.
FASTEST_MS, SLOWEST_MS = 15, 60


def minute_tape(instrument: Instrument, minute_ms: int, ticks_per_second: float) -> list[tuple[int, Tick]]:
    """The updates of the minute that begins at `minute_ms`, each with when it is published; empty when it is not traded."""
    at = part_at(instrument, minute_ms)
    if at is None:
        return []
    row, part = at
    starts = instrument.minute_starts(row, part)
    minute = int(np.searchsorted(starts, minute_ms))
    if minute == len(starts) or starts[minute] != minute_ms:
        return []
    trades = instrument.trades(row, minute, part)
    if not len(trades.time_ms):
        return []
    listing, seed = instrument.listing, instrument.market.seed
    published = conflated(trades, minute_ms, ticks_per_second, seed, listing.symbol)
    day = day_so_far(instrument, row, part, minute)
    highs = np.maximum(np.maximum.accumulate(trades.price), day.high)
    lows = np.minimum(np.minimum.accumulate(trades.price), day.low)
    sizes = np.diff(trades.volume, prepend=0)
    delay_key = key_of(seed, listing.symbol, "feed", "delay")
    address = minute_ms // MINUTE_MS * 10_000 + published
    delays = FASTEST_MS + (SLOWEST_MS - FASTEST_MS) * uniform(delay_key, address)
    due = np.maximum.accumulate(trades.time_ms[published] + delays.astype(np.int64))
    moves = (
        Move(*(int(value) for value in values))
        for values in zip(
            trades.time_ms[published],
            trades.price[published],
            day.volume + trades.volume[published],
            highs[published],
            lows[published],
            sizes[published],
            strict=True,
        )
    )
    return [(due_ms, tick_of(instrument, part, day, move)) for due_ms, move in zip(due.tolist(), moves, strict=True)]


@dataclass(frozen=True, slots=True)
class Move:
    """A trade and what the day has seen with it; prices in ticks."""

    time_ms: int
    price: int
    day_volume: int
    day_high: int
    day_low: int
    size: int


@dataclass(frozen=True, slots=True)
class DaySoFar:
    """What a day's part has seen before a minute, in ticks. After the close the session's figures go on."""

    open: int
    high: int
    low: int
    volume: int
    previous_close: float


def day_so_far(instrument: Instrument, row: int, part: Part, minute: int) -> DaySoFar:
    bars, session = instrument.minutes(row, part), instrument.bar(row)
    high = int(bars.high[:minute].max(initial=0))
    low = int(bars.low[:minute].min(initial=np.iinfo(np.int32).max))
    volume = int(bars.volume[:minute].sum())
    if part is not Part.POST:
        return DaySoFar(int(bars.open[0]), high, low, volume, session.previous_close)
    high, low = max(high, session.high), min(low, session.low)
    return DaySoFar(session.open, high, low, volume + session.volume, float(session.close))


def tick_of(instrument: Instrument, part: Part, day: DaySoFar, move: Move) -> Tick:
    """The update that tells of a trade."""
    listing, tick = instrument.listing, instrument.listing.tick
    return Tick(
        symbol=listing.symbol,
        short_name=listing.name[:30],
        kind=listing.kind,
        currency=listing.currency,
        exchange=instrument.venue.code,
        precision=listing.precision,
        market_hours=MARKET_HOURS[part],
        time_ms=move.time_ms,
        price=move.price * tick,
        day_volume=move.day_volume,
        day_high=move.day_high * tick,
        day_low=move.day_low * tick,
        day_open=day.open * tick,
        previous_close=day.previous_close * tick,
        last_size=move.size,
    )


def frames_of_minute(instrument: Instrument, minute_ms: int, ticks_per_second: float) -> list[tuple[int, str | bytes]]:
    """The minute's updates as they go over the wire, each with when it is published."""
    return [(due_ms, encode(tick)) for due_ms, tick in minute_tape(instrument, minute_ms, ticks_per_second)]

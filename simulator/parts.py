"""The parts of a trading day: the regular session, and the thin trading before and after it where the exchange has it."""

from enum import StrEnum
from typing import TYPE_CHECKING

import numpy as np

from simulator.noise import Ints, key_of, normal, uniform
from simulator.path import SessionBars
from simulator.sessions import MINUTE_MS

if TYPE_CHECKING:
    from simulator.market import Instrument

# What happens outside of the regular session, as shares of the session's deviation, volume and trades.
EXTENDED_SIGMA = 0.3
EXTENDED_VOLUME = 0.02
EXTENDED_TRADES = 0.08
# Of the move from the close to the next open, what the evening already makes.
EVENING_SHARE = 0.4


class Part(StrEnum):
    PRE = "pre"
    REGULAR = "regular"
    POST = "post"


def window(instrument: "Instrument", row: int, part: Part) -> tuple[int, int]:
    """Where a part of a session's day begins and ends, in ms; equal where there is none."""
    opens, closes, venue = instrument.open_ms(row), instrument.close_ms(row), instrument.venue
    if part is Part.REGULAR:
        return opens, closes
    if part is Part.POST:
        return closes, closes + venue.post_minutes * MINUTE_MS
    if venue.pre_opens_minute is None:
        return opens, opens
    return instrument.calendar.local_midnight_ms(instrument.day(row)) + venue.pre_opens_minute * MINUTE_MS, opens


def part_at(instrument: "Instrument", now_ms: int) -> tuple[int, Part] | None:
    """The session and the part of its day that a moment lies in; None when nothing is traded."""
    row = instrument.row_at(now_ms)
    for at, part in ((row, Part.REGULAR), (row, Part.POST), (row + 1, Part.PRE)):
        if at >= 0:
            begins, ends = window(instrument, at, part)
            if begins <= now_ms < ends and not (part is Part.REGULAR and instrument.in_break(at, now_ms)):
                return at, part
    return None


def starts(instrument: "Instrument", row: int, part: Part) -> Ints:
    """The start of each minute of a part, without the lunch break."""
    if part is Part.REGULAR:
        return instrument.calendar.minute_starts(instrument.first_session + row)
    begins, ends = window(instrument, row, part)
    return np.arange(begins, ends, MINUTE_MS, dtype=np.int64)


def extended_bars(instrument: "Instrument", rows: Ints, part: Part) -> SessionBars:
    """The bars of the hours before or after sessions: on the way from one close to the next open."""
    days, seed, symbol = instrument.days, instrument.market.seed, instrument.listing.symbol
    evening = np.maximum(rows if part is Part.POST else rows - 1, 0)
    split = days.factor[evening] / days.factor[evening + 1]
    closed = days.close[evening].astype(np.float64)
    sigma = EXTENDED_SIGMA * days.sigma[rows] * closed
    halfway = closed + EVENING_SHARE * (days.open[evening + 1] * split - closed)
    halfway += 0.3 * sigma * normal(key_of(seed, symbol, "evening"), evening)
    if part is Part.POST:
        first, last = closed, halfway
    else:
        first, last, sigma = halfway / split, days.open[rows].astype(np.float64), sigma / split
    reach, middle = (last - first) ** 2, 0.5 * (first + last)
    up, down = (
        0.5 * np.sqrt(reach - 2.0 * sigma**2 * np.log(uniform(key_of(seed, symbol, part, side), rows)))
        for side in ("high", "low")
    )
    traded = days.volume[rows] * EXTENDED_VOLUME
    open_, high, low, close, volume = (
        np.rint(values).astype(np.int64) for values in (first, middle + up, middle - down, last, traded)
    )
    open_, close = np.maximum(open_, 1), np.maximum(close, 1)
    high = np.maximum(high, np.maximum(open_, close))
    low = np.clip(low, 1, np.minimum(open_, close))
    return SessionBars(open_, high, low, close, volume, np.maximum(sigma, 0.5))

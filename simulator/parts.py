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


def extended_bar(instrument: "Instrument", row: int, part: Part) -> SessionBars:
    """The bar of the hours before or after a session: on the way from one close to the next open."""
    days, seed, symbol = instrument.days, instrument.market.seed, instrument.listing.symbol
    evening = row if part is Part.POST else row - 1
    split = days.factor[max(evening, 0)] / days.factor[evening + 1]
    closed = float(days.close[max(evening, 0)])
    opens = float(days.open[evening + 1]) * split
    halfway = closed + EVENING_SHARE * (opens - closed)
    sigma = EXTENDED_SIGMA * float(days.sigma[row]) * closed
    halfway += 0.3 * sigma * float(normal(key_of(seed, symbol, "evening"), np.array([evening]))[0])
    first, last = (closed, halfway) if part is Part.POST else (halfway / split, float(days.open[row]))
    sigma /= 1.0 if part is Part.POST else split
    reach, centre = (last - first) ** 2, 0.5 * (first + last)
    up, down = (
        0.5 * np.sqrt(reach - 2.0 * sigma**2 * np.log(uniform(key_of(seed, symbol, part, side), np.array([row]))[0]))
        for side in ("high", "low")
    )
    low, high = max(centre - down, 1.0), centre + up
    values = (first, max(high, first, last), min(low, first, last), last, days.volume[row] * EXTENDED_VOLUME)
    return SessionBars(
        *(np.array([max(round(value), 0)], dtype=np.int64) for value in values), np.array([max(sigma, 0.5)])
    )

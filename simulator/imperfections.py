"""What keeps the simulated exchange as imperfect as Yahoo by default. All of it follows from seed, symbol, minute and time.

Conflated ticks are in trades.py, the row in progress in rows.py; here are late corrections and rows without values.
"""

import numpy as np

from simulator.market import Instrument
from simulator.minutes import Minutes
from simulator.noise import Ints, key_of, uniform
from simulator.sessions import MINUTE_MS

# One minute in a hundred is printed short of some trades at first, and put right between two and twelve minutes later.
CORRECTION_CHANCE = 0.01
EARLIEST_CORRECTION_MS = 2 * MINUTE_MS
LATEST_CORRECTION_MS = 12 * MINUTE_MS
MISSING_SHARE = 0.08
# Of the minutes without a trade, Yahoo leaves most out and prints some with null in every column.
EMPTY_ROW_CHANCE = 0.2


def corrected_later(instrument: Instrument, starts: Ints, bars: Minutes, now_ms: int) -> Minutes:
    """The bars as the provider has them at `now_ms`: some recent ones still lack a late trade's volume."""
    if now_ms - int(starts.max(initial=0)) > LATEST_CORRECTION_MS + MINUTE_MS:
        return bars
    seed, symbol = instrument.market.seed, instrument.listing.symbol
    minute = starts // MINUTE_MS
    chosen = uniform(key_of(seed, symbol, "correction"), minute) < CORRECTION_CHANCE
    delay = uniform(key_of(seed, symbol, "correction delay"), minute) * (LATEST_CORRECTION_MS - EARLIEST_CORRECTION_MS)
    pending = chosen & (now_ms < starts + MINUTE_MS + EARLIEST_CORRECTION_MS + delay)
    if not pending.any():
        return bars
    close = np.where(pending, bars.open, bars.close)
    volume = np.where(pending, np.floor(bars.volume * (1.0 - MISSING_SHARE)).astype(np.int64), bars.volume)
    return Minutes(bars.open, bars.high, bars.low, close, volume, bars.trades)


def leaves_empty_row(instrument: Instrument, starts: Ints) -> np.ndarray:
    """Which of the minutes, if they have no trade, are printed as rows of nulls."""
    return (
        uniform(key_of(instrument.market.seed, instrument.listing.symbol, "empty row"), starts // MINUTE_MS)
        < EMPTY_ROW_CHANCE
    )

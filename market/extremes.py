"""The day's high and low as a feed's quotes tell them, kept apart from what our own ticks have seen.

A feed conflates: the trade that made the day's high may never come as a tick, and every quote after it tells of it all the same.
Of each session the newest word counts (by event time; of two words of one millisecond the wider one), and not the widest: so a
session's first quotes, which may still carry the extremes of the day before, and a wrong one do no harm for longer than until the
next. It does not matter in which order words come, nor how often. High and low are kept each for itself: a feed may tell one alone.
"""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from market.bars import Rows

EXTREMES = np.dtype(
    [
        ("quoted_date", "i8"),  # the session, days since the epoch
        ("high_ms", "i8"),  # of the tick that told the high; both are 0 where none did
        ("quoted_high", "f8"),
        ("low_ms", "i8"),
        ("quoted_low", "f8"),
    ]
)
SIDES = (("high_ms", "quoted_high", np.fmax), ("low_ms", "quoted_low", np.fmin))
# Where a daily bar keeps the times; its prices have the same names, and are NaN where nothing was told.
IN_DAYS = {"high_ms": "first_ms", "low_ms": "last_ms"}
# The provider's day of spot FX is London's, and our session the UTC day: its extremes are not of our bar.
OTHER_DAYS = frozenset({"24/5"})

Words = NDArray[np.void]  # rows of EXTREMES


@dataclass(slots=True)
class Extremes:
    """What a batch's quotes tell: by symbol, oldest session first, no session twice."""

    symbols: list[str] = field(default_factory=list)
    rows: Words = field(default_factory=lambda: np.zeros(0, EXTREMES))

    def __len__(self) -> int:
        return len(self.symbols)

    def through(self, days: dict[str, int]) -> "Extremes":
        """Those of some symbols' sessions up to a day of each."""
        dates = self.rows["quoted_date"].tolist()
        kept = [k for k, name in enumerate(self.symbols) if dates[k] <= days.get(name, -1)]
        return Extremes([self.symbols[k] for k in kept], self.rows[kept])


def join(known: Words, new: Words) -> Words:
    """The newer of two words on each side, row by row of the same session."""
    out = known.copy()
    for ms, price, wider in SIDES:
        is_newer, is_same = new[ms] > known[ms], new[ms] == known[ms]
        out[ms] = np.maximum(known[ms], new[ms])
        out[price] = np.where(is_newer, new[price], np.where(is_same, wider(known[price], new[price]), known[price]))
    return out


def newest(words: Words, starts: NDArray[np.int64]) -> Words:
    """The joined words of each group: group k is words[starts[k]:starts[k + 1]], none empty, each of one session."""
    out = words[starts]
    of = np.repeat(np.arange(len(starts)), np.diff(np.append(starts, len(words))))
    for ms, price, wider in SIDES:
        out[ms] = np.maximum.reduceat(words[ms], starts)
        out[price] = wider.reduceat(np.where(words[ms] == out[ms][of], words[price], np.nan), starts)
    return out


def of_days(days: Rows) -> Words:
    """What daily bars keep."""
    out = np.zeros(len(days), EXTREMES)
    out["quoted_date"] = days["session_date"]
    for ms, price, _ in SIDES:
        is_told = days[IN_DAYS[ms]] > 0
        out[ms][is_told], out[price][is_told] = days[IN_DAYS[ms]][is_told], days[price][is_told]
    return out


def widen(days: Rows, words: Words) -> None:
    """Daily bars that are rolled up from ours, in place."""
    for (ms, price, wider), side in zip(SIDES, ("high", "low"), strict=True):
        days[side] = wider(days[side], np.where(words[ms] > 0, words[price], np.nan))

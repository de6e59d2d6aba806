"""Splits, as the fold knows them: what they do to prices and volumes from one session to another, and to the kernel's state.

Bars are as printed, in the shares of their own session (a week's and a month's in those of its first session). Whoever looks over
an ex-date rescales what is before it to the shares after it: prices by 1/ratio, volumes by ratio, one split after another in the
order of their dates, so that the same bits come out wherever a computation begins.
"""

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from market.bars import PRICES, Rows

NO_SPLIT = int(np.iinfo(np.int64).min)
# The value of a split or dividend that is published no more: less than any, so that of two words at once it does not count.
TAKEN_BACK = 0.0


class Told(NamedTuple):
    """What was said of a split: the greatest counts. `ratio` is new shares for an old one, `TAKEN_BACK` where it was."""

    received_ms: int
    ratio: float


class Split(NamedTuple):
    """A word about the split of a symbol on a day (days since the epoch)."""

    symbol: str
    ex_day: int
    told: Told


class Splits:
    """All that is known. `ex_days` and `ratios` of a symbol are parallel and rise by date."""

    def __init__(self) -> None:
        self._told: dict[tuple[str, int], Told] = {}
        self._of: dict[str, list[tuple[int, float]]] = {}

    def learn(self, splits: Iterable[Split]) -> dict[str, list[int]]:
        """Takes in what is told; gives the symbols whose splits have changed, each with the days that have another ratio."""
        changed: dict[str, list[int]] = {}
        for symbol, ex_day, told in splits:
            known = self._told.get((symbol, ex_day), Told(0, 0.0))
            if told <= known:
                continue
            self._told[symbol, ex_day] = told
            if effect(told.ratio) != effect(known.ratio):
                changed.setdefault(symbol, []).append(ex_day)
        for symbol in changed:
            found = [(day, effect(told.ratio)) for (of, day), told in self._told.items() if of == symbol]
            self._of[symbol] = sorted(split for split in found if split[1] != 1.0)
        return changed

    def copy(self) -> "Splits":
        """Another one that knows the same, and may learn more."""
        other = Splits()
        other._told, other._of = dict(self._told), dict(self._of)
        return other

    def newest(self, symbol: str) -> int:
        """The ex-date of the newest split; `NO_SPLIT` where there is none."""
        known = self._of.get(symbol)
        return known[-1][0] if known else NO_SPLIT

    def between(self, symbol: str, after_day: int, to_day: int) -> list[tuple[int, float]]:
        """(ex-date, ratio) of the splits with after_day < ex-date <= to_day, in the order of their dates."""
        return [split for split in self._of.get(symbol, ()) if after_day < split[0] <= to_day]


def effect(ratio: float) -> float:
    """The ratio that counts: what was taken back moves nothing."""
    return ratio or 1.0


def in_later_shares(rows: Rows, splits: Iterable[tuple[int, float]]) -> Rows:
    """A copy of bars in the shares after all of these splits: each rescales what lies before it."""
    out: Rows = rows.copy()
    for ex_day, ratio in splits:
        before = rows["session_date"] < ex_day
        for name in PRICES:
            out[name][before] /= ratio
        out["volume"][before] *= ratio
    return out


def in_first_shares(rows: Rows, splits: Iterable[tuple[int, float]], scale: float) -> Rows:
    """A copy of bars in the shares before all of these splits, prices at the instrument's precision (10**precision is `scale`)."""
    out: Rows = rows.copy()
    for ex_day, ratio in splits:
        after = rows["session_date"] >= ex_day
        for name in PRICES:
            out[name][after] = np.round(out[name][after] * ratio * scale) / scale
        out["volume"][after] = np.round(out["volume"][after] / ratio)
    return out


def rescaled(state: NDArray[np.float64], exponents: NDArray[np.float64], splits: Iterable[tuple[int, float]]) -> None:
    """The kernel's state, in place, in the shares after these splits: prices (exponent -1) / ratio, volumes (1) * ratio."""
    for _, ratio in splits:
        state[exponents < 0] /= ratio
        state[exponents > 0] *= ratio

"""Providers rewrite history at every split. What is stored is what was printed, so the adjustment is undone here."""

from bisect import bisect_right
from datetime import date
from itertools import accumulate
from operator import mul


class SplitFactors:
    """Products of split ratios by date: an adjusted price times `of(date)` is the printed one, a volume divided by it.

    A split applies to the days before its ex-date, so the factor of a day is the product of all later splits.

        ex-dates:      2014-06-09 (7:1)        2020-08-31 (4:1)
        factor:   28.0        |         4.0         |       1.0
    """

    def __init__(self, splits: list[tuple[date, float]]) -> None:
        by_date = dict(sorted((ex_date, ratio) for ex_date, ratio in splits if ratio > 0))
        self._ex_dates = list(by_date)
        ratios = list(by_date.values())
        # _factors[i] is the product of the splits from the i-th on; after the last one it is 1.
        self._factors: list[float] = [*list(accumulate(reversed(ratios), mul))[::-1], 1.0]

    def of(self, day: date) -> float:
        """The factor of a day: 1.0 from the last ex-date on."""
        return self._factors[bisect_right(self._ex_dates, day)]

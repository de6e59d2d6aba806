"""Dividends: a calendar for the instruments that pay, and what Yahoo's adjusted close makes of it."""

from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np

from simulator.daily import Days
from simulator.listings import EPOCH, Listing
from simulator.noise import Floats, Ints, key_of


@dataclass(frozen=True, slots=True)
class Dividend:
    """`amount` a share as paid, for those who held it before the local date `day`."""

    day: int
    amount: float


def dividends_of(listing: Listing, day: Ints, days: Days) -> tuple[Dividend, ...]:
    """Four a year from the sixth year on, on a day of the quarter of the instrument's own; a year's yield of its first price."""
    if listing.dividend_yield <= 0:
        return ()
    address = int(key_of("dividend", listing.symbol))
    month_of_quarter, day_of_month = address % 3, 5 + address // 3 % 20
    dividends = []
    first_year, last_year = ((EPOCH + timedelta(days=int(day[at]))).year for at in (0, -1))
    for year in range(first_year + 5, last_year + 1):
        new_year = int(np.searchsorted(day, (date(year, 1, 1) - EPOCH).days))
        for month in range(1 + month_of_quarter, 13, 3):
            row = int(np.searchsorted(day, (date(year, month, day_of_month) - EPOCH).days))
            if 0 < row < len(day):
                price = float(days.close[new_year]) * listing.tick * days.factor[row] / days.factor[new_year]
                amount = round(price * listing.dividend_yield / 4.0, 2 if listing.precision == 2 else 4)
                if amount > 0:
                    dividends.append(Dividend(int(day[row]), amount))
    return tuple(dividends)


def dividend_factors(day: Ints, close: Floats, dividends: tuple[Dividend, ...]) -> Floats:
    """What Yahoo multiplies the close with for `adjclose`: each dividend takes its share of the close before it."""
    factors = np.ones(len(day))
    for dividend in dividends:
        row = int(np.searchsorted(day, dividend.day))
        if 0 < row < len(day):
            factors[:row] *= 1.0 - dividend.amount / close[row - 1]
    return factors

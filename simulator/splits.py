"""Splits: what happened to the known names, and what it does to printed prices."""

import csv
import math
from collections import defaultdict
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import numpy as np

from simulator.listings import EPOCH, REFERENCE_DAY, Listing
from simulator.noise import Floats, Ints, key_of, uniform

SPLITS_FILE = Path(__file__).with_name("splits.csv")
# A listing whose first price is below the one, when adjusted for all splits, began near the other in print.
LOWEST_FIRST_PRICE = 8.0
TYPICAL_FIRST_PRICE = 24.0


@dataclass(frozen=True, slots=True)
class Split:
    """`numerator` new shares for `denominator` old ones from the open of the local date `day`.

    Listed prices are those after all known splits, so these multiply what was printed before. One that `is_announced` while
    the exchange trades divides what is printed after.
    """

    day: int
    numerator: int
    denominator: int
    is_announced: bool = False

    @property
    def ratio(self) -> float:
        return self.numerator / self.denominator


def read_splits(path: Path = SPLITS_FILE) -> dict[str, tuple[Split, ...]]:
    """The splits of each symbol in order of time."""
    splits: dict[str, list[Split]] = defaultdict(list)
    with path.open(newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            day = (date.fromisoformat(row["date"]) - EPOCH).days
            splits[row["symbol"]].append(Split(day, int(row["numerator"]), int(row["denominator"])))
    return {symbol: tuple(sorted(of_symbol, key=lambda split: split.day)) for symbol, of_symbol in splits.items()}


def splits_of(listing: Listing, known: dict[str, tuple[Split, ...]]) -> tuple[Split, ...]:
    """The known splits, or as many invented ones as make the first price a printable one."""
    if listing.symbol in known:
        return known[listing.symbol]
    if listing.kind not in ("EQUITY", "ETF") or listing.first_price >= LOWEST_FIRST_PRICE:
        return ()
    count = round(math.log2(TYPICAL_FIRST_PRICE / listing.first_price))
    first, last = listing.listed_day + 700, REFERENCE_DAY - 700
    places = np.arange(count, dtype=np.int64)
    spread = (places + uniform(key_of("split", listing.symbol), places)) / count
    return tuple(Split(int(first + (last - first) * at), 2, 1) for at in spread)


def split_factors(days: Ints, splits: tuple[Split, ...]) -> Floats:
    """The product of the splits after each day, over that of the announced ones: printed price = adjusted price x factor."""
    factors = np.ones(len(days))
    for split in splits:
        factors[days < split.day] *= split.ratio
        if split.is_announced:
            factors /= split.ratio
    return factors

"""Splits: what happened to the known names, and what it does to printed prices."""

import csv
from collections import defaultdict
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import numpy as np

from simulator.listings import EPOCH
from simulator.noise import Floats, Ints

SPLITS_FILE = Path(__file__).with_name("splits.csv")


@dataclass(frozen=True, slots=True)
class Split:
    """`numerator` new shares for `denominator` old ones from the open of the local date `day`."""

    day: int
    numerator: int
    denominator: int

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


def split_factors(days: Ints, splits: tuple[Split, ...]) -> Floats:
    """The product of the splits after each day: printed price = adjusted price x factor."""
    factors = np.ones(len(days))
    for split in splits:
        factors[days < split.day] *= split.ratio
    return factors

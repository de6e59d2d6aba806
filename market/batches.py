"""What goes into the fold and what comes out of it: bars of many series as one array, with the series of each row."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from market import indicators
from market.actions import Split
from market.bars import Rows, empty_rows, join
from market.extremes import Extremes
from market.latest import Prices
from market.series import SeriesKey


@dataclass(frozen=True, slots=True)
class Instrument:
    """What the fold must know of a symbol."""

    symbol: str
    calendar: str
    price_precision: int
    has_volume: bool


@dataclass(frozen=True, slots=True)
class Layer:
    """Bars of many series: row k is of `keys[which[k]]`. Rows of a series stand together, oldest first, no bar twice."""

    keys: list[SeriesKey]
    which: NDArray[np.int64]
    rows: Rows

    def where(self, mask: NDArray[np.bool_]) -> "Layer":
        """Some of the rows, with the keys that they have."""
        numbers, which = np.unique(self.which[mask], return_inverse=True)
        return Layer([self.keys[k] for k in numbers.tolist()], which, self.rows[mask])


@dataclass(slots=True)
class Batch:
    """One batch, reduced: ticks as partial minute bars. A bar that came twice stands in two layers."""

    ticks: list[Layer] = field(default_factory=list)
    provider: list[Layer] = field(default_factory=list)
    quotes: Prices = field(default_factory=Prices)
    extremes: Extremes = field(default_factory=Extremes)  # of days, as quotes tell them
    clocks: dict[int, tuple[int, int]] = field(default_factory=dict)  # partition → (complete through, since)
    partitions: dict[str, int] = field(default_factory=dict)  # symbol → its partition of the events topic
    splits: list[Split] = field(default_factory=list)
    corrected: set[str] = field(default_factory=set)  # symbols whose past was folded before it (`market.past`)


@dataclass(slots=True)
class BarChanges:
    """Rows to write, with their indicators, and the closed rows that some of them replace. `which` indexes `keys`.

    `is_new` tells the rows that no commit has had before.
    """

    keys: list[SeriesKey]
    which: NDArray[np.int64]
    rows: Rows
    states: NDArray[np.float64]
    values: NDArray[np.float64]
    is_new: NDArray[np.bool_]
    replaced_which: NDArray[np.int64]
    replaced: Rows

    def __len__(self) -> int:
        return len(self.rows)

    def take(self, rows: slice | NDArray[np.int64] | NDArray[np.bool_]) -> "BarChanges":
        """Some of the rows, without what they replace."""
        none = np.zeros(0, np.int64)
        return BarChanges(
            self.keys,
            self.which[rows],
            self.rows[rows],
            self.states[rows],
            self.values[rows],
            self.is_new[rows],
            none,
            self.replaced[none],
        )

    def __iter__(self) -> Iterator["SeriesChange"]:
        """Series by series: for those who look at one."""
        for k in np.unique(self.which).tolist():
            mine = self.which == k
            replaced = self.replaced[self.replaced_which == k]
            yield SeriesChange(self.keys[k], self.rows[mine], self.states[mine], self.values[mine], replaced)


@dataclass(frozen=True, slots=True)
class SeriesChange:
    """What changed in one series."""

    key: SeriesKey
    rows: Rows
    states: NDArray[np.float64]
    values: NDArray[np.float64]
    replaced: Rows


@dataclass(slots=True)
class Changes:
    """All that one batch changed. Counters are by (symbol, session date)."""

    series: BarChanges = field(default_factory=lambda: no_changes([]))
    latest: Prices = field(default_factory=Prices)
    ticks: dict[tuple[str, int], int] = field(default_factory=dict)
    late_ticks: dict[tuple[str, int], int] = field(default_factory=dict)
    corrected: dict[tuple[str, int], int] = field(default_factory=dict)


def no_changes(keys: list[SeriesKey]) -> BarChanges:
    none = np.zeros(0, np.int64)
    states, values = np.zeros((0, indicators.N_STATE)), np.zeros((0, indicators.N_VALUES))
    return BarChanges(keys, none, empty_rows(0), states, values, np.zeros(0, bool), none, empty_rows(0))


def join_changes(parts: list[BarChanges]) -> BarChanges:
    """Changes of the same book, one after another."""
    return BarChanges(
        parts[0].keys,
        np.concatenate([part.which for part in parts]),
        join(part.rows for part in parts),
        np.concatenate([part.states for part in parts]),
        np.concatenate([part.values for part in parts]),
        np.concatenate([part.is_new for part in parts]),
        np.concatenate([part.replaced_which for part in parts]),
        join(part.replaced for part in parts),
    )


def layered(keys: list[SeriesKey], which: NDArray[np.int64], rows: Rows) -> Iterable[Layer]:
    """Rows in any order as layers; merging does not depend on which comes first."""
    if not len(rows):
        return
    order = np.lexsort((rows["ts"], which))
    which, rows = which[order], rows[order]
    is_first = np.concatenate([[True], (which[1:] != which[:-1]) | (rows["ts"][1:] != rows["ts"][:-1])])
    if is_first.all():
        yield Layer(keys, which, rows)
        return
    starts = np.flatnonzero(is_first)
    depth = np.arange(len(rows)) - np.repeat(starts, np.diff(np.append(starts, len(rows))))
    for d in range(int(depth.max()) + 1):
        yield Layer(keys, which[depth == d], rows[depth == d])

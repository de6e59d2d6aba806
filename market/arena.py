"""The newest bars of every series, with their indicators, in flat arrays, so that one operation serves all series at once.

A series is a slice of the arrays, oldest bar first, with room behind it; one that outgrows its slice moves to the end, and the
arena is packed when it is full. Below, a *row* is an index into the arrays and a *position* counts from the series' first bar in
memory. Rows stay what they are until the next `ensure` or `load` of their own series, or of any while the arena is packed: whoever
keeps something for longer keeps series and `ts`.

The oldest rows of a series may be *bare*: of a start they have what a window reads (WINDOW), and no more. Nothing changes a bare
row or goes on from its state: `market.memory` reads it whole before.
"""

import mmap
from contextlib import suppress
from typing import Any

import numpy as np
from numpy.typing import NDArray

from market.bars import BAR, FINAL_AFTER_MS, Rows, empty_rows, join
from market.choices import Choices
from market.chosen import NOTHING, n_state, n_values

Ints = NDArray[np.int64]
NEVER_MS = int(np.iinfo(np.int64).max)

SERIES = np.dtype(
    [
        ("base", "i8"),  # its first row
        ("size", "i8"),
        ("room", "i8"),
        ("symbol", "i8"),  # what the owner of the arena calls the symbol and the timeframe
        ("frame", "i8"),
        ("due_ms", "i8"),  # the clock at which the next bar closes or becomes final
        ("waits_ms", "i8"),  # no bar before this one (by ts) is open or provisional
        ("scale", "f8"),  # 10**price_precision
        ("annual_bars", "f8"),  # bars of a year
        ("has_indicators", "?"),
        ("reaches_back", "?"),  # no older row exists than those in memory
        ("bare", "i8"),  # so many of its oldest rows are bare
    ],
    align=True,
)
# What a bare row has beside its `ts`; it is closed and final.
WINDOW = ("session_date", "high", "low", "close", "volume")
SPARE = 1.25  # of the packed size, when the arena is packed


class Arena:
    """Rows, states and values are parallel; `table` has a line a series."""

    def __init__(self, chosen: Choices = NOTHING) -> None:
        self.chosen = chosen
        self.count = 0
        self.used = 0
        self.table = np.zeros(64, SERIES)
        self.rows: Rows = np.zeros(1024, BAR)
        # The kernel's columns, then those of the chosen indicators.
        self.states = sparse(1024, n_state(chosen))
        self.values = sparse(1024, n_values(chosen))
        self._mark = np.zeros(1024, np.int64)  # the batch that touched a row last
        self._batch = 1
        self._before: list[Rows] = []
        self._before_of: list[Ints] = []

    def add(self, symbol: int, frame: int, scale: float, annual_bars: float, *, has_indicators: bool) -> int:
        """A new series, empty; gives its number."""
        if self.count == len(self.table):
            self.table = np.concatenate([self.table, np.zeros(self.count, SERIES)])
        self.table[self.count] = (
            0, 0, 0, symbol, frame, NEVER_MS, NEVER_MS, scale, annual_bars, has_indicators, False, 0,
        )  # fmt: skip
        self.count += 1
        return self.count - 1

    def slice(self, series: int) -> slice:
        base = int(self.table["base"][series])
        return slice(base, base + int(self.table["size"][series]))

    def base(self, series: Ints) -> Ints:
        found: Ints = self.table["base"][series]
        return found

    def end(self, series: Ints) -> Ints:
        """The row after each series' last."""
        found: Ints = self.table["base"][series] + self.table["size"][series]
        return found

    def find(self, series: Ints, ts: Ints) -> Ints:
        """The position at which a bar of each series that starts at `ts` stands, or would stand."""
        table = self.table[series]
        return lower_bound(self.rows["ts"], table["base"], table["size"], ts)

    def is_there(self, series: Ints, position: Ints, ts: Ints) -> NDArray[np.bool_]:
        """Whether the bar that `find` looked for stands at the position that it gave."""
        there: NDArray[np.bool_] = position < self.table["size"][series]
        rows = self.base(series)[there] + position[there]
        there[there] = self.rows["ts"][rows] == ts[there]
        return there

    def ensure(self, series: Ints, wanted: Rows) -> Ints:
        """The row of each wanted bar (as in a layer: by series, oldest first); new ones are made, empty, with the wanted times."""
        position = self.find(series, wanted["ts"])
        there = self.is_there(series, position, wanted["ts"])
        if not there.all():
            new = empty_rows(int((~there).sum()))
            for name in ("ts", "end", "session_date", "session_open"):
                new[name] = wanted[name][~there]
            self._make(series[~there], position[~there], new)
            position = self.find(series, wanted["ts"])
        return self.base(series) + position

    def touch(self, rows: Ints, series: Ints) -> None:
        """Remembers how rows (none twice) were before this batch changed them."""
        is_new = self._mark[rows] != self._batch
        if is_new.any():
            rows = rows[is_new]
            self._mark[rows] = self._batch
            self._before.append(self.rows[rows])
            self._before_of.append(series[is_new])

    def touched(self) -> tuple[Ints, Rows]:
        """(series, row as it was) of all that was touched, by series, oldest first."""
        if not self._before:
            return np.zeros(0, np.int64), empty_rows(0)
        series, before = np.concatenate(self._before_of), join(self._before)
        order = np.lexsort((before["ts"], series))
        return series[order], before[order]

    def forget_touched(self) -> None:
        self._batch += 1
        self._before.clear()
        self._before_of.clear()

    def settle(self, rows: Ints, series: Ints) -> None:
        """After rows changed: when their series next has something to close."""
        waits = ~self.rows["final"][rows]
        told, series = self.rows[rows[waits]], series[waits]
        due_ms = told["end"] + np.where(told["closed"], FINAL_AFTER_MS, 0)
        np.minimum.at(self.table["due_ms"], series, due_ms)
        np.minimum.at(self.table["waits_ms"], series, told["ts"])

    def reserve(self, count: int) -> None:
        """Makes room for so many rows of new series; what is never written takes no memory."""
        if self.used + count > len(self.rows):
            self._pack(count)

    def begin(
        self,
        series: Ints,
        counts: Ints,
        bare: Ints,
        rows: Rows,
        states: NDArray[np.float64],
        values: NDArray[np.float64],
        reaches_back: NDArray[np.bool_],
    ) -> None:
        """The newest rows of new series, one series after another. States and values are those of the rows that are not bare."""
        rooms = counts + np.maximum(16, counts // 4)
        self.reserve(int(rooms.sum()))
        base = self.used + np.cumsum(rooms) - rooms
        self.used += int(rooms.sum())
        for name, told in (("base", base), ("size", counts), ("room", rooms), ("bare", bare)):
            self.table[name][series] = told
        self.table["reaches_back"][series] = reaches_back
        if not len(rows):
            return
        at = spread(base, counts)
        as_raw(self.rows)[at] = as_raw(rows)
        whole = spread(base + bare, counts - bare)
        self.states[whole], self.values[whole] = states, values
        self.settle(at, np.repeat(series, counts))

    def load(
        self, series: int, rows: Rows, states: NDArray[np.float64], values: NDArray[np.float64], *, reaches_back: bool
    ) -> None:
        """Puts older rows, as stored, before those in memory, of which none is bare."""
        self.table["reaches_back"][series] = reaches_back
        count = len(rows)
        if not count:
            return
        size = int(self.table["size"][series])
        if self.table["room"][series] < size + count:
            self._grow(series, size + count)
        at = self.slice(series)
        for array in self._arrays():
            array[at.start + count : at.stop + count] = array[at].copy()
        loaded = np.arange(at.start, at.start + count)
        self._fill(loaded, rows, states, values)
        self.table["size"][series] = size + count
        self.settle(loaded, np.full(count, series))

    def trim(self, series: int, keep: int) -> None:
        """Forgets the oldest rows beyond `keep`, never one that is still open or provisional."""
        at = self.slice(series)
        waits_ms = min(int(self.table["waits_ms"][series]), int(self.rows["ts"][at.stop - 1]))
        self._cut(series, min(at.stop - at.start - keep, int(np.searchsorted(self.rows["ts"][at], waits_ms))))

    def forget_bare(self, series: int) -> None:
        self._cut(series, int(self.table["bare"][series]))

    def _cut(self, series: int, count: int) -> None:
        """Forgets the oldest rows."""
        if count > 0:
            at = self.slice(series)
            for array in self._arrays():
                array[at.start : at.stop - count] = array[at.start + count : at.stop].copy()
            self.table["size"][series] -= count
            self.table["bare"][series] = max(0, int(self.table["bare"][series]) - count)
            self.table["reaches_back"][series] = False

    def _arrays(self) -> tuple[Rows, NDArray[np.float64], NDArray[np.float64], Ints]:
        return self.rows, self.states, self.values, self._mark

    def _fill(
        self, at: Ints, rows: Rows, states: NDArray[np.float64] | float, values: NDArray[np.float64] | float
    ) -> None:
        self.rows[at], self.states[at], self.values[at], self._mark[at] = rows, states, values, 0

    def _make(self, series: Ints, position: Ints, new: Rows) -> None:
        """Puts new rows where `find` said: most go behind a series' last, at once for all series; the others one by one."""
        starts = np.flatnonzero(np.concatenate([[True], series[1:] != series[:-1]]))
        which, counts = series[starts], np.diff(np.append(starts, len(series)))
        size = self.table["size"][which]
        is_behind = position[starts] == size
        for k in np.flatnonzero(self.table["room"][which] < size + counts).tolist():
            self._grow(int(which[k]), int(size[k] + counts[k]))
        is_appended = np.repeat(is_behind, counts)
        at = spread((self.base(which) + size)[is_behind], counts[is_behind])
        self._fill(at, new[is_appended], np.nan, np.nan)
        self.table["size"][which[is_behind]] += counts[is_behind]
        for k in np.flatnonzero(~is_behind).tolist():
            mine = slice(starts[k], starts[k] + counts[k])
            self._insert(int(which[k]), position[mine], new[mine])

    def _insert(self, series: int, position: Ints, new: Rows) -> None:
        at = self.slice(series)
        size = at.stop - at.start + len(new)
        fresh = position + np.arange(len(new))
        is_old = np.ones(size, bool)
        is_old[fresh] = False
        old = at.start + np.flatnonzero(is_old)
        for array in self._arrays():
            array[old] = array[at].copy()
        self._fill(at.start + fresh, new, np.nan, np.nan)
        self.table["size"][series] = size

    def _grow(self, series: int, size: int) -> None:
        """Moves a series to the arena's end, with room for `size` rows and some."""
        room = size + max(16, size // 4)
        if self.used + room > len(self.rows):
            self._pack(room)
        at = self.slice(series)
        for array in self._arrays():
            array[self.used : self.used + at.stop - at.start] = array[at]
        self.table["base"][series], self.table["room"][series] = self.used, room
        self.used += room

    def _pack(self, wanted: int) -> None:
        """New arrays without the slices that were left, and with room for `wanted` rows and some."""
        rooms = self.table["room"][: self.count]
        capacity = int((int(rooms.sum()) + wanted) * SPARE) + 1024
        olds = self._arrays()
        self.rows = np.zeros(capacity, BAR)
        self.states = sparse(capacity, n_state(self.chosen))
        self.values = sparse(capacity, n_values(self.chosen))
        self._mark = np.zeros(capacity, np.int64)
        base = np.cumsum(rooms) - rooms
        for series in range(self.count):
            at, to, bare = self.slice(series), int(base[series]), int(self.table["bare"][series])
            # Bare rows have no states and values, and where nothing is written there is no memory.
            for array, old, skip in zip(
                map(as_raw, self._arrays()), map(as_raw, olds), (0, bare, bare, 0), strict=True
            ):
                array[to + skip : to + at.stop - at.start] = old[at.start + skip : at.stop]
        self.table["base"][: self.count] = base
        self.used = int(rooms.sum())


def sparse(rows: int, columns: int) -> NDArray[np.float64]:
    """Zeros that take memory where they are written: nine rows of ten are bare after a start. Huge pages would take theirs too."""
    memory = mmap.mmap(-1, rows * columns * np.dtype(float).itemsize, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    # A hint: a system that has no huge pages does not know it.
    with suppress(AttributeError, OSError):
        memory.madvise(mmap.MADV_NOHUGEPAGE)
    return np.frombuffer(memory).reshape(rows, columns)


def as_raw(array: NDArray[Any]) -> NDArray[Any]:
    """Rows as so many bytes each: NumPy copies structures field by field, and these at once. Other arrays are left as they are."""
    return array.view(f"V{array.itemsize}") if array.dtype.names else array


def spread(starts: Ints, counts: Ints) -> Ints:
    """start, start + 1, … of each range, one after another."""
    ends = np.cumsum(counts)
    indices: Ints = np.arange(int(ends[-1]) if len(ends) else 0) + np.repeat(starts - (ends - counts), counts)
    return indices


def lower_bound(values: NDArray[Any], base: Ints, size: Ints, wanted: Ints) -> Ints:
    """For each slice of `values` (rising within it), how many of its values lie before the wanted one."""
    high = size.copy()
    # Nearly always the bar asked for is the newest or the one after it.
    low = np.maximum(high - 2, 0)
    is_older = high > 0
    is_older[is_older] = values[(base + low)[is_older]] >= wanted[is_older]
    low[is_older] = 0
    while True:
        searching = np.flatnonzero(low < high)
        if not len(searching):
            return low
        middle = (low[searching] + high[searching]) >> 1
        is_before = values[base[searching] + middle] < wanted[searching]
        low[searching[is_before]] = middle[is_before] + 1
        high[searching[~is_before]] = middle[~is_before]

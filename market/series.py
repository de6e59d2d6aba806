"""The bars of one symbol and timeframe, oldest first, with their indicators: what the stream keeps in memory of them."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from market import indicators
from market.bars import BAR, FINAL_AFTER_MS, NONE, Rows, empty_rows, join, same_content

NEVER_MS = int(np.iinfo(np.int64).max)


class SeriesKey(NamedTuple):
    """Extended hours are a series of their own, without indicators."""

    symbol: str
    timeframe: str
    session: str


class Series:
    """Rows are sorted by `ts`. `reaches_back` says that no older row exists than those in memory.

    `scale` is 10**price_precision, `annual_bars` the bars of a year.
    """

    def __init__(self, key: SeriesKey, scale: float, annual_bars: float) -> None:
        self.key = key
        self.scale = scale
        self.annual_bars = annual_bars
        self.reaches_back = False
        self.due_ms = NEVER_MS  # the clock at which the next bar closes or becomes final
        self.size = 0
        self._rows = np.zeros(16, BAR)
        self._states = np.zeros((16, indicators.N_STATE))
        self._values = np.zeros((16, indicators.N_VALUES))
        self.touched_ts: set[int] = set()
        self._before: list[Rows] = []  # the touched rows as they were when the batch first touched them
        self.open_ts: set[int] = set()  # rows not closed yet
        self.provisional_ts: set[int] = set()  # rows closed, not final yet

    @property
    def rows(self) -> Rows:
        return self._rows[: self.size]

    @property
    def values(self) -> NDArray[np.float64]:
        return self._values[: self.size]

    @property
    def states(self) -> NDArray[np.float64]:
        return self._states[: self.size]

    @property
    def has_indicators(self) -> bool:
        return self.key.session == "regular"

    def load(self, rows: Rows, states: NDArray[np.float64], values: NDArray[np.float64], *, reaches_back: bool) -> None:
        """Puts older rows, as stored, before those in memory."""
        self.reaches_back = reaches_back
        self._rows = np.concatenate([rows, self.rows])
        self._states = np.concatenate([states, self.states])
        self._values = np.concatenate([values, self.values])
        self.size = len(self._rows)
        self.settle(np.flatnonzero(~rows["final"]))

    def position(self, ts_ms: int) -> int:
        """Where a bar that starts at `ts_ms` stands, or would stand."""
        return int(np.searchsorted(self.rows["ts"], ts_ms))

    def find(self, ts: NDArray[np.int64]) -> NDArray[np.int64]:
        """Where each of `ts` stands, or would stand."""
        return np.searchsorted(self.rows["ts"], ts)

    def origins(self, ts: NDArray[np.int64]) -> NDArray[np.int64]:
        """Who the bar at each of `ts` is from; NONE where there is no bar."""
        index = self.find(ts)
        there = index < self.size
        there[there] = self.rows["ts"][index[there]] == ts[there]
        found = np.full(len(ts), NONE)
        found[there] = self.rows["origin"][index[there]]
        return found

    def ensure(self, wanted: Rows) -> NDArray[np.int64]:
        """The index of each wanted bar (sorted by ts, unique); bars not there yet are made, empty, with the wanted times."""
        index = self.find(wanted["ts"])
        there = index < self.size
        there[there] = self.rows["ts"][index[there]] == wanted["ts"][there]
        if not there.all():
            new = empty_rows(int((~there).sum()))
            for name in ("ts", "end", "session_date", "session_open"):
                new[name] = wanted[name][~there]
            self._insert(index[~there], new)
            index = self.find(wanted["ts"])
        return index

    def touch(self, index: NDArray[np.int64]) -> None:
        """Remembers how rows were before this batch changed them."""
        new = [
            i
            for i, ts in zip(index.tolist(), self.rows["ts"][index].tolist(), strict=True)
            if ts not in self.touched_ts
        ]
        if new:
            block = self.rows[new]
            self.touched_ts.update(block["ts"].tolist())
            self._before.append(block)

    @property
    def before(self) -> Rows:
        """The touched rows as they were, oldest first."""
        rows = join(self._before)
        ordered: Rows = rows[np.argsort(rows["ts"])]
        return ordered

    def settle(self, index: NDArray[np.int64]) -> None:
        """After rows changed: files them as open, provisional or final."""
        for row in self.rows[index][["ts", "end", "closed", "final"]].tolist():
            ts, end, closed, final = row
            (self.open_ts.discard if closed else self.open_ts.add)(ts)
            (self.provisional_ts.add if closed and not final else self.provisional_ts.discard)(ts)
            if not closed:
                self.due_ms = min(self.due_ms, end)
            elif not final:
                self.due_ms = min(self.due_ms, end + FINAL_AFTER_MS)

    def close(self, clock_ms: int) -> list[int]:
        """Closes the bars that the clock has passed and makes final what nobody will confirm any more; gives their starts."""
        if clock_ms < self.due_ms:
            return []
        self.due_ms = NEVER_MS
        waiting = np.array(sorted(self.open_ts | self.provisional_ts), np.int64)
        index = self.find(waiting)
        rows = self.rows[index]
        closed = rows["closed"] | (rows["end"] <= clock_ms)
        final = rows["final"] | (rows["end"] + FINAL_AFTER_MS <= clock_ms)
        changed = (closed != rows["closed"]) | (final != rows["final"])
        self.touch(index[changed])
        self.rows["closed"][index] = closed
        self.rows["final"][index] = final
        self.settle(index)
        return [int(ts) for ts in waiting[changed]]

    def kernel_start(self) -> int:
        """Where the kernel has to begin: at the oldest touched row, or further back after rows whose state was not stored."""
        start = self.position(min(self.touched_ts))
        while start and np.isnan(self.states[start - 1, 0]):
            start -= 1
        return start

    def recompute(self) -> NDArray[np.int64]:
        """Indicators from the oldest touched row on; gives the indices of the rows that changed in anything."""
        before = self.before
        touched = self.find(before["ts"])
        changed = np.zeros(self.size, bool)
        if self.has_indicators:
            changed[self.compute_from(self.kernel_start())] = True
        # As bytes: NumPy compares structures field by field, a thousand times slower.
        changed[touched] |= (as_bytes(self.rows[touched]) != as_bytes(before)).any(axis=1)
        return np.flatnonzero(changed)

    def compute_from(self, start: int) -> NDArray[np.int64]:
        """Indicators of the rows from `start` on; gives the indices of those whose values or state changed."""
        rows = self.rows
        old_states, old_values = self.states[start:].copy(), self.values[start:].copy()
        indicators.advance(
            rows["high"],
            rows["low"],
            rows["close"],
            rows["volume"],
            rows["session_date"],
            start,
            self.size,
            self.states[start - 1] if start else indicators.EMPTY_STATE,
            self.scale,
            self.annual_bars,
            self.states,
            self.values,
        )
        changed = differs(old_states, self.states[start:]) | differs(old_values, self.values[start:])
        return np.flatnonzero(changed) + start

    def revise(self) -> Rows:
        """Counts a revision for each closed bar whose prices or volume this batch changed, and gives what they were."""
        before = self.before
        before = before[before["closed"]]
        index = self.find(before["ts"])
        changed = ~same_content(before, self.rows[index])
        self.rows["revision"][index[changed]] += 1
        replaced: Rows = before[changed]
        return replaced

    def trim(self, keep: int) -> None:
        """Forgets the oldest rows beyond `keep`, never one that is still open or provisional."""
        self.touched_ts.clear()
        self._before.clear()
        if self.size <= 2 * keep:
            return
        oldest = min(self.open_ts | self.provisional_ts, default=int(self.rows["ts"][-1]))
        cut = min(self.size - keep, self.position(oldest))
        if cut > 0:
            self._rows = self.rows[cut:].copy()
            self._states = self.states[cut:].copy()
            self._values = self.values[cut:].copy()
            self.size -= cut
            self.reaches_back = False

    def _insert(self, index: NDArray[np.int64], new: Rows) -> None:
        size = self.size + len(new)
        if index[0] == self.size and size <= len(self._rows):
            self._rows[self.size : size] = new
            self._values[self.size : size] = np.nan
            self._states[self.size : size] = np.nan
        else:
            spare = max(16, size // 4)
            self._rows = np.concatenate([np.insert(self.rows, index, new), np.zeros(spare, BAR)])
            blank = np.full((len(new), self._values.shape[1]), np.nan)
            self._values = pad(np.insert(self.values, index, blank, axis=0), spare)
            blank = np.full((len(new), self._states.shape[1]), np.nan)
            self._states = pad(np.insert(self.states, index, blank, axis=0), spare)
        self.size = size


def differs(a: NDArray[np.float64], b: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Rows that differ in any column; NaN equals NaN."""
    equal: NDArray[np.bool_] = ((a == b) | (np.isnan(a) & np.isnan(b))).all(axis=1)
    return ~equal


def as_bytes(rows: Rows) -> NDArray[np.uint8]:
    return np.ascontiguousarray(rows).view(np.uint8).reshape(len(rows), BAR.itemsize)


def pad(values: NDArray[np.float64], spare: int) -> NDArray[np.float64]:
    return np.concatenate([values, np.zeros((spare, values.shape[1]))])


def warm_up() -> None:
    """Compiles the kernel, or loads it from its cache, before the first batch waits for it."""
    series = Series(SeriesKey("", "1m", "regular"), 100.0, 1.0)
    wanted = empty_rows(1)
    index = series.ensure(wanted)
    series.rows["close"][index] = series.rows["high"][index] = series.rows["low"][index] = 1.0
    series.compute_from(0)

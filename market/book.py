"""The fold: what is known of every symbol, moved on by one batch at a time.

`Book.apply` merges a batch into the bars, closes them by the clock, rolls minutes up to the higher frames, runs the kernel over
what changed and says which rows to write. It reads no clock and does no I/O but through `Stored`, which gives older rows back
from the database. The book may be ahead of the database until the batch commits; after any failure it is dropped and read anew.
"""

from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from market import bars, indicators
from market.bars import OURS, PROVIDER_COMPLETE, Rows
from market.frames import CHILD, PARENTS, annual_bars
from market.latest import Latest, Quote, latest_from_bar, latest_from_tick
from market.rollup import LINEAGE, merge_roll_up, parents_of
from market.series import Series, SeriesKey
from market.timeframes import TIMEFRAMES

# Rows kept in memory a series: enough for every window, and for a correction some hours old without a read.
KEEP_ROWS = 600
# Rows of the first read back; deeper corrections read on in growing steps.
READ_ROWS = indicators.LOOKBACK + 100
# Higher frames that only form are rolled up no more often than someone could see.
FORMING_EVERY_MS = 1_000
NEWEST = int(np.iinfo(np.int64).max)


class Stored(Protocol):
    """What the database still knows of bars that are no longer in memory."""

    def rows_before(
        self, key: SeriesKey, ts_ms: int, count: int
    ) -> tuple[Rows, NDArray[np.float64], NDArray[np.float64], bool]:
        """The newest `count` rows before `ts_ms`, oldest first, with states and values; and whether there are no older ones."""

    def first_session(self, key: SeriesKey) -> int | None:
        """The session date (days since the epoch) of the oldest row, None where there is none."""


@dataclass(frozen=True, slots=True)
class Instrument:
    """What the fold must know of a symbol."""

    symbol: str
    calendar: str
    price_precision: int
    has_volume: bool


@dataclass(slots=True)
class Batch:
    """One batch, reduced: ticks as partial minute bars. Rows of a group are sorted by time, one a bar."""

    ticks: dict[SeriesKey, list[Rows]] = field(default_factory=dict)
    provider: dict[SeriesKey, list[Rows]] = field(default_factory=dict)
    quotes: dict[str, Quote] = field(default_factory=dict)
    clocks: dict[int, tuple[int, int]] = field(default_factory=dict)  # partition → (complete through, since)
    partitions: dict[str, int] = field(default_factory=dict)  # symbol → its partition of the events topic


@dataclass(slots=True)
class SeriesChange:
    """Rows of a series to write, with their indicators, and the closed rows that they replace."""

    key: SeriesKey
    rows: Rows
    states: NDArray[np.float64]
    values: NDArray[np.float64]
    replaced: Rows


@dataclass(slots=True)
class Changes:
    """All that one batch changed. Counters are by (symbol, session date)."""

    series: list[SeriesChange] = field(default_factory=list)
    latest: list[Latest] = field(default_factory=list)
    ticks: dict[tuple[str, int], int] = field(default_factory=dict)
    late_ticks: dict[tuple[str, int], int] = field(default_factory=dict)
    corrected: dict[tuple[str, int], int] = field(default_factory=dict)


class Book:
    """All series. `partition_of` and `clock_ms` are of the events topic; `latest` is one row a symbol."""

    def __init__(self, stored: Stored) -> None:
        self.stored = stored
        self.instruments: dict[str, Instrument] = {}
        self.series: dict[SeriesKey, Series] = {}
        self.partition_of: dict[str, int] = {}
        self.clock_ms: dict[int, int] = {}
        self.latest: dict[str, Latest] = {}
        self._first_session: dict[str, int] = {}
        self._pending: dict[SeriesKey, set[int]] = {}  # child bars (by ts) whose parents wait for their roll-up
        self._rolled_ms = 0

    def apply(self, batch: Batch) -> Changes:
        """Merges a batch and gives what is to be written."""
        changes = Changes()
        self.partition_of.update(batch.partitions)
        for partition, (through_ms, _) in batch.clocks.items():
            self.clock_ms[partition] = max(self.clock_ms.get(partition, 0), through_ms)
        for key, groups in batch.ticks.items():
            for rows in groups:
                self._merge_ticks(key, rows, changes)
        for key, groups in batch.provider.items():
            for rows in groups:
                self._merge_provider(key, rows)
        self._close()
        self._roll_up()
        for series in self.series.values():
            if series.touched_ts:
                self._collect(series, changes)
        self._move_latest(batch, changes)
        return changes

    def resume(self) -> None:
        """After loading: bars that were forming ask for their parents again, as a driver that died may have owed them."""
        for key, series in self.series.items():
            if series.open_ts and key.session == "regular" and key.timeframe in PARENTS:
                self._pending.setdefault(key, set()).update(series.open_ts)

    def published(self) -> None:
        """The batch is committed: what was remembered for it is forgotten, and memory stays bounded."""
        for series in self.series.values():
            if series.touched_ts:
                series.trim(KEEP_ROWS)

    def get(self, key: SeriesKey) -> Series:
        """The series, read from the database when it is first met."""
        series = self.series.get(key)
        if series is None:
            instrument = self.instruments[key.symbol]
            scale = 10.0**instrument.price_precision
            series = Series(key, scale, annual_bars(instrument.calendar, key.timeframe))
            self._read_back(series, NEWEST, KEEP_ROWS)
            # Bars that wait for a clock must be in memory to be closed: a backfill before the first clock leaves thousands.
            while not series.reaches_back and not series.rows["final"][0]:
                self._read_back(series, int(series.rows["ts"][0]), 4 * KEEP_ROWS)
            self.series[key] = series
        return series

    def recompute_all(self, key: SeriesKey) -> SeriesChange | None:
        """Every stored row of a series with this kernel's values: what an edit of the kernel asks for."""
        series = self.get(key)
        while not series.reaches_back:
            self._read_back(series, int(series.rows["ts"][0]), 16 * KEEP_ROWS)
        if not series.size or not series.has_indicators:
            return None
        index = series.compute_from(0)
        return SeriesChange(key, series.rows[index], series.states[index], series.values[index], series.rows[:0])

    def _reach(self, series: Series, ts_ms: int) -> None:
        """Reads older rows back until a window's worth of them stands before `ts_ms`: a few first, for most changes are recent."""
        count = READ_ROWS
        while not series.reaches_back and series.position(ts_ms) < indicators.LOOKBACK:
            self._read_back(series, int(series.rows["ts"][0]) if series.size else NEWEST, count)
            count *= 4

    def _read_back(self, series: Series, before_ms: int, count: int) -> None:
        rows, states, values, is_all = self.stored.rows_before(series.key, before_ms, count)
        series.load(rows, states, values, reaches_back=is_all)

    def _open(self, key: SeriesKey, new: Rows) -> tuple[Series, NDArray[np.int64]]:
        """The series and the indices of the bars that `new` is about, ready to be changed."""
        series = self.get(key)
        self._reach(series, int(new["ts"][0]))
        if key.timeframe == "1m":
            self._reaches_further_back(series, int(new["session_date"][0]))
        index = series.ensure(new)
        series.touch(index)
        if key.session == "regular" and key.timeframe in PARENTS:
            self._pending.setdefault(key, set()).update(new["ts"].tolist())
        return series, index

    def _merge_ticks(self, key: SeriesKey, new: Rows, changes: Changes) -> None:
        series, index = self._open(key, new)
        old = series.rows[index]
        for is_late, day, ticks in zip(
            old["closed"].tolist(), new["session_date"].tolist(), new["ticks"].tolist(), strict=True
        ):
            count(changes.ticks, (key.symbol, day), ticks)
            if is_late:
                count(changes.late_ticks, (key.symbol, day), ticks)
        series.rows[index] = bars.merge_ticks(old, new)
        for name in LINEAGE:
            series.rows[name][index] = new[name]
        self._count_volume(series, index)
        series.settle(index)

    def _count_volume(self, series: Series, index: NDArray[np.int64]) -> None:
        """Volume of tick-made bars; a bar's day volume is also the base of the bar after it."""
        if series.key.timeframe != "1m" or not self.instruments[series.key.symbol].has_volume:
            return
        affected = np.union1d(index, index[index + 1 < series.size] + 1)
        ours = affected[(series.rows["origin"][affected] == OURS) & (series.rows["ticks"][affected] > 0)]
        before = series.rows[np.maximum(ours - 1, 0)]
        before["ts"][ours == 0] = 0
        series.touch(np.setdiff1d(ours, index))
        series.rows["volume"][ours] = bars.tick_volume(series.rows[ours], before)
        if series.key.session == "regular":
            self._pending.setdefault(series.key, set()).update(series.rows["ts"][ours].tolist())

    def _merge_provider(self, key: SeriesKey, new: Rows) -> None:
        new = new[~self._is_outranked(key, new)]
        if not len(new):
            return
        series, index = self._open(key, new)
        series.rows[index] = bars.merge_provider(series.rows[index], new)
        for name in LINEAGE:
            series.rows[name][index] = new[name]
        complete = index[series.rows["origin"][index] == PROVIDER_COMPLETE]
        series.rows["closed"][complete] = True
        series.rows["final"][complete] = True
        # A bar that came in between is another predecessor for the one after it.
        self._count_volume(series, index)
        series.settle(index)

    def _is_outranked(self, key: SeriesKey, new: Rows) -> NDArray[np.bool_]:
        """Which of a provider's bars of a higher frame come too late: where a roll-up of our own minutes rules."""
        rules = self._minutes_rule(key, new)
        if rules.any():
            series = self.get(key)
            self._reach(series, int(new["ts"][0]))
            rules &= series.origins(new["ts"]) == OURS
        return rules

    def _minutes_rule(self, key: SeriesKey, rows: Rows) -> NDArray[np.bool_]:
        """Where our own minutes, if there are any, outrank a provider's bar: intraday, after the first session that has some."""
        first = self._first_session_of(key.symbol)
        if first is None or key.timeframe == "1m" or not TIMEFRAMES[key.timeframe].is_intraday:
            return np.zeros(len(rows), bool)
        rules: NDArray[np.bool_] = rows["session_date"] > first
        return rules

    def _first_session_of(self, symbol: str) -> int | None:
        if symbol not in self._first_session:
            first = self.stored.first_session(SeriesKey(symbol, "1m", "regular"))
            if first is not None:
                self._first_session[symbol] = first
        return self._first_session.get(symbol)

    def _reaches_further_back(self, minutes: Series, session_date: int) -> None:
        """Older minutes came: the session that was the first may now be rolled up from its start."""
        if minutes.key.session != "regular":
            return
        first = self._first_session_of(minutes.key.symbol)
        if first is None or session_date < first:
            self._first_session[minutes.key.symbol] = session_date
            if first is not None:
                again = minutes.rows["ts"][minutes.rows["session_date"] == first]
                self._pending.setdefault(minutes.key, set()).update(again.tolist())

    def _clock_of(self, symbol: str) -> int:
        """The clock of the symbol's partition; until its partition is met, what all partitions have passed."""
        partition = self.partition_of.get(symbol)
        if partition is None:
            return min(self.clock_ms.values(), default=0)
        return self.clock_ms.get(partition, 0)

    def _close(self) -> None:
        """Closes every bar that its partition's clock has passed, and makes final what nobody will confirm any more."""
        for key, series in list(self.series.items()):
            closed = series.close(self._clock_of(key.symbol))
            if closed and key.session == "regular" and key.timeframe in PARENTS:
                self._pending.setdefault(key, set()).update(closed)
            if closed and key.session == "regular" and key.timeframe in CHILD:
                self._ask_children(key, series, closed)

    def _ask_children(self, key: SeriesKey, series: Series, closed: list[int]) -> None:
        """A bar that closes may be final at once: when all that is in it was confirmed before. Its roll-up tells."""
        child = self.get(SeriesKey(key.symbol, CHILD[key.timeframe], "regular"))
        self._reach(child, closed[0])
        rows = series.rows[series.find(np.array(closed, np.int64))]
        first, after = child.find(rows["ts"]), child.find(rows["end"])
        for i in first[(first < after) & ~rows["final"]].tolist():
            self._pending.setdefault(child.key, set()).add(int(child.rows["ts"][i]))

    def _roll_up(self) -> None:
        """Rolls changed bars up into their parents, frame by frame; what only forms waits for its turn."""
        now_ms = max(self.clock_ms.values(), default=0)
        is_due = now_ms - self._rolled_ms >= FORMING_EVERY_MS
        for timeframe in PARENTS:
            for key in [key for key in self._pending if key.timeframe == timeframe]:
                child = self.series[key]
                if is_due or not child.open_ts.issuperset(self._pending[key]):
                    self._roll_up_series(child, self._pending.pop(key))
        if is_due:
            self._rolled_ms = now_ms

    def _roll_up_series(self, child: Series, ts: set[int]) -> None:
        symbol = child.key.symbol
        self._reach(child, min(ts))
        for timeframe in PARENTS[child.key.timeframe]:
            calendar = self.instruments[symbol].calendar
            new = parents_of(child, ts, timeframe, calendar, self._clock_of(symbol))
            parent = self.get(SeriesKey(symbol, timeframe, "regular"))
            self._reach(parent, int(new["ts"][0]))
            is_ours = self._minutes_rule(parent.key, new) & (new["origin"] == OURS)
            changed = merge_roll_up(parent, new, is_ours)
            if changed and timeframe in PARENTS:
                self._pending.setdefault(parent.key, set()).update(changed)

    def _collect(self, series: Series, changes: Changes) -> None:
        replaced = series.revise()
        if series.key.timeframe == "1m":
            for day, times in zip(*np.unique(replaced["session_date"], return_counts=True), strict=True):
                count(changes.corrected, (series.key.symbol, int(day)), int(times))
        if series.has_indicators:
            while not series.reaches_back and series.kernel_start() < indicators.LOOKBACK:
                self._read_back(series, int(series.rows["ts"][0]), 4 * KEEP_ROWS)
        index = series.recompute()
        if len(index):
            change = SeriesChange(series.key, series.rows[index], series.states[index], series.values[index], replaced)
            changes.series.append(change)

    def _move_latest(self, batch: Batch, changes: Changes) -> None:
        """The newest price of each symbol, from its ticks or, where none came, from the provider's minutes."""
        moved = set(batch.quotes) | {key.symbol for key in batch.provider}
        for symbol in moved:
            known, daily = self.latest.get(symbol), self.get(SeriesKey(symbol, "1d", "regular")).rows
            quote = batch.quotes.get(symbol)
            if quote is not None:
                new = latest_from_tick(known, quote, daily)
            else:
                new = latest_from_bar(known, symbol, self.get(SeriesKey(symbol, "1m", "regular")).rows, daily)
            if new is not None and new != known:
                self.latest[symbol] = new
                changes.latest.append(new)


def count(counters: dict[tuple[str, int], int], key: tuple[str, int], by: int) -> None:
    counters[key] = counters.get(key, 0) + by

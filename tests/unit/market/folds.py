"""A book as the driver runs it, over a database that lives in memory; and what two runs over one log must agree on."""

from collections.abc import Iterable, Iterator
from copy import deepcopy
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from market import indicators
from market.arena import NEVER_MS, WINDOW
from market.bars import BAR
from market.batches import BarChanges, Batch, Changes
from market.book import Book
from market.calendars import sessions_of
from market.choices import Choices
from market.chosen import NOTHING
from market.latest import Prices
from market.memory import Newest, StoredRows
from market.past import Recomputation, divide, work_off
from market.series import SeriesKey
from tests.unit.market.worlds import INSTRUMENTS, Event, batch_of

# What stands in a row that a start has not read whole, beside what a window reads: it must not be used.
BARE = np.full(BAR.itemsize, 0x99, np.uint8).view(BAR)
BARE["closed"] = BARE["final"] = True
# What two runs over the same log must agree on; lineage, revision numbers and keys that no longer decide anything may differ.
AGREED = ("ts", "end", "session_date", "open", "high", "low", "close", "volume", "ticks", "closed", "final", "event_ms")


@dataclass
class MemoryStore:
    """What `market.book.Stored` asks of a database, and the commit that fills it; a forming bar has no state, as in the table."""

    rows: dict[SeriesKey, dict[int, tuple[Any, NDArray[np.float64], NDArray[np.float64]]]] = field(default_factory=dict)
    latest: dict[str, NDArray[np.void]] = field(default_factory=dict)  # rows of LATEST, of one each
    reads: int = 0

    def commit(self, changes: Changes) -> None:
        written = changes.series
        for number, ts, is_new in zip(
            written.which.tolist(), written.rows["ts"].tolist(), written.is_new.tolist(), strict=True
        ):
            assert is_new == (ts not in self.rows.get(written.keys[number], {})), (written.keys[number], ts)
        for change in changes.series:
            table = self.rows.setdefault(change.key, {})
            for row, state, values in zip(change.rows, change.states, change.values, strict=True):
                kept = state.copy() if row["closed"] else np.full_like(state, np.nan)
                table[int(row["ts"])] = (row.copy(), kept, values.copy())
        for number, symbol in enumerate(changes.latest.symbols):
            self.latest[symbol] = changes.latest.rows[number : number + 1].copy()

    def rows_before(self, key: SeriesKey, ts_ms: int, count: int) -> StoredRows:
        self.reads += 1
        older = sorted(ts for ts in self.rows.get(key, {}) if ts < ts_ms)
        chosen = [self.rows[key][ts] for ts in older[-count:]] if count else []
        rows = np.array([row for row, _, _ in chosen], BAR)
        if len(rows):
            rows["session_open"] = sessions_of(INSTRUMENTS[key.symbol].calendar, rows["ts"]).open_ms
        states = np.array([state for _, state, _ in chosen])
        values = np.array([values for _, _, values in chosen])
        return rows, states, values, len(older) <= count

    def rows_before_each(self, keys: list[SeriesKey], ts_ms: list[int], counts: list[int]) -> Iterator[StoredRows]:
        return (self.rows_before(*asked) for asked in zip(keys, ts_ms, counts, strict=True))

    def newest(self, keys: list[SeriesKey], count: int, whole: list[int]) -> Iterator[Newest]:
        """A series at a time. As few rows are whole as may be, and bare ones say nothing that can be right."""
        for key in keys:
            rows, states, values, is_all = self.rows_before(key, NEVER_MS, count)
            waits = np.flatnonzero(~rows["final"])
            bare = min([max(0, len(rows) - 1), *waits.tolist()])
            window = rows[:bare].copy()
            rows[:bare] = BARE
            for name in ("ts", *WINDOW):
                rows[name][:bare] = window[name]
            sizes = np.array([len(rows)]), np.array([bare])
            yield Newest([key], *sizes, rows, states[bare:], values[bare:], np.array([is_all]))

    def first_sessions(self, keys: list[SeriesKey]) -> list[int | None]:
        tables = [self.rows.get(key) for key in keys]
        return [int(table[min(table)][0]["session_date"]) if table else None for table in tables]

    def start_after(self, key: SeriesKey, from_ms: int, count: int) -> int | None:
        later = sorted(ts for ts in self.rows.get(key, {}) if ts >= from_ms)
        return later[count] if count < len(later) else None

    def commit_values(self, changes: BarChanges) -> None:
        """Values and states alone, of bars that stay as they are."""
        for change in changes:
            table = self.rows[change.key]
            for row, state, values in zip(change.rows, change.states, change.values, strict=True):
                known, _, _ = table[int(row["ts"])]
                assert all(known[name] == row[name] or known[name] != known[name] for name in AGREED)
                kept = state.copy() if row["closed"] else np.full_like(state, np.nan)
                table[int(row["ts"])] = (known, kept, values.copy())

    def bars(self, key: SeriesKey) -> list[dict[str, Any]]:
        """The rows of a series, oldest first, as plain values."""
        table = self.rows.get(key, {})
        return [dict(zip(BAR.names, table[ts][0].tolist(), strict=True)) for ts in sorted(table)]

    def values(self, key: SeriesKey, name: str) -> list[float]:
        table = self.rows.get(key, {})
        return [float(table[ts][2][indicators.VALUES.index(name)]) for ts in sorted(table)]


@dataclass
class Fold:
    """A book with its store, as the driver runs them: apply, commit, publish; or a death in between."""

    store: MemoryStore = field(default_factory=MemoryStore)
    chosen: Choices = NOTHING
    book: Book = field(init=False)
    clocks: dict[int, int] = field(default_factory=dict)
    late_ticks: int = 0
    divides: bool = False  # folds what is of the past by itself, as the driver does
    queue: dict[SeriesKey, Recomputation] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.restart()

    def restart(self) -> None:
        """A new driver: everything is read from the store, as `spark_jobs.start.rebuild.wake` does."""
        self.book = Book(self.store, dict(INSTRUMENTS), self.chosen)
        if self.store.latest:
            self.book.know_latest(Prices(list(self.store.latest), np.concatenate(list(self.store.latest.values()))))
        self.book.clock_ms = dict(self.clocks)
        memory = self.book.memory
        memory.meet(list(self.store.rows))
        for key, table in self.store.rows.items():
            if waiting := [ts for ts, (row, _, _) in table.items() if not row["final"]]:
                memory.reach(np.array([memory.get(key)]), np.array([min(waiting)]))
        self.book.resume()

    def step(self, events: Iterable[Event], *, dies_before_commit: bool = False) -> Changes:
        batch = batch_of(events)
        if dies_before_commit:
            untouched = deepcopy(self.store), dict(self.queue)
            self._fold(batch)
            self.store, self.queue = untouched
            self.restart()
        changes = self._fold(batch)
        for partition, (through_ms, _) in batch.clocks.items():
            self.clocks[partition] = max(self.clocks.get(partition, 0), through_ms)
        self.book.published()
        return changes

    def _fold(self, batch: Batch) -> Changes:
        past, rest = divide(self.book, batch) if self.divides else (None, batch)
        if past is not None:
            changes, jobs = past.fold()
            self.store.commit(changes)
            for job in jobs:
                self.queue[job.key] = job.joined(self.queue.get(job.key, job))
            past.hand_over()
            self.late_ticks += sum(changes.late_ticks.values())
        changes = self.book.apply(rest)
        self.store.commit(changes)
        self.late_ticks += sum(changes.late_ticks.values())
        return changes

    def work_off(self, slices: int | None = None) -> None:
        """What corrections of the past have left to do: all of it, or so many slices."""
        while self.queue and slices != 0:
            slices = None if slices is None else slices - 1
            key, job = next(iter(self.queue.items()))
            changes, rest = work_off(self.book, job)
            self.store.commit_values(changes)
            self.book.published()
            del self.queue[key]
            if rest is not None:
                self.queue[key] = rest


def account(store: MemoryStore) -> dict[SeriesKey, list[tuple[Any, ...]]]:
    """Everything that readers see, in a form that compares (NaN as None)."""
    told: dict[SeriesKey, list[tuple[Any, ...]]] = {}
    for key, table in store.rows.items():
        for ts in sorted(table):
            row, _, values = table[ts]
            named = dict(zip(BAR.names, row.tolist(), strict=True))
            seen = [named[name] for name in AGREED] + values.tolist()
            told.setdefault(key, []).append(tuple(None if value != value else value for value in seen))
    return told


def difference(a: MemoryStore, b: MemoryStore) -> str:
    """The first thing in which two stores differ, in words; empty where they agree."""
    left, right = account(a), account(b)
    for key in sorted(left.keys() | right.keys()):
        mine, other = left.get(key, []), right.get(key, [])
        if [row[0] for row in mine] != [row[0] for row in other]:
            return f"{key}: bars at {[row[0] for row in mine]} against {[row[0] for row in other]}"
        for one, two in zip(mine, other, strict=True):
            names = (*AGREED, *indicators.VALUES)
            differing = {name: (x, y) for name, x, y in zip(names, one, two, strict=True) if x != y}
            if differing:
                return f"{key} at {one[0]}: {differing}"
    return ""

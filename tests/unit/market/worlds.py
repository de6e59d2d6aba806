"""A log of events, cut into batches any way one likes, folded by a book over a database that lives in memory."""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import dataclass, field
from datetime import date
from typing import Any

import numpy as np
from numpy.typing import NDArray

from market import indicators
from market.arena import NEVER_MS, WINDOW
from market.bars import BAR, PROVIDER_COMPLETE, PROVIDER_PARTIAL, Rows, empty_rows
from market.batches import BarChanges, Batch, Changes, Instrument, Layer
from market.book import Book
from market.calendars import session_on, sessions, sessions_of
from market.choices import Choices
from market.chosen import NOTHING
from market.extremes import EXTREMES, Extremes
from market.frames import bucket, to_days
from market.latest import BEFORE, LATEST, TICK, Prices
from market.memory import Newest, StoredRows
from market.past import Recomputation, divide, work_off
from market.series import SeriesKey
from market.timeframes import MINUTE_MS

# A weekend, a new month, a new week and the end of daylight saving time lie between these two sessions of New York.
FRIDAY, MONDAY, TUESDAY = date(2026, 10, 30), date(2026, 11, 2), date(2026, 11, 3)
INSTRUMENTS = {"AAPL": Instrument("AAPL", "XNYS", 2, True), "BTC-USD": Instrument("BTC-USD", "24/7", 2, True)}
PARTITIONS = {"AAPL": 0, "BTC-USD": 1}
# What stands in a row that a start has not read whole, beside what a window reads: it must not be used.
BARE = np.full(BAR.itemsize, 0x99, np.uint8).view(BAR)
BARE["closed"] = BARE["final"] = True


@contextmanager
def instruments(more: dict[str, Instrument]) -> Iterator[None]:
    """A world with some instruments more, on partition 1."""
    INSTRUMENTS.update(more)
    PARTITIONS.update(dict.fromkeys(more, 1))
    try:
        yield
    finally:
        for name in more:
            del INSTRUMENTS[name], PARTITIONS[name]


@dataclass(frozen=True)
class TickEvent:
    symbol: str
    ms: int
    price: float
    day_volume: int = -1
    session: str = "regular"
    day_high: float = np.nan
    day_low: float = np.nan


@dataclass(frozen=True)
class BarEvent:
    """A provider's row; `day` is its session, `ts` any time in the bar."""

    symbol: str
    timeframe: str
    day: date
    ts: int
    ohlcv: tuple[float, float, float, float, float]
    fetched_ms: int
    is_complete: bool = True


@dataclass(frozen=True)
class ClockEvent:
    ms: int
    partition: int


Event = TickEvent | BarEvent | ClockEvent


def open_ms(symbol: str, day: date) -> int:
    return sessions(INSTRUMENTS[symbol].calendar, day, day)[0].open_ms


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
        """A new driver: everything is read from the store, as `spark_jobs.rebuild.wake` does."""
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


def batch_of(events: Iterable[Event]) -> Batch:
    """A batch as the executors and `spark_jobs.batch` would give it, by plain Python."""
    batch = Batch()
    said: dict[str, list[TickEvent]] = defaultdict(list)
    minutes: dict[tuple[str, str], dict[int, list[TickEvent]]] = defaultdict(lambda: defaultdict(list))
    provider: dict[SeriesKey, list[Rows]] = defaultdict(list)
    for event in events:
        match event:
            case TickEvent():
                minutes[event.symbol, event.session][event.ms // MINUTE_MS * MINUTE_MS].append(event)
                batch.partitions[event.symbol] = PARTITIONS[event.symbol]
                said[event.symbol].append(event)
            case BarEvent():
                provider[SeriesKey(event.symbol, event.timeframe, "regular")].append(provider_row(event))
            case ClockEvent():
                known_ms = batch.clocks.get(event.partition, (0, 0))[0]
                batch.clocks[event.partition] = (max(known_ms, event.ms), 0)
    batch.quotes = Prices(list(said), np.zeros(len(said), LATEST))
    for row, told in zip(batch.quotes.rows, said.values(), strict=True):
        newest = max(told, key=tick_key)
        row["price"], row["is_ext"], row["event_ms"], row["received_ms"] = (
            newest.price,
            newest.session == "ext",
            newest.ms,
            newest.ms,
        )
        row["session_date"] = session_day(newest.symbol, newest.ms)
        for name in ("previous_close", "day_high", "day_low", "day_volume"):
            row[name] = np.nan
        for names, key in zip((TICK, BEFORE), last_two(told), strict=True):
            for name, value in zip(names, key, strict=True):
                row[name] = value
    batch.extremes = extremes_of(said)
    ticks = {}
    for (symbol, session), by_minute in minutes.items():
        rows = np.concatenate([tick_row(symbol, ts, by_minute[ts]) for ts in sorted(by_minute)])
        ticks[SeriesKey(symbol, "1m", session)] = [rows]
    batch.ticks = layers_of(ticks)
    batch.provider = layers_of({key: layered(rows) for key, rows in provider.items()})
    return batch


def layers_of(groups: dict[SeriesKey, list[Rows]]) -> list[Layer]:
    """The first layer of every series together, then the second, and so on."""
    layers = []
    for depth in range(max(map(len, groups.values()), default=0)):
        here = {key: rows[depth] for key, rows in groups.items() if depth < len(rows)}
        which = np.repeat(np.arange(len(here)), [len(rows) for rows in here.values()])
        layers.append(Layer(list(here), which, np.concatenate(list(here.values()))))
    return layers


def by_series(layers: list[Layer]) -> dict[SeriesKey, list[Rows]]:
    """Layers as the rows of each series."""
    groups: dict[SeriesKey, list[Rows]] = defaultdict(list)
    for layer in layers:
        for k in np.unique(layer.which).tolist():
            groups[layer.keys[k]].append(layer.rows[layer.which == k])
    return dict(groups)


def tick_row(symbol: str, ts: int, ticks: list[TickEvent]) -> Rows:
    first, last = min(ticks, key=tick_key), max(ticks, key=tick_key)
    placed = sessions_of(INSTRUMENTS[symbol].calendar, np.array([ts]))
    row = empty_rows(1)
    row["ts"], row["end"] = ts, ts + MINUTE_MS
    row["session_date"], row["session_open"] = (
        placed.session_date.astype("datetime64[D]").astype(np.int64),
        placed.open_ms,
    )
    row["open"], row["close"] = first.price, last.price
    row["high"], row["low"] = max(tick.price for tick in ticks), min(tick.price for tick in ticks)
    row["ticks"] = len(ticks)
    row["first_ms"], row["first_volume"] = first.ms, first.day_volume
    row["last_ms"], row["last_volume"] = last.ms, last.day_volume
    row["day_volume"] = max(tick.day_volume for tick in ticks)
    row["event_ms"] = row["received_ms"] = last.ms
    return row


def last_two(ticks: Iterable[TickEvent]) -> list[tuple[int, int, float]]:
    """The keys of the last two ticks that differ, zeros where there is no second one."""
    return [*sorted({tick_key(tick) for tick in ticks}, reverse=True), (0, 0, 0.0)][:2]


def session_day(symbol: str, ms: int) -> int:
    """The session of a time, days since the epoch."""
    placed = sessions_of(INSTRUMENTS[symbol].calendar, np.array([ms]))
    return int(placed.session_date.astype("datetime64[D]").astype(np.int64)[0])


def quoted(symbol: str, ticks: Iterable[TickEvent]) -> dict[int, tuple[tuple[int, float], tuple[int, float]]]:
    """Session date → (when the newest high was told, it), (the same of the low); (0, NaN) where none was.

    Only ticks of regular hours whose own price lies within what they tell; of one millisecond the wider word.
    """
    words: dict[int, tuple[tuple[int, float], tuple[int, float]]] = {}
    for tick in ticks:
        if tick.session == "ext" or tick.price > tick.day_high or tick.price < tick.day_low:
            continue
        day = session_day(symbol, tick.ms)
        high, low = words.get(day, ((0, np.nan), (0, np.nan)))
        if tick.day_high == tick.day_high:
            high = max(high, (tick.ms, tick.day_high))
        if tick.day_low == tick.day_low:
            low = max(low, (tick.ms, tick.day_low), key=lambda word: (word[0], -word[1]))
        if high[0] or low[0]:
            words[day] = high, low
    return words


def extremes_of(said: dict[str, list[TickEvent]]) -> Extremes:
    symbols, rows = [], []
    for symbol, ticks in said.items():
        for day, (high, low) in sorted(quoted(symbol, ticks).items()):
            symbols.append(symbol)
            rows.append((day, *(high if high[0] else (0, 0.0)), *(low if low[0] else (0, 0.0))))
    return Extremes(symbols, np.array(rows, EXTREMES))


def tick_key(tick: TickEvent) -> tuple[int, int, float]:
    return tick.ms, tick.day_volume, tick.price


def provider_row(event: BarEvent) -> Rows:
    calendar = INSTRUMENTS[event.symbol].calendar
    session = session_on(calendar, event.day)
    row = empty_rows(1)
    if event.timeframe == "1m":
        row["ts"], row["end"] = event.ts, event.ts + MINUTE_MS
    else:
        row["ts"], row["end"], session = bucket(event.timeframe, event.ts, session, calendar)
    row["session_date"], row["session_open"] = to_days(session.session_date), session.open_ms
    for name, value in zip(("open", "high", "low", "close", "volume"), event.ohlcv, strict=True):
        row[name] = value
    row["origin"] = PROVIDER_COMPLETE if event.is_complete else PROVIDER_PARTIAL
    row["provider_ms"] = row["received_ms"] = event.fetched_ms
    row["event_ms"] = row["end"] if event.is_complete else np.minimum(row["end"], event.fetched_ms)
    return row


def layered(rows: list[Rows]) -> list[Rows]:
    """Rows sorted by time, cut so that no layer has a bar twice."""
    layers: list[dict[int, Rows]] = []
    for row in rows:
        ts = int(row["ts"][0])
        layer = next((layer for layer in layers if ts not in layer), None)
        if layer is None:
            layers.append(layer := {})
        layer[ts] = row
    return [np.concatenate([layer[ts] for ts in sorted(layer)]) for layer in layers]


# What two runs over the same log must agree on; lineage, revision numbers and keys that no longer decide anything may differ.
AGREED = ("ts", "end", "session_date", "open", "high", "low", "close", "volume", "ticks", "closed", "final", "event_ms")


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

"""What is older than the two newest sessions: folded by a book of its own time, and what follows from it worked off later.

The live book holds the newest bars of every series without a gap. A correction of last month would have it read, compute and write
everything since, while trades wait. So such records are taken out of a batch, and a second book, for which time ended soon after
them, merges them and rolls them up, in the same transaction and before the live one. The bars are right at once, in every frame;
of the indicators those before that end are. From there on each series is left a `Recomputation`, which `work_off` takes on, slice
after slice, until what it computes stands there already. Until then the live kernel goes on from the values as they were before.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from market import widening
from market.arena import NEVER_MS
from market.batches import BarChanges, Batch, Changes, Layer
from market.book import Book
from market.calendars import sessions
from market.frames import from_days, span, to_days
from market.indicators import LOOKBACK
from market.latest import LONGEST_CLOSURE_DAYS
from market.memory import NO_PARTITION, Memory, Newest, Stored, StoredRows
from market.recompute import compute_from, values_at
from market.series import SeriesKey
from market.timeframes import TIMEFRAMES

# Bars of a slice: some tens of milliseconds, for which trades wait.
SLICE_ROWS = 1_000
# Rows of a series that a book of the past begins with; more are read where they are asked for.
FIRST_ROWS = 64


class Recomputation(NamedTuple):
    """The indicators of a series from a bar on follow from bars as they were before a correction.

    Times are starts of bars, milliseconds since the epoch. Before `through_ms` there may be more that was corrected, or a bar that
    does not follow from the one before it: nothing ends before that has left the windows.
    """

    key: SeriesKey
    from_ms: int
    through_ms: int

    def joined(self, other: "Recomputation") -> "Recomputation":
        """One that does what both do.

        Where one of them has got to, values follow from a bar that it has changed: the other must not end before it is there.
        """
        through_ms = max(self.from_ms, self.through_ms, other.from_ms, other.through_ms)
        return Recomputation(self.key, min(self.from_ms, other.from_ms), through_ms)


class End(NamedTuple):
    """Where the past of a symbol ends, exclusively: that of the frames within a session, and that of those of whole sessions."""

    intraday_ms: int
    days_ms: int

    def of(self, key: SeriesKey) -> int:
        return self.intraday_ms if TIMEFRAMES[key.timeframe].is_intraday else self.days_ms


class Until:
    """`Stored` as if there were nothing from the end of each symbol's past on."""

    def __init__(self, stored: Stored, ends: dict[str, End]) -> None:
        self._stored = stored
        self.ends = ends

    def rows_before(self, key: SeriesKey, ts_ms: int, count: int) -> StoredRows:
        return self._stored.rows_before(key, min(ts_ms, self._end(key)), count)

    def rows_before_each(self, keys: list[SeriesKey], ts_ms: list[int], counts: list[int]) -> Iterable[StoredRows]:
        before_ms = [min(at_ms, self._end(key)) for key, at_ms in zip(keys, ts_ms, strict=True)]
        return self._stored.rows_before_each(keys, before_ms, counts)

    def newest(self, keys: list[SeriesKey], count: int, whole: list[int]) -> Iterator[Newest]:
        """All of them whole: what is asked of the past is asked to change it."""
        del whole
        counts = [min(count, FIRST_ROWS)] * len(keys)
        read = self._stored.rows_before_each(keys, [self._end(key) for key in keys], counts)
        for key, (rows, states, values, is_all) in zip(keys, read, strict=True):
            yield Newest([key], np.array([len(rows)]), np.zeros(1, np.int64), rows, states, values, np.array([is_all]))

    def first_sessions(self, keys: list[SeriesKey]) -> list[int | None]:
        return self._stored.first_sessions(keys)

    def start_after(self, key: SeriesKey, from_ms: int, count: int) -> int | None:
        return self._stored.start_after(key, from_ms, count)

    def _end(self, key: SeriesKey) -> int:
        return self.ends[key.symbol].of(key)


@dataclass(slots=True)
class Past:
    """What of a batch is of the past. `fold` it, write that, and then `hand_over`, before the live book folds the rest."""

    live: Book
    batch: Batch
    then: Book

    def fold(self) -> tuple[Changes, list[Recomputation]]:
        """What is to be written now, and what is to be worked off afterwards."""
        for name in self._ends:
            self.then.pending.hasten(self.then.memory.symbol(name))
        changes = self.then.fold(self.batch)
        arena, keys = self.then.memory.arena, self.then.memory.keys
        touched = [keys[number] for number in np.unique(arena.touched()[0]).tolist()]
        moved = {key for key in touched if key.session == "regular"}
        moved |= {
            SeriesKey(split.symbol, timeframe, "regular") for split in self.batch.splits for timeframe in TIMEFRAMES
        }
        return changes, [job for key in sorted(moved) for job in self._what_follows(key)]

    def hand_over(self) -> None:
        """The live book learns what it has of the past: reads again what is still in its memory, and what waits to be closed."""
        live, then = self.live.memory, self.then.memory
        live.learn(self.batch.splits)
        stale = []
        for key, number in then.ids.items():
            here, told = live.get(key), then.arena.table[number]
            for name in ("waits_ms", "due_ms"):
                live.arena.table[name][here] = min(live.arena.table[name][here], told[name])
            if told["waits_ms"] != NEVER_MS or _oldest_ms(live, here) < self._ends[key.symbol].of(key):
                stale.append(key)
            elif told["size"]:
                # Of what was all in memory the past may have something older now.
                live.arena.table["reaches_back"][here] = False
        live.read_again(stale)
        for name in self._ends:
            first_session = then.symbols["first_session"][then.symbol(name)]
            live.symbols["first_session"][live.symbol(name)] = first_session

    @property
    def _ends(self) -> dict[str, End]:
        assert isinstance(self.then.memory.stored, Until)  # noqa: S101
        return self.then.memory.stored.ends

    def _what_follows(self, key: SeriesKey) -> Iterator[Recomputation]:
        """The recomputation of a series from the end of its past on, if there is anything."""
        memory, end_ms = self.live.memory, self._ends[key.symbol].of(key)
        at = memory.arena.slice(memory.get(key))
        if at.stop > at.start and memory.arena.rows["ts"][at.stop - 1] >= end_ms:
            yield Recomputation(key, end_ms, end_ms)


def divide(live: Book, batch: Batch) -> tuple[Past | None, Batch]:
    """What of a batch is of the past (nearly always nothing), and the rest of it.

    Of the past is what is older than the two newest sessions of its symbol and than every bar of its series in memory; and a split
    of before those sessions.
    """
    memory, past = live.memory, Batch()
    ticks = _divide(memory, batch.ticks, past.ticks)
    provider = _divide(memory, batch.provider, past.provider)
    past.splits = [split for split in batch.splits if split.ex_day < _previous_session(memory, split.symbol)]
    if not (past.ticks or past.provider or past.splits):
        return None, batch
    days = _days(memory, past)
    for name in days:
        partition = batch.partitions.get(name, int(memory.symbols["partition"][memory.symbol(name)]))
        if partition != NO_PARTITION:
            past.partitions[name] = partition
    ends = {name: _end(memory.instruments[name].calendar, day) for name, day in days.items()}
    then = Book(Until(memory.stored, ends), memory.instruments, memory.arena.chosen)
    then.memory.splits = memory.splits.copy()
    then.clock_ms = dict(live.clock_ms)
    if past.ticks and len(batch.extremes):
        # The live book is told, too: of the same session it may have other minutes.
        past.extremes = batch.extremes.through(days)
    for name in days:
        here = np.array([memory.symbol(name)])
        widening.keep(then.memory, np.array([then.memory.symbol(name)]), widening.current(memory, here))
    splits = [split for split in batch.splits if split not in past.splits]
    return Past(live, past, then), replace(batch, ticks=ticks, provider=provider, splits=splits, corrected=set(days))


def work_off(live: Book, job: Recomputation) -> tuple[BarChanges, Recomputation | None]:
    """A slice: the values that it changes, and what is left to do."""
    memory = live.memory
    end_ms = memory.stored.start_after(job.key, job.from_ms, SLICE_ROWS)
    if end_ms is None or end_ms >= _oldest_ms(memory, memory.get(job.key)):
        # The rest, in memory, for the live kernel goes on from it.
        return _compute(memory, job)[0], None
    then = Memory(Until(memory.stored, {job.key.symbol: End(end_ms, end_ms)}), memory.instruments, memory.arena.chosen)
    then.splits = memory.splits
    changes, is_done = _compute(then, job)
    return changes, None if is_done else job._replace(from_ms=end_ms)


def _compute(memory: Memory, job: Recomputation) -> tuple[BarChanges, bool]:
    """The kernel over all of a series in memory from `job.from_ms` on, and whether nothing more would change after it."""
    arena, series = memory.arena, np.array([memory.get(job.key)])
    memory.reach(series, np.array([job.from_ms]))
    position = arena.find(series, np.array([job.from_ms]))
    if position[0] == arena.table["size"][series[0]]:
        return values_at(memory, np.zeros(0, np.int64)), True
    rows = compute_from(memory, series, position)
    last = int(arena.end(series)[0]) - 1
    after = last - int(arena.base(series)[0]) - int(arena.find(series, np.array([max(job.from_ms, job.through_ms)]))[0])
    return values_at(memory, rows), after >= LOOKBACK and last not in rows


def _divide(memory: Memory, layers: list[Layer], past: list[Layer]) -> list[Layer]:
    """Appends what is of the past to `past`; gives the rest."""
    rest = []
    for layer in layers:
        is_past = _is_past(memory, layer)
        if is_past.any():
            past.append(layer.where(is_past))
            layer = layer.where(~is_past)
        if len(layer.rows):
            rest.append(layer)
    return rest


def _is_past(memory: Memory, layer: Layer) -> NDArray[np.bool_]:
    series = memory.numbers(layer.keys)[layer.which]
    table = memory.arena.table
    found: NDArray[np.bool_] = ~table["reaches_back"][series] & (table["size"][series] > 0)
    found[found] = layer.rows["ts"][found] < memory.arena.rows["ts"][table["base"][series[found]]]
    if found.any():
        names = [layer.keys[k].symbol for k in layer.which[found].tolist()]
        previous = {name: _previous_session(memory, name) for name in set(names)}
        found[found] = layer.rows["session_date"][found] < [previous[name] for name in names]
    return found


def _previous_session(memory: Memory, symbol: str) -> int:
    """The session before a symbol's newest one, days since the epoch; 0 where there are no bars yet."""
    if symbol not in memory.instruments:
        return 0
    days = []
    for timeframe in ("1m", "1d"):
        at = memory.arena.slice(memory.get(SeriesKey(symbol, timeframe, "regular")))
        if at.stop > at.start:
            days.append(int(memory.arena.rows["session_date"][at.stop - 1]))
    if not days:
        return 0
    newest = from_days(max(days))
    near = sessions(memory.instruments[symbol].calendar, newest - timedelta(days=LONGEST_CLOSURE_DAYS), newest)
    return to_days(near[-2].session_date) if len(near) > 1 else max(days) - 1


def _days(memory: Memory, past: Batch) -> dict[str, int]:
    """The newest session of each symbol that is folded, days since the epoch."""
    newest: dict[str, int] = {}
    for layer in (*past.ticks, *past.provider):
        for k in np.unique(layer.which).tolist():
            key, rows = layer.keys[k], layer.rows[layer.which == k]
            days = [int(rows["session_date"].max())]
            first = int(memory.symbols["first_session"][memory.symbol(key.symbol)])
            if key.timeframe == "1m" and int(rows["session_date"].min()) < first != NEVER_MS:
                # The session that had the first minutes is rolled up from its start now (`Book._reach_further_back`).
                days.append(first)
            newest[key.symbol] = max(newest.get(key.symbol, 0), *days)
    for split in past.splits:
        newest[split.symbol] = max(newest.get(split.symbol, 0), split.ex_day)
    return newest


def _end(calendar: str, day: int) -> End:
    """The past ends with the session of `day`; that of weeks and months with those that it is in."""
    following = sessions(calendar, from_days(day + 1), from_days(day + 1 + LONGEST_CLOSURE_DAYS))
    days_ms = max(span(calendar, timeframe, day)[1] for timeframe in ("1w", "1mo"))
    return End(following[0].open_ms if following else days_ms, days_ms)


def _oldest_ms(memory: Memory, series: int) -> int:
    at = memory.arena.slice(series)
    return int(memory.arena.rows["ts"][at.start]) if at.stop > at.start else NEVER_MS

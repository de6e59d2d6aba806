"""The fold: what is known of every symbol, moved on by one batch at a time.

`Book.apply` merges a batch into the bars, closes them by the clock, rolls minutes up to the higher frames, runs the kernel over
what changed and says which rows to write; each step for all symbols at once. It reads no clock and does no I/O but through
`Stored`, which gives older rows back from the database. The book may be ahead of the database until the batch commits; after any
failure it is dropped and read anew.
"""

import numpy as np
from numpy.typing import NDArray

from market import bars, closing, latest, recompute, widening
from market.actions import Split
from market.arena import NEVER_MS, Ints, as_raw
from market.bars import OURS, PROVIDER_COMPLETE, Rows
from market.batches import Batch, Changes, Instrument, Layer
from market.calendars import session_on
from market.choices import Choices
from market.chosen import NOTHING
from market.extremes import EXTREMES, SIDES
from market.frames import from_days
from market.latest import LATEST, Prices
from market.memory import IS_MINUTES, MINUTES, NO_PARTITION, Memory, Stored
from market.pending import Pending
from market.rollup import LINEAGE, minutes_rule
from market.timeframes import TIMEFRAMES


class Book:
    """All series. `clock_ms` is by partition of the events topic."""

    def __init__(self, stored: Stored, instruments: dict[str, Instrument], chosen: Choices = NOTHING) -> None:
        self.memory = Memory(stored, instruments, chosen)
        self.pending = Pending(self.memory)
        self.clock_ms: dict[int, int] = {}
        self.latest = np.zeros(0, LATEST)  # by symbol's number

    @property
    def instruments(self) -> dict[str, Instrument]:
        return self.memory.instruments

    def apply(self, batch: Batch) -> Changes:
        """Merges a batch and gives what is to be written."""
        changes = self.fold(batch)
        self._move_latest(batch, changes)
        return changes

    def fold(self, batch: Batch) -> Changes:
        """`apply` for bars and indicators alone: the newest prices stay as they are."""
        changes = Changes()
        resplit = self.memory.learn(batch.splits)
        met = self._symbols(list(batch.partitions))
        passed_ms = self._clock_of_symbols()
        self.memory.symbols["partition"][met] = list(batch.partitions.values())
        for partition, (through_ms, _) in batch.clocks.items():
            self.clock_ms[partition] = max(self.clock_ms.get(partition, 0), through_ms)
        for layer in batch.ticks:
            self._merge_ticks(layer, passed_ms, changes)
        for symbol in widening.note(self.memory, batch.extremes):
            self.pending.hasten(symbol)
        for layer in batch.provider:
            self._merge_provider(layer)
        clock_ms = self._clock_of_symbols()
        self._close(clock_ms)
        again = self._after_splits(resplit)
        self.pending.roll_up(clock_ms, self._now_ms(batch))
        changes.series = recompute.collect(self.memory, again)
        is_minute = IS_MINUTES[self.memory.arena.table["frame"][changes.series.replaced_which]]
        self._count(changes.corrected, changes.series.replaced_which[is_minute], changes.series.replaced[is_minute])
        return changes

    def know_splits(self, splits: list[Split]) -> None:
        """Before any bar is read: the splits as they were committed."""
        self.memory.learn(splits)

    def know_latest(self, prices: Prices) -> None:
        """After loading: the newest prices as they were committed."""
        numbers = self._symbols(prices.symbols)
        self.latest = np.zeros(len(self.memory.symbols), LATEST)
        self.latest[numbers] = prices.rows
        widening.keep(self.memory, numbers, prices.rows)

    def resume(self) -> None:
        """After loading: what was forming asks for its parents again, as a driver that died may have owed them."""
        self.pending.ask_again()

    def published(self) -> None:
        """The batch is committed: what was remembered for it is forgotten, and memory stays bounded."""
        arena = self.memory.arena
        arena.forget_touched()
        # All of them: what a split had computed again was not touched.
        self.memory.trim(np.arange(arena.count))

    def _clock_of_symbols(self) -> Ints:
        """The clock of each symbol's partition; until its partition is met, what all partitions have passed."""
        partitions = self.memory.symbols["partition"]
        clock_ms = np.full(len(partitions), min(self.clock_ms.values(), default=0))
        for partition in np.unique(partitions[partitions != NO_PARTITION]).tolist():
            clock_ms[partitions == partition] = self.clock_ms.get(partition, 0)
        return clock_ms

    def _now_ms(self, batch: Batch) -> int:
        """The batch's time: the newest clock, or the newest receipt of a tick, which is a little ahead of it."""
        received = [int(layer.rows["received_ms"].max()) for layer in batch.ticks]
        return max([*received, *self.clock_ms.values()], default=0)

    def _open(self, series: Ints, new: Rows) -> Ints:
        """The rows that `new` is about, ready to be changed."""
        is_first = np.ones(len(series), bool)
        is_first[1:] = series[1:] != series[:-1]
        self.memory.reach(series[is_first], new["ts"][is_first])
        self._reach_further_back(series[is_first], new[is_first])
        arena = self.memory.arena
        rows = arena.ensure(series, new)
        arena.touch(rows, series)
        self.pending.owe(series, new["ts"])
        return rows

    def _merge_ticks(self, layer: Layer, passed_ms: Ints, changes: Changes) -> None:
        """`passed_ms` is each symbol's clock before the batch: a tick of a minute that it had passed is late."""
        series, new = self.memory.numbers(layer.keys)[layer.which], layer.rows
        rows, arena = self._open(series, new), self.memory.arena
        old = arena.rows[rows]
        self._count(changes.ticks, series, new, new["ticks"])
        late = old["closed"] | (new["end"] <= passed_ms[arena.table["symbol"][series]])
        self._count(changes.late_ticks, series[late], new[late], new["ticks"][late])
        arena.rows[rows] = bars.merge_ticks(old, new)
        for name in LINEAGE:
            arena.rows[name][rows] = new[name]
        self._count_volume(series, rows)
        arena.settle(rows, series)

    def _count_volume(self, series: Ints, rows: Ints) -> None:
        """Volume of tick-made minutes; a bar's day volume is also the base of the bar after it."""
        arena, table = self.memory.arena, self.memory.arena.table
        counts = IS_MINUTES[table["frame"][series]] & self.memory.symbols["has_volume"][table["symbol"][series]]
        series, rows = series[counts], rows[counts]
        has_next = rows + 1 < arena.end(series)
        affected, which = np.unique(np.concatenate([rows, rows[has_next] + 1]), return_index=True)
        of = np.concatenate([series, series[has_next]])[which]
        is_ours = (arena.rows["origin"][affected] == OURS) & (arena.rows["ticks"][affected] > 0)
        ours, of = affected[is_ours], of[is_ours]
        is_oldest = ours == arena.base(of)
        before = arena.rows[np.where(is_oldest, ours, ours - 1)]
        before["ts"][is_oldest] = 0
        arena.touch(ours, of)
        arena.rows["volume"][ours] = bars.tick_volume(arena.rows[ours], before)
        self.pending.owe(of, arena.rows["ts"][ours])

    def _merge_provider(self, layer: Layer) -> None:
        series, new = self.memory.numbers(layer.keys)[layer.which], layer.rows
        stands = ~self._is_outranked(series, new)
        series, new = series[stands], new[stands]
        if not len(new):
            return
        rows, arena = self._open(series, new), self.memory.arena
        arena.rows[rows] = bars.merge_provider(arena.rows[rows], new)
        for name in LINEAGE:
            arena.rows[name][rows] = new[name]
        complete = rows[arena.rows["origin"][rows] == PROVIDER_COMPLETE]
        arena.rows["closed"][complete] = True
        arena.rows["final"][complete] = True
        # A bar that came in between is another predecessor for the one after it.
        self._count_volume(series, rows)
        arena.settle(rows, series)

    def _is_outranked(self, series: Ints, new: Rows) -> NDArray[np.bool_]:
        """Which of a provider's bars of a higher frame come too late: where a roll-up of our own minutes rules."""
        rules = minutes_rule(self.memory, series, new)
        if rules.any():
            arena, of, ts = self.memory.arena, series[rules], new["ts"][rules]
            self.memory.reach(of, ts)
            position = arena.find(of, ts)
            is_ours = arena.is_there(of, position, ts)
            is_ours[is_ours] = arena.rows["origin"][(arena.base(of) + position)[is_ours]] == OURS
            rules[rules] = is_ours
        return rules

    def _reach_further_back(self, series: Ints, oldest: Rows) -> None:
        """Where older minutes come, the session that was the first may now be rolled up from its start."""
        arena, symbols = self.memory.arena, self.memory.symbols
        of = arena.table["symbol"][series]
        is_older = (arena.table["frame"][series] == MINUTES) & (oldest["session_date"] < symbols["first_session"][of])
        for number, symbol, day in zip(
            series[is_older].tolist(), of[is_older].tolist(), oldest["session_date"][is_older].tolist(), strict=True
        ):
            first = int(symbols["first_session"][symbol])
            symbols["first_session"][symbol] = day
            if first != NEVER_MS:
                calendar = self.memory.calendars[symbols["calendar"][symbol]]
                opens_ms = session_on(calendar, from_days(first)).open_ms
                self.memory.reach(np.array([number]), np.array([opens_ms]))
                rows = arena.rows[arena.slice(number)]
                again = rows["ts"][rows["session_date"] == first]
                self.pending.owe(np.full(len(again), number), again)

    def _close(self, clock_ms: Ints) -> None:
        series, rows = closing.close(self.memory, clock_ms)
        self.pending.owe(series, self.memory.arena.rows["ts"][rows])
        for children, ts in closing.unsettled_children(self.memory, series, rows):
            self.pending.owe(children, ts)

    def _after_splits(self, resplit: dict[str, list[int]]) -> tuple[Ints, Ints]:
        """(series, ts) of the bars from which on a split that became known, was corrected or taken back moves indicators.

        The week and the month that it lies in are rolled up again.
        """
        found: list[tuple[int, int]] = []
        for symbol, ex_days in resplit.items():
            number = np.array([self.memory.symbol(symbol)])
            for timeframe in TIMEFRAMES:
                series = int(self.memory.series_of(number, timeframe)[0])
                for ex_day in sorted(set(ex_days)):
                    ts = self.memory.from_session(series, ex_day)
                    if ts is not None:
                        found.append((series, ts))
                        if timeframe == "1d":
                            self.pending.owe(np.array([series]), np.array([ts]))
                            self.pending.hasten(int(number[0]))
        series_of, ts_of = np.array(found, np.int64).reshape(-1, 2).T
        return series_of, ts_of

    def _count(self, counters: dict[tuple[str, int], int], series: Ints, rows: Rows, by: Ints | None = None) -> None:
        """Adds to the counters by symbol and session: rows, or what `by` says of each."""
        keys, days = self.memory.keys, rows["session_date"]
        amounts = by.tolist() if by is not None else [1] * len(rows)
        for number, day, amount in zip(series.tolist(), days.tolist(), amounts, strict=True):
            place = keys[number].symbol, day
            counters[place] = counters.get(place, 0) + amount

    def _move_latest(self, batch: Batch, changes: Changes) -> None:
        """The newest price of each symbol, from its ticks and from the provider's minutes."""
        quoted = self._symbols(batch.quotes.symbols)
        told_of = {key.symbol for layer in batch.provider for key in layer.keys} | batch.corrected
        told = np.unique(self._symbols(sorted(told_of)))
        touched = np.union1d(quoted, told)
        if not len(touched):
            return
        if len(self.latest) < len(self.memory.symbols):
            more = np.zeros(len(self.memory.symbols) - len(self.latest), LATEST)
            self.latest = np.concatenate([self.latest, more])
        held, quotes = as_raw(self.latest), batch.quotes.rows
        before = held[touched].view(LATEST)
        around = self._around(quoted, quotes["session_date"])
        held[quoted] = as_raw(latest.from_ticks(held[quoted].view(LATEST), quotes, around))
        # A tick, too, may come after its minute's row.
        newest, has_price = self._newest_bars(touched)
        told_by = has_price & (np.isin(touched, told) | (newest["origin"] == PROVIDER_COMPLETE))
        told, newest = touched[told_by], newest[told_by]
        if len(told):
            known = held[told].view(LATEST)
            days, days_of_known = self._around(told, newest["session_date"]), self._around(told, known["session_date"])
            held[told] = as_raw(latest.from_bars(known, newest, days, days_of_known))
        new = held[touched].view(LATEST)
        for name in EXTREMES.names or ():
            new[name] = self.memory.symbols[name][touched]
        held[touched] = as_raw(new)
        moved = latest.moved(before, new)
        changes.latest.symbols += [self.memory.names[number] for number in touched[moved].tolist()]
        changes.latest.rows = np.concatenate([changes.latest.rows, new[moved]])

    def _symbols(self, names: list[str]) -> Ints:
        return np.array([self.memory.symbol(name) for name in names], np.int64)

    def _around(self, symbols: Ints, session_date: Ints) -> NDArray[np.void]:
        """What the daily bars of symbols, and quotes, say of a session."""
        table = self.memory.arena.table[self.memory.series_of(symbols, "1d")]
        told = latest.around(self.memory.arena.rows, table["base"], table["size"], session_date)
        words = widening.current(self.memory, symbols)
        # What only forms is not always as new as what quotes tell.
        is_newest = words["quoted_date"] == session_date
        for (ms, price, wider), side in zip(SIDES, ("day_high", "day_low"), strict=True):
            told[side] = wider(told[side], np.where(is_newest & (words[ms] > 0), words[price], np.nan))
        newest_split = self.memory.symbols["newest_split"][symbols]
        for k in np.flatnonzero(newest_split > session_date - latest.LONGEST_CLOSURE_DAYS).tolist():
            days = self.memory.arena.rows["session_date"][table["base"][k] :][: table["size"][k]]
            before = int(np.searchsorted(days, session_date[k]))
            if before:
                name = self.memory.names[symbols[k]]
                for _, ratio in self.memory.splits.between(name, int(days[before - 1]), int(session_date[k])):
                    told["previous_close"][k] /= ratio
        return told

    def _newest_bars(self, symbols: Ints) -> tuple[Rows, NDArray[np.bool_]]:
        """The last minute of each symbol, or its last day where it has no minutes; and which have either."""
        arena = self.memory.arena
        minutes, days = self.memory.series_of(symbols, "1m"), self.memory.series_of(symbols, "1d")
        series = np.where(arena.table["size"][minutes] > 0, minutes, days)
        has_any: NDArray[np.bool_] = arena.table["size"][series] > 0
        return arena.rows[np.maximum(arena.end(series) - 1, 0)], has_any

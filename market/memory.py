"""What the fold remembers: the newest bars of every series, and older ones read back from the database when they are needed."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from market import indicators
from market.actions import Split, Splits
from market.arena import NEVER_MS, Arena, Ints
from market.bars import NONE, Rows
from market.batches import Instrument
from market.choices import Choices
from market.chosen import NOTHING
from market.extremes import EXTREMES
from market.frames import PARENTS, annual_bars
from market.series import SeriesKey
from market.timeframes import DAY_MS, TIMEFRAMES

# Rows kept in memory a series: enough for every window, and for a correction some hours old.
KEEP_ROWS = 256
# So many of the newest rows of a series are read whole at a start, the others bare: what a batch at the newest bar asks for (a
# month has 31 days, a day 24 hours, and minutes wait a quarter of an hour to be final), and some.
WHOLE_ROWS = {"1m": 24, "5m": 8, "15m": 8, "30m": 8, "1h": 32, "1d": 40, "1w": 8, "1mo": 8}
# Rows of the first read back; deeper corrections read on in growing steps.
READ_ROWS = indicators.LOOKBACK + 100

# A symbol's series, by number: the timeframes of regular hours in rising order, then the minutes of extended hours.
FRAMES = (*((timeframe, "regular") for timeframe in TIMEFRAMES), ("1m", "ext"))
FRAME = {kind: number for number, kind in enumerate(FRAMES)}
MINUTES = FRAME["1m", "regular"]
IS_REGULAR = np.array([session == "regular" for _, session in FRAMES])
IS_PARENTED = np.array([session == "regular" and timeframe in PARENTS for timeframe, session in FRAMES])
IS_MINUTES = np.array([timeframe == "1m" for timeframe, _ in FRAMES])
IS_ROLLED_INTRADAY = np.array([TIMEFRAMES[timeframe].is_intraday for timeframe, _ in FRAMES]) & ~IS_MINUTES

NO_PARTITION = -1
SYMBOL = np.dtype(
    [
        ("partition", "i8"),  # of the events topic
        ("first_session", "i8"),  # of our own minutes, days since the epoch; NEVER_MS where there are none
        ("calendar", "i8"),
        ("has_volume", "?"),
        ("newest_split", "i8"),  # its ex-date, days since the epoch; NO_SPLIT where there is none
        ("rolled_ms", "i8"),  # when what only forms was last rolled up
        ("series", "i8", (len(FRAMES),)),
        *EXTREMES.descr,  # what quotes tell of the symbol's newest session (market.widening)
    ],
    align=True,
)


# Rows, oldest first, with their states and values; and whether there are no older ones.
StoredRows = tuple[Rows, NDArray[np.float64], NDArray[np.float64], bool]


@dataclass(frozen=True, slots=True)
class Newest:
    """The newest rows of some series, one series after another, oldest first.

    The first `bare` rows of each are bare (`market.arena` says what they have); states and values are those of the others.
    """

    keys: list[SeriesKey]
    counts: Ints  # rows of each series
    bare: Ints
    rows: Rows
    states: NDArray[np.float64]
    values: NDArray[np.float64]
    is_all: NDArray[np.bool_]  # whether there are no older ones


class Stored(Protocol):
    """What the database still knows of bars that are no longer in memory."""

    def rows_before(self, key: SeriesKey, ts_ms: int, count: int) -> StoredRows:
        """The newest `count` rows before `ts_ms`."""

    def rows_before_each(self, keys: list[SeriesKey], ts_ms: list[int], counts: list[int]) -> Iterable[StoredRows]:
        """The same of many series."""

    def newest(self, keys: list[SeriesKey], count: int, whole: list[int]) -> Iterable[Newest]:
        """The newest `count` rows of each series; of those that are final, but for the newest `whole`, only what a window reads."""

    def first_sessions(self, keys: list[SeriesKey]) -> list[int | None]:
        """The session date (days since the epoch) of the oldest row of each series, None where there is none."""

    def start_after(self, key: SeriesKey, from_ms: int, count: int) -> int | None:
        """The start of the row that has `count` rows between `from_ms` (included) and itself; None where there are not so many."""


class Memory:
    """All series by number. `symbols` has a line a symbol."""

    def __init__(self, stored: Stored, instruments: dict[str, Instrument], chosen: Choices = NOTHING) -> None:
        self.stored = stored
        self.instruments = instruments
        self.arena = Arena(chosen)
        self.splits = Splits()
        self.keys: list[SeriesKey] = []
        self.ids: dict[SeriesKey, int] = {}
        self.symbols = np.zeros(16, SYMBOL)
        self.symbol_ids: dict[str, int] = {}
        self.names: list[str] = []  # of symbols
        self.calendars: list[str] = []

    def numbers(self, keys: list[SeriesKey]) -> Ints:
        """The numbers of series, each read from the database when it is first met."""
        ids = self.ids
        new = {key for key in keys if key not in ids}
        if new:
            # All that a symbol may have at once: its roll-ups ask for the other frames in a moment.
            frames = {SeriesKey(key.symbol, *FRAMES[number]) for key in new for number in np.flatnonzero(IS_REGULAR)}
            self.meet(sorted(new | frames))
        return np.array([ids[key] for key in keys], np.int64)

    def get(self, key: SeriesKey) -> int:
        """The number of a series."""
        if key not in self.ids:
            self.meet([key])
        return self.ids[key]

    def meet(self, keys: list[SeriesKey]) -> None:
        """`get` for many series, in few reads."""
        keys = [key for key in keys if key not in self.ids]
        self.meet_symbols(list(dict.fromkeys(key.symbol for key in keys)))
        self._begin(keys, self._add)

    def read_again(self, keys: list[SeriesKey]) -> None:
        """What is in memory of these series is read anew: what is stored has changed."""
        self._begin(keys, self.ids.__getitem__)

    def _begin(self, keys: list[SeriesKey], number: Callable[[SeriesKey], int]) -> None:
        self.arena.reserve(len(keys) * (KEEP_ROWS + KEEP_ROWS // 4))
        for block in self.stored.newest(keys, KEEP_ROWS, [WHOLE_ROWS[key.timeframe] for key in keys]):
            series = np.array([number(key) for key in block.keys], np.int64)
            self.arena.begin(series, block.counts, block.bare, block.rows, block.states, block.values, block.is_all)
            self._keep_waiting(series)

    def _add(self, key: SeriesKey) -> int:
        symbol = self.symbol_ids[key.symbol]
        instrument = self.instruments[key.symbol]
        frame = FRAME[key.timeframe, key.session]
        series = self.arena.add(
            symbol,
            frame,
            10.0**instrument.price_precision,
            annual_bars(instrument.calendar, key.timeframe),
            has_indicators=key.session == "regular",
        )
        self.keys.append(key)
        self.ids[key] = self.symbols["series"][symbol, frame] = series
        return series

    def _keep_waiting(self, series: Ints) -> None:
        """Bars that wait for a clock must be in memory to be closed: a backfill before the first clock leaves thousands."""
        table = self.arena.table
        series = series[(table["waits_ms"][series] != NEVER_MS) & ~table["reaches_back"][series]]
        for number in series[self.arena.find(series, table["waits_ms"][series]) == 0].tolist():
            while not self._reaches_back(number) and not self.arena.rows["final"][self.arena.slice(number).start]:
                self._read_back(number, self._oldest_ms(number), 4 * KEEP_ROWS)

    def symbol(self, name: str) -> int:
        """The number of a symbol."""
        if name not in self.symbol_ids:
            self.meet_symbols([name])
        return self.symbol_ids[name]

    def meet_symbols(self, names: list[str]) -> None:
        """`symbol` for many, in one read."""
        names = [name for name in names if name not in self.symbol_ids]
        minutes = [SeriesKey(name, "1m", "regular") for name in names]
        for name, first in zip(names, self.stored.first_sessions(minutes) if names else [], strict=True):
            number = self.symbol_ids[name] = len(self.names)
            self.names.append(name)
            if number == len(self.symbols):
                self.symbols = np.concatenate([self.symbols, np.zeros(number, SYMBOL)])
            instrument = self.instruments[name]
            if instrument.calendar not in self.calendars:
                self.calendars.append(instrument.calendar)
            line = self.symbols[number]
            line["partition"] = NO_PARTITION
            line["first_session"] = NEVER_MS if first is None else first
            line["calendar"] = self.calendars.index(instrument.calendar)
            line["has_volume"] = instrument.has_volume
            line["newest_split"] = self.splits.newest(name)
            line["series"] = NONE

    def learn(self, splits: Iterable[Split]) -> dict[str, list[int]]:
        """Takes in what is told of splits; gives the symbols whose ratios change, with the ex-dates of which they do."""
        changed = self.splits.learn(splits)
        for name in changed.keys() & self.symbol_ids.keys():
            self.symbols["newest_split"][self.symbol_ids[name]] = self.splits.newest(name)
        return changed

    def from_session(self, series: int, day: int) -> int | None:
        """The start of the first bar of a series in the session of `day` or later (days since the epoch), with what its windows
        need in memory; None where there is none, or no bar before it."""
        table, key = self.arena.table, self.keys[series]
        if not self._reaches_back(series):
            [first] = self.stored.first_sessions([key])
            held = self.arena.rows["session_date"][self.arena.slice(series)]
            if (first is None or first >= day) and (not len(held) or held[0] >= day):
                return None
            # Sessions begin at most a day before their date in UTC.
            self.reach(np.array([series]), np.array([(day - 1) * DAY_MS]))
        at = self.arena.slice(series)
        position = int(np.searchsorted(self.arena.rows["session_date"][at], day))
        if not 0 < position < table["size"][series]:
            return None
        return int(self.arena.rows["ts"][at.start + position])

    def siblings(self, series: Ints, timeframe: str) -> Ints:
        """The series of another timeframe of the same symbols."""
        return self.series_of(self.arena.table["symbol"][series], timeframe)

    def series_of(self, symbols: Ints, timeframe: str) -> Ints:
        """The regular series of a timeframe of symbols."""
        frame = FRAME[timeframe, "regular"]
        for number in np.unique(symbols[self.symbols["series"][symbols, frame] == NONE]).tolist():
            self.get(SeriesKey(self.names[number], timeframe, "regular"))
        found: Ints = self.symbols["series"][symbols, frame]
        return found

    def reach(self, series: Ints, ts: Ints) -> None:
        """Reads older rows back until a window's worth of them stands before each `ts`, of which the last one is whole."""
        table = self.arena.table
        asks = ~table["reaches_back"][series] | (table["bare"][series] > 0)
        if not asks.any():
            return
        series, ts = series[asks], ts[asks]
        self.make_whole(series[self.arena.find(series, ts) <= table["bare"][series]])
        position = self.arena.find(series, ts)
        is_short = ~table["reaches_back"][series] & (position < indicators.LOOKBACK)
        series, ts = series[is_short], ts[is_short]
        # What is enough for the oldest of a series is enough for all of it.
        order = np.lexsort((ts, series))
        found, first = np.unique(series[order], return_index=True)
        for number, at_ms in zip(found.tolist(), ts[order][first].tolist(), strict=True):
            self._reach(number, np.array([at_ms]))

    def make_whole(self, series: Ints) -> None:
        """Reads what a start has read of these series' bare rows alone; like a read of older rows, it moves rows."""
        arena = self.arena
        series = np.unique(series[arena.table["bare"][series] > 0])
        if not len(series):
            return
        counts = arena.table["bare"][series].tolist()
        before_ms = arena.rows["ts"][arena.base(series) + arena.table["bare"][series]].tolist()
        keys = [self.keys[number] for number in series.tolist()]
        read = self.stored.rows_before_each(keys, before_ms, counts)
        for number, (rows, states, values, is_all) in zip(series.tolist(), read, strict=True):
            arena.forget_bare(number)
            arena.load(number, rows, states, values, reaches_back=is_all)

    def whole_from(self, series: Ints, position: Ints) -> Ints:
        """Positions of series, none twice, as they are when they and the rows before them are whole."""
        table = self.arena.table
        is_bare = (table["bare"][series] > 0) & (position <= table["bare"][series])
        if is_bare.any():
            before = table["size"][series]
            self.make_whole(series[is_bare])
            position = np.maximum(position + self.arena.table["size"][series] - before, 0)
        return position

    def reach_position(self, series: int, position: int) -> int:
        """The same for a position, that comes back as what it has become."""
        while not self._reaches_back(series) and position < indicators.LOOKBACK:
            before = int(self.arena.table["size"][series])
            self._read_back(series, self._oldest_ms(series), 4 * KEEP_ROWS)
            position += int(self.arena.table["size"][series]) - before
        return position

    def read_all(self, series: int) -> None:
        """Reads everything that is stored of a series."""
        self.make_whole(np.array([series]))
        count = 16 * KEEP_ROWS
        while not self._reaches_back(series):
            self._read_back(series, self._oldest_ms(series), count)
            count *= 4

    def trim(self, series: Ints) -> None:
        """Bounds the memory of these series."""
        sizes = self.arena.table["size"][series]
        for number in series[sizes > 2 * KEEP_ROWS].tolist():
            self.arena.trim(number, KEEP_ROWS)

    def _reach(self, series: int, ts: Ints) -> None:
        # A few rows first, for most changes are recent.
        count, number = READ_ROWS, np.array([series])
        while not self._reaches_back(series) and self.arena.find(number, ts)[0] < indicators.LOOKBACK:
            self._read_back(series, self._oldest_ms(series), count)
            count *= 4

    def _reaches_back(self, series: int) -> bool:
        return bool(self.arena.table["reaches_back"][series])

    def _oldest_ms(self, series: int) -> int:
        at = self.arena.slice(series)
        return int(self.arena.rows["ts"][at.start]) if at.stop > at.start else NEVER_MS

    def _read_back(self, series: int, before_ms: int, count: int) -> None:
        self.make_whole(np.array([series]))
        rows, states, values, is_all = self.stored.rows_before(self.keys[series], before_ms, count)
        self.arena.load(series, rows, states, values, reaches_back=is_all)

"""What the fold remembers: the newest bars of every series, and older ones read back from the database when they are needed."""

from collections.abc import Iterable
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
from market.frames import PARENTS, annual_bars
from market.series import SeriesKey
from market.timeframes import DAY_MS, TIMEFRAMES

# Rows kept in memory a series: enough for every window, and for a correction some hours old without a read.
KEEP_ROWS = 256
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
    ],
    align=True,
)


# Rows, oldest first, with their states and values; and whether there are no older ones.
StoredRows = tuple[Rows, NDArray[np.float64], NDArray[np.float64], bool]


class Stored(Protocol):
    """What the database still knows of bars that are no longer in memory."""

    def rows_before(self, key: SeriesKey, ts_ms: int, count: int) -> StoredRows:
        """The newest `count` rows before `ts_ms`."""

    def newest(self, keys: list[SeriesKey], count: int) -> Iterable[tuple[SeriesKey, StoredRows]]:
        """The newest `count` rows of each series."""

    def first_session(self, key: SeriesKey) -> int | None:
        """The session date (days since the epoch) of the oldest row, None where there is none."""


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
        known = self.ids.get(key)
        return self._add(key, self.stored.rows_before(key, NEVER_MS, KEEP_ROWS)) if known is None else known

    def meet(self, keys: list[SeriesKey]) -> None:
        """`get` for many series, in few reads."""
        for key, found in self.stored.newest([key for key in keys if key not in self.ids], KEEP_ROWS):
            self._add(key, found)

    def _add(self, key: SeriesKey, found: StoredRows) -> int:
        symbol = self.symbol(key.symbol)
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
        rows, states, values, is_all = found
        self.arena.load(series, rows, states, values, reaches_back=is_all)
        # Bars that wait for a clock must be in memory to be closed: a backfill before the first clock leaves thousands.
        while not self._reaches_back(series) and not self.arena.rows["final"][self.arena.slice(series).start]:
            self._read_back(series, self._oldest_ms(series), 4 * KEEP_ROWS)
        return series

    def symbol(self, name: str) -> int:
        """The number of a symbol."""
        known = self.symbol_ids.get(name)
        if known is not None:
            return known
        number = self.symbol_ids[name] = len(self.names)
        self.names.append(name)
        if number == len(self.symbols):
            self.symbols = np.concatenate([self.symbols, np.zeros(number, SYMBOL)])
        instrument = self.instruments[name]
        if instrument.calendar not in self.calendars:
            self.calendars.append(instrument.calendar)
        first = self.stored.first_session(SeriesKey(name, "1m", "regular"))
        line = self.symbols[number]
        line["partition"] = NO_PARTITION
        line["first_session"] = NEVER_MS if first is None else first
        line["calendar"] = self.calendars.index(instrument.calendar)
        line["has_volume"] = instrument.has_volume
        line["newest_split"] = self.splits.newest(name)
        line["series"] = NONE
        return number

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
            first = self.stored.first_session(key)
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
        """Reads older rows back until a window's worth of them stands before each `ts`."""
        is_short = ~self.arena.table["reaches_back"][series]
        if is_short.any():
            series, ts = series[is_short], ts[is_short]
            is_short = self.arena.find(series, ts) < indicators.LOOKBACK
            series, ts = series[is_short], ts[is_short]
            # What is enough for the oldest of a series is enough for all of it.
            order = np.lexsort((ts, series))
            found, first = np.unique(series[order], return_index=True)
            for number, at_ms in zip(found.tolist(), ts[order][first].tolist(), strict=True):
                self._reach(number, np.array([at_ms]))

    def reach_position(self, series: int, position: int) -> int:
        """The same for a position, that comes back as what it has become."""
        while not self._reaches_back(series) and position < indicators.LOOKBACK:
            before = int(self.arena.table["size"][series])
            self._read_back(series, self._oldest_ms(series), 4 * KEEP_ROWS)
            position += int(self.arena.table["size"][series]) - before
        return position

    def read_all(self, series: int) -> None:
        """Reads everything that is stored of a series."""
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
        rows, states, values, is_all = self.stored.rows_before(self.keys[series], before_ms, count)
        self.arena.load(series, rows, states, values, reaches_back=is_all)

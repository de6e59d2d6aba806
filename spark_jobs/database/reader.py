"""Bars, indicators and instruments read back from PostgreSQL, as the fold keeps them."""

from collections.abc import Iterator
from itertools import pairwise

import numpy as np
import psycopg2
from numpy.typing import NDArray
from psycopg2.extensions import connection as Connection

from market import indicators
from market.arena import NEVER_MS, WINDOW, Ints, as_raw, spread
from market.bars import BAR, Rows
from market.batches import Instrument
from market.calendars import sessions_of
from market.choices import Choices
from market.chosen import NOTHING, n_state, n_values
from market.contracts import FIRST_MS
from market.extremes import EXTREMES
from market.latest import AROUND, BEFORE, LATEST, TICK, Prices
from market.memory import Newest, StoredRows
from market.series import SeriesKey
from spark_jobs.database import chosen, copied
from spark_jobs.database.columns import BAR_COLUMNS, TOPIC_NAMES

SERIES_AT_ONCE = 256
MAY_BE_NULL = ("volume", "quoted_high", "quoted_low")

# BAR field → column of core.bars.
_STORED = {
    "ts": "ts",
    "end": "bar_end",
    "event_ms": "event_time",
    "received_ms": "received_at",
    "closed": "is_closed",
    "final": "is_final",
}
_COMPUTED = ("session_open", "input_topic", "input_partition", "input_first", "input_last")
_BAR_FIELDS = {name: _STORED.get(name, name) for name in BAR.names or () if name not in _COMPUTED}
_LINEAGE = {
    # topic[partition]@first-last
    "input_topic": "(array_position(%(topics)s, split_part(inputs, '[', 1)) - 1)::int8",
    "input_partition": "split_part(split_part(inputs, '[', 2), ']', 1)::int8",
    "input_first": "split_part(split_part(inputs, '@', -1), '-', 1)::int8",
    "input_last": "split_part(inputs, '-', -1)::int8",
}
_BAR_TYPES = (
    {"number": "int4"}
    | {name: BAR_COLUMNS[column] for name, column in _BAR_FIELDS.items()}
    | dict.fromkeys(_LINEAGE, "int8")
)
_STATE = [f"state {name}" for name in indicators.STATE]
_INDICATOR_TYPES = {"number": "int4", "ts": "timestamptz"} | dict.fromkeys([*indicators.VALUES, *_STATE], "float8")


# Beside `ts`: what a window reads, and whether the row is whole in any case.
_WINDOW_FIELDS = {name: _STORED.get(name, name) for name in (*WINDOW, "final")}
_WINDOW_TYPES = {"number": "int4", "ts": "timestamptz"} | {
    name: BAR_COLUMNS[column] for name, column in _WINDOW_FIELDS.items()
}


def _or_nan(column: str) -> str:
    return f"coalesce({column}, 'NaN')"


def _bar_fields(fields: dict[str, str]) -> list[str]:
    return [_or_nan(f"t.{column}") if column in MAY_BE_NULL else f"t.{column}" for column in fields.values()]


# Newest first, the last series first: read backwards, it is in order, and no one has to sort it.
_NEWEST = """
    SELECT s.number::int4, {fields}
    FROM unnest(%(symbols)s, %(timeframes)s, %(sessions)s, %(before)s::timestamptz[], %(counts)s, %(numbers)s) AS s
        (symbol, timeframe, session, before, count, number),
    LATERAL (SELECT * FROM core.{table} t WHERE t.symbol = s.symbol AND t.timeframe = s.timeframe AND t.ts < s.before
             AND {more} ORDER BY t.ts DESC LIMIT s.count) AS t"""
BARS_BEFORE = _NEWEST.format(
    table="bars", more="t.session = s.session", fields=", ".join([*_bar_fields(_BAR_FIELDS), *_LINEAGE.values()])
)
WINDOWS_BEFORE = _NEWEST.format(
    table="bars", more="t.session = s.session", fields=", ".join(["t.ts", *_bar_fields(_WINDOW_FIELDS)])
)
# A state of another length is of another kernel: it is no state.
INDICATORS_BEFORE = _NEWEST.format(
    table="indicators",
    more="s.session = 'regular'",
    fields=", ".join(
        ["t.ts"]
        + [_or_nan(f"t.{name}") for name in indicators.VALUES]
        + [
            f"coalesce(CASE WHEN cardinality(t.state) = {indicators.N_STATE} THEN t.state[{k + 1}] END, 'NaN')"
            for k in range(indicators.N_STATE)
        ]
    ),
)
FIRST_SESSIONS = """
    SELECT (SELECT t.session_date - date '1970-01-01' FROM core.bars t
            WHERE t.symbol = s.symbol AND t.timeframe = s.timeframe AND t.session = s.session ORDER BY t.ts LIMIT 1)
    FROM unnest(%s, %s, %s) WITH ORDINALITY AS s (symbol, timeframe, session, number) ORDER BY s.number"""

START_AFTER = """
    SELECT (extract(epoch FROM ts) * 1000)::bigint FROM core.bars
    WHERE symbol = %s AND timeframe = %s AND session = %s AND ts >= %s ORDER BY ts OFFSET %s LIMIT 1"""


class Reader:
    """`market.memory.Stored` over a connection; reads its own transaction's rows."""

    def __init__(self, connection: Connection, instruments: dict[str, Instrument], chosen: Choices = NOTHING) -> None:
        self.connection = connection
        self.instruments = instruments
        self.chosen = chosen

    def rows_before(self, key: SeriesKey, ts_ms: int, count: int) -> StoredRows:
        [found] = self.rows_before_each([key], [ts_ms], [count])
        return found

    def rows_before_each(self, keys: list[SeriesKey], ts_ms: list[int], counts: list[int]) -> Iterator[StoredRows]:
        for at in chunks(len(keys)):
            rows, edges, states, values = self._whole(keys[at], ts_ms[at], [count + 1 for count in counts[at]])
            for first, last, count in zip(edges[:-1].tolist(), edges[1:].tolist(), counts[at], strict=True):
                kept = slice(max(first, last - count), last)
                yield rows[kept], states[kept], values[kept], last - first <= count

    def newest(self, keys: list[SeriesKey], count: int, whole: list[int]) -> Iterator[Newest]:
        for at in chunks(len(keys)):
            yield self.newest_of(keys[at], count, np.array(whole[at]))

    def first_sessions(self, keys: list[SeriesKey]) -> list[int | None]:
        with self.connection.cursor() as cursor:
            cursor.execute(FIRST_SESSIONS, [list(column) for column in zip(*keys, strict=True)])
            return [day for (day,) in cursor.fetchall()]

    def start_after(self, key: SeriesKey, from_ms: int, count: int) -> int | None:
        with self.connection.cursor() as cursor:
            cursor.execute(START_AFTER, (*key, _time(from_ms), count))
            row = cursor.fetchone()
            return None if row is None else int(row[0])

    def newest_of(self, keys: list[SeriesKey], count: int, whole: Ints) -> Newest:
        """`newest` of so few series that they are read at once."""
        never = [NEVER_MS] * len(keys)
        windows, edges = self._read(WINDOWS_BEFORE, keys, never, [count + 1] * len(keys), _WINDOW_TYPES)
        counts = np.minimum(np.diff(edges), count)
        # What waits to be final is whole, with all that comes after it.
        oldest = edges[1:] - np.minimum(whole, counts)
        waits = np.flatnonzero(~windows["final"])
        np.minimum.at(oldest, windows["number"][waits], waits)
        oldest = np.maximum(oldest, edges[1:] - counts)
        told, told_edges, states, values = self._whole(keys, never, (edges[1:] - oldest).tolist())
        kept = spread(edges[1:] - counts, counts)
        rows = np.zeros(len(kept), BAR)
        rows["closed"] = True
        for name in ("ts", *_WINDOW_FIELDS):
            rows[name] = windows[name][kept]
        bare = counts - np.diff(told_edges)
        at = spread(np.cumsum(counts) - counts + bare, counts - bare)
        if not np.array_equal(rows["ts"][at], told["ts"]):
            raise psycopg2.OperationalError("bars went away while they were read")
        as_raw(rows)[at] = as_raw(told)
        return Newest(keys, counts, bare, rows, states, values, np.diff(edges) <= count)

    def _whole(
        self, keys: list[SeriesKey], before_ms: list[int], counts: list[int]
    ) -> tuple[Rows, Ints, NDArray[np.float64], NDArray[np.float64]]:
        """The newest rows of each series, one series after another, oldest first: where each begins, states and values."""
        bars, edges = self._read(BARS_BEFORE, keys, before_ms, counts, _BAR_TYPES)
        # The bars of extended hours stand in the same table as the others and have no indicators: none may be missed.
        told, _ = self._read(INDICATORS_BEFORE, keys, before_ms, counts, _INDICATOR_TYPES)
        rows = np.zeros(len(bars), BAR)
        for name in (*_BAR_FIELDS, *_LINEAGE):
            rows[name] = bars[name]
        calendars = np.array([self.instruments[key.symbol].calendar for key in keys])[bars["number"]]
        for calendar in np.unique(calendars).tolist():
            mine = calendars == calendar
            rows["session_open"][mine] = sessions_of(calendar, rows["ts"][mine]).open_ms
        values = np.full((len(rows), n_values(self.chosen)), np.nan)
        states = np.full((len(rows), n_state(self.chosen)), np.nan)
        place = _places(told)
        index = np.searchsorted(place, _places(bars))
        has_told = index < len(told)
        has_told[has_told] = place[index[has_told]] == _places(bars)[has_told]
        at = index[has_told]
        for columns, names in ((values, indicators.VALUES), (states, _STATE)):
            for k, name in enumerate(names):
                columns[has_told, k] = told[name][at]
        if self.chosen:
            each = [slice(*pair) for pair in pairwise(edges.tolist())]
            with self.connection.cursor() as cursor:
                chosen.fill(
                    cursor, self.chosen, keys, [(rows[mine], states[mine], values[mine], True) for mine in each]
                )
        return rows, edges, states, values

    def _read(
        self, query: str, keys: list[SeriesKey], before_ms: list[int], counts: list[int], types: dict[str, str]
    ) -> tuple[NDArray[np.void], Ints]:
        """Rows by series (`number`) and then by `ts`, and where those of each series begin."""
        backwards = slice(None, None, -1)
        symbols, timeframes, sessions = (list(column)[backwards] for column in zip(*keys, strict=True))
        arguments = {
            "symbols": symbols,
            "timeframes": timeframes,
            "sessions": sessions,
            "before": [_time(ms) for ms in before_ms[backwards]],
            "counts": counts[backwards],
            "numbers": list(range(len(keys)))[backwards],
            "topics": TOPIC_NAMES.tolist(),
        }
        with self.connection.cursor() as cursor:
            found = copied.read(cursor, query, arguments, types)[backwards]
        places = _places(found)
        if (places[1:] <= places[:-1]).any():
            found = found[np.argsort(places)]  # the order that the plan gives is no promise
        return found, np.searchsorted(found["number"], np.arange(len(keys) + 1))


def chunks(count: int) -> Iterator[slice]:
    for start in range(0, count, SERIES_AT_ONCE):
        yield slice(start, start + SERIES_AT_ONCE)


def _places(found: NDArray[np.void]) -> Ints:
    """One number for (series, ts), in their order."""
    places: Ints = (found["number"].astype(np.int64) << 44) + found["ts"]  # 2**43 ms are the years to 2248
    return places


def _time(ms: int) -> str:
    return "infinity" if ms == NEVER_MS else np.datetime64(ms, "ms").item().isoformat() + "Z"


def read_instruments(connection: Connection) -> dict[str, Instrument]:
    """The instruments that the provider knows; others have no calendar yet and their records are refused."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT symbol, calendar, price_precision, has_volume FROM core.instruments WHERE state = 'ok'")
        return {row[0]: Instrument(*row) for row in cursor.fetchall()}


_LATEST = {
    "price": "price",
    "is_ext": "session = 'ext'",
    "session_date": "session_date - date '1970-01-01'",
    **{name: f"coalesce({name}, 'NaN')" for name in AROUND.names or ()},
    **{name: f"coalesce({name}, 0)" for name in (*TICK, *BEFORE, *(EXTREMES.names or ()))},
    "quoted_date": "coalesce(quoted_date - date '1970-01-01', 0)",
    "event_ms": "(extract(epoch FROM event_time) * 1000)::bigint",
    "received_ms": "(extract(epoch FROM received_at) * 1000)::bigint",
}
LATEST_PRICES = f"SELECT symbol, {', '.join(_LATEST[name] for name in LATEST.names or ())} FROM core.latest"  # noqa: S608


def read_latest(connection: Connection, instruments: dict[str, Instrument]) -> Prices:
    with connection.cursor() as cursor:
        cursor.execute(LATEST_PRICES)
        found = [row for row in cursor.fetchall() if row[0] in instruments]
    return Prices([row[0] for row in found], np.array([row[1:] for row in found], LATEST))


def read_written_from(connection: Connection) -> int:
    """From when on bars have a partition, milliseconds since the epoch."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT (extract(epoch FROM nullif(core.written_from(), '-infinity')) * 1000)::bigint")
        [(from_ms,)] = cursor.fetchall()
    return FIRST_MS if from_ms is None else int(from_ms)

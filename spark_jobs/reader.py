"""Bars, indicators and instruments read back from PostgreSQL, as the fold keeps them."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from psycopg2.extensions import connection as Connection

from market import indicators
from market.arena import NEVER_MS
from market.bars import BAR, Rows
from market.batches import Instrument
from market.calendars import sessions_of
from market.choices import Choices
from market.chosen import NOTHING, n_state, n_values
from market.contracts import FIRST_MS
from market.latest import AROUND, LATEST, Prices
from market.memory import StoredRows
from market.series import SeriesKey
from spark_jobs import chosen, copied
from spark_jobs.columns import BAR_COLUMNS, TOPIC_NAMES

SERIES_AT_ONCE = 256

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


def _or_nan(column: str) -> str:
    return f"coalesce({column}, 'NaN')"


_NEWEST = """
    SELECT s.number::int4, {fields} FROM unnest(%(symbols)s, %(timeframes)s, %(sessions)s) WITH ORDINALITY AS s
        (symbol, timeframe, session, number),
    LATERAL (SELECT * FROM core.{table} t WHERE t.symbol = s.symbol AND t.timeframe = s.timeframe AND t.ts < %(before)s
             AND {more} ORDER BY t.ts DESC LIMIT %(count)s) AS t
    ORDER BY s.number, t.ts"""
BARS_BEFORE = _NEWEST.format(
    table="bars",
    more="t.session = s.session",
    fields=", ".join(
        [_or_nan("t.volume") if column == "volume" else f"t.{column}" for column in _BAR_FIELDS.values()]
        + list(_LINEAGE.values())
    ),
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
FIRST_SESSION = """
    SELECT session_date - date '1970-01-01' FROM core.bars
    WHERE symbol = %s AND timeframe = %s AND session = %s ORDER BY ts LIMIT 1"""


class Reader:
    """`market.memory.Stored` over a connection; reads its own transaction's rows."""

    def __init__(self, connection: Connection, instruments: dict[str, Instrument], chosen: Choices = NOTHING) -> None:
        self.connection = connection
        self.instruments = instruments
        self.chosen = chosen

    def rows_before(self, key: SeriesKey, ts_ms: int, count: int) -> StoredRows:
        [(_, found)] = self._read([key], ts_ms, count)
        return found

    def newest(self, keys: list[SeriesKey], count: int) -> Iterator[tuple[SeriesKey, StoredRows]]:
        for start in range(0, len(keys), SERIES_AT_ONCE):
            yield from self._read(keys[start : start + SERIES_AT_ONCE], NEVER_MS, count)

    def first_session(self, key: SeriesKey) -> int | None:
        with self.connection.cursor() as cursor:
            cursor.execute(FIRST_SESSION, key)
            row = cursor.fetchone()
        return row[0] if row else None

    def _read(self, keys: list[SeriesKey], ts_ms: int, count: int) -> Iterator[tuple[SeriesKey, StoredRows]]:
        symbols, timeframes, sessions = (list(column) for column in zip(*keys, strict=True))
        arguments = {
            "symbols": symbols,
            "timeframes": timeframes,
            "sessions": sessions,
            "before": "infinity" if ts_ms == NEVER_MS else np.datetime64(ts_ms, "ms").item().isoformat() + "Z",
            "count": count + 1,
            "topics": TOPIC_NAMES.tolist(),
        }
        with self.connection.cursor() as cursor:
            bars = copied.read(cursor, BARS_BEFORE, arguments, _BAR_TYPES)
            # The bars of extended hours stand in the same table as the others and have no indicators: none may be missed.
            values = copied.read(cursor, INDICATORS_BEFORE, arguments, _INDICATOR_TYPES)
        numbers = np.arange(1, len(keys) + 1)
        of_bars = np.searchsorted(bars["number"], [numbers, numbers + 1])
        of_values = np.searchsorted(values["number"], [numbers, numbers + 1])
        found: list[StoredRows] = []
        for key, (a, b), (c, d) in zip(keys, of_bars.T.tolist(), of_values.T.tolist(), strict=True):
            is_all = b - a <= count
            mine = bars[a if is_all else a + 1 : b]
            found.append(self._rows(key, mine, values[c:d], is_all=is_all))
        if self.chosen:
            with self.connection.cursor() as cursor:
                chosen.fill(cursor, self.chosen, keys, found)
        yield from zip(keys, found, strict=True)

    def _rows(self, key: SeriesKey, bars: Rows, told: NDArray[np.void], *, is_all: bool) -> StoredRows:
        rows = np.zeros(len(bars), BAR)
        for name in (*_BAR_FIELDS, *_LINEAGE):
            rows[name] = bars[name]
        values = np.full((len(rows), n_values(self.chosen)), np.nan)
        states = np.full((len(rows), n_state(self.chosen)), np.nan)
        if len(rows):
            rows["session_open"] = sessions_of(self.instruments[key.symbol].calendar, rows["ts"]).open_ms
            index = np.searchsorted(told["ts"], rows["ts"])
            there = index < len(told)
            there[there] = told["ts"][index[there]] == rows["ts"][there]
            for columns, names in ((values, indicators.VALUES), (states, _STATE)):
                for k, name in enumerate(names):
                    columns[there, k] = told[name][index[there]]
        return rows, states, values, is_all


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

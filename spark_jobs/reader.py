"""Bars, indicators and instruments read back from PostgreSQL, as the fold keeps them."""

import re
from typing import Any

import numpy as np
from numpy.typing import NDArray
from psycopg2.extensions import connection as Connection

from market import indicators
from market.arena import NEVER_MS
from market.bars import BAR, Rows
from market.batches import Instrument
from market.calendars import sessions_of
from market.latest import LATEST, Prices
from market.series import SeriesKey
from spark_jobs.columns import TOPIC_NAMES

_TOPIC_CODES = {str(name): code for code, name in enumerate(TOPIC_NAMES)}
_LINEAGE = re.compile(r"(.*)\[(\d+)\]@(\d+)-(\d+)")
_MS = "(extract(epoch FROM {}) * 1000)::bigint"

# BAR field → the SQL that gives it.
_FIELDS = {
    "ts": _MS.format("b.ts"),
    "end": _MS.format("b.bar_end"),
    "session_date": "b.session_date - date '1970-01-01'",
    **{name: f"b.{name}" for name in ("open", "high", "low", "close")},
    "volume": "coalesce(b.volume, 'NaN')",
    **{
        name: f"b.{name}"
        for name in (
            "ticks",
            "origin",
            "provider_ms",
            "first_ms",
            "first_volume",
            "last_ms",
            "last_volume",
            "day_volume",
            "revision",
        )
    },
    "event_ms": _MS.format("b.event_time"),
    "received_ms": _MS.format("b.received_at"),
    "closed": "b.is_closed",
    "final": "b.is_final",
}
_VALUES = ", ".join(f"coalesce(i.{name}, 'NaN')" for name in indicators.VALUES)
ROWS_BEFORE = f"""
    SELECT {", ".join(_FIELDS.values())}, b.inputs, {_VALUES}, i.state
    FROM core.bars b LEFT JOIN core.indicators i ON i.symbol = b.symbol AND i.timeframe = b.timeframe AND i.ts = b.ts
    WHERE b.symbol = %s AND b.timeframe = %s AND b.session = %s AND b.ts < %s
    ORDER BY b.ts DESC LIMIT %s"""  # noqa: S608
FIRST_SESSION = """
    SELECT session_date - date '1970-01-01' FROM core.bars
    WHERE symbol = %s AND timeframe = %s AND session = %s ORDER BY ts LIMIT 1"""


class Reader:
    """`market.memory.Stored` over a connection; reads its own transaction's rows."""

    def __init__(self, connection: Connection, instruments: dict[str, Instrument]) -> None:
        self.connection = connection
        self.instruments = instruments

    def rows_before(
        self, key: SeriesKey, ts_ms: int, count: int
    ) -> tuple[Rows, NDArray[np.float64], NDArray[np.float64], bool]:
        with self.connection.cursor() as cursor:
            before = "infinity" if ts_ms == NEVER_MS else np.datetime64(ts_ms, "ms").item().isoformat() + "Z"
            cursor.execute(ROWS_BEFORE, (*key, before, count + 1))
            found = cursor.fetchall()
        is_all = len(found) <= count
        found = found[:count][::-1]
        rows = np.zeros(len(found), BAR)
        columns: list[tuple[Any, ...]] = list(zip(*found, strict=True)) if found else []
        for k, name in enumerate(_FIELDS):
            if found:
                rows[name] = columns[k]
        values = np.full((len(found), indicators.N_VALUES), np.nan)
        states = np.full((len(found), indicators.N_STATE), np.nan)
        if found:
            _read_lineage(rows, columns[len(_FIELDS)])
            first = len(_FIELDS) + 1
            values[:] = np.array(columns[first : first + indicators.N_VALUES], float).T
            for k, state in enumerate(columns[-1]):
                if state is not None and len(state) == indicators.N_STATE:
                    states[k] = state
            rows["session_open"] = sessions_of(self.instruments[key.symbol].calendar, rows["ts"]).open_ms
        return rows, states, values, is_all

    def first_session(self, key: SeriesKey) -> int | None:
        with self.connection.cursor() as cursor:
            cursor.execute(FIRST_SESSION, key)
            row = cursor.fetchone()
        return row[0] if row else None


def _read_lineage(rows: Rows, inputs: tuple[str, ...]) -> None:
    for k, text in enumerate(inputs):
        match = _LINEAGE.fullmatch(text)
        if match:
            topic, partition, first, last = match.groups()
            rows["input_topic"][k] = _TOPIC_CODES[topic]
            rows["input_partition"][k], rows["input_first"][k], rows["input_last"][k] = partition, first, last


def read_instruments(connection: Connection) -> dict[str, Instrument]:
    """The instruments that the provider knows; others have no calendar yet and their records are refused."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT symbol, calendar, price_precision, has_volume FROM core.instruments WHERE state = 'ok'")
        return {row[0]: Instrument(*row) for row in cursor.fetchall()}


def read_latest(connection: Connection, instruments: dict[str, Instrument]) -> Prices:
    query = f"""
        SELECT symbol, price, session = 'ext', session_date - date '1970-01-01', coalesce(previous_close, 'NaN'),
               coalesce(day_high, 'NaN'), coalesce(day_low, 'NaN'), coalesce(day_volume, 'NaN'),
               {_MS.format("event_time")}, {_MS.format("received_at")}
        FROM core.latest"""  # noqa: S608
    with connection.cursor() as cursor:
        cursor.execute(query)
        found = [row for row in cursor.fetchall() if row[0] in instruments]
    return Prices([row[0] for row in found], np.array([row[1:] for row in found], LATEST))

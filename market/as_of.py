"""Indicators as of a time, in the two modes of `v1.bars_as_of`.

`seen` is what the tables said at a time. Stored values stand as long as every bar up to theirs was seen as it stands today; from
the first bar on that was revised or backfilled later, the kernel runs over the bars that were seen, from the state stored before
it. `event` is what was true by event time, and is stored.

The cursor is the caller's (any driver with `%(name)s` parameters) and needs to read schema `v1` alone. Each question about bars is
one statement, so that a commit of the stream cannot fall between two halves of an answer.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from market import indicators
from market.frames import annual_bars

Mode = Literal["seen", "event"]

_VALUES = ", ".join(f"coalesce(i.{name}, 'NaN')" for name in indicators.VALUES)
_TS_MS = "(extract(epoch FROM b.ts) * 1000)::bigint"

_INSTRUMENT = "SELECT calendar, price_precision FROM v1.instruments WHERE symbol = %(symbol)s AND calendar IS NOT NULL"

_EVENT = f"""
    SELECT {_TS_MS}, {_VALUES}
    FROM v1.bars_as_of(%(symbol)s, %(timeframe)s, %(at)s, 'event') b
    LEFT JOIN v1.indicators i ON i.symbol = b.symbol AND i.timeframe = b.timeframe AND i.ts = b.ts
    WHERE b.session = 'regular'
    ORDER BY b.ts DESC LIMIT %(count)s"""  # noqa: S608

# `differing` is the oldest bar that was not seen as it stands now, `anchor` the newest stored state before it, and `reach` the
# oldest bar to read: the count asked for, or the kernel's window before the anchor; without an anchor the whole series.
_SEEN = f"""
    WITH differing AS MATERIALIZED (
        SELECT coalesce(min(b.ts), 'infinity') AS ts FROM v1.bars b
        WHERE b.symbol = %(symbol)s AND b.timeframe = %(timeframe)s AND b.session = 'regular' AND b.ts <= %(at)s
          AND NOT (b.is_closed AND b.updated_at <= (SELECT v1.seen_through(%(at)s)))
    ), anchor AS MATERIALIZED (
        SELECT s.ts, s.state FROM v1.indicator_states s
        WHERE s.symbol = %(symbol)s AND s.timeframe = %(timeframe)s AND s.ts < (SELECT ts FROM differing) AND s.ts <= %(at)s
          AND cardinality(s.state) = %(slots)s
        ORDER BY s.ts DESC LIMIT 1
    ), reach AS MATERIALIZED (
        SELECT CASE WHEN EXISTS (SELECT FROM anchor) THEN least(
            (SELECT min(n.ts) FROM (
                SELECT b.ts FROM v1.bars_as_of(%(symbol)s, %(timeframe)s, %(at)s, 'seen') b WHERE b.session = 'regular'
                ORDER BY b.ts DESC LIMIT %(count)s) n),
            (SELECT min(n.ts) FROM (
                SELECT b.ts FROM v1.bars b
                WHERE b.symbol = %(symbol)s AND b.timeframe = %(timeframe)s AND b.session = 'regular'
                  AND b.ts <= (SELECT ts FROM anchor)
                ORDER BY b.ts DESC LIMIT %(lookback)s) n)
        ) ELSE '-infinity' END AS ts
    )
    SELECT {_TS_MS}, b.high, b.low, b.close, coalesce(b.volume, 'NaN'), b.session_date - date '1970-01-01',
           b.ts <= (SELECT ts FROM anchor), a.state, {_VALUES}
    FROM v1.bars_as_of(%(symbol)s, %(timeframe)s, %(at)s, 'seen') b
    LEFT JOIN v1.indicators i ON i.symbol = b.symbol AND i.timeframe = b.timeframe AND i.ts = b.ts
    LEFT JOIN anchor a ON a.ts = b.ts
    WHERE b.session = 'regular' AND b.ts >= (SELECT ts FROM reach)
    ORDER BY b.ts"""  # noqa: S608
_BAR_COLUMNS = 8  # before the values


class Cursor(Protocol):
    """What is used of a DB-API cursor."""

    def execute(self, query: str, parameters: dict[str, Any], /) -> Any: ...

    def fetchall(self) -> Sequence[tuple[Any, ...]]: ...


@dataclass(frozen=True, slots=True)
class IndicatorsAsOf:
    """Values of closed bars, oldest first; rows as `ts_ms` (starts, milliseconds since the epoch), columns as `indicators.VALUES`.

    `computed` says which rows the kernel gave; the others are as stored.
    """

    mode: Mode
    at: datetime
    ts_ms: NDArray[np.int64]
    values: NDArray[np.float64]
    computed: NDArray[np.bool_]

    def value(self, name: str) -> NDArray[np.float64]:
        """One indicator; NaN before warm-up."""
        column: NDArray[np.float64] = self.values[:, indicators.VALUES.index(name)]
        return column


def indicators_as_of(
    cursor: Cursor, symbol: str, timeframe: str, at: datetime, mode: Mode, count: int = 300
) -> IndicatorsAsOf:
    """The indicators of the newest `count` closed bars of the regular session, as of `at`.

    Raises `LookupError` where the symbol has no calendar yet, `ValueError` for a time without a zone.
    """
    if at.tzinfo is None:
        raise ValueError("as of which zone's time?")
    asked = {"symbol": symbol, "timeframe": timeframe, "at": at, "count": count}
    if mode == "event":
        cursor.execute(_EVENT, asked)
        rows = cursor.fetchall()[::-1]
        table = np.array(rows, float).reshape(len(rows), 1 + indicators.N_VALUES)
        return IndicatorsAsOf(mode, at, table[:, 0].astype(np.int64), table[:, 1:], np.zeros(len(rows), bool))
    cursor.execute(_INSTRUMENT, asked)
    known = cursor.fetchall()
    if not known:
        raise LookupError(f"{symbol} has no calendar")
    calendar, price_precision = known[0]
    cursor.execute(_SEEN, asked | {"slots": indicators.N_STATE, "lookback": indicators.LOOKBACK})
    rows = cursor.fetchall()
    ts_ms, values, computed = _go_on(rows, 10.0**price_precision, annual_bars(calendar, timeframe))
    return IndicatorsAsOf(mode, at, ts_ms[-count:], values[-count:], computed[-count:])


def _go_on(
    rows: Sequence[tuple[Any, ...]], scale: float, annual: float
) -> tuple[NDArray[np.int64], NDArray[np.float64], NDArray[np.bool_]]:
    """(starts, values, whether computed): as stored up to the anchor, by the kernel after it."""
    bars = np.array([row[:6] for row in rows], float).reshape(len(rows), 6)
    values = np.array([row[_BAR_COLUMNS:] for row in rows], float).reshape(len(rows), indicators.N_VALUES)
    is_stored = np.array([bool(row[6]) for row in rows], bool)
    start = int(is_stored.sum())
    before = np.array(rows[start - 1][7], float) if start else indicators.EMPTY_STATE
    _, high, low, close, volume, session_date = np.ascontiguousarray(bars.T)
    days = session_date.astype(np.int64)
    states = np.zeros((len(rows), indicators.N_STATE))
    indicators.advance(
        high, low, close, volume, days, start, len(rows), before, scale, annual, states, values
    )  # fmt: skip
    return bars[:, 0].astype(np.int64), values, ~is_stored

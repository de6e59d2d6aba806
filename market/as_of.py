"""Indicators as of a time, in the two modes of `v1.bars_as_of`.

`seen` is what the tables said at a time. Stored values stand as long as every bar up to theirs was seen as it stands today; from
the first bar on that was revised or backfilled later, the kernels run over the bars that were seen, from the state stored before
it, and over the splits that were known. `event` is what was true by event time, and is stored.

The cursor is the caller's (any driver with `%(name)s` parameters) and needs to read schema `v1` alone. Each question about bars is
one statement, so that a commit of the stream cannot fall between two halves of an answer.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from market import choices, indicators, stepping
from market.actions import Split, Splits, Told
from market.arena import SERIES
from market.bars import empty_rows
from market.choices import Choices
from market.chosen import n_state, n_values
from market.frames import annual_bars

Mode = Literal["seen", "event"]

_VALUES = ", ".join(f"coalesce(i.{name}, 'NaN')" for name in indicators.VALUES)
_TS_MS = "(extract(epoch FROM b.ts) * 1000)::bigint"

_INSTRUMENT = "SELECT calendar, price_precision FROM v1.instruments WHERE symbol = %(symbol)s AND calendar IS NOT NULL"

_CHOICES = "SELECT timeframe, kind, params FROM v1.indicator_choices WHERE timeframe = %(timeframe)s AND is_complete"

_SPLITS = """
    SELECT ex_date - date '1970-01-01', value FROM v1.corporate_actions_as_of(%(symbol)s, %(at)s, 'seen') WHERE action = 'split'"""

# The chosen indicators of a bar `b`, in the order of their columns.
_CHOSEN_VALUES = """
    (SELECT array_agg(coalesce(v.value, 'NaN') ORDER BY c.slot)
     FROM unnest(%(names)s::text[], %(params)s::text[]) WITH ORDINALITY AS c (name, params, slot)
     LEFT JOIN v1.indicator_values v
       ON v.symbol = b.symbol AND v.timeframe = b.timeframe AND v.ts = b.ts AND v.name = c.name AND v.params = c.params)"""

_EVENT = f"""
    SELECT {_TS_MS}, coalesce(i.is_recomputing, false), {_CHOSEN_VALUES}, {_VALUES}
    FROM v1.bars_as_of(%(symbol)s, %(timeframe)s, %(at)s, 'event') b
    LEFT JOIN v1.indicators i ON i.symbol = b.symbol AND i.timeframe = b.timeframe AND i.ts = b.ts
    WHERE b.session = 'regular'
    ORDER BY b.ts DESC LIMIT %(count)s"""  # noqa: S608

# `resplit` is the oldest ex-date of a split that was not known as it is now, `differing` the oldest bar that was not seen as it
# stands now, whose indicators such a split moved, or whose values are being recomputed; `anchor` is the newest stored state
# before it (the kernel's and, one after another, those of all choices), and `reach` the oldest bar to read: the count asked for,
# or the kernel's window before the anchor; without an anchor the whole series.
_SEEN = f"""
    WITH resplit AS MATERIALIZED (
        SELECT min(coalesce(n.ex_date, o.ex_date)) AS ex_date
        FROM (SELECT ex_date, value FROM v1.corporate_actions WHERE symbol = %(symbol)s AND action = 'split') n
        FULL JOIN (SELECT ex_date, value FROM v1.corporate_actions_as_of(%(symbol)s, %(at)s, 'seen') WHERE action = 'split') o
            USING (ex_date)
        WHERE n.value IS DISTINCT FROM o.value
    ), differing AS MATERIALIZED (
        SELECT least(
            (SELECT min(b.ts) FROM v1.bars b
             WHERE b.symbol = %(symbol)s AND b.timeframe = %(timeframe)s AND b.session = 'regular' AND b.ts <= %(at)s
               AND NOT (b.is_closed AND b.updated_at <= (SELECT v1.seen_through(%(at)s)))),
            (SELECT min(b.ts) FROM v1.bars b
             WHERE b.symbol = %(symbol)s AND b.timeframe = %(timeframe)s AND b.session = 'regular' AND b.ts <= %(at)s
               AND b.session_date >= (SELECT ex_date FROM resplit)
               AND b.ts >= ((SELECT ex_date FROM resplit) - 1)::timestamp AT TIME ZONE 'UTC'),
            (SELECT q.from_ts FROM v1.recomputations q WHERE q.symbol = %(symbol)s AND q.timeframe = %(timeframe)s),
            'infinity') AS ts
    ), anchor AS MATERIALIZED (
        SELECT s.ts, s.state || c.state AS state FROM v1.indicator_states s
        CROSS JOIN LATERAL (
            SELECT coalesce(array_agg(n.number ORDER BY k.slot, n.place), '{{}}') AS state
            FROM unnest(%(state_names)s::text[], %(state_params)s::text[]) WITH ORDINALITY AS k (name, params, slot)
            JOIN v1.indicator_value_states v
              ON v.symbol = s.symbol AND v.timeframe = s.timeframe AND v.ts = s.ts AND v.name = k.name AND v.params = k.params
            CROSS JOIN LATERAL unnest(v.state) WITH ORDINALITY AS n (number, place)
        ) c
        WHERE s.symbol = %(symbol)s AND s.timeframe = %(timeframe)s AND s.ts < (SELECT ts FROM differing) AND s.ts <= %(at)s
          AND cardinality(s.state) = %(slots)s AND cardinality(c.state) = %(chosen_slots)s
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
           b.ts <= (SELECT ts FROM anchor), a.state, {_CHOSEN_VALUES}, {_VALUES}
    FROM v1.bars_as_of(%(symbol)s, %(timeframe)s, %(at)s, 'seen') b
    LEFT JOIN v1.indicators i ON i.symbol = b.symbol AND i.timeframe = b.timeframe AND i.ts = b.ts
    LEFT JOIN anchor a ON a.ts = b.ts
    WHERE b.session = 'regular' AND b.ts >= (SELECT ts FROM reach)
    ORDER BY b.ts"""  # noqa: S608
_BAR_FIELDS = ("ts", "high", "low", "close", "volume", "session_date")
_IS_STORED, _STATE, _CHOSEN = 6, 7, 8  # places in a row of _SEEN


class Cursor(Protocol):
    """What is used of a DB-API cursor."""

    def execute(self, query: str, parameters: dict[str, Any], /) -> Any: ...

    def fetchall(self) -> Sequence[tuple[Any, ...]]: ...


@dataclass(frozen=True, slots=True)
class IndicatorsAsOf:
    """Values of closed bars, oldest first; rows as `ts_ms` (starts, milliseconds since the epoch), columns as `columns` names them.

    `computed` says which rows the kernels gave; the others are as stored. `recomputing` says which of these still follow from bars
    as they were before a correction of older sessions (`v1.recomputations`): in mode `event` alone. `chosen` are the indicators
    that a user has added to the timeframe: those whose history is complete now, whether or not they were chosen at that time.
    """

    mode: Mode
    at: datetime
    ts_ms: NDArray[np.int64]
    values: NDArray[np.float64]
    computed: NDArray[np.bool_]
    recomputing: NDArray[np.bool_]
    chosen: Choices

    @property
    def columns(self) -> list[tuple[str, str]]:
        """(name, params) of each column: the kernel's own have no params."""
        return [(name, "") for name in indicators.VALUES] + _columns(self.chosen)

    def value(self, name: str, params: str = "") -> NDArray[np.float64]:
        """One indicator, one that a user has added by its parameters as `v1.indicator_values` has them; NaN before warm-up.

        Raises `ValueError` where there is none of this name and parameters.
        """
        column: NDArray[np.float64] = self.values[:, self.columns.index((name, params))]
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
    cursor.execute(_CHOICES, asked)
    chosen = choices.stored(cursor.fetchall())
    asked |= dict(zip(("names", "params"), _parallel(_columns(chosen)), strict=True))
    if mode == "event":
        cursor.execute(_EVENT, asked)
        rows = cursor.fetchall()[::-1]
        ts_ms = np.array([row[0] for row in rows], np.int64)
        none, recomputing = np.zeros(len(rows), bool), np.array([row[1] for row in rows], bool)
        return IndicatorsAsOf(mode, at, ts_ms, _stored_values(rows, 2, chosen), none, recomputing, chosen)
    cursor.execute(_INSTRUMENT, asked)
    known = cursor.fetchall()
    if not known:
        raise LookupError(f"{symbol} has no calendar")
    calendar, price_precision = known[0]
    cursor.execute(_SPLITS, asked)
    splits = Splits()
    splits.learn(Split(symbol, day, Told(1, ratio)) for day, ratio in cursor.fetchall())
    with_state = [(choice.names[0], choice.params) for choice in chosen.all if choice.n_state]
    asked |= dict(zip(("state_names", "state_params"), _parallel(with_state), strict=True))
    asked |= {"slots": indicators.N_STATE, "chosen_slots": chosen.n_state, "lookback": indicators.LOOKBACK}
    cursor.execute(_SEEN, asked)
    rows = cursor.fetchall()
    line = np.zeros(1, SERIES)
    line["frame"] = choices.FRAME_NUMBERS[timeframe]
    line["scale"], line["annual_bars"] = 10.0**price_precision, annual_bars(calendar, timeframe)
    ts_ms, values, computed = _go_on(rows, line, chosen, splits, symbol)
    told = slice(-count, None)
    return IndicatorsAsOf(mode, at, ts_ms[told], values[told], computed[told], np.zeros_like(computed[told]), chosen)


def _columns(chosen: Choices) -> list[tuple[str, str]]:
    """(name, params) of the chosen columns; all choices are of one timeframe, and so their columns follow one another."""
    return [(name, choice.params) for choice in chosen.all for name in choice.names]


def _parallel(pairs: list[tuple[str, str]]) -> tuple[list[str], list[str]]:
    return [name for name, _ in pairs], [params for _, params in pairs]


def _stored_values(rows: Sequence[tuple[Any, ...]], at: int, chosen: Choices) -> NDArray[np.float64]:
    """The columns of rows that have the chosen values as an array at place `at`, and the kernel's after it."""
    table = [(*row[at + 1 :], *(row[at] or ())) for row in rows]
    return np.array(table, float).reshape(len(rows), n_values(chosen))


def _go_on(
    rows: Sequence[tuple[Any, ...]], line: NDArray[np.void], chosen: Choices, splits: Splits, symbol: str
) -> tuple[NDArray[np.int64], NDArray[np.float64], NDArray[np.bool_]]:
    """(starts, values, whether computed): as stored up to the anchor, by the kernels after it."""
    bars, values = empty_rows(len(rows)), _stored_values(rows, _CHOSEN, chosen)
    for place, name in enumerate(_BAR_FIELDS):
        bars[name] = [row[place] for row in rows]
    is_stored = np.array([bool(row[_IS_STORED]) for row in rows], bool)
    start = int(is_stored.sum())
    states = np.zeros((len(rows), n_state(chosen)))
    if start:
        states[start - 1] = rows[start - 1][_STATE]
    if start < len(rows):
        stepping.advance_over(chosen, bars, line, start, len(rows), states, values, splits, symbol)
    return bars["ts"], values, ~is_stored

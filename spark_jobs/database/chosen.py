"""Chosen indicators (market/choices.py) in PostgreSQL: a row a bar, name and parameters, with the state beside its first name."""

from collections.abc import Iterable

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from psycopg2.extensions import cursor as Cursor

from market import indicators
from market.batches import BarChanges
from market.choices import Choices
from market.memory import StoredRows
from market.series import SeriesKey
from spark_jobs.database import copied, statements
from spark_jobs.database.columns import copy_bytes, nullable, record_batch, schema_of, timestamps

COLUMNS = {
    "symbol": "text",
    "timeframe": "text",
    "ts": "timestamptz",
    "name": "text",
    "params": "text",
    "value": "float8",
    "revision": "int4",
    "is_final": "bool",
    "state": "float8[]",
}
KEY = ("symbol", "timeframe", "ts", "name", "params")
STAGE = "stage_chosen"
CREATE_STAGE = (
    f"CREATE TEMP TABLE {STAGE} ({', '.join(f'{name} {kind}' for name, kind in COLUMNS.items())}) ON COMMIT DELETE ROWS"
)
EMPTY_STAGE = f"TRUNCATE pg_temp.{STAGE}"
UPSERT = f"""
    INSERT INTO core.indicator_values ({", ".join(COLUMNS)})
    SELECT {", ".join(COLUMNS)} FROM pg_temp.{STAGE}
    ON CONFLICT ({", ".join(KEY)}) DO UPDATE SET
        {", ".join(f"{name} = excluded.{name}" for name in COLUMNS if name not in KEY)}"""  # noqa: S608

MOST_STATE = 3
_STATE = [f"state {k + 1}" for k in range(MOST_STATE)]
# Every value of some choices between the first and the last bar of each series; `slot` is the column of the value.
STORED = f"""
    SELECT s.number::int4, v.ts, c.choice::int4, c.slot::int4, coalesce(v.value, 'NaN'),
           {", ".join(f"coalesce(v.state[{k + 1}], 'NaN')" for k in range(MOST_STATE))}
    FROM unnest(%(symbols)s, %(timeframes)s, %(first)s::timestamptz[], %(last)s::timestamptz[], %(numbers)s)
        AS s (symbol, timeframe, first, last, number)
    CROSS JOIN LATERAL (
        SELECT ts, name, params, value, state FROM core.indicator_values v
        WHERE v.symbol = s.symbol AND v.timeframe = s.timeframe AND v.ts BETWEEN s.first AND s.last
    ) v
    JOIN unnest(%(of)s, %(names)s, %(params)s, %(choices)s, %(slots)s) AS c (timeframe, name, params, choice, slot)
        ON c.timeframe = s.timeframe AND c.name = v.name AND c.params = v.params"""  # noqa: S608
_STORED_TYPES = {"number": "int4", "ts": "timestamptz", "choice": "int4", "slot": "int4"} | dict.fromkeys(
    ["value", *_STATE], "float8"
)


def write(cursor: Cursor, changes: BarChanges, chosen: Choices, numbers: Iterable[int]) -> None:
    """The values of some choices for changed bars, in the caller's transaction."""
    rows = staged(changes, chosen, numbers)
    if rows.num_rows:
        cursor.copy_expert(statements.COPY_STAGE.format(STAGE), copy_bytes(rows))
        cursor.execute(UPSERT)


def staged(changes: BarChanges, chosen: Choices, numbers: Iterable[int]) -> pa.RecordBatch:
    """As they are staged: choice by choice, name by name; NaN becomes NULL, a forming bar has no state."""
    schema, wanted = schema_of(COLUMNS), set(numbers)
    if not wanted or not len(changes):
        return _no_rows(schema)
    used, which = np.unique(changes.which, return_inverse=True)
    keys = [changes.keys[number] for number in used.tolist()]
    symbols = pa.array([key.symbol for key in keys])
    timeframes = np.array([key.timeframe if key.session == "regular" else "" for key in keys])[which]
    parts = []
    for timeframe in dict.fromkeys(chosen.all[number].timeframe for number in sorted(wanted)):
        mine = np.flatnonzero(timeframes == timeframe)
        if not len(mine):
            continue
        rows, of = changes.rows[mine], symbols.take(pa.array(which[mine]))
        told = {
            "symbol": of,
            "timeframe": pa.repeat(timeframe, len(mine)),
            "ts": timestamps(rows["ts"]),
            "revision": pa.array(rows["revision"]),
            "is_final": pa.array(rows["final"]),
        }
        for number, choice in chosen.of(timeframe):
            if number not in wanted:
                continue
            s, v = indicators.N_STATE + chosen.state_at[number], indicators.N_VALUES + chosen.value_at[number]
            for k, name in enumerate(choice.names):
                columns = told | {
                    "name": pa.repeat(name, len(mine)),
                    "params": pa.repeat(choice.params, len(mine)),
                    "value": nullable(changes.values[mine, v + k]),
                    "state": _states(changes.states[mine, s : s + choice.n_state], rows["closed"] & (k == 0)),
                }
                parts.append(record_batch(columns, schema))
    return pa.concat_batches(parts) if parts else _no_rows(schema)


def fill(
    cursor: Cursor,
    chosen: Choices,
    keys: list[SeriesKey],
    read: list[StoredRows],
) -> None:
    """Puts what is stored of the choices into the states and values of bars that were read, series by series."""
    frames = {choice.timeframe for choice in chosen.all}
    bars = [rows["ts"] for rows, *_ in read]
    wanted = [k for k, key in enumerate(keys) if key.session == "regular" and key.timeframe in frames and len(bars[k])]
    if not wanted:
        return
    names = [
        (choice.timeframe, name, choice.params, number, int(chosen.value_at[number]) + k)
        for number, choice in enumerate(chosen.all)
        for k, name in enumerate(choice.names)
    ]
    arguments = dict(
        zip(("of", "names", "params", "choices", "slots"), map(list, zip(*names, strict=True)), strict=True)
    )
    arguments |= {
        "symbols": [keys[k].symbol for k in wanted],
        "timeframes": [keys[k].timeframe for k in wanted],
        "first": [_time(bars[k][0]) for k in wanted],
        "last": [_time(bars[k][-1]) for k in wanted],
        "numbers": wanted,
    }
    found = copied.read(cursor, STORED, arguments, _STORED_TYPES)
    found = found[np.argsort(found["number"], kind="stable")]
    ends = np.searchsorted(found["number"], np.add.outer([0, 1], wanted))
    for k, first, last in zip(wanted, *ends.tolist(), strict=True):
        told = found[first:last]
        rows = np.minimum(np.searchsorted(bars[k], told["ts"]), len(bars[k]) - 1)
        is_there = bars[k][rows] == told["ts"]
        told, rows = told[is_there], rows[is_there]
        _, states, values, _ = read[k]
        values[rows, indicators.N_VALUES + told["slot"]] = told["value"]
        for number, choice in chosen.of(keys[k].timeframe):
            mine = (told["choice"] == number) & (told["slot"] == chosen.value_at[number])
            for slot in range(choice.n_state):
                column = indicators.N_STATE + int(chosen.state_at[number]) + slot
                states[rows[mine], column] = told[_STATE[slot]][mine]


def _states(states: NDArray[np.float64], is_kept: NDArray[np.bool_]) -> pa.Array:
    """One list a row; NULL where none is kept or known."""
    count, width = states.shape
    if not width:
        return pa.nulls(count, pa.list_(pa.float64()))
    offsets = pa.array(np.arange(count + 1, dtype=np.int32) * width)
    missing = ~is_kept | np.isnan(states).any(axis=1)
    return pa.ListArray.from_arrays(offsets, pa.array(states.reshape(-1)), mask=pa.array(missing))


def _no_rows(schema: pa.Schema) -> pa.RecordBatch:
    return pa.RecordBatch.from_arrays([pa.array([], field.type) for field in schema], schema=schema)


def _time(ms: np.int64) -> str:
    return np.datetime64(int(ms), "ms").item().isoformat() + "Z"

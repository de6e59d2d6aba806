"""Bars and indicators as columns of PostgreSQL: the staging table, and the way from the fold's arrays to COPY BINARY."""

import io

import numpy as np
import pgpq
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from market import indicators
from market.bars import Rows
from market.batches import BarChanges
from market.extremes import SIDES
from market.latest import AROUND, BEFORE, TICK, Prices
from market.topics import DEAD_LETTERS, EVENTS, HISTORY

TIMESTAMP = pa.timestamp("us", "UTC")
TOPIC_NAMES = np.array([EVENTS.name, HISTORY.name, DEAD_LETTERS.name])

# Column of core.bars → its type in the staging table.
BAR_COLUMNS = {
    "symbol": "text",
    "timeframe": "text",
    "ts": "timestamptz",
    "bar_end": "timestamptz",
    "session_date": "date",
    "session": "text",
    "open": "float8",
    "high": "float8",
    "low": "float8",
    "close": "float8",
    "volume": "float8",
    "ticks": "int4",
    "mean_price": "float8",
    "is_closed": "bool",
    "is_final": "bool",
    "revision": "int4",
    "source": "text",
    "event_time": "timestamptz",
    "received_at": "timestamptz",
    "inputs": "text",
    "origin": "int2",
    "provider_ms": "int8",
    "first_ms": "int8",
    "first_volume": "int8",
    "last_ms": "int8",
    "last_volume": "int8",
    "quoted_high": "float8",
    "quoted_low": "float8",
    "day_volume": "int8",
}
INDICATOR_COLUMNS = {**dict.fromkeys(indicators.VALUES, "float8"), "state": "float8[]"}
STAGE_COLUMNS = BAR_COLUMNS | INDICATOR_COLUMNS
LATEST_COLUMNS = {
    "symbol": "text",
    "price": "float8",
    "session": "text",
    "session_date": "date",
    **dict.fromkeys(AROUND.names or (), "float8"),
    "tick_ms": "int8",
    "tick_volume": "int8",
    "tick_price": "float8",
    "before_ms": "int8",
    "before_volume": "int8",
    "before_price": "float8",
    "quoted_date": "date",
    "high_ms": "int8",
    "quoted_high": "float8",
    "low_ms": "int8",
    "quoted_low": "float8",
    "event_time": "timestamptz",
    "received_at": "timestamptz",
    "source": "text",
}
QUALITY_COLUMNS = {
    "symbol": "text",
    "session_date": "date",
    **dict.fromkeys(("ticks", "late", "corrected", "dead_lettered"), "int8"),
}

ARROW_TYPES = {
    "text": pa.string(),
    "timestamptz": TIMESTAMP,
    "date": pa.date32(),
    "float8": pa.float64(),
    "int2": pa.int16(),
    "int4": pa.int32(),
    "int8": pa.int64(),
    "bool": pa.bool_(),
    "float8[]": pa.list_(pa.float64()),
}


def schema_of(columns: dict[str, str]) -> pa.Schema:
    return pa.schema([(name, ARROW_TYPES[kind]) for name, kind in columns.items()])


STAGE_SCHEMA = schema_of(STAGE_COLUMNS)
KEY_COLUMNS = ("symbol", "timeframe", "session")
ENCODED_AT_ONCE = 50_000  # rows


def staged(changes: BarChanges, source: str) -> pa.RecordBatch:
    """All changed rows as one record batch of STAGE_SCHEMA; NaN becomes NULL, a forming bar has no state."""
    rows, values, states = changes.rows, changes.values, changes.states
    used, which = np.unique(changes.which, return_inverse=True)
    labels = zip(*(changes.keys[number] for number in used.tolist()), strict=True)
    columns: dict[str, pa.Array] = {
        name: pa.array(texts).take(pa.array(which)) for name, texts in zip(KEY_COLUMNS, labels, strict=True)
    }
    columns |= {name: nullable(values[:, k]) for k, name in enumerate(indicators.VALUES)}
    for name, field in (("ts", "ts"), ("bar_end", "end"), ("event_time", "event_ms"), ("received_at", "received_ms")):
        columns[name] = timestamps(rows[field])
    columns["session_date"] = dates(rows["session_date"])
    for name in ("volume", "quoted_high", "quoted_low"):
        columns[name] = nullable(rows[name])
    columns["mean_price"] = pa.array((rows["open"] + rows["high"] + rows["low"] + rows["close"]) / 4)
    columns["is_closed"], columns["is_final"] = pa.array(rows["closed"]), pa.array(rows["final"])
    columns["source"] = pa.repeat(source, len(rows))
    columns["inputs"] = lineage(rows)
    columns["state"] = state_lists(states[:, : indicators.N_STATE], rows["closed"])
    for name in STAGE_SCHEMA.names:
        if name not in columns:
            columns[name] = pa.array(rows[name])
    return record_batch(columns, STAGE_SCHEMA)


def staged_latest(prices: Prices, source: str) -> pa.RecordBatch:
    """Newest prices as they are staged."""
    rows = prices.rows
    columns: dict[str, pa.Array] = {name: nullable(rows[name]) for name in AROUND.names or ()}
    columns["symbol"] = pa.array(prices.symbols)
    columns["price"] = pa.array(rows["price"])
    columns["session"] = pa.array(np.where(rows["is_ext"], "ext", "regular"))
    columns["session_date"] = dates(rows["session_date"])
    for names in (TICK, BEFORE, *(side[:2] for side in SIDES)):
        is_missing = rows[names[0]] == 0  # its time
        mask = is_missing if is_missing.any() else None
        columns |= {name: pa.array(rows[name], mask=mask) for name in names}
    columns["quoted_date"] = pa.array(rows["quoted_date"].astype(np.int32), mask=rows["quoted_date"] == 0).cast(
        pa.date32()
    )
    columns["event_time"], columns["received_at"] = timestamps(rows["event_ms"]), timestamps(rows["received_ms"])
    columns["source"] = pa.repeat(source, len(rows))
    return record_batch(columns, schema_of(LATEST_COLUMNS))


def staged_quality(counted: dict[tuple[str, int], list[int]]) -> pa.RecordBatch:
    """Counts by symbol and session as they are staged."""
    counts = np.array(list(counted.values()), np.int64)
    columns = {name: pa.array(counts[:, k]) for k, name in enumerate(list(QUALITY_COLUMNS)[2:])}
    columns["symbol"] = pa.array([symbol for symbol, _ in counted])
    columns["session_date"] = dates(np.array([day for _, day in counted]))
    return record_batch(columns, schema_of(QUALITY_COLUMNS))


def record_batch(columns: dict[str, pa.Array], schema: pa.Schema) -> pa.RecordBatch:
    return pa.RecordBatch.from_arrays([columns[field.name].cast(field.type) for field in schema], schema=schema)


def timestamps(ms: NDArray[np.int64]) -> pa.Array:
    return pa.array(ms * 1000).cast(TIMESTAMP)


def dates(days: NDArray[np.int64]) -> pa.Array:
    return pa.array(days.astype(np.int32)).cast(pa.date32())


def copy_bytes(batch: pa.RecordBatch) -> io.BytesIO:
    """A record batch in COPY's binary format."""
    encoder = pgpq.ArrowToPostgresBinaryEncoder(batch.schema)
    buffer = io.BytesIO()
    buffer.write(encoder.write_header())
    for start in range(0, batch.num_rows, ENCODED_AT_ONCE):
        buffer.write(encoder.write_batch(batch.slice(start, ENCODED_AT_ONCE)))
    buffer.write(encoder.finish())
    buffer.seek(0)
    return buffer


def nullable(values: NDArray[np.float64]) -> pa.Array:
    return pa.array(values, mask=np.isnan(values))


def lineage(rows: Rows) -> pa.Array:
    """`topic[partition]@first-last` of the last input of each row."""
    topics = pa.array(TOPIC_NAMES).take(pa.array(rows["input_topic"]))
    partition, first, last = (
        pa.array(rows[name]).cast(pa.string()) for name in ("input_partition", "input_first", "input_last")
    )
    return pc.binary_join_element_wise(topics, "[", partition, "]@", first, "-", last, "")


def state_lists(states: NDArray[np.float64], closed: NDArray[np.bool_]) -> pa.Array:
    has_state = closed & ~np.isnan(states[:, 0])
    offsets = np.arange(len(states) + 1, dtype=np.int32) * states.shape[1]
    return pa.ListArray.from_arrays(pa.array(offsets), pa.array(states.reshape(-1)), mask=pa.array(~has_state))

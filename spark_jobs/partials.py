"""What an executor hands to the driver: symbols x minutes, not trades.

One wide row type, so that ticks, provider bars, clocks, rejects and the offset range come from one scan. `row` says which
columns are filled: `tick` and `bar` (a bar's), `clock`, `action`, `reject`, one `range` a task, and `below` where records lay
below the ledger.
"""

from collections.abc import Iterable, Iterator

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from market.timeframes import MINUTE_MS

PARTIALS = pa.schema(
    [
        ("row", pa.string()),
        ("topic", pa.int32()),
        ("partition", pa.int32()),
        ("first_offset", pa.int64()),
        ("last_offset", pa.int64()),
        ("records", pa.int64()),
        ("symbol", pa.string()),
        ("timeframe", pa.string()),
        ("session", pa.string()),
        ("session_date", pa.string()),
        ("ts", pa.int64()),
        ("open", pa.float64()),
        ("high", pa.float64()),
        ("low", pa.float64()),
        ("close", pa.float64()),
        ("volume", pa.float64()),
        ("is_complete", pa.bool_()),
        ("first_ms", pa.int64()),
        ("first_volume", pa.int64()),
        ("last_ms", pa.int64()),
        ("last_volume", pa.int64()),
        ("day_volume", pa.int64()),
        ("day_high", pa.float64()),
        ("day_low", pa.float64()),
        ("previous_close", pa.float64()),
        ("received_ms", pa.int64()),
        ("since_ms", pa.int64()),
        ("action", pa.string()),
        ("stage", pa.string()),
        ("reason", pa.string()),
        ("detail", pa.string()),
        ("payload", pa.binary()),
        ("content_hash", pa.string()),
    ]
)

# What Spark sees of them: bytes. Column by column they would become Spark's rows and Arrow again on their way to the driver.
PACKED = pa.schema([("partials", pa.binary())])
PACKED_DDL = "partials binary"
PACK_BYTES = 8 << 20  # of a row that Spark carries: a batch of nothing but dead letters does not fill its heap


def pack(partials: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """Batches of PARTIALS as rows of PACKED, each an Arrow stream."""
    sink = pa.BufferOutputStream()
    writer = pa.ipc.new_stream(sink, PARTIALS)
    for batch in partials:
        writer.write_batch(batch)
        if sink.tell() > PACK_BYTES:
            writer.close()
            yield packed(sink)
            sink = pa.BufferOutputStream()
            writer = pa.ipc.new_stream(sink, PARTIALS)
    writer.close()
    yield packed(sink)


def packed(sink: pa.BufferOutputStream) -> pa.RecordBatch:
    return pa.RecordBatch.from_arrays([pa.array([sink.getvalue().to_pybytes()], pa.binary())], schema=PACKED)


def unpack(table: pa.Table) -> pa.Table:
    """Rows of PACKED as the partials that they hold."""
    streams = [pa.ipc.open_stream(row.as_buffer()) for row in table["partials"]]
    return pa.Table.from_batches([batch for stream in streams for batch in stream], PARTIALS)


def table(columns: dict[str, object], rows: int) -> pa.RecordBatch:
    """Rows of PARTIALS from some of its columns; the others are NULL."""
    arrays = []
    for field in PARTIALS:
        values = columns.get(field.name)
        if values is None:
            arrays.append(pa.nulls(rows, field.type))
        elif isinstance(values, pa.Array):
            arrays.append(values.cast(field.type))
        elif isinstance(values, np.ndarray):
            mask = np.isnan(values) if values.dtype.kind == "f" else None
            arrays.append(pa.array(values, field.type, mask=mask))
        elif isinstance(values, list):
            arrays.append(pa.array(values, field.type))
        else:
            arrays.append(pa.repeat(pa.scalar(values, field.type), rows))
    return pa.RecordBatch.from_arrays(arrays, schema=PARTIALS)


def fold_ticks(ticks: dict[str, NDArray[np.generic]], symbols: pa.Array, topic: int, partition: int) -> pa.RecordBatch:
    """Partial minute bars of decoded ticks (columns of equal length; `code` indexes `symbols`).

    First and last are by (event time, day volume, price), so that the order of the log does not matter.
    """
    minute = ticks["event_ms"] // MINUTE_MS
    group = (ticks["code"] * 2 + ticks["is_ext"]) * (1 << 40) + minute
    order = np.lexsort((ticks["price"], ticks["day_volume"], ticks["event_ms"], group))
    ordered = group[order]
    starts = np.flatnonzero(np.concatenate([[True], ordered[1:] != ordered[:-1]]))
    first, last = order[starts], order[np.concatenate([starts[1:], [len(order)]]) - 1]
    price = ticks["price"][order]
    columns = {
        "row": "tick",
        "topic": topic,
        "partition": partition,
        "first_offset": np.minimum.reduceat(ticks["offset"][order], starts),
        "last_offset": np.maximum.reduceat(ticks["offset"][order], starts),
        "records": np.diff(np.concatenate([starts, [len(order)]])),
        "symbol": symbols.take(pa.array(ticks["code"][first])),
        "timeframe": "1m",
        "session": pa.array(["regular", "ext"]).take(pa.array(ticks["is_ext"][first])),
        "ts": minute[first] * MINUTE_MS,
        "open": ticks["price"][first],
        "high": np.maximum.reduceat(price, starts),
        "low": np.minimum.reduceat(price, starts),
        "close": ticks["price"][last],
        "first_ms": ticks["event_ms"][first],
        "first_volume": ticks["day_volume"][first],
        "last_ms": ticks["event_ms"][last],
        "last_volume": ticks["day_volume"][last],
        "day_volume": np.maximum.reduceat(ticks["day_volume"][order], starts),
        "day_high": ticks["day_high"][last],
        "day_low": ticks["day_low"][last],
        "previous_close": ticks["previous_close"][last],
        "received_ms": np.maximum.reduceat(ticks["fetched_ms"][order], starts),
    }
    return table(columns, len(starts))

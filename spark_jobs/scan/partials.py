"""What an executor hands to the driver: symbols x minutes, not trades.

One wide row type, so that ticks, provider bars, clocks, rejects and the offset range come from one scan. `row` says which
columns are filled: `tick` and `bar` (a bar's), `clock`, `action`, `reject`, one `range` for what was seen of a partition and one
for what was planned, `lost` for what the log no longer had, `unfetched` where a range could not be read to its end, and `below`
where records lay below the ledger.
"""

from collections.abc import Iterable, Iterator

import numpy as np
import pyarrow as pa

from market.contracts import SESSIONS
from spark_jobs.scan.minutes import Columns, fold

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
        ("before_ms", pa.int64()),
        ("before_volume", pa.int64()),
        ("before_price", pa.float64()),
        ("high_ms", pa.int64()),
        ("quoted_high", pa.float64()),
        ("low_ms", pa.int64()),
        ("quoted_low", pa.float64()),
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


def fold_ticks(ticks: Columns, symbols: pa.Array, topic: int, partition: int) -> pa.RecordBatch:
    """Partial minute bars of decoded ticks (columns of equal length; `code` indexes `symbols`)."""
    bars = fold(ticks)
    codes, is_ext = pa.array(bars.pop("code")), pa.array(bars.pop("is_ext"))
    columns = {
        "row": "tick",
        "topic": topic,
        "partition": partition,
        "symbol": symbols.take(codes),
        "timeframe": "1m",
        "session": pa.array(SESSIONS).take(is_ext),
    }
    return table(columns | bars, len(codes))

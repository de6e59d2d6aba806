"""Kafka values to columns: ticks and bars by Arrow's JSON reader, everything else (and every doubt) by the contract itself."""

from collections.abc import Container, Iterator
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.json
from numpy.typing import NDArray

from market.bars import NONE
from market.contracts import (
    END_MS,
    FIELD_TYPES,
    FIRST_MS,
    MAX_EXACT,
    MAX_PRICE,
    MAX_RECORD_BYTES,
    SCHEMA_VERSION,
    SESSIONS,
    Record,
    Tick,
)
from spark_jobs.scan.bounds import EVERYTHING, Bounds

# Records: a bad block that is no larger goes to the contract one by one.
SMALLEST_BLOCK = 64

ARROW_TYPES = {str: pa.string(), int: pa.int64(), float: pa.float64(), bool: pa.bool_()}


@dataclass(frozen=True)
class Shape:
    """A kind of record that Arrow reads: how its encoding begins, and its fields."""

    prefix: bytes
    schema: pa.Schema


def shape_of(record: type[Record]) -> Shape:
    names = [("v", pa.int64()), ("kind", pa.string())]
    names += [(name, ARROW_TYPES[kind]) for name, (kind, _) in FIELD_TYPES[record].items()]
    return Shape(f'{{"v":{SCHEMA_VERSION},"kind":"{record.kind}",'.encode(), pa.schema(names))


TICK = shape_of(Tick)


@dataclass(slots=True)
class Ticks:
    """Valid ticks as columns of equal length; `code` indexes `symbols`; NONE and NaN stand for what was not given."""

    columns: dict[str, NDArray[np.generic]]
    symbols: pa.Array


def split(values: pa.Array, shape: Shape) -> tuple[NDArray[np.bool_], pa.Table | None]:
    """Which values are of a shape and were read whole by Arrow, and their table; the others go to the contract one by one.

    Arrow must not accept what the contract refuses. So a field that the schema does not name is an error here: within one, Arrow
    takes what JSON does not have (`Inf`, `-NaN`, bytes that are not UTF-8), and only within one can a record swallow the next.
    """
    prefixed = pc.starts_with(values, shape.prefix).to_numpy(zero_copy_only=False)
    sized = pc.less_equal(pc.binary_length(values), MAX_RECORD_BYTES).to_numpy(zero_copy_only=False)
    mask = np.asarray(prefixed & sized, bool)
    count = int(mask.sum())
    if not count:
        return mask, None
    chosen = values if count == len(values) else values.filter(pa.array(mask))
    read, tables = np.zeros(count, bool), []
    for start, stop, table in _tables(chosen, shape, 0, count):
        read[start:stop] = True
        tables.append(table)
    mask[mask] = read
    return mask, pa.concat_tables(tables) if tables else None


def _tables(values: pa.Array, shape: Shape, start: int, stop: int) -> Iterator[tuple[int, int, pa.Table]]:
    """(first, after the last, table) of the blocks that Arrow reads; one bad record spoils its block, so bad blocks are halved."""
    table = _read(values.slice(start, stop - start), shape)
    if table is not None:
        yield start, stop, table
    elif stop - start > SMALLEST_BLOCK:
        middle = (start + stop) // 2
        yield from _tables(values, shape, start, middle)
        yield from _tables(values, shape, middle, stop)


def _read(values: pa.Array, shape: Shape) -> pa.Table | None:
    """A block as Arrow reads it, None where it does not, or not every record of it."""
    lines = b"\n".join(values.to_pylist())
    try:
        if not lines.isascii():
            lines.decode()
        table = pa.json.read_json(
            pa.BufferReader(lines),
            read_options=pa.json.ReadOptions(use_threads=False, block_size=1 << 28),
            parse_options=pa.json.ParseOptions(explicit_schema=shape.schema, unexpected_field_behavior="error"),
        )
    except (UnicodeDecodeError, pa.ArrowInvalid):
        return None
    return table if table.num_rows == len(values) else None


def valid_ticks(
    table: pa.Table, source: str, known: Container[str], bounds: Bounds = EVERYTHING
) -> tuple[NDArray[np.bool_], Ticks]:
    """Which rows keep the contract and the bounds and are of known symbols, and those rows as columns."""
    good, codes, names = keeps_common(table, source, known, bounds, Tick)
    day_volume, no_volume = integers(table["day_volume"])
    day_volume = np.where(no_volume, NONE, day_volume)
    price = floats(table["price"])
    optional = {name: floats(table[name]) for name in ("day_high", "day_low", "previous_close")}
    session = table["session"].fill_null("regular")

    good &= np.isfinite(price) & (price > 0) & (price < MAX_PRICE)
    good &= no_volume | ((day_volume >= 0) & (day_volume < MAX_EXACT))
    good &= pc.is_in(session, pa.array(SESSIONS)).to_numpy(zero_copy_only=False).astype(bool)
    for name, values in optional.items():
        given = ~np.isnan(values) | pc.is_valid(table[name]).to_numpy().astype(bool)
        good &= ~given | (np.isfinite(values) & (values > 0) & (values < MAX_PRICE))
        good &= ~given | ((price <= values * bounds.max_jump) & (values <= price * bounds.max_jump))
    columns: dict[str, NDArray[np.generic]] = {
        "code": codes[good].astype(np.int64),
        "is_ext": equals(session, "ext")[good].astype(np.int64),
        "event_ms": integers(table["event_ms"])[0][good],
        "fetched_ms": integers(table["fetched_ms"])[0][good],
        "price": price[good],
        "day_volume": day_volume[good],
        **{name: values[good] for name, values in optional.items()},
    }
    return good, Ticks(columns, names)


def keeps_common(
    table: pa.Table, source: str, known: Container[str], bounds: Bounds, record: type[Record]
) -> tuple[NDArray[np.bool_], NDArray[np.int64], pa.Array]:
    """Which rows keep what every record must, and their symbols as (codes, names)."""
    symbols = table["symbol"].combine_chunks().dictionary_encode()
    if isinstance(symbols, pa.ChunkedArray):
        symbols = symbols.combine_chunks()
    names = symbols.dictionary
    is_known = np.array([name.as_py() in known for name in names] + [False], bool)
    codes = symbols.indices.fill_null(len(names)).to_numpy(zero_copy_only=False)
    event_ms, no_event = integers(table["event_ms"])
    fetched_ms, no_fetch = integers(table["fetched_ms"])
    good = is_known[codes] & ~no_event & ~no_fetch
    good &= equals(table["source"], source) & equals(table["v"], SCHEMA_VERSION)
    good &= (
        (event_ms >= bounds.from_ms) & (event_ms < bounds.until_ms) & (fetched_ms >= FIRST_MS) & (fetched_ms < END_MS)
    )
    good &= (event_ms <= fetched_ms + record.MAX_AHEAD_MS) & (event_ms >= fetched_ms - record.MAX_BEHIND_MS)
    return good, codes, names


def integers(column: pa.ChunkedArray) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """(values with 0 for NULL, which are NULL)."""
    return column.fill_null(0).to_numpy(), column.is_null().to_numpy()


def floats(column: pa.ChunkedArray) -> NDArray[np.float64]:
    values: NDArray[np.float64] = column.fill_null(np.nan).to_numpy()
    return values


def equals(column: pa.ChunkedArray, value: object) -> NDArray[np.bool_]:
    is_equal: NDArray[np.bool_] = pc.equal(column, value).fill_null(False).to_numpy(zero_copy_only=False).astype(bool)
    return is_equal

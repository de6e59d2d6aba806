"""One pass over the records of a batch, in the driver or in an executor: what the fold needs of them.

What lies below the ledger is left out before anything is aggregated, so that a replayed range counts once.
"""

import base64
import gc
import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from market.actions import TAKEN_BACK
from market.contracts import Action, Bar, Clock, DeadLetter, Record, Tick, decode, event_in, receipt_in
from market.errors import Reason, Rejected
from spark_jobs.scan.bounds import EVERYTHING, Bounds
from spark_jobs.scan.canonical import read_ticks
from spark_jobs.scan.decode import TICK, split, valid_ticks
from spark_jobs.scan.decode_bars import BAR, valid_bars
from spark_jobs.scan.known import NOT_KNOWN, Known
from spark_jobs.scan.minutes import Columns
from spark_jobs.scan.partials import fold_ticks, table

# The topics as they travel to the driver: the name itself in every row would cost more than the row.
EVENTS, HISTORY, DEAD_LETTERS = range(3)
MAX_TEXT = 1000  # characters of a dead letter's detail


@dataclass(frozen=True)
class Scan:
    """What a task must know: the ledger ((topic, partition) → next offset), the platform's source, its symbols and its bounds."""

    ledger: dict[tuple[int, int], int]
    source: str
    known: Known
    bounds: Bounds = EVERYTHING

    def __call__(self, batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        pieces: dict[tuple[int, int], Piece] = {}
        known = 0
        for batch in batches:
            known += batch.num_rows
            for place, rows in self._fresh(batch):
                known -= rows.num_rows
                piece = pieces.setdefault(place, Piece(*place, self.known))
                offsets = rows["offset"].to_numpy()
                piece.range(offsets)
                values = rows["value"]
                # A record without a value (a tombstone) is as bad as an empty one.
                yield from self._scan(piece, values.fill_null(b"") if values.null_count else values, offsets)
        for piece in pieces.values():
            if piece.ticks:
                yield piece.fold()
            yield piece.bounds()
        if known:
            # No batch begins there, unless the log is not the one that the ledger speaks of.
            yield table({"row": "below", "records": known}, 1)

    def _fresh(self, batch: pa.RecordBatch) -> Iterator[tuple[tuple[int, int], pa.RecordBatch]]:
        """The records at or above the ledger, by (topic, partition)."""
        topics, partitions = batch["topic"].to_numpy(), batch["partition"].to_numpy()
        offsets = batch["offset"].to_numpy()
        places = topics.astype(np.int64) << 32 | partitions
        for place in np.unique(places).tolist():
            key = (place >> 32, place & 0xFFFFFFFF)
            mask = (places == place) & (offsets >= self.ledger.get(key, 0))
            if mask.any():
                yield key, batch if mask.all() else batch.filter(pa.array(mask))

    def _scan(self, piece: "Piece", values: pa.Array, offsets: NDArray[np.int64]) -> Iterator[pa.RecordBatch]:
        """Keeps the ticks for the fold; gives everything else as it comes."""
        if piece.topic == EVENTS:
            is_read, columns = read_ticks(values, self.source, self.known, self.bounds)
            piece.keep(columns, offsets[is_read])
            if is_read.all():
                return
            values, offsets = values.filter(pa.array(~is_read)), offsets[~is_read]
        rest = np.ones(len(values), bool)
        mask, ticks = split(values, TICK) if piece.topic == EVENTS else (~rest, None)
        if ticks is not None:
            good, valid = valid_ticks(ticks, self.source, self.known.code_of, self.bounds)
            chosen = np.flatnonzero(mask)[good]
            piece.keep(valid.columns, offsets[chosen], valid.symbols)
            rest[chosen] = False
        mask, bars = split(values, BAR)
        if bars is not None:
            good, kept = valid_bars(bars, self.source, self.known.code_of, self.bounds)
            chosen = np.flatnonzero(mask)[good]
            place: dict[str, object] = {"topic": piece.topic, "partition": piece.partition, "records": 1}
            place |= {"first_offset": offsets[chosen], "last_offset": offsets[chosen]}
            yield table(kept | place, len(chosen))
            rest[chosen] = False
        if rest.any():
            rows = [self._one(piece, values[i].as_py(), int(offsets[i])) for i in np.flatnonzero(rest).tolist()]
            names = sorted(set().union(*rows))
            yield table({name: [row.get(name) for row in rows] for name in names}, len(rows))

    def _one(self, piece: "Piece", payload: bytes, offset: int) -> dict[str, object]:
        """A row of PARTIALS for one record: what the contract reads in it, or why it does not."""
        place: dict[str, object] = {
            "topic": piece.topic,
            "partition": piece.partition,
            "first_offset": offset,
            "last_offset": offset,
            "records": 1,
        }
        try:
            return place | self._row(decode(payload), piece.topic)
        except Rejected as error:
            return place | {
                "row": "reject",
                "stage": "stream",
                "symbol": storable(error.symbol),
                "reason": error.reason.value,
                "detail": storable(error.detail),
                "payload": payload,
                "ts": event_in(payload),
                "received_ms": receipt_in(payload),
                "content_hash": hashlib.sha256(payload).hexdigest(),
            }

    def _row(self, record: Record, topic: int) -> dict[str, object]:
        symbol = getattr(record, "symbol", "")
        if record.source != self.source:
            raise Rejected(Reason.WRONG_SOURCE, f"source={record.source!r}, this platform's is {self.source!r}", symbol)
        if symbol not in self.known.code_of and not isinstance(record, Clock | DeadLetter):
            raise Rejected(Reason.UNKNOWN_SYMBOL, f"{symbol!r} is not an instrument of this platform", symbol)
        if not isinstance(record, DeadLetter):
            self.bounds.check(record, symbol)
        if isinstance(record, Clock) and topic != EVENTS:
            raise Rejected(Reason.UNKNOWN_KIND, "a clock orders the events topic alone")
        match record:
            case Tick():
                return tick_row(record)
            case Bar():
                return bar_row(record)
            case Clock():
                return {"row": "clock", "ts": record.event_ms, "since_ms": record.since_ms}
            case Action():
                return {
                    "row": "action",
                    "symbol": symbol,
                    "ts": record.event_ms,
                    "action": record.action,
                    "close": TAKEN_BACK if record.is_withdrawn else record.value,
                    "received_ms": record.fetched_ms,
                }
            case DeadLetter():
                return {
                    "row": "reject",
                    "stage": "ingestion",
                    "symbol": storable(symbol),
                    "reason": storable(record.reason),
                    "detail": storable(record.detail),
                    "payload": original_bytes(record),
                    "ts": record.event_ms,
                    "received_ms": record.fetched_ms,
                    "content_hash": storable(record.content_hash),
                }
        raise Rejected(Reason.UNKNOWN_KIND, f"kind={record.kind!r}", symbol)


@cache
def leave_imports_alone() -> None:
    """Spark's worker collects garbage after every task, and to look through all that was imported costs it ten times the task."""
    gc.collect()
    gc.freeze()


class Piece:
    """What a task has seen of one Kafka partition."""

    def __init__(self, topic: int, partition: int, known: Known) -> None:
        self.topic = topic
        self.partition = partition
        self.known = known
        self.first: int | None = None
        self.last = -1
        self.records = 0
        self.ticks: list[Columns] = []

    def range(self, offsets: NDArray[np.int64]) -> None:
        self.first = int(offsets[0]) if self.first is None else min(self.first, int(offsets[0]))
        self.last = max(self.last, int(offsets[-1]))
        self.records += len(offsets)

    def keep(self, columns: Columns, offsets: NDArray[np.int64], names: pa.Array | None = None) -> None:
        """Ticks; their codes are those of `names`, where these are given, else those of the known symbols."""
        if not len(offsets):
            return
        if names is not None:
            recode = np.array([self.known.code_of.get(name, NOT_KNOWN) for name in names.to_pylist()])
            columns = columns | {"code": recode[columns["code"]]}
        self.ticks.append(columns | {"offset": offsets})

    def fold(self) -> pa.RecordBatch:
        columns = {name: np.concatenate([part[name] for part in self.ticks]) for name in self.ticks[0]}
        return fold_ticks(columns, self.known.names, self.topic, self.partition)

    def bounds(self) -> pa.RecordBatch:
        """The offset range that was read: what the ledger moves by."""
        columns: dict[str, object] = {
            "row": "range",
            "topic": self.topic,
            "partition": self.partition,
            "first_offset": self.first,
            "last_offset": self.last,
            "records": self.records,
        }
        return table(columns, 1)


def tick_row(tick: Tick) -> dict[str, object]:
    """A tick that the contract read by itself, as a partial bar of one."""
    volume = -1 if tick.day_volume is None else tick.day_volume
    return {
        "row": "tick",
        "symbol": tick.symbol,
        "timeframe": "1m",
        "session": tick.session,
        "ts": tick.event_ms // 60_000 * 60_000,
        **dict.fromkeys(("open", "high", "low", "close"), tick.price),
        "first_ms": tick.event_ms,
        "last_ms": tick.event_ms,
        **dict.fromkeys(("first_volume", "last_volume", "day_volume"), volume),
        "day_high": tick.day_high,
        "day_low": tick.day_low,
        "previous_close": tick.previous_close,
        **dict.fromkeys(("before_ms", "before_volume", "before_price"), 0),
        **quoted(tick),
        "received_ms": tick.fetched_ms,
    }


def quoted(tick: Tick) -> dict[str, object]:
    """What a tick tells of the day's extremes, as `spark_jobs.scan.minutes` has it."""
    high, low = tick.day_high, tick.day_low
    is_within = (low is None or low <= tick.price) and (high is None or tick.price <= high)
    return {
        "high_ms": tick.event_ms if is_within and high is not None else 0,
        "quoted_high": high,
        "low_ms": tick.event_ms if is_within and low is not None else 0,
        "quoted_low": low,
    }


def bar_row(bar: Bar) -> dict[str, object]:
    return {
        "row": "bar",
        "symbol": bar.symbol,
        "timeframe": bar.timeframe,
        "session": bar.session,
        "session_date": bar.session_date,
        "ts": bar.event_ms,
        "open": bar.open,
        "high": bar.high,
        "low": bar.low,
        "close": bar.close,
        "volume": bar.volume,
        "is_complete": bar.is_complete,
        "received_ms": bar.fetched_ms,
    }


def original_bytes(record: DeadLetter) -> bytes:
    try:
        return base64.b64decode(record.payload, validate=True)
    except ValueError as error:
        raise Rejected(Reason.WRONG_TYPE, f"payload is not base64: {error}", record.symbol) from error


def storable(text: str) -> str:
    """Text that PostgreSQL takes, whatever a record held: no NUL, no lone surrogate, no novel."""
    return text[:MAX_TEXT].replace("\0", "\\0").encode("utf-8", "backslashreplace").decode()

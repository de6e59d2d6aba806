"""A batch as it comes to the driver, in the fold's terms: partial rows placed in the sessions of their calendars."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from market.bars import PROVIDER_COMPLETE, PROVIDER_PARTIAL, Rows, empty_rows
from market.book import Batch, Instrument
from market.calendars import session_of, session_on, sessions_of
from market.frames import bucket, to_days
from market.latest import Quote
from market.series import SeriesKey
from market.timeframes import MINUTE_MS, TIMEFRAMES, Timeframe
from spark_jobs.scan import EVENTS


@dataclass(frozen=True, slots=True)
class OffsetRange:
    """What a batch read of one partition: first and last offset, both included."""

    topic: int
    partition: int
    first: int
    last: int
    records: int


@dataclass(slots=True)
class Scanned:
    """Everything one scan gave."""

    batch: Batch
    ranges: list[OffsetRange] = field(default_factory=list)
    rejects: list[dict[str, object]] = field(default_factory=list)
    actions: list[dict[str, object]] = field(default_factory=list)


def read_scan(partials: pa.Table, instruments: dict[str, Instrument]) -> Scanned:
    """The driver's view of the partials that the executors sent."""
    scanned = Scanned(Batch())
    kinds = partials["row"]
    for row in partials.filter(pc.equal(kinds, "range")).to_pylist():
        scanned.ranges.append(
            OffsetRange(row["topic"], row["partition"], row["first_offset"], row["last_offset"], row["records"])
        )
    scanned.ranges = join_ranges(scanned.ranges)
    scanned.rejects = partials.filter(pc.equal(kinds, "reject")).to_pylist()
    for row in partials.filter(pc.equal(kinds, "action")).to_pylist():
        # The exchange's own date: Sydney's ex-date is not UTC's.
        ex_date = session_of(instruments[row["symbol"]].calendar, row["ts"]).session_date
        scanned.actions.append(row | {"ex_date": ex_date})
    for row in partials.filter(pc.equal(kinds, "clock")).to_pylist():
        known = scanned.batch.clocks.get(row["partition"], (0, 0))
        scanned.batch.clocks[row["partition"]] = max(known, (row["ts"], row["since_ms"]))
    _read_ticks(partials.filter(pc.equal(kinds, "tick")), instruments, scanned.batch)
    _read_bars(partials.filter(pc.equal(kinds, "bar")), instruments, scanned.batch)
    return scanned


def join_ranges(ranges: list[OffsetRange]) -> list[OffsetRange]:
    """One range a partition, where Spark cut a partition's records into several tasks."""
    joined: dict[tuple[int, int], OffsetRange] = {}
    for part in ranges:
        known = joined.get((part.topic, part.partition), part)
        joined[part.topic, part.partition] = OffsetRange(
            part.topic,
            part.partition,
            min(known.first, part.first),
            max(known.last, part.last),
            part.records + (known.records if known is not part else 0),
        )
    return list(joined.values())


def _read_ticks(table: pa.Table, instruments: dict[str, Instrument], batch: Batch) -> None:
    if not table.num_rows:
        return
    for (symbol, session), index in grouped(table, ("symbol", "session")).items():
        part = table.take(pa.array(index))
        rows = filled(part)
        placed = sessions_of(instruments[symbol].calendar, rows["ts"])
        rows["session_date"] = placed.session_date.astype("datetime64[D]").astype(np.int64)
        rows["session_open"] = placed.open_ms
        rows["end"] = rows["ts"] + MINUTE_MS
        rows["ticks"] = numbers(part, "records")
        for name in ("first_ms", "first_volume", "last_ms", "last_volume", "day_volume"):
            rows[name] = numbers(part, name)
        rows["event_ms"] = rows["last_ms"]
        is_inside = (rows["ts"] >= placed.open_ms) & (rows["ts"] < placed.close_ms)
        for hours, kept in _by_hours(session, rows, is_inside):
            batch.ticks.setdefault(SeriesKey(symbol, "1m", hours), []).extend(layers(kept))
        live = rows["input_topic"] == EVENTS
        if live.any():
            batch.partitions[symbol] = int(rows["input_partition"][live][0])
        newest = int(np.lexsort((rows["close"], rows["last_volume"], rows["last_ms"]))[-1])
        quote = _quote(part.slice(newest, 1).to_pylist()[0], int(rows["session_date"][newest]))
        known = batch.quotes.get(symbol)
        if known is None or quote.event_ms >= known.event_ms:
            batch.quotes[symbol] = quote


def _quote(row: dict[str, object], session_date: int) -> Quote:
    return Quote(
        symbol=row["symbol"],
        price=row["close"],
        session=row["session"],
        session_date=session_date,
        event_ms=row["last_ms"],
        received_ms=row["received_ms"],
        day_volume=row["day_volume"] if row["day_volume"] >= 0 else None,
        day_high=row["day_high"],
        day_low=row["day_low"],
        previous_close=row["previous_close"],
    )


def _read_bars(table: pa.Table, instruments: dict[str, Instrument], batch: Batch) -> None:
    if not table.num_rows:
        return
    for (symbol, timeframe, session), index in grouped(table, ("symbol", "timeframe", "session")).items():
        part = table.take(pa.array(index))
        rows = filled(part)
        rows["volume"] = part["volume"].fill_null(np.nan).to_numpy()
        is_complete = part["is_complete"].to_numpy().astype(bool)
        rows["origin"] = np.where(is_complete, PROVIDER_COMPLETE, PROVIDER_PARTIAL)
        rows["provider_ms"] = rows["received_ms"]
        dates = part["session_date"].to_pylist()
        is_inside = _place_bars(rows, dates, instruments[symbol].calendar, TIMEFRAMES[timeframe])
        complete = rows["origin"] == PROVIDER_COMPLETE
        rows["event_ms"] = np.where(complete, rows["end"], np.minimum(rows["end"], rows["received_ms"]))
        for hours, kept in _by_hours(session, rows, is_inside):
            batch.provider.setdefault(SeriesKey(symbol, timeframe, hours), []).extend(layers(kept))
        live = rows["input_topic"] == EVENTS
        if live.any():
            batch.partitions[symbol] = int(rows["input_partition"][live][0])


def _place_bars(rows: Rows, dates: list[str], calendar: str, frame: Timeframe) -> NDArray[np.bool_]:
    """Start, end and session of provider rows, by the date that the provider gave them; which lie inside their session."""
    known = {text: session_on(calendar, date.fromisoformat(text)) for text in set(dates)}
    days = [known[text] for text in dates]
    rows["session_date"] = [to_days(day.session_date) for day in days]
    rows["session_open"] = [day.open_ms for day in days]
    if not frame.is_intraday:
        for k, day in enumerate(days):
            rows["ts"][k], rows["end"][k], first = bucket(frame.name, int(rows["ts"][k]), day, calendar)
            rows["session_date"][k], rows["session_open"][k] = to_days(first.session_date), first.open_ms
        return np.ones(len(rows), bool)
    opens, closes = rows["session_open"], np.array([day.close_ms for day in days])
    is_inside = (rows["ts"] >= opens) & (rows["ts"] < closes)
    starts = opens + (rows["ts"] - opens) // frame.length_ms * frame.length_ms
    # What does not begin where a bar begins is no complete bar, whatever its producer says.
    rows["origin"][is_inside & (starts != rows["ts"])] = PROVIDER_PARTIAL
    rows["ts"] = np.where(is_inside, starts, rows["ts"])
    rows["end"] = np.where(is_inside, np.minimum(starts + frame.length_ms, closes), rows["ts"] + frame.length_ms)
    return is_inside


def _by_hours(session: str, rows: Rows, is_inside: NDArray[np.bool_]) -> Iterator[tuple[str, Rows]]:
    """A symbol's bars of one session kind, each under the session that it is kept in.

    A minute is kept once. A session's own hours belong to its regular bars: what a provider calls extended there is no bar (it may
    be the latest price), and what it calls regular outside of them is an extended one.
    """
    if session == "regular" and is_inside.any():
        yield "regular", rows[is_inside]
    if not is_inside.all():
        yield "ext", rows[~is_inside]


def filled(part: pa.Table) -> Rows:
    """BAR rows with what ticks and bars have in common."""
    rows = empty_rows(part.num_rows)
    rows["ts"] = numbers(part, "ts")
    for name in ("open", "high", "low", "close"):
        rows[name] = part[name].to_numpy()
    rows["received_ms"] = numbers(part, "received_ms")
    rows["input_topic"] = numbers(part, "topic")
    rows["input_partition"] = numbers(part, "partition")
    rows["input_first"] = numbers(part, "first_offset")
    rows["input_last"] = numbers(part, "last_offset")
    return rows


def grouped(table: pa.Table, names: tuple[str, ...]) -> dict[tuple[str, ...], NDArray[np.int64]]:
    """Row indices by the values of some columns."""
    codes = np.zeros(table.num_rows, np.int64)
    labels: list[list[str]] = []
    for name in names:
        encoded = table[name].combine_chunks().dictionary_encode()
        labels.append(encoded.dictionary.to_pylist())
        codes = codes * len(labels[-1]) + encoded.indices.to_numpy(zero_copy_only=False)
    order = np.argsort(codes, kind="stable")
    ordered = codes[order]
    starts = np.flatnonzero(np.concatenate([[True], ordered[1:] != ordered[:-1]]))
    groups = {}
    for part in np.split(order, starts[1:]):
        code, key = int(codes[part[0]]), []
        for values in reversed(labels):
            code, k = divmod(code, len(values))
            key.append(values[k])
        groups[tuple(reversed(key))] = part
    return groups


def layers(rows: Rows) -> list[Rows]:
    """Rows sorted by time, cut so that no layer has a bar twice; merging does not depend on which comes first."""
    rows = rows[np.argsort(rows["ts"], kind="stable")]
    starts = np.flatnonzero(np.concatenate([[True], rows["ts"][1:] != rows["ts"][:-1]]))
    if len(starts) == len(rows):
        return [rows]
    depth = np.arange(len(rows)) - np.repeat(starts, np.diff(np.concatenate([starts, [len(rows)]])))
    return [rows[depth == d] for d in range(int(depth.max()) + 1)]


def numbers(table: pa.Table, name: str) -> NDArray[np.int64]:
    return table[name].to_numpy().astype(np.int64)

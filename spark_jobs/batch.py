"""A batch as it comes to the driver, in the fold's terms: partial rows placed in the sessions of their calendars."""

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import date
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from market.bars import NONE, PROVIDER_COMPLETE, PROVIDER_PARTIAL, Rows, empty_rows
from market.batches import Batch, Instrument, Layer, layered
from market.calendars import ex_date_of, session_of, sessions_of
from market.contracts import Bar
from market.errors import Reason
from market.extremes import EXTREMES, OTHER_DAYS, SIDES, Extremes
from market.extremes import newest as newest_words
from market.frames import span, to_days
from market.latest import BEFORE, LAST_TICKS, LATEST, TICK, Prices, last_two_of
from market.series import SeriesKey
from market.timeframes import MINUTE_MS, TIMEFRAMES, Timeframe
from spark_jobs.database.splits import splits_in
from spark_jobs.scan.one_pass import EVENTS

# Why the calendar refuses a bar that is right by itself.
OUTSIDE_OF_HOURS = "outside of its session's hours: only minutes are kept there"
EXTENDED_WITHIN_HOURS = "that its provider calls extended, within its session's hours: only regular bars are kept there"


@dataclass(frozen=True, slots=True)
class OffsetRange:
    """Offsets of one partition, first and last included: what a batch took, or what of it was gone."""

    topic: int
    partition: int
    first: int
    last: int
    records: int


@dataclass(frozen=True, slots=True)
class Codes:
    """A column of few values: row k has `names[of[k]]`."""

    names: list[str]
    of: NDArray[np.int64]

    def where(self, rows: NDArray[np.int64]) -> "Codes":
        return Codes(self.names, self.of[rows])


@dataclass(slots=True)
class Scanned:
    """Everything one scan gave."""

    batch: Batch
    ranges: list[OffsetRange] = field(default_factory=list)
    lost: list[OffsetRange] = field(default_factory=list)
    rejects: list[dict[str, Any]] = field(default_factory=list)
    actions: list[dict[str, object]] = field(default_factory=list)


def read_scan(partials: pa.Table, instruments: dict[str, Instrument], source: str) -> Scanned:
    """The driver's view of the partials that the executors sent, all of records of `source`."""
    scanned = Scanned(Batch())
    kinds = partials["row"]
    scanned.ranges = join_ranges(offset_ranges(partials.filter(pc.equal(kinds, "range"))))
    scanned.lost = offset_ranges(partials.filter(pc.equal(kinds, "lost")))
    scanned.rejects = partials.filter(pc.equal(kinds, "reject")).to_pylist()
    for row in partials.filter(pc.equal(kinds, "action")).to_pylist():
        # The exchange's own date: Sydney's ex-date is not UTC's.
        ex_date = ex_date_of(instruments[row["symbol"]].calendar, row["ts"])
        scanned.actions.append(row | {"ex_date": ex_date})
    scanned.batch.splits = splits_in(scanned.actions)
    for row in partials.filter(pc.equal(kinds, "clock")).to_pylist():
        known = scanned.batch.clocks.get(row["partition"], (0, 0))
        scanned.batch.clocks[row["partition"]] = max(known, (row["ts"], row["since_ms"]))
    _read_ticks(partials.filter(pc.equal(kinds, "tick")), instruments, scanned.batch)
    bars = partials.filter(pc.equal(kinds, "bar"))
    for why, refused in _read_bars(bars, instruments, scanned.batch).items():
        scanned.rejects += [_misplaced(row, source, why) for row in bars.filter(pa.array(refused)).to_pylist()]
    for row in scanned.rejects:
        row["day"] = _day_of(row, instruments)
    return scanned


def _day_of(reject: dict[str, Any], instruments: dict[str, Instrument]) -> int | None:
    """The session (days since 1970) that a refused record is about, where it says so and is of a known symbol."""
    known, ts_ms = instruments.get(reject["symbol"] or ""), reject["ts"]
    return None if known is None or ts_ms is None else to_days(session_of(known.calendar, ts_ms).session_date)


def offset_ranges(table: pa.Table) -> list[OffsetRange]:
    names = ("topic", "partition", "first_offset", "last_offset", "records")
    return [OffsetRange(*(row[name] for name in names)) for row in table.select(names).to_pylist()]


def join_ranges(ranges: list[OffsetRange]) -> list[OffsetRange]:
    """One range a partition: what was read of it, and what was planned, whose ends may be no records."""
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
    symbols = coded(table, "symbol")
    rows = filled(table)
    rows["end"] = rows["ts"] + MINUTE_MS
    rows["ticks"] = numbers(table, "records")
    for name in ("first_ms", "first_volume", "last_ms", "last_volume", "day_volume"):
        rows[name] = numbers(table, name)
    rows["event_ms"] = rows["last_ms"]
    is_inside, is_of_day = np.zeros(len(rows), bool), np.zeros(len(rows), bool)
    for calendar, mine in by_calendar(symbols, instruments):
        placed = sessions_of(calendar, rows["ts"][mine])
        is_of_day[mine] = calendar not in OTHER_DAYS
        rows["session_date"][mine] = placed.session_date.astype("datetime64[D]").astype(np.int64)
        rows["session_open"][mine] = placed.open_ms
        is_inside[mine] = (rows["ts"][mine] >= placed.open_ms) & (rows["ts"][mine] < placed.close_ms)
    frames = Codes(["1m"], np.zeros(len(rows), np.int64))
    batch.ticks = list(by_hours(symbols, frames, table, rows, is_inside))
    note_partitions(symbols, rows, batch)
    note_quotes(symbols, table, rows, batch)
    called_ext = pc.equal(table["session"], "ext").to_numpy().astype(bool)
    note_extremes(symbols, table, rows, is_inside & is_of_day & ~called_ext, batch)


def note_quotes(symbols: Codes, table: pa.Table, rows: Rows, batch: Batch) -> None:
    """The newest tick of each symbol: by (event time, day volume, price)."""
    order = np.lexsort((rows["close"], rows["last_volume"], rows["last_ms"], symbols.of))
    ordered = symbols.of[order]
    is_newest = np.append(ordered[1:] != ordered[:-1], True)
    newest = order[is_newest]
    beside = ("day_high", "day_low", "previous_close")
    told, placed = table.select(["symbol", "session", *beside]).take(pa.array(newest)), rows[newest]
    quotes = np.zeros(len(newest), LATEST)
    for name, field_of in (("price", "close"), ("session_date", "session_date"), ("event_ms", "last_ms")):
        quotes[name] = placed[field_of]
    quotes["received_ms"] = placed["received_ms"]
    quotes["is_ext"] = pc.equal(told["session"], "ext").to_numpy()
    quotes["day_volume"] = np.where(placed["day_volume"] == NONE, np.nan, placed["day_volume"])
    for name in beside:
        quotes[name] = told[name].fill_null(np.nan).to_numpy()
    ticks = np.empty(len(rows), LAST_TICKS)
    for name, values in zip(TICK, (rows["last_ms"], rows["last_volume"], rows["close"]), strict=True):
        ticks[name] = values[order]
    for name in BEFORE:
        ticks[name] = table[name].to_numpy()[order]
    for name, values in last_two_of(ticks, np.flatnonzero(np.append(True, is_newest[:-1]))).items():
        quotes[name] = values
    batch.quotes = Prices(told["symbol"].to_pylist(), quotes)


def note_extremes(symbols: Codes, table: pa.Table, rows: Rows, is_told: NDArray[np.bool_], batch: Batch) -> None:
    """The extremes of each symbol's sessions, as quotes within their hours tell them."""
    words = np.zeros(len(rows), EXTREMES)
    words["quoted_date"] = rows["session_date"]
    for ms, price, _ in SIDES:
        words[ms] = numbers(table, ms)
        words[price] = np.where(words[ms] > 0, table[price].to_numpy(), 0.0)
    told = np.flatnonzero(is_told & ((words["high_ms"] > 0) | (words["low_ms"] > 0)))
    if not len(told):
        return
    told = told[np.lexsort((words["quoted_date"][told], symbols.of[told]))]
    of, words = symbols.of[told], words[told]
    is_first = np.append(True, (of[1:] != of[:-1]) | (words["quoted_date"][1:] != words["quoted_date"][:-1]))
    starts = np.flatnonzero(is_first)
    batch.extremes = Extremes([symbols.names[code] for code in of[starts].tolist()], newest_words(words, starts))


def note_partitions(symbols: Codes, rows: Rows, batch: Batch) -> None:
    """Where each symbol's records of the events topic stand: its clock is that partition's."""
    live = np.flatnonzero(rows["input_topic"] == EVENTS)
    found, first = np.unique(symbols.of[live], return_index=True)
    for code, partition in zip(found.tolist(), rows["input_partition"][live[first]].tolist(), strict=True):
        batch.partitions[symbols.names[code]] = partition


def _read_bars(table: pa.Table, instruments: dict[str, Instrument], batch: Batch) -> dict[str, NDArray[np.bool_]]:
    """Gives which rows are none, by why: outside of a session's hours only minutes are kept, within them only regular bars."""
    if not table.num_rows:
        return {}
    symbols, frames, dates = coded(table, "symbol"), coded(table, "timeframe"), coded(table, "session_date")
    rows = filled(table)
    rows["volume"] = table["volume"].fill_null(np.nan).to_numpy()
    is_complete = table["is_complete"].to_numpy().astype(bool)
    rows["origin"] = np.where(is_complete, PROVIDER_COMPLETE, PROVIDER_PARTIAL)
    rows["provider_ms"] = rows["received_ms"]
    is_inside = np.ones(len(rows), bool)
    for calendar, mine in by_calendar(symbols, instruments):
        for code, name in enumerate(frames.names):
            chosen = mine[frames.of[mine] == code]
            if len(chosen):
                placed = rows[chosen]
                is_inside[chosen] = _place_bars(placed, dates.where(chosen), calendar, TIMEFRAMES[name])
                rows[chosen] = placed
    complete = rows["origin"] == PROVIDER_COMPLETE
    rows["event_ms"] = np.where(complete, rows["end"], np.minimum(rows["end"], rows["received_ms"]))
    is_longer = np.array([name != "1m" for name in frames.names])[frames.of]
    called_ext = pc.equal(table["session"], "ext").to_numpy().astype(bool)
    refused = {OUTSIDE_OF_HOURS: ~is_inside & is_longer, EXTENDED_WITHIN_HOURS: is_inside & called_ext}
    kept = np.flatnonzero(~np.logical_or.reduce(list(refused.values())))
    symbols, frames, rows = symbols.where(kept), frames.where(kept), rows[kept]
    batch.provider = list(by_hours(symbols, frames, table.take(pa.array(kept)), rows, is_inside[kept]))
    note_partitions(symbols, rows, batch)
    return refused


def _misplaced(row: dict[str, Any], source: str, why: str) -> dict[str, Any]:
    """The dead letter of a bar that only the calendar refuses. Its bytes are `remade` of what was read: `originals.restore` brings
    those that came."""
    names = ("symbol", "timeframe", "open", "high", "low", "close", "volume", "session", "session_date", "is_complete")
    record = Bar(
        source=source, event_ms=row["ts"], fetched_ms=row["received_ms"], **{name: row[name] for name in names}
    )
    payload = record.encode()
    place = {name: row[name] for name in ("topic", "partition", "first_offset", "symbol", "ts", "received_ms")}
    return place | {
        "stage": "stream",
        "reason": Reason.MISALIGNED.value,
        "detail": f"a bar of {record.timeframe} {why}",
        "payload": payload,
        "content_hash": hashlib.sha256(payload).hexdigest(),
        "remade": True,
    }


def _place_bars(rows: Rows, dates: Codes, calendar: str, frame: Timeframe) -> NDArray[np.bool_]:
    """Start, end and session of provider rows, and which lie inside their session.

    A day, a week or a month is placed by the date that the provider gave it. Within a day the calendar alone decides, as it does
    for ticks: whatever date came with it, a minute is either regular or extended, and never both.
    """
    if not frame.is_intraday:
        used, which = np.unique(dates.of, return_inverse=True)
        days = [to_days(date.fromisoformat(dates.names[code])) for code in used.tolist()]
        spans = np.array([span(calendar, frame.name, day) for day in days], np.int64)[which]
        rows["ts"], rows["end"], rows["session_date"], rows["session_open"] = spans.T
        return np.ones(len(rows), bool)
    placed = sessions_of(calendar, rows["ts"])
    opens, closes = placed.open_ms, placed.close_ms
    rows["session_date"] = placed.session_date.astype("datetime64[D]").astype(np.int64)
    rows["session_open"] = opens
    is_inside: NDArray[np.bool_] = (rows["ts"] >= opens) & (rows["ts"] < closes)
    starts = opens + (rows["ts"] - opens) // frame.length_ms * frame.length_ms
    # What does not begin where a bar begins is no complete bar, whatever its producer says.
    rows["origin"][is_inside & (starts != rows["ts"])] = PROVIDER_PARTIAL
    rows["ts"] = np.where(is_inside, starts, rows["ts"])
    rows["end"] = np.where(is_inside, np.minimum(starts + frame.length_ms, closes), rows["ts"] + frame.length_ms)
    return is_inside


def by_hours(
    symbols: Codes, frames: Codes, table: pa.Table, rows: Rows, is_inside: NDArray[np.bool_]
) -> Iterable[Layer]:
    """Rows as layers, each bar under the session that it is kept in.

    A minute is kept once. A session's own hours belong to its regular bars: a price that a provider calls extended there is in no
    bar (it may be the latest price), and what it calls regular outside of them is an extended one.
    """
    is_ext = ~is_inside
    called_ext = pc.equal(table["session"], "ext").to_numpy().astype(bool)
    kept = np.flatnonzero(is_ext | ~called_ext)
    codes = (symbols.of * len(frames.names) + frames.of) * 2 + is_ext
    found, which = np.unique(codes[kept], return_inverse=True)
    keys = []
    for code in found.tolist():
        symbol, frame = divmod(code // 2, len(frames.names))
        keys.append(SeriesKey(symbols.names[symbol], frames.names[frame], "ext" if code % 2 else "regular"))
    return layered(keys, which, rows[kept])


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


def coded(table: pa.Table, name: str) -> Codes:
    encoded = table[name].combine_chunks().dictionary_encode()
    return Codes(encoded.dictionary.to_pylist(), encoded.indices.to_numpy(zero_copy_only=False).astype(np.int64))


def by_calendar(symbols: Codes, instruments: dict[str, Instrument]) -> Iterator[tuple[str, NDArray[np.int64]]]:
    """The calendars in use, with the rows of each one's symbols."""
    calendars = np.array([instruments[name].calendar for name in symbols.names])
    for calendar in np.unique(calendars).tolist():
        yield calendar, np.flatnonzero((calendars == calendar)[symbols.of])


def numbers(table: pa.Table, name: str) -> NDArray[np.int64]:
    values: NDArray[np.int64] = table[name].to_numpy().astype(np.int64)
    return values

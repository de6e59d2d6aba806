"""From Kafka's bytes to the fold's terms: what the driver reads of a scan, against the same events placed by plain Python."""

import base64
from dataclasses import replace
from datetime import UTC, date, datetime
from operator import itemgetter
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from market.bars import BAR, PROVIDER_COMPLETE, PROVIDER_PARTIAL
from market.batches import Batch, Instrument, Layer
from market.calendars import session_on
from market.contracts import Bar, Clock, DeadLetter, Record, Tick, decode
from market.frames import bucket
from market.latest import BEFORE, TICK
from market.series import SeriesKey
from spark_jobs.batch import OffsetRange, Scanned, join_ranges, read_scan
from spark_jobs.scan import partials
from spark_jobs.scan.known import Known
from spark_jobs.scan.one_pass import EVENTS, HISTORY, Scan
from spark_jobs.scan.partials import PARTIALS, pack
from tests.unit.market.test_book import Log, logs
from tests.unit.market.worlds import (
    FRIDAY,
    INSTRUMENTS,
    MONDAY,
    PARTITIONS,
    BarEvent,
    ClockEvent,
    Event,
    TickEvent,
    batch_of,
    by_series,
    instruments,
    last_two,
    open_ms,
)
from tests.unit.spark_jobs.scan.test_scan import batch_of as arrow_batch

pytestmark = pytest.mark.unit

SOURCE = "simulator"
NEW_YORK_OPEN = open_ms("AAPL", MONDAY)
MINUTE_MS, HOUR_MS = 60_000, 3_600_000


def or_none(price: float) -> float | None:
    return None if price != price else price


def record_of(event: Event) -> tuple[int, Record]:
    """(partition, record) of an event, as ingestion writes it."""
    match event:
        case TickEvent():
            volume = None if event.day_volume < 0 else event.day_volume
            return PARTITIONS[event.symbol], Tick(
                source=SOURCE, event_ms=event.ms, fetched_ms=event.ms, symbol=event.symbol, price=event.price,
                day_volume=volume, session=event.session, day_high=or_none(event.day_high), day_low=or_none(event.day_low),
            )  # fmt: skip
        case BarEvent():
            first, high, low, last, volume = event.ohlcv
            calendar = INSTRUMENTS[event.symbol].calendar
            start = event.ts
            if event.timeframe != "1m":
                start = bucket(event.timeframe, event.ts, session_on(calendar, event.day), calendar)[0]
            return PARTITIONS[event.symbol], Bar(
                source=SOURCE, event_ms=start, fetched_ms=event.fetched_ms, symbol=event.symbol, timeframe=event.timeframe,
                open=first, high=high, low=low, close=last, volume=None if volume != volume else volume,
                session_date=event.day.isoformat(), is_complete=event.is_complete,
            )  # fmt: skip
        case ClockEvent():
            return event.partition, Clock(source=SOURCE, event_ms=event.ms, fetched_ms=event.ms + 1000, since_ms=0)


def read(records: list[tuple[int, Record]], topic: int = EVENTS) -> Scanned:
    """What the driver reads of records of a topic; each partition is a task of its own."""
    tasks = []
    for partition in sorted({partition for partition, _ in records}):
        values = [record.encode() for place, record in records if place == partition]
        tasks += list(Scan({}, SOURCE, Known.of(list(INSTRUMENTS)))(iter([arrow_batch(values, 0, topic, partition)])))
    return read_scan(pa.Table.from_batches(tasks, PARTIALS), INSTRUMENTS, SOURCE)


# Lineage apart, which plain Python does not make.
PLACED = [name for name in BAR.names if not name.startswith("input_")]


def rows_of(batch: list[Layer]) -> dict[SeriesKey, list[tuple[Any, ...]]]:
    told = {}
    for key, layers in by_series(batch).items():
        rows = [dict(zip(BAR.names, row, strict=True)) for layer in layers for row in layer.tolist()]
        told[key] = sorted(tuple(str(row[name]) for name in PLACED) for row in rows)
    return told


def words(batch: Batch) -> dict[tuple[str, int], str]:
    """What quotes tell, by symbol and session."""
    told = batch.extremes
    return {(symbol, row["quoted_date"].item()): str(row) for symbol, row in zip(told.symbols, told.rows, strict=True)}


def symbols_met(batch: Batch) -> dict[str, int]:
    return {key.symbol: PARTITIONS[key.symbol] for layer in (*batch.ticks, *batch.provider) for key in layer.keys}


@given(logs(), st.booleans())
def test_a_scan_is_read_as_plain_python_reads_the_events(log: Log, is_history: bool) -> None:
    events: list[Event] = log.history if is_history else log.live + log.end
    scanned = read([record_of(event) for event in events], HISTORY if is_history else EVENTS)
    expected = batch_of(events)
    assert rows_of(scanned.batch.ticks) == rows_of(expected.ticks)
    assert rows_of(scanned.batch.provider) == rows_of(expected.provider)
    assert words(scanned.batch) == words(expected)
    assert scanned.batch.clocks == expected.clocks
    assert scanned.batch.partitions == ({} if is_history else symbols_met(expected))
    assert scanned.rejects == []
    for layer in (*scanned.batch.ticks, *scanned.batch.provider):
        places = list(zip(layer.which.tolist(), layer.rows["ts"].tolist(), strict=True))
        assert places == sorted(set(places)), "a layer is sorted and has no bar twice"


@given(logs())
def test_quotes_are_the_newest_ticks_with_the_one_before(log: Log) -> None:
    ticks = [event for event in log.live if isinstance(event, TickEvent)]
    quotes = read([record_of(tick) for tick in ticks]).batch.quotes
    assert sorted(quotes.symbols) == sorted({tick.symbol for tick in ticks})
    for symbol, quote in zip(quotes.symbols, quotes.rows, strict=True):
        newest_ms = max(tick.ms for tick in ticks if tick.symbol == symbol)
        assert quote["event_ms"] == newest_ms
        assert quote["price"] in {tick.price for tick in ticks if (tick.symbol, tick.ms) == (symbol, newest_ms)}
        found = [tuple(quote[list(names)].tolist()) for names in (TICK, BEFORE)]
        assert found == last_two(tick for tick in ticks if tick.symbol == symbol)


def test_the_closing_price_after_the_bell_makes_no_regular_bar() -> None:
    #   14:30 ... 20:59:59 | 21:00:00  21:00:30
    #   regular            | closing auction, called regular; after hours
    close_ms = NEW_YORK_OPEN + 390 * MINUTE_MS
    ticks = [TickEvent("AAPL", ms, 10.0) for ms in (close_ms - 1, close_ms, close_ms + 30_000)]
    batch = read([record_of(tick) for tick in ticks]).batch
    assert {key.session: [row["ts"].tolist() for row in rows] for key, rows in by_series(batch.ticks).items()} == {
        "regular": [[close_ms - MINUTE_MS]],
        "ext": [[close_ms]],
    }


@pytest.mark.parametrize(
    ("symbol", "minute", "session", "price", "told"),
    [
        ("AAPL", 0, "regular", 10.0, (11.0, 9.0)),
        ("AAPL", 0, "regular", 11.01, None),  # what it tells is not of a day in which it was traded
        ("AAPL", 0, "regular", 8.99, None),
        ("AAPL", 0, "ext", 10.0, None),
        ("AAPL", -1, "regular", 10.0, None),
        ("AAPL", 390, "regular", 10.0, None),
        ("EURUSD=X", 0, "regular", 10.0, None),
    ],
)
def test_the_days_extremes_are_told_by_quotes_of_its_regular_hours_that_lie_within_them(
    symbol: str, minute: int, session: str, price: float, told: tuple[float, float] | None
) -> None:
    with instruments({"EURUSD=X": Instrument("EURUSD=X", "24/5", 4, False)}):
        tick = TickEvent(symbol, NEW_YORK_OPEN + minute * MINUTE_MS, price, session=session, day_high=11.0, day_low=9.0)
        found = read([record_of(tick)]).batch.extremes
    assert [(row["quoted_high"], row["quoted_low"]) for row in found.rows] == ([told] if told else [])


def test_a_price_called_extended_in_regular_hours_is_the_latest_price_and_no_bar() -> None:
    batch = read([record_of(TickEvent("AAPL", NEW_YORK_OPEN + 100, 10.0, session="ext"))]).batch
    assert batch.ticks == []
    assert (batch.quotes.symbols, batch.quotes.rows["price"].tolist()) == (["AAPL"], [10.0])


@pytest.mark.parametrize(
    ("session", "offset_ms", "kept_in"),
    [
        ("regular", 0, "regular"),
        ("regular", 389 * MINUTE_MS, "regular"),
        ("regular", 390 * MINUTE_MS, "ext"),  # the auction's own row at 16:00, as Yahoo sometimes has it
        ("regular", -MINUTE_MS, "ext"),
        ("ext", -HOUR_MS, "ext"),
        ("ext", HOUR_MS, None),
    ],
)
def test_a_minute_is_kept_in_one_session(session: str, offset_ms: int, kept_in: str | None) -> None:
    event = BarEvent(
        "AAPL", "1m", MONDAY, NEW_YORK_OPEN + offset_ms, (1.0, 1.0, 1.0, 1.0, 1.0), NEW_YORK_OPEN + 24 * HOUR_MS
    )
    partition, bar = record_of(event)
    assert isinstance(bar, Bar)
    scanned = read([(partition, replace(bar, session=session))])
    batch = scanned.batch
    assert [key.session for key in by_series(batch.provider)] == ([kept_in] if kept_in else [])
    assert [row["reason"] for row in scanned.rejects] == ([] if kept_in else ["misaligned"])
    for [rows] in by_series(batch.provider).values():
        assert (rows["end"] - rows["ts"]).tolist() == [MINUTE_MS]


def bar_of(timeframe: str, ts: int, day: date, session: str = "regular", volume: float | None = 1.0) -> tuple[int, Bar]:
    return 0, Bar(
        source=SOURCE, event_ms=ts, fetched_ms=NEW_YORK_OPEN + 72 * HOUR_MS, symbol="AAPL", timeframe=timeframe, open=1.0,
        high=1.0, low=1.0, close=1.0, volume=volume, session=session, session_date=day.isoformat(), is_complete=True,
    )  # fmt: skip


@pytest.mark.parametrize("timeframe", ["1m", "1h"])
def test_a_bar_within_the_day_is_placed_by_the_calendar_whatever_date_came_with_it(timeframe: str) -> None:
    """Told once of Monday and once of Friday it is one bar: the table has one place for it, and no batch may bring two."""
    records = [bar_of(timeframe, NEW_YORK_OPEN, day) for day in (MONDAY, FRIDAY)]
    places = by_series(read(records, HISTORY).batch.provider)
    assert list(places) == [SeriesKey("AAPL", timeframe, "regular")]
    for rows in places["AAPL", timeframe, "regular"]:
        assert rows["session_date"].tolist() == [(MONDAY - date(1970, 1, 1)).days]


def test_ticks_and_bars_agree_on_the_session_of_every_minute_of_a_weekend() -> None:
    """From Friday's pre-market to Tuesday's close, over a change of the clocks: what is regular of one is regular of the other."""
    minutes = range(NEW_YORK_OPEN - 80 * HOUR_MS, NEW_YORK_OPEN + 34 * HOUR_MS, 13 * MINUTE_MS)
    ticks = read([record_of(TickEvent("AAPL", ms, 10.0)) for ms in minutes]).batch.ticks
    told = read([bar_of("1m", ms, MONDAY) for ms in minutes], HISTORY).batch.provider

    def places(layers: list[Layer]) -> dict[SeriesKey, list[tuple[int, int]]]:
        return {key: rows[0][["ts", "session_date"]].tolist() for key, rows in by_series(layers).items()}

    assert places(ticks) == places(told)
    assert {key.session for key in places(ticks)} == {"regular", "ext"}


@pytest.mark.parametrize(
    ("timeframe", "ts", "session"),
    [
        ("5m", NEW_YORK_OPEN - HOUR_MS, "ext"),
        ("1h", NEW_YORK_OPEN + 390 * MINUTE_MS, "regular"),  # a row at the close, as Yahoo sometimes has it
    ],
)
def test_a_longer_bar_outside_of_its_sessions_hours_is_a_dead_letter(timeframe: str, ts: int, session: str) -> None:
    wrong = bar_of(timeframe, ts, MONDAY, session, volume=None)
    scanned = read([bar_of(timeframe, NEW_YORK_OPEN, MONDAY), wrong], HISTORY)
    assert list(by_series(scanned.batch.provider)) == [SeriesKey("AAPL", timeframe, "regular")]
    [letter] = scanned.rejects
    assert (letter["reason"], letter["stage"], letter["first_offset"]) == ("misaligned", "stream", 1)
    assert decode(letter["payload"]) == wrong[1]
    assert [part.last for part in scanned.ranges] == [1], "the offset is passed"


def test_what_is_refused_is_of_the_session_that_it_is_about() -> None:
    friday_ms = open_ms("AAPL", FRIDAY) + 5 * HOUR_MS
    row = DeadLetter(
        source=SOURCE, event_ms=friday_ms, fetched_ms=NEW_YORK_OPEN, symbol="AAPL", reason="bad_price", detail="close=-1",
        payload=base64.b64encode(b"{}").decode(), content_hash="a" * 64,
    )  # fmt: skip
    of_nobody = replace(row, symbol="NOPE", content_hash="b" * 64)
    misplaced = bar_of("1h", friday_ms - 10 * HOUR_MS, FRIDAY)[1]
    stranger = Tick(
        source="yahoo", event_ms=friday_ms, fetched_ms=NEW_YORK_OPEN, symbol="AAPL", price=1.0, day_volume=1
    )
    found = read([(0, row), (0, of_nobody), (0, misplaced), (0, stranger)], HISTORY).rejects
    friday = (FRIDAY - date(1970, 1, 1)).days
    assert [(letter["first_offset"], letter["day"]) for letter in sorted(found, key=itemgetter("first_offset"))] == [
        (0, friday), (1, None), (2, friday), (3, friday),
    ]  # fmt: skip


@pytest.mark.parametrize("timeframe", ["1m", "1h"])
def test_a_bar_that_is_called_extended_within_its_sessions_hours_is_a_dead_letter(timeframe: str) -> None:
    wrong = bar_of(timeframe, NEW_YORK_OPEN + HOUR_MS, MONDAY, "ext")
    scanned = read([bar_of(timeframe, NEW_YORK_OPEN, MONDAY), wrong], HISTORY)
    [(key, [rows])] = by_series(scanned.batch.provider).items()
    assert (key, rows["ts"].tolist()) == (SeriesKey("AAPL", timeframe, "regular"), [NEW_YORK_OPEN])
    [letter] = scanned.rejects
    assert (letter["reason"], letter["stage"], letter["first_offset"]) == ("misaligned", "stream", 1)
    assert "calls extended" in str(letter["detail"])
    assert decode(letter["payload"]) == wrong[1]
    assert [part.last for part in scanned.ranges] == [1], "the offset is passed"


PLACES = [
    # New York's Monday: 14:30 to 21:00 UTC, so the last hour is half an hour.
    ("5m", "14:32", True, ("14:30", "14:35", PROVIDER_PARTIAL)),  # it does not begin where a bar begins
    ("5m", "14:30", True, ("14:30", "14:35", PROVIDER_COMPLETE)),
    ("1h", "20:30", True, ("20:30", "21:00", PROVIDER_COMPLETE)),
    ("1d", "14:30", True, ("14:30", "21:00", PROVIDER_COMPLETE)),
]


@pytest.mark.parametrize(("timeframe", "at", "is_complete", "expected"), PLACES)
def test_a_providers_bar_begins_and_ends_where_its_session_lets_it(
    timeframe: str, at: str, is_complete: bool, expected: tuple[str, str, int]
) -> None:
    ts = int(datetime.fromisoformat(f"2026-11-02T{at}").replace(tzinfo=UTC).timestamp() * 1000)
    bar = Bar(
        source=SOURCE, event_ms=ts, fetched_ms=ts + 24 * HOUR_MS, symbol="AAPL", timeframe=timeframe, open=1.0, high=1.0,
        low=1.0, close=1.0, session_date="2026-11-02", is_complete=is_complete,
    )  # fmt: skip
    [[rows]] = by_series(read([(0, bar)]).batch.provider).values()
    times = [datetime.fromtimestamp(ms / 1000, UTC).strftime("%H:%M") for ms in (rows["ts"][0], rows["end"][0])]
    assert (*times, rows["origin"][0]) == expected


def test_a_month_is_dated_by_its_first_session() -> None:
    bar = BarEvent(
        "AAPL",
        "1mo",
        MONDAY.replace(day=20),
        NEW_YORK_OPEN,
        (1.0, 1.0, 1.0, 1.0, 1.0),
        NEW_YORK_OPEN + 20 * 24 * HOUR_MS,
    )
    [[rows]] = by_series(read([record_of(bar)]).batch.provider).values()
    assert (rows["ts"][0], rows["session_date"][0], rows["session_open"][0]) == (
        NEW_YORK_OPEN, (MONDAY - date(1970, 1, 1)).days, NEW_YORK_OPEN,
    )  # fmt: skip


def test_lineage_names_the_records_of_a_bar() -> None:
    ticks = [TickEvent("AAPL", NEW_YORK_OPEN + ms, 10.0) for ms in (0, 1, MINUTE_MS, 2)]
    [[rows]] = by_series(read([record_of(tick) for tick in ticks]).batch.ticks).values()
    assert rows[["input_topic", "input_partition", "input_first", "input_last"]].tolist() == [
        (EVENTS, 0, 0, 3),
        (EVENTS, 0, 2, 2),
    ]


def test_a_partition_read_by_several_tasks_is_one_range() -> None:
    parts = [OffsetRange(EVENTS, 0, 10, 19, 10), OffsetRange(EVENTS, 1, 5, 5, 1), OffsetRange(EVENTS, 0, 20, 24, 4)]
    assert sorted(join_ranges(parts), key=lambda part: part.partition) == [
        OffsetRange(EVENTS, 0, 10, 24, 14),
        OffsetRange(EVENTS, 1, 5, 5, 1),
    ]


@pytest.mark.parametrize("pack_bytes", [1, 1 << 20])
def test_partials_come_through_spark_as_they_were(monkeypatch: pytest.MonkeyPatch, pack_bytes: int) -> None:
    monkeypatch.setattr(partials, "PACK_BYTES", pack_bytes)
    records = [Tick(source=SOURCE, symbol="AAPL", event_ms=NEW_YORK_OPEN, fetched_ms=NEW_YORK_OPEN, price=1.0).encode()]
    scan, batches = Scan({}, SOURCE, Known.of(list(INSTRUMENTS))), [arrow_batch([*records, b"nonsense"], 0, EVENTS, 1)]
    packed = pa.Table.from_batches(pack(scan(iter(batches))))
    assert packed.schema == partials.PACKED
    assert partials.unpack(packed) == pa.Table.from_batches(scan(iter(batches)), PARTIALS)
    assert (packed.num_rows > 1) == (pack_bytes == 1)


def test_a_scan_of_nothing_is_no_partials() -> None:
    packed = pa.Table.from_batches(pack(Scan({}, SOURCE, Known.of([]))(iter([]))))
    assert partials.unpack(packed).num_rows == 0

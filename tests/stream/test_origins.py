"""Whose word a bar is, before and after a correction, and the seam between the provider's longer bars and our minutes."""

import re
from collections.abc import Iterator
from typing import Any

import psycopg2
import pytest
from rich.console import Console

from ingestion import database as ingestion_database
from ingestion.gaps import report as gap_report
from market.timeframes import MINUTE_MS
from tests.embedded import Database
from tests.stream.test_contracts import DatabaseStore
from tests.unit.market.folds import Fold
from tests.unit.market.worlds import FRIDAY, MONDAY, BarEvent, ClockEvent, Event, TickEvent, open_ms

pytestmark = pytest.mark.stream

OPEN, NEXT = open_ms("AAPL", FRIDAY), open_ms("AAPL", MONDAY)
DAY_MINUTES = 390


@pytest.fixture
def fold(postgres: Database) -> Iterator[Fold]:
    connection = psycopg2.connect(postgres.writer)
    with connection, connection.cursor() as cursor:
        cursor.execute("SELECT core.ensure_partitions(now()::date, greatest(now()::date, date '2026-12-01'))")
        cursor.execute(
            """INSERT INTO core.instruments (symbol, calendar, timezone, currency, price_precision, state, source)
               VALUES ('AAPL', 'XNYS', 'America/New_York', 'USD', 2, 'ok', 'simulator')"""
        )
    yield Fold(DatabaseStore(connection))
    connection.close()


def read(database: Database, query: str) -> list[tuple[Any, ...]]:
    """As a reader, who sees v1 alone."""
    connection = psycopg2.connect(database.reader)
    with connection, connection.cursor() as cursor:
        cursor.execute(query)
        found = cursor.fetchall()
    connection.close()
    return found


def price(minute: int) -> float:
    return round(100 + minute % 7 / 10, 2)


def minute(number: int, by: float = 0.0) -> BarEvent:
    first, last = price(number) + by, price(number + 1) + by
    ohlcv = (first, max(first, last) + 0.02, min(first, last) - 0.02, last, 10.0)
    return BarEvent("AAPL", "1m", FRIDAY, OPEN + number * MINUTE_MS, ohlcv, NEXT)


def longer(timeframe: str, number: int, length: int) -> BarEvent:
    """The provider's own bar of the minutes from `number` on."""
    of = [minute(k).ohlcv for k in range(number, number + length)]
    ohlcv = (of[0][0], max(one[1] for one in of), min(one[2] for one in of), of[-1][3], 10.0 * length)
    return BarEvent("AAPL", timeframe, FRIDAY, OPEN + number * MINUTE_MS, ohlcv, NEXT)


def test_a_seam_where_both_agree_and_one_where_they_do_not(fold: Fold, postgres: Database) -> None:
    #   Friday: 5m and 15m of the provider, all day | its minutes from the 100th on, those of one quarter too high
    #   Monday: our ticks
    seeds: list[Event] = [
        *(longer("5m", number, 5) for number in range(0, DAY_MINUTES, 5)),
        *(longer("15m", number, 15) for number in range(0, DAY_MINUTES, 15)),
    ]
    # One minute was without a trade: its five minutes cannot be compared, nor can its quarter.
    minutes: list[Event] = [minute(k, 3.0 if 150 <= k < 165 else 0.0) for k in range(100, DAY_MINUTES) if k != 220]
    ticks = [TickEvent("AAPL", NEXT + k * MINUTE_MS + 500, 100.0, 10 + k) for k in range(40)]
    end = NEXT + 60 * MINUTE_MS
    for batch in (seeds, minutes, [*ticks, ClockEvent(end, 0), ClockEvent(end, 1)]):
        fold.step(batch)
    origins = """SELECT timeframe, session_date = '2026-11-02', string_agg(DISTINCT origin, ' ') FROM v1.bars
                 WHERE timeframe IN ('1m', '5m', '15m', '30m') GROUP BY 1, 2 ORDER BY 1, 2"""
    assert read(postgres, origins) == [
        ("15m", False, "provider"),
        ("15m", True, "ours"),
        ("1m", False, "provider"),
        ("1m", True, "ours"),
        ("30m", False, "provider_bars"),
        ("30m", True, "ours"),
        ("5m", False, "provider"),
        ("5m", True, "ours"),
    ]
    seams = """SELECT timeframe, session_date::text, compared, disagree, round(100 * most_off),
                      (extract(epoch FROM first_disagreeing) * 1000)::bigint FROM v1.seams ORDER BY timeframe"""
    off = OPEN + 150 * MINUTE_MS
    assert read(postgres, seams) == [
        ("15m", FRIDAY.isoformat(), 18, 1, 3, off),
        ("1h", FRIDAY.isoformat(), 4, 1, 3, off - 30 * MINUTE_MS),
        ("30m", FRIDAY.isoformat(), 8, 1, 3, off),
        ("5m", FRIDAY.isoformat(), 57, 3, 3, off),
    ]
    console = Console(record=True, width=200)
    gap_report.show(ingestion_database.Database(postgres.writer), console, None, 7)
    assert re.search(rf"^AAPL +15m +{FRIDAY} +18 +1 +16:00 +up to 3 %$", console.export_text(), re.MULTILINE)


def test_a_revision_says_whose_word_it_was(fold: Fold, postgres: Database) -> None:
    ticks = [TickEvent("AAPL", OPEN + k * 1_000, 100.0 + k / 10, 10 + k) for k in range(3)]
    fold.step([*ticks, ClockEvent(OPEN + 2 * MINUTE_MS, 0)])
    fold.step([minute(0)])
    told = "SELECT revision, close, origin FROM {} WHERE timeframe = '{}'"
    for timeframe, now in (("1m", "provider"), ("5m", "ours")):
        assert read(postgres, told.format("v1.bars", timeframe))[0][2] == now
    assert read(postgres, told.format("v1.bar_revisions", "1m")) == [(0, 100.2, "ours")]
    assert read(postgres, told.format("v1.bars", "1m")) == [(1, minute(0).ohlcv[3], "provider")]

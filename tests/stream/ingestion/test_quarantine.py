"""The cross-checks in PostgreSQL: who goes into quarantine by which evidence, what readers see of it, and how it ends."""

import json
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import pytest
from rich.console import Console

from ingestion import symbols
from ingestion.checks import tables as check_tables
from ingestion.checks.young_splits import keep_believed
from ingestion.database import Database as Connection
from ingestion.gaps import report as gap_report
from ingestion.gaps.run import Found, Ledger
from ingestion.records.instruments import Instrument
from ingestion.records.rows import Records
from market.contracts import Bar
from tests.embedded import Database

pytestmark = pytest.mark.stream

DAY_MS = 86_400_000
APPLE = Instrument("AAPL", "Apple Inc.", "EQUITY", "SIM", "24/7", "UTC", "USD", 2, True)
NOW_MS = int(time.time() * 1000)
TODAY_MS = NOW_MS // DAY_MS * DAY_MS
YESTERDAY_MS = TODAY_MS - DAY_MS
YESTERDAY = date(1970, 1, 1) + timedelta(days=YESTERDAY_MS // DAY_MS)

BARS = """
INSERT INTO core.bars (symbol, timeframe, ts, bar_end, session_date, session, open, high, low, close, volume, ticks, mean_price,
    is_closed, is_final, revision, source, event_time, received_at, inputs, origin, provider_ms, first_ms, first_volume, last_ms,
    last_volume, day_volume)
SELECT 'AAPL', '1m', t, t + interval '1 minute', %s, 'regular', 100, 100.2, 99.9, 100.1, 10, 5, 100.05, true, true, 1, 'simulator',
    t + interval '1 minute', t, '', 3, 1, 1, -1, 1, -1, -1
FROM generate_series(to_timestamp(%s), to_timestamp(%s), interval '1 minute') AS t
"""
# Minute k of the session as it was before, `off` above what stands now; made by ticks or by the provider.
REVISIONS = """
INSERT INTO core.bar_revisions (symbol, timeframe, ts, revision, open, high, low, close, volume, ticks, is_final, source,
    event_time, received_at, updated_at, inputs)
SELECT 'AAPL', '1m', t, 0, 100 + %s, 100.2 + %s, 99.9 + %s, 100.1 + %s, 9, 5, false, 'simulator',
    t + CASE WHEN %s = 'polls' THEN interval '1 minute' ELSE interval '58 seconds' END, t, t, ''
FROM generate_series(to_timestamp(%s), to_timestamp(%s), interval '1 minute') AS t
"""


class World:
    """A database with all of yesterday's minutes, confirmed by the provider."""

    def __init__(self, database: Database) -> None:
        self.connection = Connection(database.writer)
        self.run(
            "INSERT INTO core.instruments (symbol, calendar, timezone, currency, state, source, history_at)"
            " VALUES ('AAPL', '24/7', 'UTC', 'USD', 'ok', 'simulator', now())"
        )
        self.run(BARS, YESTERDAY, YESTERDAY_MS / 1000, TODAY_MS / 1000 - 60)
        self.run(
            "INSERT INTO core.coverage VALUES ('AAPL', %s, tstzmultirange(tstzrange(to_timestamp(%s), to_timestamp(%s))), now())",
            YESTERDAY,
            YESTERDAY_MS / 1000,
            TODAY_MS / 1000,
        )

    def run(self, statement: str, *parameters: Any) -> list[tuple[Any, ...]]:
        return self.connection.run(statement, parameters)

    def revise(self, made_by: str, off: float, count: int) -> None:
        last_ms = YESTERDAY_MS + (count - 1) * 60_000
        self.run(REVISIONS, off, off, off, off, made_by, YESTERDAY_MS / 1000, last_ms / 1000)

    def say_of_the_day(self, high: float, fetched_ms: int) -> None:
        day = Bar(
            source="simulator",
            event_ms=YESTERDAY_MS,
            fetched_ms=fetched_ms,
            symbol="AAPL",
            timeframe="1d",
            open=100.0,
            high=high,
            low=99.9,
            close=100.1,
            volume=14_400.0,
            session_date=YESTERDAY.isoformat(),
            is_complete=True,
        )
        # A row in progress is no day to compare with.
        check_tables.note_days(self.connection, [day, replace(day, symbol="MSFT", is_complete=False)])

    def look(self) -> Found:
        return Ledger(self.connection, [APPLE], 29, 120_000, NOW_MS).look([APPLE])

    def quarantine(self) -> list[tuple[Any, ...]]:
        """(check, whether it is in)."""
        return self.run("SELECT check_name, is_in FROM v1.quarantine ORDER BY id")

    def score(self) -> tuple[float | None, str | None]:
        """(consistency, quarantine) of yesterday."""
        [row] = self.run("SELECT consistency, quarantine FROM v1.worst_quality() WHERE session_date = %s", YESTERDAY)
        return row[0], row[1]


@pytest.fixture
def world(postgres: Database) -> Iterator[World]:
    made = World(postgres)
    yield made
    made.connection.close()


def test_where_the_sources_agree_nobody_is_in_quarantine(world: World) -> None:
    # Corrections of a minute in three, all within the tolerance.
    world.revise("ticks", 0.1, 500)
    world.say_of_the_day(100.2, NOW_MS)
    found = world.look()
    assert (found.again, world.quarantine(), world.score()) == ({}, [], (100.0, None))
    assert world.run("SELECT count(*) FROM core.provider_days") == [(1,)]
    assert world.run("SELECT day_agrees FROM v1.session_ledger WHERE session_date = %s", YESTERDAY) == [(True,)]


@pytest.mark.parametrize(("ticks", "expected"), [(9, []), (10, [("ticks", True)])])
def test_a_few_ticks_inside_of_the_providers_range_contradict_nobody(
    world: World, ticks: int, expected: list[tuple[str, bool]]
) -> None:
    world.revise("ticks", 0.0, 144)
    world.run("UPDATE core.bar_revisions SET ticks = %s", ticks)
    world.run("UPDATE core.bars SET low = 90")
    world.look()
    assert world.quarantine() == expected


@pytest.mark.parametrize(("check", "off"), [("ticks", 1.0), ("polls", 0.06)])
def test_a_symbol_whose_minutes_disagree_is_in_quarantine_until_they_agree(
    world: World, check: str, off: float
) -> None:
    world.revise(check, off, 144)
    found = world.look()
    assert world.quarantine() == [(check, True)]
    [span] = found.again["AAPL"]
    assert (span.start_ms, span.end_ms) == (YESTERDAY_MS, TODAY_MS)
    assert world.score() == (90.0, check)
    [row] = symbols.listed(world.connection, NOW_MS).columns[7].cells
    assert row == f"in quarantine ({check})"

    console = Console(record=True, width=200)
    gap_report.show(world.connection, console, None, 7)
    assert f"AAPL           {check:<5}  {YESTERDAY}" in console.export_text()

    # Asked for again a moment ago: not once more.
    check_tables.note_asked_again(world.connection, ["AAPL"])
    assert world.look().again == {}
    # The provider says now what was seen first.
    world.run(
        "UPDATE core.bars SET open = open + %s, high = high + %s, low = low + %s, close = close + %s WHERE ts < to_timestamp(%s)",
        *[off] * 4,
        YESTERDAY_MS / 1000 + 144 * 60,
    )
    assert world.look().again == {}
    assert world.quarantine() == [(check, False)]
    assert world.score() == (100.0, None)
    assert "differ in 0 of" in world.run("SELECT left_because FROM v1.quarantine")[0][0]


def test_a_day_that_is_not_its_minutes_halves_the_sessions_consistency_until_the_provider_corrects_it(
    world: World,
) -> None:
    world.say_of_the_day(110.0, NOW_MS - 1_000)
    assert [span.start_ms for span in world.look().again["AAPL"]] == [YESTERDAY_MS]
    assert (world.quarantine(), world.score()) == ([("day", True)], (50.0, "day"))
    # An older answer that comes late changes nothing.
    world.say_of_the_day(100.2, NOW_MS - 2_000)
    world.look()
    assert world.quarantine() == [("day", True)]
    world.say_of_the_day(100.2, NOW_MS)
    world.look()
    assert (world.quarantine(), world.score()) == ([("day", False)], (100.0, None))


def test_a_day_is_not_compared_while_minutes_are_missing(world: World) -> None:
    world.run("DELETE FROM core.bars WHERE ts = to_timestamp(%s)", YESTERDAY_MS / 1000 + 600)
    world.run("DELETE FROM core.coverage")
    world.say_of_the_day(110.0, NOW_MS)
    world.look()
    assert world.quarantine() == []


def test_a_split_whose_prices_are_wrong_is_in_the_quality_of_its_day(world: World) -> None:
    world.run(
        "UPDATE core.bars SET timeframe = '1d', session_date = %s WHERE ts = to_timestamp(%s)",
        YESTERDAY - timedelta(days=1),
        YESTERDAY_MS / 1000,
    )

    def rows(close: float) -> Records:
        bar = Bar(
            source="simulator",
            event_ms=YESTERDAY_MS - DAY_MS,
            fetched_ms=NOW_MS,
            symbol="AAPL",
            timeframe="1d",
            **dict.fromkeys(("open", "high", "low", "close"), close),
            session_date=(YESTERDAY - timedelta(days=1)).isoformat(),
            is_complete=True,
        )
        return Records([bar])

    wrong, right = rows(400.4), rows(100.1)
    keep_believed(world.connection, wrong, [(YESTERDAY, 4.0)], "AAPL", NOW_MS)
    assert (wrong.bars, world.quarantine()) == ([], [("split", True)])
    keep_believed(world.connection, right, [(YESTERDAY, 4.0)], "AAPL", NOW_MS)
    assert (len(right.bars), world.quarantine()) == (1, [("split", False)])


def test_a_minute_whose_row_was_refused_is_a_gap_of_the_provider(world: World) -> None:
    missing_ms = YESTERDAY_MS + 600_000
    world.run("DELETE FROM core.bars WHERE ts = to_timestamp(%s)", missing_ms / 1000)
    for offset, payload in enumerate(
        (json.dumps({"timeframe": "1m", "ts_ms": missing_ms}), '{"message": 1}', "<html>")
    ):
        world.run(
            "INSERT INTO core.dead_letters (stage, reason, detail, symbol, payload, content_hash, topic, topic_id, kafka_partition,"
            " kafka_offset, received_at) VALUES ('ingestion', 'missing_field', '', 'AAPL', %s, %s, 't', 'id', 0, %s, now())",
            payload.encode(),
            str(offset),
            offset,
        )
    world.look()
    gaps = world.run("SELECT reason, state, minutes FROM v1.gaps WHERE session_date = %s", YESTERDAY)
    assert gaps == [("provider_gap", "accepted", 1)]


def test_what_was_refused_and_names_no_known_symbol_is_counted_beside_the_rest(world: World) -> None:
    for offset, symbol in enumerate(("AAPL", "", "NOPE")):
        world.run(
            "INSERT INTO core.dead_letters (stage, reason, detail, symbol, payload, content_hash, topic, topic_id, kafka_partition,"
            " kafka_offset, received_at) VALUES ('stream', 'not_json', '', %s, 'x', %s, 't', 'id', 0, %s, now())",
            symbol,
            str(offset),
            offset,
        )
    assert world.run("SELECT letters, of_no_symbol, is_more FROM v1.refused") == [(3, 2, False)]

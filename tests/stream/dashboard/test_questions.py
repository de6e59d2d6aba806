"""The dashboard's questions, asked of a real PostgreSQL as the reader."""

from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg2
import pytest
from psycopg2.extensions import cursor

from dashboard import queries
from dashboard.adjustment import Adjustment
from dashboard.feed import DatabaseFeed, Request
from tests.stream.dashboard.rows import BAR, INSTRUMENT, START, bar, insert

pytestmark = pytest.mark.stream


def test_an_empty_database_has_an_empty_answer_to_every_question(database):
    snapshot = DatabaseFeed(database).read(Request("AAPL", "1m"))
    assert (snapshot.instruments, snapshot.rows, snapshot.latest, snapshot.quality) == ([], [], None, None)
    assert (snapshot.timeframes, snapshot.watchlist, snapshot.services, snapshot.stream_age_s) == ([], [], [], None)


def test_bars_come_oldest_first_with_their_indicators(write, ask):
    for minute in range(5):
        bar(write, minute, close=100.5 + minute / 10)
    insert(
        write,
        "indicators",
        symbol="AAPL",
        timeframe="1m",
        ts=START,
        revision=0,
        is_final=True,
        sma_5=100.1,
        rsi_14=55.5,
    )
    rows = ask(queries.bars, "AAPL", "1m", 3)
    assert [row.close for row in rows] == [100.7, 100.8, 100.9]
    first = ask(queries.bars, "AAPL", "1m", 10)[0]
    assert first.ts_ms == int(START.timestamp() * 1000)
    assert (first.end_ms - first.ts_ms, first.sma_5, first.rsi_14, first.macd) == (60_000, 100.1, 55.5, None)


def test_a_bar_without_indicators_yet_is_there_all_the_same(write, ask):
    bar(write, 0, is_closed=False, is_final=False, volume=None)
    (row,) = ask(queries.bars, "AAPL", "1m", 10)
    assert (row.is_closed, row.volume, row.sma_5) == (False, None, None)


def test_bars_since_a_moment_include_it(write, ask):
    for minute in range(5):
        bar(write, minute)
    since = START + timedelta(minutes=3)
    assert len(ask(queries.bars, "AAPL", "1m", 600, since)) == 2


def test_extended_hours_are_not_among_the_candles(write, ask):
    bar(write, 0)
    bar(write, 1, session="ext")
    assert len(ask(queries.bars, "AAPL", "1m", 10)) == 1


def test_other_symbols_and_frames_stay_out(write, ask):
    bar(write, 0)
    bar(write, 0, symbol="MSFT")
    bar(write, 0, timeframe="5m")
    assert len(ask(queries.bars, "AAPL", "1m", 10)) == 1
    assert ask(queries.timeframes, "AAPL") == ["1m", "5m"]


def test_the_latest_price_comes_with_its_change_and_the_years_range(write, ask):
    insert(write, "instruments", **INSTRUMENT)
    bar(write, 0, timeframe="1d", high=150.0, low=80.0)
    insert(write, "latest", symbol="AAPL", price=110.0, session="regular", session_date=START.date(), previous_close=100.0,
           event_time=START, received_at=START, source="simulator")  # fmt: skip
    latest = ask(queries.latest, "AAPL")
    assert (latest.price, latest.change, latest.change_pct) == pytest.approx((110.0, 10.0, 10.0))
    assert (latest.week52_high, latest.week52_low, latest.event_time) == (150.0, 80.0, START)


def test_the_five_minute_mean_is_the_newest_sma_5_of_minutes(write, ask):
    for minute, mean in ((0, 100.0), (1, 101.0)):
        ts = START + timedelta(minutes=minute)
        insert(write, "indicators", symbol="AAPL", timeframe="1m", ts=ts, revision=0, is_final=True, sma_5=mean)
    assert ask(queries.five_minute_mean, "AAPL") == 101.0


def test_quality_counts_the_minutes_of_the_newest_session(write, ask):
    insert(write, "instruments", **INSTRUMENT)
    insert(
        write,
        "sessions",
        calendar="24/7",
        session_date=START.date(),
        opens_at=START,
        closes_at=START + timedelta(hours=2),
    )
    insert(write, "quality", symbol="AAPL", session_date=START.date(), ticks=90, late=2, corrected=1, dead_lettered=3)
    for minute in range(10):
        bar(write, minute)
    quality = ask(queries.quality, "AAPL")
    assert (quality.present, quality.late, quality.corrected, quality.dead_lettered) == (10, 2, 1, 3)
    assert quality.missing == quality.expected - 10 > 0


def test_the_watch_list_has_every_tracked_symbol_with_or_without_a_price(write, ask):
    insert(write, "instruments", **INSTRUMENT)
    insert(write, "instruments", symbol="ZZZZ", state="unknown", state_detail="no such symbol", source="simulator")
    insert(write, "instruments", symbol="OLD", tracked=False, source="simulator")
    insert(write, "latest", symbol="AAPL", price=110.0, session="regular", session_date=START.date(), previous_close=100.0,
           event_time=START, received_at=START, source="simulator")  # fmt: skip
    assert [(row.symbol, row.price, row.state) for row in ask(queries.watchlist)] == [
        ("AAPL", 110.0, "ok"),
        ("ZZZZ", None, "unknown"),
    ]
    assert [one.symbol for one in ask(queries.instruments)] == ["AAPL", "ZZZZ"]


def test_small_charts_are_the_last_closes_oldest_first(write, ask):
    for minute, close in ((0, 100.5), (5, 101.5)):
        bar(write, minute, timeframe="5m", close=close)
    assert ask(queries.sparks, ["AAPL", "MSFT"]) == {"AAPL": [100.5, 101.5]}


def test_services_and_stream_tell_their_age(write, ask):
    insert(
        write,
        "service_status",
        name="spark",
        state="ok",
        detail="running",
        heartbeat_at=datetime.now(UTC) - timedelta(seconds=40),
    )
    (service,) = ask(queries.services)
    assert (service.name, service.state, 39 < service.age_s < 60) == ("spark", "ok", True)
    insert(
        write,
        "stream_offsets",
        query="bars",
        cluster_id="c",
        topic_id="t",
        partition=0,
        topic="x",
        next_offset=1,
        epoch=1,
    )
    assert 0 <= ask(queries.stream_age_s) < 20


def test_bars_and_indicators_are_read_through_their_primary_keys(write, database):
    """However many symbols there are, a refresh touches the few rows it draws: no plan scans a partition."""
    for minute in range(20):
        bar(write, minute)
    copied = ",".join(
        [
            "ts",
            "bar_end",
            "session_date",
            "event_time",
            "received_at",
            *(name for name in BAR if name not in ("symbol", "timeframe")),
        ]
    )
    write.execute(
        f"INSERT INTO core.bars (symbol, timeframe, {copied}) "  # noqa: S608 - our own column names
        f"SELECT 'S' || n, timeframe, {copied} FROM core.bars, generate_series(1, 200) n"
    )
    write.execute(
        "INSERT INTO core.indicators (symbol, timeframe, ts, revision, is_final) "
        "SELECT symbol, timeframe, ts, revision, is_final FROM core.bars"
    )
    with psycopg2.connect(write.connection.dsn.replace("candlestream_writer", "candlestream_migrator")) as owner:
        owner.cursor().execute("ANALYZE core.bars, core.indicators")
    plan = database.read(lambda cur: _plan(cur, {"symbol": "AAPL", "timeframe": "1m", "limit": 600, "since": START}))
    scans = [line.strip() for line in plan.splitlines() if "Seq Scan" in line and "never executed" not in line]
    # Empty partitions may be looked at as the planner likes.
    assert [line for line in scans if "rows=0" not in line] == [], plan
    assert "Index" in plan


def _plan(cur: cursor, values: dict[str, Any]) -> str:
    cur.execute("EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF) " + queries.BARS[Adjustment.SPLIT], values)
    return "\n".join(line for (line,) in cur.fetchall())


def test_a_recomputation_is_told_of_when_it_takes_long(write, ask):
    job = {"symbol": "AAPL", "from_ts": START, "through_ts": START}
    insert(write, "recomputations", timeframe="1m", queued_at=datetime.now(UTC), **job)
    insert(write, "recomputations", timeframe="5m", queued_at=datetime.now(UTC) - timedelta(minutes=1), **job)
    assert ask(queries.recomputing_from, "AAPL", "1m") is None
    assert ask(queries.recomputing_from, "AAPL", "5m") == START
    assert ask(queries.recomputing_from, "MSFT", "5m") is None

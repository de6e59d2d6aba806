"""The dashboard's questions, asked of a real PostgreSQL as the reader."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg2
import pytest
from psycopg2.extensions import cursor
from psycopg2.sql import SQL, Identifier, Placeholder

from dashboard import queries
from dashboard.adjustment import Adjustment
from dashboard.database import Database, DatabaseProblem
from dashboard.feed import DatabaseFeed, Request

pytestmark = pytest.mark.stream

START = datetime.now(UTC).replace(second=0, microsecond=0) - timedelta(minutes=30)
INSTRUMENT = {
    "symbol": "AAPL", "name": "Apple Inc.", "exchange": "NMS", "calendar": "24/7", "timezone": "UTC", "currency": "USD",
    "state": "ok", "source": "simulator",
}  # fmt: skip
BAR = {
    "symbol": "AAPL", "timeframe": "1m", "session": "regular", "open": 100.0, "high": 102.0, "low": 99.0, "close": 101.0,
    "volume": 500.0, "ticks": 10, "mean_price": 100.5, "is_closed": True, "is_final": True, "revision": 0,
    "source": "simulator", "inputs": "", "origin": 0, "provider_ms": 0, "first_ms": 0, "first_volume": 0, "last_ms": 0,
    "last_volume": 0, "day_volume": 0,
}  # fmt: skip


def insert(cur: cursor, table: str, **values: Any) -> None:
    statement = SQL("INSERT INTO core.{} ({}) VALUES ({})").format(
        Identifier(table), SQL(",").join(map(Identifier, values)), SQL(",").join(map(Placeholder, values))
    )
    cur.execute(statement, values)


def bar(cur: cursor, minute: int, **values: Any) -> None:
    ts = START + timedelta(minutes=minute)
    times = {
        "ts": ts,
        "bar_end": ts + timedelta(minutes=1),
        "session_date": ts.date(),
        "event_time": ts,
        "received_at": ts,
    }
    insert(cur, "bars", **{**BAR, **times, **values})


@pytest.fixture
def write(postgres) -> Iterator[cursor]:
    """A cursor of the writer; each statement is committed."""
    connection = psycopg2.connect(postgres.writer)
    connection.autocommit = True
    with connection.cursor() as cur:
        yield cur
    connection.close()


@pytest.fixture
def database(postgres) -> Database:
    return Database(postgres.reader)


@pytest.fixture
def ask(database) -> Callable[..., Any]:
    return lambda question, *args: database.read(lambda cur: question(cur, *args))


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


@pytest.fixture
def split_stock(write) -> None:
    """Two days at 400 and 404 as printed, a 4:1 split, two days at 102 and 103; a dividend of 2.02 between the first two.

    SMA 5 is what the kernel stores: of the bar's own shares, as if there had been no split.
    """
    insert(write, "instruments", **INSTRUMENT)
    ex_date = START - timedelta(days=7)
    for days, price, mean in ((-2, 400.0, 396.0), (-1, 404.0, 400.0), (0, 102.0, 101.0), (1, 103.0, 102.0)):
        ts = ex_date + timedelta(days=days)
        bar(write, 0, timeframe="1d", ts=ts, bar_end=ts + timedelta(hours=6), session_date=ts.date(), open=price,
            high=price, low=price, close=price, volume=1_000.0)  # fmt: skip
        insert(write, "indicators", symbol="AAPL", timeframe="1d", ts=ts, revision=0, is_final=True, sma_5=mean, rsi_14=50.0,
               macd=mean / 100)  # fmt: skip
    for action, days, value in (("split", 0, 4.0), ("dividend", -1, 2.0)):
        insert(write, "corporate_actions", symbol="AAPL", ex_date=(ex_date + timedelta(days=days)).date(), action=action,
               value=value, source="simulator", received_at=START)  # fmt: skip


@pytest.mark.parametrize(
    ("adjustment", "closes", "means", "volumes"),
    [
        (Adjustment.RAW, [400, 404, 102, 103], [396, 400, 101, 102], [1_000] * 4),
        (Adjustment.SPLIT, [100, 101, 102, 103], [99, 100, 101, 102], [4_000, 4_000, 1_000, 1_000]),
        # Two of four hundred: 0.995 of what is before the dividend.
        (Adjustment.TOTAL_RETURN, [99.5, 101, 102, 103], [98.505, 100, 101, 102], [4_000, 4_000, 1_000, 1_000]),
    ],
)
def test_candles_averages_and_volumes_across_a_split_are_on_one_scale(
    split_stock, ask, adjustment, closes, means, volumes
):
    rows = ask(queries.bars, "AAPL", "1d", 10, queries.BEGINNING, adjustment)
    for name, expected in (("close", closes), ("high", closes), ("sma_5", means), ("volume", volumes)):
        assert [getattr(row, name) for row in rows] == pytest.approx(expected), name
    assert [row.macd for row in rows] == pytest.approx([mean / 100 for mean in means])
    assert [row.rsi_14 for row in rows] == [50.0] * 4


def test_without_a_choice_there_is_no_crash_at_a_split(split_stock, ask):
    assert [row.close for row in ask(queries.bars, "AAPL", "1d", 10)] == [100.0, 101.0, 102.0, 103.0]


def test_the_years_range_and_the_small_charts_are_in_todays_shares(split_stock, write, ask):
    insert(write, "latest", symbol="AAPL", price=103.0, session="regular", session_date=START.date(), previous_close=102.0,
           event_time=START, received_at=START, source="simulator")  # fmt: skip
    latest = ask(queries.latest, "AAPL")
    assert (latest.week52_high, latest.week52_low) == (103.0, 100.0)
    for minute, price in ((-30 * 24 * 60, 200.0), (0, 51.0)):
        bar(write, minute, timeframe="5m", close=price)
    assert ask(queries.sparks, ["AAPL"]) == {"AAPL": [50.0, 51.0]}


def test_a_bar_whose_total_return_nobody_knows_is_not_drawn_as_one(write, ask):
    insert(write, "instruments", **INSTRUMENT)
    bar(write, -2 * 24 * 60)
    bar(write, 0)
    insert(write, "corporate_actions", symbol="AAPL", ex_date=START.date() - timedelta(days=1), action="dividend",
           value=1.0, source="simulator", received_at=START)  # fmt: skip
    assert len(ask(queries.bars, "AAPL", "1m", 10, queries.BEGINNING, Adjustment.TOTAL_RETURN)) == 1
    assert len(ask(queries.bars, "AAPL", "1m", 10, queries.BEGINNING, Adjustment.SPLIT)) == 2


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


def test_one_snapshot_reads_one_moment(database, write):
    """A bar that is committed between two of a snapshot's queries is in none of them."""

    def twice(cur: cursor) -> tuple[int, int]:
        before = len(queries.bars(cur, "AAPL", "1m", 10))
        bar(write, 0)
        return before, len(queries.bars(cur, "AAPL", "1m", 10))

    assert database.read(twice) == (0, 0)
    assert database.read(lambda cur: len(queries.bars(cur, "AAPL", "1m", 10))) == 1


def test_a_connection_that_was_cut_is_made_anew_without_a_word(database, postgres):
    pid = database.read(_backend)
    with psycopg2.connect(postgres.admin) as admin, admin.cursor() as cur:
        cur.execute("SELECT pg_terminate_backend(%s)", (pid,))
    assert database.read(_backend) != pid


def _backend(cur: cursor) -> int:
    cur.execute("SELECT pg_backend_pid()")
    return int(cur.fetchone()[0])  # type: ignore[index]


def test_connections_are_kept_and_few(database):
    assert len({database.read(_backend) for _ in range(10)}) == 1


def test_the_reader_can_write_nothing(database):
    with pytest.raises(DatabaseProblem):
        database.read(lambda cur: cur.execute("CREATE TABLE v1.mine (x int)"))


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (
            lambda url: url.replace("candlestream_reader", "nobody_here"),
            "does not accept|no database or user|cannot be reached",
        ),
        (lambda url: url.rsplit("/", 1)[0] + "/no_such_database", "has no database or user of the name"),
    ],
)
def test_a_wrong_address_is_a_sentence(postgres, change, sentence):
    with pytest.raises(DatabaseProblem, match=sentence):
        Database(change(postgres.reader)).read(queries.clock)


def test_nothing_listening_is_a_sentence():
    with pytest.raises(DatabaseProblem) as caught:
        Database("postgresql://candlestream_reader@127.0.0.1:1/candlestream").read(queries.clock)
    assert caught.value.sentence == "PostgreSQL at 127.0.0.1:1 cannot be reached."


def test_a_database_before_its_migrations_is_a_sentence(database):
    with pytest.raises(DatabaseProblem, match="migrations have not run"):
        database.read(lambda cur: cur.execute("SELECT * FROM v1.not_there_yet"))

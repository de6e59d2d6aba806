"""Splits and dividends on read: prices of before them in later shares, at any time's knowledge.

Expected values are published ones (AAPL's and NVDA's splits as exchanges printed the days around them and Yahoo shows them today)
or worked out by hand beside the test; many random actions at once are compared with a plain loop.
"""

import random
import re
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import psycopg2
import pyarrow as pa
import pytest
from psycopg2.extensions import connection as Connection

from ingestion.instruments import Instrument
from ingestion.providers.base import Answer, Row
from ingestion.rows import records_of
from ingestion.splits import SplitFactors
from market.actions import TAKEN_BACK
from market.batches import Batch, Changes
from market.book import Book
from simulator.chart import chart_answer
from simulator.listings import read_listings
from simulator.market import Market
from simulator.splits import read_splits
from spark_jobs.batch import Scanned, read_scan
from spark_jobs.known import Known
from spark_jobs.partials import PARTIALS
from spark_jobs.reader import Reader
from spark_jobs.scan import HISTORY, Scan
from spark_jobs.writer import Writer
from tests.embedded import Database
from tests.stream.test_as_of import ask
from tests.stream.test_contracts import DOCUMENT
from tests.stream.test_dashboard_queries import BAR, insert
from tests.unit.market.worlds import INSTRUMENTS
from tests.unit.spark_jobs.test_scan import batch_of as arrow_batch

pytestmark = pytest.mark.stream

Rows = list[tuple[Any, ...]]


@pytest.fixture
def write(postgres: Database) -> Iterator[Connection]:
    connection = psycopg2.connect(postgres.writer)
    with connection, connection.cursor() as cursor:
        for symbol, calendar, zone in (
            ("AAPL", "XNYS", "America/New_York"),
            ("NVDA", "XNYS", "America/New_York"),
            ("BHP.AX", "XASX", "Australia/Sydney"),
        ):
            cursor.execute(
                """INSERT INTO core.instruments (symbol, calendar, timezone, currency, state, source)
                   VALUES (%s, %s, %s, 'USD', 'ok', 'simulator')""",
                (symbol, calendar, zone),
            )
    yield connection
    connection.close()


@pytest.fixture
def read(postgres: Database) -> Iterator[Callable[..., Rows]]:
    """Asks as the reader, who may see schema v1 and nothing else."""
    connection = psycopg2.connect(postgres.reader)
    yield lambda query, *parameters: ask(connection, query, *parameters)
    connection.close()


def opens(day: date, hour: int = 14) -> datetime:
    return datetime(day.year, day.month, day.day, hour, 30, tzinfo=UTC)


def bar(
    write: Connection,
    symbol: str,
    day: str,
    ohlcv: tuple[float, float, float, float, float | None],
    timeframe: str = "1d",
    ends: str = "",
    **more: Any,
) -> None:
    """A bar as it was printed on a day; `ends` is the last day of a longer one."""
    at = date.fromisoformat(day)
    first, high, low, last, volume = ohlcv
    values = BAR | {
        "symbol": symbol, "timeframe": timeframe, "ts": opens(at), "session_date": at, "event_time": opens(at),
        "bar_end": opens(date.fromisoformat(ends or day), 21), "received_at": opens(at), "updated_at": opens(at),
        "open": first, "high": high, "low": low, "close": last, "volume": volume,
    }  # fmt: skip
    with write, write.cursor() as cursor:
        insert(cursor, "bars", **values | more)


def flat(write: Connection, symbol: str, day: str, price: float, volume: float = 1_000.0, **more: Any) -> None:
    bar(write, symbol, day, (price, price, price, price, volume), **more)


def tell(write: Connection, *words: tuple[str, str, str, float], at: datetime | None = None) -> datetime:
    """Actions as a batch of the stream writes them, fetched at a time; gives a time after that batch's commit."""
    at = at or datetime.now(UTC)
    rows = [
        {"symbol": symbol, "ex_date": date.fromisoformat(day), "action": action, "close": value}
        | {"received_ms": int(at.timestamp() * 1000)}
        for symbol, day, action, value in words
    ]
    writer = Writer(write, "simulator")
    with write, write.cursor() as cursor:
        cursor.execute("DROP TABLE IF EXISTS pg_temp.stage, pg_temp.stage_latest, pg_temp.stage_quality")
    writer.prepare()
    with write, write.cursor() as cursor:
        writer.write(cursor, Changes(), Scanned(Batch(), actions=rows), {}, 0)
    with write, write.cursor() as cursor:
        cursor.execute("SELECT clock_timestamp()")
        (after,) = cursor.fetchone() or ()
    return after  # type: ignore[no-any-return]


def test_yahoos_own_example_of_an_adjusted_close(write: Connection, read: Callable[..., Rows]) -> None:
    """Help page "What is the adjusted close?": 2:1 on 18 February 2003, 0.08 on the 19th; 1 - 0.08 / 24.96 = 0.9968."""
    for day, close in (("2003-02-13", 46.99), ("2003-02-14", 48.30), ("2003-02-18", 24.96), ("2003-02-19", 24.53)):
        flat(write, "AAPL", day, close)
    tell(write, ("AAPL", "2003-02-18", "split", 2.0), ("AAPL", "2003-02-19", "dividend", 0.08))
    rows = read("SELECT total_return_close FROM v1.bars_adjusted('AAPL', '1d') ORDER BY ts")
    assert [round(close, 2) for (close,) in rows] == [23.42, 24.07, 24.88, 24.53]
    assert round(read("SELECT price_factor FROM v1.adjustments WHERE action = 'dividend'")[0][0], 4) == 0.9968


def test_apples_split_of_2020_is_drawn_as_yahoo_draws_it(write: Connection, read: Callable[..., Rows]) -> None:
    bar(write, "AAPL", "2020-08-28", (504.05, 505.77, 498.31, 499.23, 46_907_500.0))
    bar(write, "AAPL", "2020-08-31", (127.58, 131.00, 126.00, 129.04, 225_702_700.0))
    tell(write, ("AAPL", "2020-08-31", "split", 4.0))
    rows = read(
        """SELECT split_open, split_high, split_low, split_close, split_volume, open, volume
           FROM v1.bars_adjusted('AAPL', '1d') ORDER BY ts"""
    )
    # Yahoo's page of historical prices for 28 August 2020: 126.01, 126.44, 124.58, 124.81, 187,630,000 shares.
    assert rows[0][:5] == pytest.approx((126.0125, 126.4425, 124.5775, 124.8075, 187_630_000.0), abs=1e-9)
    assert rows[0][5:] == (504.05, 46_907_500.0), "what was printed stands beside it"
    assert rows[1][:5] == (127.58, 131.00, 126.00, 129.04, 225_702_700.0)


def test_nvidias_split_of_2024_and_its_dividend_a_day_later(write: Connection, read: Callable[..., Rows]) -> None:
    #   7 June: 1,208.88 printed | 10 June, 10:1: 121.79 | 11 June, ex 0.01: 120.91
    for day, close, volume in (
        ("2024-06-07", 1208.88, 41_238_600.0),
        ("2024-06-10", 121.79, 314_162_700.0),
        ("2024-06-11", 120.91, 222_551_200.0),
    ):
        flat(write, "NVDA", day, close, volume)
    tell(write, ("NVDA", "2024-06-10", "split", 10.0), ("NVDA", "2024-06-11", "dividend", 0.01))
    rows = read(
        """SELECT split_close, split_volume, total_return_close FROM v1.bars_adjusted('NVDA', '1d') ORDER BY ts"""
    )
    assert [row[0] for row in rows] == pytest.approx([120.888, 121.79, 120.91], abs=1e-12)
    assert [row[1] for row in rows] == [412_386_000.0, 314_162_700.0, 222_551_200.0]
    # 1 - 0.01 / 121.79 = 0.99991789146...: 120.888 times it is 120.87807, and 121.79 times it is 121.78.
    assert [row[2] for row in rows] == pytest.approx([120.878074, 121.78, 120.91], abs=1e-6)
    [told] = read("SELECT ex_date, previous_close, price_factor FROM v1.adjustments WHERE action = 'dividend'")
    assert told == (date(2024, 6, 11), 121.79, pytest.approx(0.999917891, abs=1e-9))


def test_a_dividend_before_a_split_counts_in_the_shares_of_its_day(
    write: Connection, read: Callable[..., Rows]
) -> None:
    # Apple paid 0.82 a share on 7 August 2020, before its 4:1: (455.61 - 0.82) / 4 = 113.6975. Yahoo lists 0.205.
    flat(write, "AAPL", "2020-08-06", 455.61)
    flat(write, "AAPL", "2020-08-28", 499.23)
    tell(write, ("AAPL", "2020-08-07", "dividend", 0.82), ("AAPL", "2020-08-31", "split", 4.0))
    rows = read("SELECT total_return_close, split_close FROM v1.bars_adjusted('AAPL', '1d') ORDER BY ts")
    assert rows == [(pytest.approx(113.6975, abs=1e-9), 113.9025), (124.8075, 124.8075)]


def test_a_dividend_on_the_day_of_a_split_is_paid_on_the_new_shares(
    write: Connection, read: Callable[..., Rows]
) -> None:
    # 100 printed, 2:1 with 1.00 a new share: 50 in new shares, 1 - 1 / 50 = 0.98, and so 49.
    flat(write, "AAPL", "2026-03-02", 100.0)
    flat(write, "AAPL", "2026-03-03", 49.5)
    tell(write, ("AAPL", "2026-03-03", "split", 2.0), ("AAPL", "2026-03-03", "dividend", 1.0))
    rows = read("SELECT total_return_close FROM v1.bars_adjusted('AAPL', '1d') ORDER BY ts")
    assert rows == [(pytest.approx(49.0, abs=1e-12),), (49.5,)]


def test_a_reverse_split_and_a_split_of_three_for_two(write: Connection, read: Callable[..., Rows]) -> None:
    # 4 printed, then 1:8 (0.125): 32; then 3:2: 32 / 1.5 = 21.33; volume 900 * 0.125 * 1.5 = 168.75.
    flat(write, "AAPL", "2026-03-02", 4.0, 900.0)
    tell(write, ("AAPL", "2026-03-03", "split", 0.125), ("AAPL", "2026-04-01", "split", 1.5))
    [row] = read("SELECT split_close, split_volume, split_ratio FROM v1.bars_adjusted('AAPL', '1d')")
    assert row == (pytest.approx(64 / 3), pytest.approx(168.75), 0.1875)


def test_minutes_and_extended_hours_go_by_their_session(write: Connection, read: Callable[..., Rows]) -> None:
    #   2 March: regular 14:30, after hours 21:10 | ex-date 3 March: pre-market 09:00, regular
    flat(write, "AAPL", "2026-03-02", 80.0)
    for day, hour, price, session in (
        ("2026-03-02", 14, 80.0, "regular"),
        ("2026-03-02", 22, 80.4, "ext"),
        ("2026-03-03", 9, 20.2, "ext"),
        ("2026-03-03", 14, 20.3, "regular"),
    ):
        flat(write, "AAPL", day, price, timeframe="1m", session=session, ts=opens(date.fromisoformat(day), hour))
    tell(write, ("AAPL", "2026-03-03", "split", 4.0))
    rows = read("SELECT split_close FROM v1.bars_adjusted('AAPL', '1m') ORDER BY ts")
    assert [close for (close,) in rows] == pytest.approx([20.0, 20.1, 20.2, 20.3])


def test_a_week_has_the_dividends_after_its_last_session_and_the_splits_after_its_first(
    write: Connection, read: Callable[..., Rows]
) -> None:
    #   week of 23 Feb, close 100 | week of 2 March: Tuesday ex 1.00, Wednesday 2:1, close (in Monday's shares) 99
    #   the day before the dividend: 100
    # The first week: 100 / 2 * 0.99 = 49.5. The second has passed the dividend by its close, and is in Monday's shares: 49.5.
    flat(write, "AAPL", "2026-02-23", 100.0, timeframe="1w", ends="2026-02-27")
    flat(write, "AAPL", "2026-03-02", 99.0, timeframe="1w", ends="2026-03-06")
    flat(write, "AAPL", "2026-03-02", 100.0)
    tell(write, ("AAPL", "2026-03-03", "dividend", 1.0), ("AAPL", "2026-03-04", "split", 2.0))
    query = "SELECT total_return_close FROM v1.bars_adjusted('AAPL', %s) ORDER BY ts"
    assert [close for (close,) in read(query, "1w")] == pytest.approx([49.5, 49.5])
    assert [close for (close,) in read(query, "1d")] == pytest.approx([49.5])


def test_a_total_return_that_nobody_knows_is_null_and_not_wrong(write: Connection, read: Callable[..., Rows]) -> None:
    #   a minute at 50 | ex-date, and no close of any day before it | a day
    flat(write, "AAPL", "2026-03-02", 50.0, timeframe="1m")
    flat(write, "AAPL", "2026-03-03", 49.0)
    # More than the share was worth: no price is below nothing.
    flat(write, "NVDA", "2026-03-02", 5.0)
    flat(write, "NVDA", "2026-03-03", 1.0)
    tell(write, ("AAPL", "2026-03-03", "dividend", 1.0), ("NVDA", "2026-03-03", "dividend", 6.0))
    rows = read(
        """SELECT b.symbol, b.split_close, b.total_return_close, b.dividend_factor
           FROM v1.instruments i, unnest(ARRAY['1m', '1d']) AS f (timeframe), v1.bars_adjusted(i.symbol, f.timeframe) b
           ORDER BY b.symbol, b.ts"""
    )
    assert rows == [
        ("AAPL", 50.0, None, None), ("AAPL", 49.0, 49.0, 1.0), ("NVDA", 5.0, None, None), ("NVDA", 1.0, 1.0, 1.0)
    ]  # fmt: skip


def test_an_instrument_without_volume_has_none_after_a_split(write: Connection, read: Callable[..., Rows]) -> None:
    bar(write, "AAPL", "2026-03-02", (8.0, 8.0, 8.0, 8.0, None))
    tell(write, ("AAPL", "2026-03-03", "split", 2.0))
    assert read("SELECT split_close, split_volume FROM v1.bars_adjusted('AAPL', '1d')") == [(4.0, None)]


def test_what_is_announced_does_nothing_until_its_date_has_come_at_the_exchange(
    write: Connection, read: Callable[..., Rows]
) -> None:
    now = datetime.now(UTC)
    flat(write, "BHP.AX", (now - timedelta(days=9)).date().isoformat(), 40.0)
    in_sydney = read("SELECT (now() AT TIME ZONE 'Australia/Sydney')::date")[0][0]
    tell(write, ("BHP.AX", (in_sydney + timedelta(days=1)).isoformat(), "split", 2.0))
    assert read("SELECT split_close FROM v1.bars_adjusted('BHP.AX', '1d')") == [(40.0,)]
    assert read("SELECT count(*) FROM v1.adjustments") == [(0,)]
    tell(write, ("BHP.AX", in_sydney.isoformat(), "split", 5.0))
    assert read("SELECT split_close FROM v1.bars_adjusted('BHP.AX', '1d')") == [(8.0,)]


def test_many_actions_of_many_symbols_are_a_plain_loops(write: Connection, read: Callable[..., Rows]) -> None:
    chance = random.Random(11)
    printed: dict[str, list[tuple[date, float, float]]] = {}
    actions: list[tuple[str, str, str, float]] = []
    for symbol in ("AAPL", "NVDA"):
        days = [date(2024, 1, 1) + timedelta(days=k) for k in range(90) if k % 7 < 5]
        printed[symbol] = [(day, round(chance.uniform(20, 90), 2), float(chance.randrange(1, 900))) for day in days]
        for day, close, volume in printed[symbol]:
            flat(write, symbol, day.isoformat(), close, volume)
        for day in chance.sample(days[1:], 9):
            actions.append((symbol, day.isoformat(), "dividend", round(chance.uniform(0.01, 2), 4)))
        for day in chance.sample(days[1:], 4):
            actions.append((symbol, day.isoformat(), "split", chance.choice([2.0, 1.5, 0.25, 7.0])))
    tell(write, *actions)

    def expected(symbol: str, day: date, close: float, volume: float) -> tuple[float, ...]:
        """Action by action, as a textbook has it."""
        splits = {date.fromisoformat(d): v for s, d, action, v in actions if s == symbol and action == "split"}
        paid = {date.fromisoformat(d): v for s, d, action, v in actions if s == symbol and action == "dividend"}
        ratio, kept = 1.0, 1.0
        for ex_date, value in splits.items():
            if day < ex_date:
                ratio *= value
        for ex_date, value in paid.items():
            if day < ex_date:
                before = [row for row in printed[symbol] if row[0] < ex_date][-1]
                price = before[1]
                for split_date, split_value in splits.items():
                    if before[0] < split_date <= ex_date:
                        price /= split_value
                kept *= 1 - value / price
        return close / ratio, volume * ratio, close / ratio * kept

    told = {
        (symbol, day): values
        for symbol, day, *values in read(
            """SELECT b.symbol, b.session_date, b.split_close, b.split_volume, b.total_return_close
               FROM v1.instruments i, v1.bars_adjusted(i.symbol, '1d') b"""
        )
    }
    assert len(told) == 130
    for symbol, rows in printed.items():
        for row in rows:
            assert told[symbol, row[0]] == pytest.approx(expected(symbol, *row), rel=1e-12)
        for mode in ("seen", "event"):
            as_of = read(
                """SELECT session_date, split_close, split_volume, total_return_close
                   FROM v1.bars_adjusted_as_of(%s, '1d', clock_timestamp(), %s)""",
                symbol, mode,
            )  # fmt: skip
            assert {(symbol, day): values for day, *values in as_of} == {
                k: v for k, v in told.items() if k[0] == symbol
            }


def test_every_word_about_an_action_is_kept_with_when_it_was_known(
    write: Connection, read: Callable[..., Rows]
) -> None:
    #   told      4:1 ........ 4:1 again ..... 5:1 (corrected) ..... 3:1, fetched before the correction
    #   a reader  100 / 4      100 / 4         100 / 5               100 / 5
    flat(write, "AAPL", "2026-03-02", 100.0)
    word = ("AAPL", "2026-03-03", "split")
    fetched = datetime(2026, 3, 3, 12, tzinfo=UTC)
    before = read("SELECT clock_timestamp()")[0][0]
    first = tell(write, (*word, 4.0), at=fetched)
    [(since,)] = read("SELECT updated_at FROM v1.corporate_actions")
    again = tell(write, (*word, 4.0), at=fetched + timedelta(hours=2))
    assert read("SELECT value, updated_at, received_at FROM v1.corporate_actions") == [
        (4.0, since, fetched + timedelta(hours=2))
    ]
    assert read("SELECT count(*) FROM v1.corporate_action_revisions") == [(0,)], "what is said twice is no revision"
    corrected = tell(write, (*word, 5.0), at=fetched + timedelta(hours=3))
    late = tell(write, (*word, 3.0), at=fetched + timedelta(hours=1))
    [(value, known_since)] = read("SELECT value, updated_at FROM v1.corporate_actions")
    assert value == 5.0, "what was told last counts, whenever it comes"
    assert read("SELECT value, updated_at, superseded_at FROM v1.corporate_action_revisions") == [
        (4.0, since, known_since)
    ]

    query = """SELECT split_close FROM v1.bars_adjusted_as_of('AAPL', '1d', %s, %s)"""
    assert [read(query, at, "seen") for at in (before, first, again, corrected, late)] == [
        [(100.0,)], [(25.0,)], [(25.0,)], [(20.0,)], [(20.0,)]
    ]  # fmt: skip
    assert [read(query, at, "event") for at in (before, late)] == [[(20.0,)], [(20.0,)]], "in today's knowledge"
    told = read("SELECT value, known_since, superseded_at FROM v1.corporate_actions_as_of('AAPL', %s, 'seen')", again)
    assert told == [(4.0, since, known_since)]


def test_what_is_withdrawn_is_seen_as_it_was_seen_and_nowhere_else(
    write: Connection, read: Callable[..., Rows]
) -> None:
    #   published | withdrawn, split and dividend | a late copy of what was withdrawn | published again, another value
    flat(write, "AAPL", "2026-03-02", 100.0)
    flat(write, "AAPL", "2026-03-03", 100.0)
    fetched = datetime(2026, 3, 4, tzinfo=UTC)

    def told(value: float, amount: float, days: int) -> datetime:
        words = ("AAPL", "2026-03-03", "split", value), ("AAPL", "2026-03-04", "dividend", amount)
        return tell(write, *words, at=fetched + timedelta(days=days))

    published = told(4.0, 1.0, 0)
    assert read("SELECT count(*) FROM v1.adjustments") == [(2,)]
    withdrawn = told(TAKEN_BACK, TAKEN_BACK, 2)
    now = "SELECT split_close, total_return_close FROM v1.bars_adjusted('AAPL', '1d') ORDER BY ts LIMIT 1"
    as_of = (
        "SELECT split_close, total_return_close FROM v1.bars_adjusted_as_of('AAPL', '1d', %s, %s) ORDER BY ts LIMIT 1"
    )
    assert read(now) == [(100.0, 100.0)]
    late = told(4.0, 1.0, 1)
    assert read(now) == [(100.0, 100.0)], "it was fetched before it was withdrawn"
    assert read("SELECT * FROM v1.corporate_actions") == read("SELECT * FROM v1.adjustments") == []
    kept = read("SELECT action, value, superseded_at > updated_at FROM v1.corporate_action_revisions ORDER BY action")
    assert kept == [("dividend", 1.0, True), ("split", 4.0, True)]
    assert [read(as_of, at, "seen")[0][0] for at in (published, withdrawn, late)] == [25.0, 100.0, 100.0]
    # 1 of 100 is a hundredth of the printed close of the day before it.
    assert read(as_of, published, "seen") == [(25.0, pytest.approx(24.75))]
    assert read(as_of, published, "event") == [(100.0, 100.0)], "in today's knowledge"
    again = told(2.0, 0.5, 3)
    assert read(now) == [(50.0, pytest.approx(49.75))]
    assert [read(as_of, at, "seen")[0][0] for at in (published, withdrawn, late, again)] == [25.0, 100.0, 100.0, 50.0]


def test_by_event_time_a_split_is_there_from_its_ex_date_on(write: Connection, read: Callable[..., Rows]) -> None:
    flat(write, "AAPL", "2026-03-02", 100.0)
    tell(write, ("AAPL", "2026-03-04", "split", 4.0), ("AAPL", "2026-03-04", "dividend", 0.5))
    query = "SELECT split_close, total_return_close FROM v1.bars_adjusted_as_of('AAPL', '1d', %s, 'event')"
    # Midnight of New York is 05:00 UTC. 0.50 is a fiftieth of 25.
    assert read(query, datetime(2026, 3, 4, 4, 59, tzinfo=UTC)) == [(100.0, 100.0)]
    assert read(query, datetime(2026, 3, 4, 5, 0, tzinfo=UTC)) == [(25.0, pytest.approx(24.5))]


NOW_MS = int(datetime(2026, 11, 20, 22, 0, tzinfo=UTC).timestamp() * 1000)
APPLE = Instrument("AAPL", "Apple Inc.", "EQUITY", "NMS", "XNYS", "America/New_York", "USD", 2, True)


def ten_years_of_apple(write: Connection) -> dict[date, tuple[float, float, float]]:
    """Fetched of the simulated exchange, un-adjusted, folded and written as the platform does it; gives what the exchange says
    itself of a day: Close, Volume and Adj Close, made by its own code from its own history."""
    market = Market(7, read_listings(), read_splits(), "XNYS")
    query = {"range": "10y", "interval": "1d", "events": "div,splits"}
    [told] = chart_answer(market, "AAPL", query, NOW_MS)["chart"]["result"]

    def day_of(stamp: float) -> date:
        return datetime.fromtimestamp(float(stamp), ZoneInfo("America/New_York")).date()

    [quote], [adjusted] = told["indicators"]["quote"], told["indicators"]["adjclose"]
    columns = zip(told["timestamp"], *(quote[name] for name in ("open", "high", "low", "close", "volume")), strict=True)
    answer = Answer(
        NOW_MS,
        [Row(int(stamp) * 1000, day_of(stamp), *map(float, ohlcv)) for stamp, *ohlcv in columns],
        [(day_of(each["date"]), each["numerator"] / each["denominator"]) for each in told["events"]["splits"].values()],
        [(day_of(each["date"]), each["amount"]) for each in told["events"]["dividends"].values()],
    )
    records = records_of(answer, APPLE, "1d", "simulator", SplitFactors(answer.splits))
    assert not records.dead_letters
    values = [record.encode() for record in (*records.bars, *records.actions)]
    batches = list(Scan({}, "simulator", Known.of(["AAPL"]))(iter([arrow_batch(values, 0, HISTORY, 0)])))
    scanned = read_scan(pa.Table.from_batches(batches, PARTIALS), INSTRUMENTS, "simulator")
    writer = Writer(write, "simulator")
    writer.prepare()
    with write, write.cursor() as cursor:
        changes = Book(Reader(write, INSTRUMENTS), INSTRUMENTS).apply(scanned.batch)
        writer.write(cursor, changes, scanned, {}, 0)
    closes, volumes, adjusted_closes = quote["close"], quote["volume"], adjusted["adjclose"]
    days = map(day_of, told["timestamp"])
    return {day: values for day, *values in zip(days, closes, volumes, adjusted_closes, strict=True)}  # type: ignore[misc]


def test_what_an_exchange_adjusts_in_yahoos_way_comes_back_from_what_was_printed(
    write: Connection, read: Callable[..., Rows]
) -> None:
    theirs = ten_years_of_apple(write)
    ours = {
        day: values
        for day, *values in read(
            "SELECT session_date, split_close, split_volume, total_return_close, close FROM v1.bars_adjusted('AAPL', '1d')"
        )
    }
    assert ours.keys() == theirs.keys()
    assert len(ours) > 2_500
    before_split = date(2020, 8, 28)
    assert ours[before_split][3] == pytest.approx(4 * theirs[before_split][0], abs=0.01), "it is stored as printed"
    # Printed prices are whole cents: of a price of 25 in today's shares a fourth of half a cent is a twenty-thousandth.
    for day, (close, volume, adjusted_close) in theirs.items():
        assert ours[day][:3] == pytest.approx([close, volume, adjusted_close], rel=1e-4), day
    assert max(abs(close / adjusted - 1) for close, _, adjusted in theirs.values()) > 0.01, "there were dividends"


def test_a_stored_average_divided_by_the_ratio_is_the_average_of_the_adjusted_closes(
    write: Connection, read: Callable[..., Rows]
) -> None:
    """Through the split: that is what lets a chart draw both on one scale."""
    ten_years_of_apple(write)
    rows = read(
        """SELECT b.session_date, b.split_close, i.sma_20 / b.split_ratio FROM v1.bars_adjusted('AAPL', '1d') b
           JOIN v1.indicators i USING (symbol, timeframe, ts) ORDER BY b.ts"""
    )
    closes = pd.Series([close for _, close, _ in rows])
    averages = np.array([average for *_, average in rows], float)
    np.testing.assert_allclose(averages, closes.rolling(20).mean(), rtol=1e-9)
    across = [day for day, *_ in rows].index(date(2020, 8, 31))
    assert np.abs(np.diff(averages[across - 5 : across + 25])).max() < 0.05 * averages[across]


QUESTIONS = {
    "the newest": "SELECT ts, split_close FROM {source} ORDER BY ts DESC LIMIT 5",
    "a range": "SELECT ts, split_close FROM {source} WHERE ts >= '2026-03-05' AND ts < '2026-03-07' ORDER BY ts",
    "a total return": "SELECT ts, total_return_close FROM {source} ORDER BY ts DESC LIMIT 5",
}
SOURCES = {
    "now": "v1.bars_adjusted('AAPL', '1m')",
    "seen": "v1.bars_adjusted_as_of('AAPL', '1m', now(), 'seen')",
    "event": "v1.bars_adjusted_as_of('AAPL', '1m', now(), 'event')",
}


@pytest.mark.parametrize("source", SOURCES)
@pytest.mark.parametrize("question", QUESTIONS)
def test_a_question_walks_the_key_and_reads_the_actions_once(
    write: Connection, read: Callable[..., Rows], source: str, question: str
) -> None:
    start = datetime(2026, 3, 2, 14, 30, tzinfo=UTC)
    with write, write.cursor() as cursor:
        names = {**BAR, "timeframe": "1m"}
        columns, values = ", ".join(names), ", ".join(f"%({name})s" for name in names)
        cursor.execute(
            f"""INSERT INTO core.bars ({columns}, ts, bar_end, session_date, event_time, received_at)
                SELECT {values}, m, m + interval '1 minute', m::date, m, m
                FROM generate_series(%(start)s, %(start)s + interval '7 days', interval '1 minute') m""",  # noqa: S608
            names | {"start": start},
        )
        cursor.execute("ANALYZE core.bars")
    flat(write, "AAPL", "2026-03-02", 100.0)
    tell(
        write,
        *(("AAPL", f"2026-03-{day:02}", "dividend", 0.1) for day in range(3, 20)),
        *(("AAPL", f"2026-03-{day:02}", "split", 2.0) for day in (4, 6)),
    )
    question_text = QUESTIONS[question]
    query = question_text.format(source=SOURCES[source])
    assert read(query), "the question has an answer"
    plan = [line for (line,) in read(f"EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF, BUFFERS OFF) {query}")]
    text = "\n".join(plan)
    assert "Seq Scan on bars" not in text
    assert "Function Scan" not in text
    if "LIMIT" in question_text:
        assert re.search(r"Index Scan Backward using bars_\w+_pkey", text)
        assert not re.search(r"Sort Key: .*\bts\b", text), "the key gives the order, and the walk ends at the limit"
    else:
        assert re.search(r"(Index Scan using|Bitmap Index Scan on) bars_\w+_pkey", text)
    read_times = [
        int(loops) for line in plan if "on corporate_actions " in line for loops in re.findall(r"loops=(\d+)", line)
    ]
    assert read_times
    if "total" not in question:
        assert max(read_times) == 1, "once for the whole question"
        assert "dividend" not in text, "who asks for no total return reads no dividends"
    else:
        assert max(read_times) <= 17, "once for the whole question, and once for each dividend"


def test_the_documented_question_is_answered(write: Connection, read: Callable[..., Rows]) -> None:
    example = re.search(r"## Splits and dividends.*?```sql\n(.*?)```", DOCUMENT.read_text(), re.DOTALL)
    assert example is not None
    flat(write, "AAPL", "2020-08-28", 499.23)
    flat(write, "AAPL", "2020-08-31", 129.04)
    tell(write, ("AAPL", "2020-08-31", "split", 4.0))
    questions = [question for question in example[1].split(";") if question.strip()]
    assert [len(read(question.replace("%", "%%"))) for question in questions] == [2, 1, 2]

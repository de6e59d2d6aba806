"""Splits and dividends on read: prices of before them in later shares.

Expected values are published ones (AAPL's and NVDA's splits as exchanges printed the days around them and Yahoo shows them today)
or worked out by hand beside the test; many random actions at once are compared with a plain loop.
"""

import random
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta

import pytest
from psycopg2.extensions import connection as Connection

from tests.stream.adjusted.telling import Rows, bar, flat, opens, tell

pytestmark = pytest.mark.stream


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

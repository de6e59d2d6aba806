"""Prices across splits and dividends, as the dashboard asks for them."""

from datetime import timedelta

import pytest

from dashboard import queries
from dashboard.adjustment import Adjustment
from tests.stream.dashboard.rows import INSTRUMENT, START, bar, insert

pytestmark = pytest.mark.stream


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

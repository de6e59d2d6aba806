"""Days, hours, minutes and trades are one price at different distances: folding the finer gives the coarser, exactly."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulator.chart import chart_answer
from simulator.intraday import BLOCK_SESSIONS
from simulator.market import Instrument, Market, minute_block
from simulator.minutes import Style, fill_minutes
from simulator.parts import Part
from simulator.path import SessionBars
from simulator.tape import minute_tape
from simulator.trades import MinuteBar, fill_minute
from tests.unit.simulator.conftest import ms

pytestmark = pytest.mark.slow

NOW_MS = ms("2026-03-11T15:41:27+00:00")
SYMBOLS = ["AAPL", "GME", "^GSPC", "EURUSD=X", "BTC-USD", "PEPE24478-USD", "7203.T", "HFG.DE"]


@pytest.mark.parametrize(
    ("hours", "symbol"), [*(("market", symbol) for symbol in SYMBOLS), ("exchanges", "AAPL"), ("exchanges", "7203.T")]
)
def test_minutes_fold_into_the_day(hours: str, symbol: str, request: pytest.FixtureRequest):
    instrument: Instrument = request.getfixturevalue(hours).instrument(symbol, NOW_MS)
    for row in range(instrument.row_at(NOW_MS) - 12, instrument.row_at(NOW_MS)):
        day, minutes = instrument.bar(row), instrument.minutes(row)
        assert (minutes.open[0], minutes.close[-1]) == (day.open, day.close)
        assert (minutes.high.max(), minutes.low.min()) == (day.high, day.low)
        assert minutes.volume.sum() == day.volume


@pytest.mark.parametrize("symbol", SYMBOLS)
def test_trades_fold_into_their_minute(symbol: str, market: Market):
    instrument = market.instrument(symbol, NOW_MS)
    row = instrument.row_at(NOW_MS)
    minutes, starts = instrument.minutes(row), instrument.minute_starts(row)
    for at in range(0, 1440, 7):
        trades = instrument.trades(row, at)
        assert len(trades.price) == minutes.trades[at]
        if not len(trades.price):
            continue
        assert (trades.price[0], trades.price[-1]) == (minutes.open[at], minutes.close[at])
        assert (trades.price.max(), trades.price.min()) == (minutes.high[at], minutes.low[at])
        assert trades.volume[-1] == minutes.volume[at]
        assert np.all(np.diff(trades.volume) >= 0)
        assert np.all(np.diff(trades.time_ms) >= 0)
        assert starts[at] <= trades.time_ms[0] <= trades.time_ms[-1] < starts[at] + 60_000


prices = st.integers(1, 10**7)


@settings(max_examples=60, deadline=None)
@given(
    corners=st.tuples(prices, prices, prices, prices).map(sorted),
    volume=st.integers(0, 10**9),
    sigma=st.floats(0.01, 1e5),
    count=st.integers(30, 500),
    rate=st.floats(0.01, 50.0),
    first_minute=st.integers(0, 10**8),
)
def test_any_day_can_be_filled(
    corners: list[int], volume: int, sigma: float, count: int, rate: float, first_minute: int
):
    low, open_, close, high = corners
    day = SessionBars(*(np.array([value]) for value in (open_, high, low, close, volume)), np.array([sigma]))
    minute = first_minute + np.arange(count)[None, :]
    filled = fill_minutes(day, minute, Style(1, "ANY", 0.5, rate, 0.5, volume > 0))
    assert (filled.open[0, 0], filled.close[0, -1]) == (open_, close)
    assert (filled.high.max(), filled.low.min()) == (high, low)
    assert filled.volume.sum() == volume
    assert filled.volume.min() >= 0
    assert np.all(filled.low <= np.minimum(filled.open, filled.close))
    assert np.all(filled.high >= np.maximum(filled.open, filled.close))
    silent = filled.trades == 0
    assert not filled.volume[silent].any()
    assert np.array_equal(filled.high[silent], filled.low[silent])


@settings(max_examples=100, deadline=None)
@given(
    corners=st.tuples(prices, prices, prices, prices).map(sorted),
    volume=st.integers(0, 10**9),
    count=st.sampled_from([4, 5, 6, 60, 600]),
)
def test_any_minute_can_be_filled(corners: list[int], volume: int, count: int):
    low, open_, close, high = corners
    trades = fill_minute(MinuteBar(60_000, open_, high, low, close, volume, count), 1, "ANY")
    assert (trades.price[0], trades.price[-1]) == (open_, close)
    assert (trades.price.max(), trades.price.min()) == (high, low)
    assert trades.volume[-1] == volume
    assert np.all(np.diff(trades.volume, prepend=0) >= 0)


def test_a_session_is_the_same_alone_and_in_a_block(exchanges: Market):
    instrument = exchanges.instrument("AAPL", NOW_MS)
    rows = instrument.row_at(NOW_MS) - np.arange(BLOCK_SESSIONS, 0, -1)
    block = minute_block(instrument, rows)
    for place, row in enumerate(rows):
        alone = instrument.minutes(int(row))
        for name in ("open", "high", "low", "close", "volume", "trades"):
            assert np.array_equal(getattr(block, name)[place], getattr(alone, name))


@pytest.mark.parametrize(("interval", "minutes"), [("5m", 5), ("90m", 90), ("1h", 60)])
def test_longer_intraday_rows_fold_the_shorter(interval: str, minutes: int, exchanges: Market):
    window = {
        "period1": str(ms("2026-03-02T00:00:00+00:00") // 1000),
        "period2": str(ms("2026-03-06T22:00:00+00:00") // 1000),
    }
    fine, coarse = (
        chart_answer(exchanges, "AAPL", window | {"interval": each}, NOW_MS)["chart"]["result"][0]
        for each in ("1m", interval)
    )
    opens = np.array([period[0]["start"] for period in fine["meta"]["tradingPeriods"]])
    session_open = opens[np.searchsorted(opens, fine["timestamp"], side="right") - 1]
    buckets = session_open + (fine["timestamp"] - session_open) // (60 * minutes) * 60 * minutes
    quote, expected = coarse["indicators"]["quote"][0], fine["indicators"]["quote"][0]
    assert np.array_equal(coarse["timestamp"], np.unique(buckets))
    for place, bucket in enumerate(coarse["timestamp"]):
        inside = buckets == bucket
        assert quote["open"][place] == expected["open"][inside][0]
        assert quote["close"][place] == expected["close"][inside][-1]
        assert quote["high"][place] == expected["high"][inside].max()
        assert quote["low"][place] == expected["low"][inside].min()
        assert quote["volume"][place] == expected["volume"][inside].sum()


def test_bars_of_ticks_agree_with_the_provider_in_most_minutes(market: Market):
    """The last price of a minute and the day volume at its end; a throttled feed loses some opens, highs and lows."""
    instrument = market.instrument("AAPL", NOW_MS)
    row = instrument.row_at(NOW_MS)
    minutes, starts = instrument.minutes(row), instrument.minute_starts(row)
    volume_so_far = np.cumsum(minutes.volume)
    agree = within = asked = 0
    for at in range(0, 900, 3):
        ticks = [tick for _, tick in minute_tape(instrument, int(starts[at]), 2.0)]
        if not ticks:
            continue
        asked += 1
        closes = round(ticks[-1].price * 100) == minutes.close[at]
        agree += closes and ticks[-1].day_volume == volume_so_far[at]
        within += all(minutes.low[at] <= round(tick.price * 100) <= minutes.high[at] for tick in ticks)
    assert asked > 250
    assert 0.9 * asked < agree < asked
    assert within == asked


def test_hours_around_the_session_lead_from_the_close_to_the_next_open(exchanges: Market):
    instrument = exchanges.instrument("MSFT", NOW_MS)
    row = instrument.row_at(NOW_MS)
    evening, morning = instrument.minutes(row, Part.POST), instrument.minutes(row + 1, Part.PRE)
    assert len(evening.open) == 4 * 60
    assert len(morning.open) == 5 * 60 + 30
    assert evening.open[0] == instrument.bar(row).close
    assert morning.close[-1] == instrument.bar(row + 1).open

"""What a feed says beside its prices, through broker, Spark and database: the day's extremes, and the change from tick to tick."""

import signal
from datetime import UTC, datetime

import pytest

from market.contracts import Bar, Tick
from tests.stream.rig import Rig

pytestmark = pytest.mark.stream

# A Wednesday.
DAY = int(datetime(2026, 11, 18, tzinfo=UTC).timestamp() * 1000)
T0 = DAY + 14 * 3_600_000

DAYS = "SELECT high, low, close, is_final FROM v1.bars WHERE symbol = 'AAPL' AND timeframe = %s"
LATEST = "SELECT price, day_high, day_low, tick_change, round(tick_change_pct::numeric, 6)::float8 FROM v1.latest"
QUOTED = "SELECT quoted_high, quoted_low FROM core.latest"


def tick(after_ms: int, price: float, high: float | None = None, low: float | None = None) -> Tick:
    at_ms = T0 + after_ms
    return Tick(
        source="simulator", symbol="AAPL", event_ms=at_ms, fetched_ms=at_ms + 40, price=price, day_high=high, day_low=low
    )  # fmt: skip


def bar(timeframe: str, start_ms: int, fetched_ms: int, ohlcv: tuple[float, float, float, float, float]) -> Bar:
    first, high, low, last, volume = ohlcv
    return Bar(
        source="simulator", symbol="AAPL", event_ms=start_ms, fetched_ms=fetched_ms, timeframe=timeframe, open=first, high=high,
        low=low, close=last, volume=volume, session_date="2026-11-18", is_complete=True,
    )  # fmt: skip


def test_a_quote_widens_the_day_that_forms_whatever_dies_in_between(stream: Rig) -> None:
    stream.start()
    #   14:00:00.1 10 (day 9 to 12)     .2 11 (says nothing)      the clock passes it: the day is rolled up
    stream.send(tick(100, 10.0, 12.0, 9.0))
    stream.send(tick(200, 11.0))
    stream.clock(T0 + 100)
    stream.drain()
    assert [stream.ask(DAYS, (frame,)) for frame in ("1d", "1w", "1mo")] == [[(12.0, 9.0, 11.0, False)]] * 3
    assert stream.ask(DAYS, ("1h",)) == [(11.0, 10.0, 11.0, False)]
    assert stream.ask(LATEST) == [(11.0, 12.0, 9.0, 1.0, 10.0)]

    #   .3 11.5 (high 13): committed, and not the day's turn yet; then the driver dies
    stream.send(tick(300, 11.5, 13.0))
    stream.drain()
    assert stream.ask(QUOTED) == [(13.0, 9.0)]
    assert stream.ask(DAYS, ("1d",)) == [(12.0, 9.0, 11.0, False)]
    stream.signal(signal.SIGKILL)
    stream.start()
    #   .25 10.75 (late: between the last two), and the last one again
    stream.send(tick(250, 10.75))
    stream.send(tick(300, 11.5, 13.0))
    stream.clock(T0 + 5_000)
    stream.drain()
    assert stream.ask(DAYS, ("1d",)) == [(13.0, 9.0, 11.5, False)]
    assert stream.ask(LATEST) == [(11.5, 13.0, 9.0, 0.75, 6.976744)]

    # A newer word is narrower, and the minute's own correction narrower still: the day is as wide as the word.
    stream.send(tick(61_000, 11.0, 11.8, 9.5))
    stream.send(bar("1m", T0, T0 + 180_000, (10.0, 11.2, 10.0, 11.2, 5.0)))
    stream.clock(T0 + 130_000)
    stream.drain()
    assert stream.ask(DAYS, ("1d",)) == [(11.8, 9.5, 11.0, False)]

    # The provider's complete day stands, whatever a late quote says.
    stream.send(bar("1d", DAY, DAY + 30 * 3_600_000, (10.0, 11.9, 9.6, 11.0, 50.0)))
    stream.send(tick(62_000, 11.0, 14.0, 8.0))
    stream.clock(DAY + 31 * 3_600_000)
    stream.drain()
    assert stream.ask(DAYS, ("1d",)) == [(11.9, 9.6, 11.0, True)]
    assert stream.ask(DAYS, ("1w",)) == [(11.9, 9.6, 11.0, False)]

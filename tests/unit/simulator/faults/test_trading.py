"""Halts, early closes, auctions, splits and dividends: what they do to prices, and what they leave alone."""

import asyncio
from typing import Any

import numpy as np
import pytest

from simulator.market import Instrument
from tests.unit.simulator.conftest import ms
from tests.unit.simulator.faults.conftest import NOON_MS, Exchange

EVENING_MS = ms("2026-03-11T20:30:00-04:00")
DAY = {"period1": ms("2026-03-11T09:30:00-04:00") // 1000, "period2": ms("2026-03-11T16:00:00-04:00") // 1000}


def rows_of(result: dict[str, Any]) -> dict[int, tuple[Any, ...]]:
    quote = result["indicators"]["quote"][0]
    columns = (quote[name] for name in ("open", "high", "low", "close", "volume"))
    return dict(zip(result["timestamp"], zip(*columns, strict=True), strict=True))


def chart(exchange: Exchange, **query: Any) -> dict[str, Any]:
    return asyncio.run(exchange.chart(**query))


def apple(exchange: Exchange) -> Instrument:
    return exchange.market.instrument("AAPL", exchange.now_ms)


def test_in_a_halt_nothing_is_traded_and_the_volume_stands_still(exchange: Exchange):
    """A halt from 11:00:20 to 11:10 begins with the first whole minute."""
    exchange.now_ms = EVENING_MS
    whole = rows_of(chart(exchange, **DAY))
    exchange.goes_wrong("halt", at="2026-03-11T11:00:20-04:00", for_="9m40s", symbols=["AAPL"])
    halted = rows_of(chart(exchange, **DAY))
    first_s = ms("2026-03-11T11:01:00-04:00") // 1000
    lost = {first_s + 60 * minute for minute in range(9)}
    assert {stamp: row for stamp, row in whole.items() if stamp not in lost} == {
        stamp: row for stamp, row in halted.items() if stamp not in lost
    }
    # Of minutes without a trade, some stand there as rows of nulls.
    assert all(halted.get(stamp, (None,) * 5) == (None,) * 5 for stamp in lost)
    day, bars = apple(exchange).bar(apple(exchange).row_at(EVENING_MS)), [whole[stamp] for stamp in lost]
    undisturbed = Exchange(now_ms=EVENING_MS)
    before = apple(undisturbed).bar(apple(undisturbed).row_at(EVENING_MS))
    assert day.volume == before.volume - sum(row[4] for row in bars)
    assert [frame for minute in lost for frame in exchange.frames_of("AAPL", minute * 1000)] == []


def test_a_halt_without_an_end_holds_for_whole_sessions(exchange: Exchange):
    exchange.goes_wrong("halt", symbols=["AAPL"])
    exchange.now_ms = ms("2026-03-13T12:00:00-04:00")
    halted, undisturbed = apple(exchange), apple(Exchange(now_ms=exchange.now_ms))
    row = halted.row_at(exchange.now_ms)
    thursday = halted.bar(row - 1)
    assert thursday.volume == 0
    assert thursday.open == thursday.high == thursday.low == thursday.close == halted.bar(row - 2).close
    assert halted.bar(row - 3) == undisturbed.bar(row - 3)
    assert chart(exchange)["meta"]["regularMarketPrice"] == pytest.approx(thursday.close / 100)


def test_a_halt_over_the_open_begins_the_day_with_its_first_trade(exchange: Exchange):
    exchange.now_ms = EVENING_MS
    exchange.goes_wrong("halt", at="2026-03-11T09:00:00-04:00", for_="40m", symbols=["AAPL"])
    result = chart(exchange, **DAY)
    first = min(stamp for stamp, row in rows_of(result).items() if row[0] is not None)
    assert first == ms("2026-03-11T09:40:00-04:00") // 1000
    instrument = apple(exchange)
    assert instrument.bar(instrument.row_at(EVENING_MS)).open / 100 == pytest.approx(rows_of(result)[first][0])


def test_what_was_published_before_a_fault_is_the_same_with_it(exchange: Exchange):
    window = {"period1": NOON_MS // 1000 - 7_200, "period2": NOON_MS // 1000 - 60}
    minutes, days = chart(exchange, **window), chart(exchange, interval="1d", range="2y")
    for kind, more in (("halt", {}), ("early_close", {}), ("auction_print", {}), ("split", {"numerator": 4})):
        exchange.goes_wrong(kind, **more)
    exchange.goes_wrong("dividend", amount=0.5)
    assert rows_of(chart(exchange, **window)) == rows_of(minutes)
    assert rows_of(chart(exchange, interval="1d", range="2y")) == rows_of(days)


def test_a_session_ends_early_and_the_trading_periods_say_so(exchange: Exchange):
    exchange.goes_wrong("early_close", at="2026-03-11T13:00:00-04:00")
    exchange.now_ms = EVENING_MS
    one_s = ms("2026-03-11T13:00:00-04:00") // 1000
    result = chart(exchange, includePrePost="true")
    assert max(stamp for stamp, row in rows_of(result).items() if row[0] is not None) == one_s - 60
    periods = result["meta"]["currentTradingPeriod"]
    assert (periods["regular"]["end"], periods["post"]["start"], periods["post"]["end"]) == (one_s, one_s, one_s)
    assert result["meta"]["tradingPeriods"]["regular"][0][0]["end"] == one_s
    assert exchange.frames_of("AAPL", ms("2026-03-11T14:00:00-04:00")) == []


def test_scheduled_half_days_and_daylight_saving_come_with_the_calendar():
    """13:00 in New York on the day after Thanksgiving; the open moves by an hour of UTC over a March weekend."""
    exchange = Exchange(now_ms=ms("2026-11-27T20:00:00-05:00"))
    stamps = [stamp for stamp, row in rows_of(chart(exchange)).items() if row[0] is not None]
    assert max(stamps) == ms("2026-11-27T12:59:00-05:00") // 1000
    exchange.now_ms = ms("2026-03-09T20:00:00-04:00")
    days = chart(exchange, interval="1d", range="5d")["timestamp"]
    assert [stamp % 86_400 // 60 for stamp in days[-2:]] == [14 * 60 + 30, 13 * 60 + 30]


def test_an_auction_is_in_the_day_and_in_a_minute_of_its_own(exchange: Exchange):
    exchange.goes_wrong("auction_print", volume_share=0.1)
    exchange.now_ms = EVENING_MS
    minutes = rows_of(chart(exchange))
    bell_s = ms("2026-03-11T16:00:00-04:00") // 1000
    day = rows_of(chart(exchange, interval="1d"))[ms("2026-03-11T09:30:00-04:00") // 1000]
    assert minutes[bell_s][3] == day[3]
    assert sum(row[4] or 0 for row in minutes.values()) == day[4]
    assert minutes[bell_s][4] == round((day[4] - minutes[bell_s][4]) * 0.1)
    assert chart(exchange)["meta"]["regularMarketVolume"] == day[4]
    around_the_clock = Exchange(now_ms=EVENING_MS, hours="24/7")
    around_the_clock.goes_wrong("auction_print", at="2026-03-10T00:00:00+00:00")
    assert not any(row[4] and row[4] > 10**8 for row in rows_of(chart(around_the_clock)).values())


def test_a_split_divides_what_is_printed_and_restates_what_was(exchange: Exchange):
    """Four for one, effective on the 12th: on the evening before, nothing is to be seen of it."""
    exchange.now_ms = EVENING_MS
    before = rows_of(chart(exchange, interval="1d", range="2y"))
    undisturbed = Exchange(now_ms=ms("2026-03-12T20:30:00-04:00"))
    exchange.goes_wrong("split", numerator=4)
    assert rows_of(chart(exchange, interval="1d", range="2y")) == before
    exchange.now_ms = undisturbed.now_ms
    result = chart(exchange, interval="1d", range="2y", events="div,splits")
    after, plain = rows_of(result), rows_of(chart(undisturbed, interval="1d", range="2y"))
    ex_s = ms("2026-03-12T09:30:00-04:00") // 1000
    assert result["events"]["splits"] == {
        str(ex_s): {"date": ex_s, "numerator": 4.0, "denominator": 1.0, "splitRatio": "4:1"}
    }
    for stamp in before.keys() & after.keys():
        assert after[stamp][3] == pytest.approx(before[stamp][3] / 4, rel=1e-6)
        assert after[stamp][4] == pytest.approx(before[stamp][4] * 4, abs=4)
    # The new print is a fourth, rounded to the tick.
    assert after[ex_s][3] == pytest.approx(plain[ex_s][3] / 4, abs=0.006)
    minute = ms("2026-03-12T11:00:00-04:00")
    assert len(exchange.frames_of("AAPL", minute)) == len(undisturbed.frames_of("AAPL", minute))


@pytest.mark.parametrize(
    ("lagging", "shares_at_first", "is_told_at_first"), [("both", 1, False), ("history", 1, True), ("event", 2, False)]
)
def test_a_provider_may_be_slow_with_a_split(
    exchange: Exchange, lagging: str, shares_at_first: int, is_told_at_first: bool
):
    """Two for one on the 12th; the provider is behind until 11:30."""
    exchange.now_ms = EVENING_MS
    before = rows_of(chart(exchange, interval="1d", range="1mo"))
    exchange.goes_wrong("split", numerator=2, lag="2h", lagging=lagging)
    found = {}
    for hour in (10, 12):
        exchange.now_ms = ms(f"2026-03-12T{hour}:29:00-04:00")
        result = chart(exchange, interval="1d", range="1mo", events="splits")
        found[hour] = rows_of(result), "splits" in result.get("events", {})
    last = ms("2026-03-11T09:30:00-04:00") // 1000
    assert found[10][0][last][3] == pytest.approx(before[last][3] / shares_at_first)
    assert found[12][0][last][3] == pytest.approx(before[last][3] / 2)
    assert (found[10][1], found[12][1]) == (is_told_at_first, True)


def test_a_dividend_is_paid_on_the_next_sessions_day_and_lowers_the_adjusted_past(exchange: Exchange):
    exchange.now_ms = ms("2026-03-12T20:30:00-04:00")
    plain = chart(exchange, interval="1d", range="5d", events="div")
    exchange.goes_wrong("dividend", at="2026-03-11T12:00:00-04:00", amount=1.5, symbols=["AAPL"])
    paid = chart(exchange, interval="1d", range="5d", events="div")
    ex_s = ms("2026-03-12T09:30:00-04:00") // 1000
    assert paid["events"]["dividends"][str(ex_s)] == {"amount": 1.5, "date": ex_s}
    assert rows_of(paid) == rows_of(plain)
    lower = np.array(paid["indicators"]["adjclose"][0]["adjclose"]) / plain["indicators"]["adjclose"][0]["adjclose"]
    close = plain["indicators"]["quote"][0]["close"][-2]
    assert lower == pytest.approx([1 - 1.5 / close] * (len(lower) - 1) + [1.0], rel=1e-5)


def test_symbols_without_a_scenario_stay_ordinary(exchange: Exchange):
    exchange.goes_wrong("halt", symbols=["AAPL"])
    assert type(exchange.market.instrument("MSFT", NOON_MS)) is Instrument
    assert apple(exchange) is apple(exchange)

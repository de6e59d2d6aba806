"""The chart endpoint: windows, limits and refusals as Yahoo has them. Times are written out; nothing is asked of the clock."""

import numpy as np
import pytest

from simulator.chart import chart_answer
from simulator.intervals import ChartError
from simulator.market import Market
from tests.unit.simulator.conftest import ms

# A Wednesday in New York, at 10:41:27 of the morning (daylight saving time).
OPEN_MS = ms("2026-03-11T10:41:27-04:00")
CLOSED_MS = ms("2026-03-11T22:00:00-04:00")


def result(market: Market, symbol: str, now_ms: int, **query: object):
    body = chart_answer(market, symbol, {name: str(value) for name, value in query.items()}, now_ms)["chart"]
    assert body["error"] is None
    return body["result"][0]


def refusal(market: Market, symbol: str, now_ms: int, **query: object) -> ChartError:
    with pytest.raises(ChartError) as refused:
        result(market, symbol, now_ms, **query)
    return refused.value


def test_an_unknown_symbol_gets_yahoos_answer(market: Market):
    error = refusal(market, "NOPE", OPEN_MS, range="1d")
    assert (error.status, error.code, error.description) == (404, "Not Found", "No data found, symbol may be delisted")


@pytest.mark.parametrize(
    ("query", "words"),
    [
        (
            {"interval": "1m", "range": "1mo"},
            "Only 8 days worth of 1m granularity data are allowed to be fetched per request.",
        ),
        ({"interval": "5m", "range": "3mo"}, "The requested range must be within the last 60 days."),
        ({"interval": "1h", "range": "5y"}, "The requested range must be within the last 730 days."),
        ({"interval": "7m", "range": "1d"}, "interval=7m is not supported"),
        ({"interval": "1d", "range": "soon"}, "range=soon is not supported"),
    ],
)
def test_what_is_out_of_reach_is_refused_in_yahoos_words(market: Market, query: dict[str, str], words: str):
    error = refusal(market, "AAPL", OPEN_MS, **query)
    assert error.status == 422
    assert words in error.description


def test_one_minute_data_reach_thirty_days_back_in_pieces_of_eight(market: Market):
    now_s, day = OPEN_MS // 1000, 86_400
    assert (
        len(
            result(market, "AAPL", OPEN_MS, interval="1m", period1=now_s - 30 * day, period2=now_s - 23 * day)[
                "timestamp"
            ]
        )
        > 10_000
    )
    too_old = refusal(market, "AAPL", OPEN_MS, interval="1m", period1=now_s - 32 * day, period2=now_s - 29 * day)
    assert "The requested range must be within the last 30 days." in too_old.description
    refusal(market, "AAPL", OPEN_MS, interval="1m", period1=now_s - 20 * day, period2=now_s - 10 * day)


def test_daily_history_begins_with_the_listing(exchanges: Market):
    rows = result(exchanges, "AAPL", CLOSED_MS, interval="1d", range="max")
    assert rows["timestamp"][0] == ms("1980-12-12T09:30:00-05:00") // 1000 == rows["meta"]["firstTradeDate"]
    assert len(rows["timestamp"]) == 11_402
    assert np.all(np.diff(rows["timestamp"]) > 0)


def test_daily_rows_are_stamped_with_the_open_in_local_time(exchanges: Market):
    """Daylight saving time began on Sunday the 8th: the open moves from 14:30 to 13:30 UTC."""
    rows = result(exchanges, "AAPL", CLOSED_MS, interval="1d", range="5d")
    stamps = [
        "2026-03-05T14:30+00:00",
        "2026-03-06T14:30+00:00",
        "2026-03-09T13:30+00:00",
        "2026-03-10T13:30+00:00",
        "2026-03-11T13:30+00:00",
    ]
    assert list(rows["timestamp"]) == [ms(stamp) // 1000 for stamp in stamps]


def test_weeks_and_months_begin_at_local_midnight(exchanges: Market):
    weeks = result(exchanges, "AAPL", CLOSED_MS, interval="1wk", range="1mo")["timestamp"]
    months = result(
        exchanges,
        "AAPL",
        CLOSED_MS,
        interval="1mo",
        period1=ms("2025-12-20T00:00-05:00") // 1000,
        period2=CLOSED_MS // 1000,
    )
    assert weeks[-1] == ms("2026-03-09T00:00:00-04:00") // 1000
    assert list(months["timestamp"][1:]) == [ms(f"2026-{month:02}-01T00:00:00-05:00") // 1000 for month in (1, 2, 3)]


def test_a_half_day_ends_early(exchanges: Market):
    """The day after Thanksgiving closes at 13:00."""
    now_ms = ms("2026-11-27T20:00:00-05:00")
    rows = result(exchanges, "AAPL", now_ms, interval="1h", range="1d")
    assert [int(stamp - rows["timestamp"][0]) // 3600 for stamp in rows["timestamp"]] == [0, 1, 2, 3]
    assert rows["meta"]["currentTradingPeriod"]["regular"]["end"] == ms("2026-11-27T13:00:00-05:00") // 1000


@pytest.mark.slow
def test_tokyo_pauses_for_lunch(exchanges: Market):
    rows = result(exchanges, "7203.T", ms("2026-03-11T20:00:00+09:00"), interval="1m", range="1d")
    stamps = rows["timestamp"]
    lunch = (stamps >= ms("2026-03-11T11:30:00+09:00") // 1000) & (stamps < ms("2026-03-11T12:30:00+09:00") // 1000)
    assert not lunch.any()
    assert stamps[-1] == ms("2026-03-11T15:29:00+09:00") // 1000


def test_hours_around_the_session_come_only_when_asked_for(exchanges: Market):
    plain, wide = (
        result(exchanges, "AAPL", CLOSED_MS, interval="5m", range="1d", includePrePost=each)
        for each in ("false", "true")
    )
    assert plain["timestamp"][0] == ms("2026-03-11T09:30:00-04:00") // 1000
    assert wide["timestamp"][0] == ms("2026-03-11T04:00:00-04:00") // 1000
    assert wide["timestamp"][-1] > ms("2026-03-11T19:00:00-04:00") // 1000
    assert set(wide["meta"]["tradingPeriods"]) == {"pre", "regular", "post"}


def test_arrays_are_adjusted_for_splits_and_say_so(exchanges: Market):
    """Four for one on 2020-08-31: no jump in the prices, and the split among the events."""
    window = {"period1": ms("2020-08-24T00:00-04:00") // 1000, "period2": ms("2020-09-04T00:00-04:00") // 1000}
    rows = result(exchanges, "AAPL", CLOSED_MS, interval="1d", events="div,splits", **window)
    close = rows["indicators"]["quote"][0]["close"]
    assert np.abs(np.diff(np.log(close))).max() < 0.15
    (split,) = rows["events"]["splits"].values()
    assert (split["numerator"], split["denominator"], split["date"]) == (4.0, 1.0, ms("2020-08-31T09:30-04:00") // 1000)
    printed = exchanges.instrument("AAPL", CLOSED_MS)
    before = int(np.searchsorted(printed.opens_s, split["date"])) - 1
    assert close[np.searchsorted(rows["timestamp"], split["date"]) - 1] == pytest.approx(
        printed.bar(before).close / 100 / 4
    )


def test_the_adjusted_close_is_lower_by_the_dividends_since(exchanges: Market):
    rows = result(exchanges, "AAPL", CLOSED_MS, interval="1d", range="2y", events="div")
    close, adjusted = rows["indicators"]["quote"][0]["close"], rows["indicators"]["adjclose"][0]["adjclose"]
    paid = [each["amount"] for each in rows["events"]["dividends"].values()]
    assert len(paid) == 8
    assert adjusted[-1] == close[-1]
    assert close[0] - adjusted[0] == pytest.approx(sum(paid), rel=0.3)


def test_what_is_simulated_says_so(market: Market, exchanges: Market):
    assert result(market, "AAPL", OPEN_MS, range="1d")["meta"]["exchangeName"] == "SIM"
    assert all(
        "imulated" in result(each, "AAPL", OPEN_MS, range="1d")["meta"]["fullExchangeName"]
        for each in (market, exchanges)
    )


@pytest.mark.parametrize("symbol", ["AAPL", "^N225", "EURUSD=X", "BTC-USD"])
def test_meta_has_what_clients_need(exchanges: Market, symbol: str):
    meta = result(exchanges, symbol, OPEN_MS, interval="1m", range="1d")["meta"]
    needed = "currency instrumentType exchangeTimezoneName validRanges priceHint longName previousClose"
    assert {*needed.split(), "tradingPeriods", "currentTradingPeriod"} <= set(meta)
    day = (meta["regularMarketDayLow"], meta["regularMarketPrice"], meta["regularMarketDayHigh"])
    assert meta["fiftyTwoWeekLow"] <= day[0] <= day[1] <= day[2] <= meta["fiftyTwoWeekHigh"]

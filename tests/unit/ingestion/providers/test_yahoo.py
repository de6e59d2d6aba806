"""What the provider makes of answers that are written by hand as Yahoo gives them."""

from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from curl_cffi import requests as curl

from ingestion import errors
from ingestion.providers.base import Provider
from ingestion.providers.yahoo import Yahoo
from ingestion.records.rows import records_of
from ingestion.records.splits import SplitFactors
from tests.unit.ingestion.providers.wire import Wire, answered, chart, quotes

pytestmark = pytest.mark.unit

At = Callable[[str], int]
Transport = Callable[[str, dict[str, Any]], curl.Response]


def test_it_is_a_provider(yahoo: Yahoo) -> None:
    provider: Provider = yahoo
    assert set(provider.reach) == {"1d", "1m", "5m", "15m", "1h"}


def test_metadata_become_an_instrument(yahoo: Yahoo, wire: Wire, at: At) -> None:
    wire.answer = answered(200, chart(**quotes([at("2025-11-24T14:30") // 1000])))
    found = yahoo.describe("AAPL")
    assert (found.name, found.calendar, found.timezone, found.currency) == (
        "Apple Inc.",
        "XNYS",
        "America/New_York",
        "USD",
    )
    assert (found.price_precision, found.has_volume) == (2, True)


@pytest.mark.parametrize(("hint", "decimals"), [(4, 4), (0, 0), (None, 2), (12, 8)])
def test_prices_have_the_decimals_that_are_hinted_at_or_two(
    yahoo: Yahoo, wire: Wire, at: At, hint: int | None, decimals: int
) -> None:
    wire.answer = answered(200, chart({"priceHint": hint}, **quotes([at("2025-11-24T14:30") // 1000])))
    assert yahoo.describe("AAPL").price_precision == decimals


def test_an_index_with_trades_has_a_volume(yahoo: Yahoo, wire: Wire, at: At) -> None:
    seconds = [at("2025-11-24T14:30") // 1000, at("2025-11-24T14:31") // 1000]
    wire.answer = answered(
        200, chart({"instrumentType": "INDEX", "exchangeName": "SNP"}, **quotes(seconds, volume=[0, 5]))
    )
    assert yahoo.describe("^GSPC").has_volume


def test_currencies_and_indices_without_trades_have_no_volume(yahoo: Yahoo, wire: Wire, at: At) -> None:
    moments = [at("2025-11-24T14:30") // 1000]
    euro = {
        "instrumentType": "CURRENCY",
        "exchangeName": "CCY",
        "exchangeTimezoneName": "Europe/London",
        "priceHint": 4,
    }
    wire.answer = answered(200, chart(euro, **quotes(moments)))
    found = yahoo.describe("EURUSD=X")
    assert (found.calendar, found.price_precision, found.has_volume) == ("24/5", 4, False)
    wire.answer = answered(
        200, chart({"instrumentType": "INDEX", "exchangeName": "NIM"}, **quotes(moments, volume=[0]))
    )
    assert not yahoo.describe("^IXIC").has_volume


def test_an_exchange_without_a_calendar_is_said(yahoo: Yahoo, wire: Wire, at: At) -> None:
    wire.answer = answered(200, chart({"exchangeName": "XYZ"}, **quotes([at("2025-11-24T14:30") // 1000])))
    with pytest.raises(errors.UnknownSymbol, match="no trading calendar for exchange 'XYZ'"):
        yahoo.describe("AAPL")


def test_minutes_of_today_with_a_row_in_progress_and_hours_before_the_open(yahoo: Yahoo, wire: Wire, at: At) -> None:
    times = ["2025-11-24T14:29", "2025-11-24T14:30", "2025-11-24T14:31", "2025-11-24T14:32:17"]
    seconds = [at(time) // 1000 for time in times]
    period = {"start": seconds[1], "end": at("2025-11-24T21:00") // 1000, "timezone": "EST", "gmtoffset": -18000}
    periods = {"pre": [[period]], "regular": [[period]], "post": [[period]]}
    columns = {"volume": [0, 900, None, 0], "open": [99.0, 100.0, None, 101.0]}
    columns |= {name: [99.5, 100.5, None, 101.0] for name in ("high", "close")}
    columns |= {"low": [99.0, 99.75, None, 101.0]}
    wire.answer = answered(200, chart({"tradingPeriods": periods}, **quotes(seconds, **columns)))
    answer = yahoo.newest("AAPL", "1m")
    # The minute in which nobody traded is null in Yahoo's answer, and no row.
    assert [row.ts_ms for row in answer.rows] == [at(times[0]), at(times[1]), at(times[3])]
    assert [row.day for row in answer.rows] == [date(2025, 11, 24)] * 3
    assert answer.rows[1].volume == 900


def test_days_with_a_split_and_a_dividend_come_out_as_printed(yahoo: Yahoo, wire: Wire, at: At, tmp_path: Path) -> None:
    seconds = [at(f"2020-08-{day}T13:30") // 1000 for day in ("07", "28", "31")]
    events = {
        "splits": {str(seconds[2]): {"date": seconds[2], "numerator": 4.0, "denominator": 1.0, "splitRatio": "4:1"}},
        "dividends": {str(seconds[0]): {"date": seconds[0], "amount": 0.205}},
    }
    close = [111.112503, 124.807503, 129.039993]
    columns = {"open": close, "close": close, "high": [112.0, 126.0, 131.0], "low": [110.0, 124.0, 126.0]}
    wire.answer = answered(200, chart(events=events, **quotes(seconds, **columns)))
    answer = yahoo.history("AAPL", "1d", None, None)
    assert answer.splits == [(date(2020, 8, 31), 4.0)]
    made = records_of(answer, yahoo.describe("AAPL"), "1d", "yahoo", SplitFactors(answer.splits))
    assert [bar.close for bar in made.bars] == [444.45, 499.23, 129.04]
    assert {(action.action, action.value) for action in made.actions} == {("split", 4.0), ("dividend", 0.82)}


def test_the_day_in_progress_is_in_an_open_window(
    yahoo: Yahoo, wire: Wire, at: At, monkeypatch: pytest.MonkeyPatch
) -> None:
    now_ms = at("2020-08-31T15:12:40")
    monkeypatch.setattr("ingestion.providers.yahoo.now_ms", lambda: now_ms)
    # Yahoo stamps the day's row with its newest trade, which may come after the request.
    seconds = [at("2020-08-28T13:30") // 1000, now_ms // 1000 + 1]
    split = {"date": at("2020-08-31T13:30") // 1000, "numerator": 4.0, "denominator": 1.0, "splitRatio": "4:1"}
    wire.answer = answered(200, chart(events={"splits": {str(split["date"]): split}}, **quotes(seconds)))
    answer = yahoo.history("AAPL", "1d", at("2020-08-01T00:00"), None)
    assert [row.day for row in answer.rows] == [date(2020, 8, 28), date(2020, 8, 31)]
    assert answer.splits == [(date(2020, 8, 31), 4.0)]


def test_an_event_of_a_day_without_a_row_brings_no_other_events(yahoo: Yahoo, wire: Wire, at: At) -> None:
    seconds = [at("2020-08-27T13:30") // 1000, at("2020-08-28T13:30") // 1000]
    split = {"date": at("2020-08-31T13:30") // 1000, "numerator": 4.0, "denominator": 1.0, "splitRatio": "4:1"}
    dividend = {"date": seconds[0], "amount": 0.205}
    events = {"splits": {str(split["date"]): split}, "dividends": {str(seconds[0]): dividend}}
    wire.answer = answered(200, chart(events=events, **quotes(seconds)))
    answer = yahoo.history("AAPL", "1d", at("2020-08-01T00:00"), at("2020-09-02T00:00"))
    assert answer.splits == [(date(2020, 8, 31), 4.0)]
    assert answer.dividends == [(date(2020, 8, 27), 0.205)]

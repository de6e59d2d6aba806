"""Ingestion on answers that the simulated exchange did not make: charts of Yahoo itself, as others recorded them."""

import json
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from curl_cffi import requests as curl

from ingestion.providers.base import Answer
from ingestion.providers.yahoo import Yahoo
from ingestion.records.instruments import Instrument
from ingestion.records.rows import records_of
from ingestion.records.splits import SplitFactors
from ingestion.requesting.budget import Budget

pytestmark = pytest.mark.unit

At = Callable[[str], int]

# Answers of query2.finance.yahoo.com as gadicc/yahoo-finance2 recorded them (tests/fixtures/http, October 2026 and June 2025),
# with fewer rows. What clients do not look at is left out of `meta`.
META: dict[str, dict[str, Any]] = {
    "AAPL": {
        "currency": "USD",
        "symbol": "AAPL",
        "exchangeName": "NMS",
        "instrumentType": "EQUITY",
        "firstTradeDate": 345479400,
        "gmtoffset": -14400,
        "timezone": "EDT",
        "exchangeTimezoneName": "America/New_York",
        "longName": "Apple Inc.",
        "chartPreviousClose": 124.808,
        "priceHint": 2,
        "dataGranularity": "1d",
        "range": "",
        "validRanges": ["1d", "5d", "1mo", "3mo", "6mo", "1y", "2y", "5y", "10y", "ytd", "max"],
    },
    "BTC-USD": {
        "currency": "USD",
        "symbol": "BTC-USD",
        "exchangeName": "CCC",
        "instrumentType": "CRYPTOCURRENCY",
        "gmtoffset": 0,
        "timezone": "UTC",
        "exchangeTimezoneName": "UTC",
        "longName": "Bitcoin USD",
        "priceHint": 2,
        "dataGranularity": "1d",
        "validRanges": ["1d", "5d", "1mo", "max"],
    },
    "EURUSD=X": {
        "currency": "USD",
        "symbol": "EURUSD=X",
        "exchangeName": "CCY",
        "instrumentType": "CURRENCY",
        "gmtoffset": 3600,
        "timezone": "BST",
        "exchangeTimezoneName": "Europe/London",
        "longName": "EUR/USD",
        "priceHint": 4,
        "dataGranularity": "1d",
        "validRanges": ["1d", "5d", "1mo", "max"],
    },
    "LUCYW": {
        "currency": None,
        "symbol": "LUCYW",
        "exchangeName": "NCM",
        "instrumentType": "EQUITY",
        "gmtoffset": -14400,
        "timezone": "EDT",
        "exchangeTimezoneName": "America/New_York",
        "longName": "Innovative Eyewear, Inc.",
        "priceHint": 4,
        "dataGranularity": "1d",
        "validRanges": ["1d", "5d", "1mo", "max"],
    },
    # From a device's test data (yahoo_chart_tnx_5m_1d.json), February 2026.
    "^TNX": {
        "currency": "USD",
        "symbol": "^TNX",
        "exchangeName": "CGI",
        "instrumentType": "INDEX",
        "firstTradeDate": -252326400,
        "gmtoffset": -21600,
        "timezone": "CST",
        "exchangeTimezoneName": "America/Chicago",
        "longName": "CBOE Interest Rate 10 Year T No",
        "previousClose": 4.227,
        "scale": 3,
        "priceHint": 4,
        "tradingPeriods": [[{"timezone": "CST", "end": 1770062400, "start": 1770038400, "gmtoffset": -21600}]],
        "dataGranularity": "5m",
        "range": "1d",
        "validRanges": ["1d", "5d", "1mo", "3mo", "6mo", "1y", "2y", "5y", "10y", "ytd", "max"],
    },
}


def recorded(symbol: str, stamps: list[int], columns: dict[str, list[float | int]], **more: Any) -> bytes:
    result = {"meta": META[symbol], "timestamp": stamps, "indicators": {"quote": [columns]}, **more}
    result["indicators"]["adjclose"] = [{"adjclose": columns["close"]}]
    return json.dumps({"chart": {"result": [result], "error": None}}).encode()


APPLE = recorded(
    "AAPL",
    [1598880600, 1598967000, 1604673000],
    {
        "volume": [225702700, 151948100, 114457900],
        "low": [126, 130.52999877929688, 116.12999725341797],
        "close": [129.0399932861328, 134.17999267578125, 118.69000244140625],
        "open": [127.58000183105469, 132.75999450683594, 118.31999969482422],
        "high": [131, 134.8000030517578, 119.19999694824219],
    },
    events={
        "dividends": {"1604673000": {"amount": 0.205, "date": 1604673000}},
        "splits": {"1598880600": {"date": 1598880600, "numerator": 4, "denominator": 1, "splitRatio": "4:1"}},
    },
)
BITCOIN_DAYS = recorded(
    "BTC-USD",
    [1577836800, 1577923200, 1578009600],
    {
        "volume": [18565664997, 20802083465, 28111481032],
        "low": [7174.9443359375, 6935.27001953125, 6914.99609375],
        "open": [7194.89208984375, 7202.55126953125, 6984.4287109375],
        "high": [7254.33056640625, 7212.1552734375, 7413.71533203125],
        "close": [7200.17431640625, 6985.47021484375, 7344.88427734375],
    },
)
EURO_DAYS = recorded(
    "EURUSD=X",
    [1577836800, 1577923200, 1578009600],
    {
        "volume": [0, 0, 0],
        "low": [1.115946888923645, 1.1166820526123047, 1.112569808959961],
        "open": [1.1220825910568237, 1.1218937635421753, 1.1170812845230103],
        "high": [1.1228384971618652, 1.12271249294281, 1.118067979812622],
        "close": [1.1220825910568237, 1.1220825910568237, 1.1171437501907349],
    },
)
# A warrant on a day without trades: no `timestamp` at all, and no currency.
WARRANT = json.dumps(
    {
        "chart": {
            "result": [{"meta": META["LUCYW"], "indicators": {"quote": [{}], "adjclose": [{}]}}],
            "error": None,
        }
    }
).encode()
YIELD = recorded(
    "^TNX",
    [1770057900, 1770058200, 1770062100],
    {
        "open": [4.270999908447266, 4.270999908447266, 4.2729997634887695],
        "close": [4.270999908447266, 4.2729997634887695, 4.275000095367432],
        "high": [4.2729997634887695, 4.2729997634887695, 4.275000095367432],
        "volume": [0, 0, 0],
        "low": [4.270999908447266, 4.270999908447266, 4.269000053405762],
    },
)


@pytest.fixture
def answered(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[..., Answer]:
    """What ingestion makes of a recorded body, by way of the unmodified yfinance."""

    def ask(body: bytes, symbol: str, timeframe: str = "1d") -> Answer:
        def respond(_session: Any, _method: str, url: str, *_: Any, **__: Any) -> curl.Response:
            response = curl.Response()
            response.status_code, response.url = 200, url
            response.content = body if "/v8/finance/chart/" in url else b"crumb"
            response.headers = curl.Headers({})
            return response

        monkeypatch.setattr(curl.Session, "request", respond)
        yahoo = Yahoo(tmp_path / "cache", Budget(tmp_path / "requests.json", 600))
        return yahoo.history(symbol, timeframe, 1_577_836_800_000, 1_800_000_000_000)

    return ask


def test_apples_split_and_dividend_of_2020(answered: Callable[..., Answer], apple: Instrument):
    """Yahoo writes whole numbers as integers: low 126, a ratio of 4 to 1."""
    answer = answered(APPLE, "AAPL")
    assert answer.splits == [(date(2020, 8, 31), 4.0)]
    assert answer.dividends == [(date(2020, 11, 6), 0.205)]
    bars = records_of(answer, apple, "1d", "yahoo", SplitFactors(answer.splits)).bars
    assert [(bar.session_date, bar.low, bar.close, bar.volume) for bar in bars] == [
        ("2020-08-31", 126.0, 129.04, 225_702_700.0),
        ("2020-09-01", 130.53, 134.18, 151_948_100.0),
        ("2020-11-06", 116.13, 118.69, 114_457_900.0),
    ]


def test_bitcoins_volume_is_money_and_needs_more_than_32_bits(answered: Callable[..., Answer]):
    answer = answered(BITCOIN_DAYS, "BTC-USD")
    assert [(row.day, row.volume) for row in answer.rows] == [
        (date(2020, 1, 1), 18_565_664_997.0),
        (date(2020, 1, 2), 20_802_083_465.0),
        (date(2020, 1, 3), 28_111_481_032.0),
    ]


def test_the_euro_on_a_day_on_which_nobody_works(answered: Callable[..., Answer]):
    answer = answered(EURO_DAYS, "EURUSD=X")
    first = answer.rows[0]
    assert (first.day, first.close, first.volume) == (date(2020, 1, 1), 1.1220825910568237, 0.0)


def test_a_day_without_trades_is_an_answer_without_rows(answered: Callable[..., Answer]):
    assert answered(WARRANT, "LUCYW").rows == []


def test_an_index_in_its_own_time_zone_without_volume(answered: Callable[..., Answer], at: At):
    answer = answered(YIELD, "^TNX", "5m")
    assert [row.ts_ms for row in answer.rows] == [at(f"2026-02-02T{time}") for time in ("18:45", "18:50", "19:55")]
    assert [row.close for row in answer.rows] == [4.270999908447266, 4.2729997634887695, 4.275000095367432]

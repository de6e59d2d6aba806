"""The decoders on what the simulated exchange did not make: frames and answers of Yahoo itself, as others recorded them.

Of each sample, the comment says who published it; the figures beside it are theirs, not our decoder's. What nobody recorded is
written here byte by byte after Google's description of protobuf's encoding, by an encoder that shares nothing with protobuf's own.
"""

import base64
import json
import struct
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from curl_cffi import requests as curl

from ingestion.budget import Budget
from ingestion.instruments import Instrument
from ingestion.providers.base import Answer, MalformedFrame, Quote
from ingestion.providers.yahoo import Yahoo, decode_frame
from ingestion.rows import records_of
from ingestion.splits import SplitFactors

pytestmark = pytest.mark.unit

At = Callable[[str], int]

# ranaroussi/yfinance, tests/test_live.py: the frame and all of its fields, 2025-01-10.
BITCOIN = (
    "CgdCVEMtVVNEFYoMuUcYwLCVgIplIgNVU0QqA0NDQzApOAFFPWrEP0iAgOrxvANVx/25R12csrRHZYD8skR9/7i0R7ABgIDq8bwD2AEE4AGAgOrx"
    "vAPoAYCA6vG8A/IBA0JUQ4ECAAAAwPrjckGJAgAA2P5ZT3tC"
)
# A captured frame in the tests of a dashboard (yahooStream.test.js), with its fields, 2026-08-05. Its decoder, as that of the next
# two, takes the volume and the price hint for plain integers and so for twice what they are: the fields are zigzag. Yahoo's own
# total of Apple for 2020-05-18 was 33.8 million shares, which 35.1 million at noon cannot be, and its price hint is 2, not 4.
APPLE_2026 = "CgRBQVBMFZqZmUMY8PTPovpnKgNOTVMwCDgBRc9iNL9I9PGVBWUAhQvAsAFi2AEE"
# Two frames five seconds apart in the tests of la_proj's decoder, with their fields, 2020-05-18.
APPLE_2020 = "CgRBQVBMFexhnUMYkI6yi8VcKgNOTVMwCDgBRW68EkBItJzfEGXAwuFA2AEE"
APPLE_2020_NEXT = "CgRBQVBMFR9lnUMYoNyyi8VcKgNOTVMwCDgBRYJBE0BI5J7fEGWAj+JA2AEE"
# Captured on 2026-08-13 and checked there against the quotes of the same second (a page's protobuf.test.ts).
EURO = "CghFVVJVU0Q9WBVanpM/GJDhibD/ZyoDQ0NZMA44AUV3Mb49ZQBAjDrYAQg="
YEN = "CgVKUFk9WBXhWh9DGODwibD/ZyoDQ0NZMA44AUWSEgO9ZQDwUL3YAQg="
# A known message in the tests of several Rust clients: Tesla after the close, 2025.
TESLA_AFTER_HOURS = "CgRUU0xBFYG9y0MYgM6B7JtnKgNOTVMwCDgCRbV+qr1lANStvtgBBA=="


def enveloped(message: str) -> str:
    """As the second version of the streamer sends it."""
    return json.dumps({"type": "pricing", "message": message})


def read(message: str) -> Quote:
    quote = decode_frame(enveloped(message))
    assert quote is not None
    return quote


def test_bitcoin_as_yahoo_sent_it():
    quote = read(BITCOIN)
    assert (quote.symbol, quote.event_ms, quote.day_volume) == ("BTC-USD", 1736509140000, 59_712_028_672)
    assert quote.is_regular
    assert quote.price == pytest.approx(94745.08, abs=0.01)
    assert (quote.day_high, quote.day_low) == (pytest.approx(95227.555), pytest.approx(92517.22))
    assert quote.previous_close == pytest.approx(94745.08 - 1431.8906, abs=0.02)


@pytest.mark.parametrize(
    ("message", "event_ms", "price", "twice_the_volume", "change"),
    [
        (APPLE_2026, 1_785_937_395_000, 307.20001220703125, 10_844_404, -2.17999267578125),
        (APPLE_2020, 1_589_820_933_000, 314.7650146484375, 35_114_548, 7.055023193359375),
        (APPLE_2020_NEXT, 1_589_820_938_000, 314.7900085449219, 35_114_852, 7.08001708984375),
    ],
)
def test_apple_in_two_different_years(message: str, event_ms: int, price: float, twice_the_volume: int, change: float):
    quote = read(message)
    assert (quote.symbol, quote.event_ms, quote.price) == ("AAPL", event_ms, price)
    assert quote.day_volume == twice_the_volume / 2
    assert quote.is_regular
    assert quote.previous_close == pytest.approx(price - change)
    # Zero stands for "not given": stocks' frames have no high and no low.
    assert (quote.day_high, quote.day_low) == (0.0, 0.0)


@pytest.mark.parametrize(
    ("message", "symbol", "price", "at_text"),
    [
        (EURO, "EURUSD=X", 1.15327, "2026-08-13T12:03:09"),
        (YEN, "JPY=X", 159.355, "2026-08-13T12:03:10"),
    ],
)
def test_currencies_have_no_volume(message: str, symbol: str, price: float, at_text: str, at: At):
    quote = read(message)
    assert (quote.symbol, quote.day_volume) == (symbol, 0)
    assert quote.price == pytest.approx(price, abs=1e-4 * price)
    assert abs(quote.event_ms - at(at_text)) < 2_000


def test_a_tick_after_the_close_is_not_of_the_regular_session():
    quote = read(TESLA_AFTER_HOURS)
    assert (quote.symbol, quote.is_regular, quote.previous_close) == ("TSLA", False, 0.0)
    assert 400 < quote.price < 420


def test_the_streamers_first_version_is_refused_and_not_misread():
    """It sent the base64 text without JSON around it."""
    with pytest.raises(MalformedFrame):
        decode_frame(APPLE_2020)


@pytest.mark.parametrize("message", [BITCOIN, EURO, APPLE_2020])
def test_a_torn_frame_is_a_quote_without_its_end_or_malformed_and_nothing_else(message: str):
    whole, torn = base64.b64decode(message), 0
    for cut in range(len(whole)):
        try:
            quote = decode_frame(enveloped(base64.b64encode(whole[:cut]).decode()))
            assert quote is None or quote.symbol == read(message).symbol
        except MalformedFrame:
            torn += 1
    assert torn > len(whole) // 3


def varint(value: int) -> bytes:
    """Seven bits a byte, the lowest first."""
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*out, value])


def zigzag(value: int) -> int:
    """Signed to unsigned: 0, -1, 1, -2 become 0, 1, 2, 3."""
    return value * 2 if value >= 0 else -value * 2 - 1


def text(number: int, value: str) -> bytes:
    return varint(number << 3 | 2) + varint(len(value.encode())) + value.encode()


def single(number: int, value: float) -> bytes:
    return varint(number << 3 | 5) + struct.pack("<f", value)


def double(number: int, value: float) -> bytes:
    return varint(number << 3 | 1) + struct.pack("<d", value)


def signed(number: int, value: int) -> bytes:
    return varint(number << 3) + varint(zigzag(value))


def plain(number: int, value: int) -> bytes:
    return varint(number << 3) + varint(value)


def by_hand(*fields: bytes) -> str:
    return base64.b64encode(b"".join(fields)).decode()


def test_our_encoder_writes_what_yahoo_wrote():
    """Apple's frame of 2020 again, from its fields: then what follows below is in Yahoo's encoding too."""
    fields = (
        text(1, "AAPL"),
        single(2, 314.7650146484375),
        signed(3, 1_589_820_933_000),
        text(5, "NMS"),
        plain(6, 8),
        plain(7, 1),
        single(8, 2.292750835418701),
        signed(9, 35_114_548 // 2),
        single(12, 7.055023193359375),
        signed(27, 2),
    )
    assert by_hand(*fields) == APPLE_2020


def test_fields_may_come_in_any_order_and_unknown_ones_between_them():
    """Field numbers as in yfinance's pricing.proto; 99 is none of them."""
    quote = read(
        by_hand(
            signed(9, 1_234),
            text(99, "something new"),
            single(16, 100.5),
            signed(3, 1_764_000_000_123),
            double(99, 1.0),
            single(2, 101.25),
            text(1, "SAP.DE"),
            plain(7, 1),
        )
    )
    assert (quote.symbol, quote.event_ms, quote.price) == ("SAP.DE", 1_764_000_000_123, 101.25)
    assert (quote.day_volume, quote.previous_close, quote.is_regular) == (1_234, 100.5, True)


def test_a_field_that_is_given_twice_counts_as_given_last():
    quote = read(by_hand(text(1, "A"), single(2, 1.0), signed(3, 5), single(2, 2.0)))
    assert quote.price == 2.0


def test_before_the_open_is_zero_on_the_wire_and_so_left_out():
    quote = read(by_hand(text(1, "A"), single(2, 10.0), signed(3, 5), single(12, 0.5)))
    assert (quote.is_regular, quote.previous_close) == (False, 9.5)


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

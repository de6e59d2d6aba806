"""The provider over the unmodified yfinance: the HTTP transport is replaced, answers are written by hand as Yahoo gives them."""

import base64
import json
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from curl_cffi import requests as curl
from yfinance.pricing_pb2 import PricingData

from ingestion import errors
from ingestion.providers.base import MalformedFrame, Provider
from ingestion.providers.yahoo import Yahoo, classified, decode_frame
from ingestion.records.instruments import Instrument
from ingestion.records.rows import records_of
from ingestion.records.splits import SplitFactors
from ingestion.requesting.budget import Budget

pytestmark = pytest.mark.unit

At = Callable[[str], int]
Transport = Callable[[str, dict[str, Any]], curl.Response]

META = {
    "currency": "USD",
    "symbol": "AAPL",
    "exchangeName": "NMS",
    "instrumentType": "EQUITY",
    "exchangeTimezoneName": "America/New_York",
    "timezone": "EST",
    "gmtoffset": -18000,
    "priceHint": 2,
    "longName": "Apple Inc.",
    "validRanges": ["1d", "5d", "1mo", "max"],
}


def answered(status: int, body: object, url: str = "", headers: dict[str, str] | None = None) -> curl.Response:
    response = curl.Response()
    response.status_code = status
    response.url = url or "https://query2.finance.yahoo.com/v8/finance/chart/AAPL"
    response.content = body if isinstance(body, bytes) else json.dumps(body).encode()
    response.headers = curl.Headers(headers or {})
    return response


def chart(meta: dict[str, Any] | None = None, **result: Any) -> dict[str, Any]:
    return {"chart": {"error": None, "result": [{"meta": {**META, **(meta or {})}, **result}]}}


def quotes(timestamps: list[int], **columns: list[float | None]) -> dict[str, Any]:
    flat = [100.0] * len(timestamps)
    names = ("open", "high", "low", "close", "volume")
    return {"timestamp": timestamps, "indicators": {"quote": [{name: columns.get(name, flat) for name in names}]}}


class Wire:
    """Answers yfinance's requests; chart requests as told, cookie and crumb as Yahoo does. Keeps what was asked."""

    def __init__(self) -> None:
        self.answer: curl.Response | Exception = answered(200, {})
        self.asked: list[str] = []

    def request(self, _session: Any, _method: str, url: str, *_: Any, **arguments: Any) -> curl.Response:
        if "/v8/finance/chart/" not in url:
            return answered(200, b"crumb", url)
        parameters = arguments.get("params") or {}
        self.asked.append(url)
        if isinstance(self.answer, Exception):
            raise self.answer
        # The look-up of the time zone is the only request without events.
        is_look_up = "events" not in parameters
        return answered(200, chart(**quotes([])), url) if is_look_up and self.answer.status_code == 200 else self.answer


@pytest.fixture
def wire(monkeypatch: pytest.MonkeyPatch) -> Wire:
    wire = Wire()
    monkeypatch.setattr(curl.Session, "request", lambda *args, **kwargs: wire.request(*args, **kwargs))
    return wire


@pytest.fixture
def yahoo(tmp_path: Path, wire: Wire) -> Yahoo:
    return Yahoo(tmp_path / "cache", Budget(tmp_path / "requests.json", 600))


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


NOT_FOUND = {
    "chart": {"result": None, "error": {"code": "Not Found", "description": "No data found, symbol may be delisted"}}
}
BAD_CRUMB = {"finance": {"result": None, "error": {"code": "Unauthorized", "description": "Invalid Crumb"}}}


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (answered(404, NOT_FOUND), errors.UnknownSymbol),
        (answered(401, BAD_CRUMB), errors.Unauthorised),
        (answered(500, b"<html>oops</html>"), errors.Unavailable),
        (answered(503, b""), errors.Unavailable),
        (answered(200, b"<html>We will be back</html>"), errors.Malformed),
        (answered(200, {"chart": {"result": None, "error": None}}), errors.Malformed),
        (answered(200, b"null"), errors.Malformed),
        (answered(200, chart(timestamp=[1764000000], indicators={"quote": [{"open": []}]})), errors.Malformed),
        (answered(200, chart({"exchangeTimezoneName": "Mars/Base"}, **quotes([1764000000]))), errors.Malformed),
        (curl.exceptions.Timeout("timed out"), errors.Unavailable),
        (curl.exceptions.ConnectionError("refused"), errors.Unavailable),
    ],
)
def test_every_refusal_has_its_class(yahoo: Yahoo, wire: Wire, answer: curl.Response | Exception, kind: type) -> None:
    wire.answer = answer
    with pytest.raises(errors.ProviderError) as raised:
        yahoo.newest("AAPL", "1d")
    assert type(raised.value) is kind, raised.value


@pytest.mark.parametrize(
    ("said", "sentence"),
    [
        (
            "Failed to perform, curl: (6) Could not resolve host: query2.finance.yahoo.com. See "
            "https://curl.se/libcurl/c/libcurl-errors.html first for more details.",
            "AAPL: could not resolve host: query2.finance.yahoo.com",
        ),
        ("Failed to perform, curl: (35) TLS connect error. See https://curl.se/x", "AAPL: TLS connect error"),
        ("timed out", "AAPL: timed out"),
    ],
)
def test_a_lost_connection_is_said_without_curls_advice(yahoo: Yahoo, wire: Wire, said: str, sentence: str) -> None:
    wire.answer = curl.exceptions.ConnectionError(said)
    with pytest.raises(errors.Unavailable) as raised:
        yahoo.newest("AAPL", "1d")
    assert str(raised.value) == sentence


@pytest.mark.parametrize("with_split", [False, True])
def test_an_answer_without_any_price_is_no_market_in_which_nobody_traded(
    yahoo: Yahoo, wire: Wire, with_split: bool
) -> None:
    times, none = [1764000000 + 60 * k for k in range(20)], [None] * 20
    rows = quotes(times, open=none, high=none, low=none, close=none, volume=none)
    split = {"date": times[0], "numerator": 4, "denominator": 1, "splitRatio": "4:1"}
    events = {"events": {"splits": {str(times[0]): split}}} if with_split else {}
    wire.answer = answered(200, chart(**rows, **events))
    with pytest.raises(errors.Malformed):
        yahoo.newest("AAPL", "1m")


def test_an_answer_that_makes_no_sense_is_kept_for_the_dead_letter(yahoo: Yahoo, wire: Wire) -> None:
    wire.answer = answered(200, b"<html>We will be back</html>")
    with pytest.raises(errors.Malformed) as raised:
        yahoo.newest("AAPL", "1d")
    assert raised.value.original == b"<html>We will be back</html>"


def test_a_429_is_one_request_and_then_none_until_it_is_time(yahoo: Yahoo, wire: Wire) -> None:
    wire.answer = answered(429, b"Too Many Requests", headers={"Retry-After": "40"})
    with pytest.raises(errors.Throttled, match="next try in 40 s"):
        yahoo.newest("AAPL", "1d")
    assert len(wire.asked) == 1
    with pytest.raises(errors.Throttled):
        yahoo.newest("MSFT", "1d")
    assert len(wire.asked) == 1


@pytest.mark.parametrize(
    "answer",
    [
        answered(200, chart(indicators={"quote": [{}]})),
        answered(
            422,
            {
                "chart": {
                    "result": None,
                    "error": {"code": "Unprocessable Entity", "description": "1m data not available for startTime=1"},
                }
            },
        ),
        answered(
            400,
            {
                "chart": {
                    "result": None,
                    "error": {"code": "Bad Request", "description": "Data doesn't exist for startDate"},
                }
            },
        ),
    ],
)
def test_a_window_without_rows_is_an_answer(yahoo: Yahoo, wire: Wire, answer: curl.Response) -> None:
    wire.answer = answer
    assert yahoo.history("AAPL", "1m", 1_764_000_000_000, 1_764_000_060_000).rows == []


@pytest.mark.parametrize("timeframe", ["1d", "1m"])
@pytest.mark.parametrize("unit", [10**3, 10**6, 10**9, -(10**4)])
def test_a_time_in_the_wrong_unit_is_a_dead_letter_or_a_malformed_answer(
    yahoo: Yahoo, wire: Wire, apple: Instrument, at: At, timeframe: str, unit: int
) -> None:
    good = at("2025-11-24T14:30") // 1000
    wire.answer = answered(200, chart(**quotes([good, good * unit])))
    refused = 0
    try:
        answer = yahoo.newest("AAPL", timeframe)
        made = records_of(answer, apple, timeframe, "yahoo", SplitFactors(answer.splits))
        refused = len(made.dead_letters)
    except errors.Malformed as error:
        refused = int(error.original != b"")
    assert refused == 1


@pytest.mark.parametrize("symbol", ["", " ", "US0378331005", "A\nB", "A B", "AAPL?range=1d", "../AAPL", "A\0"])
def test_what_is_no_symbol_is_unknown_and_not_asked_for(yahoo: Yahoo, wire: Wire, at: At, symbol: str) -> None:
    wire.answer = answered(200, chart(**quotes([at("2025-11-24T14:30") // 1000])))
    with pytest.raises(errors.UnknownSymbol):
        yahoo.describe(symbol)
    assert wire.asked == []


def test_a_failed_look_up_is_forgotten_before_the_next_request(yahoo: Yahoo, wire: Wire, at: At) -> None:
    wire.answer = answered(500, b"<html>")
    with pytest.raises(errors.Unavailable):
        yahoo.newest("AAPL", "1d")
    wire.answer = answered(200, chart(**quotes([at("2025-11-24T14:30") // 1000])))
    assert len(yahoo.newest("AAPL", "1d").rows) == 1


def frame(**fields: Any) -> str:
    message = PricingData(**fields).SerializeToString()
    return json.dumps({"type": "pricing", "message": base64.b64encode(message).decode()})


def test_a_frame_is_decoded_field_by_field() -> None:
    quote = decode_frame(
        frame(
            id="AAPL", price=207.82, time=1745956800123, market_hours=1, day_volume=54_321, day_high=208.5, change=1.25
        )
    )
    assert quote is not None
    assert (quote.symbol, quote.event_ms, quote.day_volume, quote.is_regular) == ("AAPL", 1745956800123, 54_321, True)
    assert quote.price == pytest.approx(207.82, abs=1e-4)
    assert quote.previous_close == pytest.approx(206.57, abs=1e-4)


def test_a_frame_as_it_stands_in_protobufs_own_encoding() -> None:
    # id (1) "A", price (2) float32 1.5, time (3) zigzag of 1000, market_hours (7) 2: written by hand.
    wire = bytes([0x0A, 1, 0x41, 0x15, 0, 0, 0xC0, 0x3F, 0x18, 0xD0, 0x0F, 0x38, 2])
    quote = decode_frame(json.dumps({"message": base64.b64encode(wire).decode()}))
    assert quote is not None
    assert (quote.symbol, quote.price, quote.event_ms, quote.is_regular) == ("A", 1.5, 1000, False)


def test_after_the_close_a_change_is_not_from_the_previous_close() -> None:
    quote = decode_frame(frame(id="AAPL", price=207.82, time=1, market_hours=2, change=0.5))
    assert quote is not None
    assert quote.previous_close == 0.0


def test_a_control_message_has_no_quote() -> None:
    assert decode_frame('{"type": "heartbeat"}') is None


@pytest.mark.parametrize(
    "garbage",
    [
        "",
        "hello",
        "[]",
        "42",
        b"\xff\xfe",
        '{"message": 5}',
        '{"message": "***"}',
        '{"message": "AAAA"}',
        '{"message": ""}',
        frame(price=1.0, time=5),
        frame(id="AAPL", price=1.0),
        "[" * 100_000,
    ],
)
def test_garbage_is_malformed_and_nothing_else_escapes(garbage: str | bytes) -> None:
    with pytest.raises(MalformedFrame):
        decode_frame(garbage)


def test_curls_advice_is_no_part_of_what_is_said() -> None:
    advice = "See https://curl.se/libcurl/c/libcurl-errors.html first for more details."
    error = curl.exceptions.ConnectionError(f"Failed to perform, curl: (7) Failed to connect. {advice}")
    assert str(classified(error, 0, b"", "AAPL")) == "AAPL: failed to connect"

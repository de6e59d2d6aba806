"""What the provider says of answers that are none: refused, cut, empty or senseless."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from curl_cffi import requests as curl

from ingestion import errors
from ingestion.metrics import provider_errors
from ingestion.providers.yahoo import Yahoo, classified
from ingestion.records.instruments import Instrument
from ingestion.records.rows import records_of
from ingestion.records.splits import SplitFactors
from tests.unit.ingestion.providers.wire import Wire, answered, chart, quotes

pytestmark = pytest.mark.unit

At = Callable[[str], int]
Transport = Callable[[str, dict[str, Any]], curl.Response]
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
@pytest.mark.parametrize(("timeframe", "count"), [("1m", 20), ("1d", 5)])
def test_an_answer_without_any_price_is_no_market_in_which_nobody_traded(
    yahoo: Yahoo, wire: Wire, timeframe: str, count: int, with_split: bool
) -> None:
    step_s = 60 if timeframe == "1m" else 86_400
    times, none = [1764000000 + step_s * k for k in range(count)], [None] * count
    rows = quotes(times, open=none, high=none, low=none, close=none, volume=none)
    split = {"date": times[0], "numerator": 4, "denominator": 1, "splitRatio": "4:1"}
    events = {"events": {"splits": {str(times[0]): split}}} if with_split else {}
    wire.answer = answered(200, chart({"dataGranularity": timeframe}, **rows, **events))
    with pytest.raises(errors.Malformed):
        yahoo.newest("AAPL", timeframe)


@pytest.mark.slow
@pytest.mark.parametrize("timeframe", ["1d", "1m"])
@pytest.mark.parametrize(
    ("exchange", "zone"),
    [
        # A stamp in the afternoon of New York is of the next day there.
        ("NMS", "Asia/Tokyo"),
        # A session of Tokyo begins in the evening of New York's day before.
        ("JPX", "America/New_York"),
        ("NMS", None),
    ],
)
def test_days_of_another_continents_zone_are_no_days_of_an_exchange(
    yahoo: Yahoo, wire: Wire, at: At, timeframe: str, exchange: str, zone: str | None
) -> None:
    body = chart({"exchangeName": exchange, "exchangeTimezoneName": zone}, **quotes([at("2025-11-24T16:00") // 1000]))
    wire.answer = answered(200, body)
    before = provider_errors().get("Malformed", 0)
    with pytest.raises(errors.Malformed, match="time zone") as raised:
        yahoo.newest("AAPL", timeframe)
    assert json.loads(raised.value.original) == body
    assert provider_errors()["Malformed"] == before + 1


@pytest.mark.slow
@pytest.mark.parametrize(
    ("exchange", "zone"),
    [
        ("NMS", "America/New_York"),
        # An index of Chicago has New York's calendar; of an exchange without one nobody knows better.
        ("CGI", "America/Chicago"),
        ("XYZ", "Asia/Tokyo"),
    ],
)
def test_an_exchange_may_lie_an_hour_from_the_calendar_that_it_has(
    yahoo: Yahoo, wire: Wire, at: At, exchange: str, zone: str
) -> None:
    body = chart({"exchangeName": exchange, "exchangeTimezoneName": zone}, **quotes([at("2025-11-24T16:00") // 1000]))
    wire.answer = answered(200, body)
    assert len(yahoo.newest("AAPL", "1d").rows) == 1


@pytest.mark.parametrize(
    "described",
    [
        # Of an index only rows say whether it has a volume.
        chart({"instrumentType": "INDEX"}, indicators={"quote": [{}]}),
        chart({"priceHint": "two"}, **quotes([1764000000])),
        chart({"exchangeTimezoneName": None}, indicators={"quote": [{}]}),
    ],
)
def test_a_description_that_makes_no_sense_is_malformed_and_nothing_else_escapes(
    yahoo: Yahoo, wire: Wire, described: dict[str, Any]
) -> None:
    wire.answer = answered(200, described)
    before = provider_errors().get("Malformed", 0)
    with pytest.raises(errors.Malformed):
        yahoo.describe("AAPL")
    assert provider_errors()["Malformed"] == before + 1


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


def test_curls_advice_is_no_part_of_what_is_said() -> None:
    advice = "See https://curl.se/libcurl/c/libcurl-errors.html first for more details."
    error = curl.exceptions.ConnectionError(f"Failed to perform, curl: (7) Failed to connect. {advice}")
    assert str(classified(error, 0, b"", "AAPL")) == "AAPL: failed to connect"

"""Yahoo's answers written by hand, and the HTTP transport that gives them to the unmodified yfinance."""

import json
from typing import Any

from curl_cffi import requests as curl

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

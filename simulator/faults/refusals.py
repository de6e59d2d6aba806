"""Answers without data: too many requests, a crumb that is not taken, a server's error, a page where JSON was asked for."""

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Literal

import orjson
from aiohttp import web
from pydantic import Field

from simulator.faults.requests import DATA, Call, Endpoint, HttpFault

# Yahoo's edge answers 429 in plain text (quoted in many issues of yfinance, among them #2422).
TOO_MANY = "Edge: Too Many Requests\r\n"
# Where yfinance's users were refused for their crumb, this is the answer they quote (yfinance #1729).
INVALID_CRUMB = {"finance": {"result": None, "error": {"code": "Unauthorized", "description": "Invalid Crumb"}}}
OUT_OF_ORDER_PAGE = """<!DOCTYPE html>
<html lang="en-us"><head><title>Simulated outage</title></head>
<body><h1>Will be right back...</h1><p>The simulated exchange is out of order on purpose.</p></body></html>
"""


def refused_429(headers: dict[str, str]) -> web.Response:
    return web.Response(status=429, text=TOO_MANY, headers=headers)


class Throttle(HttpFault):
    """429, with a Retry-After in seconds, with one that is a date, or (as Yahoo) with none."""

    kind: Literal["throttle"] = "throttle"
    endpoints: tuple[Endpoint, ...] = (*DATA, "crumb")
    retry_after_s: int | None = Field(None, ge=0)
    as_date: bool = False

    async def answer(self, call: Call) -> web.StreamResponse:
        if self.retry_after_s is None:
            return refused_429({})
        if self.as_date:
            until = datetime.fromtimestamp(call.now_ms // 1000, UTC) + timedelta(seconds=self.retry_after_s)
            return refused_429({"Retry-After": format_datetime(until, usegmt=True)})
        return refused_429({"Retry-After": str(self.retry_after_s)})


class BadCrumb(HttpFault):
    """401 for every crumb but the one that is given out while the fault is on; for that one too if it is not `renewable`."""

    kind: Literal["bad_crumb"] = "bad_crumb"
    endpoints: tuple[Endpoint, ...] = ("chart", "summary", "quote", "crumb")
    renewable: bool = True

    async def answer(self, call: Call) -> web.StreamResponse:
        crumb = f"renewed.{call.scheduled.from_ms % 100_000_000:x}"
        if call.endpoint == "crumb":
            return web.Response(text=crumb)
        if self.renewable and call.request.query.get("crumb") == crumb:
            return await call.proceed()
        return web.Response(status=401, body=orjson.dumps(INVALID_CRUMB), content_type="application/json")


class ServerError(HttpFault):
    """A status of 500 or more."""

    kind: Literal["server_error"] = "server_error"
    endpoints: tuple[Endpoint, ...] = (*DATA, "crumb")
    status: int = Field(503, ge=500, le=599)
    body: Literal["html", "json", "empty"] = "html"

    async def answer(self, call: Call) -> web.StreamResponse:
        if self.body == "empty":
            return web.Response(status=self.status)
        if self.body == "html":
            return web.Response(status=self.status, text=OUT_OF_ORDER_PAGE, content_type="text/html")
        error = {"code": "Internal Server Error", "description": "simulated"}
        body = orjson.dumps({"finance": {"result": None, "error": error}})
        return web.Response(status=self.status, body=body, content_type="application/json")


class HtmlForJson(HttpFault):
    """A page with status 200 where data were asked for."""

    kind: Literal["html"] = "html"
    status: int = Field(200, ge=200, le=299)

    async def answer(self, call: Call) -> web.StreamResponse:
        return web.Response(status=self.status, text=OUT_OF_ORDER_PAGE, content_type="text/html")

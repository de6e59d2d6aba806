"""Answers that are not what the protocol says: cut off, null, arrays of different lengths, another time zone."""

from collections.abc import Callable
from datetime import datetime
from typing import Any, Literal
from zoneinfo import ZoneInfo

import orjson
from aiohttp import web
from pydantic import Field, field_validator

from simulator.faults.requests import Call, HttpFault

Json = dict[str, Any]
COLUMNS = ("open", "high", "low", "close", "volume")
Column = Literal["open", "high", "low", "close", "volume"]
JSON_TYPE = {"Content-Type": "application/json; charset=utf-8"}


async def body_of(call: Call) -> tuple[int, dict[str, str], bytes]:
    """Status, type and body of the ordinary answer."""
    response = await call.proceed()
    body = getattr(response, "body", None)
    headers = {"Content-Type": response.headers.get("Content-Type", "text/plain")}
    return response.status, headers, body if isinstance(body, bytes) else b""


async def rewritten(call: Call, rewrite: Callable[[Json], None]) -> web.StreamResponse:
    """The ordinary answer with its chart changed; a refusal and whatever is no chart stay as they are."""
    response = await call.proceed()
    body = getattr(response, "body", None)
    if response.status != 200 or not isinstance(body, bytes) or call.endpoint != "chart":
        return response
    try:
        answer = orjson.loads(body)
    except orjson.JSONDecodeError:
        return response  # another fault has left a page of it, or half
    results = (answer.get("chart") or {}).get("result") if isinstance(answer, dict) else None
    for result in results or []:
        rewrite(result)
    return web.Response(body=orjson.dumps(answer), headers=JSON_TYPE) if results else response


def quote_of(result: Json) -> Json:
    return result["indicators"]["quote"][0]  # type: ignore[no-any-return]


class Truncated(HttpFault):
    """The beginning of an answer. With `framing` "whole" it claims to be all of it, else the connection breaks in the middle."""

    kind: Literal["truncated"] = "truncated"
    keep: float = Field(0.5, ge=0.0, lt=1.0)
    framing: Literal["whole", "broken"] = "whole"

    async def answer(self, call: Call) -> web.StreamResponse:
        status, headers, body = await body_of(call)
        beginning = body[: int(len(body) * self.keep)]
        if self.framing == "whole":
            return web.Response(status=status, headers=headers, body=beginning)
        response = web.StreamResponse(status=status, headers=headers)
        response.content_length = len(body)
        await response.prepare(call.request)
        await response.write(beginning)
        if call.request.transport is not None:
            call.request.transport.close()
        return response


class NullBody(HttpFault):
    """Null where there should be data: the whole `body`, the `result`, the values of all `rows`, or no rows at all (`empty`)."""

    kind: Literal["null"] = "null"
    shape: Literal["body", "result", "rows", "empty"] = "body"

    async def answer(self, call: Call) -> web.StreamResponse:
        if self.shape == "body":
            return web.Response(body=b"null", headers=JSON_TYPE)
        if self.shape == "result":
            return web.Response(body=orjson.dumps({"chart": {"result": None, "error": None}}), headers=JSON_TYPE)
        return await rewritten(call, self._emptied)

    def _emptied(self, result: Json) -> None:
        if self.shape == "empty":
            result.pop("timestamp", None)
            result["indicators"] = {"quote": [{}]}
            return
        quote = quote_of(result)
        for name in quote:
            quote[name] = [None] * len(quote[name])


class ShortArrays(HttpFault):
    """Columns that lack their last values."""

    kind: Literal["short_arrays"] = "short_arrays"
    missing: int = Field(1, ge=1)
    columns: tuple[Column, ...] = COLUMNS  # type: ignore[assignment]

    async def answer(self, call: Call) -> web.StreamResponse:
        def shortened(result: Json) -> None:
            quote = quote_of(result)
            for name in self.columns:
                if name in quote:
                    quote[name] = quote[name][: max(len(quote[name]) - self.missing, 0)]

        return await rewritten(call, shortened)


class WrongTimeZone(HttpFault):
    """The answer says another time zone than the exchange's; the stamps, which are UTC, stay right."""

    kind: Literal["wrong_time_zone"] = "wrong_time_zone"
    zone: str = "Asia/Tokyo"

    @field_validator("zone")
    @classmethod
    def _looks_like_a_zone(cls, zone: str) -> str:
        if not zone or len(zone) > 60:
            raise ValueError("a name such as Asia/Tokyo; one that does not exist is fine too")
        return zone

    async def answer(self, call: Call) -> web.StreamResponse:
        def moved(result: Json) -> None:
            meta = result["meta"]
            meta["exchangeTimezoneName"] = self.zone
            try:
                local = datetime.fromtimestamp(call.now_ms / 1000, ZoneInfo(self.zone))
            except (KeyError, ValueError, OSError):
                meta["timezone"] = self.zone
                return
            meta["timezone"] = local.tzname()
            meta["gmtoffset"] = int(local.utcoffset().total_seconds())  # type: ignore[union-attr]

        return await rewritten(call, moved)

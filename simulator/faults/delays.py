"""Answers that do not come, or come too slowly."""

import asyncio
from typing import Literal

from aiohttp import web
from pydantic import Field

from simulator.faults.bodies import body_of
from simulator.faults.requests import Call, HttpFault
from simulator.faults.when import Length

LOOK_EVERY_S = 0.2


def is_gone(call: Call) -> bool:
    return call.request.transport is None or call.request.transport.is_closing()


class Hang(HttpFault):
    """The request is taken and never answered: the connection is cut when the fault ends, or after `longest`."""

    kind: Literal["hang"] = "hang"
    longest: Length = 300_000

    async def answer(self, call: Call) -> web.StreamResponse:
        waited_s = 0.0
        while call.is_on() and not is_gone(call) and waited_s * 1000 < self.longest:
            await asyncio.sleep(LOOK_EVERY_S)
            waited_s += LOOK_EVERY_S
        cut(call)
        return web.Response(status=504)


class SlowDrip(HttpFault):
    """The whole answer, a few bytes at a time."""

    kind: Literal["slow_drip"] = "slow_drip"
    bytes_per_s: int = Field(100, ge=1)

    async def answer(self, call: Call) -> web.StreamResponse:
        status, headers, body = await body_of(call)
        response = web.StreamResponse(status=status, headers=headers)
        response.content_length = len(body)
        await response.prepare(call.request)
        piece = max(1, round(self.bytes_per_s * LOOK_EVERY_S))
        for at in range(0, len(body), piece):
            if is_gone(call):
                break
            await response.write(body[at : at + piece])
            if call.is_on():
                await asyncio.sleep(len(body[at : at + piece]) / self.bytes_per_s)
        return response


class Cut(HttpFault):
    """The connection is reset as soon as the request has come."""

    kind: Literal["cut"] = "cut"

    async def answer(self, call: Call) -> web.StreamResponse:
        cut(call)
        return web.Response(status=504)


def cut(call: Call) -> None:
    if call.request.transport is not None:
        call.request.transport.abort()

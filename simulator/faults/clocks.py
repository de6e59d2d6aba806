"""A provider whose clock is wrong."""

from dataclasses import replace
from datetime import UTC, datetime
from email.utils import format_datetime
from typing import Literal

from aiohttp import web

from simulator.faults.bodies import Json, rewritten
from simulator.faults.requests import Call, HttpFault
from simulator.faults.tape import TickDue, TickFault, Told
from simulator.sessions import MINUTE_MS


class ClockSkew(HttpFault, TickFault):
    """Ticks, live rows and the Date header are stamped `skew_s` seconds late (or early, when it is negative)."""

    kind: Literal["clock_skew"] = "clock_skew"
    skew_s: float

    def retell(self, tape: list[TickDue], told: Told) -> list[TickDue]:
        skew_ms = round(self.skew_s * 1000)
        return [(due[0], replace(due[1], time_ms=due[1].time_ms + skew_ms)) if told.hits(due) else due for due in tape]

    async def answer(self, call: Call) -> web.StreamResponse:
        response = await rewritten(call, self._shift)
        skewed = datetime.fromtimestamp(call.now_ms // 1000 + round(self.skew_s), UTC)
        response.headers["Date"] = format_datetime(skewed, usegmt=True)
        return response

    def _shift(self, result: Json) -> None:
        result["meta"]["regularMarketTime"] += round(self.skew_s)
        stamps = result.get("timestamp")
        # Only a row in progress is stamped off the minute.
        if stamps and stamps[-1] * 1000 % MINUTE_MS:
            stamps[-1] += round(self.skew_s)

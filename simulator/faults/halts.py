"""Trading that stops: a halt, and a session that ends before its time."""

from typing import Literal

from aiohttp import web

from simulator.faults.base import Fault, Scheduled
from simulator.faults.bodies import Json, rewritten
from simulator.faults.requests import Call, HttpFault
from simulator.market import Instrument
from simulator.parts import Part, window
from simulator.sessions import MINUTE_MS

Window = tuple[int, int]


class Suspension(Fault):
    """Minutes without trading. They count by whole minutes, so that nothing is taken back which has been published."""

    def windows(self, scheduled: Scheduled["Suspension"], instrument: Instrument) -> list[Window]:
        """When nothing is traded, in ms, half-open."""
        raise NotImplementedError


class Halt(Suspension):
    """No trade, no tick, no row; the day volume stands still, and the price comes back where it would have been."""

    kind: Literal["halt"] = "halt"

    def windows(self, scheduled: Scheduled[Suspension], instrument: Instrument) -> list[Window]:
        return [(whole_minute(scheduled.from_ms), whole_minute(scheduled.to_ms))]


class EarlyClose(Suspension, HttpFault):
    """The session that is open at the moment ends there, unscheduled, and so does what is traded after it; the provider's
    trading periods say so from then on. Half-days that were scheduled are in the exchange's calendar."""

    kind: Literal["early_close"] = "early_close"

    def reach_ms(self, from_ms: int, to_ms: int) -> Window:
        return from_ms, 1 << 60

    def windows(self, scheduled: Scheduled[Suspension], instrument: Instrument) -> list[Window]:
        row = instrument.row_at(scheduled.from_ms)
        ends_ms = window(instrument, row, Part.POST)[1]
        return [(whole_minute(scheduled.from_ms), ends_ms)] if scheduled.from_ms < ends_ms else []

    async def answer(self, call: Call) -> web.StreamResponse:
        close_s = whole_minute(call.scheduled.from_ms) // 1000
        return await rewritten(call, lambda result: shorten(result["meta"], close_s))


def whole_minute(ms: int) -> int:
    """The first minute that begins at or after a moment."""
    return -(-ms // MINUTE_MS) * MINUTE_MS


def shorten(meta: Json, close_s: int) -> None:
    """The periods of the session that holds `close_s` end there."""
    current, periods = meta["currentTradingPeriod"], meta.get("tradingPeriods", [])
    days = [current]
    if isinstance(periods, dict):
        names = ("pre", "regular", "post")
        days += [
            dict(zip(names, (day[0] for day in each), strict=True))
            for each in zip(*(periods[name] for name in names), strict=True)
        ]
    else:
        days += [{"regular": day[0]} for day in periods]
    for day in days:
        if day["regular"]["start"] <= close_s < day["regular"]["end"]:
            day["regular"]["end"] = close_s
            if "post" in day:
                day["post"]["start"] = day["post"]["end"] = close_s

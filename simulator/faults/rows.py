"""Rows that the provider leaves out for a while, or prints wrong at first and puts right later. Trading itself goes on."""

from typing import Any, Literal

from aiohttp import web
from pydantic import Field

from simulator.faults.base import FOREVER_MS, Scheduled
from simulator.faults.bodies import Json, quote_of, rewritten
from simulator.faults.requests import Call, HttpFault
from simulator.faults.when import Length
from simulator.sessions import MINUTE_MS

ONE_MINUTE = "1m"


def minute_stamps(result: Json) -> list[int]:
    """The starts of one-minute rows in ms; none where the rows are longer. The live row is stamped off the minute."""
    if result["meta"].get("dataGranularity") != ONE_MINUTE:
        return []
    return [stamp * 1000 for stamp in result.get("timestamp") or []]


class MissingMinutes(HttpFault):
    """Minutes of the time that are left out of one-minute charts; back `restored_after` the end, or never (null)."""

    kind: Literal["missing_minutes"] = "missing_minutes"
    restored_after: Length | None = 300_000

    def reach_ms(self, from_ms: int, to_ms: int) -> tuple[int, int]:
        return from_ms, FOREVER_MS if self.restored_after is None else to_ms + self.restored_after

    async def answer(self, call: Call) -> web.StreamResponse:
        return await rewritten(call, lambda result: leave_out(result, call.scheduled))


def leave_out(result: Json, scheduled: Scheduled[Any]) -> None:
    symbol = result["meta"]["symbol"]
    stamps = minute_stamps(result)
    kept = [
        place
        for place, ms in enumerate(stamps)
        if ms % MINUTE_MS or not (scheduled.covers(ms) and scheduled.hits(symbol, ms // MINUTE_MS))
    ]
    if len(kept) == len(stamps):
        return
    result["timestamp"] = [stamps[place] // 1000 for place in kept]
    quote = quote_of(result)
    for name, values in quote.items():
        # Another fault may have cut the columns short.
        quote[name] = [values[place] for place in kept if place < len(values)]


class CorrectedBars(HttpFault):
    """Minutes whose close and volume are wrong at first, by these factors, and right so long `after` their end."""

    kind: Literal["corrected_bars"] = "corrected_bars"
    after: Length = 600_000
    close_factor: float = Field(1.01, gt=0.0)
    volume_factor: float = Field(0.5, ge=0.0)

    def reach_ms(self, from_ms: int, to_ms: int) -> tuple[int, int]:
        return from_ms, to_ms + MINUTE_MS + self.after

    async def answer(self, call: Call) -> web.StreamResponse:
        return await rewritten(call, lambda result: self._misprint(result, call))

    def _misprint(self, result: Json, call: Call) -> None:
        scheduled, symbol, quote = call.scheduled, result["meta"]["symbol"], quote_of(result)
        whole = min(map(len, quote.values()), default=0)
        for place, ms in enumerate(minute_stamps(result)[:whole]):
            is_wrong = not ms % MINUTE_MS and scheduled.covers(ms) and call.now_ms < ms + MINUTE_MS + self.after
            if not is_wrong or quote["close"][place] is None or not scheduled.hits(symbol, ms // MINUTE_MS):
                continue
            close = round(quote["close"][place] * self.close_factor, result["meta"].get("priceHint", 2))
            quote["close"][place] = close
            quote["high"][place] = max(quote["high"][place], close)
            quote["low"][place] = min(quote["low"][place], close)
            quote["volume"][place] = int(quote["volume"][place] * self.volume_factor)

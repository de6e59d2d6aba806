"""The closing auction: one large print a moment after the session's end, which the day has and the minutes do not."""

from bisect import bisect_left
from typing import Any, Literal

import numpy as np
from aiohttp import web
from pydantic import Field

from simulator.daily import DayBar
from simulator.faults.base import FOREVER_MS, Scheduled
from simulator.faults.bodies import Json, quote_of, rewritten
from simulator.faults.requests import Call, HttpFault
from simulator.faults.tape import TickDue, TickFault, Told
from simulator.longer import split_scale
from simulator.market import Instrument
from simulator.meta import as_wire
from simulator.parts import Part
from simulator.sessions import MINUTE_MS
from simulator.tape import Move, day_so_far, tick_of

# How long after the bell the print comes, and how large a part of a session's deviation the price still moves.
AFTER_CLOSE_MS = 1_500
MOVE = 0.05


class AuctionPrint(HttpFault, TickFault):
    """Every session that closes while the fault is on ends with an auction. `volume_share` is of the session's volume.

    The print is the day's close. It comes over the feed after the bell, still marked as regular, and stands in one-minute
    charts in a row of its own at the minute of the close, as Yahoo has it (yfinance #1585). Where one session follows
    another without a pause, there is no auction.
    """

    kind: Literal["auction_print"] = "auction_print"
    volume_share: float = Field(0.08, gt=0.0, le=1.0)

    def reach_ms(self, from_ms: int, to_ms: int) -> tuple[int, int]:
        return from_ms, FOREVER_MS

    def rows(self, scheduled: Scheduled[Any], instrument: Instrument) -> list[int]:
        """The sessions whose close it makes, of those that the calendar knows."""
        closes = instrument.calendar.close_ms[instrument.first_session :]
        opens = instrument.calendar.open_ms[instrument.first_session :]
        inside = (closes >= scheduled.from_ms) & (closes < scheduled.to_ms)
        inside[:-1] &= opens[1:] > closes[:-1]
        return [int(row) for row in np.flatnonzero(inside)]

    def printed(self, scheduled: Scheduled[Any], instrument: Instrument, row: int, bar: DayBar) -> tuple[int, int]:
        """Price in ticks and volume of the auction that ends a session."""
        reach = MOVE * (bar.high - bar.low)
        move = round((2.0 * scheduled.noise(instrument.listing.symbol, row) - 1.0) * reach)
        return max(bar.close + move, 1), round(bar.volume * self.volume_share)

    def retell(self, tape: list[TickDue], told: Told) -> list[TickDue]:
        instrument = told.instrument
        row = instrument.row_at(told.minute_ms - 1)
        if row < 0 or instrument.close_ms(row) != told.minute_ms or row not in self.rows(told.scheduled, instrument):
            return tape
        last, bar = len(instrument.minute_starts(row)) - 1, instrument.bar(row)
        day = day_so_far(instrument, row, Part.REGULAR, last + 1)
        time_ms = told.minute_ms + AFTER_CLOSE_MS
        move = Move(
            time_ms, bar.close, bar.volume, max(day.high, bar.close), min(day.low, bar.close), bar.volume - day.volume
        )
        return [*tape, (time_ms, tick_of(instrument, Part.REGULAR, day, move))]

    async def answer(self, call: Call) -> web.StreamResponse:
        def add(result: Json) -> None:
            instrument = call.market.instrument(result["meta"]["symbol"], call.now_ms)
            for row in self.rows(call.scheduled, instrument):
                if instrument.close_ms(row) + AFTER_CLOSE_MS <= call.now_ms:
                    add_print(result, instrument, row, call.now_ms)

        return await rewritten(call, add)


def add_print(result: Json, instrument: Instrument, row: int, now_ms: int) -> None:
    """A finished session's auction in a chart: the meta where it is the latest, and a row at the minute of the close."""
    close_s, bar, latest = instrument.close_ms(row) // 1000, instrument.bar(row), instrument.row_at(now_ms)
    scale = float(split_scale(instrument, np.array([row]), latest)[0])
    if row == latest:
        result["meta"] |= {
            "regularMarketPrice": as_wire(bar.close * scale),
            "regularMarketVolume": bar.volume,
            "regularMarketTime": close_s + AFTER_CLOSE_MS // 1000,
        }
    stamps, quote = result.get("timestamp") or [], quote_of(result)
    is_whole = all(len(values) == len(stamps) for values in quote.values())
    if result["meta"]["dataGranularity"] != "1m" or close_s - MINUTE_MS // 1000 not in stamps or not is_whole:
        return
    price = as_wire(bar.close * scale)
    traded = int(instrument.minutes(row).volume.sum())
    volume = round((bar.volume - traded) * (instrument.listing.tick / scale))
    at = bisect_left(stamps, close_s)
    if at == len(stamps) or stamps[at] != close_s:
        stamps.insert(at, close_s)
        for name, values in quote.items():
            values.insert(at, volume if name == "volume" else price)
        return
    quote["open"][at] = price
    quote["high"][at] = max(quote["high"][at] or price, price)
    quote["low"][at] = min(quote["low"][at] or price, price)
    quote["close"][at] = quote["close"][at] or price
    quote["volume"][at] = (quote["volume"][at] or 0) + volume

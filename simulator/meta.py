"""The `meta` part of a chart's answer, and trading periods."""

from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np

from simulator.intervals import INTRADAY_MINUTES, RANGES, ChartRequest
from simulator.market import AROUND_THE_CLOCK, Instrument
from simulator.parts import Part, window
from simulator.snapshot import Snapshot

YEAR_ROWS = 252
Json = dict[str, Any]


def as_wire(value: float) -> float:
    """A price as Yahoo prints it: a 32-bit float widened to 64 bits."""
    return float(np.float32(value))


def exchange_code(instrument: Instrument) -> str:
    return instrument.venue.code


def exchange_name(instrument: Instrument) -> str:
    """Says of every venue that it is simulated."""
    name = instrument.venue.full_name
    return name if "imulated" in name else f"{name} (simulated)"


def chart_meta(instrument: Instrument, request: ChartRequest, current: Snapshot, now_ms: int, before: float) -> Json:
    """`before` is the close before the first row of the chart."""
    listing, tick = instrument.listing, instrument.listing.tick
    high, low = year_range(instrument, current)
    intraday = request.interval in INTRADAY_MINUTES
    local = datetime.fromtimestamp(current.time_ms / 1000, ZoneInfo(instrument.venue.timezone))
    meta: Json = {
        "currency": listing.currency,
        "symbol": listing.symbol,
        "exchangeName": exchange_code(instrument),
        "fullExchangeName": exchange_name(instrument),
        "instrumentType": listing.kind,
        "firstTradeDate": instrument.open_ms(0) // 1000,
        "regularMarketTime": current.time_ms // 1000,
        "hasPrePostMarketData": instrument.venue.pre_opens_minute is not None,
        "gmtoffset": offset_s(local),
        "timezone": local.tzname(),
        "exchangeTimezoneName": instrument.venue.timezone,
        "regularMarketPrice": as_wire(current.price * tick),
        "fiftyTwoWeekHigh": as_wire(high),
        "fiftyTwoWeekLow": as_wire(low),
        "regularMarketDayHigh": as_wire(current.high * tick),
        "regularMarketDayLow": as_wire(current.low * tick),
        "regularMarketVolume": current.volume,
        "longName": listing.name,
        "shortName": listing.name[:30],
        "chartPreviousClose": as_wire(before),
        "priceHint": listing.precision,
        "currentTradingPeriod": current_periods(instrument, now_ms),
        "dataGranularity": request.interval,
        "range": request.range_name,
        "validRanges": valid_ranges(instrument, now_ms),
    }
    if intraday:
        meta["previousClose"] = as_wire(current.previous_close * tick)
        meta["scale"] = 3
        meta["tradingPeriods"] = trading_periods(instrument, request, current)
    return meta


def offset_s(local: datetime) -> int:
    offset = local.utcoffset()
    return int(offset.total_seconds()) if offset is not None else 0


def year_range(instrument: Instrument, current: Snapshot) -> tuple[float, float]:
    """Highest and lowest price of the last year of sessions, adjusted for splits."""
    sessions = 365 if instrument.venue.calendar == AROUND_THE_CLOCK else YEAR_ROWS
    rows = np.arange(max(current.row - sessions, 0), current.row)
    days, tick = instrument.days, instrument.listing.tick
    scale = tick * days.factor[current.row] / days.factor[rows]
    highs, lows = days.high[rows] * scale, days.low[rows] * scale
    return max(highs.max(initial=0.0), current.high * tick), min(lows.min(initial=np.inf), current.low * tick)


def valid_ranges(instrument: Instrument, now_ms: int) -> list[str]:
    """The ranges that are not longer than the listing is old."""
    age_days = (now_ms - instrument.open_ms(0)) / 86_400_000
    needed = dict(zip(RANGES, (0, 0, 5, 31, 92, 183, 366, 731, 1827, 0, 0), strict=True))
    return [name for name in RANGES if age_days > needed[name]]


def period(instrument: Instrument, start_ms: int, end_ms: int) -> Json:
    local = datetime.fromtimestamp(start_ms / 1000, ZoneInfo(instrument.venue.timezone))
    return {"timezone": local.tzname(), "start": start_ms // 1000, "end": end_ms // 1000, "gmtoffset": offset_s(local)}


def periods_of(instrument: Instrument, row: int) -> dict[str, Json]:
    """The session and the hours around it; those have no length where the exchange has none."""
    return {part.value: period(instrument, *window(instrument, row, part)) for part in Part}


def current_periods(instrument: Instrument, now_ms: int) -> dict[str, Json]:
    """Those of today's session, before it opens too; otherwise of the last one."""
    row = instrument.row_at(now_ms)
    today = datetime.fromtimestamp(now_ms / 1000, ZoneInfo(instrument.venue.timezone)).date().toordinal() - 719_163
    if instrument.day(row + 1) == today:
        row += 1
    return periods_of(instrument, row)


def trading_periods(instrument: Instrument, request: ChartRequest, current: Snapshot) -> Any:
    """One list a session of the window; with the hours around it where they were asked for."""
    first = max(instrument.row_at(request.start_s * 1000), 0)
    last = max(min(instrument.row_at(request.end_s * 1000), current.row), first)
    if first < last and window(instrument, first, Part.POST)[1] <= request.start_s * 1000:
        first += 1
    if not request.include_pre_post:
        return [[period(instrument, instrument.open_ms(at), instrument.close_ms(at))] for at in range(first, last + 1)]
    all_periods = [periods_of(instrument, at) for at in range(first, last + 1)]
    return {name: [[periods[name]] for periods in all_periods] for name in ("pre", "regular", "post")}

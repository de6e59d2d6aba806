"""`/v8/finance/chart/SYMBOL`: from a parsed request to Yahoo's answer."""

from typing import Any

import numpy as np

from simulator.dividends import dividend_factors
from simulator.intervals import INTRADAY_MINUTES, ChartError, ChartRequest, not_found, parse_request
from simulator.intraday import intraday_rows
from simulator.longer import daily_rows, split_scale
from simulator.market import Instrument, Market
from simulator.meta import chart_meta
from simulator.noise import Floats
from simulator.rollup import Rows
from simulator.snapshot import Snapshot, snapshot

Json = dict[str, Any]


def chart_answer(market: Market, symbol: str, query: dict[str, str], now_ms: int) -> Json:
    """The body of a successful answer. Raises `ChartError` where Yahoo refuses."""
    if symbol not in market.listings:
        raise not_found(symbol)
    instrument = market.instrument(symbol, now_ms)
    current = snapshot(instrument, now_ms)
    if current is None:
        raise not_found(symbol)
    request = parse_request(query, instrument, now_ms // 1000)
    if request.end_s <= instrument.open_ms(0) // 1000:
        detail = f"Data doesn't exist for startDate = {request.start_s}, endDate = {request.end_s}"
        raise ChartError(400, "Bad Request", detail)
    intraday = request.interval in INTRADAY_MINUTES
    rows = (intraday_rows if intraday else daily_rows)(instrument, request, now_ms, current)
    quote = {name: price_array(getattr(rows, name)) for name in ("open", "high", "low", "close")}
    quote["volume"] = whole_numbers(rows.volume)
    result: Json = {
        "meta": chart_meta(instrument, request, current, now_ms, close_before(instrument, rows, current)),
        "timestamp": rows.time_s,
        "indicators": {"quote": [quote]},
    }
    if not intraday:
        result["indicators"]["adjclose"] = [{"adjclose": price_array(adjusted_close(instrument, rows, current))}]
    if request.with_actions:
        events = actions(instrument, request, rows, current)
        if events:
            result["events"] = events
    return {"chart": {"result": [result], "error": None}}


def error_body(error: ChartError, part: str = "chart") -> Json:
    return {part: {"result": None, "error": {"code": error.code, "description": error.description}}}


def price_array(prices: Floats) -> Floats:
    """32-bit floats widened to 64, as on Yahoo's wire; NaN becomes null."""
    return np.ascontiguousarray(prices.astype(np.float32).astype(np.float64))


def whole_numbers(volume: Floats) -> Any:
    """Integers; null where there is none."""
    empty = np.isnan(volume)
    if not empty.any():
        return np.ascontiguousarray(volume.astype(np.int64))
    return [None if missing else int(value) for missing, value in zip(empty.tolist(), volume.tolist(), strict=True)]


def close_before(instrument: Instrument, rows: Rows, current: Snapshot) -> float:
    """The close of the session before the first row's, adjusted for splits."""
    at = instrument.row_at(int(rows.time_s[0]) * 1000) - 1 if len(rows.time_s) else current.row - 1
    if at < 0:
        return float(instrument.days.open[0] * split_scale(instrument, np.array([0]), current.row)[0])
    return float(instrument.days.close[at] * split_scale(instrument, np.array([at]), current.row)[0])


def adjusted_close(instrument: Instrument, rows: Rows, current: Snapshot) -> Floats:
    """The close less the dividends paid since, in Yahoo's way."""
    paid = tuple(dividend for dividend in instrument.dividends if dividend.day <= instrument.day(current.row))
    if not paid:
        return rows.close
    through = current.row + 1
    day = instrument.calendar.days[instrument.first_session : instrument.first_session + through]
    factors = dividend_factors(day, instrument.days.close[:through] * np.float64(instrument.listing.tick), paid)
    at = np.clip(np.searchsorted(instrument.opens_s[:through], rows.time_s, side="right") - 1, 0, current.row)
    return rows.close * factors[at]


def actions(instrument: Instrument, request: ChartRequest, rows: Rows, current: Snapshot) -> Json:
    """Dividends and splits within the window, keyed by the open of their session."""
    events: Json = {}
    day = instrument.calendar.days[instrument.first_session : instrument.first_session + current.row + 1]

    def session_s(on: int) -> int | None:
        row = int(np.searchsorted(day, on))
        at = instrument.open_ms(row) // 1000 if row <= current.row else None
        return at if at is not None and request.start_s <= at < request.end_s else None

    for dividend in instrument.dividends:
        at = session_s(dividend.day)
        if at is not None:
            row = instrument.row_at(at * 1000)
            adjusted = dividend.amount * instrument.days.factor[current.row] / instrument.days.factor[row]
            events.setdefault("dividends", {})[str(at)] = {"amount": round(adjusted, 6), "date": at}
    for split in instrument.splits:
        at = session_s(split.day)
        if at is not None and split.day > instrument.day(0):
            events.setdefault("splits", {})[str(at)] = {
                "date": at,
                "numerator": float(split.numerator),
                "denominator": float(split.denominator),
                "splitRatio": f"{split.numerator}:{split.denominator}",
            }
    return events

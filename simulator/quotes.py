"""quoteSummary, quote and search: names and the latest prices."""

from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from simulator.intervals import ChartError
from simulator.market import Instrument, Market
from simulator.meta import as_wire, exchange_code, exchange_name, offset_s, year_range
from simulator.snapshot import Snapshot, snapshot

Json = dict[str, Any]


def located(market: Market, symbol: str, now_ms: int) -> tuple[Instrument, Snapshot]:
    """The instrument and where it stands. Raises `ChartError` in the words of quoteSummary."""
    current = None
    if symbol in market.listings:
        instrument = market.instrument(symbol, now_ms)
        current = snapshot(instrument, now_ms)
    if current is None:
        raise ChartError(404, "Not Found", f"Quote not found for symbol: {symbol}")
    return instrument, current


def summary_answer(market: Market, symbol: str, modules: list[str], now_ms: int) -> Json:
    """The modules that are known, of those asked for; fundamentals are not simulated."""
    instrument, current = located(market, symbol, now_ms)
    quote = quote_of(instrument, current, now_ms)
    known = {
        "quoteType": {
            name: quote[name]
            for name in ("exchange", "quoteType", "symbol", "shortName", "longName", "firstTradeDateMilliseconds")
        }
        | {"timeZoneFullName": quote["exchangeTimezoneName"], "timeZoneShortName": quote["exchangeTimezoneShortName"]},
        "summaryDetail": {
            "maxAge": 1,
            "priceHint": quote["priceHint"],
            "previousClose": quote["regularMarketPreviousClose"],
            "open": quote["regularMarketOpen"],
            "dayLow": quote["regularMarketDayLow"],
            "dayHigh": quote["regularMarketDayHigh"],
            "volume": quote["regularMarketVolume"],
            "fiftyTwoWeekLow": quote["fiftyTwoWeekLow"],
            "fiftyTwoWeekHigh": quote["fiftyTwoWeekHigh"],
            "currency": quote["currency"],
        },
        "assetProfile": {
            "longBusinessSummary": "A simulated instrument; its prices follow from a seed and are not real."
        },
        "defaultKeyStatistics": {"maxAge": 1},
        "financialData": {
            "maxAge": 86_400,
            "currentPrice": quote["regularMarketPrice"],
            "financialCurrency": quote["currency"],
        },
        "price": {**quote, "maxAge": 1},
    }
    result = {name: known[name] for name in modules if name in known}
    if not result:
        raise ChartError(404, "Not Found", f"No fundamentals data found for symbol: {symbol}")
    return {"quoteSummary": {"result": [result], "error": None}}


def quote_answer(market: Market, symbols: list[str], now_ms: int) -> Json:
    """The quotes of the symbols that are known; Yahoo leaves out the others."""
    result = []
    for symbol in symbols:
        if symbol in market.listings:
            instrument = market.instrument(symbol, now_ms)
            current = snapshot(instrument, now_ms)
            if current is not None:
                result.append(quote_of(instrument, current, now_ms))
    return {"quoteResponse": {"result": result, "error": None}}


def quote_of(instrument: Instrument, current: Snapshot, now_ms: int) -> Json:
    listing, tick = instrument.listing, instrument.listing.tick
    high, low = year_range(instrument, current)
    local = datetime.fromtimestamp(now_ms / 1000, ZoneInfo(instrument.venue.timezone))
    change = (current.price - current.previous_close) * tick
    return {
        "language": "en-US",
        "region": "US",
        "quoteType": listing.kind,
        "typeDisp": listing.kind.title(),
        "quoteSourceName": "Simulated",
        "currency": listing.currency,
        "symbol": listing.symbol,
        "shortName": listing.name[:30],
        "longName": listing.name,
        "exchange": exchange_code(instrument),
        "fullExchangeName": exchange_name(instrument),
        "exchangeTimezoneName": instrument.venue.timezone,
        "exchangeTimezoneShortName": local.tzname(),
        "gmtOffSetMilliseconds": offset_s(local) * 1000,
        "firstTradeDateMilliseconds": instrument.open_ms(0),
        "priceHint": listing.precision,
        "marketState": "REGULAR" if current.is_open else "CLOSED",
        "tradeable": False,
        "regularMarketPrice": as_wire(current.price * tick),
        "regularMarketChange": as_wire(change),
        "regularMarketChangePercent": as_wire(100.0 * change / (current.previous_close * tick)),
        "regularMarketTime": current.time_ms // 1000,
        "regularMarketOpen": as_wire(current.open * tick),
        "regularMarketDayHigh": as_wire(current.high * tick),
        "regularMarketDayLow": as_wire(current.low * tick),
        "regularMarketVolume": current.volume,
        "regularMarketPreviousClose": as_wire(current.previous_close * tick),
        "fiftyTwoWeekHigh": as_wire(high),
        "fiftyTwoWeekLow": as_wire(low),
    }


def search_answer(market: Market, text: str, limit: int) -> Json:
    """Listings whose symbol or name holds the text: symbols that begin with it first."""
    wanted = text.strip().casefold()
    found = []
    for order, listing in enumerate(market.listings.values()):
        symbol, name = listing.symbol.casefold(), listing.name.casefold()
        if not wanted or (wanted not in symbol and wanted not in name):
            continue
        rank = 0 if symbol == wanted else 1 if symbol.startswith(wanted) else 2 if name.startswith(wanted) else 3
        found.append((rank, order, listing))
    quotes = [
        {
            "exchange": "SIM" if market.hours == "24/7" else listing.exchange,
            "shortname": listing.name[:30],
            "longname": listing.name,
            "quoteType": listing.kind,
            "typeDisp": listing.kind.title(),
            "symbol": listing.symbol,
            "index": "quotes",
            "score": 100_000.0 - 10_000.0 * rank - order,
            "isYahooFinance": True,
        }
        for rank, order, listing in sorted(found, key=lambda item: item[:2])[:limit]
    ]
    return {
        "explains": [],
        "count": len(quotes),
        "quotes": quotes,
        "news": [],
        "nav": [],
        "lists": [],
        "researchReports": [],
    }

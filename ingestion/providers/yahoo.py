"""Yahoo Finance through the stock yfinance client. Also the simulated exchange, which speaks the same protocol."""

import base64
import binascii
import json
import logging
import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, ClassVar
from zoneinfo import ZoneInfo

import pandas as pd
import structlog
import yfinance as yf
from curl_cffi import requests as curl
from google.protobuf.message import DecodeError
from yfinance.cache import get_cookie_cache
from yfinance.data import YfData
from yfinance.exceptions import YFPricesMissingError, YFRateLimitError
from yfinance.pricing_pb2 import PricingData
from yfinance.utils import is_isin

from ingestion import metrics
from ingestion.clock import now_ms
from ingestion.errors import Malformed, ProviderError, Throttled, Unauthorised, Unavailable, UnknownSymbol
from ingestion.providers.base import Answer, MalformedFrame, Quote, Reach, Row
from ingestion.records.instruments import MOST_DECIMALS, Instrument
from ingestion.requesting.budget import Budget
from ingestion.requesting.gated_session import REQUEST_TIMEOUT_S, GatedSession
from market.calendars import calendar_for, timezone_of
from market.errors import UnknownCalendar

log = structlog.get_logger()

# Of the end of a window that is open: longer than an answer is in coming, and than clocks differ.
AHEAD_MS = 60_000
INTERVALS = {"1m": "1m", "5m": "5m", "15m": "15m", "1h": "1h", "1d": "1d"}
# What would change the address that is asked, or is nothing at all.
SYMBOL = re.compile(r"[^\s\x00-\x1f\x7f/?#%\\]{1,40}")
CURLS_NUMBER = re.compile(r"^(Failed to perform, )?curl: \(\d+\) ")
CURLS_ADVICE = re.compile(r"\.? *See https?://\S*curl\.se/.*$")
# Minutes without a trade may stand in an answer as rows without a price, so many of them and no other hardly; days may not.
FEWEST_WITHOUT_PRICES, FEWEST_DAYS_WITHOUT_PRICES = 10, 2
# What an exchange's zone and that of the calendar that it is given may be apart: an index of Chicago, spot FX of London.
MOST_APART = timedelta(hours=1)
USUAL_DECIMALS = 2
# PricingData.market_hours: 0 before the open, 1 regular, 2 after the close, 3 overnight.
BEFORE_OPEN, REGULAR = 0, 1


class Yahoo:
    """The provider. Not thread-safe: yfinance keeps one session for the process."""

    title = "Yahoo"
    # yahoo.com's limits for each interval (a day inside, since they are measured at the second the request arrives).
    reach: ClassVar[dict[str, Reach]] = {
        "1d": Reach(None, None),
        "1m": Reach(29, 7),
        "5m": Reach(59, None),
        "15m": Reach(59, None),
        "1h": Reach(729, None),
    }
    feed_url = "wss://streamer.finance.yahoo.com/?version=2"

    def __init__(self, cache_folder: Path, budget: Budget) -> None:
        cache_folder.mkdir(parents=True, exist_ok=True)
        yf.set_tz_cache_location(str(cache_folder))
        yf.config.debug.hide_exceptions = False
        logging.getLogger("yfinance").disabled = True
        self._session = GatedSession(budget)

    def describe(self, symbol: str) -> Instrument:
        ticker, _, frame = self._fetch(symbol, period="5d", interval="1d")
        try:
            return instrument_of(symbol, ticker.get_history_metadata(), frame)
        except UnknownCalendar as error:
            raise UnknownSymbol(f"{symbol}: {error}", str(error)) from error
        except (KeyError, ValueError, TypeError) as error:
            metrics.PROVIDER_ERRORS.labels(error=Malformed.__name__).inc()
            raise Malformed(f"{symbol}: {type(error).__name__} in what describes it: {_sentence(error)}") from error

    def newest(self, symbol: str, timeframe: str) -> Answer:
        _, asked_ms, frame = self._fetch(
            symbol, period="5d" if timeframe == "1d" else "1d", interval=INTERVALS[timeframe], prepost=timeframe == "1m"
        )
        return answer_of(frame, asked_ms)

    def history(self, symbol: str, timeframe: str, start_ms: int | None, end_ms: int | None) -> Answer:
        window: dict[str, Any] = {"period": "max"} if start_ms is None else {"start": _moment(start_ms)}
        if end_ms is not None:
            window["end"] = _moment(end_ms)
        elif start_ms is not None:
            # By this process's clock, and a little ahead of it: yfinance drops a last row that is stamped at the end or after, as
            # that of a session in progress is, and with it the day of a split that has just become effective.
            window["end"] = _moment(now_ms() + AHEAD_MS)
        _, asked_ms, frame = self._fetch(symbol, interval=INTERVALS[timeframe], prepost=timeframe == "1m", **window)
        return answer_of(frame, asked_ms)

    def subscribe(self, symbols: Iterable[str]) -> str:
        return json.dumps({"subscribe": sorted(symbols)})

    def unsubscribe(self, symbols: Iterable[str]) -> str:
        return json.dumps({"unsubscribe": sorted(symbols)})

    def decode(self, frame: str | bytes) -> Quote | None:
        return decode_frame(frame)

    def _fetch(self, symbol: str, **arguments: Any) -> tuple[yf.Ticker, int, pd.DataFrame]:
        """One history request: the ticker (with its metadata), when it was asked, and the rows.

        A refusal may mean that cookie and crumb have gone stale: it is asked once more with new ones.
        """
        try:
            return self._ask(symbol, arguments)
        except Unauthorised:
            forget_crumb(self._session)
            return self._ask(symbol, arguments)

    def _ask(self, symbol: str, arguments: dict[str, Any]) -> tuple[yf.Ticker, int, pd.DataFrame]:
        check_symbol(symbol)
        # yfinance remembers a failed time-zone look-up for the life of the process.
        YfData().cache_get.cache_clear()
        self._session.forget()
        asked_ms = now_ms()
        ticker = yf.Ticker(symbol, session=self._session)
        try:
            frame = ticker.history(auto_adjust=False, actions=True, timeout=REQUEST_TIMEOUT_S, **arguments)
            if not has_prices(frame) and is_without_prices(self._session.chart_body):
                raise ValueError("no row has a price")
            if objection := foreign_zone(ticker.get_history_metadata(), asked_ms):
                raise ValueError(objection)
        except Exception as error:
            if is_empty_answer(error, self._session.chart_status, self._session.chart_body):
                return ticker, asked_ms, pd.DataFrame()
            ours = classified(error, self._session.chart_status, self._session.chart_body, symbol)
            metrics.PROVIDER_ERRORS.labels(error=type(ours).__name__).inc()
            raise ours from error
        finally:
            self._session.forget()
        self._session.budget.answered()
        return ticker, asked_ms, frame


def check_symbol(symbol: str) -> None:
    """Raises `UnknownSymbol` for what can be no symbol of Yahoo's; yfinance would ask for something else, or stumble over it.

    It looks up the symbol of an ISIN by itself, but the live feed knows that symbol alone.
    """
    if not SYMBOL.fullmatch(symbol):
        raise UnknownSymbol(f"{symbol!r} is no symbol", "that is no symbol")
    if is_isin(symbol):
        said = "that is an ISIN, track the symbol that yahoo.com's search finds for it"
        raise UnknownSymbol(f"{symbol}: {said}", said)


def forget_crumb(session: GatedSession) -> None:
    """Has yfinance fetch cookie and crumb anew: those of the process, and the cookie that it keeps on disk."""
    data = YfData(session=session)
    data._crumb = None
    data._cookie = None
    session.cookies.clear()
    get_cookie_cache().store("curlCffi", None)
    log.info("crumb", detail="cookie and crumb are fetched anew")


def connect(home: Path, budget: Budget) -> Yahoo:
    """The provider of a home."""
    return Yahoo(home / "cache" / "yfinance", budget)


def classified(error: Exception, status: int, body: bytes, symbol: str) -> ProviderError:
    """yfinance's and curl's errors, and those that escape from yfinance's parsing, as ours.

    yfinance says "possibly delisted" of everything; only a 404, or Yahoo's own words, mean that there is no such symbol.
    """
    if isinstance(error, ProviderError):
        return error
    if isinstance(error, YFRateLimitError) or status == 429:
        return Throttled("throttled")
    if status in (401, 403):
        return Unauthorised(f"{symbol}: refused with {status}")
    reason = getattr(error, "yahoo_reason", None) or ""
    if status == 404 or "may be delisted" in reason or "Quote not found" in reason:
        said = reason or "no such symbol"
        return UnknownSymbol(f"{symbol}: {said}", said)
    if status >= 500 or isinstance(error, curl.exceptions.RequestException | OSError):
        return Unavailable(f"{symbol}: answered with {status}" if status >= 500 else f"{symbol}: {_sentence(error)}")
    return Malformed(f"{symbol}: {type(error).__name__} in an answer with status {status}: {_sentence(error)}", body)


def is_empty_answer(error: Exception, status: int, body: bytes) -> bool:
    """Whether yfinance raised because a window has no rows: a holiday, a halt, or times outside of what Yahoo keeps.

    Yahoo then leaves `timestamp` out of an answer that is otherwise whole, which yfinance takes for an error or stumbles over.
    """
    if status in (400, 422) and isinstance(error, YFPricesMissingError):
        reason = error.yahoo_reason or ""
        return "Data doesn't exist" in reason or "data not available" in reason
    if status != 200:
        return False
    try:
        [result] = json.loads(body)["chart"]["result"]
        return bool(result["meta"]["symbol"]) and not result.get("timestamp")
    except (ValueError, KeyError, TypeError):
        return False


def has_prices(frame: pd.DataFrame) -> bool:
    return not frame.empty and bool(frame["Close"].notna().any())


def is_without_prices(body: bytes) -> bool:
    """Whether an answer has many rows and a price in none of them.

    yfinance stumbles over such an answer only where there is no split or dividend in it; with one it gives a frame without rows, as
    if nobody had traded.
    """
    try:
        [result] = json.loads(body)["chart"]["result"]
        closes = result["indicators"]["quote"][0]["close"]
        is_daily = result["meta"].get("dataGranularity") == "1d"
    except (ValueError, KeyError, TypeError, IndexError, AttributeError):
        return False
    fewest = FEWEST_DAYS_WITHOUT_PRICES if is_daily else FEWEST_WITHOUT_PRICES
    return len(closes) >= fewest and not any(close is not None for close in closes)


def foreign_zone(meta: Mapping[str, Any], asked_ms: int) -> str:
    """That an answer's time zone is none that its exchange could have; empty where it could.

    yfinance takes the rows' days by it: those of another continent would make bars of the session before or after.
    """
    try:
        known = ZoneInfo(timezone_of(calendar_for(str(meta["exchangeName"]), str(meta["instrumentType"]))))
    except (KeyError, TypeError, UnknownCalendar):
        return ""
    name = meta.get("exchangeTimezoneName")
    try:
        said = ZoneInfo(str(name))
    except (ValueError, KeyError):
        return f"{name!r} is no time zone"
    theirs, ours = (_moment(asked_ms).astimezone(zone).utcoffset() or timedelta() for zone in (said, known))
    return "" if abs(theirs - ours) <= MOST_APART else f"the time zone is {said.key}, of an exchange in {known.key}"


def instrument_of(symbol: str, meta: dict[str, Any], frame: pd.DataFrame) -> Instrument:
    """What an answer says of its symbol. Raises `UnknownCalendar`; `KeyError`, `ValueError`, `TypeError` where it says nonsense."""
    kind = str(meta.get("instrumentType") or "EQUITY")
    exchange = str(meta.get("exchangeName") or "")
    name, decimals = meta.get("longName") or meta.get("shortName"), meta.get("priceHint")
    return Instrument(
        symbol=symbol,
        name=str(name) if name else None,
        instrument_type=kind,
        exchange=exchange,
        calendar=calendar_for(exchange, kind),
        timezone=ZoneInfo(str(meta["exchangeTimezoneName"])).key,
        currency=str(meta.get("currency") or ""),
        price_precision=max(0, min(MOST_DECIMALS, USUAL_DECIMALS if decimals is None else int(decimals))),
        # Of an index only its rows tell.
        has_volume=kind != "CURRENCY" and (kind != "INDEX" or bool((frame["Volume"] > 0).any())),
    )


def answer_of(frame: pd.DataFrame, asked_ms: int) -> Answer:
    """yfinance's frame as rows. A row without any price carries only an event, or says that nobody traded."""
    answer = Answer(asked_ms)
    if frame.empty:
        return answer
    days = frame.index.date
    for name, events in (("Stock Splits", answer.splits), ("Dividends", answer.dividends)):
        # Where an event's day has no row yet, yfinance adds one, without a number in the other events' columns.
        values = frame[name].fillna(0.0).to_numpy()
        events.extend((days[at], float(values[at])) for at in values.nonzero()[0])
    opens, highs, lows, closes, volumes = (
        frame[name].astype(float).tolist() for name in ("Open", "High", "Low", "Close", "Volume")
    )
    starts = frame.index.as_unit("ms").asi8.tolist()
    for ts_ms, day, opened, high, low, close, volume in zip(
        starts, days, opens, highs, lows, closes, volumes, strict=True
    ):
        # Only what is no number is not equal to itself.
        if opened == opened or high == high or low == low or close == close:
            answer.rows.append(Row(ts_ms, day, opened, high, low, close, volume))
    return answer


def decode_frame(frame: str | bytes) -> Quote | None:
    """Yahoo's frame: JSON with a base64 protobuf in `message`; one without it is a control message."""
    try:
        body = json.loads(frame)
        if not isinstance(body, dict):
            raise MalformedFrame("not a JSON object")
        message = body.get("message")
        if message is None:
            return None
        pricing = PricingData()
        pricing.ParseFromString(base64.b64decode(message, validate=True))
    except (ValueError, TypeError, binascii.Error, DecodeError, RecursionError) as error:
        raise MalformedFrame(str(error)) from error
    if not pricing.id or not pricing.time:
        raise MalformedFrame("no symbol or no time")
    # `change` is measured from the previous regular close until today's regular close.
    change = pricing.change if pricing.market_hours in (BEFORE_OPEN, REGULAR) else 0.0
    return Quote(
        symbol=pricing.id,
        event_ms=pricing.time,
        price=pricing.price,
        day_volume=pricing.day_volume,
        is_regular=pricing.market_hours == REGULAR,
        day_high=pricing.day_high,
        day_low=pricing.day_low,
        previous_close=pricing.previous_close or (pricing.price - change if change else 0.0),
    )


def _moment(ts_ms: int) -> datetime:
    return datetime.fromtimestamp(ts_ms / 1000, UTC)


def _sentence(error: Exception) -> str:
    """What a library said, without curl's own name for it and its advice where to read on."""
    said = CURLS_ADVICE.sub("", CURLS_NUMBER.sub("", " ".join(str(error).split())))
    return said[:300] if said[1:2].isupper() else said[:1].lower() + said[1:300]

"""The newest price of a symbol, and what the day looks like around it."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from market.bars import Rows

# A provider's minute replaces the newest tick only when the ticks have been silent for this long.
QUIET_MS = 60_000
# A daily bar older than this is not the session before: New Year in Shanghai and Tokyo's golden week close for less.
LONGEST_CLOSURE_DAYS = 14


@dataclass(frozen=True, slots=True)
class Quote:
    """The newest tick of a symbol in a batch, and what its provider said beside the price."""

    symbol: str
    price: float
    session: str
    session_date: int  # days since the epoch
    event_ms: int
    received_ms: int
    day_volume: int | None
    day_high: float | None
    day_low: float | None
    previous_close: float | None


@dataclass(frozen=True, slots=True)
class Latest:
    """A row of `core.latest`. `previous_close` is the regular close of the session before; day values are regular hours'."""

    symbol: str
    price: float
    session: str
    session_date: int
    previous_close: float | None
    day_high: float | None
    day_low: float | None
    day_volume: float | None
    event_ms: int
    received_ms: int


def latest_from_tick(known: Latest | None, quote: Quote, daily: Rows) -> Latest | None:
    """The row after a tick, None when a newer one is known. Our own daily bars rule over what the provider says."""
    if known is not None and (known.event_ms, known.price) >= (quote.event_ms, quote.price):
        return None
    today = _day(daily, quote.session_date)
    volume = quote.day_volume if quote.day_volume is not None else _volume(today)
    return Latest(
        symbol=quote.symbol,
        price=quote.price,
        session=quote.session,
        session_date=quote.session_date,
        previous_close=_previous_close(daily, quote.session_date, quote.previous_close),
        day_high=_extreme(max, quote.day_high, today, "high"),
        day_low=_extreme(min, quote.day_low, today, "low"),
        day_volume=float(volume) if volume is not None else None,
        event_ms=quote.event_ms,
        received_ms=quote.received_ms,
    )


def latest_from_bar(known: Latest | None, symbol: str, minutes: Rows, daily: Rows) -> Latest | None:
    """The row after a provider's bars, None when there is no price: a closed market still has a last one.

    Where ticks are newer, their price stays; what is told around it follows the bars, which may come long after the last tick.
    """
    rows = minutes if len(minutes) else daily
    if not len(rows):
        return None
    row = rows[-1]
    if known is not None and row["event_ms"] - known.event_ms <= QUIET_MS:
        return surrounded(known, daily)
    day = int(row["session_date"])
    today = _day(daily, day)
    return Latest(
        symbol=symbol,
        price=float(row["close"]),
        session="regular",
        session_date=day,
        previous_close=_previous_close(daily, day, None),
        day_high=_extreme(max, None, today, "high"),
        day_low=_extreme(min, None, today, "low"),
        day_volume=_volume(today),
        event_ms=int(row["event_ms"]),
        received_ms=int(row["received_ms"]),
    )


def surrounded(known: Latest, daily: Rows) -> Latest:
    """The row with what our daily bars say of its session."""
    today = _day(daily, known.session_date)
    volumes = [volume for volume in (known.day_volume, _volume(today)) if volume is not None]
    return replace(
        known,
        previous_close=_previous_close(daily, known.session_date, known.previous_close),
        day_high=_extreme(max, known.day_high, today, "high"),
        day_low=_extreme(min, known.day_low, today, "low"),
        day_volume=max(volumes, default=None),
    )


def _day(daily: Rows, session_date: int) -> Rows | None:
    index = int(np.searchsorted(daily["session_date"], session_date))
    if index < len(daily) and daily["session_date"][index] == session_date:
        return daily[index : index + 1]
    return None


def _previous_close(daily: Rows, session_date: int, told: float | None) -> float | None:
    """The close of the session before; what the provider told where ours is not stored yet, as while history still comes in."""
    index = int(np.searchsorted(daily["session_date"], session_date))
    if index and session_date - int(daily["session_date"][index - 1]) <= LONGEST_CLOSURE_DAYS:
        return float(daily["close"][index - 1])
    return told


def _extreme(choose: Callable[[list[float]], float], told: float | None, today: Rows | None, name: str) -> float | None:
    known = [value for value in (told, float(today[name][0]) if today is not None else None) if value is not None]
    return choose(known) if known else None


def _volume(today: Rows | None) -> float | None:
    if today is None or np.isnan(today["volume"][0]):
        return None
    return float(today["volume"][0])

"""Is the market open, and is the newest number as new as it should be?"""

from bisect import bisect_right
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from dashboard.queries import Session

AMBER_S = 15
RED_S = 60


class Market(StrEnum):
    OPEN = "open"
    BREAK = "break"
    CLOSED = "closed"
    UNKNOWN = "unknown"
    """The calendar is not known yet: nothing is claimed."""


@dataclass(frozen=True, slots=True)
class Hours:
    market: Market
    session: Session | None
    """The session that is on, else the last one."""
    opens_at: datetime | None
    """When trading begins again; None while it is on or when the calendar ends before."""


class Freshness(StrEnum):
    LIVE = "live"
    SLOW = "slow"
    STALE = "stale"
    CLOSED = "closed"


def hours(sessions: list[Session], now: datetime) -> Hours:
    """Where `now` is among the sessions, which come in order."""
    begun = bisect_right([session.opens_at for session in sessions], now)
    last = sessions[begun - 1] if begun else None
    following = sessions[begun].opens_at if begun < len(sessions) else None
    if not sessions:
        return Hours(Market.UNKNOWN, None, None)
    if last is None or now >= last.closes_at:
        return Hours(Market.CLOSED, last, following)
    if last.break_start and last.break_end and last.break_start <= now < last.break_end:
        return Hours(Market.BREAK, last, last.break_end)
    return Hours(Market.OPEN, last, None)


def freshness(market: Market, age_s: float) -> Freshness:
    """Old numbers are a fault only while the market trades."""
    if market in (Market.CLOSED, Market.BREAK):
        return Freshness.CLOSED
    if age_s < AMBER_S:
        return Freshness.LIVE
    return Freshness.SLOW if age_s < RED_S else Freshness.STALE

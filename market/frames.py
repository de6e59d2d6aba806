"""How timeframes nest in each other and in the sessions of a calendar."""

from collections.abc import Iterator
from datetime import date, timedelta
from functools import lru_cache

from market.calendars import WEEKMASKS, Session, session_on, sessions
from market.timeframes import MINUTE_MS, TIMEFRAMES, bucket_start_ms

# Each frame is the roll-up of the next smaller one, so that a change costs a handful of rows and not a day of minutes.
PARENTS: dict[str, tuple[str, ...]] = {
    "1m": ("5m",),
    "5m": ("15m",),
    "15m": ("30m",),
    "30m": ("1h",),
    "1h": ("1d",),
    "1d": ("1w", "1mo"),
}

CHILD = {parent: child for child, parents in PARENTS.items() for parent in parents}

# Sessions of a year as the field counts them where it annualises: 252 for exchanges, 365 for what never closes.
SESSIONS_A_YEAR = {"24/7": 365.0, "24/5": 260.0}
STOCK_SESSIONS_A_YEAR = 252.0

EPOCH = date(1970, 1, 1)


def to_days(day: date) -> int:
    """Days since the epoch, as `session_date` stands in rows."""
    return (day - EPOCH).days


def from_days(count: int) -> date:
    return EPOCH + timedelta(days=count)


def bucket(timeframe: str, ts_ms: int, session: Session, calendar: str) -> tuple[int, int, Session]:
    """(start, end, first session) of the bar of `timeframe` that holds `ts_ms` of `session`; half-open, milliseconds.

    Intraday bars count from the session's open and end at its close at the latest; a week is the ISO week's sessions.
    """
    if timeframe == "1d":
        return session.open_ms, session.close_ms, session
    if timeframe in ("1w", "1mo"):
        span = _span(timeframe, session.session_date, calendar) or (session, session)
        return span[0].open_ms, span[1].close_ms, span[0]
    frame = TIMEFRAMES[timeframe]
    start = bucket_start_ms(ts_ms, frame, session.open_ms)
    return start, min(start + frame.length_ms, session.close_ms), session


@lru_cache(maxsize=65536)
def span(calendar: str, timeframe: str, day: int) -> tuple[int, int, int, int]:
    """(start, end, session date, its open) of the bar of whole sessions (1d, 1w, 1mo) that holds a session.

    Times are milliseconds, `day` and the date of the bar's first session are days since the epoch.
    """
    session = session_on(calendar, from_days(day))
    start, end, first = bucket(timeframe, session.open_ms, session, calendar)
    return start, end, to_days(first.session_date), first.open_ms


def annual_bars(calendar: str, timeframe: str) -> float:
    """Bars of `timeframe` in a year of `calendar`, for annualising a volatility."""
    days = SESSIONS_A_YEAR.get(calendar, STOCK_SESSIONS_A_YEAR)
    if timeframe == "1d":
        return days
    if timeframe == "1w":
        return 52.0
    if timeframe == "1mo":
        return 12.0
    return days * _session_minutes(calendar) / TIMEFRAMES[timeframe].minutes


@lru_cache
def _session_minutes(calendar: str) -> float:
    """Minutes of a regular session without its break: the longest of a settled year, so that half-days do not count."""
    if calendar in WEEKMASKS:
        return 1440.0
    return max(_open_minutes(session) for session in sessions(calendar, date(2024, 1, 1), date(2024, 12, 31)))


def _open_minutes(session: Session) -> float:
    pause_ms = 0
    if session.break_start_ms is not None and session.break_end_ms is not None:
        pause_ms = session.break_end_ms - session.break_start_ms
    return (session.close_ms - session.open_ms - pause_ms) / MINUTE_MS


def _span(timeframe: str, day: date, calendar: str) -> tuple[Session, Session] | None:
    """The first and the last session of the week or month of `day`; None where the calendar knows none there."""
    if timeframe == "1w":
        first = day - timedelta(days=day.weekday())
        last = first + timedelta(days=6)
    else:
        first = day.replace(day=1)
        last = (first + timedelta(days=31)).replace(day=1) - timedelta(days=1)
    return _first_and_last(calendar, first, last)


@lru_cache(maxsize=4096)
def _first_and_last(calendar: str, first: date, last: date) -> tuple[Session, Session] | None:
    known = sessions(calendar, first, last)
    return (known[0], known[-1]) if known else None


def ancestors(timeframe: str) -> Iterator[str]:
    """Every frame that is rolled up from `timeframe`, nearest first."""
    for parent in PARENTS.get(timeframe, ()):
        yield parent
        yield from ancestors(parent)

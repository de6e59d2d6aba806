"""Which windows a backfill asks for. Pure."""

from collections.abc import Iterable, Iterator
from datetime import date, timedelta

from ingestion.gaps.coverage import day
from ingestion.providers.base import DAY_MS, Reach
from market.calendars import session_on, sessions

# A daily history is looked through so far back for sessions that are missing.
DAILY_LOOK_BACK_DAYS = 365

Window = tuple[int | None, int | None]


def windows(
    timeframe: str,
    reach: Reach,
    calendar: str,
    stored: Iterable[date],
    now_ms: int,
    everything: bool = False,
    since: date | None = None,
    until: date | None = None,
) -> Iterator[Window]:
    """(start, end) of the requests of a series, oldest first; None is as far as the provider goes. `until` is the last day.

    Where history is stored, it begins with the first session of which there is nothing:

        reach       |--------------------------------|
        stored         ■■■■■■■■■■■      ■■■■■■■■        (sessions)
        asked for                 |------------------|
    """
    first = first_day(timeframe, reach, calendar, set(stored), day(now_ms), everything, since)
    if first is None:
        yield None, None
        return
    start_ms = session_on(calendar, first).open_ms // DAY_MS * DAY_MS - DAY_MS
    if reach.days_back is not None:
        start_ms = max(start_ms, now_ms - reach.days_back * DAY_MS)
    end_ms = None if until is None else end_of(calendar, until, now_ms)
    if end_ms is not None and end_ms <= start_ms:
        return  # older than the provider reaches
    while reach.days_a_request is not None and (end_ms or now_ms) - start_ms > reach.days_a_request * DAY_MS:
        yield start_ms, start_ms + reach.days_a_request * DAY_MS
        start_ms += reach.days_a_request * DAY_MS
    yield start_ms, end_ms


def end_of(calendar: str, until: date, now_ms: int) -> int | None:
    """The end of a day's session with a day to spare, as at the start; None where that has not come yet."""
    end_ms = session_on(calendar, until).close_ms // DAY_MS * DAY_MS + 2 * DAY_MS
    return end_ms if end_ms < now_ms else None


def first_day(
    timeframe: str,
    reach: Reach,
    calendar: str,
    stored: set[date],
    today: date,
    everything: bool,
    since: date | None,
) -> date | None:
    """The first day to ask for, None for all there are."""
    if since is not None:
        return since
    looked_through = timedelta(days=reach.days_back if reach.days_back is not None else DAILY_LOOK_BACK_DAYS)
    oldest = today - looked_through
    if reach.days_back is None and (everything or not any(day < oldest for day in stored)):
        return None
    if everything:
        return oldest
    expected = [session.session_date for session in sessions(calendar, oldest + timedelta(days=1), today)]
    missing = [day for day in expected if day not in stored]
    # The newest session is always asked for again: it may have been stored before it was over.
    return min([*missing, *expected[-1:]], default=today)

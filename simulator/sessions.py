"""When each exchange trades: its sessions as arrays, so that whole histories are answered at once.

These are the provider's sessions, on the other side of the wire, so the platform's own calendars (market/calendars.py) are left
out on purpose: a mistake in them must show against this exchange, as it would against the real one.
"""

from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from functools import lru_cache
from importlib import import_module
from zoneinfo import ZoneInfo

import numpy as np

from simulator.listings import EPOCH
from simulator.noise import Ints
from simulator.venues import Venue

DAY_MS = 86_400_000
MINUTE_MS = 60_000
FIRST_DAY = 0


@dataclass(frozen=True, slots=True)
class Sessions:
    """The regular sessions of a calendar in order. Times in ms since the epoch, days since the epoch in local dates.

    `break_start_ms` equals `break_end_ms` where there is no lunch break.
    """

    timezone: str
    days: Ints
    open_ms: Ints
    close_ms: Ints
    break_start_ms: Ints
    break_end_ms: Ints

    def index_at(self, now_ms: int) -> int:
        """The last session that has opened by `now_ms`; -1 before the first."""
        return int(np.searchsorted(self.open_ms, now_ms, side="right")) - 1

    def minutes_in(self, index: int) -> int:
        """The trading minutes of a session, without its break."""
        break_ms = self.break_end_ms[index] - self.break_start_ms[index]
        return int((self.close_ms[index] - self.open_ms[index] - break_ms) // MINUTE_MS)

    def minute_starts(self, index: int) -> Ints:
        """The start of each trading minute of a session."""
        starts: Ints = self.open_ms[index] + np.arange(self.minutes_in(index), dtype=np.int64) * MINUTE_MS
        starts[starts >= self.break_start_ms[index]] += self.break_end_ms[index] - self.break_start_ms[index]
        return starts

    def local_midnight_ms(self, day: int) -> int:
        """Midnight of a local date."""
        midnight = datetime.combine(EPOCH + timedelta(days=day), time(0), ZoneInfo(self.timezone))
        return int(midnight.timestamp() * 1000)


def around_the_clock(timezone: str, last_day: int) -> Sessions:
    """Every UTC day is a session."""
    days = np.arange(FIRST_DAY, last_day + 1, dtype=np.int64)
    opens = days * DAY_MS
    return Sessions(timezone, days, opens, opens + DAY_MS, opens, opens)


def weekdays(timezone: str, last_day: int) -> Sessions:
    """Monday to Friday, from midnight to midnight of the local clock, as Yahoo shows currencies."""
    days = np.arange(FIRST_DAY, last_day + 1, dtype=np.int64)
    days = days[(days + 3) % 7 < 5]  # day 0 was a Thursday
    zone = ZoneInfo(timezone)
    edges = {
        day: int(datetime.combine(EPOCH + timedelta(days=day), time(0), zone).timestamp() * 1000)
        for day in range(FIRST_DAY, last_day + 2)
    }
    opens = np.array([edges[int(day)] for day in days], dtype=np.int64)
    closes = np.array([edges[int(day) + 1] for day in days], dtype=np.int64)
    return Sessions(timezone, days, opens, closes, opens, opens)


@lru_cache(maxsize=32)
def exchange_sessions(timezone: str, calendar_code: str, since: str, last_day: int) -> Sessions:
    """The sessions of an exchange with its holidays, half-days and breaks, from exchange_calendars."""
    # Imported here because it costs half a second and 60 MB, which the round-the-clock default does without; made from its class
    # because the package keeps every calendar that it is asked for by name.
    module = import_module(f"exchange_calendars.exchange_calendar_{calendar_code.lower()}")
    calendar = getattr(module, f"{calendar_code}ExchangeCalendar")
    schedule = calendar(start=since, end=str(EPOCH + timedelta(days=last_day))).schedule
    opens, closes, pauses, resumes = (
        schedule[name].dt.tz_convert(None).to_numpy().astype("datetime64[ms]")
        for name in ("open", "close", "break_start", "break_end")
    )
    has_break = ~np.isnat(pauses)
    break_start, break_end = (np.where(has_break, times, opens).astype(np.int64) for times in (pauses, resumes))
    days = schedule.index.to_numpy().astype("datetime64[D]").astype(np.int64)
    return Sessions(timezone, days, opens.astype(np.int64), closes.astype(np.int64), break_start, break_end)


@lru_cache(maxsize=64)
def sessions_of(venue: Venue, year: int) -> Sessions:
    """The sessions of a venue through `year`, as far as its calendar knows them."""
    last_day = (date(year, 12, 31) - EPOCH).days
    if venue.calendar == "24/7":
        return around_the_clock(venue.timezone, last_day)
    if venue.calendar == "24/5":
        return weekdays(venue.timezone, last_day)
    return exchange_sessions(venue.timezone, venue.calendar, venue.calendar_since, last_day)

"""The simulated market: every instrument's days, minutes and trades by address, with bounded caches over pure functions."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import cached_property, lru_cache

import numpy as np

from simulator.daily import DayBar, Days, day_bar, days_of
from simulator.dividends import Dividend, dividends_of
from simulator.listings import Listing
from simulator.minutes import Minutes, Style, fill_minutes
from simulator.noise import Ints
from simulator.parts import EXTENDED_TRADES, Part, extended_bars, starts
from simulator.path import SessionBars
from simulator.sessions import MINUTE_MS, Sessions, sessions_of
from simulator.splits import Split, splits_of
from simulator.trades import MinuteBar, Trades, fill_minute
from simulator.venues import SIMULATED, VENUES, Venue

# What is kept of each kind; about 0.5 MB, nothing, 40 kB and 5 kB apiece.
CACHED_HISTORIES = 60
CACHED_DAY_BARS = 3_000
CACHED_SESSIONS = 900
CACHED_MINUTES = 1_500

# Shares of an instrument's minute moves that the whole market makes.
MARKET_SHARES = {"EQUITY": 0.8, "ETF": 0.95, "INDEX": 0.98, "CURRENCY": -0.2, "CRYPTOCURRENCY": 0.6}
AROUND_THE_CLOCK = "24/7"


class Market:
    """Prices of all listings. A pure function of seed, symbol and time: the caches change only how fast it answers."""

    def __init__(
        self, seed: int, listings: Mapping[str, Listing], splits: dict[str, tuple[Split, ...]], hours: str
    ) -> None:
        self.seed = seed
        self.hours = hours
        self.listings = listings
        self.splits = splits
        self.history = lru_cache(maxsize=CACHED_HISTORIES)(make_history)
        self.day_bar = lru_cache(maxsize=CACHED_DAY_BARS)(make_day_bar)
        self.session_minutes = lru_cache(maxsize=CACHED_SESSIONS)(make_session_minutes)
        self.minute_trades = lru_cache(maxsize=CACHED_MINUTES)(make_minute_trades)
        self._instruments: dict[str, Instrument] = {}

    def instrument(self, symbol: str, now_ms: int) -> "Instrument":
        """A listed instrument (`KeyError` for any other), with its calendar through the end of the next year."""
        year = datetime.fromtimestamp(now_ms / 1000, UTC).year + 1
        known = self._instruments.get(symbol)
        if known is None or known.year != year:
            listing = self.listings[symbol]
            venue = SIMULATED if self.hours == AROUND_THE_CLOCK else VENUES[listing.exchange]
            known = Instrument(self, listing, venue, splits_of(listing, self.splits), year)
            self._instruments[symbol] = known
        return known

    def warm_up(self, now_ms: int) -> None:
        """Builds what the first request would otherwise wait for: the calendar of the first listing and its history."""
        first = next(iter(self.listings))
        self.instrument(first, now_ms).bar(0)


@dataclass(frozen=True, eq=False)
class Instrument:
    """A listing on its exchange. A `row` is a session since the listing, counted from 0."""

    market: Market = field(repr=False)
    listing: Listing
    venue: Venue
    splits: tuple[Split, ...]
    year: int

    @property
    def calendar(self) -> Sessions:
        return sessions_of(self.venue, self.year)

    @property
    def days(self) -> Days:
        return self.market.history(self)

    @cached_property
    def first_session(self) -> int:
        return int(np.searchsorted(self.calendar.days, self.listing.listed_day))

    @cached_property
    def style(self) -> Style:
        listing = self.listing
        # From a trade every other minute for small companies to seven a second for the most traded.
        rate = float(np.clip((listing.turnover / 2.5e7) ** 0.85, 0.5, 420.0))
        lull = 0.35 if self.venue.calendar in ("24/7", "24/5") else 0.75
        return Style(self.market.seed, listing.symbol, MARKET_SHARES[listing.kind], rate, lull, listing.has_volume)

    @cached_property
    def dividends(self) -> tuple[Dividend, ...]:
        return dividends_of(self.listing, self.calendar.days[self.first_session :], self.days)

    def row_at(self, now_ms: int) -> int:
        """The last session that has opened; negative before the listing."""
        return self.calendar.index_at(now_ms) - self.first_session

    def open_ms(self, row: int) -> int:
        return int(self.calendar.open_ms[self.first_session + row])

    def close_ms(self, row: int) -> int:
        return int(self.calendar.close_ms[self.first_session + row])

    def in_break(self, row: int, now_ms: int) -> bool:
        """Whether a moment lies in the session's lunch break."""
        at = self.first_session + row
        return bool(self.calendar.break_start_ms[at] <= now_ms < self.calendar.break_end_ms[at])

    def day(self, row: int) -> int:
        """The session's local date, in days since the epoch."""
        return int(self.calendar.days[self.first_session + row])

    def minute_count(self, row: int) -> int:
        return self.calendar.minutes_in(self.first_session + row)

    @property
    def opens_s(self) -> Ints:
        return self.calendar.open_ms[self.first_session :] // 1000

    def minute_starts(self, row: int, part: Part = Part.REGULAR) -> Ints:
        return starts(self, row, part)

    def bar(self, row: int) -> DayBar:
        """The session's bar; cheap to ask again, when the history may have been forgotten."""
        return self.market.day_bar(self, row)

    def minutes(self, row: int, part: Part = Part.REGULAR) -> Minutes:
        return self.market.session_minutes(self, row, part)

    def minute_block(self, rows: Ints, part: Part = Part.REGULAR) -> Minutes:
        """The minutes of a part of several sessions that are equally long in it, one session a row."""
        return minute_block(self, rows, part)

    def trades(self, row: int, minute: int, part: Part = Part.REGULAR) -> Trades:
        """The trades of a part's minute, counted from its first."""
        return self.market.minute_trades(self, row, minute, part)


def make_history(instrument: Instrument) -> Days:
    calendar = instrument.calendar
    return days_of(instrument.market.seed, instrument.listing, calendar, instrument.first_session, instrument.splits)


def make_day_bar(instrument: Instrument, row: int) -> DayBar:
    return day_bar(instrument.days, row)


def minute_block(instrument: Instrument, rows: Ints, part: Part = Part.REGULAR) -> Minutes:
    """The minutes of a part of several sessions that are equally long in it, one session a row."""
    minute = np.stack([starts(instrument, int(row), part) for row in rows]) // MINUTE_MS
    style = instrument.style
    if part is not Part.REGULAR:
        thin = replace(style, trades_a_minute=style.trades_a_minute * EXTENDED_TRADES, lull=0.0)
        return fill_minutes(extended_bars(instrument, rows, part), minute, thin)
    days = instrument.days
    open_, high, low, close, volume = (
        getattr(days, name)[rows].astype(np.int64) for name in ("open", "high", "low", "close", "volume")
    )
    return fill_minutes(SessionBars(open_, high, low, close, volume, days.sigma[rows] * open_), minute, style)


def make_session_minutes(instrument: Instrument, row: int, part: Part) -> Minutes:
    block = minute_block(instrument, np.array([row]), part)
    open_, high, low, close, trades = (
        getattr(block, name)[0].astype(np.int32) for name in ("open", "high", "low", "close", "trades")
    )
    return Minutes(open_, high, low, close, block.volume[0], trades)


def make_minute_trades(instrument: Instrument, row: int, minute: int, part: Part) -> Trades:
    bars = instrument.minutes(row, part)
    values = (int(getattr(bars, name)[minute]) for name in ("open", "high", "low", "close", "volume", "trades"))
    start_ms = int(starts(instrument, row, part)[minute])
    return fill_minute(MinuteBar(start_ms, *values), instrument.market.seed, instrument.listing.symbol)

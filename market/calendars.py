"""Which calendar an instrument trades by, and the sessions of a calendar as data.

A session belongs to a date of the exchange's own time zone and is half-open: `open_ms` is in it, `close_ms` is not. Holidays and
early closes come from exchange_calendars; the two round-the-clock calendars are arithmetic and cost no import.
"""

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from market.errors import UnknownCalendar

DAY_MS = 86_400_000
FIRST_DAY = date(1980, 1, 1)
# A calendar is built through this year, or through the year after the newest time asked for, whichever is later.
FIRST_BUILD_THROUGH = 2027
NEVER_MS = np.iinfo(np.int64).max

# Yahoo's exchange code (chart answer, `meta.exchangeName`) → exchange_calendars code. The codes of a country are those of
# yfinance.const.EQUITY_SCREENER_EQ_MAP; a venue without a calendar of its own is given its country's main exchange, whose
# holidays it shares. exchange_calendars.calendar_utils names the same stand-ins (XNAS, ARCX, BATS, OOTC → XNYS; XTSX → XTSE).
EXCHANGE_CALENDARS = {
    # United States: Nasdaq (three tiers), NYSE, Arca, American, Cboe BZX, OTC. nasdaq.com and nyse.com publish one set of hours.
    **dict.fromkeys(("NMS", "NGM", "NCM", "NAS", "NYQ", "PCX", "ASE", "NAE", "BTS", "CXI"), "XNYS"),
    **dict.fromkeys(("PNK", "OEM", "OGM", "OQB", "OQX", "YHD"), "XNYS"),
    # United States, indices (as Yahoo's chart answers name them): ^GSPC SNP, ^DJI DJI, ^IXIC NIM, ^RUT and ^VIX WCB, ^TNX CGI,
    # ^NYA NYS. They are computed while the stock exchange is open.
    **dict.fromkeys(("SNP", "DJI", "NIM", "WCB", "CBO", "CGI", "NYS"), "XNYS"),
    # United States, futures on CME Globex: 17:00 to 16:00 Chicago (cmegroup.com/trading-hours).
    **dict.fromkeys(("CME", "CBT", "NYM", "CMX"), "CMES"),
    # ICE Futures US (ice.com): by the exchange's 20:00 to 18:00 New York.
    "NYB": "IEPA",
    # Canada: Toronto, TSX Venture, CSE, Cboe Canada (tmx.com: the same hours and holidays).
    **dict.fromkeys(("TOR", "VAN", "CNQ", "NEO"), "XTSE"),
    # Latin America.
    "SAO": "BVMF",
    "MEX": "XMEX",
    "BUE": "XBUE",
    "SGO": "XSGO",
    "BVC": "XBOG",
    # United Kingdom: London and its international order book, Cboe Europe's UK book, Aquis; ^FTSE is FGI.
    **dict.fromkeys(("LSE", "IOB", "CXE", "AQS", "FGI"), "XLON"),
    "ISE": "XDUB",
    # Germany: Xetra; the floors trade 08:00 to 20:00 or 22:00 (boerse-frankfurt.de). DAX indices carry GER.
    "GER": "XETR",
    **dict.fromkeys(("FRA", "BER", "HAN", "MUN"), "XFRA"),
    "DUS": "XDUS",
    "HAM": "XHAM",
    "STU": "XSTU",
    "EUX": "XEUR",
    # Euronext (euronext.com): Paris, Amsterdam (and Cboe's Dutch book), Brussels, Lisbon, Oslo.
    **dict.fromkeys(("PAR", "ENX"), "XPAR"),
    **dict.fromkeys(("AMS", "DXE"), "XAMS"),
    "BRU": "XBRU",
    "LIS": "XLIS",
    "OSL": "XOSL",
    **dict.fromkeys(("MIL", "MDD", "TLO"), "XMIL"),
    # Switzerland, Spain, Austria, the Nordics and the Baltics.
    "EBS": "XSWX",
    **dict.fromkeys(("MCE", "MAD", "BAR"), "XMAD"),
    "VIE": "XWBO",
    "STO": "XSTO",
    "CPH": "XCSE",
    "HEL": "XHEL",
    "ICE": "XICE",
    "TAL": "XTAL",
    "RIS": "XRIS",
    "LIT": "XLIT",
    # Zurich's and STOXX's indices (^STOXX50E: ZRH).
    "ZRH": "XSWX",
    # Eastern Europe, Turkey, Middle East, Africa.
    "ATH": "ASEX",
    "WSE": "XWAR",
    "PRA": "XPRA",
    "BUD": "XBUD",
    "BVB": "XBSE",
    "IST": "XIST",
    "MCX": "XMOS",
    "TLV": "XTAE",
    "SAU": "XSAU",
    "JNB": "XJSE",
    # Japan: Tokyo with its midday break (jpx.co.jp); OSA is what ^N225 carries; Fukuoka and Sapporo keep the same days.
    **dict.fromkeys(("JPX", "OSA", "FKA", "SAP"), "XTKS"),
    # Greater China, Korea.
    **dict.fromkeys(("HKG", "HKS"), "XHKG"),
    **dict.fromkeys(("SHH", "SHZ"), "XSHG"),
    **dict.fromkeys(("TAI", "TWO"), "XTAI"),
    **dict.fromkeys(("KSC", "KOE"), "XKRX"),
    # South and South-East Asia, Oceania.
    **dict.fromkeys(("BSE", "NSI"), "XBOM"),
    "KAR": "XKAR",
    "SES": "XSES",
    "KLS": "XKLS",
    "JKT": "XIDX",
    "SET": "XBKK",
    **dict.fromkeys(("PHS", "PHP"), "XPHS"),
    **dict.fromkeys(("ASX", "CXA"), "XASX"),
    "NZE": "XNZE",
    # Crypto trades without a break; Yahoo's crypto day is the UTC day. SIM is the simulated exchange's default.
    **dict.fromkeys(("CCC", "SIM"), "24/7"),
    # Spot FX: Monday to Friday. The trade of Sunday evening (UTC) counts as extended hours of the Friday before.
    "CCY": "24/5",
}

# Round-the-clock calendars: days of the week that are sessions, as numpy.busday_offset's weekmask.
WEEKMASKS = {"24/7": "1111111", "24/5": "1111100"}


@dataclass(frozen=True, slots=True)
class Session:
    """One session; the break (Tokyo, Hong Kong) is None where there is none. Milliseconds since the epoch."""

    session_date: date
    open_ms: int
    close_ms: int
    break_start_ms: int | None = None
    break_end_ms: int | None = None


@dataclass(frozen=True, slots=True, eq=False)
class SessionColumns:
    """The sessions of an array of times: `index` counts the calendar's sessions from its first one."""

    index: NDArray[np.int64]
    open_ms: NDArray[np.int64]
    close_ms: NDArray[np.int64]
    session_date: NDArray[np.datetime64]
    is_regular: NDArray[np.bool_]


@dataclass(frozen=True, slots=True, eq=False)
class _Table:
    """All sessions of a calendar as columns. `day_ms` is where the trading date begins: local midnight, or the open before it."""

    timezone: ZoneInfo
    through_year: int
    dates: NDArray[np.datetime64]
    day_ms: NDArray[np.int64]
    open_ms: NDArray[np.int64]
    close_ms: NDArray[np.int64]
    break_start_ms: NDArray[np.int64]
    break_end_ms: NDArray[np.int64]

    def row(self, index: int) -> Session:
        has_break = self.break_start_ms[index] != NEVER_MS
        return Session(
            session_date=self.dates[index].item(),
            open_ms=int(self.open_ms[index]),
            close_ms=int(self.close_ms[index]),
            break_start_ms=int(self.break_start_ms[index]) if has_break else None,
            break_end_ms=int(self.break_end_ms[index]) if has_break else None,
        )


def calendar_for(exchange: str, instrument_type: str) -> str:
    """The calendar code of an instrument. Raises `UnknownCalendar`.

    The type decides where the exchange code does not: Yahoo's venues for crypto and currencies change, their hours do not.
    """
    if instrument_type == "CRYPTOCURRENCY":
        return "24/7"
    code = EXCHANGE_CALENDARS.get(exchange)
    if code is None and instrument_type == "CURRENCY":
        return "24/5"
    if code is None:
        raise UnknownCalendar(exchange)
    return code


def timezone_of(calendar: str) -> str:
    """The IANA name of the zone whose dates the sessions carry."""
    return _table(calendar, FIRST_BUILD_THROUGH).timezone.key


def sessions(calendar: str, first: date, last: date) -> list[Session]:
    """The sessions from `first` to `last`, both included, as far as the calendar is known."""
    table = _table(calendar, last.year)
    begin = int(np.searchsorted(table.dates, np.datetime64(first), side="left"))
    end = int(np.searchsorted(table.dates, np.datetime64(last), side="right"))
    return [table.row(index) for index in range(begin, end)]


def session_at(calendar: str, ts_ms: int) -> Session | None:
    """The session between whose open and close `ts_ms` lies (a midday break is inside), or None."""
    session = session_of(calendar, ts_ms)
    return session if session.open_ms <= ts_ms < session.close_ms else None


def session_of(calendar: str, ts_ms: int) -> Session:
    """The session that `ts_ms` belongs to: the one that holds it; before the open and after the close, that of the same local
    date; on a day without trading, the last one before. A time before the first known session gets the first."""
    table = _table(calendar, _year(ts_ms))
    return table.row(max(0, int(np.searchsorted(table.day_ms, ts_ms, side="right")) - 1))


def ex_date_of(calendar: str, ts_ms: int) -> date:
    """The ex-date of a split or dividend at `ts_ms`: its session's date, and on a day without a session that day itself.

    The session before such a day still has the prices of before it.
    """
    session = session_of(calendar, ts_ms)
    if ts_ms < session.close_ms:
        return session.session_date
    local = datetime.fromtimestamp(ts_ms / 1000, ZoneInfo(timezone_of(calendar))).date()
    return max(session.session_date, local)


def sessions_of(calendar: str, ts_ms: NDArray[np.int64]) -> SessionColumns:
    """`session_of` for an array of times."""
    table = _table(calendar, _year(int(ts_ms.max())) if ts_ms.size else FIRST_BUILD_THROUGH)
    index = np.maximum(np.searchsorted(table.day_ms, ts_ms, side="right") - 1, 0)
    open_ms, close_ms = table.open_ms[index], table.close_ms[index]
    in_break = (ts_ms >= table.break_start_ms[index]) & (ts_ms < table.break_end_ms[index])
    is_inside = (ts_ms >= open_ms) & (ts_ms < close_ms)
    return SessionColumns(index, open_ms, close_ms, table.dates[index], is_inside & ~in_break)


def is_regular(calendar: str, ts_ms: int) -> bool:
    """Whether the exchange is in its regular session at `ts_ms`: open, not yet closed, not in a midday break."""
    session = session_at(calendar, ts_ms)
    if session is None:
        return False
    if session.break_start_ms is None or session.break_end_ms is None:
        return True
    return not session.break_start_ms <= ts_ms < session.break_end_ms


def session_on(calendar: str, session_date: date) -> Session:
    """The session of a date on which the provider says there was one.

    Where the calendar does not know it (before its first year, or a day it takes for a holiday), the provider is believed and the
    hours are those of the nearest session before it, or of the calendar's first.
    """
    table = _table(calendar, session_date.year)
    day = np.datetime64(session_date)
    index = max(0, int(np.searchsorted(table.dates, day, side="right")) - 1)
    known = table.row(index)
    if known.session_date == session_date:
        return known
    shift = session_date - known.session_date

    def moved(ts_ms: int) -> int:
        local = datetime.fromtimestamp(ts_ms / 1000, table.timezone).replace(tzinfo=None) + shift
        return int(local.replace(tzinfo=table.timezone).timestamp() * 1000)

    return Session(session_date, moved(known.open_ms), moved(known.close_ms))


def _year(ts_ms: int) -> int:
    return (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=ts_ms)).year


_tables: dict[str, _Table] = {}


def _table(calendar: str, year: int) -> _Table:
    """The calendar's sessions through the year after `year`: built once, and again when time has passed its end."""
    table = _tables.get(calendar)
    if table is None or table.through_year <= year:
        table = _tables[calendar] = _build(calendar, max(FIRST_BUILD_THROUGH, year + 1))
    return table


def _build(calendar: str, through_year: int) -> _Table:
    if calendar in WEEKMASKS:
        return _build_round_the_clock(WEEKMASKS[calendar], through_year)
    end = date(through_year, 12, 31)
    try:
        source = _library().get_calendar(calendar, start=FIRST_DAY, end=end)
    except ValueError:
        # Some calendars are not recorded back to 1980, or not that far ahead; one built without dates says how far.
        lower, upper = _bounds(calendar)
        start = max(FIRST_DAY, lower) if lower else FIRST_DAY
        source = _library().get_calendar(calendar, start=start, end=min(end, upper) if upper else end)
    midnights = source.sessions.tz_localize(
        source.tz, nonexistent="shift_forward", ambiguous=np.ones(len(source.sessions), dtype=bool)
    )
    open_ms = source.opens_nanos // 1_000_000
    return _Table(
        timezone=source.tz,
        through_year=through_year,
        dates=source.sessions.to_numpy().astype("datetime64[D]"),
        day_ms=np.minimum(open_ms, midnights.as_unit("ms").asi8),
        open_ms=open_ms,
        close_ms=source.closes_nanos // 1_000_000,
        break_start_ms=_or_never(source.break_starts_nanos),
        break_end_ms=_or_never(source.break_ends_nanos),
    )


def _library() -> Any:
    """exchange_calendars: a second of import and pandas behind it, so only for processes that meet an exchange with holidays."""
    import exchange_calendars

    return exchange_calendars


@lru_cache
def _bounds(calendar: str) -> tuple[date | None, date | None]:
    """The first and the last date for which exchange_calendars has records, None where it computes any."""
    source = _library().get_calendar(calendar)
    lower, upper = source.bound_min(), source.bound_max()
    return (lower.date() if lower is not None else None, upper.date() if upper is not None else None)


def _or_never(nanos: NDArray[np.int64]) -> NDArray[np.int64]:
    """Milliseconds, with NEVER_MS where pandas has NaT (the smallest int64): a session without a break."""
    return np.where(nanos == np.iinfo(np.int64).min, NEVER_MS, nanos // 1_000_000)


def _build_round_the_clock(weekmask: str, through_year: int) -> _Table:
    """Sessions that are whole UTC days."""
    days = np.arange(np.datetime64(FIRST_DAY), np.datetime64(date(through_year + 1, 1, 1)))
    dates = days[np.is_busday(days, weekmask=weekmask)]
    open_ms = dates.astype("datetime64[ms]").astype(np.int64)
    never = np.full(len(dates), NEVER_MS)
    return _Table(ZoneInfo("UTC"), through_year, dates, open_ms, open_ms, open_ms + DAY_MS, never, never)

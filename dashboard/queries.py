"""SQL over schema `v1`, one function a question. A cursor comes in, plain values go out; nothing here knows Streamlit."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import NamedTuple

from psycopg2.extensions import cursor

from dashboard.adjustment import DEFAULT_ADJUSTMENT, Adjustment
from market.timeframes import TIMEFRAMES

SPARK_TIMEFRAME = "5m"
SPARK_BARS = 48
WATCHED = 40
"""So many symbols are on the watch list at most."""


@dataclass(frozen=True, slots=True)
class Instrument:
    symbol: str
    name: str | None
    exchange: str | None
    calendar: str | None
    timezone: str | None
    currency: str | None
    price_precision: int
    has_volume: bool
    state: str
    state_detail: str | None
    source: str


class Row(NamedTuple):
    """A bar with the indicators that are drawn. Times are milliseconds since the epoch, `volume` shares or coins."""

    ts_ms: int
    end_ms: int
    session_date: date
    open: float
    high: float
    low: float
    close: float
    volume: float | None
    is_closed: bool
    is_final: bool
    sma_5: float | None
    sma_20: float | None
    sma_50: float | None
    sma_200: float | None
    rsi_14: float | None
    macd: float | None
    macd_signal: float | None
    macd_histogram: float | None


@dataclass(frozen=True, slots=True)
class Latest:
    price: float
    previous_close: float | None
    change: float | None
    change_pct: float | None
    day_high: float | None
    day_low: float | None
    day_volume: float | None
    week52_high: float | None
    week52_low: float | None
    session: str
    event_time: datetime
    source: str


@dataclass(frozen=True, slots=True)
class Session:
    session_date: date
    opens_at: datetime
    closes_at: datetime
    break_start: datetime | None = None
    break_end: datetime | None = None


@dataclass(frozen=True, slots=True)
class Quality:
    """Counts of one session; `expected`, `present` and `missing` are minutes, and None where the calendar is not known."""

    session_date: date
    expected: int | None
    present: int | None
    missing: int | None
    ticks: int
    late: int
    corrected: int
    dead_lettered: int
    note: str | None
    # Why the symbol is in quarantine: its sources disagree.
    quarantine: str | None = None


@dataclass(frozen=True, slots=True)
class Refused:
    """Dead letters of the last day: all, and those that name no known symbol. `is_more`: only the newest thousand were counted."""

    letters: int
    of_no_symbol: int
    is_more: bool


@dataclass(frozen=True, slots=True)
class Watched:
    symbol: str
    price: float | None
    change_pct: float | None
    precision: int
    state: str


@dataclass(frozen=True, slots=True)
class Service:
    name: str
    state: str
    detail: str
    age_s: float


INSTRUMENTS = """
SELECT symbol, name, exchange, calendar, timezone, currency, price_precision, has_volume, state, state_detail, source
FROM v1.instruments WHERE tracked ORDER BY symbol
"""

# One probe of the primary key for each frame; a DISTINCT would read every bar of the symbol.
TIMEFRAMES_WITH_BARS = """
SELECT frame FROM unnest(%(frames)s::text[]) AS frame
WHERE EXISTS (SELECT 1 FROM v1.bars b WHERE b.symbol = %(symbol)s AND b.timeframe = frame)
"""

# What a bar's prices are multiplied with. Its indicators are of its own shares, as if no split had been, and go along with it.
SCALES = {
    Adjustment.RAW: "1.0::float8",
    Adjustment.SPLIT: "1 / split_ratio",
    Adjustment.TOTAL_RETURN: "dividend_factor / split_ratio",
}
_OHLCV = {
    Adjustment.RAW: ("open", "high", "low", "close", "volume"),
    Adjustment.SPLIT: ("split_open", "split_high", "split_low", "split_close", "split_volume"),
    Adjustment.TOTAL_RETURN: (
        "total_return_open",
        "total_return_high",
        "total_return_low",
        "total_return_close",
        "split_volume",
    ),
}

# The bars are picked first; the indicators are then one range of their primary key, in the partitions of these bars alone.
# A bar whose total return nobody knows (a dividend without a close before it) is not drawn as one.
_BARS = """
WITH picked AS MATERIALIZED (
    SELECT ts, bar_end, session_date, {ohlcv}, is_closed, is_final, {scale} AS scale
    FROM v1.bars_adjusted(%(symbol)s, %(timeframe)s)
    WHERE session = 'regular' AND ts >= %(since)s AND {scale} IS NOT NULL
    ORDER BY ts DESC LIMIT %(limit)s
)
SELECT (extract(epoch FROM b.ts) * 1000)::bigint, (extract(epoch FROM b.bar_end) * 1000)::bigint, b.session_date,
       b.open, b.high, b.low, b.close, b.volume, b.is_closed, b.is_final,
       i.sma_5 * b.scale, i.sma_20 * b.scale, i.sma_50 * b.scale, i.sma_200 * b.scale, i.rsi_14, i.macd * b.scale,
       i.macd_signal * b.scale, i.macd_histogram * b.scale
FROM picked b
LEFT JOIN v1.indicators i ON i.symbol = %(symbol)s AND i.timeframe = %(timeframe)s AND i.ts = b.ts
                         AND i.ts >= (SELECT min(ts) FROM picked)
ORDER BY b.ts
"""
BARS = {
    each: _BARS.format(
        scale=SCALES[each],
        ohlcv=", ".join(
            f"{column} AS {name}" for column, name in zip(_OHLCV[each], _OHLCV[Adjustment.RAW], strict=True)
        ),
    )
    for each in Adjustment
}
BEGINNING = datetime(1900, 1, 1, tzinfo=UTC)

LATEST = """
SELECT price, previous_close, change, change_pct, day_high, day_low, day_volume, week52_high, week52_low, session, event_time,
       source
FROM v1.latest WHERE symbol = %s
"""

FIVE_MINUTE_MEAN = """
SELECT sma_5 FROM v1.indicators WHERE symbol = %s AND timeframe = '1m' ORDER BY ts DESC LIMIT 1
"""

SESSIONS = """
SELECT session_date, opens_at, closes_at, break_start, break_end FROM v1.sessions
WHERE calendar = %s AND closes_at > now() - interval '10 days' AND opens_at < now() + interval '10 days' ORDER BY opens_at
"""

QUALITY = """
SELECT session_date, expected, present, missing, ticks, late, corrected, dead_lettered, note,
       (SELECT string_agg(k.detail, '; ' ORDER BY k.check_name) FROM v1.quarantine k WHERE k.symbol = q.symbol AND k.is_in)
FROM v1.quality q WHERE symbol = %s ORDER BY session_date DESC LIMIT 1
"""

REFUSED = "SELECT letters, of_no_symbol, is_more FROM v1.refused"

WATCHLIST = """
SELECT i.symbol, l.price, l.change_pct, i.price_precision, i.state
FROM v1.instruments i LEFT JOIN v1.latest l USING (symbol) WHERE i.tracked ORDER BY i.symbol LIMIT %s
"""

SPARKS = """
SELECT s.symbol, (SELECT array_agg(c.close ORDER BY c.ts) FROM (
    SELECT ts, split_close AS close FROM v1.bars_adjusted(s.symbol, %s) ORDER BY ts DESC LIMIT %s) c)
FROM unnest(%s::text[]) AS s(symbol)
"""

SERVICES = "SELECT name, state, detail, age_s::float8 FROM v1.service_status ORDER BY name"

STREAM_AGE = "SELECT min(age_s)::float8 FROM v1.stream"

# Most take a second or two; a sentence that comes and goes would be unrest.
RECOMPUTING_FROM = """
SELECT from_ts FROM v1.recomputations
WHERE symbol = %s AND timeframe = %s AND queued_at < now() - interval '10 seconds'
"""


def clock(cur: cursor) -> datetime:
    """The database's time: every age on the page is measured by this one clock."""
    cur.execute("SELECT now()")
    now: datetime = cur.fetchone()[0]
    return now


def instruments(cur: cursor) -> list[Instrument]:
    cur.execute(INSTRUMENTS)
    return [Instrument(*row) for row in cur.fetchall()]


def timeframes(cur: cursor, symbol: str) -> list[str]:
    """The frames that have bars, shortest first."""
    cur.execute(TIMEFRAMES_WITH_BARS, {"symbol": symbol, "frames": list(TIMEFRAMES)})
    found = {frame for (frame,) in cur.fetchall()}
    return [frame for frame in TIMEFRAMES if frame in found]


def bars(
    cur: cursor,
    symbol: str,
    timeframe: str,
    limit: int,
    since: datetime = BEGINNING,
    adjustment: Adjustment = DEFAULT_ADJUSTMENT,
) -> list[Row]:
    """The newest `limit` bars that begin at `since` or later, oldest first; prices, volumes and averages on one scale."""
    cur.execute(BARS[adjustment], {"symbol": symbol, "timeframe": timeframe, "limit": limit, "since": since})
    return [Row._make(row) for row in cur.fetchall()]


def latest(cur: cursor, symbol: str) -> Latest | None:
    cur.execute(LATEST, (symbol,))
    row = cur.fetchone()
    return None if row is None else Latest(*row)


def five_minute_mean(cur: cursor, symbol: str) -> float | None:
    cur.execute(FIVE_MINUTE_MEAN, (symbol,))
    row = cur.fetchone()
    return None if row is None else row[0]


def sessions(cur: cursor, calendar: str) -> list[Session]:
    """The sessions of ten days to either side."""
    cur.execute(SESSIONS, (calendar,))
    return [Session(*row) for row in cur.fetchall()]


def quality(cur: cursor, symbol: str) -> Quality | None:
    """The newest session's counts."""
    cur.execute(QUALITY, (symbol,))
    row = cur.fetchone()
    return None if row is None else Quality(*row)


def refused(cur: cursor) -> Refused:
    cur.execute(REFUSED)
    return Refused(*cur.fetchone())


def watchlist(cur: cursor) -> list[Watched]:
    cur.execute(WATCHLIST, (WATCHED,))
    return [Watched(*row) for row in cur.fetchall()]


def sparks(cur: cursor, symbols: Sequence[str]) -> dict[str, list[float]]:
    """The last closes of each symbol in today's shares, oldest first."""
    cur.execute(SPARKS, (SPARK_TIMEFRAME, SPARK_BARS, list(symbols)))
    return {symbol: closes for symbol, closes in cur.fetchall() if closes}


def services(cur: cursor) -> list[Service]:
    cur.execute(SERVICES)
    return [Service(*row) for row in cur.fetchall()]


def stream_age_s(cur: cursor) -> float | None:
    """Seconds since the stream last committed anything; None before its first batch."""
    cur.execute(STREAM_AGE)
    age_s: float | None = cur.fetchone()[0]
    return age_s


def recomputing_from(cur: cursor, symbol: str, timeframe: str) -> datetime | None:
    """The first bar whose indicators are still being computed again after a correction; None where there is none."""
    cur.execute(RECOMPUTING_FROM, (symbol, timeframe))
    row = cur.fetchone()
    return None if row is None else row[0]

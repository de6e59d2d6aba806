"""The cross-checks' reads and writes in PostgreSQL: what can be compared, and who is in quarantine."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date

from ingestion.checks.agreement import (
    FEW_TICKS,
    POLL_TOLERANCE,
    POLL_UNITS,
    TICK_RANGE,
    TICK_TOLERANCE,
    TICK_UNITS,
    Compared,
    Day,
    Finding,
)
from ingestion.database import Database
from ingestion.gaps.tables import MS
from ingestion.tables import timestamp
from market.bars import PROVIDER_COMPLETE
from market.contracts import Bar

# A bar of ticks has the time of its last trade as its event, a provider's complete row the end of its minute. Of several revisions
# that ticks made, the last is what they had to say; of the provider's, each is compared with what stands now.
COMPARED = f"""
WITH m AS (
    SELECT ts, open, high, low, close, ticks, origin FROM core.bars
    WHERE symbol = %(symbol)s AND timeframe = '1m' AND session = 'regular' AND ts >= %(start)s AND ts < %(end)s AND is_closed),
r AS (
    SELECT o.ts, o.by_provider, m.close, m.high - m.low AS span,
           CASE WHEN by_provider OR o.ticks >= {FEW_TICKS}
                THEN greatest(abs(o.open - m.open), abs(o.high - m.high), abs(o.low - m.low), abs(o.close - m.close))
                ELSE greatest(o.high - m.high, m.low - o.low) END AS off
    FROM (
        SELECT *, event_time >= ts + interval '1 minute' AS by_provider,
               row_number() OVER (PARTITION BY ts, event_time >= ts + interval '1 minute' ORDER BY revision DESC) AS back
        FROM core.bar_revisions
        WHERE symbol = %(symbol)s AND timeframe = '1m' AND ts >= %(start)s AND ts < %(end)s) o
    JOIN m ON m.ts = o.ts AND m.origin = {PROVIDER_COMPLETE}
    WHERE o.by_provider OR (o.back = 1 AND o.ticks > 0))
SELECT count(*) FILTER (WHERE m.origin = {PROVIDER_COMPLETE} AND ticks > 0), count(*) FILTER (WHERE m.origin = {PROVIDER_COMPLETE}),
       max(m.high), min(m.low), (SELECT close FROM m ORDER BY ts DESC LIMIT 1),
       (SELECT array_agg(DISTINCT {MS.format("ts")}) FROM r WHERE NOT by_provider
            AND off > greatest({TICK_TOLERANCE} * close, {TICK_UNITS} * %(unit)s, {TICK_RANGE} * span) + 1e-9),
       (SELECT array_agg(DISTINCT {MS.format("ts")}) FROM r WHERE by_provider
            AND off > greatest({POLL_TOLERANCE} * close, {POLL_UNITS} * %(unit)s) + 1e-9),
       d.high, d.low, d.close
FROM m LEFT JOIN core.provider_days d ON d.symbol = %(symbol)s AND d.session_date = %(day)s
GROUP BY d.high, d.low, d.close
"""  # noqa: S608  (constants)


@dataclass(frozen=True, slots=True)
class Stay:
    """A symbol's open quarantine by one check: since which session, and when that was asked for again (None: not yet)."""

    check: str
    session_date: date
    asked_ms: int | None


def compared(database: Database, symbol: str, day: date, start_ms: int, end_ms: int, precision: int) -> Compared:
    """A session's minutes side by side. One look at its bars and their revisions, both by primary key."""
    rows = database.run(
        COMPARED,
        {
            "symbol": symbol,
            "day": day,
            "start": timestamp(start_ms),
            "end": timestamp(end_ms),
            "unit": 10.0**-precision,
        },
    )
    if not rows:
        return Compared()
    [(ticks, polls, high, low, close, ticks_off, polls_off, *theirs)] = rows
    ours = Day(high, low, close)
    return Compared(
        ticks, polls, ticks_off or (), polls_off or (), ours, Day(*theirs) if theirs[0] is not None else None
    )


def note_days(database: Database, bars: Sequence[Bar]) -> None:
    """The provider's own daily rows of sessions that are over; the newest answer counts."""
    complete = [bar for bar in bars if bar.is_complete]
    if complete:
        database.run(
            "INSERT INTO core.provider_days AS p (symbol, session_date, open, high, low, close, volume, fetched_at)"
            " SELECT * FROM unnest(%s::text[], %s::date[], %s::float8[], %s::float8[], %s::float8[], %s::float8[],"
            "   %s::float8[], %s::timestamptz[])"
            " ON CONFLICT (symbol, session_date) DO UPDATE SET open = EXCLUDED.open, high = EXCLUDED.high, low = EXCLUDED.low,"
            "   close = EXCLUDED.close, volume = EXCLUDED.volume, fetched_at = EXCLUDED.fetched_at"
            " WHERE EXCLUDED.fetched_at > p.fetched_at AND (p.open, p.high, p.low, p.close, p.volume)"
            "   IS DISTINCT FROM (EXCLUDED.open, EXCLUDED.high, EXCLUDED.low, EXCLUDED.close, EXCLUDED.volume)",
            (
                [bar.symbol for bar in complete],
                [bar.session_date for bar in complete],
                *([getattr(bar, name) for bar in complete] for name in ("open", "high", "low", "close", "volume")),
                [timestamp(bar.fetched_ms) for bar in complete],
            ),
        )


def stays(database: Database) -> dict[str, list[Stay]]:
    """Tracked symbol → its open stays in quarantine."""
    found: dict[str, list[Stay]] = {}
    for symbol, check, day, asked_ms in database.run(
        f"SELECT symbol, check_name, session_date, {MS.format('asked_at')} FROM core.quarantine"  # noqa: S608  (constants)
        " JOIN core.instruments i USING (symbol) WHERE left_at IS NULL AND i.tracked ORDER BY symbol, check_name"
    ):
        found.setdefault(symbol, []).append(Stay(check, day, asked_ms))
    return found


def enter(database: Database, symbol: str, found: Finding) -> bool:
    """Into quarantine, or what is new of a stay; whether it is a new one."""
    [[is_new]] = database.run(
        "INSERT INTO core.quarantine AS q (symbol, check_name, session_date, compared, disagreed, detail)"
        " VALUES (%s, %s, %s, %s, %s, %s) ON CONFLICT (symbol, check_name) WHERE left_at IS NULL DO UPDATE"
        " SET compared = EXCLUDED.compared, disagreed = EXCLUDED.disagreed, detail = EXCLUDED.detail, seen_at = now(),"
        "   asked_at = CASE WHEN q.session_date = EXCLUDED.session_date THEN q.asked_at END,"
        "   session_date = EXCLUDED.session_date RETURNING xmax = 0",
        (symbol, found.check, found.session_date, found.compared, found.disagreed, found.detail[:500]),
    )
    return bool(is_new)


def leave(database: Database, symbol: str, check: str, because: str) -> bool:
    """Out of quarantine; whether it was in it."""
    return bool(
        database.run(
            "UPDATE core.quarantine SET left_at = now(), seen_at = now(), left_because = %s"
            " WHERE symbol = %s AND check_name = %s AND left_at IS NULL RETURNING 1",
            (because[:500], symbol, check),
        )
    )


def note_asked_again(database: Database, symbols: Iterable[str]) -> None:
    """The sessions of these symbols' stays were asked for again."""
    database.run(
        "UPDATE core.quarantine SET asked_at = now() WHERE symbol = ANY(%s) AND left_at IS NULL",
        (sorted(set(symbols)),),
    )

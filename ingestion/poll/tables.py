"""What a poll remembers in PostgreSQL: when each symbol was asked about, and which are possibly delisted."""

from collections.abc import Iterable, Sequence
from datetime import timedelta

from ingestion.database import Database
from ingestion.gaps.coverage import day
from ingestion.gaps.tables import MS, coverage
from ingestion.poll.plan import Asked, confirmed
from ingestion.poll.standing import DELISTED
from ingestion.records.instruments import Instrument
from ingestion.tables import timestamp
from market.bars import PROVIDER_COMPLETE

# What the provider has spoken for is looked up so far back: a weekend with holidays around it. What is older is the ledger's work.
COVERED_DAYS = timedelta(days=7)
# So far back a day without the provider's row is asked for.
DAYS = "30 days"

# Milliseconds since the epoch, 0 for never. The first day without the provider's complete row is one that has closed, or comes
# after the newest that has it.
ASKED = f"""
SELECT i.symbol, coalesce({MS.format("p.minutes_at")}, 0), coalesce({MS.format("p.day_at")}, 0), coalesce({MS.format("d.ts")}, 0),
       coalesce(d.origin = {PROVIDER_COMPLETE}, false), coalesce({MS.format("least(u.unconfirmed, u.confirmed)")}, 0)
FROM core.instruments i
LEFT JOIN core.polled p USING (symbol)
LEFT JOIN LATERAL (SELECT b.ts, b.origin FROM core.bars b
    WHERE b.symbol = i.symbol AND b.timeframe = '1d' ORDER BY b.ts DESC LIMIT 1) d ON true
LEFT JOIN LATERAL (
    SELECT min(b.ts) FILTER (WHERE b.is_closed AND b.origin <> {PROVIDER_COMPLETE}) AS unconfirmed,
           max(b.ts) FILTER (WHERE b.origin = {PROVIDER_COMPLETE}) AS confirmed
    FROM core.bars b WHERE b.symbol = i.symbol AND b.timeframe = '1d' AND b.ts > %s - interval '{DAYS}') u ON true
WHERE i.tracked AND i.state = 'ok'
"""  # noqa: S608  (constants)


def asked(database: Database, instruments: Iterable[Instrument], now_ms: int) -> dict[str, Asked]:
    """What a poll knows of each of the symbols."""
    rows = {symbol: rest for symbol, *rest in database.run(ASKED, (timestamp(now_ms),))}
    covered = coverage(database, day(now_ms) - COVERED_DAYS)
    found = {}
    for instrument in instruments:
        minutes_ms, day_ms, opens_ms, is_confirmed, days_ms = rows.get(instrument.symbol, (0, 0, 0, False, 0))
        covered_ms, earlier_ms = confirmed(instrument.calendar, covered.get(instrument.symbol, {}), now_ms)
        found[instrument.symbol] = Asked(minutes_ms, covered_ms, day_ms, opens_ms, is_confirmed, earlier_ms, days_ms)
    return found


def note_asked(database: Database, entries: Sequence[tuple[str, str, int]]) -> None:
    """(symbol, timeframe, when) of requests that were made, answered or not: who fails waits for the others' turn too."""
    for timeframe, column in (("1m", "minutes_at"), ("1d", "day_at")):
        chosen = [(symbol, at_ms) for symbol, frame, at_ms in entries if frame == timeframe]
        if chosen:
            database.run(
                f"INSERT INTO core.polled (symbol, {column}) SELECT s, a"  # noqa: S608  (constants)
                " FROM unnest(%s::text[], %s::timestamptz[]) AS n (s, a)"
                f" ON CONFLICT (symbol) DO UPDATE SET {column} = EXCLUDED.{column}",
                ([symbol for symbol, _ in chosen], [timestamp(at_ms) for _, at_ms in chosen]),
            )


def last_day(database: Database, symbol: str) -> str | None:
    [[day]] = database.run(
        "SELECT max(session_date)::text FROM v1.bars WHERE symbol = %s AND timeframe = '1d'", (symbol,)
    )
    return None if day is None else str(day)


def mark_delisted(database: Database, symbol: str, sentence: str) -> None:
    database.run("UPDATE core.instruments SET state_detail = %s WHERE symbol = %s", (sentence[:500], symbol))


def unmark_delisted(database: Database, symbols: Sequence[str]) -> None:
    """The provider has answered about them again."""
    database.run(
        "UPDATE core.instruments SET state_detail = NULL WHERE symbol = ANY(%s) AND state_detail LIKE %s",
        (list(symbols), f"{DELISTED}%"),
    )

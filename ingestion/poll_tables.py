"""What a poll remembers in PostgreSQL: when each symbol was asked about, and which are possibly delisted."""

from collections.abc import Sequence

from ingestion.database import Database
from ingestion.poll_plan import Asked
from ingestion.standing import DELISTED
from ingestion.tables import timestamp

# Milliseconds since the epoch, 0 for never.
ASKED = """
SELECT i.symbol, coalesce((extract(epoch FROM p.minutes_at) * 1000)::bigint, 0),
       coalesce((extract(epoch FROM c.through) * 1000)::bigint, 0), coalesce((extract(epoch FROM p.day_at) * 1000)::bigint, 0),
       coalesce((extract(epoch FROM d.ts) * 1000)::bigint, 0), coalesce(d.is_final, false)
FROM core.instruments i
LEFT JOIN core.polled p USING (symbol)
LEFT JOIN LATERAL (SELECT max(upper(c.covered)) AS through FROM core.coverage c
    WHERE c.symbol = i.symbol AND c.session_date > current_date - 7) c ON true
LEFT JOIN LATERAL (SELECT b.ts, b.is_final FROM core.bars b
    WHERE b.symbol = i.symbol AND b.timeframe = '1d' ORDER BY b.ts DESC LIMIT 1) d ON true
WHERE i.tracked AND i.state = 'ok'
"""


def asked(database: Database) -> dict[str, Asked]:
    return {symbol: Asked(*rest) for symbol, *rest in database.run(ASKED)}


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

"""What ingestion reads and writes in PostgreSQL: one function a statement."""

from collections.abc import Mapping
from dataclasses import astuple
from datetime import UTC, date, datetime

from ingestion.database import Database
from ingestion.records.instruments import Instrument, Tracked
from market.bars import PROVIDER_COMPLETE

SELECT_TRACKED = """
SELECT symbol, name, instrument_type, exchange, calendar, timezone, currency, price_precision, has_volume,
       state, (extract(epoch FROM updated_at) * 1000)::bigint, (extract(epoch FROM added_at) * 1000)::bigint,
       history_at IS NOT NULL
FROM core.instruments WHERE tracked ORDER BY added_at, symbol
"""

UPSERT_INSTRUMENT = """
INSERT INTO core.instruments
    (symbol, name, instrument_type, exchange, calendar, timezone, currency, price_precision, has_volume, state, source)
VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, 'ok', %s)
ON CONFLICT (symbol) DO UPDATE SET
    name = EXCLUDED.name, instrument_type = EXCLUDED.instrument_type, exchange = EXCLUDED.exchange,
    calendar = EXCLUDED.calendar, timezone = EXCLUDED.timezone, currency = EXCLUDED.currency,
    price_precision = EXCLUDED.price_precision, has_volume = EXCLUDED.has_volume,
    state = 'ok', state_detail = NULL, updated_at = now()
"""


def timestamp(ts_ms: int) -> datetime:
    return datetime.fromtimestamp(ts_ms / 1000, UTC)


def seed_tracked(database: Database, symbols: list[str], source: str) -> int:
    """Tracks `symbols` where the table is empty, and says how many."""
    rows = database.run(
        "INSERT INTO core.instruments (symbol, source) SELECT s, %s FROM unnest(%s::text[]) AS s"
        " WHERE NOT EXISTS (SELECT FROM core.instruments) ON CONFLICT DO NOTHING RETURNING 1",
        (source, symbols),
    )
    return len(rows)


def tracked(database: Database) -> list[Tracked]:
    """The tracked list, in the order in which it was made."""
    rows = database.run(SELECT_TRACKED)
    return [
        Tracked(row[0], row[9], row[10], Instrument(*row[:9]) if row[9] == "ok" else None, row[11], row[12])
        for row in rows
    ]


def track(database: Database, symbol: str) -> None:
    """Tracks an instrument that is known; one that comes back after a pause has a hole in its history."""
    database.run(
        "UPDATE core.instruments SET tracked = true, history_at = NULL, added_at = now(), updated_at = now()"
        " WHERE symbol = %s AND NOT tracked",
        (symbol,),
    )


def untrack(database: Database, symbol: str) -> bool:
    """Whether it was tracked. Its data stay."""
    return bool(
        database.run(
            "UPDATE core.instruments SET tracked = false, updated_at = now() WHERE symbol = %s AND tracked RETURNING 1",
            (symbol,),
        )
    )


def mark_history(database: Database, symbol: str) -> None:
    database.run("UPDATE core.instruments SET history_at = now() WHERE symbol = %s", (symbol,))


def unmark_history(database: Database, symbol: str) -> None:
    database.run("UPDATE core.instruments SET history_at = NULL WHERE symbol = %s", (symbol,))


def with_history(database: Database) -> set[str]:
    """The symbols of which a backfill has come to its end."""
    return {row[0] for row in database.run("SELECT symbol FROM core.instruments WHERE history_at IS NOT NULL")}


def claim_history(database: Database, symbol: str) -> bool:
    """Whether this process may fetch the symbol's history now. The claim ends with the process."""
    claim = "SELECT pg_try_advisory_lock(hashtext('candlestream history'), hashtext(%s))"
    [[is_ours]] = database.run(claim, (symbol,))
    if is_ours:
        database.keep(claim, (symbol,))
    return bool(is_ours)


def save_instrument(database: Database, instrument: Instrument, source: str) -> None:
    database.run(UPSERT_INSTRUMENT, (*astuple(instrument), source))


def save_untracked(database: Database, instrument: Instrument, source: str) -> None:
    """An instrument whose bars come from a file: nobody asks the provider about it."""
    database.run(
        "INSERT INTO core.instruments (symbol, name, instrument_type, exchange, calendar, timezone, currency,"
        " price_precision, has_volume, state, source, tracked, history_at)"
        " VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, 'ok', %s, false, now()) ON CONFLICT DO NOTHING",
        (*astuple(instrument), source),
    )


def mark_unknown(database: Database, symbol: str, detail: str, day: date) -> None:
    """The provider does not know the symbol: its row says so, and a row of the quality table that people look at."""
    database.run(
        "WITH marked AS (UPDATE core.instruments SET state = 'unknown', state_detail = %s, updated_at = now() WHERE symbol = %s)"
        " INSERT INTO core.quality (symbol, session_date, note) VALUES (%s, %s, %s)"
        " ON CONFLICT (symbol, session_date) DO UPDATE SET note = EXCLUDED.note, updated_at = now()",
        (detail, symbol, symbol, day, f"unknown symbol: {detail}"),
    )


def add_repeats(database: Database, repeats: Mapping[tuple[str, date], int]) -> None:
    if repeats:
        database.run(
            "INSERT INTO core.quality AS q (symbol, session_date, repeated)"
            " SELECT * FROM unnest(%s::text[], %s::date[], %s::bigint[])"
            " ON CONFLICT (symbol, session_date) DO UPDATE SET repeated = q.repeated + EXCLUDED.repeated, updated_at = now()",
            ([symbol for symbol, _ in repeats], [day for _, day in repeats], list(repeats.values())),
        )


def begin_work(database: Database, name: str) -> None:
    """From now until the process ends, however that may be, what it says of its work counts; after that it was interrupted."""
    hold = "SELECT pg_advisory_lock_shared(hashtext('candlestream at work'), hashtext(%s))"
    database.run(hold, (name,))
    database.keep(hold, (name,))


def set_status(database: Database, name: str, state: str, detail: str, *, is_at_work: bool = False) -> None:
    """The word of a process about itself; one that `is_at_work` counts as long as the process lives that began that work."""
    database.run(
        "INSERT INTO core.service_status (name, state, detail, is_at_work) VALUES (%s, %s, %s, %s)"
        " ON CONFLICT (name) DO UPDATE SET state = EXCLUDED.state, detail = EXCLUDED.detail, is_at_work = EXCLUDED.is_at_work,"
        " heartbeat_at = now()",
        (name, state, detail, is_at_work),
    )


def stored_bars(database: Database, symbol: str, timeframe: str, since_ms: int) -> dict[int, tuple[object, ...]]:
    """Start → (open, high, low, close, volume) of the bars that have the provider's complete row."""
    rows = database.run(
        "SELECT (extract(epoch FROM ts) * 1000)::bigint, open, high, low, close, volume FROM core.bars"
        " WHERE symbol = %s AND timeframe = %s AND ts >= %s AND origin = %s",
        (symbol, timeframe, timestamp(since_ms), PROVIDER_COMPLETE),
    )
    return {row[0]: tuple(row[1:]) for row in rows}


def traded_minutes(database: Database, symbol: str, start_ms: int, end_ms: int) -> list[int]:
    """The starts of the regular minutes in which there were trades, whoever said so."""
    rows = database.run(
        "SELECT (extract(epoch FROM ts) * 1000)::bigint FROM core.bars WHERE symbol = %s AND timeframe = '1m'"
        " AND ts >= %s AND ts < %s AND session = 'regular' AND volume IS DISTINCT FROM 0",
        (symbol, timestamp(start_ms), timestamp(end_ms)),
    )
    return [row[0] for row in rows]


def stored_closes(database: Database, symbol: str, since: date) -> dict[date, float]:
    """Session → the printed close that a day's bar of ours was final with."""
    rows = database.run(
        "SELECT session_date, close FROM v1.bars WHERE symbol = %s AND timeframe = '1d' AND session_date >= %s AND is_final",
        (symbol, since),
    )
    return dict(rows)


def note_quality(database: Database, symbol: str, day: date, note: str) -> None:
    """A sentence for whoever looks at the session's quality."""
    database.run(
        "INSERT INTO core.quality (symbol, session_date, note) VALUES (%s, %s, %s)"
        " ON CONFLICT (symbol, session_date) DO UPDATE SET note = EXCLUDED.note, updated_at = now()",
        (symbol, day, note),
    )


def stored_sessions(database: Database, symbol: str, timeframe: str) -> set[date]:
    """The session dates that have a bar of the timeframe."""
    rows = database.run(
        "SELECT DISTINCT session_date FROM v1.bars WHERE symbol = %s AND timeframe = %s AND session = 'regular'",
        (symbol, timeframe),
    )
    return {row[0] for row in rows}


def instruments(database: Database) -> dict[str, Instrument]:
    """All that are known, tracked or not."""
    rows = database.run(
        "SELECT symbol, name, instrument_type, exchange, calendar, timezone, currency, price_precision, has_volume"
        " FROM core.instruments WHERE state = 'ok'"
    )
    return {row[0]: Instrument(*row) for row in rows}


def stored_splits(database: Database, symbol: str) -> dict[date, float]:
    actions = stored_actions(database, symbol)
    return {day: value for (day, action), value in actions.items() if action == "split"}


def stored_actions(database: Database, symbol: str) -> dict[tuple[date, str], float]:
    rows = database.run("SELECT ex_date, action, value FROM v1.corporate_actions WHERE symbol = %s", (symbol,))
    return {(ex_date, action): value for ex_date, action, value in rows}


def complete_through_ms(database: Database, topic: str) -> int | None:
    """How far the stream's clock of the feed has come on all partitions, None before its first record."""
    [[through]] = database.run(
        "SELECT min(clock_ms) FROM core.stream_offsets WHERE topic = %s AND clock_ms > 0 AND topic_id ="
        " (SELECT topic_id FROM core.stream_offsets WHERE topic = %s ORDER BY updated_at DESC LIMIT 1)",
        (topic, topic),
    )
    return None if through is None else int(through)


def open_hole(database: Database, start_ms: int, end_ms: int, reason: str, detail: str) -> int:
    [[identity]] = database.run(
        "INSERT INTO core.gaps (starts_at, ends_at, reason, detail) VALUES (%s, %s, %s, %s) RETURNING id",
        (timestamp(start_ms), timestamp(end_ms), reason, detail),
    )
    return int(identity)


def open_holes(database: Database, reason: str) -> list[tuple[int, int, int]]:
    """(id, start, end) of the feed's holes that are not healed yet."""
    return [
        (row[0], row[1], row[2])
        for row in database.run(
            "SELECT id, (extract(epoch FROM starts_at) * 1000)::bigint, (extract(epoch FROM ends_at) * 1000)::bigint"
            " FROM core.gaps WHERE state = 'open' AND reason = %s ORDER BY starts_at",
            (reason,),
        )
    ]


def close_hole(database: Database, identity: int, state: str, detail: str) -> None:
    database.run(
        "UPDATE core.gaps SET state = %s, detail = detail || %s, settled_at = now() WHERE id = %s",
        (state, detail, identity),
    )
